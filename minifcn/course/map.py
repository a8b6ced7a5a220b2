"""The map of the course: which tutorial is about which part of the network."""

import re

STRIP = """\
image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
                         skips 12, and their crops 13, lead from features to upsampling
learning: gradients 03, checked 04, training 05                        the whole job: 14"""


def here(number: int) -> str:
    """Return the map in three lines, a tutorial's number in brackets: you are here."""
    return re.sub(rf"\b{number:02}\b", f"[{number:02}]", STRIP)
