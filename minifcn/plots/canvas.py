"""Where pictures are drawn: a figure without a window, saved whole or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from PIL.Image import Image

DPI = 160
"""Dots per inch of every picture: 8 inches, a page's width, are 1280 pixels."""

GIF_DPI, GIF_COLOURS = 120, 48
"""Dots per inch, and colours, of an animation: fewer, since a GIF stores every frame."""

_BOX = 0xFC  # the six bits of a colour that Pillow looks at

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "minifcn",  # what an SVG's parts are called, else drawn by lot
    # A class may be called "$5 sign": names are text, never formulas.
    "text.parse_math": False,
}


@contextmanager
def figure_file(
    path: str | os.PathLike[str], width: float, height: float, **options: Any
) -> Iterator["Figure"]:
    """Yield an empty figure to draw in, and save it as a PNG or SVG when the block ends.

    The picture depends on what is drawn only: not on the reader's matplotlib settings, and it
    carries no date. pyplot and its list of open figures are not involved, so a picture can be
    drawn on a machine without a screen, and needs no closing.

    Args:
        path: the file to write or replace; its ending says which kind. An error inside the
            block, or while saving, leaves the old file as it was.
        width: in inches, `DPI` pixels each.
        height: in inches.
        options: passed to `matplotlib.figure.Figure`, for example layout="constrained".

    Raises:
        ValueError: if path does not end in .png or .svg, or its folder does not exist.
    """
    path = check_path(path)
    with _drawing():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), dpi=DPI, **options)
        yield figure
        _save(figure, path)


@contextmanager
def _drawing() -> Iterator[None]:
    """Draw in the project's style, whatever the reader's settings are."""
    from matplotlib import rc_context, rcdefaults

    with rc_context():
        rcdefaults()
        with rc_context(_STYLE):
            yield


class Animation:
    """The frames of an animation, each drawn in one figure and then snapped."""

    def __init__(self, figure: "Figure") -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.figure = figure
        self.frames: list[tuple[Image, float]] = []
        self._canvas = FigureCanvasAgg(figure)
        self._still: Any = None

    def snap(
        self, changed: Sequence["Artist"], passing: Sequence["Artist"], seconds: float
    ) -> None:
        """Keep the figure as it looks now as a frame, shown for some seconds.

        Only what is named here is drawn again, over what stands there: letters are slow to draw.
        Both kinds of artists are to be set_animated(True), or the first frame has them for good.

        changed: the artists that look otherwise from this frame on.
        passing: the artists that are in this frame only, in front of the others.
        """
        from PIL import Image

        if self._still is None:
            self._canvas.draw()
        else:
            self._canvas.restore_region(self._still)
        for artist in changed:
            self.figure.draw_artist(artist)
        self._still = self._canvas.copy_from_bbox(self.figure.bbox)
        for artist in passing:
            self.figure.draw_artist(artist)
        pixels = np.asarray(self._canvas.buffer_rgba())[:, :, :3]
        self.frames.append((Image.fromarray(pixels), seconds))


@contextmanager
def animation_file(
    path: str | os.PathLike[str], width: float, height: float, **options: Any
) -> Iterator[Animation]:
    """Yield an animation to draw and snap frames of; save it as a GIF when the block ends.

    As figure_file, but `GIF_DPI` pixels are an inch. The frames share `GIF_COLOURS` colours, and
    each stores only what changed, so that the file stays small. It runs again and again.

    Raises:
        ValueError: if path does not end in .gif, or its folder does not exist.
    """
    path = check_path(path, (".gif",))
    with _drawing():
        from matplotlib.figure import Figure

        animation = Animation(Figure(figsize=(width, height), dpi=GIF_DPI, **options))
        yield animation
        with _replaced(path) as partial:
            _write_gif(animation.frames, partial)


def _write_gif(frames: Sequence[tuple["Image", float]], path: Path) -> None:
    from PIL import Image

    colours = _frequent_colours([frames[0][0], frames[-1][0]])
    boxes = Image.new("P", (1, 1))
    boxes.putpalette((colours & _BOX).ravel().tolist())
    plain = [image.quantize(palette=boxes, dither=Image.Dither.NONE) for image, _ in frames]
    for image in plain:
        image.putpalette(colours.ravel().tolist())
    milliseconds = [round(1000 * seconds) for _, seconds in frames]
    options: dict[str, Any] = {"duration": milliseconds, "loop": 0, "save_all": True}
    plain[0].save(path, format="GIF", append_images=plain[1:], **options)


def _frequent_colours(images: Sequence["Image"]) -> NDArray[np.int64]:
    """Return the GIF_COLOURS colours (n, 3) that most pixels have.

    So that white stays white: a palette of means would mix it with the soft edges of letters.
    Pillow looks a colour up by its box of 4 x 4 x 4; of each box only the most frequent is taken.
    """
    pixels = np.concatenate([np.asarray(image, np.int64).reshape(-1, 3) for image in images])
    numbers, counts = np.unique(pixels @ [65536, 256, 1], return_counts=True)
    frequent = numbers[np.argsort(-counts, kind="stable")]
    colours = np.stack([frequent >> 16, frequent >> 8 & 255, frequent & 255], axis=1)
    _, first = np.unique(colours & _BOX, axis=0, return_index=True)
    return colours[np.sort(first)[:GIF_COLOURS]]


def check_path(path: str | os.PathLike[str], endings: Sequence[str] = (".png", ".svg")) -> Path:
    """Return where a picture goes; raise ValueError unless that is one, in an existing folder."""
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise ValueError(f"path must end in {' or '.join(endings)}, got {path.name!r}")
    if not path.parent.is_dir():
        raise ValueError(f"path must lie in an existing folder, got {str(path)!r}")
    return path


def _save(figure: "Figure", path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with _replaced(path) as partial:
        # Neither the date nor matplotlib's version: a picture is to depend on its data only.
        if path.suffix.lower() == ".svg":
            FigureCanvasSVG(figure).print_svg(partial, metadata={"Date": None, "Creator": None})
        else:
            FigureCanvasAgg(figure).print_png(partial, metadata={"Software": None})


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Yield a file beside the target, and rename it: it is replaced in one step or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:  # name the file that was meant
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def check_names(classes: Sequence[str], expected: int, whose: str) -> None:
    """Raise ValueError unless there are as many class names as `whose` argument has classes."""
    if len(classes) != expected:
        raise ValueError(f"classes must be {expected} names, as {whose} has, got {len(classes)}")


def shortened(name: str, longest: int = 28) -> str:
    """Return name, cut with an ellipsis where it would push the picture aside."""
    return name if len(name) <= longest else name[: longest - 1].rstrip() + "…"
