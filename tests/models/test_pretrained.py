"""Weights, class names and photos out of installed packages, found without importing them."""

import io
import json
import pickle
import sys
from importlib import metadata

import numpy as np
import pytest
from installed import need, pretend

from minifcn.models import pretrained
from minifcn.models.efficientnet_lite import AROUND_ZERO
from minifcn.models.pretrained import NAMES, NETWORKS, PHOTOS, Source, find_class, locate
from minifcn.models.squeezenet import WITHOUT_MEAN_COLOUR

EFFICIENTNET, SQUEEZENET = NETWORKS["efficientnet-lite0"], NETWORKS["squeezenet1.1"]
LABELS = ["tench, Tinca tinca", "crane", "tabby, tabby cat", "crane", "tiger cat", "Cardigan",
          "panther, big cat", "leopard, big cat"]  # fmt: skip


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder on the import path, before all others."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


# -- Files ---------------------------------------------------------------------------------------


def test_a_file_of_a_package_is_found_without_importing_it(packages):
    source = Source("some-package", "some_package/data/file.bin", "MIT")
    path = pretend(packages, source, b"123")
    (packages / "some_package" / "__init__.py").write_text("raise SystemError('was imported')")
    assert locate(source) == path
    assert pretrained.version(source) == "7.8"
    assert "some_package" not in sys.modules


@pytest.mark.parametrize("source", [NAMES, EFFICIENTNET.weights, SQUEEZENET.weights])
def test_a_package_that_is_not_installed(source, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(ValueError) as error:
        locate(source)
    assert str(error.value) == (
        f"the package {source.package} is not installed: pip install -e '.[pretrained]'"
    )


def test_a_package_without_the_file(packages):
    source = Source("some-package", "some_package/file.bin", "MIT")
    pretend(packages, source, b"").unlink()
    with pytest.raises(ValueError, match=r"some-package 7\.8 has no file some_package/file\.bin"):
        locate(source)


@pytest.mark.parametrize(
    "source", [NAMES, *(n.weights for n in NETWORKS.values()), *PHOTOS.values()]
)
def test_what_is_installed_has_the_files(source):
    need(source)
    assert locate(source).stat().st_size > 10_000


# -- Weights -------------------------------------------------------------------------------------


def efficientnet_file(**changes):
    """The bytes of a file of random weights, named as in PyTorch's; an npz is read as well."""
    model = EFFICIENTNET.build(1000, generator=np.random.default_rng(3))
    arrays = {"_" + name.replace("blocks.", "blocks."): a for name, a in model.state_dict().items()}
    file = io.BytesIO()
    np.savez(file, **(arrays | changes))
    return file.getvalue()


def squeezenet_weights():
    state = SQUEEZENET.build(1000, generator=np.random.default_rng(3)).state_dict()
    names = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    return {
        name.replace(".", "/"): [
            np.ascontiguousarray(state[f"{name}.weight"].transpose(2, 3, 1, 0)),
            state[f"{name}.bias"],
        ]
        for name in names
    }


def test_weights_get_to_where_they_belong(packages):
    pretend(packages, EFFICIENTNET.weights, efficientnet_file())
    pretend(packages, SQUEEZENET.weights, pickle.dumps(squeezenet_weights()))
    for network in NETWORKS.values():
        expected = network.build(1000, generator=np.random.default_rng(3)).state_dict()
        model = network.load()
        assert not model.training
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, expected[name])


def test_weights_that_do_not_fit(packages):
    changes = {"_fc.bias": np.zeros(7, np.float32), "_extra": np.zeros(1, np.float32)}
    path = pretend(packages, EFFICIENTNET.weights, efficientnet_file(**changes))
    with pytest.raises(ValueError) as error:
        EFFICIENTNET.load()
    assert str(path) in str(error.value)
    assert "1 extra (extra), 1 misshaped (fc.bias is (7,), not (1000,))" in str(error.value)


def test_weights_that_are_not_finite(packages):
    changes = {"_fc.bias": np.full(1000, np.nan, np.float32)}
    pretend(packages, EFFICIENTNET.weights, efficientnet_file(**changes))
    with pytest.raises(ValueError, match=r"1 not finite numbers \(fc\.bias\)"):
        EFFICIENTNET.load()


