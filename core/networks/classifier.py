"""A small convolutional network that names the class of an image."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.networks.layers import MAX_CHANNELS, MAX_CLASSES, allocate, check, group_norm


class Classifier(nn.Module):
    """Images [B, C, H, W] to logits [B, classes]; ``features`` [B, 64] are the outputs of its last convolution,
    averaged over the image."""

    def __init__(self, channels: int, classes: int, seed: int = 0):
        super().__init__()
        widths = [channels, 32, 64, 64]
        with torch.device("meta"):
            self.convolve = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
            self.norm = nn.ModuleList(map(group_norm, widths[1:]))
            self.wide, self.last = nn.Linear(64 * 16, 128), nn.Linear(128, classes)
        allocate(self, seed)

    def convolved(self, x: Tensor) -> Tensor:
        h = x.contiguous(memory_format=torch.channels_last)
        for level, (convolve, norm) in enumerate(zip(self.convolve, self.norm)):
            h = convolve(h)
            h = F.relu(norm(F.max_pool2d(h, 2, ceil_mode=True) if level < 2 else h))
        return h

    def features(self, x: Tensor) -> Tensor:
        return self.convolved(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.wide(F.adaptive_avg_pool2d(self.convolved(x), 4).flatten(1))))


def classifier(channels: int, classes: int, seed: int = 0) -> Classifier:
    """A classifier of images of any side. Raises Problem for impossible sizes."""
    check("channels", channels, 1, MAX_CHANNELS)
    check("classes", classes, 1, MAX_CLASSES)
    return Classifier(channels, classes, seed)
