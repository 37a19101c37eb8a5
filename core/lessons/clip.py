"""What chapter 6 computes: a small pair of towers that learns while one looks, and what a trained pair answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data import captions, images
from core.data.captions import Pairs, Tokenizer
from core.data.images import unit
from core.models import clip as clip_model
from core.models import clip_queries
from core.models.clip import ClipConfig
from core.models.clip_queries import Difference, Texts
from core.networks.clip import Clip
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, loss_curve, loss_history, recorded

PLAN = ClipConfig(width=16, size=64, batch=128, steps=1_500, lr=5e-3, warmup=50, weight_decay=0.1, ema=0.95, shift=2)
FRAMES = {round(10 * 1.25**k) for k in range(40)}  # steps whose matrix is kept
N = 12  # pictures of the matrix
SEEN = (
    "cat face", "pizza", "rocket", "red apple", "guitar", "sunflower", "soccer ball", "octopus", "umbrella", "house",
    "penguin", "person surfing", "bicycle", "hot beverage", "airplane", "snowman",
)  # fmt: skip
UNSEEN = (
    "red heart", "grinning face", "dog face", "woman swimming", "man singer", "green circle", "yellow square",
    "right arrow", "woman cook", "man running", "mouse face", "woman fairy", "orange heart", "up arrow", "woman artist",
    "superhero",
)  # fmt: skip
GROUPS = {
    "face": "Smileys & Emotion", "person": "People & Body", "animal": "Animals & Nature", "food": "Food & Drink",
    "place": "Travel & Places", "activity": "Activities", "object": "Objects", "sign": "Symbols",
}  # fmt: skip
"""A short name for each of the Unicode groups that the truth of a zero-shot answer is known by."""

HAT = "construction worker", "person"
MOST = 12  # prompts


@cache
def pairs() -> Pairs:
    """What all learn from: the emoji with their captions."""
    return captions.emoji()


@cache
def known() -> Tokenizer:
    """The words of their captions that are trained on."""
    return captions.tokenizer(pairs())


@cache
def groups() -> tuple[str, ...]:
    """The short name of each picture's Unicode group; its full name if it has none."""
    emoji = images.emoji()
    short = {full: name for name, full in GROUPS.items()}
    return tuple(short.get(emoji.classes[label], emoji.classes[label]) for label in emoji.labels.tolist())


@cache
def shown(held_out: bool) -> tuple[int, ...]:
    """The ``N`` pictures of the matrix, of those that are trained on or of those held out."""
    place = {caption: i for i, caption in enumerate(pairs().captions)}
    known = [place[name] for name in (UNSEEN if held_out else SEEN) if name in place]
    return tuple(i for i in known if pairs().held_out[i] == held_out)[:N]


# Learned while one looks


@dataclass
class Lesson(Progress):
    """A run under way, and the matrices of some of its steps so far, [2, N, N]."""

    frames: dict[int, Tensor] = field(default_factory=dict)


def run(plan: ClipConfig, progress: Progress) -> Iterator[Lesson]:
    """Train on from ``progress`` to the end of the plan; yields after each step. Raises as ``clip.run`` does."""
    lesson = Lesson(**vars(progress))
    state, begun = lesson.state, lesson.state.step
    # A run that blew up has gone back some steps; its matrices go back with it.
    lesson.frames = {step: frame for step, frame in lesson.frames.items() if step < begun}
    lesson.frames[begun] = matrix(state.ema, known())
    for _ in recorded(lesson, clip_model.run(plan, pairs(), state)):
        if state.step in FRAMES:
            lesson.frames[state.step] = matrix(state.ema, known())
        yield lesson


def keep(progress: Progress, plan: ClipConfig) -> Checkpoint:
    """The checkpoint of a run under way, its loss so far included."""
    return Checkpoint(progress.state, {**clip_model.new_checkpoint(plan, pairs()).config, **loss_history(progress)})


