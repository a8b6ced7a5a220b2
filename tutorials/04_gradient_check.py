# %% [markdown]
# # 04. Is my backward right?
#
# **Time:** 40 minutes; the code runs in 3 seconds. **Before:** 02, 03.
#
# **Optional.** This tutorial is for people who write operations of their own, with a backward. If
# you want to use operations and not write them, go on with tutorial 05, and come back when a later
# one mentions 04.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked [04], training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will measure derivatives without the chain rule, find out how exact that can be, write three
# wrong backward passes, and see a check find them and name the mistakes.
#
# Why: a wrong gradient need not raise an error. A network with a wrong gradient may still learn a
# little, and you may look in the wrong place for weeks. The tests of this package check its
# operations in the way that you will see here.

# %%
import numpy as np

from minifcn import Tensor, tensor
from minifcn import functional as F
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.gradcheck import GradientError, gradcheck
from minifcn.plots.gradient_check import difference_errors, plot_difference_errors
from minifcn.tensor import record

out = pictures("04")
rng = np.random.default_rng(0)

# %% [markdown]
# ## A derivative without the chain rule
#
# A derivative says how fast the result changes when the input changes. Change the input by a small
# step, eps, and divide the change of the result by the step. This is a **finite difference**. There
# are two common ones. (The "forward" of the first has nothing to do with the forward pass.)
#
# ```
# forward difference = (f(x + eps) - f(x)) / eps
# central difference = (f(x + eps) - f(x - eps)) / (2 eps)
# ```
#
# Try both with `f(x) = x * x * x` at `x = 2`. The true derivative is `3 * x * x = 12`.


# %%
def cube(x):
    return x * x * x


def central(f, x, eps):
    return (f(x + eps) - f(x - eps)) / (2 * eps)


measured("forward difference", (cube(2 + 0.1) - cube(2)) / 0.1, "12.61")
measured("central difference", central(cube, 2, 0.1), "12.01")

# %% [markdown]
# With `eps = 0.1` the forward difference is 12.61, the central one 12.01, much nearer to 12. Put
# `f(x) = x * x * x` into the two formulas, and multiply out. What they have in excess of
# `3 * x * x` is
#
# ```
# forward difference:  3 * x * eps + eps * eps = 0.61        central difference:  eps * eps = 0.01
# ```
#
# In the central difference, the part with `3 * x * eps` comes once with each sign, and cancels.
# From now on we use the central one.

# %% [markdown]
# ## Predict
#
# By the two formulas, a smaller eps is better. On a computer, which eps gives the smallest error
# (the distance from 12): `1e-2`, `1e-5`, `1e-8` or `1e-12`? Write down your answer, and how large
# you think the error is with it.

# %%
errors = {}
for k in range(1, 14):
    errors[k] = abs(central(cube, 2.0, 10.0**-k) - 12)
    print(f"eps = 1e-{k:<2}  error = {errors[k]:.1e}")

best = min(errors, key=errors.get)
claim("the best of these eps is near 1e-5", best in (4, 5, 6))
claim("its error is tiny", errors[best] < 1e-9)
claim("with the smallest eps the error is large", errors[max(errors)] > 1e-5)

# %% [markdown]
# The error falls until `eps` is about `1e-5`. Then it grows again, with jumps. It has two parts.
#
# The **truncation error**: the central difference of a smooth function is off by about a constant
# times `eps * eps`. For `x * x * x` the constant is 1, as you saw. With a tenth of the eps, a
# hundredth of this error is left.
#
# The **rounding error**: a computer keeps a limited number of digits. In **float64**, which Python
# uses, the next number after 1 is larger by 2.2e-16. In **float32**, which networks often use, it
# is larger by 1.2e-7. This distance is the **machine epsilon**. Each value of our f is off by up to
# about that share of its size, and the division by `2 eps` makes this error large where eps is
# small.

# %%
epsilon64, epsilon32 = np.finfo(np.float64).eps, np.finfo(np.float32).eps
measured("machine epsilon of float64", epsilon64, "2.2e-16")
measured("machine epsilon of float32", epsilon32, "1.2e-7")
measured("its cube root, float64", np.cbrt(epsilon64), "6.1e-6")
measured("its cube root, float32", np.cbrt(epsilon32), "4.9e-3")

