"""The known mistakes of the cross-entropy."""

from __future__ import annotations

from minifcn.course.exercises.exercise import asked

SWITCHES = (
    *asked(
        "What is exp(1000), and what changes in p if the same number is subtracted from all "
        "scores of a pixel?",
        (
            "ce.overflow/log_of_softmax",
            "exp of large scores is infinite: nothing is subtracted before (and the logarithm is "
            "taken of softmax)",
        ),
        ("ce.overflow/log_of_sum", "exp of large scores is infinite: nothing is subtracted before"),
        ("ce.overflow/gradient", "exp of large scores is infinite: nothing is subtracted before"),
    ),
    *asked(
        "A pixel whose scores are all far below the largest of all: what is exp of them?",
        (
            "ce.max_global/log_of_softmax",
            "the largest score of all pixels is subtracted, so others vanish (and the logarithm "
            "is taken of softmax)",
        ),
        (
            "ce.max_global/log_of_sum",
            "the largest score of all pixels is subtracted, so others vanish",
        ),
        (
            "ce.max_global/image_log_of_softmax",
            "the largest score of the image is subtracted, so other pixels vanish (and the "
            "logarithm is taken of softmax)",
        ),
        (
            "ce.max_global/image_log_of_sum",
            "the largest score of the image is subtracted, so other pixels vanish",
        ),
        (
            "ce.max_global/gradient",
            "the largest score of all pixels is subtracted, so others vanish",
        ),
        (
            "ce.max_global/image_gradient",
            "the largest score of the image is subtracted, so other pixels vanish",
        ),
    ),
    *asked(
        "How large is -log p for the scores 1000 and -1000, if the second is true? Do you need p "
        "for it?",
        ("ce.log0/infinite", "the logarithm is taken of softmax, which can be 0"),
        (
            "ce.log0/nan",
            "the logarithm is taken of softmax, which can be 0, and 0 times infinity is NaN",
        ),
        ("ce.log0/plus_1e-6", "the logarithm is taken of softmax plus 1e-6"),
        ("ce.log0/plus_1e-8", "the logarithm is taken of softmax plus 1e-8"),
        ("ce.log0/at_least_1e-7", "the logarithm is taken of softmax, which is kept above 1e-7"),
        ("ce.log0/at_least_1e-8", "the logarithm is taken of softmax, which is kept above 1e-8"),
        ("ce.log0/1e-9", "the logarithm is taken of softmax, which is kept above 0 with 1e-9"),
        ("ce.log0/1e-10", "the logarithm is taken of softmax, which is kept above 0 with 1e-10"),
        ("ce.log0/1e-12", "the logarithm is taken of softmax, which is kept above 0 with 1e-12"),
        ("ce.log0/1e-15", "the logarithm is taken of softmax, which is kept above 0 with 1e-15"),
    ),
    *asked(
        "Which probabilities of a pixel have the sum 1?",
        ("ce.axis/width", "softmax goes over the width, not over the classes"),
        ("ce.axis/height", "softmax goes over the height, not over the classes"),
        ("ce.axis/batch", "softmax goes over the images, not over the classes"),
        ("ce.axis/image", "softmax goes over all numbers of an image, not over the classes"),
        ("ce.axis/all", "softmax goes over all numbers, not over the classes of each pixel"),
    ),
    *asked(
        "Is what you pass on scores, or probabilities already?",
        ("ce.twice", "softmax is taken twice"),
    ),
    *asked(
        "By how many pixels is it divided, if half of them are void?",
        ("ce.mean_all", "it is divided by the number of all pixels, void or not"),
        ("ce.not_div_n/loss", "the sum of the losses is returned, not their mean"),
        ("ce.not_div_n/gradient", "the gradient is that of the sum, not of the mean"),
        ("ce.div_numel", "it is divided by the number of all scores"),
        ("ce.mean_per_image/nan", "the mean is taken for each image, then over the images"),
        (
            "ce.mean_per_image/zero",
            "the mean is taken for each image, then over the images; an image without pixels "
            "that count has 0",
        ),
        ("ce.mean_per_image/sum", "it is divided by the number of images, not of pixels"),
    ),
    *asked(
        "What is the sum, and what the count, if no pixel counts?",
        ("ce.all_void_nan", "if all pixels are void, it is 0 / 0"),
    ),
    *asked(
        "Which pixels count, whatever number void is?",
        ("ce.void_negative/range", "void is not used: all labels from 0 to C - 1 count"),
        ("ce.void_negative/nonnegative", "void is taken to be negative, whatever was given"),
        (
            "ce.void_negative/255",
            "void is taken to be 255, whatever was given; -1 as an index is the last class",
        ),
        (
            "ce.void_negative/kept",
            "void pixels are used as all others; -1 as an index is the last class",
        ),
        ("ce.void_as_class0/zero_is_void", "label 0 is taken for void, whatever was given"),
        ("ce.void_as_class0/no_background", "class 0 is left out, too"),
        ("ce.void_as_class0/counted", "labels that are no class count as class 0"),
        ("ce.void_as_class0/clipped", "labels that are no class count as the nearest class"),
    ),
    *asked(
        "Does the mean change if a score of a void pixel does?",
        ("ce.void_grad/softmax", "void pixels have a gradient: softmax, by the count"),
        (
            "ce.void_grad/softmax_all_void",
            "void pixels have a gradient, even if all are void: softmax, by the count",
        ),
        (
            "ce.void_grad/class_0_all_void",
            "void pixels have a gradient, even if all are void: that of class 0",
        ),
        (
            "ce.void_grad/softmax_later",
            "void pixels have a gradient: softmax, not even divided by the count",
        ),
        ("ce.void_grad/class_0", "void pixels have a gradient: that of class 0"),
        ("ce.void_grad/one_hot", "void pixels count, as pixels without any true class"),
    ),
    *asked(
        "Does the mean rise or fall if the score of the true class rises?",
        ("ce.sign/loss", "the loss has the wrong sign"),
        ("ce.sign/gradient", "the gradient has the wrong sign"),
    ),
    *asked(
        "The loss of a pixel is log(sum of exp of the scores) - score of the true class: what is "
        "its derivative by the true class's score, and by another one?",
        ("ce.no_minus_one", "the gradient is softmax alone: 1 is not subtracted at the true class"),
        (
            "ce.logsoftmax_bwd/true_class",
            "the gradient is -1 at the true class: that of log p, not of the scores",
        ),
        ("ce.logsoftmax_bwd/plus", "1 is added at the true class, not subtracted"),
        (
            "ce.logsoftmax_bwd/of_p",
            "the gradient is -1 / p at the true class: that of p, not of the scores",
        ),
        ("ce.logsoftmax_bwd/only_true_class", "only the true class has a gradient"),
    ),
    *asked(
        "Compute one pixel by hand: is there a factor in your result that is not in the "
        "definition?",
        ("ce.factor2/loss_double", "the loss is twice as large"),
        ("ce.factor2/loss_half", "the loss is half as large"),
        ("ce.factor2/gradient_double", "the gradient is twice as large"),
        ("ce.factor2/gradient_half", "the gradient is half as large"),
    ),
    *asked(
        "What is the loss of a pixel whose true class has p = 1 / e?",
        ("ce.no_log", "the loss is 1 - p, without a logarithm"),
        ("ce.log_base/2", "the logarithm has base 2"),
        ("ce.log_base/10", "the logarithm has base 10"),
    ),
    *asked(
        "Which label does the first class have?",
        ("ce.labels_from_1", "1 is subtracted from the labels, which begin with 0 already"),
    ),
    *asked(
        "Which line of yours writes into an array that you were given?",
        ("conv.mutates_input/scores", "scores itself is changed"),
        ("conv.mutates_input/labels", "labels itself is changed"),
    ),
    *asked(
        "Which dtype does np.zeros_like of whole numbers have?",
        ("conv.dtype/input", "the gradient has the dtype of the scores"),
    ),
    *asked(
        "How many digits does a float32 keep?",
        ("conv.dtype/float32", "the results are float32"),
    ),
)
