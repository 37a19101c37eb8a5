"""What chapter 7 computes: unCLIP stage by stage with every step kept, and how near its vectors are to pictures.

``unclip.pictures`` draws the same pictures and keeps the last step only. ``python -m core.lessons.unclip`` keeps the film
that the shipped models are first seen with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.images import unit
from core.lessons import films as lesson_films
from core.lessons.clip import Space, pairs
from core.models import clip_queries
from core.models import images as image_model
from core.models import unclip as unclip_model
from core.models.unclip import Unclip
from core.pretrained import pretrained

MOST = 40  # steps of a stage
WAY = 11  # pictures of an interpolation
FILE = Path(__file__).parents[1] / "pretrained" / "unclip.npz"


@dataclass(frozen=True)
class Take:
    """What is drawn, and how.

    Attributes:
        caption: what to draw; empty: anything.
        to: the caption at the other end of a way from one to the other, or None.
        picture: the number of a picture of the collection whose own vector is told in place of a caption's, or None.
        skip_prior: tell the decoder the caption's own vector.
        negative: the caption to lead away from, if any.
        scale: guidance of the decoder.
        prior_scale: guidance of the prior.
        n: pictures.
        steps: of the prior, and of the decoder.
        seed: decides all noise; picture k of a seed begins as the same noise in every take but on a way, whose
            pictures all begin as the first.
    """

    caption: str = ""
    to: str | None = None
    picture: int | None = None
    skip_prior: bool = False
    negative: str = ""
    scale: float = 4.0
    prior_scale: float = 2.0
    n: int = 4
    steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence for what no take can be."""
        if not 1 <= self.steps <= MOST:
            raise ValueError(f"Prior and decoder make between 1 and {MOST} steps here, not {self.steps}.")
        if self.n < 1 + (self.to is not None):
            raise ValueError("Ask for at least one picture, and for two on a way.")

    @property
    def frames(self) -> int:
        """Frames of the decoder."""
        return self.steps + 1

    @property
    def captions(self) -> tuple[str, ...]:
        """The captions that the decoder needs a vector of: one for each picture or each end, then the negative one."""
        own = (self.caption,) * self.n if self.to is None else (self.caption, self.to)
        return (own if self.picture is None else ()) + (self.negative,) * bool(self.negative)

    @property
    def uses_prior(self) -> bool:
        """Whether there is anything for the prior to do."""
        return bool(self.captions) and not self.skip_prior


@dataclass(frozen=True, eq=False)
class Film(lesson_films.Film):
    """The pictures of a request, as far as they have come: frames of the decoder (see ``films.Film``).

    Attributes:
        guesses: the prior's x0_hat at each noise level, scaled, [captions, size]; the last one is its result.
        told: the vectors that the decoder is conditioned on, [n, size].
    """

    request: Take
    guesses: tuple[Tensor, ...] = ()
    told: Tensor | None = None


# From a caption to pictures


def steps(takes: Sequence[Take]) -> int:
    """How many steps ``films`` makes for takes of equally many."""
    return takes[0].steps * (1 + len({_thought(take) for take in takes if take.uses_prior}))


def films(whole: Unclip, takes: Sequence[Take]) -> Iterator[tuple[Film, ...]]:
    """All takes together, the prior of one after that of the other: yields their films after each step.

    Raises ValueError for takes of unequal steps, which have no common clock, and for captions without a known word.
    """
    lesson_films.check_steps(takes)
    for caption in {caption for take in takes for caption in take.captions}:
        if caption.strip() and not whole.known.known(caption):
            raise ValueError(f"{caption!r} has no word that a caption of the training set had.")
    seen = {take: Film(take) for take in takes}
    for thought in dict.fromkeys(_thought(take) for take in takes if take.uses_prior):
        for guesses in imagined(whole, thought):
            alike = {take: replace(film, guesses=guesses) for take, film in seen.items() if _thought(take) == thought}
            seen |= alike
            yield tuple(seen[take] for take in takes)
    walks = {}
    for take, film in seen.items():
        told, away = wanted(whole, take, film.guesses[-1] if film.guesses else None)
        seen[take] = replace(film, told=told)
        walks[take] = unclip_model.sample_decoder(whole, told, away, take.scale, steps=take.steps, seed=take.seed,
                                  alike=take.to is not None)  # fmt: skip
    for at in zip(*walks.values(), strict=True):
        seen = {take: film.add_step(step) for (take, film), step in zip(seen.items(), at)}
        yield tuple(seen[take] for take in takes)


def _thought(take: Take) -> Take:
    """Takes for which the prior does the same are the same here."""
    return replace(take, scale=1.0, n=2 if take.to is not None else take.n)


def imagined(whole: Unclip, take: Take) -> Iterator[tuple[Tensor, ...]]:
    """The prior's guesses so far, after each step; see ``Film``."""
    guesses = ()
    prior = unclip_model.sample_prior(whole, take.captions, scale=take.prior_scale, steps=take.steps, seed=take.seed)
    for step in prior:
        guesses = (*guesses, unclip_model.scaled(step.x0))
        if step.sigma_next == 0:
            guesses = (*guesses, unclip_model.scaled(step.x_next))
        yield guesses


