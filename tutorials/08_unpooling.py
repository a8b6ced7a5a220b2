# %% [markdown]
# # 08. Can pooling be undone?
#
# **Time:** 35 minutes; the code runs in 2 seconds. **Before:** 02, 03, 04, 05, 07.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling [08] 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will pool a grid of numbers by hand, and go back in three ways. You will see when going back
# and pooling again changes nothing, what is lost for good, and that one of the ways back is
# something you know already: it is what a gradient does when it goes backward through a max
# pooling.
#
# A network for segmentation that pools has to come back to the size of the image. How it does that
# is one of the choices in building it.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import kernels, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.data.shapes import Shapes
from minifcn.explain import explain
from minifcn.plots.pooled import ways_back
from minifcn.plots.switches import plot_switches, plot_ways_back

out = pictures("08")

# %% [markdown]
# ## Max pooling, and its switches
#
# Max pooling (tutorial 05) slides a window over a grid and keeps the largest number of each window,
# its winner. Here windows are 2 x 2 with stride 2, so each number is in one window:
#
# ```
# y[i, j] = max of x[2i, 2j], x[2i, 2j + 1], x[2i + 1, 2j], x[2i + 1, 2j + 1]
# ```
#
# The place where the winner was is called the window's **switch**. We write a place as one number,
# counted row by row from 0 over the whole grid: `row * width + column`. In a grid of 4 columns,
# row 1 and column 2 are place 1 * 4 + 2 = 6.

# %%
x = np.array([[12, 30, 21, 15], [44, 25, 73, 61], [28, 57, 22, 26], [11, 10, 35, 83]], float)

values = np.zeros((2, 2))
switches = np.zeros((2, 2), np.int64)
for i in range(2):
    for j in range(2):
        window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        row, column = divmod(int(window.argmax()), 2)  # argmax counts row by row, too
        values[i, j] = window.max()
        switches[i, j] = (2 * i + row) * 4 + (2 * j + column)
print(values, switches, sep="\n")

y, s = F.max_pool2d(tensor(x[None, None]), 2, return_indices=True)  # (N, C, H, W); s: switches
equal("values, by hand and by the package", values[None, None], y, within=0)
equal("switches, by hand and by the package", switches[None, None], s, within=0)
measured("switch of the 73", switches[0, 1], "6")

# %%
plot_switches(out / "switches.png", x)
show(out / "switches.png")

# %% [markdown]
# Each arrow leads from a winner to its place in the output. (The output is 2 x 2. Its right column
# is drawn higher only so that the arrows can be told apart.) The switch of the 73 is 6.
#
# ## Predict
#
# Somebody gives you the four values 44, 73, 57 and 83, and wants 4 x 4 numbers back. Which would
# you give? What would you do if you had the four switches too? Write down a grid for each case.
#
# ## Three ways back
#
# **Unpooling** is the name for going back to the size before the pooling. There are three common
# ways. **Nearest**: repeat each value over its window. **Bed of nails**: put each value into the
# top left corner of its window, with zeros around it. **Switches**: put each value where the winner
# was, with zeros elsewhere.

# %%
nearest = values.repeat(2, axis=0).repeat(2, axis=1)
nails = np.zeros((4, 4))
nails[::2, ::2] = values
by_switches = np.zeros(16)
by_switches[switches.ravel()] = values.ravel()
by_switches = by_switches.reshape(4, 4)

equal("nearest", nearest[None, None], F.interpolate(y, scale_factor=2, mode="nearest"))
equal("switches", by_switches[None, None], F.max_unpool2d(y, s, 2))
for mine, theirs in zip((nearest, nails, by_switches), ways_back(x).values(), strict=True):
    equal("a way back, and the picture's", mine, theirs)

# %%
plot_ways_back(out / "ways_back.png", x)
show(out / "ways_back.png")

# %% [markdown]
# None of the three is x. Four numbers of 16 are left, and no way back can know the other 12. But
# they differ in what they keep. After nearest or nails, nobody can tell where in its window a value
# was. Switches keep both the value and its place.
#
# Which of the three comes closest to the input, if it is one of our scenes? We pool the red values
# of 20 scenes, divided by 255, so from 0 to 1. The error of a pixel is the size of the difference.

