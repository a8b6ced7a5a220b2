"""Pictures of data, predictions and runs as PNG files; drawing one imports matplotlib."""

from minifcn.plots.canvas import figure_file
from minifcn.plots.colours import class_boundaries, colour_mask, error_map, overlay
from minifcn.plots.predictions import plot_predictions
from minifcn.plots.runs import plot_confusion, plot_curves, plot_iou

__all__ = [
    "class_boundaries",
    "colour_mask",
    "error_map",
    "figure_file",
    "overlay",
    "plot_confusion",
    "plot_curves",
    "plot_iou",
    "plot_predictions",
]
