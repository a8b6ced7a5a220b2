"""The sanitizers: they find planted mistakes, and nothing in kernels that have none."""

import subprocess

import numpy as np
import pytest

from minifcn.cuda_on_cpu import RawModule, compiler, sanitizer

pytestmark = pytest.mark.cuda_on_cpu

KERNELS = r"""
#line 1 "planted.cu"
template <int N> __device__ float reversed(float value, int last) {
  __shared__ float copy[N];
  copy[threadIdx.x] = value;
  __syncthreads();
  return copy[last - threadIdx.x];
}
extern "C" __global__ void reverse(float *x, int last) {
  x[threadIdx.x] = reversed<64>(x[threadIdx.x], last);
}
#line 11
extern "C" __global__ void fill(float *x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = 1;
}
#line 21
extern "C" __global__ void square(int *x) { x[threadIdx.x] = x[threadIdx.x] * x[threadIdx.x]; }
#line 31
extern "C" __global__ void count(const int *x, int *counts, int atomic) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (atomic) atomicAdd(&counts[x[i]], 1);
  else counts[x[i]]++;
}
#line 41
extern "C" __global__ void rotate_twice(float *x, int barriers) {
  __shared__ float copy[64];
  for (int i = 0; i < 2; i++) {
    copy[threadIdx.x] = x[threadIdx.x];
    if (barriers >= 1) __syncthreads();
    x[threadIdx.x] = copy[(threadIdx.x + 1) % 64];
    if (barriers >= 2) __syncthreads();
  }
}
#line 51
extern "C" __global__ void sum(const float *x, float *total, int barrier) {
  __shared__ float sums[2];
  float mine = x[threadIdx.x];
  for (int lanes = 16; lanes; lanes /= 2) mine += __shfl_xor_sync(0xffffffff, mine, lanes);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = mine;
  if (barrier) __syncthreads();
  if (threadIdx.x == 0) *total = sums[0] + sums[1];
}
#line 61
extern "C" __global__ void swap(float *x, int sync) {
  __shared__ float copy[64];
  copy[threadIdx.x] = x[threadIdx.x];
  if (sync) __syncwarp();
  x[threadIdx.x] = copy[threadIdx.x ^ 1];
}
#line 71
extern "C" __global__ void blocks(float *x, int distance) {
  __shared__ float copy[64];
  copy[threadIdx.x] = 1;
  __syncthreads();
  x[blockIdx.x * distance + threadIdx.x] = copy[63 - threadIdx.x];
}
#line 81
extern "C" __global__ void some_wait(int n) { if (threadIdx.x < n) __syncthreads(); }
"""

PROGRAM = f"""
import sys
import numpy as np
from minifcn.cuda_on_cpu import RawModule
module = RawModule(code={KERNELS!r})
i, x = np.int32, np.ones(256, np.float32)
LAUNCHES = {{
    "reverse": lambda last: ((1,), (64,), (x, i(last))),
    "fill": lambda n: ((2,), (64,), (x[:100].copy(), i(n))),
    "square": lambda value: ((1,), (1,), (np.full(1, value, i),)),
    "count": lambda atomic: ((8,), (64,), (np.zeros(512, i), np.zeros(4, i), i(atomic))),
    "rotate_twice": lambda barriers: ((1,), (64,), (x, i(barriers))),
    "sum": lambda barrier: ((1,), (64,), (x, np.zeros(1, np.float32), i(barrier))),
    "swap": lambda sync: ((1,), (64,), (x, i(sync))),
    "blocks": lambda distance: ((4,), (64,), (x, i(distance))),
    "some_wait": lambda n: ((1,), (64,), (i(n),)),
}}
for argument in sys.argv[1:]:
    name, number = argument.split("=")
    try:
        module.get_function(name)(*LAUNCHES[name](int(number)))
    except RuntimeError as error:
        print(error)
print("done")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A program that launches the kernels it is told, each with a number as its last argument."""
    path = tmp_path_factory.mktemp("sanitizers") / "program.py"
    path.write_text(PROGRAM)
    return str(path)


@pytest.fixture
def run(program):
    """Run that program under a sanitizer."""
    return lambda kind, *launches: sanitizer.run(kind, program, *launches, timeout=100)


