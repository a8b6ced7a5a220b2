"""Segmenting image files with a trained run."""

from __future__ import annotations

import io
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import numpy as np

from minifcn import plots
from minifcn.backend import choose_device
from minifcn.data import Track
from minifcn.data.images import (
    FORMATS,
    check_image,
    read_image,
    shape_text,
    write_image,
    write_mask,
)
from minifcn.data.pairs import is_visible, left_out
from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.runs.segmentation import Segmented, scoring, segment_native, segment_resized
from minifcn.runs.values import check_pixels
from minifcn.runs.windows import GIB, Need, Score, Span, choose_window, measure
from minifcn.system.files import write_atomically

NATIVE = "native"

BYTES_OF_A_PROBABILITY = 12
"""While it is computed, as float32, and written, as float16: in an array, a file, and its copy."""


@dataclass(frozen=True)
class Settings:
    """How images are segmented, and what is written.

    size: the (H, W) that each is resized to; None for the run's, 'native' for its own.
    memory: how many GiB an image may take at its own size; a larger one is scored in windows.
    scores: whether to write the probability of each class, too.

    Raises ValueError for a setting that is out of range.
    """

    size: tuple[int, int] | str | None = None
    memory: float = 2
    scores: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and not isinstance(self.size, str):
            check_pixels("size", self.size, 1)
        elif self.size not in (None, NATIVE):
            raise ValueError(f"size must be (height, width) or {NATIVE!r}; got {self.size!r}")
        if not 0 < self.memory < 2**20:
            raise ValueError(f"memory must be a positive number of GiB; got {self.memory}")


def predict_files(
    run: Path,
    images: Sequence[Path],
    out: Path,
    checkpoint: str = "best",
    device: str = "cpu",
    settings: Settings | None = None,
    *,
    track: Track = iter,
    tell: Callable[[str], object] = lambda text: None,
) -> Iterator[Path]:
    """Segment each image; write NAME-mask.png and NAME-overlay.png into `out`; yield their paths.

    An image is resized to the size that the run was trained on, or another one, and its scores
    back to its own: each pixel has the class of the highest. With `settings.scores`, there is
    NAME-scores.npz, too: 'probabilities', float16 (C, H, W), and 'classes', their names. All images
    are read before the first file is written, so that a damaged one stops nothing halfway, a JPEG
    only roughly; but only one is held at a time.

    Args:
        run: the run's folder.
        images: image files, folders and patterns.
        out: the folder for the results.
        checkpoint: 'best' or 'last'.
        device: where to compute.
        settings: at which size, in how much memory, and what is written.
        track: wraps the loop over the images, to show how far it has come.
        tell: is told of windows, of the size of scores, and at the end of the speed.

    Raises:
        ValueError: the run or an image cannot be read, two results would have one name, the
            device cannot be used, or memory or disk do not suffice.
        OSError: a result cannot be written.
    """
    settings, device = settings or Settings(), choose_device(device)
    config, model = load_model(run, checkpoint)
    if out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder; got the file {out}")
    paths = [path for image in images for path in find_images(image)]
    targets = _targets(paths, out, settings.scores)
    shapes = {path: check_image(path).upright for path in paths}
    if settings.scores:
        tell(_check_scores(shapes, len(config.classes), settings.memory, out))
    score = scoring(model, config.normalisation)
    need = measure(score) if settings.size == NATIVE else None
    for note in _windows(shapes, need, settings):
        tell(note)
    out.mkdir(parents=True, exist_ok=True)
    model.to(device)
    watch = _Stopwatch()
    score = watch.timed(score)
    for path, own in track(list(zip(paths, targets, strict=True))):
        image = read_image(path)
        yield from _write(image, _segment(score, image, need, settings, config), own, config)
        watch.images += 1
    tell(str(watch))


def _segment(
    score: Score, image: np.ndarray, need: Need | None, settings: Settings, config: Config
) -> Segmented:
    """Segment an image at its own size, if it is known what that takes, or at a given one."""
    if need is None:
        assert not isinstance(settings.size, str)  # for mypy
        return segment_resized(score, image, settings.size or config.size, settings.scores)
    window = _window(image.shape[:2], need, settings)
    return segment_native(score, image, window, settings.scores)


def _write(
    image: np.ndarray, segmented: Segmented, targets: Sequence[Path], config: Config
) -> Iterator[Path]:
    """Write what is known of an image; yield each path once the file is there."""
    mask_path, overlay_path, *scores_path = targets
    write_mask(mask_path, segmented.mask, config.palette)
    yield mask_path
    write_image(overlay_path, plots.overlay(image, segmented.mask, config.palette))
    yield overlay_path
    for path in scores_path:
        file = io.BytesIO()
        assert segmented.probabilities is not None  # for mypy
        np.savez(file, probabilities=segmented.probabilities, classes=np.array([*config.classes]))
        write_atomically(path, file.getvalue())
        yield path


