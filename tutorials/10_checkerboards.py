# %% [markdown]
# # 10. Why checkerboards, and what helps?
#
# **Time:** 45 minutes; the code runs in 20 seconds. **Before:** 02, 03, 05, 08, 09.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 [10] > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will find a pattern in an output that was not in the input, and find its cause by counting.
# You will measure how strong it is, meet a remedy, and a case in which that fails. At the end you
# train three small upsamplers. Networks that upsample by transposed convolutions can show this
# pattern in what they make (Odena, Dumoulin and Olah, 2016). (The 45 minutes are for the core,
# without the two parts that are marked as optional.)

# %%
import numpy as np

from minifcn import functional as F
from minifcn import optim, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.data.shapes import Shapes
from minifcn.data.transforms import normalise
from minifcn.explain import explain
from minifcn.metrics.phases import (
    phase_share,
    phase_spread,
    phase_sums,
    phase_unevenness,
    phase_variation,
)
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
# alternate there: 2, 1, 2, 1. The stamps overlap on every second pixel. With k = 4, two stamps lie
# on each pixel. We call an upsampling **even on constants** if it makes a constant output of a
# constant input, but for the border. (The word "constants" matters; we come back to it.)
#
# Is `stamp` what the package computes? A test with ones could not tell a kernel from its mirror
# image, so here the numbers are random. For the package, a line is an image with one row.

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
# On a page, with k = 3 and s = 2: ones stamp a kernel of ones, and each output counts its stamps.
# Step to the end, then press the example "even overlaps", which has k = 4, and do it again. (A
# notebook shows the page, a script prints which file to open.)

# %%
ones = explain("conv_transpose2d", np.ones((4, 4)), np.ones((1, 1, 3, 3)), stride=2, padding=0)
show(ones.save(out / "steps.html"))

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
# c * S_a. So an upsampling is even on constants if its phase sums are equal, whatever its counts.
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
# With k = 63 and s = 32 the counts are uneven, as with k = 3 and s = 2: 1, 2 and 4 stamps. With the
# bilinear kernel the upsampling is even on constants nevertheless. And a kernel of size 4, whose
# counts are equal, can make an uneven output: take other weights.

# %%
other = np.array([0.1, 0.9, 0.2, 0.4])
equal("S_a by slices and by the package", [other[0::2].sum(), other[1::2].sum()],
      phase_sums(other, 2))  # fmt: skip
print("a constant line:", stamp(np.ones(6), other, 2)[2:-2])
measured("phase 1, divided by phase 0", other[1::2].sum() / other[0::2].sum(), "4.33")

# %% [markdown]
# The pixels of phase 1 get 4.33 times as much as those of phase 0, though two stamps lie on each.
# What, then, is the use of "s divides k"? Each phase has the same number of weights, and weights of
# about the same size then give about the same sums. With k = 3 and s = 2 the middle weight alone
# would have to be as large as the two others together.
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
# never more. If *all* pixels are equal, Q is 0/0: there is no variance to share. The package then
# says 0.


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
# To see the effect of k and s, then, compare with weights of one sign: all ones, or positive. And a
# transposed convolution that is to be trained can start from the bilinear kernel: then it is even
# on constants when the training begins.
#
# ## A remedy: resize, then convolve
#
# A **resize-convolution** separates the two tasks (this is what Odena, Dumoulin and Olah
# recommend). First it makes the image larger without any weights, by nearest (tutorial 08): each
# pixel is repeated in a block of s x s. Then follows an ordinary convolution with stride 1. On
# a constant image each of its windows holds the same numbers, so the output is constant, too,
# whatever the weights. The border is padded with copies of the outermost pixels: with zeros, the
# outputs there would differ from the rest.


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
# A constant image stays constant. For the noise, Q is not exactly 0: near the border of the part
# that is counted, the phases see different pixels of it.
#
# ## Predict
#
# Is a resize-convolution free of patterns, then? Take a 3x3 kernel whose middle row is `-1, 1, 0`,
# and zeros around it: it subtracts from each pixel its neighbour on the left, as a detector of
# edges does. The input is a ramp: 0, 1, 2, 3, ... from column to column. Nearest makes 0, 0, 1, 1,
# 2, 2, 3, 3. What does the convolution make of that? And of noise?

