"""BLAS's number of threads: one while any kernel is at work, in any thread, and then as before."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import threadpoolctl

from minifcn import kernels
from minifcn.kernels.cpu import threads
from minifcn.kernels.cpu.threads import WORTH_SHARING, num_threads, set_num_threads, share

SECONDS = 20  # how long a thread of these tests waits for another, before the test fails


class OfTheProcess:
    """A BLAS with one number of threads for the process, as OpenBLAS with pthreads has."""

    def __init__(self, count):
        self.threads = count
        self.calls = 0

    def get_num_threads(self):
        return self.threads

    def set_num_threads(self, count):
        self.calls += 1
        self.threads = count


class OfOneThread(OfTheProcess):
    """As in threadpoolctl 3.8: the first thread to set it keeps that right while it lives."""

    controlling = None

    def set_num_threads(self, count):
        if self.controlling is None or not self.controlling.is_alive():
            self.controlling = threading.current_thread()
        if self.controlling is threading.current_thread():
            super().set_num_threads(count)

    def clear_controlling_thread(self, force=False):
        if force or self.controlling is threading.current_thread():
            self.controlling = None


class OfEachThread:
    """A BLAS in which each thread has its own number, such as MKL; a new one has `count`."""

    def __init__(self, count):
        self.own = threading.local()
        self.count = count

    def get_num_threads(self):
        return getattr(self.own, "count", self.count)

    def set_num_threads(self, count):
        self.own.count = count


@pytest.fixture(params=[OfTheProcess, OfOneThread, OfEachThread])
def blas(request, monkeypatch):
    """The only BLAS there is, with 4 threads, and a crew of its own."""
    return install(monkeypatch, request.param(4))


def install(monkeypatch, *libraries):
    class Controller:
        lib_controllers = list(libraries)
        select = lambda self, user_api: self

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Controller)
    monkeypatch.setattr(threads, "_crew", None)
    return libraries[0]


def in_a_thread(function, *arguments):
    """Call it in another thread, to its end; return what it returns."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments)), daemon=True)
    thread.start()
    thread.join(SECONDS)
    return found[0]


def inside(blas, elements=0):
    """The numbers of threads that BLAS has inside a kernel of two tasks."""
    seen = []
    share(lambda tasks: seen.extend(blas.get_num_threads() for _ in tasks), range(2), elements)
    return seen


def test_from_whatever_thread_a_kernel_is_called_it_has_one(blas):
    for call in (lambda *a: inside(*a), lambda *a: in_a_thread(inside, *a)) * 2:
        assert call(blas) == [1, 1]
        assert blas.get_num_threads() == in_a_thread(blas.get_num_threads) == 4


def test_the_first_kernel_may_be_a_workers(blas):
    assert in_a_thread(inside, blas) == [1, 1]
    assert inside(blas) == [1, 1]
    assert blas.get_num_threads() == 4
    assert num_threads() == 4


def test_helpers_have_one_too(blas):
    set_num_threads(3)
    meeting, seen = threading.Barrier(3), []

    def work(tasks):
        meeting.wait(SECONDS)
        seen.append(blas.get_num_threads())

    for _ in range(2):
        share(work, range(3), WORTH_SHARING)
    assert seen == [1] * 6
    assert blas.get_num_threads() == 4


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_two_kernels_overlap_in_either_order(blas, first_leaves_first):
    """Entered one after the other; the one that goes on keeps its one thread, both get theirs."""
    inside_first, inside_second, first_go, second_go = (threading.Event() for _ in range(4))
    seen = {}

    def call(name, entered, go):
        def work(tasks):
            entered.set()
            go.wait(SECONDS)
            seen[name] = blas.get_num_threads()

        share(work, [0], 0)
        seen[f"{name} after"] = blas.get_num_threads()

    first = threading.Thread(target=call, args=("first", inside_first, first_go), daemon=True)
    second = threading.Thread(target=call, args=("second", inside_second, second_go), daemon=True)
    first.start()
    assert inside_first.wait(SECONDS)
    second.start()
    assert inside_second.wait(SECONDS)
    order = [(first_go, first), (second_go, second)]
    for go, thread in order if first_leaves_first else reversed(order):
        go.set()
        thread.join(SECONDS)
    assert (seen["first"], seen["second"]) == (1, 1)
    last = "second after" if first_leaves_first else "first after"
    assert seen[last] == 4
    if isinstance(blas, OfEachThread):
        assert seen["first after"] == seen["second after"] == 4
    assert blas.get_num_threads() == 4


