# %% [markdown]
# # 10. Why checkerboards, and how to avoid them?
#
# **Time:** 40 minutes; the code runs in 2 seconds. **Before:** 02, 03, 08, 09.
#
# You will find a pattern in an output that was not in the input, count where it comes from, and
# learn what is even and what only looks so. Then you will upsample without it. Networks that
# upsample by transposed convolutions show the pattern in their predictions, and a network that
# downsamples has it in its gradients.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import tensor
from minifcn.lesson import equal, measured, pictures, show
from minifcn.nn.init import bilinear_kernel
from minifcn.phases import phase_share, phase_sums, phase_variation
from minifcn.plots.checkerboard import CountMap, OutputRow, plot_counts, plot_outputs, plot_stamps

out = pictures("10")

# %% [markdown]
# ## Predict
#
# In tutorial 09, each input pixel stamped its kernel onto the output, s pixels after the one
# before it. Take the simplest case: one line, five input pixels that are all 1, and a kernel that
# is all 1. Nothing in it differs from place to place.
#
# Write down the output for kernel size k = 3 and stride s = 2, and then for k = 4 and s = 2. Each
# output counts how many stamps lie on it.


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
# With k = 3, the outputs alternate: 2, 1, 2, 1. The stamps overlap on every second pixel. With
# k = 4 they overlap everywhere, but for the two ends.
#
# Is `stamp` what the package computes? A test with ones could not tell a kernel from its mirror
# image. So here the numbers are random.

# %%
rng = np.random.default_rng(0)
for k, s in [(3, 2), (4, 2), (5, 2), (4, 3), (2, 3)]:
    x, kernel = rng.standard_normal(6), rng.standard_normal(k)
    line = F.conv_transpose2d(
        tensor(x[None, None, None]), tensor(kernel[None, None, None]), stride=(1, s)
    )
    equal(f"k={k}, s={s}", stamp(x, kernel, s), line.numpy()[0, 0, 0])

# %% [markdown]
# ## The rule
#
# The **phase** of an output pixel o is `a = o mod s`: its place within one step of the stride.
# Which weights reach it? The stamp of input i puts `kernel[o - s i]` on it, so the weights at
# a, a + s, a + 2s, ..., and no others. So many there are:
#
# ```
# stamps on a pixel of phase a = ceil((k - a) / s)
# ```
#
# This is the same for all phases if s divides k, and never otherwise. Count it for many sizes:

