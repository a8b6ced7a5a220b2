"""Whether named arrays are the ones that a network expects: names, shapes, finite numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

SHOWN = 3
"""How many names of each kind of mistake an error shows."""


def check_keys(found: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise one ValueError of one line unless `found` has exactly the expected names and shapes.

    It counts missing, extra and misshaped arrays, and those that are no finite real numbers, and
    names the first few of each.
    """
    mistakes = {
        "missing": [brief(name) for name in expected if name not in found],
        "extra": [brief(name) for name in found if name not in expected],
        "misshaped": [
            f"{brief(name)} is {found[name].shape}, not {tuple(shape)}"
            for name, shape in expected.items()
            if name in found and found[name].shape != tuple(shape)
        ],
        "not finite numbers": [
            brief(name) for name, array in found.items() if name in expected and not _finite(array)
        ],
    }
    listed = [f"{len(names)} {kind} ({_few(names)})" for kind, names in mistakes.items() if names]
    if listed:
        raise ValueError(f"the weights do not fit: {', '.join(listed)}")


def check_like(found: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray]) -> None:
    """Do `check_keys` with the names and shapes of another state, such as a module's own."""
    check_keys(found, {name: array.shape for name, array in state.items()})


def brief(value: object) -> str:
    """Show a value out of a file, whatever it is, in one short line.

    Only strings and numbers are shown: the text of a small pickle's tuples could be endless.
    """
    if type(value) is tuple:
        return f"({', '.join(map(_brief_item, value[:9]))}{', ...' * (len(value) > 9)})"
    return _brief_item(value)


def _brief_item(value: object) -> str:
    if isinstance(value, str):
        text = value[:61] if value.isprintable() else repr(value[:61])
    else:
        text = repr(value) if isinstance(value, (int, float)) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _finite(array: np.ndarray) -> bool:
    """Whether all are numbers that a float32 can hold."""
    if array.dtype.kind not in "iuf":
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(np.float32, copy=False)).all())


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