def test_a_kernel_inside_a_kernel(blas):
    set_num_threads(2)
    seen = []

    def outer(tasks):
        for _ in tasks:
            seen.extend(inside(blas, WORTH_SHARING))
            seen.append(blas.get_num_threads())

    share(outer, range(4), WORTH_SHARING)
    assert seen == [1] * 12
    assert blas.get_num_threads() == 4


def test_kernels_inside_kernels_do_not_wait_for_each_other():
    """All threads of the pool at work, and each gives a kernel to the pool: none would begin."""
    set_num_threads(2)
    done = []

    def work(depth):
        def each(tasks):
            for task in tasks:
                if depth:
                    share(work(depth - 1), range(3), WORTH_SHARING)
                done.append(task)

        return each

    in_a_thread(share, work(3), range(3), WORTH_SHARING)
    assert len(done) == 3 + 9 + 27 + 81


def test_an_error_gives_the_threads_back(blas):
    def work(tasks):
        raise ValueError("from a task")

    for call in (share, lambda *a: in_a_thread(pytest.raises(ValueError, match="task")(share), *a)):
        if call is share:
            with pytest.raises(ValueError, match="from a task"):
                share(work, [0], 0)
        assert blas.get_num_threads() == 4
    assert inside(blas) == [1, 1]


def test_a_number_that_the_user_sets_is_kept(blas):
    for count in (2, 1, 3):
        blas.set_num_threads(count)
        assert inside(blas) == [1, 1]
        assert in_a_thread(inside, blas) == [1, 1]
        assert blas.get_num_threads() == count


def test_a_number_that_the_user_sets_meanwhile_is_kept(monkeypatch):
    """Such as by the end of `with threadpool_limits(...)` in another thread."""
    blas = install(monkeypatch, OfTheProcess(4))
    share(lambda tasks: blas.set_num_threads(3), [0], 0)
    assert blas.get_num_threads() == 3


def test_a_user_who_holds_the_right_to_set_it_keeps_what_was_set(monkeypatch):
    blas = install(monkeypatch, OfOneThread(4))
    held, go_on = threading.Event(), threading.Event()

    def user():
        blas.set_num_threads(2)
        held.set()
        go_on.wait(SECONDS)
        blas.set_num_threads(4)
        blas.clear_controlling_thread()

    thread = threading.Thread(target=user, daemon=True)
    thread.start()
    assert held.wait(SECONDS)
    assert inside(blas) == [1, 1]
    assert blas.get_num_threads() == 2
    go_on.set()
    thread.join(SECONDS)
    assert blas.get_num_threads() == 4


def test_two_libraries_of_different_kinds(monkeypatch):
    shared, own = OfTheProcess(3), OfEachThread(5)
    install(monkeypatch, shared, own)
    for call in (lambda *a: inside(*a), lambda *a: in_a_thread(inside, *a)):
        assert call(shared) == call(own) == [1, 1]
        assert (shared.get_num_threads(), own.get_num_threads()) == (3, 5)


def test_a_library_that_does_not_say_its_number(monkeypatch):
    class Silent(OfTheProcess):
        get_num_threads = lambda self: None

    install(monkeypatch, Silent(4))
    assert inside(OfTheProcess(7)) == [7, 7]
    assert num_threads() == 1