def wanted(whole: Unclip, take: Take, vectors: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """What the decoder is told, [n, size], and what it is led away from, [1, size] or None; vectors: what the prior
    made of the take's captions, or None where it is skipped."""
    if vectors is None:
        vectors = unclip_model.caption_condition(whole, take.captions)["embed"]
    own, away = (vectors[:-1], vectors[-1:]) if take.negative else (vectors, None)
    if take.picture is not None:
        own = unclip_model.image_vectors(whole, unit(pairs().images[take.picture, None])).expand(take.n, -1)
    elif take.to is not None:
        own = unclip_model.slerp(own[0], own[1], torch.linspace(0, 1, take.n))
    return own, away


def noise(whole: Unclip, take: Take) -> Film:
    """A take before any network is asked: noise, and a grey guess."""
    x = unclip_model.starting_noise(whole, take.n, take.seed, alike=take.to is not None)
    return Film(take).add(image_model.SIGMA_MAX, x, torch.zeros_like(x))


# How near vectors are to each other


@dataclass(frozen=True, eq=False)
class Walk:
    """What the prior's guess is near to at each of T levels: its cosine with the caption's vector [T], with the vector
    that it ends at [T], and the nearest pictures of the collection, their numbers [T, k] and cosines [T, k]."""

    caption: Tensor
    end: Tensor
    pictures: Tensor
    cosines: Tensor


def walk(whole: Unclip, film: Film, space: Space, k: int = 4) -> Walk:
    """How the prior's first guess went, as far as it has come."""
    guesses = F.normalize(torch.stack(film.guesses)[:, 0], dim=1)
    cosines, nearest = (guesses @ space.pictures.T).topk(k)
    caption = clip_queries.text_vectors(whole.clip, whole.known, [film.request.caption])[0]
    return Walk(guesses @ caption, guesses @ guesses[-1], nearest, cosines)


def side(vectors: Tensor, space: Space) -> Tensor:
    """On which side vectors [n, size] lie of the gap between captions and pictures, [n]: 0 where the mean caption is,
    1 where the mean picture is (Liang et al. 2022, figure 1)."""
    captions, pictures = space.captions.mean(0), space.pictures.mean(0)
    gap = pictures - captions
    return (F.normalize(vectors, dim=1) - captions) @ gap / gap.square().sum()


@dataclass(frozen=True)
class Place:
    """Where vectors lie, means over them: the cosine with the caption's, and with the nearest picture's of the
    collection; and the side of the gap."""

    caption: float
    picture: float
    side: float


def place(vectors: Tensor, caption: Tensor, space: Space) -> Place:
    """The place of vectors [n, size], beside the vector of a caption [size] or of one for each of them."""
    own = F.normalize(vectors, dim=1)
    measured = (own * F.normalize(caption, dim=-1)).sum(1), (own @ space.pictures.T).amax(1), side(vectors, space)
    return Place(*(each.mean().item() for each in measured))


def real(space: Space) -> Place:
    """The place of the held-out pictures: beside their own captions, and among the other pictures."""
    held = pairs().indices(held_out=True)
    own = place(space.pictures[held], space.captions[held], space)
    others = space.pictures[held] @ space.pictures[pairs().indices(held_out=False)].T
    return replace(own, picture=others.amax(1).mean().item())


def recognised(whole: Unclip, film: Film) -> Tensor:
    """The cosine of each finished picture's vector, as CLIP sees it, with the vector that was told, [n]; NaN where that
    was none."""
    return F.cosine_similarity(unclip_model.image_vectors(whole, unit(film.x[-1])), film.told, dim=1)


# What the shipped models are first seen with

FIRST = Take("woman firefighter")


def shipped() -> Unclip:
    """The shipped models together."""
    return unclip_model.assemble(*map(pretrained, ("clip", "prior", "decoder")))


def keep(whole: Unclip, file: Path = FILE) -> None:
    """Make the film that the models are first seen with, and write it to a file."""
    *_, (film,) = films(whole, [FIRST])
    frames = {"x": film.x, "x0": film.x0, "guesses": film.guesses}
    arrays = {name: torch.stack(parts).numpy() for name, parts in frames.items()}
    lesson_films.write(file, {_key(whole): arrays})


@lru_cache(maxsize=2)
def kept(whole: Unclip, file: Path = FILE) -> dict[Take, Film]:
    """The film that the models are first seen with; none where the file is not of these models, or is not there."""
    found = {name: tuple(torch.from_numpy(array)) for name, array in lesson_films.read(file, _key(whole)).items()}
    return {FIRST: Film(FIRST, **found, told=found["guesses"][-1])} if found else {}


def _key(whole: Unclip) -> str:
    return " ".join(unclip_model.fingerprint(part) for part in (whole.clip, whole.prior, whole.decoder))


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep(shipped())
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
