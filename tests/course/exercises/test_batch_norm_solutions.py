"""Solutions of batch_norm as students write them: right ones pass, wrong ones are named."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check_function

HEAD = "import numpy as np\n"

FORWARD = {
    "loops over channels": """
def batch_norm(x, weight, bias, eps):
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        plane = x[:, c].astype(float)
        y[:, c] = (plane - plane.mean()) / np.sqrt(plane.var() + eps) * weight[c] + bias[c]
    return y
""",
    "one matrix, moved axes": """
def batch_norm(inputs, gamma, beta, epsilon):
    flat = np.moveaxis(inputs, 1, -1).reshape(-1, inputs.shape[1])
    mu = flat.sum(0) / len(flat)
    var = (flat ** 2).sum(0) / len(flat) - mu ** 2
    out = gamma * (flat - mu) * (var + epsilon) ** -0.5 + beta
    n, c, h, w = inputs.shape
    return out.reshape(n, h, w, c).transpose(0, 3, 1, 2)
""",
    "einsum": """
def batch_norm(x, weight, bias, eps):
    n = x.size / x.shape[1]
    mean = np.einsum('nchw->c', x) / n
    d = x - mean[None, :, None, None]
    var = np.einsum('nchw,nchw->c', d, d) / n
    scale = weight / np.sqrt(var + eps)
    return np.einsum('nchw,c->nchw', d, scale) + bias.reshape(1, -1, 1, 1)
""",
}

STEPS = """
def batch_norm_backward(gradient, x, weight, eps):
    axes, w = (0, 2, 3), weight.reshape(1, -1, 1, 1)
    m = x.shape[0] * x.shape[2] * x.shape[3]
    mu = x.mean(axes, keepdims=True)
    var = ((x - mu) ** 2).mean(axes, keepdims=True)
    dxhat = gradient * w
    dvar = (dxhat * (x - mu) * -0.5 * (var + eps) ** -1.5).sum(axes, keepdims=True)
    dmu = (-dxhat / np.sqrt(var + eps)).sum(axes, keepdims=True)
    dmu = dmu + dvar * (-2 * (x - mu)).sum(axes, keepdims=True) / m
    dx = dxhat / np.sqrt(var + eps) + dvar * 2 * (x - mu) / m + dmu / m
    xhat = (x - mu) / np.sqrt(var + eps)
    return dx, (gradient * xhat).sum(axes), gradient.sum(axes)
"""

BACKWARD = {
    "step by step, as the paper": STEPS,
    "loops over channels, a list of tuples": """
def batch_norm_backward(g, x, weight, eps):
    parts = []
    for c in range(x.shape[1]):
        xc, gc = x[:, c].ravel(), g[:, c].ravel()
        s = np.sqrt(xc.var() + eps)
        z = (xc - xc.mean()) / s
        k = len(xc)
        jacobian = (np.eye(k) - 1 / k - np.outer(z, z) / k) / s * weight[c]
        parts.append((jacobian.T @ gc, gc @ z, gc.sum()))
    n, C, h, w = x.shape
    dx = np.stack([p[0].reshape(n, h, w) for p in parts], axis=1)
    return dx, np.array([p[1] for p in parts]), np.array([p[2] for p in parts])
""",
}

WRONG = {
    "mean of each image": (
        FORWARD["loops over channels"].replace(
            "plane.mean()", "plane.mean((1, 2), keepdims=True)"
        ).replace("plane.var()", "plane.var((1, 2), keepdims=True)"),
        {"y": "bn.axes/image"},
    ),
    "sample variance": (
        FORWARD["loops over channels"].replace("plane.var()", "plane.var(ddof=1)"),
        {"y": "bn.unbiased"},
    ),
    "eps beside the root": (
        FORWARD["einsum"].replace("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),
        {"y": "bn.eps_outside/std"},
    ),
    "fills an array like x": (
        FORWARD["loops over channels"].replace("np.empty(x.shape)", "np.zeros_like(x)"),
        {"y": "bn.dtype/input"},
    ),
    "two mistakes": (
        FORWARD["einsum"].replace("np.sqrt(var + eps)", "np.sqrt(var)").replace(
            " + bias.reshape(1, -1, 1, 1)", ""
        ),
        {"y": "bn.eps_outside/none + bn.no_bias"},
    ),
    "a mistake of its own": (
        FORWARD["einsum"].replace("weight / np", "np.abs(weight) / np"), {"y": ""}
    ),
    "the variance's 2 forgotten": (
        STEPS.replace("dvar * 2 * (x - mu) / m", "dvar * (x - mu) / m"),
        {"dx": "bn.var_factor/half", "dweight": "right", "dbias": "right"},
    ),
    "no mean's part": (
        STEPS.replace(" + dmu / m", ""),
        {"dx": "bn.mean_constant", "dweight": "right", "dbias": "right"},
    ),
    "the raw x": (
        STEPS.replace("gradient * xhat", "gradient * x"),
        {"dx": "right", "dweight": "bn.weight_raw/x", "dbias": "right"},
    ),
    "sign of the variance's part in a style of its own": (
        STEPS.replace("* -0.5 *", "* 0.5 *"),
        {"dx": "bn.var_factor/sign", "dweight": "right", "dbias": "right"},
    ),
}  # fmt: skip


def parts_of(source):
    forward, backward = find_exercise("batch_norm").functions
    function = backward if "batch_norm_backward" in source else forward
    return check_function(find_exercise("batch_norm"), function, HEAD + source, seed=0)


@pytest.mark.parametrize(
    "source", [*FORWARD.values(), *BACKWARD.values()], ids=[*FORWARD, *BACKWARD]
)
def test_a_right_solution_passes(source):
    assert [(part.status, part.problem) for part in parts_of(source) if part.problem] == []


@pytest.mark.parametrize(("source", "names"), WRONG.values(), ids=WRONG)
def test_a_wrong_solution_is_named(source, names):
    assert source != HEAD
    found = {
        part.part.id: "right" if part.status == "pass"
        else " + ".join(switch.id for switch in part.name.switches)
        for part in parts_of(source)
    }  # fmt: skip
    assert found == names
