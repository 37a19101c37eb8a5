"""The text encoder of the video model: the tokens of a caption as vectors, and one vector of the whole caption."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.networks.clip import MAX_NEIGHBOURS, MAX_WORDS, TextEncoder
from core.networks.layers import MAX_WIDTH, allocate, check, check_attributes
from core.problems import Problem


class CaptionReader(nn.Module):
    """Tokens [B, T] to the logits of what a caption names, a tuple of [B, values].

    ``encode`` gives what a model is conditioned on: the vector of the caption, which is the probability of each of
    these values, [B, all values], and the features of each token in its context, [B, T, width] (NaN: padding).
    """

    def __init__(self, words: int, width: int, size: int, neighbours: int, named: Sequence[int], seed: int):
        super().__init__()
        self.named = list(named)
        with torch.device("meta"):
            self.text = TextEncoder(words, width, size, neighbours)
            self.read = nn.Linear(size, sum(self.named))
        allocate(self, seed)

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        vector, features = self.text(tokens)
        logits = self.read(vector).split(self.named, 1)
        return torch.cat([each.softmax(1) for each in logits], 1), features

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        return self.read(self.text(tokens)[0]).split(self.named, 1)


def caption_reader(
    words: int, named: Sequence[int], width: int = 96, size: int = 128, neighbours: int = 5, seed: int = 0
) -> CaptionReader:
    """An untrained text encoder for a vocabulary of so many words; named: the number of values of each thing that a
    caption may name. Initial weights follow from ``seed``. Raises Problem for sizes that are not possible."""
    check("words", words, 1, MAX_WORDS)
    check("width", width, 4, MAX_WIDTH)
    check("size", size, 2, MAX_WIDTH)
    check("neighbours", neighbours, 0, MAX_NEIGHBOURS)
    check_attributes(named)
    if width % 4 or (neighbours and neighbours % 2 == 0):
        raise Problem("reader_sizes", width=width, neighbours=neighbours)
    return CaptionReader(words, width, size, neighbours, named, seed)
