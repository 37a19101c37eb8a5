"""Collections of pictures with captions, the vectors that a CLIP gives to them, and these in two dimensions.

People and emoji have this in common. What a CLIP answers about either is in ``core.lessons``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data import captions
from core.data.captions import Pairs, Tokenizer
from core.data.images import unit
from core.models import clip_queries
from core.networks.clip import Clip
from core.problems import Problem
from core.runs.caching import shared_cache

N_PEOPLE = 4_000


def pairs(data: str = "emoji") -> Pairs:
    """The pictures with their captions of a set: emoji, which all models of emoji are trained on, or people."""
    return _pairs(data)


@shared_cache(None)
def _pairs(data: str) -> Pairs:
    return captions.emoji() if data == "emoji" else captions.load(data, n=N_PEOPLE)


def names(data: str, language: str) -> tuple[str, ...]:
    """The captions of a set in a language; those of people in Chinese are their keywords."""
    if language == "en" or data == "emoji":
        return pairs(data).captions
    return tuple(some[0] for some in pairs(data).keywords)


# Vectors


@dataclass(frozen=True, eq=False)
class Vectors:
    """A CLIP with the unit vectors that it gives to a collection.

    Attributes:
        clip, tokenizer: the two encoders, and the words that they know.
        pairs: the collection.
        pictures, captions: its vectors, each [N, size].
    """

    clip: Clip
    tokenizer: Tokenizer
    pairs: Pairs
    pictures: Tensor
    captions: Tensor

    def text(self, text: str) -> Tensor:
        """The vector of a text, [size]."""
        return clip_queries.text_vectors(self.clip, self.tokenizer, [text])[0]

    def picture(self, pixels: Tensor) -> Tensor:
        """The vector of a picture uint8 [3, h, w], [size]."""
        return clip_queries.image_vectors(self.clip, unit(pixels[None]))[0]


def picture_vectors(clip: Clip, pairs: Pairs) -> Tensor:
    """The vectors of all pictures. Raises Problem for a CLIP of pictures of another size."""
    try:
        return clip_queries.image_vectors(clip, unit(pairs.images))
    except RuntimeError as error:
        raise Problem("clip_other_pictures") from error


def nearest(vectors: Tensor, query: Tensor, among: Tensor, k: int) -> list[tuple[int, float]]:
    """The ``k`` of the rows ``among`` [m] of ``vectors`` that are nearest to a query [size], each with its cosine."""
    cosines, order = (vectors[among] @ F.normalize(query, dim=0)).sort(descending=True)
    return list(zip(among[order[:k]].tolist(), cosines[:k].tolist()))


def retrieval_accuracy(space: Vectors) -> tuple[float, float]:
    """The share of held-out pictures whose caption is the first, and among the first ten, of all held-out captions."""
    held_out = space.pairs.indices(held_out=True)
    rank = clip_queries.ranks(space.pictures[held_out] @ space.captions[held_out].T)
    return clip_queries.recall_at(rank, 1), clip_queries.recall_at(rank, 10)


# Projections to two dimensions


@dataclass(frozen=True, eq=False)
class Projection:
    """Pictures [n, 2] and their captions [n, 2] on two axes.

    Attributes:
        pictures, captions: where they are.
        shares: the share of the total variance along each axis.
        gap: the distance between the mean picture and the mean caption, in all dimensions.
    """

    pictures: Tensor
    captions: Tensor
    shares: tuple[float, float]
    gap: float


def projection(pictures: Tensor, captions: Tensor, axes: str, groups: Sequence[str]) -> Projection:
    """Vectors [n, size] of pictures and of their captions in two dimensions; ``groups``: the group of each of the n.

    axes: "principal", the two principal axes of all vectors (Pearson 1901); "between_groups", those of the means of the
    groups; "across_gap", from the mean caption to the mean picture, and the principal axis of the rest.
    """
    every, n = torch.cat([pictures, captions]), len(pictures)
    centred, gap = every - every.mean(0), pictures.mean(0) - captions.mean(0)
    directions = AXES[axes](centred, gap, groups)
    xy = centred @ directions
    shares = xy.square().sum(0) / centred.square().sum()
    return Projection(xy[:n], xy[n:], tuple(shares.tolist()), gap.norm().item())


def principal_axes(centred: Tensor, k: int = 2) -> Tensor:
    """The ``k`` axes [size, k] along which rows [n, size] vary the most; the sum of each axis is not negative."""
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :k]
    return axes * torch.where(axes.sum(0) < 0, -1, 1)


def _group_means(centred: Tensor, groups: Sequence[str]) -> Tensor:
    """The mean of each group, over pictures and captions, [G, size]."""
    names = [*groups, *groups]
    return torch.stack([centred[[name == group for name in names]].mean(0) for group in sorted(set(groups))])


def _gap_axes(centred: Tensor, gap: Tensor) -> Tensor:
    """The direction of the gap, and the principal axis of what it leaves, [size, 2]."""
    first = F.normalize(gap, dim=0)
    rest = centred - (centred @ first)[:, None] * first
    return torch.cat([first[:, None], principal_axes(rest, 1)], 1)


AXES: dict[str, Callable[[Tensor, Tensor, Sequence[str]], Tensor]] = {
    "principal": lambda centred, gap, groups: principal_axes(centred),
    "between_groups": lambda centred, gap, groups: principal_axes(_group_means(centred, groups)),
    "across_gap": lambda centred, gap, groups: _gap_axes(centred, gap),
}
"""From centred vectors [n, size], the gap [size] and the groups [n / 2] to two axes [size, 2]."""