def test_where_no_thread_can_be_started(monkeypatch):
    """As while Python ends."""
    blas = install(monkeypatch, OfTheProcess(4))

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert inside(blas, WORTH_SHARING) == [1, 1]
    assert blas.get_num_threads() == 4


# --- Ctrl-C ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [OfTheProcess, OfEachThread])
@pytest.mark.parametrize("afterwards", [False, True])
def test_ctrl_c_between_any_two_steps_gives_the_threads_back(kind, afterwards, monkeypatch):
    """Raised before, or after, each of the calls that a first and a second kernel make to BLAS."""

    class Interrupted(kind):
        left = np.inf

        def _step(self, function, *arguments):
            main = threading.current_thread() is threading.main_thread()
            self.left -= main
            now = main and self.left == 0
            if now and not afterwards:
                raise KeyboardInterrupt
            result = function(*arguments)
            if now:
                raise KeyboardInterrupt
            return result

        def get_num_threads(self):
            return self._step(super().get_num_threads)

        def set_num_threads(self, count):
            self._step(super().set_num_threads, count)

    for step in range(1, 100):
        blas = install(monkeypatch, Interrupted(4))
        blas.left = step
        try:
            for _ in range(2):
                share(list, [0], 0)
        except KeyboardInterrupt:
            assert blas.get_num_threads() == 4, step
            assert inside(blas) == [1, 1]
        else:
            assert step > 10
            break
        assert blas.get_num_threads() == 4


SIGNALS = """
import signal, threadpoolctl
from minifcn.kernels.cpu.threads import share
signal.signal(signal.SIGALRM, signal.default_int_handler)
(blas,) = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers[:1]
hits = 0
for k in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, 5e-6 + k % 300 * 1e-7)
        for _ in range(100):
            share(list, [0], 0)
    except KeyboardInterrupt:
        hits += 1
    assert blas.get_num_threads() == 2, blas.get_num_threads()
assert hits > 1000, hits
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_signals_at_any_moment_leave_blas_its_threads():
    if not threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers:
        pytest.skip("no BLAS that threadpoolctl knows")
    variables = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS], env={**os.environ, **variables},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)


# --- The real library -----------------------------------------------------------------------------


def test_the_real_blas_in_several_threads_at_once():
    """The same bits from each, where threadpoolctl lets one thread set it, and then its threads."""
    pools = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    x = np.random.default_rng(0).standard_normal((4, 8, 64, 64)).astype(np.float32)
    w = np.random.default_rng(1).standard_normal((16, 8, 3, 3)).astype(np.float32)
    run = lambda: kernels.conv2d(x, w, 1, 1).tobytes()
    with threadpoolctl.threadpool_limits(2, "blas"):
        expected, found = run(), []
        callers = [
            threading.Thread(target=lambda: found.extend(run() for _ in range(30)), daemon=True)
            for _ in range(3)
        ]
        for caller in callers:
            caller.start()
        found.extend(run() for _ in range(30))
        for caller in callers:
            caller.join(SECONDS)
        assert [pool.get_num_threads() for pool in pools] == [2] * len(pools)
    assert set(found) == {expected}
    assert len(found) == 120


def test_what_a_child_inherits_while_another_thread_runs_a_kernel_is_set_right(monkeypatch):
    blas = install(monkeypatch, OfTheProcess(4))
    started, go_on = threading.Event(), threading.Event()

    def first(tasks):
        started.set()
        go_on.wait(SECONDS)

    thread = threading.Thread(target=share, args=(first, [0], 0), daemon=True)
    thread.start()
    assert started.wait(SECONDS)
    assert blas.get_num_threads() == 1
    threads._crew.blas.lock.acquire()  # as another thread would hold it, for a moment
    threads._crew.after_fork()  # what the child of a fork does
    assert blas.get_num_threads() == 4
    assert in_a_thread(inside, blas) == [1, 1]
    assert blas.get_num_threads() == 4
    go_on.set()
    thread.join(SECONDS)
