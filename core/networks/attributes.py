"""A convolutional network that reads the attributes of an image, all of them at once."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.networks.layers import allocate, check, check_attributes, check_data, group_norm

DOWN = 4  # an image has to be divisible by it


class AttributeReader(nn.Module):
    """Images [B, C, side, side] to the logits of each attribute, a tuple of [B, values]; ``features`` [B, 128] are
    what all of them are computed from.

    Squares of 2x2 pixels are the channels of one, and the last convolution is not averaged over the image, because a
    mouth of three pixels has to be read.
    """

    def __init__(self, attributes: list[int], side: int, channels: int, width: int, seed: int):
        super().__init__()
        self.sizes = list(attributes)
        with torch.device("meta"):
            self.convolve = nn.ModuleList(
                [
                    nn.Conv2d(4 * channels, width, 3, padding=1),
                    nn.Conv2d(width, width, 3, padding=1),
                    nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                ]
            )
            self.norm = nn.ModuleList(map(group_norm, (width, width, 2 * width)))
            self.wide = nn.Linear(2 * width * (side // DOWN) ** 2, 128)
            self.last = nn.Linear(128, sum(self.sizes))
        allocate(self, seed)

    def features(self, x: Tensor) -> Tensor:
        h = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
        for convolve, norm in zip(self.convolve, self.norm, strict=True):
            h = F.relu(norm(convolve(h)))
        return F.relu(self.wide(h.flatten(1)))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.last(self.features(x)).split(self.sizes, 1)


def attribute_reader(
    attributes: list[int], side: int = 16, channels: int = 3, width: int = 48, seed: int = 0
) -> AttributeReader:
    """A network that reads attributes with so many values each from images. Raises Problem for impossible sizes."""
    check_attributes(attributes)
    check_data(side, channels, 0, 0, DOWN)
    check("width", width, 8, 1024)
    return AttributeReader(attributes, side, channels, width, seed)
