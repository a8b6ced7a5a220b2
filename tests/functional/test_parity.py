"""Every operation against PyTorch, forward and backward, on random shapes and arguments."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_windows import CHANNELS, GENERATORS, pairs, windows

from minifcn import Tensor, grad
from minifcn import functional as F
from minifcn.kernels import geometry

torch = pytest.importorskip("torch")
torch.set_num_threads(1)
TF = torch.nn.functional

pytestmark = pytest.mark.oracle

BATCH = st.integers(1, 2)
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def random_arguments(*strategies, examples=80):
    return lambda test: settings(max_examples=examples, deadline=None)(given(*strategies)(test))


# --- Comparing ------------------------------------------------------------------------------------


def close(ours, theirs):
    ours, theirs = ours.numpy(), theirs.detach().numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)


def both(array):
    """The same leaf twice: ours and PyTorch's."""
    if array is None:
        return None, None
    return Tensor(array.copy(), requires_grad=True), torch.tensor(array, requires_grad=True)


def compare(ours, theirs, *arrays, order=1):
    """Hold forward and backward (with `order` 2: also gradients of gradients) against PyTorch.

    ours and theirs take the arrays as leaves; None stays None. Returns both outputs.
    """
    x, t = zip(*map(both, arrays), strict=True)
    y, u = ours(*x), theirs(*t)
    close(y, u)
    x, t = ([leaf for leaf in leaves if leaf is not None] for leaves in (x, t))
    rng = np.random.default_rng(y.size)
    upstream, torch_upstream = both(rng.standard_normal(y.shape))
    found = grad(y, x, upstream, create_graph=order > 1)
    expected = torch.autograd.grad(u, t, torch_upstream, create_graph=order > 1)
    for a, b in zip(found, expected, strict=True):
        close(a, b)
    if order > 1:
        compare_second_order((*x, upstream), (*t, torch_upstream), found, expected, rng)
    return y, u


def compare_second_order(x, t, found, expected, rng):
    directions = [rng.standard_normal(g.shape) for g in found]
    ours = sum((g * Tensor(v)).sum() for g, v in zip(found, directions, strict=True))
    theirs = sum((g * torch.tensor(v)).sum() for g, v in zip(expected, directions, strict=True))
    seconds = torch.autograd.grad(theirs, t, allow_unused=True)
    assert any(second is not None for second in seconds)
    for leaf, second in zip(x, seconds, strict=True):
        try:
            (gradient,) = grad(ours, leaf, create_graph=True)
        except ValueError:  # ours does not depend on it
            gradient = Tensor(np.zeros(leaf.shape))
        close(gradient, torch.zeros(leaf.shape, dtype=torch.float64) if second is None else second)


# --- Random arguments -----------------------------------------------------------------------------


@st.composite
def convolutions(draw):
    """(x, weight, bias or None, settings); groups up to depthwise."""
    size, kernel_size, stride, padding, dilation = draw(windows())
    if draw(st.booleans()) and draw(st.booleans()):
        kernel_size, stride, padding = (1, 1), (1, 1), (0, 0)  # the matrix product
    rng, groups = draw(GENERATORS), draw(st.integers(1, 3))
    c, f = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    x = rng.standard_normal((draw(BATCH), c * groups, *size))
    weight = rng.standard_normal((f, c, *kernel_size))
    bias = rng.standard_normal(f) if draw(st.booleans()) else None
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return x, weight, bias, options


@st.composite
def transposed_convolutions(draw):
    """Like convolutions; output_padding goes up to the stride or the dilation, the larger one."""
    x, weight, bias, options = draw(convolutions())
    f, c = weight.shape[:2]
    small = draw(GENERATORS).standard_normal((len(x), f, *draw(pairs(1, 4))))
    bias = None if bias is None else np.resize(bias, c * options["groups"])
    options["output_padding"] = (0, 0)
    if draw(st.booleans()):
        most = map(max, options["stride"], options["dilation"])
        options["output_padding"] = tuple(draw(st.integers(0, n - 1)) for n in most)
    size = geometry.transpose_output_pair(
        small.shape[2:],
        weight.shape[2:],
        *(options[name] for name in ("stride", "padding", "output_padding", "dilation")),
    )
    assume(min(size) >= 1)
    return small, weight, bias, options