@pytest.mark.parametrize(
    "content",
    [
        [],
        [1, 2],
        {"conv1": 1},
        {"conv1": [np.zeros(3)]},
        {"conv1": [np.zeros((3, 3)), 1]},
        {1: [2, 3]},
    ],
    ids=str,
)
def test_pickles_of_something_else(packages, content):
    path = pretend(packages, SQUEEZENET.weights, pickle.dumps(content))
    with pytest.raises(ValueError) as error:
        SQUEEZENET.load()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hostile_pickle_is_not_executed(packages, capsys):
    class Hostile:
        def __reduce__(self):
            return print, ("executed",)

    for network in NETWORKS.values():
        pretend(packages, network.weights, pickle.dumps(Hostile()))
        with pytest.raises(ValueError, match="print"):
            network.load()
    assert capsys.readouterr().out == ""


# -- Images --------------------------------------------------------------------------------------


def test_how_images_are_prepared():
    image = np.array([[[0, 127, 255], [127, 128, 126]]], np.uint8)
    prepared = AROUND_ZERO(image)
    assert (prepared.dtype, prepared.shape) == (np.float32, (3, 1, 2))
    np.testing.assert_array_equal(prepared[:, 0], [[-127 / 128, 0], [0, 1 / 128], [1, -1 / 128]])
    np.testing.assert_array_equal(
        WITHOUT_MEAN_COLOUR(image)[:, 0], [[151, 22], [10, 11], [-123, 4]]
    )


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8)]
)
def test_images_of_another_kind(image):
    for network in NETWORKS.values():
        with pytest.raises(ValueError, match=r"image must be uint8 \(H, W, 3\); got"):
            network.prepare(image)


# -- Class names ---------------------------------------------------------------------------------


def test_names_are_read_as_data(packages):
    labels = {str(number): f"name {number}, other" for number in range(1000)}
    pretend(packages, NAMES, json.dumps(labels).encode())
    names = pretrained.class_names()
    assert (len(names), names[7]) == (1000, "name 7, other")
    assert pretrained.first_name(names[7]) == "name 7"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"{}", b"\xff\xfe", b'{"0": "only one"}',
     json.dumps({str(i): i for i in range(1000)}).encode(),
     json.dumps({str(i): "two\nlines" for i in range(1000)}).encode()],
    ids=lambda content: content[:12].decode("latin-1"),
)  # fmt: skip
def test_files_of_names_that_are_something_else(packages, content):
    path = pretend(packages, NAMES, content)
    with pytest.raises(ValueError) as error:
        pretrained.class_names()
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "number"),
    [("tench", 0), ("Tinca tinca", 0), ("tinca TINCA", 0), (" tabby cat ", 2), ("3", 3), ("0", 0)],
)
def test_a_class_by_number_name_or_synonym(text, number):
    assert find_class(text, LABELS) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crane", "class 'crane' is 1 (crane) or 3 (crane); give the number"),
        (
            "big cat",
            "class 'big cat' is 6 (panther, big cat) or 7 (leopard, big cat); give the number",
        ),
        ("8", "class must be from 0 to 7; got 8"),
        ("cat", "no class is called 'cat'; similar: tabby cat, tiger cat, big cat"),
        ("cardigen", "no class is called 'cardigen'; similar: Cardigan"),
        ("zzz", "no class is called 'zzz'; expected a number from 0 to 7, or a name"),
        ("", "no class is called ''; expected a number from 0 to 7, or a name"),
        ("-1", "no class is called '-1'; expected a number from 0 to 7, or a name"),
    ],
)
def test_classes_that_are_not_found(text, message):
    with pytest.raises(ValueError) as error:
        find_class(text, LABELS)
    assert str(error.value) == message


def test_a_name_wins_over_a_synonym():
    assert find_class("panda", ["red panda, panda", "panda, giant panda"]) == 1


def test_the_names_of_imagenet():
    need(NAMES)
    names = pretrained.class_names()
    for text, number in (("tabby", 281), ("Egyptian cat", 285), ("espresso", 967), ("palace", 698)):
        assert find_class(text, names) == number
    with pytest.raises(ValueError, match=r"134 \(crane\) or 517 \(crane\)"):
        find_class("crane", names)