@torch.no_grad()
def matrix(clip: Clip, words: Tokenizer) -> Tensor:
    """Cosines of captions (rows) with pictures (columns): of ``N`` that are trained on and of ``N`` held out,
    [2, N, N]; the diagonal is what belongs together."""
    return torch.stack([
        clip_queries.text_vectors(clip, words, [pairs().captions[i] for i in shown(held_out)])
        @ clip_queries.image_vectors(clip, unit(pairs().images[list(shown(held_out))])).T
        for held_out in (False, True)
    ])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run between two steps: its matrices [T, 2, N, N] after ``steps`` [T], the last of them now; the loss in blocks
    so far; and the scale that its logits have learned."""

    step: int
    steps: Tensor
    cosines: Tensor
    losses: Tensor
    scale: float


def snapshot(progress: Progress) -> Snapshot:
    """The picture of a run between two of its steps."""
    state = progress.state
    frames = {**getattr(progress, "frames", {}), state.step: matrix(state.ema, known())}
    steps, cosines = torch.tensor([*frames]), torch.stack([*frames.values()])
    return Snapshot(state.step, steps, cosines, loss_curve(progress), state.ema.temperature().item())


def right(cosines: Tensor) -> int:
    """How many captions (rows of [N, N]) are nearest to their own picture."""
    return int((clip_queries.ranks(cosines) == 0).sum())


# A trained pair, and all that it says of the collection


@dataclass(frozen=True, eq=False)
class Space:
    """A pair of towers, the vectors [N, size] that it gives the pictures and the captions of the collection, and those
    of the words that may name a difference, with what cannot be told apart from each."""

    clip: Clip
    known: Tokenizer
    pictures: Tensor
    captions: Tensor
    words: dict[str, tuple[str, ...]]
    word_vectors: Tensor
    as_word: Texts  # from any words to such vectors, see retrieval.in_captions
    middle: Tensor  # of those words, each a text of its own

    def text(self, text: str) -> Tensor:
        """The vector of a text, [size]."""
        return clip_queries.text_vectors(self.clip, self.known, [text])[0]

    def picture(self, pixels: Tensor) -> Tensor:
        """The vector of a picture uint8 [3, 32, 32], [size]."""
        return clip_queries.image_vectors(self.clip, unit(pixels[None]))[0]

    def directions(self, asked: Sequence[Difference]) -> Tensor:
        """From each picture without to the one with it, [len(asked), size] (see ``retrieval.steady``)."""
        images = partial(clip_queries.image_vectors, self.clip)
        return clip_queries.directions(pairs(), partial(clip_queries.mean_over_shifts, images), asked)


def space(checkpoint: Checkpoint) -> Space:
    """Where a pair of towers puts the whole collection. Raises ValueError for one of other pictures or words."""
    clip, known = checkpoint.state.ema, clip_model.tokenizer_of(checkpoint.config)
    words = clip_queries.candidate_words(pairs())
    try:
        pictures = clip_queries.image_vectors(clip, unit(pairs().images))
    except RuntimeError as error:
        raise ValueError("These towers are for pictures of another size than the collection's.") from error
    told = partial(clip_queries.text_vectors, clip, known)
    as_word, middle = clip_queries.mean_over_captions(pairs(), told), told(list(words)).mean(0)
    return Space(clip, known, pictures, told(pairs().captions), words, as_word(list(words)), as_word, middle)


def nearest(vectors: Tensor, query: Tensor, among: Tensor, k: int) -> list[tuple[int, float]]:
    """The ``k`` of the rows ``among`` [m] of ``vectors`` that are nearest to a query [size], each with its cosine."""
    cosines, order = (vectors[among] @ F.normalize(query, dim=0)).sort(descending=True)
    return list(zip(among[order[:k]].tolist(), cosines[:k].tolist()))


def accuracy(space: Space) -> tuple[float, float]:
    """The share of held-out pictures whose caption is first, and among the first ten, of all held-out captions."""
    own = pairs().indices(held_out=True)
    rank = clip_queries.ranks(space.pictures[own] @ space.captions[own].T)
    return clip_queries.recall_at(rank, 1), clip_queries.recall_at(rank, 10)


# Zero-shot


@dataclass(frozen=True)
class Prompt:
    """A class by its name, told in one text or in several whose mean counts (Radford et al. 2021, section 3.1.4)."""

    name: str
    texts: tuple[str, ...]


def prompts(text: str) -> tuple[Prompt, ...]:
    """The prompts of lines such as "animal: cat, dog, bird"; a line without a colon is name and text at once.

    Raises ValueError for fewer than two, for more than ``MOST``, and for a name that comes twice.
    """
    lines = [line.partition(":") for line in text.splitlines() if line.strip(" :,\t")]
    found = tuple(
        Prompt(name.strip(), tuple(part.strip() for part in (rest or name).split(",") if part.strip()))
        for name, _, rest in lines
    )
    if not 2 <= len(found) <= MOST:
        raise ValueError(f"There are {len(found)} prompts; give 2 to {MOST}, one a line.")
    if len({prompt.name for prompt in found}) < len(found) or not all(prompt.name and prompt.texts for prompt in found):
        raise ValueError("Each line needs a name of its own, and a text.")
    return found


def classify(space: Space, asked: Sequence[Prompt], among: Tensor) -> Tensor:
    """What each of the pictures ``among`` [m] is of the prompts, as probabilities [m, P]: the softmax of the cosines,
    scaled as in training."""
    told = [F.normalize(clip_queries.text_vectors(space.clip, space.known, one.texts).mean(0), dim=0) for one in asked]
    with torch.no_grad():
        return (space.clip.temperature() * space.pictures[among] @ torch.stack(told).T).softmax(1)


@dataclass(frozen=True)
class Accuracy:
    """Of how many pictures the group is among the prompts, the share of them that is given its own, and the same by
    group."""

    n: int
    right: float
    by_group: dict[str, float]

    @property
    def mean(self) -> float:
        """The mean over the groups, each counting the same."""
        return sum(self.by_group.values()) / len(self.by_group)


def score(asked: Sequence[Prompt], probabilities: Tensor, among: Tensor) -> Accuracy | None:
    """How often the most probable prompt names the picture's own group; None where no prompt is named after one."""
    names = [prompt.name for prompt in asked]
    hits: dict[str, list[bool]] = {}
    for i, best in zip(among.tolist(), probabilities.argmax(1).tolist()):
        if groups()[i] in names and groups()[i] in GROUPS:
            hits.setdefault(groups()[i], []).append(names[best] == groups()[i])
    if not hits:
        return None
    n = sum(map(len, hits.values()))
    shares = {name: sum(hits[name]) / len(hits[name]) for name in GROUPS if name in hits}
    return Accuracy(n, sum(map(sum, hits.values())) / n, shares)


