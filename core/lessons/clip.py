"""Chapter 8: a small CLIP that is trained live, and what a trained one answers about the collection of emoji.

Retrieval, zero-shot classification, arithmetic with vectors, and projections of the vectors to two dimensions. What a
CLIP of people answers is in ``clip_people``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data import captions, images, people_captions
from core.data.captions import Tokenizer
from core.data.images import unit
from core.models import clip as clip_model
from core.models import clip_queries, people_queries
from core.models.clip import ClipConfig
from core.models.clip_queries import Difference, Texts
from core.models.clip_space import Projection, Vectors, pairs, picture_vectors, projection
from core.problems import Problem
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, loss_curve, loss_history, recorded

CONFIG = ClipConfig(width=16, size=64, batch=128, steps=1_500, lr=5e-3, warmup=50, weight_decay=0.1, ema=0.95, shift=2)
PEOPLE_CONFIG = replace(CONFIG, weight_decay=0.05, shift=0, neighbours=5)
LANGUAGES = {"people": people_captions.LANGUAGES, "emoji": ("en",)}
"""The languages of the captions of each set of pictures that a CLIP is trained on."""

MATRIX_STEPS = {round(10 * 1.25**k) for k in range(40)}  # training steps whose matrix is stored
N = 12  # pairs of a matrix
NOT_NAMED, NAMED = ("skin", "background"), 4  # attributes in the captions of people of a matrix
TRAINED_ON = (
    "cat face", "pizza", "rocket", "red apple", "guitar", "sunflower", "soccer ball", "octopus", "umbrella", "house",
    "penguin", "person surfing", "bicycle", "hot beverage", "airplane", "snowman",
)  # fmt: skip
HELD_OUT = (
    "red heart", "grinning face", "dog face", "woman swimming", "man singer", "green circle", "yellow square",
    "right arrow", "woman cook", "man running", "mouse face", "woman fairy", "orange heart", "up arrow", "woman artist",
    "superhero",
)  # fmt: skip
GROUPS = {
    "face": "Smileys & Emotion", "person": "People & Body", "animal": "Animals & Nature", "food": "Food & Drink",
    "place": "Travel & Places", "activity": "Activities", "object": "Objects", "sign": "Symbols",
}  # fmt: skip
"""A short name for each Unicode group, which is the true class in zero-shot classification."""

WORDINGS = (
    "face\nperson\nanimal\nfood\nplace: building\nactivity: sport\nobject: tool\nsign",
    "face: face, smile, heart, cat face\nperson: person, man, woman, hand\nanimal: animal, bird, insect, flower\n"
    "food: food, fruit, drink, sweet, vegetable\nplace: building, vehicle, weather, moon\n"
    "activity: sport, game, medal\nobject: clothing, book, tool, office, music\nsign: button, arrow, square, zodiac",
)  # fmt: skip
"""Two lists of prompts for the eight groups, as `parse_prompts` reads them."""

HAT = "construction worker", "person"
MOST_PROMPTS = 12


def tokenizer(data: str = "emoji") -> Tokenizer:
    """The words of the captions that are trained on."""
    return _tokenizer(data)


@cache
def _tokenizer(data: str) -> Tokenizer:
    return captions.tokenizer(pairs(data))


@cache
def groups() -> tuple[str, ...]:
    """The short name of each picture's Unicode group; its full name if it has none."""
    emoji = images.emoji()
    short = {full: name for name, full in GROUPS.items()}
    return tuple(short.get(emoji.classes[label], emoji.classes[label]) for label in emoji.labels.tolist())


def matrix_pairs(held_out: bool, data: str = "emoji") -> tuple[int, ...]:
    """The numbers of the ``N`` pairs of the matrix, of those that are trained on or of those held out."""
    if data == "people":
        return tuple(_matrix_people(held_out))
    number = {caption: i for i, caption in enumerate(pairs().captions)}
    found = [number[name] for name in (HELD_OUT if held_out else TRAINED_ON) if name in number]
    return tuple(i for i in found if pairs().held_out[i] == held_out)[:N]


@cache
def matrix_captions(held_out: bool, data: str = "emoji", language: str = "en") -> tuple[str, ...]:
    """The captions of these pairs. Those of people name some attributes, which none of the other people has."""
    if data == "people":
        return tuple(_short_caption(named, language) for named in _matrix_people(held_out).values())
    return tuple(pairs().captions[i] for i in matrix_pairs(held_out))


