"""The findings of the checkerboard experiment: sentences made from the numbers of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minifcn.experiments.checkerboard.layers import Upsampling
from minifcn.experiments.experiment import Table

Row = Mapping[str, Any]

NOTHING = 1e-9
"""A coefficient of variation below this is rounding."""

KINDS = {"ones": "kernels of ones", "positive": "random positive kernels"}

K3, K4 = Upsampling("transposed", 3).name, Upsampling("transposed", 4).name


def conclude(tables: Mapping[str, Table]) -> list[str]:
    """Say what the tables show, whatever that is."""
    rows = {name: table.rows for name, table in tables.items()}
    return [
        overlap_finding(rows["overlaps"]),
        weighted_finding(rows["weighted"]),
        ones_finding(rows["outputs"]),
        random_finding(rows["outputs"]),
        resize_finding(rows["outputs"]),
        stack_finding(rows["stacks"]),
        resized_stack_finding(rows["stacks"]),
        counterexample_finding(rows["counterexamples"]),
        blind_finding(rows["counterexamples"]),
        gradient_finding(rows["gradients"], rows["overlaps"]),
        pooling_finding(rows["gradients"]),
    ]


def overlap_finding(rows: Sequence[Row]) -> str:
    """Whether the overlap is even where the stride divides the kernel, and nowhere else."""
    against = [_sizes(row) for row in rows if row["even"] != row["s divides k"]]
    differing = [_sizes(row) for row in rows if not row["as the formula"]]
    rule = f"where s divides k, but for {_and(against)}" if against else "exactly where s divides k"
    formula = f"differ from it for {_and(differing)}" if differing else "equal it"
    return (
        f"In {len(rows)} kernel sizes and strides the overlap is even {rule}. The formula of the"
        f" counts is ceil((k - a) / s) for phase a: the layers {formula}."
    )


def weighted_finding(rows: Sequence[Row]) -> str:
    """Which kernels are even once they are weighted."""
    uneven = [row for row in rows if row["counts CV"] > NOTHING]
    even = [_sizes(row) for row in uneven if row["bilinear CV"] <= NOTHING]
    still = [_sizes(row) for row in uneven if row["bilinear CV"] > NOTHING]
    return (
        f"Uneven in counts but even with bilinear weights: {_and(even)}."
        f" Uneven with these weights too: {_and(still)}."
    )


def ones_finding(rows: Sequence[Row]) -> str:
    """How uneven kernels of ones are."""
    ones = [row for row in rows if row["kernel"] == "ones"]
    even = [row["layer"] for row in ones if row["CV"] == 0]
    uneven = [f"{row['layer']} ({row['CV']:.3f})" for row in ones if row["CV"] != 0]
    return f"With kernels of ones CV is exactly 0 for {_and(even)}. It is not for {_and(uneven)}."


def random_finding(rows: Sequence[Row]) -> str:
    """Whether random kernels show what kernels of ones show."""
    positive, gaussian = (
        [_find(rows, kernel=kind, layer=layer) for layer in (K3, K4)]
        for kind in ("positive", "Gaussian")
    )
    apart = abs(gaussian[0]["Q"] - gaussian[1]["Q"])
    spread = min(row["highest Q"] - row["lowest Q"] for row in gaussian)
    comparison = "less" if apart < spread else "no less"
    return (
        f"Q of {K3} and of {K4}: with random positive kernels {positive[0]['Q']:.3f} and"
        f" {positive[1]['Q']:.3f}; with random Gaussian kernels {gaussian[0]['Q']:.3f} and"
        f" {gaussian[1]['Q']:.3f}, which differ by {comparison} than seeds do ({spread:.3f})."
    )


def resize_finding(rows: Sequence[Row]) -> str:
    """How the resize-convolutions compare with the transposed convolutions."""
    random = [row for row in rows if row["kernel"] != "ones"]
    resized = max(row["highest Q"] for row in random if "transposed" not in row["layer"])
    stamped = min(row["lowest Q"] for row in random if "transposed" in row["layer"])
    return (
        f"Over all random kernels and seeds Q is at most {resized:.4f} for resize-convolutions and"
        f" at least {stamped:.4f} for transposed convolutions. Q sees the phases' means alone;"
        f" with their spreads, U is at most {_most_uneven(random):.4f} for resize-convolutions."
    )


def _most_uneven(rows: Sequence[Row]) -> float:
    """The highest U of a resize-convolution in any seed."""
    return max(row["highest U"] for row in rows if "transposed" not in row["layer"])


def resized_stack_finding(rows: Sequence[Row]) -> str:
    """How uneven stacks of resize-convolutions with random kernels become."""
    random = [row for row in rows if row["kernel"] != "ones"]
    resized = [row for row in random if "transposed" not in row["layer"]]
    worst = max(resized, key=lambda row: float(row["highest U"]))
    return (
        f"Resize-convolutions are not free of it: of their stacks, {worst['layers']} of"
        f" {worst['layer']} with {worst['kernel']} kernels reach the highest U,"
        f" {worst['highest U']:.4f} in a seed (mean {worst['U']:.4f}, while Q is {worst['Q']:.4f})."
    )


def counterexample_finding(rows: Sequence[Row]) -> str:
    """What resize-convolutions, whose phase sums are equal, make of a ramp."""
    ramps = [row for row in rows if row["image"] == "ramp"]
    parts = [
        f"{row['resizing']} and ({row['middle row']}) {row['pixels']}, U {row['U']:.3f}"
        for row in ramps
    ]
    return (
        "After resizing, all phase sums are equal. What becomes of a ramp, by resizing and the"
        f" kernel's middle row: {_and(parts)}."
    )


def blind_finding(rows: Sequence[Row]) -> str:
    """Where the phases' means are alike, and their spreads are not."""
    row = max((row for row in rows if row["image"] == "noise"), key=lambda row: float(row["V"]))
    return (
        f"Of noise, {row['resizing']} and the middle row ({row['middle row']}) make pixels such as"
        f" {row['pixels']}. The phases' means have {row['Q']:.4f} of the variance (Q), their"
        f" spreads {row['V']:.4f} (V)."
    )


