"""Numbers as pictures write them: a true minus, short powers, no more digits than there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axis import Axis


def true_minus(text: str) -> str:
    """Return a text with the minus sign for its hyphens, as wide as a plus."""
    return text.replace("-", "−")


def compact(text: str) -> str:
    """Return 1e-07 as 1e-7, and 1e+05 as 1e5."""
    digits, e, power = text.partition("e")
    return f"{digits}e{int(power)}" if e else text


def written(number: float, room: int = 12) -> str:
    """Return a number with a true minus sign: a whole one in full, others with three digits.

    room: how many signs there is room for. Where it is less than that takes, fewer digits are
    written; the fewest that there are if even they are too many.
    """
    texts = [str(int(number))] if number == int(number) and abs(number) < 1e5 else []
    texts += [compact(f"{number:.{digits}g}") for digits in (3, 2, 1)]
    texts += [text for text in (f"{number:.2f}", f"{number:.1f}") if float(text)]
    texts += [compact(f"{number:.0e}")]
    texts = [true_minus(text) for text in texts]
    return next((text for text in texts if len(text) <= room), min(texts, key=len))


def signs(text: str) -> float:
    """Return how wide a number is, in digits: a minus is wider than one."""
    return len(text) + 0.3 * text.count("−")


def label_plainly(axis: Axis, formatter: Any = "{x:g}") -> None:
    """Write 0.1 and 10 at a logarithmic axis, where these alone would be too few also 2 and 5.

    What matplotlib writes at other ticks would be a formula, which is not parsed here.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    if high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(formatter)
    axis.set_minor_formatter(NullFormatter())
