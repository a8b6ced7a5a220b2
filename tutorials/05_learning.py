# %% [markdown]
# # 05. Can it learn?
#
# **Time:** 40 minutes; the code runs in 8 seconds. **Before:** 01, 02, 03.
#
# ```
# image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
#                          skips 12, and their crops 13, lead from features to upsampling
# learning: gradients 03, checked 04, training [05]    the whole job: 14    pretrained weights: 15
# ```
#
# You will build a small network that names the shape in an image, measure how wrong it is, and make
# it less wrong, step by step. Then you will ask whether it has learned shapes, or only these
# images. This is a good first test of any new network: one that fails to learn 8 images by heart
# probably has something wrong in it.

# %%
import math

import numpy as np

from minifcn import functional as F
from minifcn import nn, no_grad, optim, tensor
from minifcn.course.lesson import claim, equal, measured, pictures, progress, show
from minifcn.data.shapes import CLASSES, Design, Shapes
from minifcn.data.transforms import denormalise, normalise
from minifcn.plots.learning import plot_examples, plot_learning

out = pictures("05")

# %% [markdown]
# ## Images with a name
#
# A **classifier** looks at an image and names its class: one class for the whole image, not one
# for each pixel. Our images show one shape each, on 32 x 32 pixels. The **label** of an image is
# the number of its true class. There are 5 classes here, numbered 0 to 4; the background is not one
# of them.
#
# `normalise` subtracts a fixed mean colour and divides by a fixed standard deviation. The numbers
# that go into the network then have a mean near 0 and a standard deviation near 1: in our images
# 0.23 and 0.95. The size of the random weights that a network begins with is chosen with such
# numbers in mind.
#
# The scenes come from two sets that have none in common: "train", to learn from, and "val", to test
# on.

# %%
names = CLASSES[1:]
# One object each, large and thick, and near the middle. The lengths are given for scenes of
# 96 x 96 pixels; ours have a third of that side.
design = Design(objects=(1, 1), radius=(24, 36), stroke=(15, 21), margin=45)


def read(split, count):
    scenes = list(Shapes(split, count, (32, 32), design=design))
    images = np.stack([normalise(image) for image, _ in scenes])
    # In a mask, the background is 0, so the largest number is the class of the object, 1 to 5.
    labels = np.array([mask.max() - 1 for _, mask in scenes], dtype=np.int64)
    return images, labels


many_images, many_labels = read("train", 200)
first = [np.flatnonzero(many_labels == k)[:2] for k in range(5)]  # two images of each class
chosen = [first[k][0] for k in range(5)] + [first[k][1] for k in range(3)]  # 8 of these 10
images, labels = many_images[chosen], many_labels[chosen]
print("images:", images.shape, images.dtype, "  N, C, H, W")
measured("mean", many_images.mean(), "0.23")
measured("standard deviation", many_images.std(), "0.95")
print("labels:", labels)
plot_examples(out / "images.png", [denormalise(x) for x in images], [names[k] for k in labels])
show(out / "images.png")

# %% [markdown]
# ## A network
#
# A **network** is made of functions, its **layers**. The numbers in them that can be learned are
# its **parameters**: the weights of convolutions, for example. Ours is a chain of layers, of four
# kinds:
#
# - convolutions, as in tutorial 02;
# - relu, as in tutorial 03, after each convolution. Without it, two convolutions in a row, without
#   padding, would be one convolution with a larger kernel: sums of products of sums of products;
# - **max pooling**: of each 2 x 2 block the largest number is kept. Height and width halve;
# - a **linear layer**: `y = W x + b` for a vector x. The matrix W and the vector b, the bias, are
#   its parameters. Every output sees every input: the layer is also called fully connected.
#
# The convolutions make 64 channels of 4 x 4 numbers from an image, the **features**. Written in one
# row, they are a vector of 1024 numbers. The linear layer makes 5 numbers from it.
#
# In the package, as in PyTorch (a library that many people use), a network is a Python class.
# `__init__` makes the layers, with random weights from a generator. `forward` says what happens to
# an image, and `network(x)` calls it.
# `nn.Sequential` is layers in a row; `nn.Conv2d(3, 16, 5, relu=True)` goes from 3 channels to 16
# with 5 x 5 kernels, then relu. The comments give height and width after each layer.


