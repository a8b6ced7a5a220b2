# %% [markdown]
# # 01. What is a segmentation, and what is a good one?
#
# **Time:** 30 minutes; the code runs in 4 seconds. **Before:** nothing.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask [01]
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will look at a segmentation, compute scores that say how good it is, and meet an answer that
# never looks at the image and still gets a high one. At the end you will see the network that this
# course takes apart, and which tutorial is about which part. The three lines above are a map of
# it; you need not understand them yet.
#
# Run the cells from top to bottom. Where the text says **Predict**, write your answer down before
# you go on. In all tutorials, `measured` prints a computed number next to the one in the text,
# `equal` compares two results, and `claim` checks a sentence against what was computed. Change a
# number in the code and run it again: where one of these finds that the result is no longer what
# the text says, a line tells you, and the program goes on. `show` displays a picture; in a script,
# it prints where the picture is.

# %%
import numpy as np

from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.course.map import draw_map
from minifcn.data.shapes import Shapes
from minifcn.metrics import ConfusionMatrix
from minifcn.plots import plot_confusion, plot_predictions
from minifcn.plots.instances import plot_instances

out = pictures("01")  # the folder runs/tutorials/01

# %% [markdown]
# ## A class for every pixel
#
# A colour image is a grid of **pixels**, each with a red, a green and a blue value. Its
# **segmentation** gives each pixel a **class**: the name of what can be seen there. The classes
# are fixed beforehand, and numbered from 0. The grid of these numbers is called a **mask**.
#
# Our images are scenes of shapes. The computer draws each together with its true mask, the
# **truth**.

# %%
scenes = Shapes("val")  # 200 scenes of 96 x 96 pixels; "val": for validation, not for training
image, truth = scenes[3]
print("image:", image.shape, image.dtype, "  height, width, colours")
print("truth:", truth.shape, truth.dtype, "  height, width")
print("classes:", dict(enumerate(scenes.classes)))
print("a part of the mask, at the border of a square:")
print(truth[26:36, 20:40])

# %% [markdown]
# ## Classes, not objects
#
# A mask of classes does not tell two objects of one class apart: the pixels of both have the same
# number. To give each pixel a class is called **semantic segmentation**. To give each pixel of an
# object the number of that object, and each object its class, is another task, **instance
# segmentation**. The scene below has two discs and a square, and gets both kinds of masks.
#
# Predict: from which of the two masks can you tell how many discs there are?

# %%
h, w = np.mgrid[:64, :96]  # the row and the column of each pixel
disc_1 = (h - 26) ** 2 + (w - 26) ** 2 < 18**2
disc_2 = (h - 38) ** 2 + (w - 52) ** 2 < 15**2
square = (abs(h - 22) < 11) & (abs(w - 78) < 11)

objects = np.select([disc_1, disc_2, square], [1, 2, 3])  # 0 elsewhere
class_of = np.array([0, 1, 1, 2])  # of each object: background, disc, disc, square
classes = class_of[objects]
colours = np.array([(90, 110, 90), (200, 90, 60), (70, 120, 200), (220, 190, 80)], np.uint8)
names = ["background", "disc", "square"], ["background", "disc 1", "disc 2", "square"]
plot_instances(out / "instances.png", colours[objects], classes, objects, *names)
show(out / "instances.png")

# %% [markdown]
# From the mask of objects, with the class of each. `class_of[objects]` turns objects into classes,
# but nothing turns them back: as one object or as two, the pixels of the discs have class 1. Could
# you count separate regions instead? This function does. Our two discs touch.


# %%
def regions(inside):
    """Count the regions of pixels that are joined by their sides."""
    numbers = np.arange(1, inside.size + 1).reshape(inside.shape) * inside
    while True:  # each pixel takes the largest number beside it, until none changes
        padded = np.pad(numbers, 1)
        beside = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
        larger = np.max([numbers, *beside], axis=0) * inside
        if (larger == numbers).all():
            return len(np.unique(numbers[inside]))
        numbers = larger


as_one = np.where(objects == 2, 1, objects)  # both discs are object 1
equal("classes, from one object and from two", class_of[as_one], classes, within=0)
measured("discs", len(np.unique(objects[classes == 1])), "2")
measured("regions of class disc", regions(classes == 1), "1")

