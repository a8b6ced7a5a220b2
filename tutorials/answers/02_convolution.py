# %% [markdown]
# # Answers to the exercises of tutorial 02
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(2))  # runs tutorial 02 first; its output is not shown

# %%
# 1. The size stays if 2p = d(k - 1): p = d(k - 1) / 2, a whole number since k is odd.
for k in range(1, 12, 2):
    for d in range(1, 5):
        size = conv_output_size(50, k, 1, d * (k - 1) // 2, d)
        claim(f"the size stays, {k=}, {d=}", size == 50)

# %%
# 2. The output (h, w) reads the rows h - 1 .. h + 1 with padding 1. Its right neighbour is number
#    (1, 2) of the kernel. In the last column the neighbour is in the padding: 0.
moving = np.zeros((1, 1, 3, 3))
moving[0, 0, 1, 2] = 1
x = generator.standard_normal((6, 6))
moved = kernels.conv2d(x[None, None], moving, padding=1)[0, 0]
equal("moved to the left", moved, np.pad(x[:, 1:], [(0, 0), (0, 1)]), within=0)

# %%
# 3. A row of zeros with a single 1 at place h gives the weight that meets h in each output. For all
#    h together this is a table. Its row o has the weights at h = s * o - p + d * i: they stand d
#    apart, they begin s further right in the next row, and row 0 would begin at -p.
table = np.stack([box(single) for single in np.eye(30)], axis=1)
places, next_places = np.flatnonzero(table[5]), np.flatnonzero(table[6])
s, d = next_places[0] - places[0], places[1] - places[0]
p = 5 * s - places[0]
weights = table[5, places]
print(f"weights {weights}, stride {s}, padding {p}, dilation {d}")
x = generator.standard_normal(30)
equal("the box", along_row(x, weights, int(s), int(p), int(d)), box(x), within=0)
