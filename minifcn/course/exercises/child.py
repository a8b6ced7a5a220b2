"""What runs a student's functions, in a process of its own: arrays in, arrays out, no judgement.

The parent passes this text to `python -I -B -c`. It knows no expected values. Nothing here is
imported by the package.
"""

import io
import json
import os
import struct
import sys
import traceback


def limit():
    """Limit what the process may use, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    seconds, memory = int(sys.argv[1]), int(sys.argv[2])
    limits = {"RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0, "RLIMIT_NOFILE": 64}
    if sys.platform == "linux":  # macOS does not hold RLIMIT_AS
        limits["RLIMIT_AS"] = memory
    for name, value in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (ValueError, OSError):
            pass


def take_pipes():
    """Keep the pipes to the parent, and let what is printed go nowhere."""
    read, write = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode) for mode in ("r", "w", "w"))  # noqa: SIM115
    return read, write


FORBIDDEN = ("subprocess.", "os.fork", "os.exec", "os.system", "os.spawn", "os.posix_spawn",
             "os.kill", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink",
             "os.truncate", "os.chmod", "os.chown", "os.putenv", "os.unsetenv", "pty.",
             "socket.", "ctypes.", "shutil.", "winreg.", "_winapi.", "signal.pthread_kill",
             "sys.addaudithook", "cpython._PySys_ClearAuditHooks", "gc.get_objects",
             "gc.get_referrers", "sys._getframe", "sys.settrace", "sys.setprofile")  # fmt: skip
LIBRARIES = ("minifcn", "torch", "torchvision", "cupy", "jax", "tensorflow", "scipy", "skimage",
             "cv2", "PIL", "numba", "ctypes", "multiprocessing")  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard(event, arguments):
    """Refuse what no exercise needs. Python cannot take an audit hook away again."""
    if event == "import" and str(arguments[0]).partition(".")[0] in LIBRARIES:
        raise ImportError(f"an exercise is solved with NumPy alone; it imports {arguments[0]}")
    if event == "open":
        path, mode, flags = (*arguments, None, None)[:3]
        writes = (isinstance(mode, str) and any(letter in mode for letter in "wax+")) or (
            isinstance(flags, int) and flags & WRITING
        )
        if writes or not allowed(path):
            raise PermissionError(f"an exercise opens no files; it opens {path!r}")
    if event in ("os.listdir", "os.scandir", "glob.glob") and not allowed(arguments[0]):
        raise PermissionError("an exercise lists no folders")
    if event.startswith(FORBIDDEN) and event != "sys._getframe":
        raise PermissionError(f"an exercise computes with arrays only; it wants {event}")


def allowed(path):
    """Whether a file or folder belongs to Python's or NumPy's own code."""
    try:
        place = os.path.realpath(os.fsdecode(path))
    except (TypeError, ValueError):
        return False
    return place.startswith(CODE) and "minifcn" not in place


CODE = ()


def given(numpy):
    """The functions that exercises are given, by name."""

    def bilinear(x, factor):
        def along(x, axis):
            n = x.shape[axis]
            source = numpy.clip((numpy.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
            low = numpy.minimum(source.astype(int), max(n - 2, 0))
            high = numpy.minimum(low + 1, n - 1)
            shape = [1] * x.ndim
            shape[axis] = -1
            part = (source - low).reshape(shape)
            return numpy.take(x, low, axis) * (1 - part) + numpy.take(x, high, axis) * part

        return along(along(numpy.asarray(x, numpy.float64), 2), 3)

    return {
        "bilinear": bilinear,
        "cubic": lambda x: x**3 - 2 * x,
        "product": lambda x: x * numpy.roll(x, 1, axis=-1),
        "sums": lambda x: numpy.array([x.sum(), (x * x).sum()]),
        "view": lambda x: x[..., ::-1],
        "scaled": lambda x: numpy.exp(x) / 10,
    }


OPERATIONS = {
    "add": lambda values: [lambda g: g, lambda g: g],
    "mul": lambda values: [lambda g: g * values[1], lambda g: g * values[0]],
    "sub": lambda values: [lambda g: g, lambda g: -g],
    "scale": lambda values: [lambda g: 3.0 * g],
    "square": lambda values: [lambda g: 2.0 * values[0] * g],
}
"""The gradient functions of a graph's nodes: of the inputs, given the gradient of the node."""


