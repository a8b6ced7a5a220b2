"""What the machine computes with, and what the environment keeps it from."""

import subprocess
import sys

import pytest

from minifcn import machine


def library(architecture):
    return {"internal_api": "openblas", "version": "0.3.31", "architecture": architecture}


@pytest.fixture
def computer(monkeypatch):
    """Make this machine one with four cores, some processor flags, library and variables."""
    for name in (*machine.OVERRIDES, *machine.THREAD_VARIABLES):
        monkeypatch.delenv(name, raising=False)

    def pretend(flags, *libraries, **variables):
        monkeypatch.setattr(machine, "_cpuinfo", {"flags": flags, "model name": "Abacus"}.get)
        monkeypatch.setattr(machine, "_blas_libraries", lambda: list(libraries))
        monkeypatch.setattr(machine, "cores", lambda: 4)
        monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return pretend


def test_facts_about_this_machine():
    assert machine.cores() >= 1
    assert machine.processor()
    assert machine.blas().endswith(" kernels)")


def test_names(computer):
    computer("", library("Zen"))
    assert machine.processor() == "Abacus"
    assert machine.blas() == "openblas 0.3.31 (Zen kernels)"
    computer("", {"internal_api": "mkl", "version": None})
    assert machine.blas() == "mkl None (unknown kernels)"


AVX512 = "sse avx2 avx512f"
MKL = {"internal_api": "mkl", "version": "2024"}
BLIS = {"internal_api": "blis", "version": "1.0", "architecture": "zen4"}


def run_without(*names):
    return f"run without what may slow it down: env -u {' -u '.join(names)} minifcn train"


@pytest.mark.parametrize("kernels", ["Haswell", "Zen"])
def test_advice_where_an_old_library_leaves_avx512_idle(computer, kernels):
    computer(AVX512, library(kernels))
    assert machine.advice().endswith("else set OPENBLAS_CORETYPE=SkylakeX")


@pytest.mark.parametrize(
    ("flags", "libraries"),
    [
        ("sse avx2", [library("Haswell")]),
        ("avx2 avx512f", [library("SkylakeX")]),
        ("avx512f", [MKL]),
        ("avx512f", []),
        ("", [library("Haswell")]),
    ],
)
def test_no_advice(computer, flags, libraries):
    computer(flags, *libraries)
    assert machine.advice() is None
    assert machine.overrides() == {}
    assert machine.effects() == []
    assert machine.warning("minifcn bench") is None


