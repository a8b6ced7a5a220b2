# %% [markdown]
# # 08. Can pooling be undone?
#
# **Time:** 30 minutes; the code runs in 2 seconds. **Before:** 02, 03, 07.
#
# You will pool a grid of numbers by hand, and go back in three ways. You will see when pooling
# after going back changes nothing, what is lost for good, and that "going back" is something you
# know already: it is how a gradient passes a max-pooling.
#
# A network for segmentation has to come back to the size of the image. So this question decides
# how such networks are built.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import kernels, tensor
from minifcn.data.shapes import Shapes
from minifcn.lesson import equal, measured, pictures, show
from minifcn.plots.switches import plot_switches, plot_ways_back, pool, ways_back

out = pictures("08")

# %% [markdown]
# ## Max-pooling, and its switches
#
# **Max-pooling** slides a window over a grid and keeps the largest number of each window. Here
# windows are 2 x 2 with stride 2, so each number is in one window:
#
# ```
# y[i, j] = max of x[2i, 2j], x[2i, 2j + 1], x[2i + 1, 2j], x[2i + 1, 2j + 1]
# ```
#
# The place where the largest number was is called the window's **switch**. We write a place as one
# number, counted row by row from 0: `row * width + column`. In a grid of 4 columns, row 1 and
# column 2 are place 6.

# %%
x = np.array([[12, 30, 21, 15], [44, 25, 73, 61], [28, 57, 22, 26], [11, 10, 35, 83]], float)

values = np.zeros((2, 2))
switches = np.zeros((2, 2), np.int64)
for i in range(2):
    for j in range(2):
        window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        row, column = divmod(int(window.argmax()), 2)
        values[i, j] = window.max()
        switches[i, j] = (2 * i + row) * 4 + (2 * j + column)
print(values, switches, sep="\n")

pooled = pool(x, kernel_size=2)  # F.max_pool2d with return_indices=True, for one grid
equal("values, by hand and by the package", values, pooled.values, within=0)
equal("switches, by hand and by the package", switches, pooled.switches, within=0)
measured("switch of the 73", switches[0, 1], "6")

# %%
plot_switches(out / "switches.png", x)
show(out / "switches.png")

# %% [markdown]
# Each arrow leads from a winner to its place in the output. The switch of the 73 is 6.
#
# ## Predict
#
# Somebody gives you the four values 44, 73, 57 and 83, and wants 4 x 4 numbers back. Which would
# you give? What would you do if you had the four switches too? Write down a grid for each case.
#
# ## Three ways back
#
# **Unpooling** is the name for going back to the size before the pooling. There are three common
# ways. **Nearest**: repeat each value over its window. **Bed of nails**: put it into the top left
# corner of its window, with zeros around it. **Switches**: put it where the maximum was, with zeros
# elsewhere.

# %%
nearest = values.repeat(2, axis=0).repeat(2, axis=1)
nails = np.zeros((4, 4))
nails[::2, ::2] = values
by_switches = np.zeros(16)
by_switches[switches.ravel()] = values.ravel()
by_switches = by_switches.reshape(4, 4)

v, s = tensor(values[None, None]), tensor(switches[None, None])
equal("nearest", nearest[None, None], F.interpolate(v, scale_factor=2, mode="nearest"))
equal("switches", by_switches[None, None], F.max_unpool2d(v, s, 2))
for mine, theirs in zip((nearest, nails, by_switches), ways_back(x).values(), strict=True):
    equal("a way back, and the picture's", mine, theirs)

# %%
plot_ways_back(out / "ways_back.png", x)
show(out / "ways_back.png")

# %% [markdown]
# None of the three is x. Four numbers of 16 are left, and no way back can know the other 12. But
# they differ in what they keep: nearest and nails keep no places, switches keep both the value and
# its place.
#
# Which one is nearest to the input in an image? We pool the red values of 20 scenes.

# %%
red = np.stack([image[:, :, 0] for image, _ in (Shapes("val")[i] for i in range(20))])
red = red[:, None] / 255
values20, switches20 = F.max_pool2d(tensor(red), 2, return_indices=True)
error_nearest = np.abs(F.interpolate(values20, scale_factor=2).numpy() - red).mean()
error_switches = np.abs(F.max_unpool2d(values20, switches20, 2).numpy() - red).mean()
error_zeros = np.abs(red).mean()
measured("mean error of nearest", error_nearest, "0.05", within=0.01)
measured("mean error of switches", error_switches, "0.33", within=0.02)
assert error_nearest < error_switches < error_zeros

# %% [markdown]
# As a picture, nearest is far better: its mean error is about 0.05. That of switches is about 0.33,
# because of all the zeros. So what comes from switches is no picture of the input, and is not meant
# to be one. SegNet, a network that unpools with switches, has convolutions after each unpooling,
# which fill the holes. What it gets from the switches is where things were.
#
# ## Pool what was unpooled
#
# Go back with switches, and pool again. Do you get the values you started from? Try it with
# random values, negative ones among them.

