# %% [markdown]
# # 07. What can one cell see, and what does stride cost?
#
# **Time:** 35 minutes; the code runs in 4 seconds. **Before:** 01, 02, 03, 05, 06.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map [07] > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will compute by hand how many pixels one number of a network depends on, and then measure it
# with a gradient. Then you will see the price: poolings help a network to see far, but leave
# answers of low resolution, few for many pixels, and thin shapes are lost first.
#
# To name an object, a network has to see it. So we want numbers that depend on many pixels. The
# second half of this tutorial shows what that costs.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import tensor
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.data.shapes import Shapes
from minifcn.experiments.skips.oracle import oracle
from minifcn.kernels.geometry import Window, receptive_field
from minifcn.metrics import ConfusionMatrix
from minifcn.models.vgg_fcn import VGGFCN, windows
from minifcn.plots.receptive_field import (
    Field,
    computed_box,
    input_gradient,
    measured_box,
    middle_box,
    plot_receptive_fields,
)
from minifcn.plots.skips import plot_strides

out = pictures("07")

# %% [markdown]
# ## What one cell sees
#
# A **cell** is one place (row and column) in the output of a layer. Its **receptive field** is the
# part of the image that the cell's numbers depend on. Change a pixel outside of it, and the cell
# does not change at all.
#
# Right after the image, a cell of a 3 x 3 convolution sees 3 x 3 pixels. A cell of a 2 x 2 max
# pooling sees 2 x 2: it is the largest number of one 2 x 2 block (tutorial 05). But what does a
# cell see after several layers in a row?
#
# ## Predict
#
# A 3 x 3 convolution, then a 2 x 2 max pooling with stride 2, then another 3 x 3 convolution: how
# many pixels of the image does one cell at the end see, along one axis? Draw it on paper: one cell
# at the end, the cells before it that it reads, and so on back to the pixels.
#
# ## By hand
#
# Go through the layers from the first to the last, and keep two numbers. r is how many pixels one
# cell sees along one axis, counted from the first to the last of them. j is the distance in pixels
# from one cell to the next. At the image r = 1 and j = 1. For each layer with kernel size k and
# stride s:
#
# ```
# r = r + (k - 1) * j      k cells are read, each j pixels after the one before
# j = j * s                every s-th window is computed
# ```
#
# The first of the k cells sees r pixels. The last one lies (k - 1) * j pixels further on, and so
# adds that many. `Window` holds the k and the s of a layer; without `stride` it is 1.

# %%
layers = [Window(kernel=3), Window(kernel=2, stride=2), Window(kernel=3)]

r, j = 1, 1
for layer in layers:
    r = r + (layer.kernel - 1) * j
    j = j * layer.stride
    print(f"kernel {layer.kernel}, stride {layer.stride}:  r = {r}, j = {j}")

field = receptive_field(layers)
print(field)
equal("by hand, and the package", [r, j], [field.size, field.stride], within=0)
measured("pixels seen", field.size, "8")

# %% [markdown]
# One cell sees 8 pixels along each axis, so 8 x 8 = 64 pixels. Note the last step: after the
# pooling, cells are 2 pixels apart, so the same 3 x 3 kernel reaches twice as far. The last j is
# the **output stride** of the network: the distance in pixels of the image from one cell of the
# output to the next. Here it is 2.
#
# In the package r is `size` and j is `stride`. `start` is the first pixel that cell 0 sees; padding
# makes it negative. So cell i sees the r pixels from `start + i * stride` on.
#
# ## Measured
#
# A formula can be wrong, or used wrongly. The gradient of one cell with respect to the image is a
# test: it is exactly 0 for each pixel that the cell does not depend on.

# %%
generator = np.random.default_rng(0)
first = tensor(generator.standard_normal((1, 1, 3, 3)))
last = tensor(generator.standard_normal((1, 1, 3, 3)))


def network(x):
    return F.conv2d(F.max_pool2d(F.conv2d(x, first), 2), last)


