# %% [markdown]
# # 10. Why checkerboards, and how to avoid them?
#
# **Time:** 40 minutes; the code runs in 2 seconds. **Before:** 02, 03, 08, 09.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 [10] > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05                        the whole job: 14
# ```
#
# You will find a pattern in an output that was not in the input, and find its cause by counting.
# You will measure how strong it is, and then upsample without it. Networks that upsample by
# transposed convolutions can show this pattern in their predictions (Odena, Dumoulin and Olah,
# 2016), and a convolution with a stride has it in its gradient.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import tensor
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.metrics.phases import phase_share, phase_sums, phase_variation
from minifcn.nn.init import bilinear_kernel
from minifcn.plots.checkerboard import CountMap, OutputRow, plot_counts, plot_outputs, plot_stamps

out = pictures("10")

# %% [markdown]
# ## Predict
#
# In tutorial 09, each input pixel stamped the kernel onto the output, s pixels after the stamp
# before it. Take the simplest case: one line of five input pixels that are all 1, and a kernel
# whose weights are all 1. Then each output pixel counts how many stamps lie on it.
#
# Write down the output for kernel size k = 3 and stride s = 2, and then for k = 4 and s = 2.


# %%
def stamp(x, kernel, stride):
    """A transposed convolution along a line."""
    y = np.zeros(stride * (len(x) - 1) + len(kernel))
    for i, value in enumerate(x):
        y[stride * i : stride * i + len(kernel)] += value * kernel
    return y


print("k=3, s=2:", stamp(np.ones(5), np.ones(3), 2))
print("k=4, s=2:", stamp(np.ones(5), np.ones(4), 2))
plot_stamps(out / "stamps.png", [(3, 2), (4, 2)])
show(out / "stamps.png")

# %% [markdown]
# At the two ends fewer stamps lie on a pixel; look at the part between. With k = 3, the outputs
# alternate there: 2, 1, 2, 1. The stamps overlap on every second pixel only. With k = 4, two stamps
# lie on each pixel. We call such an output *even*: the same at each pixel, for an input that is
# the same at each pixel. The other one is *uneven*.
#
# Is `stamp` what the package computes? A test with ones could not tell a kernel from its mirror
# image. So here the numbers are random. For the package, a line is an image with one row.

# %%
rng = np.random.default_rng(0)
for k, s in [(3, 2), (4, 2), (5, 2), (4, 3), (2, 3)]:
    x, kernel = rng.standard_normal(6), rng.standard_normal(k)
    image, weight = tensor(x[None, None, None]), tensor(kernel[None, None, None])  # four axes
    line = F.conv_transpose2d(image, weight, stride=(1, s))  # 1 down, s across
    equal(f"k={k}, s={s}", stamp(x, kernel, s), line.numpy()[0, 0, 0])

# %% [markdown]
# ## The rule
#
# The **phase** of an output pixel o is `a = o mod s`: its place within one step of the stride.
# Which weights reach it? The stamp of input i starts at output `s * i`, so it puts
# `kernel[o - s * i]` on o. For i, i - 1, i - 2, ... these are the weights a, a + s, a + 2s, ..., as
# far as the kernel has them: below k. Count them (ceil rounds up):
#
# ```
# stamps on a pixel of phase a = ceil((k - a) / s)
# ```
#
# If s divides k, this is k / s for each phase. If not, the first phases get one stamp more than the
# last ones. Check it for many sizes:

