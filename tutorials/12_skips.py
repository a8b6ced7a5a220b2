# %% [markdown]
# # 12. What do skips add?
#
# **Time:** 45 minutes; the code runs in 30 seconds. **Before:** 05, 06, 07, 09, 10.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips [12], and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# FCN stands for fully convolutional network. In the paper of Long, Shelhamer and Darrell (2015), a
# network of stride 32 reached a mean IU of `59.4` % on photographs (validation images of PASCAL VOC
# 2011). One skip brought it to `62.4` %, a second to `62.7` %: first +3.0 points, then +0.3.
#
# You will build the network with two skips, FCN-8s, by hand. You will train it beside networks that
# lack a part of it, and measure what is lost each time: *what* is there, or *where* it is.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import no_grad, optim, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, progress, show
from minifcn.data import Batches, InMemory, Shapes
from minifcn.data.shapes import Design
from minifcn.data.transforms import normalise
from minifcn.experiments.skips.oracle import oracle
from minifcn.kernels.geometry import Window, receptive_field
from minifcn.metrics import ConfusionMatrix
from minifcn.models.backbone import VGG
from minifcn.models.fcn import FCN
from minifcn.nn.init import bilinear_kernel
from minifcn.plots.skips import plot_contributions, plot_strides

out = pictures("12")
PAPER = {"FCN-32s": 59.4, "FCN-16s": 62.4, "FCN-8s": 62.7}  # mean IU on PASCAL VOC 2011, in %
measured("points of the first skip", PAPER["FCN-16s"] - PAPER["FCN-32s"], "+3.0")
measured("points of the second skip", PAPER["FCN-8s"] - PAPER["FCN-16s"], "+0.3")

# %% [markdown]
# ## The idea
#
# The **backbone** is the part of the network that turns the image into features. Ours has five
# stages. Each is a convolution and a 2x2 pooling, and the features after them have stride 2, 4, 8,
# 16 and 32. Those after the third and the fourth stage are called pool3 and pool4. After the
# backbone come two more convolutions, fc6 and fc7. Their result is the **top**.

# %%
stage = [Window(3, padding=1), Window(2, 2)]
fields = {
    "pool3": receptive_field(3 * stage),
    "pool4": receptive_field(4 * stage),
    "top": receptive_field([*(5 * stage), Window(3, padding=1)]),  # fc7 is 1x1, and adds nothing
}
for name, field in fields.items():
    print(f"a cell of {name} sees {field.size} pixels; its stride is {field.stride}")
measured("pixels that a cell of pool3 sees", fields["pool3"].size, "22")
measured("pixels that a cell of pool4 sees", fields["pool4"].size, "46")
measured("pixels that a cell of the top sees", fields["top"].size, "158")

# %% [markdown]
# A cell of the top sees 158 x 158 pixels, more than a whole image of ours, but the cells are 32
# pixels apart. A cell of pool3 sees 22 x 22 pixels, one of pool4 46 x 46, and they lie closer
# together. Why not ask all three?
#
# Read this from the upper left to the right, then back along the lower row, where 2x and 8x stand
# for upsampling by 2 and by 8. A 1x1 convolution turns features into class scores (tutorial 06):
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

# %% [markdown]
# A **skip connection**, or skip, is a way past some layers: here from pool4 and pool3 to the
# scores. Coarse scores are upsampled by 2 and *added* to the finer ones (the plus signs). What
# an FCN adds are scores, one channel for each class. A U-Net (Ronneberger and others, 2015) does
# not add at this point: it puts the *features* of both sides on top of one another as channels (it
# concatenates them), and convolves them further.
#
# - **FCN-32s** has no skip. It upsamples the scores of the top by 32.
# - **FCN-16s** adds the scores of pool4, then upsamples by 16.
# - **FCN-8s** adds the scores of pool4 and of pool3, then upsamples by 8.
#
# The number in the name is the factor of the last upsampling: the stride of the finest scores.

# %% [markdown]
# ## FCN-8s by hand
#
# First the package's network, to take its weights and to compare. Its 1x1 convolutions are called
# `score_fr` (at the top; the name is the paper's code's), `score_pool4` and `score_pool3`. Their
# weights normally start at 0: every class is equally likely then. Here we draw random ones.


