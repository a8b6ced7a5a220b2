# %% [markdown]
# # 12. What do skips add?
#
# **Time:** 70 minutes; the code runs in 30 seconds. **Before:** 05, 06, 07, 09, 10.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips [12], and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05                        the whole job: 14
# ```
#
# You will build the network that this whole course is about, FCN-8s, by hand, and train it beside
# two networks that lack a part of it. Then you will take one pixel's score apart. And you will
# derive the numbers of the paper (Long, Shelhamer and Darrell, 2015) that readers ask about: why
# does its network pad by 100, and crop by 19?
#
# Scores of stride 32 say *what* is there, but only roughly *where*. The finer layers, from which
# they were computed, still know where. Why not ask both?

# %%
from fractions import Fraction

import numpy as np

from minifcn import functional as F
from minifcn import no_grad, optim, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, progress, show
from minifcn.data import Batches, InMemory, Shapes
from minifcn.data.shapes import Design
from minifcn.data.transforms import normalise
from minifcn.kernels.geometry import Window, crop_offset, receptive_field
from minifcn.metrics import ConfusionMatrix
from minifcn.models.fcn import FCN
from minifcn.models.vgg_fcn import crops
from minifcn.nn.init import bilinear_kernel
from minifcn.plots.offsets import fcn_layers, plot_offsets
from minifcn.plots.skips import plot_contributions, plot_strides

out = pictures("12")

# %% [markdown]
# ## The idea
#
# The **backbone** is the part of the network that turns the image into features. Ours has five
# stages. Each is a convolution and a 2x2 pooling, so the features after the stages have stride 2,
# 4, 8, 16 and 32. Those after the third and the fourth pooling are called pool3 and pool4. After
# the backbone come two more convolutions, fc6 and fc7. Their result is the **top**.
#
# A 1x1 convolution makes class scores of features, as in tutorial 06. Here we do that in three
# places: at pool3, at pool4, and at the top.

# %% [markdown]
# Read this from the upper left to the right, then back in the lower row, where 2x and 8x stand for
# upsampling by 2 and by 8:
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
# First the package's network, to take its weights and to compare. Its 1x1 convolutions are called
# `score_fr` (at the top; the name is the paper's code's), `score_pool4` and `score_pool3`. Their
# weights normally start at 0: every class is equally likely then. Here we draw random ones.

# %%
SIZES = {
    "widths": (8, 16, 32, 48, 48),  # channels of the five stages
    "depths": (1, 1, 1, 1, 1),  # convolutions in each of them
    "head_width": 64,  # channels of fc6 and of fc7
}
rng = np.random.default_rng(0)
packaged = FCN(3, stride=8, **SIZES, generator=rng)  # 3 classes
for layer in (packaged.score_fr, packaged.score_pool4, packaged.score_pool3):
    layer.weight.data[...] = rng.standard_normal(layer.weight.shape)
packaged.eval()  # it is not being trained: see below
weights = {name: tensor(array) for name, array in packaged.state_dict().items()}
for name in ("stage1.0.0.weight", "fc6.0.weight", "score_pool3.weight", "upscore.weight"):
    print(f"{name:20}{weights[name].shape}")

# %% [markdown]
# `weights` now holds all numbers of the network by name. A block, such as `stage1.0` or `fc6`, is a
# convolution (`.0`), batch normalization (`.1`) and relu. `upscore` is the last upsampling.
#
# **Batch normalization** brings each channel to mean 0 and variance 1, then multiplies it by one
# learned number and adds another. Networks with it usually learn faster (Ioffe and Szegedy, 2015);
# the paper's network, on VGG16 of 2014, has none. While a network is trained, mean and variance are
# those of the batch. Afterwards, running averages of them are used, which were collected in
# training: `running_mean` and `running_var`. `train()` and `eval()` switch between the two.
#
# ```
# y = (x - mean) / sqrt(variance + 0.00001) * weight + bias        for each channel
# ```
#
# (The `0.00001` is there because a variance may be 0.)


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
    """Bilinear upsampling of each channel by itself: between two channels the kernel is 0."""
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
    # within is a share of the largest score; float32 has about 7 digits.
    equal("FCN-8s by hand and models.fcn.FCN", by_hand, packaged(images), within=1e-5)

