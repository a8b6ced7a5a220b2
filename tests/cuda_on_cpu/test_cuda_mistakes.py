"""Mistakes that once crashed Python, hung it, or were answered with something incomprehensible."""

import os
import signal
import threading

import numpy as np
import pytest

from minifcn.cuda_on_cpu import RawModule, compiler, library, sanitizer, schedule

pytestmark = pytest.mark.cuda_on_cpu

KERNELS = r"""
extern __shared__ float of_the_file[];
extern "C" __global__ void rev(float *x) {
  of_the_file[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = of_the_file[7 - threadIdx.x];
}
extern "C" __global__ void aligned(float *x) {
  extern __shared__ __align__(16) float a[];
  extern __shared__ alignas(sizeof(float4)) float b[];
  a[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = b[7 - threadIdx.x];
}
extern "C" __global__ void unwritten(float *x, int i) { *x = of_the_file[i]; of_the_file[0] = 1; }
extern "C" __global__ void loop(volatile int *x) { for (;;) ++*x; }
extern "C" __global__ void print() { for (;;) printf("%s", ""); }
extern "C" __global__ void wait() { for (;;) __syncthreads(); }
extern "C" __global__ void until_far(int *x) {
  if (blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0 || blockIdx.x == 2147483646)
    *x = blockIdx.x, __syncthreads_count(threadIdx.x ? 1 : 0);
  if (threadIdx.x == 0) __syncthreads();
}
extern "C" __global__ void functions(float *y, float x) {
  const float values[] = {__sinf(x), __cosf(x), __tanf(x), __log2f(x), __log10f(x), __exp10f(x)};
  for (int i = 0; i < 6; i++) y[i] = values[i];
  __sincosf(x, y + 6, y + 7);
}
"""
ORDERS = ["forward", "reverse", "shuffled", "threads"]


@pytest.fixture(scope="module")
def get():
    return RawModule(KERNELS).get_function


# -- Dynamic shared memory -----------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", ["rev", "aligned"])
def test_extern_shared_in_any_place(get, kernel, order):
    x = np.arange(8, dtype=np.float32)
    with schedule(order):
        get(kernel)((1,), (8,), (x,), shared_mem=32)
    np.testing.assert_array_equal(x, np.arange(8)[::-1])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [0, 28])
def test_too_little_shared_memory(get, order, size):
    message = f"^rev: it wrote to extern __shared__ memory behind its {size} bytes: shared_mem"
    for _ in range(2):
        with schedule(order), pytest.raises(RuntimeError, match=message):
            get("rev")((2,), (8,), (np.ones(8, np.float32),), shared_mem=size)


@pytest.mark.parametrize("place", [0, 1, 100])
def test_unwritten_dynamic_memory_is_nan(get, place):
    x = np.zeros(1, np.float32)
    get("unwritten")((2,), (1,), (x, np.int32(place)), shared_mem=8)
    assert np.isnan(x)


def test_the_address_sanitizer_sees_the_end_of_dynamic_memory():
    program = (
        "import numpy as np\nfrom minifcn.cuda_on_cpu import RawModule\n"
        f"rev = RawModule({KERNELS!r}).get_function('rev')\n"
        "rev((1,), (8,), (np.ones(8, np.float32),), shared_mem=28)"
    )
    report = sanitizer.run("address", "-c", program, timeout=100).stderr
    assert "use-after-poison" in report
    assert "kernel.cu:4" in report
    for noise in ("std::", "cuda_on_cpu::", "Shadow"):
        assert noise not in report
    assert len(report) < 1500


# -- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(
    ("kernel", "order"),
    [("loop", "forward"), ("print", "reverse"), ("wait", "shuffled"), ("wait", "threads")],
)
def test_ctrl_c(get, kernel, order):
    arguments = (np.zeros(1, np.int32),) if kernel == "loop" else ()
    handler = signal.getsignal(signal.SIGINT)
    with schedule(order):
        get(kernel)  # compiled now, so that the signal comes when it runs
    for _ in range(2):
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with schedule(order), pytest.raises(KeyboardInterrupt):
            get(kernel)((2,), (8,), arguments)
        timer.join()
    assert signal.getsignal(signal.SIGINT) is handler
    x = np.arange(8, dtype=np.float32)
    with schedule(order):
        get("rev")((1,), (8,), (x,), shared_mem=32)
    np.testing.assert_array_equal(x, np.arange(8)[::-1])


def test_a_handler_that_does_not_raise(get):
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    try:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(RuntimeError, match="^wait: it was interrupted$"):
            get("wait")((1,), (8,), ())
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert came


