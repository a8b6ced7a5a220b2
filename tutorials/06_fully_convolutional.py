# %% [markdown]
# # 06. How does a classifier become fully convolutional?
#
# **Time:** 45 minutes; the code runs in 15 seconds. **Before:** 01, 02, 05.
#
# ```
# image > convolution 02 > features 11 > scores [06] > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will give a classifier a larger image than it was made for, without changing a single weight,
# and get scores for a whole grid of places in it. In this way Long, Shelhamer and Darrell (2015)
# turned well-known classifiers into networks for segmentation. You will see that without padding
# nothing is approximated, what class maps tell that one row of scores does not, and what becomes of
# the bias. (The 45 minutes are for the core, without the appendix.)

# %%
import math

import numpy as np

from minifcn import functional as F
from minifcn import nn, no_grad, optim, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, progress, show
from minifcn.data.shapes import Shapes
from minifcn.data.transforms import denormalise, normalise
from minifcn.experiments.scenes import read, same_sized
from minifcn.metrics import ConfusionMatrix
from minifcn.models.classifier import Classifier
from minifcn.plots.window_maps import plot_window_maps
from minifcn.runs.steps import train_step

out = pictures("06")

# %% [markdown]
# ## A classifier of windows
#
# Our classifier is the network of tutorial 05, with other classes. It looks at a window of 32 x 32
# pixels, cut out of an image, and says what its middle pixel belongs to (row 16 and column 16,
# counted from 0): the background, a filled shape (disc or square), or a stroke (ring, cross or
# line). Three classes, so three logits. The package's `read` returns scenes as a network wants
# them: images, normalised, (N, 3, H, W), and masks (N, H, W). Here it reads 4 scenes of 160 x 160
# pixels with 10 to 14 objects, each as large as in the usual scenes of 96 x 96.


# %%
class Network(nn.Module):
    def __init__(self, generator):
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, relu=True, generator=generator),  # 32 to 28
            nn.MaxPool2d(2),  # 14
            nn.Conv2d(16, 32, 3, relu=True, generator=generator),  # 12
            nn.MaxPool2d(2),  # 6
            nn.Conv2d(32, 64, 3, relu=True, generator=generator),  # 4
        )
        self.linear = nn.Linear(64 * 4 * 4, 3, generator=generator)

    def forward(self, x):
        features = self.features(x)
        return self.linear(features.reshape((x.shape[0], -1)))


# %%
fresh = Network(np.random.default_rng(0))
fresh.linear.bias.data[...] = [1, 2, 3]  # not 0, so that a wrong bias would show
images, masks = read(Shapes("val", 4, (160, 160), design=same_sized(160, (10, 14))))
print("one window:", fresh(tensor(images[:1, :, :32, :32])).shape)
try:
    fresh(tensor(images[:1]))
except ValueError as error:
    print("the whole image of 160 x 160:", error)

# %% [markdown]
# A larger image fails. At which layer? Convolutions and poolings take larger images, too. From
# 160 x 160 pixels they make features of 36 x 36 (160, 156, 78, 76, 38, 36), so 64 * 36 * 36 = 82944
# numbers. The linear layer does not take them: it has exactly 64 * 4 * 4 = 1024 weights for each
# class.
#
# Two words that you will meet. To **flatten** is to put all features of an image into one row, as
# `reshape` does above. And a linear layer is also called **fully connected**: each of its outputs
# is connected with every number of that row. This is the "fc" of the layers fc6 and fc7 of VGG16, a
# well-known classifier; they are counted after its five stages of convolutions.
#
# ## A linear layer is a convolution
#
# The linear layer computes one sum of products for each class, plus a bias:
#
# ```
# y[c] = b[c] + sum over k of W[c, k] * f[k]         f: the features in one row
# ```
#
# Put the features back into their places: channel, row, column. Put the weights into the same
# places. Then the sum is what a convolution computes at one position, with a kernel as large as
# the features:
#
# ```
# y[c] = b[c] + sum over d, i, j of W[c, d, i, j] * f[d, i, j]
# ```
#
# We try it with random numbers, and with 8 channels, not 64.

# %%
generator = np.random.default_rng(0)
f = generator.standard_normal((1, 8, 4, 4))
W = generator.standard_normal((3, 8 * 4 * 4))
b = generator.standard_normal(3)

