# %% [markdown]
# # 03. How does a machine differentiate?
#
# **Time:** 40 minutes; the code runs in 3 seconds. **Before:** 01, 02.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients [03], checked 04, training 05    the whole job: 14    pretrained weights: 15
# ```
#
# You will differentiate a small expression by hand, draw it as a graph, and write a program of
# fewer than 40 lines that differentiates any expression built from its three operations. Then you
# meet `minifcn/tensor.py`, which does the same for arrays, with more operations.
#
# Why: a network computes its answer from the image and from many numbers of its own, such as the
# weights of its convolutions. Let one number L say how wrong the answer is. To make the answer
# better, it helps to know for each weight whether L falls or rises when the weight grows, and how
# fast. That is a derivative, one for each weight.

# %%
import inspect

import numpy as np

from minifcn import functional as F
from minifcn import grad, no_grad, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.plots.graph import plot_graph
from minifcn.tensor import sum_to

out = pictures("03")

# %% [markdown]
# ## An expression, one operation at a time
#
# Our example has three inputs, a, b and c, and one result, which we call L. The function **relu**
# returns its input where that is positive, and 0 elsewhere: `relu(x) = max(x, 0)`. Many networks
# use it.
#
# ```
# p = a * b        s = p + c        r = relu(s)        L = r * a
# ```
#
# Computing the values in this order is called the **forward** pass.

# %%
a, b, c = 2.0, -3.0, 10.0
p = a * b
s = p + c
r = max(s, 0.0)
L = r * a
print(f"p = {p}, s = {s}, r = {r}, L = {L}")

# %% [markdown]
# ## The chain rule, one operation at a time
#
# How fast does L change when b changes, and a and c stay as they are? This derivative is written
# dL/db. Changing b changes p, which changes s, which changes r, which changes L. The **chain rule**
# multiplies the derivatives along this path:
#
# ```
# dL/db = dL/dr * dr/ds * ds/dp * dp/db
# ```
#
# Each factor belongs to one operation, and needs nothing but the values at that operation. These
# are the **local derivatives**, each of one result with respect to one input. For a product it is
# the other input. For a sum it is 1. For relu it is 1 where the input is positive, and 0 where it
# is negative. At 0, relu has no derivative, and we take 0; tutorial 04 comes back to this.

# %%
dL_dr = a  # L = r * a
dr_ds = 1.0 if s > 0 else 0.0  # r = relu(s)
ds_dp = 1.0  # s = p + c
dp_db = a  # p = a * b
measured("dL/db", dL_dr * dr_ds * ds_dp * dp_db, "4")

# %% [markdown]
# dL/db is 4: if b grows by a little, L grows by 4 times as much.

# %% [markdown]
# ## Predict
#
# a is used twice: in `p = a * b`, and in `L = r * a`. Change a, and keep b and c as they are. What
# is dL/da? Write down a number, and how you got it.

# %%
through_p = dL_dr * dr_ds * ds_dp * b  # a changes p, and so on to L
directly = r  # L = r * a
measured("through p", through_p, "-6")
measured("directly", directly, "4")
measured("dL/da", through_p + directly, "-2")
equal("dL/da and the formula 2 a b + c", through_p + directly, 2 * a * b + c)

# %% [markdown]
# Two paths lead from a to L. When a grows, both change L at the same time. One contributes -6, the
# other 4, and dL/da is their sum, -2.
#
# The check in the last line uses algebra. Where s is positive, relu changes nothing, and
# `L = (a * b + c) * a = a * a * b + c * a`. Its derivative with respect to a is `2 a b + c`, which
# is -2 too.

# %% [markdown]
# ## The graph
#
# Draw a box for each number and an ellipse for each operation, with arrows in the direction of the
# computation. This is the **graph** of the computation. The boxes that no operation made are its
# **leaves**. Here the package draws it. `tensor` makes a number that remembers how it was made;
# soon you will write such numbers yourself. `requires_grad=True` says that we want to differentiate
# with respect to it. `F.relu` is the package's relu.


# %%
def forward(a, b, c):
    p = a * b
    s = p + c
    r = F.relu(s)
    L = r * a
    return L, {"a": a, "b": b, "c": c, "p": p, "s": s, "r": r, "L": L}  # what the boxes are called


