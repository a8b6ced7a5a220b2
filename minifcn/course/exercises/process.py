"""The process that runs a student's functions: started, spoken with, watched, killed at the end.

What comes from it is not trusted: every length, number and array is looked at before it is used.

Not prevented without a container or another user: who breaks Python itself, by writing beyond an
array, say, does what this user may do. As root the limit on processes does not hold (the guard of
child.py does). macOS does not hold the limit on memory; Windows has no limits at all, and there a
process started by the child would live on. Only Linux finds processes that left the session.
"""

from __future__ import annotations

import io
import json
import math
import os
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

MEMORY, STARTING = 2 << 30, 60
"""Bytes of the address space; seconds until the process must be ready."""

LARGEST, MOST = 1 << 27, 10_000
"""Bytes and arrays that one message may have."""

_PROGRAM = "".join(
    (Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("given.py", "child.py")
)


class Ended(Exception):  # noqa: N818 - not an error of ours
    """The process does not answer: 'timeout', or 'ended'."""


_ROUNDS = 50
"""How often it is looked for processes that are left."""


class Child:
    """A process that runs child.py, in a session and a folder of its own.

    Args:
        seconds: how long it may take from one `restart_clock` to the next.
        python: the command that starts Python.
        spells: how often the clock will be restarted; the process has that much of the processor.
    """

    def __init__(self, seconds: float, python: Sequence[str] = (), spells: int = 1) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="minifcn-", ignore_cleanup_errors=True)
        self.seconds, self.end = seconds, time.monotonic() + STARTING
        command = [*(python or (sys.executable, "-I", "-B")), "-c", _PROGRAM]
        self.process = subprocess.Popen(
            [*command, str(int(seconds * spells) + 1), str(MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # with a buffer, closing would wait for who still reads
            cwd=self.folder.name,
            env=_environment(self.folder.name),
            **_own_session(),
        )
        self.messages: queue.Queue[Any] = queue.Queue(maxsize=4)
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.kill()
        self.process.wait()
        with suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        for thread in self.threads:
            thread.join(timeout=1)
        self.folder.cleanup()

    def begin(self) -> None:
        """Wait until the child is ready; the time begins then."""
        self.receive()
        self.restart_clock()

    def restart_clock(self) -> None:
        """From now on it has all its time again."""
        self.end = time.monotonic() + self.seconds

    def kill(self) -> None:
        """End the process, and all that it started."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        for _ in range(_ROUNDS):  # one that is found may just have started another
            found = processes_of(self.folder.name)
            for process in found:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            if not found:
                break
            time.sleep(0.01)

    def send(self, message: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
        """Write a message to the child."""
        assert self.process.stdin is not None
        try:
            for piece in _pieces(message, arrays):
                rest = memoryview(struct.pack("<Q", len(piece)) + piece)
                while rest:
                    rest = rest[self.process.stdin.write(rest) :]
        except OSError:
            raise Ended(self._why()) from None

    def receive(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Wait for a message of the child, until the time is over."""
        try:
            message = self.messages.get(timeout=max(0.0, self.end - time.monotonic()))
        except queue.Empty:
            raise Ended("timeout") from None
        if message is None:
            raise Ended(self._why())
        return message

    def _why(self) -> str:
        if time.monotonic() >= self.end:
            return "timeout"
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(timeout=1)
            if os.name == "posix" and code in (-signal.SIGXCPU, -signal.SIGALRM):
                return "timeout"
        return "ended"

    def _watch(self) -> None:
        """Kill the child when its time is over, also while `send` waits for it."""
        while not self.over.wait(max(0.01, min(self.end - time.monotonic(), 0.2))):
            if time.monotonic() > self.end + 0.1:
                self.kill()
                return

    def _listen(self) -> None:
        """Read messages until the pipe ends, or holds what is no message."""
        stream = self.process.stdout
        assert stream is not None
        with suppress(Exception), stream:  # whatever the child wrote
            for message in _messages(stream):
                self._put(message)
                if self.over.is_set():
                    break
        self._put(None)

    def _put(self, message: Any) -> None:
        """Hand a message on, as soon as there is room; when all is over, nobody wants it."""
        while not self.over.is_set():
            with suppress(queue.Full):
                self.messages.put(message, timeout=0.1)
                return


def processes_of(folder: str) -> list[int]:
    """The processes that began with this folder as HOME, also in sessions of their own (Linux)."""
    found, mark = [], b"HOME=" + os.fsencode(folder)
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _pieces(message: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Iterator[bytes]:
    yield json.dumps({**message, "arrays": len(arrays)}).encode()
    for array in arrays:
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        yield file.getvalue()


def _messages(stream: Any) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
    while True:
        left = LARGEST
        piece = _piece(stream, left)
        message = json.loads(piece)
        count = message["arrays"]
        if type(count) is not int or not 0 <= count <= MOST:
            raise ValueError("no number of arrays")
        arrays = []
        for _ in range(count):
            left -= len(piece)
            piece = _piece(stream, left)
            arrays.append(_array(piece))
        yield message, arrays


def _array(piece: bytes) -> np.ndarray:
    """Read a .npy, whose header may say anything."""
    file = io.BytesIO(piece)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version")
    shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
    size = len(piece) - file.tell()
    fits = min(shape, default=0) >= 0 and math.prod(shape) * dtype.itemsize == size
    if dtype.kind not in "fiub" or not fits:
        raise ValueError("no array of numbers")
    flat = np.frombuffer(piece[len(piece) - size :], dtype)
    return flat.reshape(shape, order="F" if columns_first else "C").copy()


def _piece(stream: Any, most: int) -> bytes:
    (length,) = struct.unpack("<Q", _exactly(stream, 8))
    if length > most:
        raise ValueError("too long")
    return _exactly(stream, length)


def _exactly(stream: Any, count: int) -> bytes:
    content = bytearray()
    while len(content) < count:
        more = stream.read(min(count - len(content), 1 << 20))
        if not more:
            raise EOFError
        content += more
    return bytes(content)


def _environment(folder: str) -> dict[str, str]:
    """Nothing of the user's environment but what Windows needs to start Python."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "PATH") if name in os.environ}
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**kept, "HOME": folder, **dict.fromkeys(threads, "1")}


def _own_session() -> dict[str, Any]:
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