linear = W @ f.reshape(-1) + b
kernel = W.reshape(3, 8, 4, 4)
in_places = (kernel * f).sum(axis=(1, 2, 3)) + b
convolution = F.conv2d(tensor(f), tensor(kernel), tensor(b))
equal("linear layer, and sum in places", linear, in_places)
equal("linear layer, and convolution", linear.reshape(1, 3, 1, 1), convolution)

# %% [markdown]
# The same numbers in another shape: `reshape` is all that happens to the weights, and the bias is
# copied. But the convolution is not bound to one size.
#
# ## Predict
#
# The features of a larger image are 8 channels of 7 x 9. What comes out of the convolution with the
# 4 x 4 kernel, of which shape, and what does each number mean?

# %%
larger = generator.standard_normal((1, 8, 7, 9))
at_places = F.conv2d(tensor(larger), tensor(kernel), tensor(b))
print("scores:", at_places.shape)

slid = np.empty((1, 3, 4, 6))
for i in range(4):
    for j in range(6):
        slid[0, :, i, j] = W @ larger[0, :, i : i + 4, j : j + 4].reshape(-1) + b
equal("linear layer at each place, and convolution", slid, at_places)

# %% [markdown]
# By the size formula of tutorial 02, 7 - 4 + 1 = 4 rows and 9 - 4 + 1 = 6 columns. Each of the
# 4 x 6 numbers of a class is the linear layer applied at one place.
#
# ## The whole network
#
# Now every layer is a convolution, a relu or a pooling. Such a network is called a **fully
# convolutional** network, or FCN. The output of ours has a **class map** for each class: scores in
# rows and columns, like an image. One place of it (row and column) is a **cell**.


# %%
def fully_convolutional(network):
    # From 64 channels to 3, with 4 x 4 kernels; its random weights are replaced at once.
    last = nn.Conv2d(64, 3, 4, generator=np.random.default_rng(0))
    last.weight.data[...] = network.linear.weight.data.reshape(3, 64, 4, 4)
    last.bias.data[...] = network.linear.bias.data
    return nn.Sequential(network.features, last)


image = images[:1]
places = range(0, 160 - 32 + 1, 4)  # every 4 pixels
windows = np.stack([image[0, :, y : y + 32, x : x + 32] for y in places for x in places])
with no_grad():
    maps = fully_convolutional(fresh)(tensor(image))
    by_window = fresh(tensor(windows)).data
print("maps:", maps.shape, "  windows:", windows.shape)
by_window = by_window.T.reshape(1, 3, len(places), -1)  # T: classes first, then windows
equal("classifier on each window, and maps of the image", by_window, maps, within=1e-5)
measured("windows", len(windows), "1,089")

# %% [markdown]
# Two ways to the same numbers. We can cut out 33 * 33 = 1,089 windows, one every 4 pixels, and
# classify each. Or we can run the network once over the whole image.
#
# Why 4 pixels? Each of the two poolings halves the size, so one step in the features is
# 2 * 2 = 4 pixels in the image. The features of a window that is moved by 1 pixel are pooled in
# other 2 x 2 blocks. Its scores are not among those of the whole image.

# %% [markdown]
# ## What it costs
#
# Neighbouring windows overlap. Cut out, the features of the overlap are computed again for every
# window. In the image, each feature is computed once. Predict: how many times as many
# multiplications do the windows need?
#
# One convolution needs, for each number of its output (F, OH, OW), one multiplication for each of
# the C * KH * KW weights of its kernel:
#
# ```
# multiplications = F * OH * OW * C * KH * KW
# ```
#
# The linear layer counts as a convolution with a 4 x 4 kernel, as above.


# %%
def multiplications(size):
    layers, channels = [], 3
    # For each layer: output channels, kernel size, and whether a pooling follows.
    for filters, k, pooled in ((16, 5, True), (32, 3, True), (64, 3, False), (3, 4, False)):
        size = size - k + 1
        layers.append(filters * size * size * channels * k * k)
        channels, size = filters, size // 2 if pooled else size
    return np.array(layers)


