"""One place decides what a folder's masks mean: by ids or by colours, after a look at all of them.

What is clear is done, and said in a note; what could mean two things is an error that says what to
write into classes.txt. The habits behind the rules are those of the tools that export masks: 0 and
255 for two classes, palettes in any order, edges that were smoothed, one pixel of a wrong id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from minifcn.data.classes import Class, ClassList, Colour
from minifcn.data.dataset import VOID
from minifcn.data.labels import Labels, as_colours, between, mixed_colours
from minifcn.data.masks import Values
from minifcn.data.palettes import default_palette
from minifcn.data.seen import (
    BLACK,
    WHITE,
    Found,
    Seen,
    as_lines,
    counted,
    frequent,
    listed_ids,
    ranges,
    share_of,
)

BINARY = ClassList((Class("background", BLACK), Class("foreground", WHITE)), "the masks")

SPARSE = 8
"""Without classes.txt, values with more than so many ids to each found are none: 0 and 128."""

STRAY_SHARE = 0.01
"""An id after a gap, in one mask alone and in less of its pixels than this, is a slip."""

DENSE = 64
"""Without classes.txt, from this id on half of all ids must be found: else they are shades."""

MOST_IDS, MOST_IN_ONE = 200, 48
"""Without classes.txt, more different values than this, in one mask, are no ids, but a picture."""

SOFT_SHARE, SOFT_COLOURS = 0.2, 4
"""A soft edge is at least so many colours between two, and all edges cover at most this share."""


@dataclass(frozen=True)
class Meaning:
    """What was decided, and what there is to say about it."""

    labels: Labels
    notes: tuple[str, ...] = ()


def decide(masks: Sequence[tuple[Path, Values]], listed: ClassList | None = None) -> Meaning:
    """Decide what the values of all `masks` mean, with classes.txt (`listed`) or without.

    - Colours in classes.txt are looked up in masks of every mode; for a palette its colours count,
      not their order. If none of the colours is meant, the values may be ids.
    - Else values are ids. Masks of 0 and 255 alone, black and white, are two classes.
    - Colours between two others, few and many of them, are soft edges: VOID.

    Raises ValueError if masks could mean two things, or nothing; it names a mask and what to do.
    """
    seen = Seen()
    for path, values in masks:
        seen.add(path, values)
    if listed is None and set(seen.ids) <= {VOID} and seen.without_id is None:
        raise ValueError(
            f"all {seen.masks} masks are void ({VOID}) in every pixel: nothing to learn"
        )
    if listed and listed.has_colours:
        return _with_colours(seen, listed)
    if binary := _black_and_white(seen, listed):
        return binary
    if seen.without_id or seen.disagreeing:
        raise _colours_wanted(seen, listed)
    _check_what_void_leaves(seen, listed)
    _check_one_habit(seen, listed)
    return _ids(seen, listed)


# -- With colours in classes.txt -----------------------------------------------------------------


def _with_colours(seen: Seen, listed: ClassList) -> Meaning:
    table = listed.colour_ids
    unknown = {colour: found for colour, found in seen.colours.items() if colour not in table}
    by_colour = Labels(listed.names, _palette(listed, listed.names), colours=table)
    if not unknown and not seen.shared:
        return Meaning(by_colour, ("masks are read by their colours",))
    if unknown and not seen.shared and _are_soft(unknown, seen, listed):
        return _soft(by_colour, unknown, seen)
    are_ids, shows = _are_ids(seen, listed), not unknown and len(seen.colours) > 1
    if shows and are_ids:
        raise _shared_colour(seen, listed)
    if shows:
        return Meaning(by_colour, ("masks are read by their colours",))
    if are_ids:
        note = f"masks hold ids; the colours of {listed.source} are those of pictures"
        return Meaning(_labels_by_id(listed), (note,))
    labels = _labels_by_id(listed)
    are_shades = not seen.without_id and seen.colours.keys() & table.keys() <= {BLACK}
    if are_shades and not set(seen.ids) <= set(labels.ids):
        raise _unnamed_id(seen, listed, labels)
    raise _unknown_colours(unknown or seen.colours, seen, listed)


def _are_ids(seen: Seen, listed: ClassList) -> bool:
    """Whether all values are good ids, and no colour says otherwise.

    Black and white alone are not: with 255 as void, one class would be left.
    """
    labels, table = _labels_by_id(listed), listed.colour_ids
    if seen.without_id or not set(seen.ids) <= set(labels.ids):
        return False
    if seen.is_black_and_white and VOID in seen.ids:
        return False
    names = dict(enumerate(labels.classes))
    meant = {colour: listed.names[i] for colour, i in table.items() if i != VOID}
    for i in seen.ids:
        for colour in seen.pairs.get(i, {(i, i, i): None}):
            if colour in table.keys() - seen.shared and meant.get(colour, "void") != names.get(
                i, "void"
            ):
                return False
    return not seen.disagreeing


def _shared_colour(seen: Seen, listed: ClassList) -> ValueError:
    """Ids of one colour: by colour they are one class, by their ids they are two."""
    colour = min(seen.shared)
    return ValueError(
        f"mask {str(seen.colours[colour].first)!r} has the colour {colour} for two indices of its"
        f" palette; as ids, masks hold {listed_ids(seen.ids)}: take the colours out of"
        f" {listed.source} if ids are meant, or give each class's colour one index"
    )


def _unknown_colours(unknown: dict[Colour, Found], seen: Seen, listed: ClassList) -> ValueError:
    first = next(iter(unknown.values())).first
    lines = [f"'NAME {r} {g} {b}'" for r, g, b in frequent(unknown)]
    advice = (
        f"write into classes.txt, a line each: {', '.join(lines)}, or"
        f" {lines[0].replace('NAME', 'void')} for pixels that should not count"
    )
    if len(unknown) > MOST_IN_ONE:
        advice = "so many come from smoothed edges or a JPEG: export the masks without"
    ids = f"; as ids, masks hold {listed_ids(seen.ids)}" if not seen.without_id else ""
    return ValueError(
        f"mask {str(first)!r} has a colour that {listed.source} lacks; in all masks there are"
        f" {len(unknown)} such ({counted(unknown)}): {advice}{ids}"
    )


# -- Without: ids, or black and white ------------------------------------------------------------


def _black_and_white(seen: Seen, listed: ClassList | None) -> Meaning | None:
    """Masks of 0 and 255 alone: two classes. Were 255 void there, one class would be left."""
    greys = {
        colour: found for colour, found in seen.colours.items() if colour not in (BLACK, WHITE)
    }
    soft = bool(greys) and not (seen.pairs or seen.without_id) and _is_smoothed(greys, seen)
    if not (seen.is_black_and_white or soft):
        return None
    if set(seen.ids) <= {0, 1} and not seen.disagreeing:  # one bit, or a palette: good ids
        _check_order(seen)
        return None
    names = listed.lines_with_void if listed else tuple(entry.name for entry in BINARY.entries)
    if len(names) != 2 or (listed and len(listed.names) != 2):
        raise _not_two(seen, listed)
    table = {BLACK: 0, WHITE: 1}
    labels = Labels(names, _palette(listed, names), colours=table)
    note = f"masks hold 0 and {VOID} alone, read as two classes: 0 is {names[0]}, 255 is {names[1]}"
    if not soft:
        return Meaning(labels, (note,))
    whole = _soft(labels, greys, seen)
    return Meaning(whole.labels, (note.replace(" alone", ""), *whole.notes))


def _check_order(seen: Seen) -> None:
    """Raise ValueError for a palette of white and black: by id white is 0, by colour black is."""
    if WHITE in seen.pairs.get(0, {}):
        raise ValueError(
            f"mask {str(seen.pairs[0][WHITE])!r}: index 0 of its palette is white, 1 is black;"
            " nothing tells which of them is the background: write into classes.txt, a line each:"
            " 'background 0 0 0', 'foreground 255 255 255', with your names, in your order"
        )


def _is_smoothed(greys: dict[Colour, Found], seen: Seen) -> bool:
    """Whether greys beside black and white are smoothed edges: many, dark to light, and rare."""
    if not {BLACK, WHITE} <= seen.colours.keys():
        return False
    levels = sorted(colour[0] for colour in greys)
    return (
        len(levels) >= 8
        and levels[0] < 64
        and levels[-1] >= 192
        and share_of(greys, seen) <= SOFT_SHARE
    )


def _not_two(seen: Seen, listed: ClassList | None) -> ValueError:
    assert listed is not None
    first = seen.colours[WHITE].first
    return ValueError(
        f"mask {str(first)!r} holds 0 and {VOID}, as all masks do, where {listed.source} names"
        f" {len(listed.names)} classes; {VOID} would be void, and 0 all that is left: name two"
        f" classes, or give colours: 'NAME 0 0 0', 'NAME {VOID} {VOID} {VOID}'"
    )


def _ids(seen: Seen, listed: ClassList | None) -> Meaning:
    if listed:
        labels = _labels_by_id(listed)
        if not set(seen.ids) <= set(labels.ids):
            raise _unnamed_id(seen, listed, labels)
        return Meaning(labels, ("masks are read by their ids",))
    found = sorted(set(seen.ids) - {VOID})
    _check_plausible(seen, found)
    entries = tuple(Class(f"class {i}") for i in range(found[-1] + 1))
    missing = [i for i in range(found[-1] + 1) if i not in seen.ids]
    gaps = (f"id {ranges(missing)} never occurs",) if missing else ()
    note = f"masks are read by their ids, {ranges(found)}; classes.txt would name them"
    return Meaning(_labels_by_id(ClassList(entries, "the masks")), (note, *gaps))


def _check_plausible(seen: Seen, found: list[int]) -> None:
    """Raise ValueError where, without classes.txt, values are hardly ids."""
    sparse = found[-1] + 1 > (2 if found[-1] >= DENSE else SPARSE) * len(found)
    if sparse or len(found) > MOST_IDS:
        raise _not_ids(seen, found, f"{len(found)} values up to {found[-1]} are hardly ids")
    most = max(seen.together, key=len)
    if len(most) > MOST_IN_ONE:
        why = f"{len(most)} different values in one mask are hardly ids"
        raise _not_ids(seen, found, why, seen.together[most])
    alone = [i for i in found if i and i - 1 not in seen.ids and _is_stray(seen.ids[i])]
    if alone and seen.masks >= 3:
        pixels = seen.ids[alone[0]].pixels
        why = f"id {alone[0]} is in {pixels} pixels of this mask and in no other mask"
        raise _not_ids(seen, found, why, seen.ids[alone[0]].first)


def _check_what_void_leaves(seen: Seen, listed: ClassList | None) -> None:
    """Raise ValueError where 255 as void leaves one class, or two of which one is a slip."""
    rest = sorted(set(seen.ids) - {VOID})
    if VOID not in seen.ids or (listed and len(listed.names) != 2):
        return
    if len(rest) == 1 and listed is None:
        why = f"if {VOID} is void, {rest[0]} is all there is to learn"
        raise _not_ids(seen, rest, why, seen.ids[VOID].first)
    slips = [i for i in rest if i and _is_stray(seen.ids[i])]
    if len(rest) == 2 and len(slips) == 1 and seen.masks >= 3:
        slip, other = slips[0], sum(rest) - slips[0]
        pixels = seen.ids[slip].pixels
        why = f"id {slip} is in {pixels} pixels of this mask, all others are {other} or {VOID}"
        raise _not_ids(seen, rest, why, seen.ids[slip].first)


def _check_one_habit(seen: Seen, listed: ClassList | None) -> None:
    """Raise ValueError where some masks hold 0 and 1, others 0 and 255, and none holds both."""
    first = {last: path for ids, path in seen.together.items() for last in ids if {0, last} == ids}
    if set(seen.ids) != {0, 1, VOID} or any({1, VOID} <= ids for ids in seen.together):
        return
    if len(first.keys() & {1, VOID}) < 2:
        return
    if listed and listed.lines_with_void != tuple(entry.name for entry in listed.entries):
        return  # a last line void: somebody thought of it
    raise ValueError(
        f"mask {str(first[VOID])!r} holds 0 and {VOID}, but {first[1].name!r} 0 and 1, and no mask"
        f" holds both 1 and {VOID}: if {VOID} is void, say so by a last line 'void' in classes.txt,"
        " after a name for 0 and one for 1; if it is 1, mend the masks"
    )


def _is_stray(found: Found) -> bool:
    return found.masks == 1 and found.share < STRAY_SHARE


def _not_ids(seen: Seen, found: list[int], why: str, mask: Path | None = None) -> ValueError:
    mask = mask or seen.ids[found[-1]].first
    return ValueError(
        f"mask {str(mask)!r}: {why}; the masks hold {listed_ids(seen.ids)}. If they are ids, name"
        f" them all in classes.txt, a line for each from 0 to {found[-1]}; if they are shades of"
        f" grey, write {as_lines(seen)}; else mend the mask"
    )


def _unnamed_id(seen: Seen, listed: ClassList, labels: Labels) -> ValueError:
    wrong = sorted(set(seen.ids) - set(labels.ids))
    found, last = seen.ids[wrong[-1]], len(listed.entries) - 1
    if sorted(set(seen.ids) - {VOID}) == list(range(1, last + 2)):
        advice = "ids start from 0: classes.txt needs a first line for id 0"
    else:
        advice = f"name each id up to {wrong[-1]} in classes.txt, or mend the mask"
    if wrong[-1] > SPARSE * len(seen.ids):
        advice += f"; if these are shades of grey, write {as_lines(seen)}"
    return ValueError(
        f"mask {str(found.first)!r} has id {wrong[-1]}; expected 0 to {last}, or {VOID} for void:"
        f" it has it in {found.pixels} pixels, and all masks hold {listed_ids(seen.ids)}; {advice}"
    )


def _colours_wanted(seen: Seen, listed: ClassList | None) -> ValueError:
    """Colours, and nobody said which class each one is."""
    if seen.without_id:
        what = f"mask {str(seen.without_id)!r}: an RGB mask, but no colour table"
    else:
        assert seen.disagreeing is not None
        index, (first, second) = seen.disagreeing[0], list(seen.disagreeing[1].items())[:2]
        what = (
            f"mask {str(second[1])!r}: index {index} is the colour {second[0]} of its palette, but"
            f" {first[0]} in {first[1].name!r}, so ids are not what these masks mean"
        )
    if listed:
        names = ", ".join(f"{r} {g} {b}" for r, g, b in frequent(seen.colours))
        return ValueError(f"{what}; in classes.txt, write after each name its colour, of {names}")
    return ValueError(f"{what}; write {as_lines(seen)}, with your names")


# -- Soft edges ----------------------------------------------------------------------------------


def _are_soft(unknown: dict[Colour, Found], seen: Seen, listed: ClassList) -> bool:
    """Whether the unknown colours are mixtures of known ones: many, and few pixels in all.

    Only colours that are there make an edge, and many between two: one alone may be a class. Greys
    that could be ids are none.
    """
    if len(unknown) < SOFT_COLOURS or share_of(unknown, seen) > SOFT_SHARE:
        return False
    if not (seen.pairs or seen.without_id) and set(seen.ids) <= set(_labels_by_id(listed).ids):
        return False
    known = [colour for colour in listed.colour_ids if colour in seen.colours]
    colours = np.array(list(unknown))
    on_lines = np.array([between(colours, *pair) for pair in combinations(known, 2)], bool)
    many = on_lines.sum(axis=-1).max(initial=0) >= SOFT_COLOURS
    mostly = many and on_lines.any(axis=0).mean() > 0.5  # few colours are where three classes meet
    return bool(mostly and mixed_colours(colours, known).all())


def _soft(labels: Labels, mixed: dict[Colour, Found], seen: Seen) -> Meaning:
    names = labels.classes, labels.palette
    note = (
        f"masks have soft edges: {len(mixed)} colours between others, in"
        f" {100 * share_of(mixed, seen):.2g} % of the pixels, count as void"
    )
    return Meaning(Labels(*names, colours=labels.colours, mixed=True), (note,))


# -- Tables and words ----------------------------------------------------------------------------


def _labels_by_id(listed: ClassList) -> Labels:
    names = listed.lines_with_void
    ids = {i: i for i in range(len(names))} | dict.fromkeys(listed.void_ids, VOID)
    return Labels(names, _palette(listed, names), ids=ids)


def _palette(listed: ClassList | None, names: tuple[str, ...]) -> tuple[Colour, ...]:
    """The colours of classes.txt where it gives them, or else the default ones."""
    given = {entry.name: entry.colour for entry in listed.entries} if listed else {}
    default = as_colours(default_palette(len(names)))
    return tuple(given.get(name) or colour for name, colour in zip(names, default, strict=True))
