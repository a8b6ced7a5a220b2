"""Letters of any script: a font of the system that has those which matplotlib's own font lacks."""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

_OWN = "DejaVu Sans"  # comes with matplotlib

_NO_FONTS = (".lastresort", "lastresort", "last resort", "adobe blank", "noto sans tofu")
"""They have boxes, or nothing, for letters of all scripts."""

_JOINERS = "\u200c\u200d"  # say whether letters of Arabic and Indic scripts join

_found: list[str] = []  # the families that letters were found in, in this process
_drawing: list[int] = []  # one for each picture that is being drawn


@contextmanager
def in_use() -> Iterator[None]:
    """Let matplotlib draw, within the block, with the fonts that were found and will be in it."""
    _drawing.append(1)
    _use()
    try:
        yield
    finally:
        _drawing.pop()


def _use() -> None:
    from matplotlib import rcParams

    if _drawing:
        rcParams["font.family"] = ["sans-serif", *_found]


def plain(text: str) -> str:
    """Return text as one line without letters that control how it is shown."""
    kept = (
        c if unicodedata.category(c) not in ("Cc", "Cf") or c in _JOINERS else " " for c in text
    )
    return " ".join("".join(kept).split())


def width_of(text: str) -> int:
    """Return about how wide a text is, in Latin letters; Chinese, Korean and so on count twice."""
    marks = sum(unicodedata.category(c) in ("Mn", "Me") for c in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def find_fonts(text: str) -> bool:
    """Look for fonts with all letters of a text, to be in use; return whether there are such."""
    families = {_family_with(letter) for letter in dict.fromkeys(text) if not letter.isascii()}
    if new := sorted(family for family in families if family and family not in (_OWN, *_found)):
        _found.extend(new)
        _use()
    return None not in families


def spelled_by_id(names: Sequence[str]) -> dict[int, str]:
    """Return those class names, by id, for which no font has the letters."""
    texts = [plain(name) for name in names]
    return {i: names[i] for i, text in enumerate(texts) if not (text and find_fonts(text))}


@cache
def _family_with(letter: str) -> str | None:
    """The family that has a letter: matplotlib's own, one found before, or any of the system."""
    if letter in _JOINERS or ord(letter) in _letters_of(_own_path()):
        return _OWN
    paths = _system_fonts()
    for family in (*_found, *paths):
        if ord(letter) in _letters_of(paths[family]) and _is_drawn(paths[family], letter):
            return family
    return None


def _own_path() -> str:
    from matplotlib.font_manager import FontProperties, findfont

    return str(findfont(FontProperties(family=[_OWN])))


@cache
def _letters_of(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()  # damaged, or of a kind that matplotlib does not read


def _is_drawn(path: str, letter: str) -> bool:
    """Whether a letter has an outline: coloured emoji may have none that matplotlib draws."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        font.set_size(12, 72)
        left, bottom, right, top = font.load_char(ord(letter)).bbox
    except (OSError, RuntimeError, ValueError):
        return False
    return (
        letter.isspace() or unicodedata.category(letter) == "Mn" or (left < right and bottom < top)
    )


@cache
def _system_fonts() -> dict[str, str]:
    """A file of each family, upright and regular if there is one, those without serifs first."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {str(font.fname) for font in manager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):  # new since it made its list
        with suppress(Exception):  # what it cannot read is no font for us
            manager.addfont(path)
    fonts = sorted(manager.ttflist, key=_preference)
    named = {font.name: str(font.fname) for font in reversed(fonts)}
    families = dict.fromkeys(font.name for font in fonts)
    return {n: named[n] for n in families if not n.lower().startswith(_NO_FONTS)}


def _preference(font: Any) -> tuple[Any, ...]:
    from matplotlib.font_manager import weight_dict

    weight = weight_dict.get(font.weight, font.weight)
    serifs = "sans" not in font.name.lower() and "gothic" not in font.name.lower()
    return font.style != "normal", serifs, abs(weight - 400), font.name, str(font.fname)
