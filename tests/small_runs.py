"""Runs that train in a moment, and a look at what they saved; for the tests of training."""

import numpy as np

from minifcn.data.transforms import IMAGENET
from minifcn.runs.config import Config
from minifcn.runs.run import Run
from minifcn.runs.segmentation import scoring, segment_resized
from minifcn.system.files import load_arrays, save_arrays

TINY = (
    *("--size", "32x32", "--batch-size", "2", "--iterations", "4", "--evaluate-every", "2"),
    *("--device", "cpu"),
)
"""Options of `minifcn train` for a training that takes a moment, on the CPU everywhere."""


def make_config(**choices):
    """A network with a few channels, on shapes of 32x32."""
    return Config.make(
        **{
            "size": (32, 32),
            "batch_size": 2,
            "iterations": 6,
            "evaluate_every": 3,
            "checkpoint_every": 2,
            "widths": (3, 4, 4, 4, 4),
            "depths": (1,) * 5,
            "head_width": 4,
            "warmup": 2,
            "device": "cpu",
            **choices,
        }
    )


def start(folder, **choices):
    """Start a run of `make_config`."""
    return Run.start(make_config(**choices), folder, "0.1.0")


def state_of(folder, name="last"):
    """All that a checkpoint holds: the bytes of its arrays, and its metadata."""
    arrays, metadata = load_arrays(folder / f"{name}.safetensors")
    return {n: (a.dtype, a.shape, a.tobytes()) for n, a in arrays.items()}, metadata


def results_of(folder):
    """All that a run computed; equal for two runs that are equal bit for bit."""
    files = {"log.csv", "metrics.json", "config.json"} & {path.name for path in folder.iterdir()}
    texts = {name: (folder / name).read_bytes() for name in files}
    return {"last": state_of(folder), "best": state_of(folder, "best"), **texts}


def rewrite(path, arrays=None, metadata=None):
    """Write a checkpoint again with some arrays or metadata changed; None takes one out."""
    own_arrays, own_metadata = load_arrays(path)
    changed = [
        {name: value for name, value in (own | (new or {})).items() if value is not None}
        for own, new in ((own_arrays, arrays), (own_metadata, metadata))
    ]
    save_arrays(path, *changed)


def spoiled(array, value=np.nan):
    """The array with one element replaced."""
    array = array.copy()
    array.flat[0] = value
    return array


def mask_of(model, image, size, normalise=IMAGENET):
    """What `minifcn predict` makes of an image by default: (H, W), at its own size."""
    return segment_resized(scoring(model, normalise), image, size).mask
