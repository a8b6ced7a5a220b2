"""Whether operations are recorded: a switch of each thread, which `no_grad` turns off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextlib.contextmanager
def recorded(enabled: bool) -> Iterator[None]:
    """Record inside this context manager, or do not."""
    token = _recording.set(enabled)
    try:
        yield
    finally:
        _recording.reset(token)


def no_grad() -> contextlib.AbstractContextManager[None]:
    """Stop recording inside this context manager, which nests."""
    return recorded(False)


is_grad_enabled = _recording.get
"""Return whether operations are being recorded."""