def stack_finding(rows: Sequence[Row]) -> str:
    """Whether the unevenness compounds."""
    layers = dict.fromkeys(row["layer"] for row in rows)
    parts = [_growth(rows, kind, layer) for kind in KINDS for layer in layers]
    return "From one layer to two and three, CV of " + "; of ".join(filter(None, parts)) + "."


def _growth(rows: Sequence[Row], kind: str, layer: str) -> str:
    """What becomes of one layer's CV; nothing where it is 0 throughout."""
    found = [_find(rows, kernel=kind, layer=layer, layers=n)["CV"] for n in (1, 2, 3)]
    numbers = ", ".join(f"{value:.3f}" for value in found)
    grows = "grows" if found == sorted(found) else "does not always grow"
    return f"{layer} with {KINDS[kind]} {grows} ({numbers})" if max(found) > NOTHING else ""


def gradient_finding(rows: Sequence[Row], overlaps: Sequence[Row]) -> str:
    """Whether the gradient of a convolution is as uneven as a transposed convolution."""
    convolutions = [row for row in rows if row["kernel"] == "ones"]
    uneven = [f"{row['layer']} ({row['CV']:.3f})" for row in convolutions if row["CV"] > NOTHING]
    pairs = [
        (row["CV"], other["CV"]) for row in convolutions for other in overlaps
        if row["layer"] == f"convolution k={other['k']} s={other['s']}"
    ]  # fmt: skip
    apart = max(abs(first - second) for first, second in pairs)
    return (
        f"The gradient is uneven, with kernels of ones, for {_and(uneven)}. Its CV is that of the"
        f" transposed convolution of the same sizes within {apart:.1e} ({len(pairs)} compared)."
    )


def pooling_finding(rows: Sequence[Row]) -> str:
    """Where max-pooling sends its gradients."""
    parts = [
        f"{row['CV']:.3f} for {row['layer']} of {row['input']} ({row['without']:.0%} of the pixels"
        " get none)" for row in rows if row["layer"].startswith("max")
    ]  # fmt: skip
    return f"CV of the gradient of max-pooling: {_and(parts)}."


def _find(rows: Sequence[Row], **wanted: Any) -> Row:
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def _sizes(row: Row) -> str:
    return f"k={row['k']} s={row['s']}"


def _and(parts: Iterable[str]) -> str:
    """Join with semicolons, as names have commas; 'none' where there is nothing to join."""
    return "; ".join(parts) or "none"
