# %% [markdown]
# # Answers to the exercises of tutorial 07
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(7))  # runs tutorial 07 first; its output is not shown

# %%
# 1. r grows by d * (3 - 1) * 32 = 64 d, and 404 - 212 = 192: d = 3. The 3 x 3 weights then reach as
#    far as 7 x 7 did.
dilated_head = [*vgg[:18], Window(3, dilation=3), Window(1)]
equal("seen with this fc6, and 404", receptive_field(dilated_head).size, 404)

# %%
# 2. s * s = 9, so s = 3. And r = 1 + (k - 1) + (k - 1) * 3 = 17, so k = 5. As r adds up to the same
#    sum in other ways, the layers are not unique: here are 2 x 2 with stride 3, and 6 x 6 after it.
alike, others = receptive_field([Window(5, 3)] * 2), receptive_field([Window(2, 3), Window(6, 3)])
equal("two alike", [alike.size, alike.stride, alike.start], [17, 9, 0], within=0)
equal("two others", [others.size, others.stride, others.start], [17, 9, 0], within=0)

# %%
# 3. At stride 8 nearly no stroke is left: it covers less than half of nearly every block. At stride
#    4 the mean IU is 0.62, and all classes are above 0.1.
from minifcn.data.shapes import Design

thin = Shapes("val", design=Design(stroke=(2, 3)))
thin_truths = np.stack([thin[i][1] for i in range(20)])
thin_one_hot = (thin_truths[:, None] == np.arange(6)[:, None, None]).astype(np.float32)
of_thin = {stride: scores(simple_oracle(thin_one_hot, stride), thin_truths) for stride in (4, 8)}
print_table(of_thin)
measured("mean IU at stride 4", of_thin[4].mean_iu, "0.62")
claim("stride 4: all above 0.1", of_thin[4].iu.min() > 0.1)
at_8 = of_thin[8].iu
claim("stride 8: the strokes are below 0.1", at_8[3:].max() < 0.1 < at_8[:3].min())