@cache
def _matrix_people(held_out: bool) -> dict[int, dict[str, str]]:
    """The first people who can be told apart by the attributes given with each."""
    people, found = pairs("people").people, {}
    for k in pairs("people").indices(held_out).tolist():
        named = {name: value for name, value in people.named(k).items() if value != "none" and name not in NOT_NAMED}
        chosen = people_captions.choose(named, k, fewest=NAMED, most=NAMED)
        alike = people_queries.matching(people, chosen)
        if len(chosen) == NAMED and not alike[list(found)].any() and not any(map(partial(_has, k), found.values())):
            found[k] = chosen
        if len(found) == N:
            break
    return found


def _has(k: int, named: dict[str, str]) -> bool:
    """Whether person k visibly has attributes."""
    visible = pairs("people").people.named(k)
    return all(visible.get(name) in people_captions.values(name, value) for name, value in named.items())


def _short_caption(named: dict[str, str], language: str) -> str:
    """The shortest of some wordings."""
    return min((people_captions.caption(named, language, seed) for seed in range(40)), key=len)


# Live training


@dataclass
class MatrixProgress(Progress):
    """A run under way with the matrices of some of its steps, step -> [K, N, N] (see `matrix`)."""

    frames: dict[int, Tensor] = field(default_factory=dict)


def run(config: ClipConfig, progress: Progress, data: str = "emoji") -> Iterator[MatrixProgress]:
    """Train on a set from ``progress`` to the last step of the configuration; yields after each step.

    Raises as ``core.models.clip.run`` does.
    """
    progress = MatrixProgress(**vars(progress))
    state, first = progress.state, progress.state.step
    # A run that diverged has gone back some steps; its matrices go back with it.
    progress.frames = {step: frame for step, frame in progress.frames.items() if step < first}
    progress.frames[first] = matrix(state.ema, tokenizer(data), data)
    for _ in recorded(progress, clip_model.run(config, pairs(data), state)):
        if state.step in MATRIX_STEPS:
            progress.frames[state.step] = matrix(state.ema, tokenizer(data), data)
        yield progress


def checkpoint(progress: Progress, config: ClipConfig, data: str = "emoji") -> Checkpoint:
    """The checkpoint of a run under way, its loss so far included."""
    stored = clip_model.new_checkpoint(config, pairs(data)).config
    return Checkpoint(progress.state, {**stored, **loss_history(progress)})


@torch.no_grad()
def matrix(clip: clip_model.Clip, tokenizer: Tokenizer, data: str = "emoji") -> Tensor:
    """Cosines of captions (rows) with pictures (columns), [K, N, N]: in each language of the pairs that are trained on
    and of those held out (see `matrix_number`). A caption and its own picture meet on the diagonal."""
    return torch.stack([
        clip_queries.text_vectors(clip, tokenizer, matrix_captions(held_out, data, language))
        @ clip_queries.image_vectors(clip, unit(pairs(data).images[list(matrix_pairs(held_out, data))])).T
        for language in LANGUAGES[data]
        for held_out in (False, True)
    ])  # fmt: skip


