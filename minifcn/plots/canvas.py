"""Where pictures are drawn: a figure without a window, saved whole or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 160
"""Dots per inch of every picture: 8 inches, a page's width, are 1280 pixels."""

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.5,
    # A class may be called "$5 sign": names are text, never formulas.
    "text.parse_math": False,
}


@contextmanager
def figure_file(
    path: str | os.PathLike[str], width: float, height: float, **options: Any
) -> Iterator["Figure"]:
    """Yield an empty figure to draw in, and save it as a PNG when the block ends.

    The picture depends on what is drawn only: not on the reader's matplotlib settings, and it
    carries no date. pyplot and its list of open figures are not involved, so a picture can be
    drawn on a machine without a screen, and needs no closing.

    Args:
        path: the PNG to write or replace. An error inside the block, or while saving, leaves
            the old file as it was.
        width: in inches, `DPI` pixels each.
        height: in inches.
        options: passed to `matplotlib.figure.Figure`, for example layout="constrained".

    Raises:
        ValueError: if path does not end in .png or its folder does not exist.
    """
    path = check_path(path)
    from matplotlib import rc_context, rcdefaults
    from matplotlib.figure import Figure

    with rc_context():
        rcdefaults()
        with rc_context(_STYLE):
            figure = Figure(figsize=(width, height), dpi=DPI, **options)
            yield figure
            _save(figure, path)


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return where a picture goes; raise ValueError unless that is a PNG in an existing folder."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"path must end in .png, got {path.name!r}")
    if not path.parent.is_dir():
        raise ValueError(f"path must lie in an existing folder, got {str(path)!r}")
    return path


def _save(figure: "Figure", path: Path) -> None:
    """Write beside the target and rename, which replaces a file in one step or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        # Software would name the matplotlib version; a picture is to depend on its data only.
        FigureCanvasAgg(figure).print_png(partial, metadata={"Software": None})
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
