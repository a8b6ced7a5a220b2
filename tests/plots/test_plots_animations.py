"""The numbers of each frame against the kernels; and that the frames show these numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from minifcn import kernels
from minifcn.plots import animations, canvas
from minifcn.plots.animations import animate_convolution, animate_transposed
from minifcn.plots.animations.number_grid import written
from minifcn.plots.animations.steps import convolution_steps, kept, made_up, stamps

PAIRS = some.tuples(some.integers(1, 12), some.integers(1, 12))
STRIDES = some.tuples(some.integers(1, 4), some.integers(1, 4))
PADDINGS = some.tuples(some.integers(0, 11), some.integers(0, 11))
QUICKLY = settings(max_examples=40, deadline=None)


def numbers(size, kernel_size, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal(size), generator.standard_normal(kernel_size)


# --- The numbers ------------------------------------------------------------------------------


@QUICKLY
@given(PAIRS, PAIRS, STRIDES, PADDINGS, STRIDES)
def test_the_steps_of_a_convolution_end_in_what_the_kernel_computes(i, k, s, p, d):
    x, weight = numbers(i, k)
    try:
        y = kernels.conv2d(x[None, None], weight[None, None], s, p, d)[0, 0]
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)[:20]):
            convolution_steps(x, weight, s, p, d)
        return
    steps = convolution_steps(x, weight, s, p, d)
    assert [step.place for step in steps] == list(np.ndindex(y.shape))
    np.testing.assert_array_equal(steps[-1].output, y)
    padded = np.pad(x, [(n, n) for n in p])
    for n, step in enumerate(steps):
        assert step.products.sum() == pytest.approx(y[step.place])
        assert np.isfinite(step.output).sum() == n + 1
        assert step.output[step.place] == y[step.place]
        top, left = step.corner[0] + p[0], step.corner[1] + p[1]
        rows, columns = top + d[0] * np.arange(k[0]), left + d[1] * np.arange(k[1])
        np.testing.assert_array_equal(step.window, padded[np.ix_(rows, columns)])


@QUICKLY
@given(PAIRS, PAIRS, STRIDES, PADDINGS, STRIDES, PADDINGS)
def test_the_stamps_add_up_to_what_the_kernel_computes(i, k, s, p, d, a):
    x, weight = numbers(i, k)
    a = tuple(n % max(both) for n, both in zip(a, zip(s, d, strict=True), strict=True))
    try:
        y = kernels.conv_transpose2d(x[None, None], weight[None, None], s, p, a, d)[0, 0]
    except ValueError:
        with pytest.raises(ValueError, match="leaves nothing of the output"):
            stamps(x, weight, s, p, d, a)
        return
    found = stamps(x, weight, s, p, d, a)
    np.testing.assert_allclose(found[-1].output, y, atol=1e-12)
    np.testing.assert_array_equal(found[-1].after[kept(y.shape, p)], found[-1].output)
    assert [stamp.place for stamp in found] == list(np.ndindex(x.shape))
    before = np.zeros(found[0].after.shape)
    for stamp in found:
        np.testing.assert_array_equal(stamp.before, before)
        np.testing.assert_allclose(stamp.products, x[stamp.place] * weight)
        added = np.zeros(before.shape)
        top, left = stamp.corner[0] + p[0], stamp.corner[1] + p[1]
        rows, columns = top + d[0] * np.arange(k[0]), left + d[1] * np.arange(k[1])
        added[np.ix_(rows, columns)] = stamp.products
        np.testing.assert_allclose(stamp.after, before + added)
        np.testing.assert_array_equal(stamp.lands, added != 0)
        before = stamp.after
    np.testing.assert_array_equal(sum(stamp.lands.astype(int) for stamp in found), found[-1].hits)


def test_the_canvas_of_the_odd_case():
    """k 3, s 2, p 1: output_padding keeps what the padding cuts off, at the bottom and right."""
    x, weight = numbers((3, 3), (3, 3))
    plain, odd = stamps(x, weight, 2, 1), stamps(x, weight, 2, 1, 1, 1)
    assert (plain[-1].after.shape, plain[-1].output.shape) == ((7, 7), (5, 5))
    assert (odd[-1].after.shape, odd[-1].output.shape) == ((7, 7), (6, 6))
    assert (odd[-1].output[5] != 0).all()
    beyond = stamps(x, weight, 3, 0, 1, 2)[-1]
    assert beyond.after.shape == (11, 11)
    assert not beyond.after[9:].any()


def test_made_up_numbers():
    drawn = made_up((4, 5), "i", 1, 4, seed=3)
    assert (drawn.shape, drawn.dtype, drawn.min(), drawn.max()) == ((4, 5), np.float64, 1, 4)
    np.testing.assert_array_equal(drawn, made_up((4, 5), "i", 1, 4, seed=3))
    assert (drawn != made_up((4, 5), "i", 1, 4, seed=4)).any()
    own = [[1, 2.5, 3]]
    np.testing.assert_array_equal(made_up(own, "i", 0, 1, 0), own)


# --- The frames -------------------------------------------------------------------------------


@pytest.fixture
def pages(monkeypatch):
    """What each frame's grids show after it was drawn."""
    seen = []

    class Watched(animations.Page):
        def say(self, count, sentences):
            super().say(count, sentences)
            seen.append({name: texts(getattr(self, name)) for name in GRIDS})
            seen[-1]["caption"] = [text.get_text() for text in self._caption]

    monkeypatch.setattr(animations, "Page", Watched)
    return seen