def matrix_number(held_out: bool, data: str = "emoji", language: str = "en") -> int:
    """Which of the matrices of `matrix` has these captions."""
    return 2 * LANGUAGES[data].index(language) + held_out


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run between two steps.

    Attributes:
        step: steps of training so far.
        steps: the steps [T] of the matrices; the last one is ``step``.
        cosines: the matrices [T, K, N, N] (see `matrix`).
        losses: the loss so far in blocks (see ``core.runs.progress``).
        scale: what the logits are multiplied by, as learned so far.
    """

    step: int
    steps: Tensor
    cosines: Tensor
    losses: Tensor
    scale: float


def snapshot(progress: Progress, data: str = "emoji") -> Snapshot:
    """The snapshot of a run on a set between two of its steps."""
    state = progress.state
    frames = {**getattr(progress, "frames", {}), state.step: matrix(state.ema, tokenizer(data), data)}
    steps, cosines = torch.tensor([*frames]), torch.stack([*frames.values()])
    return Snapshot(state.step, steps, cosines, loss_curve(progress), state.ema.temperature().item())


def people_snapshot(progress: Progress) -> Snapshot:
    """The snapshot of a run on people."""
    return snapshot(progress, "people")


def count_matches(cosines: Tensor) -> int:
    """How many captions (rows of [N, N]) are nearest to their own picture."""
    return int((clip_queries.ranks(cosines) == 0).sum())


# The vectors of a trained CLIP


@dataclass(frozen=True, eq=False)
class Space(Vectors):
    """The vectors of emoji, and of the words that may name a difference.

    Attributes:
        synonyms: these words, each with those that cannot be told apart from it.
        words: their vectors, [W, size].
        embed_words: from any words to such vectors (see ``clip_queries.mean_over_captions``).
        word_mean: the mean vector [size] of the words, each embedded as a text of its own.
    """

    synonyms: dict[str, tuple[str, ...]]
    words: Tensor
    embed_words: Texts
    word_mean: Tensor

    def directions(self, differences: Sequence[Difference]) -> Tensor:
        """From each picture without the attribute to the one with it, [len(differences), size]; each picture counts as
        the mean over small shifts (see ``clip_queries.mean_over_shifts``)."""
        images = partial(clip_queries.image_vectors, self.clip)
        return clip_queries.directions(pairs(), partial(clip_queries.mean_over_shifts, images), differences)


def embed(checkpoint: Checkpoint) -> Space:
    """The vectors that a CLIP gives to the emoji. Raises Problem for a CLIP of pictures of another size."""
    clip, tokenizer = checkpoint.state.ema, clip_model.tokenizer_of(checkpoint.config)
    synonyms = clip_queries.candidate_words(pairs())
    pictures = picture_vectors(clip, pairs())
    texts = partial(clip_queries.text_vectors, clip, tokenizer)
    embed_words, word_mean = clip_queries.mean_over_captions(pairs(), texts), texts(list(synonyms)).mean(0)
    words = embed_words(list(synonyms))
    return Space(clip, tokenizer, pairs(), pictures, texts(pairs().captions), synonyms, words, embed_words, word_mean)


# Zero-shot classification


@dataclass(frozen=True)
class Prompt:
    """A class by its name and by one or several texts, of whose vectors the mean counts (Radford et al. 2021, section
    3.1.4)."""

    name: str
    texts: tuple[str, ...]


def parse_prompts(text: str) -> tuple[Prompt, ...]:
    """The prompts of lines such as "animal: cat, dog, bird"; in a line without a colon the name is also the text.

    Raises Problem for fewer than two prompts, for more than ``MOST_PROMPTS``, and for a name that is missing or comes
    twice.
    """
    lines = [line.partition(":") for line in text.splitlines() if line.strip(" :,\t")]
    found = tuple(
        Prompt(name.strip(), tuple(part.strip() for part in (rest or name).split(",") if part.strip()))
        for name, _, rest in lines
    )
    if not 2 <= len(found) <= MOST_PROMPTS:
        raise Problem("clip_prompt_count", n=len(found), most=MOST_PROMPTS)
    if len({prompt.name for prompt in found}) < len(found) or not all(prompt.name and prompt.texts for prompt in found):
        raise Problem("clip_prompt_name")
    return found


def classify(space: Space, prompts: Sequence[Prompt], among: Tensor) -> Tensor:
    """The probability of each prompt for each of the pictures ``among`` [m], as [m, P]: the softmax of the cosines,
    multiplied by the scale learned in training."""
    texts = partial(clip_queries.text_vectors, space.clip, space.tokenizer)
    vectors = torch.stack([F.normalize(texts(prompt.texts).mean(0), dim=0) for prompt in prompts])
    with torch.no_grad():
        return (space.clip.temperature() * space.pictures[among] @ vectors.T).softmax(1)


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a classification, counted over the ``n`` pictures whose group is among the prompts: of all of
    them, and by group."""

    n: int
    overall: float
    by_group: dict[str, float]

    @property
    def mean(self) -> float:
        """The mean over the groups, each counting the same."""
        return sum(self.by_group.values()) / len(self.by_group)


