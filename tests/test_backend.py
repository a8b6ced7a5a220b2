"""Which library holds an array, moving arrays, whether a GPU works; CuPy is played by others."""

import subprocess
import sys
from types import SimpleNamespace

import fake_cupy
import numpy as np
import pytest

from minifcn import backend
from minifcn.backend import choose_device, why_no_gpu


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch):
    """Nothing is known about a GPU yet, and nothing asked for."""
    monkeypatch.delenv("MINIFCN_BACKEND", raising=False)
    backend.try_gpu.cache_clear()
    yield
    backend.try_gpu.cache_clear()


@pytest.fixture
def install(monkeypatch):
    """Let a module be what `import cupy` gives; None for a CuPy that is not installed."""
    return lambda module: monkeypatch.setitem(sys.modules, "cupy", module)


@pytest.fixture
def cupy(install):
    install(fake_cupy)
    return fake_cupy


def raising(error):
    def function(*arguments):
        raise error

    return function


# -- Arrays --------------------------------------------------------------------------------------


def test_numpy_arrays_are_on_the_cpu():
    x = np.ones(2)
    assert backend.library(x) is np
    assert backend.device(x) == "cpu"
    assert backend.is_array(x)


def test_a_cupy_array_is_recognised_where_cupy_is_imported(cupy):
    x = cupy.ones(2)
    assert backend.library(x) is cupy
    assert backend.device(x) == "cuda"
    assert backend.is_array(x)
    assert backend.device(np.ones(2)) == "cpu"


def test_arrays_move_to_the_gpu_and_back(cupy):
    x = np.arange(6.0).reshape(2, 3)
    moved = backend.to_device(x, "cuda")
    assert (backend.device(moved), moved.dtype, moved.shape) == ("cuda", np.float64, (2, 3))
    back = backend.to_device(moved, "cpu")
    assert isinstance(back, np.ndarray)
    np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize("value", [1.0, [1.0], "text", None, np.float64(1)])
def test_what_is_no_array(value):
    assert not backend.is_array(value)


def test_an_array_that_is_there_already_is_not_copied(cupy):
    for x in (np.ones(2), cupy.ones(2)):
        assert backend.to_device(x, backend.device(x)) is x


def test_numbers_become_arrays_near_others(cupy):
    for library in (np, cupy):
        like = library.ones(2, np.float32)
        for number, dtype in ((2, "f4"), (2.5, "f4"), (np.float64(3), "f4"), (np.int32(3), "i4")):
            x = backend.operand(number, like)
            assert (backend.library(x), x.shape, x.dtype) == (library, (), dtype)
            assert x.item() == number
        assert backend.operand(2, library.ones(2, np.int64)).dtype == np.int64
    row = np.ones(2)
    assert backend.operand(row, np.ones(1)) is row
    for wrong in ("text", [1, 2], (3,), None):
        with pytest.raises(TypeError, match="^operands must be Tensors, arrays or numbers; got"):
            backend.operand(wrong, row)


# -- Devices -------------------------------------------------------------------------------------


def test_auto_chooses_a_device_that_works():
    chosen = choose_device("auto")
    assert chosen == ("cuda" if why_no_gpu() is None else "cpu")
    assert choose_device(chosen) == chosen
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "", None])
def test_an_unknown_device_raises(name):
    with pytest.raises(ValueError, match=rf"^device must be one of auto, cpu, cuda; got {name!r}$"):
        choose_device(name)
    with pytest.raises(ValueError, match="^device must be one of .*$"):
        backend.to_device(np.ones(1), name)


def test_a_gpu_that_works(cupy):
    assert why_no_gpu() is None
    assert [choose_device(name) for name in backend.DEVICES] == ["cuda", "cpu", "cuda"]


def test_the_gpu_is_tried_once(cupy, monkeypatch):
    assert why_no_gpu() is None
    monkeypatch.setattr(cupy.runtime, "getDeviceCount", lambda: 0)
    assert why_no_gpu() is None
    backend.try_gpu.cache_clear()
    assert why_no_gpu() is not None


