"""Two towers, one for pictures and one for words, to vectors of one size (CLIP; Radford et al. 2021); small ones."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.captions import PADDING
from core.networks.layers import MAX_WIDTH, Attention, build, check, group_norm

MAX_WORDS = 50_000
MAX_SCALE = 100.0  # of the logits (section 2.5)
LEVELS = 3


class ImageTower(nn.Module):
    """Pictures [B, channels, side, side] in [-1, 1] to vectors [B, size]: squares of four pixels, then convolutions,
    each level with half the side and twice the channels of the one above; the last is read whole."""

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


class TextTower(nn.Module):
    """Tokens [B, T] to vectors [B, size] and, for each token, what it means here, [B, T, width] (NaN: no token).

    Each word looks at the others once; the mean over the words is the caption.
    """

    def __init__(self, words: int, width: int, size: int):
        super().__init__()
        self.word = Table(words + 1, width)
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads=4)
        self.norm2, self.wide, self.back = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.out = nn.Linear(width, size)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        there = tokens != PADDING
        h = self.word(tokens)
        # A caption without a known word attends to its padding: any answer will do that is not NaN.
        mask = (there | ~there.any(1, keepdim=True))[:, None, None]
        h = h + self.attention(self.norm1(h), mask=mask)
        h = h + self.back(F.silu(self.wide(self.norm2(h))))
        mean = (h * there[..., None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        return self.out(mean), h.masked_fill(~there[..., None], math.nan)


class Table(nn.Module):
    """A learned row for each number."""

    def __init__(self, rows: int, width: int):
        super().__init__()
        self.rows = nn.Parameter(torch.empty(rows, width))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Normal rows of half the usual size: what a word means is to be learned."""
        self.rows.normal_(std=0.5, generator=generator)

    def forward(self, numbers: Tensor) -> Tensor:
        return F.embedding(numbers, self.rows)


class Temperature(nn.Module):
    """The scale of the logits, the exponential of a number that is learned: 1 / 0.07 at first, 100 at most."""

    def __init__(self):
        super().__init__()
        self.log = nn.Parameter(torch.empty(()))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """The same whatever the seed."""
        self.log.fill_(math.log(1 / 0.07))

    def forward(self) -> Tensor:
        return self.log.clamp(max=math.log(MAX_SCALE)).exp()


class Clip(nn.Module):
    """The pair of towers and the temperature that is learned with them."""

    def __init__(self, words: int, channels: int, side: int, width: int, size: int):
        super().__init__()
        self.size, self.side = size, side
        self.image, self.text = ImageTower(channels, side, width, size), TextTower(words, 2 * width, size)
        self.temperature = Temperature()

    def images(self, x: Tensor) -> Tensor:
        """Pictures [B, channels, side, side] in [-1, 1] to unit vectors [B, size]."""
        return F.normalize(self.image(x), dim=1)

    def captions(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T] to unit vectors [B, size]."""
        return F.normalize(self.text(tokens)[0], dim=1)

    def forward(self, x: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The vectors of both, and the scale of their logits."""
        return self.images(x), self.captions(tokens), self.temperature()


def clip(words: int, channels: int = 3, side: int = 32, width: int = 32, size: int = 64, seed: int = 0) -> Clip:
    """Two untrained towers for so many words and pictures of ``side``, which is a multiple of 8.

    Initial weights follow from ``seed``. Raises ValueError for sizes that there are not, before anything is allocated.
    """
    check("number of words", words, 1, MAX_WORDS)
    check("side", side, 8, 256)
    check("width", width, 8, MAX_WIDTH)
    check("vector size", size, 2, MAX_WIDTH)
    if side % 2**LEVELS or width % 8 or channels not in (1, 3):
        raise ValueError(
            f"towers take sides and widths that are multiples of 8 and 1 or 3 channels, not {side}, {width}, {channels}"
        )
    return build(lambda: Clip(words, channels, side, width, size), seed)