one_window, whole_image = multiplications(32), multiplications(160)
measured("millions of multiplications, one window", one_window.sum() / 1e6, "1.9")
measured("millions, all windows", 1089 * one_window.sum() / 1e6, "2,072")
measured("millions, the image at once", whole_image.sum() / 1e6, "83")
times = 1089 * one_window / whole_image
measured("how many times fewer", 1089 * one_window.sum() / whole_image.sum(), "25")
measured("in the first layer", times[0], "35")
measured("in the last layer", times[-1], "1")

# %% [markdown]
# One window needs 1.9 million multiplications, and all windows 2,072 million. The image at once
# needs 83 million: 25 times fewer, for the same scores. Most is saved in the first layer, which
# needs 35 times fewer: up to 8 x 8 windows share a pixel. Nothing is saved in the last layer, where
# the ratio is 1: no two windows share a score.
#
# ## Train it
#
# So far the weights were random. To train, we cut windows out of scenes: for each class that is
# found where a whole window fits, two windows with a pixel of that class in the middle. The network
# is trained as a classifier of windows. `train_step` of the package takes the same step as the
# `step` of tutorial 05, and returns the loss.
#
# The optimizer is **Adam** (Kingma and Ba, 2015). It takes a mean of each parameter's latest
# gradients, divides it by their usual size, and multiplies by lr. So a step is about as large as
# lr, or smaller, however large the gradients are. And lr goes down to 0 while we train: large steps
# first, small ones at the end. `optim.cosine(i, 300)` is the factor for step i,
# `(1 + cos(pi * i / 300)) / 2`.


# %%
kinds = np.array([0, 1, 1, 2, 2, 2])  # background; disc, square; ring, cross, line


def cut(images, masks, generator):
    windows, labels = [], []
    for image, mask in zip(images, kinds[masks], strict=True):
        middle = mask[16:-15, 16:-15]  # where a whole window fits around a pixel
        for label in np.unique(middle).repeat(2):
            y, x = generator.choice(np.argwhere(middle == label))  # the window's first pixel
            windows.append(image[:, y : y + 32, x : x + 32])
            labels.append(label)
    return np.stack(windows), np.array(labels, dtype=np.int64)


# %%
def train(network, windows, labels):
    network.linear.weight.data[...] = 0  # so that the first loss is ln 3
    optimizer = optim.Adam(network.parameters(), lr=0.003)
    generator, losses = np.random.default_rng(0), []
    for i in progress(300, "classifier of windows"):
        optimizer.lr = 0.003 * optim.cosine(i, 300)
        batch = generator.integers(len(windows), size=32)
        losses.append(train_step(network, optimizer, windows[batch], labels[batch]))
    return losses


# %%
generator = np.random.default_rng(0)
learned_windows, learned_labels = cut(*read(Shapes("train", 400)), generator)
held_windows, held_labels = cut(*read(Shapes("val", 100)), generator)
network = Network(np.random.default_rng(0))
losses = train(network, learned_windows, learned_labels)
with no_grad():
    answers = network(tensor(held_windows)).data.argmax(axis=1)
equal("first loss and ln 3", losses[0], math.log(3), within=1e-6)
claim("the loss has fallen well below ln 3", np.mean(losses[-20:]) < 0.65)
accuracy = (answers == held_labels).mean()
measured("accuracy on held-out windows", accuracy, "80 %", within=0.07)

# %% [markdown]
# About 80 % of the held-out windows are named right, give or take 7 points: a training does not end
# with quite the same numbers on every machine. Guessing gives a third. Now make the trained
# classifier fully convolutional, and give it the larger scenes. Softmax in each cell, over the
# classes, turns the scores into probabilities.

# %%
with no_grad():
    map_scores = fully_convolutional(network)(tensor(images)).data
probabilities = F.softmax(tensor(map_scores), 1).data
truth = kinds[masks].astype(np.uint8)
plot_window_maps(
    out / "class_maps.png",
    denormalise(images[0]),
    probabilities[0],
    truth[0],
    ("background", "filled", "stroke"),
    Shapes.palette[[0, 1, 3]],  # three of the colours of tutorial 01
    window=32,
    stride=4,
)
show(out / "class_maps.png")

# %% [markdown]
# The network was trained as a classifier, and it segments. In the lower row, each map is bright
# where the network finds its class likely. In the upper row, the likeliest class of each cell is a
# coarse mask. A cell is drawn around the middle of its window; the first window and its middle are
# drawn on the image. How good is the mask? We compare each cell with the middle pixel of its
# window, for the 4 scenes.


