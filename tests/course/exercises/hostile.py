"""Hostile and broken submissions: none of them computes double(x), each tries something else.

LOOT stands for a file that must not be there afterwards, SOURCE for a file of minifcn.
"""

WRONG = "\ndef double(x): return x\n"

AT_IMPORT = {
    "prints a report": "print('{\"score\": 100, \"status\": \"pass\"}', flush=True)",
    "prints without end": "while True: print('passed ' * 10000)",
    "writes to the standard output itself": """
import os
for number in (1, 2):
    os.write(number, b'{"returned": {"kind": "array", "array": 0}, "arrays": 1}' * 1000)
""",
    "sys.exit": "import sys; sys.exit(0)",
    "os._exit": "import os; os._exit(0)",
    "raises KeyboardInterrupt": "raise KeyboardInterrupt",
    "a loop without end": "while True: pass",
    "ignores signals, and loops": """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError, PermissionError): pass
while True: pass
""",
    "stops itself": "import signal; signal.raise_signal(signal.SIGSTOP)",
    "kills its parent": "import os; os.kill(os.getppid(), 9)",
    "kills its group": "import os; os.killpg(os.getpgid(os.getppid()), 9)",
    "sleeps": "import time; time.sleep(99)",
    "memory without end": "a = [0]\nwhile True: a = a + a",
    "forged frames on every descriptor": """
import os, struct, json
for text in ({'loaded': True, 'missing': [], 'arrays': 0},
             {'returned': {'kind': 'tuple', 'parts': []}, 'arrays': 0}):
    piece = json.dumps(text).encode()
    for number in range(64):
        try: os.write(number, (struct.pack('<Q', len(piece)) + piece) * 40)
        except OSError: pass
""",
    "a forged length": """
import os, struct
for number in range(3, 64):
    try: os.write(number, struct.pack('<Q', 1 << 62))
    except OSError: pass
""",
    "frames without end": """
import os, struct
piece = b'{"loaded": true, "arrays": 0}'
while True:
    for number in range(3, 10):
        try: os.write(number, struct.pack('<Q', len(piece)) + piece)
        except OSError: pass
""",
    "a forged number of lines": """
import os, struct
piece = b'{"failed": {"type": 7, "message": [], "line": Infinity}, "arrays": 0}'
for number in range(3, 64):
    try: os.write(number, struct.pack('<Q', len(piece)) + piece)
    except OSError: pass
""",
    "nested too deep": """
import os, struct
piece = b'{"arrays": 0, "returned": ' + b'[' * 200000
for number in range(3, 64):
    try: os.write(number, struct.pack('<Q', len(piece)) + piece)
    except OSError: pass
""",
    "closes all descriptors": "import os; os.closerange(3, 64)",
    "never reads again": """
import os, struct, time
piece = b'{"loaded": true, "missing": [], "arrays": 0}'
for number in range(3, 64):
    try: os.write(number, struct.pack('<Q', len(piece)) + piece)
    except OSError: pass
time.sleep(99)
""",
    "imports the package": "from minifcn.functional import relu",
    "imports it by importlib": "import importlib; m = importlib.import_module('minifcn')",
    "imports it past the import event": """
import importlib._bootstrap as b
m = b._gcd_import('minifcn.course.exercises.checker')
""",
    "imports it from another folder": """
import sys, os
sys.path.insert(0, os.path.dirname(os.path.dirname('SOURCE')))
import minifcn
""",
    "reads its source": "open('SOURCE').read()",
    "reads its source by other ways": """
import linecache, pathlib, io, os, tokenize
import numpy as np
ways = [lambda: linecache.getlines('SOURCE')[0], lambda: pathlib.Path('SOURCE').read_text(),
        lambda: io.FileIO('SOURCE').read(), lambda: os.open('SOURCE', os.O_RDONLY),
        lambda: tokenize.open('SOURCE').read(), lambda: np.fromfile('SOURCE', 'u1'),
        lambda: np.loadtxt('SOURCE', str)]
for way in ways:
    try: way()
    except (PermissionError, IndexError): continue
    os._exit(0)  # it was read
raise PermissionError('none was read')
""",
    "reads its parent": """
import os
open(f'/proc/{os.getppid()}/cmdline').read()
open(f'/proc/{os.getppid()}/mem', 'rb')
""",
    "lists folders": "import os; os.listdir('/')",
    "writes a results file": "open('results.json', 'w').write('100'); open('LOOT', 'w').write('1')",
    "writes by other ways": """
import os, pathlib, tempfile, shutil, sqlite3
import numpy as np
ways = [lambda: os.open('LOOT', os.O_CREAT), lambda: pathlib.Path('LOOT').touch(),
        lambda: np.save('LOOT', np.ones(3)), lambda: os.mkdir('LOOT'), lambda: os.mkfifo('LOOT'),
        lambda: os.symlink('/', 'LOOT'), lambda: os.mknod('LOOT'), lambda: sqlite3.connect('LOOT'),
        lambda: np.memmap('LOOT', mode='w+', shape=3), lambda: shutil.copy('/etc/passwd', 'LOOT'),
        lambda: os.rename('SOURCE', 'LOOT')]
for way in ways:
    try: way()
    except (PermissionError, AttributeError, ImportError): continue
    os._exit(0)  # it was written
raise PermissionError('none was written')
""",
    "forks": "import os\nfor i in range(6): os.fork()",
    "starts a program": "import subprocess; subprocess.Popen(['touch', 'LOOT'])",
    "its own module of programs": """
import sys, subprocess
del sys.modules['_posixsubprocess'], sys.modules['subprocess']
import subprocess
subprocess.run(['touch', 'LOOT'])
""",
    "starts a shell": "import os; os.system('touch LOOT')",
    "becomes a program": "import os; os.execv('/bin/sh', ['sh', '-c', 'touch LOOT'])",
    "a thread that lives on": """
import threading, time
def later():
    time.sleep(2); open('LOOT', 'w')
threading.Thread(target=later).start()
""",
    "a socket": "import socket; socket.create_connection(('127.0.0.1', 80))",
    "takes its limits away": """
import resource
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
""",
    "C": "import ctypes; ctypes.CDLL(None).system(b'touch LOOT')",
    "C by NumPy's door": """
import sys
ctypes = sys.modules.get('ctypes') or __import__('ctypes')
ctypes.pythonapi.PySys_AddAuditHook(None, None)
""",
    "hides in base64": """
import base64
exec(base64.b64decode('aW1wb3J0IG9zOyBvcy5zeXN0ZW0oInRvdWNoIExPT1QiKQ=='))
""",
    "removes the audit hook": """
import sys, __main__ as program
for name in ('FORBIDDEN', 'LIBRARIES', 'WRITING'): setattr(program, name, ())
program.guard = program.guarding = program.folders_of_code = lambda *a: None
import os; os.system('touch LOOT'); open('LOOT', 'w')
""",
    "blinds the audit hook": """
import builtins, os, posixpath
kept = open
builtins.type = builtins.isinstance = builtins.str = builtins.len = lambda *a: False
posixpath.realpath = os.path.realpath = lambda p: os.__file__
kept('LOOT', 'w').write('1')
""",
    "changes the audit hook's frame": """
try: open('LOOT', 'w')
except PermissionError as error:
    frame = error.__traceback__.tb_next.tb_frame
    for names in (frame.f_globals, frame.f_locals):
        for name in list(names):
            if name in ('forbidden', 'code', 'writing', 'FORBIDDEN', 'WRITING'):
                names[name] = ()
open('LOOT', 'w')
""",
    "an audit hook of its own": "import sys; sys.addaudithook(lambda *a: None)",
    "looks for objects": """
import gc
for one in gc.get_objects():
    if type(one).__name__ == 'Pipe': one.send({'returned': {'kind': 'tuple', 'parts': []}})
""",
    "a program by the door behind subprocess": """
import importlib._bootstrap as b, os, sys
import subprocess
fork_exec = (sys.modules.get('_posixsubprocess') or b._gcd_import('_posixsubprocess')).fork_exec
r, w = os.pipe()
fork_exec([b'/usr/bin/touch', b'LOOT'], [b'/usr/bin/touch'], True, (), None, None, -1, -1, -1, -1,
          -1, -1, r, w, False, False, 0, None, None, None, -1, None, True)
""",
    "takes a module a second time": """
import sys, importlib._bootstrap as b
del sys.modules['posix']
b._gcd_import('posix').mkfifo('LOOT')
""",
    "a history file": "import readline; readline.write_history_file('LOOT')",
    "another interpreter": """
try: import _interpreters as i
except ModuleNotFoundError: import _xxsubinterpreters as i
i.run_string(i.create(), "open('LOOT', 'w')")
""",
    "signals its parent by its descriptor": """
import os, signal
signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)
""",
    "slows its parent": "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "its own bytecode": "f = lambda: 0\nf.__code__ = f.__code__.replace(co_consts=())",
    "no Python at all": "def double(x) return 2 * x",
    "another encoding": "\x00\ud7ff\ufeff = 1",
    "special names": "__name__ = '__main__'; __builtins__ = None; del __builtins__",
}  # fmt: skip

