# %% [markdown]
# # 09. What is transposed about a transposed convolution?
#
# **Time:** 40 minutes; the code runs in 3 seconds. **Before:** 02, 03, 08.
#
# You will stamp a kernel onto an output, write a convolution as a matrix, transpose this matrix,
# and find the same operation. Then you will see what it is not: it does not undo a convolution.
#
# A network for segmentation makes its maps smaller, and must make them large again, with weights
# that it can learn. The transposed convolution does that. Much that is said about it is wrong, so
# we check everything.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import kernels, tensor
from minifcn.kernels.geometry import RELATIONSHIPS, conv_output_size, conv_remainder
from minifcn.kernels.geometry import conv_transpose_output_size as transposed_size
from minifcn.lesson import equal, measured, pictures, show
from minifcn.plots.animations import animate_transposed
from minifcn.plots.matrices import convolution_matrix, plot_matrices, transposed_matrix

out = pictures("09")
generator = np.random.default_rng(0)

# %% [markdown]
# ## Stamping
#
# In a convolution each output *reads* a window of the input. A **transposed convolution** turns
# that round: each input *writes* a window of the output.
#
# Think of the kernel as a rubber stamp. Take one input pixel, multiply the whole kernel by it, and
# add the result to the output. This is called **stamping**. The next pixel stamps s pixels further
# on: s is the stride. Where two stamps overlap, their numbers add up.
#
# ## Predict
#
# One row only: the input is `2 3`, the kernel is `1 2 4`, and the stride is 2. Stamp on paper.
# How many numbers has the output, and what is the number in the middle?

# %%
stamped = np.zeros(5)
stamped[0:3] += 2 * np.array([1, 2, 4])
stamped[2:5] += 3 * np.array([1, 2, 4])
print(stamped)
measured("numbers of the output", stamped.size, "5")
measured("the middle one, 8 + 3", stamped[2], "11")

# %% [markdown]
# 5 numbers, and 11 in the middle, where both stamps land: 8 + 3.
#
# Now with rows and columns, and with the settings of tutorial 02. The indices are the same as
# there, but the arrow goes the other way. Input pixel (h, w) and kernel number (i, j) write to
#
# ```
# row    s * h - p + d * i
# column s * w - p + d * j
# ```
#
# The **padding** p is no border of zeros here. It shifts every stamp by p to the top and left, and
# what lies outside is cut off: p rows and columns on each side. Padding makes the output smaller.


# %%
def stamp(y, weight, stride, padding, dilation, extra):
    k = np.array(weight.shape)
    size = stride * (np.array(y.shape) - 1) + dilation * (k - 1) + 1 - 2 * padding + extra
    x = np.zeros(size)
    for h, w in np.ndindex(y.shape):
        for i, j in np.ndindex(weight.shape):
            row = stride * h - padding + dilation * i
            column = stride * w - padding + dilation * j
            if 0 <= row < size[0] and 0 <= column < size[1]:
                x[row, column] += weight[i, j] * y[h, w]
    return x


y, weight = generator.standard_normal((4, 3)), generator.standard_normal((3, 2))
for s, p, d, a in [(1, 0, 1, 0), (2, 0, 1, 0), (2, 1, 1, 1), (3, 1, 2, 2), (2, 1, 3, 2)]:
    by_package = kernels.conv_transpose2d(y[None, None], weight[None, None], s, p, a, d)[0, 0]
    equal(f"stride {s}, padding {p}, dilation {d}, a {a}", stamp(y, weight, s, p, d, a), by_package)

# %% [markdown]
# (a is explained below.) Look at the stamps one after another. Circles are the output; hatched
# ones are cut off by the padding. Where a stamp meets earlier ones, the sum is written out.

# %%
animate_transposed(out / "stamping.gif", i=3, k=3, s=2, p=1)
show(out / "stamping.gif")

# %% [markdown]
# ## A convolution is a matrix
#
# Now to the name. A convolution is linear: each output number is a sum of input numbers times
# weights. So there is a matrix C with
#
# ```
# conv2d(x) = C x         where x is the image as one long column, row by row
# ```
#
# How do you find the matrix of an operation? Give it an image that is 1 in one pixel and 0 in all
# others. What comes out is one column of the matrix.


# %%
def matrix_of(operation, height, width):
    columns = []
    for n in range(height * width):
        image = np.zeros(height * width)
        image[n] = 1
        columns.append(operation(image.reshape(1, 1, height, width)).ravel())
    return np.stack(columns, axis=1)