# %%
difference = np.zeros((1, 1, 3, 3))
difference[0, 0, 1] = -1, 1, 0
inputs = {
    "constant": np.ones((20, 20)),
    "ramp": np.tile(np.arange(20.0), (20, 1)),
    "noise": rng.standard_normal((20, 20)),
}
painted = {}
for name, x in inputs.items():
    y = resized(tensor(x[None, None]), tensor(difference)).numpy()[0, 0]
    painted[name] = y[4:-4, 4:-4]
    print(f"{name:9}", painted[name][0, :6].round(2))
claim("every second column of the noise is 0", (painted["noise"][:, 1::2] == 0).all())
claim("of the noise, no other is", (painted["noise"][:, ::2] != 0).any(axis=0).all())
measured("Q of the ramp's output", phase_share(painted["ramp"], 2), "1.0")
measured("Q of the noise's output", phase_share(painted["noise"], 2), "0.000")
equal("a constant input becomes 0", painted["constant"], np.zeros((32, 32)), within=0)

# %% [markdown]
# Of the ramp it makes 1, 0, 1, 0, with a Q of 1.0: nothing but pattern, though all phase sums are
# equal. The steps of the ramp lie between pairs of copies, and inside a pair there is none.
# *Even on constants* does not mean *free of artifacts*, of patterns that the layer adds. In the
# words of Odena, Dumoulin and Olah, resize-convolution *discourages* them. It does not forbid them.
#
# And of the noise? Every second column is 0, which nobody would call even, and Q is 0.000. The
# means of all phases are about 0, and Q sees means alone.
#
# ## A measure that sees more
#
# Optional on a first reading: you may go on to "Side by side". All you need of this is that the
# **unevenness** U lies between 0 and 1, like Q, and also sees whether the pixels of one phase vary
# more than those of another, as in the noise.
#
# Let `d_ab` be the standard deviation of the pixels of one phase, around their own mean. The
# variance of y is a sum of three parts:
#
# ```
# variance of y = variance of m_ab + variance of d_ab + (mean of d_ab)^2
# ```
#
# The first, divided by the variance of y, is Q. The second, likewise, we call the **spread** V. The
# third is what all phases have in common. The unevenness is `U = Q + V`. It lies between 0 and 1,
# and is 0 exactly where all phases have the same mean and the same variance.


# %%
def phase_deviations(y, s):
    return np.array([[y[a::s, b::s].std() for b in range(s)] for a in range(s)])


y = painted["noise"]
m, d = phase_means(y, 2), phase_deviations(y, 2)
equal("the three parts and the variance", m.var() + d.var() + d.mean() ** 2, y.var())
equal("V by hand and by the package", d.var() / y.var(), phase_spread(y, 2))
equal("U by hand and by the package", (m.var() + d.var()) / y.var(), phase_unevenness(y, 2))
measured("U of the noise's output", phase_unevenness(y, 2), "0.50")
measured("U of the ramp's output", phase_unevenness(painted["ramp"], 2), "1.0")

# %% [markdown]
# U is 0.50 for the noise, and 1.0 for the ramp. But U, too, has its limits. Content counts: on an
# image of a few pixels the phases differ by chance, so compare outputs of one image. And with equal
# means and variances of the phases, there can still be a pattern. Take noise, and put beside each
# number the same with its sign flipped:

# %%
noise = rng.standard_normal((400, 400))
claim("by chance, phases of a few pixels differ", phase_unevenness(noise[:8, :8], 2) > 0.01)
pairs = noise.repeat(2, axis=1) * np.tile([1, -1], 400)
print(pairs[0, :6].round(2))
measured("U of numbers beside their negatives", phase_unevenness(pairs, 2), "0.000")

