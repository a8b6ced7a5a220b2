"""Changes in place: as in PyTorch, or an error; a backward that needs the old values says so."""

import copy
import operator

import numpy as np
import pytest

from minifcn import Tensor, grad, nn, no_grad, tensor
from minifcn import functional as F
from minifcn.optim import SGD, Adam
from minifcn.tensor import record

CHANGED = "^values that .* used or made were changed in place since, by a step of an"
OPERATIONS = {
    "add": operator.iadd,
    "sub": operator.isub,
    "mul": operator.imul,
    "div": operator.itruediv,
    "pow": operator.ipow,
}


def leaf(*values):
    return tensor(np.array(values), requires_grad=True)


# -- The operators -------------------------------------------------------------------------------


@pytest.mark.parametrize("change", OPERATIONS.values(), ids=OPERATIONS)
def test_without_recording_the_array_itself_changes(change):
    for requires_grad in (True, False):
        x = tensor(np.array([3.0, 2.0]), requires_grad=requires_grad)
        array, expected = x.data, change(x.data.copy(), 2.0)
        with no_grad():
            y = change(x, 2)
        assert y is x
        assert x.data is array
        assert x.requires_grad is requires_grad
        assert x.grad_fn is None
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("change", OPERATIONS.values(), ids=OPERATIONS)
def test_a_leaf_that_needs_a_gradient_is_refused(change):
    x = leaf(3.0)
    with pytest.raises(RuntimeError, match="^a leaf cannot be changed in place where"):
        change(x, 2)
    assert (x.item(), x.requires_grad, x.grad_fn) == (3, True, None)


def test_the_update_of_pytorchs_tutorials():
    layer = nn.Linear(2, 1, generator=np.random.default_rng(0))
    before, arrays = layer.state_dict(), [p.data for p in layer.parameters()]
    layer(Tensor(np.ones((3, 2), np.float32))).sum().backward()
    with no_grad():
        for p in layer.parameters():
            p -= 0.5 * p.grad
        layer.weight += 1  # the module's own name for it
    np.testing.assert_array_equal(layer.weight.data, before["weight"] - 1.5 + 1)
    np.testing.assert_array_equal(layer.bias.data, before["bias"] - 1.5)
    assert all(p.data is array for p, array in zip(layer.parameters(), arrays, strict=True))
    with pytest.raises(RuntimeError, match="^a leaf cannot be changed in place"):
        layer.weight += 1


def test_a_computed_tensor_changes_with_its_history():
    x = leaf(2.0, 3.0)
    y = x * x
    same = y
    y += x
    y *= y
    assert same is y
    np.testing.assert_array_equal(y.data, [36, 144])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [2 * 6 * 5, 2 * 12 * 7])


def test_a_sum_of_losses():
    """`total += loss` from 0, from a tensor, and from a loss: each the usual way somewhere."""
    for start in (lambda x: 0, lambda x: tensor(np.zeros(())), lambda x: (x * 0).sum()):
        x = leaf(2.0, 3.0)
        total = start(x)
        for power in (1, 2, 3):
            total += (x**power).sum()
        total.backward()
        np.testing.assert_array_equal(x.grad.data, 1 + 2 * x.data + 3 * x.data**2)


