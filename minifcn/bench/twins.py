"""The networks that are measured, written with PyTorch; their layers have the names of ours."""

from __future__ import annotations

from typing import Any

from minifcn.bench.work import FEATURES, NETWORKS, Network, Work
from minifcn.models.efficientnet_lite import EPSILON, HEAD, MOMENTUM, STAGES, STEM, same_padding


def twin(work: Work) -> Any:
    """Return the network of a piece of work as a torch.nn.Module, with weights of its own."""
    if work.network == FEATURES:
        return _features()
    return _fcn(NETWORKS[work.network])


def _fcn(sizes: Network) -> Any:
    from torch import nn
    from torch.nn import functional as F

    classes, widths, head = sizes.classes, sizes.widths, sizes.head_width

    class Block(nn.Conv2d):
        def forward(self, x: Any) -> Any:
            return F.relu(super().forward(x))

    def block(into: int, to: int, kernel: int = 3) -> nn.Module:
        if not sizes.batch_norm:
            return Block(into, to, kernel, padding=kernel // 2)
        convolution = nn.Conv2d(into, to, kernel, padding=kernel // 2, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(to), nn.ReLU(inplace=True))

    def stage(into: int, to: int, depth: int) -> nn.Module:
        more = [block(to, to) for _ in range(depth - 1)]
        return nn.Sequential(block(into, to), *more, nn.MaxPool2d(2))

    def up(factor: int) -> nn.Module:
        layer = nn.ConvTranspose2d(classes, classes, 2 * factor, factor, factor // 2, bias=False)
        return layer.requires_grad_(False)

    class Stages(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shapes = zip((3, *widths), widths, sizes.depths, strict=False)
            stages = (stage(*shape) for shape in shapes)
            self.stage1, self.stage2, self.stage3, self.stage4, self.stage5 = stages

    class FCN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = Stages()
            self.fc6, self.fc7 = block(widths[4], head), block(head, head, 1)
            self.score_fr = nn.Conv2d(head, classes, 1)
            self.score_pool4 = nn.Conv2d(widths[3], classes, 1)
            self.score_pool3 = nn.Conv2d(widths[2], classes, 1)
            self.upscore2, self.upscore_pool4, self.upscore = up(2), up(2), up(8)

        def forward(self, x: Any) -> Any:
            height, width = x.shape[2:]
            if height % 32 or width % 32:
                x = F.pad(x, (0, -width % 32, 0, -height % 32))
            stages = self.backbone
            pool3 = stages.stage3(stages.stage2(stages.stage1(x)))
            pool4 = stages.stage4(pool3)
            scores = self.score_fr(self.fc7(self.fc6(stages.stage5(pool4))))
            scores = self.upscore2(scores) + self.score_pool4(pool4)
            scores = self.upscore(self.upscore_pool4(scores) + self.score_pool3(pool3))
            return scores[..., :height, :width]

    return FCN()


def _features() -> Any:
    """EfficientNet-Lite0 up to its features."""
    from torch import nn
    from torch.nn import functional as F

    class Same(nn.Conv2d):
        def forward(self, x: Any) -> Any:
            kernel, stride = self.kernel_size[0], self.stride[0]
            rows, columns = (same_padding(size, kernel, stride) for size in x.shape[2:])
            if rows[0] == rows[1] and columns[0] == columns[1]:
                settings = (self.stride, (rows[0], columns[0]), 1, self.groups)
                return F.conv2d(x, self.weight, None, *settings)
            return super().forward(F.pad(x, (*columns, *rows)))

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, EPSILON, MOMENTUM)

    def relu6(x: Any) -> Any:
        return F.relu6(x, inplace=True)

    class Bottleneck(nn.Module):
        def __init__(self, into: int, to: int, kernel: int, stride: int, expansion: int) -> None:
            super().__init__()
            wide = into * expansion
            self.expands, self.adds = expansion > 1, stride == 1 and into == to
            if self.expands:
                self.expand_conv, self.bn0 = nn.Conv2d(into, wide, 1, bias=False), norm(wide)
            self.depthwise_conv = Same(wide, wide, kernel, stride, groups=wide, bias=False)
            self.bn1 = norm(wide)
            self.project_conv, self.bn2 = nn.Conv2d(wide, to, 1, bias=False), norm(to)

        def forward(self, x: Any) -> Any:
            wide = relu6(self.bn0(self.expand_conv(x))) if self.expands else x
            narrow = self.bn2(self.project_conv(relu6(self.bn1(self.depthwise_conv(wide)))))
            return x + narrow if self.adds else narrow

    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_stem, self.bn0 = Same(3, STEM, 3, 2, bias=False), norm(STEM)
            blocks, channels = [], STEM
            for count, kernel, first_stride, expansion, to in STAGES:
                for stride in (first_stride, *[1] * (count - 1)):
                    blocks.append(Bottleneck(channels, to, kernel, stride, expansion))
                    channels = to
            self.blocks = nn.Sequential(*blocks)
            self.conv_head, self.bn1 = nn.Conv2d(channels, HEAD, 1, bias=False), norm(HEAD)

        def forward(self, x: Any) -> Any:
            x = self.blocks(relu6(self.bn0(self.conv_stem(x))))
            return relu6(self.bn1(self.conv_head(x)))

    return Features()