OLD_DRIVER = "cudaErrorInsufficientDriver: CUDA driver version is insufficient"
NOT_INSTALLED = "CuPy is not installed (pip install -e '.[cuda13]', or '.[cuda12]')"
BROKEN = {
    "no GPU": ({"cuda.runtime.getDeviceCount": lambda: 0},
               "CuPy 0.0.0 is installed, but there is no GPU"),
    "no driver": ({"cuda.runtime.getDeviceCount": raising(RuntimeError(f"{OLD_DRIVER}\nmore")),
                   "cuda.runtime.driverGetVersion": lambda: 0},
                  "CuPy 0.0.0 is installed, but there is no CUDA driver"),
    "an old driver": ({"cuda.runtime.getDeviceCount": raising(RuntimeError(f"{OLD_DRIVER}\nmore"))},
                      f"CuPy 0.0.0 is installed, but cannot count the GPUs ({OLD_DRIVER})"),
    "no compiler": ({"RawKernel": raising(ImportError("\n libnvrtc.so.13 is missing\n"))},
                    "there is a GPU, but CuPy 0.0.0 cannot use it (libnvrtc.so.13 is missing)"),
    "no memory": ({"ones": raising(MemoryError())},
                  "there is a GPU, but CuPy 0.0.0 cannot use it (MemoryError)"),
    "a kernel that does nothing": ({"RawKernel": lambda code, name: lambda *arguments: None},
                                   "there is a GPU, but it computes wrong results with CuPy 0.0.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_gpu_that_does_not_work_is_not_used(cupy, monkeypatch, case):
    changes, reason = BROKEN[case]
    for name, value in changes.items():
        *path, last = name.split(".")
        target = cupy
        for part in path:
            target = getattr(target, part)
        monkeypatch.setattr(target, last, value)
    assert why_no_gpu() == reason
    assert choose_device("auto") == "cpu"
    with pytest.raises(ValueError) as caught:
        choose_device("cuda")
    expected = f"device 'cuda' cannot be used: {reason}; use 'cpu' or 'auto'"
    assert str(caught.value) == expected


def test_cupy_that_is_not_installed(install):
    install(None)
    assert why_no_gpu() == NOT_INSTALLED
    assert choose_device("auto") == "cpu"


@pytest.mark.parametrize("error", [
    ImportError("numpy.core.multiarray failed to import\nmore"),
    ModuleNotFoundError("No module named 'cuda'", name="cuda"),
])  # fmt: skip
def test_cupy_that_cannot_be_imported(monkeypatch, error):
    finder = SimpleNamespace(
        find_spec=lambda name, *_: raising(error)() if name == "cupy" else None
    )
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    first = str(error).splitlines()[0]
    assert why_no_gpu() == f"CuPy is installed but cannot be imported ({first})"


@pytest.mark.gpu
def test_a_real_gpu_is_found():
    assert why_no_gpu() is None


# -- MINIFCN_BACKEND -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "auto"])
def test_auto_is_the_default(cupy, monkeypatch, value):
    monkeypatch.setenv("MINIFCN_BACKEND", value)
    assert choose_device("auto") == "cuda"


def test_numpy_rules_a_gpu_out_that_works(cupy, monkeypatch):
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    assert why_no_gpu() == "MINIFCN_BACKEND=numpy rules it out"
    with pytest.raises(ValueError, match="^device 'cuda' cannot be used: MINIFCN_BACKEND=numpy "):
        choose_device("cuda")


def test_numpy_never_imports_cupy(monkeypatch):
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    with monkeypatch.context() as patch:
        patch.setattr(backend, "try_gpu", raising(AssertionError("tried")))
        assert choose_device("auto") == "cpu"
        assert why_no_gpu()


def test_cupy_makes_auto_mean_cuda(cupy, monkeypatch):
    monkeypatch.setenv("MINIFCN_BACKEND", "cupy")
    assert choose_device("auto") == "cuda"
    assert choose_device("cpu") == "cpu"


def test_cupy_that_was_asked_for_and_cannot_be_used(install, monkeypatch):
    monkeypatch.setenv("MINIFCN_BACKEND", "cupy")
    install(None)
    with pytest.raises(ValueError) as caught:
        choose_device("auto")
    expected = f"device 'cuda' cannot be used: {NOT_INSTALLED}; MINIFCN_BACKEND=cupy asks for it"
    assert str(caught.value) == expected
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("value", ["gpu", "CuPy", "numpy "])
@pytest.mark.parametrize("name", backend.DEVICES)
def test_another_value_raises(monkeypatch, value, name):
    monkeypatch.setenv("MINIFCN_BACKEND", value)
    message = rf"^MINIFCN_BACKEND must be one of auto, numpy, cupy; got {value!r}$"
    with pytest.raises(ValueError, match=message):
        choose_device(name)
    with pytest.raises(ValueError, match=message):
        why_no_gpu()


CODE = """
import sys
import numpy as np
import minifcn, minifcn.commands
from minifcn import functional as F
x = minifcn.tensor(np.ones((1, 1, 4, 4), np.float32), requires_grad=True)
F.conv2d(x, x).sum().backward()
x.to("cpu").numpy()
assert "cupy" not in sys.modules, "before anybody asked for a GPU"
minifcn.backend.choose_device("auto")
print("cupy" in sys.modules)
"""


@pytest.mark.parametrize("value", ["numpy", "auto"])
def test_cupy_is_imported_only_where_a_gpu_is_asked_for(monkeypatch, value):
    monkeypatch.setenv("MINIFCN_BACKEND", value)
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    installed = subprocess.run([sys.executable, "-c", "import cupy"], capture_output=True)
    assert done.stdout.split() == [str(value == "auto" and installed.returncode == 0)]
