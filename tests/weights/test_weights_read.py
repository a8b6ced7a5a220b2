"""What PyTorch, safetensors and NumPy write is read back equal."""

import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from torch_bytes import instructions, legacy_format, state, tensor, zip_format

from minifcn.weights import read_numpy_pickle, read_weights

ORDER = np.arange(6, dtype=np.float32).reshape(2, 3)


def check_equal(ours, theirs):
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        expected = theirs[name].detach()
        if str(expected.dtype) == "torch.bfloat16":
            expected = expected.float()
        np.testing.assert_array_equal(array, expected.numpy(), err_msg=name)
        assert (array.dtype, array.shape) == (expected.numpy().dtype, expected.numpy().shape)


def make_tensors(torch):
    """Tensors of every kind that a state_dict may hold."""
    kinds = ("float64", "float32", "float16", "bfloat16", "bool", "uint8", "int8", "int16")
    values = torch.arange(-6.0, 6).reshape(3, 4)
    tensors = {kind: values.abs().to(getattr(torch, kind)) for kind in (*kinds, "int32", "int64")}
    whole = torch.randn(4, 5, 6)
    return tensors | {
        "parameter": torch.nn.Parameter(torch.randn(2, 3)),
        "transposed": whole.permute(2, 0, 1),
        "part": whole[1:3, ::2, 4:],
        "tied": whole,
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 3),
        "one": torch.ones(1, 1, 1),
        "ø.\nname": torch.ones(1),
    }


@pytest.mark.oracle
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model"])
def test_what_torch_saves(tmp_path, new, key):
    torch = pytest.importorskip("torch")
    tensors, path = make_tensors(torch), tmp_path / "x.pth"
    whole = tensors if key is None else {"epoch": 3, key: tensors, "optim": torch.ones(9)}
    if key == "model":
        whole["score"] = np.float64(0.5)  # as numpy.core.multiarray.scalar
    torch.save(whole, path, _use_new_zipfile_serialization=new)
    check_equal(read_weights(path), tensors)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["x.safetensors", "x.bin"])
def test_what_torch_saves_as_safetensors(tmp_path, name):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save

    tensors = {name: x.detach().clone().contiguous() for name, x in make_tensors(torch).items()}
    tensors["bfloat16 number"] = torch.tensor(-1.5, dtype=torch.bfloat16)
    tensors["empty bfloat16"] = torch.zeros(2, 0, dtype=torch.bfloat16)
    tensors["many"] = torch.randn(1000).to(torch.bfloat16)
    (tmp_path / name).write_bytes(save(tensors))
    found = read_weights(tmp_path / name)
    check_equal({name: found[name] for name in tensors}, tensors)
    assert set(found) == set(tensors)


@pytest.mark.oracle
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_module_and_all_protocols(tmp_path, new, protocol):
    """The state_dict of a module has attributes, which say how old its layers are."""
    torch = pytest.importorskip("torch")
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(
        layers.state_dict(),
        tmp_path / "x",
        _use_new_zipfile_serialization=new,
        pickle_protocol=protocol,
    )
    check_equal(read_weights(str(tmp_path / "x")), layers.state_dict())


@pytest.mark.oracle
@pytest.mark.parametrize("new", [True, False])
def test_a_whole_module_is_refused(tmp_path, new):
    """It would need the class of the module, which is code."""
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "x.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(ValueError, match="asks for torch.nn.modules.conv.Conv2d, which is not"):
        read_weights(tmp_path / "x.pt")


