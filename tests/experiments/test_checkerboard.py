import re

import numpy as np
import pytest

from minifcn import tensor
from minifcn.experiments import checkerboard
from minifcn.experiments.checkerboard import findings, layers, pictures, tables
from minifcn.experiments.checkerboard.layers import KERNELS, Downsampling, Upsampling
from minifcn.experiments.experiment import Settings
from minifcn.metrics.phases import bilinear_ideal, phase_error, phase_share, phase_unevenness
from minifcn.nn.init import bilinear_kernel

SIZES = [(2, 2), (3, 2), (4, 2), (5, 2), (4, 3), (5, 3), (6, 3), (7, 4)]  # k, s


def rng(seed=0):
    return np.random.default_rng(seed)


def stamp(image, kernel, s):
    """A transposed convolution of one plane without padding, from the definition."""
    k = len(kernel)
    out = np.zeros([s * (n - 1) + k for n in image.shape])
    for h, w, i, j in np.ndindex(*image.shape, k, k):
        out[h * s + i, w * s + j] += image[h, w] * kernel[i, j]
    return out


def window(y, k, s):
    """A whole period where every window that there can be is."""
    first = -(-k // s) * s
    return y[first : first + s, first : first + s]


# -- Layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "s"), SIZES)
def test_overlaps_are_those_of_counting(k, s):
    np.testing.assert_array_equal(
        layers.overlap_map(k, s, 5), stamp(np.ones((5, 5)), np.ones((k, k)), s)
    )
    line = np.zeros(s * 4 + k)
    for start in range(0, 5 * s, s):
        line[start : start + k] += 1
    np.testing.assert_array_equal(layers.overlap_line(k, s, 5), line)


def test_the_bilinear_stamp():
    expected = stamp(np.ones((6, 6)), bilinear_kernel(5), 2)
    np.testing.assert_allclose(layers.bilinear_map(5, 2), expected)


@pytest.mark.parametrize("layer", tables.UPSAMPLINGS, ids=lambda layer: layer.name)
def test_every_layer_enlarges_exactly(layer):
    x, weight = rng().random((2, 3, 7, 5)), rng().random((4, 3, layer.kernel, layer.kernel))
    y = layer(tensor(x), tensor(weight))
    assert y.shape == (2, 4, 7 * layer.stride, 5 * layer.stride)


@pytest.mark.parametrize(("k", "s"), SIZES)
def test_the_transposed_convolution(k, s):
    x, weight = rng().random((1, 2, 5, 5)), rng(1).random((3, 2, k, k))
    found = Upsampling("transposed", k, s)(tensor(x), tensor(weight)).numpy()[0]
    padding = -(-(k - s) // 2)
    whole = np.array([sum(stamp(x[0, c], weight[f, c], s) for c in range(2)) for f in range(3)])
    cut = np.pad(whole, ((0, 0), (0, 1), (0, 1)))[:, padding:][:, :, padding:]
    np.testing.assert_allclose(found, cut[:, : 5 * s, : 5 * s])


def test_the_resize_convolution():
    x, weight = rng().random((1, 1, 4, 4)), rng(1).random((1, 1, 3, 3))
    found = Upsampling("nearest", 3)(tensor(x), tensor(weight)).numpy()[0, 0]
    padded = np.pad(np.kron(x[0, 0], np.ones((2, 2))), 1, mode="edge")
    for h, w in np.ndindex(8, 8):
        assert found[h, w] == pytest.approx((padded[h : h + 3, w : w + 3] * weight[0, 0]).sum())


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_resizing_keeps_a_constant_image(mode):
    y = Upsampling(mode, 3)(tensor(np.ones((1, 1, 4, 4))), tensor(np.ones((1, 1, 3, 3))))
    np.testing.assert_array_equal(y.numpy(), 9)


def test_a_stack_is_its_layers_with_relus_between():
    x, stack = rng().standard_normal((1, 2, 5, 5)), [Upsampling("transposed", 3)] * 3
    generator, y, channels = rng(5), tensor(x), (2, layers.CHANNELS, layers.CHANNELS, 2)
    for n, layer in enumerate(stack):
        weight = generator.standard_normal((channels[n + 1], channels[n], 3, 3))
        y = layer(tensor(np.maximum(y.numpy(), 0)) if n else y, tensor(weight))
    found = layers.upsample(x, stack, KERNELS["Gaussian"], rng(5))
    scale = 2.0 ** (4 + 6 + 6)  # 2 * 9 = 18 and 8 * 9 = 72 are nearest to 2^4 and 2^6
    np.testing.assert_allclose(found * scale, y.numpy())
    assert found.min() < 0


def test_kinds_of_kernels():
    shape = (4, 4, 9, 9)
    assert (KERNELS["ones"](rng(), shape) == 1).all()
    positive, gaussian = KERNELS["positive"](rng(), shape), KERNELS["Gaussian"](rng(), shape)
    assert 0 <= positive.min() < 0.01 < 0.99 < positive.max() < 1
    assert abs(gaussian.mean()) < 0.1 < gaussian.std()


@pytest.mark.parametrize(("k", "s"), [(1, 2), (2, 2), (3, 2), (3, 1)])
def test_the_gradient_of_a_convolution(k, s):
    x = layers.noise(rng(), 8, channels=2)
    weight = rng(3).random((2, 2, k, k))
    found = layers.input_gradient(Downsampling("conv", k, s), x, KERNELS["positive"], rng(3))
    outputs, expected = (8 - k) // s + 1, np.zeros((2, 8, 8))
    for f, h, w in np.ndindex(2, outputs, outputs):
        expected[:, h * s : h * s + k, w * s : w * s + k] += weight[f]
    np.testing.assert_allclose(found[0], expected)


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 2)])
def test_the_gradient_of_poolings(k, s):
    x = layers.noise(rng(), 9, channels=1)
    outputs, maxima, means = (9 - k) // s + 1, np.zeros((9, 9)), np.zeros((9, 9))
    for h, w in np.ndindex(outputs, outputs):
        rows, columns = slice(h * s, h * s + k), slice(w * s, w * s + k)
        means[rows, columns] += 1 / k**2
        seen = x[0, 0, rows, columns]
        maxima[rows, columns] += seen == seen.max()
    for kind, expected in (("max", maxima), ("average", means)):
        found = layers.input_gradient(Downsampling(kind, k, s), x, KERNELS["ones"], rng())
        np.testing.assert_allclose(found[0, 0], expected)


