"""The results of the benchmark as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TORCH = {"torch": "", "torch_fp32": " fp32", "torch_tf32": " TF32"}
"""The PyTorchs there may be, and how their columns differ in name."""


def format_table(results: dict[str, Any]) -> str:
    """Return one line a piece of work: milliseconds of each side, and how minifcn stands.

    'ratio' is minifcn's time over PyTorch's, turn by turn (below 1 is faster); 'limit' is
    the bare matrix product of a convolution, by NumPy or CuPy, and for others a copy of as many
    bytes, on the CPU by one thread; 'of limit' is the speed of minifcn as a share of its speed.

    On a GPU minifcn computes in float32 throughout. So does 'PyTorch fp32'; 'PyTorch TF32' is as
    PyTorch is by default: inputs of convolutions are rounded to 10 bits, for tensor cores.
    """
    rows = results["rows"]
    torches = [side for side in TORCH if any(f"{side}_ms" in row for row in rows)]
    digits = 3 if "gpu" in results["environment"] else 2
    columns = _columns(torches)
    lines = [_cells(row, torches, digits) for row in rows]
    widths = [max(len(line[i]) for line in [columns, *lines]) for i in range(len(columns))]
    header = _line(columns, widths)
    rule = "-" * len(header)
    body = [_line(line, widths) for line in lines]
    memory = [text for row in results["memory"] if (text := _memory_line(row))]
    return "\n".join(
        [*_heading(results), "", header, rule, *body, *([""] if memory else []), *memory]
    )


def _heading(results: Mapping[str, Any]) -> list[str]:
    """The machine, each side that has something to say about itself, and the notes."""
    sides = [f"{side}: {_facts(facts)}" for side, facts in results["sides"].items()]
    return [_facts(results["environment"]), *sides, *results["notes"]]


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _columns(torches: Sequence[str]) -> list[str]:
    pairs = [(f"PyTorch{TORCH[side]}", f"ratio{TORCH[side]}") for side in torches]
    return [
        "times in ms",
        "minifcn",
        *(name for pair in pairs for name in pair),
        "limit",
        "of limit",
    ]


def _cells(row: Mapping[str, Any], torches: Sequence[str], digits: int) -> list[str]:
    ours, limit = row["minifcn_ms"], row.get("limit_ms")
    cells = [row["name"], f"{ours:.{digits}f}"]
    for side in torches:
        time, ratio = row.get(f"{side}_ms"), row.get(side.replace("torch", "ratio"))
        cells += [f"{time:.{digits}f}", f"{ratio:.2f}"] if time else ["", ""]
    return cells + ([f"{limit:.{digits}f}", f"{limit / ours:.0%}"] if limit else ["", ""])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([f"{cells[0]:<{widths[0]}}", *numbers]).rstrip()


def _memory_line(row: Mapping[str, Any]) -> str:
    """Bytes that were used, and on a GPU those that were taken from it for that."""
    texts = []
    for side in ("minifcn", *TORCH):
        if (used := row.get(f"{side}_bytes")) is None:
            continue
        held = row.get(f"{side}_held_bytes")
        ratio = row.get(side.replace("torch", "ratio"))
        more = [f"of {held / 2**20:.0f} held"] if held else []
        more += [f"ratio {ratio:.2f}"] if ratio else []
        texts.append(f"{side} {used / 2**20:.0f} MiB" + (f" ({', '.join(more)})" if more else ""))
    return f"peak memory, {row['name']}: {', '.join(texts)}" if texts else ""
