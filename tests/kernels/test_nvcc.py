"""CUDA's own compilers accept every kernel, for every GPU and number type, and fit it in registers.

nvcc and NVRTC need no GPU. nvcc says more, and brings its headers; NVRTC is what CuPy compiles with
on a GPU, and has none, so that each sees mistakes that the other one does not.
"""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from minifcn.kernels.gpu import launch

FILES = sorted(path.name for path in launch.FOLDER.glob("*.cu"))
REALS = ("float", "double")
CAPABILITIES = (75, 80, 90)  # Turing, Ampere, Hopper
MOST_SHARED = 48 * 1024  # bytes that any GPU gives a block without being asked for more
EVERY = pytest.mark.parametrize(
    ("file", "real"), [(file, real) for file in FILES for real in REALS]
)


def inlined(file, folder):
    """The text that CuPy gets, in a file."""
    path = folder / f"{file}-inlined.cu"
    path.write_text(launch.source(file))
    return path


# -- nvcc ------------------------------------------------------------------------------------------


def nvcc(path, real, *options, capabilities=CAPABILITIES):
    """What nvcc says of a file, as a CompletedProcess."""
    targets = [f"-gencode=arch=compute_{c},code=sm_{c}" for c in capabilities]
    command = ["nvcc", *targets, "-std=c++17", "-ftz=true", "-fatbin", "-Werror", "all-warnings",
               f"-DREAL={real}", *options, "-o", path.with_suffix(f".{real}"), path]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A function of file and number type: what nvcc says of it; two are compiled at a time."""
    if not shutil.which("nvcc"):
        pytest.skip("nvcc is not installed")
    folder = tmp_path_factory.mktemp("nvcc")
    with ThreadPoolExecutor(2) as pool:
        jobs = {
            (file, real): pool.submit(nvcc, inlined(file, folder), real, "-Xptxas", "-v")
            for file in FILES
            for real in REALS
        }
        yield lambda file, real: jobs[file, real].result()
        for job in jobs.values():
            job.cancel()


def kernels_in(report):
    """Yield name, GPU, bytes spilled and bytes of shared memory of each kernel in a report."""
    parts = re.split(r"Compiling entry function '(\w+)' for '(\w+)'", report)
    for name, target, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        spilled = [int(n) for n in re.findall(r"(\d+) bytes spill (?:stores|loads)", text)]
        shared = re.search(r"Used \d+ registers.*?(?:(\d+) bytes smem|$)", text, re.MULTILINE)
        assert len(spilled) == 2, text
        yield name, target, sum(spilled), int(shared[1] or 0)


def names_in(file):
    """The kernels of a file."""
    text = launch.FOLDER.joinpath(file).read_text()
    return re.findall(r"__global__ void(?:\s+__launch_bounds__\([^)]*\))?\s+(\w+)\(", text)


def test_there_are_files_to_compile():
    assert len(FILES) >= 9
    assert all(names_in(file) for file in FILES)


@EVERY
def test_nvcc_takes_what_cupy_gets_without_a_warning(file, real, compiled):
    done = compiled(file, real)
    assert done.returncode == 0, done.stderr
    found = sorted((name, target) for name, target, *_ in kernels_in(done.stderr))
    assert found == sorted((name, f"sm_{c}") for name in names_in(file) for c in CAPABILITIES)


@EVERY
def test_no_kernel_spills_registers_or_wants_too_much_shared_memory(file, real, compiled):
    kernels = list(kernels_in(compiled(file, real).stderr))
    assert kernels
    assert [kernel for kernel in kernels if kernel[2] > 0 or kernel[3] > MOST_SHARED] == []


def test_nvcc_takes_each_file_by_itself_and_sees_the_same_text(compiled, tmp_path):
    """As a reader would compile it, with its includes; for one GPU, as the text is the same."""

    def seen(path):
        lines = nvcc(path, "float", "-E", f"-I{launch.FOLDER}", capabilities=[80])
        assert lines.returncode == 0, lines.stderr
        output = path.with_suffix(".float").read_text()
        return [line for line in map(str.strip, output.splitlines()) if line and line[0] != "#"]

    for file in FILES:
        own = shutil.copy(launch.FOLDER / file, tmp_path / file)
        assert seen(own) == seen(inlined(file, tmp_path)), file


BAD = """#include "tiles.cuh"

