"""The benchmark: the training step and its kernels, beside PyTorch and beside what is possible.

Each side runs in a process of its own, and the processes take turns: in one process the thread
pools of two libraries get in each other's way, and one after the other they would meet the
machine in different moods.
"""

from minifcn.bench.runner import DEVICES, PARTS, compare
from minifcn.bench.table import format_table

__all__ = ["DEVICES", "PARTS", "compare", "format_table"]
