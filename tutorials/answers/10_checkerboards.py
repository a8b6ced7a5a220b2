# %% [markdown]
# # Answers to the exercises of tutorial 10
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(10))  # runs tutorial 10 first; its output is not shown

# %%
# 1. ceil(5/3), ceil(4/3), ceil(3/3) = 2, 2, 1. In the plane 4 4 2, 4 4 2, 2 2 1.
line = stamp(np.ones(20), np.ones(5), 3)
equal("k=5, s=3, counts", line[9:12], [2, 2, 1])
counts = np.outer([2, 2, 1], [2, 2, 1])
cv = phase_variation(np.outer(line, line), 3, margin=5)
equal("CV of k=5, s=3", counts.std() / counts.mean(), cv)

# %%
# 2. Output 2i sees the copies of x[i-1], x[i], x[i], output 2i + 1 those of x[i], x[i], x[i+1]:
#    y[2i] = u x[i-1] + (v + w) x[i] and y[2i+1] = (u + v) x[i] + w x[i+1]. So x[i] is stamped
#    as w, v + w, u + v, u, from output 2i - 1 on. Both phase sums are u + v + w: always even.
u, v, w = rng.standard_normal(3)
x = rng.standard_normal(8)
copies = x.repeat(2)
convolved = u * copies[:-2] + v * copies[1:-1] + w * copies[2:]  # outputs 1 to 14
stamped = stamp(x, np.array([w, v + w, u + v, u]), 2)  # starts at output -1
equal("nearest and convolution, and one transposed convolution", convolved, stamped[2:-2])
equal("the two phase sums", phase_sums(np.array([w, v + w, u + v, u]), 2), np.full(2, u + v + w))

# %%
# 3. Divide each weight by the sum of its phase: weights 0 and 2 by w[0] + w[2], weight 1 by itself.
kernel = rng.random(3)
even = kernel / phase_sums(kernel, 2)[[0, 1, 0]]
equal("a constant line stays constant", stamp(np.ones(8), even, 2)[2:-2], np.ones(13))
