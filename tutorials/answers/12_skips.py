# %% [markdown]
# # Answers to the exercises of tutorial 12
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(12))  # runs tutorial 12 first; its output is not shown

# %%
# 1. 5 and 9 compare two maps that the padding moves alike: they stay. The output's crop grows by
#    10, to 41, as every pixel of padding at the start is one pixel at stride 1 in the end.
backbone = [Window(3, padding=110)]
pool3_ = [*backbone, *[Window(2, 2)] * 3]
pool4_ = [*pool3_, Window(2, 2)]
up4_ = [*pool4_, Window(2, 2), Window(7), Window(4, 2, transposed=True)]
up3_ = [*up4_, Window(4, 2, transposed=True)]
equal("padding 110, crop of pool4", crop_offset(pool4_, up4_), 5)
equal("padding 110, crop of pool3", crop_offset(pool3_, up3_), 9)
equal("padding 110, crop of the output", crop_offset([*up3_, Window(16, 8, transposed=True)]), 41)

# %%
# 2. Trained together, the paths rely on each other: no part is as good as the sum.
with no_grad():
    parts = {name: t.numpy() for name, t in networks["FCN-8s"].score_terms(inputs).items()}
for chosen in (["top"], ["pool3"], ["top", "pool3"], ["top", "pool4", "pool3"]):
    iu = confusion(sum(parts[name] for name in chosen).argmax(1)).mean_iu
    print(f"{' + '.join(chosen):22} mean IU {iu:.2f}")
    claim("a part is not as good", len(chosen) == 3 or iu < results["FCN-8s"].mean_iu)
equal("all three, and FCN-8s", iu, results["FCN-8s"].mean_iu, within=1e-3)

# %%
# 3. One plus sign less, and upsampling by 16 at the end.
weights = {name: tensor(a) for name, a in networks["FCN-16s"].state_dict().items()}
weights["score_pool3.weight"] = tensor(np.zeros((3, 32, 1, 1), np.float32))  # never used
weights["score_pool3.bias"] = tensor(np.zeros(3, np.float32))
with no_grad():
    top, pool4, _ = path_scores(inputs, weights)
    fcn16 = upsample(upsample(top, 2) + pool4, 16)
    equal("FCN-16s by hand", fcn16, networks["FCN-16s"](inputs), within=1e-4)