def graph(module, nodes, arrays):
    """Build a graph with the student's own Node: a list of nodes."""
    built = []
    for node in nodes:
        inputs = [built[i] for i in node["inputs"]]
        values = [one.value for one in inputs]
        gradients = OPERATIONS[node["operation"]](values) if inputs else []
        built.append(module["Node"](arrays[node["value"]], inputs, gradients))
    return built


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


def decoded(value, arrays, functions, module):
    """Turn what came as JSON back into arguments."""
    if isinstance(value, dict):
        if "array" in value:
            return arrays[value["array"]]
        if "given" in value:
            return functions[value["given"]]
        if "graph" in value:
            return graph(module, value["graph"], arrays)[-1]
        return [decoded(one, arrays, functions, module) for one in value["list"]]
    if isinstance(value, list):
        return tuple(decoded(one, arrays, functions, module) for one in value)
    return value


def encoded(result, numpy, arrays, nodes):
    """Describe a result, and add its arrays to a list; nothing of the student's is kept."""
    if type(result) is tuple or (nodes is None and type(result) is list and len(result) < 10):
        return {"kind": "tuple", "parts": [encoded(one, numpy, arrays, nodes) for one in result]}
    if nodes is None and type(result) is list and len(result) <= 8:
        return {"kind": "list", "parts": [encoded(one, numpy, arrays, None) for one in result]}
    if nodes is not None and type(result) is list:
        places = {id(node): i for i, node in enumerate(nodes)}
        return {"kind": "nodes", "order": [places.get(id(node), -1) for node in result]}
    if nodes is not None and type(result) is dict:
        found = [result.get(id(node)) for node in nodes]
        return {"kind": "gradients", "extra": len(result) - len(nodes),
                "parts": [encoded(one, numpy, arrays, None) for one in found]}  # fmt: skip
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


def called(pipe, module, functions, message, arrays):
    """Call a function as the message says, and send what comes of it."""
    numpy = pipe.numpy
    nodes, arguments = None, {}
    for name, value in message["arguments"].items():
        if isinstance(value, dict) and "graph" in value:
            nodes = graph(module, value["graph"], arrays)
            arguments[name] = nodes[-1]
        else:
            arguments[name] = decoded(value, arrays, functions, module)
    results = []
    result = applied(module[message["function"]], arguments)
    said = encoded(result, numpy, results, nodes)
    pipe.send({"returned": said, "inputs": len(arrays)}, [*arrays, *results])


def applied(function, arguments):
    """Call a function by its parameters' names, or by their order if it has other names."""
    code = getattr(function, "__code__", None)
    if code is None or set(arguments) <= set(code.co_varnames[: code.co_argcount]):
        return function(**arguments)
    return function(*arguments.values())


def failure(error, source):
    """Describe an exception: its type, its first line, and the line of the student's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if frame.filename == source]  # fmt: skip
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    try:
        text = str(error).splitlines()[0][:200] if str(error) else ""
    except Exception:
        text = ""
    return {"type": type(error).__name__[:60], "message": text, "line": (lines or [None])[-1]}


def main():
    """Load the student's file, then answer calls until there are no more."""
    limit()
    read, write = take_pipes()
    import numpy
    import numpy.linalg  # what is imported later would have to be opened

    global CODE
    CODE = tuple(
        os.path.realpath(place) + os.sep
        for place in (
            os.path.dirname(os.__file__),
            os.path.dirname(os.path.dirname(numpy.__file__)),
        )
    )
    pipe = Pipe(read, write, numpy)
    message, _ = pipe.receive()
    name, functions = message["file"], given(numpy)
    module = {"__name__": "student", "__file__": name}
    sys.addaudithook(guard)
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
