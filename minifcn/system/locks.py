"""A lock for a whole module, which a process that is forked does not inherit from a thread."""

import os
import threading


def fork_safe_lock() -> threading.RLock:
    """A lock that is never held by another thread at the moment of a fork.

    In a child process there are no other threads: what one held would never be given back. It is
    for the life of the program; do not make one for each object.
    """
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        release = lock.release
        os.register_at_fork(before=lock.acquire, after_in_parent=release, after_in_child=release)
    return lock
