"""What a kernel cannot be called with: each mistake is an error of one line, before any work."""

import re

import numpy as np
import pytest

from minifcn.cuda_on_cpu import RawModule

pytestmark = pytest.mark.cuda_on_cpu

KERNELS = r"""
struct Pair { float value; int place; };
enum Mode { NEAREST, BILINEAR };
constexpr int THREADS = 64;
extern "C" __global__ void scale(const float *__restrict__ x, float *y, int n, double factor) {
  for (int i = 0; i < n; i++) y[i] = x[i] * factor;
}
extern "C" __global__ void pairs(Pair one, const Pair *many, Mode mode, const void *any) {}
extern "C" __global__ void vectors(const float4 *four, uint2 *two, size_t n, int table[4]) {}
extern "C" __global__ void __launch_bounds__(THREADS / 2, 4) few_threads() {}
extern "C" __global__ void nothing() {}
"""
PAIR = np.dtype([("value", "f4"), ("place", "i4")])
X, Y = np.ones(4, np.float32), np.zeros(4, np.float32)
N, FACTOR = np.int32(4), np.float64(0.5)
READ_ONLY = np.zeros(4, np.float32)
READ_ONLY.flags.writeable = False
UNALIGNED = np.frombuffer(bytearray(17), np.float32, count=4, offset=1)


@pytest.fixture(scope="module")
def module():
    return RawModule(code=KERNELS)


def refused(module, kernel, arguments, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        module.get_function(kernel)((1,), (1,), arguments)


def test_what_is_right(module):
    module.get_function("scale")((1,), (1,), (READ_ONLY + 1, Y, N, FACTOR))
    module.get_function("scale")((1,), (1,), (X, X.reshape(2, 2), N, FACTOR))
    module.get_function("scale")((1,), (1,), [READ_ONLY, Y, N, FACTOR])
    np.testing.assert_array_equal(Y, 0)
    one, none = np.zeros((), PAIR), np.zeros(0, PAIR)
    module.get_function("pairs")((1,), (1,), (one, none, np.uint32(1), X))
    module.get_function("pairs")((1,), (1,), (one.reshape(1), None, np.uint32(0), None))
    table = np.zeros(4, np.int32)
    two = np.zeros(2, [("x", "u4"), ("y", "u4")])
    module.get_function("vectors")((1,), (1,), (X, two, np.uint64(4), table))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (X, Y, N),
            TypeError,
            "scale takes 4 arguments (const float* x, float* y, int n, double factor); got 3",
        ),
        (
            (X, Y, 4, FACTOR),
            TypeError,
            "scale: argument 3 (int n) must be a np.int32; got the Python int 4",
        ),
        (
            (X, Y, N, 0.5),
            TypeError,
            "scale: argument 4 (double factor) must be a np.float64; got the Python float 0.5",
        ),
        (
            (X, Y, np.int64(4), FACTOR),
            TypeError,
            "scale: argument 3 (int n) must be a np.int32; got a np.int64",
        ),
        (
            (X, Y, N, np.float32(1)),
            TypeError,
            "scale: argument 4 (double factor) must be a np.float64; got a np.float32",
        ),
        (
            (X, Y, np.array([4], np.int32), FACTOR),
            TypeError,
            "scale: argument 3 (int n) must be a np.int32; got an array of int32 (1,)",
        ),
        (
            (X.astype(float), Y, N, FACTOR),
            TypeError,
            "scale: argument 1 (const float* x) must be an array of float32, or None;"
            " got an array of float64 (4,)",
        ),
        (
            (X, [0.0], N, FACTOR),
            TypeError,
            "scale: argument 2 (float* y) must be an array of float32, or None;"
            " got the Python list",
        ),
        (
            (X, Y.astype(">f4"), N, FACTOR),
            TypeError,
            "scale: argument 2 (float* y) must be an array of float32, or None;"
            " got an array of >f4 (4,)",
        ),
        (
            (X[::2], Y, N, FACTOR),
            ValueError,
            "scale: argument 1 (const float* x) must be C-contiguous and aligned;"
            " got an array of float32 (2,) with strides (8,)",
        ),
        (
            (X, UNALIGNED, N, FACTOR),
            ValueError,
            "scale: argument 2 (float* y) must be C-contiguous and aligned;"
            " got an array of float32 (4,)",
        ),
        (
            (X, READ_ONLY, N, FACTOR),
            ValueError,
            "scale: argument 2 (float* y) may be written to, as it is not const;"
            " got a read-only array",
        ),
    ],
)
def test_arguments_that_are_wrong(module, arguments, error, message):
    refused(module, "scale", arguments, error, message)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            1,
            np.zeros(1, [("value", "f8"), ("place", "i4")]),
            "(Pair one) must be a structured array with one element of 8 bytes;"
            " got an array of structs of 12 bytes (1,)",
        ),
        (
            1,
            np.zeros(2, PAIR),
            "(Pair one) must be a structured array with one element of 8 bytes;"
            " got an array of structs of 8 bytes (2,)",
        ),
        (
            1,
            np.float64(1),
            "(Pair one) must be a structured array with one element of 8 bytes; got a np.float64",
        ),
        (
            2,
            np.zeros(2, [("value", "f8"), ("place", "i4")]),
            "(const Pair* many) must be an array of structs of 8 bytes, or None;"
            " got an array of structs of 12 bytes (2,)",
        ),
        (
            2,
            np.zeros(2),
            "(const Pair* many) must be an array of structs of 8 bytes, or None;"
            " got an array of float64 (2,)",
        ),
        (3, np.int32(1), "(unsigned int mode) must be a np.uint32; got a np.int32"),
        (
            4,
            np.int32(1),
            "(const void* any) must be an array of structs of 1 bytes, or None; got a np.int32",
        ),
    ],
)
def test_structs_that_are_wrong(module, place, value, message):
    arguments = [np.zeros(1, PAIR), None, np.uint32(0), None]
    arguments[place - 1] = value
    refused(module, "pairs", arguments, TypeError, f"pairs: argument {place} {message}")


