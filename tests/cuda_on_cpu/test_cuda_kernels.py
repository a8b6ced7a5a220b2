"""Small kernels on the CPU, as one would teach them: each of CUDA's words does what it should."""

import numpy as np
import pytest

from minifcn.cuda_on_cpu import RawModule, schedule

ORDERS = [("forward", 0), ("reverse", 0), ("shuffled", 1), ("shuffled", 2), ("threads", 0)]

KERNELS = r"""
struct Line { float slope; int start; };

extern "C" __global__ void hello() {
  printf("block %d of %d, thread %d of %d\n", blockIdx.x, gridDim.x, threadIdx.x, blockDim.x);
}

extern "C" __global__ void indices(int *out) {
  int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  int i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  int *mine = out + 6 * i;
  mine[0] = blockIdx.z, mine[1] = blockIdx.y, mine[2] = blockIdx.x;
  mine[3] = threadIdx.z, mine[4] = threadIdx.y, mine[5] = threadIdx.x;
}

extern "C" __global__ void __launch_bounds__(256)
add(const REAL *__restrict__ x, const REAL *__restrict__ y, REAL *__restrict__ sum, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) sum[i] = x[i] + y[i];
}

extern "C" __global__ void line(Line f, const float *x, float *y) {
  y[threadIdx.x] = f.slope * (x[threadIdx.x] - f.start);
}

extern "C" __global__ void change(Line *lines, bool up, unsigned char by, long long *most) {
  lines[threadIdx.x].start += up ? by : -by;
  if (most) atomicMax(most, (long long)lines[threadIdx.x].start);
}

extern "C" __global__ void reverse(float *x) {
  __shared__ float copy[64];
  copy[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = copy[63 - threadIdx.x];
}

template <class T, int N> __device__ __forceinline__ T rotated(T value, int by) {
  __shared__ T copy[N];
  copy[threadIdx.x] = value;
  __syncthreads();
  return copy[(threadIdx.x + by) % N];
}
extern "C" __global__ void rotate(float *x, double *y) {
  x[threadIdx.x] = rotated<float, 64>(x[threadIdx.x], 1);
  y[threadIdx.x] = rotated<double, 64>(y[threadIdx.x], 2);
}

template <int N> __device__ float last_of_unwritten() {
  __shared__ float memory[N];
  return memory[N - 1];
}
extern "C" __global__ void unwritten(float *x) {
  __shared__ double other[3];
  x[2 * blockIdx.x] = last_of_unwritten<5>();
  x[2 * blockIdx.x + 1] = other[2];
  other[2] = 1;
}

extern "C" __global__ void neighbours(float *x) {
  extern __shared__ float memory[];
  memory[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = memory[threadIdx.x ^ 1];
}

extern "C" __global__ void sum(const float *x, float *total) {
  __shared__ float sums[32];
  float mine = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int lanes = 16; lanes; lanes /= 2) mine += __shfl_down_sync(0xffffffff, mine, lanes);
  if (threadIdx.x % warpSize == 0) sums[threadIdx.x / warpSize] = mine;
  __syncthreads();
  if (threadIdx.x < warpSize) {
    mine = threadIdx.x < blockDim.x / warpSize ? sums[threadIdx.x] : 0;
    for (int lanes = 16; lanes; lanes /= 2) mine += __shfl_xor_sync(0xffffffff, mine, lanes);
    if (threadIdx.x == 0) atomicAdd(total, mine);
  }
}

extern "C" __global__ void histogram(const int *x, int *counts, int n) {
  __shared__ int mine[4];
  if (threadIdx.x < 4) mine[threadIdx.x] = 0;
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&mine[x[i]], 1);
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(&counts[threadIdx.x], mine[threadIdx.x]);
}

extern "C" __global__ void shuffles(int *out) {
  const int i = threadIdx.x;
  int *mine = out + 7 * i;
  mine[0] = __shfl_sync(0xffffffff, i, 5);
  mine[1] = __shfl_up_sync(0xffffffff, i, 2);
  mine[2] = __shfl_down_sync(0xffffffff, i, 2, 8);
  mine[3] = __shfl_xor_sync(0xffffffff, i, 16);
  mine[4] = __shfl_sync(0xffffffff, i, 1, 4);
  mine[5] = i % 32 < 16 ? __shfl_xor_sync(0x0000ffff, i, 1) : __shfl_xor_sync(0xffff0000, -i, 2);
  mine[6] = __shfl_xor_sync(0xffffffff, i, 4, 4);
}

extern "C" __global__ void votes(unsigned *out) {
  const int i = threadIdx.x;
  unsigned *mine = out + 6 * i;
  mine[0] = __syncthreads_count(i < 40);
  mine[1] = __syncthreads_or(i == 40) * 2 + __syncthreads_or(i < 0);
  mine[2] = __syncthreads_and(i >= 0) * 2 + __syncthreads_and(i != 40);
  mine[3] = __ballot_sync(0xffffffff, i % 2);
  mine[4] = __any_sync(0xffffffff, i == 40) * 2 + __all_sync(0xffffffff, i != 40);
  __syncwarp();
  mine[5] = __ballot_sync(0xffffffff, i < 36);
}

extern "C" __global__ void arithmetic(float *out) {
  const float4 v = make_float4(1, 2, 3, 4);
  const int hexadecimal = 0x40490fdb;
  const float values[] = {
    min(2, 3), max(2.5f, 1.5f), fmaxf(-1, 1), rsqrtf(4), v.x + v.w, __int_as_float(hexadecimal),
    floor(-0.5f), float(isnan(NAN_BITS)), float(__popc(0xff)), __saturatef(3), sqrtf(2), expf(1)};
  for (int i = 0; i < 12; i++) out[i] = values[i];
}

extern "C" __global__ void atomics(int *numbers, float *real, double *twice, unsigned *bits) {
  const int i = threadIdx.x;
  atomicSub(&numbers[0], 1), atomicMax(&numbers[1], i), atomicMin(&numbers[2], -i);
  atomicAdd(real, 0.5f), atomicAdd(twice, 0.25), atomicOr(bits, 1u << i % 32);
  int old = numbers[3], seen;  // a counter, with what is beneath all atomics
  do seen = old, old = atomicCAS(&numbers[3], seen, seen + 2);
  while (old != seen);
  if (atomicExch(&numbers[4], 7) == 0) atomicAdd(&numbers[5], 1);  // true for exactly one thread
}
"""


