"""Exercise bilinear_kernel: the kernel, and the weight for several channels."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch


def bilinear_kernel(has: Has, factor: int) -> np.ndarray:
    """The reference: the tent of the rows times that of the columns."""
    size, middle, slope = 2 * factor, factor - 0.5, float(factor)
    if has("bil.center_odd/below"):
        middle = factor - 1.0
    if has("bil.center_odd/above"):
        middle = float(factor)
    if has("bil.center_odd/by_factor"):
        middle = factor - 1.0 if factor % 2 else factor - 0.5
    if has("bil.factor/half"):
        slope, middle = factor + 0.5, float(factor)
    if has("bil.factor/slope"):
        slope = factor + 0.5
    if has("bil.factor/middle"):
        slope = middle
    if has("bil.factor/size"):
        slope = 2.0 * factor
    if has("bil.size"):
        size, middle = 2 * factor - factor % 2, factor - (1.0 if factor % 2 else 0.5)
    tent = 1 - np.abs(np.arange(size) - middle) / slope
    if has("bil.center_odd/whole"):
        tent = tent + 0.5 / factor
    ones = np.ones(size)
    kernel = np.outer(tent, tent)
    if has("bil.separable/rows"):
        kernel = np.outer(tent, ones)
    if has("bil.separable/columns"):
        kernel = np.outer(ones, tent)
    if has("bil.separable/mean"):
        kernel = (np.outer(tent, ones) + np.outer(ones, tent)) / 2
    if has("bil.separable/smaller"):
        kernel = np.minimum.outer(tent, tent)
    if has("bil.norm_one"):
        kernel = kernel / kernel.sum()
    return kernel / kernel.max() if has("bil.norm_max") else kernel


def upsampling_weight(has: Has, channels: int, factor: int) -> np.ndarray:
    """The reference: the kernel on the diagonal."""
    kernel = bilinear_kernel(has, factor)
    weight = np.zeros((channels, channels, *kernel.shape))
    weight[range(channels), range(channels)] = kernel
    if has("bil.all_pairs/each"):
        weight[...] = kernel
    if has("bil.all_pairs/mean"):
        weight[...] = kernel / channels
    if has("bil.first_channel/one"):
        weight[1:] = 0
    if has("bil.first_channel/in"):
        weight[...] = 0
        weight[0] = kernel
    if has("bil.first_channel/out"):
        weight[...] = 0
        weight[:, 0] = kernel
    if has("bil.depthwise"):
        weight = weight[range(channels), range(channels)][:, None]
    return weight


def cases(generator: np.random.Generator) -> list[Case]:
    """Even factors and odd ones."""
    return [Case(f"factor {factor}", {"factor": factor}) for factor in (2, 3, 4, 5, 8, 1)]


def weight_cases(generator: np.random.Generator) -> list[Case]:
    """Even factors and odd ones, several channels and one."""
    return [
        Case(
            f"{channels} channel{'s' * (channels != 1)}, factor {factor}",
            {"channels": channels, "factor": factor},
        )
        for channels, factor in ((3, 2), (2, 3), (4, 4), (1, 2))
    ]


SWITCHES = (
    Switch(
        "bil.center_odd/below",
        "the middle is factor - 1, as for a kernel of odd size",
        "Is there a number in the very middle of 2 * factor numbers?",
    ),
    Switch(
        "bil.center_odd/above",
        "the middle is factor, half a pixel too far",
        "Which number is as far from the first as from the last of 0, 1, ..., 2 * factor - 1?",
    ),
    Switch(
        "bil.center_odd/by_factor",
        "for odd factors the middle is that of a kernel of odd size",
        "Is the size of the kernel odd when the factor is?",
    ),
    Switch(
        "bil.center_odd/whole",
        "the tent's numbers are 1, 2, 3, ... divided by the factor: half a step too large",
        "How far from the middle is the number next to it?",
    ),
    Switch(
        "bil.factor/half",
        "the factor is taken to be half of size + 1, which is no whole number",
        "What is the factor of a kernel of size 4: 2 or 2.5?",
    ),
    Switch(
        "bil.factor/slope",
        "the tent is too wide by half a pixel: divided by factor + 0.5",
        "By how much does the tent fall from one number to the next?",
    ),
    Switch(
        "bil.factor/middle",
        "the tent is too narrow by half a pixel: divided by factor - 0.5, it is 0 at both ends",
        "By how much does the tent fall from one number to the next?",
    ),
    Switch(
        "bil.factor/size",
        "the tent falls half as fast as it should: divided by the size of the kernel",
        "By how much does the tent fall from one number to the next?",
    ),
    Switch(
        "bil.size",
        "for odd factors the kernel is one number smaller",
        "Which size does the contract ask for when the factor is 3?",
    ),
    Switch(
        "bil.norm_one",
        "the kernel is divided by its sum",
        "A constant image, enlarged: how many numbers of the kernel meet in one place, and what is"
        " their sum?",
    ),
    Switch(
        "bil.norm_max",
        "the kernel is divided by its largest number",
        "A constant image, enlarged: which numbers of the kernel meet in one place, and what is"
        " their sum?",
    ),
    Switch(
        "bil.separable/rows",
        "the kernel falls along its rows' axis only",
        "What does the kernel look like along its first row?",
    ),
    Switch(
        "bil.separable/columns",
        "the kernel falls along its columns' axis only",
        "What does the kernel look like along its first column?",
    ),
    Switch(
        "bil.separable/mean",
        "the two tents are averaged, not multiplied",
        "What should kernel[i, j] be where one of both tents is nearly 0?",
    ),
    Switch(
        "bil.separable/smaller",
        "the smaller of the two tents is taken, not their product",
        "How do the weights along rows and along columns go together?",
    ),
)

WEIGHT_SWITCHES = (
    *SWITCHES,
    Switch(
        "bil.all_pairs/each",
        "the kernel is in every pair of channels, so the channels are summed",
        "Which channels of the input may change the first channel of the output?",
    ),
    Switch(
        "bil.all_pairs/mean",
        "the kernel is in every pair of channels, so all outputs are the mean of the channels",
        "Which channels of the input may change the first channel of the output?",
    ),
    Switch(
        "bil.first_channel/one",
        "only the first channel is filled",
        "What is the second channel of the output?",
    ),
    Switch(
        "bil.first_channel/in",
        "all channels of the output are the first one of the input",
        "Which channel of the input should the second one of the output come from?",
    ),
    Switch(
        "bil.first_channel/out",
        "all channels of the input go into the first one of the output",
        "Which channel of the output should the second one of the input go to?",
    ),
    Switch(
        "bil.depthwise",
        "the weight has one channel out: it is that of a convolution in groups",
        "Which shape does conv_transpose2d take?",
    ),
)

EXERCISE = Exercise(
    name="bilinear_kernel",
    title="the weight with which a transposed convolution interpolates",
    functions=(
        Function("bilinear_kernel", (Part("kernel", "kernel"),), bilinear_kernel, cases, SWITCHES),
        Function(
            "upsampling_weight",
            (Part("weight", "weight"),),
            upsampling_weight,
            weight_cases,
            WEIGHT_SWITCHES,
            uses=("bilinear_kernel",),
        ),
    ),
    hints=(
        "What must all numbers of the kernel that meet in one place add up to?",
        "Tutorial 10, 'What matters is the weighted sum'; tutorial 09, 'Stamping'.",
        "kernel[i, j] = (1 - |i - (factor - 0.5)| / factor) * (1 - |j - (factor - 0.5)| / factor);"
        " weight[c, c] = kernel, and weight[c, f] = 0 where f is not c.",
    ),
    tutorial=10,
)
