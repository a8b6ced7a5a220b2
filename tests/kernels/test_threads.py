"""Threads: the bits they compute, what they do with errors, with BLAS, and with each other."""

import os
import subprocess
import sys
import threading
from functools import wraps

import numpy as np
import pytest
import threadpoolctl

from minifcn import kernels
from minifcn.kernels.cpu import threads
from minifcn.kernels.cpu.threads import WORTH_SHARING, num_threads, set_num_threads, share

SECONDS = 20  # how long a thread of these tests waits for another, before the test fails


class Library:
    """A BLAS that only knows its number of threads."""

    def __init__(self, count):
        self.num_threads = count

    def get_num_threads(self):
        return self.num_threads

    def set_num_threads(self, count):
        self.num_threads = count


class Controller:
    """Stands for threadpoolctl's controller of the libraries given."""

    def __init__(self, *libraries):
        self.lib_controllers = list(libraries)

    def select(self, user_api):
        assert user_api == "blas"
        return self


@pytest.fixture(autouse=True)
def own_crew(monkeypatch):
    """Each test makes its own crews; the one that the others use comes back."""
    monkeypatch.setattr(threads, "_crew", None)
    yield
    if threads._crew:
        threads._crew.pool.shutdown()


@pytest.fixture
def blas(monkeypatch):
    """The only BLAS there is, with 4 threads."""
    library = Library(4)
    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", lambda: Controller(library))
    return library


@pytest.fixture
def submitted(monkeypatch):
    """What is given to helpers, as it happens."""
    given, submit = [], threads.ThreadPoolExecutor.submit

    def spy(pool, *arguments):
        given.append(arguments)
        return submit(pool, *arguments)

    monkeypatch.setattr(threads.ThreadPoolExecutor, "submit", spy)
    return given


def in_a_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


# --- The same bits --------------------------------------------------------------------------------


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def integers(most, *shape):
    return np.random.default_rng(0).integers(0, most, shape)


IMAGES, SMALL = normal(3, 16, 70, 130), normal(30, 32, 15, 16)
LABELS = integers(16, 3, 70, 130)
INDICES = integers(70 * 130, 3, 16, 35, 65)
W3 = normal(24, 16, 3, 3, seed=1)


def on_copies(update):
    """An update of an optimiser, which changes arrays in place, as a function of arrays."""

    @wraps(update)
    def changed(*arguments):
        arrays = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        update(*arrays)
        return tuple(a for a in arrays if isinstance(a, np.ndarray))

    return changed


LARGE = [np.abs(normal(9, 16, 70, 130, seed=seed)) for seed in range(4)]

