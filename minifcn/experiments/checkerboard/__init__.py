"""Checkerboards: where they come from, how to measure them, and what discourages them.

After Odena, Dumoulin and Olah (2016), "Deconvolution and Checkerboard Artifacts", distill.pub. They
showed that the windows of a transposed convolution overlap unevenly unless its stride divides its
kernel, that stacked layers compound this, that a network may learn such patterns all the same,
that resizing before a convolution discourages them, and that the gradient of a strided convolution
has them too. Here each statement but the one on learning is computed, and kernels are shown that
paint even after resizing; the experiment `upsampling` trains.
"""

from __future__ import annotations

from minifcn.experiments.checkerboard.findings import conclude
from minifcn.experiments.checkerboard.pictures import draw_all
from minifcn.experiments.checkerboard.tables import (
    counterexample_table,
    gradient_table,
    output_table,
    overlap_table,
    stack_table,
    weighted_table,
)
from minifcn.experiments.experiment import Experiment, Result, Settings


def run(settings: Settings) -> Result:
    """Count overlaps, measure outputs, stacks and gradients for every seed, and draw them."""
    tables = {
        "overlaps": overlap_table(),
        "weighted": weighted_table(),
        "outputs": output_table(settings.seeds),
        "stacks": stack_table(settings.seeds),
        "counterexamples": counterexample_table(),
        "gradients": gradient_table(settings.seeds),
    }
    settings.say(f"{len(tables)} tables measured with {len(settings.seeds)} seeds")
    return Result(tables, conclude(tables), draw_all(settings.out, settings.seeds))


EXPERIMENT = Experiment(
    "where checkerboards come from, measured, and what discourages them", run, 10
)
