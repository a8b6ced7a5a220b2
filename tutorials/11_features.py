# %% [markdown]
# # 11. What do early and late layers respond to?
#
# **Time:** 40 minutes; the code runs in 20 seconds. **Before:** 02, 05, 06, 07.
#
# ```
# image > convolution 02 > features [11] > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will open a small network and look inside: at the kernels of its first layer, at the patches
# that its units answer to most, and at what can be read off the numbers of each layer. Each time
# you will measure the same for the network as it was before training. (Its kernels and scores you
# will also see in pictures; its patches are counted, and not shown.)
#
# "Early layers see edges and colours, late layers see objects" is often said of convolutional
# networks. Zeiler and Fergus (2014) showed it in pictures of a network trained on photographs:
# corners, edges and colours in its second layer, faces of dogs and whole objects in its last ones.
# Edges and colours are **low-level features**. **High-level features** tell what is shown. Our
# scenes are drawn shapes, and our network is small: on photographs, expect other numbers.

# %%
import copy
import itertools

import numpy as np

from minifcn import functional as F
from minifcn import nn, no_grad, optim, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, progress, show
from minifcn.data import Batches, Shapes
from minifcn.data.shapes import Design
from minifcn.data.transforms import denormalise, normalise
from minifcn.experiments.features import filter_energies, patches, probes
from minifcn.experiments.features.pictures import plot_filters, plot_patches, plot_probes
from minifcn.experiments.scenes import read
from minifcn.kernels.geometry import Window, receptive_field
from minifcn.metrics import ConfusionMatrix
from minifcn.metrics.boundaries import trimap
from minifcn.plots.skips import plot_strides

out = pictures("11")

# %% [markdown]
# ## A network to look into
#
# It has four **stages**. Each is a 3 x 3 convolution, relu and a 2 x 2 max pooling. A 1x1
# convolution turns the features of the last stage into scores (tutorial 06), and the scores are
# upsampled by 16 (tutorial 07).


# %%
def stage(before, after, generator):
    convolution = nn.Conv2d(before, after, 3, padding=1, relu=True, generator=generator)
    return nn.Sequential(convolution, nn.MaxPool2d(2))


class Network(nn.Module):
    def __init__(self, generator):
        pairs = itertools.pairwise((3, 12, 24, 32, 48))  # channels before and after each stage
        self.stages = nn.Sequential(*(stage(*pair, generator) for pair in pairs))
        self.score = nn.Conv2d(48, 3, 1, generator=generator)

    def maps(self, x):
        """The outputs of the four stages."""
        outputs = []
        for layers in self.stages:
            x = layers(x)
            outputs.append(x)
        return outputs

    def forward(self, x):
        return F.interpolate(self.score(self.maps(x)[-1]), scale_factor=16, mode="bilinear")


fields = [receptive_field(k * [Window(3, padding=1), Window(2, 2)]) for k in (1, 2, 3, 4)]
for k, field in enumerate(fields, 1):
    print(f"stage {k}: a cell sees {field.size} x {field.size} pixels, stride {field.stride}")
measured("pixels that a cell of stage 1 sees", fields[0].size, "4")
measured("pixels that a cell of stage 4 sees", fields[3].size, "46")

# %% [markdown]
# A cell of stage 1 sees 4 x 4 pixels, one of stage 4 sees 46 x 46.
#
# The scenes have three classes, as in tutorial 06: background, *filled* (discs and squares) and
# *stroke* (rings, crosses and lines). Colours are drawn without regard to the class. A whole disc
# is 36 to 56 pixels wide, a stroke 6 to 9. The optimizer is Adam, and the loss is the mean of the
# cross-entropies of all pixels. We keep a copy with the random weights of the start, and call it
# the **untrained network**.

# %%
DESIGN = Design(objects=(2, 4), radius=(18, 28), stroke=(6, 9))
KIND = np.array([0, 1, 1, 2, 2, 2])  # the six classes of Shapes, put together to three


def train(network, steps=300):
    """Train a network on 8 scenes a step; return it."""
    batches = Batches(Shapes("train", 8 * steps, seed=0, design=DESIGN), 8, flip=True, seed=0)
    optimizer = optim.Adam(network.parameters(), lr=0.01)
    for step in progress(steps, "training"):
        images, labels = batches.batch(step)
        # The learning rate rises for 20 steps, then falls to 0 along a cosine.
        optimizer.lr = 0.01 * optim.cosine(step, steps, warmup=20)
        optimizer.zero_grad()
        F.cross_entropy(network(tensor(images)), tensor(KIND[labels])).backward()
        optimizer.step()
    return network