@pytest.fixture(scope="module", params=["float", "double"])
def module(request):
    """The kernels, with REAL as a type by macro; most tests do not care which."""
    return RawModule(code=KERNELS, options=(f"-DREAL={request.param}", "-DNAN_BITS=(0.0f / 0.0f)"))


@pytest.fixture(scope="module")
def get():
    """A kernel by its name."""
    return RawModule(
        code=KERNELS, options=("-DREAL=float", "-DNAN_BITS=(0.0f / 0.0f)")
    ).get_function


@pytest.fixture(params=ORDERS, ids=lambda order: f"{order[0]}{order[1] or ''}")
def _order(request):
    with schedule(*request.param):
        yield


pytestmark = [pytest.mark.cuda_on_cpu, pytest.mark.usefixtures("_order")]


def test_hello(get, capfd):
    get("hello")((2,), (3,), ())
    lines = capfd.readouterr().out.splitlines()
    assert sorted(lines) == [f"block {b} of 2, thread {t} of 3" for b in range(2) for t in range(3)]


def test_indices_in_three_dimensions(get):
    grid, block = (2, 3, 4), (3, 2, 5)
    out = np.full((4, 3, 2, 5, 2, 3, 6), -1, np.int32)
    get("indices")(grid, block, (out,))
    np.testing.assert_array_equal(np.moveaxis(out, -1, 0), np.indices(out.shape[:-1]))


def test_adding_in_the_type_of_a_macro(module, request):
    kernel = module.get_function("add")
    real = np.float64 if "double" in request.node.callspec.id else np.float32
    x, y = np.linspace(0, 1, 1000, dtype=real), np.linspace(5, 3, 1000, dtype=real)
    total = np.zeros(1001, real)
    kernel((4,), (256,), (x, y, total, np.int32(1000)))
    np.testing.assert_array_equal(total, [*(x + y), 0])


def test_a_struct_by_value(get):
    line = np.array([(2.5, 1)], [("slope", "f4"), ("start", "i4")])
    x, y = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    get("line")((1,), (8,), (line, x, y))
    np.testing.assert_array_equal(y, 2.5 * (x - 1))