# %%
class Network(nn.Module):
    def __init__(self, generator):
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, relu=True, generator=generator),  # 32 to 28
            nn.MaxPool2d(2),  # 14
            nn.Conv2d(16, 32, 3, relu=True, generator=generator),  # 12
            nn.MaxPool2d(2),  # 6
            nn.Conv2d(32, 64, 3, relu=True, generator=generator),  # 4
        )
        self.linear = nn.Linear(64 * 4 * 4, 5, generator=generator)

    def forward(self, x):
        features = self.features(x)
        return self.linear(features.reshape((x.shape[0], -1)))


network = Network(np.random.default_rng(2))
logits = network(tensor(images))
print("output:", logits.shape, "  images, numbers")
print("of the first image:", logits.data[0].round(2))

# %% [markdown]
# As yet the weights are random numbers, and the biases are 0. The images went through together: N
# images that are computed at the same time are a **batch**.

# %% [markdown]
# ## From scores to probabilities
#
# The 5 numbers of an image are its **logits**: a score for each class, which may be any number; the
# higher, the likelier. The network's answer is the class with the highest logit. **Softmax** turns
# the logits z into probabilities p, which are positive and sum to 1:
#
# ```
# p[c] = exp(z[c]) / (exp(z[0]) + exp(z[1]) + ... + exp(z[4]))
# ```
#
# If all logits of an image become larger by the same number a, p stays the same: `exp(z + a)` is
# `exp(z) * exp(a)`, and `exp(a)` cancels. One subtracts the largest logit from all of them first,
# because `exp` of a large number is too large for the computer: in float32, `exp(89)` already is.

# %%
z = logits.data.astype(np.float64)
exponentials = np.exp(z - z.max(axis=1, keepdims=True))
p = exponentials / exponentials.sum(axis=1, keepdims=True)
equal("softmax in NumPy and in the package", p, F.softmax(logits, 1), within=1e-5)  # 1: the axis
print("first image:", p[0].round(2), "sum", p[0].sum().round(6))
print(f"answer: {names[p[0].argmax()]}, true: {names[labels[0]]}")
with np.errstate(over="ignore"):
    claim("exp(89) is too large for float32", np.exp(np.float32(89)) == np.inf)

# %% [markdown]
# ## How wrong is it?
#
# A **loss** is one number that says how wrong the network is. We need one that falls smoothly as
# the answers get better. The **accuracy**, the share of images that are named right, does not: it
# stays as it is until an answer changes, and then it jumps. The **cross-entropy** of an image looks
# at the probability of the true class, and at nothing else (ln is the natural logarithm):
#
# ```
# loss = -ln p[label]
# ```
#
# It is 0 if the network is sure of the true class (p[label] = 1), and grows without limit as
# p[label] goes to 0: being sure and wrong costs most. The loss of a batch is the mean over its
# images.

# %%
of_each_image = -np.log(p[np.arange(len(labels)), labels])  # from row n, the number at labels[n]
loss = F.cross_entropy(logits, labels)
equal("cross-entropy in NumPy and in the package", of_each_image.mean(), loss, within=1e-5)

# %% [markdown]
# ## Predict
#
# Set the weights and the bias of the last layer to 0. All logits are 0 then, whatever the image.
# What are the 5 probabilities? What is the loss? Write down a formula with C, the number of
# classes.

# %%
random_loss = loss.item()  # the number in a Tensor of one element
network.linear.weight.data[...] = 0
network.linear.bias.data[...] = 0
logits = network(tensor(images))
loss = F.cross_entropy(logits, labels)
measured("loss with a last layer of zeros", loss, "1.609")
equal("loss and ln C", loss, math.log(5), within=1e-6)
measured("loss with a random last layer", random_loss, "5.16", within=0.02)

# %% [markdown]
# All classes are equally likely, each 1 / C, so the loss is -ln(1 / C) = ln C, here 1.609. With the
# random last layer it was 5.16 (give or take two hundredths): random scores favour some class,
# often a wrong one, and the further apart they are, the surer the network is of it.
#
# This is a cheap check of a new network, before any training. If its first loss is far above ln C,
# look at the first logits: are they far apart? And look at the loss: is it a sum over the images
# instead of the mean?

