# %% [markdown]
# # 02. What does a convolution compute?
#
# **Time:** 40 minutes; the code runs in 2 seconds. **Before:** 01.
#
# ```
# image > convolution [02] > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will compute a convolution number by number, write it as loops and as a matrix product, and
# find that both give what the package gives. You will also predict the size of every output.
#
# The network on the map of tutorial 01 consists mainly of convolutions. If you can compute one on
# paper, you can follow its shapes and its numbers.

# %%
import numpy as np

from minifcn import kernels
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.explain import explain
from minifcn.kernels.geometry import RELATIONSHIPS, conv_output_size
from minifcn.plots.animations import animate_convolution

out = pictures("02")
generator = np.random.default_rng(0)

# %% [markdown]
# ## One window, one number
#
# Take an image of 5 x 5 numbers, the **input**, and a small grid of 3 x 3 numbers, the **kernel**.
# Put the kernel onto the top left corner of the input. The part of the input that it covers is
# called the **window**. Multiply each number of the window by the number of the kernel that lies on
# it, and add up the nine products. This sum is one number of the **output**.

# %%
x = generator.integers(0, 4, (5, 5)).astype(np.float64)  # the package wants floats
weight = np.array([[1.0, 2, 0], [0, 1, 3], [2, 0, 1]])
print("input:\n", x)
print("kernel:\n", weight)

window = x[: len(weight), : len(weight[0])]
print("window times kernel:\n", window * weight)
first = (window * weight).sum()
measured("the first number of the output", first, "13")

# %% [markdown]
# The first number of the output is 13. For the next one the window moves one column to the right,
# and goes on like this to the right border. Then it starts again at the left, one row further down.
# The kernel stays the same. That is a **convolution**. The numbers of the kernel are its
# **weights**; in a network they are learned.
#
# ## Predict
#
# Write down:
#
# 1. How many rows and columns does the output have? The window must not leave the input.
# 2. What is the second number in the first row of the output? Compute it on paper.
#
# ## As loops
#
# `oh` and `ow` are the row and the column of the output, `i` and `j` those of the kernel.
# `np.ndindex(3, 3)` counts through all pairs: (0, 0), (0, 1), (0, 2), (1, 0), ..., (2, 2).
#
# The package has its convolution in `kernels`, its folder of fast operations on arrays. (There the
# word kernel means such an operation. You will meet it in both meanings, here and elsewhere.)


# %%
def slide(x, weight):
    rows, columns = x.shape[0] - weight.shape[0] + 1, x.shape[1] - weight.shape[1] + 1
    y = np.zeros((rows, columns))
    for oh, ow in np.ndindex(y.shape):
        for i, j in np.ndindex(weight.shape):
            y[oh, ow] += weight[i, j] * x[oh + i, ow + j]
    return y


y = slide(x, weight)
print(y)
measured("rows of the output", y.shape[0], "3")
measured("the second number", y[0, 1], "14")
by_package = kernels.conv2d(x[None, None], weight[None, None])[0, 0]
equal("loops and package", y, by_package)

# %% [markdown]
# The output has 3 rows and 3 columns, and its second number is 14. The package gives the same. (It
# wants two more axes; below you will see what they are for. `[None, None]` adds them, and `[0, 0]`
# takes them off again.)
#
# Now look at all steps. The package computes the numbers of the animation, too.

# %%
animate_convolution(out / "sliding_window.gif", x, weight)
show(out / "sliding_window.gif")

# %% [markdown]
# Squares are the input, circles are the output. The thick lines show the window, and the number of
# the output that comes from it. Choose a number of the output and check it with a pencil.
# `animate_convolution("step.png", x, weight, steps=[4])` draws a single step as a still picture:
# the fifth, since they are counted from 0.
#
# ## Stride, padding, dilation
#
# Three settings say where the windows lie:
#
# - **stride** s: how far the window moves from one step to the next;
# - **padding** p: how many rows and columns of zeros are put around the input, on each side;
# - **dilation** d: how far apart the kernel's numbers lie on the input. Until now d was 1. With
#   d = 2, the window leaves out every second row and every second column, and the same nine weights
#   reach over 5 x 5 pixels.