# %% [markdown]
# Together, up to a constant factor in each part:
#
# ```
# error = about  eps * eps  +  machine epsilon / eps
# ```
#
# The sum is smallest where both parts are about the same: where `eps * eps * eps` is the machine
# epsilon, up to a constant. So the best eps is near the cube root of the machine epsilon: 6.1e-6 in
# float64, and 4.9e-3 in float32. The error that is left is about the square of that, times such
# constants; in the table above it is below `1e-9`.

# %% [markdown]
# ## A whole gradient
#
# A convolution has many weights. We change them one at a time. Its output is not a single number:
# multiply each number of the output by a fixed random one, from an array u, and add up. This gives
# `L = (u * output).sum()`. The derivative of L with respect to the output is u, which is what
# tutorial 03 called the upstream gradient.
#
# Our function is a convolution followed by a **sigmoid**: `1 / (1 + exp(-x))`, which squeezes any
# number into the range from 0 to 1, along a curve. A convolution alone is a straight line in each
# weight; you will see below what that changes. `F.conv2d` is the `kernels.conv2d` of tutorial 02
# for Tensors: it remembers, and has a backward.


# %%
def numeric_gradient(f, x, eps=1e-5):
    """Take the central difference at each element of x; f turns an array into a number."""
    slopes = np.zeros(x.shape)
    for i in np.ndindex(x.shape):  # each index of the array, such as (0, 1, 2, 2)
        step = np.zeros(x.shape)
        step[i] = eps
        slopes[i] = (f(x + step) - f(x - step)) / (2 * eps)
    return slopes


def curved(weight, image):
    return F.sigmoid(F.conv2d(image, weight, stride=2, padding=1))


image, weight = rng.standard_normal((1, 2, 9, 9)), rng.standard_normal((3, 2, 3, 3))
u = rng.standard_normal((1, 3, 5, 5))
numeric = numeric_gradient(lambda w: (u * curved(tensor(w), tensor(image)).data).sum(), weight)

# %% [markdown]
# Now the same gradient by backward, the **analytic** one. The **norm** of an array is its length:
# the square root of the sum of the squares of its elements. To compare two arrays, take the norm
# of their difference, as a share of the larger of their norms. This is the **norm-relative error**:
#
# ```
# error = norm(numeric - analytic) / max(norm(numeric), norm(analytic))
# ```
#
# Why not element by element? Where one element happens to be tiny, you would divide by almost
# nothing, and see nothing but rounding.


# %%
def norm_relative(a, b):
    return np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b))


w = tensor(weight, requires_grad=True)
curved(w, tensor(image)).backward(tensor(u))
analytic = w.grad.data
print("numeric: ", numeric[0, 0, 0])
print("analytic:", analytic[0, 0, 0])
print(f"norm-relative error: {norm_relative(numeric, analytic):.1e}")
claim("the two gradients agree", norm_relative(numeric, analytic) < 1e-8)

# %% [markdown]
# ## Error against eps
#
# `difference_errors` does what you did, for many values of eps, in float64 or float32: it moves the
# elements of the first array, here the weight, and returns the norm-relative errors. Both axes of
# the picture are logarithmic. There `eps * eps` and `1 / eps` are straight lines: for each power of
# ten of eps, one rises by two powers of ten and the other falls by one. The dashed lines are these
# two, each times the constant that fits the points. The dotted lines belong to `gradcheck`, which
# comes below.

# %%
steps = np.logspace(-11, 0, 34)  # from 1e-11 to 1
curves = {d: difference_errors(curved, [weight, image], steps, d) for d in ("float64", "float32")}
plot_difference_errors(out / "error_against_eps.png", steps, curves)
show(out / "error_against_eps.png")

