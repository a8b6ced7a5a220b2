"""The results as text: what stands in which column, and what stays blank."""

import pytest

from minifcn.bench import format_table

STEP = {
    "name": "FCN-8s step",
    "minifcn_ms": 1234.567,
    "torch_ms": 1000.0,
    "ratio": 1.2,
    "limit_ms": None,
}
KERNEL = {
    "name": "conv2d 3x3 of a long name, forward",
    "minifcn_ms": 2.0,
    "torch_ms": 8.0,
    "ratio": 0.254,
    "limit_ms": 0.5,
}


def table(*rows, **memory):
    environment = {"minifcn": "0.1.0", "threads": 2}
    return format_table({"environment": environment, "rows": rows, "memory": memory})


def test_one_line_for_each_row_in_aligned_columns():
    assert table(STEP, KERNEL) == "\n".join(
        [
            "minifcn 0.1.0, threads 2",
            "",
            "                                    minifcn  PyTorch  ratio  limit  of limit",
            "-" * 76,
            "FCN-8s step                         1234.57  1000.00   1.20",
            "conv2d 3x3 of a long name, forward     2.00     8.00   0.25   0.50       25%",
        ]
    )


def test_without_pytorch_its_columns_are_blank():
    row = {key: value for key, value in KERNEL.items() if key != "torch_ms"} | {"ratio": None}
    header, rule, line = table(row).splitlines()[2:]
    assert line == "conv2d 3x3 of a long name, forward     2.00                   0.50       25%"
    assert len(rule) == len(header) == len(line)
    assert table({**KERNEL, "torch_ms": None, "ratio": None}) == table(row)


def test_a_wide_number_widens_its_column():
    lines = table({**KERNEL, "minifcn_ms": 123456789.0}).splitlines()[2:]
    assert lines[0].endswith("       minifcn  PyTorch  ratio  limit  of limit")
    assert lines[2].endswith("forward  123456789.00     8.00   0.25   0.50        0%")
    assert len({len(line) for line in lines}) == 1


def test_no_rows():
    header, rule = table().splitlines()[2:]
    assert header.split() == ["minifcn", "PyTorch", "ratio", "limit", "of", "limit"]
    assert rule == "-" * len(header)


MEMORY = {
    "both": ({"minifcn": 3 * 2**20, "torch": 2 * 2**20}, "minifcn 3 MiB, torch 2 MiB (ratio 1.50)"),
    "minifcn": ({"minifcn": 2**19 * 5}, "minifcn 2 MiB"),
}


@pytest.mark.parametrize("case", MEMORY)
def test_memory_is_the_last_line(case):
    memory, text = MEMORY[case]
    lines = table(STEP, **memory).splitlines()
    assert lines[-2:] == ["", f"peak memory of a step: {text}"]
    assert lines[:-2] == table(STEP).splitlines()


def test_no_memory_no_line():
    assert table(STEP, minifcn=None, torch=None) == table(STEP)
