# %% [markdown]
# # Answers to the exercises of tutorial 15
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(15))  # runs tutorial 15 first; its output is not shown

# %%
# 1. A map of stride s has 96 / s rows and 128 / s columns. Together they are 16896 numbers, less
#    than half of the 36864 of the photo; but in 32 bits each, where a photo needs 8.
mine = sum(channels * (96 // s) * (128 // s) for s, channels in ((8, 40), (16, 112), (32, 320)))
equal("kept", mine, sum(maps[s].data.size for s in (8, 16, 32)), within=0)
claim("less than half of the photo's numbers", mine < 96 * 128 * 3 / 2)

# %%
# 2. No. A kernel is not its own mirror image, and neither are the features that it makes: what
#    answers to a left edge does not answer to a right one. Mirror the photos, and keep both.
with no_grad():
    mirrored = network.backbone.feature_maps(Tensor(x.data[..., ::-1].copy()))[8].data
apart = np.abs(mirrored - maps[8].data[..., ::-1]).max() / np.abs(mirrored).max()
print(f"the largest difference is {apart:.0%} of the largest feature")
claim("features of a mirror image are not mirrored features", apart > 0.1)

# %%
# 3. In training, batch normalization collects running averages with each forward, gradient or not.
#    They would drift to the twenty photos, and the features that were kept would be others' soon.
moving = build(pretrained=False)
before = {name: array.copy() for name, array in moving.backbone.state_dict().items()}
with no_grad():
    moving(x)
after = moving.backbone.state_dict()
changed = {name for name in after if not np.array_equal(before[name], after[name])}
averages = {name for name in after if "running" in name or "num_batches" in name}
claim("the running averages have moved, and no weight has", changed and changed <= averages)
