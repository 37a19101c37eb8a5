"""The diffusion transformer (Peebles & Xie 2023): patches as tokens, each block conditioned by adaLN-Zero."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.networks.embeddings import Cond, Conditioning, TokenEmbedding
from core.networks.layers import (
    MAX_BLOCKS,
    MAX_VECTOR,
    MAX_WIDTH,
    Attention,
    allocate,
    check,
    check_attributes,
    check_data,
    check_input,
    check_side,
    to_image,
    to_tokens,
    zero,
)
from core.problems import Problem


class Block(nn.Module):
    """Attention, then an MLP at each place; shift, scale and gate of both follow from the condition (adaLN-Zero). The
    gates are zero at first."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
        self.tell = zero(nn.Linear(width, 6 * width))  # adaLN; the name stands in saved weights

    def forward(self, h: Tensor, embedding: Tensor, memory: Tensor | None, mask: Tensor | None) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.tell(embedding)[:, None].chunk(6, dim=2)
        h = torch.addcmul(h, gate1, self.attention(torch.addcmul(shift1, self.norm(h), 1 + scale1), memory, mask))
        return torch.addcmul(h, gate2, self.mlp(torch.addcmul(shift2, self.norm(h), 1 + scale2)))


class DiT(nn.Module):
    """F(x[B, channels, H, W], c_noise[B], cond) -> the same shape; zero before training.

    cond holds "label" [B] (-1: none), "attributes" [B, A] (-1: none), "embed" [B, vector] (a row of NaN: none) and
    "tokens" [B, T, token] (a row of NaN: absent), which every block attends to jointly with the patches. Positions are
    encoded by fixed sines, so H and W may be any multiples of ``patch``, also other ones than in training. Initial
    weights follow from ``seed``. Raises Problem for more than ``layers.MAX_WEIGHTS`` weights, before anything is
    allocated.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        vector: int,
        token: int,
        width: int,
        blocks: int,
        heads: int,
        patch: int,
        seed: int = 0,
        attributes: Sequence[int] = (),
    ):
        super().__init__()
        self.channels, self.patch = channels, patch
        with torch.device("meta"):
            self.conditioning = Conditioning(width, classes, vector, attributes)
            self.tokens = TokenEmbedding(token, width) if token else None
            self.stem = nn.Conv2d(channels, width, patch, stride=patch)
            self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
            self.norm = nn.LayerNorm(width, elementwise_affine=False)
            self.tell = zero(nn.Linear(width, 2 * width))
            self.head = zero(nn.Linear(width, channels * patch**2))
        allocate(self, seed)

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        check_input(x, (self.channels, None, None))
        for side in x.shape[2:]:
            check_side(side, self.patch)
        embedding, memory, mask = self.conditioning(c_noise, cond), None, None
        patches = self.stem(x)
        h = to_tokens(patches)
        h = h + positions(*patches.shape[2:], like=h)
        if self.tokens is not None:
            memory, mask = self.tokens((cond or {}).get("tokens"), len(x), h.shape[1])
        for block in self.blocks:
            h = block(h, embedding, memory, mask)
        shift, scale = self.tell(embedding)[:, None].chunk(2, dim=2)
        answer = self.head(torch.addcmul(shift, self.norm(h), 1 + scale))
        return F.pixel_shuffle(to_image(answer, like=patches), self.patch)


def positions(rows: int, columns: int, like: Tensor) -> Tensor:
    """Sines and cosines of row and column, a quarter of the width each, [rows columns, width] (Vaswani et al. 2017)."""
    quarter = like.shape[-1] // 4
    rate = 100 ** -torch.linspace(0, 1, quarter, device=like.device, dtype=like.dtype)

    def waves(n: int) -> Tensor:
        angle = torch.arange(n, device=like.device, dtype=like.dtype)[:, None] * rate
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    down, across = waves(rows)[:, None].expand(-1, columns, -1), waves(columns).expand(rows, -1, -1)
    return torch.cat([down, across], dim=2).flatten(0, 1)


def dit(
    side: int | Sequence[int],
    channels: int = 1,
    classes: int = 0,
    vector: int = 0,
    token: int = 0,
    seed: int = 0,
    width: int = 128,
    blocks: int = 6,
    heads: int = 4,
    patch: int = 2,
    attributes: Sequence[int] = (),
) -> DiT:
    """A diffusion transformer for images of a ``side`` (or height and width) and so many ``channels``, for ``classes``
    labels, condition vectors of size ``vector`` and tokens of size ``token`` (0: none). attributes: the number of
    values of each attribute, if there are any.

    Initial weights follow from ``seed``. Raises Problem for sizes that are not possible, before anything is allocated.
    """
    check("patch", patch, 1, 64)
    check_data(side, channels, classes, vector, factor=patch)
    check("token", token, 0, MAX_VECTOR)
    check("width", width, 4, MAX_WIDTH)
    check("blocks", blocks, 1, MAX_BLOCKS)
    check("heads", heads, 1, width)
    if width % 4 or width % heads:
        raise Problem("dit_width", width=width, heads=heads)
    check_attributes(attributes)
    return DiT(channels, classes, vector, token, width, blocks, heads, patch, seed, attributes)
