"""classes.txt: the names of the classes, a line each in the order of ids, and their colours."""

import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from minifcn.data.dataset import VOID

Colour = tuple[int, int, int]

LINE = re.compile(r"(.*[^\s,;:(\[])[\s,;:(\[]+([0-9]+)[\s,;]+([0-9]+)[\s,;]+([0-9]+)[\s,;:)\]]*")
"""`road 128 64 128`; commas do as well as spaces, and brackets around the three do no harm."""

HEXADECIMAL = re.compile(r"[\s,;:]#([0-9a-fA-F]{6})(?!\S)")
"""`road #804080`, which is no comment."""

WITH_ALPHA = re.compile(r".*[^\s,;:(\[0-9][\s,;:(\[]+([0-9]+[\s,;]+){3}255[\s,;:)\]]*")
"""`road 128 64 128 255`: a colour with its opacity, as drawing programs write it."""

NUMBERED = re.compile(r"([0-9]+)[\s,;:.=)-]+(\D.*)")
"""`0 background`: a name after its id."""

NUMBER_LAST = re.compile(r".*[\s,;:=-]([0-9]+)")


class Class(NamedTuple):
    """One line: a class's name and colour; `void` is the name of what counts nowhere."""

    name: str
    colour: Colour | None = None

    @property
    def is_void(self) -> bool:
        """Whether this is the line that stands for pixels without a label."""
        return self.name.casefold() == "void"


