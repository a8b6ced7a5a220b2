"""Showing how far work has come, on stderr: a bar on a terminal; for training, else plain lines."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TextIO


class Progress:
    """Call it with each row of the log; use it in a `with` statement.

    Args:
        total: iterations of the whole run.
        start: iterations that are done already.
        file: where to write.
        images: of how many images the scores are, if that is to be said.
    """

    lines = 20
    """The most plain lines that a run of any length prints, beside the first and the scores."""

    def __init__(
        self, total: int, start: int = 0, file: TextIO | None = None, images: int | None = None
    ) -> None:
        self.total, self.start, self.file = total, start, file or sys.stderr
        self.began = time.monotonic()
        self.bar: Any = None
        self.score, self.of = "", f" of {images} images" if images else ""

    def __enter__(self) -> Progress:
        if self.file.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=self.total, initial=self.start, file=self.file, unit="it", smoothing=0.1
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, row: dict[str, float | None]) -> None:
        """Show an iteration's row of the log."""
        loss, score = f"loss {row['loss']:.4f}", ""
        if row["mean_iu"] is not None:
            score = self.score = f"  mean IU {row['mean_iu']:.3f}{self.of}"
        if self.bar is not None:  # a bar keeps showing the last score, a line is about one row
            self.bar.set_postfix_str((loss + self.score).replace("  ", ", "), refresh=False)
            self.bar.update()
        elif self._is_due(int(row["iteration"] or 0), row["mean_iu"] is not None):
            print(self._line(int(row["iteration"] or 0), loss + score), file=self.file, flush=True)

    def _is_due(self, iteration: int, has_score: bool) -> bool:
        step = math.ceil(self.total / self.lines)
        return has_score or iteration % step == 0 or iteration == self.start + 1

    def _line(self, iteration: int, text: str) -> str:
        """Say 'iteration 40/800  loss 0.5210  6.1 it/s  2:05 left'."""
        rate = (iteration - self.start) / max(time.monotonic() - self.began, 1e-9)
        minutes, seconds = divmod(round((self.total - iteration) / rate), 60)
        where = f"iteration {iteration}/{self.total}"
        return f"{where}  {text}  {rate:.1f} it/s  {minutes}:{seconds:02d} left"


def looking(loop: Iterable[Any]) -> Iterable[Any]:
    """Show, on a terminal, how far a look at all files has come."""
    from tqdm import tqdm

    return tqdm(loop, desc="looking at files", disable=None, leave=False, delay=0.5)


def images_done(images: Iterable[Any]) -> Iterable[Any]:
    """Show, on a terminal, how many images are done and how many are done in a second."""
    from tqdm import tqdm

    return tqdm(images, desc="images", unit="image", disable=None, leave=False)


def print_above(line: object) -> None:
    """Print a line of results; a bar on the same terminal stays below it."""
    from tqdm import tqdm

    tqdm.write(str(line), file=sys.stdout)