IN_THE_CALL = {
    "sys.exit in the call": "import sys\ndef double(x): sys.exit(0)",
    "os._exit in the call": "import os\ndef double(x): os._exit(0)",
    "a loop in the call": "def double(x):\n    while True: pass",
    "sleeps in the call": "import time\ndef double(x): time.sleep(99)",
    "8 GiB": "import numpy as np\ndef double(x): return np.ones(1 << 30)[:x.size].reshape(x.shape)",
    "a huge result": "import numpy as np\ndef double(x): return np.zeros(1 << 26)",
    "a result of many parts": "def double(x): return tuple([x] * 1000000)",
    "a result of many layers": "def double(x):\n    for i in range(100000): x = (x,)\n    return x",
    "always equal": """
class Equal:
    shape, dtype, ndim = (3, 4), float, 2
    def __eq__(self, other): return True
    def __array__(self, *a, **k): raise SystemExit
    def __getattr__(self, name): return self
    def __sub__(self, other): return 0
def double(x): return Equal()
""",
    "a subclass of ndarray": """
import numpy as np
class Right(np.ndarray):
    def __array_ufunc__(self, *a, **k): return np.array(True)
    def __eq__(self, other): return np.array(True)
def double(x): return x.view(Right)
""",
    "an array of objects": "import numpy as np\ndef double(x): return np.array([x, None], object)",
    "a patched NumPy": """
import numpy as np
np.allclose = np.array_equal = np.isclose = lambda *a, **k: True
np.save = np.load = np.array = np.asarray = lambda *a, **k: 2
try: np.ndarray.__eq__ = lambda *a: True
except TypeError: pass
def double(x): return x
""",
    "patched everything": """
import json, struct, io, os, numpy
json.dumps = lambda *a: '{"status": "pass", "arrays": 0}'
struct.pack = lambda *a: b'\\0' * 8
io.BytesIO = os._exit = numpy.ndarray = None
def double(x): return x
""",
    "takes the pipe from a frame": """
def double(x):
    try: 1 / 0
    except ZeroDivisionError as error:
        frame = error.__traceback__.tb_frame
        while frame and 'pipe' not in frame.f_locals: frame = frame.f_back
        pipe = frame.f_locals['pipe']
        for i in range(9):
            pipe.send({'returned': {'kind': 'array', 'array': 1}}, [x, x])
    return x
""",
    "forges a header": """
import os, struct
def double(x):
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,), }"
    npy = b'\\x93NUMPY\\x01\\x00' + struct.pack('<H', len(head)) + head
    text = b'{"returned": {"kind": "array", "array": 1}, "arrays": 2}'
    for number in range(3, 64):
        try:
            for piece in (text, npy, npy):
                os.write(number, struct.pack('<Q', len(piece)) + piece)
        except OSError: pass
    return x
""",
    "forges what was returned": """
import os, struct
def double(x):
    text = b'{"returned": {"kind": "number", "array": {"a": 1}}, "arrays": 0, "inputs": Infinity}'
    for number in range(3, 64):
        try: os.write(number, struct.pack('<Q', len(text)) + text)
        except OSError: pass
    return x
""",
    "an exception that ends": """
class Bad(Exception):
    def __str__(self): import os; os._exit(0)
def double(x): raise Bad
""",
    "an exception in colours": "def double(x): raise ValueError('\\x1b[2J\\x1b[31m passed' * 99)",
    "recursion": "def double(x): return double(x)",
    "recursion in C": "def double(x):\n    return list(map(double, [x]))[0]",
    "a generator without end": "def double(x):\n    while True: yield x",
    "a list without end": "import itertools\ndef double(x): return list(itertools.count())",
    "changes its input": "def double(x):\n    x *= 2\n    return x",
    "changes its input and what is compared": "def double(x):\n    x[:] = 0\n    return x",
    "knows the cases by heart": """
import numpy as np
def double(x):
    return {SUM: TABLE}.get(round(float(x.sum()), 9), x)
""",
    "reads beyond its arrays": """
import numpy as np
def double(x):
    a = np.lib.stride_tricks.as_strided(x, (1 << 40,), (8,))
    return a[::1 << 20].copy()
""",
    "nothing": "def double(x): pass",
    "not there": "def twice(x): return 2 * x",
    "not a function": "double = 2",
    "a class": "class double:\n    def __init__(self, x): self.y = 2 * x",
}  # fmt: skip

REFUSED = (
    "kills its parent", "kills its group", "imports the package", "imports it by importlib",
    "imports it past the import event", "imports it from another folder", "reads its source",
    "reads its source by other ways", "reads its parent", "lists folders", "writes a results file",
    "writes by other ways", "forks", "starts a program", "starts a shell", "becomes a program",
    "a socket", "takes its limits away", "C", "C by NumPy's door", "hides in base64",
    "removes the audit hook", "changes the audit hook's frame", "looks for objects",
    "a program by the door behind subprocess", "takes a module a second time", "a history file",
    "another interpreter", "signals its parent by its descriptor", "slows its parent",
    "its own bytecode", "its own module of programs",
)  # fmt: skip
"""Those whose first harmful step is an exception."""