@st.composite
def poolings(draw, most_dilation=2):
    """(x, settings); padding up to half the kernel, a window past the input where ceil_mode may."""
    kernel_size, stride, dilation = (
        draw(pairs(1, 4)),
        draw(pairs(1, 4)),
        draw(pairs(1, most_dilation)),
    )
    stride = draw(st.sampled_from([None, stride]))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel_size)
    ceil_mode = draw(st.booleans())
    size = []
    for k, s, p, d in zip(kernel_size, stride or kernel_size, padding, dilation, strict=True):
        least = d * (k - 1) + 1 - 2 * p - (s - 1) * ceil_mode
        size.append(max(1, least) + draw(st.integers(0, 5)))
    x = draw(GENERATORS).standard_normal((draw(BATCH), draw(CHANNELS), *size))
    return x, {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }


def every_window_meets_a_pixel(size, out, options):
    """If not, a dilated window lies between the pixels: PyTorch points outside, we raise."""
    stride = options["stride"] or options["kernel_size"]
    for n, o, k, s, p, d in zip(
        size,
        out,
        options["kernel_size"],
        stride,
        options["padding"],
        options["dilation"],
        strict=True,
    ):
        for start in range(-p, o * s - p, s):
            if not any(0 <= start + i * d < n for i in range(k)):
                return False
    return True


@st.composite
def scores_and_labels(draw, ndims=(2, 4)):
    """(scores, labels, class weights or None, ignore_index), some of the labels ignored."""
    rng, classes, ignore_index = (
        draw(GENERATORS),
        draw(st.integers(1, 4)),
        draw(st.sampled_from([-100, 255, 0])),
    )
    size = draw(pairs(1, 4)) if draw(st.sampled_from(ndims)) == 4 else ()
    scores = rng.standard_normal((draw(st.integers(1, 3)), classes, *size))
    labels = rng.integers(0, classes, (len(scores), *size))
    labels[rng.random(labels.shape) < 0.3] = ignore_index
    assume((labels != ignore_index).any())  # PyTorch's mean over nothing is NaN
    weight = rng.random(classes) + 0.1 if draw(st.booleans()) else None
    return scores, labels, weight, ignore_index


# --- Convolution ----------------------------------------------------------------------------------


@random_arguments(convolutions(), examples=150)
def test_conv2d(case):
    x, weight, bias, options = case
    compare(
        lambda *a: F.conv2d(*a, **options), lambda *a: TF.conv2d(*a, **options), x, weight, bias
    )


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@random_arguments(convolutions(), st.sampled_from(["same", "valid"]))
def test_conv2d_with_named_padding(case, padding):
    x, weight, bias, options = case
    options = {**options, "padding": padding}
    if padding == "same":
        options["stride"] = 1
    else:
        assume(
            all(
                d * (k - 1) < n
                for n, k, d in zip(x.shape[2:], weight.shape[2:], options["dilation"], strict=True)
            )
        )
    y, _ = compare(
        lambda *a: F.conv2d(*a, **options), lambda *a: TF.conv2d(*a, **options), x, weight, bias
    )
    assert padding == "valid" or y.shape[2:] == x.shape[2:]


@random_arguments(transposed_convolutions(), examples=150)
def test_conv_transpose2d(case):
    x, weight, bias, options = case
    compare(
        lambda *a: F.conv_transpose2d(*a, **options),
        lambda *a: TF.conv_transpose2d(*a, **options),
        x, weight, bias,
    )  # fmt: skip


