# %% [markdown]
# # Answers to the exercises of tutorial 12
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(12))  # runs tutorial 12 first; its output is not shown

# %%
# 1. Between two centres of cells the row is a straight line, whose second difference is 0. It bends
#    at the centres only, N pixels apart. A centre lies between two pixels, so each bend is seen in
#    two second differences next to one another.
for name, own in networks.items():
    with no_grad():
        row = own(inputs).numpy()[0, 0, 50].astype(np.float64)
    bends = np.abs(np.diff(row, 2))
    found = np.nonzero(bends > 1e-3 * bends.max())[0]
    first = found[np.diff(found, prepend=-9) > 1]  # the first of each two
    print(name, "bends at", first)
    claim(f"the row tells the number of {name}", (np.diff(first) == int(name[4:-1])).all())

# %%
# 2. A bluer band is more like water: positive for blue. A redder one is more like land: negative.
#    What pool3 adds in the lower 36 rows does not depend on the band: its gradient is exactly 0.
sums = {}
for path in ("top", "pool4", "pool3"):
    x = tensor(inputs.numpy()[:10], requires_grad=True)
    of_water = network.score_terms(x)[path][:, :2, 60:]
    (of_water * tensor(np.array([1, -1], np.float32).reshape((1, 2, 1, 1)))).sum().backward()
    red, _, blue = x.grad.numpy()[:, :, :24].sum(axis=(0, 2, 3))
    sums[path] = red, blue
    print(f"{path:6} red {red:+.1f}  blue {blue:+.1f}")
claim("red and blue pull in opposite directions", sums["top"][0] < 0 < sums["top"][1])
equal("gradient of what pool3 adds", sums["pool3"], np.zeros(2), within=0)

# %%
# 3. A 1x1 convolution of stacked channels is the sum of two 1x1 convolutions, one for each part of
#    the stack. The weights of the two are put beside one another, too. And a 1x1 convolution and
#    upsampling channel by channel may change places. Adding scores is the case of concatenation in
#    which nothing but one 1x1 convolution follows; a U-Net has more to learn there.
weights = {name: tensor(array) for name, array in networks["FCN-16s"].state_dict().items()}
with no_grad():
    fc7, pool4, _ = features(inputs, weights)
    both = [weights["score_fr.weight"], weights["score_pool4.weight"]]
    stacked = F.cat([upsample(fc7, 2), pool4], 1)
    one = F.conv2d(stacked, F.cat(both, 1))
    two = upsample(F.conv2d(fc7, both[0]), 2) + F.conv2d(pool4, both[1])
equal("one 1x1 convolution of all, and the sum of two", one, two, within=1e-4)
