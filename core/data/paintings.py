"""Small pictures that are painted pixel by pixel, and their text for an address.

The pixels of a painting are a text of 16 rows of 16 base64url digits, from the top: each is the number of its colour.
"""

import re
from itertools import groupby

import torch
from torch import Tensor

from core.data import people
from core.data.drawings import DIGITS
from core.data.people import BACKGROUND, COLOURS, SIDE, SKIN
from core.problems import Problem

PAINTS = {
    "ground": BACKGROUND["blue"],
    "white": BACKGROUND["white"],
    **{f"{name}_skin": tones[0] for name, tones in SKIN.items()},
    **COLOURS,
}
"""The colours to paint with, those of people, as hexadecimal numbers; the first is that of an empty painting."""
EMPTY = DIGITS[0] * SIDE**2
LONGEST = len(DIGITS)  # pixels of one run


def encode(pixels: str) -> str:
    """The pixels as text for a URL: for each run of one colour the digit of the colour and one for the length. Nothing
    for an empty painting. Raises Problem for what is no painting."""
    _check(pixels)
    runs = ((digit, len(list(run))) for digit, run in groupby(pixels))
    parts = ((digit, min(LONGEST, n - begun)) for digit, n in runs for begun in range(0, n, LONGEST))
    return "" if pixels == EMPTY else "".join(digit + DIGITS[n - 1] for digit, n in parts)


def decode(written: str) -> str:
    """The pixels that `encode` wrote. Raises Problem for what is no painting."""
    if not re.fullmatch(r"([\w-]{2})*", written, re.ASCII) or len(written) > 2 * SIDE**2:
        raise Problem("drawing_damaged")
    pixels = "".join(digit * (1 + DIGITS.index(n)) for digit, n in zip(written[::2], written[1::2], strict=True))
    _check(pixels or EMPTY)
    return pixels or EMPTY


def _check(pixels: str) -> None:
    if len(pixels) != SIDE**2 or not set(pixels) <= set(DIGITS[: len(PAINTS)]):
        raise Problem("drawing_damaged")


def picture(written: str) -> Tensor:
    """A painting as a picture, [1, 3, 16, 16] in [-1, 1]. Raises Problem for one that has a single colour."""
    pixels = decode(written)
    if len(set(pixels)) < 2:
        raise Problem("painting_empty")
    colours = people.palette(tuple(PAINTS.values()))[:, :, 0, 0]
    return 2 * colours[torch.tensor([DIGITS.index(digit) for digit in pixels])].T.reshape(1, 3, SIDE, SIDE) - 1
