"""FCN's paths one by one: the terms that its scores are the sum of."""

import numpy as np
import pytest
from small_networks import small_fcn

from minifcn import Tensor, no_grad
from minifcn.models.fcn import STRIDES

TINY = {"widths": (4, 5, 6, 7, 8), "depths": (1, 2, 1, 1, 2), "head_width": 6}
SCORES = {"top": "score_fr", "pool4": "score_pool4", "pool3": "score_pool3",
          "pool2": "score_pool2"}  # fmt: skip


def make_model(stride=8):
    """Float64, with random scores, biases included."""
    generator = np.random.default_rng(0)
    model = small_fcn(4, stride, generator=generator, **TINY)
    model.to(dtype=np.float64)
    for name in list(SCORES.values())[: 1 + STRIDES.index(stride)]:
        for parameter in getattr(model, name).parameters():
            parameter.data[...] = generator.standard_normal(parameter.shape)
    return model.eval()


def images(size=(33, 50)):
    return Tensor(np.random.default_rng(1).standard_normal((2, 3, *size)))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("size", [(64, 32), (33, 50), (1, 1)])
def test_the_terms_add_up_to_the_scores(stride, size):
    model, x = make_model(stride), images(size)
    with no_grad():
        terms, scores = model.score_terms(x), model(x)
    assert list(terms) == list(SCORES)[: 1 + STRIDES.index(stride)]
    assert all(term.shape == (2, 4, *size) for term in terms.values())
    np.testing.assert_allclose(sum(t.data for t in terms.values()), scores.data, atol=1e-12)


def silence(model, paths):
    """Set the scores of some paths, biases included, to 0."""
    for path in paths:
        for parameter in getattr(model, SCORES[path]).parameters():
            parameter.data[...] = 0
    return model


@pytest.mark.parametrize("path", SCORES)
def test_a_term_is_what_the_network_scores_with_the_other_paths_silent(path):
    model, x = make_model(4), images()
    term = model.score_terms(x)[path].data
    np.testing.assert_allclose(term, silence(model, set(SCORES) - {path})(x).data, atol=1e-12)
    assert term.std() > 1e-2
