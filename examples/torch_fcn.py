"""The same FCN in PyTorch: load weights that minifcn exported, and segment an image with them.

    minifcn export runs/shapes-fcn8s --out weights.safetensors
    python examples/torch_fcn.py weights.safetensors image.png classes.png

It needs torch, pillow and, for .safetensors files, safetensors, but not minifcn. The mask is the
one of `minifcn predict`: the image is resized to the size of the run, and its scores back.

The layers have the names that they have in minifcn.models, so `load_state_dict` takes the weights
strictly: each one that is there is used, and none is missing. Which network they are of, one of the
four backbones and FCN-32s, 16s, 8s or 4s, is read off their names and shapes.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

State = dict[str, torch.Tensor]


class FCN(nn.Module):
    """FCN-32s, 16s, 8s or 4s: images (N, 3, H, W) in, scores (N, num_classes, H, W) out.

    A backbone has `widths`, the channels of its features at stride 4, 8, 16 and 32.
    """

    def __init__(
        self, num_classes: int, stride: int, backbone: nn.Module, head_width: int, norm: bool = True
    ) -> None:
        super().__init__()
        self.stride, self.backbone = stride, backbone
        widths = backbone.widths
        self.fc6 = block(widths[32], head_width, 3, norm)
        self.fc7 = block(head_width, head_width, 1, norm)
        self.score_fr = nn.Conv2d(head_width, num_classes, 1)
        if stride <= 16:
            self.upscore2 = upsampling(num_classes, 2)
            self.score_pool4 = nn.Conv2d(widths[16], num_classes, 1)
        if stride <= 8:
            self.upscore_pool4 = upsampling(num_classes, 2)
            self.score_pool3 = nn.Conv2d(widths[8], num_classes, 1)
        if stride <= 4:
            self.upscore_pool3 = upsampling(num_classes, 2)
            self.score_pool2 = nn.Conv2d(widths[4], num_classes, 1)
        self.upscore = upsampling(num_classes, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score each pixel; inside, the image is padded to a multiple of 32."""
        height, width = x.shape[2:]
        maps = self.backbone(F.pad(x, (0, -width % 32, 0, -height % 32)))
        scores = self.score_fr(self.fc7(self.fc6(maps[32])))
        if self.stride <= 16:
            scores = self.upscore2(scores) + self.score_pool4(maps[16])
        if self.stride <= 8:
            scores = self.upscore_pool4(scores) + self.score_pool3(maps[8])
        if self.stride <= 4:
            scores = self.upscore_pool3(scores) + self.score_pool2(maps[4])
        return self.upscore(scores)[:, :, :height, :width]


def upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Upsample by a factor; the weights, bilinear ones, are in the file."""
    return nn.ConvTranspose2d(channels, channels, 2 * factor, factor, factor // 2, bias=False)


class ConvReLU(nn.Conv2d):
    """Convolve, rectify."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve x, and set negative values to 0."""
        return F.relu(super().forward(x))


