import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn.data import VOID
from minifcn.data.transforms import (
    GREY,
    MEAN,
    MEAN_COLOUR,
    STD,
    colour_jitter,
    denormalise,
    normalise,
    pad_to,
    random_crop,
    random_flip,
    random_scale,
    random_scaled_window,
    random_window,
    resize_pair,
)


def numbered(height, width):
    """An image and a mask that both hold each pixel's number, so that alignment shows."""
    number = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    return np.stack([number] * 3, axis=2), number


def test_normalise_is_the_formula():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    result = normalise(image)
    assert result.shape == (3, 4, 5)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    expected = (image[2, 3] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(result[:, 2, 3], expected, rtol=1e-5)


def test_denormalise_is_its_exact_inverse():
    image = np.stack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 3, axis=2)
    np.testing.assert_array_equal(denormalise(normalise(image)), image)


def test_denormalise_clips():
    extreme = np.array([-100, 100], np.float32) * np.ones((3, 1, 1), np.float32)
    np.testing.assert_array_equal(denormalise(extreme), [[[0] * 3, [255] * 3]])


def test_mean_colour_is_about_zero_once_normalised():
    assert np.abs(normalise(MEAN_COLOUR[None, None])).max() < 0.5 / 255 / STD.min()
    np.testing.assert_allclose(MEAN_COLOUR, 255 * MEAN, atol=0.5)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8)]
)
def test_normalise_refuses_other_arrays(image):
    with pytest.raises(ValueError, match=r"image must be uint8 \(H, W, 3\); got"):
        normalise(image)


def test_denormalise_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"shape \(3, H, W\); got \(4, 4, 3\)"):
        denormalise(np.zeros((4, 4, 3), np.float32))


# -- Resizing ------------------------------------------------------------------------------------


def test_resizing_averages_the_image_and_never_the_mask():
    columns = np.arange(64) % 2  # stripes of one pixel
    image = np.broadcast_to((255 * columns).astype(np.uint8)[:, None], (64, 64, 3))
    mask = np.broadcast_to((1 + 2 * columns).astype(np.uint8), (64, 64))
    small_image, small_mask = resize_pair(np.array(image), np.array(mask), (8, 16))
    assert small_image.shape == (8, 16, 3)
    assert small_mask.shape == (8, 16)
    inner = small_image[:, 2:-2].astype(int)
    assert np.abs(inner - 127).max() <= 8
    assert set(np.unique(small_mask)) <= {1, 3}


def test_resizing_keeps_image_and_mask_aligned():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 14:46] = 1
    image = np.repeat(255 * mask[..., None], 3, axis=2)
    small_image, small_mask = resize_pair(image, mask, (20, 30))
    np.testing.assert_array_equal(small_image[..., 0] > 127, small_mask == 1)


def test_resizing_to_the_same_size_changes_nothing():
    image, mask = numbered(4, 6)
    resized = resize_pair(image, mask, (4, 6))
    np.testing.assert_array_equal(resized[0], image)
    np.testing.assert_array_equal(resized[1], mask)


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (4.0, 4), (4,), (4, 4, 4)])
def test_size_must_be_two_positive_integers(size):
    with pytest.raises(ValueError, match="size must be .*two positive integers; got"):
        resize_pair(*numbered(4, 6), size)


# -- Flip and crop -------------------------------------------------------------------------------


def test_flip_keeps_image_and_mask_aligned_and_happens_half_the_time():
    image, mask = numbered(4, 6)
    generator = np.random.default_rng(0)
    flips = 0
    for _ in range(200):
        flipped_image, flipped_mask = random_flip(image, mask, generator)
        np.testing.assert_array_equal(flipped_image[..., 1], flipped_mask)
        flips += np.array_equal(flipped_mask, mask[:, ::-1])
    assert 70 < flips < 130
    assert not np.array_equal(mask, mask[:, ::-1])


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 99),
)
def test_crop_cuts_one_window_and_pads_what_is_missing(shape, size, seed):
    image, mask = numbered(*shape)
    cut_image, cut_mask = random_crop(image, mask, size, np.random.default_rng(seed))
    assert cut_mask.shape == size
    padding = cut_mask == 255
    assert (~padding).sum() == min(shape[0], size[0]) * min(shape[1], size[1])
    np.testing.assert_array_equal(cut_image[..., 2][~padding], cut_mask[~padding])
    assert (cut_image[padding] == MEAN_COLOUR).all()
    inside = cut_mask[~padding].reshape(min(shape[0], size[0]), -1).astype(int)
    assert (np.diff(inside, axis=1) == 1).all()
    assert (np.diff(inside, axis=0) == shape[1]).all()


def test_crop_reaches_every_position():
    image, mask = numbered(4, 5)
    generator = np.random.default_rng(0)
    corners = {int(random_crop(image, mask, (3, 3), generator)[1][0, 0]) for _ in range(200)}
    assert corners == {0, 1, 2, 5, 6, 7}


