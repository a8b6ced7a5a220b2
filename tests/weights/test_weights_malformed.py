"""Damaged and hostile files: each is one clear line, and nothing in it is ever executed."""

import io
import json
import pickle
import struct
import warnings
import zipfile

import numpy as np
import pytest
from torch_bytes import (
    NUMBERS,
    check_refused,
    instructions,
    legacy_format,
    state,
    tensor,
    zip_format,
    zipped,
)

from minifcn.weights import read_numpy_pickle, read_weights


def npy(array, **choices):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **choices)
    return file.getvalue()


def npy_header(text, data=b"", version=1):
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def npy_of_shape(shape):
    return npy_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}")


def npz(*members, method=zipfile.ZIP_STORED):
    return zipped([(f"{name}.npy", content) for name, content in members], method)


def safetensors(data=b"", **entry):
    text = json.dumps({"a": entry}).encode()
    return struct.pack("<Q", len(text)) + text + data


def twice(first, second):
    """An archive with two members of one name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zipped([first, second])


def with_bytes(data, old, new):
    assert data.count(old) >= 1
    return data.replace(old, new)


def laughs(depth):
    """A list of ten times a list of ten times a list ..."""
    value = []
    for _ in range(depth):
        value = [value] * 10
    return pickle.dumps(value, 2)


GOOD_NPZ = npz(("a", npy(np.ones(100))))
HUGE = 2**60
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20)
ARRAY = pickle.dumps(np.arange(6.0), 2)

# name: (suffix, content, what the error says)
FILES = {
    "empty": (".pth", b"", "neither safetensors, npz, nor a state_dict"),
    "text": (".pth", b"version https://git-lfs.github.com/spec/v1\n", "neither safetensors"),
    "png": (".pt", PNG, "neither safetensors"),
    "old pickle protocol": (".pth", pickle.dumps({"a": 1}, 0), "neither safetensors"),
    # .safetensors
    "safetensors: empty": (".safetensors", b"", "not a readable safetensors file"),
    "safetensors: truncated": (
        ".safetensors",
        safetensors(bytes(7), dtype="F32", shape=[2], data_offsets=[0, 8]),
        "not a readable safetensors file",
    ),
    "safetensors: huge shape": (
        ".pth",  # the content decides, not the name
        safetensors(dtype="F32", shape=[HUGE], data_offsets=[0, 4 * HUGE]),
        "not a readable safetensors file",
    ),
    # .npz
    "npz: truncated": (".npz", GOOD_NPZ[:300], "File is not a zip file"),
    "npz: bad checksum": (
        ".npz", with_bytes(GOOD_NPZ, np.ones(9).tobytes(), bytes(72)), "Bad CRC-32"
    ),
    "npz: an array short": (".npz", npz(("a", npy(np.ones(9))[:-1])), "does not fit 71 bytes"),
    "npz: objects": (
        ".npz", npz(("a", npy(np.array([{}]), allow_pickle=True))), "must be of real numbers"
    ),
    "npz: strings": (".npz", npz(("a", npy(np.array(["b"])))), "must be of real numbers; got <U1"),
    "npz: complex": (".npz", npz(("a", npy(np.ones(2, complex)))), "must be of real numbers"),
    "npz: huge shape": (
        ".npz",
        npz(("a", npy_of_shape((HUGE,)))),
        "does not fit 0 bytes",
    ),
    "npz: negative shape": (
        ".npz",
        npz(("a", npy_of_shape((-1, -1)))),
        "must be numbers that are not negative",
    ),
    "npz: deep header": (".npz", npz(("a", npy_header("(" * 9000))), "EOF in multi-line"),
    "npz: long header": (".npz", npz(("a", npy_header(" " * 20_000))), "Header info length"),
    "npz: new npy format": (".npz", npz(("a", npy_header("", version=9))), "npy format"),
    "npz: no npy": (".npz", npz(("a", b"hello")), "a.npy: "),
    "npz: one name twice": (
        ".npz", twice(("a.npy", npy(np.ones(1))), ("a.npy", npy(np.ones(2)))), "two members"
    ),
    "npz: a rare compression": (
        ".npz", npz(("a", npy(np.ones(9))), method=zipfile.ZIP_BZIP2), "compressed in a rare way"
    ),
    "npz: zip bomb": (
        ".npz", npz(("a", bytes(2**26 + 1)), method=zipfile.ZIP_DEFLATED), "zip bomb: 67,108,865"
    ),
    # PyTorch's zip format
    "zip: truncated": (".pth", zip_format()[:-30], "File is not a zip file"),
    "zip: no pickle": (".pth", zipped([("x/code.py", b"1")]), "neither .npz nor a state_dict"),
    "zip: two pickles": (
        ".pth", zip_format(more=[("y/data.pkl", b".")]), "neither .npz nor a state_dict"
    ),
    "zip: no storage": (".pth", zip_format(numbers=None), "x/data/0 is missing"),
    "zip: storage too short": (".pth", zip_format(numbers=NUMBERS[:-1]), "got 23 bytes"),
    "zip: storage too long": (".pth", zip_format(numbers=NUMBERS + b"1"), "got 25 bytes"),
    "zip: big-endian": (".pth", zip_format(byteorder=b"big"), "not little-endian"),
    "zip: bomb": (
        ".pth",
        zip_format(more=[("x/data/1", bytes(2**26 + 1))], method=zipfile.ZIP_DEFLATED),
        "zip bomb",
    ),
    "zip: storage elsewhere": (
        ".pth", zip_format(state(a=tensor(key="../data.pkl"))), "x/data/../data.pkl is missing"
    ),
    # PyTorch's older format
    "legacy: truncated pickle": (".pth", legacy_format()[:150], "not readable weights"),
    "legacy: truncated storage": (".pth", legacy_format()[:-1], "got 23 bytes"),
    "legacy: another pickle": (".pth", pickle.dumps([1, 2], 2), "not readable weights"),
    "legacy: other magic": (".pth", legacy_format(magic=7), "not one that torch.save wrote"),
    "legacy: other version": (".pth", legacy_format(version=7), "not one that torch.save wrote"),
    "legacy: big-endian": (".pth", legacy_format(little=False), "not little-endian"),
    "legacy: no storage": (".pth", legacy_format(keys=()), "not readable weights"),
    "legacy: unknown storage": (".pth", legacy_format(keys=("7",)), "storage 7 belongs to nothing"),
    "legacy: another length": (".pth", legacy_format(length=5), "storage 0 is missing, or has"),
    "legacy: negative length": (".pth", legacy_format(length=-6), "storage 0 is missing, or has"),
    "legacy: keys nested": (".pth", legacy_format(keys=((((),),),)), "belongs to nothing"),
    "legacy: a view of a storage": (
        ".pth", legacy_format(state(a=tensor(view=(("1", 0, 6),)))), "not supported"
    ),
}  # fmt: skip

# What the pickle of a state_dict holds: (instructions of tensor a, what the error says)
TENSORS = {
    "reaches outside": (tensor(shape=(2, 4), strides=(4, 1)), "reaches outside its storage of 6"),
    "stride outside": (tensor(shape=(2, 2), strides=(6, 1)), "reaches outside"),
    "offset outside": (tensor(offset=1), "reaches outside"),
    "negative size": (tensor(shape=(-2, 3)), "make no tensor"),
    "negative stride": (tensor(strides=(3, -1)), "make no tensor"),
    "negative offset": (tensor(offset=-1), "make no tensor"),
    "overflowing strides": (tensor(strides=(2**64, 1)), "make no tensor"),
    "overflowing product": (tensor(strides=(2**62, 2**62)), "reaches outside"),
    "huge shape": (tensor(shape=(HUGE, HUGE)), "reaches outside"),
    "huge by stride 0": (tensor(shape=(HUGE,), strides=(0,)), "reaches outside"),
    "huge and empty": (tensor(shape=(0, 2**62), strides=(1, 1)), "not readable weights"),
    "65 axes": (tensor(shape=(1,) * 65, strides=(1,) * 65), "not readable weights"),
    "strides too few": (tensor(strides=(1,)), "make no tensor"),
    "a fraction as size": (tensor(shape=(2.0, 3)), "make no tensor"),
    "strings as sizes": (tensor(shape=("2", 3)), "make no tensor"),
    "huge storage": (tensor(length=HUGE), "must have 1152921504606846976 elements"),
    "negative storage": (tensor(length=-6), "a length that is not supported"),
    "complex": (tensor("torch\nComplexFloatStorage"), "asks for torch.ComplexFloatStorage"),
    "quantised": (tensor("torch\nQInt8Storage"), "asks for torch.QInt8Storage"),
    "another number type": (tensor("torch\nDoubleStorage"), "elements of 8 bytes; got 24"),
    "two descriptions": (
        b"(" + tensor() + tensor("torch\nIntStorage") + b"t", "storage 0 is described in two ways"
    ),
    "a number": (instructions(3), "1 of 1 entries are none: the first, a, is a int"),
    "a nested dict": (instructions({"b": 1}), "the first, a, is a dict"),
    "a dict with odd keys": (instructions({((),): 1}), "keys of a dict must be strings or numbers"),
    "an array": (ARRAY[2:-1], "the first, a, is a ndarray"),
    "a storage as tensor": (
        b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00)))tR", "something else than numbers"
    ),
    "too many arguments": (b"ctorch._utils\n_rebuild_parameter\n)R", "the pickle is malformed"),
    "a reference to nothing": (b"Q", "the pickle"),
    "a reference to a number": (b"K\x01Q", "refers to something that is no storage"),
    "calls a string": (instructions("os.system") + b")R", "calls something that is no function"),
    "calls what it has built": (tensor() + b")R", "calls something that is no function"),
    "state of a tensor": (tensor() + b"}b", "sets the state of a Layout"),
    "state of a function": (b"ctorch\nFloatStorage\n}b", "sets the state of a StorageType"),
    "memo": (b"h\x07", "the pickle is malformed"),
    "empty stack": (b"\x85\x85\x85ttttt", "the pickle is malformed"),
    "below the mark": (b"(\x87", "uses objects that are not there"),
    "unknown instruction": (b"\xff", "opcode b'.xff' unknown"),
    "bytes that are not there": (b"\x8e" + struct.pack("<Q", HUGE), "not readable weights"),
    "items of a list": (b"](" + instructions([1, 2]) + b"K\x01u", "no dict"),
    "appending to a dict": (b"}K\x01a", "no list"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_malformed_file(tmp_path, case):
    suffix, content, message = FILES[case]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    check_refused(path, message.replace("(", r"\("))


@pytest.mark.parametrize("form", [zip_format, legacy_format])
@pytest.mark.parametrize("case", TENSORS)
def test_a_malformed_tensor(tmp_path, case, form):
    entry, message = TENSORS[case]
    path = tmp_path / "x.pth"
    path.write_bytes(form(state(a=entry)))
    if form is legacy_format:  # may notice first that the storage is not the one described
        message += "|storage 0 is missing|storage 0 belongs to nothing"
    check_refused(path, message)


def test_the_files_above_differ_from_good_ones_in_one_place(tmp_path):
    for name, content in (("x.pth", zip_format()), ("y.pt", legacy_format()), ("z", GOOD_NPZ)):
        (tmp_path / name).write_bytes(content)
        assert list(read_weights(tmp_path / name)) == ["a"]


@pytest.mark.parametrize("read", [read_weights, read_numpy_pickle])
def test_no_file(tmp_path, read):
    for path in (tmp_path, tmp_path / "none.pth"):
        check_refused(path, "no such file", read)


def test_a_member_that_says_it_is_smaller_than_it_is(tmp_path):
    """The size that the directory states is the most that is ever inflated."""
    content = zipped([("a.npy", npy(np.zeros(2**17)))], zipfile.ZIP_DEFLATED)
    real, stated = struct.pack("<I", 2**20 + 128), struct.pack("<I", 200)
    (tmp_path / "x.npz").write_bytes(with_bytes(content, real, stated))
    check_refused(tmp_path / "x.npz", "Bad CRC-32|does not fit")


def test_an_encrypted_member(tmp_path):
    content = bytearray(zip_format())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.pth").write_bytes(content)
    check_refused(tmp_path / "x.pth", "x/data.pkl is encrypted")


# -- Pickles of arrays ---------------------------------------------------------------------------

PICKLES = {
    "empty": (b"", "not a pickle"),
    "text": (b"hello", "not a pickle"),
    "truncated": (ARRAY[:-20], "not readable weights"),
    "no STOP": (ARRAY[:-1], "pickle exhausted before seeing STOP"),
    "objects": (pickle.dumps(np.array([None]), 2), "must be of real numbers; got dtype O8"),
    "strings": (pickle.dumps(np.array(["ab"]), 2), "must be of real numbers; got dtype U2"),
    "complex": (pickle.dumps(np.ones(1, complex), 2), "must be of real numbers; got dtype c16"),
    "structures": (pickle.dumps(np.ones(1, "f4,f4"), 2), "must be of real numbers; got dtype V8"),
    "dates": (pickle.dumps(np.ones(1, "M8[s]"), 2), "must be of real numbers; got dtype M8"),
    "a set": (pickle.dumps({1}, 4), "the instruction EMPTY_SET, which is not allowed"),
    "a function": (b"\x80\x02cnumpy\ndtype\n.", "holds a Function"),
    "a number type": (pickle.dumps(np.dtype("f4"), 2), "holds a NumberType"),
    "another shape": (with_bytes(ARRAY, b"K\x06", b"K\x07"), "does not fit 48 bytes"),
    "negative shape": (with_bytes(ARRAY, b"K\x06", b"J\xff\xff\xff\xff"), "not negative"),
    "laughs": (laughs(12), "holds more than 1,000,000 items"),
    "a list in itself": (b"\x80\x02]q\x00h\x00a.", "holds more than 1,000,000 items"),
    "two objects": (b"\x80\x02NN.", "more than one object"),
    "nothing": (b"\x80\x02.", "malformed"),
    "a global without a name": (b"\x80\x02NN\x93.", "a global by something else than strings"),
    "a reference": (b"\x80\x02NQ.", "refers to an object outside of it"),
    "a mark": (b"\x80\x02N(.", "malformed|more than one"),
}


@pytest.mark.parametrize("case", PICKLES)
def test_a_malformed_pickle_of_arrays(tmp_path, case):
    content, message = PICKLES[case]
    (tmp_path / "x.pkl").write_bytes(content)
    check_refused(tmp_path / "x.pkl", message, read_numpy_pickle)


def test_deep_nesting_is_no_danger(tmp_path):
    """Tuples in tuples, 200,000 deep, as data, as a key, as a name, as a shape."""
    deep = b")" + b"\x85" * 200_000
    uses = [b"", b"K\x01s", b"N\x93", b"Q", b")R", b"}b"]
    for i, use in enumerate(uses):
        path = tmp_path / f"{i}.pkl"
        path.write_bytes(b"\x80\x02}" + deep + use + b".")
        check_refused(path, "not readable weights", read_numpy_pickle)
    (tmp_path / "x.pth").write_bytes(zip_format(state(a=tensor(shape=()).replace(b")", deep, 1))))
    check_refused(tmp_path / "x.pth", "not readable weights")
    keys, deep_keys = pickle.dumps(["0"], 2), b"\x80\x02]" + deep + b"a."
    (tmp_path / "x.pth").write_bytes(with_bytes(legacy_format(), keys, deep_keys))
    check_refused(tmp_path / "x.pth", "belongs to nothing")


# -- Chance --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["zip", "legacy", "npz", "pickle"])
def test_damage_by_chance_gives_arrays_or_one_line(tmp_path, name):
    good = {"zip": zip_format(), "legacy": legacy_format(), "npz": GOOD_NPZ, "pickle": ARRAY}[name]
    read = read_numpy_pickle if name == "pickle" else read_weights
    generator, path = np.random.default_rng(0), tmp_path / "x"
    lines = []
    for _ in range(300):
        data = np.frombuffer(good, np.uint8).copy()
        places = generator.integers(0, len(data), generator.integers(1, 4))
        data[places] = generator.integers(0, 256, len(places))
        path.write_bytes(data.tobytes()[: generator.integers(len(data) // 2, 2 * len(data))])
        lines.append(complaint(read, path))
    refused = list(filter(None, lines))
    assert len(refused) > 50
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in refused)


def complaint(read, path):
    """What a reader says about a file, if anything; other errors than ValueError get through."""
    try:
        read(path)
    except ValueError as error:
        return str(error)
    return None