# %% [markdown]
# All three are in a short formula. For the output (oh, ow), the kernel's number (i, j) meets the
# input pixel in row h and column w:
#
# ```
# h = s * oh - p + d * i
# w = s * ow - p + d * j
# ```
#
# A negative h, or one beyond the last row, is in the padding: the number there is 0. The same goes
# for w and the columns. For s = 1, p = 0 and d = 1 these are the loops from above. The first window
# starts at row -p, column -p.
#
# `kernels.conv2d` takes the settings in the order stride, padding, dilation. The two lines for the
# size of the output, `rows` and `columns`, are explained after the cell.


# %%
def convolve(x, weight, stride, padding, dilation):
    (height, width), (kernel_height, kernel_width) = x.shape, weight.shape
    rows = (height + 2 * padding - dilation * (kernel_height - 1) - 1) // stride + 1
    columns = (width + 2 * padding - dilation * (kernel_width - 1) - 1) // stride + 1
    y = np.zeros((rows, columns))
    for oh, ow in np.ndindex(rows, columns):
        for i, j in np.ndindex(weight.shape):
            h = stride * oh - padding + dilation * i
            w = stride * ow - padding + dilation * j
            if 0 <= h < height and 0 <= w < width:
                y[oh, ow] += weight[i, j] * x[h, w]
    return y


image, kernel = generator.standard_normal((9, 8)), generator.standard_normal((3, 2))
for settings in [(1, 0, 1), (2, 0, 1), (1, 2, 1), (1, 0, 2), (3, 1, 2), (2, 2, 3)]:
    by_package = kernels.conv2d(image[None, None], kernel[None, None], *settings)[0, 0]
    equal(f"stride, padding, dilation {settings}", convolve(image, kernel, *settings), by_package)

# %% [markdown]
# The tiny number after "equal, to" is the largest difference. A computer rounds each result to
# about 16 digits, and two programs that add the same products in another order may round
# differently.
#
# ## The size of the output
#
# Where does the line for `rows` come from? Count along one axis. In this section, i is the size of
# the input: it has i pixels, or i + 2p with its padding. A kernel of k numbers with dilation d
# reaches over d(k - 1) + 1 pixels, and beyond the first window i + 2p - d(k - 1) - 1 pixels are
# left. There the window can make one more step for every s pixels; a remainder is not enough for a
# step. With floor for rounding down (`//` in Python):
#
# ```
# output size = floor((i + 2p - d(k - 1) - 1) / s) + 1
# ```
#
# A formula is a claim. We check it against the package for every size up to a bound, in images that
# are one pixel wide. `conv_output_size(i, k, s, p, d)` is the package's own formula.

# %%
compared = right = 0
for i, k, s, p, d in np.ndindex(12, 5, 4, 4, 3):
    i, k, s, d = i + 1, k + 1, s + 1, d + 1
    if d * (k - 1) + 1 > i + 2 * p:
        continue  # no window fits: there is no output
    # Each setting may be a pair: for rows, for columns.
    y = kernels.conv2d(np.ones((1, 1, i, 1)), np.ones((1, 1, k, 1)), (s, 1), (p, 0), (d, 1))
    by_formula = (i + 2 * p - d * (k - 1) - 1) // s + 1
    right += y.shape[2] == by_formula == conv_output_size(i, k, s, p, d)
    compared += 1
measured("sizes compared", compared, "2,364")
claim("the formula is right for all of them", right == compared)

