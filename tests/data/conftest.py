"""Files to read: images, masks and lists, written with Pillow where a test needs them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def save_image(tmp_path: Path) -> Callable[..., Path]:
    """Write random pixels (or the given ones) below tmp_path."""

    def save(name: str, size: tuple[int, int] = (6, 8), pixels: np.ndarray | None = None) -> Path:
        if pixels is None:
            pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        return write(tmp_path / name, Image.fromarray(pixels))

    return save


@pytest.fixture
def save_mask(tmp_path: Path) -> Callable[..., Path]:
    """Write ids as a grey PNG below tmp_path."""

    def save(name: str, ids: object = 0, size: tuple[int, int] = (6, 8)) -> Path:
        mask = np.broadcast_to(
            np.array(ids, np.uint8), size if np.ndim(ids) == 0 else np.shape(ids)
        )
        return write(tmp_path / name, Image.fromarray(np.ascontiguousarray(mask)))

    return save


@pytest.fixture
def save_text(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a text file below tmp_path."""

    def save(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return save


def write(path: Path, picture: Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path
