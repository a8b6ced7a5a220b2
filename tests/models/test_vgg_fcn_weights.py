"""Weights of pytorch-fcn and of torchvision's VGG16, loaded into the paper's networks."""

import numpy as np
import pytest
from vgg_networks import STRIDES, draw, make_model, make_reference, randomise

from minifcn import Tensor
from minifcn.models.vgg_fcn import load_backbone, load_fcn
from minifcn.system.files import save_arrays


@pytest.mark.oracle
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("new", [True, False])
def test_loading_the_ports_state_dict(tmp_path, stride, new):
    torch = pytest.importorskip("torch")
    reference, model = make_reference(torch, stride), make_model(stride)
    for wrapped, file in ((False, "x.pth"), (True, "y.pth")):
        state = {"model_state_dict": reference.state_dict()} if wrapped else reference.state_dict()
        torch.save(state, tmp_path / file, _use_new_zipfile_serialization=new)
        randomise(model)
        load_fcn(model, tmp_path / file)
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, reference.state_dict()[name].numpy())


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_loading_other_files(tmp_path, suffix):
    state, model, path = (
        randomise(make_model()).state_dict(),
        make_model(),
        tmp_path / f"x.{suffix}",
    )
    if suffix == "npz":
        np.savez(path, **state)
    else:
        save_arrays(path, state)
    load_fcn(model, path)
    assert all(np.array_equal(a, state[name]) for name, a in model.state_dict().items())


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    model = make_model()
    before = model.state_dict()
    state = randomise(make_model()).state_dict()
    del state["fc6.bias"]
    state |= {"fc7.bias": np.full(7, np.nan), "extra": np.ones(1), "score_fr.bias": np.ones(4)}
    save_arrays(tmp_path / "x.safetensors", state)
    with pytest.raises(ValueError, match="x.safetensors: the weights do not fit") as caught:
        load_fcn(model, tmp_path / "x.safetensors")
    assert str(caught.value).endswith(
        "1 missing (fc6.bias), 1 extra (extra), 1 misshaped (score_fr.bias is (4,), not (3,)),"
        " 1 not finite numbers (fc7.bias)"
    )
    assert all(np.array_equal(a, before[name]) for name, a in model.state_dict().items())


PLACES = {
    "conv1_1": 0, "conv1_2": 2, "conv2_1": 5, "conv2_2": 7, "conv3_1": 10, "conv3_2": 12,
    "conv3_3": 14, "conv4_1": 17, "conv4_2": 19, "conv4_3": 21, "conv5_1": 24, "conv5_2": 26,
    "conv5_3": 28,
}  # fmt: skip
"""Where torchvision's vgg16().features has each convolution, read off its printed list."""


def make_classifier_state(source):
    """A VGG16 classifier of torchvision with the weights of `source`, and one more layer."""
    own, state = source.state_dict(), {}
    for part in ("weight", "bias"):
        for name, place in PLACES.items():
            state[f"features.{place}.{part}"] = own[f"{name}.{part}"]
        for name, place in (("fc6", 0), ("fc7", 3)):
            state[f"classifier.{place}.{part}"] = own[f"{name}.{part}"].reshape(7, -1).squeeze()
        state[f"classifier.6.{part}"] = np.ones((5, 7) if part == "weight" else 5)
    return state


@pytest.mark.parametrize("fully_connected", [True, False])
def test_loading_torchvisions_vgg16(tmp_path, fully_connected):
    source, model = randomise(make_model()), randomise(make_model(), seed=5)
    before, expected = model.state_dict(), source.state_dict()
    np.savez(tmp_path / "x.npz", **make_classifier_state(source))
    load_backbone(model, tmp_path / "x.npz", fully_connected)
    for name, array in model.state_dict().items():
        loaded = name.startswith("conv") or (fully_connected and name.startswith("fc"))
        np.testing.assert_array_equal(array, (expected if loaded else before)[name], err_msg=name)


def test_loading_convolutions_alone(tmp_path):
    source, model = randomise(make_model()), make_model()
    state = make_classifier_state(source)
    convolutions = {name: a for name, a in state.items() if name.startswith("features.")}
    np.savez(tmp_path / "x.npz", **convolutions)
    load_backbone(model, tmp_path / "x.npz")
    np.testing.assert_array_equal(model.conv5_3.weight.data, source.conv5_3.weight.data)


@pytest.mark.oracle
def test_the_classifier_is_the_network_at_one_place(tmp_path):
    """At 224x224 without the padding of 100: the linear layers on 7x7 maps are convolutions."""
    torch = pytest.importorskip("torch")
    model = randomise(make_model()).to(dtype=np.float64).eval()
    state = make_classifier_state(model)
    x = draw((2, 6, 7, 7))
    ours = model.fc7(model.fc6(Tensor(x))).data[:, :, 0, 0]
    hidden = torch.from_numpy(x).flatten(1)
    for place in (0, 3):
        weight, bias = (
            torch.from_numpy(state[f"classifier.{place}.{p}"]) for p in ("weight", "bias")
        )
        hidden = torch.relu(torch.nn.functional.linear(hidden, weight, bias))
    np.testing.assert_allclose(ours, hidden.numpy(), rtol=1e-12)


def test_another_classifier_is_refused(tmp_path):
    """VGG16 with BatchNorm has other places; half a classifier is none."""
    state = make_classifier_state(randomise(make_model()))
    np.savez(tmp_path / "bn.npz", **state, **{"features.1.running_mean": np.ones(2)})
    with pytest.raises(ValueError, match=r"bn.npz: .* 1 extra \(features.1.running_mean\)"):
        load_backbone(make_model(), tmp_path / "bn.npz")
    del state["classifier.3.bias"], state["features.0.weight"]
    np.savez(tmp_path / "part.npz", **state)
    missing = r"part.npz: .* 2 missing \(features.0.weight, classifier.3.bias\)"
    with pytest.raises(ValueError, match=missing):
        load_backbone(make_model(), tmp_path / "part.npz")
