"""Mistakes that show in some order of the threads, and blocks that are stuck."""

import os
import re
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import minifcn.cuda_on_cpu
from minifcn.cuda_on_cpu import RawModule, schedule

pytestmark = pytest.mark.cuda_on_cpu

KERNELS = r"""
extern "C" __global__ void turns(int *order, int *turn) {
  order[(*turn)++] = blockIdx.x * 10 + threadIdx.x;
}

extern "C" __global__ void turns_after_barrier(int *order, int *turn) {
  __syncthreads();
  order[(*turn)++] = threadIdx.x;
  __syncthreads();
  order[(*turn)++] = threadIdx.x;
}

extern "C" __global__ void shift_without_barrier(float *x) {
  __shared__ float copy[8];
  copy[threadIdx.x] = x[threadIdx.x];
  x[threadIdx.x] = threadIdx.x ? copy[threadIdx.x - 1] : -1;
}

extern "C" __global__ void shift_twice(float *x, int barrier) {
  __shared__ float copy[8];
  for (int i = 0; i < 2; i++) {
    copy[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = copy[(threadIdx.x + 1) % 8];
    if (barrier) __syncthreads();
  }
}

#line 1 "stuck.cu"
extern "C" __global__ void some_return(int first) {
  if (threadIdx.x < first && blockIdx.y == 1) return;
  __syncthreads();
}
extern "C" __global__ void two_barriers() {
  if (threadIdx.x < 10)
    __syncthreads();
  else
    __syncthreads();
}
extern "C" __global__ void lanes_missing(int *x) {
  if (threadIdx.x % 32 < 20) x[threadIdx.x] = __shfl_sync(0xffffffff, 1, 0);
}
extern "C" __global__ void masks_that_disagree() {
  __syncwarp(threadIdx.x == 3 || threadIdx.x >= 16 ? 0xffffffff : 0x0000ffff);
}
"""
KINDS = ["forward", "reverse", "shuffled", "threads"]


@pytest.fixture(scope="module")
def get():
    """A kernel by its name."""
    return RawModule(code=KERNELS).get_function


def order_of(kernel, grid, block, count, *how):
    order = np.full(count, -1, np.int32)
    with schedule(*how):
        kernel((grid,), (block,), (order, np.zeros(1, np.int32)))
    return order.tolist()


def test_the_order_of_threads_and_blocks(get):
    in_turn = [block * 10 + thread for block in range(3) for thread in range(4)]
    assert order_of(get("turns"), 3, 4, 12, "forward") == in_turn
    assert order_of(get("turns"), 3, 4, 12, "reverse") == in_turn[::-1]


def test_shuffled_orders_are_by_seed(get):
    orders = [order_of(get("turns"), 5, 4, 20, "shuffled", seed) for seed in (0, 1, 2, 0)]
    assert orders[0] == orders[3]
    assert len({tuple(order) for order in orders}) == 3
    for order in orders:
        assert sorted(order) == [block * 10 + thread for block in range(5) for thread in range(4)]
        blocks = [number // 10 for number in order]
        assert blocks == [block for block in blocks[::4] for _ in range(4)]
    assert order_of(get("turns"), 5, 4, 20, "forward") not in orders


def test_the_order_after_a_barrier(get):
    kernel = get("turns_after_barrier")
    assert order_of(kernel, 1, 8, 16, "forward") == [*range(8)] * 2
    assert order_of(kernel, 1, 8, 16, "reverse") == [*range(7, -1, -1)] * 2
    shuffled = order_of(kernel, 1, 8, 16, "shuffled", 3)
    assert sorted(shuffled[:8]) == sorted(shuffled[8:]) == [*range(8)]
    assert shuffled[:8] != shuffled[8:]


def test_a_missing_barrier_shows_in_some_order(get):
    shifted = {}
    for order in KINDS[:3]:
        x = np.arange(8, dtype=np.float32)
        with schedule(order):
            get("shift_without_barrier")((1,), (8,), (x,))
        shifted[order] = x
    np.testing.assert_array_equal(shifted["forward"], np.arange(-1, 7))
    np.testing.assert_array_equal(shifted["reverse"], [-1] + [np.nan] * 7)
    assert 0 < np.isnan(shifted["shuffled"]).sum() < 7


@pytest.mark.parametrize("order", KINDS[:3])
def test_a_missing_second_barrier_shows(get, order):
    right, wrong = np.arange(8, dtype=np.float32), np.arange(8, dtype=np.float32)
    with schedule(order):
        get("shift_twice")((1,), (8,), (right, np.int32(1)))
        get("shift_twice")((1,), (8,), (wrong, np.int32(0)))
    np.testing.assert_array_equal(right, np.roll(np.arange(8), -2))
    assert (wrong != right).any()


def test_schedules_end_with_their_with_block(get):
    with schedule("reverse"):
        with schedule("forward"):
            assert order_of(get("turns"), 1, 3, 3, "reverse") == [2, 1, 0]
        order = np.zeros(3, np.int32)
        get("turns")((1,), (3,), (order, np.zeros(1, np.int32)))
        assert order.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("random",), "order must be one of forward, reverse, shuffled, threads; got 'random'"),
        (("shuffled", -1), "seed must be a whole number from 0 to 2^32 - 1; got -1"),
        (("shuffled", 2**32), "seed must be a whole number"),
        (("shuffled", 0.5), "seed must be a whole number"),
    ],
)
def test_schedules_that_do_not_exist(arguments, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)), schedule(*arguments):
        pass


