# %% [markdown]
# # Answers to the exercises of tutorial 08
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(8))  # runs tutorial 08 first; its output is not shown

# %%
# 1. Each p is copied to four places, so the four come back as a sum: f sums each window, which is
#    four times the average pooling.
p = generator.standard_normal((1, 1, 3, 3))
x = generator.standard_normal((1, 1, 6, 6))
repeated = F.interpolate(tensor(p), scale_factor=2, mode="nearest").numpy()
sums = 4 * F.avg_pool2d(tensor(x), 2).numpy()
equal("<nearest(p), x> and <p, f(x)>", (repeated * x).sum(), (p * sums).sum())

# %%
# 2. Nearest has no zeros, so the window holds nothing but the value: true for all p. Nails have
#    zeros, so negative values come back as 0, as with switches.
claim("some are negative", (p < 0).any())
equal("pool(nearest(p)), and p", F.max_pool2d(tensor(repeated), 2), p, within=0)
nailed = np.zeros((1, 1, 6, 6))
nailed[:, :, ::2, ::2] = p
equal("pool(nails(p)), and relu(p)", F.max_pool2d(tensor(nailed), 2), np.maximum(p, 0), within=0)

# %%
# 3. Unpooled ones count how many windows each place has won. A place that won n times holds n times
#    its number, so division gives the number back. It then wins its windows again: what it beat is
#    0 now, or another winner, and smaller. The division changes the matrix: no longer the adjoint.
x = np.abs(generator.standard_normal((1, 1, 9, 9)))
y, s = F.max_pool2d(tensor(x), 3, stride=1, return_indices=True)
counts = F.max_unpool2d(tensor(np.ones(y.shape)), s, 3, stride=1).numpy()


def mended(y):
    return F.max_unpool2d(tensor(y), s, 3, stride=1).numpy() / np.maximum(counts, 1)


equal("pool(mended(y)), and y", F.max_pool2d(tensor(mended(y.numpy())), 3, stride=1), y)
x, g = generator.standard_normal(x.shape), generator.standard_normal(y.shape)
left, right = (kernels.gather(x, s.numpy()) * g).sum(), (x * mended(g)).sum()
claim("it is not the adjoint", abs(left - right) > 0.1)
