"""What a pair of towers is asked: which caption, which picture, which class, which word; and a linear baseline."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core import seeds
from core.data.captions import ARITHMETIC, Pairs, Tokenizer, kind, tokenizer, tone, words
from core.data.images import unit
from core.networks.clip import Clip

Images, Texts = Callable[[Tensor], Tensor], Callable[[Sequence[str]], Tensor]  # to vectors [N, size]

NO_NAMES = frozenset("a and at for in no not of off on or out over the to under up with without".split())
MIN_NAMES = 6  # a word may name a difference if so many names have it
SHIFT = 2  # pixels that training moves a picture by at most
RIDGE = 0.1  # of the baseline: share of each side's largest eigenvalue


@torch.no_grad()
def image_vectors(clip: Clip, x: Tensor, size: int = 256) -> Tensor:
    """Unit vectors [N, size] of pictures [N, C, H, W] in [-1, 1], some at a time."""
    return torch.cat([clip.images(part) for part in x.split(size)])


@torch.no_grad()
def text_vectors(clip: Clip, known: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Unit vectors [len(texts), size] of texts."""
    return clip.captions(known.encode(texts))


def ranks(similarity: Tensor) -> Tensor:
    """How many columns of [N, N] beat the one that belongs to each row (the diagonal), [N]; 0: retrieved first."""
    return (similarity > similarity.diag()[:, None]).sum(1)


def recall_at(rank: Tensor, k: int) -> float:
    """The share of ranks [N] among the first k."""
    return (rank < k).double().mean().item()


def held_out_ranks(pairs: Pairs, images: Images, texts: Texts) -> Tensor:
    """How many names of the pairs held out beat the own name of each of their pictures, [N]."""
    part = pairs.indices(held_out=True)
    return ranks(images(unit(pairs.images[part])) @ texts([pairs.captions[i] for i in part.tolist()]).T)


# Words of a difference


@dataclass(frozen=True)
class Difference:
    """A picture with an attribute and the picture that lacks just that: numbers of a set's pairs."""

    attribute: str
    with_it: int
    without: int


def differences(pairs: Pairs) -> list[Difference]:
    """All held-out emoji with an attribute of ``ARITHMETIC``, each with the emoji of the same skin tone without."""
    place: dict[tuple[str, str], int] = {}
    for i, caption in enumerate(pairs.captions):
        place.setdefault((kind(caption), tone(caption)), i)
    return [
        Difference(attribute, i, place[plain, at])
        for attribute, kinds in ARITHMETIC.items()
        for (own, at), i in place.items()
        if (plain := kinds.get(own)) and pairs.held_out[i] and (plain, at) in place
    ]


def candidate_words(pairs: Pairs) -> dict[str, tuple[str, ...]]:
    """The words that may name a difference: those in the names of ``MIN_NAMES`` pictures that are trained on, or more, and
    the attributes themselves; each with the others that it stands for. "with" and its like name nothing.

    Words of the same pictures in the main (more than half of those that either has, both have) cannot be told apart by
    anything that learns from captions: the most frequent stands for all.
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
    """Cosines of a direction [size] with word vectors [W, size] about their mean, descending, and the words' order."""
    centred = F.normalize(vectors - vectors.mean(0), dim=1)
    return (centred @ F.normalize(direction, dim=0)).sort(descending=True)


def mean_over_shifts(images: Images, x: Tensor, shift: int = SHIFT) -> Tensor:
    """Vectors [N, size] of pictures [N, C, H, W]: of each the mean over all places that training moves it to, up to
    ``shift`` pixels down and across, as what stands in a picture does not hang on where."""
    height, width = x.shape[2:]
    wide, places = F.pad(x, (shift,) * 4, mode="replicate"), range(2 * shift + 1)
    moved = (wide[..., down : down + height, across : across + width] for down in places for across in places)
    return torch.stack([images(one) for one in moved]).mean(0)


def mean_over_captions(pairs: Pairs, texts: Texts) -> Texts:
    """From words to vectors [W, size]: of each the mean over the captions of all pictures trained on that it is said
    of, in their name or keywords. As with an ensemble of prompts (Radford et al. 2021, section 3.1.4), what else a
    caption says averages out; a word alone is a caption that hardly ever was. A word of no caption stands alone."""
    part = pairs.indices(held_out=False).tolist()
    said = [{word for text in (pairs.captions[i], *pairs.keywords[i]) for word in words(text)} for i in part]
    captions = texts([pairs.captions[i] for i in part])

    def vectors(names: Sequence[str]) -> Tensor:
        having = [[k for k, own in enumerate(said) if name in own] for name in names]
        return torch.stack([captions[k].mean(0) if k else texts([name])[0] for name, k in zip(names, having)])

    return vectors


def directions(pairs: Pairs, images: Images, asked: Sequence[Difference]) -> Tensor:
    """From each picture without the attribute to the one with it, [len(asked), size]."""
    x = unit(pairs.images)
    return torch.sub(*(images(x[[getattr(one, end) for one in asked]]) for end in ("with_it", "without")))


def attribute_ranks(pairs: Pairs, images: Images, vectors: Texts) -> list[tuple[Difference, int]]:
    """For each of the ``differences`` how many words beat the right one as its nearest, by the ``vectors`` of words."""
    asked, names = differences(pairs), list(candidate_words(pairs))
    if not asked:
        return []
    words = vectors(names)
    places = (nearest_words(one, words)[1].tolist() for one in directions(pairs, images, asked))
    return [(one, order.index(names.index(one.attribute))) for one, order in zip(asked, places)]


# The baseline


@dataclass(frozen=True, eq=False)
class Linear:
    """A closed-form pair of linear maps (canonical correlation analysis; Hotelling 1936) from pixels and from a bag of
    words to vectors whose correlation is largest."""

    known: Tokenizer
    means: tuple[Tensor, Tensor]
    maps: tuple[Tensor, Tensor]

    def images(self, x: Tensor) -> Tensor:
        """Pictures [N, C, H, W] in [-1, 1] to unit vectors [N, size]."""
        return F.normalize((x.flatten(1).double() - self.means[0]) @ self.maps[0], dim=1)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Texts to unit vectors [len(texts), size]."""
        return F.normalize((bags_of_words(self.known, texts) - self.means[1]) @ self.maps[1], dim=1)


def bags_of_words(known: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Which words a text has, [len(texts), words] of 0 and 1, float64."""
    tokens = known.encode(texts, 64)
    return F.one_hot(tokens, len(known.vocabulary) + 1).amax(1)[:, 1:].double()


def linear(pairs: Pairs, texts: Sequence[str], size: int = 128) -> Linear:
    """The linear pair of the training part of ``pairs``, with a text for each pair; ridge-regularised."""
    own, known = pairs.indices(held_out=False), tokenizer(pairs)
    sides = unit(pairs.images[own]).flatten(1).double(), bags_of_words(known, [texts[i] for i in own.tolist()])
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
    """The left and right singular vectors [., size] of the largest singular values, and these, by subspace iteration:
    a whole decomposition of matrices of some thousand rows takes a minute of one core."""
    right = seeds.gaussian((matrix.shape[1], min(2 * size, *matrix.shape)), 1).to(matrix)
    for _ in range(8):
        right = torch.linalg.qr(matrix.T @ (matrix @ right))[0]
    left, strength, turned = torch.linalg.svd(matrix @ right, full_matrices=False)
    return left[:, :size], right @ turned[:size].T, strength[:size]