x = tensor(generator.standard_normal((1, 1, 20, 20)), requires_grad=True)
y = network(x)
y[:, :, 3, 2].sum().backward()  # the cell in row 3, column 2; sum() makes it a single number
gradient = np.abs(x.grad.numpy())[0, 0]
print("output:", y.shape)
print((gradient > 0).astype(int))

# %% [markdown]
# 1 stands where the gradient is not 0: a block of ones, with holes. Outside, every number is
# exactly 0. The cell is in row 3 and column 2, so its block starts in row 0 + 3 * 2 = 6 and in
# column 0 + 2 * 2 = 4.
#
# Where do the holes come from? A max pooling hands on only the largest number of its window, and
# the others have no influence. In another image others are the largest. So we take 50 images of
# random numbers. `input_gradient` does what we did above for each image, and adds the absolute
# values. `measured_box` is the smallest box around all that is not 0. `computed_box` is what the
# formula says.

# %%
images = generator.standard_normal((50, 1, 20, 20))
images[:1] = x.numpy()
equal("by hand, and the package", gradient, input_gradient(network, images[:1], cell=(3, 2)))

total = input_gradient(network, images, cell=(3, 2))
found, computed = measured_box(total), computed_box(layers, cell=(3, 2))
print("measured:", found)
print("computed:", computed)
claim("the measured box is the computed box", found == computed)
measured("pixels in the box that no image used", (total[6:14, 4:12] == 0).sum(), "0")

# %% [markdown]
# The measured box is the computed box, and with 50 images there are 0 holes left.
#
# ## Change one thing
#
# Give the last convolution dilation 2 (tutorial 02). The cells that its kernel reads are 2 apart,
# so the step is `r = r + dilation * (k - 1) * j`. Predict r, and the output stride.

# %%
dilated = [*layers[:2], Window(kernel=3, dilation=2)]


def dilated_network(x):
    return F.conv2d(F.max_pool2d(F.conv2d(x, first), 2), last, dilation=2)


measured("seen with dilation", receptive_field(dilated).size, "12")
measured("stride with dilation", receptive_field(dilated).stride, "2")
total = input_gradient(dilated_network, images, cell=(3, 2))
claim("so it is measured", measured_box(total) == computed_box(dilated, cell=(3, 2)))

# %% [markdown]
# It sees 12 pixels now, and the stride is still 2. With dilation, a cell sees further without a
# coarser grid. But where dilation is used instead of a pooling, the layers after it have more
# cells, so they take more memory and time.
#
# ## VGG16
#
# Long, Shelhamer and Darrell (tutorial 06) built their best networks from VGG16, a classifier of
# 2014. It has 13 convolutions of 3 x 3, with a 2 x 2 max pooling of stride 2 after the 2nd, 4th,
# 7th, 10th and 13th. These poolings are called pool1 to pool5. Then follow fc6, a 7 x 7
# convolution, and fc7, a 1 x 1 convolution: the first two of the classifier's three fully connected
# layers ("fc"), made convolutions as in tutorial 06.
#
# How many pixels does a cell of fc7 see, and what is its output stride? Write down two numbers.

# %%
vgg = windows("score_fr")  # a Window for each layer that the scores are made from, up to fc7
ends = {"pool1": 3, "pool2": 6, "pool3": 10, "pool4": 14, "pool5": 18, "fc7": 20}  # layers so far
for name, end in ends.items():
    r, j, start = receptive_field(vgg[:end])
    print(f"{name}: sees {r:3} pixels, output stride {j:2}")

measured("pool3 sees", receptive_field(vgg[: ends["pool3"]]).size, "44")
measured("fc7 sees", r, "404")
measured("output stride of fc7", j, "32")

# %% [markdown]
# A cell of pool3 sees 44 pixels, a cell of fc7 sees 404 pixels, and its output stride is 32. Is
# that so in a real network? We build one with VGG16's layers, but with few channels (`widths`, one
# number for the layers up to each pooling), as channels do not matter here. Its weights are random.
#
# We take scenes of 448 x 448 pixels, so that 404 fit, and the cell (i, i) whose field is closest to
# the middle. Solve for i, and round:
#
# ```
# start + i * j + r / 2 = 448 / 2
# ```


