"""Class names of any script, on a machine with fonts that have the letters, and on one without.

The fonts of the machine are replaced by those that come with matplotlib.
"""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager, get_data_path, rcParams
from matplotlib.text import Text
from small_runs import TINY

from minifcn.plots import canvas, fonts, plot_confusion, plot_iou, plot_predictions
from minifcn.plots.canvas import figure_file, legible, shortened

SHIPPED = Path(get_data_path()) / "fonts" / "ttf"
STIX = str(SHIPPED / "STIXGeneral.ttf")


@pytest.fixture
def machine(monkeypatch):
    """Give the machine these fonts, by family, and nothing found yet."""

    def has(**families):
        manager = font_manager.fontManager  # its list may lack them: it is kept between processes
        monkeypatch.setattr(manager, "ttflist", list(manager.ttflist))
        for path in families.values():
            with contextlib.suppress(OSError, RuntimeError):
                manager.addfont(path)
        monkeypatch.setattr(fonts, "_system_fonts", lambda: families)
        monkeypatch.setattr(fonts, "_found", [])
        fonts._family_with.cache_clear()

    yield has
    fonts._family_with.cache_clear()


def letters_of(name):
    return fonts._letters_of(str(SHIPPED / name))


@pytest.fixture
def rare():
    """A letter that STIX has, and DejaVu Sans has not."""
    only = letters_of("STIXGeneral.ttf") - letters_of("DejaVuSans.ttf")
    return next(c for c in map(chr, sorted(only)) if c.isalpha() and fonts._is_drawn(STIX, c))


def texts_in(figure):
    return {text.get_text(): text for text in figure.findobj(Text)}


# -- Names ---------------------------------------------------------------------------------------


def test_names_are_spelled_by_id_where_no_font_has_their_letters(machine):
    machine()
    names = ["sky", "背景", "Straße", "도로", "日本 road", "سيارة", "🚗", "\ud800", "\x07", ""]
    by_id = [0, 2, 5]  # matplotlib's own font has these
    expected = [n if i in by_id else f"class {i}" for i, n in enumerate(names)]
    assert legible(names) == expected
    assert list(fonts.spelled_by_id(names)) == [1, 3, 4, 6, 7, 8, 9]
    assert shortened("a 背") == "a \\u80cc"


def test_names_are_drawn_where_a_font_has_their_letters(machine, rare):
    machine(STIXGeneral=STIX)
    assert legible([rare, "背"]) == [rare, "class 1"]
    assert fonts._found == ["STIXGeneral"]
    assert legible(["background"]) == ["background"]


def test_a_font_is_looked_for_once(machine, rare, monkeypatch):
    machine(STIXGeneral=STIX)
    assert fonts.find_fonts(rare * 3)
    monkeypatch.setattr(fonts, "_system_fonts", lambda: pytest.fail("looked again"))
    assert fonts.find_fonts(f"{rare} and {rare}")
    assert fonts.find_fonts("ASCII and Ελληνικά")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("$x_1^2$", "$x_1^2$"),
        ("bell\x07 and\nline\t", "bell and line"),
        ("right\u202eleft", "right left"),
        ("\ufeffroad", "road"),
        ("a" * 28, "a" * 28),
        ("a" * 29, "a" * 27 + "…"),
        ("Б" * 40, "Б" * 27 + "…"),
        ("_background_", canvas._UNSEEN + "_background_"),
    ],
)
def test_a_name_as_it_is_drawn(name, expected):
    assert shortened(name) == expected
    assert legible([name]) == [expected]


def test_wide_letters_count_twice():
    assert [fonts.width_of(text) for text in ("road", "背景", "도로 a", "e\u0301")] == [4, 4, 6, 1]


# -- Pictures ------------------------------------------------------------------------------------


def draw_all(folder, names):
    """Draw every picture that has the names of classes in it."""
    count = len(names)
    mask = np.arange(count).reshape(1, -1)
    palette = np.linspace(0, 255, 3 * count).astype(int).reshape(-1, 3)
    image = np.zeros((1, count, 3), np.uint8)
    plot_predictions(folder / "p.png", [(image, mask, mask)], names, palette)
    plot_iou(folder / "i.png", dict.fromkeys(names, 0.5), 0.5, None)
    plot_confusion(folder / "c.png", np.eye(count), names)


