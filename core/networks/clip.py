"""A small CLIP (Radford et al. 2021): an image encoder and a text encoder to vectors of one size."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import seeds
from core.networks.layers import MAX_CHANNELS, MAX_WIDTH, Attention, allocate, check, group_norm
from core.problems import Problem

MAX_WORDS, MAX_NEIGHBOURS = 50_000, 15
MAX_SCALE = 100.0  # of the logits (section 2.5)
LEVELS = 3


class ImageEncoder(nn.Module):
    """Images [B, channels, side, side] in [-1, 1] to vectors [B, size]: 2x2 pixels stacked as channels, then
    convolutions, each level with half the side and twice the channels of the one above, then one linear layer."""

    def __init__(self, channels: int, side: int, width: int, size: int):
        super().__init__()
        widths = [4 * channels, *(width * 2**level for level in range(LEVELS))]
        self.convolve = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        self.norm = nn.ModuleList(map(group_norm, widths[1:]))
        self.out = nn.Linear(widths[-1] * (side // 2**LEVELS) ** 2, size)

    def forward(self, x: Tensor) -> Tensor:
        h = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
        for level, (convolve, norm) in enumerate(zip(self.convolve, self.norm)):
            h = F.silu(norm(convolve(F.avg_pool2d(h, 2) if level else h)))
        return self.out(h.flatten(1))


class TextEncoder(nn.Module):
    """Tokens [B, T] to vectors [B, size], and the features of each token in its context, [B, T, width] (NaN: padding).

    One transformer block; the vector is a linear map of the mean over the words. Attention knows no order of the words;
    a convolution over ``neighbours`` words before it (an odd number; 0: none) tells "red hair, blue hat" from "blue
    hair, red hat".
    """

    def __init__(self, words: int, width: int, size: int, neighbours: int = 0):
        super().__init__()
        self.word = Table(words + 1, width)
        self.near = nn.Linear(neighbours * width, width) if neighbours else None
        self.neighbours = neighbours
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads=4)
        self.norm2, self.wide, self.back = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.out = nn.Linear(width, size)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        present = tokens != 0  # padding
        length = max([1, *present.sum(1).tolist()])  # padding at the end of all captions is not computed with
        rest, tokens, present = tokens.shape[1] - length, tokens[:, :length], present[:, :length]
        h = self.word(tokens)
        if self.near is not None:
            h = h + F.silu(self.near(self._windows(h * present[..., None])))
        # A caption without a known word attends to its padding, so that softmax does not give NaN.
        mask = (present | ~present.any(1, keepdim=True))[:, None, None]
        h = h + self.attention(self.norm1(h), mask=mask)
        h = h + self.back(F.silu(self.wide(self.norm2(h))))
        mean = (h * present[..., None]).sum(1) / present.sum(1, keepdim=True).clamp(min=1)
        features = h.masked_fill(~present[..., None], math.nan)
        return self.out(mean), F.pad(features, (0, 0, 0, rest), value=math.nan)

    def _windows(self, h: Tensor) -> Tensor:
        """Each token with its neighbours, [B, T, neighbours width]; zero beyond the ends."""
        half = self.neighbours // 2
        wide = F.pad(h, (0, 0, half, half))
        return torch.cat([wide[:, k : k + h.shape[1]] for k in range(self.neighbours)], dim=2)


class Table(nn.Module):
    """An embedding: a learned row for each number."""

    def __init__(self, rows: int, width: int):
        super().__init__()
        self.rows = nn.Parameter(torch.empty(rows, width))
        self.draw(seeds.generator(0))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Normal rows of half the usual standard deviation."""
        self.rows.normal_(std=0.5, generator=generator)

    def forward(self, numbers: Tensor) -> Tensor:
        return F.embedding(numbers, self.rows)


class Temperature(nn.Module):
    """The scale of the logits, the exponential of a learned number: 1 / 0.07 at first, 100 at most."""

    def __init__(self):
        super().__init__()
        self.log = nn.Parameter(torch.empty(()))
        self.draw(None)

    @torch.no_grad()
    def draw(self, generator: torch.Generator | None) -> None:
        """The same for every seed."""
        self.log.fill_(math.log(1 / 0.07))

    def forward(self) -> Tensor:
        return self.log.clamp(max=math.log(MAX_SCALE)).exp()


class Clip(nn.Module):
    """An image encoder, a text encoder and their temperature. Initial weights follow from ``seed``. Raises Problem for
    more than ``layers.MAX_WEIGHTS`` weights, before anything is allocated.

    added: how many of the words, the last ones, were learned after all other weights (``models.clip_words``).
    """

    def __init__(
        self, words: int, channels: int, side: int, width: int, size: int, seed: int = 0, neighbours: int = 0,
        added: int = 0,
    ):  # fmt: skip
        super().__init__()
        self.size, self.side, self.added = size, side, added
        with torch.device("meta"):
            self.image = ImageEncoder(channels, side, width, size)
            self.text = TextEncoder(words, 2 * width, size, neighbours)
            self.temperature = Temperature()
        allocate(self, seed)

    def images(self, x: Tensor) -> Tensor:
        """Images [B, channels, side, side] in [-1, 1] to unit vectors [B, size]."""
        return F.normalize(self.image(x), dim=1)

    def captions(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T] to unit vectors [B, size]."""
        return F.normalize(self.text(tokens)[0], dim=1)

    def forward(self, x: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The vectors of both, and the scale of their logits."""
        return self.images(x), self.captions(tokens), self.temperature()


def clip(
    words: int, channels: int = 3, side: int = 32, width: int = 32, size: int = 64, seed: int = 0, neighbours: int = 0,
    added: int = 0,
) -> Clip:  # fmt: skip
    """An untrained pair of encoders for a vocabulary of so many words and images of ``side``, a multiple of 8.

    neighbours: words that the text encoder's convolution sees at once, an odd number; 0: it knows no order. added: see
    `Clip`. Initial weights follow from ``seed``. Raises Problem for sizes that are not possible, before anything is
    allocated.
    """
    check("words", words, 1, MAX_WORDS)
    check("channels", channels, 1, MAX_CHANNELS)
    check("side", side, 8, 256)
    check("width", width, 2, MAX_WIDTH)
    check("size", size, 2, MAX_WIDTH)
    check("neighbours", neighbours, 0, MAX_NEIGHBOURS)
    check("added", added, 0, words - 1)
    if side % 2**LEVELS or width % 2 or (neighbours and neighbours % 2 == 0):
        raise Problem("clip_sizes", side=side, width=width, factor=2**LEVELS, neighbours=neighbours)
    return Clip(words, channels, side, width, size, seed, neighbours, added)