def test_same_generator_same_crop():
    image, mask = numbered(12, 12)
    first, second = (random_crop(image, mask, (5, 5), np.random.default_rng(3)) for _ in "ab")
    np.testing.assert_array_equal(first[1], second[1])


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 99),
)
def test_a_crop_is_a_window_that_is_padded_where_it_is_too_small(shape, size, seed):
    image, mask = numbered(*shape)
    window = random_window(image, mask, size, np.random.default_rng(seed))
    assert window[1].shape == tuple(map(min, shape, size))
    crop = random_crop(image, mask, size, np.random.default_rng(seed))
    for one, other in zip(pad_to(*window, size), crop, strict=True):
        np.testing.assert_array_equal(one, other)


# -- Scale ---------------------------------------------------------------------------------------

COLOURS = np.array([[20, 30, 40], [220, 60, 90], [90, 200, 30]], np.uint8)


def blocks(height, width, block=10):
    """A mask of blocks of three classes, and the image of their colours."""
    rows, columns = np.indices((height, width)) // block
    mask = ((rows + 2 * columns) % 3).astype(np.uint8)
    return COLOURS[mask], mask


def nearest_class(image):
    return ((image[..., None, :].astype(int) - COLOURS) ** 2).sum(-1).argmin(-1)


def far_from_edges(mask, reach):
    """Where all pixels within `reach` have one class."""
    padded = np.pad(mask, reach, constant_values=VOID)
    views = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2)
    return (views == mask[..., None, None]).all((2, 3))


@pytest.mark.parametrize("seed", range(12))
def test_a_scaled_image_and_its_mask_stay_aligned(seed):
    image, mask = blocks(67, 83)
    generator = np.random.default_rng(seed)
    for pair in (
        random_scale(image, mask, (0.6, 2.2), generator),
        random_scaled_window(image, mask, (0.6, 2.2), (31, 44), generator),
    ):
        assert pair[0].shape == (*pair[1].shape, 3)
        assert pair[0].dtype == pair[1].dtype == np.uint8
        sure = far_from_edges(pair[1], 3)
        assert sure.sum() > 20
        np.testing.assert_array_equal(pair[0][sure], COLOURS[pair[1]][sure])
        wrong = nearest_class(pair[0]) != pair[1]  # at corners, or where a mean is a third colour
        assert wrong.mean() < 0.02