SLOWING = {
    "older kernels": ({"OPENBLAS_CORETYPE": "Haswell"}, library("Haswell")),
    "kernels in capitals": ({"OPENBLAS_CORETYPE": "NEHALEM"}, library("Nehalem")),
    "another cache": ({"OPENBLAS_L2_SIZE": "512"}, library("SkylakeX")),
    "both": ({"OPENBLAS_CORETYPE": "Zen", "OPENBLAS_L2_SIZE": "256"}, library("Zen")),
    "MKL": ({"MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "MKL_CBWR": "COMPATIBLE"}, MKL),
    "MKL on one thread": ({"MKL_THREADING_LAYER": "SEQUENTIAL"}, MKL),
    "BLIS": ({"BLIS_ARCH_TYPE": "generic"}, BLIS),
    "NumPy": ({"NPY_DISABLE_CPU_FEATURES": "AVX2"}, library("SkylakeX")),
    "NumPy, but for": ({"NPY_ENABLE_CPU_FEATURES": "SSE42"}, MKL),
}


@pytest.mark.parametrize("case", SLOWING)
def test_what_is_set_is_named_with_its_effect_and_the_line_that_unsets_it(computer, case):
    variables, own = SLOWING[case]
    computer(AVX512, own, **variables)
    assert machine.overrides() == variables
    for effect, (name, value) in zip(machine.effects(), variables.items(), strict=True):
        assert effect.startswith(f"{name}={value}: ")
        assert "{}" not in effect
    assert machine.advice() == run_without(*variables)
    found = machine.warning("minifcn bench")
    assert found.startswith(
        "times depend on " + " and ".join("=".join(v) for v in variables.items())
    )
    assert found.endswith(f"env -u {' -u '.join(variables)} minifcn bench")


def test_every_override_is_tried():
    assert {name for variables, _ in SLOWING.values() for name in variables} == {*machine.OVERRIDES}


@pytest.mark.parametrize(
    ("flags", "kernels"),
    [(AVX512, "SkylakeX"), (AVX512, "cooperlake"), ("sse avx2", "Haswell"), ("sse avx2", "ZEN")],
)
def test_kernels_that_fit_are_named_but_no_reason_for_advice(computer, flags, kernels):
    computer(flags, library(kernels), OPENBLAS_CORETYPE=kernels)
    (effect,) = machine.effects()
    assert effect.startswith(f"OPENBLAS_CORETYPE={kernels}: OpenBLAS runs its {kernels} kernels")
    assert machine.advice() is None
    assert "OPENBLAS_CORETYPE" in machine.warning("minifcn bench")


@pytest.mark.parametrize(
    ("variables", "own"),
    [
        ({"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}, MKL),
        ({"MKL_CBWR": "AVX", "GOTO_NUM_THREADS": "1"}, BLIS),
        ({"BLIS_ARCH_TYPE": "zen", "MKL_NUM_THREADS": "1"}, library("SkylakeX")),
        ({"OMP_NUM_THREADS": "1"}, {"internal_api": "accelerate", "version": None}),
        ({"OPENBLAS_CORETYPE": "", "OPENBLAS_NUM_THREADS": ""}, library("SkylakeX")),
    ],
)
def test_what_nobody_reads_is_not_named(computer, variables, own):
    computer(AVX512, own, **variables)
    assert (machine.overrides(), machine.advice()) == ({}, None)


LIMITS = {
    "one": ({"OPENBLAS_NUM_THREADS": "1"}, library("SkylakeX"), ["OPENBLAS_NUM_THREADS"]),
    "for all": ({"OMP_NUM_THREADS": "3"}, BLIS, ["OMP_NUM_THREADS"]),
    "levels": ({"OMP_NUM_THREADS": "2,1"}, MKL, ["OMP_NUM_THREADS"]),
    "goto": ({"GOTO_NUM_THREADS": "2"}, library("Zen"), ["GOTO_NUM_THREADS"]),
    "both": ({"MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}, MKL,
             ["MKL_NUM_THREADS", "OMP_NUM_THREADS"]),
    "the first counts": ({"OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "1"},
                         library("SkylakeX"), []),
    "all cores": ({"OMP_NUM_THREADS": "4"}, BLIS, []),
    "more than there are": ({"BLIS_NUM_THREADS": "64"}, BLIS, []),
    "no number": ({"OMP_NUM_THREADS": "all"}, BLIS, []),
    "none": ({"OPENBLAS_NUM_THREADS": "0"}, library("SkylakeX"), []),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITS)
def test_limits_that_leave_cores_idle(computer, case):
    variables, own, expected = LIMITS[case]
    computer("sse avx2", own, **variables)
    assert machine.advice() == (run_without(*expected) if expected else None)
    assert machine.warning("minifcn bench") is None  # the benchmark sets its own limits


def test_limits_and_overrides_go_into_one_line(computer):
    computer(AVX512, library("Haswell"), OPENBLAS_CORETYPE="Haswell", OMP_NUM_THREADS="1")
    assert machine.advice() == run_without("OPENBLAS_CORETYPE", "OMP_NUM_THREADS")


def test_the_line_that_unsets_on_windows_leaves_no_space_in_a_variable(computer, monkeypatch):
    computer(AVX512, library("Haswell"), OPENBLAS_CORETYPE="Haswell", OPENBLAS_L2_SIZE="1")
    monkeypatch.setattr(machine.platform, "system", lambda: "Windows")
    line = 'cmd /c "set OPENBLAS_CORETYPE=&& set OPENBLAS_L2_SIZE=&& minifcn train"'
    assert machine.advice() == f"run without what may slow it down: {line}"


@pytest.mark.skipif(sys.platform == "win32", reason="cmd has no env")
def test_the_line_that_unsets_does_it(computer, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "512")
    script = "import os; print([n for n in os.environ if n.startswith('OPENBLAS')])"
    line = machine.without(["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"], f'"{sys.executable}" -c')
    done = subprocess.run(f'{line} "{script}"', shell=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_system_that_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "Path", lambda path: tmp_path / "missing")
    assert machine._cpuinfo("flags") == ""
    assert machine.processor()