# %% [markdown]
# The formula is right for all 2,364 of them. A widely read guide (Dumoulin and Visin, 2016, "A
# guide to convolution arithmetic for deep learning") has 15 formulas, each for certain settings.
# The package has them as `RELATIONSHIPS`. 8 of them are about convolutions, or about windows that
# move in the same way (number 7, pooling: tutorial 05). The others belong to tutorial 09. An
# example is number 3, "half padding": with stride 1, dilation 1, an odd k and p = (k - 1) / 2, the
# size stays.
#
# `holds` says whether a formula is meant for given settings, and `output_size` computes it.

# %%
direct = [relationship for relationship in RELATIONSHIPS if not relationship.transposed]
measured("relationships", len(RELATIONSHIPS), "15")
measured("relationships of convolutions", len(direct), "8")
for relationship in direct:
    cases = right = 0
    for i, k, s, p, d in np.ndindex(12, 5, 4, 5, 3):
        i, k, s, d = i + 1, k + 1, s + 1, d + 1
        if d * (k - 1) + 1 <= i + 2 * p and relationship.holds(i, k, s, p, d):
            right += relationship.output_size(i, k, s, p, d) == conv_output_size(i, k, s, p, d)
            cases += 1
    print(f"{relationship.number:2} {relationship.name:24} right in {right} of {cases} cases")
    claim("it is right in all of them, more than 10", right == cases > 10)

# %% [markdown]
# ## Channels, and several images
#
# A colour image has three numbers per pixel: three **channels**. The input of a convolution deep in
# a network may have hundreds. A kernel then has a grid of weights for each input channel, and the
# products of all channels go into one sum. Each kernel makes one output channel. With F kernels the
# output has F channels, and the weights have four axes:
#
# ```
# input   (N, C, H, W)      N images, C channels, H rows, W columns: the order NCHW
# weight  (F, C, KH, KW)    F kernels, each with KH x KW weights for each of C channels
# bias    (F,)              one number for each output channel
# output  (N, F, OH, OW)
# ```

# %% [markdown]
# The N images are computed in one call, but none has an influence on another. The order of the axes
# is called **NCHW**. The **bias** is a number that is added to a whole output channel; it is
# learned too. In one line, with h and w as above:
#
# ```
# y[n, f, oh, ow] = bias[f] + sum over c, i, j of weight[f, c, i, j] * x[n, c, h, w]
# ```


# %%
def loops(x, weight, bias, *settings):
    outputs = []
    for n, f in np.ndindex(len(x), len(weight)):
        channels = range(x.shape[1])
        total = sum(convolve(x[n, c], weight[f, c], *settings) for c in channels)
        outputs.append(bias[f] + total)
    return np.reshape(outputs, (len(x), len(weight), *total.shape))


x = generator.standard_normal((2, 3, 11, 12))
weight = generator.standard_normal((4, 3, 3, 2))
bias = generator.standard_normal(len(weight))
y = loops(x, weight, bias, 2, 1, 2)  # stride 2, padding 1, dilation 2
print("output (N, F, OH, OW):", y.shape)

# %% [markdown]
# ## The smallest kernel: 1x1
#
# A **1x1 convolution** has a kernel of one pixel: a single weight for each input channel. With
# stride 1 and no padding it keeps H and W, and it sets the number of channels: C go in, F come out.
# Each position is computed from its own C numbers and from no neighbour. The weights are an F x C
# matrix, the same at every position. In tutorial 06 such a layer turns features into a score for
# each class.

# %%
mixing = generator.standard_normal((4, 3, 1, 1))
mixed = kernels.conv2d(x, mixing)
print("from", x.shape, "to", mixed.shape)
one_pixel = mixing[:, :, 0, 0] @ x[0, :, 5, 7]  # (4, 3) @ (3,): the numbers of one position
equal("1x1 convolution and matrix, at one pixel", mixed[0, :, 5, 7], one_pixel)
claim("H and W are kept, and F is the number of channels", mixed.shape == (2, 4, 11, 12))