# %%
generator = np.random.default_rng(0)
x = generator.standard_normal((1, 1, 40, 40)) - 1  # many windows have only negative numbers
y, s = F.max_pool2d(tensor(x), 2, return_indices=True)
again = F.max_pool2d(F.max_unpool2d(y, s, 2), 2)
same = (again.numpy() == y.numpy()).mean()
print(y.numpy()[0, 0, :2, :4], again.numpy()[0, 0, :2, :4], sep="\n")
measured("values that come back", same, "50 %")
equal("pool(unpool(y)), and relu(y)", again, np.maximum(y.numpy(), 0))

# %% [markdown]
# Only 50 % of the values come back: those that are not negative. Where a value is negative, the
# zeros beside it are larger, and 0 wins the window. So `pool(unpool(y)) = relu(y)`, and
#
# ```
# pool(unpool(y)) = y      when no number of y is negative
# ```
#
# In a network a relu usually comes before the pooling, so that this holds. The other order,
# `unpool(pool(x))`, is not x, as you saw. And what about the switches, do they come back too?

# %%
after_relu = np.maximum(x, 0)
y, s = F.max_pool2d(tensor(after_relu), 2, return_indices=True)
again, s_again = F.max_pool2d(F.max_unpool2d(y, s, 2), 2, return_indices=True)
equal("pool(unpool(y)), and y", again, y, within=0)
equal("switches, and those of the second pooling", s, s_again, within=0)
measured("windows of nothing but zeros", (y.numpy() == 0).mean(), "50 %")

# %% [markdown]
# They do, all of them. In 50 % of the windows that needs a second thought: after the relu they hold
# nothing but zeros. This is a **tie**. In a tie the first place wins, in the order of reading, here
# and in PyTorch; so it wins both times.
#
# ## Gather and scatter
#
# Once the switches are known, pooling takes the numbers at these places. This is called **gather**.
# Unpooling puts numbers at these places: **scatter**. Write gather as a matrix G. It has a row for
# each value and a column for each place, with a 1 at the switch:
#
# ```
# gather(x) = G x        unpool(y) = G^T y
# ```

# %%
x = generator.standard_normal(16)
G = np.zeros((4, 16), int)
G[np.arange(4), switches.ravel()] = 1
print(G)

x4, s4 = x.reshape(1, 1, 4, 4), switches[None, None]
y = generator.standard_normal(4)
y4 = y.reshape(1, 1, 2, 2)
equal("G x, and gather", G @ x, kernels.gather(x4, s4).ravel())
equal("G^T y, and unpool", G.T @ y, kernels.unpool(y4, s4, (4, 4)).ravel())

# %% [markdown]
# An operation whose matrix is the transpose of another one's is called its **adjoint**. There is a
# test that needs no matrix. For all x and y, these two sums of products are equal:
#
# ```
# <gather(x), y> = <x, unpool(y)>          where <a, b> = sum of a * b
# ```
#
# Both sides are the sum of `x[switch] * y` over all switches. On the left x comes to y, on the
# right y goes to x.

# %%
left = (kernels.gather(x4, s4) * y4).sum()
right = (x4 * kernels.unpool(y4, s4, (4, 4))).sum()
equal("<gather(x), y> and <x, unpool(y)>", left, right, within=1e-12)

# %% [markdown]
# ## Change one thing: windows that overlap
#
# With 3 x 3 windows and stride 1, one large number wins several windows. Its switch occurs several
# times. Unpooling then has several values for one place. Which should it keep: the first, the last,
# the largest, or their sum? Predict.

# %%
x = np.zeros((1, 1, 5, 5))
x[0, 0, 2, 2] = 9  # wins all nine windows
y, s = F.max_pool2d(tensor(x), 3, stride=1, return_indices=True)
print("switches:", s.numpy().ravel())

g = np.arange(1.0, 10).reshape(1, 1, 3, 3)  # nine values for one place
overwritten, added = np.zeros(25), np.zeros(25)
overwritten[s.numpy().ravel()] = g.ravel()
np.add.at(added, s.numpy().ravel(), g.ravel())
measured("the last one is kept", overwritten[12], "9")
measured("all are added up", added[12], "45")
unpooled = F.max_unpool2d(tensor(g), s, 3, stride=1)
equal("added up, and the package", added.reshape(1, 1, 5, 5), unpooled)

left = (kernels.gather(x, s.numpy()) * g).sum()
equal("<gather(x), g> and <x, added>", left, (x.ravel() * added).sum())
print("<x, overwritten> is", (x.ravel() * overwritten).sum(), "instead of", left)

