"""The U-Net of diffusion models: Ho et al. 2020, with the adaptive group norm of Dhariwal & Nichol 2021 ("ADM").

Four departures. Squares of ``patch`` pixels may be told as channels of one place: of 2, four times as many weights
cost the same. For speed, the way up mirrors the way down block for block, so that each block meets the features of
its own mirror image and hands on as few channels as that one took in; and there is no dropout. For memory, what stands
between two convolutions is made again in the backward pass where it is large (see ``layers.recompute``): of large
batches a third less is kept, for a twentieth more time; small ones gain nothing.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.networks.embeddings import Cond, Conditioning
from core.networks.layers import (
    MAX_BLOCKS,
    MAX_WIDTH,
    Attention,
    build,
    check,
    check_data,
    check_image,
    group_norm,
    recompute,
    to_image,
    to_tokens,
    zero,
)

MAX_LEVELS = 6


class Block(nn.Module):
    """A residual block: two convolutions, the second normalised as it is told; then attention, if it has any."""

    def __init__(self, inputs: int, outputs: int, told: int, attends: bool = False):
        super().__init__()
        self.norm1, self.conv1 = group_norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = group_norm(outputs, affine=False), zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.tell = nn.Linear(told, 2 * outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attend = SelfAttention(outputs) if attends else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.tell(told)[..., None, None].chunk(2, dim=1)
        h = self.conv1(recompute(lambda x: F.silu(self.norm1(x)), x))
        h = self.conv2(recompute(lambda h: F.silu(torch.addcmul(shift, self.norm2(h), 1 + scale)), h))
        return self.attend(self.skip(x) + h)


class SelfAttention(nn.Module):
    """Every place of an image attends to every other, in up to four heads; what it finds is added."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.attention = group_norm(channels), Attention(channels, heads=math.gcd(channels // 8, 4))
        zero(self.attention.out)

    def forward(self, x: Tensor) -> Tensor:
        return x + to_image(self.attention(to_tokens(self.norm(x))), like=x)


class UNet(nn.Module):
    """F(x[B, channels, H, W], c_noise[B], cond) -> the same shape; zero before training.

    One level for each of ``widths``, with half the side of the one above it and ``blocks`` blocks on each way; the
    lowest ``attention`` levels attend; at the top one place stands for ``patch`` by ``patch`` pixels. cond holds
    "label" [B] (-1: none) and "embed" [B, vector] (a row of NaN: none). Any H and W divisible by ``factor`` will do,
    also others than it was trained on.
    """

    def __init__(
        self, channels: int, classes: int, vector: int, widths: list[int], blocks: int, attention: int, patch: int
    ):
        super().__init__()
        self.channels, self.patch, self.factor = channels, patch, patch * 2 ** (len(widths) - 1)
        told, seen = 4 * widths[0], channels * patch**2
        steps = zip([widths[0], *widths], widths)
        plan = [[(above, width), *[(width, width)] * (blocks - 1)] for above, width in steps]
        attends = [len(widths) - level <= attention for level in range(len(widths))]

        self.conditioning = Conditioning(told, classes, vector)
        self.stem = nn.Conv2d(seen, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.ModuleList(Block(inputs, outputs, told, here) for inputs, outputs in level)
            for level, here in zip(plan, attends)
        )
        self.middle = Block(widths[-1], widths[-1], told, attends=True)
        self.up = nn.ModuleList(
            nn.ModuleList(Block(2 * outputs, inputs, told, here) for inputs, outputs in reversed(level))
            for level, here in zip(reversed(plan), reversed(attends))
        )
        self.head = nn.Sequential(group_norm(widths[0]), nn.SiLU(), zero(nn.Conv2d(widths[0], seen, 3, padding=1)))

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        check_image(x, self.channels, self.factor)
        told = self.conditioning(c_noise, cond)
        # Convolutions are fastest with channels last in memory. Said here, it need not be said outside.
        h, seen = self.stem(F.pixel_unshuffle(x, self.patch)).contiguous(memory_format=torch.channels_last), []
        for i, level in enumerate(self.down):
            h = F.avg_pool2d(h, 2) if i else h
            for block in level:
                h = block(h, told)
                seen.append(h)
        h = self.middle(h, told)
        for i, level in enumerate(self.up):
            h = F.interpolate(h, scale_factor=2) if i else h
            for block in level:
                h = block(torch.cat([h, seen.pop()], dim=1), told)
        return F.pixel_shuffle(self.head(h), self.patch)


def unet(
    side: int,
    channels: int = 1,
    classes: int = 0,
    vector: int = 0,
    seed: int = 0,
    width: int = 32,
    multipliers: Sequence[int] = (1, 2, 4),
    blocks: int = 1,
    attention: int = 1,
    patch: int = 1,
) -> UNet:
    """A U-Net for images of ``side``, ``channels`` (1 or 3), ``classes`` labels and vectors of that size (0: none).

    One level for each of ``multipliers``, with that many times ``width`` channels. Initial weights follow from
    ``seed``. Raises ValueError for sizes that there are not, before anything is allocated.
    """
    if not (isinstance(multipliers, list | tuple) and 1 <= len(multipliers) <= MAX_LEVELS):
        raise ValueError(f"a U-Net has 1 to {MAX_LEVELS} multipliers of its width, one for each level")
    check("patch", patch, 1, 64)
    check_data(side, channels, classes, vector, factor=patch * 2 ** (len(multipliers) - 1))
    check("width", width, 8, MAX_WIDTH)
    if width % 8:
        raise ValueError(f"a U-Net's width is a multiple of 8, the size of a group, not {width}")
    for multiplier in multipliers:
        check("multiplier", multiplier, 1, 16)
    check("number of blocks in a level", blocks, 1, MAX_BLOCKS)
    check("number of levels with attention", attention, 0, len(multipliers))
    widths = [width * m for m in multipliers]
    return build(lambda: UNet(channels, classes, vector, widths, blocks, attention, patch), seed)
