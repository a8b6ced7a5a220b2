# %% [markdown]
# # 09. What is transposed about a transposed convolution?
#
# **Time:** 40 minutes; the code runs in 3 seconds. **Before:** 02, 03, 04, 08.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 [09] 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will stamp a kernel onto an output, write a convolution as a matrix, transpose this matrix,
# and find the same operation. Then you will see what it is not: it does not undo a convolution.
#
# On its way, a network for segmentation usually makes arrays with fewer and fewer rows and columns,
# and must make them large again. A transposed convolution can do that, with weights that are
# learned like those of any layer; tutorial 10 trains some. The words used with it mislead
# ("deconvolution", "padding"), so we check each step.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import kernels, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.explain import explain
from minifcn.kernels.geometry import RELATIONSHIPS, conv_output_size
from minifcn.kernels.geometry import conv_transpose_output_size as transposed_size
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
# One row, in capital letters: the input is `A B`, the kernel `X Y Z`, and the stride 2.
#
# ```
# A stamps   AX   AY   AZ
# B stamps             BX   BY   BZ
# output     AX   AY   AZ + BX   BY   BZ
# ```
#
# ## Predict
#
# Now in numbers: the input is `2 3`, the kernel is `1 2 4`, and the stride is 2. How many numbers
# has the output, and which is the one in the middle? And with stride 1?

# %%
A, B = 2, 3
X, Y, Z = 1, 2, 4
stamped = np.zeros(5)
stamped[0:3] += A * np.array([X, Y, Z])
stamped[2:5] += B * np.array([X, Y, Z])
print(stamped)
equal("stamps and letters", stamped, [A * X, A * Y, A * Z + B * X, B * Y, B * Z], within=0)
measured("numbers of the output", stamped.size, "5")
measured("the middle one, 8 + 3", stamped[2], "11")

letters = [A * X, A * Y + B * X, A * Z + B * Y, B * Z]  # with stride 1
equal("with stride 1, and np.convolve", letters, np.convolve([A, B], [X, Y, Z]), within=0)

# %% [markdown]
# 5 numbers, and 11 in the middle, where both stamps land: 8 + 3. With stride 1 there are 4 numbers,
# and they are those of `np.convolve`: stamping with stride 1 is the convolution of mathematics, the
# one that turns the kernel round (tutorial 02).
#
# Now with rows and columns, and with the settings of tutorial 02. There, a window read the input at
# row `s * oh - p + d * i`. Here, the same place is written: input pixel (h, w) and kernel number
# (i, j) write to the output at
#
# ```
# row    s * h - p + d * i
# column s * w - p + d * j
# ```
#
# The **padding** p is no border of zeros here. It shifts every stamp by p to the top and left, and
# what lies outside is cut off: p rows and columns on each side. Padding makes the output smaller.

# %% [markdown]
# How large is the output? Count along one axis, with i input pixels (i is a size again, as in
# tutorial 02). Without padding, the last stamp begins at s(i - 1), and it is d(k - 1) + 1 long. The
# padding cuts off 2p:
#
# ```
# output size = s(i - 1) + d(k - 1) + 1 - 2p
# ```
#
# From here on, the small letters y and x are arrays: in the code the input is called y and the
# output x. A convolution reads an x and makes a y; here it is the other way round.


# %%
def stamp(y, weight, stride, padding, dilation):
    (height, width), (kernel_height, kernel_width) = y.shape, weight.shape
    rows = stride * (height - 1) + dilation * (kernel_height - 1) + 1 - 2 * padding
    columns = stride * (width - 1) + dilation * (kernel_width - 1) + 1 - 2 * padding
    x = np.zeros((rows, columns))
    for h, w in np.ndindex(y.shape):
        for i, j in np.ndindex(weight.shape):
            row = stride * h - padding + dilation * i
            column = stride * w - padding + dilation * j
            if 0 <= row < rows and 0 <= column < columns:
                x[row, column] += weight[i, j] * y[h, w]
    return x


y, weight = generator.standard_normal((4, 3)), generator.standard_normal((3, 2))
for s, p, d in [(1, 0, 1), (2, 0, 1), (2, 1, 1), (3, 1, 2), (2, 1, 3)]:
    image, kernel = y[None, None], weight[None, None]  # four axes, as in tutorial 02
    by_package = kernels.conv_transpose2d(image, kernel, stride=s, padding=p, dilation=d)[0, 0]
    equal(f"stride {s}, padding {p}, dilation {d}", stamp(y, weight, s, p, d), by_package)