weight = np.arange(1.0, 10).reshape(1, 1, 3, 3)
C = matrix_of(lambda x: kernels.conv2d(x, weight), 4, 4)
T = matrix_of(lambda y: kernels.conv_transpose2d(y, weight), 2, 2)
print("C:", C.shape, "  T:", T.shape)
equal("T and the transpose of C", T, C.T, within=0)
equal("C, by hand and by the package", C, convolution_matrix(weight[0, 0], 4), within=0)
equal("T, by hand and by the package", T, transposed_matrix(weight[0, 0], 4), within=0)

plot_matrices(out / "matrices.png", weight[0, 0], 4)
show(out / "matrices.png")

# %% [markdown]
# That is what is transposed: the **matrix C of the convolution**. Nobody turned T: it was made by
# stamping single pixels.
#
# Read a row of C: it is the window that one output reads, so the kernel stands in it, with zeros
# where the window does not reach. Read a column of the right matrix: it is the stamp of one pixel,
# the same numbers. C reads along rows, its transpose writes along columns.
#
# In tutorial 08 you met the test for such a pair: `<C x, y> = <x, C^T y>`. It needs no matrix. We
# hold it to random sizes and settings.

# %%
for case in range(200):
    k, s, p, d = generator.integers((1, 1, 0, 1), (5, 4, 4, 4)).tolist()
    height, width = generator.integers(d * (k - 1) + 1, 14, 2).tolist()
    x = generator.standard_normal((2, 3, height, width))
    weight = generator.standard_normal((4, 3, k, k))
    Cx = kernels.conv2d(x, weight, s, p, d)
    y = generator.standard_normal(Cx.shape)
    a = tuple(conv_remainder(i, k, s, p, d) for i in (height, width))
    CTy = kernels.conv_transpose2d(y, weight, s, p, a, d)
    assert CTy.shape == x.shape
    assert np.isclose((Cx * y).sum(), (x * CTy).sum(), atol=1e-9), (case, k, s, p, d)
print("<C x, y> = <x, C^T y> in 200 cases")

# %% [markdown]
# ## The size, and output_padding
#
# The first stamp begins at -p, the last one at s(i - 1) - p, and it is d(k - 1) + 1 long. On both
# sides p is cut off:
#
# ```
# output size = s(i - 1) + d(k - 1) + 1 - 2p + a
# ```
#
# What is a? A convolution with stride 2 makes 3 from 5 and also from 6: the last row of the 6 is
# left over. (k = 3, p = 1.) So its way back is not unique: from 3, shall we go to 5 or to 6? a says
# which. It is called **output_padding**, and is the number of rows that are left over.

# %%
sizes = {i: conv_output_size(i, kernel=3, stride=2, padding=1) for i in (5, 6)}
print("convolution:", sizes)
measured("transposed, a = 0", transposed_size(3, 3, stride=2, padding=1), "5")
measured("transposed, a = 1", transposed_size(3, 3, stride=2, padding=1, output_padding=1), "6")

# %% [markdown]
# output_padding adds rows and columns at the bottom and right only. They are no zeros that are
# put there: stamps may reach them, if the padding would else have cut them off. See the last rows
# of the next picture: below and right of the dashes.

# %%
animate_transposed(out / "odd.png", i=3, k=3, s=2, p=1, output_padding=1, steps=[-1])
show(out / "odd.png")

y, weight = generator.standard_normal((1, 1, 3, 3)), generator.standard_normal((1, 1, 3, 3))
odd = kernels.conv_transpose2d(y, weight, 2, 1, 1)
even = kernels.conv_transpose2d(y, weight, 2, 1, 0)
equal("the first 5 rows and columns", odd[:, :, :5, :5], even)
assert (odd[0, 0, 5] != 0).all()

# %% [markdown]
# Again we hold the formula to every size up to a bound, and the other 7 of the 15 relationships of
# tutorial 02 with it. `holds` says for which settings one is meant.

# %%
transposed = [relationship for relationship in RELATIONSHIPS if relationship.transposed]
measured("relationships of transposed convolutions", len(transposed), "7")
bounds = np.indices((8, 5, 4, 4, 3)).reshape(5, -1).T + [1, 1, 1, 0, 1]
cases = dict.fromkeys((relationship.number for relationship in transposed), 0)
for i, k, s, p, d in bounds.tolist():
    for a in range(s):
        size = s * (i - 1) + d * (k - 1) + 1 - 2 * p + a
        if size < 1:
            continue  # the padding cuts everything off
        y = kernels.conv_transpose2d(
            np.ones((1, 1, i, 1)), np.ones((1, 1, k, 1)), (s, 1), (p, 0), (a, 0), (d, 1)
        )
        assert y.shape[2] == size == transposed_size(i, k, s, p, a, d)
        for relationship in transposed:
            if relationship.holds(i, k, s, p, d, a):
                assert relationship.output_size(i, k, s, p, d, a) == size
                cases[relationship.number] += 1