# %%
def compare(scores, truth):
    matrix = ConfusionMatrix(num_classes=3)
    matrix.update(truth, scores.argmax(axis=1))
    return matrix


middles = truth[:, 16:145:4, 16:145:4]  # rows and columns 16, 20, ..., 144
matrix = compare(map_scores, middles)
measured("mean IU", matrix.mean_iu, "0.6", within=0.1)
measured("mean IU of all background", (middles == 0).mean() / 3, "0.28")
measured("objects in the windows learned from", (learned_labels > 0).mean(), "66 %")
measured("objects in these scenes", (middles > 0).mean(), "17 %")
wrong = matrix.counts.sum() - np.trace(matrix.counts)  # trace: the sum of the diagonal
claim("most wrong cells are background", matrix.counts[0, 1:].sum() > wrong / 2)

# %% [markdown]
# The mean IU is 0.6, give or take a tenth; all background would get 0.28. Most wrong cells are
# background that the network takes for an object. A suspect: in the windows that it learned from,
# 66 % of the middle pixels belong to an object, of those in these scenes 17 %. Does it expect too
# many objects, and would it be much better if it knew? The appendix tries.
#
# ## Where: what a single row of scores does not tell
#
# The classifier said *what* is in the middle of a window. Its maps also say *where*. Has something
# been added? We cut a disc out of a scene, put it on a plain ground, and move it to the right.
#
# Predict: two windows hold the same disc at different places. Which of the classifier's numbers
# tells where? And what becomes of the class maps of the whole image if the disc moves by 4 pixels,
# one stride? By 2?

# %%
scene, mask = Shapes("val")[18]
disc = np.array(mask == 1)


def moved(pixels):
    image = np.full((96, 96, 3), scene[mask == 0].mean(axis=0))
    image[np.roll(disc, pixels, axis=1)] = scene[disc]
    return normalise(image.astype(np.uint8))[None]


row, column = (int(axis.mean()) - 16 for axis in np.nonzero(disc))  # a window around the disc
with no_grad():
    for pixels in (0, 4):
        in_window = network(tensor(moved(pixels)[:, :, row : row + 32, column : column + 32]))
        print(f"disc moved by {pixels}, the window's numbers:", in_window.data[0].round(2))
    still, by_2, by_4 = (
        fully_convolutional(network)(tensor(moved(pixels))).data for pixels in (0, 2, 4)
    )
for name, found in (("not moved", still), ("by 2 pixels", by_2), ("by 4 pixels", by_4)):
    print(f"{name:12}", *found[0].argmax(axis=0)[10])  # the likeliest classes of row 10
equal("moved by 4 pixels, and by one cell", by_4[..., 1:], still[..., :-1], within=1e-5)
claim("by 2 pixels the scores change", abs(by_2 - still).max() > 0.1)
claim("nor is it one cell", abs(by_2[..., 1:] - still[..., :-1]).max() > 0.1)

# %%
with no_grad():
    features = network.features(tensor(moved(0)[:, :, row : row + 32, column : column + 32])).data
    rolled = np.roll(features, 1, axis=3)  # all features one column further on
    in_row, in_rolled = (network.linear(tensor(x.reshape(1, -1))).data for x in (features, rolled))
claim("a linear layer uses positions", abs(in_rolled - in_row).max() > 0.1)

# %% [markdown]
# None of the three. Flattening loses no number, and the linear layer has a weight of its own for
# each place: it *uses* positions, and its numbers change when the features move. But each is the
# score of a class. There is no row and no column among them.
#
# In a class map each number stands at a place of its own: cell (i, j) belongs to the window that
# begins at pixel (4i, 4j). When the disc moves by 4 pixels, all scores move by one cell. Moved by
# 2 pixels, half a stride, it gives other scores: neither the first ones, nor those moved by a cell.
# Each cell stands for the part of the image that it is computed from, its receptive field
# (tutorial 07).
#
# ## A classifier that ends with a mean
#
# Many classifiers since 2014 do not flatten. They take the mean of each channel over all positions,
# **global average pooling** (GAP; Lin et al., 2014), and give the means to the linear layer. With
# features f of 64 channels, 64 numbers are left, whatever the size of the image. For now without
# the bias:
#
# ```
# y[c] = sum over d of W[c, d] * (mean over i, j of f[d, i, j])
# ```
#
# A sum and a mean can change places:
#
# ```
# y[c] = mean over i, j of (sum over d of W[c, d] * f[d, i, j])
# ```
#
# Inside the parentheses is the linear layer at one position: a convolution with a kernel of 1 x 1,
# a **1x1 convolution** (tutorial 02). It keeps H and W, and sets the channels: of 64 numbers at
# each position it makes 3, and channels of features become scores of classes. It mixes the channels
# of one position, and sees no neighbours.