HARD = [
    "背景",
    "도로",
    "$x$",
    "_background_",
    "__ignore__",
    "a\nb",
    "\ud800",
    "שלום",
    "x" * 300,
    "🚗",
]


def test_no_picture_warns_or_loses_a_name(machine, tmp_path, drawn):
    """A missing letter would be a warning, and warnings are errors in the tests."""
    machine()
    draw_all(tmp_path, HARD)
    for figure in drawn:
        assert {*legible(HARD)} <= {*texts_in(figure)}


def test_every_picture_draws_with_the_font_that_was_found(machine, rare, tmp_path, drawn):
    machine(STIXGeneral=STIX)
    draw_all(tmp_path, ["sky", rare])
    for figure in drawn:
        assert texts_in(figure)[rare].get_fontfamily() == ["sans-serif", "STIXGeneral"]


def test_a_font_that_is_found_while_a_picture_is_drawn(machine, rare, tmp_path):
    machine(STIXGeneral=STIX)
    before = rcParams["font.family"]
    with figure_file(tmp_path / "x.png", 2, 2) as figure:
        text = figure.text(0.1, 0.1, shortened(rare))
        assert text.get_fontfamily() == ["sans-serif", "STIXGeneral"]
    assert rcParams["font.family"] == before
    legible([rare])
    assert rcParams["font.family"] == before


def test_a_picture_without_such_letters_is_the_same_with_any_font(machine, rare, tmp_path):
    pictures = []
    for families in ({}, {"STIXGeneral": STIX}):
        machine(**families)
        shortened(rare)
        plot_iou(tmp_path / "x.png", {"road": 0.5, "Straße": 0.25}, 0.5, None)
        pictures.append((tmp_path / "x.png").read_bytes())
    assert pictures[0] == pictures[1]


def test_hundreds_of_classes(machine, tmp_path):
    machine()
    draw_all(tmp_path, [f"类 {i}" for i in range(120)])


# -- The fonts of a machine ----------------------------------------------------------------------


def test_files_that_are_no_fonts(tmp_path, monkeypatch):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert fonts._letters_of(str(tmp_path / "broken.ttf")) == frozenset()
    assert not fonts._is_drawn(str(tmp_path / "gone.ttf"), "a")
    monkeypatch.setattr(
        font_manager, "findSystemFonts", lambda: [str(tmp_path / "broken.ttf"), "gone.otf"]
    )
    families = fonts._system_fonts.__wrapped__()
    assert Path(families["DejaVu Sans"]).name == "DejaVuSans.ttf"  # not its bold or slanted one
    names = list(families)
    assert names.index("DejaVu Sans") < names.index("DejaVu Serif")


def test_fonts_of_boxes_are_left_out(monkeypatch):
    entry = font_manager.FontEntry
    listed = [entry(fname=STIX, name=name) for name in (".LastResort", "Last Resort", "Real")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    assert list(fonts._system_fonts.__wrapped__()) == ["Real"]


# -- The command ---------------------------------------------------------------------------------


def test_train_says_which_names_are_missing(cli, machine, tmp_path):
    from PIL import Image

    machine()
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for i in range(5):
        Image.fromarray(np.full((32, 32, 3), 9 * i, np.uint8)).save(tmp_path / f"images/{i}.png")
        mask = np.tile(np.uint8([0, 1]), (32, 16))
        Image.fromarray(mask).save(tmp_path / f"masks/{i}.png")
    (tmp_path / "classes.txt").write_text("背景\nroad\n", encoding="utf-8")
    result = cli("train", "--data", tmp_path, *TINY, "--out", tmp_path / "run")
    assert result.code == 0
    last = result.err.splitlines()[-1]
    assert last.startswith("in the pictures class 0 is 背景: no font of this machine has")
    assert "背景" in result.out
    assert "in the pictures" not in cli("train", *TINY, "--out", tmp_path / "shapes").err
