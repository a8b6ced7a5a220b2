# %% [markdown]
# # Answers to the exercises of tutorial 13
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(13))  # runs tutorial 13 first; its output is not shown

# %%
# 1. fc6 takes 1 cell from each side instead of 3, that is 64 pixels less. The crop is then
#    P - 81 + 64 = P - 17, and P is 100.
smaller = [Window(3, padding=100), *[Window(2, 2)] * 5, Window(3), Window(64, 32, transposed=True)]
equal("crop with a 3x3 fc6 and padding 100", crop_offset(smaller), 83, within=0)

# %%
# 2. The centre of a window of 3 is half a cell further than that of 2. Before the first pooling a
#    cell is one pixel, and half a pixel is no whole crop. Before the others it is 2, 4, 8 and 16
#    pixels, and half of it is taken off the 19: the crops are 18, 17, 15 and 11.
found = []
for n in range(5):
    poolings = [Window(3 if i == n else 2, 2) for i in range(5)]
    try:
        crop = crop_offset([Window(3, padding=100), *poolings, *layers[6:]])
    except ValueError as error:
        print(f"pool{n + 1}: {error}")
        crop = None
    found.append(crop)
print("crops:", found)
claim("only the first pooling breaks the alignment", found == [None, 18, 17, 15, 11])

# %%
# 3. Its cells are 16 pixels apart. Cropped by one too few, cell 4 stands where cell 5 belongs, and
#    output o shows o - 16: all is 16 pixels too far down and to the right.
x = average(positions, k=3, p=100)
for _ in range(4):
    x = average(x, k=2, s=2)
o = np.arange(500, 1500)
for crop, right in ((5, o), (4, o - 16)):
    output = upsample_line(x[:, :, :, crop:], 16).numpy()[0, 0, 0, 27:]
    equal(f"cropped by {crop}: what output o shows", output[o], 1.0 * right)
