# %% [markdown]
# # 06. How does a classifier become fully convolutional?
#
# **Time:** 35 minutes; the code runs in 8 seconds. **Before:** 01, 02, 05.
#
# You will give a classifier a larger image than it was made for, without changing a single weight,
# and get a score for every place of it. In this way Long, Shelhamer and Darrell (2015) turned
# well-known classifiers into networks for segmentation. You will see that nothing is approximated,
# why it is cheap, and what becomes of the bias.

# %%
import math

import numpy as np

from minifcn import functional as F
from minifcn import nn, no_grad, optim, tensor
from minifcn.data.shapes import Shapes
from minifcn.data.transforms import denormalise
from minifcn.experiments.scenes import read, same_sized
from minifcn.lesson import equal, measured, pictures, show
from minifcn.metrics import ConfusionMatrix
from minifcn.models.classifier import Classifier
from minifcn.plots.learning import plot_window_maps
from minifcn.training import train_step

out = pictures("06")

# %% [markdown]
# ## A classifier of windows
#
# Our classifier is the network of tutorial 05. It looks at a window, a part of an image of
# 32 x 32 pixels, and says what its middle pixel belongs to: the background, a filled shape (disc or
# square), or a stroke (ring, cross or line). Three classes, so three logits. `read` returns scenes
# as a network wants them, images (N, 3, H, W) and masks (N, H, W), here 4 scenes of 160 x 160
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
network = Network(np.random.default_rng(0))
network.linear.bias.data[...] = [1, 2, 3]  # not 0, so that a wrong bias would show
images, masks = read(Shapes("val", 4, (160, 160), design=same_sized(160, (10, 14))))
print("one window:", network(tensor(images[:1, :, :32, :32])).shape)
try:
    network(tensor(images[:1]))
except ValueError as error:
    print("the whole image of 160 x 160:", str(error)[:70])

# %% [markdown]
# A larger image fails. Which layer is to blame? A convolution and a pooling take any size. The
# linear layer does not: it has exactly 1024 = 64 * 4 * 4 weights for each class.

# %% [markdown]
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
f = generator.standard_normal((1, 8, 7, 9))
scores = F.conv2d(tensor(f), tensor(kernel), tensor(b))
print("scores:", scores.shape)

slid = np.empty((1, 3, 4, 6))
for i in range(4):
    for j in range(6):
        slid[0, :, i, j] = W @ f[0, :, i : i + 4, j : j + 4].reshape(-1) + b
equal("linear layer at each place, and convolution", slid, scores)

# %% [markdown]
# By the size formula of tutorial 02, 7 - 4 + 1 = 4 rows and 9 - 4 + 1 = 6 columns. Each of the
# 4 x 6 numbers of a class is the linear layer applied at one place.
#
# ## The whole network
#
# Now every layer is a convolution, a relu or a pooling. Such a network is called **fully
# convolutional**. Its output has a **class map** for each class: scores in rows and columns, like
# an image.


# %%
def fully_convolutional(network):
    last = nn.Conv2d(64, 3, 4, generator=np.random.default_rng(0))
    last.weight.data[...] = network.linear.weight.data.reshape(3, 64, 4, 4)
    last.bias.data[...] = network.linear.bias.data
    return nn.Sequential(network.features, last)


image = images[:1]
places = range(0, 160 - 32 + 1, 4)  # every 4 pixels
windows = np.stack([image[0, :, y : y + 32, x : x + 32] for y in places for x in places])
with no_grad():
    maps = fully_convolutional(network)(tensor(image))
    logits = network(tensor(windows))
print("maps:", maps.shape, "  windows:", windows.shape)
by_window = logits.data.T.reshape(1, 3, 33, 33)
equal("classifier on each window, and maps of the image", by_window, maps, within=1e-5)
measured("windows", len(windows), "1,089")

# %% [markdown]
# Two ways to the same numbers. We can cut out 1,089 windows, one every 4 pixels, and classify each.
# Or we can run the network once over the whole image.
#
# Why 4 pixels? Each of the two poolings halves the size, so one step in the features is
# 2 * 2 = 4 pixels in the image. A window that is moved by 1 pixel has other 2 x 2 blocks, and so
# other features.

# %% [markdown]
# ## What it costs
#
# Neighbouring windows overlap. Cut out, the pixels of the overlap are computed again for every
# window. In the image, each feature is computed once. Predict: how many times as many
# multiplications do the windows need?
#
# One convolution needs, for each output number, one multiplication for each weight of its kernel:
#
# ```
# multiplications = F * OH * OW * C * KH * KW
# ```