# %%
red = np.stack([image[:, :, 0] for image, _ in (Shapes("val")[i] for i in range(20))])
red = red[:, None] / 255
y, s = F.max_pool2d(tensor(red), 2, return_indices=True)
red_nearest = F.interpolate(y, scale_factor=2, mode="nearest").numpy()
red_nails = np.zeros_like(red)
red_nails[:, :, ::2, ::2] = y.numpy()
red_switches = F.max_unpool2d(y, s, 2).numpy()
measured("mean error of nearest", np.abs(red_nearest - red).mean(), "0.05")
measured("mean error of nails", np.abs(red_nails - red).mean(), "0.36")
measured("mean error of switches", np.abs(red_switches - red).mean(), "0.33")

winners = np.zeros(red.shape, bool)
np.put_along_axis(winners.reshape(20, -1), s.numpy().reshape(20, -1), True, axis=1)
at_zeros = np.abs(red_switches - red)[~winners].sum() / np.abs(red_switches - red).sum()
measured("share of the error of switches at its zeros", at_zeros, "100 %")

# %% [markdown]
# As a picture, nearest is far better: its mean error is 0.05. That of nails is 0.36 and that of
# switches 0.33, and 100 % of this error is where switches leave zeros: the winners are exactly
# right. What comes from switches is no picture of the input, and is not meant to be one. SegNet
# (Badrinarayanan et al., 2017), a network that unpools with switches, has convolutions after each
# unpooling, which fill the holes. What it gets from the switches is where each value was.
#
# ## Pool what was unpooled
#
# Go back with switches, and pool again. Do you get the values that you unpooled? Predict. We try it
# with random values, negative ones among them.

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
# Half of the values come back, 50 %: those that are not negative. Where a value is negative, the
# zeros beside it are larger, and 0 wins the window. With relu from tutorial 03:
#
# ```
# pool(unpool(y)) = relu(y)
# pool(unpool(y)) = y      when no number of y is negative
# ```
#
# In a network a relu usually comes before the pooling. Then no number of y is negative, and the
# second line holds. The other order, `unpool(pool(x))`, is not x, as you saw. And what about the
# switches: do they come back too?

# %%
after_relu = np.maximum(x, 0)
y, s = F.max_pool2d(tensor(after_relu), 2, return_indices=True)
again, s_again = F.max_pool2d(F.max_unpool2d(y, s, 2), 2, return_indices=True)
equal("pool(unpool(y)), and y", again, y, within=0)
equal("switches, and those of the second pooling", s, s_again, within=0)
measured("windows of nothing but zeros", (y.numpy() == 0).mean(), "50 %")

# %% [markdown]
# They do, all of them. In 50 % of the windows this is not clear at once: after the relu they hold
# nothing but zeros. When several numbers of a window are the largest, this is a **tie**. In a tie
# the first place wins, row by row from the left, here and (on a CPU) in PyTorch. So it wins both
# times.
#
# There is one more place where zeros could win: the border. A convolution pads with zeros (tutorial
# 02). A max pooling pads with `-inf`, which is less than every number, so padding never wins.

# %%
padded = np.pad(x[0, 0], 1, constant_values=-np.inf)  # x as it was, with negative numbers
by_hand = padded.reshape(21, 2, 21, 2).max(axis=(1, 3))  # 21 x 21 windows of 2 x 2
equal("with padding", by_hand[None, None], F.max_pool2d(tensor(x), 2, padding=1), within=0)

# %% [markdown]
# The same on a page that you step through, with the switches of the first numbers above (a notebook
# shows it, a script prints which file to open); set `way` to nails or nearest, and compare.

# %%
few, where = F.max_pool2d(tensor(x[:, :, :6, :8]), 2, return_indices=True)
show(explain("max_unpool2d", few, where, kernel=2).save(out / "steps.html"))

# %% [markdown]
# ## Gather and scatter
#
# Once the switches are known, pooling takes the numbers at these places. This is called **gather**.
# Unpooling puts numbers at these places: **scatter**. Write x and y as one column each, of 16
# places and of 4 values. Then gather is a matrix G. It has a row for each value and a column for
# each place, with a 1 at the switch. Its transpose G^T has rows and columns exchanged:
#
# ```
# gather(x) = G x        unpool(y) = G^T y
# ```
#
# We take the four switches from above, and random x and y. `kernels` has both for arrays.

