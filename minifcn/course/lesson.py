"""What the tutorials share: what the text says is checked, pictures and progress are shown."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.tensor import Tensor

_NUMBER = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?:e([+-]?\d+))?( ?%)?")

STRICT = "MINIFCN_STRICT"
"""The environment variable that the tests set to 1: what is not as the text says is an error then.
Else a reader is told, and the tutorial goes on: they may have changed a number to see what happens.
"""


def measured(name: str, value: Any, text: str, within: float | None = None) -> None:
    """Print a measured number, and hold the tutorial's text to it.

    Args:
        name: what was measured.
        value: one number; Python's, or an array or Tensor of one element.
        text: the number as the tutorial writes it: "0.83", "83 %", "1,296", "1e-7".
        within: how far the two may be apart. By default half a unit of the text's last digit:
            the text is the value, rounded. Larger where training has a part in it, whose last
            bits, and so results, are others on another machine.

    If the value is not what the text says, one line says what both are.

    Raises:
        AssertionError: in the tests (see `STRICT`), if the value is not what the text says.
        ValueError: if text is no number, or within is not one of 0 or more.
    """
    said, half_unit = _read(text)
    _check_within(within or 0.0)
    number = _one_number(value) + 0.0  # -0 is written as 0
    shown = f"{100 * number:.6g} %" if text.endswith("%") else _shown(number)
    # Half a unit is itself rounded: what lies between two numbers may be written as either.
    allowed = half_unit * (1 + 1e-9) if within is None else within
    if not abs(number - said) <= allowed:
        _tell(
            f"{name}: measured {shown}, but the text says {text}",
            f"{name}: you measured {shown}; the text says {text} for the original",
        )
        return
    print(f"{name}: {shown} (the text says {text})")


def equal(name: str, a: Any, b: Any, within: float = 1e-9) -> None:
    """Print how far two arrays are apart, and hold them to being equal.

    Args:
        name: what is compared.
        a: an array, a Tensor or a number.
        b: another one, of the same shape.
        within: the largest difference allowed, as a share of the largest finite entry of b;
            0 stands for exactly equal.

    If they are not equal, one line says so, and names the worst entry. NaN equals nothing, and
    infinity only itself.

    Raises:
        AssertionError: in the tests (see `STRICT`), if they are not equal.
        ValueError: if within is not a number of 0 or more.
    """
    _check_within(within)
    a, b = _array(a), _array(b)
    wrong, result = _compared(a, b, within)
    if wrong:
        _tell(f"{name}: {wrong}", f"{name}: {wrong}; in the original they are equal")
    else:
        print(f"{name}: {result}")


def claim(sentence: str, condition: Any) -> None:
    """Hold a sentence to what was computed; say nothing if it is so, else say that it is not.

    Args:
        sentence: what is claimed, without a full stop.
        condition: whether it is so.

    Raises:
        AssertionError: in the tests (see `STRICT`), if it is not so.
    """
    if not condition:
        _tell(f"not so: {sentence}", f"not so here, but in the original: {sentence}")


def progress(count: int, name: str, every: float = 3.0) -> Iterator[int]:
    """Count from 0 to count - 1, and tell on stderr how far a long training is.

    Args:
        count: how many steps.
        name: what is trained.
        every: seconds from one line to the next; what is done before says nothing.
    """
    began = told = time.monotonic()
    for step in range(count):
        now = time.monotonic()
        if step and now - told >= every:
            left = (now - began) / step * (count - step)
            print(f"{name}: step {step} of {count}, {left:.0f} s left", file=sys.stderr, flush=True)
            told = now
        yield step


def pictures(tutorial: str) -> Path:
    """Return the folder of a tutorial's pictures, runs/tutorials/NN, and make it if need be."""
    folder = Path("runs", "tutorials", tutorial)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_shown_by: Callable[[Path], None] | None = None


def show_by(function: Callable[[Path], None] | None) -> None:
    """Let a function show the files of `show`, as a page of the book does; None ends that."""
    global _shown_by
    _shown_by = function


