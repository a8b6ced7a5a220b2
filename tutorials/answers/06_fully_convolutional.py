# %% [markdown]
# # Answers to the exercises of tutorial 06
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(6))  # runs tutorial 06 first; its output is not shown

# %%
# 1. The first becomes a 4x4 convolution, the second a 1x1: after the first there is one position
#    for each place, and the second works at each of them alone.
W1, b1 = generator.standard_normal((10, 128)), generator.standard_normal(10)
W2, b2 = generator.standard_normal((3, 10)), generator.standard_normal(3)
g = generator.standard_normal((1, 8, 7, 9))
hidden = F.relu(F.conv2d(tensor(g), tensor(W1.reshape(10, 8, 4, 4)), tensor(b1)))
both = F.conv2d(hidden, tensor(W2.reshape(3, 10, 1, 1)), tensor(b2))
slid = np.empty((1, 3, 4, 6))
for i in range(4):
    for j in range(6):
        row = g[0, :, i : i + 4, j : j + 4].reshape(-1)
        slid[0, :, i, j] = W2 @ np.maximum(W1 @ row + b1, 0) + b2
equal("two linear layers, and two convolutions", slid, both)

# %%
# 2. 35 positions add the bias, and the sum keeps them all: each may add b / 35 only.
summed = gap_f.sum(axis=(2, 3)) @ gap_W.T + gap_b
shared_out = gap_scores + (gap_b / 35)[:, None, None]
equal("sum then linear, and 1x1 then sum", summed, shared_out.sum(axis=(2, 3)))

# %%
# 3. Each shift gives the scores of every second row and column. Long et al. write of this as
#    "shift-and-stitch". It costs as much as four images: what pooling has left out must be
#    computed after all.
part, whole = images[:1, :, :96, :96], fully_convolutional(network)
starts = range(0, 96 - 32 + 1, 2)
moved_by_2 = np.stack([part[0, :, y : y + 32, x : x + 32] for y in starts for x in starts])
stitched = np.empty((1, 3, 33, 33), np.float32)
with no_grad():
    at_each = network(tensor(moved_by_2)).data.T.reshape(1, 3, 33, 33)
    for y in (0, 2):
        for x in (0, 2):
            stitched[:, :, y // 2 :: 2, x // 2 :: 2] = whole(tensor(part[:, :, y:, x:])).data
equal("windows at every 2 pixels, and shift and stitch", at_each, stitched, within=1e-4)