SHARED = {
    "resize": (kernels.resize, normal(3, 32, 70, 130), (70, 200), (1.0, 0.65)),
    "resize_adjoint": (kernels.resize_adjoint, normal(9, 16, 70, 130), (35, 65), (0.5, 0.5)),
    "conv2d by kernel rows": (kernels.conv2d, IMAGES, W3, 1, 1, 1, 1, normal(24), True),
    "conv2d dilated, in groups": (kernels.conv2d, IMAGES, normal(32, 8, 3, 3), 1, 2, 2, 2),
    "conv2d strided": (kernels.conv2d, IMAGES, normal(32, 16, 3, 3), 2, 1),
    "conv2d of three channels": (kernels.conv2d, normal(4, 3, 70, 130), normal(32, 3, 3, 3), 1, 1),
    "conv2d of small images": (kernels.conv2d, SMALL, normal(32, 32, 3, 3), 1, 1),
    "conv2d_weight": (kernels.conv2d_weight, IMAGES, normal(3, 24, 70, 130), 3, 1, 1),
    "conv2d_weight strided": (kernels.conv2d_weight, IMAGES, normal(3, 32, 35, 65), 3, 2, 1),
    "conv2d_weight of small images": (kernels.conv2d_weight, SMALL, SMALL + 1, 3, 1, 1),
    "conv_transpose2d": (kernels.conv_transpose2d, IMAGES, normal(16, 8, 3, 3), 1, 1),
    "conv_transpose2d strided": (kernels.conv_transpose2d, IMAGES, normal(16, 4, 4, 4), 2, 1),
    "conv2d depthwise": (kernels.conv2d, IMAGES, normal(16, 1, 5, 5), 1, 2, 1, 16),
    "conv2d_weight depthwise": (kernels.conv2d_weight, IMAGES, IMAGES + 1, 3, 1, 1, 1, 16),
    "conv_transpose2d depthwise": (
        kernels.conv_transpose2d,
        IMAGES,
        normal(16, 1, 3, 3),
        2,
        1,
        1,
        1,
        16,
    ),
    "conv1x1": (kernels.conv1x1, IMAGES, normal(64, 16), normal(64), True),
    "conv1x1_weight": (kernels.conv1x1_weight, IMAGES, normal(3, 64, 70, 130)),
    "relu": (kernels.relu, normal(9, 16, 70, 130)),
    "relu6": (kernels.relu6, 5 * normal(9, 16, 70, 130)),
    "relu6_gradient": (kernels.relu6_gradient, normal(9, 16, 70, 130), normal(9, 16, 70, 130)),
    "relu_gradient": (kernels.relu_gradient, normal(9, 16, 70, 130), normal(9, 16, 70, 130)),
    "channel_sums": (kernels.channel_sums, normal(9, 16, 70, 130)),
    "batch_norm": (kernels.batch_norm, normal(9, 16, 70, 130), normal(16), normal(16), 1e-5),
    "batch_norm_gradient": (
        kernels.batch_norm_gradient,
        normal(9, 16, 70, 130),
        normal(9, 16, 70, 130, seed=1),
        normal(16),
        normal(16, seed=1),
        np.square(normal(16)),
        1e-5,
    ),
    "cross_entropy": (kernels.cross_entropy, IMAGES, LABELS),
    "cross_entropy_gradient": (
        kernels.cross_entropy_gradient,
        IMAGES,
        LABELS,
        *kernels.cross_entropy(IMAGES, LABELS),
    ),
    "max_pool2d": (kernels.max_pool2d, IMAGES, 3, 2, 1),
    "gather": (kernels.gather, IMAGES, np.tile(INDICES, (1, 1, 2, 2))),
    "sgd_update": (on_copies(kernels.sgd_update), *LARGE[:3], 0.1, 0.9, 0.01),
    "adam_update": (
        on_copies(kernels.adam_update),
        *LARGE,
        3,
        0.1,
        (0.9, 0.999),
        1e-8,
        0.01,
    ),
    "unpool": (kernels.unpool, normal(9, 16, 35, 65), np.tile(INDICES, (3, 1, 1, 1)), (70, 130)),
}

PASSES = {"batch_norm": 3, "batch_norm_gradient": 3}
"""How often a kernel goes through its arrays, where it is not once."""

ALONE = {
    "im2col": (kernels.im2col, IMAGES, 3, 1, 1),
    "col2im": (kernels.col2im, normal(1, 8, 3, 3, 70, 130), (70, 130), 1, 1),
}


def bits(case):
    function, *arguments = case
    result = function(*arguments)
    return [array.tobytes() for array in (result if isinstance(result, tuple) else (result,))]


def test_every_kernel_is_among_the_cases():
    names = {case[0].__name__ for case in (*SHARED.values(), *ALONE.values())}
    assert names == set(kernels.cpu.__all__)


@pytest.mark.parametrize("name", SHARED)
def test_shared_work_gives_the_same_bits_for_any_number_of_threads(name, submitted):
    set_num_threads(1)
    alone = bits(SHARED[name])
    assert not submitted
    for count in (2, 3, 5):
        set_num_threads(count)
        submitted.clear()
        assert bits(SHARED[name]) == alone
        most = (count - 1) * PASSES.get(name, 1)
        assert 1 <= len(submitted) <= most, "several tasks, which helpers take from too"


@pytest.mark.parametrize("name", ALONE)
def test_what_is_not_shared_gives_the_same_bits_too(name, submitted):
    results = []
    for count in (1, 3):
        set_num_threads(count)
        results.append(bits(ALONE[name]))
    assert results[0] == results[1]
    assert not submitted


# --- Sharing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_task_is_done_once(count):
    set_num_threads(count)
    done = []
    share(done.extend, range(1000), WORTH_SHARING)
    assert sorted(done) == list(range(1000))


def test_little_work_is_not_shared(submitted):
    set_num_threads(3)
    done = []
    share(done.extend, range(5), WORTH_SHARING - 1)
    assert done == list(range(5))
    assert not submitted
    kernels.relu(np.zeros(WORTH_SHARING - 1))
    assert not submitted
    kernels.relu(np.zeros(WORTH_SHARING))
    assert submitted


def test_there_are_no_more_threads_than_tasks(submitted):
    set_num_threads(5)
    share(list, range(3), WORTH_SHARING)
    assert len(submitted) == 2