# %%
gap_f = generator.standard_normal((2, 64, 5, 7))
gap_W, gap_b = generator.standard_normal((3, 64)), generator.standard_normal(3)

kernel_1x1 = gap_W[:, :, None, None]  # (3, 64, 1, 1)
gap_then_linear = gap_f.mean(axis=(2, 3)) @ gap_W.T
gap_scores = (gap_f[:, None] * kernel_1x1).sum(axis=2)  # summed over 64 channels
by_package = F.conv2d(tensor(gap_f), tensor(kernel_1x1))
print("features", gap_f.shape, "  scores", by_package.shape)
equal("1x1 convolution, in NumPy and in the package", gap_scores, by_package)
equal("GAP then linear, and 1x1 then GAP", gap_then_linear, gap_scores.mean(axis=(2, 3)))

# %% [markdown]
# Such a classifier has class maps inside: **class activation maps** (CAM; Zhou et al., 2016). The
# mean of a map is the logit. But do not read too much into that: it fixes the map's mean, and
# nothing else. Add any numbers of mean 0 to the map, and its mean is still the logit.

# %%
noise = generator.standard_normal(gap_scores.shape)
noise -= noise.mean(axis=(2, 3), keepdims=True)
equal("logits, and means of a spoilt map", (gap_scores + noise).mean(axis=(2, 3)), gap_then_linear)

# %% [markdown]
# Why use this map, and no other? The classifier and the map have the same task: to turn 64 channels
# into 3 classes. The classifier asks of the mean of all places, "which class?" The 1x1 convolution
# asks the same question of each place. Nothing forces the answers to be right there: no place was
# ever trained by itself. Whether they are has to be measured. We train a classifier that ends with
# a mean, on the same windows, and compare its maps with the masks. Predict their mean IU.


# %%
class WithMean(Network):
    def __init__(self, generator):
        super().__init__(generator)
        self.linear = nn.Linear(64, 3, generator=generator)

    def forward(self, x):
        return self.linear(self.features(x).mean((2, 3)))


with_mean = WithMean(np.random.default_rng(0))
train(with_mean, learned_windows, learned_labels)
with no_grad():
    cam_features = with_mean.features(tensor(images)).data  # (4, 64, 36, 36)
cam_weights, cam_bias = with_mean.linear.weight.data, with_mean.linear.bias.data[:, None, None]
# Cell (i, j) sees the 20 x 20 pixels from (4i, 4j) on, with (4i + 10, 4j + 10) in the middle.
cam_middles = truth[:, 10:151:4, 10:151:4]


# %%
def asked_everywhere(weights):
    return np.einsum("cd,ndij->ncij", weights, cam_features) + cam_bias


inside = asked_everywhere(cam_weights)
plot_window_maps(
    out / "class_activation.png",
    denormalise(images[0]),
    F.softmax(tensor(inside), 1).data[0],
    truth[0],
    ("background", "filled", "stroke"),
    Shapes.palette[[0, 1, 3]],
    window=20,
    stride=4,
)
show(out / "class_activation.png")
of_maps = compare(inside, cam_middles).mean_iu
mixed_up = [cam_weights[:, generator.permutation(64)] for _ in range(20)]
of_mixed = [compare(asked_everywhere(weights), cam_middles).mean_iu for weights in mixed_up]
measured("mean IU of the maps", of_maps, "0.5", within=0.1)
measured("with weights mixed up, mean of 20", np.mean(of_mixed), "0.16", within=0.1)
claim("the maps beat all background", of_maps > (cam_middles == 0).mean() / 3)
claim("and each mixed-up one", of_maps > max(of_mixed))

