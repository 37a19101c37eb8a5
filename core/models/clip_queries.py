"""What a trained CLIP is used for: retrieval, naming the difference of two images; and a linear baseline."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core import seeds
from core.data.captions import ARITHMETIC, Pairs, Tokenizer, kind, tokenizer, tone, words
from core.data.images import unit
from core.diffusion.denoiser import in_chunks
from core.models.shifts import all_shifts
from core.networks.clip import Clip

Images, Texts = Callable[[Tensor], Tensor], Callable[[Sequence[str]], Tensor]  # to vectors [N, size]

NO_NAMES = frozenset("a and at for in no not of off on or out over the to under up with without".split())
MIN_NAMES = 6  # a word may name a difference if so many names have it
SHIFT = 2  # pixels that training moves an image by at most
_TIES = 0x71E5  # keeps the order of equal similarities apart from other uses of a seed
RIDGE = 0.1  # of the baseline: share of each side's largest eigenvalue


@torch.no_grad()
def image_vectors(clip: Clip, x: Tensor, size: int = 256) -> Tensor:
    """Unit vectors [N, size] of images [N, C, H, W] in [-1, 1], on the encoders' device, computed in chunks."""
    device = next(clip.parameters()).device
    return in_chunks(lambda chunk: clip.images(chunk.to(device)), size)(x)


@torch.no_grad()
def text_vectors(clip: Clip, tokenizer: Tokenizer, texts: Sequence[str], size: int = 256) -> Tensor:
    """Unit vectors [len(texts), size] of texts, on the encoders' device, computed in chunks."""
    device = next(clip.parameters()).device
    return in_chunks(lambda chunk: clip.captions(chunk.to(device)), size)(tokenizer.encode(texts))


def ranks(similarity: Tensor) -> Tensor:
    """The rank of the matching column of each row of [N, N] (the diagonal), from 0, [N].

    Columns of equal similarity are put in a random order, always the same, so that ties count as chance.
    """
    matching = similarity.diag()[:, None]
    greater, equal = (similarity > matching).sum(1), (similarity == matching).sum(1)
    return greater + (seeds.uniform(len(similarity), 0, _TIES).to(similarity.device) * equal).long()


def recall_at(rank: Tensor, k: int) -> float:
    """Recall at k: the share of ranks [N] below k."""
    return (rank < k).double().mean().item()


def held_out_ranks(pairs: Pairs, images: Images, texts: Texts) -> Tensor:
    """The rank of the caption of each held-out image among the captions of all held-out images, [N]."""
    part = pairs.indices(held_out=True)
    return ranks(images(unit(pairs.images[part])) @ texts([pairs.captions[i] for i in part.tolist()]).T)


# Words of a difference


@dataclass(frozen=True)
class Difference:
    """An image with an attribute and the image that lacks only that, as indices of pairs."""

    attribute: str
    with_it: int
    without: int


def differences(pairs: Pairs) -> list[Difference]:
    """All held-out emoji with an attribute of ``ARITHMETIC``, each with the emoji of the same skin tone without it."""
    place: dict[tuple[str, str], int] = {}
    for i, caption in enumerate(pairs.captions):
        place.setdefault((kind(caption), tone(caption)), i)
    return [
        Difference(attribute, i, place[plain, at])
        for attribute, kinds in ARITHMETIC.items()
        for (name, at), i in place.items()
        if (plain := kinds.get(name)) and pairs.held_out[i] and (plain, at) in place
    ]


def candidate_words(pairs: Pairs) -> dict[str, tuple[str, ...]]:
    """The words that may name a difference, each with the other words that it stands for.

    These are the words in the names of at least ``MIN_NAMES`` trained images, and the attributes; not "with" and the
    like. Words that mostly occur with the same images (both have more than half of the images that either has) cannot
    be told apart by a model that learns from captions: the most frequent of them stands for all.
    """
    having: dict[str, set[int]] = {}
    names: Counter[str] = Counter()
    for i in pairs.indices(held_out=False).tolist():
        names.update(set(words(pairs.captions[i])))
        for word in {word for text in (pairs.captions[i], *pairs.keywords[i]) for word in words(text)}:
            having.setdefault(word, set()).add(i)
    found: dict[str, list[str]] = {}
    for word in sorted(having, key=lambda word: (-len(having[word]), word)):
        if (names[word] >= MIN_NAMES and word not in NO_NAMES) or word in ARITHMETIC:
            same = (one for one in found if 2 * len(having[one] & having[word]) > len(having[one] | having[word]))
            found.setdefault(next(same, word), []).append(word)
    return {word: tuple(rest) for word, (_, *rest) in found.items()}