# %% [markdown]
# There are 2 discs, but their class has 1 region. This course is about semantic segmentation, and
# from here on "segmentation" means that.
#
# ## A prediction
#
# A **prediction** is the mask that a person or a network gives for the image. We have no network
# yet, and make a prediction from the truth, too coarsely: each block of 8 x 8 pixels gets the true
# class of one pixel near its middle, the one in row 4 and column 4, counted from 0.


# %%
def coarse(mask, block=8):  # block divides 96
    middles = mask[block // 2 :: block, block // 2 :: block]
    return middles.repeat(block, axis=0).repeat(block, axis=1)


prediction = coarse(truth)
sample = (image, truth, prediction)  # the palette has the colour of each class
plot_predictions(out / "prediction.png", [sample], scenes.classes, scenes.palette)
show(out / "prediction.png")

# %% [markdown]
# Most errors are near the borders of the objects, and the cross has lost an arm. Tutorial 07
# returns to what a coarse grid does to thin shapes. ("Ignored" pixels come later; there are none
# here.)
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
# Somebody answers "background" for every pixel of every image, without looking. What pixel accuracy
# does this answer get on all 200 scenes together? Look at the picture above, and write down a
# number.

# %%
truths = np.stack([mask for _, mask in scenes])
nothing = np.zeros_like(truths)  # class 0 is the background
blind = (nothing == truths).mean()
measured("pixel accuracy of all background", blind, "82.1 %")

# %% [markdown]
# All background gets 82.1 %, because that share of the pixels is background. Pixel accuracy says
# little where one class is much more frequent than the others. We need a score that asks about each
# class.
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
# Each row of the picture is divided by its sum: its cells are shares of the true class, in percent.
# Read the last row: of the pixels of lines, 60 % were found, and most of the others were taken for
# background. The mean of the six shares on the diagonal is called **mean accuracy**.

# %%
shares = n / n.sum(axis=1, keepdims=True)
measured("lines found", shares[5, 5], "60 %")
others = 1 - shares[5, 5]
claim("most other pixels of lines were taken for background", shares[5, 0] > 0.8 * others)
equal("mean accuracy", np.diag(shares).mean(), matrix.mean_accuracy)

# %% [markdown]
# ## Intersection over union
#
# For one class, take two sets of pixels: those that have this class in the truth, and those that
# have it in the prediction. Their **intersection over union** (IU, elsewhere also IoU) is
#
# ```
# IU = pixels in both sets / pixels in at least one of them
# ```
#
# It is 1 where the two sets are the same and 0 where they have no pixel in common. (If both are
# empty, it is 0 / 0, and not defined.) Both kinds of mistake keep it from being 1: a missed pixel,
# and one claimed wrongly. In the matrix, row i counts the first set and column i the second. Their
# sum counts the pixels in both sets, `n[i, i]`, twice, so we take them off once:
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
claim("each thin class has a lower IU than each other one", iu[3:].max() < iu[:3].min())

# %% [markdown]
# Over all scenes, 91.9 % of the pixels are right, but the mean IU is 0.626. The IU of each class
# shows what the pixel accuracy hides: each of the thin classes, ring, cross and line, scores lower
# than each of the others.

# %%
measured("pixel accuracy of the coarse prediction, all scenes", matrix.pixel_accuracy, "91.9 %")

# %% [markdown]
# ## Change one thing: answer "background"
#
# What mean IU does the all-background answer get? Its intersection with each of the five shapes
# is empty: five zeros. For the background, the intersection is all true background and the union is
# every pixel, so its IU is the pixel accuracy. The mean over the classes is
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
# 82.1 % pixel accuracy, but a mean IU of 0.137. This mean IU is the **baseline**: a network that
# does not get above it scores no better than an answer given without looking. Compare every mean IU
# with the baseline of its own images.
#
# ## One matrix for all images
#
# The matrix collects the pixels of all images, and the score is computed once, at the end. The
# mean of the scores of single images is another number. For one image, a class that is neither in
# its truth nor in its prediction is left out (its IU would be 0 / 0), and a class of which the
# image has three pixels counts as much as any other.

# %%
scores = []
for true_mask, predicted in zip(truths, predictions, strict=True):
    single = ConfusionMatrix(num_classes=6)
    single.update(true_mask, predicted)
    scores.append(single.mean_iu)
measured("mean of the mean IUs of single images", np.mean(scores), "0.639")

# %% [markdown]
# 0.639 is not 0.626. Before you compare yours with a published number, find out which of the two
# it is.
#
# ## Void: pixels that do not count
#
# People who draw masks are often unsure about borders. Many data sets mark such pixels as **void**,
# often with the number 255, as we do. Void is not a class: its pixels are taken out before anything
# is counted, and whatever is predicted there is neither right nor wrong.
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
wrong = predictions != truths
measured("errors that are void", (marked[wrong] == 255).mean(), "88 %")
measured("pixels that are void", (marked == 255).mean(), "20 %")
measured("pixel accuracy without the borders", lenient.pixel_accuracy, "98.8 %")
counting = [(marked == i).sum() / (truths == i).sum() for i in range(6)]  # a share of each class
measured("line pixels that still count", counting[5], "13 %")
claim("of each thin class less than a fifth still counts", max(counting[3:]) < 0.2)

four_lines = scenes[71][0]
rows_shown = [(four_lines, mask, predictions[71]) for mask in (truths[71], marked[71])]
plot_predictions(out / "void.png", rows_shown, scenes.classes, scenes.palette)
show(out / "void.png")
counted, drawn = (marked[71] == 5).sum(), (truths[71] == 5).sum()
measured("line pixels of this scene that still count", counted / drawn, "15 %")

# %% [markdown]
# The picture shows a scene with four lines, twice. In the lower row borders are void, and hatched.
# Of the lines, threads are left: 15 % of their pixels.
#
# Over all scenes, the same prediction now has 98.8 % pixel accuracy: 20 % of all pixels are void,
# but 88 % of the errors are. And of the pixels of lines, 13 % still count: together with the
# borders, void takes most of the thin objects out of the score, here more than four fifths of the
# rings, the crosses and the lines. Before you trust a score, look at where its void is.
#
# ## The network that this course takes apart
#
# A **fully convolutional network**, **FCN** for short, can turn an image of any size into a mask of
# the same size. The picture shows one, from left to right, with the numbers of the tutorials in
# dark discs. `1/8` says that an eighth of the image's rows and of its columns are left. You do not
# need to know the other words yet: each will be explained.

# %%
draw_map(out / "map.png")
show(out / "map.png")

# %% [markdown]
# Convolutions and pooling make the image smaller, and turn its colours into features. Layers that
# in a classifier name one class for a whole image are applied as convolutions, and give scores for
# each class on a coarse map. This map is made larger in three steps; after the first and after the
# second, a skip adds scores from an earlier stage, which has more rows and columns than the coarse
# map. Each pixel gets the class with the highest score. The weights are learned: gradients of one
# number, the loss, say how to change them.
#
# At the head of each tutorial you find this map in three lines. The number in brackets is where
# you are. The order of the words is that in which the data go through the network; the order of the
# numbers is that of the course. Come back to the picture when you have lost your way.
#
# ## Exercises
#
# 1. Make a new `ConfusionMatrix(num_classes=6)` and call `update(predictions, truths)`, with the
#    arguments the wrong way round. Which of `pixel_accuracy`, `mean_accuracy` and `mean_iu` differ
#    from those of `matrix`? First say which, and why, then try.
# 2. `regions(classes == 1)` counted fewer regions than there are discs. Add a third kind of object
#    to the scene, with a number and a class of its own, so that the same function counts more
#    regions than there are discs. With `discs = len(np.unique(objects[classes == 1]))`, the line
#    `claim("more regions than discs", regions(classes == 1) > discs)` then says nothing.
# 3. Make predictions for all scenes that together have a pixel accuracy *lower* than `blind`, that
#    of all background, and a mean IU *higher* than `0.5`. Begin with `truths.copy()`, and spoil a
#    part of it. A `ConfusionMatrix` tells you when you are there.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write it yourself, checked: `scores` (`minifcn course start my-course`, then
# `minifcn course check my-course scores`). The first command writes stubs, which say what your
# functions get and give. The second says which part is wrong, and which mistake it is, if it knows
# that one. Later tutorials name more of these exercises; docs/EXERCISES.md describes them.
#
# ## Next
#
# Now you know what we want, and how to measure it. The next tutorial takes apart the operation that
# does most of the work in our networks: the convolution.
