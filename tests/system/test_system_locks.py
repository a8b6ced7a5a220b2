import subprocess
import sys

import pytest

FORK = """
import os, threading
from minifcn.system.locks import fork_safe_lock
lock, held, free = fork_safe_lock(), threading.Event(), threading.Event()
def hold():
    with lock:
        held.set()
        free.wait(20)
thread = threading.Thread(target=hold)
thread.start()
held.wait(20)
threading.Timer(0.2, free.set).start()
child = os.fork()
assert lock.acquire(timeout=5)
lock.release()
if not child:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
thread.join()
print("fine")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork here")
def test_a_child_can_take_a_lock_that_a_thread_held():
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)
