"""minifcn export: write a run's network for PyTorch, for ONNX and others."""

from __future__ import annotations

import argparse

from minifcn.commands import options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe which weights are written, how and where."""
    from minifcn.runs.export import FORMATS

    parser.description = (
        "Write a run's weights to one file, named as in a PyTorch state_dict, or with --format onnx"
        " the network itself."
    )
    options.add_run(parser)
    parser.add_argument("--format", choices=FORMATS, help="default: safetensors, or as --out ends")
    options.add_checkpoint(parser)
    parser.add_argument(
        "--out",
        type=options.path,
        metavar="FILE",
        help="default: weights.FORMAT in the run's folder, or model.onnx",
    )


def run(choices: argparse.Namespace) -> None:
    """Write a run's network, and print where."""
    from minifcn.runs.export import export_run

    print(export_run(choices.run, choices.out, choices.format, choices.checkpoint))
