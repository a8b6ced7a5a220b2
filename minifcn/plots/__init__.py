"""Pictures of data, predictions and runs as PNG or SVG files, and animations as GIFs."""

from minifcn.plots.canvas import check_path, figure_file
from minifcn.plots.colours import class_boundaries, colour_mask, error_map, overlay
from minifcn.plots.confusion import plot_confusion
from minifcn.plots.predictions import plot_predictions
from minifcn.plots.runs import plot_beside, plot_curves, plot_iou

__all__ = [
    "check_path",
    "class_boundaries",
    "colour_mask",
    "error_map",
    "figure_file",
    "overlay",
    "plot_beside",
    "plot_confusion",
    "plot_curves",
    "plot_iou",
    "plot_predictions",
]
