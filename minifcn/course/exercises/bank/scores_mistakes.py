"""The known mistakes of the scores."""

from __future__ import annotations

from minifcn.course.exercises.exercise import asked

_NEITHER = (
    *asked(
        "A class is in neither, truth and prediction: is its score good, bad, or is there none?",
        ("iou.absent_zero", "a class that is in neither gets 0"),
        ("iou.absent_one", "a class that is in neither gets 1"),
        (
            "iou.float_eps/both_1e-6",
            "1e-6 is added to both sides of the fraction, so a class that is in neither gets 1",
        ),
        ("iou.float_eps/1e-6", "1e-6 is added to the union, so a class that is in neither gets 0"),
        (
            "iou.float_eps/both_1e-7",
            "1e-7 is added to both sides of the fraction, so a class that is in neither gets 1",
        ),
        ("iou.float_eps/1e-7", "1e-7 is added to the union, so a class that is in neither gets 0"),
        ("iou.float_eps/both_1", "1 is added to both sides of the fraction"),
    ),
)
"""Of a class that nobody has named."""

_BOTH = (
    *asked(
        "In the sum of row and column, how often is a pixel counted that is in both?",
        ("iou.no_intersection/sum", "the union counts the pixels that are in both twice"),
        ("iou.no_intersection/twice", "the union leaves out the pixels that are in both"),
        (
            "iou.no_intersection/trace",
            "the union is reduced by the right pixels of all classes, not of this one",
        ),
        ("iou.no_intersection/total", "the union is taken to be all pixels"),
        (
            "iou.no_intersection/dice",
            "this is another score: Dice, twice the intersection by the sum of both",
        ),
    ),
    *asked(
        "Which pixels does the score of a class not see, if you divide by this?",
        ("iou.pixel_acc/rows", "it is divided by the row alone: this is the accuracy of the class"),
        (
            "iou.pixel_acc/columns",
            "it is divided by the column alone: this is the precision of the class",
        ),
    ),
    *asked(
        "Does the background count as a class?",
        ("iou.void/no_background", "class 0 is left out"),
    ),
    *asked(
        "Which line of yours writes into an array that you were given?",
        ("conv.mutates_input/matrix", "the matrix itself is changed"),
    ),
    *asked(
        "How many digits does a float32 keep?",
        ("conv.dtype/float32", "the result is float32"),
    ),
)
"""Of the scores of the classes, and so of their mean."""

MATRIX_SWITCHES = (
    *asked(
        "Which pixels count, whatever number void is?",
        ("iou.void/kept", "void pixels are counted, too; their label is used as an index"),
        (
            "iou.void/kept_bincount",
            "void pixels are counted, too; their label goes into the number of the pair",
        ),
        ("iou.void/range", "void is not used: all labels from 0 to C - 1 count"),
        ("iou.void/range_and_below_void", "only labels below void count"),
        (
            "iou.void/255",
            "void is taken to be 255, whatever was given; other labels are used as an index",
        ),
        (
            "iou.void/255_bincount",
            "void is taken to be 255, whatever was given; other labels go into the number of the "
            "pair",
        ),
        ("iou.void/negative", "void is taken to be negative, whatever was given"),
        ("iou.void/class_0", "void pixels are counted as class 0"),
        ("iou.void/clipped", "labels outside of 0 to C - 1 are moved to the nearest class"),
        ("iou.void/background", "class 0 is left out as if it were void"),
    ),
    *asked(
        "A pixel has a true class, and void's number as its prediction. Does it count?",
        ("iou.void/of_prediction", "pixels are left out by their prediction, not by their truth"),
        ("iou.void/both", "pixels are left out where the prediction is void's number, too"),
    ),
    *asked(
        "Is the row of a cell the true class, or the predicted one?",
        ("iou.rows_cols", "rows and columns are exchanged"),
    ),
    *asked(
        "A class that nobody has seen: does it have a row and a column?",
        ("iou.bincount/size", "the matrix is only as large as the largest label that occurs"),
        (
            "iou.bincount/size_of_truth",
            "the matrix is only as large as the largest label of the truth",
        ),
    ),
    *asked(
        "What does NumPy do with a[[2, 2]] += 1?",
        (
            "col2im.fancy_iadd",
            "matrix[i, j] += 1 with arrays of places adds only once to each place",
        ),
    ),
    *asked(
        "Are the cells of the matrix numbers of pixels?",
        ("iou.pixel_acc/shares", "each row is divided by its sum"),
        ("iou.pixel_acc/all", "the counts are divided by the number of all pixels"),
    ),
    *asked(
        "Which dtype does an array of zeros have, if you do not say it?",
        ("conv.dtype/float", "the counts are right, but of type float64"),
    ),
    *asked(
        "Over which axes of truth do you count?",
        ("iou.mean_of_images/first_image", "only the first image is counted"),
    ),
    *asked(
        "Which line of yours writes into an array that you were given?",
        ("conv.mutates_input/truth", "truth itself is changed"),
        ("conv.mutates_input/prediction", "prediction itself is changed"),
    ),
)
IU_SWITCHES = (
    *_NEITHER,
    *asked(
        "A class is in neither, truth and prediction: is its score good, bad, or is there none?",
        ("iou.absent_dropped", "a class that is in neither has no place in the result"),
    ),
    *asked(
        "A class is in the prediction, but not in the truth: how large is its union, and what is "
        "its score?",
        (
            "iou.predicted_only_dropped/nan",
            "a class that is only predicted gets no score; it has 0",
        ),
        (
            "iou.predicted_only_dropped/true_only",
            "a class that is never predicted gets no score; it has 0",
        ),
        (
            "iou.predicted_only_dropped/no_hit",
            "each class without a right pixel gets no score; those in one of both have 0",
        ),
        (
            "iou.predicted_only_dropped/shorter",
            "a class that is not in the truth has no place in the result",
        ),
    ),
    *_BOTH,
)
MEAN_SWITCHES = (
    *_NEITHER,
    *asked(
        "A class is in the prediction, but not in the truth: how large is its union, and what is "
        "its score?",
        (
            "iou.predicted_only_dropped/nan",
            "a class that is only predicted gets no score; it has 0",
        ),
        (
            "iou.predicted_only_dropped/true_only",
            "a class that is never predicted gets no score; it has 0",
        ),
        (
            "iou.predicted_only_dropped/no_hit",
            "each class without a right pixel gets no score; those in one of both have 0",
        ),
    ),
    *_BOTH,
    *asked(
        "What is the weight of a rare class in the mean?",
        ("iou.pixel_acc/pixels", "this is the share of the pixels that are right"),
        ("iou.pixel_acc/weighted", "each class is weighted by its number of pixels"),
    ),
    *asked(
        "What is the mean of 1 and NaN?",
        ("iou.nan_mean", "NaN is not left out of the mean"),
    ),
    *asked(
        "The mean of how many scores is it?",
        ("iou.nan_mean/sum", "the scores are added, but not divided by their number"),
    ),
)
