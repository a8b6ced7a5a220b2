# %% [markdown]
# # 03. How does a machine differentiate?
#
# **Time:** 35 minutes; the code runs in 3 seconds. **Before:** 01, 02.
#
# You will differentiate a small expression by hand, draw it as a graph, and write a program of 40
# lines that differentiates any expression. Then you meet `minifcn/tensor.py`, which does the same
# for arrays.
#
# Why: a network holds many numbers, such as the weights of its convolutions. To make its answers
# better, we have to know for each weight whether the answer gets better when the weight grows, and
# how fast. That is a derivative, one for each weight.

# %%
import inspect

import numpy as np

from minifcn import functional as F
from minifcn import grad, no_grad, tensor
from minifcn.lesson import equal, measured, pictures, show
from minifcn.plots.graph import plot_graph
from minifcn.tensor import sum_to

out = pictures("03")

# %% [markdown]
# ## An expression, one operation at a time
#
# Our example has three inputs, a, b and c, and one result L. The function **relu** returns its
# input where that is positive, and 0 elsewhere: `relu(x) = max(x, 0)`. Many networks use it.
#
# ```
# p = a * b        s = p + c        r = relu(s)        L = r * a
# ```
#
# To compute the values in this order is the **forward** pass.

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
# How fast does L change when b changes? b changes p, p changes s, s changes r, and r changes L.
# The **chain rule** multiplies the derivatives along this path:
#
# ```
# dL/db = dL/dr * dr/ds * ds/dp * dp/db
# ```
#
# Each factor belongs to one operation, and needs nothing but the values at that operation. They
# are the **local derivatives**. For a product, each input's is the other input; for a sum, it is
# 1; for relu, it is 1 where the input is positive, and 0 where it is negative.

# %%
dL_dr = a  # L = r * a
dr_ds = 1.0 if s > 0 else 0.0  # r = relu(s)
ds_dp = 1.0  # s = p + c
dp_db = a  # p = a * b
measured("dL/db", dL_dr * dr_ds * ds_dp * dp_db, "4")

# %% [markdown]
# So dL/db is 4: if b grows by a little, L grows by 4 times as much.

# %% [markdown]
# ## Predict
#
# a is used twice: in `p = a * b`, and in `L = r * a`. What is dL/da? Write down a number, and how
# you got it.

# %%
through_p = dL_dr * dr_ds * ds_dp * b  # a changes p, and so on to L
directly = r  # L = r * a
measured("through p", through_p, "-6")
measured("directly", directly, "4")
measured("dL/da", through_p + directly, "-2")
equal("dL/da and the formula 2 a b + c", through_p + directly, 2 * a * b + c)

# %% [markdown]
# Two paths lead from a to L. One contributes -6, the other 4, and dL/da is their sum, -2.
#
# The check in the last line uses algebra. As s is positive, relu changes nothing, and
# `L = (a * b + c) * a = a * a * b + c * a`. Its derivative in a is `2 a b + c`, also -2.

# %% [markdown]
# ## The graph
#
# Draw a box for each number and an ellipse for each operation, with arrows as the computation
# runs. This is the **graph** of the computation. The boxes that no operation made are its
# **leaves**. Here the package draws it: `tensor` makes numbers that remember how they were made,
# and soon you will write such numbers yourself.


# %%
def loss_of(a, b, c):
    p = a * b
    s = p + c
    r = F.relu(s)
    L = r * a
    return L, {"a": a, "b": b, "c": c, "p": p, "s": s, "r": r, "L": L}


a, b, c = (tensor(value, requires_grad=True) for value in (2.0, -3.0, 10.0))
L, names = loss_of(a, b, c)
plot_graph(out / "graph.svg", L, names, gradients=True)
plot_graph(out / "graph.png", L, names, gradients=True)
show(out / "graph.png")

# %% [markdown]
# Each box holds a value, and as "grad" the derivative of L with respect to it. All of these
# derivatives together are the **gradient** of L.
#
# Read the values from top to bottom: the forward pass. Then read "grad" from bottom to top: the
# **backward** pass. L has 1, because L grows as fast as itself. Every other box has the sum, over
# the arrows that leave it, of
#
# ```
# (grad of the operation's result) * (local derivative of the operation)
# ```
#
# Two arrows leave a. Check its "grad" and that of r with this rule.