k = np.abs(np.log10(steps) + 5).argmin()  # the place of eps = 1e-5
measured("float32, eps = 1e-5", curves["float32"][k], "0.02", within=0.01)
claim("in float64, eps = 1e-5 has an error below 1e-9", curves["float64"][k] < 1e-9)
measured("float32, smallest eps", curves["float32"][0], "1")
claim("float32 never gets below 1e-6", 1e-6 < curves["float32"].min() < 1e-3)
for dtype, values in curves.items():
    times = steps[values.argmin()] / np.cbrt(np.finfo(dtype).eps)
    claim(f"the best eps of {dtype} is near the formula's", 0.1 < times < 10)

# %% [markdown]
# Each format makes a V, whose bottom is within a factor of ten of the formula's eps. The right arm,
# truncation, is the same for both. The left arm, rounding, is higher for float32. A right gradient
# shows, with `eps = 1e-5`, an error below `1e-9` in float64, and one of 0.02 in float32, give or
# take a hundredth. With this eps, a check in float32 cannot tell a right gradient from one that is
# wrong by a hundredth. Check in float64.
#
# At the far left, float32 has lost everything: `x + eps` rounds to x, the numeric gradient is 0,
# and its error is 1.

# %% [markdown]
# ## Change one thing: no curve
#
# Leave out the sigmoid, and use float64. Before you run the cell: what happens to the right arm?


# %%
def straight(weight, image):
    return F.conv2d(image, weight, stride=2, padding=1)


arm = {"float64": difference_errors(straight, [weight, image], steps)}
plot_difference_errors(out / "straight.png", steps, arm)
show(out / "straight.png")
claim("a straight function has no error at the largest eps", arm["float64"][-1] < 1e-13)

# %% [markdown]
# It is gone: even with `eps = 1`, nothing but rounding is left. The output of a convolution is a
# straight line in each of its weights, and a straight line has the same slope at any distance.

# %% [markdown]
# ## The check of the package
#
# Comparing backward with finite differences is called a **gradient check**. `gradcheck` does it as
# you did: in float64, with a random upstream gradient and `eps = 1e-5`. The norm-relative error of
# each input must be at most `1e-7`: more than a hundred times what the right gradient showed above,
# and far less than the mistakes below make. It takes a function, the Tensors to call it with, and
# their names. Here it checks a convolution with stride, padding, dilation and a bias:

# %%
arguments = [rng.standard_normal(shape) for shape in ((2, 2, 6, 6), (3, 2, 3, 3), (3,))]
inputs = [tensor(array, requires_grad=True) for array in arguments]
settings = {"stride": 2, "padding": 1, "dilation": 2}
convolution = lambda input, weight, bias: F.conv2d(input, weight, bias, **settings)
print(gradcheck(convolution, inputs, names=["input", "weight", "bias"]))

# %% [markdown]
# ## An operation of your own
#
# Write a convolution yourself: images x of one channel, a kernel w of 3 x 3, stride 1, no padding.
# With h for the row, v for the column, g for the upstream gradient, and dx and dw for the gradients
# of x and w:
#
# ```
# y[h, v] = sum over i, j of  w[i, j] * x[h + i, v + j]
# dx[h, v] = sum over i, j of  w[i, j] * g[h - i, v - j]
# dw[i, j] = sum over h, v of  g[h, v] * x[h + i, v + j], and over the images
# ```
#
# The last two are the chain rule: w[i, j] multiplies x[h, v] in the output at [h - i, v - j], and
# it is shared by all outputs. In dx, i and j are subtracted where y adds them: that is the
# **flipped** kernel, reversed in both axes, sliding over g. Put 2 zeros on each side of g first: g
# is 0 where there was no output, and the result gets the size of x.


# %%
def slide(x, w):
    """Convolve images (N, H, W) with one kernel (3, 3), by one array product for each weight."""
    height, width = x.shape[1] - 2, x.shape[2] - 2
    places = np.ndindex(3, 3)
    return sum(w[i, j] * x[:, i : i + height, j : j + width] for i, j in places)


def to_image(g, w):
    return slide(np.pad(g, ((0, 0), (2, 2), (2, 2))), w[::-1, ::-1])


def to_weight(g, x):
    height, width = g.shape[1:]
    windows = [[x[:, i : i + height, j : j + width] for j in range(3)] for i in range(3)]
    return np.array([[(g * window).sum() for window in row] for row in windows])


