"""FCN on every backbone, written with PyTorch's layers under minifcn's names."""

import math


def make_twin(torch, model, name):
    """Return the twin of a bilinear FCN with BatchNorm in its head, with the same weights."""
    layers, functional = torch.nn, torch.nn.functional
    backbone = {"efficientnet-lite0": _efficientnet, "squeezenet1.1": _squeezenet, "vgg16": _vgg}
    own, stride = dict(model.named_tensors()), model.stride
    classes = own["score_fr.bias"].shape[0]

    def block(into, out, kernel):
        convolution = layers.Conv2d(into, out, kernel, padding=kernel // 2, bias=False)
        return layers.Sequential(convolution, layers.BatchNorm2d(out), layers.ReLU())

    def up(factor):
        layer = layers.ConvTranspose2d(classes, classes, 2 * factor, factor, factor // 2,
                                       bias=False)  # fmt: skip
        return layer.requires_grad_(False)

    class Twin(layers.Module):
        def __init__(self):
            super().__init__()
            self.backbone = backbone[name](torch, model.backbone)
            widths, head = model.backbone.widths, own["fc7.0.weight"].shape[0]
            self.fc6, self.fc7 = block(widths[32], head, 3), block(head, head, 1)
            self.score_fr = layers.Conv2d(head, classes, 1)
            for finer, up_name, score in _skips(stride):
                setattr(self, up_name, up(2))
                setattr(self, score, layers.Conv2d(widths[finer], classes, 1))
            self.upscore = up(stride)

        def forward(self, x):
            height, width = x.shape[2:]
            x = functional.pad(x, (0, -width % 32, 0, -height % 32))
            maps = self.backbone(x)
            y = self.score_fr(self.fc7(self.fc6(maps[32])))
            for finer, up_name, score in _skips(stride):
                y = getattr(self, up_name)(y) + getattr(self, score)(maps[finer])
            return self.upscore(y)[:, :, :height, :width]

    twin = Twin().to(torch.from_numpy(model.score_fr.weight.numpy()).dtype)
    twin.load_state_dict({key: torch.from_numpy(a) for key, a in model.state_dict().items()})
    return twin


def _skips(stride):
    found = [(16, "upscore2", "score_pool4"), (8, "upscore_pool4", "score_pool3"),
             (4, "upscore_pool3", "score_pool2")]  # fmt: skip
    return [skip for skip in found if skip[0] >= stride]


def _efficientnet(torch, _):
    layers, functional = torch.nn, torch.nn.functional
    stages = "1-3-1-1-16 2-3-2-6-24 2-5-2-6-40 3-3-2-6-80 3-5-1-6-112 4-5-2-6-192 1-3-1-6-320"

    class Same(layers.Conv2d):
        def forward(self, x):
            for axis in (3, 2):
                size, k, s = x.shape[axis], self.kernel_size[0], self.stride[0]
                extra = max((math.ceil(size / s) - 1) * s + k - size, 0)
                sides = [extra // 2, extra - extra // 2]
                x = functional.pad(x, sides if axis == 3 else [0, 0, *sides])
            return super().forward(x)

    def norm(channels):
        return layers.BatchNorm2d(channels, 1e-3, 0.01)

    class Bottleneck(layers.Module):
        def __init__(self, into, out, k, s, expansion):
            super().__init__()
            inside = into * expansion
            if expansion > 1:
                self.expand_conv = layers.Conv2d(into, inside, 1, bias=False)
                self.bn0 = norm(inside)
            self.depthwise_conv = Same(inside, inside, k, s, groups=inside, bias=False)
            self.bn1 = norm(inside)
            self.project_conv = layers.Conv2d(inside, out, 1, bias=False)
            self.bn2 = norm(out)
            self.skip = s == 1 and into == out

        def forward(self, x):
            y = functional.relu6(self.bn0(self.expand_conv(x))) if hasattr(self, "bn0") else x
            y = functional.relu6(self.bn1(self.depthwise_conv(y)))
            y = self.bn2(self.project_conv(y))
            return x + y if self.skip else y

    class Backbone(layers.Module):
        def __init__(self):
            super().__init__()
            self.conv_stem, self.bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
            blocks, into = [], 32
            for stage in stages.split():
                count, k, s, expansion, out = map(int, stage.split("-"))
                for i in range(count):
                    blocks.append(Bottleneck(into, out, k, s if i == 0 else 1, expansion))
                    into = out
            self.blocks = layers.Sequential(*blocks)

        def forward(self, x):
            size = x.shape[2]
            x, maps = functional.relu6(self.bn0(self.conv_stem(x))), {}
            for block in self.blocks:
                x = block(x)
                maps[size // x.shape[2]] = x  # the last of each stride stays
            return maps

    return Backbone()


def _squeezenet(torch, _):
    layers, functional = torch.nn, torch.nn.functional

    class Fire(layers.Module):
        def __init__(self, into, squeezed, half):
            super().__init__()
            self.squeeze1x1 = layers.Conv2d(into, squeezed, 1)
            self.expand1x1 = layers.Conv2d(squeezed, half, 1)
            self.expand3x3 = layers.Conv2d(squeezed, half, 3, padding=1)

        def forward(self, x):
            x = self.squeeze1x1(x).relu()
            return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)

    class Backbone(layers.Module):
        def __init__(self):
            super().__init__()
            self.conv1, into = layers.Conv2d(3, 64, 3, 2), 64
            for number, half in enumerate((64, 64, 128, 128, 192, 192, 256, 256), 2):
                self.add_module(f"fire{number}", Fire(into, half // 4, half))
                into = 2 * half

        def forward(self, x):
            pool = lambda x: functional.max_pool2d(x, 3, 2, ceil_mode=True)
            x = pool(self.conv1(functional.pad(x, (1, 0, 1, 0))).relu())
            four = self.fire3(self.fire2(x))
            eight = self.fire5(self.fire4(pool(four)))
            sixteen = self.fire9(self.fire8(self.fire7(self.fire6(pool(eight)))))
            return {4: four, 8: eight, 16: sixteen, 32: functional.max_pool2d(sixteen, 2)}

    return Backbone()


def _vgg(torch, own):
    layers = torch.nn
    shapes = {n: p.shape for n, p in own.named_parameters() if n.endswith("weight")}

    class Backbone(layers.Module):
        def __init__(self):
            super().__init__()
            for k in range(1, 6):
                found = [s for n, s in shapes.items() if n.startswith(f"stage{k}.")]
                self.add_module(f"stage{k}", layers.ModuleList(
                    [layers.Conv2d(s[1], s[0], 3, padding=1) for s in found]))  # fmt: skip

        def forward(self, x):
            maps = {}
            for k in range(1, 6):
                for convolution in getattr(self, f"stage{k}"):
                    x = convolution(x).relu()
                x = maps[2**k] = layers.functional.max_pool2d(x, 2)
            return maps

    return Backbone()
