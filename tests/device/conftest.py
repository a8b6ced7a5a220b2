"""Where the tests of the device 'cuda' run: on a stand-in for CuPy, and on a real GPU."""

import sys

import fake_cupy
import numpy as np
import pytest

from minifcn import backend
from minifcn.kernels import choice, cpu


class NumpyKernels:
    """The kernels of kernels/cpu for the stand-in's arrays: fast, and no CUDA."""

    def __getattr__(self, name):
        kernel = getattr(cpu, name)
        unwrap = lambda a: a._array if isinstance(a, fake_cupy.ndarray) else a

        def call(*arguments):
            assert not any(isinstance(a, np.ndarray) for a in arguments), "an array on the CPU"
            result = kernel(*map(unwrap, arguments))
            parts = result if isinstance(result, tuple) else (result,)
            wrapped = [None if part is None else fake_cupy._wrap(part) for part in parts]
            return tuple(wrapped) if isinstance(result, tuple) else wrapped[0]

        return call


@pytest.fixture
def fake(monkeypatch):
    """CuPy, played by the stand-in; a GPU counts as found."""
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy)
    monkeypatch.delenv(backend.VARIABLE, raising=False)
    backend.try_gpu.cache_clear()
    fake_cupy._waits.clear()
    yield fake_cupy
    backend.try_gpu.cache_clear()


@pytest.fixture
def numpy_kernels(fake, monkeypatch):
    """The stand-in, with the kernels of the CPU."""
    monkeypatch.setattr(choice, "_module", lambda name: NumpyKernels())
    return fake


@pytest.fixture
def cuda_kernels(fake):
    """The stand-in, with the CUDA kernels, run on the CPU."""
    from minifcn.kernels.gpu import launch

    forget = lambda: (launch._kernel.cache_clear(), launch._module.cache_clear())
    forget()
    yield fake
    forget()


@pytest.fixture(
    params=[
        "numpy_kernels",
        pytest.param("cuda_kernels", marks=pytest.mark.cuda_on_cpu),
        pytest.param("gpu", marks=pytest.mark.gpu),
    ]
)
def cupy(request):
    """CuPy, or its stand-in with either kind of kernels."""
    return request.getfixturevalue(request.param)
