"""Pictures as data: a few bundled ones, as numbers from -1 (black) to 1 (white), and back to what a screen shows."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

ASSETS = Path(__file__).parent / "assets"  # their sources and licences: assets/NOTICE.md
PICTURES = ("snail", "octopus", "penguin", "rocket", "sunflower", "t-shirt", "dress", "sneaker", "bag", "boot")


@cache
def picture(name: str) -> Tensor:
    """A bundled picture in [-1, 1], float32: [32, 32, 3] an emoji, [28, 28] a grey garment of Fashion-MNIST.

    Raises ValueError for a name that is not one of `PICTURES`.
    """
    if name not in PICTURES:
        raise ValueError(f"There is no picture named {name!r}; choose one of {', '.join(PICTURES)}.")
    from PIL import Image  # here, because most pages never show a picture

    with Image.open(ASSETS / f"{name}.png") as image:
        return torch.from_numpy(np.array(image, dtype=np.float32) / 127.5 - 1)


def pixels(x: Tensor) -> Tensor:
    """What a screen shows of x, same shape, uint8: -1 and below is black (0), 1 and above is white (255)."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