# %% [markdown]
# The function `record` makes a Tensor that remembers. It takes a name, the output, and a pair for
# each input: the input, and a function from the upstream gradient to the gradient of that input.
# `Tensor(array)` wraps an array; `tensor(array)` copies it first. Through the argument `to_image`
# we can put in a wrong function later.


# %%
def my_conv(x, w, to_image=to_image):
    back_to_x = lambda g: Tensor(to_image(g.data, w.data))
    back_to_w = lambda g: Tensor(to_weight(g.data, x.data))
    return record("my_conv", slide(x.data, w.data), (x, back_to_x), (w, back_to_w))


# %% [markdown]
# Now check it. The function below prints what `gradcheck` says, even where it raises an error.


# %%
def check(function, **named):
    """Check the gradients of function(*named arrays); return what the check says."""
    tensors = [tensor(array, requires_grad=True) for array in named.values()]
    try:
        said = str(gradcheck(function, tensors, names=list(named)))
    except GradientError as error:
        said = str(error)
    print(said)
    return said


x, w = rng.standard_normal((2, 7, 7)), rng.standard_normal((3, 3))
claim("my_conv passes", "WRONG" not in check(my_conv, x=x, w=w))

# %% [markdown]
# ## Bug 1: the kernel is not flipped
#
# Somebody forgets the two `::-1`. Everything has the right shape, and nothing complains.


# %%
def not_flipped(g, w):
    return slide(np.pad(g, ((0, 0), (2, 2), (2, 2))), w)


said = check(lambda x, w: my_conv(x, w, not_flipped), x=x, w=w)
claim("the cause is named", "the kernel is not flipped" in said)

# %% [markdown]
# `gradcheck` says which gradient is wrong, where the two differ most, and what the likely cause is.
# To find the cause, it tries out common mistakes on the numbers. Here it mirrored the upstream
# gradient, and the wrong backward then gave the mirror image of the right gradient.

# %% [markdown]
# ## Why the upstream gradient is random
#
# It is tempting to check `L = output.sum()`. Then the upstream gradient is all ones. Compare the
# right and the wrong gradient for ones and for random numbers. Leave out the two outer rows and
# columns on each side: inside, each pixel meets all nine weights.

# %%
ones, random = np.ones((2, 5, 5)), rng.standard_normal((2, 5, 5))
for name, g in (("ones", ones), ("random", random)):
    apart = np.abs(to_image(g, w) - not_flipped(g, w))[:, 2:-2, 2:-2].max()
    print(f"upstream of {name}: the largest error inside is {apart:.1e}")
    claim("only random numbers show the error", (apart < 1e-12) == (name == "ones"))

# %% [markdown]
# With ones, the gradient of an inner pixel is the sum of the nine weights, in whatever order they
# come. There the mistake is invisible: what is left is rounding. With random numbers each weight
# has a factor of its own.

# %% [markdown]
# ## Bug 2: a mean where a sum belongs
#
# A bias b, a row of numbers, is added to each of the 4 rows of x. As tutorial 03 says, what was
# repeated is summed. Somebody takes the mean.


# %%
def my_bias(x, b):
    back_to_b = lambda g: Tensor(g.data.mean(axis=0))  # the mistake
    return record("my_bias", x.data + b.data, (x, lambda g: g), (b, back_to_b))


said = check(my_bias, x=rng.standard_normal((4, 3)), b=rng.standard_normal(3))
claim("the factor 4 is named", "too small by the whole factor 4" in said)
claim("the cause is named", "a mean is taken where a sum belongs" in said)

# %% [markdown]
# The check found the factor, 4, and what there are 4 of: the rows, axis 0.

# %% [markdown]
# ## Bug 3: overwritten instead of added
#
# Here is another way to get the gradient of x: each output pixel sends its g, times the kernel,
# back to its window, like a stamp. Windows overlap, so what they send must be added. Somebody
# writes `=`.


