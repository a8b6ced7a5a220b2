import numpy as np

from minifcn.data.palettes import OKABE_ITO, default_palette, voc_palette


def test_voc_colours_are_the_published_ones():
    palette = voc_palette(256)
    assert palette.dtype == np.uint8
    published = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    for i, colour in published.items():
        assert tuple(palette[i]) == colour
    assert len(np.unique(palette, axis=0)) == 256


def test_default_palette_starts_with_okabe_and_ito_and_repeats_nothing():
    np.testing.assert_array_equal(default_palette(3), OKABE_ITO[:3])
    palette = default_palette(30)
    np.testing.assert_array_equal(palette[:8], OKABE_ITO)
    np.testing.assert_array_equal(palette[8:], voc_palette(30)[8:])
    assert len(np.unique(palette, axis=0)) == 30
