"""Files as torch.save writes them, put together without PyTorch, so that they can be made wrong."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from minifcn.weights import read_weights

NUMBERS = np.arange(6, dtype="<f4").tobytes()
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


def instructions(value):
    """The instructions that put plain data on the stack, without the first and the last one."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(
    kind="torch\nFloatStorage", key="0", length=6, offset=0, shape=(2, 3), strides=(3, 1), view=()
):
    """The instructions that build a tensor, in a storage of six numbers."""
    reference = instructions("storage") + b"c" + kind.encode() + b"\n"
    reference += b"".join(map(instructions, (key, "cpu", length, *view)))
    arguments = b"".join(map(instructions, (offset, shape, strides, False)))
    hooks = b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n((" + reference + b"tQ" + arguments + hooks + b"tR"


def state(**entries):
    """A pickle of a dict whose values are given as instructions."""
    items = b"".join(instructions(name) + value for name, value in entries.items())
    return b"\x80\x02}(" + items + b"u."


def zipped(members, method=zipfile.ZIP_STORED):
    """A zip archive of (name, content) pairs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def zip_format(data=None, numbers=NUMBERS, method=zipfile.ZIP_STORED, byteorder=b"little", more=()):
    """A state_dict {'a': tensor} in the zip format."""
    members = [("x/data.pkl", state(a=tensor()) if data is None else data)]
    members += [("x/byteorder", byteorder), ("x/version", b"3\n"), *more]
    return zipped(members if numbers is None else [*members, ("x/data/0", numbers)], method)


def legacy_format(
    data=None, numbers=NUMBERS, magic=MAGIC, version=VERSION, little=True, keys=("0",), length=6
):
    """The same in the older format."""
    system = {"protocol_version": 1001, "little_endian": little}
    start = b"".join(pickle.dumps(value, 2) for value in (magic, version, system))
    data = state(a=tensor()) if data is None else data
    storage = length.to_bytes(8, "little", signed=True) + numbers
    return start + data + pickle.dumps(list(keys), 2) + storage


def check_refused(path, message, read=read_weights):
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert len(line) < len(str(path)) + 300