# %% [markdown]
# The picture is drawn like the first one, but now a cell sees 20 x 20 pixels. Compare its maps with
# the outlines of the truth.
#
# The mean IU is 0.5, give or take a tenth: more than all background, although no place was ever
# trained by itself, and far from 1. With the weights given to the wrong channels it is 0.16, give
# or take a tenth. The maps are not accurate, but they are meaningful.
#
# A 1x1 convolution can also be trained as a layer of a network. Its weight `W[c, d]` multiplies
# `f[d, i, j]` at each position of each image, so its gradient is a sum over them, with g the
# upstream gradient:
#
# ```
# dW[c, d] = sum over images, i, j of g[c, i, j] * f[d, i, j]
# ```

# %%
weight, g = tensor(kernel_1x1, requires_grad=True), generator.standard_normal(gap_scores.shape)
F.conv2d(tensor(gap_f), weight).backward(tensor(g))
dW = (g[:, :, None] * gap_f[:, None]).sum(axis=(0, 3, 4))  # (3, 64)
equal("gradient of W, in NumPy and in the package", dW[:, :, None, None], weight.grad)

# %% [markdown]
# ## What becomes of the bias?
#
# Now with the bias. The linear layer adds b once, after the mean. The 1x1 convolution adds its bias
# at each of the 5 * 7 = 35 positions, before the mean. Predict: must its bias be 0, b / 35, or b?

# %%
with_b = gap_then_linear + gap_b
with_bias = {}
for name, bias_1x1 in (("0", 0 * gap_b), ("b / 35", gap_b / 35), ("b", gap_b)):
    with_bias[name] = (gap_scores + bias_1x1[:, None, None]).mean(axis=(2, 3))
    print(f"bias {name:6}  largest error {abs(with_bias[name] - with_b).max():.3f}")
equal("bias b", with_bias["b"], with_b)
equal("the error with b / 35, and b * 34 / 35", with_b - with_bias["b / 35"], [gap_b * 34 / 35] * 2)

# %% [markdown]
# It is b, as it was. All 35 positions add b, and the mean of 35 equal numbers is that number. The
# 4 x 4 kernel above keeps its bias too, without any mean: each window's score needs b once, and
# gets it once.
#
# The package has such a classifier, and turns it into class maps for images of any size. Here it
# has 5 classes and random weights, and no `batch_norm`, a layer of another kind (tutorial 12).

# %%
classifier = Classifier(5, batch_norm=False, generator=generator)
classifier.classifier.bias.data[...] = generator.standard_normal(5)
for size in ((64, 64), (96, 160)):
    x = tensor(generator.standard_normal((2, 3, *size)).astype(np.float32))
    with no_grad():
        of_means, class_maps = classifier(x), classifier.fully_convolutional()(x)
    print(f"image {size}, class maps {class_maps.shape}")
    equal("logits, and means of the maps", class_maps.data.mean((2, 3)), of_means, within=1e-4)

# %% [markdown]
# ## Change one thing: padding
#
# Our network has no padding. Most networks have, as this `Classifier` does. Are the scores of the
# windows and of the whole image still equal then? We take two 3 x 3 convolutions in a row, both
# with padding 1, and a window of 6 x 6 in the middle of an image of 12 x 12. The output has a cell
# for each pixel. Predict: in how many of the window's 36 cells do the two agree?

# %%
small_image = tensor(generator.standard_normal((1, 1, 12, 12)))
small_window = tensor(small_image.data[:, :, 3:9, 3:9])
first, second = (tensor(generator.standard_normal((1, 1, 3, 3))) for _ in range(2))


def two_convolutions(x, padding):
    return F.conv2d(F.conv2d(x, first, padding=padding), second, padding=padding).data[0, 0]


of_window, of_image = two_convolutions(small_window, 1), two_convolutions(small_image, 1)
of_image = of_image[3 : 3 + len(of_window), 3 : 3 + len(of_window)]  # the cells of the window
agree = np.isclose(of_window, of_image)
print(agree.astype(int))  # 1: they agree
measured("cells that agree", agree.sum(), "4")
equal(
    "those, and the window without padding", of_window[2:4, 2:4], two_convolutions(small_window, 0)
)