def test_images():
    features = layers.features(rng(), 20)
    np.testing.assert_array_equal(features, np.maximum(layers.noise(rng(), 20), 0))
    assert (features == 0).mean() == pytest.approx(0.5, abs=0.05)
    assert layers.ramp(3).tolist() == [[[[0, 1, 2]] * 3]]
    disc = layers.disc(18)
    assert disc.shape == (1, 1, 18, 18)
    assert 0.3 <= disc.min() < 0.31 < 0.98 < disc.max() <= 1
    np.testing.assert_array_equal(disc, disc[:, :, ::-1, ::-1])


# -- Tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", tables.overlap_table().rows, ids=lambda r: f"{r['k']} {r['s']}")
def test_overlap_rows(row):
    k, s = row["k"], row["s"]
    counts = window(stamp(np.ones((9, 9)), np.ones((k, k)), s), k, s)
    line = [sum((a - start) in range(k) for start in range(-99 * s, 99 * s, s)) for a in range(s)]
    np.testing.assert_array_equal(counts, np.outer(line, line))
    assert row["one dimension"] == " ".join(map(str, line))
    assert row["two dimensions"] == " ".join(f"{n:.0f}" for n in np.unique(counts))
    assert (row["fewest"], row["most"]) == (counts.min(), counts.max())
    assert row["even"] == (len(set(line)) == 1) == row["s divides k"] == (k % s == 0)
    assert row["CV"] == pytest.approx(counts.std() / counts.mean())
    assert row["as the formula"]


def test_a_layer_that_is_not_as_the_formula_is_found(monkeypatch):
    right = tables.overlap_map
    monkeypatch.setattr(tables, "overlap_map", lambda *sizes: right(*sizes) + 1)
    assert not tables.overlap_row(3, 2)["as the formula"]