# %%
def multiplications(size):
    total, channels = 0, 3
    for filters, k, pooled in ((16, 5, True), (32, 3, True), (64, 3, False), (3, 4, False)):
        size = size - k + 1
        total += filters * size * size * channels * k * k
        channels, size = filters, size // 2 if pooled else size
    return total


one_window, whole_image = multiplications(32), multiplications(160)
measured("millions of multiplications, one window", one_window / 1e6, "1.9")
measured("millions of multiplications, all windows", 1089 * one_window / 1e6, "2,072")
measured("millions of multiplications, the image at once", whole_image / 1e6, "83")
measured("how many times cheaper", 1089 * one_window / whole_image, "25")

# %% [markdown]
# One window needs 1.9 million multiplications, and all windows 2,072 million. The image at once
# needs 83 million: 25 times fewer, for exactly the same scores. Here a pixel is in up to 8 x 8
# windows. The more they overlap, the more is saved.
#
# ## Train it
#
# So far the weights were random. To train, we cut windows out of scenes: for each class that a
# scene shows, two windows with a pixel of that class in the middle. The network is trained as a
# classifier, window by window. `train_step` of the package is the `step` of tutorial 05.
#
# The optimizer is **Adam**. It divides each parameter's step by the usual size of that parameter's
# gradient, so that all take steps of about the size lr. It needs less care than SGD in choosing lr.
# And lr goes down to 0 while we train, along a cosine: large steps first, small ones at the end.


# %%
kinds = np.array([0, 1, 1, 2, 2, 2])  # background; disc, square; ring, cross, line


def cut(images, masks, generator):
    windows, labels = [], []
    for image, mask in zip(images, kinds[masks], strict=True):
        middle = mask[16:-15, 16:-15]  # where a whole window fits around a pixel
        for label in np.unique(middle).repeat(2):
            y, x = generator.choice(np.argwhere(middle == label))
            windows.append(image[:, y : y + 32, x : x + 32])
            labels.append(label)
    return np.stack(windows), np.array(labels, dtype=np.int64)


# %%
generator = np.random.default_rng(0)
windows, labels = cut(*read(Shapes("train", 400)), generator)
held_windows, held_labels = cut(*read(Shapes("val", 100)), generator)
network = Network(np.random.default_rng(0))
network.linear.weight.data[...] = 0  # so that the first loss is ln 3
optimizer = optim.Adam(network.parameters(), lr=0.003)
losses = []
for i in range(300):
    optimizer.lr = 0.003 * optim.cosine(i, 300)
    batch = generator.integers(len(windows), size=32)
    losses.append(train_step(network, optimizer, windows[batch], labels[batch]))

# %%
with no_grad():
    answers = network(tensor(held_windows)).data.argmax(axis=1)
equal("first loss and ln 3", losses[0], math.log(3), within=1e-6)
assert np.mean(losses[-20:]) < 0.6
accuracy = (answers == held_labels).mean()
measured("accuracy on held-out windows", accuracy, "79 %", within=0.07)

# %% [markdown]
# About 79 % of the held-out windows are named right; guessing gives a third. Now make the trained
# classifier fully convolutional, and give it a larger scene. Softmax at each place turns the scores
# into probabilities.

# %%
with no_grad():
    maps = F.softmax(fully_convolutional(network)(tensor(images)), 1).data
truth = kinds[masks].astype(np.uint8)
plot_window_maps(
    out / "class_maps.png",
    denormalise(images[0]),
    maps[0],
    truth[0],
    ("background", "filled", "stroke"),
    Shapes.palette[[0, 1, 3]],
    window=32,
    stride=4,
)
show(out / "class_maps.png")

# %% [markdown]
# The network was trained as a classifier, and it segments. Below, each map lights up on the objects
# of its class. Above, the likeliest class of each cell is a coarse mask. How good is it? We compare
# each cell with the pixel in the middle of its window, for 4 scenes.

# %%
middles = truth[:, 16:145:4, 16:145:4]
matrix = ConfusionMatrix(num_classes=3)
matrix.update(middles, maps.argmax(axis=1))
measured("mean IU", matrix.mean_iu, "0.6", within=0.12)
measured("mean IU of all background", (middles == 0).mean() / 3, "0.28")