# %% [markdown]
# Look at the stamps one after another. Circles are the output; hatched ones are cut off by the
# padding. Where a stamp meets earlier ones, the sum is written out.

# %%
animate_transposed(out / "stamping.gif", i=3, k=3, s=2, p=1)
show(out / "stamping.gif")

# %% [markdown]
# Or step through it on a page: as stamps, as a convolution with zeros inserted, and as the matrix
# that the next section makes; backward, too. (A notebook shows it, a script prints which file to
# open.)

# %%
show(explain("conv_transpose2d", y, weight[None, None], stride=2).save(out / "steps.html"))

# %% [markdown]
# ## A convolution is a matrix
#
# Now to the name. In a convolution, each output number is a sum of input numbers times weights.
# Each number of a product with a matrix is such a sum, too. So there is a matrix C (not the number
# of channels here) with
#
# ```
# conv2d(x) = C x         where x is the image as one long column, row by row
# ```
#
# It has a row for each output number and a column for each input number.
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
C = matrix_of(lambda x: kernels.conv2d(x, weight), 4, 4)  # from 4 x 4 to 2 x 2
T = matrix_of(lambda y: stamp(y[0, 0], weight[0, 0], 1, 0, 1), 2, 2)  # from 2 x 2 to 4 x 4
print("C:", C.shape, "  T:", T.shape)
equal("T and the transpose of C", T, C.T, within=0)
# The package makes both matrices, too, by its own two operations; 4 is for the image of 4 x 4.
equal("C, by hand and by the package", C, convolution_matrix(weight[0, 0], 4), within=0)
equal("T, by hand and by the package", T, transposed_matrix(weight[0, 0], 4), within=0)

plot_matrices(out / "matrices.png", weight[0, 0], 4)
show(out / "matrices.png")

# %% [markdown]
# That is what is transposed: the **matrix C of the convolution**. T was not made from C. It was
# made by stamping single pixels, and it is C^T.
#
# Read a row of the left matrix, C: it is the window that one output reads, so the kernel stands in
# it, with zeros where the window does not reach. Read a column of the right matrix: it is the stamp
# of one pixel, the same numbers. C reads along rows, C^T writes along columns.
#
# So the transposed convolution is the adjoint of the convolution: the operation whose matrix is the
# transposed one. In tutorial 08 ("Gather and scatter") you met the test for this:
# `<C x, y> = <x, C^T y>`, where `<g, h>` is the sum of g * h over all places. It needs no matrix.
# We try it with random sizes and settings, two images, and a convolution from 3 channels to 4.

# %%
right = 0
for _ in range(200):
    k, s, p, d = generator.integers((1, 1, 0, 1), (5, 4, 4, 4)).tolist()
    settings = {"stride": s, "padding": p, "dilation": d}
    y = generator.standard_normal((2, 4, *generator.integers(7, 13, 2)))
    weight = generator.standard_normal((4, 3, k, k))
    CTy = kernels.conv_transpose2d(y, weight, **settings)
    x = generator.standard_normal(CTy.shape)
    Cx = kernels.conv2d(x, weight, **settings)
    right += Cx.shape == y.shape and np.isclose((Cx * y).sum(), (x * CTy).sum(), atol=1e-9)
print(f"<C x, y> = <x, C^T y> in {right} of 200 cases")
claim("they are equal in all cases", right == 200)

# %% [markdown]
# ## output_padding
#
# Take k = 3, s = 2 and p = 1. A convolution makes 3 numbers from 5, and also from 6. The 6 have 8
# rows with their padding, and the three windows reach over 7 of these: one row is left over. The
# way back is not unique: from 3, shall we go to 5 or to 6? A fourth setting a says which. It is
# called **output_padding**, and is the number of rows that were left over:
#
# ```
# output size = s(i - 1) + d(k - 1) + 1 - 2p + a
# ```
#
# How many can be left over? Fewer than s: with s rows left over, the convolution would have made
# one more step. The package is less strict: like PyTorch, it accepts each a that is below s or
# below d.

# %%
sizes = {i: conv_output_size(i, kernel=3, stride=2, padding=1) for i in (5, 6)}
print("convolution:", sizes)
measured("transposed, a = 0", transposed_size(3, 3, stride=2, padding=1), "5")
measured("transposed, a = 1", transposed_size(3, 3, stride=2, padding=1, output_padding=1), "6")


def accepts(a, s, d):
    settings = {"stride": s, "dilation": d, "output_padding": a}
    try:
        kernels.conv_transpose2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), **settings)
    except ValueError:
        return False
    return True