@pytest.mark.parametrize("output_padding", [2, 3, (3, 2), (0, 3)])
def test_conv_transpose2d_with_an_output_padding_of_a_stride_or_more(output_padding):
    rng = np.random.default_rng(0)
    options = {"stride": 2, "padding": 1, "output_padding": output_padding, "dilation": 4}
    compare(
        lambda *a: F.conv_transpose2d(*a, **options),
        lambda *a: TF.conv_transpose2d(*a, **options),
        *(rng.standard_normal(shape) for shape in ((2, 2, 3, 4), (2, 3, 2, 3), 3)),
        order=2,
    )  # fmt: skip


@random_arguments(
    GENERATORS, st.lists(st.integers(1, 3), min_size=1, max_size=3), CHANNELS, st.booleans()
)
def test_linear(rng, leading, features, with_bias):
    x, weight = rng.standard_normal((*leading, 3)), rng.standard_normal((features, 3))
    bias = rng.standard_normal(features) if with_bias else None
    compare(F.linear, TF.linear, x, weight, bias)


# --- Pooling --------------------------------------------------------------------------------------


@random_arguments(poolings(), examples=150)
def test_max_pool2d(case):
    x, options = case
    theirs, torch_indices = TF.max_pool2d(torch.tensor(x), **options, return_indices=True)
    if not every_window_meets_a_pixel(x.shape[2:], theirs.shape[2:], options):
        with pytest.raises(ValueError, match="^a window of kernel_size .* meets no pixel of .*$"):
            F.max_pool2d(Tensor(x), **options)
        return
    compare(lambda a: F.max_pool2d(a, **options), lambda a: TF.max_pool2d(a, **options), x)
    y, indices = F.max_pool2d(Tensor(x), **options, return_indices=True)
    close(y, theirs)
    np.testing.assert_array_equal(indices.numpy(), torch_indices)


@pytest.mark.parametrize("fill", [-np.inf, np.nan, np.inf, 0.0])
@random_arguments(poolings(most_dilation=1), st.sampled_from([0.3, 0.7, 1.0]), examples=40)
def test_max_pool2d_of_special_values_and_ties(fill, case, share):
    x, options = case
    x = np.round(x)
    x[np.random.default_rng(x.size).random(x.shape) < share] = fill
    y, indices = F.max_pool2d(Tensor(x), **options, return_indices=True)
    theirs, torch_indices = TF.max_pool2d(torch.tensor(x), **options, return_indices=True)
    close(y, theirs)
    np.testing.assert_array_equal(indices.numpy(), torch_indices)


@random_arguments(poolings(most_dilation=1))
def test_max_unpool2d(case):
    """For windows that do not overlap, and so no index twice, where PyTorch's result is defined."""
    x, options = case
    kernel_size, padding = options["kernel_size"], options["padding"]
    stride = tuple(map(max, kernel_size, options["stride"] or kernel_size))
    size = tuple(n + 3 for n in x.shape[2:])
    x = np.random.default_rng(x.size).standard_normal((*x.shape[:2], *size))
    pooled, indices = F.max_pool2d(Tensor(x), kernel_size, stride, padding, return_indices=True)
    usual = [
        (n - 1) * s - 2 * p + k
        for n, s, p, k in zip(pooled.shape[2:], stride, padding, kernel_size, strict=True)
    ]
    assume(all(abs(n - m) < s for n, m, s in zip(size, usual, stride, strict=True)))
    options = (kernel_size, stride, padding, size)
    compare(
        lambda a: F.max_unpool2d(a, indices, *options),
        lambda a: TF.max_unpool2d(a, torch.tensor(indices.numpy()), *options),
        pooled.numpy(),
    )


