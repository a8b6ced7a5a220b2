# %% [markdown]
# # Answers to the exercises of tutorial 14
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(14))  # runs tutorial 14 first; its output is not shown

# %%
# 1. Nothing is left to do: the weights stay as they are, and only the pictures are drawn again.
terminal(f"minifcn train --resume {run.as_posix()}")
again, _ = load_arrays(run / "last.safetensors")
claim("they stay", all(np.array_equal(weights[name], again[name]) for name in weights))

# %%
# 2. The mask has the image's shape. The network pads the image with zeros at the bottom and the
#    right to multiples of 32, and cuts the scores to the image's size (models/blocks.py).
shape = predict(network, [np.zeros((33, 70, 3), np.uint8)]).shape
print("mask:", shape)
claim("it has the image's shape", shape == (1, 33, 70))

# %%
# 3. The loss becomes small, as four images are learned by heart, like the eight of tutorial 05. The
#    mean IU on the fifth stays near the baseline. Here 2 iterations, to show that the folder is
#    read: images/ and masks/ with the same names. "0" stands for the version of minifcn.
from minifcn.runs.config import Config
from minifcn.runs.run import Run

folder = work / "my-folder"
for name in ("images", "masks"):
    (folder / name).mkdir(parents=True)
for i in range(5):
    scene, scene_mask = held_out[i]
    Image.fromarray(scene).save(folder / "images" / f"{i}.png")
    Image.fromarray(scene_mask).save(folder / "masks" / f"{i}.png")
own = Run.start(Config.make(str(folder), iterations=2, size=(64, 64)), work / "own", "0")
own.train()
claim("2 iterations are done", own.iteration == 2)
