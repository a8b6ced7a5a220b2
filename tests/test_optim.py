import math

import numpy as np
import pytest

from minifcn import Tensor, tensor
from minifcn.nn import Buffer, Module, Parameter, Sequential
from minifcn.optim import SGD, Adam, Optimizer, cosine, poly

SHAPES = ((3, 2), (4,), ())


def make_parameters(seed=0):
    generator = np.random.default_rng(seed)
    return [Parameter(np.array(generator.standard_normal(shape))) for shape in SHAPES]


def set_gradients(parameters, step):
    """Different gradients each step, small and large ones, the last parameter without any."""
    generator = np.random.default_rng([7, step])
    for parameter in parameters[:-1]:
        scale = 10.0 ** generator.integers(-3, 3)
        parameter.grad = Tensor(scale * generator.standard_normal(parameter.shape))


CHOICES = {
    "sgd": (SGD, "SGD", {"lr": 0.1}),
    "momentum": (SGD, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "decay": (SGD, "SGD", {"lr": 0.1, "momentum": 0.99, "weight_decay": 5e-2}),
    "adam": (Adam, "Adam", {}),
    "adam decay": (
        Adam,
        "Adam",
        {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.1},
    ),
    "adam short memory": (Adam, "Adam", {"lr": 0.02, "betas": (0.5, 0.6)}),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", CHOICES)
def test_ten_steps_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    kind, kind_reference, settings = CHOICES[name]
    ours = make_parameters()
    theirs = [torch.tensor(p.data.copy(), requires_grad=True) for p in ours]
    optimizer = kind(ours, **({"lr": 1e-3} | settings))
    reference = getattr(torch.optim, kind_reference)(theirs, **settings)
    for step in range(10):
        set_gradients(ours, step)
        for p, q in zip(ours[:-1], theirs, strict=False):
            q.grad = torch.from_numpy(p.grad.data.copy())
        optimizer.lr = reference.param_groups[0]["lr"] = settings.get("lr", 1e-3) / (1 + step)
        optimizer.step()
        reference.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12, atol=1e-13)


# -- The rules, by hand --------------------------------------------------------------------------


def test_sgd_by_hand():
    p = Parameter(np.array([1.0]))
    optimizer = SGD([p], lr=0.5, momentum=0.5, weight_decay=0.1)
    p.grad = Tensor(np.array([2.0]))
    optimizer.step()  # v = 2 + 0.1
    np.testing.assert_allclose(p.data, 1 - 0.5 * 2.1)
    before = p.data.item()
    optimizer.step()  # v = 2.1 / 2 + 2 + 0.1 * p
    np.testing.assert_allclose(p.data, before - 0.5 * (1.05 + 2 + 0.1 * before))


def test_adams_first_step_is_lr_whatever_the_gradient():
    p = Parameter(np.zeros(3))
    p.grad = Tensor(np.array([1e-3, -5.0, 1e4]))
    Adam([p], lr=0.1).step()
    np.testing.assert_allclose(p.data, [-0.1, 0.1, -0.1], rtol=1e-4)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_float32_stays_float32_and_in_place(kind):
    p = Parameter(np.ones(3, np.float32))
    array, p.grad = p.data, Tensor(np.ones(3, np.float32))
    optimizer = kind([p], lr=0.1, weight_decay=0.1)
    optimizer.step()
    assert p.data is array
    assert (array != 1).all()
    dtypes = {array.dtype for name, array in optimizer.state_dict().items() if name != "steps"}
    assert dtypes == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_no_gradient_no_change(kind):
    p = Parameter(np.ones(3))
    optimizer = kind([p], lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert p.data.tolist() == [1, 1, 1]
    assert optimizer.steps == 1


def test_zero_grad():
    parameters = make_parameters()
    set_gradients(parameters, 0)
    SGD(iter(parameters), lr=0.1).zero_grad()
    assert [p.grad for p in parameters] == [None] * 3


# -- State ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_state_round_trip_goes_on_as_if_never_stopped(kind):
    settings = {"momentum": 0.9} if kind is SGD else {}
    ours = make_parameters()
    optimizer = kind(ours, lr=0.1, **settings)
    for step in range(3):
        set_gradients(ours, step)
        optimizer.step()
    saved = optimizer.state_dict()
    copies = [Parameter(p.data.copy()) for p in ours]
    resumed = kind(copies, lr=0.1, **settings)
    resumed.load_state_dict(saved)
    for step in range(3, 6):
        for parameters, stepper in ((ours, optimizer), (copies, resumed)):
            set_gradients(parameters, step)
            stepper.step()
    for p, q in zip(ours, copies, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert resumed.steps == 6


def test_state_dict_is_a_copy_with_names():
    parameters = make_parameters()
    optimizer = Adam(parameters)
    set_gradients(parameters, 0)
    saved = optimizer.state_dict()
    assert list(saved) == [
        "steps",
        *(f"mean.{i}" for i in range(3)),
        *(f"square.{i}" for i in range(3)),
    ]
    optimizer.step()
    assert not saved["mean.0"].any()
    assert saved["steps"] == 0
    assert optimizer.state_dict()["steps"] == 1


BROKEN = {
    "missing": (lambda s: {n: a for n, a in s.items() if n != "mean.1"}, "see mean.1"),
    "unknown": (lambda s: s | {"velocity.0": s["mean.0"]}, "see velocity.0"),
    "shape": (
        lambda s: s | {"square.1": np.ones(5)},
        r"square.1 must have shape \(4,\); got \(5,\)",
    ),
    "steps shape": (lambda s: s | {"steps": np.ones(2)}, r"steps must have shape \(\); got \(2,\)"),
    "steps negative": (lambda s: s | {"steps": np.array(-1)}, "steps must be at least 0; got -1"),
    "steps NaN": (lambda s: s | {"steps": np.array(np.nan)}, "cannot convert float NaN"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_state_changes_nothing(case):
    change, message = BROKEN[case]
    parameters = make_parameters()
    optimizer = Adam(parameters)
    set_gradients(parameters, 0)
    optimizer.step()
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(change(Adam(parameters).state_dict()))
    for name, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# -- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: SGD([], lr=0.1), "parameters must hold at least one tensor; got none"),
        (lambda p: SGD(p, lr=-1), "lr must be at least 0; got -1"),
        (lambda p: Adam(p, lr=math.nan), "lr must be at least 0; got nan"),
        (lambda p: SGD(p, lr=1, momentum=-0.1), "momentum must be at least 0; got -0.1"),
        (lambda p: SGD(p, lr=1, weight_decay=-1), "weight_decay must be at least 0; got -1"),
        (lambda p: SGD(p, lr=1, momentum=math.inf), "momentum must be finite; got inf"),
        (lambda p: Adam(p, eps=-1e-8), "eps must be at least 0; got -1e-08"),
        (lambda p: Adam(p, betas=(0.9, 1.0)), r"betas must be in \[0, 1\); got \(0.9, 1.0\)"),
    ],
)
def test_wrong_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make(make_parameters())


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: p[0] * 0.01, TypeError, "^parameters must be a list of Tensors.*got Tensor$"),
        (lambda p: p[0], TypeError, "^parameters must be a list of Tensors, .*; got Parameter$"),
        (lambda p: "weight", TypeError, "^parameters must be .*; got str$"),
        (lambda p: {"weight": p[0]}, TypeError, "^parameters must be .*; got dict$"),
        (lambda p: None, TypeError, "^parameters must be .*; got NoneType$"),
        (lambda p: Module(), TypeError, "^parameters must be .*; got Module$"),
        (lambda p: Sequential(Sequential()), TypeError, r"^parameters\[0\] must be .* Sequential$"),
        (lambda p: [{"weights": p}], TypeError, r"^parameters\[0\] must be a group .*'weights'\]$"),
        (lambda p: [p], TypeError, r"^parameters\[0\] must be a Tensor; got list$"),
        (lambda p: [p[0], "bias"], TypeError, r"^parameters\[1\] must be a Tensor; got str$"),
        (lambda p: [p[0].data], TypeError, r"^parameters\[0\] must be a Tensor; got ndarray$"),
        (lambda p: enumerate(p), TypeError, r"^parameters\[0\] must be a Tensor; got tuple$"),
        (lambda p: [p[0], p[1] * 2], ValueError, r"^parameters\[1\] must be a leaf.* by mul$"),
        (lambda p: [p[0], p[1].reshape(2, 2)], ValueError, r"^parameters\[1\] .* by reshape$"),
        (lambda p: [p[0], Tensor(np.ones(2))], ValueError, r"^parameters\[1\] must require a gra"),
        (lambda p: [p[0].detach()], ValueError, r"^parameters\[0\] must require a gradient"),
        (lambda p: [Tensor(np.ones(2, int))], ValueError, r"^parameters\[0\] must require a grad"),
        (lambda p: [Buffer(np.ones(2)), p[0]], ValueError, r"^parameters\[0\] must require a gra"),
        (lambda p: [Parameter(np.ones(2), False)], ValueError, "^parameters must have one that"),
        (lambda p: [p[0], p[1], p[0]], ValueError, "^parameters must be different tensors"),
        (lambda p: consumed(p), ValueError, "^parameters must hold at least one tensor; got none"),
    ],
)  # fmt: skip
def test_what_an_optimiser_cannot_move_is_refused(kind, make, error, message):
    with pytest.raises(error, match=message):
        kind(make(make_parameters()), lr=0.1)


