"""The collections on the page: pictures with captions, the vectors that a CLIP gives them, unknown words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.figures.scene import Images, Panel
from core.lessons import clip as lesson
from core.lessons import clip_people as people_lesson
from core.lessons.clip import Space
from core.lessons.clip_people import PeopleSpace
from core.models import clip_space
from core.models.unclip import fingerprint
from core.pretrained import pretrained
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint
from pages.ui.frame.links import name_of
from pages.ui.frame.text import fixed, t
from pages.ui.widgets.html_cards import EnglishText

Nearest = Sequence[tuple[int, float]]  # numbers of pairs, each with a cosine


@dataclass(frozen=True)
class Encoders:
    """A trained CLIP; equal keys are equal weights."""

    key: str
    checkpoint: Checkpoint = field(compare=False, repr=False)


def shipped(name: str = "clip") -> Encoders:
    """A shipped CLIP: that of emoji, or of another name."""
    return Encoders(name, pretrained(name))


def of_run(checkpoint: Checkpoint) -> Encoders:
    """The CLIP of a learner's run."""
    return Encoders(fingerprint(checkpoint.state.ema), checkpoint)


@shared_cache(4)
def space_of(encoders: Encoders) -> Space:
    """The vectors that a CLIP gives to the emoji."""
    return lesson.embed(encoders.checkpoint)


@shared_cache(4)
def people_space_of(encoders: Encoders, language: str) -> PeopleSpace:
    """The vectors that a CLIP gives to people, and to captions of a language."""
    return people_lesson.embed(encoders.checkpoint, language)


def captions() -> tuple[str, ...]:
    """The captions of the emoji, which name them."""
    return clip_space.pairs().captions


def name(number: int) -> EnglishText:
    """The caption of a picture, as HTML cards show it."""
    return EnglishText(captions()[number])


def number_of(caption: str) -> int:
    """The number of the picture with a caption."""
    return captions().index(caption)


def numbers(which: str) -> Tensor:
    """The numbers of the pairs that are "held_out", or of "all"."""
    return clip_space.pairs().indices(held_out=True) if which == "held_out" else torch.arange(len(captions()))


def pictures(title: str, found: Nearest, role: str = "data", columns: int | None = None, caption: str = "") -> Panel:
    """Pictures of the collection with their captions and cosines."""
    numbers = [i for i, _ in found]
    names = [f"{captions()[i]}, {fixed(cosine)}" for i, cosine in found]
    pixels = clip_space.pairs().images[numbers].movedim(1, -1)[None]
    return Panel(title, [Images(pixels, columns, colour=role, names=names)], caption=caption)


def picture(number: int, title: str | None = None, role: str = "data") -> Panel:
    """One picture of the collection, with its caption as the title unless another is given."""
    pixels = clip_space.pairs().images[number, None, None].movedim(2, -1)
    return Panel(captions()[number] if title is None else title, [Images(pixels, colour=role)])


def listed(words: Sequence[str]) -> str:
    """Words that a learner typed, as inert code; the first six, if there are more."""
    return ", ".join(map(name_of, words[:6])) + (t("clip.unknown.more") if len(words) > 6 else "")