# %% [markdown]
# That is the whole network. Its skips are the two plus signs in `fuse`, and two 1x1 convolutions.
# (Our images have sizes that are multiples of 32. The package pads other images at the bottom and
# right, and crops the scores.)
#
# ## The task
#
# The scenes of tutorial 01, with larger shapes and with the three classes of tutorial 06, as our
# trainings have to be short: background, *filled* (discs and squares) and *stroke* (rings, crosses
# and lines). Colours tell nothing about the class.


# %%
class Scenes:
    """Shapes, its six classes put together to three."""

    classes = ("background", "filled", "stroke")
    palette = Shapes.palette[[0, 1, 3]]  # the colours of tutorial 06

    def __init__(self, split, length, seed=0):
        design = Design(objects=(2, 4), radius=(18, 28), stroke=(6, 9))
        self.shapes = Shapes(split, length, seed=seed, design=design)

    def __len__(self):
        return len(self.shapes)

    def __getitem__(self, i):
        image, mask = self.shapes[i]
        return image, np.array([0, 1, 1, 2, 2, 2], np.uint8)[mask]


held_out = InMemory(Scenes("val", 60))  # each is drawn once, and kept
truths = np.stack([held_out[i][1] for i in range(len(held_out))])
inputs = tensor(np.stack([normalise(held_out[i][0]) for i in range(len(held_out))]))
print("scenes to learn from: 1400; held out:", truths.shape)

# %% [markdown]
# ## Predict
#
# All three networks see the same 1400 scenes, half of them mirrored, in the same order, in 350
# steps of 4 scenes. The loss is the mean of the cross-entropies of all pixels (tutorial 05). The
# optimizer is Adam (tutorial 06). The score is the mean IU on 60 other scenes; all background gets
# 0.24. The strokes are 6 to 9 pixels wide, and a cell of stride 32 is 32 pixels wide.
#
# Write down: which order will the three have? Which class will FCN-32s miss?


# %%
def train(stride, seed=0, steps=350):
    """Train a network of one stride."""
    network = FCN(3, stride, **SIZES, generator=np.random.default_rng(seed))
    batches = Batches(InMemory(Scenes("train", 4 * steps, seed)), 4, flip=True, seed=seed)
    # All parameters but the bilinear kernels, which stay as they are.
    optimizer = optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.01)
    network.train()  # batch normalization uses the batch's own mean and variance
    for step in progress(steps, f"FCN-{stride}s"):
        batch, labels = batches.batch(step)  # four scenes and their masks
        # The learning rate rises for 20 steps, as Adam does not know the size of the gradients
        # yet. Then it falls to 0 along a cosine.
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
    matrix.update(truths, masks)
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
fcn32, fcn16, fcn8 = (matrix.mean_iu for matrix in results.values())
claim("each skip brings more than 0.04", fcn32 + 0.04 < fcn16 < fcn8 - 0.04)
claim("FCN-32s misses the strokes", results["FCN-32s"].iu[2] < 0.1)

shown = [5, 8, 27]
columns = {"truth": truths[shown], **{name: own[shown] for name, own in masks.items()}}
scenes = [held_out[i][0] for i in shown]
plot_strides(out / "strides.png", scenes, columns, Scenes.classes, Scenes.palette)
show(out / "strides.png")

# %% [markdown]
# About 0.4, 0.6 and 0.7: each skip adds much. FCN-32s draws blobs, and its IU of strokes is almost
# 0. With stride 16 the filled shapes get a form, and a cross is a blob. With stride 8 it gets arms.
#
# Be careful with these numbers. The trainings are short, and part of the gap may be that a network
# with skips *learns faster*: the way from the loss back to the first layers is shorter. But the
# oracle of tutorial 07 showed that a stride of 32 cannot get far, however well it is trained. In
# the paper each network was trained to the end and started from the one before. There the mean IU
# on photographs (PASCAL VOC) was `59.4` % for FCN-32s, `62.4` % for 16s and `62.7` % for 8s: the
# second skip added much less than the first.
#
# ## What adds up to one pixel's score
#
# After the 1x1 convolutions, everything is linear: bilinear upsampling and sums. So the score of
# a pixel is the sum of three **contributions**: of the top, of pool4 and of pool3. Each is what
# comes out when the scores of the other two are 0. The package's `score_terms` computes them.