extern "C" __global__ void bad(real *x) {
%s
}
"""


@pytest.fixture
def bad_file(tmp_path, monkeypatch):
    """A folder with the headers and bad.cu, which holds a given line as its fourth."""

    def write(line):
        (tmp_path / "bad.cu").write_text(BAD % line)
        return launch.source.__wrapped__("bad.cu")

    for path in launch.FOLDER.glob("*.cuh"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(launch, "FOLDER", tmp_path)
    return write


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    x[0] = threadIdx;", r"no suitable conversion function"),
        ("    int unused;", r'variable "unused" was declared but never referenced'),
    ],
)
def test_nvcc_names_file_and_line_of_a_mistake(line, message, compiled, bad_file, tmp_path):
    path = tmp_path / "x.cu"
    path.write_text(bad_file(line))
    done = nvcc(path, "float", capabilities=[80])
    assert done.returncode != 0
    assert re.search(rf"bad\.cu\(4\): error.*{message}", done.stderr), done.stderr


def test_spilled_registers_and_shared_memory_are_seen(compiled, tmp_path):
    """256 numbers that are kept while all are changed do not fit 32 registers."""
    path = tmp_path / "x.cu"
    path.write_text(
        'extern "C" __global__ void __launch_bounds__(1024, 2) greedy(float *x) {\n'
        "    __shared__ float shared[1024];\n"
        "    float kept[256];\n"
        "    #pragma unroll\n"
        "    for (int i = 0; i < 256; i++) kept[i] = x[i];\n"
        "    shared[threadIdx.x] = x[threadIdx.x];\n"
        "    __syncthreads();\n"
        "    #pragma unroll\n"
        "    for (int i = 0; i < 256; i++) x[i] = kept[255 - i] * shared[i];\n"
        "}\n"
    )
    done = nvcc(path, "float", "-Xptxas", "-v", capabilities=[80])
    assert done.returncode == 0, done.stderr
    ((name, target, spilled, shared),) = kernels_in(done.stderr)
    assert (name, target, shared) == ("greedy", "sm_80", 4096)
    assert spilled > 0


# -- NVRTC, as cupy.RawModule uses it -----------------------------------------------------------


@cache
def nvrtc():
    """CuPy's binding of NVRTC, or why there is none."""
    try:
        from cupy_backends.cuda.libs import nvrtc

        nvrtc.getVersion()
    except Exception as error:  # missing libraries are found out in many ways
        return None, f"CuPy with NVRTC is not installed ({type(error).__name__})"
    return nvrtc, ""


@pytest.fixture
def compile_as_cupy(monkeypatch, tmp_path):
    """Compile as RawModule(code, options) would on a GPU, up to loading the result onto it.

    RawModule asks for the GPU first; what it calls then, with the options that it adds, needs none.
    """
    module, problem = nvrtc()
    if module is None:
        pytest.skip(problem)
    from cupy._core import core
    from cupy.cuda import compiler

    class Module(compiler.function.Module):
        def load(self, binary):
            self.binary = binary

    def compile(code, options, capability):
        target = lambda arch=None: (f"-arch=sm_{capability}", "cubin")
        monkeypatch.setattr(compiler, "_get_arch", lambda: str(capability))
        monkeypatch.setattr(compiler, "_get_arch_for_options_for_nvrtc", target)
        return core.compile_with_cache(code, options, prepend_cupy_headers=False).binary

    monkeypatch.setattr(compiler.function, "Module", Module)
    monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "1")  # which keeps nothing
    return compile


@pytest.mark.parametrize("capability", [75, 90])
@EVERY
def test_nvrtc_takes_every_kernel(file, real, capability, compile_as_cupy):
    binary = compile_as_cupy(launch.source(file), (f"-DREAL={real}",), capability)
    assert binary.startswith(b"\x7fELF")
    assert all(name.encode() in binary for name in names_in(file))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    x[0] = threadIdx;", r"bad\.cu\(4\): error: no suitable conversion function"),
        ("#include <limits.h>", r"bad\.cu\(4\): .*cannot open source file \"limits\.h\""),
    ],
)
def test_nvrtc_names_file_and_line_of_a_mistake(line, message, compile_as_cupy, bad_file):
    from cupy.cuda.compiler import CompileException

    with pytest.raises(CompileException, match=message):
        compile_as_cupy(bad_file(line), ("-DREAL=float",), 90)
    assert compile_as_cupy(bad_file("    x[0] = 0;"), ("-DREAL=float",), 90)
