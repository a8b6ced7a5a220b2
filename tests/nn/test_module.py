import numpy as np
import pytest

from minifcn import Tensor, nn
from minifcn import functional as F


def make_generator():
    return np.random.default_rng(0)


class Net(nn.Module):
    """Two levels, parameters of its own, a buffer and a plain setting."""

    def __init__(self):
        generator = make_generator()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, generator=generator), nn.BatchNorm2d(4), nn.ReLU()
        )
        self.scale = nn.Parameter(np.ones(1, np.float32))
        self.offset = nn.Buffer(np.zeros(1, np.float32))
        self.head = nn.Linear(4, 2, bias=False, generator=generator)
        self.note = "not a part of the state"

    def forward(self, x, power=1):
        y = (self.body(x) * self.scale.reshape((1, 1, 1, 1))).mean((2, 3))
        return self.head(y) ** power


NAMES = [
    "scale",
    "offset",
    "body.0.weight",
    "body.0.bias",
    "body.1.weight",
    "body.1.bias",
    "body.1.running_mean",
    "body.1.running_var",
    "body.1.num_batches_tracked",
    "head.weight",
]


@pytest.fixture
def net():
    return Net()


def randomise(module, seed=1):
    generator = np.random.default_rng(seed)
    for _, value in module.named_tensors():
        value.data[...] = generator.uniform(1, 9, value.shape)


# -- Names and walking ---------------------------------------------------------------------------


def test_names_are_paths_own_tensors_first(net):
    assert [name for name, _ in net.named_tensors()] == NAMES
    assert list(net.state_dict()) == NAMES


def test_parameters_leave_buffers_out(net):
    buffers = {"offset", "body.1.running_mean", "body.1.running_var", "body.1.num_batches_tracked"}
    assert [name for name, _ in net.named_parameters()] == [n for n in NAMES if n not in buffers]
    assert [id(p) for p in net.parameters()] == [id(p) for _, p in net.named_parameters()]
    assert all(p.requires_grad for p in net.parameters())
    assert not net.offset.requires_grad


def test_modules_are_the_module_and_all_inside(net):
    kinds = [type(module).__name__ for module in net.modules()]
    assert kinds == ["Net", "Sequential", "Conv2d", "BatchNorm2d", "ReLU", "Linear"]
    assert [name for name, _ in net.children()] == ["body", "head"]


def test_a_parameter_may_be_fixed_but_not_an_integer():
    assert not nn.Parameter(np.ones(2), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="floating-point"):
        nn.Parameter(np.ones(2, np.int64))


def test_call_is_forward_with_keywords_too(net):
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 5, 5)).astype(np.float32))
    net.eval()
    np.testing.assert_array_equal(net(x).data, net.forward(x).data)
    np.testing.assert_allclose(net(x, power=2).data, net(x).data ** 2)


def test_a_module_without_forward_says_so():
    with pytest.raises(TypeError, match="Module defines no forward"):
        nn.Module()(Tensor(np.ones(1)))


# -- State ---------------------------------------------------------------------------------------


def test_state_dict_round_trip(net):
    randomise(net)
    state = net.state_dict()
    other = Net()
    other.load_state_dict(state)
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
        assert array.dtype == state[name].dtype


def test_state_dict_is_a_copy(net):
    state = net.state_dict()
    state["scale"][...] = 7
    assert net.scale.item() == 1
    net.load_state_dict(state)
    state["scale"][...] = 8
    assert net.scale.item() == 7


def test_loading_keeps_the_parameters_and_their_dtype(net):
    before = dict(net.named_tensors())
    net.load_state_dict(
        {name: array.astype(np.float64) for name, array in Net().state_dict().items()}
    )
    for name, value in net.named_tensors():
        assert value is before[name]
        assert value.dtype == (np.int64 if name.endswith("tracked") else np.float32)


def without(state, name):
    return {key: array for key, array in state.items() if key != name}


