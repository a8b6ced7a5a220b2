"""Receptive fields: measured by a gradient they are what geometry computes."""

import re

import numpy as np
import pytest
from PIL import Image

from minifcn import functional as F
from minifcn.kernels.geometry import Window, receptive_field
from minifcn.plots.receptive_field import (
    Box,
    Field,
    computed_box,
    input_gradient,
    measured_box,
    middle_box,
    plot_receptive_fields,
)
from minifcn.tensor import Tensor

CHAINS = [
    [Window(3)],
    [Window(3, padding=1), Window(2, 2)],
    [Window(3, padding=1), Window(3, 2, 1), Window(3, dilation=2)],
    [Window(4, 3), Window(2), Window(5, 2, padding=2)],
]


def network(windows, positive=True):
    """Convolutions of one channel with random weights: positive, or of any sign and a relu."""
    generator = np.random.default_rng(0)

    def forward(x):
        for kernel, stride, padding, dilation, _ in windows:
            weight = generator.uniform(0.1, 1, (1, 1, kernel, kernel))
            x = F.conv2d(x, Tensor(weight), None, stride, padding, dilation)
        return x

    return forward


def images(count=1, size=40):
    return np.random.default_rng(1).standard_normal((count, 1, size, size))


@pytest.mark.parametrize("windows", CHAINS, ids=lambda windows: str(len(windows)))
@pytest.mark.parametrize("cell", [(1, 1), (2, 3)], ids=str)
def test_measured_is_computed(windows, cell):
    gradient = input_gradient(network(windows), images(), cell)
    box = computed_box(windows, cell)
    top, left = max(box.top, 0), max(box.left, 0)  # padding has no gradient
    inside = Box(top, left, box.top + box.height - top, box.left + box.width - left)
    assert measured_box(gradient) == inside
    assert np.count_nonzero(gradient) == inside.height * inside.width


def test_max_pooling_leaves_holes_that_more_images_fill():
    def pooled(x):
        return F.max_pool2d(x, 4)

    one, many = (input_gradient(pooled, images(n), (1, 2)) for n in (1, 200))
    assert np.count_nonzero(one) == 1
    assert measured_box(many) == computed_box([Window(4, 4)], (1, 2)) == Box(4, 8, 4, 4)
    assert many.sum() == 200  # each image adds 1


def test_gradients_of_all_channels_are_added_by_size():
    weight = np.array([[2.0, -3.0], [1.0, 1.0]]).reshape(2, 2, 1, 1)
    x = np.zeros((1, 2, 3, 3))
    gradient = input_gradient(lambda x: F.conv2d(x, Tensor(weight)), x, (1, 2))
    assert gradient[1, 2] == abs(2 + 1) + abs(-3 + 1)
    assert np.count_nonzero(gradient) == 1


def test_boxes_by_hand():
    gradient = np.zeros((6, 7))
    gradient[2, 1], gradient[4, 5] = 1e-30, -1
    assert measured_box(gradient) == Box(2, 1, 3, 5)
    assert computed_box(CHAINS[1], (0, 3)) == Box(-1, 5, 4, 4)