# %% [markdown]
# ## As a matrix product
#
# Loops are slow in Python, and computers are very fast at matrix products. The trick is to copy
# each window into a column of a matrix, once. This is called **im2col**, "image to columns". The
# kernels become the rows of another matrix. Then one matrix product for each image computes all
# sums:
#
# ```
# (F, C*KH*KW) @ (C*KH*KW, OH*OW)  ->  (F, OH*OW)
# ```
#
# The price is memory: a pixel is copied once for each window that reads it. The package's `im2col`
# returns the columns with six axes; the cell puts them together, into one matrix for each image.

# %%
settings = {"stride": 2, "padding": 1, "dilation": 2}
columns = kernels.im2col(x, (3, 2), **settings)
print("columns (N, C, KH, KW, OH, OW):", columns.shape)

N, C, KH, KW, OH, OW = columns.shape
matrix = columns.reshape(N, C * KH * KW, OH * OW)
product = weight.reshape(-1, C * KH * KW) @ matrix  # 4 kernels; a product for each image
by_im2col = product.reshape(N, -1, OH, OW) + bias[:, None, None]

by_package = kernels.conv2d(x, weight, **settings, bias=bias)
with kernels.use("reference"):
    by_reference = kernels.conv2d(x, weight, **settings, bias=bias)
equal("our loops and im2col", y, by_im2col)
equal("im2col and package", by_im2col, by_package)
equal("package and its own loops", by_package, by_reference)

# %% [markdown]
# Four ways, one result. `kernels.use("reference")` makes the package compute with plain loops, in
# `minifcn/kernels/reference.py`. Open that file, and read `_taps` and `conv2d`. (You may skip
# `groups` and `rectify`.)
#
# We have used the package's own im2col. Is a column really a window? Compare one with a slice of
# the padded input. With stride 2, padding 1 and dilation 2, the window of output (1, 2) begins at
# row 2 * 1 - 1 = 1 and column 2 * 2 - 1 = 3 of the input; in the padded input, at row 2 and column
# 4. With dilation 2 it reaches over 5 rows and 3 columns, and reads every second one of them.

# %%
padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
window = padded[:, :, 2 : 2 + 5 : 2, 4 : 4 + 3 : 2]
equal("a column of im2col and a window", columns[:, :, :, :, 1, 2], window, within=0)

# %% [markdown]
# Step through a convolution yourself: forward and backward, number by number, with any settings.
# A notebook shows the page below; a script prints which file to open in a browser. It is made from
# a window of our x and the first kernels.

# %%
part = explain("conv2d", x[0, :2, :6, :7], weight[:2, :2], stride=2, padding=1)
show(part.save(out / "steps.html"))

# %% [markdown]
# ## Is it a convolution at all?
#
# In mathematics, a convolution first turns the kernel round: upside down, and left to right. What
# networks compute does not turn it. In mathematics that is called **cross-correlation**. A network
# can learn the turned weights just as well, and in deep learning both are called convolution.
#
# NumPy's `np.convolve` is the convolution of mathematics, for one row; with "valid" no window
# leaves the input. You see the difference where the input is a single 1: `np.convolve` copies the
# kernel, and a cross-correlation copies it turned round.

# %%
single = np.array([0.0, 0, 1, 0, 0])
row = np.array([1.0, 2, 3])
correlated = kernels.conv2d(single[None, None, None], row[None, None, None])[0, 0, 0]
print("np.convolve:", np.convolve(single, row, "valid"))
print("package:    ", correlated)
equal("turned round, they are equal", correlated, np.convolve(single, row[::-1], "valid"))
claim("the single 1 shows the kernel turned round", correlated.tolist() == [3, 2, 1])

# %% [markdown]
# The convolution of mathematics can also be seen as writing instead of reading. Take each number of
# the input, multiply the whole kernel by it, and add the result to the output, like a rubber stamp
# that moves on by one place each time. Nothing is turned round here.

# %%
numbers = np.array([2.0, 0, 1, 3])
stamped = np.zeros(len(numbers) + len(row) - 1)
for place, number in enumerate(numbers):
    stamped[place : place + len(row)] += number * row

