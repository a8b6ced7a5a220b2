"""Masks as colours and outlines, on arrays small enough to write down."""

import numpy as np
import pytest

from minifcn.plots import class_boundaries, colour_mask, error_map, overlay
from minifcn.plots.colours import CORRECT, SKY_BLUE, WRONG, check_image, check_size, tint

PALETTE = [(0, 0, 0), (200, 100, 50), (0, 0, 255)]
VOID = 255


def test_colour_mask_looks_up_each_label():
    colours = colour_mask(np.array([[0, 2], [1, VOID]], np.uint8), PALETTE)
    assert colours.dtype == np.uint8
    assert colours.tolist() == [[[0, 0, 0], [0, 0, 255]], [[200, 100, 50], [255, 255, 255]]]


def test_colour_mask_takes_a_void_colour_an_ignore_index_and_batches():
    colours = colour_mask(np.full((2, 3, 4), -1), PALETTE, void=(9, 8, 7), ignore_index=-1)
    assert colours.shape == (2, 3, 4, 3)
    assert (colours == (9, 8, 7)).all()


def test_ignored_pixels_are_void_even_where_the_palette_has_that_many_colours():
    palette = np.zeros((256, 3), np.uint8)
    assert colour_mask([[VOID]], palette).tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize(
    ("mask", "palette", "error", "message"),
    [
        ([[3]], PALETTE, ValueError, r"mask labels must be 0 \.\. 2 or 255, got 3"),
        ([[-1]], PALETTE, ValueError, "mask labels .* got -1"),
        ([[0.0]], PALETTE, TypeError, "mask must hold integers, got dtype float64"),
        ([[0]], [0, 0, 0], ValueError, r"palette must have shape \(C, 3\), got \(3,\)"),
        ([[0]], [[0, 0, 0, 0]], ValueError, r"palette must have shape \(C, 3\)"),
        ([[0]], [[0, 256, 0]], ValueError, r"palette must hold 0 \.\. 255, got 0 \.\. 256"),
        ([[0]], [[0.5, 0.5, 0.5]], TypeError, "palette must hold integers"),
    ],
)
def test_colour_mask_names_a_wrong_argument(mask, palette, error, message):
    with pytest.raises(error, match=message):
        colour_mask(np.array(mask), palette)


LUMA = np.array([0.299, 0.587, 0.114])


def test_overlay_adds_the_tint_of_the_class_and_leaves_ignored_pixels():
    """The colour (200, 100, 50) has brightness 124.2, so its tint is (75.8, -24.2, -74.2)."""
    image = np.array([[[100, 110, 90], [10, 20, 30]]], np.uint8)
    brightness = image[0, 0] @ LUMA
    for alpha in (0, 0.25, 0.5, 1):
        own = image[0, 0] - brightness
        expected = brightness + (1 - alpha) * own + alpha * np.array([75.8, -24.2, -74.2])
        tinted = overlay(image, np.array([[1, VOID]]), PALETTE, alpha)
        assert tinted.dtype == np.uint8
        assert tinted.tolist() == [[np.rint(expected).tolist(), [10, 20, 30]]]


def scenery(seed):
    """A smooth picture with dark and light parts, as a photo has."""
    rows, columns = np.mgrid[0:40, 0:60]
    waves = np.stack([np.sin(rows / (3 + k + seed)) + np.cos(columns / (4 + k)) for k in range(3)])
    return np.uint8(127.5 + 60 * waves.transpose(1, 2, 0))


PALETTES = {
    "all black": np.zeros((4, 3), int),
    "black and colours": np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]),
    "strong": np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]]),
    "all white": np.full((4, 3), 255),
    "greys": np.array([[0] * 3, [80] * 3, [160] * 3, [240] * 3]),
    "dark": np.array([[0, 0, 60], [40, 0, 0], [0, 30, 0], [20, 0, 20]]),
}


