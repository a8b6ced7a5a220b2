# %% [markdown]
# # Answers to the exercises of tutorial 10
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(10))  # runs tutorial 10 first; its output is not shown

# %%
# 1. The pattern repeats every 4 pixels, so s = 4. Phase 1 gets 3 stamps: ceil((k - 1) / 4) = 3
#    needs a k of at least 10. Phase 2 gets 2: ceil((k - 2) / 4) = 2 allows a k of at most 10.
k, s = 10, 4
equal("ones, upsampled", stamp(np.ones(12), np.ones(k), s)[24:32], [3, 3, 2, 2, 3, 3, 2, 2])

# %%
# 2. The first: w[0] + w[2] = 0.5 and w[1] + w[3] = 1.5, for instance 0.25, 0.75, 0.25, 0.75. The
#    second: w[0] + w[2] = w[1] + w[3] = 1. Output 2i is w[0] i + w[2] (i - 1) = i - w[2], and
#    output 2i + 1 is i - w[3]. It goes up by w[2] - w[3] = 2, and then by 1 - 2 = -1: for instance
#    with w[2] = 1 and w[3] = -1.
first = np.array([0.25, 0.75, 0.25, 0.75])
equal("ones, by the first kernel", stamp(np.ones(8), first, 2)[2:-2], np.tile([0.5, 1.5], 7))
second = np.array([0, 2, 1, -1])
equal("phase sums of the second", phase_sums(second, 2), [1, 1])
steps = np.diff(stamp(np.arange(8.0), second, 2)[2:-2])
equal("steps of the ramp, by the second", steps, [*[2, -1] * 6, 2])

# %%
# 3. Output 2i sees the copies of x[i-1], x[i], x[i], output 2i + 1 those of x[i], x[i], x[i+1]:
#    y[2i] = u x[i-1] + (v + w) x[i] and y[2i+1] = (u + v) x[i] + w x[i+1]. So x[i] is stamped
#    as w, v + w, u + v, u, from output 2i - 1 on. Both phase sums are u + v + w: even on constants.
#    The kernel -1, 1, 0 becomes 0, 1, 0, -1: every second output gets 0 times something.
u, v, w = rng.standard_normal(3)
x = rng.standard_normal(8)
copies = x.repeat(2)
convolved = u * copies[:-2] + v * copies[1:-1] + w * copies[2:]  # outputs 1 to 14
stamped = stamp(x, np.array([w, v + w, u + v, u]), 2)  # starts at output -1
equal("nearest and convolution, and one transposed convolution", convolved, stamped[2:-2])
equal("the two phase sums", phase_sums(np.array([w, v + w, u + v, u]), 2), np.full(2, u + v + w))
ramp = stamp(np.arange(8.0), np.array([0, 1, 0, -1]), 2)[2:-2]
equal("a ramp, by the four weights of -1, 1, 0", ramp, np.tile([0, 1], 7))