def nearest_words(direction: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of a direction [size] with word vectors [W, size] minus their mean, descending, and the order of the
    words."""
    centred = F.normalize(vectors - vectors.mean(0), dim=1)
    return (centred @ F.normalize(direction, dim=0)).sort(descending=True)


def mean_over_shifts(images: Images, x: Tensor, shift: int = SHIFT) -> Tensor:
    """Vectors [N, size] of images [N, C, H, W], each the mean over all places that training moves the image to."""
    return torch.stack([images(moved) for moved in all_shifts(x, shift)]).mean(0)


def mean_over_captions(pairs: Pairs, texts: Texts) -> Texts:
    """From words to vectors [W, size], each the mean over the captions of all trained images that have the word in
    their name or keywords.

    As with an ensemble of prompts (Radford et al. 2021, section 3.1.4), the rest of the captions averages out; a word
    alone is a caption that training hardly ever draws. A word of no caption stands for itself.
    """
    part = pairs.indices(held_out=False).tolist()
    having = [{word for text in (pairs.captions[i], *pairs.keywords[i]) for word in words(text)} for i in part]
    captions = texts([pairs.captions[i] for i in part])

    def vectors(names: Sequence[str]) -> Tensor:
        found = [[k for k, some in enumerate(having) if name in some] for name in names]
        return torch.stack([captions[k].mean(0) if k else texts([name])[0] for name, k in zip(names, found)])

    return vectors


def directions(pairs: Pairs, images: Images, differences: Sequence[Difference]) -> Tensor:
    """The vector of the image with the attribute minus that of the image without it, [len(asked), size]."""
    x = unit(pairs.images)
    return torch.sub(*(images(x[[getattr(one, end) for one in differences]]) for end in ("with_it", "without")))


def attribute_ranks(pairs: Pairs, images: Images, vectors: Texts) -> list[tuple[Difference, int]]:
    """For each of the ``differences`` the rank of its attribute among all candidate words, by the ``vectors`` of
    words."""
    found, names = differences(pairs), list(candidate_words(pairs))
    if not found:
        return []
    word_vectors = vectors(names)
    orders = (nearest_words(one, word_vectors)[1].tolist() for one in directions(pairs, images, found))
    return [(one, order.index(names.index(one.attribute))) for one, order in zip(found, orders)]


# The baseline


@dataclass(frozen=True, eq=False)
class Linear:
    """Canonical correlation analysis (Hotelling 1936): linear maps from pixels and from a bag of words to vectors whose
    correlation is largest, in closed form."""

    tokenizer: Tokenizer
    means: tuple[Tensor, Tensor]
    maps: tuple[Tensor, Tensor]

    def images(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] to unit vectors [N, size]."""
        return F.normalize((x.flatten(1) - self.means[0]) @ self.maps[0], dim=1)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Texts to unit vectors [len(texts), size]."""
        return F.normalize((bags_of_words(self.tokenizer, texts) - self.means[1]) @ self.maps[1], dim=1)


def bags_of_words(tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """1 for each word that a text contains, else 0, [len(texts), words]."""
    tokens = tokenizer.encode(texts, 64)
    return torch.zeros(len(texts), len(tokenizer.vocabulary) + 1).scatter_(1, tokens, 1)[:, 1:]


def linear(pairs: Pairs, texts: Sequence[str], size: int = 128) -> Linear:
    """The linear baseline for the training part of ``pairs`` with a text for each pair; ridge-regularised."""
    trained_on, known = pairs.indices(held_out=False), tokenizer(pairs)
    sides = (
        unit(pairs.images[trained_on]).flatten(1),
        bags_of_words(known, [texts[i] for i in trained_on.tolist()]),
    )
    means = tuple(side.mean(0) for side in sides)
    centred = tuple(side - mean for side, mean in zip(sides, means))
    roots = tuple(map(_root, centred))
    half = torch.linalg.solve_triangular(roots[0], centred[0].T @ centred[1], upper=False)
    whitened = torch.linalg.solve_triangular(roots[1], half.T, upper=False).T
    *axes, strength = _largest(whitened, size)
    maps = (torch.linalg.solve_triangular(root.T, axis, upper=True) for root, axis in zip(roots, axes))
    return Linear(known, means, tuple(one * strength.sqrt() for one in maps))


def _root(centred: Tensor) -> Tensor:
    """Cholesky root [d, d] of the scatter of [N, d] with a ridge."""
    scatter = centred.T @ centred
    axis = seeds.gaussian((len(scatter), 1), 0).to(scatter)
    for _ in range(60):
        axis = F.normalize(scatter @ axis, dim=0)
    ridge = RIDGE * (axis.T @ scatter @ axis)
    return torch.linalg.cholesky(scatter + ridge * torch.eye(len(scatter), dtype=scatter.dtype))


def _largest(matrix: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The left and right singular vectors [., size] of the largest singular values, and these values.

    By subspace iteration: a full decomposition of a matrix of some thousand rows takes a minute of one core.
    """
    right = seeds.gaussian((matrix.shape[1], min(2 * size, *matrix.shape)), 1).to(matrix)
    for _ in range(8):
        right = torch.linalg.qr(matrix.T @ (matrix @ right))[0]
    left, strength, turned = torch.linalg.svd(matrix @ right, full_matrices=False)
    return left[:, :size], right @ turned[:size].T, strength[:size]
