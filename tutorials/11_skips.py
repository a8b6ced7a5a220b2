# %% [markdown]
# # 11. What do skips add?
#
# **Time:** 70 minutes; the code runs in 25 seconds. **Before:** 05, 06, 07, 09, 10.
#
# You will build the network that this whole course is about, FCN-8s, by hand, and train it beside
# two networks that have less of it. Then you will take one pixel's score apart, and derive the
# numbers that every reader of the paper asks about: why pad by 100, why crop by 19?
#
# A score map of stride 32 knows *what* is there, but only roughly *where*. The finer layers, from
# which it was computed, still know where. Why not ask both?

# %%
from fractions import Fraction

import numpy as np

from minifcn import functional as F
from minifcn import no_grad, optim, tensor
from minifcn.data import Batches, InMemory, Shapes
from minifcn.data.shapes import Design
from minifcn.data.transforms import normalise
from minifcn.kernels.geometry import Window, crop_offset, pool_output_size, receptive_field
from minifcn.lesson import equal, measured, pictures, show
from minifcn.metrics import ConfusionMatrix
from minifcn.models.fcn import FCN
from minifcn.models.vgg_fcn import crops
from minifcn.nn.init import bilinear_kernel
from minifcn.plots.offsets import fcn_layers, plot_offsets
from minifcn.plots.skips import plot_contributions, plot_strides

out = pictures("11")

# %% [markdown]
# ## The idea
#
# The **backbone** is the part of the network that turns the image into features. Ours has five
# stages of a convolution and a 2x2 pooling, so it has features of stride 2, 4, 8, 16 and 32. The
# features after the third and the fourth pooling are called pool3 and pool4. A 1x1 convolution
# makes class scores of features, as in tutorial 06. Here we do that in three places: at pool3, at
# pool4, and at the **top**, which is what comes after all stages and two more convolutions, fc6 and
# fc7.

# %% [markdown]
# Read this from the upper left to the right, then back in the lower row:
#
# ```
# image -> stages 1-3 -> pool3 -> stage 4 -> pool4 -> stage 5 -> fc6, fc7
#                          |                   |                     |
#                         1x1                 1x1                   1x1
#                          |                   |                     |
# scores:    8x <--------- + <------- 2x <---- + <------- 2x <------ +
#             |        stride 8            stride 16             stride 32
#       stride 1: the pixels
# ```
#
# A **skip connection**, or skip, is a way past some layers: here from pool4 and pool3 to the
# scores. Coarse scores are upsampled by 2 and *added* to the finer ones (the plus signs).

# %% [markdown]
# Three networks differ in how many skips they have:
#
# - **FCN-32s** has no skip. It upsamples the scores of the top by 32.
# - **FCN-16s** adds the scores of pool4, then upsamples by 16.
# - **FCN-8s** adds the scores of pool4 and of pool3, then upsamples by 8.
#
# All upsampling is bilinear: a transposed convolution with k = 2f, s = f and p = f / 2 for the
# factor f. Tutorial 10 showed that it makes no checkerboard.
#
# ## FCN-8s by hand
#
# First the package's network, with random scores, so that there is something to compare. (It
# normally starts with score weights of 0: every class is equally likely then.)

# %%
SIZES = {"widths": (8, 16, 32, 48, 48), "depths": (1, 1, 1, 1, 1), "head_width": 64}
rng = np.random.default_rng(0)
packaged = FCN(3, stride=8, **SIZES, generator=rng)
for layer in (packaged.score_fr, packaged.score_pool4, packaged.score_pool3):
    layer.weight.data[...] = rng.standard_normal(layer.weight.shape)
packaged.eval()
weights = {name: tensor(array) for name, array in packaged.state_dict().items()}
for name in ("stage1.0.0.weight", "fc6.0.weight", "score_pool3.weight", "upscore.weight"):
    print(f"{name:20}{weights[name].shape}")

# %% [markdown]
# A stage of the backbone is a convolution, batch normalization, relu and max pooling. **Batch
# normalization** brings each channel to mean 0 and variance 1, and then multiplies it with one
# learned number and adds another. Training is much faster with it. In training, mean and variance
# are those of the batch; afterwards, averages that were collected in training are used.
#
# ```
# y = (x - mean) / sqrt(variance + 0.00001) * weight + bias        for each channel
# ```


