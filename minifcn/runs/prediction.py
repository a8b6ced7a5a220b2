"""Segmenting image files with a trained run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path

import numpy as np

from minifcn import nn, plots
from minifcn.data.images import FORMATS, check_image, read_image, write_image, write_mask
from minifcn.data.pairs import is_visible, left_out
from minifcn.data.transforms import IMAGENET, resize_image
from minifcn.runs.checkpoint import load_model
from minifcn.runs.steps import Normalise, predict


def predict_files(
    run: Path, images: Sequence[Path], out: Path, checkpoint: str = "best", device: str = "cpu"
) -> Iterator[Path]:
    """Segment each image; write NAME-mask.png and NAME-overlay.png into `out`; yield their paths.

    An image is resized to the size that the run was trained on, and its mask back to the size of
    the image. All images are read before the first file is written, so that a damaged one stops
    nothing halfway, a JPEG only roughly; but only one is held at a time.

    Raises:
        ValueError: the run or an image cannot be read, two results would have one name, or the
            device cannot be used.
        OSError: a result cannot be written.
    """
    config, model = load_model(run, checkpoint, device)
    if out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder; got the file {out}")
    paths = [path for image in images for path in find_images(image)]
    targets = _targets(paths, out)
    for path in paths:
        check_image(path)
    out.mkdir(parents=True, exist_ok=True)
    for path, (mask_path, overlay_path) in zip(paths, targets, strict=True):
        image = read_image(path)
        mask = predict_resized(model, image, config.size, config.normalisation)
        write_mask(mask_path, mask, config.palette)
        yield mask_path
        write_image(overlay_path, plots.overlay(image, mask, config.palette))
        yield overlay_path


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


def predict_resized(
    model: nn.Module, image: np.ndarray, size: tuple[int, int], normalise: Normalise = IMAGENET
) -> np.ndarray:
    """Segment an image at another size, and return the mask at the image's own."""
    return predict(model, [resize_image(image, size)], normalise, image.shape[:2])[0]


def _targets(images: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """The two files to write for each image; no two images, and no input, may share one."""
    targets = [(out / f"{p.stem}-mask.png", out / f"{p.stem}-overlay.png") for p in images]
    taken = {_place(path): f"the image {path}" for path in images}
    for image, pair in zip(images, targets, strict=True):
        for target in pair:
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