def test_three_over_two_overlaps_once_twice_and_four_times():
    row = tables.overlap_row(3, 2)
    assert (row["one dimension"], row["two dimensions"]) == ("2 1", "1 2 4")


def test_what_matters_is_the_weighted_sum():
    row = tables.weighted_row(63, 32)
    assert row["counts"] == "1 to 4"
    assert row["counts CV"] > 0.1
    assert row["bilinear sums"] == "1.000 to 1.000"
    assert row["bilinear CV"] < 1e-12
    row = tables.weighted_row(5, 2)
    sums = window(stamp(np.ones((6, 6)), bilinear_kernel(5), 2), 5, 2)
    assert row["bilinear sums"] == f"{sums.min():.3f} to {sums.max():.3f}" == "1.778 to 2.778"
    assert row["bilinear CV"] == pytest.approx(sums.std() / sums.mean())


@pytest.mark.parametrize(
    ("k", "s", "expected"), [(3, 2, 0.484), (5, 2, 0.286), (4, 3, 0.515), (5, 3, 0.408)]
)
def test_known_variations_of_kernels_of_ones(k, s, expected):
    row = tables.output_row(Upsampling("transposed", k, s), "ones", (0,))
    assert row["CV"] == pytest.approx(expected, abs=5e-4)
    assert row["Q"] > 0.5


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("layer", tables.UPSAMPLINGS, ids=lambda layer: layer.name)
def test_only_divisible_kernels_of_ones_and_resizing_are_exactly_even(layer, depth):
    variation = tables._mean_variation([layer] * depth, "ones", (0,))
    if layer.mode != "transposed" or layer.kernel % layer.stride == 0:
        assert variation == 0
    else:
        assert variation > 0.2


