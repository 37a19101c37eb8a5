"""Images moved by whole pixels: the augmentation of encoders and classifiers."""

import torch
import torch.nn.functional as F
from torch import Tensor


def window(x: Tensor, down: Tensor, across: Tensor, most: int) -> Tensor:
    """Images [B, C, H, W] moved by up to ``most`` pixels; the pixels at the edge are repeated where nothing moves in.

    down, across: where the window begins in the image with its edges ``most`` pixels wider, [B] or [1], from 0 to twice
    ``most``; ``most`` leaves the image where it is.
    """
    height, width = x.shape[2:]
    wide = F.pad(x, (most,) * 4, mode="replicate")
    rows, columns = down[:, None] + torch.arange(height), across[:, None] + torch.arange(width)
    image, channel = torch.arange(len(x)), torch.arange(x.shape[1])
    return wide[image[:, None, None, None], channel[:, None, None], rows[:, None, :, None], columns[:, None, None]]


def random_shifts(x: Tensor, most: int, generator: torch.Generator, together: bool = False) -> Tensor:
    """Images [B, C, H, W], each moved at random by up to ``most`` pixels; ``together``: all by the same."""
    down, across = torch.randint(0, 2 * most + 1, (2, 1 if together else len(x)), generator=generator)
    return window(x, down, across, most)


def all_shifts(x: Tensor, most: int) -> list[Tensor]:
    """Images [B, C, H, W] moved to each of the (2 most + 1)^2 places that ``random_shifts`` moves them to."""
    places = torch.arange(2 * most + 1)[:, None]
    return [window(x, down, across, most) for down in places for across in places]
