"""Where pictures are drawn: a figure without a window, saved whole or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minifcn.plots import fonts
from minifcn.system.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

DPI = 160
"""Dots per inch of every picture: a page's width are 1280 pixels."""

WIDTH = 8.0
"""A page's width, in inches."""

GIF_DPI, GIF_COLOURS = 120, 48
"""Dots per inch, and colours, of an animation: fewer, since a GIF stores every frame."""

_BOX = 0xFC  # the six bits of a colour that Pillow looks at

_BARELY_COLOURED = 8  # how far the red, green and blue of a grey are apart

_UNSEEN = "\u200b"  # has no width; a legend leaves out what starts with _

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
        with rc_context(_STYLE), fonts.in_use():
            yield


class Animation:
    """The frames of an animation, each drawn in one figure and then snapped."""

    def __init__(self, figure: "Figure") -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.figure = figure
        self.frames: list[bytes] = []
        self._canvas = FigureCanvasAgg(figure)
        self._still: Any = None
        self._learnt: list[NDArray[np.uint8]] = []
        self._colours: NDArray[np.int64] | None = None
        self._shown: NDArray[np.uint8] | None = None

    def learn(self) -> None:
        """Let the palette have the colours of the figure as it looks now; before the first snap."""
        self._canvas.draw()
        self._learnt.append(self._pixels().copy())

    def snap(
        self, changed: Sequence["Artist"], passing: Sequence["Artist"], seconds: float
    ) -> None:
        """Keep the figure as it looks now as a frame, shown for some seconds.

        Only what is named here is drawn again, over what stands there: letters are slow to draw.
        Both kinds of artists are to be set_animated(True), or the first frame has them for good.

        changed: the artists that look otherwise from this frame on.
        passing: the artists that are in this frame only, in front of the others.
        """
        if self._still is None:
            self._canvas.draw()
        else:
            self._canvas.restore_region(self._still)
        for artist in changed:
            self.figure.draw_artist(artist)
        self._still = self._canvas.copy_from_bbox(self.figure.bbox)
        for artist in passing:
            self.figure.draw_artist(artist)
        self._keep(self._pixels(), seconds)

    def _pixels(self) -> NDArray[np.uint8]:
        return np.asarray(self._canvas.buffer_rgba())[:, :, :3]

    def _keep(self, pixels: NDArray[np.uint8], seconds: float) -> None:
        """Encode what changed, the rest of its rectangle transparent: hundreds of frames fit."""
        if self._colours is None:
            self._colours, self._learnt = _frequent_colours(self._learnt or [pixels]), []
        shown, before = _quantized(pixels, self._colours), self._shown
        differs = np.ones(shown.shape, bool) if before is None else shown != before
        self.frames.append(_encoded(shown, differs, self._colours, seconds, before is None))
        self._shown = shown


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
        write_atomically(path, b"".join([*animation.frames, b";"]))


def _encoded(
    shown: NDArray[np.uint8],
    differs: NDArray[np.bool_],
    colours: NDArray[np.int64],
    seconds: float,
    is_first: bool,
) -> bytes:
    """Return a frame as it stands in a GIF, the first with the header of the file.

    Frame by frame, since Image.save would hold all of them in full. What does not differ from
    the frame before is transparent: one colour in long runs, which take few bytes.

    shown: which colour each pixel has, (H, W); differs: where that is new, (H, W).
    """
    from PIL import Image
    from PIL.GifImagePlugin import getdata, getheader

    left, top, right, bottom = _bounds(differs)
    transparent = len(colours)
    part = np.where(differs, shown, np.uint8(transparent))[top:bottom, left:right]
    image = Image.fromarray(part)
    image.putpalette([*colours.ravel().tolist(), 0, 0, 0])
    header = getheader(image, info={"loop": 0, "optimize": False})[0] if is_first else []
    options: dict[str, Any] = {} if is_first else {"transparency": transparent}
    data = getdata(image, (left, top), duration=round(1000 * seconds), **options)
    return b"".join([*header, *data])


def _bounds(marked: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is marked; of one pixel if nothing is."""
    rows, columns = (np.flatnonzero(marked.any(axis)) for axis in (1, 0))
    if not rows.size:
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _quantized(pixels: NDArray[np.uint8], colours: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return which of the colours each pixel gets, (H, W)."""
    from PIL import Image

    boxes = Image.new("P", (1, 1))
    boxes.putpalette((colours & _BOX).ravel().tolist())
    return np.asarray(Image.fromarray(pixels).quantize(palette=boxes, dither=Image.Dither.NONE))


def _frequent_colours(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Return the GIF_COLOURS colours (n, 3) that most pixels of pictures (H, W, 3) have.

    At most half of them are greys, and strong colours count more, or one small orange cell would
    lose to the soft edges of many; and white stays white: a palette of means would mix it in.
    Pillow looks a colour up by its box of 4 x 4 x 4; of each box only the most frequent is taken.
    """
    pixels = np.concatenate([picture.reshape(-1, 3).astype(np.int64) for picture in pictures])
    numbers, counts = np.unique(pixels @ np.array([65536, 256, 1]), return_counts=True)
    colours = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1)
    weights = counts * (1 + np.ptp(colours, axis=1)) ** 2
    colours = colours[np.argsort(-weights, kind="stable")]
    _, first = np.unique(colours & _BOX, axis=0, return_index=True)
    colours = colours[np.sort(first)]
    grey = np.ptp(colours, axis=1) < _BARELY_COLOURED
    half = GIF_COLOURS // 2
    return np.concatenate([colours[~grey][:half], colours[grey][:half]])


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

    content = BytesIO()
    # Neither the date nor matplotlib's version: a picture is to depend on its data only.
    if path.suffix.lower() == ".svg":
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None, "Creator": None})
    else:
        FigureCanvasAgg(figure).print_png(content, metadata={"Software": None})
    write_atomically(path, content.getvalue())


def check_names(classes: Sequence[str], expected: int, whose: str) -> None:
    """Raise ValueError unless there are as many class names as `whose` argument has classes."""
    if len(classes) != expected:
        raise ValueError(f"classes must be {expected} names, as {whose} has, got {len(classes)}")


def shortened(name: str, longest: int = 28) -> str:
    """Return name as it is drawn: cut with an ellipsis where it would push the picture aside.

    Letters that no font of this machine has are written as escapes, never drawn as boxes.
    """
    text = fonts.plain(name)
    if not fonts.find_fonts(text):
        text = text.encode("ascii", "backslashreplace").decode()
    if fonts.width_of(text) > longest:
        while fonts.width_of(text) > longest - 1:
            text = text[:-1]
        text = text.rstrip() + "…"
    return _UNSEEN + text if text.startswith("_") else text


def legible(names: Sequence[str], longest: int = 28) -> list[str]:
    """Return class names as they are drawn: `shortened`, or "class 3" where no font has letters."""
    by_id = fonts.spelled_by_id(names)
    return [f"class {i}" if i in by_id else shortened(n, longest) for i, n in enumerate(names)]
