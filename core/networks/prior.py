"""A diffusion transformer of one token, which is a vector: the prior of unCLIP, which samples the vector of an image
given a caption (Ramesh et al. 2022, section 2.2, where it is a longer sequence; here the caption's tokens are attended
to)."""

import torch
from torch import Tensor, nn

from core.networks.dit import Block
from core.networks.embeddings import Cond, Conditioning, TokenEmbedding
from core.networks.layers import MAX_BLOCKS, MAX_VECTOR, MAX_WIDTH, allocate, check, check_input, zero
from core.problems import Problem


class VectorNet(nn.Module):
    """F(x[B, dim], c_noise[B], cond) -> [B, dim]; zero before training. cond holds "embed" [B, vector] (a row of NaN:
    none) and "tokens" [B, T, token] (a row of NaN: absent). Initial weights follow from ``seed``. Raises Problem for
    more than ``layers.MAX_WEIGHTS`` weights, before anything is allocated."""

    def __init__(self, dim: int, vector: int, token: int, width: int, blocks: int, heads: int, seed: int = 0):
        super().__init__()
        self.dim = dim
        with torch.device("meta"):
            self.conditioning = Conditioning(width, vector=vector)
            self.tokens = TokenEmbedding(token, width) if token else None
            self.stem = nn.Linear(dim, width)
            self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
            self.norm = nn.LayerNorm(width, elementwise_affine=False)
            self.tell = zero(nn.Linear(width, 2 * width))
            self.head = zero(nn.Linear(width, dim))
        allocate(self, seed)

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        check_input(x, (self.dim,))
        embedding, memory, mask = self.conditioning(c_noise, cond), None, None
        if self.tokens is not None:
            memory, mask = self.tokens((cond or {}).get("tokens"), len(x), places=1)
        h = self.stem(x)[:, None]
        for block in self.blocks:
            h = block(h, embedding, memory, mask)
        shift, scale = self.tell(embedding)[:, None].chunk(2, dim=2)
        return self.head(torch.addcmul(shift, self.norm(h), 1 + scale))[:, 0]


def vectors(
    dim: int, vector: int = 0, token: int = 0, seed: int = 0, width: int = 128, blocks: int = 4, heads: int = 4
) -> VectorNet:
    """A network for vectors of ``dim`` numbers, with condition vectors and tokens of those sizes (0: none).

    Initial weights follow from ``seed``. Raises Problem for sizes that are not possible, before anything is allocated.
    """
    check("dim", dim, 1, MAX_VECTOR)
    check("vector", vector, 0, MAX_VECTOR)
    check("token", token, 0, MAX_VECTOR)
    check("width", width, 4, MAX_WIDTH)
    check("blocks", blocks, 1, MAX_BLOCKS)
    check("heads", heads, 1, width)
    if width % heads:
        raise Problem("heads_width", width=width, heads=heads)
    return VectorNet(dim, vector, token, width, blocks, heads, seed)
