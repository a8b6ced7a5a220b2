# %% [markdown]
# # 01. What is a segmentation, and what is a good one?
#
# **Time:** 20 minutes; the code runs in 3 seconds. **Before:** nothing.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask [01]
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05                        the whole job: 14
# ```
#
# You will look at a segmentation, compute scores that say how good it is, and meet an answer that
# never looks at the image and still gets a high one. Know this before you train a network, the
# kind of program that tutorial 05 explains: a score decides which networks people keep.
#
# Run the cells from top to bottom. Where the text says **Predict**, write your answer down
# before you go on. In all tutorials, `measured` prints a number that was computed beside the one
# in the text, `equal` compares two results, and `claim` holds a sentence to what was computed.
# Change any number of the code and run it again: where the result is no longer what the text says,
# a line tells you both, and the program goes on. `show` displays a picture; in a script, it prints
# where the picture is.

# %%
import numpy as np

from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.data.shapes import Shapes
from minifcn.metrics import ConfusionMatrix
from minifcn.plots import plot_confusion, plot_predictions

out = pictures("01")  # the folder runs/tutorials/01

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
scenes = Shapes("val")  # 200 scenes of 96 x 96 pixels; "val": for validation, not for training
image, truth = scenes[3]
print("image:", image.shape, image.dtype, "  height, width, colours")
print("truth:", truth.shape, truth.dtype, "  height, width")
print("classes:", dict(enumerate(scenes.classes)))
print("a part of the mask, at the border of a square:")
print(truth[26:36, 20:40])

# %% [markdown]
# ## A prediction
#
# A **prediction** is the mask that somebody, or some network, gives for the image. We have no
# network yet. So we make a prediction from the truth, too coarsely: each block of 8 x 8 pixels gets
# the true class of one pixel in its middle, that of row 4 and column 4.


# %%
def coarse(mask, block=8):  # block divides 96
    middles = mask[block // 2 :: block, block // 2 :: block]
    return middles.repeat(block, axis=0).repeat(block, axis=1)


prediction = coarse(truth)
sample = (image, truth, prediction)  # the palette has the colour of each class
plot_predictions(out / "prediction.png", [sample], scenes.classes, scenes.palette)
show(out / "prediction.png")

# %% [markdown]
# The errors are at the borders of the objects, and the cross has lost an arm. In tutorial 07 you
# will see why networks make this kind of error. ("Ignored" pixels come at the end; here are none.)
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
# 91.7 % of the pixels of this scene are right. That sounds good.
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
# where one class is much more frequent than the others. We need a score that asks for each class.
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
# Each row of the picture is divided by its sum, so that its cells are shares of the true class,
# in percent. Read the last row: of the pixels of lines, 60 % were found, and most others were taken
# for background. The mean of the six shares on the diagonal is called **mean accuracy**.

# %%
shares = n / n.sum(axis=1, keepdims=True)
measured("lines found", shares[5, 5], "60 %")
others = 1 - shares[5, 5]
claim("most other pixels of lines were taken for background", shares[5, 0] > 0.8 * others)
equal("mean accuracy", np.diag(shares).mean(), matrix.mean_accuracy)

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
# mistakes make it smaller: a missed pixel and one claimed wrongly. In the matrix, row i counts the
# first set and column i the second. Their sum counts the pixels in both sets, `n[i, i]`, twice, so
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
# Over all scenes, 91.9 % of the pixels are right, but the mean IU is 0.626. It shows what the pixel
# accuracy hides: rings, crosses and lines are found badly.

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
# is not above 0.137 is no better than closed eyes. The package prints it below every mean IU.
#
# ## One matrix for all images
#
# The matrix collects the pixels of all images, and the score is computed once, at the end. The
# mean of the scores of single images is another number. For one image, a class that is neither in
# its truth nor in its prediction is left out (its IU would be 0 / 0), and a class with three pixels
# counts as much as any other.

# %%
scores = []
for true_mask, predicted in zip(truths, predictions, strict=True):
    single = ConfusionMatrix(num_classes=6)
    single.update(true_mask, predicted)
    scores.append(single.mean_iu)
measured("mean of the mean IUs of single images", np.mean(scores), "0.639")

# %% [markdown]
# 0.639 is not 0.626. Before you compare with a published number, find out which of the two it is.
#
# ## Void: pixels that do not count
#
# People who draw masks are not sure about borders. Many data sets mark such pixels as **void**,
# by the number 255. They are no class: they are taken out before anything is counted, and
# whatever is predicted there is neither right nor wrong.
#
# Here we make a pixel void if the 5 x 5 pixels around it are not all of one class. The function
# makes 25 shifted copies of the mask. Where their smallest value equals their largest, it is one
# class.


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
# Void is hatched in the picture. The same prediction now has 98.8 % pixel accuracy, because most of
# its errors were where nobody counts. And of the pixels of lines only 13 % are left. So void makes
# a score fair where the truth is unsure, and blind where objects are thin. Before you trust a
# score, look at where its void is.
#
# ## Exercises
#
# 1. Make a new `ConfusionMatrix(num_classes=6)` and call `update(predictions, truths)`, with the
#    arguments the wrong way round. Which of `pixel_accuracy`, `mean_accuracy` and `mean_iu` differ
#    from those of `matrix`? First say why, then try.
# 2. The Dice score of a class is `2 * both / (rows + columns)`. Find the formula that turns IU
#    into Dice, and put it in place of the dots: `equal("Dice", ..., 2 * both / (rows + columns))`.
# 3. Make predictions for all scenes that have together a pixel accuracy *lower* than `blind`, that
#    of all background, and a mean IU *higher* than `0.5`. Begin with `truths.copy()`, and spoil a
#    part of it. A `ConfusionMatrix` tells you when you are there.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# ## Next
#
# Now you know what we want, and how to measure it. The next tutorial takes apart the operation
# that most of our networks' work consists of: the convolution.
