"""A table of folders as tools export them, and what must happen to each: none is read in silence.

A folder is a style of masks (which values, in which mode) and a classes.txt, or none. It is either
read, and what was decided is said, or refused in one line that names a mask and the next step.
"""

import re

import numpy as np
import pytest
from PIL import Image

from minifcn.data import VOID, Folder
from minifcn.data.palettes import voc_palette

IDS = np.zeros((12, 12), np.uint8)
IDS[:6, :6], IDS[:6, 6:] = 1, 2
"""Three classes: 0 below, 1 and 2 above."""

TWO = (IDS == 1).astype(np.uint8)
SHADES = np.array([0, 128, 255])[IDS]
COLOURS = np.array([(0, 0, 0), (200, 30, 30), (40, 60, 220)], np.uint8)
SHUFFLED = {0: [2, 0, 1], 1: [1, 2, 0]}
"""Palettes in other orders: where each of the three colours is."""

NAMES = "ground\ntree\ncar\n"
WITH_COLOURS = "ground 0 0 0\ntree 200 30 30\ncar 40 60 220\n"
TWO_NAMES = "background\nlesion\n"
TWO_COLOURS = "background 0 0 0\nlesion 255 255 255\n"


def grey(values):
    return Image.fromarray(values.astype(np.uint8))


def deep(values):
    return Image.fromarray(values.astype(np.uint16))


def palette(indices, colours):
    picture = Image.fromarray(indices.astype(np.uint8))
    picture.putpalette(np.asarray(colours, np.uint8).tobytes())
    return picture


def rgb(ids=IDS, colours=COLOURS):
    return Image.fromarray(colours[ids])


def rgba(alpha):
    return lambda i: Image.fromarray(np.dstack([COLOURS[IDS], np.full((12, 12), alpha, np.uint8)]))


def transparent(i):
    """The background is a transparent pixel of the neighbour's colour, as drawing programs do."""
    pixels = np.dstack([COLOURS[np.maximum(IDS, 1)], np.where(IDS, 255, 0).astype(np.uint8)])
    return Image.fromarray(pixels)


def shuffled(i):
    order = SHUFFLED[i % 2]
    where = np.argsort(order)
    return palette(where[IDS], COLOURS[order])


def soft_two(i):
    """A mask of 0 and 255, made larger: its edges become mixtures."""
    return grey(TWO * 255).resize((48, 48), Image.Resampling.BILINEAR)


def mixed_soft(i):
    pixels = np.zeros((48, 48, 3), np.uint8)
    pixels[:, 24:] = COLOURS[1]
    for k in range(4):  # a column of each mixture between the two
        pixels[:, 22 + k] = (COLOURS[1] / 5 * (k + 1)).round()
    return Image.fromarray(pixels)


def stray(value, style=grey, ids=IDS):
    def mask(i):
        values = ids.copy()
        values[11, 11] = value if i == 3 else values[11, 11]
        return style(values)

    return mask


def stray_pixel(i):
    pixels = COLOURS[IDS]
    if i == 3:
        pixels[0, 0] = 9
    return Image.fromarray(pixels)


def soft_shades(values):
    """Masks of shades of grey, turned smoothly: their edges hold shades between them."""

    def mask(i):
        large = grey(np.array(values)[IDS].repeat(16, 0).repeat(16, 1))
        return large.rotate(9 + i, Image.Resampling.BILINEAR)

    return mask


def small(style):
    """Ids 1 to 4 in few pixels each."""
    values = np.zeros((20, 20), np.uint8)
    values[0, :8] = np.arange(8) // 2 + 1
    return lambda i: style(values)


SMALL = small(lambda values: values)(0)
FIVE = "ground 0 0 0\ntree 255 0 0\ncar 0 255 0\nsky 255 255 0\nsea 255 255 255\n"


THREE_COLOURS = "a 0 0 0\nb 255 0 0\nc 0 255 0\n"


