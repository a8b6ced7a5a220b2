"""Batches prepared ahead: their bits, their errors, how many there are, what is left running."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from minifcn.data import Ahead, Batches, First, InMemory, Shapes
from minifcn.data.ahead import MOST_THREADS
from minifcn.machine import cores

SECONDS = 20  # how long a thread waits for another, before the test fails

AUGMENTED = {"crop": (12, 12), "flip": True, "scale": (0.7, 1.5), "jitter": 0.3, "seed": 4}


class Numbered:
    """Sample i is filled with i; nothing tells whether threads may read it."""

    classes = tuple(map(str, range(40)))
    palette = np.zeros((40, 3), np.uint8)

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return np.full((2, 2, 3), i, np.uint8), np.full((2, 2), i, np.uint8)

    def name(self, i):
        return str(i)


class Gated(Batches):
    """Batches that wait at a gate, from `first` on; those that have begun are counted."""

    def __init__(self, first=0):
        super().__init__(Numbered(), 2)
        self.first = first
        self.gate, self.begun = threading.Event(), []
        self.begins = threading.Semaphore(0)

    def batch(self, iteration):
        self.begun.append(iteration)
        self.begins.release()
        assert iteration < self.first or self.gate.wait(SECONDS)
        return super().batch(iteration)


class Failing(Batches):
    """Batch 3 cannot be read."""

    def batch(self, iteration):
        if iteration == 3:
            raise ValueError("cannot read 'x.png': broken")
        return super().batch(iteration)


def scenes():
    return InMemory(Shapes("train", 9, (16, 20)))


def running():
    alive = (thread for thread in threading.enumerate() if thread.is_alive())
    return [thread for thread in alive if thread.name.startswith("minifcn-ahead")]


@pytest.fixture(autouse=True)
def _nothing_is_left_running():
    yield
    assert running() == []


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_have_the_bits_of_those_not_prepared(threads):
    plain = Batches(scenes(), 4, **AUGMENTED)
    with Ahead(Batches(scenes(), 4, **AUGMENTED), threads=threads) as ahead:
        for k in (*range(8), 3, 4, 20, 20, 0):  # in order, over epochs; and in any other
            same(ahead.batch(k), plain.batch(k))


def test_the_next_batches_are_prepared_meanwhile_and_no_more():
    batches = Gated()
    batches.gate.set()
    with Ahead(batches, threads=1, ready=3) as ahead:
        ahead.batch(5)
        for _ in range(4):
            assert batches.begins.acquire(timeout=SECONDS)
        ahead.close()  # waits for what is begun
        assert batches.begun == [5, 6, 7, 8]


def test_a_batch_that_is_ready_is_not_prepared_again():
    batches = Gated()
    batches.gate.set()
    with Ahead(batches, threads=2) as ahead:
        for k in range(6):
            ahead.batch(k)
    assert len(set(batches.begun)) == len(batches.begun)


def test_several_threads_prepare_at_a_time():
    batches = Gated()
    with Ahead(batches, threads=3) as ahead:
        waiting = threading.Thread(target=ahead.batch, args=[0])
        waiting.start()
        for _ in range(3):  # none of them is done before
            assert batches.begins.acquire(timeout=SECONDS)
        batches.gate.set()
        waiting.join(SECONDS)
    assert sorted(batches.begun[:3]) == [0, 1, 2]


def test_only_batches_that_are_waited_for_count_as_waiting():
    batches = Gated()
    with Ahead(batches, threads=1) as ahead:
        assert ahead.waited == 0
        threading.Timer(0.2, batches.gate.set).start()
        ahead.batch(0)
        assert ahead.waited >= 0.15
        before = ahead.waited
        assert batches.begins.acquire(timeout=SECONDS)
        assert batches.begins.acquire(timeout=SECONDS)  # batch 1 has begun, and the gate is open
        ahead.batch(1)
        assert before < ahead.waited


def test_an_error_comes_at_its_batch_and_ends_the_threads():
    plain = Batches(Numbered(), 2)
    ahead = Ahead(Failing(Numbered(), 2), threads=2)
    for k in range(3):
        same(ahead.batch(k), plain.batch(k))
    with pytest.raises(ValueError, match=r"^cannot read 'x\.png': broken$"):
        ahead.batch(3)
    assert running() == []
    same(ahead.batch(4), plain.batch(4))  # whoever goes on nevertheless can
    ahead.close()


def test_an_error_in_the_loop_ends_the_threads():
    def loop():
        with Ahead(Batches(Numbered(), 2)) as ahead:
            ahead.batch(0)
            assert running()
            raise RuntimeError("in the step")

    with pytest.raises(RuntimeError, match="in the step"):
        loop()
    assert running() == []


def test_closing_does_not_prepare_what_is_planned():
    batches = Gated(first=1)
    ahead = Ahead(batches, threads=1, ready=5)
    ahead.batch(0)
    for _ in range(2):
        assert batches.begins.acquire(timeout=SECONDS)
    threading.Timer(0.1, batches.gate.set).start()
    ahead.close()
    assert batches.begun == [0, 1]
    ahead.close()  # once more does no harm


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal to a thread here")
def test_ctrl_c_while_it_waits_ends_the_threads(ctrl_c):
    batches = Gated()
    ahead = Ahead(batches, threads=1)

    def interrupt():
        assert batches.begins.acquire(timeout=SECONDS)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        threading.Timer(0.1, batches.gate.set).start()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        ahead.batch(0)
    assert running() == []


FORK = """
import os
from minifcn.data import Ahead, Batches, InMemory, Shapes
ahead = Ahead(Batches(InMemory(Shapes("train", 9, (16, 16))), 4), threads=2)
expected = [array.tobytes() for array in ahead.batches.batch(7)]
for k in range(7):
    ahead.batch(k)
child = os.fork()
found = [array.tobytes() for array in ahead.batch(7)]
ahead.close()
if not child:
    os._exit(0 if found == expected else 3)
assert found == expected
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("fine")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_child_of_a_fork_has_threads_of_its_own():
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def test_a_program_that_forgets_to_close_ends():
    program = FORK.split("child =")[0] + "print('fine')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def test_only_datasets_that_allow_it_are_read_by_several_threads():
    many = min(cores(), MOST_THREADS)
    for dataset, expected in (
        (Numbered(), 1),
        (InMemory(Numbered()), 1),
        (First(Numbered(), 3), 1),
        (scenes(), many),
    ):
        ahead = Ahead(Batches(dataset, 2))
        assert (ahead.threads, ahead.ready) == (expected, expected + 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads must be an integer of at least 1; got 0"),
        ({"threads": 1.5}, "threads must be an integer of at least 1; got 1.5"),
        ({"ready": 0}, "ready must be an integer of at least 1; got 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Ahead(Batches(Numbered(), 2), **options)


def test_a_wrong_iteration():
    with pytest.raises(ValueError, match="iteration must be an integer of at least 0; got -1"):
        Ahead(Batches(Numbered(), 2)).batch(-1)