untrained = Network(np.random.default_rng(0))
trained = train(copy.deepcopy(untrained))
networks = {"untrained": untrained, "trained": trained}

# %% [markdown]
# For all that follows there are two sets of 100 scenes that the network has not learned from: "fit"
# and "score". `maps` holds the outputs of the four stages for them.


# %%
def scenes(split):
    images, masks = read(Shapes(split, 100, seed=1, design=DESIGN))  # training had seed 0
    return images, KIND[masks]


def stage_maps(network, images):
    with no_grad():
        return [output.numpy() for output in network.maps(tensor(images))]


drawn = {"fit": scenes("train"), "score": scenes("val")}
images, masks = drawn["score"]
maps = {
    name: {use: stage_maps(network, own) for use, (own, _) in drawn.items()}
    for name, network in networks.items()
}

# %% [markdown]
# ## Predict
#
# The first layer has 12 kernels of 3 x 3 numbers for red, for green and for blue. So each can be
# shown as a picture of 3 x 3 colours. A kernel of one colour all over answers to that colour. One
# that rises from one side to the other answers to an edge. Draw two that you expect after training.
# Will you be able to tell the trained kernels from the random ones?

# %%
kernels = {name: network.stages[0][0].weight.numpy() for name, network in networks.items()}
plot_filters(out / "kernels.png", kernels)
show(out / "kernels.png")

# %% [markdown]
# (Filter is another word for kernel.) Grey is 0. Both rows look random. To be sure, we measure.
# Scale a kernel to a sum of squares of 1.
# For each colour, its 9 numbers are a point in 9 dimensions. One direction is *flat*, all numbers
# the same. Two are *sloping*, across and down. The squares along all 9 directions of the three
# colours add up to 1. Random kernels prefer no direction: on average 1/9 is flat, 2/9 is sloping.


# %%
def flat_and_sloping(kernel):
    """How much of a kernel (3, 3, 3) is flat, and how much is sloping."""
    kernel = kernel / np.sqrt((kernel**2).sum())
    slope = np.array([-1, 0, 1]) / np.sqrt(6)
    flat = kernel.sum((1, 2)) / 3
    across, down = kernel.sum(1) @ slope, kernel.sum(2) @ slope
    return (flat**2).sum(), (across**2 + down**2).sum()


found = {name: np.mean([flat_and_sloping(w) for w in own], axis=0) for name, own in kernels.items()}
for name, own in kernels.items():
    equal(f"flat and sloping, {name}", found[name], filter_energies(own)[:2], within=1e-5)
measured("flat, untrained", found["untrained"][0], "0.12")
measured("flat, trained", found["trained"][0], "0.10", within=0.04)
measured("sloping, untrained", found["untrained"][1], "0.25")
measured("sloping, trained", found["trained"][1], "0.24", within=0.04)
likeness = np.corrcoef(kernels["untrained"].ravel(), kernels["trained"].ravel())[0, 1]
measured("correlation of trained and random weights", likeness, "0.96", within=0.05)

# %% [markdown]
# Before training 0.12 was flat and 0.25 sloping; after it, 0.10 and 0.24, give or take four
# hundredths. The correlation of the weights with those of the start is 0.96, give or take five
# hundredths. So this training hardly changed how flat and how sloping the kernels are. First layers
# with clear edges and colours, such as those in the paper of Zeiler and Fergus, have larger
# kernels, and were trained for days on photographs.
#
# ## Patches
#
# A **unit** is one channel of a stage's output. Its numbers, in rows and columns, are its
# **activation map**. To what does a unit answer? Go to the cell where its map is largest, and cut
# out what that cell sees: its receptive field. We take one cell from each scene, and only cells
# whose field lies inside the scene.