# %% [markdown]
# The mean IU is about 0.6; all background would get 0.28. It claims too much for the objects: in
# the windows that it learned from, they were twice as frequent as background. And plain background
# looks to it like the inside of a filled shape.

# %% [markdown]
# ## A classifier that ends with a mean
#
# Many classifiers since 2014 do not put their features into one row. They take the mean of each
# channel over all positions, **global average pooling** (GAP), and give the means to the linear
# layer. With features f of 64 channels, 64 numbers are left, whatever the size of the image:
#
# ```
# y[c] = b[c] + sum over d of W[c, d] * mean over i, j of f[d, i, j]
# ```
#
# A sum and a mean can change places:
#
# ```
# y[c] = mean over i, j of ( b[c] + sum over d of W[c, d] * f[d, i, j] )
# ```
#
# Inside the parentheses is the linear layer at one position: a convolution with a kernel of 1 x 1,
# a **1x1 convolution**. It mixes the channels of one position, and sees no neighbours.

# %%
f = generator.standard_normal((2, 64, 5, 7))
W, b = generator.standard_normal((3, 64)), generator.standard_normal(3)

gap_then_linear = f.mean(axis=(2, 3)) @ W.T + b
# The sum over d at every position: the letter that is missing after the arrow is summed over.
scores = np.einsum("cd,ndij->ncij", W, f) + b[:, None, None]
equal(
    "1x1 convolution, in NumPy and in the package",
    scores,
    F.conv2d(tensor(f), tensor(W[:, :, None, None]), tensor(b)),
)
equal("GAP then linear, and 1x1 then GAP", gap_then_linear, scores.mean(axis=(2, 3)))

# %% [markdown]
# So such a classifier has class maps inside. The mean of the map is the logit: the map says how
# much each place adds to it (class activation maps; Zhou et al., 2016).
#
# ## What becomes of the bias?
#
# Students ask this most. The linear layer adds b once. The 1x1 convolution adds it at each of the
# 5 * 7 = 35 positions. Predict: must it be left out, divided by 35, or copied as it is?

# %%
without_bias = scores - b[:, None, None]
candidates = {"left out": 0 * b, "divided by 35": b / 35, "as it is": b}
for name, bias in candidates.items():
    means = (without_bias + bias[:, None, None]).mean(axis=(2, 3))
    print(f"bias {name:14} largest error {abs(means - gap_then_linear).max():.3f}")
as_it_is = (without_bias + b[:, None, None]).mean(axis=(2, 3))
equal("bias as it is", as_it_is, gap_then_linear)
divided = (without_bias + (b / 35)[:, None, None]).mean(axis=(2, 3))
equal("the error if divided, and b * 34 / 35", gap_then_linear - divided, [b * 34 / 35] * 2)

# %% [markdown]
# As it is. All 35 positions add b, and the mean of 35 equal numbers is that number. The same holds
# for the 4 x 4 kernel above, without any mean: each window's score needs its bias once, and gets it
# once.
#
# The package has such a classifier, and turns it into class maps for images of any size:

# %%
classifier = Classifier(5, batch_norm=False, generator=generator)
classifier.classifier.bias.data[...] = generator.standard_normal(5)
for size in ((64, 64), (96, 160)):
    x = tensor(generator.standard_normal((2, 3, *size)).astype(np.float32))
    with no_grad():
        logits, class_maps = classifier(x), classifier.fully_convolutional()(x)
    print(f"image {size}, class maps {class_maps.shape}")
    equal("logits, and means of the maps", class_maps.data.mean((2, 3)), logits, within=1e-4)

# %% [markdown]
# ## Change one thing: padding
#
# Our network has no padding. Most networks have, as this `Classifier` does. Are windows and the
# whole image still equal then? We take two 3 x 3 convolutions with padding 1, and a window of 6 x 6
# in the middle of an image. Predict: in how many of the 36 cells of the window do the two agree?

# %%
image = tensor(generator.standard_normal((1, 1, 12, 12)))
window = tensor(image.data[:, :, 3:9, 3:9])
first, second = (tensor(generator.standard_normal((1, 1, 3, 3))) for _ in range(2))


def two_convolutions(x, padding):
    return F.conv2d(F.conv2d(x, first, padding=padding), second, padding=padding).data[0, 0]