BROKEN = {
    "missing": (lambda s: without(s, "head.weight"), r"1 missing \(head.weight\)"),
    "unknown": (lambda s: s | {"tail": np.ones(1)}, r"1 unknown \(tail\)"),
    "both": (
        lambda s: without(s, "scale") | {"scales": np.ones(1)},
        r"1 missing \(scale\) and 1 unknown \(scales\)",
    ),
    "empty": (lambda s: {}, r"10 missing \(scale, offset, body.0.weight, ...\)"),
    "shape": (
        lambda s: s | {"head.weight": np.ones((4, 2))},
        r"head.weight must have shape \(2, 4\); got \(4, 2\)",
    ),
    "broadcast": (
        lambda s: s | {"head.weight": np.ones(4)},
        r"head.weight must have shape \(2, 4\); got \(4,\)",
    ),
    "text": (lambda s: s | {"head.weight": np.full((2, 4), "a")}, "could not convert"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_load_state_dict_changes_nothing_if_it_fails(net, case):
    change, message = BROKEN[case]
    randomise(net)
    before = net.state_dict()
    fresh = change(Net().state_dict())
    with pytest.raises(ValueError, match=message):
        net.load_state_dict(fresh)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


@pytest.mark.oracle
def test_weights_move_to_pytorch_and_back(net):
    torch = pytest.importorskip("torch")
    body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    assert list(body.state_dict()) == list(net.body.state_dict())
    net.body.load_state_dict(body.state_dict())
    np.testing.assert_array_equal(net.body[0].weight.data, body[0].weight.detach().numpy())
    randomise(net)
    body.load_state_dict({n: torch.from_numpy(a) for n, a in net.body.state_dict().items()})
    for name, array in net.body.state_dict().items():
        np.testing.assert_array_equal(body.state_dict()[name].numpy(), array)


# -- Modes, gradients, types ---------------------------------------------------------------------


def test_train_and_eval_reach_every_module(net):
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())


def test_zero_grad(net):
    net(Tensor(np.ones((2, 3, 4, 4), np.float32))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_to_float64_takes_gradients_along_and_leaves_integers(net):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    net(Tensor(x.astype(np.float32))).sum().backward()
    assert net.to(dtype=np.float64) is net
    for name, value in net.named_tensors():
        assert value.dtype == (np.int64 if name.endswith("tracked") else np.float64), name
    net(Tensor(x)).sum().backward()  # adds to the gradients that were there
    assert all(p.grad.dtype == np.float64 for p in net.parameters())
    assert net.to("cpu").scale.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.complex128])
def test_to_another_dtype_is_refused(net, dtype):
    with pytest.raises(TypeError, match="dtype must be float32 or float64; got"):
        net.to(dtype=dtype)
    assert net.scale.dtype == np.float32


def test_to_a_device_that_is_not_there(net):
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda; got 'tpu'"):
        net.to("tpu")


# -- Sequential, repr ----------------------------------------------------------------------------


class Affine(nn.Module):
    def __init__(self, factor, shift):
        self.factor, self.shift = factor, shift

    def forward(self, x):
        return x * self.factor + self.shift


def test_sequential_applies_in_order_beyond_ten():
    layers = [Affine(2, i) for i in range(12)]
    sequence = nn.Sequential(*layers)
    x, expected = Tensor(np.ones(3)), 1
    for i in range(12):
        expected = 2 * expected + i
    assert sequence(x).data.tolist() == [expected] * 3
    assert (len(sequence), sequence[11], sequence[-1]) == (12, layers[11], layers[11])
    assert list(sequence) == layers
    assert [name for name, _ in sequence.children()] == [str(i) for i in range(12)]


def test_an_empty_sequential_is_the_identity():
    x = Tensor(np.ones(3))
    assert nn.Sequential()(x) is x


def test_repr_is_a_tree_of_settings():
    net = nn.Sequential(
        nn.Conv2d(3, 4, (3, 5), stride=2, padding=1, generator=make_generator()),
        nn.Sequential(nn.ReLU(), nn.Dropout(0.3, generator=make_generator())),
        nn.MaxPool2d(2),
    )
    assert repr(net.eval()).splitlines() == [
        "Sequential(",
        "  (0): Conv2d(weight=(4, 3, 3, 5), stride=2, padding=1, dilation=1, groups=1, relu=False)",
        "  (1): Sequential(",
        "    (0): ReLU()",
        "    (1): Dropout(p=0.3)",
        "  )",
        "  (2): MaxPool2d(kernel_size=2, padding=0, dilation=1, return_indices=False, "
        "ceil_mode=False)",
        ")",
    ]


def test_functional_and_module_share_the_graph(net):
    """A parameter set in a layer receives the gradient of a loss made from functions."""
    scores = net(Tensor(np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)))
    F.cross_entropy(scores, np.array([0, 1])).backward()
    assert np.abs(net.body[0].weight.grad.data).max() > 0
