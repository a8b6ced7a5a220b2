"""Scores: one confusion matrix, the boundaries alone, and how uneven upsampling is."""

from minifcn.metrics.confusion import ConfusionMatrix, format_table

__all__ = ["ConfusionMatrix", "format_table"]
