import math

import numpy as np
import pytest
from every_size import check_size_of_scores
from small_networks import small_fcn

from minifcn import Tensor, nn, optim
from minifcn import functional as F
from minifcn.gradcheck import gradcheck

STRIDES = (32, 16, 8, 4)
TINY = {"widths": (4, 5, 6, 7, 8), "depths": (1, 2, 1, 1, 2), "head_width": 6}
VOID = 255


def make_model(stride=8, num_classes=4, **choices):
    choices = {**TINY, "generator": np.random.default_rng(0), **choices}
    return small_fcn(num_classes, stride, **choices)


def randomise(model, seed=1):
    """Float64, all trained weights and running statistics random; upsampling stays bilinear."""
    generator = np.random.default_rng(seed)
    model.to(dtype=np.float64)
    for name, value in model.named_tensors():
        if name.endswith(("running_var", "1.weight")):
            value.data[...] = generator.uniform(0.5, 1.5, value.shape)
        elif value.dtype.kind == "f" and not name.startswith("upscore"):
            value.data[...] = 0.4 * generator.standard_normal(value.shape)
    return model


def draw(shape, seed=2):
    return np.random.default_rng(seed).standard_normal(shape)


# -- The same network in PyTorch -----------------------------------------------------------------


def make_reference(torch, stride, learned):
    """Build FCN-32s, 16s or 8s with 4 classes from PyTorch's layers, with our names."""
    layers = torch.nn

    def block(into, out, k):
        conv = layers.Conv2d(into, out, k, padding=k // 2, bias=False)
        return layers.Sequential(conv, layers.BatchNorm2d(out), layers.ReLU())

    def stage(into, out, depth):
        blocks = [block(into if i == 0 else out, out, 3) for i in range(depth)]
        return layers.Sequential(*blocks, layers.MaxPool2d(2))

    def up(f, trained):
        layer = layers.ConvTranspose2d(4, 4, 2 * f, f, f // 2, bias=False)
        return layer.requires_grad_(trained)

    class Stages(layers.Module):
        def __init__(self):
            super().__init__()
            self.stage1, self.stage2 = stage(3, 4, 1), stage(4, 5, 2)
            self.stage3, self.stage4, self.stage5 = stage(5, 6, 1), stage(6, 7, 1), stage(7, 8, 2)

    class Reference(layers.Module):
        def __init__(self):
            super().__init__()
            self.backbone = Stages()
            self.fc6, self.fc7 = block(8, 6, 3), block(6, 6, 1)
            self.score_fr = layers.Conv2d(6, 4, 1)
            if stride <= 16:
                self.upscore2, self.score_pool4 = up(2, learned), layers.Conv2d(7, 4, 1)
            if stride <= 8:
                self.upscore_pool4, self.score_pool3 = up(2, learned), layers.Conv2d(6, 4, 1)
            if stride <= 4:
                self.upscore_pool3, self.score_pool2 = up(2, learned), layers.Conv2d(5, 4, 1)
            self.upscore = up(stride, False)

        def forward(self, x):
            height, width = x.shape[2:]
            x = torch.nn.functional.pad(x, (0, -width % 32, 0, -height % 32))
            stages = self.backbone
            pool2 = stages.stage2(stages.stage1(x))
            pool3 = stages.stage3(pool2)
            pool4 = stages.stage4(pool3)
            y = self.score_fr(self.fc7(self.fc6(stages.stage5(pool4))))
            if stride <= 16:
                y = self.upscore2(y) + self.score_pool4(pool4)
            if stride <= 8:
                y = self.upscore_pool4(y) + self.score_pool3(pool3)
            if stride <= 4:
                y = self.upscore_pool3(y) + self.score_pool2(pool2)
            return self.upscore(y)[:, :, :height, :width]

    return Reference().double()


def make_both(stride, upsampling="bilinear"):
    """Our model and PyTorch's, with the same random weights."""
    torch = pytest.importorskip("torch")
    model = randomise(make_model(stride, upsampling=upsampling))
    reference = make_reference(torch, stride, upsampling == "learned")
    assert list(model.state_dict()) == list(reference.state_dict())
    state = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}
    reference.load_state_dict(state)
    return torch, model, reference


def make_batch():
    """A batch of an awkward size, some of its pixels void."""
    labels = np.random.default_rng(3).integers(0, 4, (2, 70, 45))
    labels[:, 10:20, 5:9] = VOID
    return draw((2, 3, 70, 45)), labels


def losses(torch, model, reference):
    """Compute both losses of the batch."""
    images, labels = make_batch()
    loss = F.cross_entropy(model(Tensor(images)), Tensor(labels), ignore_index=VOID)
    theirs = torch.nn.functional.cross_entropy(
        reference(torch.from_numpy(images)), torch.from_numpy(labels), ignore_index=VOID
    )
    return loss, theirs


def close(ours, theirs, name=""):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.oracle
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("training", [True, False])
def test_scores_and_gradients_are_pytorchs(stride, training):
    torch, model, reference = make_both(stride, "learned")
    model.train(training)
    reference.train(training)
    images, _ = make_batch()
    close(model(Tensor(images)).data, reference(torch.from_numpy(images)))
    loss, theirs = losses(torch, model, reference)
    close(loss.data, theirs)
    loss.backward()
    theirs.backward()
    gradients = {name: p.grad for name, p in reference.named_parameters()}
    for name, parameter in model.named_parameters():
        if gradients[name] is None:
            assert parameter.grad is None, name
        else:
            close(parameter.grad.data, gradients[name], name)
            assert np.abs(parameter.grad.data).max() > 1e-6, name


@pytest.mark.oracle
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_training_steps_are_pytorchs(stride, kind):
    torch, model, reference = make_both(stride)
    settings = {"lr": 1e-3, "weight_decay": 1e-2} | ({"momentum": 0.9} if kind == "SGD" else {})
    optimizer = getattr(optim, kind)(model.parameters(), **settings)
    theirs = getattr(torch.optim, kind)(reference.parameters(), **settings)
    before = model.state_dict()
    for _ in range(3):
        loss, loss_reference = losses(torch, model, reference)
        for x, y in ((optimizer, loss), (theirs, loss_reference)):
            x.zero_grad()
            y.backward()
            x.step()
    state = reference.state_dict()
    for name, array in model.state_dict().items():  # weights and running statistics
        close(array, state[name], name)
        assert name.startswith("upscore") == np.array_equal(array, before[name]), name


# -- Sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", STRIDES)
def test_scores_have_the_size_of_the_image(stride):
    check_size_of_scores(make_model(stride).eval())


@pytest.mark.parametrize("stride", STRIDES)
def test_the_image_is_padded_below_and_right_with_zeros(stride):
    model, x = randomise(make_model(stride)).eval(), draw((1, 3, 33, 50))
    padded = np.zeros((1, 3, 64, 64))
    padded[:, :, :33, :50] = x
    scores = model(Tensor(padded)).data
    np.testing.assert_array_equal(model(Tensor(x)).data, scores[:, :, :33, :50])
    assert scores.std() > 1e-3


# -- The start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", STRIDES)
def test_the_loss_starts_at_the_logarithm_of_the_number_of_classes(stride):
    model = make_model(stride, num_classes=5)
    labels = np.random.default_rng(0).integers(0, 5, (2, 40, 33))
    loss = F.cross_entropy(model(Tensor(draw((2, 3, 40, 33)).astype(np.float32))), labels)
    assert abs(loss.item() - math.log(5)) < 1e-6
    loss.backward()
    moving = {
        n
        for n, p in model.named_parameters()
        if p.grad is not None and np.abs(p.grad.data).max() > 0
    }
    scores = {"score_fr", "score_pool4", "score_pool3", "score_pool2"} & {
        n for n, _ in model.children()
    }
    assert moving == {f"{name}.{kind}" for name in scores for kind in ("weight", "bias")}


def train_steps(model, steps):
    optimizer = optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    images, labels = make_batch()
    for _ in range(steps):
        loss = F.cross_entropy(model(Tensor(images.astype(np.float32))), labels, ignore_index=VOID)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("upsampling", ["bilinear", "learned"])
def test_only_learned_upsampling_is_trained_and_never_the_last(upsampling):
    model = make_model(8, upsampling=upsampling)
    before = model.state_dict()
    train_steps(model, 3)
    changed = {n for n, array in model.state_dict().items() if not np.array_equal(array, before[n])}
    trained = {"upscore2.weight", "upscore_pool4.weight"} if upsampling == "learned" else set()
    assert {name for name in changed if name.startswith("upscore")} == trained
    assert changed >= {n for n in before if not n.startswith("upscore")}
    fixed = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert fixed == {"upscore.weight", "upscore2.weight", "upscore_pool4.weight"} - trained


def test_a_generator_fixes_the_weights():
    states = [make_model(generator=np.random.default_rng(seed)).state_dict() for seed in (4, 4, 5)]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])
    assert not np.array_equal(states[0]["fc6.0.weight"], states[2]["fc6.0.weight"])


