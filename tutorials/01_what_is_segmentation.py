# %% [markdown]
# # 01. What is a segmentation, and what is a good one?
#
# **Time:** 20 minutes; the code runs in 3 seconds. **Before:** nothing.
#
# You will look at a segmentation, count how good it is in four ways, and meet an answer that
# never looks at the image and still scores well. It is worth knowing before you train anything:
# a network learns what you measure, and so do you.
#
# Run the cells from top to bottom. Where the text says **Predict**, write your answer down
# before you go on. A line that ends in "(the text says ...)" checks a number of this text.

# %%
import numpy as np

from minifcn.data.shapes import Shapes
from minifcn.lesson import equal, measured, pictures, show
from minifcn.metrics import ConfusionMatrix
from minifcn.plots import plot_confusion, plot_predictions

out = pictures("01")

# %% [markdown]
# ## A class for every pixel
#
# An image is a grid of **pixels**, each with a red, a green and a blue value. Its
# **segmentation** gives each pixel a **class**: the name of what is to be seen there. The classes
# are fixed beforehand, and numbered from 0. The grid of these numbers is called a **mask**.
#
# Our images are scenes of shapes, drawn by the computer, so that the true mask, the **truth**, is
# known exactly.

# %%
scenes = Shapes("val")  # 200 scenes of 96 x 96 pixels
image, truth = scenes[3]
print("image:", image.shape, image.dtype, "  height, width, colours")
print("truth:", truth.shape, truth.dtype, "  height, width")
print("classes:", dict(enumerate(scenes.classes)))
print(truth[26:36, 20:40])

# %% [markdown]
# ## A prediction
#
# A **prediction** is the mask that somebody, or some network, gives for the image. We have no
# network yet. So we take one that sees too coarsely: it knows the true class of the middle of each
# block of 8 x 8 pixels, and gives that class to the whole block.