def consumed(parameters):
    """A generator whose elements somebody has counted."""
    generator = (p for p in parameters)
    assert len(list(generator)) == 3
    return generator


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("name", ["lr", "weight_decay"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (math.inf, ValueError),
        (math.nan, ValueError),
        (-1e-9, ValueError),
        ("0.1", TypeError),
        (None, TypeError),
        (Tensor(np.array(0.1)), TypeError),
        (np.array([0.1]), TypeError),
    ],
)
def test_settings_are_finite_numbers(kind, name, value, error):
    with pytest.raises(error, match=f"^{name} must be "):
        kind(make_parameters(), **({"lr": 0.1} | {name: value}))
    kind(make_parameters(), **({"lr": 0.1} | {name: np.float32(0.5)}))


def test_a_fixed_parameter_among_others_is_left_alone():
    fixed, moving = Parameter(np.ones(2), requires_grad=False), Parameter(np.ones(2))
    optimizer = SGD([fixed, moving], lr=1.0)
    (fixed * moving).sum().backward()
    optimizer.step()
    assert (fixed.data.tolist(), moving.data.tolist()) == ([1, 1], [0, 0])
    fixed.requires_grad = True  # thawed
    (fixed * 3).sum().backward()
    optimizer.step()
    assert fixed.data.tolist() == [-2, -2]