# Arithmetic


@dataclass(frozen=True)
class Answer:
    """The words nearest to a picture minus another, best first, each with its cosine."""

    difference: Difference
    words: tuple[tuple[str, float], ...]

    @property
    def right(self) -> bool:
        """Whether the attribute is the nearest word."""
        return self.words[0][0] == self.difference.attribute


def named(space: Space, direction: Tensor, k: int = 8) -> tuple[tuple[str, float], ...]:
    """The ``k`` words nearest to a direction [size], each with its cosine; none where it has no length."""
    if direction.norm() < 1e-6:
        return ()
    words = list(space.words)
    cosines, order = clip_queries.nearest_words(direction, space.word_vectors)
    return tuple((words[i], cosine) for i, cosine in zip(order[:k].tolist(), cosines[:k].tolist()))


def place_of(space: Space, word: str, direction: Tensor) -> tuple[int, float]:
    """Which place a word would have among the words nearest to a direction [size], 1 the first, and its cosine."""
    mean = space.word_vectors.mean(0)
    cosine = (F.normalize(space.as_word([word])[0] - mean, dim=0) @ F.normalize(direction, dim=0)).item()
    return 1 + int((clip_queries.nearest_words(direction, space.word_vectors)[0] > cosine + 1e-6).sum()), cosine


