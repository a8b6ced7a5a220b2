"""Which library holds an array, and moving arrays; CuPy is played by a stand-in."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from minifcn import backend


class GpuArray(SimpleNamespace):
    """What a CuPy array is to the backend: an instance of cupy.ndarray."""


@pytest.fixture
def cupy(monkeypatch):
    module = ModuleType("cupy")
    module.ndarray = GpuArray
    module.asnumpy = lambda array: np.array(array.values)
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_numpy_arrays_are_on_the_cpu():
    x = np.ones(2)
    assert backend.library(x) is np
    assert backend.device(x) == "cpu"
    assert backend.is_array(x)


def test_a_cupy_array_is_recognised_where_cupy_is_imported(cupy):
    x = GpuArray(values=[1, 2])
    assert backend.library(x) is cupy
    assert backend.device(x) == "cuda"
    assert backend.is_array(x)
    assert backend.device(np.ones(2)) == "cpu"


def test_a_gpu_array_comes_to_the_cpu(cupy):
    moved = backend.to_device(GpuArray(values=[1, 2]), "cpu")
    assert isinstance(moved, np.ndarray)
    np.testing.assert_array_equal(moved, [1, 2])


@pytest.mark.parametrize("value", [1.0, [1.0], "text", None, np.float64(1)])
def test_what_is_no_array(value):
    assert not backend.is_array(value)


def test_an_array_that_is_there_already_is_not_copied():
    x = np.ones(2)
    assert backend.to_device(x, "cpu") is x


def test_auto_chooses_a_device_that_works():
    chosen = backend.choose_device("auto")
    assert chosen in ("cpu", "cuda")
    assert backend.choose_device(chosen) == chosen
    assert backend.choose_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "", None])
def test_an_unknown_device_raises(name):
    with pytest.raises(ValueError, match=rf"^device must be one of auto, cpu, cuda; got {name!r}$"):
        backend.choose_device(name)
    with pytest.raises(ValueError, match="^device must be one of .*$"):
        backend.to_device(np.ones(1), name)


def test_asking_for_a_gpu_that_cannot_be_used_says_why():
    if backend.choose_device("auto") == "cuda":
        pytest.skip("a GPU can be used")
    with pytest.raises(ValueError, match="^device 'cuda' cannot be used: .+; use 'cpu' or 'auto'$"):
        backend.choose_device("cuda")
