import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn.data.transforms import (
    MEAN,
    MEAN_COLOUR,
    STD,
    denormalise,
    normalise,
    random_crop,
    random_flip,
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
