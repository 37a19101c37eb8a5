"""How a network is told things: layers with seeded initial weights, the noise level, the class label."""

import torch
from torch import Tensor, nn

from core import seeds


def linear(inputs: int, outputs: int, seed: int, zero: bool = False) -> nn.Linear:
    """A linear layer with PyTorch's usual uniform initial weights, drawn from ``seed``; all zero with ``zero``."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = 0.0 if zero else inputs**-0.5
    draw = seeds.generator(seed)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=draw)
        layer.bias.uniform_(-bound, bound, generator=draw)
    return layer


class LabelEmbedding(nn.Module):
    """Label [B] to a learned vector [B, width]; the last row is the learned null, for label -1 and for no label."""

    def __init__(self, classes: int, width: int, seed: int):
        super().__init__()
        self.classes = classes
        self.table = nn.Parameter(torch.randn(classes + 1, width, generator=seeds.generator(seed)))

    def forward(self, label: Tensor | None, batch: int) -> Tensor:
        if label is None:
            return self.table[-1].expand(batch, -1)
        return self.table[torch.where(label < 0, self.classes, label)]