def accuracy(prompts: Sequence[Prompt], probabilities: Tensor, among: Tensor) -> Accuracy | None:
    """How often the most probable prompt names the picture's own group; None where no prompt is named after one."""
    names = [prompt.name for prompt in prompts]
    hits: dict[str, list[bool]] = {}
    for i, best in zip(among.tolist(), probabilities.argmax(1).tolist()):
        if groups()[i] in names and groups()[i] in GROUPS:
            hits.setdefault(groups()[i], []).append(names[best] == groups()[i])
    if not hits:
        return None
    n = sum(map(len, hits.values()))
    shares = {name: sum(hits[name]) / len(hits[name]) for name in GROUPS if name in hits}
    return Accuracy(n, sum(map(sum, hits.values())) / n, shares)


# Arithmetic with vectors


@dataclass(frozen=True)
class Answer:
    """The words nearest to one picture minus another, best first, each with its cosine."""

    difference: Difference
    words: tuple[tuple[str, float], ...]

    @property
    def correct(self) -> bool:
        """Whether the attribute is the nearest word."""
        return self.words[0][0] == self.difference.attribute


def nearest_words(space: Space, direction: Tensor, k: int = 8) -> tuple[tuple[str, float], ...]:
    """The ``k`` words nearest to a direction [size], each with its cosine; none for a direction of length 0."""
    if direction.norm() < 1e-6:
        return ()
    words = list(space.synonyms)
    cosines, order = clip_queries.nearest_words(direction, space.words)
    return tuple((words[i], cosine) for i, cosine in zip(order[:k].tolist(), cosines[:k].tolist()))


def word_rank(space: Space, word: str, direction: Tensor) -> tuple[int, float]:
    """The rank that a word has or would have among the words nearest to a direction [size], from 1, and its cosine."""
    mean = space.words.mean(0)
    cosine = (F.normalize(space.embed_words([word])[0] - mean, dim=0) @ F.normalize(direction, dim=0)).item()
    return 1 + int((clip_queries.nearest_words(direction, space.words)[0] > cosine + 1e-6).sum()), cosine


def answers(space: Space) -> list[Answer]:
    """The answer to each held-out difference."""
    directions = space.directions(differences())
    return [Answer(one, nearest_words(space, by)) for one, by in zip(differences(), directions, strict=True)]


@cache
def differences() -> list[Difference]:
    """All held-out differences (see ``clip_queries.differences``)."""
    return clip_queries.differences(pairs())


def hat() -> Difference:
    """An example that is shown and not counted: some pictures of hats that were trained on look much like it."""
    number = {caption: i for i, caption in enumerate(pairs().captions)}
    return Difference("hat", *(number[name] for name in HAT))


@shared_cache(None)
def linear() -> clip_queries.Linear:
    """The linear baseline for the emoji, each with its caption and keywords as its text. Takes seconds."""
    texts = [" ".join((caption, *some)) for caption, some in zip(pairs().captions, pairs().keywords)]
    return clip_queries.linear(pairs(), texts)


@shared_cache(None)
def linear_baseline() -> tuple[bool, ...]:
    """Whether the linear baseline puts the right word first, for each held-out difference. Takes seconds.

    It compares words and pictures as they are, without the averages of `Space`, which is what it answers best.
    """
    collection, words, maps = pairs(), list(clip_queries.candidate_words(pairs())), linear()
    vectors = maps.texts(words)
    found = []
    for one in differences():
        with_it, without = maps.images(unit(collection.images[[one.with_it, one.without]]))
        found.append(words[clip_queries.nearest_words(with_it - without, vectors)[1][0]] == one.attribute)
    return tuple(found)


def analogy(space: Space, picture: int, minus: str, plus: str) -> Tensor:
    """The vector of a picture minus that of one text plus that of another, [size]; an empty text changes nothing."""
    removed, added = (space.text(text) - space.word_mean if text.strip() else 0 for text in (minus, plus))
    return F.normalize(space.pictures[picture] - removed + added, dim=0)


# Projections to two dimensions


@cache
def without_skin_tone() -> tuple[int, ...]:
    """The pictures whose caption names no skin tone: most emoji are people, five in six of them with a tone."""
    return tuple(i for i, caption in enumerate(pairs().captions) if not captions.tone(caption))


def project(space: Space, axes: str) -> Projection:
    """The vectors of the emoji `without_skin_tone` in two dimensions."""
    untoned = list(without_skin_tone())
    return projection(space.pictures[untoned], space.captions[untoned], axes, [groups()[i] for i in untoned])
