"""The U-Net of diffusion models: Ho et al. 2020, with the adaptive group norm of Dhariwal & Nichol 2021 ("ADM").

Four differences. ``patch`` by ``patch`` pixels may be stacked as channels of one place: with 2, a network of four times
as many weights costs the same. For speed, the decoder mirrors the encoder block for block: each block takes the
features of its mirror image and returns as few channels as that one takes in. There is no dropout. A group norm and the
activation after it are one function (see ``layers.NormSiLU``), which saves memory and time on a CPU.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.networks.embeddings import Cond, Conditioning
from core.networks.layers import (
    MAX_BLOCKS,
    MAX_WIDTH,
    Attention,
    GroupNormSiLU,
    allocate,
    attention_heads,
    check,
    check_attributes,
    check_data,
    check_input,
    check_side,
    group_norm,
    to_image,
    to_tokens,
    zero,
)
from core.problems import Problem

MAX_LEVELS, MAX_COLOURS = 6, 1024

norm_silu = partial(group_norm, kind=GroupNormSiLU)


class Block(nn.Module):
    """A residual block: two convolutions, the second after an adaptive group norm; then attention, if ``attends``."""

    def __init__(self, inputs: int, outputs: int, embedding: int, attends: bool = False):
        super().__init__()
        self.norm1, self.conv1 = norm_silu(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = norm_silu(outputs, affine=False), zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.tell = nn.Linear(embedding, 2 * outputs)  # scale and shift; the name stands in saved weights
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attend = SelfAttention(outputs) if attends else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.tell(embedding).chunk(2, dim=1)
        h = self.conv2(self.norm2(self.conv1(self.norm1(x)), 1 + scale, shift))
        return self.attend(self.skip(x) + h)


class SelfAttention(nn.Module):
    """Self-attention between all places of an image, in up to four heads, with a residual connection."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.attention = group_norm(channels), Attention(channels, attention_heads(channels))
        zero(self.attention.out)

    def forward(self, x: Tensor) -> Tensor:
        return x + to_image(self.attention(to_tokens(self.norm(x))), like=x)


