"""The known mistakes of exercise convolution_backward."""

from __future__ import annotations

from minifcn.course.exercises.exercise import Switch

SWITCHES = (
    Switch(
        "dx.overwrite/window",
        "of x: where windows overlap, the later one overwrites what the earlier one gave",
        "A pixel lies in several windows: which of them does its gradient come from?",
    ),
    Switch(
        "dx.overwrite/filter",
        "of x: each filter and each window overwrites what was there, so the last of them is left",
        "How many filters and windows does one pixel take part in?",
    ),
    Switch(
        "dx.overwrite/tap",
        "of x: each tap of the kernel overwrites what an earlier tap gave",
        "Which taps of the kernel meet one pixel, and what becomes of their shares?",
    ),
    Switch(
        "dx.not_rotated",
        "of x: the kernel lies the wrong way round (as a convolution it must be rotated, in a"
        " scatter it must not)",
        "The tap that multiplied a pixel in forward: is it the one that gives its share now?",
    ),
    Switch(
        "dx.mean/images",
        "of x: it is divided by the number of images",
        "Where in forward was anything divided by N?",
    ),
    Switch(
        "dx.mean/places",
        "of x: it is divided by the number of places of an output",
        "The derivative of a sum: is it a sum or a mean?",
    ),
    Switch(
        "dx.kernel_T",
        "of x: rows and columns of the kernel are exchanged",
        "In which direction did weight[f, c, i, j] reach i pixels, down or across?",
    ),
    Switch(
        "dx.no_channel_swap/swap",
        "of x: channels in and channels out of the weight are exchanged",
        "Over which axis of weight does the sum go now, and which one stays?",
    ),
    Switch(
        "dx.no_channel_swap/reshape",
        "of x: the weight is reshaped to (C, F, KH, KW), which moves its numbers to other channels",
        "What does reshape do to the order of the numbers, and what do you want it to do?",
    ),
    Switch(
        "dx.full_pad",
        "of x: it is the gradient of the padded input as far as windows reach (as a convolution:"
        " padded by k - 1 without regard to p)",
        "Are the pixels of the padding part of x?",
    ),
    Switch(
        "dx.crop_zero",
        "of x: the padding is cut away by a slice such as [p:-p], which is empty where p is 0",
        "What is a[0:-0]?",
    ),
    Switch(
        "dx.crop_end/start",
        "of x: it begins where the padding begins, as if all of it lay at the bottom and right",
        "Where in the padded input does the first pixel of x lie?",
    ),
    Switch(
        "dx.crop_end/end",
        "of x: it begins too late, as if all padding lay at the top and left",
        "Where in the padded input does the first pixel of x lie?",
    ),
    Switch(
        "dx.no_crop",
        "of x: it is the gradient of the padded input",
        "Which shape must the gradient of x have?",
    ),
    Switch(
        "dx.stride_ignored",
        "of x: the windows lie side by side at a step of 1, whatever the stride",
        "Where in the padded input did the window of output (1, 1) begin?",
    ),
    Switch(
        "dx.remainder/missing",
        "of x: the rows and columns that no window reaches are missing",
        "Does the last window always end where the padded input ends?",
    ),
    Switch(
        "dx.remainder/short",
        "of x: it ends where the last window does, where the rest is longer than the padding",
        "Does the last window always reach the last pixel of x?",
    ),
    Switch(
        "dx.remainder/shifted",
        "of x: the rows and columns that no window reaches are taken to be the first, not the last",
        "On which side of the image do pixels remain that no window reaches?",
    ),
    Switch(
        "dx.pad_hw/all",
        "of x: the padding of the height is used for the width, too",
        "padding is a pair: which of its numbers is for the columns?",
    ),
    Switch(
        "dx.pad_hw/crop",
        "of x: the columns are cropped by the padding of the height",
        "padding is a pair: which of its numbers is for the columns?",
    ),
    Switch(
        "dx.index/swapped",
        "of x: row and column of a window are exchanged when its place is computed",
        "Which of the two counters of outputs moves the window down?",
    ),
    Switch(
        "dx.index/row_twice",
        "of x: the column where a window begins is computed from the row's counter",
        "Which counter moves the window to the right?",
    ),
    Switch(
        "dx.index/late",
        "of x: each window begins one row and one column too late",
        "Where does the window of output (0, 0) begin?",
    ),
    Switch(
        "dx.size_swap",
        "of x: the loops over outputs run over the size of the input",
        "How many windows were there: as many as x has pixels?",
    ),
    Switch(
        "dw.last_window/image",
        "of weight: only the last window of the last image counts, each overwrites the one before",
        "How often was one weight used in forward, and what becomes of each of these shares?",
    ),
    Switch(
        "dw.last_window/batch",
        "of weight: only the last window counts, each overwrites the one before",
        "How often was one weight used in one image, and what becomes of each of these shares?",
    ),
    Switch(
        "dw.last_item",
        "of weight: only the last image of the batch counts",
        "All images used the same weight: how do their shares come together?",
    ),
    Switch(
        "dw.first_item",
        "of weight: only the first image of the batch counts",
        "What does the second image of the batch contribute?",
    ),
    Switch(
        "dw.batch_index",
        "of weight: it is indexed by the image where the filter belongs",
        "What does the first axis of weight count?",
    ),
    Switch(
        "dw.dot",
        "of weight: all numbers of a filter are the same, because a window was summed",
        "Which one pixel of the window did weight[f, c, i, j] multiply?",
    ),
    Switch(
        "dw.mean_n",
        "of weight: it is divided by the number of images",
        "Where in forward was anything divided by N?",
    ),
    Switch(
        "dw.mean_nhw",
        "of weight: it is divided by the number of images and places",
        "The derivative of a sum: is it a sum or a mean?",
    ),
    Switch(
        "dw.mean_hw",
        "of weight: it is divided by the number of places of an output",
        "The derivative of a sum: is it a sum or a mean?",
    ),
    Switch(
        "dw.flip",
        "of weight: the result is flipped",
        "Which pixel of a window did the weight's first tap see?",
    ),
    Switch(
        "dw.stride/step",
        "of weight: the windows are taken at a step of 1, whatever the stride",
        "Where in the padded input did the window of output (1, 1) begin?",
    ),
    Switch(
        "dw.stride/whole",
        "of weight: x is convolved with the gradient as it is, which was not spread by the stride",
        "How far apart in x are the pixels that one tap saw?",
    ),
    Switch(
        "dw.stride/remainder",
        "of weight: it has too many rows or columns where the stride leaves a rest",
        "Which pixels of x does no window reach, and are they in your convolution?",
    ),
    Switch(
        "dw.unpadded_x/clipped",
        "of weight: x is used without its padding, and what lies beyond its end is left out",
        "Which array did the windows of forward lie in?",
    ),
    Switch(
        "dw.unpadded_x/smaller",
        "of weight: x is used without its padding, so the result is too small",
        "Which array did the windows of forward lie in?",
    ),
    Switch(
        "dw.pad_hw",
        "of weight: x is padded by the padding of the height on the left and right, too",
        "padding is a pair: which of its numbers is for the columns?",
    ),
    Switch(
        "dw.channels",
        "of weight: channels in and channels out are exchanged",
        "In which order are the axes of weight?",
    ),
    Switch(
        "db.mean/all",
        "of bias: it is the mean over images and places, not the sum",
        "bias[f] was added to how many outputs, and by how much does each of them move with it?",
    ),
    Switch(
        "db.mean/images",
        "of bias: the sum is divided by the number of images",
        "Where in forward was anything divided by N?",
    ),
    Switch(
        "db.mean/places",
        "of bias: the sum is divided by the number of places of an output",
        "bias[f] was added to how many outputs, and by how much does each of them move with it?",
    ),
    Switch(
        "db.axes/width_only",
        "of bias: it is summed over all axes but the width, as if channels were the last axis",
        "Which of the four axes of the gradient counts the channels?",
    ),
    Switch(
        "db.axes/width_left",
        "of bias: it is not summed over the width",
        "Which one axis of the gradient is left when all others are summed?",
    ),
    Switch(
        "db.axes/height_left",
        "of bias: it is not summed over the height",
        "Which one axis of the gradient is left when all others are summed?",
    ),
    Switch(
        "db.axes/images_left",
        "of bias: it is not summed over the images",
        "How many biases are there, and did each image have its own?",
    ),
    Switch(
        "db.axes/places_left",
        "of bias: it is summed over the images only",
        "How many biases are there, and did each place have its own?",
    ),
    Switch(
        "db.axes/images_only",
        "of bias: it is summed over the channels, and one number an image is left",
        "Does the bias belong to images or to channels?",
    ),
    Switch(
        "db.axes/keepdims",
        "of bias: the sums are right, but their axes of length 1 are kept",
        "Which shape has bias?",
    ),
    Switch(
        "db.first_item",
        "of bias: only the first image of the batch counts",
        "What does the second image of the batch contribute?",
    ),
    Switch(
        "db.overwrite/image",
        "of bias: only the last image of the batch counts",
        "All images used the same bias: how do their shares come together?",
    ),
    Switch(
        "db.overwrite/window",
        "of bias: only the last output of the last image counts, each overwrites the one before",
        "To how many outputs was one bias added?",
    ),
)