# %% [markdown]
# Only the 4 in the middle agree. At its border, the window sees the zeros of the padding, where the
# image has pixels, and each of the two convolutions carries this one cell further in. With padding,
# then, the maps of a larger image are not the scores of its windows, except in cells that are far
# enough from the window's border. A classifier with padding has learned from windows with zeros
# around them. In the whole image, most cells see pixels there.
#
# ## Too coarse
#
# One thing is not solved.

# %%
measured("scores of each class", maps[0, 0].size, "1,089")
measured("pixels", 160 * 160, "25,600")

# %% [markdown]
# Each class has 1,089 scores for 25,600 pixels: one every 4 pixels, and none near the border, where
# no window has its middle. The output is of **low resolution**: it has fewer places than the image.
# Well-known classifiers, such as VGG16, halve the size five times. Made fully convolutional, they
# give one score every 32 pixels. Tutorials 07 to 10, 12 and 13 are about this low-resolution
# problem.

# %% [markdown]
# ## Appendix: does it expect too many objects?
#
# You may skip this and go on to the exercises, which do not need it.
#
# In the windows that the network learned from, objects are more frequent than in the scenes. If the
# windows of each class still look the same, and their shares are new, the rule of Bayes tells what
# to do: multiply each probability by `new share / old share`, and divide the
# products by their sum. For a logit, before softmax, this means to add `ln(new share / old share)`.
# We take the new shares from the truth. Predict: what happens to the mean IU?

# %%
new, old = (np.bincount(of.ravel()) / of.size for of in (middles, learned_labels))
corrected = compare(map_scores + np.log(new / old)[:, None, None], middles)
for name, result in (("as learned", matrix), ("corrected", corrected)):
    taken, missed = result.counts[0, 1:].sum(), result.counts[1:, 0].sum()
    print(f"{name:10}  IU {result.iu.round(2)}  mean {result.mean_iu:.2f}", end="  ")
    print(f"background taken for objects {taken}, objects missed {missed}")
before, after = matrix.counts, corrected.counts
claim("half as much background is taken for objects", after[0, 1:].sum() < before[0, 1:].sum() / 2)
claim("twice as many object cells are missed", after[1:, 0].sum() > 2 * before[1:, 0].sum())
claim("IU: background up, filled down", np.sign(corrected.iu - matrix.iu)[:2].tolist() == [1, -1])
claim("the mean IU hardly moves", abs(corrected.mean_iu - matrix.mean_iu) < 0.1)
measured("corrected mean IU", corrected.mean_iu, "0.6", within=0.1)

# %% [markdown]
# Background is taken for an object less than half as often. In return, more than twice as many
# cells of objects are missed. The IU of the background rises, that of the filled shapes falls, and
# the mean IU is again 0.6, give or take a tenth: it has moved by less than a tenth. Here, then, the
# shares change which errors are made, but not much how low the mean IU is.
#
# ## Exercises
#
# 1. A classifier has two linear layers at its end: 128 features (8 x 4 x 4) to 10 numbers, relu
#    (`F.relu`), and 10 to 3. Make both convolutions, with random weights and biases. On random
#    features of 7 x 9, your 4 x 6 scores are right if `equal` accepts them against a loop over the
#    places, as for `slid`. (In `one_by_one`, below, you write this step as a function.)
# 2. Somebody pools with a sum, not a mean: `gap_f.sum(axis=(2, 3)) @ gap_W.T + gap_b`, then
#    compares it with the sum over the positions of the 1x1 convolution. Which bias does that
#    convolution need now, for features of 5 x 7? Take `gap_f`, `gap_W`, `gap_b` and `gap_scores`
#    from "A classifier that ends with a mean", and check it with `equal`.
# 3. Get scores every 2 pixels from `fully_convolutional(network)`, without cutting out windows.
#    Take the part `images[:1, :, :96, :96]`. Hint: give it to the network four times, without its
#    first 0 or 2 rows, and without its first 0 or 2 columns. Each time you get the scores for every
#    second row and column of the result. Your 33 x 33 scores are right if they equal, to `1e-4`,
#    what `network` says of the windows at every 2 pixels.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write it yourself, checked: `one_by_one` (`minifcn course check my-course one_by_one`): the 1x1
# convolution, and the weights of a linear layer as those of a convolution.

# %% [markdown]
# ## Next
#
# A score every 32 pixels, but a mask needs a class for each pixel: what does low resolution cost,
# and what does a single cell see of the image? The next tutorial measures both.