print("right in so many cases:", cases)
assert min(cases.values()) > 10

# %% [markdown]
# ## It is not the inverse
#
# Some call this operation "deconvolution". That name promises that it undoes a convolution. Does
# it? Convolve, and go back with the same kernel.

# %%
x = generator.integers(0, 4, (1, 1, 4, 4)).astype(np.float64)
weight = np.ones((1, 1, 3, 3))
back = kernels.conv_transpose2d(kernels.conv2d(x, weight), weight)
print(x[0, 0])
print(back[0, 0])
assert back.shape == x.shape
assert np.abs(back - x).max() > 1

C = convolution_matrix(weight[0, 0], 4)
measured("rows of C: numbers that are left", len(C), "4")
measured("rank of C^T C", np.linalg.matrix_rank(C.T @ C), "4")

# %% [markdown]
# It comes back in the same shape, with other numbers. It cannot be otherwise: the convolution made
# 4 numbers from 16, and no operation can find all 16 again from 4. In the words of matrices: C^T C
# has 16 rows, but only rank 4. The transpose gives back the *shape*. What the numbers become, the
# learned weights decide.
#
# ## It is a convolution, after all
#
# What does one *output* number see? It collects the stamps that reach it. So one can compute a
# transposed convolution by reading, too:
#
# 1. put s - 1 zeros between the pixels of the input (**zero-stuffing**);
# 2. put d(k - 1) - p zeros around it, and a more at the bottom and right;
# 3. turn the kernel by half a turn (upside down and left to right), and convolve with stride 1.

# %%
s, p, d, a, k = 2, 1, 2, 1, 3
y, weight = generator.standard_normal((1, 1, 4, 4)), generator.standard_normal((1, 1, k, k))
stuffed = np.zeros((1, 1, s * 3 + 1, s * 3 + 1))
stuffed[:, :, ::s, ::s] = y
border = d * (k - 1) - p
surrounded = np.pad(stuffed, [(0, 0), (0, 0), (border, border + a), (border, border + a)])
turned = weight[:, :, ::-1, ::-1].copy()

by_reading = kernels.conv2d(surrounded, turned, dilation=d)
by_stamping = kernels.conv_transpose2d(y, weight, s, p, a, d)
equal("reading and stamping", by_reading, by_stamping)

# %% [markdown]
# This is why many pictures show it as a convolution with zeros between the pixels. It is right, but
# slow: with stride 2, about three of four multiplications are with a zero that was put there. With
# a stride above 1 the package stamps; with stride 1 there are no zeros between, and it reads. (Step
# 2 needs p to be at most d(k - 1). A larger p would cut into the input.)
#
# ## col2im: scatter or gather
#
# In tutorial 02 a convolution was im2col, then a matrix product. Transpose both, and swap their
# order: first the product with the transposed weights, which makes all stamps. Then put each stamp
# where it belongs, and add. This is called **col2im**, "columns to image": the adjoint of im2col.

# %%
N, Cin, Cout, k, s, p = 2, 4, 3, 3, 2, 1
y = generator.standard_normal((N, Cin, 4, 5))
weight = generator.standard_normal((Cin, Cout, k, k))
stamps = weight.reshape(Cin, -1).T @ y.reshape(N, Cin, -1)
stamps = stamps.reshape(N, Cout, k, k, 4, 5)

H, W = transposed_size(4, k, s, p), transposed_size(5, k, s, p)
by_col2im = kernels.col2im(stamps, (H, W), s, p)
equal("product and col2im", by_col2im, kernels.conv_transpose2d(y, weight, s, p))

# %% [markdown]
# col2im can be thought of in two ways, **scatter** and **gather** (tutorial 08). Scatter: go
# through the stamps and add each number where it lands. Gather: go through the *output* pixels,
# and find for each the numbers that land on it. On a GPU thousands of threads work at once; with
# scatter, two may add to one pixel at the same time, and must wait for each other. With gather,
# every thread has a pixel of its own. So the package's CUDA kernel gathers.