def test_a_residual_connection_in_place():
    generator = np.random.default_rng(0)
    x = Tensor(generator.standard_normal((2, 3, 4, 4)), requires_grad=True)
    conv = nn.Conv2d(3, 3, 3, padding=1, relu=True, generator=generator).to(dtype=np.float64)

    def gradients(block):
        return [g.data for g in grad((block() ** 2).sum(), [x, *conv.parameters()])]

    def in_place():
        y = conv(x)
        y += x
        return F.relu(y)

    for a, b in zip(gradients(in_place), gradients(lambda: F.relu(conv(x) + x)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_masks_change_in_place():
    mask, same = tensor([True, True, False]), tensor([True, False, False])
    array = mask.data
    mask &= same
    assert array.tolist() == [True, False, False]
    mask |= tensor([False, False, True])
    mask ^= tensor([True, True, True])
    assert array.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "share", [lambda y: y[0], lambda y: y.reshape(-1), lambda y: y.transpose(), Tensor.detach]
)
def test_what_shares_an_array_is_not_changed_where_that_is_recorded(share):
    x = tensor(np.ones((2, 2)), requires_grad=True)
    y = x * 2
    view = share(y)
    for changed in (y, view):
        with pytest.raises(RuntimeError, match="^a tensor that shares its array cannot be changed"):
            changed += x.sum()
    np.testing.assert_array_equal(y.data, 2)
    with no_grad():
        view += 1  # a view changes what it is a view of, as in PyTorch
    np.testing.assert_array_equal(view.data, 3)
    assert (y.data == 3).sum() == view.size


def test_a_single_element_is_a_view_too():
    x = tensor([1.0, 2.0])
    element = x[1]
    element += 5
    assert x.data.tolist() == [1, 7]
    x[0] *= 3
    assert x.data.tolist() == [3, 7]


def test_what_would_become_another_kind_of_tensor_is_refused():
    labels = tensor([1, 2])
    with pytest.raises(TypeError, match=r"^in place, a int64 cpu Tensor \(2,\) cannot become a fl"):
        labels /= 2
    one = tensor([1.0])
    with pytest.raises(TypeError, match=r"^in place, a float32 .* \(1,\) cannot become .* \(2,\)$"):
        one += tensor([1.0, 2.0])
    assert labels.data.tolist() == [1, 2]


# -- Elements ------------------------------------------------------------------------------------


def test_elements_are_assigned_as_in_an_array():
    x, array = tensor([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    for index, value in (
        ((0, 1), 5),
        (slice(None, 1), tensor([[7.0, 8.0]])),
        (np.array([True, False]), np.float32(9)),
        ((..., 0), [0.0, 1.0]),
    ):
        x[index] = value
        array[index] = value.data if isinstance(value, Tensor) else value
        np.testing.assert_array_equal(x.data, array)
    labels = tensor([0, 255, 1])
    labels[labels == 255] = -100
    assert labels.data.tolist() == [0, -100, 1]
    with pytest.raises(IndexError, match="out of bounds"):
        x[2] = 0
    with pytest.raises(ValueError, match="broadcast"):
        x[0] = tensor([1.0, 2.0, 3.0])


def test_elements_are_not_assigned_where_that_should_be_recorded():
    x, y = leaf(1.0, 2.0), tensor(np.zeros(2))
    for target, value in ((x, 0.0), (x * 2, 0.0), (y, x), (y, x[0])):
        with pytest.raises(RuntimeError, match="^elements cannot be changed in place where"):
            target[0] = value
    with no_grad():
        x[0] = 5
        y[...] = x
    assert (x.data.tolist(), y.data.tolist()) == ([5, 2], [5, 2])


# -- Backward notices ----------------------------------------------------------------------------


def stepped(kind):
    def step(w):
        w.grad = Tensor(np.ones_like(w.data))
        kind([w], lr=0.1).step()

    return step


def assigned(w):
    with no_grad():
        w[...] = 7


def subtracted(w):
    with no_grad():
        w -= 1


def detached(w):
    cut = w.detach()
    cut *= 2


def through_a_view(w):
    with no_grad():
        w.reshape(-1)[:1].transpose(0, 0)[0] -= 1


def loaded(w):
    holder = nn.Sequential()
    holder.w = w
    holder.load_state_dict({"w": w.data + 1})


def converted(w):
    holder = nn.Sequential()
    holder.w = w
    holder.to(dtype=np.float32)


CHANGES = {
    "SGD": stepped(SGD),
    "Adam": stepped(Adam),
    "elements": assigned,
    "operator": subtracted,
    "detached": detached,
    "view": through_a_view,
    "load_state_dict": loaded,
    "dtype": converted,
    "initialisation": lambda w: nn.init.kaiming_normal_(w, np.random.default_rng(0)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_backward_refuses_values_that_changed(change):
    w = nn.Parameter(np.array([2.0, 3.0]))
    y = (w * w * w).sum()
    change(w)
    w.grad = None
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()
    assert w.grad is None
    with pytest.raises(RuntimeError, match=CHANGED):
        grad(y, w)
    w.data = w.data.astype(np.float64)
    (w * w).sum().backward()  # computed again it is right
    np.testing.assert_allclose(w.grad.data, 2 * w.data)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_backward_refuses_results_that_changed(change):
    """relu goes back by its result."""
    x = leaf(2.0, -3.0)
    y = F.relu(x)
    z = y.sum()
    twin = nn.Parameter(np.zeros(2))  # an optimiser and a module take leaves only
    twin.data, twin.version = y.data, y.own_version()
    change(twin)
    if twin.data is y.data:
        with pytest.raises(RuntimeError, match=CHANGED):
            z.backward()
        assert x.grad is None


@pytest.mark.parametrize("name", ["add", "mul", "sub", "truediv"])
@pytest.mark.parametrize("shape", [(), (1,), (2, 1)])
def test_operands_that_were_broadcast_are_watched(name, shape):
    """They need no gradient themselves: a scale, a mean, a mask."""
    w, scale = leaf(2.0, 3.0), tensor(np.full(shape, 4.0))
    right = {"add": 1, "mul": 4, "sub": 1, "truediv": 0.25}[name] * max(1, scale.size)
    y = getattr(operator, name)(w, scale).sum()
    y.backward()
    np.testing.assert_array_equal(w.grad.data, [right, right])
    y = getattr(operator, name)(w, scale).sum()
    scale += 1
    if name in ("mul", "truediv"):
        with pytest.raises(RuntimeError, match=CHANGED):
            y.backward()
    z = (w * scale).sum()
    scale = scale + 1
    z.backward()  # another tensor


def test_what_was_broadcast_may_change_with_its_history():
    x = leaf(2.0) * 3
    y = x + np.array([1.0, 2.0])
    x *= 2
    with pytest.raises(RuntimeError, match=CHANGED):
        y.sum().backward()
    z = x.sum()
    z.backward()


@pytest.mark.parametrize("wrap", [Tensor, nn.Parameter, nn.Buffer, copy.copy])
@pytest.mark.parametrize("used_first", [True, False])
def test_tensors_of_one_array_are_watched_together(wrap, used_first):
    w, x = leaf(3.0), tensor(np.array([2.0]))
    other = wrap(x)
    assert other.data is x.data
    used, changed = (x, other) if used_first else (other, x)
    y = (w * used).sum()
    with no_grad():
        changed *= 10
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()


def test_what_was_made_before_a_recorded_change_is_refused():
    x = leaf(2.0)
    y = x * 3
    before = y * y
    y += 1
    with pytest.raises(RuntimeError, match=CHANGED):
        before.backward()
    after = y * y
    after.backward()
    assert x.grad.item() == 2 * 7 * 3


def test_a_change_of_what_it_is_added_to_is_refused():
    """In `y += f(y)`, f needs y as it was."""
    x = leaf(2.0)
    y = x * 3
    y += y.exp()
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()


def test_running_statistics_may_move_before_backward():
    """It has copies of what they were."""
    generator = np.random.default_rng(0)
    layer = nn.BatchNorm2d(2)
    x = Tensor(generator.random((2, 2, 3, 3)).astype(np.float32))
    layer.eval()(x).sum().backward()
    expected, layer.weight.grad = layer.weight.grad.data, None
    y = layer(x).sum()
    layer.train()(x)
    assert layer.running_mean.data.any()
    y.backward()
    np.testing.assert_array_equal(layer.weight.grad.data, expected)
    layer.weight.grad = None
    twice = layer(x).sum() + layer(x * 2).sum()  # in training they are not what backward needs
    twice.backward()
    assert layer.weight.grad is not None


def test_an_accumulated_gradient_has_changed():
    w = leaf(2.0)
    (w * w).backward()
    y = (w * w.grad).sum()
    (w * 3).backward()  # adds to w.grad, in place
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()


def test_switches_that_changed_are_noticed():
    x = Tensor(np.arange(16.0).reshape(1, 1, 4, 4), requires_grad=True)
    y, switches = F.max_pool2d(x, 2, return_indices=True)
    z = F.max_unpool2d(y.detach() * x[:, :, :2, :2], switches, 2)
    switches[...] = 0
    for changed in (y, z):
        with pytest.raises(RuntimeError, match=CHANGED):
            changed.sum().backward()
    y, switches = F.max_pool2d(x, 2, return_indices=True)
    F.max_unpool2d(y, switches, 2).sum().backward()
    assert x.grad.data.sum() == 4


def test_own_operations_are_watched_too():
    x = leaf(1.0)
    constant = tensor(np.array([3.0]))
    y = record("thrice", x.data * constant.data, (x, lambda g: g * constant), (constant, None))
    constant += 1
    with pytest.raises(RuntimeError, match="^values that thrice used"):
        y.backward()


# -- What must go on working ---------------------------------------------------------------------


def test_training_as_usual():
    """Steps, accumulation, two networks in turn, and a gradient of gradients between the steps."""
    generator = np.random.default_rng(0)
    make, judge = (
        nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, generator=generator), nn.BatchNorm2d(2))
        for _ in range(2)
    )
    first, second = SGD(make.parameters(), 0.1, momentum=0.9), Adam(judge.parameters())
    x = Tensor(generator.standard_normal((2, 2, 4, 4)).astype(np.float32))
    for _ in range(2):
        made = make(x)
        for optimizer, loss in (
            (second, lambda made=made: (judge(made.detach()) ** 2 + judge(x)).mean()),
            (first, lambda made=made: judge(made).mean()),
        ):
            optimizer.zero_grad()
            loss().backward()
            judge(x).sum().backward()  # adds up
            optimizer.step()
    w = make[0].weight
    (slope,) = grad((make(x) ** 2).sum(), w, create_graph=True)
    (slope * slope).sum().backward()
    first.step()
    assert np.isfinite(w.data).all()


def test_a_detached_history_goes_on_after_a_step():
    w = nn.Parameter(np.array([0.5]))
    optimizer, state = SGD([w], lr=0.1), tensor(np.array([1.0]))
    for _ in range(3):
        for _ in range(2):
            state = state * w + 1
        optimizer.zero_grad()
        (state * state).sum().backward()
        optimizer.step()
        state = state.detach()
    assert w.item() != 0.5


@pytest.mark.oracle
def test_a_loop_of_pytorchs_gives_pytorchs_weights():
    torch = pytest.importorskip("torch")
    start, x = np.array([0.3, -0.7]), np.array([1.5, 2.5])

    def train(w, x, no_grad, zero):
        for _ in range(3):
            total = zero()
            y = w * x
            y *= 3
            y += w
            total += y.sum()
            total += (w**2).sum()
            total.backward()
            with no_grad():
                w -= 0.05 * w.grad
                w.grad[...] = 0
        return w

    ours = train(
        tensor(start, requires_grad=True), tensor(x), no_grad, lambda: tensor(np.zeros(()))
    )
    theirs = train(
        torch.tensor(start, requires_grad=True),
        torch.tensor(x),
        torch.no_grad,
        lambda: torch.zeros((), dtype=torch.float64),
    )
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-14)


# -- Random programs -----------------------------------------------------------------------------


def random_steps(generator):
    """Up to eight steps: (what to do, with which of the tensors so far, an operator, a number)."""
    kinds = ["new", "exp", "relu", "in place", "quietly", "view", "assign", "detach", "step"]
    return [
        (
            generator.choice(kinds, p=[0.2, 0.1, 0.1, 0.2, 0.1, 0.1, 0.05, 0.1, 0.05]),
            *generator.integers(100, size=2).tolist(),
            generator.choice(["add", "sub", "mul", "truediv"]),
            float(generator.choice([0.5, 2.0, -1.5])),
        )
        for _ in range(generator.integers(2, 9))
    ]


def follow(steps, leaves, relu, no_grad):
    """Take the steps with Tensors of either library; return all values, and the gradients."""
    values = list(leaves)
    for kind, i, j, name, number in steps:
        i, a, b = i % len(values), values[i % len(values)], values[j % len(values)]
        b = b if b.shape == a.shape and name != "truediv" else number
        if kind in ("quietly", "assign", "step"):
            with no_grad():
                if kind == "quietly":
                    values[i] = getattr(operator, "i" + name)(a, number)
                elif kind == "assign":
                    a[...] = number
                else:
                    leaves[i % 2] -= 0.1
        elif kind == "in place":
            values[i] = getattr(operator, "i" + name)(a, b)
        else:
            make = {
                "new": lambda a=a, b=b, name=name: getattr(operator, name)(a, b),
                "exp": lambda a=a: (a * 0.1).exp(),
                "relu": lambda a=a: relu(a),
                "view": lambda a=a, j=j: a[0] if j % 2 else a.reshape(-1),
                "detach": lambda a=a: a.detach(),
            }
            values.append(make[kind]())
    sum(x.sum() for x in values if x.requires_grad).backward()
    return [x.detach().numpy() for x in values] + [leaf.grad.numpy() for leaf in leaves[:2]]


@pytest.mark.oracle
def test_random_programs_are_pytorchs_or_an_error():
    """Whatever is changed, and however: what comes out is what comes out of PyTorch, or nothing."""
    torch = pytest.importorskip("torch")
    compared = refused = 0
    for seed in range(400):
        steps = random_steps(np.random.default_rng(seed))
        start = np.random.default_rng(seed).random((2, 2, 2)) + 0.5
        ours = [tensor(x, requires_grad=True) for x in start]
        theirs = [torch.tensor(x, requires_grad=True) for x in start]
        try:
            found = follow(steps, [*ours, tensor(start[0])], F.relu, no_grad)
        except RuntimeError:
            refused += 1
            continue
        try:
            expected = follow(steps, [*theirs, torch.tensor(start[0])], torch.relu, torch.no_grad)
        except RuntimeError:
            continue  # PyTorch refuses `y *= y` too, which is right here
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, err_msg=f"seed {seed}: {steps}")
        compared += 1
    assert compared > 100
    assert refused > 50