# %%
x = generator.standard_normal(16)
G = np.zeros((4, 16), int)
G[np.arange(4), switches.ravel()] = 1
print(G)

x4, s4 = x.reshape(1, 1, 4, 4), switches[None, None]
y = generator.standard_normal(4)
y4 = y.reshape(1, 1, 2, 2)
equal("G x, and gather", G @ x, kernels.gather(x4, s4).ravel())
equal("G^T y, and unpool", G.T @ y, kernels.unpool(y4, s4, (4, 4)).ravel())  # to 4 x 4

# %% [markdown]
# An operation whose matrix is the transpose of another one's is called its **adjoint**. There is a
# test that needs no matrix. For all x and y, these two sums of products are equal:
#
# ```
# <gather(x), y> = <x, unpool(y)>          where <a, b> = sum of a * b
# ```
#
# Both sides are the sum of `x[switch] * y` over all switches. On the left the numbers of x come to
# those of y, on the right those of y go to x. If the test fails for one x and y, the two are not
# adjoint.

# %%
left = (kernels.gather(x4, s4) * y4).sum()
right = (x4 * kernels.unpool(y4, s4, (4, 4))).sum()
equal("<gather(x), y> and <x, unpool(y)>", left, right, within=1e-12)

# %% [markdown]
# Each channel of each image has its own switches. So for 2 images of 2 channels, gather picks from
# each of the 4 grids the numbers at that grid's places:

# %%
x = generator.standard_normal((2, 2, 6, 6))
_, s = F.max_pool2d(tensor(x), 2, return_indices=True)
grids = zip(x.reshape(4, 36), s.numpy().reshape(4, 9), strict=True)
picked = np.array([grid[places] for grid, places in grids])
equal("picked, and gather", picked.reshape(2, 2, 3, 3), kernels.gather(x, s.numpy()), within=0)

# %% [markdown]
# ## Change one thing: windows that overlap
#
# With 3 x 3 windows and stride 1, one large number can win several windows. Its place is then the
# switch of each of them, and unpooling has several values for one place. Unpooling is to be the
# adjoint of gather here, too. What must it put there: the first value, the last, the largest, or
# their sum? Predict.

# %%
x = np.zeros((1, 1, 5, 5))
x[0, 0, 2, 2] = 7  # wins all nine windows
y, s = F.max_pool2d(tensor(x), 3, stride=1, return_indices=True)
print("switches:", s.numpy().ravel())

g = np.arange(10.0, 100, 10).reshape(1, 1, 3, 3)  # 10, 20, ..., 90: nine values for one place
overwritten, added = np.zeros(25), np.zeros(25)
overwritten[s.numpy().ravel()] = g.ravel()
np.add.at(added, s.numpy().ravel(), g.ravel())  # += would add only once where a place is repeated
measured("the last one is kept", overwritten[12], "90")
measured("all are added up", added[12], "450")
unpooled = F.max_unpool2d(tensor(g), s, 3, stride=1)
equal("added up, and the package", added.reshape(1, 1, 5, 5), unpooled)

left = (kernels.gather(x, s.numpy()) * g).sum()
equal("<gather(x), g> and <x, added>", left, (x.ravel() * added).sum())
print("<x, overwritten> is", (x.ravel() * overwritten).sum(), "instead of", left)

# %% [markdown]
# The sum, 450. With it the two sides are equal: nine values took their number from this place, and
# nine values go back there. If the last one overwrites the others, 90 is left, and this is not the
# adjoint. (PyTorch's `max_unpool2d` keeps one of the values, and does not promise which. As long as
# windows do not overlap there is no difference.)
#
# But with the sum, pooling again does not give back y. With overlapping windows
# `pool(unpool(y)) = y` need not be true, not even without negative numbers: here y is 7 everywhere,
# and it comes back as 9 * 7 = 63.

# %%
again = F.max_pool2d(F.max_unpool2d(y, s, 3, stride=1), 3, stride=1)
measured("what comes back for 7", again.numpy().max(), "63")
claim("y is 7 everywhere", (y.numpy() == 7).all())

# %% [markdown]
# ## You know it already
#
# In tutorial 03, a gradient went backward through each operation. What does a max pooling do with
# the gradient g of its output? Only the winners had an influence. So each winner gets the gradient
# of its window, the others get 0, and a place that won several times gets the sum. That is
# unpooling with switches. We check it for 3 x 3 windows with stride 2, which overlap.