def test_without_tasks_no_work_is_done():
    share(lambda tasks: pytest.fail("called"), [], WORTH_SHARING)


def test_threads_work_side_by_side():
    set_num_threads(3)
    meeting = threading.Barrier(3)
    share(lambda tasks: meeting.wait(SECONDS), range(3), WORTH_SHARING)


def test_callers_in_several_threads_do_not_disturb_each_other(blas):
    set_num_threads(2)
    case = SHARED["conv2d by kernel rows"]
    expected, found = bits(case), []
    callers = [in_a_thread(lambda: found.append([bits(case) for _ in range(3)])) for _ in range(3)]
    for caller in callers:
        caller.join(SECONDS)
    assert found == [[expected] * 3] * 3
    assert blas.num_threads == 4


# --- Errors ---------------------------------------------------------------------------------------


def is_the_caller():
    return threading.current_thread() is threading.main_thread()


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["caller", "helper", "both"])
def test_an_error_reaches_the_caller_and_leaves_all_in_order(blas, where, error):
    set_num_threads(2)
    meeting = threading.Barrier(2)

    def work(tasks):
        meeting.wait(SECONDS)
        if where == "both" or is_the_caller() == (where == "caller"):
            raise error("from a task")

    with pytest.raises(error, match="^from a task$"):
        share(work, range(2), WORTH_SHARING)
    assert blas.num_threads == 4
    done = []
    share(done.extend, range(100), WORTH_SHARING)
    assert sorted(done) == list(range(100))


def test_an_error_of_the_caller_waits_for_the_helpers(blas):
    """Else they would go on, with BLAS's threads back, on arrays that the caller gave up."""
    set_num_threads(2)
    meeting, finished = threading.Barrier(2), []

    def work(tasks):
        meeting.wait(SECONDS)
        if is_the_caller():
            raise KeyboardInterrupt
        threading.Event().wait(0.05)
        finished.append(blas.num_threads)

    with pytest.raises(KeyboardInterrupt):
        share(work, range(2), WORTH_SHARING)
    assert finished == [1]


def test_an_error_of_a_helper_waits_for_the_other_helpers(blas):
    set_num_threads(3)
    meeting, go_on, finished, turns = threading.Barrier(3), threading.Event(), [], iter(range(3))

    def work(tasks):
        turn = "caller" if is_the_caller() else next(turns)
        meeting.wait(SECONDS)
        if turn == 0:
            raise ValueError("the first helper")
        if turn == 1:
            go_on.wait(0.02)
            finished.append(blas.num_threads)

    for _ in range(10):  # either of the two helpers may come first
        with pytest.raises(ValueError, match="the first helper"):
            share(work, range(3), WORTH_SHARING)
        assert finished == [1]
        finished.clear()
        turns = iter(range(3))


@pytest.mark.parametrize("count", [1, 2])
def test_the_callers_errstate_holds_in_the_helpers(count):
    """training.py and gradcheck silence NumPy with it; a user may want FloatingPointError."""
    set_num_threads(count + 1)
    meeting, found = threading.Barrier(count + 1), []

    def work(tasks):
        meeting.wait(SECONDS)
        found.append(np.geterr()["over"])

    with np.errstate(over="raise"):
        share(work, range(count + 1), WORTH_SHARING)
    assert found == ["raise"] * (count + 1)


# --- BLAS -----------------------------------------------------------------------------------------


def test_blas_has_one_thread_during_a_kernel_and_its_own_number_afterwards(blas):
    seen = []
    for number in (4, 3):  # 3: the user has changed it in between
        blas.num_threads = number
        for elements in (0, WORTH_SHARING):
            share(lambda tasks: seen.append(blas.num_threads), range(2), elements)
            assert blas.num_threads == number
    assert set(seen) == {1}


def test_blas_is_left_alone_by_work_without_products(blas):
    set_num_threads(2)
    blas.num_threads, seen = 4, []
    for elements in (0, WORTH_SHARING):
        share(lambda tasks: seen.append(blas.num_threads), range(2), elements, multiplies=False)
    assert set(seen) == {4}


def test_blas_keeps_one_thread_until_the_last_of_several_kernels_ends(blas):
    started, go_on = threading.Event(), threading.Event()

    def first(tasks):
        started.set()
        go_on.wait(SECONDS)

    caller = in_a_thread(share, first, [0], 0)
    assert started.wait(SECONDS)
    share(lambda tasks: None, [0], 0)
    assert blas.num_threads == 1
    go_on.set()
    caller.join(SECONDS)
    assert blas.num_threads == 4