# %%
def stamped(g, w, add=True):
    dx = np.zeros((len(g), g.shape[1] + 2, g.shape[2] + 2))
    for h, v in np.ndindex(g.shape[1:]):
        window = dx[:, h : h + 3, v : v + 3]  # a view: what is written into it is in dx
        sent = g[:, h, v, None, None] * w  # for each image a number times the kernel
        window[:] = (window + sent) if add else sent
    return dx


equal("stamped and flipped", stamped(random, w), to_image(random, w))
said = check(lambda x, w: my_conv(x, w, lambda g, w: stamped(g, w, add=False)), x=x, w=w)
claim("the cause is named", "windows must be added up, not overwritten" in said)

# %% [markdown]
# Stamping, and sliding the flipped kernel, give the same. You will meet both again in tutorial 09.
# The bug is the one that you saw in tutorial 03, at a shared value.

# %% [markdown]
# ## Kinks
#
# At 0, relu has a **kink**: slope 0 on the left, 1 on the right, and no derivative. The central
# difference takes one step to each side and gets 0.5. Our backward says 0, as in tutorial 03.
# There is no right number to decide between them. `gradcheck` notices that the slopes on the left
# and on the right differ. It moves the element a little, checks there, and says which element it
# moved.

# %%
relu = lambda x: max(x, 0.0)
measured("central difference of relu at 0", central(relu, 0.0, 1e-5), "0.5")

at_kink = tensor(np.array([-1.0, 0.0, 2.0]), requires_grad=True)
report = gradcheck(F.relu, at_kink, names=["x"])
print(report)
claim("the number at the kink was moved", report.moved == [("x", (1,))])

# %% [markdown]
# ## What no gradient check can see
#
# Here the kernel is transposed by mistake before it is used. Does the check find that?


# %%
def swapped_conv(x, w):
    return my_conv(x, w.transpose())


said = check(swapped_conv, x=x, w=w)
claim("the check does not find it", "WRONG" not in said)

# %% [markdown]
# It passes. The function is wrong, and its gradient is the right gradient of the wrong function. A
# gradient check compares backward with forward, and nothing else. Compare the forward pass with the
# definition too, in plain loops that read like the formula.


# %%
def by_definition(x, w):
    y = np.zeros((len(x), x.shape[1] - 2, x.shape[2] - 2))
    for n, h, v in np.ndindex(y.shape):
        y[n, h, v] = (x[n, h : h + 3, v : v + 3] * w).sum()
    return y


equal("my_conv", my_conv(tensor(x), tensor(w)), by_definition(x, w))
package = F.conv2d(tensor(x[:, None]), tensor(w[None, None]))  # one channel: NCHW
equal("the package", package, by_definition(x, w)[:, None])
apart = np.abs(swapped_conv(tensor(x), tensor(w)).data - by_definition(x, w)).max()
print(f"swapped_conv: the largest error is {apart:.1e}")
claim("the comparison finds the mistake", apart > 0.01)

# %% [markdown]
# ## Exercises
#
# 1. Write `my_square(x)`, which is `x * x`, with `record`, and forget the factor 2 in its backward.
#    What will `check` say? Write it down, run it, then repair it. You are done when it says `ok`.
# 2. Write `my_share(x)`, which is `x / x.sum()`, with `record`. Its numbers sum to 1. Give it a
#    backward that returns zeros. Show with `numeric_gradient` that a check with an upstream
#    gradient of ones would pass it: all that comes out is rounding, below `1e-9`. Then show that
#    `check` says `WRONG`. Use `rng.uniform(1, 2, 5)` for x.
# 3. Suppose you have to check in float32. Read off the first picture an eps and a tolerance with
#    which a right gradient passes, and one that is wrong by one part in a hundred fails. Then run
#    `difference_errors(curved, [weight, image], [eps], "float32", seed=seed)` for five seeds, which
#    choose u. You are right if all errors are below your tolerance, and your tolerance below
#    `0.01`.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write it yourself, checked: `gradient_check` (`minifcn course check my-course gradient_check`): a
# gradient by differences, and how far two gradients are apart.

# %% [markdown]
# ## Next
#
# Now you know how a gradient earns trust. The next tutorial uses gradients: it follows them
# downhill, step by step, until a network has learned something.
