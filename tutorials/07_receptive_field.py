# %% [markdown]
# # 07. What can one cell see, and what does stride cost?
#
# **Time:** 30 minutes; the code runs in 4 seconds. **Before:** 01, 02, 03, 06.
#
# You will compute by hand how many pixels one number of a network depends on, and then measure it
# with a gradient. Then you will pay the price: a network that sees far answers on a coarse grid,
# and thin shapes fall through it.
#
# A network that must name an object has to see the object. So we want cells that see far. The
# second half of this tutorial shows why we do not get that for nothing.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import no_grad, tensor
from minifcn.data.shapes import Design, Shapes
from minifcn.experiments.skips.oracle import oracle
from minifcn.kernels.geometry import Window, receptive_field
from minifcn.lesson import equal, measured, pictures, show
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
# A cell of a 3 x 3 convolution sees 3 x 3 pixels. A max-pooling of 2 x 2 windows with stride 2
# keeps the largest number of each 2 x 2 block, so a cell of it sees 2 x 2 (tutorial 08 is all about
# it). Here we ask for layers in a row.
#
# ## Predict
#
# A 3 x 3 convolution, then a 2 x 2 max-pooling with stride 2, then another 3 x 3 convolution: how
# many pixels of the image does one cell at the end see, along one axis? Draw it on paper: one cell
# at the end, the cells below that it reads, and so on down to the pixels.
#
# ## By hand
#
# Go through the layers from the first to the last, and keep two numbers. r is how many pixels one
# cell sees. j is how many pixels lie between one cell and the next. At the image r = 1 and j = 1.
# For each layer with kernel size k and stride s:
#
# ```
# r = r + (k - 1) * j      a window of k cells: its last one lies (k - 1) * j pixels further
# j = j * s                every s-th window is computed
# ```

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
# pooling, cells are 2 pixels apart, so the same 3 x 3 kernel reaches twice as far. `start` says
# which pixel is the first that cell 0 sees; padding makes it negative.
#
# The final j is the **output stride** of the network: how many pixels of the image lie between
# one cell of the output and the next. Here it is 2.
#
# ## Measured
#
# A formula can be wrong. The gradient of one cell with respect to the image tells the truth: for a
# pixel that the cell does not depend on it is exactly 0.

# %%
generator = np.random.default_rng(0)
first = tensor(generator.standard_normal((1, 1, 3, 3)))
last = tensor(generator.standard_normal((1, 1, 3, 3)))


def network(x):
    return F.conv2d(F.max_pool2d(F.conv2d(x, first), 2), last)


x = tensor(generator.standard_normal((1, 1, 20, 20)), requires_grad=True)
y = network(x)
y[:, :, 3, 2].sum().backward()  # the cell in row 3, column 2
gradient = np.abs(x.grad.numpy())[0, 0]
print("output:", y.shape)
print((gradient > 0).astype(int))

# %% [markdown]
# A block of ones, with holes. Outside, every number is exactly 0. The cell is in row 3 and column
# 2, and cells are 2 pixels apart, so its block starts in row 6 and column 4.
#
# Where do the holes come from? A max-pooling hands on only one pixel of its window. For this image
# the cell ignores the others; for another image it would be others. So we add the gradients of
# many images. `input_gradient` does the same as the cell above, for several images.

# %%
images = generator.standard_normal((50, 1, 20, 20))
images[:1] = x.numpy()
equal("by hand, and the package", gradient, input_gradient(network, images[:1], cell=(3, 2)))

total = input_gradient(network, images, cell=(3, 2))
found, computed = measured_box(total), computed_box(layers, cell=(3, 2))
print("measured:", found)
print("computed:", computed)
assert found == computed
measured("pixels in the box that no image used", (total[6:14, 4:12] == 0).sum(), "0")

# %% [markdown]
# The measured box is the computed box, and with 50 images there are 0 holes left.
#
# ## Change one thing
#
# Give the last convolution dilation 2 (tutorial 02: its pixels are two apart). Then the step
# is `r = r + dilation * (k - 1) * j`. Predict r before you run the cell.

# %%
dilated = [*layers[:2], Window(kernel=3, dilation=2)]


def dilated_network(x):
    return F.conv2d(F.max_pool2d(F.conv2d(x, first), 2), last, dilation=2)


measured("seen with dilation", receptive_field(dilated).size, "12")
measured("stride with dilation", receptive_field(dilated).stride, "2")
total = input_gradient(dilated_network, images, cell=(2, 1))
assert measured_box(total) == computed_box(dilated, cell=(2, 1))

