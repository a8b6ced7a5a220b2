"""The benchmark's bars: which panel a row is in, and the numbers that the bars hold."""

import numpy as np
import pytest
from PIL import Image

from minifcn.bench.picture import plot_speeds
from minifcn.plots.canvas import DPI

NETWORK = {"name": "FCN-8s step", "gflop": None, "megabytes": None, "minifcn_ms": 300.0,
           "torch_ms": 200.0, "limit_ms": None}  # fmt: skip
PRODUCT = {"name": "conv2d $3x3$", "gflop": 0.5, "megabytes": None, "minifcn_ms": 5.0,
           "torch_ms": 4.0, "limit_ms": 2.0}  # fmt: skip
COPY = {"name": "max_pool2d", "gflop": None, "megabytes": 12.0, "minifcn_ms": 6.0,
        "torch_ms": 3.0, "limit_ms": 1.0}  # fmt: skip


def without(row, *sides):
    return {key: value for key, value in row.items() if key.partition("_ms")[0] not in sides}


def names_of(axes):
    return [tick.get_text() for tick in axes.get_yticklabels()]


def labels_of(axes):
    return {text.get_text() for text in axes.get_legend().get_texts()}


def bars_of(axes):
    """The lengths of each side's bars, from the top down."""
    return {group.get_label(): [bar.get_width() for bar in group] for group in axes.containers}


def limits_of(axes):
    return [length for line in axes.lines for length in line.get_xdata()]


def test_a_png_of_a_height_for_its_rows(tmp_path, drawn):
    path = tmp_path / "a.png"
    plot_speeds(path, [NETWORK, PRODUCT, COPY])
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        width, height = picture.size
    plot_speeds(path, [NETWORK] * 2 + [PRODUCT] * 10 + [COPY])
    with Image.open(path) as picture:
        assert picture.size[0] == width == 9 * DPI
        assert picture.size[1] > height + 10 * 9 / 72 * DPI  # a row is higher than its letters
    assert len(drawn) == 2


def test_a_panel_for_times_for_products_and_for_copies(tmp_path, drawn):
    plot_speeds(tmp_path / "a.png", [COPY, NETWORK, PRODUCT, {**COPY, "name": "unpool"}])
    axes = drawn[0].axes
    assert [names_of(one) for one in axes] == [
        ["FCN-8s step"], ["conv2d $3x3$"], ["max_pool2d", "unpool"]
    ]  # fmt: skip
    assert [one.get_xlabel() for one in axes] == [
        "milliseconds (shorter is faster)",
        "GFLOP/s (longer is faster)",
        "GB/s (longer is faster)",
    ]
    assert all(one.yaxis_inverted() for one in axes)


def test_bars_hold_times_or_speeds(tmp_path, drawn):
    plot_speeds(tmp_path / "a.png", [NETWORK, PRODUCT, COPY])
    times, products, copies = drawn[0].axes
    assert bars_of(times) == {"minifcn": [300.0], "PyTorch": [200.0]}
    assert bars_of(products) == {"minifcn": [100.0], "PyTorch": [125.0]}  # 0.5e9 / 5e-3 s
    assert bars_of(copies) == {"minifcn": [2.0], "PyTorch": [4.0]}  # 12e6 / 6e-3 s
    assert [limits_of(one) for one in drawn[0].axes] == [[], [250.0], [12.0]]
    assert labels_of(times) == {"minifcn", "PyTorch"}
    assert labels_of(products) == labels_of(copies) == {"minifcn", "PyTorch", "limit"}


@pytest.mark.parametrize("panel", [[NETWORK], [PRODUCT], [COPY]], ids=["time", "product", "copy"])
def test_a_panel_without_rows_is_left_out(tmp_path, drawn, panel):
    plot_speeds(tmp_path / "a.png", panel)
    assert [names_of(axes) for axes in drawn[0].axes] == [[panel[0]["name"]]]


@pytest.mark.parametrize("blank", [lambda row: without(row, "torch"),
                                   lambda row: {**row, "torch_ms": None}])  # fmt: skip