def test_dropout_acts_in_training_only():
    model, x = randomise(make_model(dropout=0.5)), Tensor(draw((2, 3, 64, 64)))
    assert not np.array_equal(model(x).data, model(x).data)
    model.eval()
    np.testing.assert_array_equal(model(x).data, model(x).data)


# -- The skips -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stride", "expected"),
    [
        (32, ["score_fr", "upscore"]),
        (16, ["score_fr", "score_pool4", "upscore", "upscore2"]),
        (8, ["score_fr", "score_pool3", "score_pool4", "upscore", "upscore2", "upscore_pool4"]),
        (
            4,
            [
                "score_fr",
                "score_pool2",
                "score_pool3",
                "score_pool4",
                "upscore",
                "upscore2",
                "upscore_pool3",
                "upscore_pool4",
            ],
        ),
    ],
)
def test_each_stride_has_its_own_skips(stride, expected):
    children = {name for name, _ in make_model(stride).children()}
    assert sorted(name for name in children if "score" in name) == expected


@pytest.mark.parametrize("stride", STRIDES)
def test_coarse_scores_are_at_the_stride(stride):
    scores = make_model(stride).eval().coarse_scores(Tensor(np.ones((1, 3, 64, 96), np.float32)))
    assert scores.shape == (1, 4, 64 // stride, 96 // stride)


def set_score(model, name, weight):
    getattr(model, name).weight.data[...] = weight


@pytest.mark.parametrize("only", ["score_fr", "score_pool4", "score_pool3"])
def test_fcn8s_is_the_sum_of_its_three_paths(only):
    """With the other paths' scores at 0, a path alone; all of them together are the sum."""
    model, x = randomise(make_model(8)).eval(), Tensor(draw((1, 3, 64, 96)))
    names = ("score_fr", "score_pool4", "score_pool3")
    for name in names:
        getattr(model, name).bias.data[...] = 0
    own = {name: getattr(model, name).weight.data.copy() for name in names}
    together, parts = model(x).data, {}
    for kept in names:
        for name in names:
            set_score(model, name, own[name] if name == kept else 0)
        parts[kept] = model(x).data
    np.testing.assert_allclose(together, sum(parts.values()), atol=1e-10)
    assert np.abs(parts[only]).max() > 1e-3


# -- Alignment -----------------------------------------------------------------------------------


def ramp(size, stride):
    """The coordinate, in pixels of the image, of the centre of each cell; rows and columns."""
    rows, columns = (stride * (np.arange(n // stride) + 0.5) - 0.5 for n in size)
    grids = np.meshgrid(rows, columns, indexing="ij")
    return Tensor(np.stack([*grids, *grids])[None])


@pytest.mark.parametrize("start", ["upscore2", "upscore_pool4", "upscore"])
def test_upsampling_puts_every_score_where_its_cell_is(start):
    """Cells that hold their own place upsample to pixels that hold theirs: nothing is shifted."""
    model, size = make_model(8).to(dtype=np.float64), (320, 384)
    path = ["upscore2", "upscore_pool4", "upscore"]
    path = path[path.index(start) :]
    y = ramp(size, 32 // 2 ** (3 - len(path)))
    for name in path:
        y = getattr(model, name)(y)
    inside = (..., slice(96, -96), slice(96, -96))
    np.testing.assert_allclose(y.data[inside], ramp(size, 1).data[inside], atol=1e-9)


@pytest.mark.parametrize("stride", STRIDES)
def test_the_last_upsampling_puts_every_score_where_its_cell_is(stride):
    model, size = make_model(stride).to(dtype=np.float64), (160, 192)
    y = model.upscore(ramp(size, stride))
    inside = (..., slice(stride, -stride), slice(stride, -stride))
    np.testing.assert_allclose(y.data[inside], ramp(size, 1).data[inside], atol=1e-9)


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("stride", STRIDES)
def test_a_mirrored_image_gives_mirrored_scores(stride, axis):
    """Only if all convolutions are symmetric, and no path is shifted by even one pixel."""
    model, x = randomise(make_model(stride)).eval(), draw((2, 3, 64, 96))
    x_mirrored, scores = np.flip(x, axis).copy(), []
    for symmetric in (True, False):
        if symmetric:
            own = model.state_dict()
            symmetrise(model, axis)
        else:
            model.load_state_dict(own)
        scores.append(np.flip(model(Tensor(x_mirrored)).data, axis) - model(Tensor(x)).data)
    assert np.abs(scores[0]).max() < 1e-10
    assert np.abs(scores[1]).max() > 1e-2


def symmetrise(model, axis):
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data[...] = (parameter.data + np.flip(parameter.data, axis)) / 2


# -- Gradients by finite differences -------------------------------------------------------------


@pytest.mark.parametrize(("training", "size"), [(False, 32), (True, 64)])
def test_the_whole_network_passes_the_gradient_check(training, size):
    """Training needs 64x64: BatchNorm makes ±1 of the two values a channel that 32x32 leaves."""
    small = {"widths": (2,) * 5, "depths": (1,) * 5, "head_width": 2}
    model = randomise(make_model(4, 2, upsampling="learned", **small), seed=3).train(training)
    x = Tensor(draw((2, 3, size, size)), requires_grad=True)
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    report = gradcheck(lambda x: model(x), x, parameters=parameters, order=2, max_elements=3)
    assert {name for name in report.errors if "order 2" not in name} == {"inputs[0]", *parameters}
    assert sum("order 2" in name for name in report.errors) == len(parameters) + 2
    moving = [check.name for check in report.checks if np.abs(check.analytic).max() > 1e-9]
    assert set(moving) >= {"inputs[0]", *parameters}
    assert {"inputs[0] (order 2)", "backbone.stage1.0.0.weight (order 2)"} <= set(moving)


# -- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 1; got 0"),
        ({"stride": 2}, "stride must be 32, 16, 8 or 4; got 2"),
        ({"widths": (4, 4)}, r"widths must be five numbers from 1 to 65536; got \(4, 4\)"),
        ({"widths": (4, 4, 0, 4, 4)}, "widths must be five numbers"),
        ({"depths": (1, 1, 1, 1, 101)}, "depths must be five numbers from 1 to 100"),
        ({"head_width": 0}, "head_width must be at least 1; got 0"),
        ({"upsampling": "nearest"}, "upsampling must be 'bilinear' or 'learned'; got 'nearest'"),
        ({"dropout": 1.5}, "p must be between 0 and 1; got 1.5"),
        ({"widths": (2**16,) * 5}, "must make at most 268,435,456 weights; got"),
        ({"head_width": 10**9}, "must make at most 268,435,456 weights; got"),
    ],
)
def test_wrong_settings(choices, message):
    with pytest.raises(ValueError, match=message):
        make_model(**choices)


def test_the_papers_network_is_not_refused(monkeypatch):
    """VGG-16 with fc6 and fc7 of 4096 channels; not built here, for its 0.3 GB."""
    monkeypatch.setattr(nn, "Conv2d", lambda *_, **__: pytest.fail("reached"))
    vgg = {"widths": (64, 128, 256, 512, 512), "depths": (2, 2, 3, 3, 3), "head_width": 4096}
    with pytest.raises(pytest.fail.Exception, match="reached"):
        make_model(8, 21, **vgg)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 4, 32, 32), (1, 32, 32, 3)])
def test_images_must_have_three_channels(shape):
    with pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\); got shape"):
        make_model()(Tensor(np.ones(shape, np.float32)))
