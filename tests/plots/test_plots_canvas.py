"""Saving pictures: whole or not at all, the same bytes each time, nothing global touched."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from minifcn.plots import canvas, figure_file
from minifcn.plots.animations import animate_convolution, animate_transposed
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
        file.write(b"half a pict")
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


# --- Animations -------------------------------------------------------------------------------


@pytest.fixture
def snapped(monkeypatch):
    """The pixels of each frame as drawn, before they are given the colours of a palette."""
    seen, keep = [], canvas.Animation._keep

    def watched(animation, pixels, seconds):
        seen.append(pixels.copy())
        keep(animation, pixels, seconds)

    monkeypatch.setattr(canvas.Animation, "_keep", watched)
    return seen


def test_a_frame_is_what_a_still_of_its_step_would_be(tmp_path, snapped):
    """Only what changed is drawn again; the last frame must look as if drawn from scratch."""
    settings = {"i": 3, "k": 3, "s": 2, "p": 1, "output_padding": 1}
    animate_transposed(tmp_path / "a.gif", **settings)
    last = snapped[-1]
    animate_transposed(tmp_path / "a.gif", **settings, steps=[-1])
    apart = np.abs(np.subtract(last, snapped[-1], dtype=np.int64))
    assert apart.max() <= 64  # the soft edges of lines drawn twice
    assert (apart > 8).mean() < 0.01


def test_a_gif_keeps_the_colours_of_areas(tmp_path, snapped):
    """White is white, and cells have the very colour that was drawn."""
    animate_convolution(tmp_path / "a.gif", p=1)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == len(snapped)
        for n, drawn_frame in enumerate(snapped):
            picture.seek(n)
            shown_frame = np.asarray(picture.convert("RGB"))
            apart = np.abs(np.subtract(shown_frame, drawn_frame, dtype=np.int64))
            assert (apart > 0).any(axis=2).mean() < 0.1
            assert apart.max() < 80
            white = (drawn_frame == 255).all(axis=2)
            assert (shown_frame[white] == 255).all()


def test_frames_last_as_long_as_they_are_to(tmp_path):
    animate_transposed(tmp_path / "a.gif", 2, 2, 1, 0)
    animate_convolution(tmp_path / "b.gif", 12, 1, steps=[0] * 80 + [1])
    for name, expected in (("a", [1200] * 3 + [3000]), ("b", [490] * 80 + [3000])):
        with Image.open(tmp_path / f"{name}.gif") as picture:
            durations = []
            for n in range(picture.n_frames):
                picture.seek(n)
                durations.append(picture.info["duration"])
            assert picture.info["loop"] == 0
        assert durations == expected


def test_a_small_coloured_area_keeps_its_colour_beside_many_greys():
    greys = np.arange(200, dtype=np.uint8).repeat(90).reshape(-1, 1, 1).repeat(3, axis=2)
    orange = np.array([[[230, 159, 0]]], np.uint8)
    colours = canvas._frequent_colours([greys, orange]).tolist()
    assert [230, 159, 0] in colours
    assert len(colours) <= canvas.GIF_COLOURS