# %% [markdown]
# ## An engine: numbers that remember
#
# Now a program that does this. A number is to remember which operation made it: its inputs, each
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
# The backward pass goes through the graph once. A value may pass its grad on only when that is
# complete: when everything that was made from it has been visited. So we list each value after its
# inputs, which is called a **topological order**, and go through that list from the end.


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
# That is the whole engine, in fewer than 40 lines. It is called **automatic differentiation**, or
# **autograd**. Run it on our example:

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
# engine the formula of L. It knows three operations, and the chain rule.

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
print("b and c:", vb.grad, vc.grad)
measured("dL/da with the mistake", va.grad, "-6")

# %% [markdown]
# b and c are right. a has -6 instead of -2: what came on the direct path was overwritten by what
# came through p. The mistake shows only at a **shared** value, one that is used more than once.
# The weights of a convolution are shared by all pixels, so there it would spoil everything.

# %% [markdown]
# ## Meet `tensor.py`
#
# A `Tensor` of minifcn is a `Value` whose number is an array. `requires_grad=True` makes it a leaf
# for which we want the gradient.
#
# | `Value` | `Tensor` |
# |---|---|
# | `number` | `data`, an array |
# | `sources` | `grad_fn.inputs` and `grad_fn.gradients` |
# | `grad`, in every value | `grad`, in the leaves only |
# | `backward(result)` | `result.backward()` |

# %%
L, _ = loss_of(a, b, c)
print(L)
L.backward()
equal("L", L, result.number)
equal("dL/da", a.grad, -2.0)
equal("dL/db", b.grad, 4.0)
equal("dL/dc", c.grad, 2.0)

# %% [markdown]
# The same numbers. Two things differ in the program. First, it keeps functions. The local
# derivative of an array by an array is a matrix: each output by each input. Take the convolution
# from an image of 3 x 96 x 96 to 16 channels of the same size. Its matrix has 4,076,863,488
# entries. So for each input `tensor.py` keeps a function, which multiplies by that matrix without
# ever making it. You find them in `__add__`, `__mul__` and so on: `lambda g: g * b` takes the
# gradient g of the result, the **upstream gradient**, and returns that of the input.
#
# Second, it does not call itself. Our `visit` does, and Python stops at about 1000 calls inside one
# another. `tensor.py` keeps a list of what is still to do instead.

# %%
measured("entries of the matrix", (3 * 96 * 96) * (16 * 96 * 96), "4,076,863,488")

x = tensor(1.0, requires_grad=True)
y = x
for _ in range(5000):
    y = y + x
y.backward()
measured("dy/dx after 5000 additions", x.grad, "5,001")

# %% [markdown]
# After `5000` additions, x was used 5,001 times, and each use added 1.

# %% [markdown]
# ## Open `minifcn/tensor.py` now
#
# Read `_propagate`, which is our `backward`; `_topological_order`, which is our `in_order`; and
# `_accumulate`, which is our `+=`. These are their lines:

# %%
source = inspect.getsource(inspect.getmodule(grad)).splitlines()
for name in ("_propagate", "_topological_order", "_accumulate"):
    line = next(n for n, text in enumerate(source, 1) if text.startswith(f"def {name}("))
    print(f"minifcn/tensor.py, line {line}: {name}")

# %% [markdown]
# ## Arrays: what was repeated is summed
#
# NumPy adds arrays of different shapes by repeating the smaller one: **broadcasting**. A row of 3
# numbers, added to 4 rows, is used 4 times. So it is shared, and its gradient is a sum of 4.
#
# The result y is no single number here. So `backward` wants to be told its upstream gradient: how
# fast some L, which y would be used for, changes with each element of y. Any numbers will do.

# %%
rng = np.random.default_rng(0)
rows, row = rng.standard_normal((4, 3)), rng.standard_normal(3)
upstream = rng.standard_normal((4, 3))

x, bias = tensor(rows, requires_grad=True), tensor(row, requires_grad=True)
y = x + bias
y.backward(tensor(upstream))

equal("gradient of x", x.grad, upstream)
equal("gradient of the row", bias.grad, upstream.sum(axis=0))
equal("the package's sum_to", sum_to(tensor(upstream), (3,)), upstream.sum(axis=0))

# %% [markdown]
# Where the forward pass repeats, the backward pass sums. `broadcast_to` and `sum_to` are the first
# pair of this kind. You will meet more: where one gathers, the other scatters.

# %% [markdown]
# ## Three habits of the engine
#
# 1. `grad` adds up over several calls of `backward`, until you set it back to `None`.
# 2. A backward pass frees the graph on its way, to save memory. A second one raises an error.
# 3. Inside `with no_grad():` nothing is remembered. One uses it when there is nothing to learn.

# %%
a.grad = None
for _ in range(2):
    L, _ = loss_of(a, b, c)
    L.backward()
