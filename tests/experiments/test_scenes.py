"""Scenes of other sizes with objects of the standard size."""

import numpy as np
import pytest

from minifcn.data import Shapes
from minifcn.data.shapes import Design
from minifcn.experiments.scenes import parts, read, same_sized


@pytest.mark.parametrize("side", [64, 96, 192])
def test_lengths_in_pixels_are_the_standard_ones(side):
    usual, own, scale = Design(), same_sized(side, (1, 1)), side / 96
    for name in ("radius", "stroke", "margin"):
        pixels = np.array(getattr(own, name)) * scale
        np.testing.assert_allclose(pixels, getattr(usual, name))
    assert side / (own.grid - 1) == 96 / (usual.grid - 1)


def test_the_standard_size_has_the_standard_design():
    assert same_sized(96, (4, 7)) == Design()


def test_objects_cover_as_many_pixels():
    """Of one object a scene, that may touch the border, far from exactly but not by the scale."""
    areas = [
        np.mean(
            [(mask > 0).sum() for _, mask in Shapes("val", 60, (n, n), 0, same_sized(n, (1, 1)))]
        )
        for n in (64, 256)
    ]
    assert 0.7 < areas[0] / areas[1] < 1.2


def test_reading_and_parts():
    images, masks = read(Shapes("val", 5, (32, 40)))
    assert (images.shape, masks.shape) == ((5, 3, 32, 40), (5, 32, 40))
    pieces = [images[part] for part in parts(5, at_once=2)]
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(pieces), images)


def test_a_scene_must_hold_an_interval_of_the_background():
    with pytest.raises(ValueError, match="side must be at least 32; got 31"):
        same_sized(31, (1, 1))
