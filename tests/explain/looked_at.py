"""Small networks and scenes for the microscope, and what its page has embedded of them."""

import base64
import json
import re

import numpy as np
from small_runs import make_config

from minifcn.explain.microscope import Scene, Subject
from minifcn.tensor import Tensor, no_grad


def network(model="fcn8s", classes=4, seed=0, **choices):
    """A small network whose scores are not 0, as they are at first, but around it on every path."""
    generator = np.random.default_rng(seed)
    names = {f"class {i}": (10 * i % 256, i % 256, 0) for i in range(classes)}
    config = make_config(model=model, classes=names, **choices)
    network = config.build_model(generator).eval()
    noise = Tensor(generator.standard_normal((1, 3, 64, 64)).astype(np.float32))
    for name, path in (("score_fr", "top"), ("score_pool4", "pool4"), ("score_pool3", "pool3")):
        if hasattr(network, name):
            layer = getattr(network, name)
            layer.weight.data[...] = generator.standard_normal(layer.weight.shape)
            with no_grad():
                layer.bias.data[...] = -network.path_scores(noise)[path].data.mean((0, 2, 3))
    return config, network


def subject(size=(40, 52), seed=0, truth=True, **choices):
    """Such a network, and a scene of noisy blocks."""
    config, model = network(seed=seed, size=size, **choices)
    generator = np.random.default_rng(seed + 1)
    rows, columns = (np.arange(length) // 12 for length in size)
    blocks = generator.integers(0, 2, (rows[-1] + 1, columns[-1] + 1, 3))[np.ix_(rows, columns)]
    image = (200 * blocks + generator.integers(0, 56, blocks.shape)).astype(np.uint8)
    labels = generator.integers(0, len(config.classes), size, np.uint8) if truth else None
    return Subject(config, model, Scene(image, labels, "scene", size))


def embedded(page):
    """The numbers of a page."""
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def array(text, kind="<i2"):
    """An array as the page has it."""
    return np.frombuffer(base64.b64decode(text), kind)


def terms_of(data):
    """The embedded terms (P, C, H, W), as numbers."""
    shown = data["shown"]
    shape = (len(data["paths"]), len(data["classes"]), len(shown["rows"]), len(shown["columns"]))
    return array(data["terms"]).reshape(shape) / 10.0 ** data["decimals"]


def places_of(data):
    """Which pixels of the network's are kept, to index with."""
    return np.ix_(data["shown"]["rows"], data["shown"]["columns"])
