"""How a network is told things: noise level, label, vector and tokens, each with a learned null for "not told"."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Cond = Mapping[str, Tensor]


class NoiseEmbedding(nn.Module):
    """c_noise = log(sigma) / 4 [B] to sines and cosines [B, width], with wavelengths from 12 down to 0.1.

    Over sigma from 0.002 to 80 c_noise runs through 2.7, so the longest tells all levels apart. No weights.
    """

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, c_noise: Tensor) -> Tensor:
        octaves = torch.linspace(-1, 6, self.width // 2, dtype=c_noise.dtype, device=c_noise.device)
        angle = c_noise[:, None] * octaves.exp2()
        return torch.cat([angle.cos(), angle.sin()], dim=1)


class LabelEmbedding(nn.Module):
    """Label [B] to a learned vector [B, width]; the last row is the learned null, for label -1 and for no label."""

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.classes = classes
        self.table = nn.Parameter(torch.empty(classes + 1, width))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Standard normal rows."""
        self.table.normal_(generator=generator)

    def forward(self, label: Tensor | None, batch: int) -> Tensor:
        if label is None:
            return self.table[-1].expand(batch, -1)
        return self.table[torch.where(label < 0, self.classes, label)]


class VectorEmbedding(nn.Module):
    """Vector [B, size] to [B, width]; a learned null stands in for a row of NaN and for no vector."""

    def __init__(self, size: int, width: int):
        super().__init__()
        self.null = nn.Parameter(torch.empty(size))
        self.linear = nn.Linear(size, width)

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """A null of about unit length, like the embeddings of a pair of towers."""
        self.null.normal_(generator=generator).mul_(len(self.null) ** -0.5)

    def forward(self, vector: Tensor | None, batch: int) -> Tensor:
        null = self.null.expand(batch, -1)
        return self.linear(null if vector is None else torch.where(vector.isnan().any(1, keepdim=True), null, vector))


class TokenEmbedding(nn.Module):
    """Tokens [B, T, size] as something to attend to, [B, T + 1, width]; the first is a learned null, always there.

    A row of NaN is a token that is not there: it fills up a shorter caption, or takes the place of a whole one. Also
    returns what ``places`` tokens of an image may attend to, themselves included: a mask [B, 1, 1, places + T + 1].
    """

    def __init__(self, size: int, width: int):
        super().__init__()
        self.null = nn.Parameter(torch.empty(width))
        self.linear = nn.Linear(size, width)

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """A standard normal null."""
        self.null.normal_(generator=generator)

    def forward(self, tokens: Tensor | None, batch: int, places: int) -> tuple[Tensor, Tensor | None]:
        null = self.null.expand(batch, 1, -1)
        if tokens is None:
            return null, None
        there = ~tokens.isnan().any(2)
        told = self.linear(torch.where(there[..., None], tokens, 0))
        mask = torch.cat([there.new_ones(batch, places + 1), there], dim=1)
        return torch.cat([null, told], dim=1), mask[:, None, None]


class Conditioning(nn.Module):
    """Noise level, label and vector as one vector [B, width], the sum of what is told of each."""

    def __init__(self, width: int, classes: int = 0, vector: int = 0):
        super().__init__()
        self.level = nn.Sequential(NoiseEmbedding(64), nn.Linear(64, width))
        self.label = LabelEmbedding(classes, width) if classes else None
        self.vector = VectorEmbedding(vector, width) if vector else None
        self.mix = nn.Linear(width, width)

    def forward(self, c_noise: Tensor, cond: Cond | None) -> Tensor:
        cond, told = cond or {}, self.level(c_noise)
        if self.label is not None:
            told = told + self.label(cond.get("label"), len(told))
        if self.vector is not None:
            told = told + self.vector(cond.get("embed"), len(told))
        return F.silu(self.mix(F.silu(told)))