def test_structs_by_pointer_and_other_types(get):
    lines = np.zeros(6, [("slope", "f4"), ("start", "i4")])
    lines["start"] = range(6)
    most = np.array(-1)
    get("change")((1,), (6,), (lines, np.False_, np.uint8(200), most))
    assert (list(lines["start"]), most) == ([*range(-200, -194)], -1)
    get("change")((1,), (6,), (lines, np.True_, np.uint8(255), most))
    assert (list(lines["start"]), most) == ([*range(55, 61)], 60)
    get("change")((1,), (6,), (lines, np.True_, np.uint8(1), None))
    assert (list(lines["start"]), most) == ([*range(56, 62)], 60)


def test_reversing_through_shared_memory(get):
    x = np.arange(64, dtype=np.float32)
    get("reverse")((1,), (64,), (x,))
    np.testing.assert_array_equal(x, np.arange(64)[::-1])


def test_shared_memory_of_templates(get):
    x, y = np.arange(64, dtype=np.float32), np.arange(64.0)
    get("rotate")((1,), (64,), (x, y))
    np.testing.assert_array_equal(x, np.roll(np.arange(64), -1))
    np.testing.assert_array_equal(y, np.roll(np.arange(64), -2))


def test_unwritten_shared_memory_is_nan_in_each_block(get):
    x = np.zeros(8, np.float32)
    get("unwritten")((4,), (1,), (x,))
    assert np.isnan(x).all()


def test_shared_memory_as_long_as_the_launch_says(get):
    x = np.arange(64, dtype=np.float32)
    get("neighbours")((1,), (64,), (x,), shared_mem=64 * 4)
    np.testing.assert_array_equal(x, np.arange(64) ^ 1)


def test_a_sum_with_shuffles(get):
    x, total = np.arange(5 * 256, dtype=np.float32), np.ones(1, np.float32)
    get("sum")((5,), (256,), (x, total))
    assert total == 1 + x.sum()


def test_a_histogram_with_atomics(get):
    x = np.random.default_rng(0).integers(0, 4, 1000).astype(np.int32)
    counts = np.zeros(4, np.int32)
    get("histogram")((8,), (128,), (x, counts, np.int32(1000)))
    np.testing.assert_array_equal(counts, np.bincount(x))


def test_shuffles(get):
    out = np.zeros((40, 7), np.int32)
    get("shuffles")((1,), (40,), (out,))
    i = np.arange(40)
    lane, warp = i % 32, i // 32 * 32
    there = lambda source: warp + source < 40  # the last warp has eight threads
    np.testing.assert_array_equal(out[:, 0], warp + 5)
    np.testing.assert_array_equal(out[:, 1], np.where(lane < 2, i, i - 2))
    np.testing.assert_array_equal(out[:, 2], np.where(lane % 8 < 6, i + 2, i))
    np.testing.assert_array_equal(out[:, 3], np.where(there(lane ^ 16), warp + (lane ^ 16), -1))
    np.testing.assert_array_equal(out[:, 4], i // 4 * 4 + 1)
    np.testing.assert_array_equal(out[:, 5], np.where(lane < 16, i ^ 1, -(i ^ 2)))
    np.testing.assert_array_equal(out[:, 6], np.where(lane & 4, i - 4, i))  # back, but not ahead


def test_votes(get):
    out = np.zeros((64, 6), np.uint32)
    get("votes")((1,), (64,), (out,))
    first, second = out[:32], out[32:]
    np.testing.assert_array_equal(first, [[40, 2, 2, 0xAAAAAAAA, 1, 0xFFFFFFFF]] * 32)
    np.testing.assert_array_equal(second, [[40, 2, 2, 0xAAAAAAAA, 2, 0xF]] * 32)


def test_arithmetic(get):
    out = np.zeros(12, np.float32)
    get("arithmetic")((1,), (1,), (out,))
    expected = [2, 2.5, 1, 0.5, 5, np.pi, -1, 1, 8, 1, 2**0.5, np.e]
    np.testing.assert_array_equal(out, np.float32(expected))


def test_atomics(get):
    numbers, bits = np.zeros(6, np.int32), np.zeros(1, np.uint32)
    real, twice = np.zeros(1, np.float32), np.zeros(1)
    get("atomics")((3,), (64,), (numbers, real, twice, bits))
    assert numbers.tolist() == [-192, 63, -63, 384, 7, 1]
    assert (real, twice, bits) == (96, 48, 0xFFFFFFFF)
