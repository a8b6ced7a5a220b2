"""Where pictures are drawn: a figure without a window, saved whole or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from PIL.Image import Image

DPI = 160
"""Dots per inch of every picture: 8 inches, a page's width, are 1280 pixels."""

GIF_DPI, GIF_COLOURS = 120, 48
"""Dots per inch, and colours, of an animation: fewer, since a GIF stores every frame."""

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
        self.frames: list[tuple["Image", float]] = []
        self._canvas = FigureCanvasAgg(figure)
        self._still: Any = None

    def snap(self, moving: Sequence["Artist"], seconds: float) -> None:
        """Keep the figure as it looks now as a frame, shown for some seconds.

        moving: the artists that may have changed since the first frame, set_animated(True). What
        stands still is drawn only once, which makes an animation ten times as fast.
        """
        from PIL import Image

        if self._still is None:
            self._canvas.draw()
            self._still = self._canvas.copy_from_bbox(self.figure.bbox)
        self._canvas.restore_region(self._still)
        for artist in moving:
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
    """Write images with the colours of the first and the last one, which has everything."""
    from PIL import Image

    pictures = [np.asarray(frames[n][0]) for n in (0, -1)]
    colours = Image.fromarray(np.concatenate(pictures)).quantize(GIF_COLOURS)
    plain = [image.quantize(palette=colours, dither=Image.Dither.NONE) for image, _ in frames]
    milliseconds = [round(1000 * seconds) for _, seconds in frames]
    options: dict[str, Any] = {"duration": milliseconds, "loop": 0, "save_all": True}
    plain[0].save(path, format="GIF", append_images=plain[1:], **options)


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
