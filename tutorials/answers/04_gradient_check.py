# %% [markdown]
# # Answers to the exercises of tutorial 04
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(4))  # runs tutorial 04 first; its output is not shown


# %%
# 1. It says "too small by the whole factor 2": the two uses of x in x * x count once.
def my_square(x, factor):
    return record("my_square", x.data**2, (x, lambda g: g * x * factor))


numbers = rng.standard_normal((3, 4))
said = check(lambda x: my_square(x, 1), x=numbers)
claim("the factor is named", "too small by the whole factor 2" in said)
claim("2 is right", check(lambda x: my_square(x, 2), x=numbers).startswith("ok"))


# %%
# 2. With ones, L is the sum of the output, 1 whatever x is: its true gradient is 0, like the bug.
def my_share(x):
    return record("my_share", x.data / x.data.sum(), (x, lambda g: Tensor(np.zeros(x.shape))))


positive = rng.uniform(1, 2, 5)
with_ones = numeric_gradient(lambda x: my_share(tensor(x)).data.sum(), positive)
claim("with ones the true gradient is 0", np.abs(with_ones).max() < 1e-9)
claim("random numbers find it", "zero everywhere" in check(my_share, x=positive))

# %%
# 3. The bottom of the float32 curve: eps = 5e-3, where the error is far below the tolerance 1e-3.
#    A gradient that is wrong by one part in a hundred has an error of about 0.01, far above it.
wrong = norm_relative(analytic, 1.01 * analytic)
measured("error of the wrong gradient", wrong, "0.01")
for seed in range(5):
    (error,) = difference_errors(curved, [weight, image], [5e-3], "float32", seed=seed)
    claim(f"it tells them apart, {seed=}", error < 1e-3 < wrong)