GRIDS = ("input", "kernel", "products", "output")


def texts(grid):
    return [cell.number.get_text() for cell in grid._cells.values()]


def shown(array):
    return [written(number) for number in array.flat]


def test_the_frames_of_a_convolution_show_its_numbers(tmp_path, pages):
    x, weight = numbers((4, 5), (2, 3))
    animate_convolution(tmp_path / "a.gif", x, weight, s=(1, 2), p=1, d=(2, 1))
    steps = convolution_steps(x, weight, (1, 2), 1, (2, 1))
    assert len(pages) == len(steps)
    for page, step in zip(pages, steps, strict=True):
        assert page["input"] == shown(np.pad(x, 1))
        assert page["kernel"] == shown(weight)
        assert page["products"] == shown(step.products)
        filled = [text for text in page["output"] if text]
        assert filled == shown(step.output[~np.isnan(step.output)])
    with Image.open(tmp_path / "a.gif") as picture:
        assert (picture.format, picture.n_frames) == ("GIF", len(steps))


def test_the_frames_of_a_transposed_convolution_show_its_numbers(tmp_path, pages):
    x, weight = numbers((3, 2), (3, 3))
    animate_transposed(tmp_path / "a.gif", x, weight, 2, 1, 1, (1, 0))
    found = stamps(x, weight, 2, 1, 1, (1, 0))
    assert len(pages) == len(found)
    for page, stamp in zip(pages, found, strict=True):
        assert page["products"] == shown(stamp.products)
        assert page["output"] == shown(stamp.after)


def test_the_sum_is_written_out(tmp_path, pages):
    x, weight = np.array([[1.0, 2], [3, 4]]), np.array([[2.0, 0], [-1, 5]])
    animate_convolution(tmp_path / "a.png", x, weight)
    assert pages[0]["caption"][1] == "output[0, 0] = 1×2 + 2×0 + 3×(−1) + 4×5 = 19"
    animate_convolution(tmp_path / "a.png", 12, 12)
    assert "the sum of the 144 products = " in pages[1]["caption"][1]


def test_overlaps_are_written_out_where_they_are(tmp_path, pages, drawn):
    x, weight = np.array([[1.0, 2]]), np.array([[3.0, 4, 5]])
    animate_transposed(tmp_path / "a.png", x, weight, (1, 2), 0)
    assert pages[0]["caption"][1] == "No other stamp has been here before."
    sentence = pages[1]["caption"][1].replace("\N{NO-BREAK SPACE}", " ")
    assert sentence == "Stamps overlap, and add up: [0, 2]: 5 + 6 = 11."
    assert pages[1]["output"] == ["3", "4", "11", "8", "10"]
    notes = [text.get_text() for axes in drawn[-1].axes for text in axes.texts]
    assert notes.count("5+6") == 1