def test_a_leaf_that_is_no_parameter_is_moved():
    w = tensor([1.0, 2.0], requires_grad=True)
    optimizer = SGD((x for x in [w]), lr=0.5)
    (w * w).sum().backward()
    optimizer.step()
    assert w.data.tolist() == [0, 0]


def test_an_optimiser_must_define_its_rule():
    parameters = make_parameters()
    set_gradients(parameters, 0)
    with pytest.raises(TypeError, match="Optimizer defines no update"):
        Optimizer(parameters, 0.1, 0.0).step()


# -- Schedules -----------------------------------------------------------------------------------


def test_cosine_goes_from_one_to_zero():
    factors = [cosine(i, 100) for i in range(101)]
    assert factors[0] == 1
    assert abs(factors[50] - 0.5) < 1e-12
    assert abs(factors[100]) < 1e-12
    assert factors == sorted(factors, reverse=True)
    np.testing.assert_allclose(factors[25], (1 + math.sqrt(0.5)) / 2)


def test_cosine_warms_up_evenly():
    factors = [cosine(i, 100, warmup=4) for i in range(6)]
    np.testing.assert_allclose(factors[:5], [0.2, 0.4, 0.6, 0.8, 1])
    assert factors[5] < 1
    assert abs(cosine(52, 100, warmup=4) - 0.5) < 1e-12


