# %% [markdown]
# # Answers to the exercises of tutorial 01
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(1))  # runs tutorial 01 first; its output is not shown

# %%
# 1. The matrix is transposed. Its diagonal and its sum stay, and IU treats rows and columns alike.
#    Mean accuracy divides by the sums of the rows, which are now others: it changes.
swapped = ConfusionMatrix(num_classes=6)
swapped.update(predictions, truths)
equal("pixel accuracy", swapped.pixel_accuracy, matrix.pixel_accuracy)
equal("IU of each class", swapped.iu, matrix.iu)
claim("mean accuracy changes", swapped.mean_accuracy != matrix.mean_accuracy)

# %%
# 2. Bars in front of the discs cut off the top of one and the bottom of the other. An object that
#    is partly hidden may have several regions, and objects that touch may have one in common.
bars = (abs(h - 18) < 2) | (abs(h - 45) < 2)
objects = np.select([bars, disc_1, disc_2, square], [4, 1, 2, 3])
class_of = np.array([0, 1, 1, 2, 3])
classes = class_of[objects]
discs = len(np.unique(objects[classes == 1]))
claim("there are still two discs", discs == 2)
claim("there are more regions than discs", regions(classes == 1) > discs)

# %%
# 3. Keep all objects right, and spoil a part of the background with a single class: only that
#    class's IU and the background's fall.
spoilt = truths.copy()
left = spoilt[:, :, :24]  # a view: what is written to it is in spoilt
left[left == 0] = 5
spoilt_matrix = ConfusionMatrix(num_classes=6)
spoilt_matrix.update(truths, spoilt)
print(f"accuracy {spoilt_matrix.pixel_accuracy:.2f}, mean IU {spoilt_matrix.mean_iu:.2f}")
claim("its accuracy is lower", spoilt_matrix.pixel_accuracy < blind)
claim("its mean IU is higher", spoilt_matrix.mean_iu > 0.5)
