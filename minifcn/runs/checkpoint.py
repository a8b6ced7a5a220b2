"""What checkpoints hold: a run's network, checked before it is used, and its random generator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minifcn import nn
from minifcn.backend import choose_device
from minifcn.runs.config import Config
from minifcn.system.files import load_arrays


def load_model(
    folder: Path, checkpoint: str = "best", device: str = "cpu"
) -> tuple[Config, nn.Module]:
    """Load a run's config and its network, in evaluation mode: its best weights, or its last.

    The network goes to `device`, wherever it was trained.

    Raises:
        ValueError: no run is there, its files are damaged or do not fit together, or the device
            cannot be used.
    """
    device = choose_device(device)
    config = Config.load(folder / "config.json")
    model = config.build_model(np.random.default_rng(config.seed))
    path = folder / f"{checkpoint}.safetensors"
    if checkpoint == "best" and not path.exists() and (folder / "last.safetensors").exists():
        raise ValueError(f"{path}: not there before the first validation; try --checkpoint last")
    arrays, _ = load_arrays(path)
    try:
        weights = with_prefix(arrays, "model.") if checkpoint == "last" else arrays
        model.load_state_dict(renamed(weights))
        check_finite(model.state_dict())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return config, model.to(device).eval()


def renamed(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return weights by the names that they have today.

    The stages of runs from before networks had other backbones were called stage1 to stage5.
    """
    return {f"backbone.{n}" if n.startswith("stage") else n: a for n, a in weights.items()}


def check_finite(weights: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError if a number is NaN or infinite."""
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")


def with_prefix(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Return the arrays whose names start with a prefix, without it."""
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def generator_state(generator: np.random.Generator) -> str:
    """Return the state of a random generator as JSON."""
    return json.dumps(generator.bit_generator.state)


def restore_generator(generator: np.random.Generator, state: str) -> None:
    """Put a generator into a state that `generator_state` gave.

    Raises:
        ValueError: the state is malformed, or of another kind of generator.
    """
    try:
        values = json.loads(state)
        generator.bit_generator.state = values
        if generator.bit_generator.state != values:  # such as 1.5, which NumPy cuts to 1
            raise ValueError("it holds numbers that no generator has")
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"state of the random generator is malformed: {error}") from error
