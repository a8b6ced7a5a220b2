"""The CUDA kernels, run on the CPU: tile edges, launches, equal bits, and the whole network."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import run_every_kernel
from hypothesis import given, settings
from kernel_cases import ARGUMENTS, OnGPU, assert_close

from minifcn import cuda_on_cpu
from minifcn.kernels import cpu, geometry, gpu, reference
from minifcn.kernels.gpu import convolution, launch, resizing

pytestmark = pytest.mark.cuda_on_cpu

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
ON_BOTH = pytest.mark.parametrize(
    "kernel", [pytest.param(gpu, id="cpu"), pytest.param(OnGPU(), id="gpu", marks=pytest.mark.gpu)]
)


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# --- Tiles: 64 x 64 numbers of the result, 16 steps of the sum ------------------------------------


# N, channels a group, outputs a group, groups, size, kernel, stride, padding, dilation
EDGES = {
    "one of everything": (1, 1, 1, 1, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    "one tile exactly": (1, 16, 64, 1, (8, 8), (1, 1), (1, 1), (0, 0), (1, 1)),
    "one more than a tile": (1, 17, 65, 1, (5, 13), (1, 1), (1, 1), (0, 0), (1, 1)),
    "one less than a tile": (1, 15, 63, 1, (7, 9), (1, 1), (1, 1), (0, 0), (1, 1)),
    "two tiles and one each way": (3, 15, 129, 1, (9, 5), (3, 1), (1, 1), (1, 0), (1, 1)),
    "a tile over several images": (7, 3, 5, 1, (3, 5), (3, 3), (1, 1), (1, 1), (1, 1)),
    "groups beyond a tile": (2, 2, 65, 3, (4, 6), (3, 2), (1, 1), (1, 1), (1, 1)),
    "stride 2": (2, 5, 66, 1, (9, 10), (3, 3), (2, 2), (1, 1), (1, 1)),
    "stride, height and width apart": (2, 3, 4, 2, (11, 17), (3, 4), (3, 2), (2, 1), (1, 1)),
    "stride beyond the kernel": (2, 3, 4, 1, (11, 17), (2, 1), (5, 4), (1, 2), (1, 1)),
    "dilation": (2, 4, 6, 1, (13, 12), (3, 3), (1, 1), (2, 4), (2, 4)),
    "stride and dilation with a divisor": (1, 3, 4, 2, (23, 19), (4, 3), (4, 6), (3, 5), (6, 4)),
    "depthwise, more pixels than threads": (3, 1, 1, 5, (19, 31), (3, 5), (1, 1), (1, 2), (1, 1)),
    "depthwise, stride and dilation": (2, 1, 1, 3, (23, 19), (4, 3), (4, 2), (3, 5), (2, 3)),
    "padding beyond the image": (2, 2, 3, 1, (2, 3), (3, 3), (2, 1), (4, 5), (1, 1)),
    "upsampling by 8": (1, 3, 3, 1, (40, 48), (16, 16), (8, 8), (4, 4), (1, 1)),
}


@ON_BOTH
@DTYPES
@pytest.mark.parametrize("case", EDGES)
def test_the_three_convolutions_at_the_edges_of_tiles(case, dtype, kernel):
    n, c, f, groups, size, kernel_size, *settings = EDGES[case]
    out = geometry.output_pair(size, kernel_size, *settings)
    x, y = normal(n, c * groups, *size, dtype=dtype), normal(n, f * groups, *out, dtype=dtype)
    weight, bias = normal(f * groups, c, *kernel_size, dtype=dtype), normal(f * groups, dtype=dtype)
    rest = tuple(map(geometry.conv_remainder, size, kernel_size, *settings))
    calls = [
        ("conv2d", (x, weight, *settings, groups, bias, True)),
        ("conv_transpose2d", (y, weight, *settings[:2], rest, settings[2], groups)),
        ("conv2d_weight", (x, y, kernel_size, *settings, groups)),
    ]
    for name, arguments in calls:
        assert_close(getattr(kernel, name)(*arguments), getattr(cpu, name)(*arguments))


@ON_BOTH
@DTYPES
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (16, 64, 8, 8), (17, 65, 5, 13), (31, 130, 3, 43)])
def test_the_1x1_convolution_at_the_edges_of_tiles(sizes, n, dtype, kernel):
    c, f, h, w = sizes
    x, y, weight = normal(n, c, h, w, dtype=dtype), normal(n, f, h, w, dtype=dtype), normal(f, c)
    weight, bias = weight.astype(dtype), normal(f, dtype=dtype)
    calls = [("conv1x1", (x, weight, bias, True)), ("conv1x1_weight", (x, y))]
    for name, arguments in calls:
        assert_close(getattr(kernel, name)(*arguments), getattr(cpu, name)(*arguments))


@ON_BOTH
def test_a_sum_cut_into_parts_is_the_same_sum(kernel, monkeypatch):
    """Long sums over pixels are shared by blocks; here so are short ones, and some get nothing."""
    x, y = normal(3, 2, 9, 11), normal(3, 4, 9, 11)
    expected = cpu.conv2d_weight(x, y, (1, 1), (1, 1), (0, 0), (1, 1), 1)
    for steps in (1, 16, 100, 1000):
        monkeypatch.setattr(convolution, "FEWEST_STEPS", steps)
        found = kernel.conv2d_weight(x, y, (1, 1), (1, 1), (0, 0), (1, 1), 1)
        assert_close(found, expected)
        assert_close(kernel.conv1x1_weight(x, y), expected[..., 0, 0])


@ON_BOTH
@DTYPES
def test_sums_over_more_pixels_than_a_block_has_threads(kernel, dtype):
    x, gradient = normal(3, 5, 17, 31, dtype=dtype), normal(3, 5, 17, 31, dtype=dtype, seed=1)
    weight, bias = normal(5, dtype=dtype), normal(5, dtype=dtype, seed=1)
    assert_close(kernel.channel_sums(x), cpu.channel_sums(x))
    y, mean, var = kernel.batch_norm(x, weight, bias, 1e-5)
    for a, b in zip((y, mean, var), cpu.batch_norm(x, weight, bias, 1e-5), strict=True):
        assert_close(a, b)
    arguments = (gradient, x, weight, mean, var, 1e-5)
    expected = cpu.batch_norm_gradient(*arguments)
    for a, b in zip(kernel.batch_norm_gradient(*arguments), expected, strict=True):
        assert_close(a, b)


# --- The same bits --------------------------------------------------------------------------------


@ON_BOTH
@pytest.mark.parametrize("most", [1, 5, 3000])
def test_unpool_adds_in_the_order_of_the_positions(most, kernel):
    """Bit for bit what the loops compute, though up to 3000 threads add to one place."""
    rng = np.random.default_rng(most)
    y, indices = normal(2, 3, 50, 60, dtype=np.float32), rng.integers(0, most, (2, 3, 50, 60))
    expected = reference.unpool(y, indices, (50, 60))
    np.testing.assert_array_equal(kernel.unpool(y, indices, (50, 60)), expected)


@ON_BOTH
@given(ARGUMENTS["col2im"])
@settings(max_examples=50, deadline=None)
def test_scattering_columns_gives_what_gathering_them_gives(kernel, arguments):
    assert_close(kernel.col2im_scatter(*arguments), reference.col2im(*arguments), least=1)


@pytest.mark.parametrize("order", ["reverse", "shuffled"])
def test_no_bit_depends_on_the_order_in_which_threads_run(order):
    for name, arguments in run_every_kernel.calls():
        if name != "col2im_scatter":
            expected = run_every_kernel.results(gpu, name, arguments)
            with cuda_on_cpu.schedule(order, 1):
                found = run_every_kernel.results(gpu, name, arguments)
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=name)


# --- More than 2^31 elements ----------------------------------------------------------------------


LAST_BLOCK = """
extern "C" __global__ void last_block_of_{name}({parameters}, unsigned block) {{
    blockIdx.x = block;  // what CUDA itself would not allow
    {name}({arguments});
}}
"""
PARAMETERS = {
    "relu": ("const real *x, real *y, int64 total", "x, y, total"),
    "im2col": ("const real *x, real *y, int64 total, Windows s", "x, y, total, s"),
    "col2im_gather": ("const real *x, real *y, int64 total, Windows s", "x, y, total, s"),
    "max_pool2d": ("const real *x, real *y, int64 total, Windows s", "x, y, nullptr, total, s"),
}
MANY = 46342  # its square is beyond 2^31


def run_last_block(file, name, edit=str):
    """Let a kernel's last block copy the end of an image of MANY x MANY numbers of one byte.

    Memory that nobody touches takes no room, and of the many blocks only the last one runs.
    """
    from minifcn.cuda_on_cpu import RawModule

    parameters, arguments = PARAMETERS[name]
    text = launch.source(file).replace("atomicAdd(", "(void)(")  # there is none for bytes
    code = edit(text) + LAST_BLOCK.format(name=name, parameters=parameters, arguments=arguments)
    module = RawModule(code=code, options=("-DREAL=signed char",))
    try:
        x, y = (np.zeros(MANY**2, np.int8) for _ in range(2))
    except MemoryError:
        pytest.skip("this machine does not give out 4 GiB, even of memory that is not used")
    x[-3:] = [5, 6, 7]
    one = ((1, 1), (1, 1), (0, 0), (1, 1))
    struct = () if name == "relu" else (launch.windows((MANY, MANY), (MANY, MANY), *one),)
    block = np.uint32((x.size - 1) // launch.THREADS)
    kernel = module.get_function(f"last_block_of_{name}")
    kernel((1,), (launch.THREADS,), (x, y, np.int64(x.size), *struct, block))
    assert y[-3:].tolist() == [5, 6, 7]


BEYOND = pytest.mark.parametrize(
    ("file", "name"),
    [
        ("pointwise.cu", "relu"),
        ("windows.cu", "im2col"),
        ("windows.cu", "col2im_gather"),
        ("pooling.cu", "max_pool2d"),
    ],
)


@BEYOND
def test_arrays_of_more_than_2_31_elements(file, name):
    run_last_block(file, name)


IN_BITS = """
import sys, test_cuda
as_int = f"({sys.argv[1]})blockIdx.x * (int)blockDim.x"
edit = lambda text: text.replace("(int64)blockIdx.x * blockDim.x", as_int)
test_cuda.run_last_block("pointwise.cu", "relu", edit)
"""


def test_an_index_of_32_bits_is_caught(monkeypatch):
    from minifcn.cuda_on_cpu import sanitizer

    places = map(str, Path(__file__).parents[:2])  # of this file, and of what it imports
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))
    run = lambda index: sanitizer.run("undefined", "-c", IN_BITS, index)
    done = run("int")
    assert done.returncode != 0
    assert "signed integer overflow" in done.stderr
    assert run("int64").returncode == 0


# --- Launching ------------------------------------------------------------------------------------


def test_what_a_file_includes_is_in_its_source_once_with_its_own_line_numbers():
    text = launch.source("convolution.cu")
    assert text.count("struct Windows {") == text.count("struct Tiles {") == 1
    assert "#include" not in text
    lines = text.splitlines()
    number, file = None, None
    for line in lines:
        if marker := re.fullmatch(r'#line (\d+) "(.+)"', line):
            number, file = int(marker[1]), marker[2]
            continue
        original = (launch.FOLDER / file).read_text().splitlines()[number - 1]
        assert line == original or original == "#pragma once"
        number += 1


@pytest.mark.parametrize(
    ("struct", "file", "dtype"),
    [
        ("Windows", "common.cuh", launch.WINDOWS),
        ("Convolution", "convolution.cu", convolution.CONVOLUTION),
        ("Axis", "resizing.cu", resizing.AXIS),
    ],
)
def test_a_struct_has_the_same_fields_in_python_and_in_cuda(struct, file, dtype):
    text = re.sub(r"//.*", "", (launch.FOLDER / file).read_text())
    body = re.search(rf"struct {struct} {{(.*?)}};", text, re.DOTALL)[1]
    kinds = {"int": np.int32, "double": np.float64, "Windows": launch.WINDOWS}
    fields = [
        (name.strip(), np.dtype(kinds[kind]))
        for kind, names in re.findall(r"(\w+) ([^;]+);", body)
        for name in names.split(",")
    ]
    assert fields == [(name, dtype.fields[name][0]) for name in dtype.names]


def test_every_cuda_kernel_is_launched_by_some_function():
    names = set()
    for path in launch.FOLDER.glob("*.cu"):
        names |= set(
            re.findall(
                r"__global__ void(?: __launch_bounds__\([^)]*\))?\s+(\w+)\(", path.read_text()
            )
        )
    python = "".join(p.read_text() for p in launch.FOLDER.parent.joinpath("gpu").glob("*.py"))
    assert len(names) > 20
    assert {name for name in names if f'"{name}"' not in python} == set()


X = normal(1, 2, 3, 4)
REFUSED = [
    (
        (X.transpose(), np.empty_like(X), 24),
        ValueError,
        "array 0 of relu must be contiguous; got str",
    ),
    (
        (X, np.empty_like(X, np.float32), 24),
        TypeError,
        "the arrays of relu must be float64; got float32 for array 1",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED)
def test_a_launch_refuses_arrays_that_a_kernel_would_misread(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        launch.launch("pointwise.cu", "relu", 1, *arguments)


@pytest.mark.parametrize("dtype", [np.int64, np.float16])
def test_a_launch_refuses_numbers_that_there_are_no_kernels_for(dtype):
    with pytest.raises(
        TypeError, match=f"^the arrays of relu must be float32 or float64; got {np.dtype(dtype)}$"
    ):
        gpu.relu(X.astype(dtype))


def test_a_changed_file_counts_after_forgetting_the_old_one(monkeypatch, tmp_path):
    for path in launch.FOLDER.iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(launch, "FOLDER", tmp_path)
    launch.forget()
    assert gpu.relu(X).min() == 0
    file = tmp_path / "pointwise.cu"
    file.write_text(file.read_text().replace("y[i] = rectified(x[i])", "y[i] = 5"))
    launch.forget()
    assert gpu.relu(X).min() == 5
    monkeypatch.undo()
    launch.forget()
    assert gpu.relu(X).min() == 0


def test_a_launch_refuses_more_blocks_than_there_can_be():
    with pytest.raises(ValueError, match=r"^relu needs \(1, 65536\) blocks, but a launch may have"):
        launch.launch("pointwise.cu", "relu", (1, 65536), X, np.empty_like(X), 24)


def test_positions_beyond_32_bits_are_refused():
    with pytest.raises(ValueError, match="a GPU kernel takes positions up to 2147483647; got"):
        gpu.conv2d(X, normal(1, 2, 1, 1), (2**31, 1), (0, 0), (1, 1), 1)


def test_a_launch_without_blocks_does_nothing():
    launch.launch("pointwise.cu", "relu", 0, X, X, 0)
    assert gpu.relu(X[:0]).shape == (0, 2, 3, 4)