# -- Sizes and arguments -------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_huge_grids(get, order):
    x = np.zeros(1, np.int32)
    with schedule(order), pytest.raises(RuntimeError, match="is stuck"):
        get("until_far")((2**31 - 1, 65535, 65535), (2,), (x,))
    assert x == (0 if order == "forward" else 2**31 - 2)


def test_huge_grids_are_not_shuffled(get):
    message = r"^until_far: a shuffled schedule can have 2\^26 blocks at most$"
    with schedule("shuffled"), pytest.raises(RuntimeError, match=message):
        get("until_far")((2**31 - 1, 65535, 65535), (2,), (np.zeros(1, np.int32),))


def test_what_is_no_tuple(get):
    message = "^wait: {} must be a tuple of 1 to 3 whole numbers; got {}$"
    with pytest.raises(TypeError, match=message.format("grid", 1)):
        get("wait")(1, (8,), ())
    with pytest.raises(TypeError, match=message.format("block", 8)):
        get("wait")((1,), 8, ())
    with pytest.raises(TypeError, match="^loop: args must be a tuple; got an array of int32"):
        get("loop")((1,), (1,), np.zeros(1, np.int32))
    with pytest.raises(TypeError, match="^code must be a str; got bytes$"):
        RawModule(b"")
    with pytest.raises(TypeError, match=r"^options must be a tuple of str, such as \('-DX',\);"):
        RawModule("", options="-DX")


# -- Compiling -----------------------------------------------------------------------------------

KERNEL = 'extern "C" __global__ void k({} *x) {{\n  *x = 1;\n}}'


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (KERNEL.format("float") + "}", "kernel.cu:3:2: error: expected declaration before '}'"),
        (KERNEL.format("flaot"), "error: 'flaot' was not declared in this scope"),
        ('extern "C" __global__ void k(int n) {\n  int x[n];\n}', "[-Werror=vla]"),
        ("__device__ int f();\n" + KERNEL.format("int").replace("1", "f()"), "f()' used but never"),
        ("#include <cuda_runtime.h>", "kernel.cu:1:10: fatal error: cuda_runtime.h: No such file"),
    ],
)
def test_errors_are_about_the_text(code, message):
    with pytest.raises(RuntimeError) as error:
        RawModule(code)
    assert message in str(error.value)
    for ours in ("launch", "describe_", "module.cpp"):
        assert ours not in str(error.value)


@pytest.mark.parametrize(
    "start", ["#include <cstdio>\n#include <algorithm>\n", 'extern "C"{', 'extern "C"\n{']
)
def test_texts_that_are_right(start):
    kernel = KERNEL.format("float")
    code = start + (kernel if "#" in start else kernel.removeprefix('extern "C"') + "}")
    x = np.zeros(1, np.float32)
    RawModule(code).get_function("k")((1,), (1,), (x,))
    assert x == 1


def test_fast_functions(get):
    y, x = np.zeros(8, np.float32), np.float32(0.75)
    get("functions")((1,), (1,), (y, x))
    sine, cosine = np.sin(x), np.cos(x)
    expected = [sine, cosine, np.tan(x), np.log2(x), np.log10(x), 10**x, sine, cosine]
    np.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("order", ["forward", "threads"])
def test_a_damaged_file_is_compiled_anew(order, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIFCN_CACHE", str(tmp_path))
    library.load.cache_clear()
    options = () if order == "forward" else ("-DCUDA_ON_CPU_THREADS",)
    path = compiler.compile_library(KERNEL.format("float"), options)
    path.write_bytes(path.read_bytes()[:100])
    with schedule(order):
        x = np.zeros(1, np.float32)
        RawModule(KERNEL.format("float")).get_function("k")((1,), (1,), (x,))
    assert x == 1


def test_a_file_that_stays_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIFCN_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "_compile", lambda code, options, path: path.write_bytes(b"no"))
    with pytest.raises(RuntimeError, match="^the compiled kernels cannot be loaded: .*too short"):
        RawModule(KERNEL.format("double"))


# -- Running with a sanitizer --------------------------------------------------------------------


def test_a_program_that_runs_itself(monkeypatch):
    monkeypatch.setenv("MINIFCN_SANITIZE", "undefined")
    with pytest.raises(RuntimeError, match="^this program is being watched already$"):
        sanitizer.run("undefined", "script.py")


def test_nothing_to_run():
    with pytest.raises(ValueError, match="^there is nothing to run"):
        sanitizer.run("undefined")


def test_a_program_finds_no_input():
    program = "import sys; print(repr(sys.stdin.read()))"
    end, start = os.pipe()  # which nobody ever closes: to read from it would take for ever
    before = os.dup(0)
    os.dup2(end, 0)
    try:
        done = sanitizer.run("undefined", "-c", program, timeout=20)
    finally:
        os.dup2(before, 0)
        for opened in (end, start, before):
            os.close(opened)
    assert done.stdout == "''\n"
