# %% [markdown]
# # 13. Why does the paper crop by 19?
#
# **Time:** 40 minutes; the code runs in 3 seconds. **Before:** 02, 07, 09, 10, 12.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops [13], lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# A skip adds two scores, and they had better be about the same place. In the paper's networks
# (Long, Shelhamer and Darrell, 2015), as their code was published, a few numbers see to that: pad
# by 100, and crop by 19; with skips, crop by 5 and 27, or by 5, 9 and 31.
#
# You will derive the crops with one formula, test the formula, find out which paddings would do,
# and measure what a wrong crop costs.

# %%
from fractions import Fraction

import numpy as np

from minifcn import functional as F
from minifcn import tensor
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.data.shapes import Design, Shapes
from minifcn.experiments.skips.oracle import oracle
from minifcn.kernels.geometry import Window, crop_offset
from minifcn.metrics import ConfusionMatrix
from minifcn.models.vgg_fcn import crops
from minifcn.plots.offsets import fcn_layers, plot_offsets
from minifcn.plots.skips import plot_strides

out = pictures("13")

# %% [markdown]
# ## Where is a cell?
#
# Take one axis. Output o of a convolution sees the inputs from `s * o - p` to `s * o - p + k - 1`
# (tutorial 02). We say that it lies at the centre of this window, `x = s * o - p + (k - 1) / 2`.
# Solve for o: position x of the input is position o of the output. In a transposed convolution,
# input and output change places:
#
# ```
# convolution, pooling:      o = (x + p - (k - 1) / 2) / s
# transposed convolution:    o = s * x - p + (k - 1) / 2
# ```
#
# o need not be a whole number: it may lie between two cells. `Fraction` computes without rounding.


# %%
def conv(x, k, s=1, p=0):
    return (x + p - Fraction(k - 1, 2)) / s


def deconv(x, k, s, p=0):
    return s * x - p + Fraction(k - 1, 2)


print("pixel 5 after a 2x2 pooling is at", conv(Fraction(5), k=2, s=2))
print("and after a transposed convolution with k=4, s=2, at", deconv(Fraction(5), k=4, s=2))

# %% [markdown]
# We follow a pixel through the FCN-32s of tutorial 12, layer by layer. Its 3x3 convolutions have
# padding 1, its upsampling has k = 64, s = 32 and p = 16. A 1x1 convolution changes no position.


# %%
def ours(x):
    """Where pixel x of the image is in the output of our FCN-32s."""
    for _ in range(5):
        x = conv(conv(x, k=3, p=1), k=2, s=2)
    x = conv(x, k=3, p=1)  # fc6
    return deconv(x, k=64, s=32, p=16)


print("pixel 0 -> ", ours(Fraction(0)), "  pixel 37 -> ", ours(Fraction(37)))
claim("pixels stay where they are", all(ours(Fraction(n)) == n for n in range(96)))

# %% [markdown]
# Pixel 0 of the image is pixel 0 of the output, and pixel 37 is pixel 37. Such a network is
# **aligned**: a position of the image is the same position of the output. Nothing has to be
# cropped. Each convolution pads by (k - 1) / 2, and each upsampling by half its factor.
#
# ## Predict
#
# The paper's network is another one. Its first convolution (3x3) pads by 100, fc6 has k = 7 and no
# padding, and the upsampling (k = 64, s = 32) has no padding. The other convolutions of its
# backbone, VGG16, are 3x3 with p = 1. Its five poolings are like ours.
#
# The padding moves pixel 0 to the right, fc6 moves it to the left, the upsampling to the right
# again. The title tells where it ends up. Predict the way: after fc6, does it lie before cell 0 or
# after it? And where would it end up if the first convolution padded by 110?

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
claim("after fc6, pixel 0 lies before cell 0", top < 0)
rest = [*[Window(2, 2)] * 5, Window(7), Window(64, 32, transposed=True)]  # a list, for the package
measured("the same with padding 110", crop_offset([Window(3, padding=110), *rest]), "29")

# %% [markdown]
# Pixel 0 of the image is pixel 19 of the output, so the first 19 rows and columns are cut off. 19
# is the **crop offset**. After fc6, pixel 0 lies before the centre of cell 0. With a padding of 110
# it would end up at pixel 29.
#
# In one line, where the five poolings are like one window with k = s = 32:
#
# ```
# 32 * ((0 + 99 - 31/2) / 32 - 3) + 63/2 = 99 - 15.5 - 96 + 31.5 = 19
#            99: 100 - (3 - 1) / 2      31/2: (32 - 1) / 2, the poolings
#             3: (7 - 1) / 2, fc6       63/2: (64 - 1) / 2, the upsampling
# ```
#
# ## With skips: 5 and 27; 5, 9 and 31
#
# With skips, two more pairs must be aligned before they are added: the upsampled scores with those
# of pool4, and then with those of pool3. Pixel 0 has a higher position in the finer map than in the
# upsampled one: the finer map has more cells before it. As many as the difference are cut off.

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
claim("32s: 19", crops(32) == {"scores": 19})
claim("16s: 5 and 27", crops(16) == {"score_pool4": 5, "scores": 27})
claim("8s: 5, 9 and 31", crops(8) == {"score_pool4": 5, "score_pool3": 9, "scores": 31})
wider = [[Window(3, padding=110), *own[1:]] for own in (backbone[:5], doubled)]
claim("with padding 110 the crop of pool4 is still 5", crop_offset(*wider) == 5)
stage, twice = [Window(3, padding=1), Window(2, 2)], Window(4, 2, 1, transposed=True)
ours_doubled = [*(5 * stage), Window(3, padding=1), twice]
claim("ours needs no crop of pool4", crop_offset(4 * stage, ours_doubled) == 0)
claim("ours needs no crop of pool3", crop_offset(3 * stage, [*ours_doubled, twice]) == 0)