# %%
def coarse(mask, block=8):
    middles = mask[block // 2 :: block, block // 2 :: block]
    return middles.repeat(block, axis=0).repeat(block, axis=1)


prediction = coarse(truth)
sample = (image, truth, prediction)
plot_predictions(out / "prediction.png", [sample], scenes.classes, scenes.palette)
show(out / "prediction.png")

# %% [markdown]
# The error is at the borders of the objects, and thin strokes suffer most. In tutorial 07 you
# will see why networks make this very kind of error.
#
# ## Pixel accuracy
#
# The simplest score is **pixel accuracy**, the share of pixels that are right:
#
# ```
# pixel accuracy = right pixels / all pixels
# ```

# %%
accuracy = (prediction == truth).mean()
measured("pixel accuracy of the coarse prediction", accuracy, "91.7 %")

# %% [markdown]
# 91.7 % of the pixels are right. That sounds good.
#
# ## Predict
#
# Somebody answers "background" for every pixel of every image, with closed eyes. Which pixel
# accuracy does that get on all 200 scenes together? Look at the picture above, and write down a
# number.

# %%
truths = np.stack([mask for _, mask in scenes])
nothing = np.zeros_like(truths)  # class 0 is the background
blind = (nothing == truths).mean()
measured("pixel accuracy of all background", blind, "82.1 %")

# %% [markdown]
# All background gets 82.1 %, because most pixels are background. Pixel accuracy says little
# where one class is much more frequent than the others, as in most photos. We need a score that
# asks for each class.
#
# ## The confusion matrix
#
# A **confusion matrix** counts the pixels by two classes: `n[i, j]` is how many pixels of the true
# class i (the row) were predicted as class j (the column). The right ones are on its diagonal.
# First in plain NumPy, then with the package:

# %%
predictions = np.stack([coarse(mask) for mask in truths])
n = np.zeros((6, 6), np.int64)
for i in range(6):
    for j in range(6):
        n[i, j] = ((truths == i) & (predictions == j)).sum()

matrix = ConfusionMatrix(num_classes=6)
matrix.update(truths, predictions)
equal("confusion matrix", n, matrix.counts, within=0)
plot_confusion(out / "confusion.png", n, scenes.classes)
show(out / "confusion.png")

# %% [markdown]
# Each row of the picture is divided by its sum, so that its cells are shares of the true class.
# Read the last row: of the pixels of lines, 60 % were found, and most others were taken
# for background.

# %%
shares = n / n.sum(axis=1, keepdims=True)
measured("lines found", shares[5, 5], "60 %")
assert shares[5, 0] > 0.8 * (1 - shares[5, 5])

# %% [markdown]
# ## Intersection over union
#
# For one class, take two sets of pixels: those that are of this class in the truth, and those
# that are predicted so. Their **intersection over union** (IU, elsewhere also IoU) is
#
# ```
# IU = pixels in both sets / pixels in at least one of them
# ```
#
# It is 1 where the two sets are the same and 0 where they have no pixel in common. Both kinds of
# mistakes make it smaller: a missed pixel and one claimed wrongly. In the matrix, row i holds the
# first set and column i the second, so
#
# ```
# IU_i = n[i, i] / (sum of row i + sum of column i - n[i, i])
# ```
#
# The **mean IU** is the mean over the classes, each of the same weight, however rare it is.

# %%
rows, columns, both = n.sum(axis=1), n.sum(axis=0), np.diag(n)
iu = both / (rows + columns - both)
lines_true, lines_predicted = truths == 5, predictions == 5
by_sets = (lines_true & lines_predicted).sum() / (lines_true | lines_predicted).sum()

equal("IU of lines, by sets and by matrix", by_sets, iu[5])
equal("IU of each class, by hand and by the package", iu, matrix.iu)
for name, value in zip(scenes.classes, iu, strict=True):
    print(f"  {name:12}{value:.2f}")
measured("mean IU of the coarse prediction", matrix.mean_iu, "0.626")

# %% [markdown]
# The mean IU is 0.626: it tells what 91.9 % pixel accuracy over all scenes hides.

# %%
measured("pixel accuracy of the coarse prediction, all scenes", matrix.pixel_accuracy, "91.9 %")

# %% [markdown]
# ## Change one thing: answer "background"
#
# What mean IU does the answer with closed eyes get? Its intersection with each of the five shapes
# is empty: five zeros. For the background, the intersection is all true background, and the union
# is everything, so its IU is the pixel accuracy. The mean over the classes is
#
# ```
# mean IU of all background = pixel accuracy / number of classes
# ```

# %%
background = ConfusionMatrix(num_classes=6)
background.update(truths, nothing)
equal("mean IU and accuracy / classes", background.mean_iu, blind / 6)
measured("mean IU of all background", background.mean_iu, "0.137")

# %% [markdown]
# 82.1 % pixel accuracy, but a mean IU of 0.137. This is the **baseline**: a network whose mean IU
# is not above 0.137 has learned nothing about the images. The package prints it beside every
# score.
#
# ## One matrix for all images
#
# The matrix collects the pixels of all images, and the score is computed once, at the end. The
# mean of the scores of single images is another number. A class that is not in an image has no
# score there and is left out, and one with three pixels there counts as much as any other.

# %%
scores = []
for true_mask, predicted in zip(truths, predictions, strict=True):
    single = ConfusionMatrix(num_classes=6)
    single.update(true_mask, predicted)
    scores.append(single.mean_iu)
measured("mean of the mean IUs of single images", np.mean(scores), "0.639")

# %% [markdown]
# 0.639 is not 0.626. Where you compare with a published number, ask which of the two it is.
#
# ## Void: pixels that do not count
#
# People who draw masks are not sure about borders. Many data sets mark such pixels as **void**,
# by the number 255. They are no class: they are taken out before anything is counted, and
# whatever is predicted there is neither right nor wrong.
#
# Here we make all pixels void that have a pixel of another class within two pixels.


# %%
def with_void_borders(mask, distance=2):
    padded = np.pad(mask, distance, mode="edge")
    offsets = range(2 * distance + 1)
    height, width = mask.shape
    windows = [padded[y : y + height, x : x + width] for y in offsets for x in offsets]
    return np.where(np.min(windows, axis=0) == np.max(windows, axis=0), mask, 255).astype(np.uint8)


marked = np.stack([with_void_borders(mask) for mask in truths])
lenient = ConfusionMatrix(num_classes=6)
lenient.update(marked, predictions)
measured("pixel accuracy without the borders", lenient.pixel_accuracy, "98.8 %")
measured("line pixels that still count", (marked == 5).sum() / (truths == 5).sum(), "13 %")

plot_predictions(out / "void.png", [(image, marked[3], prediction)], scenes.classes, scenes.palette)
show(out / "void.png")

# %% [markdown]
# The same prediction now has 98.8 % pixel accuracy, because its errors were where nobody counts.
# And of the pixels of lines only 13 % are left. Void makes a score fair where the truth is
# unsure, and blind where objects are thin. You have to know where it is.
#
# ## Exercises
#
# 1. Call `update(predictions, truths)`, with the arguments the wrong way round. Which of
#    `pixel_accuracy`, `mean_accuracy` and `mean_iu` change? First say why, then try.
# 2. The Dice score of a class is `2 * both / (rows + columns)`. Find the formula that turns IU
#    into Dice, and check it with `equal("Dice", ..., 2 * both / (rows + columns))`.
# 3. Make a prediction for all scenes whose pixel accuracy is *lower* than that of all background
#    and whose mean IU is *higher* than `0.5`. You may use `truths`. A `ConfusionMatrix` tells you
#    when you are there.
#
# ## Next
#
# Now you know what we want, and how to measure it. The next tutorial takes apart the one operation
# that nearly all of the network consists of: the convolution.

# %% tags=["answers"]
# 1. The matrix is transposed. Its diagonal and its sum stay, and IU treats rows and columns alike.
#    Mean accuracy divides by the rows: it changes.
swapped = ConfusionMatrix(num_classes=6)
swapped.update(predictions, truths)
assert swapped.pixel_accuracy == matrix.pixel_accuracy
assert np.allclose(swapped.iu, matrix.iu)
assert swapped.mean_accuracy != matrix.mean_accuracy

# 2. With a + b = rows + columns: IU = both / (a + b - both), so Dice = 2 IU / (1 + IU).
equal("Dice", 2 * iu / (1 + iu), 2 * both / (rows + columns))

# 3. Keep all objects right, and spoil a part of the background with a single class: only that
#    class's IU and the background's fall.
spoilt = truths.copy()
left = spoilt[:, :, :24]
left[left == 0] = 5
spoilt_matrix = ConfusionMatrix(num_classes=6)
spoilt_matrix.update(truths, spoilt)
assert spoilt_matrix.pixel_accuracy < blind
assert spoilt_matrix.mean_iu > 0.5