equal("stamps and np.convolve", stamped, np.convolve(numbers, row))
transposed = kernels.conv_transpose2d(numbers[None, None, None], row[None, None, None])[0, 0, 0]
equal("stamps and a transposed convolution of stride 1", stamped, transposed)

# %% [markdown]
# They are equal. Stamping is called a transposed convolution; with stride 1 and no padding it is
# the convolution of mathematics. Tutorial 09 stamps with larger strides, to make images larger.

# %% [markdown]
# ## Change one thing: the dilation
#
# Back to one channel, with an input of 7 x 7. The kernel is the one from the beginning; the
# dilation is now 2. What size is the output? Compute it with the formula, then look at the picture:
# the thick squares in the input are the nine pixels that one output number reads.

# %%
x = generator.integers(0, 4, (7, 7)).astype(np.float64)
weight = np.array([[1.0, 2, 0], [0, 1, 3], [2, 0, 1]])
animate_convolution(out / "dilated.png", x, weight, d=2, steps=[4])
show(out / "dilated.png")
measured("size with dilation 2", len(convolve(x, weight, 1, 0, 2)), "3")

# %% [markdown]
# The output has 3 rows: the window now reaches over 5 rows, and over 7 rows it can stand in three
# places. Try other numbers yourself: `animate_convolution("mine.gif", i=6, k=2, s=2, p=1)` makes up
# an input and a kernel of these sizes.
#
# ## A black box
#
# For exercise 3: `along_row` convolves a row of numbers, and `box` does the same with weights, a
# stride, a padding and a dilation that are drawn by lot and not shown.


# %%
def along_row(x, weights, s, p, d):
    """Convolve the numbers of one row."""
    x, weights = x[None, None, None], weights[None, None, None]
    return kernels.conv2d(x, weights, (1, s), (0, p), (1, d))[0, 0, 0]


def box(x):
    lot = np.random.default_rng(14)
    s, p, d = lot.permutation([1, 2, 3]).tolist()
    return along_row(x, lot.integers(1, 9, lot.integers(3, 6)).astype(float), s, p, d)


print("from 30 numbers to", len(box(np.ones(30))))

# %% [markdown]
# ## Exercises
#
# 1. Which padding keeps the size, for stride 1, a kernel of odd size k and dilation d? Find the
#    formula, and check it: `conv_output_size(50, k, 1, p, d)` is 50 for odd k up to 11, d up to 4.
#    (You write this function yourself in `sizes`, below.)
# 2. Find a 3 x 3 kernel whose output is the input moved one pixel to the left:
#    `y[h, w] = x[h, w + 1]`, and 0 in the last column. Which padding does it need? Check the result
#    of `kernels.conv2d` with `equal` against `np.pad(x[:, 1:], [(0, 0), (0, 1)])`, for a random x
#    of 6 x 6.
# 3. Find out what is in the box: call `box` with rows of 30 numbers of your choice, and read its
#    weights, stride, padding and dilation off the outputs. (Do not print what it draws.) Check with
#    `equal("the box", along_row(x, weights, s, p, d), box(x))` for a random x of 30 numbers.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write them yourself, checked: `sizes`, `columns` and `convolution`
# (`minifcn course start my-course`, then
# `minifcn course check my-course sizes columns convolution`). Tutorial 09 explains the way back, in
# `sizes` and `columns`.
#
# In a notebook, write the function into a cell, under the name and with the arguments that its stub
# says. Then `from minifcn.course import check` and `check(conv2d)` check it. It is run in another
# process, which knows NumPy as `np` and nothing else of your notebook: give the functions that it
# calls along, as in `check(conv2d, pad)`.
#
# ## Next
#
# How does a network learn its weights? The usual way asks how the result changes when a weight
# changes: a derivative for each weight, and there may be millions. The next tutorial writes a
# program that computes them.