# %% [markdown]
# 5 and 27 for FCN-16s; 5, 9 and 31 for FCN-8s. The 5 compares two maps that the padding moves
# alike: with a padding of 110 it is still 5. In the networks of tutorial 12 both crops are 0.
#
# The same on a ruler, with the names of the paper's code. `score_fr` are the scores of the top,
# `upscore2` the same, upsampled by 2; `score_pool4` and `score_pool3` are the scores of pool4 and
# pool3. `upscore_pool4` is the first sum, upsampled by 2, and `upscore8` the second sum, upsampled
# by 8.

# %%
plot_offsets(out / "ruler.png", *fcn_layers(8))
show(out / "ruler.png")
measured("pixel 0 in pool4", float(paper["pool4"]), "5.71875")
measured("cell 0 of pool4, in pixels of the image", float(-16 * paper["pool4"]), "-91.5")

# %% [markdown]
# Look at `score_pool4`. Pixel 0 lies at 5.71875 on its scale, whose cells are 16 pixels apart. So
# cell 0 of pool4 lies at pixel -91.5 of the image, far outside, in the border of zeros. Its first 5
# cells are white: cropped. Cell 5 lies below the first cell of `upscore2`, and the two are added.
#
# ## Measure the 19
#
# A formula should be tested. Take a line of pixels whose *values are their positions*: 0, 1, 2, ...
# Replace each convolution and pooling of FCN-32s by the average over its window. (The other 3x3
# convolutions, with padding 1, move nothing: we leave them out.) The average of positions is the
# centre of the window, so each cell tells where in the image it is. Bilinear upsampling draws
# straight lines between these positions. If the formula is right, output o shows o - 19.


# %%
def average(x, k, s=1, p=0):
    kernel = tensor(np.full((1, 1, 1, k), 1 / k))
    return F.conv2d(x, kernel, stride=(1, s), padding=(0, p))


def upsample_line(x, factor):
    kernel = 1 - np.abs(np.arange(2 * factor) - (2 * factor - 1) / 2) / factor  # tutorial 10
    return F.conv_transpose2d(x, tensor(kernel[None, None, None]), stride=(1, factor))


positions = tensor(np.arange(2000.0)[None, None, None])
x = average(positions, k=3, p=100)
for _ in range(5):
    x = average(x, k=2, s=2)
line = upsample_line(average(x, k=7), 32).numpy()[0, 0, 0]
outputs = np.arange(500, 1500)  # far from the padding, whose zeros are no positions
equal("o - 19 and what output o shows", outputs - 19.0, line[outputs])

# %% [markdown]
# Each of these 1000 outputs shows its number less 19.
#
# ## Why pad by 100?
#
# fc6 has a 7x7 window and no padding: it takes 3 cells of 32 pixels, so 96 pixels, from each side.
# Without more padding, the scores would cover only the middle of the image, and an image with
# fewer than 7 cells after the fifth pooling would have no scores at all. The paper's network gives
# the image a wide border of zeros first. How wide must it be? In the formula above, 99 is the
# padding P less 1, so the crop is P - 81. We test three conditions, for all sizes from 1 to 600:
# fc6 has its 7 cells, the crop is not negative, and the cropped output reaches the last pixel.


# %%
def fits(size, padding):
    """Whether FCN-32s scores all pixels of an image of this size."""
    cells = size + 2 * padding - 2  # after the first convolution
    for _ in range(5):
        cells = (cells + 1) // 2  # in the paper's code, a pooling rounds up
    output = 32 * (cells - 6 - 1) + 64  # fc6 takes 6 cells; then upsampling
    crop = padding - 81
    return cells >= 7 and crop >= 0 and output >= crop + size


def crop_with(padding):
    return crop_offset([Window(3, padding=padding), *layers[1:]])


claim("the crop is P - 81", all(crop_with(p) == p - 81 for p in range(81, 201)))
sizes = range(1, 601)
without = [size for size in sizes if not fits(size, 81)]
works = [p for p in range(1, 201) if all(fits(size, p) for size in sizes)]
measured("smallest padding that works for every size", works[0], "97")
claim("every larger one works, too", works == list(range(works[0], 201)))
claim("with 81, the first one without a crop, small images fail", 1 in without)
measured("area with padding 100, for 500 x 500 pixels", (500 + 198) ** 2 / 500**2, "1.95")
measured("area with padding 100, for 64 x 64 pixels", (64 + 198) ** 2 / 64**2, "16.8")