# -- Stuck blocks --------------------------------------------------------------------------------


@pytest.mark.parametrize("order", KINDS)
def test_a_barrier_that_some_never_reach(get, order):
    message = (
        r"^some_return: block \([01], 1, 0\) is stuck: 10 of 40 threads have returned, 30 of 40"
        r" threads wait at stuck.cu:3$"
    )
    with schedule(order):
        for _ in range(2):  # and nothing is left of it
            with pytest.raises(RuntimeError, match=message):
                get("some_return")((2, 2), (40,), (np.int32(10),))
            get("some_return")((2, 2), (40,), (np.int32(0),))


@pytest.mark.parametrize("order", KINDS)
def test_barriers_in_different_lines(get, order):
    with (
        schedule(order),
        pytest.raises(
            RuntimeError, match=r"10 of 64 threads wait at stuck.cu:7, 54 .* stuck.cu:9$"
        ),
    ):
        get("two_barriers")((1,), (64,), ())


@pytest.mark.parametrize("order", KINDS)
def test_a_shuffle_that_not_all_lanes_reach(get, order):
    with (
        schedule(order),
        pytest.raises(RuntimeError, match=r"40 of 64 threads wait at stuck.cu:12, 24 .* returned$"),
    ):
        get("lanes_missing")((1,), (64,), (np.zeros(64, np.int32),))


@pytest.mark.parametrize("order", KINDS)
def test_lanes_that_do_not_agree_who_meets(get, order):
    with (
        schedule(order),
        pytest.raises(RuntimeError, match=r"stuck: 32 of 32 threads wait at stuck.cu:15$"),
    ):
        get("masks_that_disagree")((1,), (32,), ())


def test_large_blocks_with_many_barriers():
    code = r"""
    extern "C" __global__ void rotate(int *x, int times) {
      __shared__ int copy[1024];
      int local[256];  // the stacks of 1024 fibers have room for that
      for (int i = 0; i < times; i++) {
        local[i % 256] = copy[threadIdx.x] = x[threadIdx.x];
        __syncthreads();
        x[threadIdx.x] = copy[(threadIdx.x + 1) % 1024] + local[i % 256] - local[i % 256];
        __syncthreads();
      }
    }
    """
    x = np.arange(1024, dtype=np.int32)
    kernel = RawModule(code=code).get_function("rotate")
    kernel((1,), (1024,), (x, np.int32(300)))
    np.testing.assert_array_equal(x, np.roll(np.arange(1024), -300))
    with schedule("threads"):
        kernel((3,), (1024,), (np.zeros_like(x), np.int32(2)))


def test_launches_from_several_threads():
    """One after the other: a library has only one set of shared arrays."""
    code = """
    extern "C" __global__ void count(int *x) {
      __shared__ int shared[32];
      shared[threadIdx.x] = 0;
      for (int i = 0; i < 2000; i++) {
        shared[threadIdx.x]++;
        __syncthreads();
      }
      x[threadIdx.x] = shared[31 - threadIdx.x];
    }
    """
    kernel = RawModule(code=code).get_function("count")
    results = np.zeros((8, 32), np.int32)
    threads = [threading.Thread(target=kernel, args=((1,), (32,), (x,))) for x in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results, 2000)


def test_what_kernels_print_comes_between_what_python_prints():
    program = """
from minifcn.cuda_on_cpu import RawModule
hello = RawModule(r'extern "C" __global__ void hello() { printf("thread %d\\n", threadIdx.x); }')
print("before")
hello.get_function("hello")((1,), (2,), ())
print("after")
"""
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=buffered, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["before", "thread 0", "thread 1", "after"]


@pytest.fixture
def example():
    """The code in the documentation of the package."""
    text = re.search(r"\n\n(    import numpy.*?\n)\n\w", minifcn.cuda_on_cpu.__doc__, re.DOTALL)[1]
    return textwrap.dedent(text)


def test_the_example_of_the_package(example, capfd):
    exec(example, {})
    *lines, result = capfd.readouterr().out.splitlines()
    assert lines == [f"thread {i} has {7 - i}" for i in range(7, -1, -1)]
    assert result == "[7. 6. 5. 4. 3. 2. 1. 0.]"


@pytest.mark.parametrize(
    ("order", "result"),
    [
        ("reverse", "[ 7.  6.  5.  4. nan nan nan nan]"),
        ("forward", "[nan nan nan nan  3.  2.  1.  0.]"),
    ],
)
def test_the_example_without_its_barrier(example, capfd, order, result):
    without = example.replace("  __syncthreads();\n", "").replace('"reverse"):', f'"{order}"):')
    exec(without, {})
    assert capfd.readouterr().out.splitlines()[-1] == result
