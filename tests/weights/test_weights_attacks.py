"""Pickles that would do something, if they were unpickled: nothing in them is ever executed."""

import os
import pickle
import sys

import numpy as np
import pytest
from torch_bytes import check_refused, instructions, legacy_format, state, zip_format

from minifcn.weights import read_numpy_pickle, read_weights

GLOBALS = ["os\nsystem", "posix\nsystem", "builtins\neval", "numpy\nload", "numpy\nfromfile"]
GLOBALS += ["torch\nload", "torch.storage\n_load_from_bytes", "minifcn.system.files\nload_arrays"]
GLOBALS += ["builtins\ngetattr", "collections\ndefaultdict", "numpy.f2py.crackfortran\nmyeval"]


def mkdir(path):
    """The arguments with which os.mkdir leaves a trace."""
    return instructions((str(path),))


ATTACKS = {
    "REDUCE": lambda path: b"cos\nmkdir\n" + mkdir(path) + b"R",
    "STACK_GLOBAL": lambda path: instructions("os") + instructions("mkdir") + b"\x93" + mkdir(path)
    + b"R",
    "INST": lambda path: b"(" + instructions(str(path)) + b"ios\nmkdir\n",
    "OBJ": lambda path: b"(cos\nmkdir\n" + instructions(str(path)) + b"o",
    "NEWOBJ": lambda path: b"cos\nmkdir\n" + mkdir(path) + b"\x81",
    "NEWOBJ_EX": lambda path: b"cos\nmkdir\n" + mkdir(path) + b"}\x92",
    "BUILD": lambda path: b"ccollections\nOrderedDict\n)R}"
    + instructions("__setstate__") + b"cos\nmkdir\nsb" + instructions(str(path)) + b"b",
    "EXT1": lambda path: b"\x82\x01" + mkdir(path) + b"R",
    "a dotted name": lambda path: instructions("collections") + instructions("abc.sys.modules")
    + b"\x93",
    "an unused global": lambda path: b"cos\nmkdir\n0N",
    "PERSID": lambda path: b"Pos.mkdir\n",
}  # fmt: skip


def forms(entry):
    """The same entry in a state_dict of both formats of PyTorch, and in a pickle of arrays."""
    data = state(a=entry)
    return (read_weights, zip_format(data)), (read_weights, legacy_format(data)), (
        read_numpy_pickle, data
    )  # fmt: skip


@pytest.mark.parametrize("case", ATTACKS)
def test_an_attack_is_refused_and_runs_nothing(tmp_path, case):
    canary = tmp_path / "owned"
    for i, (read, content) in enumerate(forms(ATTACKS[case](canary))):
        path = tmp_path / f"{i}.pth"
        path.write_bytes(content)
        check_refused(path, "not allowed|asks for|calls", read)
        assert not canary.exists()


def test_the_attacks_are_live(tmp_path):
    """Otherwise the test above would prove nothing."""
    for case in ("REDUCE", "STACK_GLOBAL", "INST", "OBJ"):
        pickle.loads(state(a=ATTACKS[case](tmp_path / case)))
        assert (tmp_path / case).is_dir()


@pytest.mark.parametrize("name", GLOBALS)
def test_a_hostile_global_is_named_and_not_even_imported(tmp_path, name):
    before = set(sys.modules)
    for i, (read, content) in enumerate(forms(b"c" + name.encode() + b"\n" + b"N\x85R")):
        path = tmp_path / f"{i}.pth"
        path.write_bytes(content)
        check_refused(path, f"asks for {name}".replace("\n", "."), read)
    assert not {module for module in set(sys.modules) - before if module.startswith("numpy.f2py")}


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_payload_in_an_array_of_objects(tmp_path, protocol):
    content = pickle.dumps(np.array([Payload(tmp_path / "owned")]), protocol)
    (tmp_path / "x.pkl").write_bytes(content)
    check_refused(tmp_path / "x.pkl", "not readable weights", read_numpy_pickle)
    np.savez(tmp_path / "x.npz", a=np.array([Payload(tmp_path / "owned")]))
    check_refused(tmp_path / "x.npz", "not readable weights")
    assert not (tmp_path / "owned").exists()
    pickle.loads(content)
    assert (tmp_path / "owned").exists()