a, b, c = (tensor(value, requires_grad=True) for value in (2.0, -3.0, 10.0))
L, names = forward(a, b, c)
plot_graph(out / "graph.png", L, names, gradients=True)  # write "grad" into each box
show(out / "graph.png")

# %% [markdown]
# The operations mul and add are `*` and `+`. Each box holds a value, and as "grad" the derivative
# of L with respect to it. All of these derivatives together are the **gradient** of L. For short,
# the one with respect to a is called "the gradient of a", and likewise for the others.
#
# Read the values from top to bottom: the forward pass. Then read "grad" from bottom to top: the
# **backward** pass. L has 1, because L grows exactly as fast as itself. Every other box has the
# sum, over the arrows that leave it, of
#
# ```
# (grad of the operation's result) * (local derivative of the operation)
# ```
#
# Two arrows leave a. Check its "grad" and that of r with this rule.

# %% [markdown]
# ## An engine: numbers that remember
#
# Now a program that does this. Each number remembers the operation that made it: its inputs, each
# with the local derivative. Python calls `__add__` for `x + y` and `__mul__` for `x * y`.


# %%
class Value:
    """A number that remembers how it was made."""

    def __init__(self, number, sources=()):
        self.number = number
        self.sources = sources  # pairs of an input and the local derivative
        self.grad = 0.0

    def __add__(self, other):
        return Value(self.number + other.number, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Value(self.number * other.number, [(self, other.number), (other, self.number)])

    def relu(self):
        slope = 1.0 if self.number > 0 else 0.0
        return Value(max(self.number, 0.0), [(self, slope)])


# %% [markdown]
# The backward pass goes through the graph once. A value may pass on its grad only when this is
# complete: when everything that was made from the value has been visited. A list in which each
# value comes after its inputs is called a **topological order**. Going through such a list from the
# end, we visit everything that was made from a value before we come to the value itself.


# %%
def in_order(result):
    """List the values of the graph, each after its inputs."""
    order, seen = [], set()

    def visit(x):
        if x not in seen:
            seen.add(x)
            for source, _ in x.sources:
                visit(source)
            order.append(x)

    visit(result)
    return order


def backward(result):
    result.grad = 1.0
    for x in reversed(in_order(result)):
        for source, slope in x.sources:
            source.grad += x.grad * slope


# %% [markdown]
# That is the whole engine, in fewer than 40 lines. What it does is called **automatic
# differentiation**, or **autograd**. (To go from the result back to the inputs is its reverse mode.
# There is a forward mode, too, which this course does not need.) Run it on our example:

# %%
va, vb, vc = Value(2.0), Value(-3.0), Value(10.0)
result = (va * vb + vc).relu() * va
backward(result)
measured("L", result.number, "8")
measured("dL/da", va.grad, "-2")
measured("dL/db", vb.grad, "4")
measured("dL/dc", vc.grad, "2")

# %% [markdown]
# L is 8, and its gradient is -2 for a, 4 for b and 2 for c, as in the picture. Nobody told the
# engine the formula 2 a b + c. It knows three operations, and the chain rule.

# %% [markdown]
# ## Change one thing: `=` instead of `+=`
#
# The last line of `backward` adds. Suppose that somebody writes `=` there.


# %%
def careless_backward(result):
    result.grad = 1.0
    for x in reversed(in_order(result)):
        for source, slope in x.sources:
            source.grad = x.grad * slope  # the mistake


va, vb, vc = Value(2.0), Value(-3.0), Value(10.0)
result = (va * vb + vc).relu() * va
careless_backward(result)
claim("b and c are right", (vb.grad, vc.grad) == (4.0, 2.0))
measured("dL/da with the mistake", va.grad, "-6")

va, vb, vc = Value(2.0), Value(-3.0), Value(10.0)
shared = va * vb
careless_backward(shared + shared * vc)  # its derivative with respect to a is b + b * c
measured("an input of a shared value, with the mistake", va.grad, "-30")
equal("and without", -3.0 + -3.0 * 10.0, -33)

# %% [markdown]
# b and c are right. a has -6 instead of -2: what came along the direct path was overwritten by what
# came through p. The mistake arises only at a **shared** value, one that is used more than once,
# but such a value passes its wrong grad on. In the second expression a and b are used once, their
# product twice, and a gets -30 instead of -33. A convolution uses each weight once for every
# number of an output channel: of all these terms of the gradient, the mistake would keep one.

# %% [markdown]
# ## Meet `tensor.py`
#
# A `Tensor` of minifcn is like a `Value` whose number is an array. Its `grad_fn` is the operation
# that made it, with the inputs, and for each input a function that computes the gradient.
#
# | `Value` | `Tensor` |
# |---|---|
# | `number` | `data`, an array |
# | `sources` | `grad_fn.inputs` and `grad_fn.gradients`; a leaf's `grad_fn` is `None` |
# | `grad`, in every value | `grad`, a Tensor, in the leaves that have `requires_grad` |
# | `backward(result)` | `result.backward()` |

# %%
L, _ = forward(a, b, c)
print(L)  # its value, its dtype, and the operation that made it
L.backward()
equal("L", L, result.number)
equal("dL/da", a.grad, -2.0)
equal("dL/db", b.grad, 4.0)
equal("dL/dc", c.grad, 2.0)

# %% [markdown]
# The same numbers. Two things are done differently. First, `tensor.py` keeps functions. The local
# derivative of an array with respect to an array is a matrix, the **Jacobian**: one row for each
# number of the result, one column for each number of the input. Take the convolution from an image
# of 3 x 96 x 96 to 16 channels of the same size. Its Jacobian has 4,076,863,488 entries. Instead of
# such a matrix, `tensor.py` keeps a function for each input, in `__mul__` for example
# `lambda g: g * b`. It takes the gradient g of the result, the **upstream gradient**, and returns
# the gradient of the input. This is g times the Jacobian, computed without making the Jacobian.
#
# Second, it does not call itself. Our `visit` does, once for each step along a path, and Python
# puts a limit on such nested calls. `tensor.py` keeps a list of what is still to be done instead.

# %%
measured("entries of the Jacobian", (16 * 96 * 96) * (3 * 96 * 96), "4,076,863,488")

x, vx = tensor(1.0, requires_grad=True), Value(1.0)
y, vy = x, vx
for _ in range(5000):
    y, vy = y + x, vy + vx
y.backward()
measured("dy/dx after 5000 additions", x.grad, "5,001")
try:
    backward(vy)
except RecursionError as error:
    print("our engine:", error)
claim("our engine did not get there", vx.grad == 0)

# %% [markdown]
# `tensor.py` gets the right answer. The first addition uses x twice and each of the other `4999`
# once, and each use adds 1: that makes 5,001. Our engine gives up.

# %% [markdown]
# ## Open `minifcn/tensor.py` now
#
# It is in the folder `minifcn` of this project. Read `_propagate`, which is our `backward`;
# `_topological_order`, which is our `in_order`; and `_accumulate`, which is our `+=`. The gradients
# that are not yet complete are in `pending`. You may skip `create_graph` and `wanted`, which are
# for the end of this tutorial. The three functions begin at these lines:

# %%
source = inspect.getsource(inspect.getmodule(grad)).splitlines()  # the text of the file
for name in ("_propagate", "_topological_order", "_accumulate"):
    line = next(n for n, text in enumerate(source, 1) if text.startswith(f"def {name}("))
    print(f"minifcn/tensor.py, line {line}: {name}")

# %% [markdown]
# ## Arrays: what was repeated is summed
#
# NumPy adds arrays of different shapes, where they fit, as if the smaller one were repeated:
# **broadcasting**. A row of 3 numbers that is added to each of 4 rows is used 4 times: it is
# shared, and in its gradient each of the 3 numbers is a sum of 4.
#
# The result y is not a single number here, and `backward` has to be told its upstream gradient: how
# fast some L, computed from y, changes with each element of y. For a test, random numbers in the
# shape of y will do.

# %%
rng = np.random.default_rng(0)
rows, row = rng.standard_normal((4, 3)), rng.standard_normal(3)
upstream = rng.standard_normal((4, 3))

many, one = tensor(rows, requires_grad=True), tensor(row, requires_grad=True)
y = many + one
y.backward(tensor(upstream))

equal("gradient of the 4 rows", many.grad, upstream)
equal("gradient of the one row", one.grad, upstream.sum(axis=0))
equal("the package's sum_to", sum_to(tensor(upstream), (3,)), upstream.sum(axis=0))

# %% [markdown]
# Where the forward pass repeats, the backward pass sums. In `tensor.py` the first is done by
# `broadcast_to(x, shape)`, the second by `sum_to(x, shape)`, and each is the backward of the other.
# In tutorial 08 you will meet more such pairs, and their name.

# %% [markdown]
# ## Three habits of the engine
#
# 1. `grad` adds up over several calls of `backward`, until you set it back to `None`.
# 2. A backward pass frees the graph on its way, to save memory. A second one raises an error.
# 3. Inside `with no_grad():` nothing is remembered. It is for where no gradient is wanted.

# %%
a.grad = None
for _ in range(2):
    L, _ = forward(a, b, c)
    L.backward()
measured("dL/da, added up over two calls", a.grad, "-4")

try:
    L.backward()
except RuntimeError as error:
    print("a second backward:", error)

with no_grad():
    L, _ = forward(a, b, c)
print("under no_grad:", L, "made by", L.grad_fn)
claim("under no_grad there is no graph", L.grad_fn is None and not L.requires_grad)

# %% [markdown]
# Twice -2 is -4. Note that `forward` ran again before each `backward`, to make a new graph. The
# error message names `create_graph`, which comes next.

# %% [markdown]
# ## A surprise: the derivative of a derivative
#
# The functions in `tensor.py` compute with Tensors: a gradient is itself the result of operations.
# With `create_graph=True` the engine remembers them, and does not free the graph. Then you can
# differentiate the gradient again. The function `grad(result, inputs)` stores nothing in the
# leaves. It returns a tuple with the gradient of each input.
#
# From the formula above, `dL/da = 2 a b + c`. Its derivative with respect to a is `2 b`, and with
# respect to b it is `2 a`.

# %%
L, names = forward(a, b, c)
(slope,) = grad(L, a, create_graph=True)
a.grad = b.grad = c.grad = None  # otherwise the picture would show the old ones
plot_graph(out / "gradient.png", slope, {**names, "dL/da": slope})
show(out / "gradient.png")

measured("dL/da", slope, "-2")
twice, mixed = grad(slope, (a, b))
measured("derivative of dL/da in a", twice, "-6")
measured("derivative of dL/da in b", mixed, "4")

# %% [markdown]
# They are -6 and 4, as the formulas say. The picture shows the graph of dL/da. The boxes a, b, c,
# p, s and r and the operations between them belong to the forward pass. All others belong to the
# backward pass. Its operations are of the same kinds, with one more: relu_gradient multiplies by
# the slope of relu, which is 1 here. It takes no arrow from s, because this slope does not change
# when s changes a little. The dashed box, a leaf for which no gradient is wanted, is the 1 that the
# backward pass begins with.

# %% [markdown]
# ## Exercises
#
# 1. Signs first. Let `L = (a * b + c).relu() * a + b * c` with a = -2 and b = 1. For c = 5, write
#    down the signs of dL/da, dL/db and dL/dc: a list of 1, -1, or 0 for none. Do the same for c =
#    1, and say why a sign changes. Then run the engine of this tutorial. For each of your lists,
#    `claim("my signs", np.sign([va.grad, vb.grad, vc.grad]).tolist() == mine)` says nothing if you
#    are right.
# 2. Add a method `exp` to `Value`, for e to the power of x (`np.exp`). Check the gradient of
#    `(a * b).exp() * a` at a = 2 and b = -1 with `equal` against `Tensor`, which has `exp` too.
#    `tensor` makes float32 of Python's floats. Use `tensor(np.float64(2.0), requires_grad=True)`,
#    to have as many digits as `Value`.
# 3. Replace `in_order` by a list that grows from the result: first the result, then its inputs,
#    then the inputs of these, each value once, where it is met first. In `backward`, go through
#    it from its beginning. Our example still gives -2. Find an expression of a, b and c for which
#    this order gives a wrong gradient: another one than `in_order` gives. Where you have `x + y`,
#    try `y + x` too.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write it yourself, checked: `engine` (`minifcn course check my-course engine`): the order of a
# graph, the backward pass through it, and the sum over what was repeated.

# %% [markdown]
# ## Next
#
# The engine trusts the local derivatives that people wrote into it. If one of them is wrong, there
# may be no error message. The next tutorial shows how to find out. It is optional: if you want to
# use operations and not to write them, go on with tutorial 05.
