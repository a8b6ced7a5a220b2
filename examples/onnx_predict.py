"""Segment an image with a network that minifcn exported as ONNX, without minifcn.

    minifcn export runs/shapes-fcn8s --out model.onnx
    python examples/onnx_predict.py model.onnx image.png classes.png

It needs onnxruntime, numpy and pillow. All else is in the file: the network, the names and colours
of the classes, the size that it was trained on, and how an image becomes its input. The mask is the
one of `minifcn predict`: the image is resized to the size of the run, and its scores back.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def load(path: Path) -> tuple[onnxruntime.InferenceSession, dict]:
    """Return a network, ready to run, and what its file says about it."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session, json.loads(session.get_modelmeta().custom_metadata_map["minifcn"])


def read_image(path: Path) -> Image.Image:
    """Read an image as RGB, upright as its EXIF orientation says, without alpha."""
    with Image.open(path) as picture:
        if picture.mode[0] in "IF":
            raise SystemExit(f"{path}: pixels of mode {picture.mode}; expected 8 bits a channel")
        picture = ImageOps.exif_transpose(picture)
        # A palette with transparency has no direct way to RGB.
        pixels = np.array(picture.convert("RGBA" if picture.mode == "P" else "RGB"))
        return Image.fromarray(np.ascontiguousarray(pixels[..., :3]))


def normalise(pixels: np.ndarray, how: dict) -> np.ndarray:
    """Make the network's input, float32 (1, 3, H, W), of RGB pixels, uint8 (H, W, 3)."""
    ordered = pixels[..., ["RGB".index(channel) for channel in how["order"]]]
    mean, std = np.array(how["mean"], np.float32), np.array(how["std"], np.float32)
    scaled = (ordered / np.float32(how["scale"]) - mean) / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def resize(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize scores (C, h, w) bilinearly to (C, H, W); the areas of the pixels are aligned."""
    for axis, length in zip((1, 2), size, strict=True):
        own = scores.shape[axis]
        position = np.clip((np.arange(length) + 0.5) * own / length - 0.5, 0, own - 1)
        low = position.astype(int)
        high = np.minimum(low + 1, own - 1)
        part = (position - low).astype(np.float32)
        part = part[:, None] if axis == 1 else part
        scores = scores.take(low, axis) * (1 - part) + scores.take(high, axis) * part
    return scores


def segment(session: onnxruntime.InferenceSession, about: dict, image: Image.Image) -> np.ndarray:
    """Return the class of each pixel, uint8 (H, W), at the image's own size."""
    height, width = about["size"]
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    x = normalise(np.array(resized), about["normalisation"])
    scores = session.run(["scores"], {"images": x})[0][0]
    return resize(scores, (image.height, image.width)).argmax(0).astype(np.uint8)


def main() -> None:
    """Segment one image; write the mask in the classes' colours, and print how common they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="what minifcn export --format onnx wrote")
    parser.add_argument("image", type=Path)
    parser.add_argument("out", type=Path, help="PNG to write: the class of each pixel")
    choices = parser.parse_args()
    session, about = load(choices.model)
    classes = segment(session, about, read_image(choices.image))
    mask = Image.fromarray(classes)
    mask.putpalette(np.array(about["palette"], np.uint8).tobytes())
    mask.save(choices.out)
    names = about["classes"]
    for name, share in zip(names, np.bincount(classes.ravel(), minlength=len(names)), strict=True):
        print(f"{name:20} {share / classes.size:7.2%}")


if __name__ == "__main__":
    main()