# %% [markdown]
# U is 0.000. Do not trust one number alone: look at the output, too.
#
# ## Side by side
#
# Each row of the picture shows what one layer, or three layers one after the other, make of an
# input, and U. The first row is the ramp with our `-1, 1, 0`. The others show a bright disc, in
# eight equal channels; we see the first channel of the output. In the last column the image is
# resized by bilinear interpolation instead of by copies.

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
row = np.pad(difference, ((0, 0), (0, 0), (0, 1), (0, 1)))  # -1, 1, 0, 0: for k = 4
ramp = np.tile(np.arange(18.0), (18, 1))
outputs = [
    layer(tensor(ramp[None, None]), tensor(row[..., :k, :k])).numpy()[0, 0, 4:-4, 4:-4]
    for layer, k in layers.values()
]
captions = [f"U {phase_unevenness(y, 2):.3f}" for y in outputs]
claim("of the ramp, nearest makes a pattern", phase_unevenness(outputs[2], 2) == 1)
equal("of the ramp, bilinear makes a constant", outputs[3], np.full((28, 28), 0.5))
measured("which is", outputs[3].mean(), "0.5")
of_noise = bilinear(tensor(inputs["noise"][None, None]), tensor(difference)).numpy()[0, 0]
measured("U of the noise above, bilinear", phase_unevenness(of_noise, 2, margin=4), "0.11")
picture = [OutputRow("A ramp, middle row -1, 1, 0", ramp[2:-2, 2:-2], outputs, captions, False)]

# %%
for kind, depth in [("ones", 1), ("positive", 1), ("positive", 3), ("Gaussian", 1)]:
    outputs = [stack(layer, kind, k, depth) for layer, k in layers.values()]
    captions = [f"U {phase_unevenness(y, 2**depth):.3f}" for y in outputs]
    resized_ones = [phase_unevenness(y, 2**depth) for y in outputs[2:]]
    claim(f"of the disc, both ways to resize: {kind}", max(resized_ones) < 0.0005)
    title = f"A disc. Kernels: {kind}. Layers: {depth}"
    black_is_0 = kind != "Gaussian"  # there, it is the lowest number
    picture.append(OutputRow(title, disc[2:-2, 2:-2], outputs, captions, black_is_0))
note = "Black is 0; for the ramp and the Gaussian kernels it is the lowest value of each picture."
plot_outputs(out / "outputs.png", list(layers), picture, note)
show(out / "outputs.png")
measured("U of the last disc, nearest", phase_unevenness(outputs[2], 2), "0.000")
corners = [y[14:, -6:] for y in outputs[2:]]  # the mottled ground at the lower right
measured("U of its lower right, nearest", phase_unevenness(corners[0], 2), "0.19")
measured("U of its lower right, bilinear", phase_unevenness(corners[1], 2), "0.08")

# %% [markdown]
# On the disc, both resize-convolutions have a U of 0.000. Yet look closely at the last row: behind
# nearest, the dark ground at the right is mottled. It is faint beside the disc; of the lower right
# alone, U is 0.19, against 0.08 behind bilinear. Bilinear resizing turns the ramp into a constant
# 0.5: it leaves no copies for a kernel to find. It is not free of patterns either: with `-1, 1, 0`,
# it makes an output with a U of 0.11 of the noise above. Among the transposed convolutions of this
# picture, one is even on constants: k = 4 with ones. Three layers of stride 2 together have a
# stride of 8, so their pattern repeats every 8 pixels.
#
# ## The same in a gradient
#
# Optional on a first reading: you may go on to "Train three upsamplers".
#
# In tutorial 09 you saw that the backward of a convolution is a transposed convolution. A
# convolution with k = 3 and s = 2, in the part of a network that makes images *smaller*, should
# then send a checkerboard back to its input. Let L be the sum of its outputs: each output gets the
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
# strongly as on others.
#
# ## Train three upsamplers
#
# The weights of an upsampling layer need not stay as they begin. Here a single layer, with a bias,
# gets a colour image at half its size and should give back the whole image. The loss is the mean
# squared difference. There are three layers to compare: transposed with random k = 3, transposed
# with bilinear k = 4, and a resize-convolution with random weights. In the second, each pair
# of an input and an output channel has the bilinear kernel, times a random factor.
#
# Predict: which of them are uneven before the training, and which after?


# %%
def read(split, count):
    """Images at half their size; and what a layer should make of them, for each task."""
    scenes = list(Shapes(split, count, (64, 64)))
    images = np.stack([normalise(image) for image, _ in scenes])
    masks = np.stack([mask for _, mask in scenes]).astype(np.int64)
    return F.avg_pool2d(tensor(images), 2).numpy(), {"image": images, "classes": masks}


def squared(y, target):
    apart = y - tensor(target)
    return (apart * apart).mean()