measured("dL/da, added up over two calls", a.grad, "-4")

try:
    L.backward()
except RuntimeError as error:
    print("a second backward:", error)

with no_grad():
    L, _ = loss_of(a, b, c)
print("under no_grad:", L, "made by", L.grad_fn)
assert L.grad_fn is None
assert not L.requires_grad

# %% [markdown]
# Twice -2 is -4. In tutorial 05 you will see why a training loop sets `grad` back at each step.

# %% [markdown]
# ## A surprise: the derivative of a derivative
#
# The functions in `tensor.py` compute with Tensors. So a gradient is itself the result of
# operations. With `create_graph=True` the engine remembers them, and you can differentiate the
# gradient again. The function `grad` returns gradients instead of storing them in leaves.
#
# From the formula above, `dL/da = 2 a b + c`. Its derivatives are `2 b` in a, and `2 a` in b.

# %%
a.grad = b.grad = c.grad = None
L, _ = loss_of(a, b, c)
(slope,) = grad(L, a, create_graph=True)
plot_graph(out / "gradient.png", slope, {"a": a, "b": b, "c": c, "dL/da": slope})
show(out / "gradient.png")

measured("dL/da", slope, "-2")
twice, mixed = grad(slope, (a, b))
measured("derivative of dL/da in a", twice, "-6")
measured("derivative of dL/da in b", mixed, "4")

# %% [markdown]
# They are -6 and 4, as the formulas say. The picture shows the graph of dL/da. Some of its
# operations belong to the forward pass, and the others were made by the backward pass: they are of
# the same kinds, and one more for the slope of relu. The dashed box is the 1 that the backward
# pass begins with.

# %% [markdown]
# ## Exercises
#
# 1. Add a method `exp` to `Value`, for e to the power of x. Check the gradient of
#    `(a * b).exp() * a` at a = 2 and b = -1 with `equal` against `Tensor`, which has `exp` too.
#    Make the tensors with `tensor(np.float64(2.0), requires_grad=True)`, to have all digits.
# 2. Replace `in_order` by a list that grows from the result: first the result, then its inputs,
#    then the inputs of these, each value once, where it is met first. In `backward`, go through
#    it from its beginning. Our example still gives -2. Find an expression of a, b and c for which
#    this order gives a wrong gradient. `in_order` tells you the right one.
# 3. In `y = x * scale`, let x be of shape (4, 3) and scale of shape (4, 1), with any numbers.
#    Compute the gradients of both in NumPy for the `upstream` above, and check with `equal`.

# %% [markdown]
# ## Next
#
# The engine trusts the local derivatives that people wrote into it. One of them may be wrong, and
# no error is raised. The next tutorial shows how to find out.


# %% tags=["answers"]
# 1. e^x is its own derivative, so the local derivative is the result.
def exp(self):
    power = float(np.exp(self.number))
    return Value(power, [(self, power)])


Value.exp = exp
va, vb = Value(2.0), Value(-1.0)
backward((va * vb).exp() * va)
ta, tb = (tensor(np.float64(value), requires_grad=True) for value in (2.0, -1.0))
((ta * tb).exp() * ta).backward()
equal("exercise 1, a", va.grad, ta.grad)
equal("exercise 1, b", vb.grad, tb.grad)


# 2. L = s + s * c with s = a * b. From the result: L, s, s * c, ... so s passes on its grad before
#    s * c has added to it.
def gradient_of_a(expression, listed):
    a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    result = expression(a, b, c)
    result.grad = 1.0
    for x in listed(result):
        for source, slope in x.sources:
            source.grad += x.grad * slope
    return a.grad


def from_the_result(result):
    order = [result]
    for x in order:  # the list grows while we walk along it
        order.extend(source for source, _ in x.sources if source not in order)
    return order


def from_the_end(result):
    return reversed(in_order(result))


def uses_s_twice(a, b, c):
    s = a * b
    return s + s * c


example = lambda a, b, c: (a * b + c).relu() * a
assert gradient_of_a(example, from_the_end) == gradient_of_a(example, from_the_result) == -2
assert gradient_of_a(uses_s_twice, from_the_end) == -3 * (1 + 10)
assert gradient_of_a(uses_s_twice, from_the_result) == -3

# 3. Each number of scale is used three times, along its row.
x, scale = tensor(rows, requires_grad=True), tensor(rows[:, :1] + 1, requires_grad=True)
(x * scale).backward(tensor(upstream))
equal("exercise 3, x", x.grad, upstream * (rows[:, :1] + 1))
equal("exercise 3, scale", scale.grad, (upstream * rows).sum(axis=1, keepdims=True))
