# %% [markdown]
# # Answers to the exercises of tutorial 05
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(5))  # runs tutorial 05 first; its output is not shown

# %%
# 1. All images are the same, so all answers are: the best ones are the frequencies of the labels,
#    as above. The loss is 1.56 again.
_, empty = train(np.zeros_like(images), labels, lr=0.5)
measured("loss", empty[0, -1], "1.56", within=0.01)


# %%
# 2. With a last layer of 0 each p is 1/5. The gradient is the mean of p - one_hot: 1/5 minus how
#    frequent the class is. The first three classes have 2 of 8 images: 1/5 - 1/4 = -1/20, and their
#    bias grows. The last two have 1 of 8: 1/5 - 1/8 = 3/40. All are 0 for as many images of each
#    class, such as the 10 in `first`.
def bias_gradient(images, labels):
    network = new_network()
    F.cross_entropy(network(tensor(images)), labels).backward()
    return network.linear.bias.grad.data


by_formula = [-1 / 20, -1 / 20, -1 / 20, 3 / 40, 3 / 40]
equal("bias", by_formula, bias_gradient(images, labels), within=1e-5)
balanced = np.concatenate(first)
largest = np.abs(bias_gradient(many_images[balanced], many_labels[balanced])).max()
claim("as many of each class: all are 0", largest < 1e-6)


# %%
# 3. The first step has nothing to forget. The second adds its gradient to the first one, so its
#    step differs. Each loss is from before its step, so the third one is the first that differs.
def careless_step(network, optimizer):
    loss = F.cross_entropy(network(tensor(images)), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


network = new_network()
optimizer = optim.SGD(network.parameters(), lr=0.005)
careless_losses = np.array([careless_step(network, optimizer) for _ in range(20)])
equal("the first two losses", careless_losses[:2], usual[0, :2], within=0)
claim("the others differ", (careless_losses[2:] != usual[0, 2:20]).all())
claim("number 2, from 0", (careless_losses != usual[0, :20]).argmax() == 2)