for s, d, a in np.ndindex(4, 4, 6):
    below = a < s + 1 or a < d + 1
    claim(f"accepted if below s or d: {a}, {s + 1}, {d + 1}", accepts(a, s + 1, d + 1) == below)

# %% [markdown]
# output_padding adds rows and columns at the bottom and right only. These are not added zeros, but
# rows and columns that the padding would have cropped, with the stamps on them. In the picture they
# are below and right of the dashes. (Where a is larger than p, there are a - p rows beyond the last
# stamp, and these are 0.)

# %%
animate_transposed(out / "output_padding.png", i=3, k=3, s=2, p=1, output_padding=1, steps=[-1])
show(out / "output_padding.png")  # -1: the last step

y, weight = generator.standard_normal((3, 3)), generator.standard_normal((3, 3))
uncut = stamp(y, weight, 2, 0, 1)  # 7 x 7, without padding
image, kernel = y[None, None], weight[None, None]
five = kernels.conv_transpose2d(image, kernel, stride=2, padding=1)[0, 0]
six = kernels.conv_transpose2d(image, kernel, stride=2, padding=1, output_padding=1)[0, 0]
equal("a = 0: cut on all sides", five, uncut[1:6, 1:6])
equal("a = 1: cut at the top and left", six, uncut[1:, 1:])
beyond = kernels.conv_transpose2d(image, kernel, stride=3, output_padding=2)[0, 0]
equal("a = 2, p = 0: two rows beyond the last stamp", beyond[-2:], np.zeros((2, 11)), within=0)

# %% [markdown]
# ## It is not the inverse
#
# Some call this operation "deconvolution", and the article on FCN does so too (Long et al., 2015).
# That name promises that it undoes a convolution. Does it? Convolve, and go back with the same
# kernel.

# %%
x = generator.integers(0, 4, (1, 1, 4, 4)).astype(np.float64)
weight = np.ones((1, 1, 3, 3))
y = kernels.conv2d(x, weight)
back = kernels.conv_transpose2d(y, weight)
print(x[0, 0])
print(back[0, 0])
claim("it has the size of x, but not its numbers", back.shape == x.shape and (back != x).any())

other = x + [1, -1, 0, 1]  # added to each row; any three numbers side by side add up to 0
equal("convolutions of two different images", kernels.conv2d(other, weight), y, within=0)

# %% [markdown]
# The shape is that of x, the numbers are others. It must fail: the convolution made 4 numbers from
# 16, and it makes the same 4 from another image. These 4 do not tell from which of the two they
# came. The transposed convolution gives back the *shape*. Which numbers it puts there depends on
# its weights.
#
# ## It is a convolution, after all
#
# What does one *output* number see? Along a row, with s = 1, d = 1 and p = 0, input h writes
# `weight[j] * y[h]` to output h + j. So output o is the sum of `weight[j] * y[o - j]` over all j.
# It reads a window of the input, with the kernel flipped: reversed in both axes (tutorial 04). A
# transposed convolution can be computed by reading, too. For all settings with p at most d(k - 1):
#
# 1. put s - 1 zeros between the pixels of the input (**zero-stuffing**), as the stamps begin s
#    pixels apart;
# 2. put d(k - 1) - p zeros around it (with p = 0 the first output gets only one stamp's first
#    number, so the first window has only one pixel in it), and a more at the bottom and right;
# 3. flip the kernel, and convolve with stride 1 and dilation d.

# %%
s, p, d, a, k = 2, 1, 2, 1, 3
y, weight = generator.standard_normal((1, 1, 4, 4)), generator.standard_normal((1, 1, k, k))
stuffed = np.zeros((1, 1, 3 * s + 1, 3 * s + 1))  # between 4 pixels there are 3 steps
stuffed[:, :, ::s, ::s] = y
border = d * (k - 1) - p
surrounded = np.pad(stuffed, [(0, 0), (0, 0), (border, border + a), (border, border + a)])
flipped = weight[:, :, ::-1, ::-1]

by_reading = kernels.conv2d(surrounded, flipped, dilation=d)
by_stamping = kernels.conv_transpose2d(y, weight, stride=s, padding=p, dilation=d, output_padding=a)
equal("reading and stamping", by_reading, by_stamping)
between = 1 - 500**2 / (2 * 499 + 1) ** 2  # of 500 x 500 pixels, stuffed
measured("share of zeros between, with stride 2", between, "75 %")