def meeting(i):
    """Three classes of colours that meet, made larger: where they do, all three are mixed."""
    large = rgb(colours=np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)).resize(
        (96, 96), 0
    )
    return large.rotate(11 + i, Image.Resampling.BILINEAR).resize((64, 64), Image.Resampling.BOX)


def unlisted(i):
    """Four classes in VOC's colours that lie between those of four others, in few pixels."""
    values = np.zeros((40, 40), np.uint8)
    values[0, :24] = np.arange(24) // 2
    return palette(values, VOC_PALETTE).convert("RGB")


def two_habits(i):
    """Of one person 0 and 1, of another 0 and 255."""
    return grey(TWO * (255 if i % 2 else 1))


def black_on_transparent(ids):
    return Image.merge("LA", [grey(ids * 0), grey(ids)])


def half_shared(i):
    """Index 0 and 5 of the palette are black, 1 is the colour of class 2."""
    return palette(np.array([0, 5, 1])[IDS], [(0, 0, 0), COLOURS[2], *[(9, 9, 9)] * 3, (0, 0, 0)])


def one_bit(values):
    return Image.fromarray(values.astype(bool))


def some_bits(i):
    """An optimiser stores black and white in one bit where it can, as in every second mask."""
    return one_bit(TWO) if i % 2 else grey(TWO * 255)


