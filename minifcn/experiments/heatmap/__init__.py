"""Where in a photograph are a classifier's scores high? Score maps of pretrained networks.

The networks have only ever been told what is in an image. Their last layer, as a 1x1 convolution,
scores every cell, at any size of the image. Training judged only the mean of these scores: whether
they are high where the object is has to be measured, as tutorial 14 does with masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minifcn.data.images import read_image
from minifcn.experiments.experiment import Result
from minifcn.experiments.heatmap.findings import TOP, class_table, identity, place, view_table
from minifcn.experiments.heatmap.photos import central_square, find_photo
from minifcn.experiments.heatmap.pictures import Frame, plot_heatmaps
from minifcn.experiments.heatmap.views import View, views_of
from minifcn.models.pretrained import NETWORKS, Network, class_names, find_class, first_name

SHOWN, MOST = 2, 4
"""How many maps are drawn if no classes are asked for, and how many classes may be asked for."""


def heatmap(
    image: str,
    out: Path,
    model: str = "efficientnet-lite0",
    classes: Sequence[str] = (),
    size: int | None = None,
) -> Result:
    """Classify a photo, and draw where in it the scores of its classes are high.

    The network is shown the photo three times: a square from its middle, as it was trained, which
    ranks the classes; the whole photo at the same scale; and the whole photo at a size of choice.

    Args:
        image: a file, or the name of one of PHOTOS.
        out: the folder for the picture; it is made once all is known to be right.
        model: the name of one of NETWORKS.
        classes: which classes to draw, by name or number; by default the likeliest.
        size: of the longer side of the third view, in pixels; by default the photo's own, or
            less for more than MAX_PIXELS.

    Raises:
        ValueError: an unknown model or class, a package that is not installed, a bad image or
            size.
    """
    network = _checked(model, classes)
    photo = read_image(find_photo(image))
    labels = class_names()
    wanted = list(dict.fromkeys(find_class(text, labels) for text in classes))
    views = views_of(network, photo, size)
    crop, scaled, _ = views.values()
    drawn = wanted or crop.ranking()[:SHOWN]
    title = f"{network.title} on {image}"
    tables = {
        "classes": class_table(title, labels, crop, wanted, network),
        "views": view_table(views, labels, drawn),
    }
    findings = [identity(crop), *(place(scaled, number, labels) for number in drawn)]
    out.mkdir(parents=True, exist_ok=True)
    picture = out / "heatmap.png"
    _draw(picture, network.title, labels, drawn, list(views.values()))
    return Result(tables, findings, [picture])


def _checked(model: str, classes: Sequence[str]) -> Network:
    if model not in NETWORKS:
        raise ValueError(f"model must be one of {', '.join(NETWORKS)}; got {model!r}")
    if len(classes) > MOST:
        raise ValueError(f"classes must be at most {MOST}; got {len(classes)}")
    return NETWORKS[model]


def _draw(
    path: Path, title: str, labels: Sequence[str], drawn: Sequence[int], views: Sequence[View]
) -> None:
    crop, *whole = views
    ranking = [(first_name(labels[n]), float(crop.probabilities[n])) for n in crop.ranking()[:TOP]]
    heatmaps = [(first_name(labels[n]), [view.heatmap(n) for view in whole]) for n in drawn]
    frame = _frame(whole[0].image.shape[:2], crop.image.shape[0])
    photo = max((view.image for view in whole), key=np.size)
    plot_heatmaps(path, title, photo, frame, ranking, heatmaps, [view.size for view in whole])


def _frame(size: tuple[int, ...], side: int) -> Frame:
    """Return left, top, right and bottom of the central square as shares of the image."""
    rows, columns = central_square(size, side)
    return (
        columns.start / size[1],
        rows.start / size[0],
        columns.stop / size[1],
        rows.stop / size[0],
    )
