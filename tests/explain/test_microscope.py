"""The microscope: its numbers are the network's, its classes the prediction at each pixel."""

import numpy as np
import pytest
from looked_at import array, network, subject, terms_of

from minifcn.data.transforms import normalise
from minifcn.explain.fields import path_field, path_sights, windows_of
from minifcn.explain.microscope import LAYERS, numbers_of, rounded_terms
from minifcn.plots.receptive_field import input_gradient, measured_box
from minifcn.runs.steps import predict
from minifcn.tensor import Tensor, no_grad

# -- Terms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "paths"),
    [
        ({"model": "fcn8s"}, ["top", "pool4", "pool3"]),
        ({"model": "fcn8s", "upsampling": "learned"}, ["top", "pool4", "pool3"]),
        ({"model": "fcn16s"}, ["top", "pool4"]),
        ({"model": "fcn32s"}, ["top"]),
    ],
)
def test_the_terms_are_the_networks_and_add_up_to_its_scores(choices, paths):
    own = subject(**choices)
    data = numbers_of(own)
    x = Tensor(normalise(own.scene.image)[np.newaxis])
    with no_grad():
        scores, terms = own.model(x).data[0], own.model.score_terms(x)
    assert [path["name"] for path in data["paths"]] == paths == list(terms)
    unit = 10.0 ** -data["decimals"]
    found = terms_of(data)
    assert np.abs(scores).max() > 1000 * unit  # three digits at least
    np.testing.assert_allclose(found.sum(0), scores, rtol=0, atol=1.01 * unit)
    for path, term in enumerate(terms.values()):
        np.testing.assert_allclose(found[path], term.data[0], rtol=0, atol=3 * unit)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", ["fcn8s", "fcn16s", "fcn32s"])
def test_the_largest_sum_is_the_prediction_at_each_pixel(model, seed):
    own = subject(model=model, seed=seed, classes=6)
    found = terms_of(numbers_of(own))
    prediction = predict(own.model, [own.scene.image])[0]
    assert len(np.unique(prediction)) > 1
    sums = np.rint(found.sum(0) * 1e6)  # as whole numbers, for ties
    assert (sums.argmax(0) == prediction).all()


def test_equal_scores_are_the_first_class_as_in_the_network():
    terms = np.zeros((3, 4, 2, 2), np.float32)
    decimals, counts = rounded_terms(terms, np.zeros((2, 2), np.uint8))
    assert (decimals, counts.any()) == (3, False)


def test_rounding_does_not_change_the_class():
    """Scores that differ by less than the unit, in both orders, far below the largest number."""
    terms = np.zeros((2, 3, 1, 2), np.float32)
    terms[0, :, 0, 0] = [1, 1.00001, 30]
    terms[1, :, 0, 0] = [0, 0, -30]
    terms[0, :, 0, 1] = [1.00001, 1, 1]
    prediction = terms.sum(0).argmax(0)
    assert prediction.tolist() == [[1, 0]]
    decimals, counts = rounded_terms(terms, prediction)
    assert decimals == 3
    assert counts.sum(0)[:, 0, 0].tolist() == [1000, 1001, 0]
    assert counts.sum(0)[:, 0, 1].tolist() == [1000, 1000, 1000]


@pytest.mark.parametrize("largest", [1e-4, 0.9, 3.3, 31.9, 1e3, 1e6])
def test_rounded_terms_fit_whatever_their_size(largest):
    generator = np.random.default_rng(3)
    terms = generator.uniform(-largest, largest, (3, 5, 6, 7)).astype(np.float32)
    prediction = terms.sum(0).argmax(0)
    decimals, counts = rounded_terms(terms, prediction)
    np.testing.assert_allclose(counts / 10.0**decimals, terms, atol=3 * 10.0**-decimals)
    assert (counts.sum(0, dtype=int).argmax(0) == prediction).all()


# -- What a pixel sees ---------------------------------------------------------------------------