def block(into: int, out: int, kernel_size: int, norm: bool) -> nn.Module:
    """Convolve at the same size, normalise, rectify."""
    if not norm:
        return ConvReLU(into, out, kernel_size, padding=kernel_size // 2)
    convolution = nn.Conv2d(into, out, kernel_size, padding=kernel_size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


# -- Backbones: x (N, 3, H, W), H and W multiples of 32, to features by stride -------------------


class VGG(nn.Module):
    """Five stages of 3x3 convolutions, each with a pooling that halves the size."""

    normalisation = {
        "scale": 255,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "order": "RGB",
    }

    def __init__(self, widths: Sequence[int], depths: Sequence[int], norm: bool) -> None:
        super().__init__()
        self.widths = dict(zip((4, 8, 16, 32), widths[1:], strict=True))
        for i, (into, width, depth) in enumerate(zip((3, *widths), widths, depths, strict=False)):
            blocks = [block(into if j == 0 else width, width, 3, norm) for j in range(depth)]
            self.add_module(f"stage{i + 1}", nn.Sequential(*blocks, nn.MaxPool2d(2)))

    def forward(self, x: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return what the last four poolings give."""
        maps = {}
        for i in range(5):
            maps[2 ** (i + 1)] = x = getattr(self, f"stage{i + 1}")(x)
        return maps


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding SAME: H / stride rows come out, rounded up."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad x by as much as its size needs, the larger half after it; convolve."""
        (top, bottom), (left, right) = map(self.padding_of, x.shape[2:])
        return super().forward(F.pad(x, (left, right, top, bottom)))

    def padding_of(self, size: int) -> tuple[int, int]:
        """Return how much to pad before and after an axis of so many pixels."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        return total // 2, total - total // 2


class Bottleneck(nn.Module):
    """Widen, filter each channel by itself, narrow; add the input where that has the same shape."""

    def __init__(self, into: int, out: int, kernel_size: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = into * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and into == out
        if self.expands:
            self.expand_conv = nn.Conv2d(into, inside, 1, bias=False)
            self.bn0 = nn.BatchNorm2d(inside, 1e-3)
        self.depthwise_conv = SameConv2d(
            inside, inside, kernel_size, stride, groups=inside, bias=False
        )
        self.bn1 = nn.BatchNorm2d(inside, 1e-3)
        self.project_conv = nn.Conv2d(inside, out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out, 1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform x."""
        wide = F.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        narrow = self.bn2(self.project_conv(F.relu6(self.bn1(self.depthwise_conv(wide)))))
        return x + narrow if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """The stem and the 16 bottlenecks of EfficientNet-Lite0."""

    normalisation = {"scale": 1, "mean": (127, 127, 127), "std": (128, 128, 128), "order": "RGB"}
    stages = (  # how many, kernel size, stride of the first, expansion, channels
        (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
    )  # fmt: skip
    last = {2: 4, 4: 8, 10: 16, 15: 32}  # the last bottleneck of each stride
    widths = {4: 24, 8: 40, 16: 112, 32: 320}

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self.bn0 = nn.BatchNorm2d(32, 1e-3)
        blocks, into = [], 32
        for count, kernel_size, stride, expansion, width in self.stages:
            for i in range(count):
                first = stride if i == 0 else 1
                blocks.append(Bottleneck(into, width, kernel_size, first, expansion))
                into = width
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return the features of strides 4 to 32."""
        x, maps = F.relu6(self.bn0(self.conv_stem(x))), {}
        for number, bottleneck in enumerate(self.blocks):
            x = bottleneck(x)
            if number in self.last:
                maps[self.last[number]] = x
        return maps


class Fire(nn.Module):
    """Squeeze the channels with a 1x1 convolution; expand with 1x1 and 3x3 side by side."""

    def __init__(self, into: int, squeezed: int, half: int) -> None:
        super().__init__()
        self.squeeze1x1 = ConvReLU(into, squeezed, 1)
        self.expand1x1 = ConvReLU(squeezed, half, 1)
        self.expand3x3 = ConvReLU(squeezed, half, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform x."""
        x = self.squeeze1x1(x)
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 below its last layer; the image gets a row above and a column to the left."""

    normalisation = {"scale": 1, "mean": (104, 117, 123), "std": (1, 1, 1), "order": "BGR"}
    fires = {2: 64, 3: 64, 4: 128, 5: 128, 6: 192, 7: 192, 8: 256, 9: 256}  # half of the channels
    last = {3: 4, 5: 8, 9: 16}  # the last fire module of each stride
    widths = {4: 128, 8: 256, 16: 512, 32: 512}

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvReLU(3, 64, 3, 2)
        into = 64
        for number, half in self.fires.items():
            self.add_module(f"fire{number}", Fire(into, half // 4, half))
            into = 2 * half
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)

    def forward(self, x: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return the features of strides 4 to 16, and those of 16 pooled."""
        x, maps = self.pool(self.conv1(F.pad(x, (1, 0, 1, 0)))), {}
        for number in self.fires:
            x = getattr(self, f"fire{number}")(x)
            if number in self.last:
                maps[self.last[number]] = x
            x = self.pool(x) if number in (3, 5) else x
        return {**maps, 32: F.max_pool2d(x, 2)}


# -- Reading what minifcn exported ---------------------------------------------------------------


def load(path: Path) -> FCN:
    """Build the network that an exported file has the weights of, in evaluation mode."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        with np.load(path) as arrays:
            state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model = FCN(
        num_classes=len(state["score_fr.bias"]),
        stride=state["upscore.weight"].shape[2] // 2,
        backbone=build_backbone(state),
        head_width=state["score_fr.weight"].shape[1],
        norm="fc6.0.weight" in state,
    )
    model.load_state_dict(state)
    return model.eval()


def build_backbone(state: State) -> nn.Module:
    """Build the backbone that has these weights, by their names and shapes."""
    if "backbone.conv_stem.weight" in state:
        return EfficientNetLite0()
    if "backbone.fire2.squeeze1x1.weight" in state:
        return SqueezeNet()
    pattern = re.compile(r"backbone\.stage(\d)\.\d+\.(0\.)?weight")
    found = [(int(m[1]), x) for name, x in state.items() if (m := pattern.fullmatch(name))]
    stages = [[x for i, x in found if i == stage and x.ndim == 4] for stage in range(1, 6)]
    norm = "backbone.stage1.0.0.weight" in state
    return VGG([len(stage[0]) for stage in stages], list(map(len, stages)), norm)


def about(path: Path) -> dict:
    """Return 'classes', 'size', 'normalisation' and more; an .npz file has none of them."""
    if path.suffix != ".safetensors":
        return {}
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["minifcn"])


# -- Segmenting ----------------------------------------------------------------------------------


def read_image(path: Path) -> np.ndarray:
    """Read an image as uint8 (H, W, 3), upright as its EXIF orientation says, without alpha."""
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        if picture.mode[0] in "IF":
            raise SystemExit(f"{path}: pixels of mode {picture.mode}; expected 8 bits a channel")
        picture = ImageOps.exif_transpose(picture)
        # A palette with transparency has no direct way to RGB.
        return np.array(picture.convert("RGBA" if picture.mode == "P" else "RGB"))[..., :3]


def normalise(image: np.ndarray, how: dict) -> torch.Tensor:
    """Make the network's input, float32 (1, 3, H, W), of an RGB image, uint8 (H, W, 3)."""
    ordered = image[..., ["RGB".index(channel) for channel in how["order"]]]
    mean, std = np.array(how["mean"], np.float32), np.array(how["std"], np.float32)
    x = (ordered / np.float32(how["scale"]) - mean) / std
    return torch.from_numpy(x).permute(2, 0, 1)[None]


def segment(
    model: FCN, image: np.ndarray, size: tuple[int, int] | None = None, how: dict | None = None
) -> np.ndarray:
    """Return the class of each pixel, uint8 (H, W), of an image, uint8 (H, W, 3).

    size: the (H, W) that the network sees it at, if not its own; scores are resized back.
    how: its normalisation; by default that of the network's backbone.
    """
    from PIL import Image

    height, width = size or image.shape[:2]
    seen = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    with torch.no_grad():
        scores = model(normalise(seen, how or model.backbone.normalisation))
        scores = F.interpolate(scores, image.shape[:2], mode="bilinear")
    return scores[0].argmax(0).to(torch.uint8).numpy()


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
    image, how = read_image(choices.image), known.get("normalisation")
    classes = segment(model, image, tuple(size), how)
    Image.fromarray(classes).save(choices.out)
    names = known.get("classes") or [str(i) for i in range(model.score_fr.out_channels)]
    for name, share in zip(names, np.bincount(classes.ravel(), minlength=len(names)), strict=True):
        print(f"{name:20} {share / classes.size:7.2%}")


if __name__ == "__main__":
    main()