# %%
model = VGGFCN(widths=(4, 8, 8, 8, 8), fc_width=8, generator=np.random.default_rng(0))
scenes = Shapes("val", size=(448, 448))
pixels = np.stack([scenes[i][0] for i in range(2)])
x = (pixels.transpose(0, 3, 1, 2) / 255 - 0.5).astype(np.float32)  # (N, C, H, W), around 0


def output_of(name):
    if name == "fc7":
        return lambda x: model.fc7(model.fc6(model.features(x)[4]))
    return lambda x: model.features(x)[int(name[-1]) - 1]  # of a list, pool1 to pool5


fields = []
for name in ("pool2", "pool3", "pool4", "pool5", "fc7"):
    r, j, start = receptive_field(vgg[: ends[name]])
    i = round((448 / 2 - r / 2 - start) / j)
    cell = (i, i)
    gradient = input_gradient(output_of(name), x, cell)
    box = computed_box(vgg[: ends[name]], cell)
    fields.append(Field(f"{name}: {r} px,\nstride {j}", gradient, box))
plot_receptive_fields(out / "fields.png", pixels[0], fields)
show(out / "fields.png")

# %% [markdown]
# Each column is one layer. Above, the gradient lies over the first of the two scenes, drawn in
# grey. Below, the box is magnified. Each column has its own scale, from dark (small) to bright
# (large). The few holes (white) come from the poolings, as before, and from relu, which makes zeros
# too.
#
# How much do the pixels count? `middle_box` shrinks the box evenly towards its middle, as far as
# half of the sum of the gradient stays inside. The dashed line shows it.

# %%
agree = all(measured_box(field.gradient) == field.box for field in fields)
claim("measured and computed agree for each layer", agree)
measured("height of the field of fc7, measured", measured_box(fields[-1].gradient).height, "404")

fc7 = fields[-1]
half = middle_box(fc7.gradient, fc7.box, share=0.5)
area = half.height * half.width / (fc7.box.height * fc7.box.width)
measured("share of the area that holds half of the gradient", area, "22 %")

# %% [markdown]
# Measured and computed agree for each of the five layers. But not all pixels of the box count
# alike: for fc7, half of the gradient lies on 22 % of the area. A pixel in the middle reaches the
# cell on many paths through the layers, one at the rim on few. The part that really counts is
# called the **effective receptive field** (Luo et al., 2016), and it is smaller than the box. These
# weights are random. Training can change the effective field, but not the box: that follows from
# the kernel sizes, strides, dilations and padding alone.
#
# ## What stride costs
#
# fc7 sees far, and has one cell for every 32 x 32 pixels: low resolution. To get a mask, the scores
# made from it must be **upsampled**: made into a larger grid, with a number for each pixel.
# **Bilinear** upsampling draws straight lines between the centres of the cells, along the rows and
# along the columns. Beyond the outermost centres the number stays the same. For one row, from 3
# cells to 12 pixels:

# %%
row = np.array([0.0, 8.0, 4.0])
centres = 4 * np.arange(3) + 2  # a cell is 4 pixels wide
by_lines = np.interp(np.arange(12) + 0.5, centres, row)
print(by_lines)
upsampled = F.interpolate(tensor(row.reshape(1, 1, 1, 3)), scale_factor=4, mode="bilinear")
equal("straight lines, and the package", by_lines, upsampled.numpy()[0, 0, 0])

# %% [markdown]
# How good can a mask be that comes from such a coarse grid? To find out we need no network, but an
# **oracle**: somebody who knows the truth, and is only bound by the grid. Our first oracle gives
# as scores, for each cell, the share of each class in its block of pixels. These are upsampled, and
# each pixel gets the class with the largest score.