def test_the_receptive_fields_of_a_network_with_one_convolution_a_stage():
    _, model = network()
    assert path_field(model, "pool3") == (22, 8, -7)
    assert path_field(model, "pool4") == (46, 16, -15)
    assert path_field(model, "top") == (158, 32, -63)


def test_a_pixel_is_made_of_two_cells_along_an_axis_but_at_the_border():
    _, model = network()
    sights = path_sights(model, "pool3", 64, [0, 3, 4, 11, 12, 63])
    assert [sight.cells for sight in sights] == [(0, 0), (0, 0), (0, 1), (0, 1), (1, 2), (7, 7)]
    assert sights[2].pixels == (-7, 22)


@pytest.mark.parametrize("model", ["fcn8s", "fcn16s", "fcn32s"])
def test_a_term_depends_on_no_pixel_outside_of_what_its_path_sees(model):
    """Measured by a gradient, at corners and inside; and it reaches each border of the box."""
    config, own = network(model, size=(96, 160))
    images = np.random.default_rng(5).standard_normal((6, 3, 96, 160)).astype(np.float64)
    own = own.to(dtype=np.float64)
    for path in [one["name"] for one in numbers_of(subject(model=model))["paths"]]:
        for row, column in ((0, 0), (49, 83), (95, 4)):
            term = lambda x, p=path: own.score_terms(x)[p]
            box = measured_box(input_gradient(term, images, (row, column)))
            (down,) = path_sights(own, path, 96, [row])
            (across,) = path_sights(own, path, 160, [column])
            top, bottom = max(down.pixels[0], 0), min(down.pixels[1], 95)
            left, right = max(across.pixels[0], 0), min(across.pixels[1], 159)
            assert top <= box.top
            assert left <= box.left
            assert box.top + box.height - 1 <= bottom
            assert box.left + box.width - 1 <= right
            if path == "pool3":
                assert box == (top, left, bottom - top + 1, right - left + 1)


def test_windows_know_transposed_convolutions():
    _, model = network()
    assert windows_of([model.upscore]) == [(16, 8, 4, 1, True)]


# -- Maps ----------------------------------------------------------------------------------------


def test_maps_have_the_size_of_the_image_and_the_channels_that_vary_most():
    own = subject(size=(40, 52))
    data = numbers_of(own)
    assert [layer["name"] for layer in data["layers"]] == list(LAYERS)
    sizes = [(layer["height"], layer["width"]) for layer in data["layers"]]
    assert sizes == [(20, 26), (10, 13), (5, 7), (3, 4), (2, 2), (2, 2)]
    first = data["layers"][0]
    x = Tensor(normalise(np.pad(own.scene.image, ((0, 24), (0, 12), (0, 0))))[np.newaxis])
    x.data[:, :, 40:] = x.data[:, :, :, 52:] = 0
    with no_grad():
        stage = own.model.backbone.stage1(x).data[0, :, :20, :26]
    variances = stage.reshape(len(stage), -1).var(1)
    chosen = [one["channel"] for one in first["maps"]]
    assert chosen == np.argsort(-variances).tolist()[:4]
    for one in first["maps"]:
        low, high = one["low"], one["high"]
        shown = low + array(one["values"], np.uint8).reshape(20, 26) / 255 * (high - low)
        np.testing.assert_allclose(shown, stage[one["channel"]], atol=(high - low) / 500)


def test_coarse_scores_are_those_before_upsampling():
    own = subject(size=(64, 96))
    data = numbers_of(own)
    with no_grad():
        scores = own.model.path_scores(Tensor(normalise(own.scene.image)[np.newaxis]))
    for path in data["paths"]:
        coarse, wanted = path["coarse"], scores[path["name"]].data[0]
        assert (coarse["height"], coarse["width"], coarse["step"]) == (*wanted.shape[1:], 1)
        found = array(coarse["scores"]).reshape(wanted.shape) / 10.0 ** coarse["decimals"]
        np.testing.assert_allclose(found, wanted, atol=0.51 * 10.0 ** -coarse["decimals"])