# %%
def block(x, weights, name, padding):
    """Convolution, batch normalization, relu."""
    x = F.conv2d(x, weights[f"{name}.0.weight"], padding=padding)
    mean, variance, weight, bias = (
        weights[f"{name}.1.{part}"].reshape((1, -1, 1, 1))
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return F.relu((x - mean) / (variance + 1e-5) ** 0.5 * weight + bias)


# %%
def score(x, weights, name):
    """A class score for each cell, from its features: a 1x1 convolution."""
    return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def upsample(x, factor):
    """Bilinear upsampling of each channel by itself."""
    kernel = np.zeros((x.shape[1], x.shape[1], 2 * factor, 2 * factor), np.float32)
    for c in range(x.shape[1]):
        kernel[c, c] = bilinear_kernel(2 * factor)
    return F.conv_transpose2d(x, tensor(kernel), stride=factor, padding=factor // 2)


# %%
def path_scores(image, weights):
    """The scores of the top (stride 32), of pool4 (stride 16) and of pool3 (stride 8)."""
    x, pools = image, {}
    for stage in range(1, 6):
        x = F.max_pool2d(block(x, weights, f"stage{stage}.0", padding=1), 2)
        pools[stage] = x
    fc6 = block(x, weights, "fc6", padding=1)
    fc7 = block(fc6, weights, "fc7", padding=0)
    return (
        score(fc7, weights, "score_fr"),
        score(pools[4], weights, "score_pool4"),
        score(pools[3], weights, "score_pool3"),
    )


# %%
def fuse(top, pool4, pool3):
    """Add coarse scores to finer ones, down to the pixels."""
    stride16 = upsample(top, 2) + pool4
    stride8 = upsample(stride16, 2) + pool3
    return upsample(stride8, 8)


images = tensor(rng.standard_normal((2, 3, 64, 96)).astype(np.float32))
with no_grad():  # no graph is kept: there will be no backward
    for name, scores in zip(("top", "pool4", "pool3"), path_scores(images, weights), strict=True):
        print(f"{name:6}{scores.shape}")
    by_hand = fuse(*path_scores(images, weights))
    equal("FCN-8s by hand and models.fcn.FCN", by_hand, packaged(images), within=1e-5)

# %% [markdown]
# That is the whole network. Its skips are the two plus signs in `fuse`, and two 1x1 convolutions.
# (Our images have sizes that are multiples of 32. The package pads other images at the bottom and
# right, and crops the scores.)
#
# ## The task
#
# The scenes of tutorial 01, with larger shapes and three classes, as our trainings have to be
# short: background, *filled* (discs and squares) and *stroke* (rings, crosses and lines). Colours
# tell nothing about the class.


# %%
class Scenes:
    """Shapes, its six classes put together to three."""

    classes, palette = ("background", "filled", "stroke"), Shapes.palette[:3]

    def __init__(self, split, length, seed=0):
        design = Design(objects=(2, 4), radius=(18, 28), stroke=(6, 9))
        self.shapes, self.name = Shapes(split, length, seed=seed, design=design), str

    def __len__(self):
        return len(self.shapes)

    def __getitem__(self, i):
        image, mask = self.shapes[i]
        return image, np.array([0, 1, 1, 2, 2, 2], np.uint8)[mask]


held_out = InMemory(Scenes("val", 60))
truths = np.stack([held_out[i][1] for i in range(60)])
inputs = tensor(np.stack([normalise(held_out[i][0]) for i in range(60)]))
print("scenes to learn from: 1400; held out:", truths.shape)

# %% [markdown]
# ## Predict
#
# All three networks see the same 1400 scenes, half of them mirrored, in the same order, in 350
# steps of 4. The score is the mean IU on 60 other scenes; all background gets 0.24. The strokes
# are 6 to 9 pixels wide, and a cell of stride 32 is 32 pixels wide.
#
# Write down: which order will the three have? Which class will FCN-32s miss?


# %%
def train(stride, seed=0, steps=350):
    """Train a network of one stride, as in tutorial 05: cross-entropy, and Adam."""
    network = FCN(3, stride, **SIZES, generator=np.random.default_rng(seed))
    batches = Batches(InMemory(Scenes("train", 4 * steps, seed)), 4, flip=True, seed=seed)
    optimizer = optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.01)
    network.train()  # batch normalization uses the batch's own mean and variance
    for step in range(steps):
        batch, labels = batches.batch(step)
        # The learning rate rises for 20 steps, and then falls to 0 along a cosine.
        optimizer.lr = 0.01 * optim.cosine(step, steps, warmup=20)
        optimizer.zero_grad()
        F.cross_entropy(network(tensor(batch)), tensor(labels)).backward()
        optimizer.step()
    network.eval()
    return network


networks = {f"FCN-{stride}s": train(stride) for stride in (32, 16, 8)}


# %%
def confusion(masks):
    matrix = ConfusionMatrix(3)
    matrix.update(truths[..., : masks.shape[1], : masks.shape[2]], masks)
    return matrix


with no_grad():
    masks = {name: net(inputs).numpy().argmax(1) for name, net in networks.items()}
nothing = confusion(np.zeros_like(truths))
measured("mean IU of all background", nothing.mean_iu, "0.24")
results = {name: confusion(own) for name, own in masks.items()}
for name, matrix in results.items():
    ious = ", ".join(f"{c} {iu:.2f}" for c, iu in zip(Scenes.classes, matrix.iu, strict=True))
    print(f"{name:8} mean IU {matrix.mean_iu:.2f}  ({ious})")

# %%
measured("mean IU of FCN-32s", results["FCN-32s"].mean_iu, "0.4", within=0.12)
measured("mean IU of FCN-16s", results["FCN-16s"].mean_iu, "0.6", within=0.1)
measured("mean IU of FCN-8s", results["FCN-8s"].mean_iu, "0.7", within=0.08)
assert results["FCN-32s"].mean_iu + 0.04 < results["FCN-16s"].mean_iu
assert results["FCN-16s"].mean_iu + 0.04 < results["FCN-8s"].mean_iu
assert results["FCN-32s"].iu[2] < 0.1  # strokes

shown = [5, 8, 27]
columns = {"truth": truths[shown], **{name: own[shown] for name, own in masks.items()}}
scenes = [held_out[i][0] for i in shown]
plot_strides(out / "strides.png", scenes, columns, Scenes.classes, Scenes.palette)
show(out / "strides.png")

# %% [markdown]
# About 0.4, 0.6 and 0.7: each skip adds much. FCN-32s draws blobs, and its IU of strokes is next
# to 0. With stride 16 the large objects have a form; with stride 8 the strokes appear.
#
# Be careful with these numbers. The trainings are short, and part of the gap is that a network with
# skips *learns faster*: the way from its weights to the loss is shorter. Trained for longer, all
# three are better. But the oracle of tutorial 07 told that a stride of 32 cannot get far, however
# well it is trained. In the paper (PASCAL VOC, full training) each network starts from
# the one before, and the second skip adds much less than the first.
#
# ## What adds up to one pixel's score
#
# After the 1x1 convolutions, everything is linear: bilinear upsampling and sums. So the score of
# a pixel is the sum of three **contributions**, one for each path. Each is what comes out when the
# scores of the other two are 0.

# %%
weights = {name: tensor(a) for name, a in networks["FCN-8s"].state_dict().items()}
image, truth = held_out[8]
x = tensor(normalise(image)[None])
with no_grad():
    top, pool4, pool3 = path_scores(x, weights)
    terms = {"top": fuse(top, 0 * pool4, 0 * pool3), "pool4": fuse(0 * top, pool4, 0 * pool3),
             "pool3": fuse(0 * top, 0 * pool4, pool3)}  # fmt: skip
    for name, term in networks["FCN-8s"].score_terms(x).items():
        equal(f"contribution of {name}", terms[name], term, within=1e-4)
    total = terms["top"].numpy() + terms["pool4"].numpy() + terms["pool3"].numpy()
    equal("sum of the contributions and the score", total, networks["FCN-8s"](x), within=1e-4)

# %%
row, column = (int(n.mean()) for n in np.nonzero(truth == 2))  # the middle of the cross
square = tuple(int(n.mean()) for n in np.nonzero(truth == 1))
pixels = {"cross": (row, column), "beside it": (row, column - 12), "square": square}
assert [truth[at] for at in pixels.values()] == [2, 0, 1]
for where, at in pixels.items():
    print(f"{where}, pixel {at}")
    for c, name in enumerate(Scenes.classes):
        own = [term.numpy()[(0, c, *at)] for term in terms.values()]
        print(f"  {name:11} top {own[0]:+.2f}  pool4 {own[1]:+.2f}  pool3 {own[2]:+.2f}"
              f"  = {sum(own):+.2f}")  # fmt: skip
stroke = {name: term.numpy()[0, 2] for name, term in terms.items()}
plot_contributions(out / "contributions.png", image, truth == 2, stroke, pixels, "stroke")
show(out / "contributions.png")

# %% [markdown]
# Pixels A, on the cross, and B, beside it, are 12 pixels apart: less than one cell of pool4. So the
# top and pool4 say nearly the same at both. Only pool3 tells them apart: it knows *where*.
#
# Now look at C, in the square. pool3 adds to the score of stroke there, as if the whole square were
# a stroke. pool4 takes it back: it knows *what*. How can that be?

# %%
A, B, C = pixels.values()
fine, coarse = stroke["pool3"], stroke["top"] + stroke["pool4"]
assert fine[A] - fine[B] > 2 * abs(coarse[A] - coarse[B])
assert fine[C] > 0
assert stroke["pool4"][C] < -1

stage = [Window(3, padding=1), Window(2, 2)]
measured("pixels that a cell of pool3 sees", receptive_field(3 * stage).size, "22")
measured("pixels that a cell of pool4 sees", receptive_field(4 * stage).size, "46")

# %% [markdown]
# A cell of pool3 sees 22 x 22 pixels. The square is larger, so pool3 cannot see that it is one. A
# cell of pool4 sees 46 x 46 pixels, all of the square. In the sum, pool4 says what, and pool3
# where. And the top, which sees most? After so short a training it adds little.

# %% [markdown]
# ## Where is a cell?
#
# Scores can be added only where they are about the same place. So we must know where in the image
# a cell lies. Follow the centre of a window: output o of a convolution sees the inputs from
# `s o - p` to `s o - p + k - 1`, so its centre is at `x = s o - p + (k - 1) / 2`. Turn that around,
# and for a transposed convolution exchange input and output:
#
# ```
# convolution, pooling:      x -> (x + p - (k - 1) / 2) / s
# transposed convolution:    x -> s x + (k - 1) / 2 - p
# ```


# %%
def conv(x, k, s=1, p=0):
    return (x + p - Fraction(k - 1, 2)) / s


def deconv(x, k, s, p=0):
    return s * x + Fraction(k - 1, 2) - p


def ours(x):
    """Where pixel x of the image is in the output of our FCN-32s."""
    for _ in range(5):
        x = conv(conv(x, k=3, p=1), k=2, s=2)
    x = conv(x, k=3, p=1)  # fc6
    return deconv(x, k=64, s=32, p=16)


print("pixel 0 -> ", ours(Fraction(0)), "  pixel 37 -> ", ours(Fraction(37)))
assert ours(Fraction(0)) == 0
assert ours(Fraction(37)) == 37

# %% [markdown]
# Pixel 0 comes back as pixel 0. Our network is aligned: each convolution pads by (k - 1) / 2, and
# each upsampling by f / 2. This is the clean way, and nothing has to be cropped.
#
# ## Why crop by 19?
#
# The paper's network is another. Its first convolution pads by 100, fc6 has k = 7 and no padding,
# and the upsampling has no padding. Its backbone (VGG16) has 3x3 convolutions with p = 1, which
# move nothing, and five poolings. Step by step:

# %%
x = conv(Fraction(0), k=3, p=100)
print("after the first convolution, pixel 0 is at", x)
paper = {}
for n in range(1, 6):
    x = paper[f"pool{n}"] = conv(x, k=2, s=2)
    print(f"pool{n}: {x} = {float(x)}")
top = conv(x, k=7)
print(f"fc6: {top} = {float(top)}")
crop32 = deconv(top, k=64, s=32)
measured("pixel 0 in the output of FCN-32s", float(crop32), "19")

# %% [markdown]
# Pixel 0 of the image is pixel 19 of the output: so the first 19 rows and columns are cut off. 19
# is the **crop offset**. In one line:
#
# ```
# 32 * ((0 + 99 - 31/2) / 32 - 3) + 63/2 = 99 - 15.5 - 96 + 31.5 = 19
# ```
#
# With skips, two more things must lie on each other: the upsampled scores and those of pool4, then
# of pool3. The finer map has more cells at the start, so it is cropped.

# %%
up4 = deconv(top, k=4, s=2)
measured("crop of pool4", float(paper["pool4"] - up4), "5")
measured("crop of the output, FCN-16s", float(deconv(up4, k=32, s=16)), "27")
up3 = deconv(up4, k=4, s=2)
measured("crop of pool3", float(paper["pool3"] - up3), "9")
measured("crop of the output, FCN-8s", float(deconv(up3, k=16, s=8)), "31")

pool = [Window(3, padding=100), *[Window(2, 2)] * 5]
scores = [*pool, Window(7), Window(64, 32, transposed=True)]
assert crop_offset(scores) == crop32 == 19
print("the package:", *(crops(stride) for stride in (32, 16, 8)))
assert crops(8) == {"score_pool4": 5, "score_pool3": 9, "scores": 31}
assert crops(16) == {"score_pool4": 5, "scores": 27}

# %% [markdown]
# 5 and 27 for FCN-16s; 5, 9 and 31 for FCN-8s. In published code these numbers stand without a
# reason, and people who change a padding do not know what to do with them. Now you can compute
# them.
#
# The same on a ruler. `score_fr` are the scores of the top, `upscore2` is them upsampled by 2, and
# `upscore_pool4` the first sum, upsampled by 2. Cell 0 of pool4 lies at pixel
# `-5.71875 * 16 = -91.5`, far outside the image, in the border of zeros.

# %%
plot_offsets(out / "ruler.png", *fcn_layers(8))
show(out / "ruler.png")

# %% [markdown]
# ## Measure the 19
#
# A formula should be tested. Take a line of pixels whose *values are their positions*: 0, 1, 2, ...
# Replace each layer by the average over its window. The average of positions is the centre of the
# window, so each cell tells where it is. Upsampled, output o should show o - 19.


# %%
def average(x, k, s=1, p=0):
    kernel = tensor(np.full((1, 1, 1, k), 1 / k))
    return F.conv2d(x, kernel, stride=(1, s), padding=(0, p))


def upsample_line(x, factor):
    tent = 1 - np.abs(np.arange(2 * factor) - (2 * factor - 1) / 2) / factor
    return F.conv_transpose2d(x, tensor(tent[None, None, None]), stride=(1, factor))


x = average(tensor(np.arange(2000.0)[None, None, None]), k=3, p=100)
for _ in range(5):
    x = average(x, k=2, s=2)
line = upsample_line(average(x, k=7), 32).numpy()[0, 0, 0]
outputs = np.arange(500, 1500)  # far from the padding, whose zeros are no positions
equal("o - 19 and what output o shows", outputs - 19.0, line[outputs])

# %% [markdown]
# ## Why pad by 100?
#
# fc6 has a 7x7 window and no padding: it takes 3 cells of 32 pixels, so 96 pixels, from each side.
# Without more padding, the scores would cover only the middle of the image, and an image with
# fewer than 7 cells in pool5 would have no scores at all. So the image gets a wide border of
# zeros first. How wide must it be? Test it for all sizes from 1 to 600: fc6 needs 7 cells, and the
# cropped output must reach the last pixel. The crop is P - 81 for padding P, by the formula above.


# %%
def fits(size, padding):
    """Whether FCN-32s scores all pixels of an image of this size."""
    cells = size + 2 * padding - 2
    for _ in range(5):
        cells = pool_output_size(cells, 2, 2, 0, 1, ceil_mode=True)
    reach = 32 * (cells - 6 - 1) + 64
    return cells >= 7 and padding >= 81 and reach >= (padding - 81) + size


smallest = min(p for p in range(1, 101) if all(fits(size, p) for size in range(1, 601)))
measured("smallest padding that works for every size", smallest, "97")
measured("area with padding 100, for 500 x 500 pixels", (500 + 198) ** 2 / 500**2, "1.95")
measured("area with padding 100, for 64 x 64 pixels", (64 + 198) ** 2 / 64**2, "16.8")

# %% [markdown]
# Every padding from 97 on works; 100 is a round number. The price is work on zeros: the first
# convolution's output has 1.95 times the pixels of a 500 x 500 image, and 16.8 times those of a
# 64 x 64 image. The clean way, fc6 with padding 3 (for its k = 7) and upsampling with p = f / 2,
# has no such price; that is why `FCN` is built so.
#
# ## Change one thing: a wrong crop
#
# A wrong crop raises no error: the output has the right size and looks right. It is shifted. How
# much do 1, 2, 4 and 8 pixels cost? We shift the masks of the trained FCN-8s down and to the right.

# %%
by_shift = {}
for d in (0, 1, 2, 4, 8):
    matrix = ConfusionMatrix(3)
    masks8 = masks["FCN-8s"]
    matrix.update(truths[:, d:, d:], masks8[:, : 96 - d, : 96 - d])
    by_shift[d] = matrix.mean_iu
    print(f"{d} pixels wrong: mean IU {matrix.mean_iu:.3f}, strokes {matrix.iu[2]:.3f}")
ordered = list(by_shift.values())
assert ordered[1:] == sorted(ordered[1:], reverse=True)
measured("mean IU lost by 4 pixels", by_shift[0] - by_shift[4], "0.12", within=0.05)

# %% [markdown]
# 4 pixels cost about 0.12: as much as the second skip brings. So test the alignment whenever you
# build such a network, with positions as above.

# %% [markdown]
# ## Exercises
#
# 1. Somebody changes the padding of the paper's FCN-8s from 100 to 110. Which of the crops 5, 9
#    and 31 change, and to what? `crop_offset` tells whether you are right; so does the line of
#    positions.
# 2. Predict the 60 scenes from some of the three contributions of FCN-8s (`score_terms`): the top
#    alone, pool3 alone, top + pool3. Which mean IU does `confusion` give? All three together must
#    give the mean IU of FCN-8s above.
# 3. Build FCN-16s by hand from `path_scores` and `upsample`, with the weights of
#    `networks["FCN-16s"]`. It has no score_pool3. You are right if it is `equal` to the package.
#
# ## Next
#
# You have every part in your hands. The last tutorial puts them to work as one does in earnest:
# train, stop and go on, evaluate, and use networks that others have trained.

# %% tags=["answers"]
# 1. 5 and 9 compare two maps that the padding moves alike: they stay. The output's crop grows by
#    10, to 41, as every pixel of padding at the start is one pixel at stride 1 in the end.
backbone = [Window(3, padding=110)]
pool3_ = [*backbone, *[Window(2, 2)] * 3]
pool4_ = [*pool3_, Window(2, 2)]
up4_ = [*pool4_, Window(2, 2), Window(7), Window(4, 2, transposed=True)]
up3_ = [*up4_, Window(4, 2, transposed=True)]
assert crop_offset(pool4_, up4_) == 5
assert crop_offset(pool3_, up3_) == 9
assert crop_offset([*up3_, Window(16, 8, transposed=True)]) == 41

# 2. Trained together, the paths rely on each other: no part is as good as the sum.
with no_grad():
    parts = {name: t.numpy() for name, t in networks["FCN-8s"].score_terms(inputs).items()}
for chosen in (["top"], ["pool3"], ["top", "pool3"], ["top", "pool4", "pool3"]):
    iu = confusion(sum(parts[name] for name in chosen).argmax(1)).mean_iu
    print(f"{' + '.join(chosen):22} mean IU {iu:.2f}")
    assert len(chosen) == 3 or iu < results["FCN-8s"].mean_iu
assert abs(iu - results["FCN-8s"].mean_iu) < 1e-3  # the last one: all three

# 3. One plus sign less, and upsampling by 16 at the end.
weights = {name: tensor(a) for name, a in networks["FCN-16s"].state_dict().items()}
weights["score_pool3.weight"] = tensor(np.zeros((3, 32, 1, 1), np.float32))  # never used
weights["score_pool3.bias"] = tensor(np.zeros(3, np.float32))
with no_grad():
    top, pool4, _ = path_scores(inputs, weights)
    fcn16 = upsample(upsample(top, 2) + pool4, 16)
    equal("FCN-16s by hand", fcn16, networks["FCN-16s"](inputs), within=1e-4)
