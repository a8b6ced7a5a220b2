"""The results of the benchmark as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COLUMNS = ("", "minifcn", "PyTorch", "ratio", "limit", "of limit")


def format_table(results: dict[str, Any]) -> str:
    """Return one line a piece of work: milliseconds of each side, and how minifcn stands.

    'ratio' is minifcn's time over PyTorch's, turn by turn (below 1 is faster); 'limit' is
    the bare matrix product of a convolution, by NumPy, and for others a copy of as many bytes, by
    one thread; 'of limit' is the speed of minifcn as a share of its speed.
    """
    environment = ", ".join(f"{name} {value}" for name, value in results["environment"].items())
    lines = [_cells(row) for row in results["rows"]]
    widths = [max(len(line[i]) for line in [COLUMNS, *lines]) for i in range(len(COLUMNS))]
    header = _line(COLUMNS, widths)
    rule = "-" * len(header)
    body = [_line(line, widths) for line in lines]
    return "\n".join([environment, "", header, rule, *body, *_memory_lines(results["memory"])])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ours, torch, limit = (row.get(f"{side}_ms") for side in ("minifcn", "torch", "limit"))
    return (
        row["name"],
        f"{ours:.2f}",
        f"{torch:.2f}" if torch else "",
        f"{row['ratio']:.2f}" if torch else "",
        f"{limit:.2f}" if limit else "",
        f"{limit / ours:.0%}" if limit else "",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([f"{cells[0]:<{widths[0]}}", *numbers]).rstrip()


def _memory_lines(memory: dict[str, int | None]) -> list[str]:
    found = {side: size for side, size in memory.items() if size}
    if not found:
        return []
    text = ", ".join(f"{side} {size / 2**20:.0f} MiB" for side, size in found.items())
    ratio = f" (ratio {found['minifcn'] / found['torch']:.2f})" if "torch" in found else ""
    return ["", f"peak memory of a step: {text}{ratio}"]
