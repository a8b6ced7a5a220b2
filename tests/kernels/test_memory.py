"""Keeping freed memory: what glibc is asked, once, and that other systems are left alone."""

import ctypes
import sys

import pytest

from minifcn.kernels.cpu import memory, threads

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1


class WithMallopt:
    def __init__(self):
        self.asked = []

    def mallopt(self, name, value):
        self.asked.append((name, value))
        return 1


def test_the_c_library_is_asked_to_keep_what_is_freed(monkeypatch):
    library = WithMallopt()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    memory.keep_freed_memory()
    asked = dict(library.asked)
    assert asked.keys() == {MMAP_THRESHOLD, TRIM_THRESHOLD}
    assert all(2**20 < value < 2**31 for value in asked.values())  # a C int


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch):
    """As on macOS, and with musl."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    memory.keep_freed_memory()


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_a_system_without_such_a_library_is_left_alone(monkeypatch, error):
    """As on Windows, where None names no library."""

    def refuse(name):
        raise error("no library of this process")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    memory.keep_freed_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_glibc_accepts_what_it_is_asked(monkeypatch):
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        pytest.skip("a Linux without glibc")
    library, answers = WithMallopt(), []
    library.mallopt = lambda *asked: answers.append((*asked, mallopt(*asked)))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    memory.keep_freed_memory()
    assert [answer for *_, answer in answers] == [1, 1]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(threads.num_threads, id="a kernel"),
        pytest.param(lambda: threads.set_num_threads(2), id="set_num_threads"),
    ],
)
def test_it_is_asked_once_whatever_comes_first(monkeypatch, first):
    calls = []
    monkeypatch.setattr(threads, "_crew", None)
    monkeypatch.setattr(threads, "keep_freed_memory", lambda: calls.append("asked"))
    first()
    threads.num_threads()
    threads._crew.pool.shutdown()
    assert calls == ["asked"]