class ClassList(NamedTuple):
    """All lines, in order: a line's number, from 0, is its id.

    `source` is named in errors; `void_colour` is a colour of void that has no line, and so no id.
    """

    entries: tuple[Class, ...]
    source: str
    void_colour: Colour | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, without void."""
        return tuple(entry.name for entry in self.entries if not entry.is_void)

    @property
    def has_colours(self) -> bool:
        """Whether every class has a colour."""
        return all(entry.colour or entry.is_void for entry in self.entries)

    @property
    def colour_ids(self) -> dict[Colour, int]:
        """The id of each colour among the classes without void; VOID for the colour of void."""
        ids = {name: i for i, name in enumerate(self.names)}
        extra = {self.void_colour: VOID} if self.void_colour else {}
        known = {c.colour: VOID if c.is_void else ids[c.name] for c in self.entries if c.colour}
        return extra | known

    @property
    def lines_with_void(self) -> tuple[str, ...]:
        """The names by line number: void keeps its place, so that no later id shifts.

        Only at the end is void left out: nothing comes after it.
        """
        entries = self.entries[:-1] if self.entries[-1].is_void else self.entries
        return tuple(entry.name for entry in entries)

    @property
    def void_ids(self) -> tuple[int, ...]:
        """The line numbers of void, and VOID."""
        return (*(i for i, entry in enumerate(self.entries) if entry.is_void), VOID)


def read_classes(path: Path) -> ClassList:
    """Read `classes.txt`: a class a line, by name, or by name and colour: `road 128 64 128`.

    Blank lines and lines that start with # do not count; what follows ` #` is a comment, unless it
    is a colour: `road #804080`. A line `void`, or `void R G B`, names no class: its id, or its
    colour, marks pixels without a label. Ids before all names (`0 road`) are left out of them.

    Raises ValueError for a name or colour given twice, a number over 255, colours for some classes
    only, for ids that are not those of the lines, and for no class or more than 255.
    """
    lines = [(number, _without_comment(line)) for number, line in read_lines(path)]
    entries = tuple(_parse(line, f"{str(path)!r} line {n}") for n, line in lines if line)
    entries = _without_numbers(entries, repr(str(path)))
    listed = ClassList(entries, repr(str(path)))
    _check_no_alpha([line for _, line in lines if LINE.fullmatch(line)], listed.source)
    _check(listed)
    return listed


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, stripped, each with its number from 1.

    Raises ValueError if the file cannot be read or has no such line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {str(path)!r}: {error}; expected UTF-8 text") from error
    numbered = enumerate(text.splitlines(), start=1)
    lines = [(number, line.strip()) for number, line in numbered if line.strip()]
    if not lines:
        raise ValueError(f"{str(path)!r} is empty; expected a line for each entry")
    return lines


def _without_comment(line: str) -> str:
    if line.startswith("#"):
        return ""
    colour = HEXADECIMAL.search(line)
    if colour and not LINE.fullmatch(line[: colour.start()]):
        return " ".join([line[: colour.start()], *map(str, bytes.fromhex(colour[1]))])
    return re.split(r"\s#", line)[0].strip()


def _parse(line: str, where: str) -> Class:
    line = unicodedata.normalize("NFC", line)
    match = LINE.fullmatch(line)
    if match is None:
        _check_is_name(line, where)
        return Class(line)
    red, green, blue = (int(number) for number in match.groups()[1:])
    if max(red, green, blue) > 255:
        raise ValueError(f"{where}: colour must be three numbers from 0 to 255; got {line!r}")
    return Class(match[1], (red, green, blue))


def _check_no_alpha(coloured: list[str], source: str) -> None:
    """Raise ValueError where each colour has a fourth number: read as three, all would shift."""
    if coloured and all(WITH_ALPHA.fullmatch(line) for line in coloured):
        raise ValueError(
            f"{source}: colour must be three numbers from 0 to 255; got {coloured[0]!r}: leave out"
            " the opacity, the last 255"
        )


def _check_is_name(line: str, where: str) -> None:
    if re.match(r"//|--|[-*]\s|[;%[{]", line) or line.endswith((":", ",", ";")):
        raise ValueError(
            f"{where}: expected the name of a class, and nothing else; got {line!r} (a comment"
            " starts with #)"
        )
    if re.search(r"[\s,;:(\[][0-9]+[\s,;]+[0-9]+[\s,;:)\]]*$", line):
        raise ValueError(f"{where}: colour must be three numbers from 0 to 255; got {line!r}")
    if re.match(r"([0-9]+[\s,;]+){3}\D", line):
        raise ValueError(f"{where}: the name must come before its colour; got {line!r}")


def _without_numbers(entries: tuple[Class, ...], source: str) -> tuple[Class, ...]:
    """Take the ids from numbered names; raise ValueError if they are not those of the lines."""
    ids, names = list(range(len(entries))), [entry.name for entry in entries]
    if re.fullmatch(rf"(?i){VOID}[\s,;:]+void", names[-1] if names else ""):
        return (*_without_numbers(entries[:-1], source), Class("void", entries[-1].colour))
    first = [match for match in map(NUMBERED.fullmatch, names) if match]
    last = [match for match in map(NUMBER_LAST.fullmatch, names) if match]
    for numbered, is_id in ((first, True), (last, False)):
        numbers = [int(match[1]) for match in numbered]
        if len(names) < 2 or len(numbers) < len(names) or numbers == ids:
            continue
        if is_id or sorted(numbers) == ids:  # names of `lane 1`, `lane 2` are good names
            raise ValueError(
                f"{source}: an id is a line's position, from 0, but the lines are numbered"
                f" {', '.join(map(str, numbers[:5]))}{', ...' * (len(numbers) > 5)}: put them in"
                " the order of ids, one for each from 0, or take the numbers away"
            )
    if len(first) < len(names) or len(names) < 2:
        return entries
    return tuple(Class(match[2], e.colour) for match, e in zip(first, entries, strict=True))


def _check(listed: ClassList) -> None:
    names = [entry.name for entry in listed.entries]
    classes = [entry for entry in listed.entries if not entry.is_void]
    colours = [entry.colour for entry in listed.entries if entry.colour]
    must_have = [entry for entry in listed.entries if entry.colour or not entry.is_void]
    if not 0 < len(classes) <= VOID:
        raise ValueError(f"{listed.source} must name 1 to {VOID} classes; got {len(classes)}")
    if len(colours) not in (0, len(must_have)):
        raise ValueError(
            f"{listed.source} must colour all or none; got {len(colours)} of {len(must_have)}"
        )
    for entry, count in Counter([*names, *colours]).items():
        if count > 1:
            raise ValueError(f"{listed.source} must not repeat a name or colour; got {entry} twice")