def test_without_pytorch_minifcns_bars_are_as_thick_as_two(tmp_path, drawn, blank):
    plot_speeds(tmp_path / "a.png", [PRODUCT])
    plot_speeds(tmp_path / "a.png", [blank(PRODUCT)])
    both, alone = (figure.axes[0] for figure in drawn)
    assert bars_of(alone) == {"minifcn": [100.0]}
    assert labels_of(alone) == {"minifcn", "limit"}
    thick, thin = alone.patches[0], both.patches[0]
    assert thick.get_height() == pytest.approx(2 * thin.get_height())
    assert thick.get_y() + thick.get_height() / 2 == pytest.approx(0)  # centred on its row


def test_a_row_without_pytorch_or_limit_beside_others_leaves_a_gap(tmp_path, drawn):
    plot_speeds(tmp_path / "a.png", [without(PRODUCT, "torch", "limit"), PRODUCT])
    (axes,) = drawn[0].axes
    bars = bars_of(axes)
    assert bars["minifcn"] == [100.0, 100.0]
    np.testing.assert_array_equal(bars["PyTorch"], [np.nan, 125.0])
    np.testing.assert_array_equal(limits_of(axes), [np.nan, 250.0])


def test_bars_and_limits_lie_in_their_rows_and_do_not_overlap(tmp_path, drawn):
    plot_speeds(tmp_path / "a.png", [PRODUCT] * 3)
    (axes,) = drawn[0].axes
    spans = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bar in axes.patches)
    assert len(spans) == 6
    assert all(a[1] <= b[0] + 1e-9 for a, b in zip(spans, spans[1:], strict=False))
    for row, (first, second) in enumerate(zip(spans[::2], spans[1::2], strict=True)):
        assert row - 0.5 < first[0] < second[1] < row + 0.5
    assert list(axes.lines[0].get_ydata()) == [0, 1, 2] == list(axes.get_yticks())
    bottom, top = axes.get_ylim()
    assert top < spans[0][0]
    assert spans[-1][1] < bottom


def test_sides_differ_in_colour_and_in_hatch(tmp_path, drawn):
    plot_speeds(tmp_path / "a.png", [PRODUCT])
    ours, theirs = drawn[0].axes[0].patches
    assert ours.get_facecolor() != theirs.get_facecolor()
    assert ours.get_hatch() != theirs.get_hatch()


def test_nothing_is_cut_or_covered(tmp_path, drawn):
    """With names as long as the benchmark's."""
    long = {**PRODUCT, "name": "conv_transpose2d 16x16/8 8x4x16x16 to 4, weight gradient"}
    plot_speeds(tmp_path / "a.png", [NETWORK, *[long] * 9, COPY])
    (figure,) = drawn
    page = figure.bbox
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for box in boxes:
        assert min(box.x0, box.y0, page.x1 - box.x1, page.y1 - box.y1) >= 0
    assert all(upper.y0 >= lower.y1 for upper, lower in zip(boxes, boxes[1:], strict=False))
    for axes in figure.axes:
        legend = axes.get_legend().get_window_extent()
        assert legend.y0 >= max(bar.get_window_extent().y1 for bar in axes.patches)
        assert legend.x0 >= axes.bbox.x0


def test_rows_are_wanted(tmp_path):
    for rows in ([], [{"name": "not timed"}]):
        with pytest.raises(ValueError, match="^rows must hold .* work that was timed, got none$"):
            plot_speeds(tmp_path / "a.png", rows)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", "path must end in .png or .svg, got 'a.jpg'"),
        ("nosuch/a.png", "path must lie in an existing folder, got "),
    ],
)
def test_wrong_paths_are_named(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        plot_speeds(tmp_path / name, [PRODUCT])
    assert not list(tmp_path.iterdir())


def test_on_a_gpu_there_are_two_pytorchs(tmp_path, drawn):
    row = without(PRODUCT, "torch") | {"torch_fp32_ms": 8.0, "torch_tf32_ms": 2.5}
    plot_speeds(tmp_path / "a.png", [row])
    (axes,) = drawn[0].axes
    gflops = {"minifcn": [100.0], "PyTorch, float32": [62.5], "PyTorch, TF32": [200.0]}
    assert bars_of(axes) == gflops
    assert labels_of(axes) == {*gflops, "limit"}
    colours = {tuple(group[0].get_facecolor()) for group in axes.containers}
    assert len(colours) == 3
