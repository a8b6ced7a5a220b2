"""Networks as ONNX files: onnxruntime computes from them what minifcn computes."""

import json
import sys

import numpy as np
import pytest
from onnx_networks import NETWORKS, build, fcn, generator

from minifcn import nn
from minifcn.models import FCN
from minifcn.onnx_export import check, export_onnx, networks
from minifcn.onnx_export.layers import conv2d

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[onnx]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

SHAPES = ((1, 3, 1, 1), (3, 3, 45, 70), (1, 3, 64, 32))
SMALLEST = {"SqueezeNet": 17}
"""The fewest rows and columns that a network takes, if not one."""


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    """A network's name, itself, and the bytes of its file."""
    model = build(request.param)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(model, path)
    return request.param, model, path.read_bytes()


def test_onnxruntime_gives_the_same_scores_at_any_size(exported):
    name, model, content = exported
    session = check.open_session(content)
    for i, shape in enumerate(SHAPES):
        if shape[2] >= SMALLEST.get(name, 1):
            x = np.random.default_rng(i).standard_normal(shape).astype(np.float32)
            expected, found = check.scores(model, x), session.run(None, {"images": x})[0]
            assert found.shape == expected.shape
            assert np.abs(expected).max() > 1e-3
            assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_weights_keep_their_names_and_sizes_are_free(exported):
    _, model, content = exported
    graph = onnx.load_from_string(content).graph
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in graph.initializer}
    for name, expected in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(arrays[name], expected)
    sizes = [
        [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.input
    ]
    assert sizes == [["N", 3, "H", "W"]]
    assert len({node.name for node in graph.node}) == len(graph.node)


LAYERS = {
    "same": lambda g: nn.Conv2d(3, 4, (3, 2), padding="same", dilation=2, generator=g),
    "valid": lambda g: nn.Conv2d(3, 4, 3, padding="valid", generator=g),
    "groups": lambda g: nn.Conv2d(3, 6, (2, 3), (3, 2), (1, 0), (1, 2), 3, generator=g),
    "transposed": lambda g: nn.ConvTranspose2d(3, 6, 3, 2, 1, (1, 0), groups=3, generator=g),
    "transposed, dilated": lambda g: nn.ConvTranspose2d(3, 2, 2, 3, dilation=2, generator=g),
    "pooling": lambda g: nn.MaxPool2d(3, 2, 1, 2),
    "pooling, ceil_mode": lambda g: nn.MaxPool2d(3, 2, ceil_mode=True),
    "relu": lambda g: nn.ReLU(),
    "relu6": lambda g: nn.Sequential(nn.Conv2d(3, 4, 1, generator=g), nn.ReLU6()),
    "dropout": lambda g: nn.Sequential(nn.Dropout(generator=g), nn.Dropout2d(generator=g)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_with_other_settings_than_those_of_the_networks(tmp_path, name):
    """Exported at all means compared: see test_a_wrong_translation_is_found below."""
    layer = LAYERS[name](generator()).eval()
    export_onnx(layer, tmp_path / "layer.onnx")
    x = 4 * generator().standard_normal((2, 3, 12, 17)).astype(np.float32)
    session = check.open_session((tmp_path / "layer.onnx").read_bytes())
    expected, found = check.scores(layer, x), session.run(None, {"images": x})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_same_network_gives_the_same_file(tmp_path):
    paths = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for path in paths:
        export_onnx(build("FCN-8s"), path, {"classes": ["a", "b"]})
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_metadata(tmp_path):
    about = {"classes": ["sky", "road"], "size": (64, 96), "input": "RGB"}
    export_onnx(build("FCN-8s"), tmp_path / "m.onnx", about)
    model = onnx.load(tmp_path / "m.onnx")
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(found.pop("minifcn")) == {**about, "size": [64, 96]}
    assert found == {"classes": '["sky", "road"]', "size": "[64, 96]", "input": "RGB"}
    assert model.opset_import[0].version == 17
    assert not model.functions


# -- Refused, and nothing is written -------------------------------------------------------------


class Halved(nn.Module):
    """A module that has no translation."""

    def forward(self, x):
        return x * 0.5


class Louder(nn.Conv2d):
    """A subclass of a layer that has one."""

    def forward(self, x):
        return super().forward(x) * 2


def with_part(part):
    model = build("FCN-8s")
    model.fc7 = nn.Sequential(model.fc7, part)
    return model.eval()


REFUSED = {
    "an unknown part": (lambda: with_part(Halved()), r"got a Halved at 'fc7\.1'"),
    "a subclass of a layer": (
        lambda: with_part(Louder(8, 8, 1, generator=generator())), r"got a Louder at 'fc7\.1'"
    ),
    "a pooling that gives indices": (
        lambda: with_part(nn.MaxPool2d(1, return_indices=True)), "no return_indices"
    ),
    "an unknown network": (lambda: Halved().eval(), "got a Halved at 'the top'"),
    "training": (lambda: fcn(), r"call model\.eval\(\)"),
    "float64": (lambda: build("FCN-8s").to(dtype=np.float64), "of float64: call model.to"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_form_in_onnx_is_refused(tmp_path, case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as caught:
        export_onnx(make(), tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


right = networks.TRANSLATIONS[FCN]
WRONG = {
    "other values": (lambda graph, *rest: graph.times(right(graph, *rest), 1.001), "differ by"),
    "another size": (
        lambda graph, *rest: graph.pad(right(graph, *rest), (0, 1, 0, 0)), "give scores of"
    ),
    "a size that is built in": (
        lambda graph, *rest: graph.add(
            "Slice", right(graph, *rest), *map(graph.constant, ([0, 0], [33, 50], [2, 3]))
        ),
        "give scores of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_translation_is_found_before_a_file_is_written(tmp_path, monkeypatch, case):
    wrong, message = WRONG[case]
    monkeypatch.setitem(networks.TRANSLATIONS, FCN, wrong)
    with pytest.raises(ValueError, match=f"FCN and its ONNX graph {message}"):
        export_onnx(build("FCN-8s"), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_that_onnxruntime_cannot_run_is_one_line(tmp_path, monkeypatch):
    wrong = lambda graph, layer, x: conv2d(graph, layer, x, auto_pad="SAME_UPPER")
    monkeypatch.setitem(networks.TRANSLATIONS, nn.Conv2d, wrong)
    layer = nn.Conv2d(3, 2, 3, padding="same", dilation=2, generator=generator()).eval()
    with pytest.raises(ValueError, match="onnxruntime cannot run this network: .*Dilation") as one:
        export_onnx(layer, tmp_path / "m.onnx")
    assert "\n" not in str(one.value)


def test_scores_that_are_not_finite_are_refused(tmp_path):
    model = build("FCN-8s")
    model.score_fr.bias.data[0] = np.inf
    with pytest.raises(ValueError, match="must have finite scores"):
        export_onnx(model, tmp_path / "m.onnx")


def test_a_network_too_large_for_one_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("minifcn.onnx_export.MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"at most 1,000 bytes of weights; got \d"):
        export_onnx(build("FCN-8s"), tmp_path / "m.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_its_packages_it_says_what_to_install(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"not installed, {package}: pip install .*\[onnx\]"):
        export_onnx(build("FCN-8s"), tmp_path / "m.onnx")
