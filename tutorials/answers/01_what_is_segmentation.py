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
# 2. With sum = rows + columns: IU = both / (sum - both), so 1 + IU = sum / (sum - both), and
#    2 IU / (1 + IU) = 2 both / sum, which is Dice.
equal("Dice", 2 * iu / (1 + iu), 2 * both / (rows + columns))

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