def show(path: str | os.PathLike[str]) -> None:
    """Display a picture or a page in a notebook and in the book; in a script, print where it is.

    Args:
        path: a file that ends in .png, .gif, .svg or .html.

    Raises:
        ValueError: if it ends otherwise.
        FileNotFoundError: if there is no such file.
    """
    path = Path(path)
    if path.suffix not in (".png", ".gif", ".svg", ".html"):
        raise ValueError(f"path must end in .png, .gif, .svg or .html, got {path.name!r}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no picture {path}")
    if _shown_by:
        _shown_by(path)
    elif path.suffix == ".html":
        _show_page(path)
    elif _in_notebook():
        from IPython.display import SVG, Image, display

        kind = SVG if path.suffix == ".svg" else Image
        display(kind(filename=str(path)))
    else:
        print(f"picture: {path}")


def _show_page(path: Path) -> None:
    if _in_notebook():
        from IPython.display import display

        from minifcn.explain.notebook import Explanation

        display(Explanation(path.read_text(encoding="utf-8")))
    else:
        print(f"page: {path} (open it in a browser)")


def _compared(a: np.ndarray, b: np.ndarray, within: float) -> tuple[str, str]:
    """Return what is wrong, or what is right, with two arrays that should be equal."""
    if a.shape != b.shape:
        return f"shapes differ, {a.shape} and {b.shape}", ""
    if not a.size:
        return f"nothing to compare, both are of shape {a.shape}", ""
    with np.errstate(invalid="ignore"):  # infinities of one sign are equal, not NaN apart
        apart = np.where(a == b, 0.0, np.abs(np.subtract(a, b, dtype=np.float64)))
    apart[(a != b) & (apart == 0)] = np.nan  # whole numbers that float64 cannot tell apart
    largest = float(np.abs(b, dtype=np.float64).max(initial=0, where=np.isfinite(b)))
    worst = tuple(int(n) for n in np.unravel_index(np.argmax(apart), apart.shape))
    # NaN is not at most anything, and argmax finds it first.
    if not (apart[worst] <= within * largest and np.isfinite(apart[worst])):
        where = f" at {worst}" if worst else ""
        return f"differ{where}, {a[worst]:.6g} and {b[worst]:.6g}", ""
    exactly = "exactly equal" if apart[worst] == 0 else f"equal, to {apart[worst]:.1e}"
    return "", exactly + (f", {a.size:,} numbers" if a.ndim else "")


def _tell(wrong: str, to_a_reader: str) -> None:
    """Raise in the tests, else print."""
    if os.environ.get(STRICT) == "1":
        raise AssertionError(wrong)
    print(to_a_reader)


def _read(text: str) -> tuple[float, float]:
    """Return the number that a text says, and half a unit of its last digit."""
    found = _NUMBER.fullmatch(text.replace("−", "-"))
    if not found:
        raise ValueError(f'text must be a number like "0.83", "83 %" or "1,296", got {text!r}')
    sign, whole, decimals, exponent, percent = found.groups()
    scale = 10.0 ** int(exponent or 0) / (100 if percent else 1)
    size = float(whole.replace(",", "") + "." + (decimals or "0"))
    half_unit = 0.5 * 10.0 ** -len(decimals or "")
    return (-size if sign == "-" else size) * scale, half_unit * scale


def _shown(number: float) -> str:
    """Write six digits, or all of a whole number: 0.820604, 1,296."""
    return f"{number:,.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:.6g}"


def _check_within(within: float) -> None:
    if not 0 <= within < np.inf:
        raise ValueError(f"within must be a number of 0 or more, got {within}")


def _array(values: Any) -> np.ndarray:
    return values.numpy() if isinstance(values, Tensor) else np.asarray(values)


def _one_number(value: Any) -> float:
    array = _array(value)
    if array.size != 1:
        raise ValueError(f"value must be one number, got shape {array.shape}")
    return float(array.reshape(()))


def _in_notebook() -> bool:
    """Whether cells run in IPython's kernel, as in Jupyter, VS Code and Colab."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