# %% [markdown]
# ## Which way is down?
#
# How does the loss change if a logit changes? Put softmax into the loss of one image:
#
# ```
# loss = -ln p[label] = ln(exp(z[0]) + ... + exp(z[4])) - z[label]
# ```
#
# The derivative of the first part with respect to z[c] is `exp(z[c])`, divided by the sum of all
# five: p[c]. That of z[label] is 1 if c is the label, else 0. Together:
#
# ```
# gradient[c] = p[c] - (1 if c is the label, else 0)
# ```
#
# In words: the probability that the network gives, minus the one that it should give. A vector that
# is 1 at the label and 0 elsewhere is called **one-hot**. For a mean over N images, each gradient
# is divided by N. We check the formula with random logits.

# %%
z = tensor(np.random.default_rng(0).standard_normal((len(labels), 5)), requires_grad=True)
F.cross_entropy(z, labels).backward()
one_hot = np.eye(5)[labels]  # for each label, that row of the identity matrix
by_hand = (F.softmax(z, 1).data - one_hot) / len(labels)
equal("gradient of the logits, by formula and by backward", by_hand, z.grad)

# %% [markdown]
# ## One step down
#
# `loss.backward()` computes the gradient g of the loss for every parameter w, as in tutorial 03.
# From where w is, the loss falls fastest in the direction -g. We go a small step that way:
#
# ```
# w = w - lr * g
# ```
#
# The factor lr is the **learning rate**; ours, `0.005`, was found by trying. What takes these steps
# is called an **optimizer**, and this one is **SGD**, stochastic gradient descent. Stochastic means
# random: with more images than fit into one batch, each step takes a random batch, and its g is an
# estimate of the gradient for all images. Before each `backward`, `zero_grad` forgets the old
# gradients, because `backward` adds to them.
#
# `network.parameters()` lists the arrays that hold the parameters: a weight and a bias for each of
# the three convolutions and for the linear layer, 8 arrays. In how many of them is a number of the
# gradient other than 0?

# %%
parameters = list(network.parameters())
optimizer = optim.SGD(parameters, lr=0.005)
one_row = lambda arrays: np.concatenate([array.reshape(-1) for array in arrays])
losses, moving = [], []
for _ in range(2):
    loss = F.cross_entropy(network(tensor(images)), labels)
    optimizer.zero_grad()
    loss.backward()
    by_hand = [w.data - 0.005 * w.grad.data for w in parameters]
    optimizer.step()
    by_sgd = [w.data for w in parameters]
    equal("a step by hand and by SGD", one_row(by_hand), one_row(by_sgd), within=1e-6)
    moving.append(sum(bool(w.grad.data.any()) for w in parameters))  # any: is one of them not 0?
    losses.append(loss.item())
    print(f"  loss before it {losses[-1]:.3f}, arrays that move: {moving[-1]} of {len(parameters)}")
losses.append(F.cross_entropy(network(tensor(images)), labels).item())
claim("the loss falls with each step", losses[0] > losses[1] > losses[2])
claim("in the first step 2 arrays move, then all 8", moving == [2, 8])

# %% [markdown]
# The loss falls with each step. In the first one, only the weights and the bias of the last layer
# move. On its way back to the layers before, the gradient is multiplied by these weights, and they
# are 0. After this step they are no longer 0, and all 8 arrays move.
#
# To **train** a network is to do this again and again.

# %% [markdown]
# ## Learn 8 images by heart
#
# We need three functions: a new network with zeros in its last layer, one step, and a look at some
# images without learning from them. The last two return the loss and the accuracy; `step` returns
# those from before its step.


# %%
def new_network(seed=2):
    network = Network(np.random.default_rng(seed))
    network.linear.weight.data[...] = 0  # the bias is 0 in each new network
    return network


def step(network, optimizer, images, labels):
    logits = network(tensor(images))
    loss = F.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), (logits.data.argmax(axis=1) == labels).mean()