# %%
scenes = Shapes("val")  # 96 x 96 pixels, six classes
truths = np.stack([scenes[i][1] for i in range(20)])
# One map for each class: 1 where a pixel is of this class, 0 elsewhere.
one_hot = (truths[:, None] == np.arange(6)[:, None, None]).astype(np.float32)

blocks = one_hot.reshape(-1, 6, 12, 8, 12, 8)  # 12 x 12 blocks of 8 x 8 pixels
shares = blocks.mean(axis=(3, 5))
equal("means of blocks, and the package", shares, F.avg_pool2d(tensor(one_hot), 8), within=1e-6)
print("shares:", shares.shape, " sum over classes:", shares[0, :, 5, 5].sum())


def simple_oracle(one_hot, stride):
    coarse = F.avg_pool2d(tensor(one_hot), stride)
    fine = F.interpolate(coarse, scale_factor=stride, mode="bilinear")
    return fine.numpy().argmax(axis=1)


# %% [markdown]
# ## Predict
#
# Strides 8, 16 and 32. There are three filled classes (background, disc, square) and three of thin
# strokes, 5 to 7 pixels wide (ring, cross, line). Which mean IU does the oracle reach at each
# stride? Which class has an IU near 0 first, as the stride grows?


# %%
def scores(prediction, truth=truths):
    matrix = ConfusionMatrix(num_classes=6)
    matrix.update(truth, prediction)
    return matrix


def print_table(matrices):
    print("            mean IU ", *(f"{name[:6]:>6}" for name in scenes.classes))
    for stride, matrix in matrices.items():
        print(f" stride {stride:2}   {matrix.mean_iu:.3f}  ", *(f"{iu:6.2f}" for iu in matrix.iu))


# %%
strides = a, b, c = 8, 16, 32
masks = {s: simple_oracle(one_hot, s) for s in strides}
simple = {s: scores(mask) for s, mask in masks.items()}
print_table(simple)
measured(f"mean IU at stride {a}", simple[a].mean_iu, "0.65")
measured(f"mean IU at stride {b}", simple[b].mean_iu, "0.34", within=0.01)
measured(f"mean IU at stride {c}", simple[c].mean_iu, "0.15")
measured(f"IU of lines at stride {a}", simple[a].iu[5], "0.31")
measured(f"IU of discs at stride {a}", simple[a].iu[1], "0.84")
claim(f"at stride {b} hardly any line is left", simple[b].iu[5] < 0.01)
falls = simple[a].mean_iu > simple[b].mean_iu > simple[c].mean_iu
claim("the mean IU falls with the stride", falls)
of_blocks = F.avg_pool2d(tensor(one_hot), b).numpy()
strokes, ground = of_blocks[:, 3:].sum(axis=1), of_blocks[:, 0]
most = (ground > strokes)[strokes > 0].mean()
measured(f"blocks of {b} with a stroke, but more background", most, "86 %")
measured(f"accuracy at stride {c}", simple[c].pixel_accuracy, "83 %")
measured("accuracy of all background", (truths == 0).mean(), "82 %")

# %%
shown = [0, 4, 3]
columns = {"truth": truths, **{f"stride {s}": mask for s, mask in masks.items()}}
plot_strides(
    out / "strides.png",
    [scenes[i][0] for i in shown],
    {title: [mask[i].astype(np.int64) for i in shown] for title, mask in columns.items()},
    scenes.classes,
    scenes.palette,
)
show(out / "strides.png")
claim(f"at stride {c} all of these are background", (masks[c][shown] == 0).all())

# %% [markdown]
# The mean IU is 0.65 at stride 8, 0.34 (give or take a hundredth) at stride 16 and 0.15 at stride
# 32. Stride costs the thin shapes first: at stride 8, discs have an IU of 0.84 and lines 0.31; at
# stride 16, nearly nothing of the lines is left. Of the 16 x 16 blocks that a stroke passes, 86 %
# hold more background than stroke: there the background has the larger score. At stride 32
# the background wins everywhere in the three scenes of the picture. Pixel accuracy hides this: it
# is still 83 %, and "background" for every pixel of the 20 scenes gets 82 %.
#
# ## Is that the best one can do?
#
# No. Shares are one choice of scores; an oracle may give any. Which scores fit the truth best, once
# they are upsampled? `oracle` searches for them. It takes the scores of the cells as parameters,
# and trains them as in tutorial 05, with the cross-entropy of every pixel as the loss. It returns
# the upsampled scores.