RIGHT = ["reverse=63", "fill=100", "square=46340", "count=1", "rotate_twice=2", "sum=1", "swap=1",
         "blocks=64"]  # fmt: skip


@pytest.mark.parametrize("kind", ["address", "thread", "undefined"])
def test_nothing_is_found_where_nothing_is_wrong(run, kind):
    done = run(kind, *RIGHT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize(
    ("kind", "launch", "report", "line"),
    [
        ("address", "fill=101", "heap-buffer-overflow", 13),
        ("address", "reverse=64", "global-buffer-overflow", 5),
        ("undefined", "reverse=64", "index 64 out of bounds", 5),
        ("undefined", "square=46341", "signed integer overflow", 21),
        ("thread", "count=0", "data race", 34),
        ("thread", "rotate_twice=0", "data race", 4),
        ("thread", "rotate_twice=1", "data race", 4),
        ("thread", "sum=0", "data race", 5),
        ("thread", "swap=0", "data race", 6),
        ("thread", "blocks=63", "data race", 75),
    ],
)
def test_what_is_wrong_is_found(run, kind, launch, report, line):
    done = run(kind, launch)
    assert done.returncode != 0
    assert report in done.stderr
    assert f"planted.cu:{line}" in done.stderr


@pytest.mark.parametrize("kind", ["address", "thread", "undefined"])
def test_stuck_blocks_are_errors_here_too(run, kind):
    done = run(kind, "some_wait=10", "some_wait=64", "reverse=63")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "some_wait: block (0, 0, 0) is stuck: 10 of 64 threads wait at planted.cu:81,"
        " 54 of 64 threads have returned\ndone\n"
    )


# -- What cannot be done -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["address", "thread"])
def test_a_sanitizer_that_is_not_loaded(kind):
    with pytest.raises(RuntimeError, match=f"works only in a program .*run.'{kind}', "):
        RawModule(code=KERNELS, sanitize=kind)


def test_undefined_needs_no_preparation():
    module = RawModule(code=KERNELS, sanitize="undefined")
    x = np.full(1, 3, np.int32)
    module.get_function("square")((1,), (1,), (x,))
    assert x == 9


def test_sanitizers_that_do_not_exist():
    with pytest.raises(
        ValueError, match="^sanitize must be one of address, thread, undefined; got"
    ):
        RawModule(code=KERNELS, sanitize="memory")
    with pytest.raises(ValueError, match="^kind must be one of address, thread, undefined; got"):
        sanitizer.run("memory", "-c", "")


def test_a_compiler_without_a_sanitizer(monkeypatch):
    monkeypatch.setattr(sanitizer, "gpp", lambda option: option.partition("=")[2] + "\n")
    sanitizer._path.cache_clear()
    with pytest.raises(RuntimeError, match=r"^g\+\+ has no libtsan.so on this machine$"):
        sanitizer.run("thread", "-c", "")
    sanitizer._path.cache_clear()


def test_a_system_that_thread_sanitizer_does_not_bear(monkeypatch):
    report = "FATAL: ThreadSanitizer: unexpected memory mapping 0x5db3a9c63000-0x5db3a9c83000"
    program = f"import sys; sys.exit({report!r})"
    monkeypatch.setitem(sanitizer.RUNTIMES, "thread", ())
    with pytest.raises(RuntimeError, match="mmap_rnd_bits=28"):
        sanitizer.run("thread", "-c", program)


def test_the_compiler_is_not_watched(monkeypatch):
    environments = []

    def run(command, env, **options):
        environments.append(env)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("LD_PRELOAD", "libtsan.so")
    monkeypatch.setattr(subprocess, "run", run)
    compiler.gpp("--version")
    assert "LD_PRELOAD" not in environments[0]
    assert environments[0]["PATH"]


def test_a_watched_program_has_its_addresses_where_they_always_are():
    """ThreadSanitizer cannot start where chance puts something in its place."""
    if subprocess.run(["setarch", "-R", "true"], check=False).returncode:
        pytest.skip("this system does not let programs choose it")
    show = "print(open('/proc/self/maps').readline().split('-')[0])"
    first, second = (sanitizer.run("undefined", "-c", show).stdout for _ in range(2))
    assert first == second
