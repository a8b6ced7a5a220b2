"""The numbers of each frame against the kernels; and that the frames show these numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from minifcn import kernels
from minifcn.plots.animations import animate_convolution, animate_transposed, film
from minifcn.plots.animations.steps import convolution_steps, kept, made_up, stamps
from minifcn.plots.numbers import written

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

    class Watched(film.Page):
        def say(self, count, sentences):
            super().say(count, sentences)
            seen.append({name: texts(getattr(self, name)) for name in GRIDS})
            seen[-1]["caption"] = [text.get_text() for text in self._caption]
            seen[-1]["room"] = self.input._room
            seen[-1]["outlines"] = {name: extent(getattr(self, name)) for name in GRIDS}
            seen[-1]["hatched"] = {name: hatched(getattr(self, name)) for name in GRIDS}
            seen[-1]["page"] = self

    monkeypatch.setattr(film, "Page", Watched)
    return seen


GRIDS = ("input", "kernel", "products", "output")


def frames(pages):
    """Without the two from which a GIF learns its colours."""
    return pages[2:]


def texts(grid):
    return [cell.number.get_text() for cell in grid._cells.values()]


def extent(grid):
    """From which row and column to which (not included) the thick line of a grid reaches."""
    left, top, cell = grid._place
    segments = grid.line.get_segments()
    if not segments:
        return None
    ends = (np.concatenate(segments) - [left, top]) / cell
    (a, b), (c, d) = ends.min(axis=0), ends.max(axis=0)
    return tuple(np.array([b, a, d, c]).round(6))


def hatched(grid):
    marks = [bool(cell.shape.get_hatch()) for cell in grid._cells.values()]
    return np.reshape(marks, grid._hatched.shape)


def shown(array, room):
    return [written(number, room) for number in array.flat]


def test_the_frames_of_a_convolution_show_its_numbers(tmp_path, pages):
    x, weight = numbers((4, 5), (2, 3))
    animate_convolution(tmp_path / "a.gif", x, weight, s=(1, 2), p=1, d=(2, 1))
    steps = convolution_steps(x, weight, (1, 2), 1, (2, 1))
    for page, step in zip(frames(pages), steps, strict=True):
        assert page["input"] == shown(np.pad(x, 1), page["room"])
        assert page["kernel"] == shown(weight, page["room"])
        assert page["products"] == shown(step.products, page["room"])
        filled = [text for text in page["output"] if text]
        assert filled == shown(step.output[~np.isnan(step.output)], page["room"])
    with Image.open(tmp_path / "a.gif") as picture:
        assert (picture.format, picture.n_frames) == ("GIF", len(steps))


def test_the_frames_of_a_transposed_convolution_show_its_numbers(tmp_path, pages):
    x, weight = numbers((3, 2), (3, 3))
    animate_transposed(tmp_path / "a.gif", x, weight, 2, 1, 1, (1, 0))
    found = stamps(x, weight, 2, 1, 1, (1, 0))
    for page, stamp in zip(frames(pages), found, strict=True):
        assert page["products"] == shown(stamp.products, page["room"])
        assert page["output"] == shown(stamp.after, page["room"])


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


def test_the_window_and_the_output_of_a_step_are_outlined(tmp_path, pages):
    x, weight = numbers((4, 5), (2, 3))
    animate_convolution(tmp_path / "a.gif", x, weight, (1, 2), (1, 2), (2, 1))
    steps = convolution_steps(x, weight, (1, 2), (1, 2), (2, 1))
    for page, step in zip(frames(pages), steps, strict=True):
        top, left = step.corner[0] + 1, step.corner[1] + 2  # the grid begins in the padding
        row, column = step.place
        assert page["outlines"]["input"] == (top, left, top + 3, left + 3)
        assert page["outlines"]["output"] == (row, column, row + 1, column + 1)


def test_the_pixel_and_the_stamp_of_a_step_are_outlined(tmp_path, pages):
    x, weight = numbers((2, 3), (2, 3))
    animate_transposed(tmp_path / "a.gif", x, weight, (3, 2), (0, 1), (2, 1))
    found = stamps(x, weight, (3, 2), (0, 1), (2, 1))
    for page, stamp in zip(frames(pages), found, strict=True):
        (row, column), (top, left) = stamp.place, (stamp.corner[0], stamp.corner[1] + 1)
        assert page["outlines"]["input"] == (row, column, row + 1, column + 1)
        assert page["outlines"]["output"] == (top, left, top + 3, left + 3)


def test_padding_is_hatched(tmp_path, pages):
    animate_convolution(tmp_path / "a.png", (4, 5), 3, p=(1, 2))
    animate_transposed(
        tmp_path / "a.png", (2, 3), (2, 3), s=(3, 2), p=(1, 2), output_padding=(2, 0)
    )
    inside = np.pad(np.zeros((4, 5), bool), [(1, 1), (2, 2)], constant_values=True)
    np.testing.assert_array_equal(pages[0]["hatched"]["input"], inside)
    assert not pages[0]["hatched"]["output"].any()
    cut = np.ones((6, 7), bool)
    cut[1:, 2:-2] = False  # one of the two rows of output padding only cuts less
    np.testing.assert_array_equal(pages[-1]["hatched"]["output"], cut)
    assert not pages[-1]["hatched"]["input"].any()


def test_rows_and_columns_are_numbered_from_the_first_pixel(tmp_path, pages, drawn):
    animate_convolution(tmp_path / "a.png", (2, 3), 1, p=(1, 2), steps=[0])
    animate_transposed(tmp_path / "a.png", (2, 3), 3, s=1, p=(1, 2), steps=[0])
    for figure, page, name in zip(drawn, pages, ("input", "output"), strict=True):
        grid, (axes,) = getattr(page["page"], name), figure.axes
        found = {(t.get_text(), *np.round(t.get_position(), 3)) for t in axes.texts}
        rows, columns = grid._hatched.shape
        left, top, _ = grid._place
        for n in range(rows):
            y = grid._middle((n, 0))[1]
            assert (written(n - 1), round(left - 0.06, 3), round(y, 3)) in found
        for n in range(columns):
            x = grid._middle((0, n))[0]
            assert (written(n - 2), round(x, 3), round(top - 0.05, 3)) in found


def test_dashes_stand_before_the_output_padding(tmp_path, pages):
    animate_transposed(tmp_path / "a.png", (2, 3), 3, s=3, p=1, output_padding=(1, 2), steps=[0])
    page = pages[0]["page"]
    left, top, cell = page.output._place
    across, down = ((line.get_xydata() - [left, top]) / cell for line in page._dashes)
    height, width = 3 * 1 + 3 - 2 + 1, 3 * 2 + 3 - 2 + 2
    np.testing.assert_allclose(across, [[1, height], [1 + width, height]])
    np.testing.assert_allclose(down, [[1 + width - 2, 1], [1 + width - 2, 1 + height]])


def test_captions_name_the_row_first(tmp_path, pages):
    animate_convolution(tmp_path / "a.png", (3, 4), 2, p=(0, 1), s=(1, 2), steps=[5])
    first, second = pages[-1]["caption"][:2]
    assert first.startswith("The window begins at row 1, column 3 of")
    assert second.startswith("output[1, 2] = ")
    animate_transposed(tmp_path / "a.png", (2, 3), (2, 3), s=(2, 3), p=(0, 1), steps=[5])
    assert pages[-1]["caption"][0].startswith("input[1, 2] = ")
    assert "lands from row 2, column 5 of the output" in pages[-1]["caption"][0]
    animate_transposed(tmp_path / "a.png", [[1, 2, 3]], [[4, 5]], s=1, p=(0, 1), steps=[2])
    sentence = pages[-1]["caption"][1].replace("\N{NO-BREAK SPACE}", " ")
    assert sentence == "Stamps overlap, and add up: [0, 1]: 10 + 12 = 22."


def test_what_is_added_is_the_product_itself(tmp_path, pages):
    """Not after - before, which has lost its digits."""
    animate_transposed(tmp_path / "a.png", [[1e12, 1e-5]], [[1.0, 1.0]], 1, 0)
    sentence = pages[-1]["caption"][1].replace("\N{NO-BREAK SPACE}", " ")
    assert sentence.endswith("[0, 1]: 1e12 + 1e-5 = 1e12.".replace("-", "−"))


# --- Numbers in their cells -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "room", "text"),
    [
        (3.0, 12, "3"), (-0.0, 12, "0"), (-7, 12, "−7"), (99999, 5, "99999"),
        (-99999, 5, "−1e5"), (0.123456, 12, "0.123"), (-0.00736, 12, "−0.00736"),
        (-0.00736, 7, "−0.0074"), (-0.00736, 6, "−0.007"), (-0.00736, 5, "−0.01"),
        (0.0004, 5, "4e−4"), (1234.56, 6, "1.23e3"), (1e-7, 12, "1e−7"), (-1e-300, 2, "−1e−300"),
    ],
)  # fmt: skip
def test_written(number, room, text):
    assert written(number, room) == text


@pytest.mark.parametrize(
    ("size", "scale"), [(3, 1), (3, 1e-3), (3, 127), (3, 1e-9), (3, 1e30), (12, 127)]
)
def test_numbers_and_notes_stay_in_their_cells(size, scale, tmp_path, pages, drawn):
    x, weight = numbers((size, size), (3, 3))
    if scale == 127:
        x, weight = x.round(), weight.round()
    animate_convolution(tmp_path / "a.png", scale * x, scale * weight, p=1, steps=[-1])
    animate_transposed(tmp_path / "a.png", scale * x, scale * weight, steps=[-1])
    for page, figure in zip(pages, drawn, strict=True):
        for name in GRIDS:
            grid = getattr(page["page"], name)
            for cell in grid._cells.values():
                for text in (cell.number, cell.note):
                    wide = text.get_window_extent().width / figure.dpi
                    assert wide <= grid._place.cell
                    assert text.get_fontsize() > 3.6


@pytest.mark.parametrize("ending", ["gif", "png", "svg"])
def test_same_arguments_same_bytes(ending, tmp_path):
    for name in "ab":
        animate_transposed(tmp_path / f"{name}.{ending}", 2, 2, 1, 0, steps=(0, -1))
    first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "ab")
    assert first == second
    animate_transposed(tmp_path / f"c.{ending}", 2, 2, 1, 0, steps=(0, -1), seed=1)
    assert first != (tmp_path / f"c.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "message"),
    [
        (animate_convolution, {"i": 3, "k": 4}, ValueError, "must fit into the padded input"),
        (animate_convolution, {"i": 13}, ValueError, "i must be at most 12x12; got 13x13"),
        (animate_convolution, {"p": 22}, ValueError, "the padded input must be at most 48x48"),
        (animate_convolution, {"i": 0}, ValueError, "i must be at least 1; got 0"),
        (animate_convolution, {"i": np.ones(3)}, ValueError, r"i must be a size or have 2 axes"),
        (animate_convolution, {"i": [["a"]]}, TypeError, "i must hold numbers; got <U1"),
        (animate_convolution, {"k": [[np.nan]]}, ValueError, "k must hold finite numbers"),
        (animate_convolution, {"s": 0}, ValueError, "s must be at least 1; got 0"),
        (animate_convolution, {"steps": [9]}, ValueError, "steps must be from 0 to 8"),
        (animate_convolution, {"steps": []}, ValueError, "steps must name at least one step"),
        (animate_transposed, {"i": 1, "k": 1}, ValueError, "padding .* leaves nothing"),
        (animate_transposed, {"output_padding": 2}, ValueError, "output_padding must be smaller"),
        (animate_transposed, {"i": 12, "s": 5}, ValueError, "the output, .* at most 48x48; got 58"),
        (animate_convolution, {"p": 10**9}, ValueError, "the padded input must be at most 48x48"),
        (animate_convolution, {"d": 10**9}, ValueError, "must fit into the padded input"),
        (animate_transposed, {"s": 10**9}, ValueError, "the output, .* at most 48x48"),
        (animate_transposed, {"d": 10**9}, ValueError, "the output, .* at most 48x48"),
        (animate_transposed, {"p": 10**9}, ValueError, "padding .* leaves nothing"),
        (animate_transposed, {"output_padding": 10**9}, ValueError, "the output, .* 48x48"),
        (animate_convolution, {"d": 0}, ValueError, "d must be at least 1; got 0"),
        (animate_convolution, {"p": "a"}, TypeError, "p must be a whole number"),
        (animate_convolution, {"i": "a"}, TypeError, "i must be a whole number"),
        (animate_convolution, {"i": [[1, 2], [3]]}, ValueError, "i must have rows of one length"),
        (animate_convolution, {"i": [[1e200]], "k": [[1e200]]}, ValueError, "i and k.* finite"),
        (animate_transposed, {"i": [[1e200]], "k": [[1e200]]}, ValueError, "i and k.* finite"),
        (animate_convolution, {"seed": -1}, ValueError, "seed must be at least 0; got -1"),
        (animate_convolution, {"seed": 0.5}, TypeError, "seed must be a whole number; got 0.5"),
        (animate_convolution, {"steps": 3}, TypeError, "steps must be a list of whole numbers"),
        (animate_convolution, {"steps": [0.5]}, TypeError, "steps must be a list of whole"),
        (animate_convolution, {"steps": "a"}, TypeError, "steps must be a list of whole numbers"),
    ],
)
def test_bad_input(function, arguments, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        function(tmp_path / "a.gif", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_still_shows_a_dozen_steps_at_most(tmp_path):
    with pytest.raises(ValueError, match="steps must be at most 12 in a still; got 13"):
        animate_convolution(tmp_path / "a.png", 12, steps=range(13))
    assert not list(tmp_path.iterdir())


def test_wrong_ending(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.gif or \.png or \.svg"):
        animate_convolution(tmp_path / "a.jpg")