def look(network, images, labels):
    with no_grad():  # no graph: nothing is to be learned from these images
        logits = network(tensor(images))
        loss = F.cross_entropy(logits, labels)
    return loss.item(), (logits.data.argmax(axis=1) == labels).mean()


# %% [markdown]
# We also take 100 images that the network does not learn from: they are **held out**. Before each
# step we look at how well it does on them.
#
# Predict: after 60 steps, what is the accuracy on the 8 images? What is it on the 100 others?

# %%
held_images, held_labels = read("val", 100)
network = new_network()
optimizer = optim.SGD(network.parameters(), lr=0.005)
held, learned = [], []
for _ in progress(60, "the 8 images"):  # as range(60), and says how far it is if that takes long
    held.append(look(network, held_images, held_labels))
    learned.append(step(network, optimizer, images, labels))

# Transposed: a row of losses and a row of accuracies.
curves = {"the 8 images": np.transpose(learned), "100 held-out images": np.transpose(held)}
plot_learning(out / "curves.png", curves, num_classes=5)
show(out / "curves.png")
measured("loss of the first step", learned[0][0], "1.609")
measured("accuracy on the 8 images", learned[-1][1], "100 %")
measured("loss on the 8 images", learned[-1][0], "0.03", within=0.02)
measured("accuracy on held-out images", held[-1][1], "20 %", within=0.08)
claim("the loss on held-out images has grown", held[-1][0] > 1.5 * held[0][0])

# %% [markdown]
# The axis of the loss is logarithmic. The first loss is 1.609, as predicted. At the last step the
# accuracy on the 8 images is 100 % and the loss is 0.03, give or take two hundredths. The network
# can learn: loss, gradients and steps work together.
#
# But on the held-out images the accuracy is 20 %, give or take 8 points, and guessing gets about
# one in five. Their loss even rises, well above ln 5: the network has become surer, and is mostly
# wrong. It knows these 8 images, not shapes. This is called **overfitting**: better and better on
# what it learns from, no better, or even worse, on the rest. With 8 images it is the aim of a test.
# Anywhere else it is what we fight against.
#
# ## Change one thing: wrong names
#
# Give every image the label of another one, all of them wrong. Predict: can the network learn that
# too?


# %%
def train(images, labels, lr=0.005, steps=60):
    network = new_network()
    optimizer = optim.SGD(network.parameters(), lr=lr)
    history = [step(network, optimizer, images, labels) for _ in progress(steps, f"{lr = }")]
    return network, np.transpose(history)


wrong_labels = np.roll(labels, 1)
claim("every label is wrong", (wrong_labels != labels).all())
_, wrong_curve = train(images, wrong_labels)
measured("accuracy on 8 images with wrong labels", wrong_curve[1, -1], "100 %")
claim("wrong labels are learned by heart too", wrong_curve[0, -1] < 0.1)

# %% [markdown]
# It can: 100 % again. A low loss on the images that it learns from tells neither whether it knows
# shapes nor whether the labels are right. Judge a network on held-out images.
#
# ## Change one thing: the learning rate
#
# Predict: what happens with a learning rate 100 times as large? And with one 100 times as small?

# %%
usual = np.transpose(learned)
stuck, large = train(images, labels, lr=0.5)
_, small = train(images, labels, lr=0.00005)
curves = {"lr = 0.005": usual, "lr = 0.5": large, "lr = 0.00005": small}
plot_learning(out / "learning_rates.png", curves, num_classes=5)
show(out / "learning_rates.png")
measured("loss after 60 steps, small learning rate", small[0, -1], "1.3", within=0.2)
measured("accuracy, large learning rate", large[1, -1], "25 %")
frequencies = np.bincount(labels) / len(labels)
blind_loss = -(frequencies * np.log(frequencies)).sum()  # p = frequencies, for every image
measured("loss if one knows only how frequent each class is", blind_loss, "1.56")
claim("the loss with the large rate gets stuck there", abs(large[0, -1] - blind_loss) < 0.05)
claim("before, it was over a thousand times as high", large[0].max() > 1000 * large[0, 0])