@pytest.mark.parametrize(
    ("grid", "block", "message"),
    [
        (
            (0,),
            (1,),
            "grid must be 1 to 3 whole numbers from 1 to (2147483647, 65535, 65535); got (0,)",
        ),
        ((2**31,), (1,), "grid must be "),
        ((1, 65536), (1,), "grid must be "),
        ((1, 1, 65536), (1,), "grid must be "),
        ((), (1,), "grid must be "),
        ((1, 1, 1, 1), (1,), "grid must be "),
        ((1.0,), (1,), "grid must be "),
        ((1,), (8, 0), "block must be 1 to 3 whole numbers from 1 to (1024, 1024, 64); got (8, 0)"),
        ((1,), (1025,), "block must be "),
        ((1,), (1, 1, 65), "block must be "),
        ((1,), (-1,), "block must be "),
        ((1,), (32, 32, 2), "a block can have 1024 threads; got (32, 32, 2), 2048"),
    ],
)
def test_sizes_beyond_the_limits(module, grid, block, message):
    with pytest.raises(ValueError, match="^nothing: " + re.escape(message)):
        module.get_function("nothing")(grid, block, ())


def test_sizes_at_the_limits(module):
    for block in [(1024,), (1, 1024), (1, 16, 64), (np.int64(32), 32)]:
        module.get_function("nothing")((1,), block, ())
    module.get_function("nothing")((1, 65535), (1,), ())


def test_launch_bounds(module):
    module.get_function("few_threads")((1,), (4, 8), ())
    with pytest.raises(ValueError, match=r"a block can have 32 threads; got \(33,\), 33$"):
        module.get_function("few_threads")((1,), (33,), ())


@pytest.mark.parametrize("size", [-1, 227 * 1024 + 1, 1.5])
def test_too_much_shared_memory(module, size):
    with pytest.raises(ValueError, match="shared_mem must be 0 to 232448 bytes; got "):
        module.get_function("nothing")((1,), (1,), (), shared_mem=size)


def test_kernels_that_are_not_there(module):
    message = (
        'the module has no extern "C" __global__ void scales; it has scale, pairs, vectors,'
        " few_threads, nothing"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        module.get_function("scales")
    code = "template <class T> __global__ void f(T *x) {} __global__ void g() {}"
    with pytest.raises(ValueError, match="void h; it has no kernels at all$"):
        RawModule(code=code).get_function("h")
    for name in ("f", "g"):
        with pytest.raises(ValueError, match=f'^{name} is there, but is not extern "C"$'):
            RawModule(code=code).get_function(name)
