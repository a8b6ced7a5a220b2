"""The same FCN in PyTorch: load weights that minifcn exported, and segment an image with them.

    minifcn export runs/shapes-fcn8s --out weights.safetensors
    python examples/torch_fcn.py weights.safetensors image.png classes.png

It needs torch, pillow and, for .safetensors files, safetensors, but not minifcn. The mask is the
one of `minifcn predict`: the image is resized to the size of the run, and its mask back.

The layers have the names that they have in minifcn.models.FCN, so `load_state_dict` takes the
weights strictly: each one that is there is used, and none is missing.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What minifcn subtracts from the colours of an image, from 0 to 1, and then divides them by."""


class FCN(nn.Module):
    """FCN-32s, 16s or 8s: images (N, 3, H, W) in, scores (N, num_classes, H, W) out.

    The arguments are those of minifcn.models.FCN.
    """

    def __init__(
        self,
        num_classes: int,
        stride: int = 8,
        widths: Sequence[int] = (12, 24, 48, 64, 64),
        depths: Sequence[int] = (1, 1, 2, 2, 1),
        head_width: int = 96,
    ) -> None:
        super().__init__()
        self.stride = stride
        for i, (into, width, depth) in enumerate(zip((3, *widths), widths, depths, strict=False)):
            self.add_module(f"stage{i + 1}", stage(into, width, depth))
        self.fc6 = block(widths[4], head_width, 3)
        self.fc7 = block(head_width, head_width, 1)
        self.score_fr = nn.Conv2d(head_width, num_classes, 1)
        if stride <= 16:
            self.upscore2 = upsampling(num_classes, 2)
            self.score_pool4 = nn.Conv2d(widths[3], num_classes, 1)
        if stride == 8:
            self.upscore_pool4 = upsampling(num_classes, 2)
            self.score_pool3 = nn.Conv2d(widths[2], num_classes, 1)
        self.upscore = upsampling(num_classes, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score each pixel; inside, the image is padded to a multiple of 32."""
        height, width = x.shape[2:]
        x = nn.functional.pad(x, (0, -width % 32, 0, -height % 32))
        pool3 = self.stage3(self.stage2(self.stage1(x)))
        pool4 = self.stage4(pool3)
        scores = self.score_fr(self.fc7(self.fc6(self.stage5(pool4))))
        if self.stride <= 16:
            scores = self.upscore2(scores) + self.score_pool4(pool4)
        if self.stride == 8:
            scores = self.upscore_pool4(scores) + self.score_pool3(pool3)
        return self.upscore(scores)[:, :, :height, :width]


def block(into: int, out: int, kernel_size: int) -> nn.Sequential:
    """Convolve at the same size, normalise, rectify."""
    convolution = nn.Conv2d(into, out, kernel_size, padding=kernel_size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


def stage(into: int, out: int, depth: int) -> nn.Sequential:
    """Convolutions, then a pooling that halves the size."""
    blocks = [block(into if i == 0 else out, out, 3) for i in range(depth)]
    return nn.Sequential(*blocks, nn.MaxPool2d(2))


def upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Upsample by a factor; the weights, bilinear ones, are in the file."""
    return nn.ConvTranspose2d(channels, channels, 2 * factor, factor, factor // 2, bias=False)


def load(path: Path) -> FCN:
    """Build the network that an exported file has the weights of, in evaluation mode."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        with np.load(path) as arrays:
            state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model = FCN(**architecture(state))
    model.load_state_dict(state)
    return model.eval()


def architecture(state: dict[str, torch.Tensor]) -> dict:
    """Return the arguments of FCN, read off the names and shapes of its weights."""
    depths = [sum(f"stage{i}.{j}.0.weight" in state for j in range(100)) for i in range(1, 6)]
    return {
        "num_classes": len(state["score_fr.bias"]),
        "stride": state["upscore.weight"].shape[2] // 2,
        "widths": [len(state[f"stage{i}.0.0.weight"]) for i in range(1, 6)],
        "depths": depths,
        "head_width": len(state["fc7.0.weight"]),
    }


def segment(model: FCN, image: np.ndarray) -> np.ndarray:
    """Return the class of each pixel, uint8 (H, W), of an image, uint8 (H, W, 3)."""
    x = (image / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
    with torch.no_grad():
        scores = model(torch.from_numpy(x).permute(2, 0, 1)[None])
    return scores[0].argmax(0).to(torch.uint8).numpy()


def read_image(path: Path) -> np.ndarray:
    """Read an image as uint8 (H, W, 3), upright as its EXIF orientation says, without alpha."""
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        if picture.mode[0] in "IF":
            raise SystemExit(f"{path}: pixels of mode {picture.mode}; expected 8 bits a channel")
        picture = ImageOps.exif_transpose(picture)
        # A palette with transparency has no direct way to RGB.
        return np.array(picture.convert("RGBA" if picture.mode == "P" else "RGB"))[..., :3]


def segment_resized(model: FCN, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Segment an image at the (H, W) that the network was trained on; return a mask of its own."""
    from PIL import Image

    height, width = image.shape[:2]
    resized = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    mask = Image.fromarray(segment(model, np.array(resized)))
    return np.array(mask.resize((width, height), Image.Resampling.NEAREST))


def about(path: Path) -> dict:
    """Return the names of the 'classes' and the 'size' of images; an .npz file has neither."""
    if path.suffix != ".safetensors":
        return {}
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["minifcn"])


def parse_size(text: str) -> tuple[int, int]:
    """Read 'HxW'."""
    height, width = map(int, text.split("x"))
    return height, width


def main() -> None:
    """Segment one image; write the class numbers as a grey PNG, and print how common they are."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="what minifcn export wrote")
    parser.add_argument("image", type=Path)
    parser.add_argument("out", type=Path, help="PNG to write: the class of each pixel, as grey")
    parser.add_argument(
        "--size", type=parse_size, metavar="HxW", help="of the run; a .safetensors file has it"
    )
    choices = parser.parse_args()
    model, known = load(choices.weights), about(choices.weights)
    size = choices.size or known.get("size")
    if not size:
        parser.error(f"{choices.weights} does not say the size of the run: give --size HxW")
    classes = segment_resized(model, read_image(choices.image), tuple(size))
    Image.fromarray(classes).save(choices.out)
    names = known.get("classes") or [str(i) for i in range(model.score_fr.out_channels)]
    for name, share in zip(names, np.bincount(classes.ravel(), minlength=len(names)), strict=True):
        print(f"{name:20} {share / classes.size:7.2%}")


if __name__ == "__main__":
    main()
