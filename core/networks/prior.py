"""A diffusion transformer of one token, which is a vector: what draws a picture's vector for a caption (Ramesh et al.
2022, section 2.2, where it is a longer sequence; here the caption's tokens are attended to)."""

import torch
from torch import Tensor, nn

from core.networks.dit import Block
from core.networks.embeddings import Cond, Conditioning, TokenEmbedding
from core.networks.layers import MAX_BLOCKS, MAX_VECTOR, MAX_WIDTH, build, check, zero


class VectorNet(nn.Module):
    """F(x[B, dim], c_noise[B], cond) -> [B, dim]; zero before training. cond holds "embed" [B, vector] (a row of NaN:
    none) and "tokens" [B, T, token] (a row of NaN: not there)."""

    def __init__(self, dim: int, vector: int, token: int, width: int, blocks: int, heads: int):
        super().__init__()
        self.dim = dim
        self.conditioning = Conditioning(width, vector=vector)
        self.tokens = TokenEmbedding(token, width) if token else None
        self.stem = nn.Linear(dim, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.tell = zero(nn.Linear(width, 2 * width))
        self.head = zero(nn.Linear(width, dim))

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"this network is for vectors [B, {self.dim}], not for {list(x.shape)}")
        told, memory, mask = self.conditioning(c_noise, cond), None, None
        if self.tokens is not None:
            memory, mask = self.tokens((cond or {}).get("tokens"), len(x), places=1)
        h = self.stem(x)[:, None]
        for block in self.blocks:
            h = block(h, told, memory, mask)
        shift, scale = self.tell(told)[:, None].chunk(2, dim=2)
        return self.head(torch.addcmul(shift, self.norm(h), 1 + scale))[:, 0]


def vectors(
    dim: int, vector: int = 0, token: int = 0, seed: int = 0, width: int = 128, blocks: int = 4, heads: int = 4
) -> VectorNet:
    """A network for vectors of ``dim`` numbers, told vectors and tokens of those sizes (0: none).

    Initial weights follow from ``seed``. Raises ValueError for sizes that there are not, before anything is allocated.
    """
    check("vector size", dim, 1, MAX_VECTOR)
    check("size of what it is told", vector, 0, MAX_VECTOR)
    check("token size", token, 0, MAX_VECTOR)
    check("width", width, 4, MAX_WIDTH)
    check("number of blocks", blocks, 1, MAX_BLOCKS)
    check("number of heads", heads, 1, width)
    if width % heads:
        raise ValueError(f"a width of {width} does not part into {heads} heads")
    return build(lambda: VectorNet(dim, vector, token, width, blocks, heads), seed)