# %% [markdown]
# It sees 12 pixels now, and the stride is still 2. Dilation sees further without a coarser grid.
# It costs: the layers stay large, so they take more memory and time.
#
# ## VGG16
#
# The paper's networks stand on VGG16, a classifier of 2014: 13 convolutions of 3 x 3, with a
# 2 x 2 max-pooling of stride 2 after the 2nd, 4th, 7th, 10th and 13th. Then follow layers fc6, a
# 7 x 7 convolution, and fc7, a 1 x 1 convolution (tutorial 06: both were linear layers once).
# How far does a cell of fc7 see? Guess, then run.

# %%
vgg = windows("score_fr")  # all the layers up to fc7
ends = {f"pool{n}": end for n, end in enumerate([3, 6, 10, 14, 18], 1)} | {"fc7": len(vgg)}
for name, end in ends.items():
    r, j, start = receptive_field(vgg[:end])
    print(f"{name}: sees {r:3} pixels, output stride {j:2}")

measured("pool3 sees", receptive_field(vgg[: ends["pool3"]]).size, "44")
measured("fc7 sees", r, "404")
measured("output stride of fc7", j, "32")

# %% [markdown]
# A cell of pool3 sees 44 pixels, a cell of fc7 sees 404 pixels, and its output stride is 32. Is
# that so in a real network? We build one with VGG16's layers, but with few channels, as channels do
# not matter here. Its weights are random. We measure the cell in the middle of the image.


# %%
model = VGGFCN(widths=(4, 8, 8, 8, 8), fc_width=8, generator=np.random.default_rng(0))
model.eval()  # no dropout
scenes = Shapes("val", size=(448, 448))
pixels = np.stack([scenes[i][0] for i in range(2)])
x = (pixels.transpose(0, 3, 1, 2) / 255 - 0.5).astype(np.float32)


def output_of(name):
    if name == "fc7":
        return lambda x: model.fc7(model.fc6(model.features(x)[4]))
    return lambda x: model.features(x)[int(name[-1]) - 1]


fields = []
for name in ("pool2", "pool3", "pool4", "pool5", "fc7"):
    r, j, start = receptive_field(vgg[: ends[name]])
    cell = (round((224 - r / 2 - start) / j),) * 2  # the one whose field is in the middle
    gradient = input_gradient(output_of(name), x, cell)
    box = computed_box(vgg[: ends[name]], cell)
    fields.append(Field(f"{name}: {r} px,\nstride {j}", gradient, box))
plot_receptive_fields(out / "fields.png", pixels[0], fields)
show(out / "fields.png")

# %%
for field in fields:
    assert measured_box(field.gradient) == field.box
measured("height of the field of fc7, measured", measured_box(fields[-1].gradient).height, "404")

fc7 = fields[-1]
half = middle_box(fc7.gradient, fc7.box, share=0.5)
area = half.height * half.width / (fc7.box.height * fc7.box.width)
measured("area in the middle with half of the gradient", area, "22 %", within=0.1)

# %% [markdown]
# Measured and computed agree for each of the five layers. But not all pixels of the box count
# alike. Half of the gradient lies in the middle, on about 22 % of the area. A pixel in the middle
# reaches the cell on many paths through the layers, one at the rim on few. What really counts is
# called the **effective receptive field**, and it is smaller than the box. (These weights are
# random; training changes the number, and the box stays.)
#
# ## What stride costs
#
# fc7 sees far, and gives one answer for every 32 x 32 pixels. To get a mask, its scores are
# upsampled: numbers in between are filled in. **Bilinear** upsampling draws straight lines between
# the centres of the cells. How good can a mask be that comes from such a coarse grid?
#
# To find out we need no network, but an **oracle**: somebody who knows the truth, and is only bound
# by the grid. Ours gives, for each cell, the share of each class in its block of pixels. Then it is
# upsampled, and each pixel gets the class with the largest score.

# %%
scenes = Shapes("val")  # 96 x 96 pixels, six classes
truths = np.stack([scenes[i][1] for i in range(20)])
one_hot = (truths[:, None] == np.arange(6)[:, None, None]).astype(np.float32)

blocks = one_hot.reshape(20, 6, 12, 8, 12, 8)  # 12 x 12 blocks of 8 x 8 pixels
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
# stride? Which class is lost first?


# %%
def scores(prediction, truth=truths):
    matrix = ConfusionMatrix(num_classes=6)
    matrix.update(truth, prediction)
    return matrix


masks = {f"stride {s}": simple_oracle(one_hot, s) for s in (8, 16, 32)}
print("            mean IU ", *(f"{name[:6]:>6}" for name in scenes.classes))
for name, mask in masks.items():
    matrix = scores(mask)
    print(f"{name:>10}   {matrix.mean_iu:.3f}  ", *(f"{iu:6.2f}" for iu in matrix.iu))

