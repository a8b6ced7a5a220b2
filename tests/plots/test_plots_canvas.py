"""Saving pictures: whole or not at all, the same bytes each time, nothing global touched."""

import subprocess
import sys

import matplotlib
import pytest
from matplotlib.figure import Figure
from PIL import Image

from minifcn.plots import figure_file
from minifcn.plots.canvas import DPI, check_names, shortened


def draw_line(path, **options):
    with figure_file(path, 2, 1.5, **options) as figure:
        figure.subplots().plot([0, 1], label="a $5 sign, a $6 sign")
        figure.legend()


def test_saves_a_png_of_the_size_asked_for(tmp_path):
    draw_line(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (2 * DPI, 1.5 * DPI))
        assert not {"Software", "Creation Time", "date"} & set(picture.info)


def test_same_drawing_same_bytes_whatever_the_settings_are(tmp_path):
    draw_line(tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 5, "axes.grid": True}):
        draw_line(str(tmp_path / "b.PNG"))
        assert matplotlib.rcParams["font.size"] == 20
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.PNG").read_bytes()


def test_an_svg_is_the_same_each_time_and_carries_no_date(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_line(tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "<svg" in text
    assert "date" not in text
    assert matplotlib.__version__ not in text


def test_an_error_while_drawing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    size = matplotlib.rcParams["font.size"]
    with pytest.raises(ZeroDivisionError), figure_file(path, 1, 1) as figure:
        figure.subplots().plot([1 / 0])
    assert path.read_bytes() == b"old"
    assert matplotlib.rcParams["font.size"] == size


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, error):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def interrupted(canvas, file, **options):
        file.write_bytes(b"half a pict")
        raise error

    monkeypatch.setattr("matplotlib.backends.backend_agg.FigureCanvasAgg.print_png", interrupted)
    with pytest.raises(error):
        draw_line(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", r"path must end in \.png or \.svg, got 'a\.jpg'"),
        ("no/a.png", "path .* existing folder"),
    ],
)
def test_wrong_path_raises_before_anything_is_drawn(tmp_path, name, message):
    with pytest.raises(ValueError, match=message), figure_file(tmp_path / name, 1, 1):
        pytest.fail("drew")


def test_options_reach_the_figure(tmp_path):
    with figure_file(tmp_path / "a.png", 1, 1, facecolor="red") as figure:
        assert isinstance(figure, Figure)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_import_does_not_import_matplotlib_and_drawing_does_not_import_pyplot(tmp_path):
    code = (
        "import sys, minifcn.plots as p\n"
        "assert 'matplotlib' not in sys.modules\n"
        "p.plot_iou(sys.argv[1], {'a': 0.5}, 0.5, 0.1)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=True)


def test_names():
    assert shortened("road") == "road"
    assert shortened("x" * 40) == "x" * 27 + "…"
    check_names(["a", "b"], 2, "palette")
    with pytest.raises(ValueError, match="classes must be 3 names, as palette has, got 2"):
        check_names(["a", "b"], 3, "palette")