# %% [markdown]
# With too small a rate the loss falls, but slowly: it is still 1.3, give or take two tenths.
#
# Too large a rate is worse. The gradient says how the loss changes for a small step. Our large one
# goes too far, to weights where the loss is more than a thousand times as high (the picture cuts
# that off). Then the loss gets stuck within five hundredths of 1.56, with an accuracy of 25 %. Look
# at the features of that network, and at which parameters still have a gradient:

# %%
features = stuck.features(tensor(images)).data
print("largest feature:", features.max())
claim("all its features are 0", features.max() == 0)
for w in stuck.parameters():
    w.grad = None  # what zero_grad does
F.cross_entropy(stuck(tensor(images)), labels).backward()
alive = [bool(w.grad.data.any()) for w in stuck.parameters()]
print("arrays with a gradient:", alive)
claim("of 8 arrays, the last one has a gradient: the bias", alive == 7 * [False] + [True])

# %% [markdown]
# All features are 0. The numbers before the last relu are no longer positive, for any image. Where
# relu gives 0, its derivative is 0, so no gradient reaches the convolutions, and nothing brings
# them back. Only the bias of the last layer still learns. Its gradient is the mean of `p - one_hot`
# over the images. That is 0 where p is how frequent each class is: 2, 2, 2, 1 and 1 of 8. This
# gives the loss of 1.56, and one answer for all images, which is right for 2 of 8.
#
# If a loss stays close to ln C at any learning rate, ask whether the network sees its images at
# all.
#
# ## Change one thing: more images
#
# One cure for overfitting is more images. We take 200, in random batches of 32, and a network with
# the same weights at the start. It gets 150 steps now, with a learning rate of `0.05`. For
# comparison, another one gets as many steps at the same rate with the 8 images. Predict both
# accuracies on the held-out images.

# %%
generator = np.random.default_rng(0)
network = new_network()
optimizer = optim.SGD(network.parameters(), lr=0.05)
for _ in range(150):
    batch = generator.integers(200, size=32)  # 32 random numbers from 0 to 199
    step(network, optimizer, many_images[batch], many_labels[batch])
_, from_many = look(network, held_images, held_labels)

network, _ = train(images, labels, lr=0.05, steps=150)
_, from_few = look(network, held_images, held_labels)
measured("accuracy on held-out images, 200 images learned", from_many, "75 %", within=0.12)
measured("accuracy on held-out images, 8 images learned", from_few, "20 %", within=0.08)

# %% [markdown]
# From 200 images it learned to name 75 % of images that it had not seen (give or take 12 points),
# from 8 images 20 % (give or take 8). Now it has learned something about shapes.

# %% [markdown]
# ## Exercises
#
# 1. Take the content out of the 8 images: `np.zeros_like(images)`, with the same labels. (After
#    `normalise`, 0 is the mean colour, nearly grey.) What is the lowest loss that the network can
#    reach? Write down the number first, then call `train` with these images and `lr=0.5`. You are
#    right if its last loss differs from your number by less than `0.01`.
# 2. Signs first. In a new network, the last layer is 0. For each of the 5 numbers of its bias,
#    write down the sign of the gradient in the first step on the 8 images, and then its value, as a
#    fraction. Compare with `network.linear.bias.grad` of a `new_network()` after one `backward`, by
#    `equal("bias", yours, network.linear.bias.grad, within=1e-5)`. Then choose other images from
#    `many_images` for which all five gradients are 0 in the first step, to `1e-6`.
# 3. Plant a bug: in a copy of `step`, leave out `optimizer.zero_grad()`. Of the first 20 losses,
#    which is the first that differs from those in `usual[0]`? Write it down, with the reason. Then
#    train a `new_network()` on the 8 images with `lr=0.005`, collect the losses in an array `mine`,
#    and check `claim("my number", (mine != usual[0, :20]).argmax() == number)`, counted from 0.
#
# `minifcn tutorials --answers DIR` writes the answers into a folder: look after you have tried.
#
# Write it yourself, checked: `loss` (`minifcn course check my-course loss`): the cross-entropy of
# masks with void (tutorial 01), and its gradient.

# %% [markdown]
# ## Next
#
# The classifier says what is in an image of 32 x 32 pixels. We want to know that at every pixel of
# a larger one. The next tutorial gives such a classifier a larger image, without changing a single
# weight.
