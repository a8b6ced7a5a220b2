"""Compiling: g++'s errors name the student's lines, and nothing is compiled twice."""

import os
import subprocess
import sys

import numpy as np
import pytest

from minifcn.cuda_on_cpu import RawModule, compiler, schedule

pytestmark = pytest.mark.cuda_on_cpu

KERNEL = 'extern "C" __global__ void set(float *x) {{ x[0] = {}; }}'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder for libraries that is empty at first."""
    monkeypatch.setenv("MINIFCN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(module, kernel="set"):
    x = np.zeros(1, np.float32)
    module.get_function(kernel)((1,), (1,), (x,))
    return x[0]


# -- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("\n\n__device__ int f() { return y; }", "kernel.cu:3:29: error: 'y' was not declared"),
        ('\n#line 40 "conv.cu"\n__device__ int f() { return y; }', "conv.cu:40:29: error: 'y'"),
        ('extern "C" __global__ void f() {\n#error no\n}', "kernel.cu:2:2: error: #error no"),
        ('extern "C" __global__ void f() {\n  int x = INT_MAX;\n}', "'INT_MAX' was not declared"),
        ("__device__ void f(long long *x) { atomicAdd(x, 1); }", "kernel.cu:1:45: error: "),
        ("__device__ float f(float *x) {\n  float y[50000];\n  for (int i = 0; i < 50000; i++)\n"
         "    y[i] = x[i];\n  return y[int(*x)];\n}\n"
         'extern "C" __global__ void g(float *x) { *x = f(x); }', "frame size of 200"),
        ('extern "C" __global__ void f(int x) {', "kernel.cu:1:38: error: expected '}'"),
    ],
)  # fmt: skip
def test_errors_name_the_line_of_the_text(code, message):
    with pytest.raises(RuntimeError) as error:
        RawModule(code=code)
    assert str(error.value).startswith("g++ cannot compile the kernels:\n")
    assert message in str(error.value)


def test_an_error_shows_the_line(cache):
    with pytest.raises(RuntimeError, match=r"\| +int x = y;"):
        RawModule(code="__device__ void f() {\n  int x = y;\n}")
    assert list(cache.iterdir()) == []


def test_a_machine_without_a_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    compiler._compiler.cache_clear()
    with pytest.raises(RuntimeError, match=r"^CUDA on the CPU needs g\+\+, .*apt install g\+\+\)$"):
        RawModule(code=KERNEL.format(1))


# -- What kernels may look like ------------------------------------------------------------------


@pytest.mark.parametrize(
    "declaration",
    [
        'extern "C" __global__ void set(float *x) {',
        'extern "C" __global__\nvoid __launch_bounds__(64, 2)\nset(float *__restrict__ x)\n{',
        'extern "C" __launch_bounds__(64) __global__ void set(float x[]) {',
        '// __global__ void no() {\n#if 0\nextern "C" __global__ void no() {}\n#endif\n'
        '#define KERNEL(name) extern "C" __global__ void name\nKERNEL(set)(float *x) {',
        'extern "C" __global__ void set(float *);\nextern "C" __global__ void set(float *x) {',
        '#include <stdio.h>\n#include <cmath>\nextern "C" __global__ void set(float *x) {',
    ],
)
def test_kernels_are_found(declaration):
    module = RawModule(code=f"{declaration} x[0] = 7; }}")
    assert list(module._library().kernels) == ["set"]
    assert run(module) == 7


def test_kernels_in_a_block_of_c():
    code = 'extern "C" {\n__global__ void set(float *x) { *x = 3; }\n__global__ void no() {}\n}'
    assert run(RawModule(code=code)) == 3


def test_names_that_the_c_library_has_too():
    code = (
        'extern "C" __global__ void div(float *x) { *x = 3; }\n__device__ int index() { return 4; }'
    )
    module = RawModule(code=code + 'extern "C" __global__ void set(float *x) { *x = index(); }')
    assert (run(module, "div"), run(module)) == (3, 4)


def test_constants_and_options():
    code = """
    __constant__ float weights[3] = {1, 2, 3};
    __device__ int launches;
    extern "C" __global__ void set(float *x) { *x = 100 * launches++ + weights[PLACE]; }
    """
    module = RawModule(code=code, options=("-DPLACE=2",))
    assert [run(module), run(module)] == [3, 103]


# -- The cache -----------------------------------------------------------------------------------


def test_what_is_compiled_is_kept(cache, monkeypatch):
    assert run(RawModule(code=KERNEL.format(1))) == 1
    (library,) = cache.iterdir()
    time = library.stat().st_mtime_ns
    monkeypatch.setattr(compiler, "_compile", None)
    assert run(RawModule(code=KERNEL.format(1))) == 1
    assert library.stat().st_mtime_ns == time


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: RawModule(code=KERNEL.format("VALUE + 1"), options=("-DVALUE=1",)),
        lambda patch: RawModule(code=KERNEL.format("VALUE"), options=("-DVALUE=2",)),
        lambda patch: patch.setattr(compiler, "FLAGS", (*compiler.FLAGS, "-O2")),
        lambda patch: patch.setattr(compiler, "_compiler", lambda: "g++ 99"),
    ],
    ids=["code", "options", "flags", "compiler"],
)
def test_what_changes_is_compiled_anew(cache, monkeypatch, change):
    original = lambda: run(RawModule(code=KERNEL.format("VALUE"), options=("-DVALUE=1",)))
    assert original() == 1
    module = change(monkeypatch)
    assert (run(module) if module else original()) == (2 if module else 1)
    assert len(list(cache.iterdir())) == 2


def test_another_header_is_another_library(cache, monkeypatch, tmp_path):
    folder = tmp_path / "headers"
    folder.mkdir()
    for path in compiler._headers():
        (folder / path.name).write_text(path.read_text())
    RawModule(code=KERNEL.format(1))
    monkeypatch.setattr(compiler, "FOLDER", folder)
    RawModule(code=KERNEL.format(1))
    assert len(list(cache.iterdir())) == 1
    (folder / "words.h").write_text((folder / "words.h").read_text() + "// changed\n")
    RawModule(code=KERNEL.format(1))
    assert len(list(cache.iterdir())) == 2


def test_threads_have_libraries_of_their_own(cache):
    module = RawModule(code=KERNEL.format(1))
    with schedule("threads"):
        assert run(module) == 1
    assert sorted(len(path.suffixes) for path in cache.iterdir()) == [1, 1, 2]  # .so and .2.so


def test_several_processes_at_once(cache):
    program = f"""
import numpy as np
from minifcn.cuda_on_cpu import RawModule
x = np.zeros(1, np.float32)
RawModule(code={KERNEL.format(5)!r}).get_function("set")((1,), (1,), (x,))
print(x[0])
"""
    command = [sys.executable, "-c", program]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0] for process in runs] == ["5.0\n"] * 3
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIFCN_CACHE", str(tmp_path / "mine"))
    assert compiler.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MINIFCN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert compiler.cache_folder() == tmp_path / "caches" / "minifcn" / "cuda_on_cpu"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert compiler.cache_folder() == tmp_path / "home" / ".cache" / "minifcn" / "cuda_on_cpu"


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MINIFCN_CACHE", str(tmp_path / "file" / "cache"))
    folder = compiler.cache_folder()
    assert os.access(folder, os.W_OK)
    assert tmp_path not in folder.parents
    assert folder == compiler.cache_folder()
    assert run(RawModule(code=KERNEL.format(1))) == 1