measured("mean IU at stride 8", scores(masks["stride 8"]).mean_iu, "0.65", within=0.01)
measured("mean IU at stride 16", scores(masks["stride 16"]).mean_iu, "0.34", within=0.01)
measured("mean IU at stride 32", scores(masks["stride 32"]).mean_iu, "0.15", within=0.01)
measured("IU of lines at stride 8", scores(masks["stride 8"]).iu[5], "0.31", within=0.02)
measured("IU of discs at stride 8", scores(masks["stride 8"]).iu[1], "0.84", within=0.02)
measured("accuracy at stride 32", scores(masks["stride 32"]).pixel_accuracy, "83 %")

# %%
shown = [0, 4, 3]
columns = {"truth": truths, **masks}
plot_strides(
    out / "strides.png",
    [scenes[i][0] for i in shown],
    {title: [mask[i].astype(np.int64) for i in shown] for title, mask in columns.items()},
    scenes.classes,
    scenes.palette,
)
show(out / "strides.png")

# %% [markdown]
# The mean IU is 0.65 at stride 8, 0.34 at stride 16 and 0.15 at stride 32. Stride costs the thin
# shapes first: at stride 8, discs have an IU of 0.84 and lines 0.31. A block that a stroke passes
# is mostly background, unless the stroke happens to lie in its middle; then the background has the
# larger share, and wins. And pixel accuracy hides all of this: at stride 32 it is still 83 %.
#
# ## Is that the best one can do?
#
# No. Shares are one choice of scores, and a poor one: an oracle may give any scores. Let gradient
# descent look for those whose upsampled version fits the truth best (with the cross-entropy, the
# loss of tutorial 05). `oracle` does so.

# %%
best = {stride: scores(oracle(truths, 6, stride).argmax(axis=1)) for stride in (8, 16, 32)}
measured("searched scores, mean IU at stride 8", best[8].mean_iu, "0.85", within=0.05)
measured("searched scores, mean IU at stride 16", best[16].mean_iu, "0.63", within=0.05)
measured("searched scores, mean IU at stride 32", best[32].mean_iu, "0.35", within=0.05)
for stride, matrix in best.items():
    assert matrix.mean_iu > scores(masks[f"stride {stride}"]).mean_iu

# %% [markdown]
# With searched scores it is about 0.85, 0.63 and 0.35: much better, and still far from 1 at stride
# 32. Such scores need every pixel of the truth. A network has to guess them from the image, so
# expect less of it. And even these are not proven to have the best mean IU: the search makes the
# loss small, which is not quite the same.
#
# The lesson is in the order: whoever answers on a coarse grid loses, and thin shapes lose first.

# %% [markdown]
# ## Exercises
#
# 1. Compute with pen and paper what one cell of fc7 sees, from what you know of pool5: it sees 212
#    pixels, its cells are 32 pixels apart, and fc6 has a kernel of 7. The printed table tells
#    whether you are right.
# 2. How many 3 x 3 convolutions with stride 1, in a row, see at least 404 pixels? Check with
#    `receptive_field([Window(3)] * n)`: n is right if n - 1 layers see less.
# 3. Draw the strokes 2 to 3 pixels wide: `Shapes("val", design=Design(stroke=(2, 3)))`. Which
#    classes does the simple oracle lose at stride 8, and which does it keep at stride 4? Predict
#    the mean IU, and see.
#
# ## Next
#
# It is the pooling that makes the grid coarse, since it throws numbers away. Tutorial 08 asks
# whether pooling can be undone.

# %% tags=["answers"]
# 1. A window of 7 cells, whose last lies 6 * 32 pixels after its first: 212 + 6 * 32 = 404.
assert receptive_field(vgg).size == 212 + (7 - 1) * 32

# 2. Each layer adds 2 pixels: 1 + 2 n >= 404, so n = 202. VGG16 has 13, and five strides of 2.
assert receptive_field([Window(3)] * 202).size >= 404 > receptive_field([Window(3)] * 201).size

# 3. At stride 8 nearly no stroke is left: it covers less than half of nearly every block.
with no_grad():
    thin = Shapes("val", design=Design(stroke=(2, 3)))
    thin_truths = np.stack([thin[i][1] for i in range(20)])
    thin_one_hot = (thin_truths[:, None] == np.arange(6)[:, None, None]).astype(np.float32)
    for stride in (4, 8):
        matrix = scores(simple_oracle(thin_one_hot, stride), thin_truths)
        print(f"stride {stride}: mean IU {matrix.mean_iu:.2f}, IU", matrix.iu.round(2))
assert matrix.iu[3:].max() < 0.1 < matrix.iu[:3].min()