# %%
def new(stride, generator):
    """A network for 3 classes: five stages of one convolution each, fc6, fc7, and the scores."""
    backbone = VGG(widths=(8, 16, 32, 48, 48), depths=(1, 1, 1, 1, 1), generator=generator)
    return FCN(3, stride, backbone=backbone, head_width=64, generator=generator)


rng = np.random.default_rng(0)
packaged = new(8, rng)
for layer in (packaged.score_fr, packaged.score_pool4, packaged.score_pool3):
    layer.weight.data[...] = rng.standard_normal(layer.weight.shape)
packaged.eval()  # it is not being trained: see below
weights = {name: tensor(array) for name, array in packaged.state_dict().items()}
for name in ("backbone.stage1.0.0.weight", "fc6.0.weight", "score_pool3.weight", "upscore.weight"):
    print(f"{name:28}{weights[name].shape}")

# %% [markdown]
# `weights` now holds all numbers of the network by name. The **backbone** is what makes the
# features: here five stages. A block, such as `backbone.stage1.0` or `fc6`, is a convolution
# (`.0`), batch normalization (`.1`) and relu. `upscore` is the last upsampling.
#
# **Batch normalization** brings each channel to mean 0 and variance 1, then multiplies it by one
# learned number and adds another. Networks with it usually learn faster (Ioffe and Szegedy, 2015);
# the paper's network, built on VGG16 of 2014, has none. While a network is trained, mean and
# variance are those of the batch. Afterwards, running averages of them are used, which were
# collected in training: `running_mean` and `running_var`. `train()` and `eval()` switch between the
# two.
#
# ```
# y = (x - mean) / sqrt(variance + 0.00001) * weight + bias        for each channel
# ```
#
# (The `0.00001` is there for channels whose variance is 0.)


