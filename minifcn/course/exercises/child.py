"""What runs a student's functions, in a process of its own: arrays in, arrays out, no judgement.

The parent passes this text to `python -I -B -c`. It knows no expected values. Nothing here is
imported by the package.
"""

import io
import json
import numbers
import os
import struct
import sys
import time


def limit():
    """Limit what the process may use, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    seconds, memory = int(time.process_time()) + int(sys.argv[1]), int(sys.argv[2])
    limits = {"RLIMIT_CPU": (seconds, seconds + 1), "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0,
              "RLIMIT_NOFILE": 64, "RLIMIT_NPROC": 0}  # fmt: skip
    if sys.platform == "linux":  # macOS does not hold RLIMIT_AS
        limits["RLIMIT_AS"] = memory
    for name, value in limits.items():
        try:
            resource.setrlimit(
                getattr(resource, name), value if type(value) is tuple else (value, value)
            )
        except (AttributeError, ValueError, OSError):
            pass


def take_pipes():
    """Keep the pipes to the parent, and let what is printed go nowhere."""
    read, write = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode) for mode in ("r", "w", "w"))
    return read, write


FORBIDDEN = ("subprocess.", "os.fork", "os.exec", "os.system", "os.spawn", "os.posix_spawn",
             "os.kill", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink",
             "os.truncate", "os.ch", "os.lchown", "os.putenv", "os.unsetenv", "os.utime",
             "os.setxattr", "os.removexattr", "os.startfile", "pty.", "socket.", "ctypes.",
             "shutil.", "tempfile.", "winreg.", "_winapi.", "msvcrt.", "signal.pthread_kill",
             "syslog.", "sqlite3.", "fcntl.", "resource.", "sys.addaudithook", "sys.settrace",
             "sys.setprofile", "sys.monitoring", "code.__new__", "cpython._PySys_ClearAuditHooks",
             "cpython.run", "gc.get_", "sys._current_frames", "_thread.start_new_thread",
             "_thread.start_joinable_thread", "sys.remote_exec")  # fmt: skip
LIBRARIES = ("minifcn", "torch", "torchvision", "cupy", "jax", "tensorflow", "scipy", "skimage",
             "cv2", "PIL", "numba", "ctypes", "_ctypes", "_ctypes_test", "multiprocessing",
             "_multiprocessing", "_posixsubprocess", "_posixshmem", "_winapi", "readline", "dbm",
             "_dbm", "_gdbm", "curses", "_curses", "tkinter", "_tkinter", "interpreters",
             "_interpreters", "_xxsubinterpreters", "_interpchannels", "_interpqueues",
             "_testcapi", "_testinternalcapi", "_testlimitedcapi", "_testbuffer")  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guarding(code):
    """Make what refuses all that no exercise needs; `code` are the folders of Python and NumPy.

    Python cannot take an audit hook away again. This one looks nothing up that a student could
    change: all is a default of an argument, and of these it calls methods of str only.
    """

    def guard(
        event, arguments, code=code, forbidden=FORBIDDEN, libraries=LIBRARIES, writing=WRITING,
        separator=os.sep, type=type, str=str, int=int, len=len, ImportError=ImportError,
        PermissionError=PermissionError,
    ):  # fmt: skip
        if event == "import":
            name = arguments[0] if type(arguments[0]) is str else "ctypes"
            if name.partition(".")[0] in libraries:
                raise ImportError(f"an exercise is solved with NumPy alone; it imports {name}")
        elif event in ("open", "os.listdir", "os.scandir", "glob.glob"):
            path, inside = arguments[0], ""
            if type(path) is str:
                for folder in code:
                    if (path + separator).startswith(folder):
                        inside = (path + separator)[len(folder) - 1 :]
            packages = (separator + "site-packages", separator + "dist-packages")
            if not inside or inside.startswith(packages) or ".." in inside:
                raise PermissionError("an exercise opens no files and folders")
            if event == "open":
                mode, flags = arguments[1], arguments[2]
                letters = mode if type(mode) is str else ""
                if letters.strip("rbtU") or (type(flags) is int and flags & writing):
                    raise PermissionError("an exercise writes no files")
        elif event.startswith(forbidden):
            raise PermissionError(f"an exercise computes with arrays only; it wants {event}")

    return guard


def folders_of_code(numpy):
    """The folders of Python's and NumPy's own code, as they are called and as they really are."""
    package = os.path.dirname(numpy.__file__)
    places = [os.path.dirname(os.__file__), package, package + ".libs"]
    places += [place for place in sys.path if place.endswith(("lib-dynload", "DLLs"))]
    places += [os.path.realpath(place) for place in places]
    return tuple(place + os.sep for place in places)


HARMFUL = ("mkfifo", "mknod", "setsid", "setpgid", "setpgrp", "memfd_create", "pidfd_open",
           "pidfd_send_signal", "setpriority", "sched_setaffinity", "sched_setscheduler",
           "sched_setparam", "setns", "unshare", "clock_settime", "clock_settime_ns")  # fmt: skip
"""What makes files, leaves the session or reaches other processes without an audit event."""


def forget():
    """Take the harmful functions away, and the way to get a module of Python a second time."""
    import _imp
    import subprocess  # other modules import it, which nothing is wrong with

    for module in (subprocess, sys.modules.get("_posixsubprocess")):
        for name in ("fork_exec", "_fork_exec", "_posixsubprocess"):
            if hasattr(module, name):
                delattr(module, name)
    for name in sys.builtin_module_names:
        if name not in LIBRARIES:
            try:
                __import__(name)
            except ImportError:
                pass
    for module in map(sys.modules.get, ("os", "posix", "signal", "_signal", "time")):
        for name in HARMFUL:
            function = getattr(module, name, None)
            if function is not None:
                delattr(module, name)
            for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                known.discard(function)
    del _imp.create_builtin


class Pipe:
    """Frames to and from the parent: a line of JSON and arrays."""

    def __init__(self, read, write, numpy):
        self.read, self.write, self.numpy = read, write, numpy
        self.save, self.load, self.pack = numpy.save, numpy.load, struct.pack

    def bytes(self):
        """Read one piece."""
        head = self.read.read(8)
        if len(head) < 8:
            os._exit(0)
        return self.read.read(struct.unpack("<Q", head)[0])

    def receive(self):
        """Read a message: what it says, and its arrays."""
        message = json.loads(self.bytes())
        arrays = [
            self.load(io.BytesIO(self.bytes()), allow_pickle=False)
            for _ in range(message["arrays"])
        ]
        return message, arrays

    def send(self, message, arrays=()):
        """Write a message."""
        pieces = [json.dumps({**message, "arrays": len(arrays)}).encode()]
        for array in arrays:
            file = io.BytesIO()
            self.save(file, array, allow_pickle=False)
            pieces.append(file.getvalue())
        for piece in pieces:
            self.write.write(self.pack("<Q", len(piece)) + piece)
        self.write.flush()


def decoded(value, arrays, functions):
    """Turn what came as JSON back into arguments."""
    if isinstance(value, dict):
        if "array" in value:
            return arrays[value["array"]]
        if "given" in value:
            return functions[value["given"]]
        return [decoded(one, arrays, functions) for one in value["list"]]
    if isinstance(value, list):
        return tuple(decoded(one, arrays, functions) for one in value)
    return value


def encoded(result, numpy, arrays, nodes):
    """Describe a result, and add its arrays to a list; nothing of the student's is kept."""
    if nodes is not None and type(result) in (list, tuple):
        places = {id(node): i for i, node in enumerate(nodes)}
        return {"kind": "nodes", "order": [places.get(id(node), -1) for node in result]}
    if type(result) is tuple or (type(result) is list and len(result) < 10):
        parts = [encoded(one, numpy, arrays, nodes) for one in result]
        return {"kind": type(result).__name__, "parts": parts}
    if nodes is not None and isinstance(result, dict):
        found = [dict.get(result, id(node)) for node in nodes]
        return {"kind": "gradients", "extra": len(result) - len(nodes),
                "parts": [encoded(one, numpy, arrays, None) for one in found]}  # fmt: skip
    if type(result).__name__ == "Fraction" and isinstance(result, numbers.Rational):
        result = float(result)
    if type(result) is numpy.ndarray or isinstance(result, numpy.generic):
        array = numpy.array(result)
        if type(array) is numpy.ndarray and array.dtype.kind in "fiub" and array.nbytes < 1 << 26:
            arrays.append(array)
            kind = "array" if type(result) is numpy.ndarray else "number"
            return {"kind": kind, "array": len(arrays) - 1}
        return {"kind": "other", "type": f"array of {array.dtype}, {array.nbytes} bytes"}
    if type(result) in (int, float, bool) and abs(result) < 1 << 62 or type(result) is float:
        arrays.append(numpy.array(result))
        return {"kind": type(result).__name__, "array": len(arrays) - 1}
    return {"kind": "other", "type": type(result).__name__}


