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
# 2. The largest float32 is about 3.4e38 = exp(88.7). From 89 on, exp gives inf, and inf / inf is
#    nan. The smallest n is 88: exp(88) is finite, exp(89) is not.
def careless(n):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(np.array([n, n + 1], np.float32))
        return e / e.sum()


largest = float(np.finfo(np.float32).max)
measured("the largest float32", largest, "3.4e38")
measured("its logarithm", math.log(largest), "88.7")
claim("87 works", not np.isnan(careless(87)).any())
claim("88 does not", np.isnan(careless(88)).any())
large_pair, small_pair = (tensor(np.array([pair], np.float32)) for pair in ((88, 89), (0, 1)))
equal("softmax of 88, 89 and of 0, 1", F.softmax(large_pair, 1), F.softmax(small_pair, 1))


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