@pytest.mark.oracle
def test_what_safetensors_saves_for_torch(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensors = make_tensors(torch)
    chosen = {name: tensors[name] for name in ("float32", "float16", "int64", "scalar", "empty")}
    for name in ("x.safetensors", "named otherwise"):
        save_file(chosen, tmp_path / name)
        found = read_weights(tmp_path / name)
        check_equal({name: found[name] for name in chosen}, chosen)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saves(tmp_path, save):
    arrays = {
        "a.weight": ORDER,
        "fortran": np.asfortranarray(ORDER),
        "big-endian": ORDER.astype(">f8"),
        "half": ORDER.astype(np.float16),
        "count": np.array(7),
        "empty": np.zeros((0, 3), np.uint8),
        "zeros": np.zeros(10_000_000, np.float32),  # shrink to a thousandth, and are no bomb
    }
    save(tmp_path / "x.npz", **arrays)
    found = read_weights(tmp_path / "x.npz")
    assert list(found) == list(arrays)
    for name, array in found.items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == arrays[name].dtype.newbyteorder("=")
        assert array.dtype.isnative


# -- Without PyTorch -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", [zip_format, legacy_format])
def test_a_state_dict(tmp_path, form):
    (tmp_path / "x").write_bytes(form())
    np.testing.assert_array_equal(read_weights(tmp_path / "x")["a"], ORDER)


def test_a_compressed_state_dict(tmp_path):
    (tmp_path / "x.pth").write_bytes(zip_format(method=zipfile.ZIP_DEFLATED))
    np.testing.assert_array_equal(read_weights(tmp_path / "x.pth")["a"], ORDER)


@pytest.mark.parametrize("form", [zip_format, legacy_format])
def test_tensors_may_share_a_storage(tmp_path, form):
    data = state(a=tensor(), b=tensor(shape=(3, 2), strides=(1, 3)), c=tensor(offset=5, shape=()))
    data = data.replace(tensor(offset=5, shape=()), tensor(offset=5, shape=(), strides=()))
    (tmp_path / "x").write_bytes(form(data))
    found = read_weights(tmp_path / "x")
    assert np.shares_memory(found["a"], found["b"])
    np.testing.assert_array_equal(found["b"], ORDER.T)
    assert found["c"] == 5


def test_what_an_old_torch_on_python_2_saved(tmp_path):
    """An OrderedDict from a list of pairs, and _rebuild_tensor without the 2."""
    old = tensor().replace(b"_rebuild_tensor_v2", b"_rebuild_tensor")
    old = old.replace(b"\x89ccollections\nOrderedDict\n)R", b"")
    data = b"\x80\x02ccollections\nOrderedDict\n](](U\x01a" + old + b"ee\x85R."
    (tmp_path / "x.pth").write_bytes(legacy_format(data))
    np.testing.assert_array_equal(read_weights(tmp_path / "x.pth")["a"], ORDER)


# -- Pickles of arrays ---------------------------------------------------------------------------

CONTENTS = {
    "conv": [ORDER, np.asfortranarray(ORDER), ORDER.astype(">i2"), ORDER > 2],
    "more": (np.float32(0.5), np.int64(-3), True, None, -1, 2**70, 0.25, "é", b"\xff", {1: []}),
    "empty": np.zeros((0, 2)),
}


def check_same(found, expected):
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype.newbyteorder("=")
        return
    assert type(found) is type(expected)
    if isinstance(expected, (list, tuple)):
        for one, other in zip(found, expected, strict=True):
            check_same(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            check_same(found[key], expected[key])
    else:
        assert found == expected


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_python_pickles(tmp_path, protocol):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(CONTENTS, protocol))
    check_same(read_numpy_pickle(tmp_path / "x.pkl"), CONTENTS)


def test_an_array_that_is_there_twice_is_one(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([ORDER, ORDER], 4))
    first, second = read_numpy_pickle(tmp_path / "x.pkl")
    assert first is second
    np.testing.assert_array_equal(first, ORDER)


def test_an_ordered_dict_is_no_plain_data(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(OrderedDict(a=1), 2))
    with pytest.raises(ValueError, match="asks for collections.OrderedDict"):
        read_numpy_pickle(tmp_path / "x.pkl")


def test_what_python_2_pickled(tmp_path):
    """Strings are bytes there, and numpy.core is where numpy._core is now."""
    raw = ORDER.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
    dtype += b"J\xff\xff\xff\xffK\x00tb"
    array += b"(K\x01" + instructions((2, 3)) + dtype + b"\x89U" + bytes([len(raw)]) + raw + b"tb"
    (tmp_path / "x.pkl").write_bytes(b"\x80\x02}U\x01a" + array + b"s.")
    check_same(read_numpy_pickle(tmp_path / "x.pkl"), {"a": ORDER})
