"""Chapter 7: unCLIP with every step on the way, and where its vectors lie among those of captions and pictures.

``core.models.unclip.generate`` makes the same pictures and returns the last step only.
``python -m core.lessons.unclip`` writes the films that the page opens with.
"""

import math
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
from core.problems import Problem

MAX_STEPS = 40  # of a stage
INTERPOLATED = 11  # pictures of an interpolation
FILE = Path(__file__).parents[1] / "pretrained" / "unclip.npz"


@dataclass(frozen=True)
class Request:
    """What to generate, and how.

    Attributes:
        caption: the caption; empty for unconditional pictures.
        to: a second caption, to interpolate between the image vectors of both; or None.
        picture: the number of a picture of the collection, whose own vector takes the place of a caption's; or None.
        skip_prior: condition the decoder on the caption's own vector.
        negative: a caption for both models to be guided away from, or "".
        scale: guidance scale of the decoder.
        prior_scale: guidance scale of the prior.
        n: number of pictures.
        steps: of the prior, and of the decoder.
        seed: decides all noise. Picture k of a seed starts from the same noise in every request, except in an
            interpolation, whose pictures all start from that of the first.
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
        """Raises Problem for a number of steps or pictures that is not possible."""
        if not 1 <= self.steps <= MAX_STEPS:
            raise Problem("unclip_steps", most=MAX_STEPS, steps=self.steps)
        if self.n < 1 + (self.to is not None):
            raise Problem("unclip_pictures")

    @property
    def frames(self) -> int:
        """Frames of the decoder."""
        return self.steps + 1

    @property
    def captions(self) -> tuple[str, ...]:
        """The captions that need an image vector: one for each picture or each end, then the negative one."""
        wanted = (self.caption,) * self.n if self.to is None else (self.caption, self.to)
        return (wanted if self.picture is None else ()) + (self.negative,) * bool(self.negative)

    @property
    def uses_prior(self) -> bool:
        """Whether the prior has anything to do."""
        return bool(self.captions) and not self.skip_prior


@dataclass(frozen=True, eq=False)
class Film(lesson_films.Film):
    """The pictures of a request, as far as they have come: frames of the decoder (see ``films.Film``).

    Attributes:
        guesses: the prior's x0_hat at each noise level, scaled, [captions, size]; the last one is its result.
        vectors: what the decoder is conditioned on, [n, size].
    """

    request: Request
    guesses: tuple[Tensor, ...] = ()
    vectors: Tensor | None = None


# From a caption to pictures


def count_steps(requests: Sequence[Request]) -> int:
    """How many steps `films` makes for requests of equally many."""
    return requests[0].steps * (1 + len({_prior_request(one) for one in requests if one.uses_prior}))


def films(models: Unclip, requests: Sequence[Request]) -> Iterator[tuple[Film, ...]]:
    """The films of all requests: the prior of one after that of the other, then all decoders together. Yields them
    after each step.

    Raises Problem for requests of unequal steps, which have no common clock, and for captions without a known word.
    """
    lesson_films.check_steps(requests)
    _check_captions(models, requests)
    made = {request: Film(request) for request in requests}
    for prior in dict.fromkeys(_prior_request(request) for request in requests if request.uses_prior):
        for guesses in prior_guesses(models, prior):
            made |= {one: replace(film, guesses=guesses) for one, film in made.items() if _prior_request(one) == prior}
            yield tuple(made[request] for request in requests)
    decoders = {}
    for request, film in made.items():
        vectors, negative = decoder_conditions(models, request, film.guesses[-1] if film.guesses else None)
        made[request] = replace(film, vectors=vectors)
        decoders[request] = unclip_model.sample_decoder(
            models, vectors, negative, request.scale, steps=request.steps, seed=request.seed,
            alike=request.to is not None,
        )  # fmt: skip
    for steps in zip(*decoders.values(), strict=True):
        made = {request: film.add_step(step) for (request, film), step in zip(made.items(), steps)}
        yield tuple(made[request] for request in requests)


def _check_captions(models: Unclip, requests: Sequence[Request]) -> None:
    """Raise Problem for a caption without a known word."""
    for caption in {caption for request in requests for caption in request.captions}:
        if caption.strip() and not models.known.known(caption):
            raise Problem("unclip_unknown_words", caption=caption)


def _prior_request(request: Request) -> Request:
    """Equal for requests for which the prior does the same."""
    return replace(request, scale=1.0, n=2 if request.to is not None else request.n)


def prior_guesses(models: Unclip, request: Request) -> Iterator[tuple[Tensor, ...]]:
    """The prior's guesses so far, after each step; see `Film`."""
    guesses = ()
    steps = unclip_model.sample_prior(models, request.captions, scale=request.prior_scale, steps=request.steps,
                                      seed=request.seed)  # fmt: skip
    for step in steps:
        guesses = (*guesses, unclip_model.scaled(step.x0))
        if step.sigma_next == 0:
            guesses = (*guesses, unclip_model.scaled(step.x_next))
        yield guesses