def test_poly():
    assert poly(0, 10) == 1
    np.testing.assert_allclose(poly(5, 10), 0.5**0.9)
    np.testing.assert_allclose(poly(5, 10, power=2), 0.25)
    assert poly(10, 10) == 0


@pytest.mark.parametrize("schedule", [cosine, poly])
def test_schedules_stay_at_their_end(schedule):
    assert schedule(12, 10) == schedule(10, 10) == 0
    assert schedule(0, 0) == 0


@pytest.mark.oracle
def test_cosine_is_pytorchs():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
    for i in range(30):
        np.testing.assert_allclose(cosine(i, 30), optimizer.param_groups[0]["lr"], atol=1e-12)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("wrong", [np.ones(2, np.float32), 1.0, [1.0, 1.0]])
def test_a_gradient_that_is_no_tensor_is_refused(wrong):
    first, second = (Parameter(np.ones(2, np.float32)) for _ in range(2))
    first.grad, second.grad = Tensor(np.ones(2, np.float32)), wrong
    optimizer = SGD([first, second], lr=0.1)
    with pytest.raises(TypeError, match=r"^the grad of parameters\[1\] must be a Tensor; got"):
        optimizer.step()
    assert (optimizer.steps, first.data.tolist()) == (0, [1, 1])


# -- Groups --------------------------------------------------------------------------------------


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["momentum", "adam decay"])
def test_groups_learn_at_their_own_rates_as_in_pytorch(name):
    torch = pytest.importorskip("torch")
    kind, kind_reference, settings = CHOICES[name]
    ours = make_parameters()
    theirs = [torch.tensor(p.data.copy(), requires_grad=True) for p in ours]
    optimizer, reference = (
        make([{"params": own[:1], "lr": 0.003}, {"params": own[1:]}], **({"lr": 0.02} | settings))
        for make, own in ((kind, ours), (getattr(torch.optim, kind_reference), theirs))
    )
    first = reference.param_groups[0]["lr"] / reference.param_groups[1]["lr"]
    for step in range(5):
        set_gradients(ours, step)
        for p, q in zip(ours[:-1], theirs, strict=False):
            q.grad = torch.from_numpy(p.grad.data.copy())
        optimizer.lr = 0.02 / (1 + step)
        for group, factor in zip(reference.param_groups, (first, 1), strict=True):
            group["lr"] = factor * 0.02 / (1 + step)
        if name == "momentum":  # its own lr is 0.1
            optimizer.lr *= 5
            for group in reference.param_groups:
                group["lr"] *= 5
        optimizer.step()
        reference.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12, atol=1e-13)


def test_a_rate_of_0_leaves_a_group_as_it_is():
    moving, still = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer = SGD([{"params": [moving]}, {"params": [still], "lr": 0}], lr=0.1)
    for p in (moving, still):
        p.grad = Tensor(np.ones(2))
    optimizer.step()
    np.testing.assert_allclose(moving.data, 0.9)
    np.testing.assert_array_equal(still.data, 1)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([{"parameters": []}], r"parameters\[0\] must be a group .* got \['parameters'\]"),
        ([{"params": []}, Parameter(np.ones(1))], r"parameters\[1\] must be .* got Parameter"),
        ([{"params": Parameter(np.ones(1))}], r"parameters\[0\]\['params'\] must be a list"),
        ([{"params": [], "momentum": 0.1}], r"got \['momentum', 'params'\]"),
    ],
)
def test_what_is_no_group(groups, message):
    with pytest.raises(TypeError, match=message):
        SGD(groups, lr=0.1)


def test_wrong_rates_of_groups():
    p = Parameter(np.ones(1))
    with pytest.raises(ValueError, match=r"parameters\[0\]\['lr'\] must be at least 0; got -1"):
        Adam([{"params": [p], "lr": -1}])
    with pytest.raises(ValueError, match="lr must be positive where groups have others; got 0"):
        SGD([{"params": [p], "lr": 1.0}], lr=0.0)
    with pytest.raises(ValueError, match="different tensors; got one of them twice"):
        SGD([{"params": [p]}, {"params": [p]}], lr=0.1)
