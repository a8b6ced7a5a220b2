"""Small networks of the paper's form, and the same ones in PyTorch, for their tests."""

import math

import numpy as np

from minifcn.models import VGGFCN
from minifcn.models.vgg_fcn import DEPTHS

STRIDES = (32, 16, 8)
TINY = {"widths": (2, 3, 4, 5, 6), "fc_width": 7}


def make_model(stride=8, num_classes=3, **choices):
    choices = {**TINY, "generator": np.random.default_rng(0), **choices}
    return VGGFCN(num_classes, stride, **choices)


def randomise(model, seed=1):
    """Weights that keep the size of the signal, and biases; upsampling stays bilinear."""
    generator = np.random.default_rng(seed)
    for name, value in model.named_tensors():
        if not name.startswith("upscore"):
            scale = math.sqrt(2 / math.prod(value.shape[1:])) if value.ndim == 4 else 0.1
            value.data[...] = scale * generator.standard_normal(value.shape)
    return model


def draw(shape, seed=2):
    return np.random.default_rng(seed).standard_normal(shape)


def make_reference(torch, stride, at_once=False, c=3, widths=TINY["widths"], fc_width=7):
    """The network, written out in PyTorch with the crops as numbers."""
    T = torch.nn.functional

    class Reference(torch.nn.Module):
        def __init__(self):
            super().__init__()
            into = 3
            for stage, depth in enumerate(DEPTHS, 1):
                for i in range(1, depth + 1):
                    pad = 100 if (stage, i) == (1, 1) else 1
                    out = widths[stage - 1]
                    setattr(self, f"conv{stage}_{i}", torch.nn.Conv2d(into, out, 3, padding=pad))
                    into = out
            self.fc6 = torch.nn.Conv2d(into, fc_width, 7)
            self.fc7 = torch.nn.Conv2d(fc_width, fc_width, 1)
            self.score_fr = torch.nn.Conv2d(fc_width, c, 1)
            if stride == 32:
                self.upscore = self.up(64, 32)
            else:
                self.score_pool4 = torch.nn.Conv2d(widths[3], c, 1)
                self.upscore2 = self.up(4, 2)
            if stride == 16:
                self.upscore16 = self.up(32, 16)
            if stride == 8:
                self.score_pool3 = torch.nn.Conv2d(widths[2], c, 1)
                self.upscore_pool4, self.upscore8 = self.up(4, 2), self.up(16, 8)

        def up(self, k, s):
            return torch.nn.ConvTranspose2d(c, c, k, s, bias=False)

        def forward(self, x):
            height, width = x.shape[2:]
            pools = {}
            for stage, depth in enumerate(DEPTHS, 1):
                for i in range(1, depth + 1):
                    x = T.relu(getattr(self, f"conv{stage}_{i}")(x))
                x = pools[stage] = T.max_pool2d(x, 2, 2, ceil_mode=True)
            x = self.score_fr(T.relu(self.fc7(T.relu(self.fc6(x)))))
            pool4 = pools[4] * 0.01 if at_once else pools[4]
            pool3 = pools[3] * 0.0001 if at_once else pools[3]
            if stride == 32:
                return self.upscore(x)[:, :, 19 : 19 + height, 19 : 19 + width]
            x = self.upscore2(x)
            h, w = x.shape[2:]
            x = x + self.score_pool4(pool4)[:, :, 5 : 5 + h, 5 : 5 + w]
            if stride == 16:
                return self.upscore16(x)[:, :, 27 : 27 + height, 27 : 27 + width]
            x = self.upscore_pool4(x)
            h, w = x.shape[2:]
            x = x + self.score_pool3(pool3)[:, :, 9 : 9 + h, 9 : 9 + w]
            return self.upscore8(x)[:, :, 31 : 31 + height, 31 : 31 + width]

    return Reference()