@pytest.mark.parametrize(("share", "side"), [(1 / 49, 1), (9 / 49, 3), (0.5, 5), (1.0, 7)])
def test_the_middle_holds_its_share(share, side):
    gradient = np.zeros((9, 9))
    gradient[1:8, 1:8] = 1
    inner = middle_box(gradient, Box(1, 1, 7, 7), share - 1e-9)
    assert inner == Box(4 - side // 2, 4 - side // 2, side, side)
    if side < 7:
        assert middle_box(gradient, Box(1, 1, 7, 7), side**2 / 49 + 1e-3).height == side + 2


def test_the_middle_of_a_box_in_the_padding():
    assert middle_box(np.ones((4, 4)), Box(-4, -4, 8, 8), 0.99) == Box(-4, -4, 8, 8)
    assert middle_box(np.ones((4, 4)), Box(-2, -2, 8, 8), 0.99) == Box(0, 0, 4, 4)


def fields(size=40):
    chains = {"one layer": CHAINS[0], "three": CHAINS[2]}
    return [
        Field(name, input_gradient(network(chain), images(), (4, 4)), computed_box(chain, (4, 4)))
        for name, chain in chains.items()
    ]


def picture(size=40):
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_picture_each_time(ending, tmp_path):
    paths = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for path in paths:
        plot_receptive_fields(path, picture(), fields())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_each_field_is_drawn_twice_with_its_numbers(tmp_path, drawn):
    plot_receptive_fields(tmp_path / "a.png", picture(), fields())
    axes = drawn[0].axes
    assert len(axes) == 4
    for n, field in enumerate(fields()):
        upper, lower = axes[2 * n : 2 * n + 2]
        side = receptive_field(CHAINS[2 * n]).size
        assert upper.get_title() == field.title
        for panel in (upper, lower):
            values = panel.images[-1].get_array()
            np.testing.assert_allclose(values.filled(0), np.sqrt(field.gradient))
            np.testing.assert_array_equal(values.mask, field.gradient == 0)
            outline = panel.patches[0]
            corner = (field.box.left - 0.5, field.box.top - 0.5)
            assert (outline.get_xy(), outline.get_width()) == (corner, side)
        label = lower.get_xlabel()
        assert f"measured {side}×{side}\ncomputed {side}×{side}" in label
        half = middle_box(field.gradient, field.box)
        assert f"half inside {half.height}×{half.width}" in label
        assert lower.patches[1].get_width() == half.width < side or side == 3
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == 1280
    for edge in (pixels[:, 0], pixels[:, -1], pixels[0], pixels[-1]):
        assert (edge == 255).all()


def test_cells_and_images_that_are_not_there():
    with pytest.raises(
        ValueError, match=r"cell must lie in the output of \(38, 38\); got \(38, 0\)"
    ):
        input_gradient(network(CHAINS[0]), images(), (38, 0))
    with pytest.raises(ValueError, match="images must have 4 axes"):
        input_gradient(network(CHAINS[0]), images()[0], (0, 0))
    with pytest.raises(ValueError, match="got a transposed one"):
        computed_box([Window(4, 2, transposed=True)], (0, 0))
    with pytest.raises(ValueError, match="gradient must be .* not 0 everywhere"):
        measured_box(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="share must be above 0 and at most 1; got 0"):
        middle_box(np.ones((3, 3)), Box(0, 0, 3, 3), 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gradients_that_are_not_finite(value, tmp_path):
    gradient = fields()[0].gradient.copy()
    gradient[0, 0] = value
    with pytest.raises(ValueError, match="gradient of 'one layer' must hold finite numbers"):
        plot_receptive_fields(
            tmp_path / "a.png", picture(), [Field("one layer", gradient, Box(3, 3, 3, 3))]
        )
    with pytest.raises(ValueError, match="gradient must hold finite numbers; got NaN or inf"):
        measured_box(gradient)


def test_a_box_may_be_four_numbers(tmp_path):
    field = fields()[0]
    for name, box in (("a.png", field.box), ("b.png", tuple(field.box))):
        plot_receptive_fields(tmp_path / name, picture(), [field._replace(box=box)])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    for box in ((1, 2, 3), (1, 2, 3.5, 4), 7):
        with pytest.raises(TypeError, match="box of 'one layer' must be a Box or four whole"):
            plot_receptive_fields(tmp_path / "c.png", picture(), [field._replace(box=box)])


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ([], "fields must be one to six, got 0"),
        ([fields()[0]] * 7, "fields must be one to six, got 7"),
        ([fields()[0]._replace(gradient=np.ones((3, 4)))], "must have the image's size (40, 40)"),
        ([fields()[0]._replace(gradient=np.zeros((40, 40)))], "gradient of 'one layer' must be"),
        ([fields()[0]._replace(box=Box(-5, 0, 3, 3))], "box of 'one layer' must meet the image"),
    ],
)
def test_bad_fields_are_named(own, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_receptive_fields(tmp_path / "a.png", picture(), own)