# %%
def block(x, weights, name, padding):
    """Convolution, batch normalization, relu."""
    x = F.conv2d(x, weights[f"{name}.0.weight"], padding=padding)
    mean, variance, weight, bias = (
        weights[f"{name}.1.{part}"].reshape((1, -1, 1, 1))
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return F.relu((x - mean) / (variance + 1e-5) ** 0.5 * weight + bias)


def features(x, weights):
    """The features that are scored: fc7, pool4 and pool3."""
    pools = {}
    for n in range(1, 6):
        x = pools[n] = F.max_pool2d(block(x, weights, f"backbone.stage{n}.0", padding=1), 2)
    fc6 = block(x, weights, "fc6", padding=1)
    return block(fc6, weights, "fc7", padding=0), pools[4], pools[3]


# %% [markdown]
# The scores are 1x1 convolutions of these features. All upsampling is bilinear: a transposed
# convolution with k = 2f, s = f and p = f / 2 for the factor f (tutorial 10). Here its kernels stay
# as they are. In the paper the kernels of both 2x *start* bilinear and are learned with the rest;
# those of the last upsampling stay bilinear. The package does that on request:
# `FCN(..., upsampling="learned")`, or `minifcn train --upsampling learned`. (In the code that its
# authors published later, all of them stay bilinear: they saw no significant difference.)


# %%
def path_scores(image, weights):
    """The scores of the top (stride 32), of pool4 (stride 16) and of pool3 (stride 8)."""
    names = ("score_fr", "score_pool4", "score_pool3")
    return [
        F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
        for x, name in zip(features(image, weights), names, strict=True)
    ]


def upsample(x, factor):
    """Bilinear upsampling of each channel by itself: between two channels the kernel is 0."""
    kernel = np.zeros((x.shape[1], x.shape[1], 2 * factor, 2 * factor), np.float32)
    for c in range(x.shape[1]):
        kernel[c, c] = bilinear_kernel(2 * factor)
    return F.conv_transpose2d(x, tensor(kernel), stride=factor, padding=factor // 2)


def fuse(top, pool4, pool3):
    """Add coarse scores to finer ones, down to the pixels."""
    stride16 = upsample(top, 2) + pool4
    stride8 = upsample(stride16, 2) + pool3
    return upsample(stride8, 8)


# %%
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
# ## Scenes in which the surroundings tell the class
#
# A plain grey patch of a photograph may be sky, a wall or a road; what lies around it may tell. To
# see what the top is good for, we make scenes of that kind on purpose. A scene is a band of 24
# rows, and 72 rows below it. If the band is bluish, all the ground, band included, is *water*; if
# it is brownish, *land*. Below the band, water and land look alike: their colours are drawn in the
# same way. On this part lie the shapes of tutorial 01, made larger. They are all of one class,
# *shape*.


# %%
class Scenes:
    """Shapes on water or on land: a band above tells which."""

    classes = ("water", "land", "shape")
    palette = Shapes.palette[[2, 1, 0]]

    def __init__(self, split, length):
        design = Design(objects=(3, 5), radius=(19, 26), stroke=(9, 12), margin=28)
        self.shapes = Shapes(split, length, size=(72, 96), design=design)

    def __len__(self):
        return len(self.shapes)

    def __getitem__(self, i):
        below, mask = self.shapes[i]
        rng = np.random.default_rng([i, len(self)])  # other random numbers for other lengths
        ground = int(rng.integers(2))  # 0: water, 1: land
        colour = ((40, 100, 210), (200, 140, 40))[ground] + rng.normal(0, 10, 3)
        band = np.clip(colour + rng.normal(0, 10, (24, 96, 3)), 0, 255).astype(np.uint8)
        labels = np.where(mask > 0, 2, ground).astype(np.uint8)
        labels = np.pad(labels, ((24, 0), (0, 0)), constant_values=ground)
        return np.concatenate([band, below]), labels


# %%
to_learn = InMemory(Scenes("train", 800))  # each is drawn once, and kept
held_out = InMemory(Scenes("val", 60))
truths = np.stack([held_out[i][1] for i in range(len(held_out))])
inputs = tensor(np.stack([normalise(held_out[i][0]) for i in range(len(held_out))]))
print("scenes to learn from:", len(to_learn), " held out:", truths.shape)


def confusion(masks):
    matrix = ConfusionMatrix(3)
    matrix.update(truths, masks)
    return matrix


measured("mean IU of water everywhere", confusion(np.zeros_like(truths)).mean_iu, "0.14")

# %% [markdown]
# ## Predict
#
# We train four networks: FCN-32s, FCN-16s, FCN-8s, and an FCN-8s without the top: its top scores
# are set to 0, in training and afterwards. All see the same 800 scenes, about half of them
# mirrored, in the same order, in 200 steps of 4 scenes. The loss is the mean cross-entropy of all
# pixels (tutorial 05), the optimizer Adam (tutorial 06). On the 60 scenes held out, "water" for
# every pixel has a mean IU of 0.14. (In the paper FCN-32s starts from a network trained to classify
# photographs, FCN-16s from FCN-32s, and FCN-8s from FCN-16s. Ours all start untrained.)
#
# Write down: in which order will the first three come? And what will the fourth get wrong?


# %%
def train(network, name, scores, steps=200):
    batches = Batches(to_learn, 4, flip=True, seed=0)
    # All parameters but the bilinear kernels, which stay as they are.
    optimizer = optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.01)
    network.train()  # batch normalization uses the batch's own mean and variance
    for step in progress(steps, name):
        batch, labels = batches.batch(step)  # four scenes and their masks
        optimizer.lr = 0.01 * optim.cosine(step, steps, warmup=20)  # up for 20 steps, then to 0
        optimizer.zero_grad()
        F.cross_entropy(scores(tensor(batch)), tensor(labels)).backward()
        optimizer.step()
    network.eval()


topless = new(8, np.random.default_rng(0))


def without_top(x):
    """The scores of an FCN-8s whose top is 0."""
    paths = topless.path_scores(x)
    return topless.upscore(topless.fuse({**paths, "top": 0 * paths["top"]}))


# %%
networks = {f"FCN-{stride}s": new(stride, np.random.default_rng(0)) for stride in (32, 16, 8)}
for name, network in networks.items():
    train(network, name, network)
train(topless, "without top", without_top)

forwards = {**networks, "without top": without_top}
with no_grad():
    masks = {name: forward(inputs).numpy().argmax(1) for name, forward in forwards.items()}
results = {name: confusion(own) for name, own in masks.items()}

# %% [markdown]
# Beside the mean IU we count two things. *Where*: the IU of shapes. *What*: of the ground pixels in
# the lower 36 rows, far from the band, that a network does call ground, the share with the right
# name. Tossing a coin would give about half.


# %%
def where(own):
    return ((own == 2) & (truths == 2)).sum() / ((own == 2) | (truths == 2)).sum()


def what(own):
    own, truth = own[:, 60:], truths[:, 60:]
    found = (own < 2) & (truth < 2)
    return (own == truth)[found].mean()


for name, own in masks.items():
    print(f"{name:12} mean IU {results[name].mean_iu:.2f}  where {where(own):.2f}"
          f"  what {what(own):.2f}")  # fmt: skip

# %%
fcn32, fcn16, fcn8, no_top = (matrix.mean_iu for matrix in results.values())
measured("mean IU of FCN-32s", fcn32, "0.69", within=0.05)
measured("mean IU of FCN-16s", fcn16, "0.80", within=0.05)
measured("mean IU of FCN-8s", fcn8, "0.84", within=0.05)
measured("mean IU without top", no_top, "0.66", within=0.05)
claim("the first skip brings more than the second", fcn16 - fcn32 > fcn8 - fcn16 > 0)
claim("without top the mean IU is lower by more than 0.1", no_top < fcn8 - 0.1)

measured("where, FCN-32s", where(masks["FCN-32s"]), "0.39", within=0.08)
measured("where, FCN-8s", where(masks["FCN-8s"]), "0.68", within=0.08)
measured("where, without top", where(masks["without top"]), "0.71", within=0.08)
measured("what, FCN-32s", what(masks["FCN-32s"]), "100 %", within=0.05)
measured("what, FCN-8s", what(masks["FCN-8s"]), "100 %", within=0.05)
measured("what, without top", what(masks["without top"]), "47 %", within=0.1)

# %%
shown = [5, 43, 27]
columns = {"truth": truths[shown], **{name: own[shown] for name, own in masks.items()}}
scenes = [held_out[i][0] for i in shown]
plot_strides(out / "strides.png", scenes, columns, Scenes.classes, Scenes.palette)
show(out / "strides.png")

# %% [markdown]
# The mean IU is 0.69, 0.80 and 0.84; without the top it is 0.66 (each, give or take five
# hundredths). As in the paper, the first skip brings more than the second.
#
# *What* is right for 100 % of the ground in FCN-32s and in FCN-8s (give or take 5 points). Without
# the top it is right for 47 % (give or take 10): no better than a coin. *Where* is 0.39 in FCN-32s:
# blobs. It is 0.68 in FCN-8s, and 0.71 without the top (each, give or take eight hundredths). Here
# the top adds *what*, and the skips add *where*.
#
# That is no law: in the scenes we made, nothing but the band tells what. Where a small window tells
# the class, the top may have little to add: in scenes like those of tutorial 01, with six classes,
# `minifcn experiment skips` finds next to nothing. With photographs of streets, the CamVid data
# set, a small FCN-8s fell from a mean IU of `0.42` to `0.34` when its top was set to 0 after
# training (`docs/EXPERIMENTS.md` has the command).
#
# ## How much of it is the stride?
#
# 200 steps are few, and part of the differences may be training. The oracle of tutorial 07 needs no
# training: it knows the truth, and searches for the coarse scores that fit it best once they are
# upsampled. What can it do with these scenes?

# %%
best = {f"FCN-{s}s": confusion(oracle(truths, 3, s).argmax(1)).mean_iu for s in (32, 16, 8)}
for name, iu in best.items():
    print(f"{name:8} trained {results[name].mean_iu:.2f}  oracle of its stride {iu:.2f}")
measured("oracle of stride 32", best["FCN-32s"], "0.76", within=0.02)
measured("oracle of stride 16", best["FCN-16s"], "0.90", within=0.02)
measured("oracle of stride 8", best["FCN-8s"], "0.97", within=0.02)
below = all(results[name].mean_iu < iu for name, iu in best.items())
claim("each network is below the oracle of its stride", below)
claim("FCN-16s is above the oracle of stride 32", fcn16 > best["FCN-32s"])
half_way = (fcn32 + fcn16) / 2
claim("the oracle of stride 32 is past half of the way", best["FCN-32s"] > half_way)
claim("FCN-8s is below the oracle of stride 16", fcn8 < best["FCN-16s"])

# %% [markdown]
# The oracle has 0.76, 0.90 and 0.97 (each, give or take two hundredths). As far as it can tell,
# better training could take our FCN-32s from 0.69 to 0.76 at most. That is more than half of the
# way to our FCN-16s, and less than all of it. ("As far as it can tell": it searches for the
# smallest loss, and the mean IU need not be largest there.) Our FCN-8s is below the oracle of
# stride 16: an FCN-16s that is trained better may beat it. Our second step does not show what the
# stride costs.
#
# ## What adds up to one pixel's score
#
# After the 1x1 convolutions, everything is linear: bilinear upsampling and sums. So the score of
# a pixel is the sum of three **contributions**: of the top, of pool4 and of pool3. Each is what
# comes out when the scores of the other two are 0. The package's `score_terms` computes them.

# %%
network = networks["FCN-8s"]
weights = {name: tensor(array) for name, array in network.state_dict().items()}


def contributions(image):
    """By path, what it adds to the score of each class at each pixel: (3, H, W)."""
    with no_grad():
        top, pool4, pool3 = path_scores(tensor(normalise(image)[None]), weights)
        terms = {"top": fuse(top, 0 * pool4, 0 * pool3), "pool4": fuse(0 * top, pool4, 0 * pool3),
                 "pool3": fuse(0 * top, 0 * pool4, pool3)}  # fmt: skip
    return {name: term.numpy()[0] for name, term in terms.items()}


image, truth = held_out[43]  # the second row of the picture
terms = contributions(image)
with no_grad():
    x = tensor(normalise(image)[None])
    for name, term in network.score_terms(x).items():
        equal(f"contribution of {name}", terms[name], term.numpy()[0], within=1e-4)
    total = sum(terms.values())
    equal("sum of the contributions and the score", total, network(x).numpy()[0], within=1e-4)

# %%
A, B = (68, 20), (68, 10)  # row and column
claim("A lies on a shape, B on water", (truth[A], truth[B]) == (2, 0))
for letter, at in (("A", A), ("B", B)):
    print(f"{letter}, pixel {at}")
    for c, name in enumerate(Scenes.classes):
        own = {path: term[(c, *at)] for path, term in terms.items()}
        print(f"  {name:6}", *(f"{path} {value:+.2f} " for path, value in own.items()),
              f"= {sum(own.values()):+.2f}")  # fmt: skip
of_shape = {name: term[2] for name, term in terms.items()}
pixels = {"on a shape": A, "beside it": B}
plot_contributions(out / "contributions.png", image, truth == 2, of_shape, pixels, "shape")
show(out / "contributions.png")

# %% [markdown]
# The maps are of one class, shape. Where a map is orange, it adds to the score; where it is purple,
# it takes away. A, on a shape, and B, beside it, are 10 pixels apart, less than the 16 from one
# cell of pool4 to the next. Between A and B, what pool3 adds differs by more than twice as much as
# what the other two add together: at B it takes much away. The top adds nearly the same to both.
#
# Now read the table at B. Is it water or land? All three say water, the top by more than pool4 and
# pool3 together.

# %%
fine, coarse = of_shape["pool3"], of_shape["top"] + of_shape["pool4"]
apart = abs(coarse[A] - coarse[B])
top_apart = abs(of_shape["top"][A] - of_shape["top"][B])
claim("the top adds nearly the same to A and B", top_apart < (fine[A] - fine[B]) / 5)
claim("at B pool3 takes much from the score of shape", fine[B] < -2)
claim("pool3 tells A and B apart, more than all else", fine[A] - fine[B] > 2 * apart)
margin = {name: term[(0, *B)] - term[(1, *B)] for name, term in terms.items()}
claim("all three say water at B", min(margin.values()) > 0)
claim("the top says it the loudest", margin["top"] > margin["pool4"] + margin["pool3"])

# %% [markdown]
# ## Change one thing: the band
#
# We give the scene the band of another one, whose ground is land. Below row 23 not a single pixel
# changes. Predict: which of the three contributions at B change? And if each of the 60 scenes gets
# the other kind of band, what will the ground in its lower 36 rows be called?

# %%
grounds = truths[:, 0, 0]  # 0: water, 1: land
bands = [held_out[int(np.argmax(grounds == ground))][0][:24] for ground in (0, 1)]


def other_band(i):
    """Scene i, with a band of the other ground."""
    return np.concatenate([bands[1 - grounds[i]], held_out[i][0][24:]])


after = contributions(other_band(43))
for name in terms:
    gap = [own[name][(0, *B)] - own[name][(1, *B)] for own in (terms, after)]
    print(f"{name:6} water rather than land: {gap[0]:+.2f}; with the other band {gap[1]:+.2f}")
for name in ("pool4", "pool3"):
    equal(f"{name} at B, with each band", terms[name][(..., *B)], after[name][(..., *B)], within=0)
for name, cell, row in (("pool3", 8, 57), ("pool4", 3, 33)):
    first = fields[name].start + cell * fields[name].stride
    claim(f"cell {cell} of {name} sees nothing above row {row}", first == row)
new_margin = after["top"][(0, *B)] - after["top"][(1, *B)]
claim("the top says land at B, with the other band", new_margin < -1)

changed = tensor(np.stack([normalise(other_band(i)) for i in range(len(held_out))]))
with no_grad():
    own = network(changed).numpy().argmax(1)
ground = (masks["FCN-8s"][:, 60:] < 2) & (truths[:, 60:] < 2)
renamed = (own != masks["FCN-8s"])[:, 60:][ground].mean()
measured("ground of another name with the other band", renamed, "100 %", within=0.06)

# %% [markdown]
# pool4 and pool3 add at B exactly what they added before. B lies in row 68, between the centres of
# the cells 8 and 9 of stride 8, and those lie between the cells 3, 4 and 5 of stride 16. What these
# cells see begins in row 57 for pool3, and in row 33 for pool4: below the band. Of the three, the
# top alone changes, and it changes sides. In the 60 scenes the ground that was found gets the other
# name, for 100 % of its pixels in the lower 36 rows (give or take 6 points).

# %% [markdown]
# ## Exercises
#
# 1. Take the scores of one class in row 50 of a scene, from one of the three networks; let somebody
#    else choose which. Can you read the N of FCN-Ns off these 96 numbers? Say first what bilinear
#    upsampling makes of a row; `np.diff(row, 2)` helps. You are right if your way finds 32, 16 and
#    8 for the three.
# 2. The score of water less that of land, summed over the lower 36 rows: does its gradient with
#    respect to the blue of the band's pixels have a positive or a negative sum? And with respect to
#    the red? And what is the gradient of pool3's contribution? Write down two signs and a number,
#    then let `backward` tell, for `network.score_terms` of the first ten scenes.
# 3. Concatenate as a U-Net does: upsample the 64 channels of fc7 by 2, put them on top of the 48 of
#    pool4 (`F.cat`, along axis 1), and make class scores of the 112 with *one* 1x1 convolution.
#    Which weights must it have to give the sum of scores of FCN-16s? (Leave out the biases
#    on both sides.) You are right if the two are `equal`, to `1e-4`.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write them yourself, checked: `batch_norm` and `skips`
# (`minifcn course check my-course batch_norm skips`). The first has a backward, too. Tutorial 13
# explains `crop_offset`, in the second.
#
# ## Next
#
# A sum of two scores makes sense if both are about the same place. In our networks they are. Those
# of the paper need crops for it: by 19; by 5 and 27; by 5, 9 and 31. Tutorial 13 asks where these
# numbers come from.