# %%
right = []
for s in range(1, 6):
    for k in range(1, 13):
        middle = stamp(np.ones(30), np.ones(k), s)[15 * s : 16 * s]  # the phases 0 to s - 1
        formula = [-(-(k - a) // s) for a in range(s)]  # -(-p // q) rounds p / q up
        is_even = len(set(formula)) == 1
        right.append(middle.tolist() == formula and is_even == (k % s == 0))
print(f"{sum(right)} of {len(right)}: counts = ceil((k - a) / s), even exactly where s divides k")
claim("the formula is right for all sizes", all(right))

# %% [markdown]
# ## In the plane, the counts multiply
#
# In an image, a pixel has two phases, one of its row and one of its column. A stamp of k x k pixels
# lies on the pixel if the stamp covers that row and that column. So the count in the plane is the
# product of the counts along the two axes. For k = 3 and s = 2 the counts along an axis are 1 and
# 2. Their products are 1, 2 and 4.

# %%
overlaps, maps = [], []
for k, s in [(3, 2), (4, 2)]:
    line = stamp(np.ones(4), np.ones(k), s)
    ones = tensor(np.ones((1, 1, 4, 4)))
    plane = F.conv_transpose2d(ones, tensor(np.ones((1, 1, k, k))), stride=s).numpy()[0, 0]
    equal(f"line x line and the package on ones, k={k}", np.outer(line, line), plane, within=0)
    overlaps.append(plane)
    kind = "uneven" if k % s else "even, but for the border"
    maps.append(CountMap(f"k={k}, s={s}: {kind}", "input", "output", plane, k, s))

claim("left: 1, 2 or 4 windows overlap", set(overlaps[0].ravel()) == {1, 2, 4})
claim("right: inside there are 4 everywhere", (overlaps[1][2:-2, 2:-2] == 4).all())
notes = ["Squares: an input of ones. Circles: how many stamps lie on each pixel of the output."]
plot_counts(out / "overlaps.png", maps, [*notes, "Outlined: one pixel, and its stamp."])
show(out / "overlaps.png")

# %% [markdown]
# A pattern like the left one is a **checkerboard**: a difference between the phases, repeated
# every s pixels. There, some pixels get four times as many stamps as others.

# %% [markdown]
# ## What matters is the weighted sum
#
# We have counted stamps, as if all weights were 1. Other weights add up to a **phase sum**:
#
# ```
# S_a = kernel[a] + kernel[a + s] + kernel[a + 2s] + ...
# ```
#
# Take a line whose pixels all have the value c. Far from the ends, its outputs of phase a are
# c * S_a. So an output without a checkerboard needs equal phase sums, not equal counts.
#
# The **bilinear kernel** is the one with which a transposed convolution upsamples bilinearly
# (tutorial 07). Along a line it falls from the middle to both sides, along straight lines:
#
# ```
# kernel[i] = 1 - |i - (k - 1) / 2| / s            k = 2s or 2s - 1
# ```
#
# Each output is then a weighted mean of the nearest pixels of the input, and the weights of a mean
# add up to 1. So all phase sums are 1. In the plane, the weights of the row and of the column are
# multiplied, and there are s x s phase sums.

# %%
line = 1 - np.abs(np.arange(4) - 1.5) / 2  # k = 4, s = 2
print("bilinear, along a line:", line, " its phase sums:", line[0::2].sum(), line[1::2].sum())
equal("bilinear kernel, by hand and by the package", np.outer(line, line), bilinear_kernel(4))
for k, s in [(4, 2), (3, 2), (64, 32), (63, 32)]:
    counts, sums = phase_sums(np.ones((k, k)), s), phase_sums(bilinear_kernel(k), s)
    equal(f"phase sums of bilinear k={k}, s={s}, and 1", sums, np.ones((s, s)))
    print(f"    its counts: {sorted({int(n) for n in counts.ravel()})}")

# %% [markdown]
# With k = 63 and s = 32 the counts are as uneven as with k = 3 and s = 2: 1, 2 and 4 stamps. With
# the bilinear kernel the output is even nevertheless. And a kernel of size 4, whose counts are
# even, can make an uneven output: take other weights.

# %%
other = np.array([0.1, 0.9, 0.2, 0.4])
equal("S_a by slices and by the package", [other[0::2].sum(), other[1::2].sum()],
      phase_sums(other, 2))  # fmt: skip
print("a constant line:", stamp(np.ones(6), other, 2)[2:-2])
measured("phase 1, divided by phase 0", other[1::2].sum() / other[0::2].sum(), "4.33")

# %% [markdown]
# The pixels of phase 1 get 4.33 times as much as those of phase 0, though two stamps lie on each.
# So what is the use of "s divides k"? Each phase has the same number of weights, so weights of
# about the same size give about the same sums. With k = 3 and s = 2 that is not so: there the
# middle weight alone must be as large as the two others together.
#
# ## Two measures of a checkerboard
#
# Let y be an output, and `m_ab` the mean of all its pixels whose row has phase a and whose column
# has phase b: s x s means. We leave out the border, where fewer stamps lie.
#
# - For outputs of one sign, the **coefficient of variation**: `CV = std(m_ab) / |mean(m_ab)|`. Here
#   std is the standard deviation. (With both signs, the mean can be near 0, and CV says nothing.)
# - For outputs of any sign, the **share of the variance**: `Q = variance of m_ab / variance of y`.
#
# Both are 0 if all phases have the same mean. Q is 1 if pixels of the same phase are all equal, and
# never more.


# %%
def phase_means(y, s):
    return np.array([[y[a::s, b::s].mean() for b in range(s)] for a in range(s)])


y = rng.random((40, 40))
m = phase_means(y[4:-4, 4:-4], 2)  # margin=4 leaves out as much
equal("CV by hand and by the package", m.std() / abs(m.mean()), phase_variation(y, 2, margin=4))
equal("Q by hand and by the package", m.var() / y[4:-4, 4:-4].var(), phase_share(y, 2, margin=4))

m = phase_means(overlaps[0][2:-3, 2:-3], 2)  # 4 x 4 pixels: each phase as often as any other
measured("CV of the counts of k=3, s=2", m.std() / m.mean(), "0.484")
measured("CV of the counts of k=4, s=2", phase_variation(overlaps[1], 2, margin=2), "0")

# %% [markdown]
# For kernels of ones, CV is 0.484 with k = 3 and 0 with k = 4.
#
# ## Predict
#
# A network does not start with ones. It starts with random weights, often drawn from a normal
# (Gaussian) distribution with mean 0. Compare k = 3 and k = 4 with such weights, for s = 2. Is Q
# clearly smaller for k = 4? And with random weights that are all positive? Write both down.
#
# The input is noise of eight channels, with 0 in place of its negative numbers, as after a relu.
# The output has eight channels, too. We take the mean of Q over them, and over 20 drawings.

# %%
KINDS = {
    "ones": lambda rng, shape: np.ones(shape),
    "positive": lambda rng, shape: rng.random(shape),  # between 0 and 1, each as likely
    "Gaussian": lambda rng, shape: rng.standard_normal(shape),
}


def mean_share(layer, kind, k, seeds=20):
    """Q of a layer's output, the mean over seeds and channels."""
    shares = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = np.maximum(rng.standard_normal((1, 8, 20, 20)), 0)
        y = layer(tensor(x), tensor(KINDS[kind](rng, (8, 8, k, k))))
        shares.append(phase_share(y.numpy()[0], 2, margin=4).mean())
    return np.mean(shares)


# %%
def transposed(x, weight):
    """Twice the size by a transposed convolution; weight (C in, C out, k, k), k = 3 or 4."""
    odd = weight.shape[3] % 2  # so that both sizes make 2H x 2W of H x W
    return F.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=odd)


Q = {kind: [mean_share(transposed, kind, k) for k in (3, 4)] for kind in KINDS}
for kind, (three, four) in Q.items():
    print(f"{kind:10} k=3: {three:.3f}   k=4: {four:.3f}")
measured("Q, positive, k=3", Q["positive"][0], "0.60")
measured("Q, positive, k=4", Q["positive"][1], "0.08")
measured("Q, Gaussian, k=3", Q["Gaussian"][0], "0.23")
measured("Q, Gaussian, k=4", Q["Gaussian"][1], "0.23")

# %% [markdown]
# With positive weights, k = 4 is better: a Q of 0.08 against 0.60. With Gaussian weights there is
# no difference: 0.23 and 0.23. With weights of both signs, each phase sum is a random number around
# 0. The phases differ by chance, whether they have the same number of weights or not.
#
# So if you want to see the effect of k and s, compare with weights of one sign: all ones, or
# positive. And start a transposed convolution from the bilinear kernel: then it starts even.
#
# ## Avoid it: resize, then convolve
#
# A **resize-convolution** separates the two tasks. First it makes the image larger without any
# weights, by nearest (tutorial 08): each pixel is copied s times in each direction. Then follows
# an ordinary convolution with stride 1. All its k x k weights reach each output pixel, so all
# phase sums are the same. The border is padded with copies of the outermost pixels, as zeros
# would darken it.


# %%
def resized(x, weight, mode="nearest"):
    """Twice the size, then a 3x3 convolution; weight (C out, C in, 3, 3)."""
    larger = F.interpolate(x, scale_factor=2, mode=mode)
    padded = F.pad(larger, (1, 1, 1, 1), mode="replicate")  # one pixel on each of four sides
    return F.conv2d(padded, weight)


x, weight = rng.standard_normal((1, 1, 5, 5)), rng.standard_normal((1, 1, 3, 3))
copies = np.pad(x[0, 0].repeat(2, axis=0).repeat(2, axis=1), 1, mode="edge")
by_hand = np.zeros((10, 10))
for dy in range(3):
    for dx in range(3):
        by_hand += weight[0, 0, dy, dx] * copies[dy : dy + 10, dx : dx + 10]
equal("resize-convolution", by_hand, resized(tensor(x), tensor(weight)).numpy()[0, 0])

# %%
worst = max(mean_share(resized, kind, 3) for kind in KINDS)
print(f"Q of the resize-convolution is at most {worst:.5f}, for all three kinds of weights")
claim("that is next to nothing", worst < 0.001)
constant = resized(tensor(np.ones((1, 1, 8, 8))), tensor(weight)).numpy()[0, 0]
equal("a constant image stays constant", constant, np.full((16, 16), weight.sum()))

# %% [markdown]
# A constant image has exactly the same value everywhere afterwards. For the noise, Q is not exactly
# 0: near the border of the part that is counted, the phases see different pixels of it.
#
# ## Before and after
#
# Each row of the picture shows what one layer, or three layers one after the other, make of a
# bright disc, and Q. There are eight channels again, all with the same disc; we see the first
# channel of the output. In the last column the image is resized by bilinear interpolation instead
# of by copies.

# %%
down, across = np.mgrid[:18, :18] - 8.5  # from the middle
distance = np.hypot(down, across)
disc = 0.3 + 0.7 / (1 + np.exp((distance - 5) / 0.7))  # 1 inside a radius of 5, 0.3 outside


def bilinear(x, weight):
    return resized(x, weight, mode="bilinear")


def stack(layer, kind, k, depth):
    """Upsample the disc by layers with random weights; return the first channel."""
    rng, y = np.random.default_rng(0), tensor(np.tile(disc, (1, 8, 1, 1)))
    for _ in range(depth):
        weight = KINDS[kind](rng, (8, 8, k, k))
        y = layer(y, tensor(weight / np.abs(weight).sum()))  # else the numbers would grow
    cut = 2 * 2**depth  # the border is darker: fewer stamps lie on it
    return y.numpy()[0, 0, cut:-cut, cut:-cut]


# %%
layers = {"transposed k=3": (transposed, 3), "transposed k=4": (transposed, 4),
          "nearest, conv k=3": (resized, 3), "bilinear, conv k=3": (bilinear, 3)}  # fmt: skip
picture = []
for kind, depth in [("ones", 1), ("positive", 1), ("positive", 3), ("Gaussian", 1)]:
    outputs = [stack(layer, kind, k, depth) for layer, k in layers.values()]
    captions = [f"Q {phase_share(y, 2**depth):.3f}" for y in outputs]
    claim("resize-convolution is even", phase_share(outputs[2], 2**depth) < 0.001)
    title = f"Kernels: {kind}. Layers: {depth}"
    black_is_0 = kind != "Gaussian"  # there, it is the lowest number
    picture.append(OutputRow(title, disc[2:-2, 2:-2], outputs, captions, black_is_0))
plot_outputs(out / "outputs.png", list(layers), picture)
show(out / "outputs.png")

# %% [markdown]
# The two columns on the right have no checkerboard in any row. (Nearest leaves steps of 2 pixels.
# They follow the disc, and the phases have the same mean: Q is 0.) Of the transposed convolutions,
# only k = 4 with ones is even. Three layers of stride 2 together have a stride of 8, so their
# pattern repeats every 8 pixels.
#
# ## Change one thing: look at the gradient
#
# In tutorial 09 you saw that the backward of a convolution is a transposed convolution. So a
# convolution with k = 3 and s = 2, in the part of a network that makes images *smaller*, should
# send a checkerboard back to its input. Let L be the sum of its outputs: then each output gets the
# gradient 1, as the input of `stamp` above.

# %%
image = tensor(rng.standard_normal((1, 1, 13, 13)), requires_grad=True)
kernel = tensor(np.ones((1, 1, 3, 3)))
F.conv2d(image, kernel, stride=2).sum().backward()
gradient = image.grad.numpy()[0, 0]
print(gradient[:5, :9].astype(int))
line = stamp(np.ones(6), np.ones(3), 2)
equal("gradient and overlaps", gradient, np.outer(line, line), within=0)
measured("CV of the gradient, k=3, s=2", phase_variation(gradient, 2, margin=3), "0.484")

# %% [markdown]
# The same 1, 2, 4, and the same CV of 0.484. L depends on some pixels of the input four times as
# strongly as on others. With other weights, the gradient has the phase sums of the kernel:

# %%
kernel = tensor(rng.random((1, 1, 3, 3)))
image = tensor(rng.standard_normal((1, 1, 13, 13)), requires_grad=True)
F.conv2d(image, kernel, stride=2).sum().backward()
middle = image.grad.numpy()[0, 0, 4:6, 4:6]
equal("gradient in the middle and phase sums", middle, phase_sums(kernel.numpy()[0, 0], 2))

# %% [markdown]
# ## Does learning remove it?
#
# Learning can change the weights until the phase sums are equal. But the loss asks for right
# classes, not for equal phase sums. So learning can reduce a checkerboard, and need not remove it.
# This takes minutes to measure: `minifcn experiment upsampling` trains eight ways to upsample, and
# prints Q before and after. The repository's docs/EXPERIMENTS.md shows the numbers.
#
# So there are two ways to avoid checkerboards: a transposed convolution whose s divides k and that
# starts bilinear, or a resize-convolution. Only the second stays even whatever it learns.

# %% [markdown]
# ## Exercises
#
# 1. Write down the counts of k = 5, s = 3 for the phases 0, 1 and 2, then the nine counts in the
#    plane and their CV. Check the counts in `line = stamp(np.ones(20), np.ones(5), 3)`, and the CV
#    with `phase_variation(np.outer(line, line), 3, margin=5)`.
# 2. Along a line, nearest by 2 and then a convolution with the kernel `(u, v, w)` is the same as
#    one transposed convolution with s = 2 and four weights. Which? Begin with the two windows that
#    have a copy of `x[i]` in the middle: what does each see? Of 8 pixels, nearest makes 16, and the
#    convolution without padding 14 numbers. You are right if these are `equal` to
#    `stamp(pixels, your_kernel, 2)[2:-2]`, for random pixels and weights. What are the phase sums?
# 3. Take a random positive kernel of size 3 and s = 2. Multiply each weight by a positive number of
#    its own, so that both phase sums become 1. You are right if `stamp(np.ones(8), kernel, 2)` is
#    1 everywhere, without the two numbers at each end.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# ## Next
#
# Even upsampling does not bring back what a stride of 32 has lost. The finer layers still have it.
# The next tutorial takes it from there.