@pytest.mark.parametrize("ending", ["gif", "png", "svg"])
def test_same_arguments_same_bytes(ending, tmp_path):
    for name in "ab":
        animate_transposed(tmp_path / f"{name}.{ending}", 2, 2, 1, 0, steps=(0, -1))
    first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "ab")
    assert first == second
    animate_transposed(tmp_path / f"c.{ending}", 2, 2, 1, 0, steps=(0, -1), seed=1)
    assert first != (tmp_path / f"c.{ending}").read_bytes()


def test_a_frame_is_what_a_still_of_its_step_would_be(tmp_path, monkeypatch):
    """Only what changed is drawn again; the last frame must look as if drawn from scratch."""
    snapped = []
    monkeypatch.setattr(canvas, "_write_gif", lambda frames, path: snapped.append(frames[-1][0]))
    monkeypatch.setattr(canvas.os, "replace", lambda *paths: None)
    settings = {"i": 3, "k": 3, "s": 2, "p": 1, "output_padding": 1}
    animate_transposed(tmp_path / "a.gif", **settings)
    animate_transposed(tmp_path / "a.gif", **settings, steps=[-1])
    apart = np.abs(np.subtract(*[np.asarray(image, np.int64) for image in snapped]))
    assert apart.max() <= 64  # the soft edges of lines drawn twice
    assert (apart > 8).mean() < 0.01


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "message"),
    [
        (animate_convolution, {"i": 3, "k": 4}, ValueError, "must fit into the padded input"),
        (animate_convolution, {"i": 13}, ValueError, "i must be at most 12x12; got 13x13"),
        (animate_convolution, {"p": 16}, ValueError, "the padded input must be at most 36x36"),
        (animate_convolution, {"i": 0}, ValueError, "i must be at least 1; got 0"),
        (animate_convolution, {"i": np.ones(3)}, ValueError, r"i must be a size or have 2 axes"),
        (animate_convolution, {"i": [["a"]]}, TypeError, "i must hold numbers; got <U1"),
        (animate_convolution, {"k": [[np.nan]]}, ValueError, "k must hold finite numbers"),
        (animate_convolution, {"s": 0}, ValueError, "stride must be at least 1; got 0"),
        (animate_convolution, {"steps": [9]}, ValueError, "steps must be from 0 to 8"),
        (animate_convolution, {"steps": []}, ValueError, "steps must name at least one step"),
        (animate_transposed, {"i": 1, "k": 1}, ValueError, "padding .* leaves nothing"),
        (animate_transposed, {"output_padding": 2}, ValueError, "output_padding must be smaller"),
        (animate_transposed, {"i": 12, "s": 4}, ValueError, "the output, .* at most 36x36; got 47"),
    ],
)
def test_bad_input(function, arguments, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        function(tmp_path / "a.gif", **arguments)
    assert not list(tmp_path.iterdir())


def test_wrong_ending(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.gif or \.png or \.svg"):
        animate_convolution(tmp_path / "a.jpg")


def test_a_gif_keeps_the_colours_of_areas(tmp_path, monkeypatch):
    """White is white, and cells have the very colour that was drawn."""
    snapped = []
    write = canvas._write_gif

    def keep(frames, path):
        snapped.extend(frame for frame, _ in frames)
        write(frames, path)

    monkeypatch.setattr(canvas, "_write_gif", keep)
    animate_convolution(tmp_path / "a.gif", p=1)
    with Image.open(tmp_path / "a.gif") as picture:
        for n, drawn_frame in enumerate(snapped):
            picture.seek(n)
            apart = np.abs(np.subtract(picture.convert("RGB"), drawn_frame, dtype=np.int64))
            assert (apart > 0).any(axis=2).mean() < 0.1
            assert apart.max() < 80