class _Stopwatch:
    """Measures seconds: those of the network, and all from now on."""

    def __init__(self) -> None:
        self.images, self.network, self.began = 0, 0.0, time.perf_counter()

    def timed(self, score: Score) -> Score:
        """Return the same function; the seconds that it takes are counted."""

        def run(image: np.ndarray) -> np.ndarray:
            before = time.perf_counter()
            scores = score(image)
            self.network += time.perf_counter() - before
            return scores

        return run

    def __str__(self) -> str:
        total = time.perf_counter() - self.began
        return (
            f"{self.images} image{'s' * (self.images != 1)} in {total:.2f} s,"
            f" {self.images / total:.2g} a second: {self.network:.2f} s for the network,"
            f" {total - self.network:.2f} s to read, resize and write"
        )


# -- Which images -------------------------------------------------------------------------------


def find_images(path: Path) -> list[Path]:
    """Return the image itself, the images in a folder, or those that a pattern such as *.jpg means.

    The shell of Windows leaves patterns to its programs.

    Raises:
        ValueError: there is no image in the folder.
    """
    if path.is_dir():
        endings = _endings()
        visible = filter(is_visible, path.iterdir())
        found = sorted(file for file in visible if file.suffix.lower() in endings)
        if not found:
            raise ValueError(
                f"cannot read {str(path)!r}: a folder; expected an image file, or a folder with"
                f" some, ending in {', '.join(endings)}"
            )
        return found
    return [path] if path.exists() else sorted(map(Path, glob(str(path)))) or [path]


def left_out_of(paths: Sequence[Path]) -> list[str]:
    """Say which files of the folders among `paths` are no images that can be read."""
    endings, notes = _endings(), []
    for folder in filter(Path.is_dir, paths):
        files = (path for path in sorted(folder.iterdir()) if path.is_file() and is_visible(path))
        notes.append(left_out(folder, [p for p in files if p.suffix.lower() not in endings]))
    return [note for note in notes if note]


def _endings() -> list[str]:
    from PIL.Image import registered_extensions

    return [ending for ending, format in registered_extensions().items() if format in FORMATS]


# -- Before the first file -----------------------------------------------------------------------


def _windows(shapes: Mapping[Path, Span], need: Need | None, settings: Settings) -> Iterator[str]:
    """Say which images are scored in windows; raise ValueError where even these do not fit."""
    for path, shape in shapes.items():
        window = _window(shape, need, settings) if need else shape
        if need and window != shape:
            yield (
                f"{path}: {shape_text(shape)} pixels take about {need.whole(*shape) / GIB:.2g} GiB"
                f" at once, so it is scored in windows of {shape_text(window)}, for which"
                f" {settings.memory:g} GiB are enough (--memory)"
            )


def _window(shape: Span, need: Need, settings: Settings) -> Span:
    """Choose windows that leave room for what of the probabilities is there already."""
    taken = 2 * need.classes * math.prod(shape) if settings.scores else 0
    return choose_window(shape, need, settings.memory * GIB - taken)


def _check_scores(shapes: Mapping[Path, Span], classes: int, memory: float, out: Path) -> str:
    """Say how large the files of scores will be; raise ValueError where they would not fit."""
    for path, shape in shapes.items():
        need = BYTES_OF_A_PROBABILITY * classes * math.prod(shape) / GIB
        if need > memory:
            raise ValueError(
                f"{path}: scores of {classes} classes and {shape_text(shape)} pixels take"
                f" {need:.2g} GiB; memory is {memory:g}: give a larger --memory, or no --scores"
            )
    size = sum(2 * classes * math.prod(shape) for shape in shapes.values())
    free = shutil.disk_usage(next(p for p in (out, *out.absolute().parents) if p.is_dir())).free
    if size > free:
        raise ValueError(
            f"{out}: scores of all images take {size / GIB:.2g} GiB, and the disk has"
            f" {free / GIB:.2g} left: choose another --out, fewer images, or no --scores"
        )
    return f"scores take {size / 1e6:.1f} MB on the disk"


def _targets(images: Sequence[Path], out: Path, scores: bool) -> list[list[Path]]:
    """The files to write for each image; no two images, and no input, may share one."""
    endings = ("mask.png", "overlay.png", *["scores.npz"] * scores)
    targets = [[out / f"{path.stem}-{ending}" for ending in endings] for path in images]
    taken = {_place(path): f"the image {path}" for path in images}
    for image, own in zip(images, targets, strict=True):
        for target in own:
            if _place(target) in taken:
                raise ValueError(
                    f"{image}: its result {target} would replace {taken[_place(target)]}; rename"
                    " one, or choose another --out for it"
                )
            taken[_place(target)] = f"that of {image}"
    return targets


def _place(path: Path) -> str:
    """A path by which one file is known, where A.png and a.png are one, too."""
    place = str(path.resolve())
    return place.casefold() if sys.platform in ("darwin", "win32") else place
