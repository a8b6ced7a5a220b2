"""What a module consists of: nothing leaves it, is counted twice or stays outside silently."""

import copy
from collections import OrderedDict

import numpy as np
import pytest

from minifcn import Tensor, nn, no_grad, tensor
from minifcn import functional as F
from minifcn.optim import SGD


def make_generator():
    return np.random.default_rng(0)


def conv(**options):
    return nn.Conv2d(2, 2, 1, generator=make_generator(), **options)


def linear():
    return nn.Linear(2, 2, generator=make_generator())


IMAGE = Tensor(np.ones((1, 2, 3, 3), np.float32))

# -- Assigning -----------------------------------------------------------------------------------

OTHERS = {
    "Tensor": lambda: tensor(np.ones((2, 2, 1, 1), np.float32)),
    "ndarray": lambda: np.ones((2, 2, 1, 1), np.float32),
    "float": lambda: 0.5,
    "list": lambda: [1.0],
    "function": lambda: F.relu,
    "type": lambda: nn.ReLU,
}
PLACES = {
    "parameter": (conv, "weight"),
    "bias": (conv, "bias"),
    "no bias": (lambda: conv(bias=False), "bias"),
    "no bias of linear": (
        lambda: nn.Linear(2, 2, bias=False, generator=make_generator()),
        "bias",
    ),
    "buffer": (lambda: nn.BatchNorm2d(2), "running_mean"),
    "module": (lambda: nn.Sequential(conv(), nn.ReLU()), "1"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("other", OTHERS)
def test_a_part_of_the_state_is_not_replaced_by_something_else(place, other):
    make, name = PLACES[place]
    module = make()
    names, held = list(module.state_dict()), getattr(module, name)
    with pytest.raises(
        TypeError, match=rf"^{name} of .* must be a Parameter.* or None, .*; got {other}$"
    ):
        setattr(module, name, OTHERS[other]())
    assert list(module.state_dict()) == names
    assert getattr(module, name) is held


def test_a_computed_weight_is_no_parameter():
    layer = conv()
    with pytest.raises(TypeError, match="^weight of Conv2d must be a Parameter or N"):
        layer.weight = layer.weight * 0.5
    layer.weight = nn.Parameter(layer.weight.data * 0.5)  # a new one replaces it
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert any(p is layer.weight for p in layer.parameters())


def test_none_takes_a_part_away_and_a_part_comes_back():
    layer = conv()
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert layer(IMAGE).shape == (1, 2, 3, 3)
    with pytest.raises(TypeError, match="^bias of Conv2d must be a Parameter or None"):
        layer.bias = tensor([0.0, 0.0])
    layer.bias = nn.Parameter(np.ones(2, np.float32))
    assert "bias" in layer.state_dict()


def test_a_deleted_name_is_free():
    layer = conv()
    kept = layer.weight
    del layer.weight
    assert list(layer.state_dict()) == ["bias"]
    layer.weight = kept * 2  # as weight normalisation does
    assert list(layer.state_dict()) == ["bias"]
    assert layer(IMAGE).requires_grad
    with pytest.raises(AttributeError):
        del layer.nothing


def test_a_module_or_a_parameter_may_take_the_place_of_a_module():
    net = nn.Sequential(conv(), nn.ReLU())
    setattr(net, "1", nn.ReLU6())
    assert repr(net[1]) == "ReLU6()"
    setattr(net, "1", nn.Parameter(np.ones(2)))
    assert list(net.state_dict()) == ["1", "0.weight", "0.bias"]


def test_plain_attributes_are_free():
    layer = conv()
    layer.note, layer.latest = "text", None
    layer.latest = layer(IMAGE)
    layer.latest = None
    layer.note = 5
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert "_taken" not in repr(layer)
    assert list(copy.deepcopy(layer).state_dict()) == ["weight", "bias"]


@pytest.mark.oracle
def test_assigning_is_pytorchs():
    torch = pytest.importorskip("torch")

    def outcome(make, name, value):
        module = make()
        try:
            setattr(module, name, value)
        except TypeError:
            return "TypeError"
        return sorted(module.state_dict())

    ours = {"p": nn.Parameter(np.ones((2, 2, 1, 1), np.float32)), "n": None, "f": 1.0, "m": conv()}
    theirs = {
        "p": torch.nn.Parameter(torch.ones(2, 2, 1, 1)),
        "n": None,
        "f": 1.0,
        "m": torch.nn.Conv2d(2, 2, 1),
    }
    for name in ("weight", "bias"):
        for value in ours:
            expected = outcome(lambda: torch.nn.Conv2d(2, 2, 1), name, theirs[value])
            assert outcome(conv, name, ours[value]) == expected


# -- Hidden in lists -----------------------------------------------------------------------------


class Holder(nn.Module):
    def __init__(self, **parts):
        self.__dict__.update(parts)


HIDDEN = {
    "a list of modules": lambda: [conv(), nn.ReLU()],
    "a tuple": lambda: (nn.ReLU(),),
    "a dict": lambda: {"a": conv()},
    "a list of parameters": lambda: [nn.Parameter(np.ones(2))],
    "lists in a dict": lambda: {"a": [1, [nn.Buffer(np.ones(2))]]},
}


@pytest.mark.parametrize("make", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize(
    "walk",
    [
        lambda m: list(m.parameters()),
        lambda m: m.state_dict(),
        lambda m: m.load_state_dict({}),
        lambda m: m.eval(),
        lambda m: m.to("cpu"),
        lambda m: SGD(m.parameters(), lr=0.1),
    ],
)
def test_what_hides_in_a_list_is_named(make, walk):
    for module in (Holder(layers=make()), nn.Sequential(Holder(layers=make()))):
        with pytest.raises(TypeError, match="^layers of Holder is a .* make it an nn.Seq"):
            walk(module)


def test_a_list_that_grows_later_is_named_too():
    module = Holder(layers=[], sizes=[1, 2], names={"a": "b"})
    assert list(module.parameters()) == []
    module.layers.append(conv())
    with pytest.raises(TypeError, match="^layers of Holder is a list"):
        module.parameters().__next__()


# -- Sequential ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        (F.relu,),
        (nn.ReLU,),
        ([nn.ReLU()],),
        (None,),
        ({"a": nn.ReLU()},),
        (OrderedDict(a=F.relu),),
        (OrderedDict(a=nn.ReLU()), nn.ReLU()),
        (nn.Parameter(np.ones(2)),),
        ("relu",),
        (m for m in [nn.ReLU()]),
    ],
)
def test_sequential_takes_modules_only(wrong):
    modules = wrong if isinstance(wrong, tuple) else (wrong,)
    for before in ((), (conv(),)):
        with pytest.raises(TypeError, match=r"^modules must be Modules, such as nn.ReLU\(\); got"):
            nn.Sequential(*before, *modules)


def test_sequential_names_its_modules_as_an_ordered_dict_does():
    net = nn.Sequential(OrderedDict(first=conv(), relu=nn.ReLU(), last=conv()))
    assert list(net.state_dict()) == ["first.weight", "first.bias", "last.weight", "last.bias"]
    assert (len(net), net[0], net.relu) == (3, net.first, net[1])
    expected = net.last(F.relu(net.first(IMAGE)))
    np.testing.assert_array_equal(net(IMAGE).data, expected.data)
    assert [name for name, _ in net[1:].children()] == ["relu", "last"]
    assert len(nn.Sequential(OrderedDict())) == 0


@pytest.mark.parametrize("name", ["", "a.b", "forward", "training", "eval", 3])
def test_sequential_refuses_names_that_mean_something_else(name):
    with pytest.raises(ValueError, match="^the name of a module must be new, without a dot; got"):
        nn.Sequential(OrderedDict([(name, nn.ReLU())]))


def test_a_part_of_a_sequential_is_one():
    net = nn.Sequential(conv(), nn.ReLU(), conv())
    part = net[:2]
    assert isinstance(part, nn.Sequential)
    np.testing.assert_array_equal(part(IMAGE).data, F.relu(net[0](IMAGE)).data)
    assert [name for name, _ in net[1:].children()] == ["1", "2"]


# -- Used twice ----------------------------------------------------------------------------------


class Twice(nn.Module):
    """One layer under two names, and one weight in two layers."""

    def __init__(self):
        self.a, self.tied = linear(), linear()
        self.b = self.a
        self.tied.weight = self.a.weight
        self.norm = nn.BatchNorm2d(2)
        self.again = nn.Sequential(self.norm, self.norm)

    def forward(self, x):
        return self.tied(self.b(self.a(x)))


def test_what_is_used_twice_is_one_set_of_parameters():
    net = Twice()
    names = [name for name, _ in net.named_parameters()]
    assert names == ["a.weight", "a.bias", "tied.bias", "norm.weight", "norm.bias"]
    assert len({id(m) for m in net.modules()}) == len(list(net.modules())) == 5
    assert {"a.weight", "b.weight", "tied.weight", "again.1.weight"} <= set(net.state_dict())


def test_what_is_used_twice_is_stepped_once():
    net, x = Twice(), Tensor(np.ones((3, 2), np.float32))
    net(x).sum().backward()
    before, slope = net.a.weight.data.copy(), net.a.weight.grad.data.copy()
    SGD(net.parameters(), lr=0.5).step()
    np.testing.assert_array_equal(net.tied.weight.data, before - 0.5 * slope)


def test_what_is_used_twice_is_switched_and_moved_once():
    net = Twice()
    net(Tensor(np.ones((3, 2), np.float32))).sum().backward()
    net.eval().to(dtype=np.float64)
    assert not net.again[1].training
    assert net.a.weight is net.b.weight is net.tied.weight
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net.a.weight.grad.dtype == np.float64
    net.zero_grad()
    assert net.tied.weight.grad is None


def test_the_state_of_what_is_used_twice():
    net, other = Twice(), Twice()
    with no_grad():
        other.a.weight += 1
    net.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(net.tied.weight.data, other.a.weight.data)
    state = other.state_dict()
    state["b.weight"] = state["b.weight"] + 1
    before = net.state_dict()
    with pytest.raises(ValueError, match="^state: a.weight and b.weight are one tensor here"):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(ValueError, match="missing"):
        net.load_state_dict({n: a for n, a in before.items() if not n.startswith("b.")})


@pytest.mark.oracle
def test_what_is_used_twice_is_as_in_pytorch():
    torch = pytest.importorskip("torch")
    layer, theirs = linear(), torch.nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    reference = torch.nn.Sequential(theirs, torch.nn.ReLU(), theirs)
    assert list(net.state_dict()) == list(reference.state_dict())
    assert [n for n, _ in net.named_parameters()] == [n for n, _ in reference.named_parameters()]
    assert len(list(net.modules())) == len(list(reference.modules()))
    net.load_state_dict(reference.state_dict())
    np.testing.assert_array_equal(layer.weight.data, theirs.weight.detach().numpy())


def test_a_state_may_hold_tensors():
    layer, other = linear(), linear()
    with no_grad():
        other.weight += 1
    layer.load_state_dict(dict(other.named_tensors()))
    np.testing.assert_array_equal(layer.weight.data, other.weight.data)
    assert layer.weight.data is not other.weight.data


def test_a_state_with_a_mask_is_refused():
    layer = nn.Linear(2, 2, generator=np.random.default_rng(0))
    masked = np.ma.array(np.ones((2, 2)), mask=np.eye(2, dtype=bool))
    before = layer.state_dict()
    with pytest.raises(TypeError, match="^a masked array has no plain values"):
        layer.load_state_dict({**before, "weight": masked})
    np.testing.assert_array_equal(layer.weight.data, before["weight"])
