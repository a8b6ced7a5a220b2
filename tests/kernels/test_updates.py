"""The updates of the optimisers: a part at a time, in place, whatever lies behind one another."""

import numpy as np
import pytest

from minifcn import kernels
from minifcn.kernels.cpu import threads

UPDATES = {
    "sgd_update": (3, (0.1, 0.9, 0.01)),
    "adam_update": (4, (3, 0.1, (0.9, 0.999), 1e-8, 0.01)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UPDATES)
def test_arrays_of_several_parts_and_views_are_changed_in_place(name, dtype, monkeypatch):
    monkeypatch.setattr(threads, "CHUNK", 7)
    count, settings = UPDATES[name]
    rng = np.random.default_rng(0)
    arrays = [np.abs(rng.standard_normal((4, 5))).astype(dtype) for _ in range(count)]
    turned = [np.asfortranarray(array) for array in arrays]
    expected = [np.array(array, np.float64) for array in arrays]
    with kernels.use("reference"):
        getattr(kernels, name)(*expected, *settings)
    for given in (arrays, turned):
        getattr(kernels, name)(*given, *settings)
        for array, wanted in zip(given, expected, strict=True):
            assert array.dtype == dtype
            np.testing.assert_allclose(array, wanted, rtol=1e-4 if dtype == np.float32 else 1e-12)
