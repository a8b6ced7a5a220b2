# %% [markdown]
# # Answers to the exercises of tutorial 09
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(9))  # runs tutorial 09 first; its output is not shown

# %%
# 1. The pattern repeats every 3 numbers, so s = 3. A 2 stands where two stamps meet, two in a row:
#    k - s = 2, so k = 5. And 14 = 3 (i - 1) + 5 gives i = 4. In the second row, the first number is
#    AX and the last BZ: X = 3, Z = 2. With s = 2 there are 3 weights, and 1 = AY gives Y = 1. Then
#    AZ + BX = 2 + 6 = 8 fits.
ones = kernels.conv_transpose2d(np.ones((1, 1, 1, 4)), np.ones((1, 1, 1, 5)), stride=(1, 3))
equal("row of ones", ones[0, 0, 0], [1, 1, 1, 2, 2, 1, 2, 2, 1, 2, 2, 1, 1, 1], within=0)
y, weight = np.array([1.0, 2])[None, None, None], np.array([3.0, 1, 2])[None, None, None]
inferred = kernels.conv_transpose2d(y, weight, stride=(1, 2))
equal("row of letters", inferred[0, 0, 0], [3, 1, 8, 2, 4], within=0)

# %%
# 2. All ones, 2 x 2: each pixel stamps its number onto a block of its own.
y = generator.standard_normal((1, 1, 3, 4))
repeated = y.repeat(2, axis=2).repeat(2, axis=3)
equal("nearest", kernels.conv_transpose2d(y, np.ones((1, 1, 2, 2)), 2), repeated, within=0)

# %%
# 3. The windows do not overlap, so two rows of C have no column in common, and their product is 0.
#    The product of a row with itself is the sum of the kernel's squares: that must be 1.
#    C C^T y = y: the convolution undoes the transposed one. C^T C x is not x, as C x has only 4
#    numbers, and x has 16.
C = convolution_matrix(np.full((2, 2), 0.5), 4, stride=2)
equal("C C^T", C @ C.T, np.eye(4))
y, x = generator.standard_normal(4), generator.standard_normal(16)
equal("C C^T y, and y", C @ (C.T @ y), y)
claim("C^T C x is not x", not np.allclose(C.T @ (C @ x), x))
