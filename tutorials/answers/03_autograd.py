# %% [markdown]
# # Answers to the exercises of tutorial 03
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(3))  # runs tutorial 03 first; its output is not shown

# %%
# 1. With r = relu(a b + c): dL/da = r' a b + r, dL/db = r' a a + c, dL/dc = r' a + b. For c = 5,
#    r' is 1: the gradients are 1, 9 and -1. For c = 1, a b + c is -1: relu is 0, its slope too, and
#    what is left is b c, whose gradients are 0, 1 and 1. So dL/dc changes its sign.
for vc, signs in ((Value(5.0), [1, 1, -1]), (Value(1.0), [0, 1, 1])):
    va, vb = Value(-2.0), Value(1.0)
    backward((va * vb + vc).relu() * va + vb * vc)
    claim(f"signs for c = {vc.number}", np.sign([va.grad, vb.grad, vc.grad]).tolist() == signs)


# %%
# 2. e^x is its own derivative, so the local derivative is the result.
def exp(self):
    power = float(np.exp(self.number))
    return Value(power, [(self, power)])


Value.exp = exp
va, vb = Value(2.0), Value(-1.0)
backward((va * vb).exp() * va)
ta, tb = (tensor(np.float64(value), requires_grad=True) for value in (2.0, -1.0))
((ta * tb).exp() * ta).backward()
equal("exercise 2, a", va.grad, ta.grad)
equal("exercise 2, b", vb.grad, tb.grad)


# %%
# 3. L = s + s * c with s = a * b. From the result: L, s, s * c, ... so s passes its grad on before
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
equal("the example, right order", gradient_of_a(example, from_the_end), -2)
equal("the example, wrong order", gradient_of_a(example, from_the_result), -2)
equal("s used twice, right order", gradient_of_a(uses_s_twice, from_the_end), -3 * (1 + 10))
equal("s used twice, wrong order", gradient_of_a(uses_s_twice, from_the_result), -3)
