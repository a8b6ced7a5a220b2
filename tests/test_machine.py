"""What the machine computes with, and the advice where BLAS does not know the processor."""

import pytest

from minifcn import machine


def library(architecture):
    return {"internal_api": "openblas", "version": "0.3.31", "architecture": architecture}


@pytest.fixture
def computer(monkeypatch):
    """Make this machine one with some processor flags and some matrix library."""

    def pretend(flags, *libraries):
        monkeypatch.setattr(machine, "_cpuinfo", {"flags": flags, "model name": "Abacus"}.get)
        monkeypatch.setattr(machine, "_blas_libraries", lambda: list(libraries))

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


def test_advice_where_avx512_lies_idle(computer):
    computer("sse avx2 avx512f", library("Haswell"))
    assert "OPENBLAS_CORETYPE=SkylakeX" in machine.advice()


@pytest.mark.parametrize(
    ("flags", "libraries"),
    [
        ("sse avx2", [library("Haswell")]),
        ("avx2 avx512f", [library("SkylakeX")]),
        ("avx512f", [{"internal_api": "mkl", "version": "2024"}]),
        ("avx512f", []),
        ("", [library("Haswell")]),
    ],
)
def test_no_advice(computer, flags, libraries):
    computer(flags, *libraries)
    assert machine.advice() is None


def test_a_system_that_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "Path", lambda path: tmp_path / "missing")
    assert machine._cpuinfo("flags") == ""
    assert machine.processor()