KEPT = []
"""All graphs, so that no two nodes ever have one id."""


def called(pipe, module, functions, message, arrays):
    """Call a function as the message says, and send what comes of it."""
    numpy = pipe.numpy
    nodes, arguments, calls = None, {}, 1
    for name, value in message["arguments"].items():
        if isinstance(value, dict) and "graph" in value:
            nodes, calls = graph(module["Node"], value["graph"], arrays, numpy), value["calls"]
            KEPT.append(nodes)
            arguments[name] = nodes[-1]
        else:
            arguments[name] = decoded(value, arrays, functions)
    results = []
    for _ in range(calls):
        result = applied(module[message["function"]], arguments)
    said = encoded(result, numpy, results, nodes)
    pipe.send({"returned": said}, [*arrays, *results])


def applied(function, arguments):
    """Call a function by its parameters' names, or by their order if it has other names."""
    code = getattr(function, "__code__", None)
    takes_any = code is None or code.co_flags & 0x08  # it has **others
    if takes_any or set(arguments) <= set(code.co_varnames[: code.co_argcount]):
        return function(**arguments)
    return function(*arguments.values())


def failure(error, source):
    """Describe an exception: its type, its first line, and the line of the student's file."""
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == source:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    try:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        text = said.splitlines()[0][:200] if said else ""
    except Exception:
        text = ""
    return {"type": type(error).__name__[:60], "message": text, "line": (lines or [None])[-1]}


def main():
    """Load the student's file, then answer calls until there are no more."""
    read, write = take_pipes()
    import numpy
    import numpy.linalg

    limit()
    sys.setrecursionlimit(4000)
    pipe = Pipe(read, write, numpy)
    pipe.send({"ready": True})
    message, _ = pipe.receive()
    name, functions = message["file"], given(numpy)
    sys.modules["student"] = type(sys)("student")  # where dataclasses look for it
    module = sys.modules["student"].__dict__
    module["__file__"] = name
    forget()
    sys.addaudithook(guarding(folders_of_code(numpy)))
    try:
        exec(compile(message["source"], name, "exec"), module)
        missing = [one for one in message["functions"] if not callable(module.get(one))]
        pipe.send({"loaded": True, "missing": missing})
    except BaseException as error:
        pipe.send({"failed": failure(error, name)})
        os._exit(0)
    while True:
        message, arrays = pipe.receive()
        try:
            called(pipe, module, functions, message, arrays)
        except BaseException as error:
            pipe.send({"failed": failure(error, name)})


main()
