"""The ways in which people write classes.txt: read as they are meant, or refused."""

import re

import pytest

from minifcn.data.classes import read_classes

ROAD, CAR = ("road", (128, 64, 128)), ("car", (0, 0, 142))


@pytest.mark.parametrize(
    "text",
    [
        "road 128 64 128\ncar 0 0 142",
        "road,128,64,128\ncar;0;0;142".replace(";", ","),
        "road (128, 64, 128)\ncar (0, 0, 142)",
        "road: [128,64,128]\ncar: [0,0,142]",
        "road:128,64,128::\ncar:0,0,142::",
        "road #804080\ncar #00008E",
        "road,#804080\ncar,#00008e  # cars, no lorries",
        "road 128 64 128 #804080\ncar 0 0 142 #00008e",
        "0 road 128 64 128\n1 car 0 0 142",
        "0: road #804080\r\n1: car #00008e\r\n",
    ],
)
def test_ways_to_write_colours(save_text, text):
    assert read_classes(save_text("classes.txt", text)).entries == (ROAD, CAR)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 ground\n1 tree\n2 car", ["ground", "tree", "car"]),
        ("0: ground\n1. tree\n2,car", ["ground", "tree", "car"]),
        ("0 ground\n1 void\n2 car", ["ground", "void", "car"]),
        ("0 ground\n1 tree\n255 void", ["ground", "tree", "void"]),
        ("lane 1\nlane 2", ["lane 1", "lane 2"]),
        ("class 0\nclass 1", ["class 0", "class 1"]),
        ("3d box\ncar", ["3d box", "car"]),
        ("2 wheels\ncar", ["2 wheels", "car"]),
        ("ground #1\ntree # see #12", ["ground", "tree"]),
    ],
)
def test_names_with_numbers(save_text, text, names):
    assert [entry.name for entry in read_classes(save_text("classes.txt", text)).entries] == names


@pytest.mark.parametrize(
    "text",
    ["1 road\n0 car", "1 road\n2 car", "0 road\n2 car", "road 1\ncar 0", "a: 2\nb: 0\nc: 1"],
)
def test_ids_that_are_not_those_of_the_lines(save_text, text):
    with pytest.raises(ValueError, match=r"an id is a line's position, from 0, but the lines are"):
        read_classes(save_text("classes.txt", text))


@pytest.mark.parametrize("line", ["road (1, 2)", "road [1, 2, 256]", "road (1, 2, 300)"])
def test_colours_in_brackets_that_are_none(save_text, line):
    with pytest.raises(ValueError, match=re.escape(f"three numbers from 0 to 255; got {line!r}")):
        read_classes(save_text("classes.txt", line))


@pytest.mark.parametrize(
    "line",
    [
        "names:",
        "- road",
        "* road",
        "// all classes",
        "{",
        '["a", "b"]',
        "; made by hand",
        '"road",',
    ],
)
def test_lines_of_other_formats_would_shift_the_ids(save_text, line):
    with pytest.raises(ValueError, match=r"line 2: expected the name of a class, and nothing else"):
        read_classes(save_text("classes.txt", f"road\n{line}\ncar"))


@pytest.mark.parametrize(
    "text", ["road 128 64 128 255\ncar 0 0 142 255", "road,128,64,128,255", "road (1, 2, 3, 255)"]
)
def test_a_colour_with_its_opacity_is_no_other_colour(save_text, text):
    with pytest.raises(ValueError, match="three numbers from 0 to 255; got .*leave out the opac"):
        read_classes(save_text("classes.txt", text))


def test_a_number_at_the_end_of_a_name_is_a_part_of_it(save_text):
    entries = read_classes(save_text("classes.txt", "zone 1 10 20 255\nzone 2 10 20 30")).entries
    assert entries == (("zone 1", (10, 20, 255)), ("zone 2", (10, 20, 30)))