LOSS, CHANNELS = {"image": squared, "classes": F.cross_entropy}, {"image": 3, "classes": 6}
START = {  # how each layer's weights are drawn, for c channels of the output
    "transposed k=3": (transposed, lambda c: rng.standard_normal((3, c, 3, 3)) / 3),
    "bilinear k=4": (
        transposed, lambda c: rng.standard_normal((3, c, 1, 1)) * bilinear_kernel(4)),
    "nearest + conv k=3": (resized, lambda c: rng.standard_normal((c, 3, 3, 3)) / 5),
}  # fmt: skip
halves, targets = read("train", 64)
held_out, truths = read("val", 16)


# %%
def train(task, name, steps=200):
    """Return a layer's outputs for the held-out images, before and after, and its last loss."""
    layer, draw = START[name]
    weight = tensor(draw(CHANNELS[task]).astype(np.float32), requires_grad=True)
    bias = tensor(np.zeros((1, CHANNELS[task], 1, 1), np.float32), requires_grad=True)
    optimizer = optim.SGD([weight, bias], lr=0.2, momentum=0.9)  # adds 0.9 of the last step
    before = layer(tensor(held_out), weight) + bias
    for step in range(steps):
        some = slice(step * 8 % 64, step * 8 % 64 + 8)  # a batch of 8
        loss = LOSS[task](layer(tensor(halves[some]), weight) + bias, targets[task][some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = layer(tensor(held_out), weight) + bias
    return before.numpy(), after.numpy(), LOSS[task](after, truths[task]).item()


def uneven(y):
    return phase_unevenness(y, 2, margin=4).mean()


def three_times(task):
    """Train each layer three times; print the means of U and of the loss, and return all runs."""
    runs = {name: [train(task, name) for _ in range(3)] for name in START}
    for name, own in runs.items():
        before, after = (np.mean([uneven(run[n]) for run in own]) for n in (0, 1))
        loss = np.mean([run[2] for run in own])
        print(f"{name:25} U {before:.4f}, then {after:.4f}; loss {loss:.3f}")
    return runs


# %%
of_images = three_times("image")
k3, k4, resizing = (np.array([[uneven(run[n]) for n in (0, 1)] for run in own])
                    for own in of_images.values())  # fmt: skip
measured("U before, k=3", k3[:, 0].mean(), "0.33")
claim(
    "after learning images, all are even",
    max(own[:, 1].max() for own in (k3, k4, resizing)) < 0.001,
)

# %% [markdown]
# With random k = 3, U is 0.33 before the training. Afterwards it is below a thousandth for all
# three layers. Here learning removes the checkerboard: the target has none, and what differs from
# the target costs something at every pixel.
#
# ## Change one thing: the task
#
# Now the same three layers, from the same half images, should give six logits for each pixel: one
# for each class. The loss is the cross-entropy. How good a single layer becomes at this does not
# matter here; we look at U. Will learning remove the checkerboard again?

# %%
of_classes = three_times("classes")
k3, k4, resizing = (np.array([[uneven(run[n]) for n in (0, 1)] for run in own])
                    for own in of_classes.values())  # fmt: skip
measured("U of the logits before, k=3", k3[:, 0].mean(), "0.34")
measured("U of the logits after, k=3", k3[:, 1].mean(), "0.23", 0.02)
for name in ("transposed k=3", "bilinear k=4"):
    measured(f"loss, {name}", np.mean([run[2] for run in of_classes[name]]), "0.79", 0.01)

# %% [markdown]
# This time U of k = 3 goes from 0.34 to 0.23 (give or take `0.02`), though its loss is that of the
# bilinear layer, 0.79 (give or take `0.01`). How can that be? The softmax sees differences between
# classes: add one number to all six logits of a pixel, and no probability changes. A pattern that
# all classes share costs nothing. Take it away, by subtracting from each pixel the mean of its six
# logits:


# %%
def own_part(logits):
    return logits - logits.mean(axis=1, keepdims=True)


def between(y):
    """The variance between the phases' means, summed over images and classes."""
    planes = y[..., 4:-4, 4:-4].reshape(-1, 56, 56)
    return sum(phase_means(plane, 2).var() for plane in planes)


runs = of_classes["transposed k=3"]
after = runs[0][1]
equal("the softmax of both", F.softmax(tensor(own_part(after)), 1), F.softmax(tensor(after), 1),
      within=1e-5)  # fmt: skip
of_own = np.array([[uneven(own_part(run[n])) for n in (0, 1)] for run in runs])
measured("U of what the softmax sees, before", of_own[:, 0].mean(), "0.35")
measured("U of what the softmax sees, after", of_own[:, 1].mean(), "0.07", 0.01)
shared = [1 - between(own_part(run[1])) / between(run[1]) for run in runs]
measured("what all classes share of the pattern", np.mean(shared), "99 %", 0.01)
claim(
    "the bilinear start and resizing stay below 0.03",
    max(k4[:, 1].max(), resizing[:, 1].max()) < 0.03,
)
claim("the bilinear start became less even", (k4[:, 1] > k4[:, 0]).all())


# %%
def panel(y):
    return y[0, 1, 4:-4, 4:-4]  # the first image, channel 1


lines = [
    ("The image, before", of_images, 0, np.asarray),
    ("The image, after", of_images, 1, np.asarray),
    ("The logit of a class, before", of_classes, 0, np.asarray),
    ("The logit of a class, after", of_classes, 1, np.asarray),
    ("The same, less the mean of all classes", of_classes, 1, own_part),
]
picture = []
for title, runs, n, part in lines:
    outputs = [panel(part(own[0][n])) for own in runs.values()]
    captions = [f"U {phase_unevenness(y, 2):.4f}" for y in outputs]
    picture.append(OutputRow(title, held_out[0, 1, 2:-2, 2:-2], outputs, captions, False))
note = "Input: the green channel, half the size. Class: disc. Black: the lowest value of each."
plot_outputs(out / "trained.png", list(START), picture, note)
show(out / "trained.png")

# %% [markdown]
# Look at k = 3 in the picture: in the fourth row, after the training, it is still striped. In the
# last row, without what all classes share, most of the stripes are gone.
#
# What the softmax sees had a U of 0.35, and has 0.07 now (give or take `0.01`). Of the variance
# between the phases' means, 99 % (give or take 1) is shared by all classes: the loss is blind to
# nearly all of this checkerboard. The bilinear start and the resize-convolution stay below a U of
# `0.03`. But the bilinear layer, too, is less even than it was when it began.
#
# Inside a network, relus and more convolutions follow an upsampling, and what all channels share
# can matter to them. `minifcn experiment upsampling` trains eight ways to upsample there, and
# prints Q and U before and after. The repository's docs/EXPERIMENTS.md shows their scores, and Q.
#
# What helps, then? Here it was to resize before the convolution, or to start bilinear. Neither is a
# guarantee. And that s divides k is not enough: with Gaussian weights, k = 4 was as uneven as
# k = 3.

# %% [markdown]
# ## Exercises
#
# 1. A line of ones was upsampled with a kernel of ones. In the middle of the output stands
#    `3 3 2 2 3 3 2 2`, again and again. Infer k and s. You are right if
#    `stamp(np.ones(12), np.ones(k), s)[24:32]` is `equal` to these eight numbers.
# 2. Design two kernels with four weights for s = 2, whose counts are equal, and that still fail.
#    The first: positive weights that make `0.5, 1.5, 0.5, 1.5` of a line of ones. The second:
#    both phase sums are 1, so that it passes the test with ones, but it makes of the ramp 0, 1, 2,
#    ... a line that goes up by 2 and down by 1 in turns. You are right if
#    `stamp(np.ones(8), first, 2)[2:-2]` is `equal` to `np.tile([0.5, 1.5], 7)`, and if
#    `np.diff(stamp(np.arange(8.0), second, 2)[2:-2])` is 2, -1, 2, -1, ..., 2.
# 3. Along a line, nearest by 2 and then a convolution with the kernel `(u, v, w)` is the same as
#    one transposed convolution with s = 2 and four weights. Which? Begin with the two windows that
#    have a copy of `x[i]` in the middle: what does each see? Of 8 pixels, nearest makes 16, and the
#    convolution without padding 14 numbers. You are right if these are `equal` to
#    `stamp(pixels, your_kernel, 2)[2:-2]`, for random pixels and weights. What are the phase sums?
#    And which four weights belong to `-1, 1, 0`?
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write it yourself, checked: `bilinear_kernel` (`minifcn course check my-course bilinear_kernel`):
# the kernel, and the weight made of it for several channels.
#
# ## Next
#
# Upsampling, even or not, does not bring back what a stride of 32 has lost. The finer layers still
# have it. What do they see? The next tutorial looks into them, and tutorial 12 adds their scores.
