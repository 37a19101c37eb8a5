"""Embeddings of what a network is conditioned on: noise level, label, attributes, vector and tokens. Each but the first
has a learned null, which stands for "no condition"."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import seeds

Cond = Mapping[str, Tensor]


class NoiseEmbedding(nn.Module):
    """c_noise = log(sigma) / 4 [B] to sines and cosines [B, width], with wavelengths from 12 down to 0.1.

    For sigma from 0.002 to 80, c_noise covers a range of 2.7, so the longest wave distinguishes all levels. No weights.
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
        self.draw(seeds.generator(0))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Standard normal rows."""
        self.table.normal_(generator=generator)

    def forward(self, label: Tensor | None, batch: int) -> Tensor:
        if label is None:
            return self.table[-1].expand(batch, -1)
        return self.table[torch.where(label < 0, self.classes, label)]


class AttributesEmbedding(nn.Module):
    """Attributes [B, A] to the sum of a learned vector for each, [B, width].

    sizes: how many values each attribute has. An attribute has a learned null of its own, for -1 and for no attributes.
    """

    def __init__(self, sizes: Sequence[int], width: int):
        super().__init__()
        starts = [0, *accumulate(size + 1 for size in sizes)]
        # Not buffers: their values follow from ``sizes``, and networks are made without memory.
        self.starts, self.nulls = starts[:-1], [end - 1 for end in starts[1:]]
        self.table = nn.Parameter(torch.empty(starts[-1], width))
        self.draw(seeds.generator(0))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Normal rows, whose sum over all attributes has unit variance."""
        self.table.normal_(std=len(self.starts) ** -0.5, generator=generator)

    def forward(self, attributes: Tensor | None, batch: int) -> Tensor:
        nulls = torch.tensor(self.nulls, device=self.table.device)
        if attributes is None:
            return self.table[nulls].sum(0).expand(batch, -1)
        rows = attributes + torch.tensor(self.starts, device=self.table.device)
        return F.embedding(torch.where(attributes < 0, nulls, rows), self.table).sum(1)


class VectorEmbedding(nn.Module):
    """Vector [B, size] to [B, width]; a learned null stands in for a row of NaN and for no vector."""

    def __init__(self, size: int, width: int):
        super().__init__()
        self.null = nn.Parameter(torch.empty(size))
        self.linear = nn.Linear(size, width)
        self.draw(seeds.generator(0))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """A null of about unit length, like the vectors of CLIP."""
        self.null.normal_(generator=generator).mul_(len(self.null) ** -0.5)

    def forward(self, vector: Tensor | None, batch: int) -> Tensor:
        null = self.null.expand(batch, -1)
        return self.linear(null if vector is None else torch.where(vector.isnan().any(1, keepdim=True), null, vector))


class TokenEmbedding(nn.Module):
    """Tokens [B, T, size] to the context of attention, [B, T + 1, width]; the first is a learned null, always present.

    A row of NaN is an absent token: padding of a shorter caption, or of no caption at all. Also returns the mask of
    what ``places`` tokens of an image may attend to, themselves included: [B, 1, 1, places + T + 1].
    """

    def __init__(self, size: int, width: int):
        super().__init__()
        self.null = nn.Parameter(torch.empty(width))
        self.linear = nn.Linear(size, width)
        self.draw(seeds.generator(0))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """A standard normal null."""
        self.null.normal_(generator=generator)

    def forward(self, tokens: Tensor | None, batch: int, places: int) -> tuple[Tensor, Tensor | None]:
        null = self.null.expand(batch, 1, -1)
        if tokens is None:
            return null, None
        present = ~tokens.isnan().any(2)
        embedded = self.linear(torch.where(present[..., None], tokens, 0))
        mask = torch.cat([present.new_ones(batch, places + 1), present], dim=1)
        return torch.cat([null, embedded], dim=1), mask[:, None, None]


class Conditioning(nn.Module):
    """Noise level, label, attributes and vector as one vector [B, width]: an MLP's layer of the sum of their
    embeddings."""

    def __init__(self, width: int, classes: int = 0, vector: int = 0, attributes: Sequence[int] = ()):
        super().__init__()
        self.level = nn.Sequential(NoiseEmbedding(64), nn.Linear(64, width))
        self.label = LabelEmbedding(classes, width) if classes else None
        self.attributes = AttributesEmbedding(attributes, width) if attributes else None
        self.vector = VectorEmbedding(vector, width) if vector else None
        self.mix = nn.Linear(width, width)

    def forward(self, c_noise: Tensor, cond: Cond | None, frames: Tensor | None = None) -> Tensor:
        """frames [T, width]: what tells the frames of a clip apart; then the result is [B T, width]."""
        cond, embedding = cond or {}, self.level(c_noise)
        if self.label is not None:
            embedding = embedding + self.label(cond.get("label"), len(embedding))
        if self.attributes is not None:
            embedding = embedding + self.attributes(cond.get("attributes"), len(embedding))
        if self.vector is not None:
            embedding = embedding + self.vector(cond.get("embed"), len(embedding))
        if frames is not None:
            embedding = (embedding[:, None] + frames).flatten(0, 1)
        return F.silu(self.mix(F.silu(embedding)))