# %%
weights = {name: tensor(a) for name, a in networks["FCN-8s"].state_dict().items()}
image, truth = held_out[8]  # the second row of the picture
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
of_class = [truth[at] for at in pixels.values()]
claim("the pixels lie on a stroke, on background and on a square", of_class == [2, 0, 1])
for where, at in pixels.items():
    print(f"{where}, pixel {at}")
    for c, name in enumerate(Scenes.classes):
        own = [term.numpy()[(0, c, *at)] for term in terms.values()]
        print(f"  {name:11} top {own[0]:+.2f}  pool4 {own[1]:+.2f}  pool3 {own[2]:+.2f}"
              f"  = {sum(own):+.2f}")  # fmt: skip
stroke = {name: term.numpy()[0, 2] for name, term in terms.items()}
plot_contributions(
    out / "contributions.png", image, truth == 2, stroke, pixels, "stroke", Scenes.palette[2]
)
show(out / "contributions.png")

# %% [markdown]
# The maps are of one class, stroke. Orange is added to its score, and purple is taken from it. A,
# on the cross, and B, beside it, are 12 pixels apart: less than one cell of pool4. So the top and
# pool4 add nearly the same to both. Only pool3 tells them apart: it knows *where*.
#
# Now look at C, in the square. pool3 adds to the score of stroke there, as if the whole square were
# a stroke. pool4 takes away more than that: it knows *what*. How can that be?

# %%
A, B, C = pixels.values()
fine, coarse = stroke["pool3"], stroke["top"] + stroke["pool4"]
apart = abs(coarse[A] - coarse[B])
claim("pool3 tells A and B apart, more than all else", fine[A] - fine[B] > 2 * apart)
claim("pool3 says stroke in the square", fine[C] > 0)
claim("pool4 says no stroke in the square", stroke["pool4"][C] < -1)

stage = [Window(3, padding=1), Window(2, 2)]
measured("pixels that a cell of pool3 sees", receptive_field(3 * stage).size, "22")
measured("pixels that a cell of pool4 sees", receptive_field(4 * stage).size, "46")

# %% [markdown]
# A cell of pool3 sees 22 x 22 pixels. The square is larger, so in its middle a cell of pool3 cannot
# see that it is one. A cell of pool4 sees 46 x 46 pixels, all of the square. In the sum, pool4 says
# what, and pool3 where. And the top, which sees most? After this short training it adds little.

# %% [markdown]
# ## Where is a cell?
#
# Two scores can be added only if they are about the same place. So we must know where in the image
# a cell lies. Take one axis. Output o of a convolution sees the inputs from `s * o - p` to
# `s * o - p + k - 1` (tutorial 02). The centre of this window is `x = s * o - p + (k - 1) / 2`.
# Solve for o: position x of the input is position o of the output. In a transposed convolution,
# input and output change places:
#
# ```
# convolution, pooling:      o = (x + p - (k - 1) / 2) / s
# transposed convolution:    o = s * x - p + (k - 1) / 2
# ```
#
# o need not be a whole number: it may lie between two cells. `Fraction` computes without rounding.
# We follow a pixel through FCN-32s, layer by layer; a 1x1 convolution changes no position.


# %%
def conv(x, k, s=1, p=0):
    return (x + p - Fraction(k - 1, 2)) / s


def deconv(x, k, s, p=0):
    return s * x - p + Fraction(k - 1, 2)


def ours(x):
    """Where pixel x of the image is in the output of our FCN-32s."""
    for _ in range(5):
        x = conv(conv(x, k=3, p=1), k=2, s=2)
    x = conv(x, k=3, p=1)  # fc6
    return deconv(x, k=64, s=32, p=16)


print("pixel 0 -> ", ours(Fraction(0)), "  pixel 37 -> ", ours(Fraction(37)))
claim("ours is aligned", ours(Fraction(0)) == 0 and ours(Fraction(37)) == 37)

