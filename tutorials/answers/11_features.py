# %% [markdown]
# # Answers to the exercises of tutorial 11
#
# They go on where the tutorial ends, with its names: run this file, or put the cells that you want
# at the end of your copy of the tutorial.

# %%
from minifcn.course.notebooks import run_tutorial

globals().update(run_tutorial(11))  # runs tutorial 11 first; its output is not shown

# %%
# 1. No. 12 units of stage 4 still give about 0.90: hardly less than all 48, and far more than the
#    12 of stage 1.
few = {use: own[:, :12] for use, own in of_stage("trained", 4).items()}
value = read_off(few, "what", 16)
measured("what off 12 units of stage 4", value, "0.90", within=0.06)
claim("far more than off the 12 of stage 1", value > scores["what"][1][0] + 0.15)

# %%
# 2. A cell of stage 3 sees 22 pixels, from 8 * i - 7 on: cell 12 those from 89 to 110. So the line
#    covers rows 89 to 110. What lies outside of them has no influence, and each of them has some.
first = fields[2].start + 12 * fields[2].stride
last = first + fields[2].size - 1
claim("rows 89 to 110", (first, last) == (89, 110))


def two_cells(rows):
    """The numbers of stage 3 in the square and in a line that covers some rows."""
    image = np.full((160, 96, 3), 128, np.uint8)
    image[:48, :48] = image[rows] = (200, 60, 40)
    own = stage_maps(trained, normalise(image)[None])[2]
    return own[0, :, 3, 3], own[0, :, 12, 3]


equal("square and line, 22 rows", *two_cells(slice(first, last + 1)), within=1e-6)
for rows in (slice(first + 1, last + 1), slice(first, last)):
    square, line = two_cells(rows)
    claim("one row less, and stage 3 tells them apart", np.abs(square - line).max() > 1e-3)

# %%
# 3. Stage 1. Stage 3 knows more of what, but stage 4 knows that as well, and better. What counts in
#    the sum is what the other one does not know: here, where.
middle = (of_stage("trained", 3), 8)
alone = {3: scored(scores_of(middle).argmax(1))[0], 1: results["stage 1"][0]}
pairs = {3: scored(scores_of(middle, late).argmax(1))[0], 1: results["both"][0]}
print(f"alone: stage 3 {alone[3]:.2f}, stage 1 {alone[1]:.2f}")
print(f"with stage 4: stage 3 {pairs[3]:.2f}, stage 1 {pairs[1]:.2f}")
claim("stage 3 is better alone", alone[3] > alone[1])
claim("stage 1 is better with stage 4", pairs[1] > pairs[3])
know = {question: rows[1] for question, rows in scores.items()}
claim("stage 4 knows more of what than stage 3", know["what"][3] > know["what"][2])
claim("and less of where than stage 1", know["where"][3] < know["where"][0])
