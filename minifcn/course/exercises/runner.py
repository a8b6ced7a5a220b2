"""Runs a student's functions in another process, which is limited, watched and killed at the end.

The parent builds the arguments and judges the results; the child (child.py) maps the one to the
other, and never sees what is expected.
"""

from __future__ import annotations

import io
import json
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

SECONDS, MEMORY = 5, 2 << 30
"""Of one function, all its cases together; and bytes of the address space."""

LARGEST = 1 << 27
"""Bytes that one message may have."""

_CHILD = (Path(__file__).parent / "child.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Given:
    """An argument that is a function; child.py holds it by this name."""

    name: str


@dataclass(frozen=True)
class Graph:
    """An argument that is the last node of a graph: see `child.graph` for its nodes."""

    nodes: tuple[Mapping[str, Any], ...]
    values: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Returned:
    """What a call gave back: its result, and the names of the arguments that it changed.

    result: an array, a number, a tuple or list of these, a list of places (of nodes), or Other.
    """

    result: Any
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raised:
    """A call ended with an exception; line is that of the student's file."""

    type: str
    message: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Stopped:
    """A call did not end by itself: why is 'timeout', 'memory' or 'ended'."""

    why: str


@dataclass(frozen=True)
class Other:
    """A result that is no array and no number."""

    type: str


Outcome: TypeAlias = Returned | Raised | Stopped


class _Ended(Exception):  # noqa: N818 - not an error of ours
    pass


def run(
    source: str,
    file: str,
    function: str,
    cases: Sequence[Mapping[str, Any]],
    seconds: float = SECONDS,
    python: Sequence[str] = (),
) -> list[Outcome]:
    """Call a function of a student's file on each of several arguments.

    A call that raises does not stop the others; one that does not end, does.

    Returns:
        An outcome for each case.
    """
    with _Child(seconds, python) as child:
        try:
            child.send({"source": source, "file": file, "functions": [function]})
            answer, _ = child.receive()
            if "failed" in answer:
                return [Raised(**_plain(answer["failed"]))] * len(cases)
            if function in answer.get("missing", ()):
                return [Raised("NotWritten", f"there is no function {function}")] * len(cases)
        except _Ended as error:
            return [Stopped(str(error))] * len(cases)
        outcomes: list[Outcome] = []
        for arguments in cases:
            try:
                outcomes.append(_call(child, function, arguments))
            except _Ended as error:
                outcomes.append(Stopped(str(error)))
                break
        return outcomes + [outcomes[-1]] * (len(cases) - len(outcomes))


def _call(child: _Child, function: str, arguments: Mapping[str, Any]) -> Outcome:
    arrays: list[np.ndarray] = []
    spoken = {name: _spoken(value, arrays) for name, value in arguments.items()}
    child.send({"function": function, "arguments": spoken}, arrays)
    answer, results = child.receive()
    if "failed" in answer:
        return Raised(**_plain(answer["failed"]))
    try:
        count = int(answer["inputs"])
        result = _understood(answer["returned"], results[count:])
        changed = _changed(arguments, arrays, results[:count])
    except (KeyError, IndexError, TypeError, ValueError):
        return Stopped("ended")
    return Returned(result, changed)


def _plain(failed: Mapping[str, Any]) -> dict[str, Any]:
    line = failed.get("line")
    return {
        "type": str(failed.get("type", ""))[:60],
        "message": str(failed.get("message", ""))[:200],
        "line": line if isinstance(line, int) else None,
    }


def _spoken(value: Any, arrays: list[np.ndarray]) -> Any:
    """Say an argument in JSON, its arrays aside."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, Given):
        return {"given": value.name}
    if isinstance(value, Graph):
        first = len(arrays)
        arrays.extend(value.values)
        return {"graph": [{**node, "value": first + node["value"]} for node in value.nodes]}
    if isinstance(value, list):
        return {"list": [_spoken(one, arrays) for one in value]}
    if isinstance(value, tuple):
        return [_spoken(one, arrays) for one in value]
    return value


def _understood(said: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Any:
    kind = said["kind"]
    if kind in ("tuple", "list"):
        parts = [_understood(one, arrays) for one in said["parts"]]
        return tuple(parts) if kind == "tuple" else parts
    if kind == "nodes":
        return [int(place) for place in said["order"]]
    if kind == "gradients":
        return {"extra": int(said["extra"]),
                "parts": [_understood(one, arrays) for one in said["parts"]]}  # fmt: skip
    if kind == "array":
        return arrays[said["array"]]
    if kind in ("number", "int", "float", "bool"):
        return arrays[said["array"]][()]
    return Other(str(said.get("type", kind))[:80])


def _changed(
    arguments: Mapping[str, Any], sent: Sequence[np.ndarray], back: Sequence[np.ndarray]
) -> tuple[str, ...]:
    """The names of the arguments whose arrays did not come back as they were."""
    owners: list[np.ndarray] = []
    names: list[str] = []
    for name, value in arguments.items():
        before = len(owners)
        _spoken(value, owners)
        names += [name] * (len(owners) - before)
    if len(back) != len(sent):
        raise ValueError("arrays are missing")
    changed = [
        name
        for name, one, other in zip(names, sent, back, strict=True)
        if one.dtype != other.dtype or one.shape != other.shape or one.tobytes() != other.tobytes()
    ]
    return tuple(dict.fromkeys(changed))


# -- The process ---------------------------------------------------------------------------------


class _Child:
    """A process that runs child.py, in a session and a folder of its own."""

    def __init__(self, seconds: float, python: Sequence[str] = ()) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="minifcn-", ignore_cleanup_errors=True)
        self.end = time.monotonic() + seconds
        command = [*(python or (sys.executable, "-I", "-B")), "-c", _CHILD]
        self.process = subprocess.Popen(
            [*command, str(int(seconds) + 1), str(MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder.name,
            env=_environment(self.folder.name),
            **_own_session(),
        )
        self.messages: queue.Queue[Any] = queue.Queue(maxsize=4)
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self.folder.cleanup()

    def kill(self) -> None:
        """End the process, and all that it started in its session."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()
        self.process.wait()

    def send(self, message: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
        """Write a message to the child."""
        assert self.process.stdin is not None
        try:
            for piece in _pieces(message, arrays):
                self.process.stdin.write(struct.pack("<Q", len(piece)) + piece)
            self.process.stdin.flush()
        except OSError:
            raise _Ended(self._why()) from None

    def receive(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Wait for a message of the child, until the time is over."""
        try:
            message = self.messages.get(timeout=max(0.0, self.end - time.monotonic()))
        except queue.Empty:
            raise _Ended("timeout") from None
        if message is None:
            raise _Ended(self._why())
        return message

    def _why(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(timeout=1)
            if os.name == "posix" and code in (-signal.SIGXCPU, -signal.SIGALRM):
                return "timeout"
        return "ended"

    def _listen(self) -> None:
        """Read messages until the pipe ends, or holds what is no message."""
        stream = self.process.stdout
        assert stream is not None
        with suppress(OSError, ValueError, KeyError, TypeError, EOFError, MemoryError):
            for message in _messages(stream):
                self.messages.put(message)
        self.messages.put(None)


def _pieces(message: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Iterator[bytes]:
    yield json.dumps({**message, "arrays": len(arrays)}).encode()
    for array in arrays:
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        yield file.getvalue()


def _messages(stream: Any) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
    while True:
        message = json.loads(_piece(stream))
        count = message["arrays"]
        if not isinstance(count, int) or not 0 <= count <= 1000:
            raise ValueError("no number of arrays")
        yield message, [_array(_piece(stream)) for _ in range(count)]


def _array(piece: bytes) -> np.ndarray:
    array = np.load(io.BytesIO(piece), allow_pickle=False)
    if type(array) is not np.ndarray or array.dtype.kind not in "fiub":
        raise ValueError("no array of numbers")
    return array


def _piece(stream: Any) -> bytes:
    (length,) = struct.unpack("<Q", _exactly(stream, 8))
    if length > LARGEST:
        raise ValueError("too long")
    return _exactly(stream, length)


def _exactly(stream: Any, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
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