# %% [markdown]
# Every padding from 97 to 200 works for these sizes; the paper's 100 is one of them. (The page of
# the published code says what it is for: with it the output can be aligned with an image of any
# size in the data sets.) The price is work on zeros: the first convolution's output has 1.95 times
# the pixels of a 500 x 500 image, and 16.8 times those of a 64 x 64 image. An aligned network,
# where fc6 with k = 7 has padding 3 and upsampling has p = s / 2, does not pay this price. The
# package's `FCN` is aligned; its fc6 has k = 3 and padding 1.
#
# ## Change one thing: a wrong crop
#
# In the paper's FCN-8s a crop that is 4 pixels too far raises no error: its output reaches further
# than the image, and what is cut out has the right size. It is shifted. What does that cost? We
# need no network to see it. The oracle of tutorial 07 searches for the best scores of stride 8, for
# scenes whose strokes are 3 pixels wide. We crop its mask 1, 2 and 4 pixels too far, as if the 31
# of FCN-8s were 32, 33 and 35. Predict: how many pixels cost half of the mean IU?


# %%
def left_over(size):
    """How many rows of the output of FCN-8s lie below the image: what a longer crop may take."""
    cells = -(-(size + 198) // 32) - 6  # of the top; the five poolings round up
    return 8 * (2 * (2 * cells + 2) + 2) + 8 - 31 - size


claim("a crop 4 pixels too far leaves enough", all(left_over(size) >= 4 for size in sizes))
thin = Shapes("val", design=Design(stroke=(3, 3)))
truths = np.stack([thin[i][1] for i in range(20)])
masks = oracle(truths, 6, stride=8).argmax(1)
shifted, by_shift = {}, {}
for d in (0, 1, 2, 4):
    # Cropped d too far: output row r shows what belongs to row r + d. The last d rows are missing.
    shifted[d] = np.pad(masks[:, d:, d:], ((0, 0), (0, d), (0, d)), mode="edge")
    matrix = ConfusionMatrix(6)
    matrix.update(truths, shifted[d])
    by_shift[d] = matrix.mean_iu
    print(f"{d} pixels wrong: mean IU {matrix.mean_iu:.2f}, lines {matrix.iu[5]:.2f},"
          f" pixel accuracy {matrix.pixel_accuracy:.2f}")  # fmt: skip
measured("mean IU with the right crop", by_shift[0], "0.69", within=0.05)
measured("1 pixel wrong", by_shift[1], "0.62", within=0.05)
measured("2 pixels wrong", by_shift[2], "0.52", within=0.05)
measured("4 pixels wrong", by_shift[4], "0.39", within=0.05)
measured("pixel accuracy, 4 pixels wrong", (shifted[4] == truths).mean(), "0.89", within=0.02)
ordered = list(by_shift.values())
claim("a larger shift costs more", ordered == sorted(ordered, reverse=True))
claim("4 pixels do not cost half", by_shift[4] > by_shift[0] / 2)

# %%
shown = [4, 5]
columns = {"truth": truths, **{f"{d} px wrong": shifted[d] for d in (0, 2, 4)}}
columns = {title: own[shown].astype(np.int64) for title, own in columns.items()}
plot_strides(out / "wrong.png", [thin[i][0] for i in shown], columns, thin.classes, thin.palette)
show(out / "wrong.png")

# %% [markdown]
# The mean IU falls from 0.69 to 0.62, 0.52 and 0.39 (each, give or take five hundredths): even 4
# pixels do not cost quite half. Pixel accuracy is still 0.89, give or take two hundredths, and in
# the picture a shifted mask, seen by itself, looks as good as the one beside it. So measure the
# alignment whenever you build such a network, with positions as above.

# %% [markdown]
# ## Exercises
#
# 1. A network is like the paper's FCN-32s, but its fc6 has k = 3, without padding. Its output is
#    cropped by 83. What is the padding of its first convolution? You are right if `crop_offset` of
#    its layers is 83.
# 2. Give one of the five poolings of the paper's FCN-32s k = 3 instead of k = 2; s stays 2. For
#    which of the five is there no whole crop that aligns the output with the image? And what are
#    the crops of the others? Write down five answers, then ask `crop_offset`, which raises a
#    `ValueError` where there is none.
# 3. Somebody crops the scores of pool4 in FCN-16s by 4 instead of 5; the 27 stays. Say before you
#    compute: by how many pixels, and in which direction, is pool4's contribution shifted? Then
#    send `positions` along pool4's path: first convolution, four poolings, the crop by 4,
#    upsampling by 16, the crop by 27. With 5, output o shows o. What does it show with 4?
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# You write `crop_offset` yourself in the exercise `skips` of tutorial 12
# (`minifcn course check my-course skips`).
#
# ## Next
#
# You have now met every part on the map. The next tutorial does with them what one does in
# practice: train, stop and go on, evaluate, and use networks that others have trained.