of_window, of_image = two_convolutions(window, 1), two_convolutions(image, 1)[3:9, 3:9]
agree = np.isclose(of_window, of_image)
print(agree.astype(int))
measured("cells that agree", agree.sum(), "4")
equal("those, and the window without padding", of_window[2:4, 2:4], two_convolutions(window, 0))

# %% [markdown]
# Only the 4 in the middle agree. At its border, the window sees the zeros of the padding, where the
# image has pixels, and every convolution carries this one cell further in. So with padding the maps
# of a larger image are not the scores of its windows, except for cells that are far enough from the
# window's border. The whole image is the better of the two: it shows a cell what is really
# there. But its classifier was trained on windows with zeros around, and that is a difference to
# remember.
#
# ## Too coarse
#
# One thing is not solved.

# %%
measured("scores of each class", maps[0, 0].size, "1,089")
measured("pixels", 160 * 160, "25,600")

# %% [markdown]
# There are 1,089 scores for 25,600 pixels: one for each 4 x 4 pixels, because of two poolings. The
# well-known classifiers have five halvings, and give one score for each 32 x 32 pixels.

# %% [markdown]
# ## Exercises
#
# 1. A classifier has two linear layers at its end: 128 features (8 x 4 x 4) to 10 numbers, relu,
#    and 10 to 3. Make both fully convolutional. On random features of 7 x 9, your 4 x 6 scores are
#    right if `equal` accepts them against a loop over the places, as above.
# 2. Somebody pools with a sum instead of a mean: `y = W @ f.sum(axis=(2, 3)) + b`. Which bias does
#    the 1x1 convolution need now, for features of 5 x 7? Check it with `equal`.
# 3. Get a score every 2 pixels from `fully_convolutional(network)`, without cutting out windows.
#    Hint: give it the image four times, each time without its first 0 or 2 rows and columns. Take
#    the part `images[:1, :, :96, :96]`. Your 33 x 33 scores are right if they equal, to `1e-4`,
#    what `network` says of the windows at every 2 pixels.

# %% [markdown]
# ## Next
#
# A score every 32 pixels, for masks as fine as a pixel: what does this stride cost, and what does a
# single cell see of the image? The next tutorial measures both.

# %% tags=["answers"]
# 1. The first becomes a 4x4 convolution, the second a 1x1: after the first there is one position
#    for each place, and the second works at each of them alone.
W1, b1 = generator.standard_normal((10, 128)), generator.standard_normal(10)
W2, b2 = generator.standard_normal((3, 10)), generator.standard_normal(3)
f = generator.standard_normal((1, 8, 7, 9))
hidden = F.relu(F.conv2d(tensor(f), tensor(W1.reshape(10, 8, 4, 4)), tensor(b1)))
both = F.conv2d(hidden, tensor(W2.reshape(3, 10, 1, 1)), tensor(b2))
slid = np.empty((1, 3, 4, 6))
for i in range(4):
    for j in range(6):
        row = f[0, :, i : i + 4, j : j + 4].reshape(-1)
        slid[0, :, i, j] = W2 @ np.maximum(W1 @ row + b1, 0) + b2
equal("two linear layers, and two convolutions", slid, both)

# 2. 35 positions add the bias, and the sum keeps them all: each may add b / 35 only.
f = generator.standard_normal((2, 64, 5, 7))
summed = f.sum(axis=(2, 3)) @ W.T + b
scores = np.einsum("cd,ndij->ncij", W, f) + (b / 35)[:, None, None]
equal("sum then linear, and 1x1 then sum", summed, scores.sum(axis=(2, 3)))

# 3. Each shift gives the scores of every other row and column. Long et al. call it shift and
#    stitch. It costs as much as four images: what pooling has left out must be computed after all.
part, whole = images[:1, :, :96, :96], fully_convolutional(network)
places = range(0, 96 - 32 + 1, 2)
windows = np.stack([part[0, :, y : y + 32, x : x + 32] for y in places for x in places])
stitched = np.empty((1, 3, 33, 33), np.float32)
with no_grad():
    by_window = network(tensor(windows)).data.T.reshape(1, 3, 33, 33)
    for y in (0, 2):
        for x in (0, 2):
            shifted = np.ascontiguousarray(part[:, :, y:, x:])
            stitched[:, :, y // 2 :: 2, x // 2 :: 2] = whole(tensor(shifted)).data
equal("windows at every 2 pixels, and shift and stitch", by_window, stitched, within=1e-4)
