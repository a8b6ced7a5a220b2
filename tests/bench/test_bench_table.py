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


def table(*rows, memory=(), environment=None, sides=None, notes=()):
    environment = environment or {"minifcn": "0.1.0", "threads": 2}
    return format_table(
        {
            "environment": environment,
            "sides": sides or {},
            "notes": list(notes),
            "rows": rows,
            "memory": memory,
        }
    )


def test_one_line_for_each_row_in_aligned_columns():
    assert table(STEP, KERNEL) == "\n".join(
        [
            "minifcn 0.1.0, threads 2",
            "",
            "times in ms                         minifcn  PyTorch  ratio  limit  of limit",
            "-" * 76,
            "FCN-8s step                         1234.57  1000.00   1.20",
            "conv2d 3x3 of a long name, forward     2.00     8.00   0.25   0.50       25%",
        ]
    )


def test_without_pytorch_its_columns_are_not_there():
    row = {key: value for key, value in KERNEL.items() if key not in ("torch_ms", "ratio")}
    header, rule, line = table(row).splitlines()[2:]
    assert header.split() == ["times", "in", "ms", "minifcn", "limit", "of", "limit"]
    assert line == "conv2d 3x3 of a long name, forward     2.00   0.50       25%"
    assert len(rule) == len(header) == len(line)


def test_a_row_without_a_time_of_pytorch_is_blank_there():
    lines = table(STEP, {**KERNEL, "torch_ms": None}).splitlines()
    assert lines[-1] == (
        "conv2d 3x3 of a long name, forward     2.00                   0.50       25%"
    )


def test_a_wide_number_widens_its_column():
    lines = table({**KERNEL, "minifcn_ms": 123456789.0}).splitlines()[2:]
    assert lines[0].endswith("       minifcn  PyTorch  ratio  limit  of limit")
    assert lines[2].endswith("forward  123456789.00     8.00   0.25   0.50        0%")
    assert len({len(line) for line in lines}) == 1


def test_no_rows():
    header, rule = table().splitlines()[2:]
    assert header.split() == ["times", "in", "ms", "minifcn", "limit", "of", "limit"]
    assert rule == "-" * len(header)


ON_GPU = {
    "name": "conv2d",
    "minifcn_ms": 0.01234,
    "torch_fp32_ms": 0.01,
    "torch_tf32_ms": 0.005,
    "ratio_fp32": 1.23,
    "ratio_tf32": 2.47,
    "limit_ms": 0.006,
}


def test_on_a_gpu_every_ratio_says_to_which_pytorch_it_is():
    """And the lines above say what these are; times have a digit more."""
    sides = {"minifcn": {"gpu": "G", "tf32": "off"}, "torch_tf32": {"torch": "2.11", "tf32": "on"}}
    assert table(ON_GPU, environment={"gpu": "G"}, sides=sides) == "\n".join(
        [
            "gpu G",
            "minifcn: gpu G, tf32 off",
            "torch_tf32: torch 2.11, tf32 on",
            "",
            "times in ms  minifcn  PyTorch fp32  ratio fp32  PyTorch TF32  ratio TF32"
            "  limit  of limit",
            "-" * 89,
            "conv2d         0.012         0.010        1.23         0.005        2.47"
            "  0.006       49%",
        ]
    )


def test_notes_are_lines_above_the_table():
    assert table(STEP, notes=["first", "second"]).splitlines()[:4] == [
        "minifcn 0.1.0, threads 2", "first", "second", "",
    ]  # fmt: skip


MIB = 2**20
MEMORY = {
    "both": (
        {"minifcn_bytes": 3 * MIB, "torch_bytes": 2 * MIB, "ratio": 1.5},
        "minifcn 3 MiB, torch 2 MiB (ratio 1.50)",
    ),
    "minifcn": ({"minifcn_bytes": MIB * 5 // 2}, "minifcn 2 MiB"),
    "on a GPU": (
        {
            "minifcn_bytes": 3 * MIB,
            "minifcn_held_bytes": 5 * MIB,
            "torch_fp32_bytes": 2 * MIB,
            "torch_fp32_held_bytes": 4 * MIB,
            "ratio_fp32": 1.5,
        },
        "minifcn 3 MiB (of 5 held), torch_fp32 2 MiB (of 4 held, ratio 1.50)",
    ),
}


@pytest.mark.parametrize("case", MEMORY)
def test_memory_is_the_last_line(case):
    memory, text = MEMORY[case]
    lines = table(STEP, memory=[{"name": "a step", **memory}]).splitlines()
    assert lines[-2:] == ["", f"peak memory, a step: {text}"]
    assert lines[:-2] == table(STEP).splitlines()


def test_a_line_for_each_step():
    memory = [{"name": name, "minifcn_bytes": MIB} for name in ("first", "second")]
    lines = table(STEP, memory=memory).splitlines()
    assert lines[-3:] == ["", *(f"peak memory, {m['name']}: minifcn 1 MiB" for m in memory)]


def test_no_memory_no_line():
    assert table(STEP, memory=[{"name": "a step"}]) == table(STEP)
