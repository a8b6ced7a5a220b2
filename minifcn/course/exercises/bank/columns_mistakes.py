"""The known mistakes of im2col and col2im."""

from __future__ import annotations

from minifcn.course.exercises.exercise import asked

_WINDOWS = (
    *asked(
        "Where does the window (1, 1) begin, and where does its pixel (i, j) lie?",
        (
            "im2col.stride_pos/none",
            "the windows begin at (oh, ow): the stride is not in their places",
        ),
        (
            "im2col.stride_pos/kernel",
            "each window begins where the one before it ends, whatever the stride is",
        ),
        (
            "im2col.stride_pos/taps",
            "the stride lies between the pixels of a window, not between the windows",
        ),
    ),
    *asked(
        "Which pixel of the window is columns[n, c, 0, 0, oh, ow]?",
        ("conv.flip/both", "the windows are turned by 180 degrees"),
    ),
)
"""Of laying windows out, and of adding them up again."""

SWITCHES = (
    *asked(
        "In which order do the arguments come?",
        ("im2col.args/kernel_stride", "kernel size and stride are exchanged"),
        ("im2col.args/kernel_padding", "kernel size and padding are exchanged"),
        ("im2col.args/stride_padding", "stride and padding are exchanged"),
    ),
    *asked(
        "Each of these is a pair: which of its numbers is for the rows?",
        ("size.swap_hw/stride", "the strides down and across are exchanged"),
        ("size.swap_hw/padding", "the paddings of height and width are exchanged"),
        ("size.h_for_w/stride", "the stride of the height is used for the width, too"),
        ("conv.pad_hw/both", "the padding of the height is used for the width, too"),
        ("conv.pad_hw/pad", "the padding of the height is put left and right, too"),
        (
            "conv.pad_hw/size",
            "the number of windows across is computed with the padding of the height",
        ),
        (
            "size.h_for_w/kernel",
            "the number of windows across is computed with the kernel's height",
        ),
    ),
    *_WINDOWS,
    *asked(
        "What does each of the six axes of columns count?",
        ("im2col.order/windows_first", "the axes are in the order N, C, OH, OW, KH, KW"),
        ("im2col.order/places_first", "the axes are in the order N, OH, OW, C, KH, KW"),
        ("im2col.order/channels_last", "the axes are in the order N, KH, KW, C, OH, OW"),
        ("im2col.order/channels_first", "the axes are in the order C, N, KH, KW, OH, OW"),
        ("im2col.order/flat", "the result is (N, C * KH * KW, OH * OW)"),
        ("im2col.order/matrix", "the result is a matrix with a row for each window"),
        ("conv.kernel_T/shape", "the axes KH and KW are exchanged"),
        ("conv.out_T/shape", "the axes OH and OW are exchanged"),
        (
            "im2col.nchw_reshape/windows_first",
            "the axes are N, C, OH, OW, KH, KW, and are reshaped where they must be moved",
        ),
        (
            "im2col.nchw_reshape/places_first",
            "the axes are N, OH, OW, C, KH, KW, and are reshaped where they must be moved",
        ),
        (
            "im2col.nchw_reshape/channels_last",
            "the axes are N, KH, KW, C, OH, OW, and are reshaped where they must be moved",
        ),
    ),
    *asked(
        "What stands around the image, how much of it, and on which sides?",
        ("conv.pad_end/end", "all the padding is at the bottom and right"),
        ("conv.pad_end/start", "all the padding is at the top and left"),
        ("conv.pad_value/one", "the padding is filled with ones"),
        ("conv.pad_value/edge", "the padding repeats the outermost pixels"),
    ),
    *asked(
        "What is the shape of x after it is padded?",
        (
            "conv.pad_batch/pair",
            "the axes of images and channels are padded, too; of each axis, padding[0] before "
            "and padding[1] behind",
        ),
        (
            "conv.pad_batch/number",
            "the axes of images and channels are padded, too, all by padding[0]",
        ),
        (
            "conv.pad_batch/pair_shape",
            "there are more images and channels: their axes are padded, too, with padding[0] "
            "before and padding[1] behind",
        ),
        (
            "conv.pad_batch/number_shape",
            "there are more images and channels: their axes are padded, too, by padding[0]",
        ),
    ),
    *asked(
        "How many windows are there, and where does the last one begin?",
        ("conv.loop_over_input/every", "there is a window at every place, as if the stride were 1"),
        (
            "conv.loop_over_input/unpadded",
            "the windows end where the image without its padding ends; the last columns stay 0",
        ),
        ("size.no_plus_one", "the last windows, down and across, are missing"),
    ),
    *asked(
        "x.strides says where the next row lies. Do you use it?",
        (
            "im2col.view_write",
            "the strides are computed from the shape, but the array lies in memory in another "
            "order",
        ),
    ),
    *asked(
        "Which line of yours writes into an array that you were given, or into a view of it?",
        ("conv.mutates_input/x", "x itself is changed"),
    ),
    *asked(
        "Which dtype does the result have, if whole numbers come in?",
        ("conv.dtype/input", "the result has the dtype of the input, not float64"),
    ),
    *asked(
        "How many digits does a float32 keep?",
        ("conv.dtype/float32", "the result is float32"),
    ),
)
BACK_SWITCHES = (
    *asked(
        "In which order do the arguments come?",
        ("im2col.args/stride_padding", "stride and padding are exchanged"),
    ),
    *asked(
        "Each of these is a pair: which of its numbers is for the rows?",
        ("size.swap_hw/stride", "the strides down and across are exchanged"),
        ("size.swap_hw/padding", "the paddings of height and width are exchanged"),
        ("size.h_for_w/stride", "the stride of the height is used for the width, too"),
        ("conv.pad_hw/both", "the padding of the height is used for the width, too"),
        ("size.swap_hw/size", "height and width of the image are exchanged"),
    ),
    *_WINDOWS,
    *asked(
        "What does each of the six axes of columns count?",
        ("im2col.order/windows_first", "columns is read as (N, C, OH, OW, KH, KW)"),
        (
            "im2col.nchw_reshape/windows_first",
            "columns is reshaped to (N, C, OH, OW, KH, KW) where its axes must be moved",
        ),
        ("conv.kernel_T/read", "the axes KH and KW of columns are exchanged"),
        ("conv.out_T/read", "the axes OH and OW of columns are exchanged"),
    ),
    *asked(
        "A pixel lies in two windows. What is it in the end?",
        (
            "col2im.overwrite/taps",
            "the numbers replace one another where windows overlap, one place of the kernel "
            "after the other",
        ),
        (
            "col2im.overwrite/windows",
            "the numbers replace one another where windows overlap, one window after the other",
        ),
        (
            "col2im.mean",
            "each sum is divided by the number of its windows, as if this were an inverse",
        ),
        ("col2im.mean/nan", "each sum is divided by the number of its windows, even by 0"),
        ("col2im.mean/kernel", "each sum is divided by the size of the kernel"),
    ),
    *asked(
        "In the padded image, in which row does row 0 of the image lie, and which one is its last?",
        ("col2im.crop/none", "the padding is not cut off"),
        ("col2im.crop/start", "all the padding is cut off at the bottom and right"),
        ("col2im.crop/end", "all the padding is cut off at the top and left"),
        ("col2im.crop/one_side", "the padding is cut off at the top and left only"),
    ),
    *asked(
        "What is a[0:-0]?",
        ("dx.crop_zero", "the padding is cut off by [p:-p], which leaves nothing where p is 0"),
    ),
    *asked(
        "A window begins every 3 pixels. What becomes of a last row that none reaches?",
        (
            "col2im.remainder/from_start",
            "the image ends with the last window: rows and columns that no window reaches are "
            "missing",
        ),
        (
            "col2im.remainder/both_sides",
            "the image ends with the last window, and the padding is cut off from there",
        ),
    ),
    *asked(
        "Which line of yours writes into an array that you were given?",
        ("conv.mutates_input/columns", "columns itself is changed"),
    ),
    *asked(
        "Which dtype does the result have, if whole numbers come in?",
        ("conv.dtype/input", "the result has the dtype of the input, not float64"),
    ),
    *asked(
        "How many digits does a float32 keep?",
        ("conv.dtype/float32", "the result is float32"),
    ),
)