# %%
for s in range(1, 6):
    for k in range(s, 13):
        middle = stamp(np.ones(30), np.ones(k), s)[15 * s :][:s]  # from phase 0 on
        formula = [-(-(k - a) // s) for a in range(s)]  # -(-p // q) rounds p / q up
        assert middle.tolist() == formula
        assert (len(set(formula)) == 1) == (k % s == 0)
print("counts = ceil((k - a) / s), even exactly where s divides k")

# %% [markdown]
# ## In the plane, the counts multiply
#
# A stamp of k x k pixels covers an output pixel if it covers its row and its column. So the count
# in the plane is the product of the counts along the two axes. For k = 3 and s = 2 the counts 1
# and 2 make 1, 2 and 4.

# %%
overlaps = {}
for k, s in [(3, 2), (4, 2)]:
    line = stamp(np.ones(4), np.ones(k), s)
    ones = tensor(np.ones((1, 1, 4, 4)))
    plane = F.conv_transpose2d(ones, tensor(np.ones((1, 1, k, k))), stride=s).numpy()[0, 0]
    equal(f"line x line and the package on ones, k={k}", np.outer(line, line), plane, within=0)
    overlaps[k] = plane

assert set(overlaps[3].ravel()) == {1, 2, 4}
assert set(overlaps[4][2:-2, 2:-2].ravel()) == {4}  # without the border
maps = [
    CountMap("k=3, s=2: uneven", "input", "output", overlaps[3], 3, 2),
    CountMap("k=4, s=2: even, but for the border", "input", "output", overlaps[4], 4, 2),
]
notes = ["Squares: an input of ones. Circles: how many stamps lie on each pixel of the output."]
plot_counts(out / "overlaps.png", maps, [*notes, "Outlined: one pixel, and its stamp."])
show(out / "overlaps.png")

# %% [markdown]
# A pattern like the left one is a **checkerboard**: a difference between the phases, repeated
# every s pixels. Some pixels get four times as much as others, whatever the image shows.

# %% [markdown]
# ## What matters is the weighted sum
#
# We have counted stamps, as if all weights were 1. Other weights add up to a **phase sum**:
#
# ```
# S_a = kernel[a] + kernel[a + s] + kernel[a + 2s] + ...
# ```
#
# Far from the border, an image of constant value c becomes c S_a. So an output without a
# checkerboard needs equal phase sums, not equal counts. A **bilinear kernel** is the kernel with
# which a transposed convolution interpolates: along a line it falls evenly from the middle to both
# sides. Its phase sums are 1, because an average of equal values is that value.

# %%
tent = np.array([0.25, 0.75, 0.75, 0.25])  # k = 4, s = 2
print("phase sums of the tent:", tent[0::2].sum(), tent[1::2].sum())
equal("outer product and the package", np.outer(tent, tent), bilinear_kernel(4))
for k, s in [(4, 2), (3, 2), (64, 32), (63, 32)]:
    counts, sums = phase_sums(np.ones((k, k)), s), phase_sums(bilinear_kernel(k), s)
    equal(f"phase sums of bilinear k={k}, s={s}, and 1", sums, np.ones((s, s)))
    print(f"    its counts: {sorted({int(n) for n in counts.ravel()})}")

# %% [markdown]
# k = 63 with s = 32 is as uneven in counts as k = 3 with s = 2: 1, 2 and 4 stamps. Its bilinear
# kernel is even all the same. And a kernel of size 4 can be uneven: take other weights.

# %%
other = np.array([0.1, 0.9, 0.2, 0.4])
equal("S_a by slices and by the package", [other[0::2].sum(), other[1::2].sum()],
      phase_sums(other, 2))  # fmt: skip
print("a constant line:", stamp(np.ones(6), other, 2)[2:-2])
measured("its odd phase, divided by its even one", other[1::2].sum() / other[::2].sum(), "4.33")

# %% [markdown]
# The odd pixels are 4.33 times as bright as the even ones, with even counts. So what does "s
# divides k" give? Each phase has as many weights as any other, and so the same chance. With k = 3
# one phase has fewer weights, and evenness needs weights that make up for it.
#
# ## Two measures of a checkerboard
#
# Let `m_ab` be the mean of all output pixels whose row has phase a and whose column has phase b.
# We leave out the border, where fewer stamps reach.
#
# - For outputs of one sign, the **coefficient of variation**: `CV = std(m_ab) / |mean(m_ab)|`.
# - For outputs of any sign, the **share of the variance**: `Q = variance of m_ab / variance of y`.
#
# Both are 0 if all phases have the same mean. Q is at most 1, where nothing but the phase varies.


# %%
def phase_means(y, s):
    return np.array([[y[a::s, b::s].mean() for b in range(s)] for a in range(s)])


y = rng.random((40, 40))
m = phase_means(y[4:-4, 4:-4], 2)
equal("CV by hand and by the package", m.std() / abs(m.mean()), phase_variation(y, 2, margin=4))
equal("Q by hand and by the package", m.var() / y[4:-4, 4:-4].var(), phase_share(y, 2, margin=4))

m = phase_means(overlaps[3][2:-3, 2:-3], 2)
measured("CV of the counts of k=3, s=2", m.std() / m.mean(), "0.484")
measured("CV of the counts of k=4, s=2", phase_variation(overlaps[4], 2, margin=2), "0")

# %% [markdown]
# For kernels of ones, CV is 0.484 with k = 3 and 0 with k = 4.
#
# ## Predict
#
# A network does not start with ones. It starts with random weights, often drawn from a normal
# (Gaussian) distribution with mean 0. Many people compared k = 3 and k = 4 in such a network.
# What do you expect of Q: is it clearly smaller for k = 4? Write it down.
#
# The input is random: eight channels of noise, of which the negative half is set to 0.

# %%
KINDS = {
    "ones": lambda rng, shape: np.ones(shape),
    "positive": lambda rng, shape: rng.random(shape),  # even between 0 and 1
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
    odd = weight.shape[3] % 2
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
# nothing to see: 0.23 and 0.23. The trap: weights of both signs nearly cancel, so that each
# phase sum is a small random number, and phases differ by chance, however many weights they have.
#
# So compare upsampling layers with weights that are fair: all ones, all positive, or bilinear.
# And start a transposed convolution from the bilinear kernel: then it starts even.
#
# ## Avoid it: resize, then convolve
#
# A **resize-convolution** separates the two tasks. First it makes the image larger without any
# weights: **nearest** copies each pixel s times in each direction. Then an ordinary convolution
# with stride 1 follows. Each output pixel gets all k x k weights: there are no phases in it.
# The border is padded with copies of the outermost pixels, as zeros would darken it.


# %%
def resized(x, weight, mode="nearest"):
    """Twice the size, then a 3x3 convolution; weight (C out, C in, 3, 3)."""
    larger = F.interpolate(x, scale_factor=2, mode=mode)
    return F.conv2d(F.pad(larger, (1, 1, 1, 1), mode="replicate"), weight)


x, weight = rng.standard_normal((1, 1, 5, 5)), rng.standard_normal((1, 1, 3, 3))
copies = np.pad(x[0, 0].repeat(2, axis=0).repeat(2, axis=1), 1, mode="edge")
by_hand = np.zeros((10, 10))
for dy in range(3):
    for dx in range(3):
        by_hand += weight[0, 0, dy, dx] * copies[dy : dy + 10, dx : dx + 10]
equal("resize-convolution", by_hand, resized(tensor(x), tensor(weight)).numpy()[0, 0])

# %%
worst = max(mean_share(resized, kind, 3) for kind in KINDS)
print(f"Q of the resize-convolution is at most {worst:.5f}, whatever the weights")
assert worst < 0.001
constant = resized(tensor(np.ones((1, 1, 8, 8))), tensor(weight)).numpy()[0, 0]
equal("a constant image stays constant", constant, np.full((16, 16), weight.sum()))

# %% [markdown]
# ## Before and after
#
# Each picture shows what one layer, or three layers one after the other, make of a bright disc.
# There are eight channels again, all with the same disc; we see the first channel of the output.
# In the last column the image is resized by bilinear interpolation instead of by copies.


# %%
def bilinear(x, weight):
    return resized(x, weight, mode="bilinear")


def stack(layer, kind, k, depth):
    """Upsample the disc by layers with random weights; return the first channel."""
    rng, y = np.random.default_rng(0), tensor(np.tile(disc, (1, 8, 1, 1)))
    for _ in range(depth):
        weight = KINDS[kind](rng, (8, 8, k, k))
        y = layer(y, tensor(weight / np.abs(weight).sum()))  # else the numbers would explode
    cut = 2 * 2**depth  # the border is darker: fewer stamps reach it
    return y.numpy()[0, 0, cut:-cut, cut:-cut]


# %%
down, across = np.mgrid[:18, :18] - 8.5
disc = 0.3 + 0.7 / (1 + np.exp((np.hypot(down, across) - 5) / 0.7))
layers = {"transposed k=3": (transposed, 3), "transposed k=4": (transposed, 4),
          "nearest, conv k=3": (resized, 3), "bilinear, conv k=3": (bilinear, 3)}  # fmt: skip
picture = []
for kind, depth in [("ones", 1), ("positive", 1), ("positive", 3), ("Gaussian", 1)]:
    outputs = [stack(layer, kind, k, depth) for layer, k in layers.values()]
    captions = [f"Q {phase_share(y, 2**depth):.3f}" for y in outputs]
    assert phase_share(outputs[2], 2**depth) < 0.001
    title = f"Kernels: {kind}. Layers: {depth}"
    picture.append(OutputRow(title, disc[2:-2, 2:-2], outputs, captions, kind != "Gaussian"))
plot_outputs(out / "outputs.png", list(layers), picture)
show(out / "outputs.png")

# %% [markdown]
# The two columns on the right are even in each row. The transposed convolutions are not, but for
# k = 4 with ones. Three layers of stride 2 make a finer pattern, that repeats every 8 pixels.
#
# ## Change one thing: look at the gradient
#
# In tutorial 09 you saw that the backward of a convolution is a transposed convolution. So a
# convolution with k = 3 and s = 2, in the part of a network that makes images *smaller*, should
# send a checkerboard back to its input. Send 1 back from every output and see:

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
# The same 1, 2, 4, and the same CV of 0.484. Some pixels of the input are listened to four times
# as much as others. With kernels that are not ones, the gradient has the phase sums of the kernel:

# %%
kernel = tensor(rng.random((1, 1, 3, 3)))
image = tensor(rng.standard_normal((1, 1, 13, 13)), requires_grad=True)
F.conv2d(image, kernel, stride=2).sum().backward()
middle = image.grad.numpy()[0, 0, 4:6, 4:6]
equal("gradient in the middle and phase sums", middle, phase_sums(kernel.numpy()[0, 0], 2))

# %% [markdown]
# ## Does learning remove it?
#
# Learning can change the weights until the phase sums are equal. But nothing makes it do so
# completely: a network is rewarded for right classes, not for even scores. So learning often
# reduces a checkerboard, and need not remove it. `minifcn experiment upsampling` trains eight
# ways to upsample and measures Q before and after; the README shows the numbers.
#
# In short: transposed convolution with s dividing k, from a bilinear start; or resize-convolution.

# %% [markdown]
# ## Exercises
#
# 1. Write down the counts of k = 5, s = 3 for the phases 0, 1 and 2, then the nine counts in the
#    plane and their CV. Check both with `stamp` and with
#    `phase_variation(np.outer(line, line), 3, margin=5)`.
# 2. Along a line, nearest by 2 and then a convolution with the kernel `(u, v, w)` is the same as
#    one transposed convolution with s = 2 and four weights. Which? You are right if the two are
#    `equal` for a random line, without the border. What are its phase sums?
# 3. Take a random positive kernel of size 3, and scale its weights so that it makes no checkerboard
#    of a constant line with s = 2. `stamp` shows whether you are right.
#
# ## Next
#
# Upsampling can now be made even, but it cannot bring back what a stride of 32 has lost. The next
# tutorial takes it from where it still is: the finer layers.

# %% tags=["answers"]
# 1. ceil(5/3), ceil(4/3), ceil(3/3) = 2, 2, 1. In the plane 4 4 2, 4 4 2, 2 2 1.
line = stamp(np.ones(20), np.ones(5), 3)
assert line[9:12].tolist() == [2, 2, 1]
counts = np.outer([2, 2, 1], [2, 2, 1])
cv = phase_variation(np.outer(line, line), 3, margin=5)
equal("CV of k=5, s=3", counts.std() / counts.mean(), cv)

# 2. Output 2i sees the copies of x[i-1], x[i], x[i], output 2i + 1 those of x[i], x[i], x[i+1]:
#    y[2i] = u x[i-1] + (v + w) x[i] and y[2i+1] = (u + v) x[i] + w x[i+1]. So x[i] is stamped
#    as w, v + w, u + v, u, from output 2i - 1 on. Both phase sums are u + v + w: always even.
u, v, w = rng.standard_normal(3)
x = rng.standard_normal(8)
copies = x.repeat(2)
convolved = u * copies[:-2] + v * copies[1:-1] + w * copies[2:]  # outputs 1 to 14
stamped = stamp(x, np.array([w, v + w, u + v, u]), 2)  # starts at output -1
equal("nearest and convolution, and one transposed convolution", convolved, stamped[2:-2])
equal("phase sums", phase_sums(np.array([w, v + w, u + v, u]), 2), np.full(2, u + v + w))

# 3. Divide each weight by the sum of its phase: weights 0 and 2 by w[0] + w[2], weight 1 by itself.
kernel = rng.random(3)
even = kernel / phase_sums(kernel, 2)[[0, 1, 0]]
equal("a constant line", stamp(np.ones(8), even, 2)[2:-2], np.ones(13))