# %% [markdown]
# Many pictures show it in this way, as a convolution with zeros between the pixels. That is right,
# but a waste: with stride 2 and many pixels, 75 % of what the windows read are zeros that were put
# between. With a stride above 1 the package stamps, on the CPU. With stride 1 (and a = 0) there are
# no zeros between, and it reads. (For a larger p, rows are cut off the input instead of step 2.)
#
# ## The backward of a convolution
#
# Tutorial 08 found a rule: through a product with a matrix, the gradient goes backward by the
# adjoint. So through a convolution y = C x, the upstream gradient g goes back as C^T g: by a
# transposed convolution. Tutorial 04 writes this by hand, with the flipped kernel. Each network of
# several convolutions that you trained has used it.
#
# Mind the shape of the weights. A convolution has `(Cout, Cin, KH, KW)`, with Cin input channels
# and Cout output channels: output channels first. A transposed convolution has
# `(Cin, Cout, KH, KW)`: input channels first. It is the *same* array. The convolution with weights
# (4, 3, k, k) goes from 3 channels to 4; its transpose, with the same weights, from 4 back to 3.
#
# `F.conv2d` is `kernels.conv2d` for Tensors, with a backward. g is a random upstream gradient.

# %%
x = tensor(generator.standard_normal((1, 3, 7, 7)), requires_grad=True)
kernel = tensor(generator.standard_normal((4, 3, 3, 3)))
y = F.conv2d(x, kernel, stride=2, padding=1)
g = generator.standard_normal(y.shape)
y.backward(tensor(g))
by_stamping = kernels.conv_transpose2d(g, kernel.numpy(), stride=2, padding=1)
equal("gradient and transposed convolution", x.grad, by_stamping)

# %% [markdown]
# ## Change one thing: the kernel size
#
# Take k = 2 and s = 2: the stamps lie side by side and never overlap. With k = 3 and s = 2 they
# overlap in every second row and column. How many stamps are on each pixel? If all inputs and all
# weights are 1, each stamp adds 1: the output is the number of stamps. Predict the numbers that
# occur for k = 3 and for k = 4.

# %%
ones = np.ones((1, 1, 4, 4))
for k in (2, 3, 4):
    count = kernels.conv_transpose2d(ones, np.ones((1, 1, k, k)), stride=2)[0, 0]
    print(f"k = {k}, s = 2:\n{count.astype(int)}")
    if k == 2:
        claim("k=2: one stamp on each pixel", (count == 1).all())
    else:
        claim(f"for {k=} 1, 2 or 4 stamps", set(count.ravel()) == {1, 2, 4})
    if k == 4:
        claim("k=4: 4 stamps everywhere inside", (count[2:-2, 2:-2] == 4).all())

# %% [markdown]
# With k = 3 and with k = 4 the numbers 1, 2 and 4 occur. But with k = 4 all pixels have 4, except
# near the border. With k = 3 the counts change from pixel to pixel, even far from it.
#
# ## Appendix: how it is computed, and all sizes
#
# You may skip this and go on to the exercises, which do not need it.
#
# ### col2im: scatter or gather
#
# In tutorial 02 a convolution was im2col, then a matrix product with the weights. For the
# transpose, exchange the order and transpose both: `(W M)^T = M^T W^T`. So first comes the product
# with the transposed weights, which makes all stamps. Then put each stamp where it belongs, and
# add. This is called **col2im**, "columns to image": the adjoint of im2col.

# %%
N, Cin, Cout, k, s, p = 2, 4, 3, 3, 2, 1
y = generator.standard_normal((N, Cin, 4, 5))
weight = generator.standard_normal((Cin, Cout, k, k))
stamps = weight.reshape(Cin, Cout * k * k).T @ y.reshape(N, Cin, 4 * 5)
stamps = stamps.reshape(N, Cout, k, k, 4, 5)  # a stamp of k x k for each of the 4 x 5 pixels

H, W = transposed_size(4, k, s, p), transposed_size(5, k, s, p)
by_col2im = kernels.col2im(stamps, (H, W), stride=s, padding=p)
by_package = kernels.conv_transpose2d(y, weight, stride=s, padding=p)
equal("product and col2im, and the package", by_col2im, by_package)

x = generator.standard_normal(by_col2im.shape)
left = (kernels.im2col(x, (k, k), stride=s, padding=p) * stamps).sum()
equal("<im2col(x), stamps> and <x, col2im(stamps)>", left, (x * by_col2im).sum())