def answers(space: Space) -> list[Answer]:
    """The answer to each held-out difference."""
    asked = differences()
    return [Answer(one, named(space, direction)) for one, direction in zip(asked, space.directions(asked), strict=True)]


@cache
def differences() -> list[Difference]:
    """All held-out differences (see ``retrieval.differences``)."""
    return clip_queries.differences(pairs())


def hat() -> Difference:
    """The example that is shown and not counted: of the pictures of hats, some that were trained on are much alike."""
    place = {caption: i for i, caption in enumerate(pairs().captions)}
    return Difference("hat", *(place[name] for name in HAT))


def by_linear() -> list[bool]:
    """Whether the linear baseline puts the right word first, for each held-out difference, asked as suits it best: by
    words and pictures as they are. Takes seconds."""
    own, words = pairs(), list(clip_queries.candidate_words(pairs()))
    texts = [" ".join((caption, *some)) for caption, some in zip(own.captions, own.keywords)]
    maps = clip_queries.linear(own, texts)
    vectors = maps.texts(words)
    found = []
    for one in differences():
        with_it, without = maps.images(unit(own.images[[one.with_it, one.without]]))
        found.append(words[clip_queries.nearest_words(with_it - without, vectors)[1][0]] == one.attribute)
    return found


def moved(space: Space, picture: int, minus: str, plus: str) -> Tensor:
    """The vector of a picture without what one text says and with what another says, [size]; an empty text changes
    nothing."""
    by = [space.text(text) - space.middle if text.strip() else 0 for text in (minus, plus)]
    return F.normalize(space.pictures[picture] - by[0] + by[1], dim=0)


# The map

AXES = "principal", "between groups", "across the gap"


@cache
def plain() -> tuple[int, ...]:
    """The pictures whose caption names no skin tone: most emoji are people, five in six of them in a tone."""
    return tuple(i for i, caption in enumerate(pairs().captions) if not captions.tone(caption))


@dataclass(frozen=True, eq=False)
class Plane:
    """The ``plain`` pictures [n, 2] and their captions [n, 2] on two axes, the share of the variance of all that lies
    along each, and the distance between the mean picture and the mean caption."""

    pictures: Tensor
    captions: Tensor
    shares: tuple[float, float]
    gap: float


def plane(space: Space, axes: str) -> Plane:
    """The vectors in two dimensions: along the two principal axes of all (Pearson 1901); along those of the means of
    the groups; or along the gap, from the mean caption to the mean picture, and the principal axis of what is left."""
    own = list(plain())
    every, n = torch.cat([space.pictures[own], space.captions[own]]), len(own)
    centred, gap = every - every.mean(0), every[:n].mean(0) - every[n:].mean(0)
    along = {
        "principal": lambda: principal(centred),
        "between groups": lambda: principal(_means(centred)),
        "across the gap": lambda: _from(F.normalize(gap, dim=0), centred),
    }[axes]()
    xy = centred @ along
    shares = xy.square().sum(0) / centred.square().sum()
    return Plane(xy[:n], xy[n:], tuple(shares.tolist()), gap.norm().item())


def principal(centred: Tensor, k: int = 2) -> Tensor:
    """The ``k`` axes [size, k] along which rows [n, size] vary the most; the sum of each axis is not negative."""
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :k]
    return axes * torch.where(axes.sum(0) < 0, -1, 1)


def _means(centred: Tensor) -> Tensor:
    """The mean of each group, over pictures and captions, [G, size]."""
    names = [groups()[i] for i in plain()] * 2
    return torch.stack([centred[[name == group for name in names]].mean(0) for group in GROUPS])


def _from(first: Tensor, centred: Tensor) -> Tensor:
    """An axis [size], and the principal axis of what it leaves, [size, 2]."""
    rest = centred - (centred @ first)[:, None] * first
    return torch.cat([first[:, None], principal(rest, 1)], 1)