@random_arguments(
    poolings(most_dilation=1), st.booleans(), st.sampled_from([None, None, 1, 7, -3]), examples=150
)
def test_avg_pool2d(case, count_include_pad, divisor_override):
    x, options = case
    del options["dilation"]
    options |= {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
    compare(lambda a: F.avg_pool2d(a, **options), lambda a: TF.avg_pool2d(a, **options), x)


@random_arguments(
    GENERATORS,
    pairs(1, 8),
    st.one_of(st.integers(1, 9), st.tuples(*[st.none() | st.integers(1, 9)] * 2)),
)
def test_adaptive_avg_pool2d(rng, size, output_size):
    compare(
        lambda a: F.adaptive_avg_pool2d(a, output_size),
        lambda a: TF.adaptive_avg_pool2d(a, output_size),
        rng.standard_normal((2, 2, *size)),
    )


# --- Resizing, padding, joining -------------------------------------------------------------------


MODES = st.sampled_from(
    [("nearest", None), ("bilinear", None), ("bilinear", False), ("bilinear", True)]
)


def rounded_alike(size, out, scale):
    """Whether single precision, in which PyTorch finds nearest neighbours, gives the exact ones."""
    if out in (size, 2 * size):
        return True  # a case of its own in PyTorch
    step = 1 / scale if scale else size / out
    single = (np.arange(out, dtype=np.float32) * np.float32(step)).astype(int)
    return single.tolist() == [int(j / scale) if scale else j * size // out for j in range(out)]


@random_arguments(GENERATORS, pairs(1, 9), st.integers(1, 12) | pairs(1, 12), MODES, examples=150)
def test_interpolate_to_a_size(rng, size, out, mode):
    wanted = out if isinstance(out, tuple) else (out, out)
    assume(all(rounded_alike(n, o, None) for n, o in zip(size, wanted, strict=True)))
    options = {"mode": mode[0], "align_corners": mode[1]}
    compare(
        lambda a: F.interpolate(a, out, **options),
        lambda a: TF.interpolate(a, out, **options),
        rng.standard_normal((2, 2, *size)),
    )


SCALES = st.sampled_from([0.3, 0.5, 0.75, 1.0, 1.3, 1.6, 2.0, 2.5, 3.0]) | st.floats(0.3, 3)


@random_arguments(GENERATORS, pairs(1, 9), SCALES | st.tuples(SCALES, SCALES), MODES, examples=150)
def test_interpolate_by_a_factor(rng, size, scale_factor, mode):
    scales = scale_factor if isinstance(scale_factor, tuple) else (scale_factor, scale_factor)
    out = [int(n * s) for n, s in zip(size, scales, strict=True)]
    assume(min(out) >= 1)
    assume(all(rounded_alike(n, o, s) for n, o, s in zip(size, out, scales, strict=True)))
    options = {"mode": mode[0], "align_corners": mode[1], "scale_factor": scale_factor}
    compare(
        lambda a: F.interpolate(a, **options),
        lambda a: TF.interpolate(a, **options),
        rng.standard_normal((2, 2, *size)),
    )


@random_arguments(GENERATORS, st.lists(st.integers(3, 5), min_size=1, max_size=4), st.data())
def test_pad_with_a_constant_and_crop(rng, shape, data):
    amounts = data.draw(st.lists(pairs(-1, 3), min_size=1, max_size=len(shape)))
    amounts = [n for two in amounts for n in two]
    value = data.draw(st.sampled_from([0.0, -1.5]))
    compare(
        lambda a: F.pad(a, amounts, value=value),
        lambda a: TF.pad(a, amounts, value=value),
        rng.standard_normal(shape),
    )


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@random_arguments(GENERATORS, pairs(1, 5), st.data(), examples=40)
def test_pad_by_repeating(mode, rng, size, data):
    most = [n - 1 if mode == "reflect" else 7 for n in (size[1], size[1], size[0], size[0])]
    amounts = [data.draw(st.integers(0, n)) for n in most]
    compare(
        lambda a: F.pad(a, amounts, mode),
        lambda a: TF.pad(a, amounts, mode),
        rng.standard_normal((2, 2, *size)),
        order=1 if max(amounts) == 0 else 2,
    )


@random_arguments(GENERATORS, st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_cat(rng, shape, data):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    arrays = []
    for length in data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)):
        shape[dim] = length
        arrays.append(rng.standard_normal(shape))
    compare(lambda *a: F.cat(a, dim), lambda *a: torch.cat(a, dim), *arrays)


# --- Activations ----------------------------------------------------------------------------------


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@pytest.mark.parametrize("name", ["relu", "relu6", "sigmoid"])
@random_arguments(GENERATORS, SHAPES, examples=40)
def test_activations(name, rng, shape):
    x = 5 * rng.standard_normal(shape)
    x.flat[::3] = rng.choice([0.0, -0.0, 6.0, 1e4, -1e4, 30.0], x.flat[::3].shape)
    compare(getattr(F, name), getattr(TF, name) if name != "sigmoid" else torch.sigmoid, x)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@random_arguments(GENERATORS, SHAPES, st.data(), examples=60)
def test_softmax(name, rng, shape, data):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = rng.standard_normal(shape) * data.draw(st.sampled_from([1, 1e4]))
    compare(lambda a: getattr(F, name)(a, dim), lambda a: getattr(TF, name)(a, dim), x)


# --- Losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@random_arguments(
    scores_and_labels(),
    st.sampled_from(["mean", "sum", "none"]),
    st.sampled_from([1, 1e4]),
    examples=120,
)
def test_losses(name, case, reduction, scale):
    scores, labels, weight, ignore_index = case
    options = {"ignore_index": ignore_index, "reduction": reduction}
    compare(
        lambda a: getattr(F, name)(a, labels, weight, **options),
        lambda a: getattr(TF, name)(
            a,
            torch.tensor(labels),
            None if weight is None else torch.tensor(weight),
            **options,
        ),
        scores * scale,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@random_arguments(scores_and_labels(), st.sampled_from([0.1, 0.5, 1.0]), examples=40)
def test_smoothed_labels_twice(reduction, case, smoothing):
    scores, labels, weight, ignore_index = case
    options = {
        "ignore_index": ignore_index,
        "reduction": reduction,
        "label_smoothing": smoothing,
    }
    weights = (None, None) if weight is None else (weight, torch.tensor(weight))
    compare(
        lambda a: F.cross_entropy(a, labels, weights[0], **options),
        lambda a: TF.cross_entropy(a, torch.tensor(labels), weights[1], **options),
        scores,
        order=2,
    )


def test_the_mean_over_ignored_pixels_alone_is_nan_in_pytorch_and_0_here():
    scores, labels = np.ones((1, 2, 1, 1)), np.full((1, 1, 1), 255)
    theirs = TF.cross_entropy(torch.tensor(scores), torch.tensor(labels), ignore_index=255)
    assert torch.isnan(theirs)
    assert F.cross_entropy(Tensor(scores), labels, ignore_index=255).item() == 0


def test_an_ignored_pixel_may_hold_anything():
    scores = np.array([[-np.inf, 1.0], [0.5, 0.2]])
    labels = np.array([-100, 1])
    compare(lambda a: F.nll_loss(a, labels), lambda a: TF.nll_loss(a, torch.tensor(labels)), scores)


# --- Batch normalisation --------------------------------------------------------------------------


def activated(x, activation):
    return x if activation is None else getattr(TF, activation)(x)


@pytest.mark.parametrize("training", [True, False])
@random_arguments(
    GENERATORS,
    BATCH,
    CHANNELS,
    pairs(1, 4),
    st.tuples(*[st.booleans()] * 3),
    st.sampled_from([0.1, 1, 0.0]),
    st.sampled_from([None, "relu", "relu6"]),
    examples=100,
)
def test_batch_norm(training, rng, n, c, size, given_arguments, momentum, activation):
    assume(n * size[0] * size[1] > 1)
    x = rng.standard_normal((n, c, *size)) * 3 + 1
    weight, bias = (rng.standard_normal(c) if given else None for given in given_arguments[:2])
    running = [rng.standard_normal(c), rng.random(c) + 0.5]
    if training and not given_arguments[2]:
        running = [None, None]
    ours, theirs = (
        [None if r is None else f(r.copy()) for r in running] for f in (Tensor, torch.tensor)
    )
    options = {"training": training, "momentum": momentum, "eps": 1e-3}
    compare(
        lambda x, w, b: F.batch_norm(x, *ours, w, b, **options, activation=activation),
        lambda x, w, b: activated(TF.batch_norm(x, *theirs, w, b, **options), activation),
        x, weight, bias,
    )  # fmt: skip
    for mine, torchs in zip(ours, theirs, strict=True):
        if mine is not None:
            close(mine, torchs)


# --- Gradients of gradients -----------------------------------------------------------------------


@random_arguments(convolutions(), examples=40)
def test_conv2d_twice(case):
    x, weight, _, options = case
    compare(
        lambda *a: F.conv2d(*a, None, **options),
        lambda *a: TF.conv2d(*a, None, **options),
        x,
        weight,
        order=2,
    )


@random_arguments(transposed_convolutions(), examples=40)
def test_conv_transpose2d_twice(case):
    x, weight, _, options = case
    compare(
        lambda *a: F.conv_transpose2d(*a, None, **options),
        lambda *a: TF.conv_transpose2d(*a, None, **options),
        x, weight, order=2,
    )  # fmt: skip


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", [None, "relu", "relu6"])
@random_arguments(GENERATORS, BATCH, CHANNELS, pairs(1, 4), examples=30)
def test_batch_norm_twice(training, activation, rng, n, c, size):
    assume(n * size[0] * size[1] > 1)
    arrays = [rng.standard_normal((n, c, *size)), rng.standard_normal(c), rng.standard_normal(c)]
    running = [rng.standard_normal(c), rng.random(c) + 0.5]
    ours, theirs = ([f(r.copy()) for r in running] for f in (Tensor, torch.tensor))
    compare(
        lambda x, w, b: F.batch_norm(x, *ours, w, b, training, eps=1e-2, activation=activation),
        lambda x, w, b: activated(
            TF.batch_norm(x, *theirs, w, b, training=training, eps=1e-2), activation
        ),
        *arrays,
        order=2,
    )


def twice(ours, theirs, shape=(2, 3, 5, 4)):
    compare(ours, theirs, np.random.default_rng(0).standard_normal(shape), order=2)


@pytest.mark.parametrize(
    "options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 1, "padding": 1}]
)
def test_poolings_twice(options):
    twice(lambda a: F.max_pool2d(a, **options), lambda a: TF.max_pool2d(a, **options))
    twice(lambda a: F.avg_pool2d(a, **options), lambda a: TF.avg_pool2d(a, **options))
    twice(lambda a: F.adaptive_avg_pool2d(a, 2), lambda a: TF.adaptive_avg_pool2d(a, 2))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_twice(name):
    twice(lambda a: getattr(F, name)(a, 1), lambda a: getattr(TF, name)(a, 1))


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_activations_twice(name):
    twice(lambda a: getattr(F, name)(a), lambda a: getattr(TF, name)(a))


def test_sigmoid_twice():
    twice(F.sigmoid, torch.sigmoid)


@pytest.mark.parametrize("mode", [("nearest", None), ("bilinear", False), ("bilinear", True)])
def test_interpolate_twice(mode):
    options = {"size": (7, 3), "mode": mode[0], "align_corners": mode[1]}
    twice(lambda a: F.interpolate(a, **options), lambda a: TF.interpolate(a, **options))


def test_cross_entropy_twice():
    labels = np.random.default_rng(1).integers(0, 3, (2, 5, 4))
    labels[0, 0] = -100
    twice(
        lambda a: F.cross_entropy(a, labels),
        lambda a: TF.cross_entropy(a, torch.tensor(labels)),
    )


def test_max_unpool2d_twice():
    indices = np.array([[[[0, 3], [8, 15]]]])
    twice(
        lambda a: F.max_unpool2d(a, Tensor(indices), 2),
        lambda a: TF.max_unpool2d(a, torch.tensor(indices), 2),
        (1, 1, 2, 2),
    )