# %%
best = {s: scores(oracle(truths, 6, s).argmax(axis=1)) for s in strides}
print_table(best)
measured(f"searched scores, mean IU at stride {a}", best[a].mean_iu, "0.85", within=0.02)
measured(f"searched scores, mean IU at stride {b}", best[b].mean_iu, "0.63", within=0.02)
measured(f"searched scores, mean IU at stride {c}", best[c].mean_iu, "0.35", within=0.02)
claim("it falls with the stride", best[a].mean_iu > best[b].mean_iu > best[c].mean_iu)
for stride, matrix in best.items():
    better = matrix.mean_iu > simple[stride].mean_iu
    claim(f"searched scores are better at stride {stride}", better)
    thin, filled = matrix.iu[3:], matrix.iu[:3]
    claim("each thin class is below each filled one", thin.max() < filled.min())

# %% [markdown]
# With searched scores the mean IU is 0.85, 0.63 and 0.35, each give or take two hundredths: much
# better, and still far from 1 at stride 32. Such scores need every pixel of the truth. A network
# has to guess them from the image. And even these are not proven to have the best mean IU: the
# search makes the loss small, which is not quite the same.
#
# Both oracles say: the coarser the grid, the lower the mean IU. They say it of these 20 scenes,
# with strokes 5 to 7 pixels wide. What do they say of others? We draw 20 scenes of 192 x 192
# pixels, in which everything is twice as large. Predict the first oracle's mean IU at stride 16.

# %%
large = Shapes("val", size=(192, 192))
large_truths = np.stack([large[i][1] for i in range(20)])
large_one_hot = (large_truths[:, None] == np.arange(6)[:, None, None]).astype(np.float32)
at_16 = scores(simple_oracle(large_one_hot, 16), large_truths)
measured("everything twice as large, mean IU at stride 16", at_16.mean_iu, "0.65")

# %% [markdown]
# Here stride 16 gets 0.65, what stride 8 got before: the stride counts in comparison with the size
# of what is to be seen. An oracle speaks of its own scenes only, so compare a network with an
# oracle on the same scenes.

# %% [markdown]
# ## Exercises
#
# 1. With pen and paper: a cell of pool5 sees 212 pixels, and its cells are 32 pixels apart. Give
#    fc6 a 3 x 3 kernel. Which dilation d does it need, so that fc7 still sees 404 pixels? You are
#    right if `receptive_field([*vgg[:18], Window(3, dilation=d), Window(1)])` says so.
# 2. From what you see, infer the layers. A network is two convolutions without padding, both with
#    the same k and the same s. By its gradients, cell 0 sees the pixels 0 to 16, cell 1 the pixels
#    9 to 25. Which k and s? You are right if `receptive_field([Window(k, s)] * 2)` has this size,
#    stride and start. Then find two layers that differ from each other, with the same three
#    numbers: what a cell sees does not tell which layers there are.
# 3. Draw the strokes 2 to 3 pixels wide: `Shapes("val", design=Design(stroke=(2, 3)))`, with
#    `Design` from `minifcn.data.shapes`. Which classes have an IU below `0.1` for the simple oracle
#    at stride 8, and which at stride 4? Predict, then compute it for the first 20 scenes. You did
#    it right if the mean IU is `0.62` at stride 4.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write it yourself, checked: `resizing` (`minifcn course check my-course resizing`): bilinear, and
# nearest, which tutorial 08 explains.
#
# ## Next
#
# The five poolings make the grid coarse: each keeps one number of four. Tutorial 08 asks whether
# pooling can be undone.