def decoder_conditions(models: Unclip, request: Request, vectors: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """What the decoder is conditioned on, [n, size], and what it is guided away from, [1, size] or None.

    vectors: the prior's result for the captions of the request; None where it is skipped.
    """
    if vectors is None:
        vectors = unclip_model.caption_condition(models, request.captions)["embed"]
    embeddings, negative = (vectors[:-1], vectors[-1:]) if request.negative else (vectors, None)
    if request.picture is not None:
        embeddings = unclip_model.image_vectors(models, unit(pairs().images[request.picture, None])).expand(
            request.n, -1
        )
    elif request.to is not None:
        embeddings = unclip_model.slerp(embeddings[0], embeddings[1], torch.linspace(0, 1, request.n))
    return embeddings, negative


def opening(models: Unclip, request: Request) -> Film:
    """A film before its first step: noise, and a grey guess."""
    x = unclip_model.starting_noise(models, request.n, request.seed, alike=request.to is not None)
    return Film(request).add(image_model.SIGMA_MAX, x, torch.zeros_like(x))


# Where vectors lie


@dataclass(frozen=True, eq=False)
class PriorPath:
    """What the prior's first guess is near to at each of T noise levels.

    Attributes:
        caption: its cosine with the caption's vector, [T].
        end: its cosine with the newest guess, [T].
        pictures: the numbers of the nearest pictures of the collection, [T, k].
        cosines: its cosines with these, [T, k].
    """

    caption: Tensor
    end: Tensor
    pictures: Tensor
    cosines: Tensor


def prior_path(models: Unclip, film: Film, space: Space, k: int = 4) -> PriorPath:
    """The path of the prior's first guess, as far as it has come."""
    guesses = F.normalize(torch.stack(film.guesses)[:, 0], dim=1)
    cosines, nearest = (guesses @ space.pictures.T).topk(k)
    caption = clip_queries.text_vectors(models.clip, models.known, [film.request.caption])[0]
    return PriorPath(guesses @ caption, guesses @ guesses[-1], nearest, cosines)


def across_gap(vectors: Tensor, space: Space) -> Tensor:
    """The coordinate [n] of vectors [n, size] across the gap between captions and pictures: 0 at the mean caption, 1 at
    the mean picture (Liang et al. 2022, figure 1)."""
    captions, pictures = space.captions.mean(0), space.pictures.mean(0)
    gap = pictures - captions
    return (F.normalize(vectors, dim=1) - captions) @ gap / gap.square().sum()


@dataclass(frozen=True)
class Position:
    """Where vectors lie, as means over them.

    Attributes:
        gap: the coordinate across the gap (see `across_gap`).
        caption: the cosine with the caption's vector.
        picture: the cosine with the nearest picture of the collection.
    """

    gap: float
    caption: float
    picture: float


def position(vectors: Tensor, caption: Tensor, space: Space) -> Position:
    """The position of vectors [n, size]; caption: the vector of their caption [size], or of one for each of them."""
    normalized = F.normalize(vectors, dim=1)
    cosines = (normalized * F.normalize(caption, dim=-1)).sum(1), (normalized @ space.pictures.T).amax(1)
    return Position(*(each.mean().item() for each in (across_gap(vectors, space), *cosines)))


def held_out_position(space: Space) -> Position:
    """The position of the held-out pictures, with their own captions, and among the other pictures."""
    held_out = pairs().indices(held_out=True)
    real_position = position(space.pictures[held_out], space.captions[held_out], space)
    others = space.pictures[held_out] @ space.pictures[pairs().indices(held_out=False)].T
    return replace(real_position, picture=others.amax(1).mean().item())


def condition_cosines(models: Unclip, film: Film) -> Tensor:
    """The cosine [n] of the vector of each finished picture with the vector that the decoder was conditioned on; NaN
    where that was none."""
    return F.cosine_similarity(image_vectors(models, film), film.vectors, dim=1)


def mutual_cosine(models: Unclip, film: Film) -> float:
    """The mean cosine of the vectors of the finished pictures with each other; NaN for a single picture."""
    vectors = F.normalize(image_vectors(models, film), dim=1)
    n = len(vectors)
    return ((vectors @ vectors.T).sum().item() - n) / (n * (n - 1)) if n > 1 else math.nan


def cosine_with(models: Unclip, film: Film, vector: Tensor) -> float:
    """The mean cosine of the vectors of the finished pictures with a vector [size]."""
    return F.cosine_similarity(image_vectors(models, film), vector[None], dim=1).mean().item()


def image_vectors(models: Unclip, film: Film) -> Tensor:
    """The scaled vectors [n, size] of the finished pictures."""
    return unclip_model.image_vectors(models, unit(film.images))


def share_of_blue(pixels: Tensor) -> float:
    """The share of the pixels of images uint8 [n, 3, h, w] that are blue: blue is the largest channel, and more than
    red by over 20."""
    red, green, blue = pixels.float().unbind(1)
    return ((blue > red + 20) & (blue >= green)).float().mean().item()


# The films that the page opens with

FIRST = Request("woman firefighter")
PRINCESS = Request("princess"), Request("princess", skip_prior=True)
"""With the prior and without it: what decides the question of the page."""

SHIPPED = (FIRST, *PRINCESS)


def shipped() -> Unclip:
    """The shipped models together."""
    return unclip_model.assemble(*map(pretrained, ("clip", "prior", "decoder")))


def write_first(models: Unclip, file: Path = FILE) -> None:
    """Make the films that the page opens with, and write them to a file."""
    arrays = {}
    for request in SHIPPED:
        *_, (film,) = films(models, [request])
        parts = {"x": film.x, "x0": film.x0, "guesses": film.guesses, "vectors": film.vectors}
        arrays |= {
            f"{_name(request)}/{name}": torch.stack([*part]).numpy() for name, part in parts.items() if len(part)
        }
    lesson_films.write(file, {_key(models): arrays})


@lru_cache(maxsize=2)
def shipped_films(models: Unclip, file: Path = FILE) -> dict[Request, Film]:
    """The films that the page opens with; none where the file is not of these models, or is not there."""
    found = lesson_films.read(file, _key(models))
    made = {}
    for request in SHIPPED if found else ():
        name = f"{_name(request)}/"
        parts = {
            key.removeprefix(name): torch.from_numpy(array) for key, array in found.items() if key.startswith(name)
        }
        vectors = parts.pop("vectors")
        made[request] = Film(request, **{part: tuple(frames) for part, frames in parts.items()}, vectors=vectors)
    return made


def _name(request: Request) -> str:
    return f"{request.caption}, {'no prior' if request.skip_prior else 'prior'}"


def _key(models: Unclip) -> str:
    return " ".join(unclip_model.fingerprint(part) for part in (models.clip, models.prior, models.decoder))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_first(shipped())
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