VOC_PALETTE = voc_palette(256)
# name: (mask of sample i, classes.txt or None, how it is read or None if refused, what is said)
CASES = {
    # ids
    "ids": (lambda i: grey(IDS), None, IDS, "by their ids, 0 to 2"),
    "ids, names": (lambda i: grey(IDS), NAMES, IDS, "by their ids"),
    "ids, colours for pictures": (lambda i: grey(IDS), WITH_COLOURS, IDS, "masks hold ids"),
    "ids of 16 bits": (lambda i: deep(IDS), NAMES, IDS, "by their ids"),
    "ids in a palette": (lambda i: palette(IDS, VOC_PALETTE), None, IDS, "by their ids"),
    "ids in a palette, names": (lambda i: palette(IDS, VOC_PALETTE), NAMES, IDS, "by their ids"),
    "ids saved as RGB": (lambda i: rgb(colours=np.stack([np.arange(3)] * 3, 1).astype(np.uint8)),
                         NAMES, IDS, "by their ids"),
    "ids and void": (lambda i: grey(np.where(IDS == 2, VOID, IDS)), TWO_NAMES,
                     np.where(IDS == 2, VOID, IDS), "by their ids"),
    "ids with a gap": (lambda i: grey(IDS * 2), None, IDS * 2, "id 1, 3 never occurs"),
    "ids with a gap, names": (lambda i: grey(IDS * 2), NAMES + "sky\nsea\n", IDS * 2, "ids"),
    "ids from 1": (lambda i: grey(IDS + 1), None, IDS + 1, "id 0 never occurs"),
    "ids from 1, names": (lambda i: grey(IDS + 1), NAMES, None, "needs a first line for id 0"),
    "an id too many": (lambda i: grey(IDS), TWO_NAMES, None, "has id 2; expected 0 to 1"),
    "far ids": (lambda i: grey(np.where(IDS == 2, 90, IDS)), None, None, "hardly ids"),
    "one bit": (lambda i: one_bit(TWO), None, TWO, "by their ids, 0, 1"),
    "one bit, names": (lambda i: one_bit(TWO), TWO_NAMES, TWO, "by their ids"),
    "one bit, colours": (lambda i: one_bit(TWO), TWO_COLOURS, TWO, "by their colours"),
    # 0 and 255
    "0 and 255": (lambda i: grey(TWO * 255), None, TWO, "0 and 255 alone, read as two classes"),
    "0 and 255, names": (lambda i: grey(TWO * 255), TWO_NAMES, TWO, "255 is lesion"),
    "0 and 255, colours": (lambda i: grey(TWO * 255), TWO_COLOURS, TWO, "by their colours"),
    "0 and 255, colours turned round": (
        lambda i: grey(TWO * 255), "lesion 255 255 255\nskin 0 0 0\n", 1 - TWO, "by their colours"),
    "0 and 255, one name": (lambda i: grey(TWO * 255), "lesion\n", None, "name two classes"),
    "0 and 255, three names": (lambda i: grey(TWO * 255), NAMES, None, "names 3 classes"),
    "0 and 255 as RGB": (lambda i: grey(TWO * 255).convert("RGB"), None, TWO, "0 and 255 alone"),
    "0 and 255 as RGBA": (lambda i: grey(TWO * 255).convert("RGBA"), TWO_NAMES, TWO, "0 and 255"),
    "0 and 255 with alpha": (lambda i: grey(TWO * 255).convert("LA"), TWO_NAMES, TWO, "0 and 255"),
    "0 and 255, some in one bit": (some_bits, None, TWO, "0 and 255 alone"),
    "0 and 255, some in one bit, colours": (some_bits, TWO_COLOURS, TWO, "by their colours"),
    "0 and 255 in a palette": (
        lambda i: palette(TWO, [(0, 0, 0), (255, 255, 255)]), None, TWO, "by their ids, 0, 1"),
    "0, 1 and 255, white listed": (
        lambda i: grey(np.where(IDS == 2, 255, IDS)), TWO_COLOURS, None, "(1, 1, 1)"),
    "0, 128 and 255": (lambda i: grey(SHADES), None, None, "'class1 128 128 128'"),
    "0, 128 and 255, names": (lambda i: grey(SHADES), NAMES, None, "has id 128"),
    "0, 128 and 255, colours": (
        lambda i: grey(SHADES),
        "a 0 0 0\nb 128 128 128\nc 255 255 255\n", IDS, "by their colours"),
    # colours
    "RGB": (lambda i: rgb(), None, None, "into classes.txt, a line each: 'class0 0 0 0'"),
    "RGB, names": (lambda i: rgb(), NAMES, None, "write after each name"),
    "RGB, colours": (lambda i: rgb(), WITH_COLOURS, IDS, "by their colours"),
    "RGBA, colours": (rgba(255), WITH_COLOURS, IDS, "by their colours"),
    "RGBA of alpha 0, colours": (rgba(0), WITH_COLOURS, IDS, "by their colours"),
    "RGBA, transparent background": (transparent, WITH_COLOURS, IDS, "by their colours"),
    "RGB, void colour": (lambda i: rgb(), WITH_COLOURS.replace("car", "void"),
                         np.where(IDS == 2, VOID, IDS), "by their colours"),
    "RGB, a colour missing": (lambda i: rgb(), "ground 0 0 0\ntree 200 30 30\n", None,
                              "'NAME 40 60 220', or 'void 40 60 220'"),
    "RGB, one stray pixel": (stray_pixel, WITH_COLOURS, None, "(9, 9, 9) in 1 pixels"),
    "palette by colours": (lambda i: palette(IDS, COLOURS), WITH_COLOURS, IDS, "by their colours"),
    "palette shuffled, colours": (shuffled, WITH_COLOURS, IDS, "by their colours"),
    "palette shuffled": (shuffled, None, None, "ids are not what these masks mean"),
    "palette shuffled, names": (shuffled, NAMES, None, "write after each name"),
    "palette without colours, colours listed": (
        lambda i: palette(IDS, np.zeros((3, 3))), WITH_COLOURS, IDS, "masks hold ids"),
    # soft edges, strays, void
    "soft edges of 0 and 255": (soft_two, None, "soft", "soft edges"),
    "soft edges of 0 and 255, names": (soft_two, TWO_NAMES, "soft", "soft edges"),
    "soft edges of colours": (mixed_soft, "a 0 0 0\nb 200 30 30\n", "soft", "soft edges"),
    "soft edges of 0 and 255, colours": (soft_two, TWO_COLOURS, "soft", "soft edges"),
    "a stray id": (stray(77), None, None, "hardly ids"),
    "a near stray id": (stray(7), None, None, "id 7 is in 1 pixels of this mask"),
    "a stray id, names": (stray(7), NAMES, None, "has id 7; expected 0 to 2"),
    "all void": (lambda i: grey(IDS * 0 + VOID), None, None, "nothing to learn"),
    "a photo": (lambda i: grey(np.arange(144).reshape(12, 12) + 100 * (i % 2)), None, None,
                "hardly"),
    "soft edges of shades": (soft_shades([0, 120, 240]), None, None, "hardly ids"),
    "soft edges of dark shades": (soft_shades([0, 60, 120]), None, None, "in one mask are hardly"),
    "soft edges of shades, colours": (
        soft_shades([0, 120, 120]), "a 0 0 0\nb 120 120 120\n", "soft", "soft edges"),
    "a stray id beside 0 and 255": (stray(1, ids=TWO * 255), None, None, "id 1 is in 1 pixels"),
    "a stray id beside 0 and 255, names": (stray(1, ids=TWO * 255), TWO_NAMES, None, "id 1 is in"),
    "1 and 255": (lambda i: grey(np.where(TWO, 255, 1)), None, None, "all there is to learn"),
    "soft edges where three meet": (meeting, THREE_COLOURS, "three", "soft edges"),
    "edges of a sharper filter": (
        lambda i: rgb().resize((96, 96), Image.Resampling.LANCZOS), WITH_COLOURS, None,
        "smoothed edges or a JPEG: export the masks without"),
    "most colours unlisted": (
        lambda i: palette(np.arange(144).reshape(12, 12) // 6, VOC_PALETTE).convert("RGB"),
        "a 0 0 0\nb 128 0 0\n", None, "22 such ("),
    "colours between others that are no edges": (
        unlisted, "".join(f"c{k} {r} {g} {b}\n" for k, (r, g, b) in enumerate(VOC_PALETTE[:8])),
        None, "has a colour that"),
    # what could be taken for something else
    "few pixels of ids, colours": (small(grey), FIVE, SMALL, "masks hold ids"),
    "few pixels of ids in a palette, colours": (
        small(lambda ids: palette(ids, VOC_PALETTE)), FIVE, SMALL, "masks hold ids"),
    "0 and 255, other colours": (lambda i: grey(TWO * 255), WITH_COLOURS, None,
                                 "write into classes.txt, a line each: 'NAME 255 255 255'"),
    "0 and 255, two other colours": (lambda i: grey(TWO * 255), "a 0 0 0\nb 255 0 0\n", None,
                                     "'NAME 255 255 255'"),
    "some 0 and 1, some 0 and 255": (two_habits, None, None, "no mask holds both 1 and 255"),
    "some 0 and 1, some 0 and 255, names": (two_habits, TWO_NAMES, None, "no mask holds both"),
    "white and black in a palette": (lambda i: palette(TWO, [(255, 255, 255), (0, 0, 0)]), None,
                                     None, "index 0 of its palette is white"),
    "white and black in a palette, names": (
        lambda i: palette(TWO, [(255, 255, 255), (0, 0, 0)]), TWO_NAMES, None,
        "'background 0 0 0'"),
    "white and black in a palette, colours": (
        lambda i: palette(1 - TWO, [(255, 255, 255), (0, 0, 0)]), TWO_COLOURS, TWO, "colours"),
    "white and black in some palettes": (
        lambda i: palette(1 - TWO, [(255, 255, 255), (0, 0, 0)]) if i % 2 else one_bit(TWO), None,
        None, "index 0 of its palette is white"),
    "a colour twice in a palette, colours": (
        half_shared, "ground 0 0 0\ntree 1 1 1\ncar 40 60 220\na 3 3 3\nb 4 4 4\nc 5 5 5\n",
        np.where(IDS == 2, 2, 0), "by their colours"),
    "a colour twice in a palette, either": (
        lambda i: palette(IDS, [COLOURS[0], COLOURS[1], COLOURS[0]]), WITH_COLOURS, None,
        "for two indices of its palette"),
    "shapes in alpha": (lambda i: black_on_transparent(TWO * 255), TWO_NAMES, None,
                        "transparency alone"),
    "ids in alpha": (lambda i: black_on_transparent(IDS), None, None, "transparency alone"),
    "hexadecimal colours": (lambda i: rgb(), "ground #000000\ntree #c81e1e\ncar #283cdc\n", IDS,
                            "by their colours"),
    "ids before names": (lambda i: grey(IDS), "0 ground\n1 tree\n2 car\n", IDS, "by their ids"),
    # classes.txt
    "void in the middle": (lambda i: grey(IDS), "ground\nvoid\ncar\n",
                           np.where(IDS == 1, VOID, IDS), "by their ids"),
    "void first": (lambda i: grey(IDS), "void\ntree\ncar\n", np.where(IDS == 0, VOID, IDS), "ids"),
    "void last": (lambda i: grey(IDS), "ground\ntree\nvoid\n",
                  np.where(IDS == 2, VOID, IDS), "ids"),
    "comments, blank lines, BOM, CRLF": (
        lambda i: rgb(),
        "\ufeff# made by hand\r\n\r\n" + WITH_COLOURS.replace("\n", "  # yes\r\n"), IDS, "colours"),
    "commas": (lambda i: rgb(), WITH_COLOURS.replace(" ", ","), IDS, "by their colours"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Write ten samples in the style of a case."""

    def write(mask, classes):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir()
        for i in range(10):
            picture = mask(i)
            picture.save(tmp_path / f"masks/{i}.png")
            Image.new("RGB", picture.size).save(tmp_path / f"images/{i}.png")
        if classes is not None:
            (tmp_path / "classes.txt").write_bytes(classes.encode())
        return tmp_path

    return write


def said_of(dataset):
    return "; ".join([*dataset.notes, *dataset.check()])


@pytest.mark.parametrize("case", CASES)
def test_a_folder_is_read_right_or_refused_with_the_next_step(folder, case):
    mask, classes, expected, words = CASES[case]
    root = folder(mask, classes)
    if expected is None:
        with pytest.raises(ValueError) as caught:
            Folder(root)
        message = str(caught.value)
        assert words in message
        assert "\n" not in message
        assert re.search(r"masks.\d\.png|all \d+ masks", message)
        return
    dataset = Folder(root, "all")
    assert words in said_of(dataset)
    for i in range(10):
        got = dataset[i][1]
        if isinstance(expected, str):
            assert (got == VOID).mean() < 0.2
            known = {0, 1} | ({2} if expected == "three" else set())
            assert known <= set(np.unique(got)) <= known | {VOID}
        else:
            np.testing.assert_array_equal(got, expected)


def test_a_last_line_void_says_that_255_is_void(folder):
    dataset = Folder(folder(two_habits, TWO_NAMES + "void\n"), "all")
    masks = {dataset.name(i): dataset[i][1] for i in range(len(dataset))}
    np.testing.assert_array_equal(masks["0"], TWO)
    np.testing.assert_array_equal(masks["1"], np.where(TWO, VOID, 0))


def test_masks_that_are_void_throughout_are_no_other_habit(folder):
    dataset = Folder(folder(lambda i: grey(IDS * 0 + VOID if i % 5 == 4 else TWO), None), "all")
    masks = {dataset.name(i): dataset[i][1] for i in range(len(dataset))}
    np.testing.assert_array_equal(masks["0"], TWO)
    assert (masks["4"] == VOID).all()


def test_the_table_is_long_enough():
    assert len(CASES) >= 40