# %% [markdown]
# Pixel 0 of the image is pixel 0 of the output, and pixel 37 is pixel 37. Our network is *aligned*:
# each convolution pads by (k - 1) / 2, and each upsampling by f / 2. Nothing has to be cropped.
#
# ## Why crop by 19?
#
# The paper's network is another one. Its first convolution pads by 100, fc6 has k = 7 and no
# padding, and the upsampling has no padding. The other convolutions of its backbone (VGG16) are 3x3
# with p = 1, which change no position. Its five poolings are like ours. Step by step:

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
# is the **crop offset**. In one line, where the five poolings are like one window with k = s = 32:
#
# ```
# 32 * ((0 + 99 - 31/2) / 32 - 3) + 63/2 = 99 - 15.5 - 96 + 31.5 = 19
#            99: 100 - (3 - 1) / 2      31/2: (32 - 1) / 2, the poolings
#             3: (7 - 1) / 2, fc6       63/2: (64 - 1) / 2, the upsampling
# ```
#
# With skips, two more pairs must be aligned before they are added: the upsampled scores with those
# of pool4, and then with those of pool3. Pixel 0 has a higher position in the finer map than in the
# upsampled one. So the finer map has more cells before it, and as many as the difference are cut
# off.

# %%
in_sum4 = deconv(top, k=4, s=2)  # upsampled by 2; pool4 is cropped to it, and added
print(f"pixel 0: in pool4 at {float(paper['pool4'])}, in the upsampled scores at {float(in_sum4)}")
measured("crop of pool4", float(paper["pool4"] - in_sum4), "5")
measured("crop of the output, FCN-16s", float(deconv(in_sum4, k=32, s=16)), "27")
in_sum3 = deconv(in_sum4, k=4, s=2)
measured("crop of pool3", float(paper["pool3"] - in_sum3), "9")
measured("crop of the output, FCN-8s", float(deconv(in_sum3, k=16, s=8)), "31")

# %% [markdown]
# The package does the same with lists of layers. `crop_offset(layers)` aligns their output with the
# image, and `crop_offset(finer, coarser)` aligns the outputs of two lists. `crops` has the numbers
# of the paper's networks.

# %%
backbone = [Window(3, padding=100), *[Window(2, 2)] * 5]
layers = [*backbone, Window(7), Window(64, 32, transposed=True)]
doubled = [*backbone, Window(7), Window(4, 2, transposed=True)]
equal("crop of the output", crop_offset(layers), float(crop32), within=0)
by_hand = float(paper["pool4"] - in_sum4)
equal("crop of pool4", crop_offset(backbone[:5], doubled), by_hand, within=0)  # after 4 poolings
print("the package:", *(crops(stride) for stride in (32, 16, 8)))
claim("16s: 5 and 27", crops(16) == {"score_pool4": 5, "scores": 27})
claim("8s: 5, 9 and 31", crops(8) == {"score_pool4": 5, "score_pool3": 9, "scores": 31})

# %% [markdown]
# 5 and 27 for FCN-16s; 5, 9 and 31 for FCN-8s. In published code these numbers stand without an
# explanation. Now you can compute them, for any padding.
#
# The same on a ruler, with the names of the paper's code. `score_fr` are the scores of the top, and
# `upscore2` the same, upsampled by 2. `upscore_pool4` is the first sum, upsampled by 2, and
# `upscore8` the second sum, upsampled by 8. Pixel 0 is at `5.71875` in pool4, whose cells are 16
# pixels apart. So cell 0 of pool4 lies at pixel `-5.71875 * 16 = -91.5`, far outside the image, in
# the border of zeros.

# %%
plot_offsets(out / "ruler.png", *fcn_layers(8))
show(out / "ruler.png")

# %% [markdown]
# ## Measure the 19
#
# A formula should be tested. Take a line of pixels whose *values are their positions*: 0, 1, 2, ...
# Replace each convolution and pooling of FCN-32s by the average over its window. The average of
# positions is the centre of the window, so each cell tells where in the image it is. Bilinear
# upsampling draws straight lines between these positions. So output o should show o - 19.


# %%
def average(x, k, s=1, p=0):
    kernel = tensor(np.full((1, 1, 1, k), 1 / k))
    return F.conv2d(x, kernel, stride=(1, s), padding=(0, p))