def test_the_real_blas_gets_its_threads_back():
    pools = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    before, during = [pool.get_num_threads() for pool in pools], []
    with threadpoolctl.threadpool_limits(2, "blas"):
        inside = lambda tasks: during.extend(pool.get_num_threads() for pool in pools)
        share(inside, [0], 0)
        assert [pool.get_num_threads() for pool in pools] == [2] * len(pools)
    assert during == [1] * len(pools)
    assert [pool.get_num_threads() for pool in pools] == before


def test_set_num_threads_during_a_kernel_does_not_lose_the_threads_of_blas(blas):
    set_num_threads(2)
    started, go_on = threading.Event(), threading.Event()

    def first(tasks):
        started.set()
        go_on.wait(SECONDS)

    def second(tasks):
        go_on.set()
        caller.join(SECONDS)

    caller = in_a_thread(share, first, [0], 0)
    assert started.wait(SECONDS)
    set_num_threads(3)
    share(second, [0], 0)
    assert blas.num_threads == 4


# --- How many threads -----------------------------------------------------------------------------


def test_there_are_as_many_threads_as_blas_would_use(monkeypatch):
    controller = Controller(Library(2), Library(7))
    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", lambda: controller)
    assert num_threads() == 7


def test_without_a_blas_there_are_as_many_threads_as_cores(monkeypatch):
    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Controller)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert num_threads() == 6


def test_the_number_of_threads_can_be_set_again_and_again(blas):
    for count in (3, 1, 5):
        set_num_threads(count)
        assert num_threads() == count


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", None])
def test_a_wrong_number_of_threads_is_refused_and_changes_nothing(count):
    set_num_threads(3)
    with pytest.raises(ValueError, match=r"^count must be a whole number of at least 1; got"):
        set_num_threads(count)
    assert num_threads() == 3
    kernels.relu(np.zeros(WORTH_SHARING))


def test_the_threads_that_are_replaced_end():
    set_num_threads(3)
    meeting, crew = threading.Barrier(3), []

    def work(tasks):
        crew.append(threading.current_thread())
        meeting.wait(SECONDS)

    share(work, range(3), WORTH_SHARING)
    set_num_threads(2)
    for thread in crew:
        if thread is not threading.main_thread():
            thread.join(SECONDS)
            assert not thread.is_alive()


class Meanwhile(list):
    """Tasks; when they are counted, another thread sets the number of threads."""

    def __len__(self):
        in_a_thread(set_num_threads, 2).join(SECONDS)
        return 2


def test_set_num_threads_does_not_break_a_kernel_that_is_starting(blas):
    set_num_threads(2)
    done = []
    share(done.extend, Meanwhile([1, 2]), WORTH_SHARING)
    assert sorted(done) == [1, 2]


def test_two_first_kernels_at_once_get_one_crew(monkeypatch, blas):
    class SlowCrew(threads._Crew):
        def __init__(self, *arguments):
            threading.Event().wait(0.05)
            super().__init__(*arguments)

    monkeypatch.setattr(threads, "_Crew", SlowCrew)
    crews = []
    callers = [in_a_thread(lambda: crews.append(threads._get_crew())) for _ in range(2)]
    for caller in callers:
        caller.join(SECONDS)
    assert len(crews) == 2
    assert crews[0] is crews[1]


# --- Processes ------------------------------------------------------------------------------------

PRELUDE = """
import os, sys, threading, time
import numpy as np
from minifcn import kernels
from minifcn.kernels.cpu import threads
x, w = np.random.default_rng(0).standard_normal((2, 2, 16, 60, 60))[:, 0], np.ones((16, 16, 3, 3))
run = lambda: kernels.conv2d(np.tile(x, (3, 1, 1, 1)), w, 1, 1).tobytes()
threads.set_num_threads(2)
before = run()
"""

FORK = """
child = os.fork()
if not child:
    ok = run() == before and threads.num_threads() >= 1
    os._exit(0 if ok else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert run() == before
print("fine")
"""

AFTER_THE_MAIN_THREAD = """
def late():
    threading.main_thread().join()
    assert run() == before
    print("fine")
threading.Thread(target=late).start()
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(
            FORK, marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
        ),
        AFTER_THE_MAIN_THREAD,
    ],
    ids=["in the child of a fork", "when the main thread has ended"],
)
def test_kernels_work(program):
    command = [sys.executable, "-W", "ignore", "-c", PRELUDE + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)
