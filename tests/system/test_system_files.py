import errno
import json
import os
import pickle
import stat
import struct

import numpy as np
import pytest

from minifcn.system import files
from minifcn.system.files import load_arrays, read_json, save_arrays, write_atomically

ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([[1e-300, np.pi]]),
    "count": np.array(7),
    "empty": np.zeros((0, 3), np.uint8),
}


# -- Atomic files --------------------------------------------------------------------------------


def test_write_and_overwrite(tmp_path):
    path = tmp_path / "file"
    for content in (b"first", b"", b"second\n" * 1000):
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_files_have_the_permissions_of_ordinary_ones(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "file", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "file")}
    assert len(modes) == 1


class FailingFile:
    """A file whose disk is full after some bytes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, content):
        self.file.write(content[:3])
        raise OSError(errno.ENOSPC, "No space left on device")


def full_disk(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


FAILURES = {
    "writing": ("fdopen", lambda handle, mode, own=os.fdopen: FailingFile(own(handle, mode))),
    "forcing to the disk": ("fsync", full_disk),
    "permissions": ("chmod", full_disk),
    "taking over the name": ("replace", full_disk),
}


@pytest.mark.parametrize("old", [b"old content", None])
@pytest.mark.parametrize("step", FAILURES)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, old):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    name, failure = FAILURES[step]
    with monkeypatch.context() as patch:
        patch.setattr(files.os, name, failure)
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_atomically(path, b"new content")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if old is None else [old])
    write_atomically(path, b"new content")
    assert path.read_bytes() == b"new content"


def test_an_interruption_leaves_the_old_file_too(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old content")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new content")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old content"]


def test_content_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        own = getattr(os, name)

        def noted(*arguments, own=own, name=name):
            steps.append(name)
            return own(*arguments)

        monkeypatch.setattr(files.os, name, noted)
    write_atomically(tmp_path / "file", b"content")
    assert steps == ["fsync", "replace", "fsync"]  # the last one is the folder's


def test_a_folder_that_is_not_there_or_is_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path, error in (
        (tmp_path / "none" / "x", FileNotFoundError),
        (tmp_path / "file" / "x", NotADirectoryError),
    ):
        with pytest.raises(error) as caught:
            write_atomically(path, b"")
        assert caught.value.filename == str(path)


# -- Arrays --------------------------------------------------------------------------------------


def test_arrays_round_trip(tmp_path):
    save_arrays(tmp_path / "x.safetensors", ARRAYS, {"iteration": "7", "note": "é\n"})
    arrays, metadata = load_arrays(tmp_path / "x.safetensors")
    assert metadata == {"iteration": "7", "note": "é\n"}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert (array.dtype, array.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)


def test_transposed_arrays_and_no_metadata(tmp_path):
    transposed = ARRAYS["a.weight"].T
    save_arrays(tmp_path / "x.safetensors", {"t": transposed})
    arrays, metadata = load_arrays(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(arrays["t"], transposed)
    assert metadata == {}


@pytest.mark.oracle
def test_pytorch_reads_the_same_file(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    save_arrays(tmp_path / "x.safetensors", ARRAYS)
    loaded = load_file(tmp_path / "x.safetensors")
    assert loaded.keys() == ARRAYS.keys()
    assert all(torch.equal(loaded[n], torch.from_numpy(a)) for n, a in ARRAYS.items())


class Payload:
    """What a pickle from a stranger can do when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def header(**tensors):
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


def good_file(tmp_path):
    save_arrays(tmp_path / "good", ARRAYS)
    return (tmp_path / "good").read_bytes()


DAMAGED = {
    "empty": lambda path: b"",
    "seven bytes": lambda path: b"1234567",
    "truncated header": lambda path: good_file(path)[:30],
    "truncated data": lambda path: good_file(path)[:-1],
    "more data": lambda path: good_file(path) + b"x",
    "huge header": lambda path: struct.pack("<Q", 2**63) + b"{}",
    "header no JSON": lambda path: struct.pack("<Q", 4) + b"\xff{{{",
    "header a list": lambda path: struct.pack("<Q", 2) + b"[]",
    "offsets beyond": lambda path: header(
        a={"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}
    ),
    "offsets negative": lambda path: header(
        a={"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}
    ),
    "shape and bytes differ": lambda path: (
        header(a={"dtype": "F32", "shape": [3], "data_offsets": [0, 4]}) + bytes(4)
    ),
    "unknown type": lambda path: (
        header(a={"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}) + bytes(4)
    ),
    "type that NumPy lacks": lambda path: (
        header(a={"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}) + bytes(4)
    ),
    "pickle": lambda path: pickle.dumps(Payload(path / "owned")),
    "text": lambda path: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_a_one_line_error_and_runs_nothing(tmp_path, case):
    path = tmp_path / "x.safetensors"
    path.write_bytes(DAMAGED[case](tmp_path))
    with pytest.raises(ValueError, match="not a readable safetensors file") as caught:
        load_arrays(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_a_type_that_numpy_lacks_is_named_with_its_array(tmp_path, kind):
    path = tmp_path / "x.safetensors"
    path.write_bytes(header(w={"dtype": kind, "shape": [2], "data_offsets": [0, 2]}) + bytes(2))
    with pytest.raises(ValueError, match=rf"'w' is of type {kind}, which NumPy lacks: convert"):
        load_arrays(path)


def test_bfloat16_becomes_float32(tmp_path):
    """Its bits are the upper half of a float32: also of infinity, NaN, -0 and tiny numbers."""
    values = np.array([1.5, -2.0, np.inf, -np.inf, np.nan, -0.0, 2.0**-133], np.float32)
    bits = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    path = tmp_path / "x.safetensors"
    path.write_bytes(
        header(
            z={"dtype": "BF16", "shape": [7], "data_offsets": [0, 14]},
            number={"dtype": "BF16", "shape": [], "data_offsets": [14, 16]},
            a={"dtype": "F32", "shape": [1, 1], "data_offsets": [16, 20]},
            empty={"dtype": "BF16", "shape": [0, 3], "data_offsets": [20, 20]},
        )
        + bits + bits[2:4] + np.float32(0.1).tobytes()
    )  # fmt: skip
    arrays, _ = load_arrays(path)
    assert arrays["z"].tobytes() == values.tobytes()
    assert arrays["number"].shape == ()
    assert arrays["number"] == -2
    assert arrays["empty"].shape == (0, 3)
    assert arrays["a"].tolist() == [[np.float32(0.1)]]
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


def test_bfloat16_of_a_damaged_file(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(header(a={"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}) + bytes(3))
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_arrays(path)


def test_the_payload_of_the_pickle_is_live(tmp_path):
    """Otherwise the test above would prove nothing."""
    pickle.loads(pickle.dumps(Payload(tmp_path / "owned")))
    assert (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["none.safetensors", "."])
def test_no_file(tmp_path, name):
    with pytest.raises(ValueError, match="no such file"):
        load_arrays(tmp_path / name)


# -- JSON ----------------------------------------------------------------------------------------


def test_read_json(tmp_path):
    (tmp_path / "x.json").write_text('{"a": [1, "é"]}', encoding="utf-8")
    assert read_json(tmp_path / "x.json") == {"a": [1, "é"]}
    with pytest.raises(ValueError, match="none.json: No such file or directory"):
        read_json(tmp_path / "none.json")
