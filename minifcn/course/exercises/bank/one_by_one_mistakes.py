"""The known mistakes of 1 x 1 convolutions and of linear layers as convolutions."""

from __future__ import annotations

from minifcn.course.exercises.exercise import asked

SWITCHES = (
    *asked(
        "After your reshape or transpose, which pixel and which channel stands at place (0, 0, 1)?",
        ("one.reshape_for_T/in", "x is reshaped to (N, H, W, C) where its axes must be moved"),
        (
            "one.reshape_for_T/out",
            "the result is reshaped to (N, F, H, W) where its axes must be moved",
        ),
        (
            "one.reshape_for_T/out_then_bias",
            "the sums are reshaped to (N, F, H, W) where their axes must be moved; the bias "
            "follows",
        ),
        (
            "one.reshape_for_T/in_and_out",
            "x and the result are reshaped where their axes must be moved",
        ),
        (
            "one.reshape_for_T/in_and_out_then_bias",
            "x and the sums are reshaped where their axes must be moved; the bias follows",
        ),
        ("one.batch_merged/in", "x is reshaped to (C, N * H * W), which mixes images and channels"),
        (
            "one.batch_merged/out",
            "the result (F, N * H * W) is reshaped to (N, F, H, W), which mixes images and "
            "channels",
        ),
        (
            "one.batch_merged/out_then_bias",
            "the sums (F, N * H * W) are reshaped to (N, F, H, W), which mixes images and "
            "channels; the bias follows",
        ),
        (
            "one.batch_merged/in_and_out",
            "x is reshaped to (C, N * H * W) and the result to (N, F, H, W), which mixes images "
            "and channels",
        ),
        (
            "one.batch_merged/in_and_out_then_bias",
            "x is reshaped to (C, N * H * W) and the sums to (N, F, H, W), which mixes images "
            "and channels; the bias follows",
        ),
    ),
    *asked(
        "Write the axes under each other, before and after: which one goes where?",
        ("one.perm/in", "x goes to (N, W, C, H), not to (N, H, W, C)"),
        ("one.perm/none", "the channels are still behind: (N, H, W, F)"),
        (
            "one.perm/same_again",
            "the same permutation is used for the way back; it is not its own inverse",
        ),
        ("one.perm/back_hw", "rows and columns of the output are exchanged"),
        ("one.perm/channels_first", "the channels are before the images: (F, N, H, W)"),
    ),
    *asked(
        "What does row f of weight belong to, and what its column c?",
        ("one.W_T/whole", "weight is transposed: it is used as (C, F)"),
        ("one.W_T/reshape", "weight is reshaped to (C, F) where it must be transposed"),
    ),
    *asked(
        "Which axis of y do the numbers of bias belong to?",
        ("one.bias_axis/width", "the bias is added along the width, not one number a channel"),
        ("one.bias_axis/height", "the bias is added along the height, not one number a channel"),
        ("one.bias_axis/batch", "the bias is added along the batch, not one number a channel"),
    ),
    *asked(
        "What is the output of an image of zeros?",
        ("conv.bias_missing", "the bias is not added"),
    ),
    *asked(
        "How many times does one output need its bias?",
        ("conv.bias_per_channel", "the bias is added once for each channel of the input"),
    ),
    *asked(
        "Which products are added up for one number of y?",
        ("conv.one_channel", "only the first channel of the input is used"),
        ("conv.no_sum/last_channel", "the channels replace one another: only the last one counts"),
        ("conv.no_sum/mean", "the mean over the channels is taken, not the sum"),
        ("conv.no_sum/batch", "the sum goes over the images of the batch, too"),
    ),
    *asked(
        "What becomes of 0.5 in an array of whole numbers?",
        ("conv.dtype/input", "the output has the dtype of the input, so whole numbers are cut"),
        (
            "conv.dtype/input_then_bias",
            "the sums are kept in an array of the input's dtype, which cuts them",
        ),
    ),
    *asked(
        "How many digits does a float32 keep?",
        ("conv.dtype/float32", "the output is float32"),
    ),
    *asked(
        "Which line of yours writes into an array that you were given?",
        ("conv.mutates_input/x", "x itself is changed"),
        ("conv.mutates_input/weight", "the weight itself is changed"),
    ),
)
LINEAR_SWITCHES = (
    *asked(
        "In a row of the weight, which number of the features follows the one at channel 0, row "
        "0, column 0?",
        ("fc.order/hwc", "a row is read in the order rows, columns, channels"),
        (
            "fc.order/hwc_shape",
            "a row is read in the order rows, columns, channels, and the axes stay so",
        ),
        ("fc.order/whc", "a row is read in the order columns, rows, channels (order='F' does so)"),
        ("fc.hw/values", "a row is read in the order channels, columns, rows"),
        ("fc.hw/shape", "height and width are exchanged: the shape is (F, C, W, H)"),
        ("fc.hw/moved", "the axes of rows and columns are exchanged afterwards"),
    ),
    *asked(
        "How large is the kernel that sees all the features at once?",
        ("fc.one_by_one/axes", "the kernel is 1 x 1, with C * H * W channels"),
        ("fc.one_by_one/mean", "the kernel is 1 x 1: the mean over the places"),
        ("fc.one_by_one/sum", "the kernel is 1 x 1: the sum over the places"),
    ),
    *asked(
        "What do the two axes of the linear layer's weight count, and what the first axis of a "
        "convolution's?",
        ("fc.W_T/transposed", "the weight is transposed before it is reshaped"),
        ("fc.W_T/inputs_first", "the weight is read as if its first axis were the inputs"),
        ("fc.W_T/shape", "the outputs are the last axis, not the first"),
        ("conv.weight_perm/cf", "the axes of outputs and channels are exchanged"),
        ("conv.weight_perm/hwio", "the axes are in the order H, W, C, F"),
    ),
    *asked(
        "Which weight lies on the top left pixel of the window?",
        ("conv.flip/both", "the kernel is flipped: a network's convolution does not do so"),
    ),
    *asked(
        "Put zeros into the convolution: what must come out at each place?",
        ("fc.bias/zero", "the bias is dropped"),
        ("fc.bias/places", "the bias is divided by the number of places"),
        ("fc.bias/inputs", "the bias is divided by the number of inputs"),
        ("fc.bias/times", "the bias is multiplied by the number of places"),
        ("fc.bias/axes", "the bias has axes of rows and columns, too: (F, 1, 1)"),
        ("fc.bias/axes_of_weight", "the bias has as many axes as the weight: (F, 1, 1, 1)"),
        ("fc.bias/map", "the bias has a number for each place: (F, H, W)"),
    ),
    *asked(
        "How many digits does a float32 keep?",
        ("conv.dtype/float32", "the weight is float32"),
    ),
    *asked(
        "Which line of yours changes an array that you were given?",
        (
            "conv.mutates_input/weight",
            "the argument weight itself is changed, perhaps in its shape",
        ),
    ),
)