# %% [markdown]
# col2im can be thought of in two ways, scatter and gather (tutorial 08). Scatter: go through the
# stamps, and add each number where it lands. Gather: go through the *output* pixels, and find for
# each the numbers that land on it.
#
# The difference counts on a GPU, where thousands of small tasks, its threads, run at once. With
# scatter, two threads may add to one pixel at the same time. They must take turns, or a number is
# lost. With gather, every thread has a pixel of its own. What the package runs on a GPU gathers:
# `col2im_gather` in `minifcn/kernels/cuda/windows.cu`.

# %%
scattered, gathered = np.zeros((N, Cout, H, W)), np.zeros((N, Cout, H, W))
for i, j, h, w in np.ndindex(k, k, 4, 5):  # every number of every stamp
    row, column = s * h - p + i, s * w - p + j
    if 0 <= row < H and 0 <= column < W:
        scattered[:, :, row, column] += stamps[:, :, i, j, h, w]

for row, column in np.ndindex(H, W):  # every pixel of the output
    for i, j in np.ndindex(k, k):
        h, rest_h = divmod(row + p - i, s)  # row = s * h - p + i, solved for h
        w, rest_w = divmod(column + p - j, s)
        if rest_h == 0 and rest_w == 0 and 0 <= h < 4 and 0 <= w < 5:
            gathered[:, :, row, column] += stamps[:, :, i, j, h, w]
equal("scatter and gather", scattered, gathered)
equal("gather and col2im", gathered, by_col2im)

# %% [markdown]
# ### All sizes
#
# As in tutorial 02 we hold the formula of the size to the package for every setting up to a bound,
# and with it the other 7 of the 15 `RELATIONSHIPS`, which are about transposed convolutions.

# %%
transposed = [relationship for relationship in RELATIONSHIPS if relationship.transposed]
measured("relationships of transposed convolutions", len(transposed), "7")
wrong, cases = 0, dict.fromkeys((relationship.number for relationship in transposed), 0)
for i, k, s, p, d in np.ndindex(8, 5, 4, 4, 3):
    i, k, s, d = i + 1, k + 1, s + 1, d + 1
    for a in range(max(s, d)):
        size = s * (i - 1) + d * (k - 1) + 1 - 2 * p + a
        if size < 1:
            continue  # the padding cuts everything off
        column, kernel = np.ones((1, 1, i, 1)), np.ones((1, 1, k, 1))
        settings = {"stride": (s, 1), "padding": (p, 0), "dilation": (d, 1)}  # for rows, columns
        y = kernels.conv_transpose2d(column, kernel, output_padding=(a, 0), **settings)
        wrong += not y.shape[2] == size == transposed_size(i, k, s, p, a, d)
        for relationship in transposed:
            if relationship.holds(i, k, s, p, d, a):
                wrong += relationship.output_size(i, k, s, p, d, a) != size
                cases[relationship.number] += 1
print("number of the relationship, and how many cases it has:", cases)
claim("all sizes are right", wrong == 0)
claim("each relationship has more than 10 cases", min(cases.values()) > 10)

# %% [markdown]
# ## Exercises
#
# 1. From an output, infer what made it. An input of ones was stamped with a kernel of ones, without
#    padding, and gave `1 1 1 2 2 1 2 2 1 2 2 1 1 1`. Which k and s, and how many ones? Then the
#    input `1 2` gave `3 1 8 2 4`, with another kernel. Which kernel, and which s? (Write the
#    letters down.) You are right if `kernels.conv_transpose2d` gives these rows, as arrays of shape
#    (1, 1, 1, W) with `stride=(1, s)`.
# 2. Find a kernel for which the transposed convolution with stride 2 is the *nearest* unpooling
#    of tutorial 08: each number repeated in a block of 2 x 2. Check it with `equal` and
#    `np.repeat` on both axes.
# 3. There are kernels for which a convolution and its transpose do undo each other, in one of the
#    two orders. Find a 2 x 2 kernel for which `C @ C.T` is `np.eye(4)`, with
#    `C = convolution_matrix(kernel, 4, stride=2)`. What is undone then: the transposed convolution
#    by the convolution, or the convolution by the transposed one? Check both with random columns,
#    of 4 numbers and of 16.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write them yourself, checked: `transposed` and `convolution_backward`
# (`minifcn course check my-course transposed convolution_backward`). `col2im` is in the exercise
# `columns` of tutorial 02, and the size of a transposed convolution's output in `sizes`.
#
# ## Next
#
# With k = 3 and s = 2 some pixels get four stamps and others one. The next tutorial shows what this
# does to a picture, how to avoid it, and what becomes of it in training.
