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
# 3. One switch for each window: 64 * 112 * 112. As int64 8 bytes each; one of four is 2 bits.
windows = 64 * 112 * 112
print(f"int64: {8 * windows:,} bytes; two bits: {2 * windows // 8:,} bytes")
claim("32 times as much", 8 * windows == 32 * (2 * windows // 8))