@pytest.mark.parametrize("factor", [0.5, 2.0, 3.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_border_lies_at_the_same_place_in_both(factor, axis):
    place = np.indices((40, 60))[axis]
    mask = ((place >= 12) & (place < 30)).astype(np.uint8)
    image = np.repeat(255 * mask[..., None], 3, axis=2)
    image, mask = random_scale(image, mask, (factor, factor), np.random.default_rng(0))
    assert mask.shape == (40 * factor, 60 * factor)
    np.testing.assert_array_equal(image[..., 0] > 127, mask == 1)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    scale=st.tuples(st.floats(0.2, 1), st.floats(1, 4)),
    seed=st.integers(0, 99),
)
def test_a_scaled_window_is_what_scale_and_crop_give_in_turn(shape, size, scale, seed):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    mask = np.random.default_rng(2).integers(0, 9, shape, dtype=np.uint8)
    window = random_scaled_window(image, mask, scale, size, np.random.default_rng(seed))
    generator = np.random.default_rng(seed)
    in_turn = random_crop(*random_scale(image, mask, scale, generator), size, generator)
    found = pad_to(*window, size)
    np.testing.assert_array_equal(found[1], in_turn[1])
    assert np.abs(found[0].astype(int) - in_turn[0]).max() <= 1


def test_the_scale_is_log_uniform():
    image, mask = np.zeros((400, 400, 3), np.uint8), np.zeros((400, 400), np.uint8)
    generator = np.random.default_rng(0)
    small = image[:1], mask[:1]  # quick to resize: only its width tells
    factors = np.array(
        [random_scale(*small, (0.5, 2), generator)[1].shape[1] / 400 for _ in range(400)]
    )
    assert 0.5 <= factors.min() < 0.52
    assert 1.9 < factors.max() <= 2
    shares = np.histogram(np.log2(factors), 4, (-1, 1))[0] / len(factors)
    np.testing.assert_allclose(shares, 0.25, atol=0.07)


def test_a_scale_of_1_changes_nothing_and_one_factor_is_for_both_axes():
    image, mask = numbered(12, 20)
    same = random_scale(image, mask, (1, 1), np.random.default_rng(0))
    np.testing.assert_array_equal(same[0], image)
    np.testing.assert_array_equal(same[1], mask)
    window = random_scaled_window(image, mask, (1, 1), (5, 6), np.random.default_rng(0))
    np.testing.assert_array_equal(window[0][..., 1], window[1])
    for seed in range(5):
        scaled = random_scale(image, mask, (0.5, 3), np.random.default_rng(seed))[1].shape
        assert abs(scaled[0] / 12 - scaled[1] / 20) < 0.5 / 12 + 0.5 / 20


def test_void_stays_void_and_what_is_missing_is_void():
    image, mask = blocks(20, 20)
    mask[:10] = 255
    crop = random_scaled_window(image, mask, (0.5, 0.5), (16, 16), np.random.default_rng(0))
    assert crop[1].shape == (10, 10)
    assert set(np.unique(crop[1])) <= {0, 1, 2, 255}
    np.testing.assert_array_equal(crop[1] == 255, np.indices((10, 10))[0] < 5)
    padded = pad_to(*crop, (16, 16))
    assert (padded[1] == 255).sum() == 16 * 16 - 50
    assert (padded[0][0] == MEAN_COLOUR).all()


@pytest.mark.parametrize(
    "scale",
    [(0, 1), (1.5, 0.75), (-1, 1), (1,), 1.5, (1, float("inf")), (float("nan"), 1), ("1", "2")],
)
def test_a_scale_is_two_positive_numbers_in_order(scale):
    with pytest.raises(ValueError, match=r"^scale must be \(low, high\), 0 < low <= high; got .*"):
        random_scale(*numbered(4, 6), scale, np.random.default_rng(0))


# -- Colours -------------------------------------------------------------------------------------


def photo(height=9, width=7):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def step_by_step(image, factors, order):
    """Brightness, contrast and saturation one after the other, by their definitions."""
    image = image.astype(float)
    grey = lambda x: (x @ [0.299, 0.587, 0.114])[..., None]
    steps = {
        "brightness": lambda x, b: b * x,
        "contrast": lambda x, c: c * x + (1 - c) * grey(x).mean(),
        "saturation": lambda x, s: s * x + (1 - s) * grey(x),
    }
    for name in order:
        image = steps[name](image, factors[name])
    return np.clip(image, 0, 255)


@pytest.mark.parametrize("seed", range(4))
def test_jitter_is_its_three_steps_in_any_order(seed):
    strengths = {"brightness": 0.3, "contrast": 0.5, "saturation": 0.8}
    found = colour_jitter(photo(), np.random.default_rng(seed), **strengths)
    assert found.dtype == np.uint8
    draws = np.random.default_rng(seed).uniform(-1, 1, 3)
    factors = {n: 1 + x * d for (n, x), d in zip(strengths.items(), draws, strict=True)}
    for order in (list(strengths), list(strengths)[::-1], ["contrast", "saturation", "brightness"]):
        expected = step_by_step(photo(), factors, order)
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.5 + 1e-3)


def test_no_strength_no_change():
    np.testing.assert_array_equal(colour_jitter(photo(), np.random.default_rng(0)), photo())


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_each_strength_changes_its_own_property_by_up_to_itself(name):
    image = np.array([[[60, 60, 60], [100, 80, 90], [140, 100, 120]]], np.uint8)
    grey = lambda x: x @ GREY
    properties = {
        "brightness": lambda x: grey(x).mean(),
        "contrast": lambda x: grey(x).std(),
        "saturation": lambda x: x[0, 2, 0] - grey(x)[0, 2],
    }
    generator, before = np.random.default_rng(0), properties[name](image)
    ratios = [
        properties[name](colour_jitter(image, generator, **{name: 0.4})) / before
        for _ in range(200)
    ]
    assert np.min(ratios) == pytest.approx(0.6, abs=0.05)
    assert np.max(ratios) == pytest.approx(1.4, abs=0.05)
    assert np.mean(ratios) == pytest.approx(1, abs=0.06)
    if name != "brightness":  # the others keep the mean
        kept = colour_jitter(image, generator, **{name: 0.4})
        assert properties["brightness"](kept) == pytest.approx(grey(image).mean(), abs=0.6)


def test_jitter_does_not_wrap_around():
    image = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    for seed in range(10):
        bright = colour_jitter(image, np.random.default_rng(seed), brightness=1.0, contrast=1.0)
        assert (bright[0, 1] >= bright[0, 0]).all()


def test_same_generator_same_colours_and_the_image_is_kept():
    image = photo()
    image.flags.writeable = False
    first, second = (colour_jitter(image, np.random.default_rng(3), 0.5, 0.5, 0.5) for _ in "ab")
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, image)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5", True])
def test_a_strength_is_from_0_to_1(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a number from 0 to 1; got "):
        colour_jitter(photo(), np.random.default_rng(0), **{name: value})


def test_jitter_refuses_other_images():
    with pytest.raises(ValueError, match=r"image must be uint8 \(H, W, 3\); got float64"):
        colour_jitter(np.zeros((4, 4, 3)), np.random.default_rng(0), 0.5)
