"""The known mistakes of a convolution."""

from __future__ import annotations

from minifcn.course.exercises.exercise import asked

SWITCHES = (
    *asked(
        "Which line of yours writes into an array that you were given?",
        ("conv.mutates_input/x", "x itself is changed"),
        ("conv.mutates_input/weight", "the weight itself is changed"),
    ),
    *asked(
        "Which weight lies on the top left pixel of the window?",
        (
            "conv.flip/both",
            "the kernel is flipped: a convolution of mathematics, where a network's is a "
            "cross-correlation",
        ),
        ("conv.flip/channels", "the kernel is flipped, and the order of its channels, too"),
        ("conv.flip/all", "all axes of the weight are flipped, even that of the output channels"),
        ("conv.flip/rows", "the rows of the kernel are upside down"),
        ("conv.flip/columns", "the columns of the kernel are mirrored"),
    ),
    *asked(
        "Does weight[f, c, i, j] meet the pixel i rows down, or i columns across?",
        ("conv.kernel_T/all", "rows and columns of the kernel are exchanged, in its size, too"),
        ("conv.kernel_T/read", "the kernel is read with its row and column exchanged"),
    ),
    *asked(
        "Which axis of y counts the windows from top to bottom?",
        ("conv.out_T/shape", "rows and columns of the output are exchanged"),
        ("conv.out_T/placed", "each result is written with its row and column exchanged"),
    ),
    *asked(
        "Over which axes of a window does the sum go?",
        ("conv.one_channel", "only the first channel of the input is used"),
    ),
    *asked(
        "Where does the window of output (1, 1) begin?",
        ("conv.stride_size_only", "the stride makes the output smaller, but the window moves by 1"),
    ),
    *asked(
        "How many rows does the output have, and where does the window of the last one begin?",
        (
            "conv.loop_over_input/every",
            "there is an output at every place of the input, as if the stride were 1",
        ),
        (
            "conv.loop_over_input/unpadded",
            "the loop ends where the image without its padding ends; the last outputs stay 0",
        ),
        (
            "conv.loop_over_input/unpadded_then_bias",
            "the loop ends where the image without its padding ends; the last outputs are only "
            "the bias",
        ),
    ),
    *asked(
        "What is the output of an image of zeros?",
        ("conv.bias_missing", "the bias is not added"),
    ),
    *asked(
        "Which axis of y do the numbers of bias belong to?",
        ("conv.bias_axis/width", "the bias is added along the width, not one number a channel"),
        ("conv.bias_axis/height", "the bias is added along the height, not one number a channel"),
        ("conv.bias_axis/batch", "the bias is added along the batch, not one number a channel"),
    ),
    *asked(
        "How many times does one output need its bias?",
        ("conv.bias_per_channel/channel", "the bias is added once for each channel of the input"),
        ("conv.bias_per_channel/place", "the bias is added once for each place of the kernel"),
        ("conv.bias_per_channel/product", "the bias is added to every product"),
    ),
    *asked(
        "How many rows of zeros stand above the first row of x?",
        ("conv.pad_end/end", "all the padding is at the bottom and right"),
        ("conv.pad_end/start", "all the padding is at the top and left"),
    ),
    *asked(
        "What stands around the image?",
        ("conv.pad_value/one", "the padding is filled with ones"),
        ("conv.pad_value/edge", "the padding repeats the outermost pixels"),
        ("conv.pad_value/reflect", "the padding mirrors the image"),
    ),
    *asked(
        "padding is a pair: which of its numbers is for the columns?",
        ("conv.pad_hw/both", "the padding of the height is used for the width, too"),
        ("conv.pad_hw/pad", "the padding of the height is put left and right, too"),
        ("conv.pad_hw/size", "the output's width is computed with the padding of the height"),
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
    ),
    *asked(
        "stride is a pair: which of its numbers is for the rows?",
        ("size.swap_hw/stride", "the strides down and across are exchanged"),
    ),
    *asked(
        "padding is a pair: which of its numbers is for the rows?",
        ("size.swap_hw/padding", "the paddings of height and width are exchanged"),
    ),
    *asked(
        "stride is a pair: which of its numbers is for the columns?",
        ("size.h_for_w/stride", "the stride of the height is used for the width, too"),
    ),
    *asked(
        "An image as large as the kernel: how many windows does it have?",
        ("size.no_plus_one", "the last windows, down and across, are missing"),
        ("size.plus_one_inside", "1 is added before the division by the stride, not behind it"),
    ),
    *asked(
        "Which side of the kernel limits how far a window moves to the right?",
        ("size.h_for_w/kernel", "the output's width is computed with the kernel's height"),
    ),
    *asked(
        "What does each of the four axes of weight count?",
        ("conv.weight_perm/cf", "the weight is read as (C, F, KH, KW)"),
        ("conv.weight_perm/hwio", "the weight is read as (KH, KW, C, F)"),
        ("conv.weight_perm/ohwi", "the weight is read as (F, KH, KW, C)"),
    ),
    *asked(
        "What must the sum be when a new window begins?",
        ("conv.acc_not_reset/never", "the sum goes on from each output to the next"),
        (
            "conv.acc_not_reset/image",
            "the sum goes on from output to output, and begins anew only with an image",
        ),
        (
            "conv.acc_not_reset/channel",
            "the sum goes on from window to window of an output channel",
        ),
        ("conv.acc_not_reset/row", "the sum goes on along a row of the output"),
    ),
    *asked(
        "May one image of the batch change the result of another?",
        ("conv.no_sum/batch", "the sum goes over the images of the batch, too"),
    ),
    *asked(
        "How many products make one number of the output, and what becomes of them?",
        ("conv.no_sum/last_channel", "the channels replace one another: only the last one counts"),
        (
            "conv.no_sum/last_tap",
            "the places of the kernel replace one another: only the last one counts",
        ),
        ("conv.no_sum/mean", "the mean of the products is taken, not their sum"),
    ),
    *asked(
        "What becomes of 0.5 in an array of whole numbers?",
        ("conv.dtype/input", "the output has the dtype of the input, so whole numbers are cut"),
        (
            "conv.dtype/input_then_bias",
            "the sums are kept in an array of the input's dtype, which cuts them",
        ),
        (
            "conv.dtype/input_bias_cut",
            "the output has the dtype of the input: it is cut, and once more with the bias",
        ),
        (
            "conv.dtype/products",
            "the output has the dtype of the input, so the sum is cut after each product",
        ),
        (
            "conv.dtype/products_then_bias",
            "the sums have the dtype of the input, so each is cut after each product; not so the "
            "bias",
        ),
        (
            "conv.dtype/bias_then_products",
            "the output has the dtype of the input: the bias is cut, then the sum after each "
            "product",
        ),
    ),
    *asked(
        "How many digits does a float32 keep?",
        ("conv.dtype/float32", "the output is float32"),
    ),
    *asked(
        "What does each axis of the output mean at the moment when you give it its final shape?",
        (
            "im2col.nchw_reshape/nhwf",
            "the result is (N, OH, OW, F), and is reshaped where its axes must be moved",
        ),
        (
            "im2col.nchw_reshape/nhwf_then_bias",
            "the sums are (N, OH, OW, F), and are reshaped where their axes must be moved; the "
            "bias follows",
        ),
        (
            "im2col.nchw_reshape/fnhw",
            "the result is (F, N, OH, OW), and is reshaped where its axes must be moved",
        ),
        (
            "im2col.nchw_reshape/fnhw_then_bias",
            "the sums are (F, N, OH, OW), and are reshaped where their axes must be moved; the "
            "bias follows",
        ),
        (
            "im2col.nchw_reshape/fhwn",
            "the result is (F, OH, OW, N), and is reshaped where its axes must be moved",
        ),
    ),
    *asked(
        "Which weight follows weight[0, 0, 0, 0] in your row of weights, and which pixel follows "
        "in the window?",
        (
            "im2col.order/taps_first",
            "the windows are flattened in the order KH, KW, C, the weight in the order C, KH, KW",
        ),
        (
            "im2col.order/weight",
            "the weight is flattened in the order KH, KW, C, the windows in the order C, KH, KW",
        ),
    ),
    *asked(
        "How many axes does y have?",
        (
            "conv.axis_missing/first_image",
            "only the first image is there: the axis of images is missing",
        ),
        (
            "conv.axis_missing/last_image",
            "only the last image is there: the axis of images is missing",
        ),
        (
            "conv.axis_missing/last_channel",
            "only the last output channel is there: its axis is missing",
        ),
    ),
    *asked(
        "Which images and which channels of the output are filled?",
        ("pool.return_in_loop/image", "it returns after the first image"),
        ("pool.return_in_loop/channel", "it returns after the first channel of the first image"),
        ("conv.first_image", "the first image is used for all"),
    ),
    *asked(
        "Of which size is the padded image?",
        ("size.hardcoded/padding_0", "the padding is not used"),
        ("size.one_pad/before", "the padding is only at the top and left"),
        ("size.one_pad/after", "the padding is only at the bottom and right"),
    ),
    *asked(
        "stride is a pair: which of its numbers is for the columns?",
        ("size.h_for_w/step", "the windows move to the right by the stride of the height"),
    ),
)