# %%
x = tensor(generator.standard_normal((2, 3, 9, 9)), requires_grad=True)
y, s = F.max_pool2d(x, 3, stride=2, return_indices=True)
g = tensor(generator.standard_normal(y.shape))
y.backward(g)
unpooled = F.max_unpool2d(g, s, 3, stride=2)
equal("gradient of x, and unpooled gradient of y", x.grad, unpooled, within=0)

# %% [markdown]
# And by a finite difference (tutorial 04), for one winner: make it larger by a small step eps, and
# divide the change of the result by eps. The result, a single number, is `L = <y, g>`: g is its
# gradient with respect to y.

# %%
eps = 1e-6  # so small that no window gets another winner
row, column = divmod(int(s.numpy()[1, 2, 0, 3]), 9)  # a winner in image 1, channel 2
changed = x.numpy().copy()
changed[1, 2, row, column] += eps
change = F.max_pool2d(tensor(changed), 3, stride=2).numpy() - y.numpy()
slope = (change * g.numpy()).sum() / eps
gradient = x.grad.numpy()[1, 2, row, column]
equal("finite difference, and gradient of a winner", slope, gradient, within=1e-6)

# %% [markdown]
# The gradient and the unpooled numbers are exactly equal, and the finite difference agrees. It is a
# rule. As long as no window gets another winner, y = G x. So `L = <G x, g> = <x, G^T g>`, and its
# gradient with respect to x is `G^T g`. This holds for each operation that is a product with a
# matrix: the gradient goes backward by the adjoint.
#
# Bilinear upsampling (tutorial 07) is such an operation, too. Call its matrix R. Then its gradient
# must pass the test of the adjoint, `<R p, g> = <p, R^T g>`:

# %%
p = tensor(generator.standard_normal((2, 3, 4, 5)), requires_grad=True)
larger = F.interpolate(p, scale_factor=2, mode="bilinear")
g = generator.standard_normal(larger.shape)
larger.backward(tensor(g))
left, right = (larger.numpy() * g).sum(), (p.numpy() * p.grad.numpy()).sum()
equal("<R p, g> and <p, gradient of p>", left, right)

# %% [markdown]
# In a tie, the gradient goes to the first place only. At four equal numbers the maximum has a kink
# (tutorial 04), so no slope is right for steps up and for steps down. Some choice has to be made.
# This one sends the gradient where the forward pass has found its winner.

# %%
x = tensor(np.full((1, 1, 2, 2), 5.0), requires_grad=True)
F.max_pool2d(x, 2).sum().backward()
equal("gradient in a tie", x.grad, np.array([[1.0, 0], [0, 0]])[None, None], within=0)

# %% [markdown]
# ## Can it be undone, then?
#
# No. With 2 x 2 windows, three of four numbers are lost. With switches, the largest of each window
# returns to its place; nothing returns the others. What one can do is to fill the holes with a good
# guess, and a network can learn that.
#
# ## Exercises
#
# 1. Which operation is the adjoint of nearest, for 2 x 2 windows? Find f with
#    `<nearest(p), x> = <p, f(x)>`. Hint: by which numbers of x is one value of p multiplied on the
#    left? You are right if `equal` accepts both sides, for random p of 3 x 3 and x of 6 x 6.
# 2. Does `pool(nearest(p)) = p` hold for negative numbers too? And `pool(nails(p)) = p`? Predict,
#    then compute both for the p of exercise 1. Where the answer is no, find what comes back
#    instead: `equal` accepts it.
# 3. With windows that overlap, pooling did not give back what was unpooled. Mend it: divide
#    `unpool(y)` by an array of counts, which you get from the switches with one more call of the
#    package. Take 3 x 3 windows with stride 1 on a random x of 9 x 9 without negative numbers. You
#    are right if `equal` accepts y and the pooling of your quotient. (Divide by 1 where a place won
#    nothing.) Predict, then test: is your mended unpooling still the adjoint of gather?
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write them yourself, checked: `pooling` and `unpooling`
# (`minifcn course check my-course pooling unpooling`).
#
# ## Next
#
# Nails and switches leave holes, and convolutions after them fill these. For nails, tutorial 09
# does both in one step, with weights that can be learned: the transposed convolution.
