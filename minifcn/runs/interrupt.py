"""What stops a training before its end: Ctrl-C between two iterations, numbers not finite."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class TrainingDivergedError(RuntimeError):
    """The loss or the weights became NaN or infinite."""


class Interrupted(RuntimeError):  # noqa: N818 - a request, not an error
    """The user pressed Ctrl-C; the run's state is saved."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request that is answered between iterations.

    A KeyboardInterrupt in the middle of an update would leave half-changed weights. A second
    Ctrl-C interrupts at once, as usual. In a background job, where Ctrl-C is ignored, it stays so.
    """
    requests: list[int] = []
    previous = signal.getsignal(signal.SIGINT)

    def on_signal(number: int, frame: FrameType | None) -> Any:
        requests.append(number)
        signal.signal(signal.SIGINT, previous)

    in_main_thread = threading.current_thread() is threading.main_thread()  # others get no signals
    if not in_main_thread or previous in (signal.SIG_IGN, None):
        yield lambda: False
        return
    signal.signal(signal.SIGINT, on_signal)
    try:
        yield lambda: bool(requests)
    finally:
        signal.signal(signal.SIGINT, previous)