def test_stacks_of_ones_compound_as_by_hand():
    """In one dimension, zeros between and a window of three: 1 2, then 1 3 2 3, and so on."""
    y, found = np.ones(40), []
    for depth in (1, 2, 3):
        stuffed = np.zeros(2 * len(y))
        stuffed[::2] = y
        y = np.convolve(stuffed, np.ones(3))
        period = y[len(y) // 2 :][: 2**depth]
        plane = np.outer(period, period)
        row = tables.stack_row(Upsampling("transposed", 3), "ones", depth, (0,))
        assert row["CV"] == pytest.approx(plane.std() / plane.mean())
        assert row["largest / smallest"] == pytest.approx(plane.max() / plane.min())
        found.append(row["CV"])
    assert found == sorted(found)


def test_measures_are_means_over_seeds():
    layer = Upsampling("transposed", 4)
    measured = [tables.measures_of_noise([layer], "Gaussian", seed) for seed in (0, 1, 2)]
    shares = [own["Q"] for own in measured]
    row = tables.output_row(layer, "Gaussian", (0, 1, 2))
    stack = tables.stack_row(layer, "Gaussian", 1, (0, 1, 2))
    assert row["CV"] is None
    for name in ("Q", "V", "U", "E"):
        mean = np.mean([own[name] for own in measured])
        assert row[name] == pytest.approx(mean)
        assert stack[name] == pytest.approx(mean)
    assert len({row[name] for name in ("Q", "V", "U", "E")}) == 4
    assert row["highest U"] == stack["highest U"] == max(own["U"] for own in measured)
    assert (row["lowest Q"], row["highest Q"]) == (min(shares), max(shares))
    assert len(set(shares)) == 3
    variations = [tables._mean_variation([layer], "positive", (seed,)) for seed in (0, 1)]
    assert variations[0] != variations[1]
    assert tables._mean_variation([layer], "positive", (0, 1)) == pytest.approx(np.mean(variations))


def test_the_share_is_that_of_the_upsampled_features():
    layer = Upsampling("nearest", 3)
    generator = rng(4)
    x = layers.features(generator, tables.SIZE)
    y = layers.upsample(x, [layer], KERNELS["positive"], generator)
    inner = y[0, :, 8:-8, 8:-8]
    means = np.stack([inner[:, a::2, b::2].mean(axis=(1, 2)) for a in (0, 1) for b in (0, 1)])
    parts = np.stack([inner[:, a::2, b::2] for a in (0, 1) for b in (0, 1)])
    between, spreads = means.var(axis=0), parts.std(axis=(2, 3)).var(axis=0)
    found = tables.measures_of_noise([layer], "positive", 4)
    assert found["Q"] == pytest.approx((between / inner.var(axis=(1, 2))).mean())
    assert found["V"] == pytest.approx((spreads / inner.var(axis=(1, 2))).mean())
    assert found["U"] == pytest.approx(found["Q"] + found["V"])
    error = phase_error(y, bilinear_ideal(y, 2), 2, 8).mean()
    assert found["E"] == pytest.approx(error)


def counterexamples():
    table = tables.counterexample_table()
    return {(row["middle row"], row["resizing"], row["image"]): row for row in table.rows}


def test_what_resizing_keeps_and_what_it_does_not():
    rows = counterexamples()
    assert len(rows) == 16
    for (middle_row, resizing, image), row in rows.items():
        assert row["phase sums"] == sum(map(float, middle_row.split(", ")))
        if image == "constant" or (middle_row, resizing) == ("0, 1, 0", "nearest"):
            assert row["U"] < 1e-4
    row = rows["-1, 1, 0", "nearest", "ramp"]
    assert (row["pixels"], row["Q"], row["V"]) == ("1.00 0.00 1.00 0.00", 1, 0)
    assert row["E"] == pytest.approx(1)
    row = rows["-1, 1, 0", "bilinear", "ramp"]
    assert (row["pixels"], row["U"], row["E"]) == ("0.50 0.50 0.50 0.50", 0, 0)
    row = rows["-1, 1, 0", "nearest", "noise"]
    assert row["pixels"].split()[1::2] == ["0.00", "0.00"]
    assert row["Q"] < 1e-4
    assert row["V"] == pytest.approx(0.5, abs=1e-3)


def test_convolving_what_was_resized_by_hand():
    image = rng().random((3, 4))
    copies = np.pad(np.kron(image, np.ones((2, 2))), 1, mode="edge")
    expected = 2 * copies[1:-1, :-2] - copies[1:-1, 1:-1] + 5 * copies[1:-1, 2:]
    np.testing.assert_allclose(layers.convolve_resized(image, "nearest", (2, -1, 5)), expected)


def test_gradients():
    def row(kind, k, s, kernel="ones", image="noise"):
        return tables.gradient_row(Downsampling(kind, k, s), kernel, image, (0, 1))

    assert row("conv", 3, 1)["CV"] == row("conv", 2, 2)["CV"] == row("conv", 4, 2)["CV"] == 0
    assert row("conv", 3, 2)["CV"] == tables.overlap_row(3, 2)["CV"]
    assert row("conv", 1, 2)["CV"] == pytest.approx(3**0.5)
    assert row("conv", 1, 2)["without"] == pytest.approx(0.75, abs=0.01)
    assert row("conv", 3, 2)["without"] == 0
    assert 0 < row("conv", 4, 2, "positive")["CV"] < 0.1
    assert row("average", 3, 2)["CV"] == pytest.approx(row("conv", 3, 2)["CV"])
    assert row("max", 2, 2)["CV"] < 0.03
    assert row("max", 2, 2)["without"] == pytest.approx(0.75, abs=1e-3)
    assert row("max", 3, 2)["CV"] > 0.4
    # One window of 16 holds zeros only, and sends its 1 to the first: 5/16 - 1/64 against 15/64.
    shares = np.array([15 / 64 + 1 / 16, 15 / 64, 15 / 64, 15 / 64])
    expected = shares.std() / shares.mean()
    assert row("max", 2, 2, "-", "ReLU(noise)")["CV"] == pytest.approx(expected, abs=0.02)


# -- Findings ------------------------------------------------------------------------------------


def test_exceptions_to_the_rule_are_told():
    good = {"k": 4, "s": 2, "even": True, "s divides k": True, "as the formula": True}
    assert findings.overlap_finding([good]) == (
        "In 1 kernel sizes and strides the overlap is even exactly where s divides k. The formula"
        " of the counts is ceil((k - a) / s) for phase a: the layers equal it."
    )
    bad = {**good, "even": False, "as the formula": False}
    found = findings.overlap_finding([good, bad])
    assert "even where s divides k, but for k=4 s=2." in found
    assert found.endswith("the layers differ from it for k=4 s=2.")


def test_weighted_kernels_are_sorted_into_even_and_uneven():
    rows = [
        {"k": 3, "s": 2, "counts CV": 0.4, "bilinear CV": 1e-17},
        {"k": 5, "s": 2, "counts CV": 0.2, "bilinear CV": 0.1},
        {"k": 4, "s": 2, "counts CV": 0.0, "bilinear CV": 0.0},
    ]
    assert findings.weighted_finding(rows) == (
        "Uneven in counts but even with bilinear weights: k=3 s=2."
        " Uneven with these weights too: k=5 s=2."
    )
    assert findings.weighted_finding([]).count("none") == 2


def test_ones_are_sorted_into_even_and_uneven():
    rows = [
        {"kernel": "ones", "layer": "A", "CV": 0.0},
        {"kernel": "ones", "layer": "B", "CV": 1e-17},
        {"kernel": "positive", "layer": "C", "CV": 0.5},
    ]
    assert findings.ones_finding(rows) == (
        "With kernels of ones CV is exactly 0 for A. It is not for B (0.000)."
    )


@pytest.mark.parametrize(("other", "words"), [(0.25, "less than seeds do"), (0.5, "no less than")])
def test_the_trap_is_judged_by_the_spread_of_the_seeds(other, words):
    rows = [
        {"kernel": kind, "layer": layer, "Q": share, "lowest Q": 0, "highest Q": highest}
        for kind in ("positive", "Gaussian")
        for layer, share, highest in ((findings.K3, 0.2, 0.9), (findings.K4, other, 0.1))
    ]
    assert words in findings.random_finding(rows)


def test_the_extremes_of_both_ways_of_upsampling():
    numbers = [
        ("positive", "nearest", 0.1, 0.3, 0.6),
        ("Gaussian", "bilinear", 0.0, 0.4, 0.5),
        ("Gaussian", "transposed", 0.2, 0.9, 1.0),
        ("ones", "transposed", 0.0, 0.0, 0.0),
    ]
    names = ("kernel", "layer", "lowest Q", "highest Q", "highest U")
    rows = [dict(zip(names, row, strict=True)) for row in numbers]
    found = findings.resize_finding(rows)
    assert "at most 0.4000 for resize-convolutions" in found
    assert "at least 0.2000 for transposed convolutions" in found
    assert found.endswith("U is at most 0.6000 for resize-convolutions.")


def test_the_most_uneven_stack_of_resize_convolutions_is_told():
    names = ("kernel", "layer", "layers", "Q", "U", "highest U")
    numbers = [
        ("Gaussian", "nearest", 2, 0.01, 0.2, 0.3),
        ("positive", "bilinear", 3, 0.02, 0.1, 0.2),
        ("Gaussian", "transposed", 3, 0.6, 0.7, 0.8),
        ("ones", "nearest", 3, 0.6, 0.7, 0.8),
    ]
    found = findings.resized_stack_finding([dict(zip(names, row, strict=True)) for row in numbers])
    assert found.endswith(
        "2 of nearest with Gaussian kernels reach the highest U, 0.3000 in a seed"
        " (mean 0.2000, while Q is 0.0100)."
    )


def test_counterexamples_are_told():
    rows = list(counterexamples().values())
    found = findings.counterexample_finding(rows)
    assert "nearest and (-1, 1, 0) 1.00 0.00 1.00 0.00, U 1.000" in found
    assert "bilinear and (-1, 1, 0) 0.50 0.50 0.50 0.50, U 0.000" in found
    assert found.count("U ") == 4
    found = findings.blind_finding(rows)
    assert found.startswith("Of noise, nearest and the middle row (-1, 1, 0) make pixels such as ")
    assert "have 0.0000 of the variance (Q), their spreads 0.5000 (V)" in found


def test_growth_is_told_only_where_there_is_some():
    rows = [
        {"kernel": kind, "layer": layer, "layers": n, "CV": value}
        for kind, layer, values in (
            ("ones", "up", (0.1, 0.2, 0.3)), ("positive", "up", (0.1, 0.3, 0.2)),
            ("ones", "even", (0, 0, 0)), ("positive", "even", (0, 1e-17, 0)),
        )
        for n, value in enumerate(values, 1)
    ]  # fmt: skip
    assert findings.stack_finding(rows) == (
        "From one layer to two and three, CV of up with kernels of ones grows (0.100, 0.200,"
        " 0.300); of up with random positive kernels does not always grow (0.100, 0.300, 0.200)."
    )


def test_gradients_are_compared_with_transposed_convolutions():
    rows = [
        {"kernel": "ones", "layer": "convolution k=3 s=2", "CV": 0.5},
        {"kernel": "ones", "layer": "convolution k=4 s=2", "CV": 0.0},
        {"kernel": "positive", "layer": "convolution k=5 s=2", "CV": 0.7},
    ]
    overlaps = [{"k": 3, "s": 2, "CV": 0.4}, {"k": 4, "s": 2, "CV": 0.0}]
    found = findings.gradient_finding(rows, overlaps)
    assert "uneven, with kernels of ones, for convolution k=3 s=2 (0.500)." in found
    assert "within 1.0e-01 (2 compared)" in found


# -- Pictures, and the whole ---------------------------------------------------------------------


def test_what_is_drawn_of_the_outputs():
    row = pictures.output_row("Disc", layers.disc(18), "ones")
    assert row.input.shape == (14, 14)
    assert [plane.shape for plane in row.outputs] == [(28, 28)] * 4
    assert row.from_zero
    assert re.fullmatch(r"Q 0\.[3-9]\d\d\nU 0\.[3-9]\d\d", row.captions[0])
    assert row.captions[1:] == ["Q 0.000\nU 0.000"] * 3
    row = pictures.output_row("Constant", np.ones((1, 1, 18, 18)), "ones")
    assert row.captions == ["CV 0.484", "CV 0.000", "CV 0.000", "CV 0.000"]
    row = pictures.output_row("Disc", layers.disc(18), "Gaussian", 3)
    assert [plane.shape for plane in row.outputs] == [(112, 112)] * 4
    assert not row.from_zero


@pytest.mark.parametrize(("kind", "depth"), [("positive", 1), ("positive", 3), ("Gaussian", 1)])
@pytest.mark.parametrize("layer", pictures.SHOWN[:2], ids=lambda layer: layer.name)
def test_the_seed_that_is_drawn_is_the_one_nearest_to_the_mean(layer, kind, depth):
    seeds, image = range(2, 9), np.repeat(layers.disc(18), layers.CHANNELS, axis=1)
    plane, values, uneven = pictures.typical_output(image, [layer] * depth, kind, seeds)
    border, shares, planes = 2 * 2**depth, {}, {}
    for seed in seeds:
        y = layers.upsample(image, [layer] * depth, KERNELS[kind], rng(seed))
        planes[seed] = y[0, 0, border:-border, border:-border]
        shares[seed] = phase_share(planes[seed], 2**depth)
    mean = sum(shares.values()) / 7
    nearest = min(seeds, key=lambda seed: abs(shares[seed] - mean))
    np.testing.assert_array_equal(plane, planes[nearest])
    assert values[0] == shares[nearest]
    assert sorted(values) == sorted(shares.values())
    row = pictures.output_row("Disc", image, kind, depth, seeds)
    own = {seed: phase_unevenness(planes[seed], 2**depth) for seed in seeds}
    assert uneven[0] == own[nearest]
    assert sorted(uneven) == sorted(own.values())
    caption = f"Q {shares[nearest]:.3f}, mean {mean:.3f}\nU {own[nearest]:.3f}, mean"
    assert f"{caption} {np.mean(uneven):.3f}" in row.captions


def test_of_a_constant_image_the_variation_decides():
    image = np.ones((1, layers.CHANNELS, 18, 18))
    stack = [Upsampling("transposed", 4)]
    plane, values, uneven = pictures.typical_output(image, stack, "positive", range(5))
    assert uneven == []
    assert values[0] == pytest.approx(window(plane, 4, 2).std() / window(plane, 4, 2).mean())
    assert len(set(values)) == 5
    assert pictures.caption(values, []) == f"CV {values[0]:.3f}, mean {np.mean(values):.3f}"


def test_the_picture_shows_what_the_table_says(monkeypatch, tmp_path):
    """With random positive kernels k=3 looks uneven and k=4 nearly even, as in the table."""
    drawn = []
    monkeypatch.setattr(pictures, "plot_outputs", lambda path, columns, rows: drawn.extend(rows))
    pictures.draw_outputs(tmp_path / "x.png", range(10))
    (row,) = [row for row in drawn if row.title.startswith("A disc, random positive")]
    assert "of 8 channels; of 10 seeds that nearest to their mean Q" in row.title
    for layer, plane, text in zip(pictures.SHOWN, row.outputs, row.captions, strict=True):
        share = phase_share(plane, 2)
        table = tables.output_row(layer, "positive", range(10))["Q"]
        first, second = text.splitlines()
        mean = float(first.rpartition(" ")[2])
        assert first == f"Q {share:.3f}, mean {mean:.3f}"
        assert second.startswith(f"U {phase_unevenness(plane, 2):.3f}, mean ")
        assert abs(mean - table) < 0.1
        assert abs(share - table) < 0.1


@pytest.mark.parametrize("layer", pictures.GRADIENTS, ids=lambda layer: layer.name)
def test_what_is_drawn_of_the_gradients(layer):
    shown = pictures.gradient_map(layer)
    size = layer.stride * 3 + layer.kernel
    assert shown.counts.shape == (size, size)
    assert shown.counts.sum() == 16 * (layer.kernel**2 if layer.kind == "conv" else 1)
    np.testing.assert_array_equal(shown.counts, shown.counts.astype(int))


def test_what_is_drawn_of_the_overlaps():
    shown = pictures.count_map(3, 2)
    assert shown.title == "k=3, s=2: uneven, 1, 2, 4"
    np.testing.assert_array_equal(shown.counts, layers.overlap_map(3, 2, 4))
    shown = pictures.count_map(6, 3)
    assert shown.title == "k=6, s=3: even, 4"
    assert shown.counts.shape == (12, 12)  # a wider one would run into the next panel


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return checkerboard.run(Settings(tmp_path_factory.mktemp("checkerboard"), (0, 1)))


def test_the_tables(result):
    assert [len(table.rows) for table in result.tables.values()] == [18, 8, 33, 45, 16, 20]
    stacks = result.tables["stacks"].rows
    assert all(0 <= row["Q"] <= 1 for row in stacks)
    resized = [row["Q"] for row in stacks if "transposed" not in row["layer"]]
    stamped = [
        row["Q"] for row in stacks if "transposed" in row["layer"] and row["kernel"] != "ones"
    ]
    assert max(resized) < 0.02 < min(stamped)
    with_cv = [result.tables[name] for name in ("outputs", "stacks", "gradients")]
    assert all("CV" in row for table in with_cv for row in table.rows)
    assert "Odena, Dumoulin and Olah (2016)" in " ".join(result.text().split())


def test_the_findings(result):
    assert len(result.findings) == 11
    assert "even exactly where s divides k" in result.findings[0]
    assert "k=63 s=32" in result.findings[1].partition(".")[0]
    assert "k=3 s=2 (0.484)" in result.findings[2].partition("not")[2]
    assert "with random positive kernels" in result.findings[3]
    assert "within 0.0e+00 (4 compared)" in result.findings[9]


def test_two_runs_give_the_same(result, tmp_path):
    said = []
    again = checkerboard.run(Settings(tmp_path, (0, 1), say=said.append))
    assert said == ["6 tables measured with 2 seeds"]
    assert again.to_json()["tables"] == result.to_json()["tables"]
    assert again.findings == result.findings
    assert [path.name for path in again.pictures] == [
        f"checkerboard_{name}.png"
        for name in ("stamps", "counts", "outputs", "counterexamples", "gradients")
    ]
    for first, second in zip(result.pictures, again.pictures, strict=True):
        assert first.read_bytes() == second.read_bytes()