@pytest.mark.parametrize("name", PALETTES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_overlay_keeps_the_brightness_of_every_pixel(name, seed):
    image = scenery(seed)
    mask = np.random.default_rng(seed).integers(0, 4, image.shape[:2])
    tinted = overlay(image, mask, PALETTES[name])
    before, after = image @ LUMA, tinted @ LUMA
    middle = (before > 24) & (before < 231)
    assert middle.mean() > 0.8
    np.testing.assert_allclose(after[middle], before[middle], atol=0.51)
    assert abs(after.mean() - before.mean()) < 2


def test_classes_are_told_apart_on_every_brightness():
    for brightness in (0, 30, 128, 230, 255):
        image = np.full((1, 3, 3), brightness, np.uint8)
        tinted = overlay(image, [[0, 1, 2]], [[200, 0, 0], [0, 200, 0], [0, 0, 200]]).astype(int)
        apart = [np.abs(tinted[0, i] - tinted[0, j]).max() for i, j in ((0, 1), (0, 2), (1, 2))]
        assert min(apart) > 25, brightness


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"alpha": 1.5}, ValueError, r"alpha must be in 0 \.\. 1, got 1.5"),
        ({"alpha": float("nan")}, ValueError, "alpha"),
        ({"image": np.zeros((2, 2, 3))}, TypeError, "image must be uint8, got float64"),
        ({"mask": np.zeros((2, 3), int)}, ValueError, r"mask must have shape \(2, 2\)"),
        ({"mask": np.full((2, 2), 7)}, ValueError, "mask labels"),
    ],
)
def test_overlay_names_a_wrong_argument(arguments, error, message):
    good = {"image": np.zeros((2, 2, 3), np.uint8), "mask": np.zeros((2, 2), int)}
    with pytest.raises(error, match=message):
        overlay(**{"palette": PALETTE, **good, **arguments})


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 4), (0, 2, 3)])
def test_check_image_wants_rgb_pixels(shape):
    with pytest.raises(ValueError, match=r"picture must have shape \(H, W, 3\), got"):
        check_image("picture", np.zeros(shape, np.uint8))


def test_error_map():
    errors = error_map(np.array([[0, 1, VOID]]), np.array([[0, 2, 1]]))
    assert errors.tolist() == [[[*CORRECT, 255], [*WRONG, 255], [255, 255, 255, 0]]]


def test_an_error_is_darker_than_a_correct_pixel_without_colour_too():
    luma = np.array([0.299, 0.587, 0.114])
    assert luma @ CORRECT - luma @ WRONG > 128


def test_error_map_wants_equal_shapes():
    with pytest.raises(ValueError, match=r"prediction must have shape \(1, 2\), got \(2, 1\)"):
        error_map([[0, 1]], [[0], [1]])


def test_class_boundaries_run_along_pixel_edges():
    segments = class_boundaries([[0, 1], [0, 0]])
    assert segments.tolist() == [[[0.5, -0.5], [0.5, 0.5]], [[0.5, 0.5], [1.5, 0.5]]]


def test_one_class_has_no_boundaries():
    assert class_boundaries(np.zeros((3, 4), int)).shape == (0, 2, 2)
    assert class_boundaries([[7]]).shape == (0, 2, 2)


def test_class_boundaries_wants_a_mask():
    with pytest.raises(ValueError, match=r"mask must have shape \(H, W\), got \(2,\)"):
        class_boundaries([0, 1])


def test_a_tint_is_the_paler_the_smaller_its_share():
    blue = np.array([0x56, 0xB4, 0xE9]) / 255
    np.testing.assert_allclose(tint(SKY_BLUE, 1), 0.8 * blue + 0.2)
    np.testing.assert_allclose(tint(SKY_BLUE, 0), 0.1 * blue + 0.9)
    np.testing.assert_array_equal(tint(SKY_BLUE, -1), tint(SKY_BLUE, 0))


def test_what_lies_over_an_image_has_its_size():
    check_size("truth", np.zeros((3, 4)), (3, 4))
    with pytest.raises(ValueError, match=r"truth must have the image's shape \(3, 4\), got \(4,"):
        check_size("truth", np.zeros((4, 3)), (3, 4))