# %% [markdown]
# The sum, 45. Only with it are the two sides equal: nine values took their number from this place,
# so nine values go back there. If the last one overwrites the others, 9 is left, and the adjoint is
# wrong. (PyTorch's `max_unpool2d` overwrites. As long as windows do not overlap there is no
# difference.)
#
# But then pooling again does not give back y. With overlapping windows `pool(unpool(y)) = y` is
# not true, not even without negative numbers: here y is 9 everywhere, and it comes back as 81.

# %%
again = F.max_pool2d(F.max_unpool2d(y, s, 3, stride=1), 3, stride=1)
measured("what comes back for 9", again.numpy().max(), "81")

# %% [markdown]
# ## You know it already
#
# In tutorial 03, a gradient went backward through each operation. What does a max-pooling do with
# the gradient of its output? Only the winners had an influence. So each winner gets the gradient of
# its window, the others get 0, and a place that won several times gets the sum. That is unpooling
# with switches.

# %%
x = tensor(generator.standard_normal((2, 3, 9, 9)), requires_grad=True)
y, s = F.max_pool2d(x, 3, stride=2, return_indices=True)
g = tensor(generator.standard_normal(y.shape))
y.backward(g)
unpooled = F.max_unpool2d(g, s, 3, stride=2)
equal("gradient of x, and unpooled gradient of y", x.grad, unpooled, within=0)

# %%
step = 1e-6  # far smaller than the distance between two numbers of x
row, column = divmod(int(s.numpy()[1, 2, 0, 3]), 9)  # a winner
changed = x.numpy().copy()
changed[1, 2, row, column] += step
change = F.max_pool2d(tensor(changed), 3, stride=2).numpy() - y.numpy()
slope = (change * g.numpy()).sum() / step
equal("gradient of a winner, and a small step", slope, x.grad.numpy()[1, 2, row, column], 1e-6)

# %% [markdown]
# The gradient and the unpooled numbers are exactly equal, and a small step agrees. It is a rule:
# a gradient passes backward through a linear operation by its adjoint. With the switches fixed,
# max-pooling is linear.
#
# In a tie, the gradient goes to the first place only. At four equal numbers the maximum has a kink,
# so no slope is right for steps up and steps down. Some choice has to be made, and it has to be the
# same each time.

# %%
x = tensor(np.full((1, 1, 2, 2), 5.0), requires_grad=True)
F.max_pool2d(x, 2).sum().backward()
equal("gradient in a tie", x.grad, np.array([[1.0, 0], [0, 0]])[None, None], within=0)

# %% [markdown]
# ## So, can pooling be undone?
#
# No. Three of four numbers are lost. With switches, the largest of each window returns to its
# place; nothing returns the others. What one can do is to fill the holes with a good guess, and a
# network can learn that.
#
# ## Exercises
#
# 1. Which operation is the adjoint of nearest? Find f with `<nearest(p), x> = <p, f(x)>`. Think
#    of what reaches one value of p on the right. Check with random p and x.
# 2. Does `pool(nearest(p)) = p` hold for negative numbers too? And `pool(nails(p)) = p`? Predict,
#    then compute both.
# 3. SegNet needs the switches of every pooling, so it has to keep them. For 64 channels of
#    224 x 224 numbers and 2 x 2 windows: how many bytes do the switches take as int64, and how many
#    if you keep only which of the four places won? The second is 32 times less.
#
# ## Next
#
# Unpooling leaves holes, and convolutions after it fill them. Tutorial 09 does both in one step,
# with numbers that are learned: the transposed convolution.

# %% tags=["answers"]
# 1. Each p is copied to four places, so the four come back as a sum: f sums each window, which is
#    four times the average pooling.
p = generator.standard_normal((1, 1, 3, 3))
x = generator.standard_normal((1, 1, 6, 6))
repeated = F.interpolate(tensor(p), scale_factor=2, mode="nearest").numpy()
sums = 4 * F.avg_pool2d(tensor(x), 2).numpy()
equal("<nearest(p), x> and <p, f(x)>", (repeated * x).sum(), (p * sums).sum())

# 2. Nearest has no zeros, so the window holds nothing but the value: true for all p. Nails have
#    zeros, so negative values come back as 0, as with switches.
assert (p < 0).any()
equal("pool(nearest(p)), and p", F.max_pool2d(tensor(repeated), 2), p, within=0)
nailed = np.zeros((1, 1, 6, 6))
nailed[:, :, ::2, ::2] = p
equal("pool(nails(p)), and relu(p)", F.max_pool2d(tensor(nailed), 2), np.maximum(p, 0), within=0)

# 3. One switch for each window: 64 * 112 * 112. As int64 8 bytes each; one of four is 2 bits.
windows = 64 * 112 * 112
print(f"int64: {8 * windows:,} bytes; two bits: {2 * windows // 8:,} bytes")
assert 8 * windows == 32 * (2 * windows // 8)