# %%
scattered, gathered = np.zeros((N, Cout, H, W)), np.zeros((N, Cout, H, W))
for i, j, h, w in np.ndindex(k, k, 4, 5):  # every number of every stamp
    row, column = s * h - p + i, s * w - p + j
    if 0 <= row < H and 0 <= column < W:
        scattered[:, :, row, column] += stamps[:, :, i, j, h, w]

for row, column in np.ndindex(H, W):  # every pixel of the output
    for i, j in np.ndindex(k, k):
        h, left = divmod(row + p - i, s)
        w, above = divmod(column + p - j, s)
        if left == 0 and above == 0 and 0 <= h < 4 and 0 <= w < 5:
            gathered[:, :, row, column] += stamps[:, :, i, j, h, w]
equal("scatter and gather", scattered, gathered)
equal("gather and col2im", gathered, by_col2im)

# %% [markdown]
# Did you see the shape of the weights? They are of shape `(Cin, Cout, KH, KW)`: input channels
# first. A convolution has `(Cout, Cin, KH, KW)`. It is no whim: it is the *same* array. The
# convolution with weights (4, 3, k, k) goes from 3 channels to 4; its transpose, with the same
# weights, from 4 back to 3.
#
# ## The backward of a convolution
#
# In tutorial 03 gradients went backward through a graph. Through a convolution y = C x the
# gradient goes back as C^T g: by a transposed convolution. You have used it since tutorial 05
# without knowing it.

# %%
x = tensor(generator.standard_normal((1, 3, 7, 7)), requires_grad=True)
kernel = tensor(generator.standard_normal((4, 3, 3, 3)))
y = F.conv2d(x, kernel, stride=2, padding=1)
g = generator.standard_normal(y.shape)
y.backward(tensor(g))
equal("gradient and transposed", x.grad, kernels.conv_transpose2d(g, kernel.numpy(), 2, 1))

# %% [markdown]
# ## Change one thing: the kernel size
#
# Take k = 2 and s = 2: the stamps lie side by side and never overlap. With k = 3 and s = 2 they
# overlap in every second row and column. Count the stamps on each pixel: stamp ones with ones.

# %%
ones = np.ones((1, 1, 4, 4))
for k in (2, 3, 4):
    count = kernels.conv_transpose2d(ones, np.ones((1, 1, k, k)), stride=2)[0, 0]
    print(f"k = {k}, s = 2:\n{count.astype(int)}")
    assert (count.max() == 1) == (k == 2)

# %% [markdown]
# With k = 3 the counts change from pixel to pixel, even far from the border. That is seen in the
# pictures that networks make. It is the question of the next tutorial.
#
# ## Exercises
#
# 1. A network ends with a map of 12 x 12 and needs 96 x 96. Choose k, s and p of one transposed
#    convolution with k = 2 s and output_padding 0, and check the size with `transposed_size`.
# 2. Find a kernel for which the transposed convolution with stride 2 is the *nearest* unpooling
#    of tutorial 08: each number repeated in a block of 2 x 2. Check it with `equal` and
#    `np.repeat` on both axes.
# 3. There are kernels with which the transposed convolution does undo a convolution. Find a 2 x 2
#    kernel, stride 2, for which `C @ C.T` is the identity (use `convolution_matrix` on a 4 x 4
#    image). Which order is undone then: first C^T then C, or first C then C^T? Check both.
#
# ## Next
#
# With k = 3 and s = 2 some pixels get four stamps and others one. The next tutorial shows what
# this does to a picture, and how to avoid it.

# %% tags=["answers"]
# 1. 8 times as large: s = 8, k = 16. 8 * 11 + 16 - 2p = 96 gives p = 4.
assert transposed_size(12, kernel=16, stride=8, padding=4) == 96

# 2. All ones, 2 x 2: each pixel stamps its number onto a block of its own.
y = generator.standard_normal((1, 1, 3, 4))
repeated = y.repeat(2, axis=2).repeat(2, axis=3)
equal("nearest", kernels.conv_transpose2d(y, np.ones((1, 1, 2, 2)), 2), repeated, within=0)

# 3. Windows do not overlap, so the rows of C are orthogonal; each has the length of the kernel.
#    A kernel whose squares sum to 1 will do. C C^T = 1: first C^T, then C gives y back. The other
#    order cannot: C^T C has rank 4 only, and x has 16 numbers.
C = convolution_matrix(np.full((2, 2), 0.5), 4, stride=2)
equal("C C^T", C @ C.T, np.eye(4))
assert not np.allclose(C.T @ C, np.eye(16))
assert np.linalg.matrix_rank(C.T @ C) == 4