# %%
def strongest(own, field):
    """For each scene and unit the strongest cell: its number, its row and its column."""
    first = -(field.start // field.stride)
    last = (96 - field.size - field.start) // field.stride + 1
    inside = own[:, :, first:last, first:last]
    flat = inside.reshape(*inside.shape[:2], -1)
    row, column = np.divmod(flat.argmax(2), last - first)
    return flat.max(2), row + first, column + first


def cut(array, name, k, unit, count):
    """The fields of the cells of stage k that a unit answers to most, strongest first."""
    field = fields[k - 1]
    value, row, column = strongest(maps[name]["score"][k - 1], field)
    best = np.argsort(-value[:, unit], kind="stable")[:count]
    return [patches.cut(array[n], field, row[n, unit], column[n, unit]) for n in best]


def units_of(name, k):
    """The units of stage k that answer to anything at all."""
    return np.flatnonzero(strongest(maps[name]["score"][k - 1], fields[k - 1])[0].max(0) > 0)


for k in (1, 4):
    own, field = maps["trained"]["score"][k - 1], fields[k - 1]
    package = np.stack(patches.strongest(own, field, 96))
    equal(f"strongest cells of stage {k}", np.stack(strongest(own, field)), package, within=0)

# %%
blocks = []
for k, field in enumerate(fields, 1):
    units = units_of("trained", k)[:4]
    own = {u: [denormalise(p) for p in cut(images, "trained", k, u, 6)] for u in units}
    blocks.append((f"stage {k}: {field.size} x {field.size} pixels", field.stride, own))
plot_patches(out / "patches.png", blocks)
show(out / "patches.png")

# %% [markdown]
# Each row shows six patches for one unit, whose number stands at the left. Units that answer to
# nothing are left out. The square in the middle of a patch is the cell's own
# place, as wide as the stride. In stage 1 you see single colours, and edges between two. In stage 4
# some units show filled shapes, one like the other, and other units show strokes.
#
# But people see patterns in nearly anything. Let us count. Which shape is nearest to the middle of
# a patch? Take eight patches of a unit, and the class that is most frequent among them. How large
# is its share? We compare with the untrained network, and with patches from random places.


# %%
def shares_of(labels):
    """Of eight patches of masks, the shares whose nearest shape is filled, and is a stroke."""
    nearest = [patches.nearest_shape(label) for label in labels]
    return nearest.count(1) / 8, nearest.count(2) / 8


def random_patches(k, rng):
    first, last = patches.whole_cells(fields[k - 1], 96)
    chosen = rng.choice(100, 8, replace=False)
    return [patches.cut(masks[n], fields[k - 1], *rng.integers(first, last, 2)) for n in chosen]


rng = np.random.default_rng(0)
at_random = np.mean([max(shares_of(random_patches(4, rng))) for _ in range(300)])
shares = {
    name: [shares_of(cut(masks, name, 4, u, 8)) for u in units_of(name, 4)] for name in networks
}
same = {name: np.mean([max(two) for two in own]) for name, own in shares.items()}
measured("same class, random places", at_random, "0.61")
measured("same class, untrained", same["untrained"], "0.71")
measured("same class, trained", same["trained"], "0.78", within=0.07)
claim("random weights, too, find patches that are alike", same["untrained"] > at_random + 0.05)
filled, stroke = np.max(shares["trained"], axis=0)
claim("some units show filled shapes, others strokes", min(filled, stroke) >= 7 / 8)

# %% [markdown]
# In stage 4 the share is 0.78, give or take seven hundredths. With random weights it is 0.71, and
# at random places it is 0.61. Random weights, too, find patches that are alike. A picture without
# this comparison gives training too much credit.
#
# ## Linear probes
#
# A better question: what can be *read off* a stage? A **linear probe** (Alain and Bengio, 2016) is
# a linear map from the features at one place to an answer, fitted to examples. It is simple on
# purpose: it adds up what is already there. The score layer of our network is such a map, too.
#
# Ours are fitted by **least squares**: of all linear maps, take the one whose squared errors on the
# examples have the smallest sum. For answers that are numbers, **R²** says how good such a map is:
# which share of the squared distances from the mean answer it takes away. For P examples with
# features X and answers Y, both less their mean, and each feature divided by its standard
# deviation:
#
# ```
# W = (X^T X / P + 0.001 I)^-1  X^T Y / P
# ```
#
# The `0.001 I` keeps the inverse from failing where a unit is 0 everywhere.


# %%
def fit(x, y):
    """The linear map x W + b of features x (P, C) that is nearest to y (P, K)."""
    mean, deviation = x.mean(0), x.std(0)
    deviation[deviation == 0] = 1
    z = (x - mean) / deviation
    squares = z.T @ z / len(z) + 0.001 * np.eye(z.shape[1])
    W = np.linalg.solve(squares, z.T @ (y - y.mean(0)) / len(z)) / deviation[:, None]
    return W, y.mean(0) - mean @ W


x, x_new, y = rng.standard_normal((50, 7)), rng.standard_normal((20, 7)), rng.random((50, 3))
W, b = fit(x, y)
equal("a probe by hand and by the package", x_new @ W + b, probes.ridge(x, y)(x_new))

# %% [markdown]
# We ask three questions, at 3000 pixels each:
#
# - *Colour*: what is the mean colour of the 5 x 5 pixels around here? The score is R²:
#   1 - (sum of squared errors) / (sum of squared distances from the mean), the mean of red, green
#   and blue. It is 1 for a perfect answer, and 0 for always giving the mean colour.
# - *What*: this pixel is in a shape. Is that filled, or a stroke? The score is the accuracy. Half
#   of the pixels are of each kind, and guessing gets a half.
# - *Where*: is there a boundary at this pixel, or 4 to 8 pixels away? The score is the accuracy,
#   as before. To know that a boundary is near is of no use here: it is near in both cases.


# %%
def draw(labels, rng):
    """1500 pixels of each label 0 and 1; none where the label is -1."""
    places = [np.argwhere(labels == label) for label in (0, 1)]
    chosen = np.concatenate([own[rng.integers(len(own), size=1500)] for own in places])
    return probes.Positions(*chosen.T, np.repeat([0, 1], 1500))


def at_boundary(masks):
    """1 at a boundary, 0 if the nearest one is 4 to 8 pixels away, else -1."""
    near = {d: trimap(masks, d) != 255 for d in (1, 3, 8)}  # within d pixels of another class
    return np.select([near[1], near[8] & ~near[3]], [1, 0], -1)


def questions(images, masks, seed):
    rng = np.random.default_rng(seed)
    return {
        "colour": probes.colours(images, 3000, rng),
        "what": draw(masks - 1, rng),  # 0: filled, 1: stroke
        "where": draw(at_boundary(masks), rng),
    }


asked = {use: questions(*own, seed) for seed, (use, own) in enumerate(drawn.items(), 1)}

# %% [markdown]
# Which features does a pixel have, if a stage has one cell for 16 x 16 pixels? Those that the
# stage's maps have there after bilinear upsampling (tutorial 07). `interpolated` computes them at
# the asked pixels alone. `probe` fits with one set of scenes, and scores with the other.


# %%
def read_off(own, question, stride):
    """The score of a probe that reads the maps `own`."""
    features = {use: probes.interpolated(own[use], stride, asked[use][question]) for use in own}
    targets = {use: asked[use][question].targets for use in own}
    return probes.probe(features["fit"], targets["fit"], features["score"], targets["score"])


def of_stage(name, k):
    return {use: own[k - 1] for use, own in maps[name].items()}


at, stage4 = asked["score"]["what"], of_stage("trained", 4)
large = F.interpolate(tensor(stage4["score"]), scale_factor=16, mode="bilinear")
features = {use: probes.interpolated(own, 16, asked[use]["what"]) for use, own in stage4.items()}
equal("upsampled, and interpolated", large.numpy()[at.scene, :, at.row, at.column],
      features["score"], within=1e-5)  # fmt: skip
W, b = fit(features["fit"], np.eye(2)[asked["fit"]["what"].targets])
by_hand = (features["score"] @ W + b).argmax(1) == at.targets
equal("accuracy by hand, and by the package", by_hand.mean(), read_off(stage4, "what", 16))

# %% [markdown]
# ## Predict
#
# For each question write down: off which stage is it read best? Will the untrained network do
# nearly as well?

# %%
scores = {
    question: [[read_off(of_stage(name, k), question, 2**k) for k in (1, 2, 3, 4)]
               for name in networks]
    for question in ("colour", "what", "where")
}  # fmt: skip
for question, rows in scores.items():
    for name, row in zip(networks, rows, strict=True):
        print(f"{question:7}{name:10}", *(f"{score:6.2f}" for score in row))
panels = [
    (f"{question} ({'R²' if question == 'colour' else 'accuracy'})", np.array([rows]), guess)
    for (question, rows), guess in zip(scores.items(), (0, 0.5, 0.5), strict=True)
]
plot_probes(out / "probes.png", [f"stage {k}" for k in (1, 2, 3, 4)], panels)
show(out / "probes.png")

# %%
before, after = scores["colour"]
measured("colour off stage 1, untrained", before[0], "0.96")
measured("colour off stage 1, trained", after[0], "0.87", within=0.06)
measured("colour off stage 4, untrained", before[3], "0.52")
measured("colour off stage 4, trained", after[3], "-0.06", within=0.1)
claim("colour is read best off stage 1", after[0] == max(after) and before[0] == max(before))
before, after = scores["what"]
measured("what off stage 1, untrained", before[0], "0.57")
measured("what off stage 1, trained", after[0], "0.60", within=0.04)
measured("what off stage 4, untrained", before[3], "0.69")
measured("what off stage 4, trained", after[3], "0.91", within=0.05)
measured("what off stage 4, added by training", after[3] - before[3], "0.22", within=0.05)
claim("what is read better off each later stage", after == sorted(after))
before, after = scores["where"]
measured("where off stage 1, untrained", before[0], "0.76")
measured("where off stage 1, trained", after[0], "0.85", within=0.08)
measured("where off stage 2, untrained", before[1], "0.83")
claim("where off stage 2: as much as trained", abs(after[1] - before[1]) < 0.08)
measured("where off stage 4, untrained", before[3], "0.63")
measured("where off stage 4, trained", after[3], "0.72", within=0.05)
claim("where is read worst off stage 4", after[3] == min(after) and before[3] == min(before))

# %% [markdown]
# All numbers of the trained network hold give or take eight hundredths, and give or take a tenth
# for colour off stage 4.
#
# - *Colour* is read best off stage 1: 0.87. But random weights give 0.96: a first layer holds the
#   colours before it has learned anything. Training did the opposite, further on. Off stage 4 the
#   untrained network still gives 0.52, and the trained one -0.06: no better than the mean colour.
# - *What* is read best off stage 4: 0.91, and 0.60 off stage 1. With random weights these are
#   0.69 and 0.57. Training added 0.22 at stage 4, and next to nothing at stage 1.
# - *Where* falls from 0.85 off stage 1 to 0.72 off stage 4. Without training, stage 4 is the
#   worst, too: 0.63. And random weights give 0.76 off stage 1, and off stage 2 they give 0.83,
#   as much as trained ones.
#
# "Early layers see colours and edges" is true here, and most of it is there without training. "Late
# layers know what" is true, and training adds much to it.
#
# ## What a stage can know
#
# Why is there so little of "what" in stage 1? Take a case in which there can be nothing. One image
# shows a large square and a line, 8 pixels thick, of the same colour. We compare the cell in the
# middle of the square with one in the middle of the line, at each stage.

# %%
clean = np.full((96, 96, 3), 128, np.uint8)
clean[16:64, :48] = clean[72:80] = (200, 60, 40)  # the square, and the line
for name, network in networks.items():
    for k, own in enumerate(stage_maps(network, normalise(clean)[None]), 1):
        square, line = (own[0, :, row // 2**k, 24 // 2**k] for row in (40, 76))
        if k == 1:
            equal(f"stage 1, {name}: square and line", square, line, within=1e-6)
        else:
            far = np.abs(square - line).max() / np.abs(own).max()
            print(f"stage {k}, {name}: they differ by {100 * far:.0f} % of the largest number")
            claim(f"stage {k} of the {name} network tells them apart", far > 0.1)

# %% [markdown]
# In stage 1 the two cells are equal, trained or not: both see 4 x 4 pixels of one colour. No probe
# can tell them apart. A cell of stage 2 sees 10 x 10 pixels, more than the line is thick, and gets
# other numbers. Here a cell has to see more than the thickness of the line. That is not enough:
# stage 4 of the untrained network sees as far as that of the trained one, and less can be read off
# it.
#
# ## Change one thing
#
# Is "what" late by nature? We change the scenes: now the colour tells the class. In each pixel of a
# shape the three numbers are sorted. Filled shapes get the largest as their red, strokes as their
# blue. Nothing is trained. Predict: off which stage of the *untrained* network is "what" read best?


# %%
def recoloured(images, masks):
    """Sort the numbers of the pixels in shapes: filled ones get most red, strokes most blue."""
    rising = np.sort(images, axis=1)
    filled, stroke = masks[:, None] == 1, masks[:, None] == 2
    return np.where(filled, rising[:, ::-1], np.where(stroke, rising, images))


other = {use: stage_maps(untrained, recoloured(*own)) for use, own in drawn.items()}
told = [
    read_off({use: own[k - 1] for use, own in other.items()}, "what", 2**k) for k in (1, 2, 3, 4)
]
print("what, where colour tells the class, stage by stage:", *(f"{score:.2f}" for score in told))
measured("what off stage 1, recoloured", told[0], "0.99")
claim("recoloured, what is read best off stage 1", told[0] == max(told))
measured("what off stage 4, recoloured", told[3], "0.93")

# %% [markdown]
# Off stage 1: 0.99, with random weights. Off stage 4 it is 0.93. Off which layer a class is read
# best depends on the task. In our own scenes the form tells the class, and 4 x 4 pixels show little
# of a form.
#
# ## Both in one sum
#
# Stage 1 knows better where, stage 4 knows better what. A mask needs both. Let a probe read the
# scores of the three classes off the features of both stages at once. Its matrix has one block of
# rows for each stage, and a sum can be taken apart:
#
# ```
# [x1 x4] W + b = x1 W1 + x4 W4 + b
# ```
#
# `x W` at each cell is a 1x1 convolution: it adds up the channels of one place. Upsampling adds up
# places of one channel. Such sums can change places, and it does not matter which comes first. So
# we make the scores first, and upsample 3 maps in place of 12 or 48.


# %%
pixels = probes.Positions(*(rng.integers(n, size=6000) for n in (100, 96, 96)), None)
classes = drawn["fit"][1][pixels.scene, pixels.row, pixels.column]


def fitted(*parts):
    """A probe for the three classes; parts: maps to fit and to score with, and their stride."""
    x = np.hstack([probes.interpolated(own["fit"], stride, pixels) for own, stride in parts])
    return fit(x, np.eye(3)[classes])


def scores_of(*parts):
    """The scores (100, 3, 96, 96): for each part a 1x1 convolution, upsampled; then the sum."""
    W, b = fitted(*parts)
    total = b[:, None, None]
    for own, stride in parts:
        block, W = np.split(W, [own["score"].shape[1]])
        kernel = tensor(block.T[:, :, None, None].astype(np.float32))
        coarse = F.conv2d(tensor(own["score"]), kernel)
        total = total + F.interpolate(coarse, scale_factor=stride, mode="bilinear").numpy()
    return total


early, late = (of_stage("trained", 1), 2), (of_stage("trained", 4), 16)
both = scores_of(early, late)
W, b = fitted(early, late)
x = np.hstack([probes.interpolated(own["score"], stride, at) for own, stride in (early, late)])
equal("one map of both, and the sum", x @ W + b, both[at.scene, :, at.row, at.column], within=1e-4)

# %% [markdown]
# ## Predict
#
# Mean IU of all background is 0.25. What do you expect of stage 1 alone, of stage 4 alone, and of
# both? And of both, if the features of stage 1 are averaged over 8 x 8 of its cells first, and so
# have the stride of stage 4?

# %%
band = trimap(masks, 2) != 255  # within 2 pixels of a boundary


def scored(prediction):
    """Mean IU, and the accuracy near boundaries and elsewhere."""
    matrix, right = ConfusionMatrix(3), prediction == masks
    matrix.update(masks, prediction)
    return matrix.mean_iu, right[band].mean(), right[~band].mean()


averaged = {use: F.avg_pool2d(tensor(own), 8).numpy() for use, own in early[0].items()}
predictions = {
    "stage 1": scores_of(early).argmax(1),
    "stage 4": scores_of(late).argmax(1),
    "both": both.argmax(1),
    "averaged": scores_of((averaged, 16), late).argmax(1),
    "untrained": scores_of(early, (of_stage("untrained", 4), 16)).argmax(1),
}
with no_grad():
    own = trained.score(tensor(late[0]["score"]))
    predictions["its own"] = F.interpolate(own, scale_factor=16, mode="bilinear").numpy().argmax(1)

# %%
results = {name: scored(prediction) for name, prediction in predictions.items()}
for name, (mean_iu, near, far) in results.items():
    print(f"{name:10} mean IU {mean_iu:.2f}; right near boundaries {near:.2f}, elsewhere {far:.2f}")
measured("mean IU of all background", scored(np.zeros_like(masks))[0], "0.25")
measured("mean IU, stage 1", results["stage 1"][0], "0.45", within=0.05)
measured("mean IU, stage 4", results["stage 4"][0], "0.55", within=0.08)
measured("mean IU, both", results["both"][0], "0.73", within=0.06)
measured("mean IU, averaged", results["averaged"][0], "0.57", within=0.08)
measured("mean IU, stage 4 untrained", results["untrained"][0], "0.49", within=0.06)
measured("mean IU, its own masks", results["its own"][0], "0.61", within=0.08)
measured("right near boundaries, stage 4", results["stage 4"][1], "0.53", within=0.06)
measured("right near boundaries, both", results["both"][1], "0.71", within=0.06)
measured("right elsewhere, stage 4", results["stage 4"][2], "0.92", within=0.03)
measured("right elsewhere, both", results["both"][2], "0.96", within=0.03)
gain = results["both"][0] - results["stage 4"][0]
claim("both are better by 0.1", gain > 0.1)
claim("averaged, not", results["averaged"][0] - results["stage 4"][0] < 0.05)

# %%
shown = [0, 1, 2]
columns = {"truth": masks[shown]}
columns |= {name: predictions[name][shown] for name in ("stage 1", "stage 4", "both")}
pictured = [denormalise(images[i]) for i in shown]
names, palette = ("background", "filled", "stroke"), Shapes.palette[[0, 1, 3]]
plot_strides(out / "masks.png", pictured, columns, names, palette)
show(out / "masks.png")

strokes = {}  # their IU
for name, own in predictions.items():
    strokes[name] = ((own == 2) & (masks == 2)).sum() / ((own == 2) | (masks == 2)).sum()
claim("stage 1 finds hardly any strokes", strokes["stage 1"] < 0.1)
square = masks[1] == 1
square[:40] = False  # the disc above it
for name in ("stage 1", "stage 4", "both"):
    share = (predictions[name][1] == 1)[square].mean()
    print(f"of the square in the second row, {name} finds {100 * share:.0f} %")
    claim(f"of the square {name} finds less than half", share < 0.5)
claim("both find more strokes than stage 4", strokes["both"] > strokes["stage 4"] + 0.2)

# %% [markdown]
# In the picture, stage 1 draws the shapes that it finds with sharp outlines, and calls nearly all
# of them filled. Stage 4 draws blobs. Both together find the ring of the first row and the line of
# the third, with their outlines. But look at the dark square in the second row: each of them finds
# less than half of it.
#
# Stage 1 alone gets 0.45 and stage 4 alone 0.55; both together get 0.73. Within 2 pixels of a
# boundary, stage 4 alone has 0.53 of the pixels right, and both have 0.71. Elsewhere it is 0.92
# and 0.96. (All hold give or take eight hundredths. The network's own masks, with its own score
# layer, get 0.61; its weights were fitted by cross-entropy, not by least squares.)
#
# Is it the fine position that stage 1 brings, or are these just 12 more numbers? Averaged to a
# stride of 16 they bring next to nothing: the mean IU is 0.57. And with stage 4 of the untrained
# network in place of the trained one's it is 0.49: what stage 4 has learned is needed, too.
#
# ## Exercises
#
# 1. Stage 1 has 12 units, stage 4 has 48, and a probe with more numbers can fit more. Is that the
#    reason why "what" is read better off stage 4? Let its probe read the first 12 units alone:
#    `own[:, :12]` of the maps. First write down `mine`, the accuracy that you expect. You are right
#    if `claim("my number is right", abs(value - mine) < 0.05)` says nothing.
# 2. Draw a line that stage 3 cannot tell from a square, and not one pixel thicker than it has to
#    be. Take a grey image, 160 pixels high and 96 wide, with the colours of `clean`, and a square
#    of 48 x 48 pixels at the upper left. Compare cell (3, 3) of stage 3, in the square, with cell
#    (12, 3). Which rows must the line cover? `fields[2]` tells what a cell sees. You are right if
#    the two cells are `equal`, and differ as soon as the first or the last row of the line is grey.
# 3. Alone, stage 3 gets a higher mean IU than stage 1: `scored(scores_of(...).argmax(1))` tells how
#    much. Which of the two adds more to stage 4? Write down a reason first. Let `mine` be the mean
#    IU of your choice and stage 4 together, and `other` that of the other one and stage 4. You are
#    right if `claim("my choice adds more", mine > other)` says nothing.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# ## Next
#
# A probe on both stages is a score from a late layer plus a score from an early one. Here the
# network was trained without it. In tutorial 12 such sums are a part of the network while it is
# trained, and are called skips.