class UNet(nn.Module):
    """F(x[B, channels, H, W], c_noise[B], cond) -> the same shape; zero before training.

    One level for each of ``widths``, with half the side of the one above it and ``blocks`` blocks in the encoder and in
    the decoder; the lowest ``attention`` levels have self-attention; at the top one place stands for ``patch`` by
    ``patch`` pixels. cond holds "label" [B] (-1: none), "attributes" [B, A] (-1: none) and "embed" [B, vector] (a row
    of NaN: none). H and W may be any multiples of ``factor``, also other ones than in training. Initial weights follow
    from ``seed``. With ``colours`` the answer has more channels: for each pixel the logit that it has none of so many
    colours, and a logit for each. Raises Problem for more than ``layers.MAX_WEIGHTS`` weights, before anything is
    allocated.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        vector: int,
        widths: Sequence[int],
        blocks: int,
        attention: int,
        patch: int,
        seed: int = 0,
        attributes: Sequence[int] = (),
        colours: int = 0,
    ):
        super().__init__()
        self.channels, self.patch, self.factor = channels, patch, patch * 2 ** (len(widths) - 1)
        embedding, stacked = 4 * widths[0], channels * patch**2
        pairs = zip([widths[0], *widths], widths)
        levels = [[(above, width), *[(width, width)] * (blocks - 1)] for above, width in pairs]
        attends = [len(widths) - level <= attention for level in range(len(widths))]
        with torch.device("meta"):
            self.conditioning = Conditioning(embedding, classes, vector, attributes)
            self.stem = nn.Conv2d(stacked, widths[0], 3, padding=1)
            self.down = nn.ModuleList(
                nn.ModuleList(Block(inputs, outputs, embedding, attend) for inputs, outputs in level)
                for level, attend in zip(levels, attends)
            )
            self.middle = Block(widths[-1], widths[-1], embedding, attends=True)
            self.up = nn.ModuleList(
                nn.ModuleList(Block(2 * outputs, inputs, embedding, attend) for inputs, outputs in reversed(level))
                for level, attend in zip(reversed(levels), reversed(attends))
            )
            last = zero(nn.Conv2d(widths[0], stacked, 3, padding=1))
            self.head = nn.Sequential(norm_silu(widths[0]), nn.Identity(), last)  # at 0 and 2 in saved weights
            self.colours = zero(nn.Conv2d(widths[0], (colours + 1) * patch**2, 1)) if colours else None
        allocate(self, seed)

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        check_input(x, (self.channels, None, None))
        return self.run(x, self.conditioning(c_noise, cond))

    def run(
        self, x: Tensor, embedding: Tensor, after: Callable[[Tensor, int], Tensor] = lambda h, k: h,
        more: Tensor | float = 0.0,
    ) -> Tensor:  # fmt: skip
        """The network's answer to x [B, channels, H, W] with the condition as a vector [B, width]. after: is applied to
        the features [B, C, H, W] after block number k of ``blocks``; more: is added to the first features."""
        for side in x.shape[2:]:
            check_side(side, self.factor)
        # Convolutions are fastest with channels last in memory. Done here, callers need not know of it.
        h, skips = self.stem(F.pixel_unshuffle(x, self.patch)).contiguous(memory_format=torch.channels_last) + more, []
        numbers = count()
        for i, level in enumerate(self.down):
            h = F.avg_pool2d(h, 2) if i else h
            for block in level:
                h = after(block(h, embedding), next(numbers))
                skips.append(h)
        h = after(self.middle(h, embedding), next(numbers))
        for i, level in enumerate(self.up):
            h = F.interpolate(h, scale_factor=2) if i else h
            for block in level:
                h = after(block(torch.cat([h, skips.pop()], dim=1), embedding), next(numbers))
        h = self.head[0](h)
        answers = [last(h) for last in (self.head[-1], self.colours) if last is not None]
        return torch.cat([F.pixel_shuffle(answer, self.patch) for answer in answers], 1)

    def blocks(self) -> list[tuple[int, Block]]:
        """The residual blocks in the order in which they are computed, each with its level, 0 at the top."""
        down = [(i, block) for i, level in enumerate(self.down) for block in level]
        up = [(i, block) for i, level in zip(reversed(range(len(self.up))), self.up) for block in level]
        return [*down, (len(self.down) - 1, self.middle), *up]


def unet(
    side: int | Sequence[int],
    channels: int = 1,
    classes: int = 0,
    vector: int = 0,
    seed: int = 0,
    width: int = 32,
    multipliers: Sequence[int] = (1, 2, 4),
    blocks: int = 1,
    attention: int = 1,
    patch: int = 1,
    attributes: Sequence[int] = (),
    colours: int = 0,
) -> UNet:
    """A U-Net for images of a ``side`` (or height and width) and so many ``channels``, for ``classes`` labels and
    condition vectors of size ``vector`` (0: none). attributes: the number of values of each attribute, if there are
    any. colours: the size of the palette of a ``PaletteDenoiser``, for which it answers with logits as well; 0: none.

    One level for each of ``multipliers``, with that many times ``width`` channels. Initial weights follow from
    ``seed``. Raises Problem for sizes that are not possible, before anything is allocated.
    """
    if not (isinstance(multipliers, list | tuple) and 1 <= len(multipliers) <= MAX_LEVELS):
        raise Problem("unet_multipliers", most=MAX_LEVELS)
    check("patch", patch, 1, 64)
    check_data(side, channels, classes, vector, factor=patch * 2 ** (len(multipliers) - 1))
    check("width", width, 1, MAX_WIDTH)
    for multiplier in multipliers:
        check("multipliers", multiplier, 1, 16)
    check("blocks", blocks, 1, MAX_BLOCKS)
    check("attention", attention, 0, len(multipliers))
    check_attributes(attributes)
    check("colours", colours, 0, MAX_COLOURS)
    widths = [width * m for m in multipliers]
    return UNet(channels, classes, vector, widths, blocks, attention, patch, seed, attributes, colours)