def upsample_line(x, factor):
    kernel = 1 - np.abs(np.arange(2 * factor) - (2 * factor - 1) / 2) / factor  # tutorial 10
    return F.conv_transpose2d(x, tensor(kernel[None, None, None]), stride=(1, factor))


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
# fewer than 7 cells after the fifth pooling would have no scores at all. So the image gets a wide
# border of zeros first. How wide must it be? In the formula above, 99 is the padding P less 1, so
# the crop is P - 81. We test three conditions, for all sizes from 1 to 600: fc6 has its 7 cells,
# the crop is not negative, and the cropped output reaches the last pixel.


# %%
def fits(size, padding):
    """Whether FCN-32s scores all pixels of an image of this size."""
    cells = size + 2 * padding - 2  # after the first convolution
    for _ in range(5):
        cells = (cells + 1) // 2  # in the paper's code, a pooling rounds up
    output = 32 * (cells - 6 - 1) + 64  # fc6 takes 6 cells; then upsampling
    crop = padding - 81
    return cells >= 7 and crop >= 0 and output >= crop + size


works = [p for p in range(1, 201) if all(fits(size, p) for size in range(1, 601))]
measured("smallest padding that works for every size", works[0], "97")
claim("every larger one works, too", works == list(range(works[0], 201)))
measured("area with padding 100, for 500 x 500 pixels", (500 + 198) ** 2 / 500**2, "1.95")
measured("area with padding 100, for 64 x 64 pixels", (64 + 198) ** 2 / 64**2, "16.8")

# %% [markdown]
# Every padding from 97 on works; 100 is a round number. The price is work on zeros: the first
# convolution's output has 1.95 times the pixels of a 500 x 500 image, and 16.8 times those of a
# 64 x 64 image. An aligned network, where fc6 with its k = 7 has padding 3 and upsampling has
# p = f / 2, does not pay this price. That is why `FCN` is built so.
#
# ## Change one thing: a wrong crop
#
# A wrong crop raises no error: the output has the right size and looks right. It is shifted. We
# shift the masks of the trained FCN-8s by 1, 2, 4 and 8 pixels, down and to the right. Predict: how
# many pixels cost as much mean IU as the second skip brings?

# %%
by_shift = {}
for d in (0, 1, 2, 4, 8):
    matrix = ConfusionMatrix(3)
    matrix.update(truths[:, d:, d:], masks["FCN-8s"][:, : 96 - d, : 96 - d])
    by_shift[d] = matrix.mean_iu
    print(f"{d} pixels wrong: mean IU {matrix.mean_iu:.3f}, strokes {matrix.iu[2]:.3f}")
ordered = list(by_shift.values())
claim("a larger shift costs more", ordered[1:] == sorted(ordered[1:], reverse=True))
measured("mean IU lost by 4 pixels", by_shift[0] - by_shift[4], "0.12", within=0.05)
gain = results["FCN-8s"].mean_iu - results["FCN-16s"].mean_iu  # what the second skip brings
nearest = min(by_shift, key=lambda d: abs(by_shift[0] - by_shift[d] - gain))
claim("4 pixels cost about as much as the second skip brings", nearest == 4)

# %% [markdown]
# 4 pixels cost about 0.12: about as much as the second skip brings. So test the alignment whenever
# you build such a network, with positions as above.

# %% [markdown]
# ## Exercises
#
# 1. Somebody changes the padding of the paper's FCN-8s from 100 to 110. Which of the crops 5, 9
#    and 31 change, and to what? `crop_offset` tells whether you are right.
# 2. Predict the 60 scenes from some of the three contributions of FCN-8s: the top alone, pool3
#    alone, top + pool3. `networks["FCN-8s"].score_terms(inputs)` has them, by name. Say first which
#    is best. Then compute the mean IU of each with `confusion`. All three together must give the
#    mean IU of FCN-8s above.
# 3. Build FCN-16s by hand from `path_scores` and `upsample`, with the weights of
#    `networks["FCN-16s"]`. It has no score_pool3, which `path_scores` asks for: put zeros there.
#    You are right if your scores are `equal` to those of the package, to `1e-4`.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# ## Next
#
# You know every part now. The last tutorial does with them what one does in practice: train, stop
# and go on, evaluate, and use networks that others have trained.
