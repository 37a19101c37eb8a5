"""Chapter 9: unCLIP with every step on the way, and where its vectors lie among those of captions and pictures.

``core.models.unclip.generate`` makes the same pictures and returns the last step only. There are two sets of models: of
people, whose attributes in a picture can be judged, and of emoji. ``python -m core.lessons.unclip`` writes the films
that the page opens with.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data import captions, people_captions
from core.data.captions import Pairs
from core.data.images import unit
from core.data.people import ATTRIBUTES
from core.lessons import films as lesson_films
from core.models import clip_queries, clip_space, people_judge
from core.models import images as image_model
from core.models import unclip as unclip_model
from core.models.unclip import Unclip
from core.pretrained import pretrained
from core.problems import Problem
from core.runs.caching import shared_cache

MAX_STEPS = 40  # of a stage
INTERPOLATED = 11  # pictures of an interpolation
FILE = Path(__file__).parents[1] / "pretrained" / "unclip.npz"
PARTS = {"people": ("people-clip", "people-prior", "people-decoder"), "emoji": ("clip", "prior", "decoder")}
"""The shipped parts of unCLIP for each set of pictures."""

COLLECTED = 1_000  # people in the collection that vectors are compared with


@dataclass(frozen=True)
class Request:
    """What to generate, and how.

    Attributes:
        data: the set whose models generate, of `PARTS`.
        caption: the caption; empty for unconditional pictures.
        to: a second caption, to interpolate between the image vectors of both; or None.
        picture: the number of a picture of the collection, whose own vector takes the place of a caption's; or None.
        skip_prior: condition the decoder on the caption's own vector.
        negative: a caption that the prior is guided away from, or "". Where no prior is used, the decoder is.
        scale: guidance scale of the decoder.
        prior_scale: guidance scale of the prior.
        n: number of pictures.
        steps: of the prior, and of the decoder.
        seed: decides all noise. Picture k of a seed starts from the same noise in every request, except in an
            interpolation, whose pictures all start from that of the first.
    """

    data: str = "people"
    caption: str = ""
    to: str | None = None
    picture: int | None = None
    skip_prior: bool = False
    negative: str = ""
    scale: float = 1.0
    prior_scale: float = 4.0
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
        """The captions that need an image vector: one for each picture or each end; none for a picture's own vector."""
        if self.picture is not None:
            return ()
        return (self.caption,) * self.n if self.to is None else (self.caption, self.to)

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
    """The films of all requests of one set, by its models: the prior of one after that of the other, then all decoders
    together. Yields them after each step.

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
    for caption in {caption for request in requests for caption in (*request.captions, request.negative)}:
        if caption.strip() and not models.known.known(caption):
            raise Problem("unclip_unknown_words", caption=caption)


def _prior_request(request: Request) -> Request:
    """Equal for requests for which the prior does the same."""
    return replace(request, scale=1.0, n=2 if request.to is not None else request.n)


def prior_guesses(models: Unclip, request: Request) -> Iterator[tuple[Tensor, ...]]:
    """The prior's guesses so far, after each step; see `Film`."""
    guesses = ()
    steps = unclip_model.sample_prior(models, request.captions, request.negative, request.prior_scale, request.steps,
                                      request.seed)  # fmt: skip
    for step in steps:
        guesses = (*guesses, unclip_model.scaled(step.x0))
        if step.sigma_next == 0:
            guesses = (*guesses, unclip_model.scaled(step.x_next))
        yield guesses


def decoder_conditions(models: Unclip, request: Request, vectors: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """What the decoder is conditioned on, [n, size], and what it is guided away from, [1, size] or None.

    vectors: the prior's result for the captions of the request; None where it is not used.
    """
    negative = None
    if vectors is None and request.negative:
        negative = unclip_model.caption_condition(models, [request.negative])["embed"]
    if request.picture is not None:
        vector = unclip_model.image_vectors(models, unit(pairs(request.data).images[request.picture, None]))
        return vector.expand(request.n, -1), negative
    if vectors is None:
        vectors = unclip_model.caption_condition(models, request.captions)["embed"]
    if request.to is not None:
        vectors = unclip_model.slerp(vectors[0], vectors[1], torch.linspace(0, 1, request.n))
    return vectors, negative


def opening(models: Unclip, request: Request) -> Film:
    """A film before its first step: noise, and a grey guess."""
    x = unclip_model.starting_noise(models, request.n, request.seed, alike=request.to is not None)
    return Film(request).add(image_model.SIGMA_MAX, x, torch.zeros_like(x))


# The models and their pictures


@shared_cache(None)
def shipped(data: str) -> Unclip:
    """The shipped models of a set together."""
    return unclip_model.assemble(*map(pretrained, PARTS[data]))


@shared_cache(None)
def pairs(data: str) -> Pairs:
    """The collection that vectors are compared with: all emoji, or so many people."""
    return clip_space.pairs() if data == "emoji" else captions.load(data, n=COLLECTED)


@dataclass(frozen=True, eq=False)
class Space:
    """The unit vectors [N, size] that a CLIP gives to a collection: to its pictures, and to their captions."""

    pictures: Tensor
    captions: Tensor


def embed(models: Unclip, pairs: Pairs) -> Space:
    """The vectors of a collection."""
    pictures = clip_queries.image_vectors(models.clip, unit(pairs.images))
    return Space(pictures, clip_queries.text_vectors(models.clip, models.known, pairs.captions))


# What a caption asks for, and what a picture shows


@dataclass(frozen=True)
class Asked:
    """An attribute that a caption names, and what the judge reads in each picture.

    Attributes:
        attribute: its name.
        value: the value asked for.
        got: the value in each picture.
    """

    attribute: str
    value: str
    got: tuple[str, ...]

    @property
    def right(self) -> tuple[bool, ...]:
        """Whether each picture has the value."""
        return tuple(value in people_captions.values(self.attribute, self.value) for value in self.got)


def shown(images: Tensor) -> dict[str, tuple[str, ...]]:
    """The value of each attribute in pictures of people uint8 [n, 3, 16, 16] (see ``core.models.people_judge``)."""
    columns = people_judge.attributes_of(images).T.tolist()
    return {name: tuple(values[k] for k in column) for (name, values), column in zip(ATTRIBUTES.items(), columns)}


def asked_and_got(caption: str, images: Tensor) -> list[Asked]:
    """The attributes that a caption names, with those of people uint8 [n, 3, 16, 16]."""
    read = shown(images)
    return [Asked(name, value, read[name]) for name, value in people_captions.parse(caption).wanted.items()]


def unknown_words(models: Unclip, data: str, text: str) -> list[str]:
    """The words of a text that no caption of the set has, or that name nothing in a picture of people. Raises Problem
    for a text that asks for two values of an attribute (see ``people_captions.parse``)."""
    if data != "people":
        return models.known.unknown(text)
    return list(people_captions.parse(text).unknown) if text.strip() else []


def is_understood(models: Unclip, data: str, text: str) -> bool:
    """Whether a text names anything that the models of a set can draw. Raises Problem as `unknown_words` does."""
    if data != "people":
        return bool(models.known.known(text))
    return bool(text.strip() and people_captions.parse(text).wanted)


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


def held_out_position(space: Space, pairs: Pairs) -> Position:
    """The position of the held-out pictures, with their own captions, and among the other pictures."""
    held_out = pairs.indices(held_out=True)
    real_position = position(space.pictures[held_out], space.captions[held_out], space)
    others = space.pictures[held_out] @ space.pictures[pairs.indices(held_out=False)].T
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


# The scenes of the page


@dataclass(frozen=True)
class Examples:
    """The captions that the scenes of a set begin with.

    Attributes:
        caption: of all scenes that have no caption of their own.
        alone: of the scene that skips the prior: it leaves much open.
        positive, negative: of the scene with a negative caption.
        to: the end of an interpolation.
        picture: the number of a picture of the collection.
        scale, prior_scale: the guidance scales of the decoder and of the prior.
    """

    caption: str
    alone: str
    positive: str
    negative: str
    to: str
    picture: int
    scale: float
    prior_scale: float


EXAMPLES = {
    ("people", "en"): Examples(
        "a smiling person with long green hair and a beard, no glasses", "a person with glasses",
        "a person with glasses", "hat", "a person with a blue hat and sunglasses", 3, 2.0, 4.0,
    ),
    ("people", "zh"): Examples(
        "戴红帽子和眼镜、没有胡子的人", "戴眼镜的人", "戴眼镜的人", "帽子", "留绿色长发、有胡子的人", 3, 2.0, 4.0,
    ),
    ("emoji", "en"): Examples("woman firefighter", "princess", "circle", "blue", "woman farmer", 599, 4.0, 2.0),
}  # fmt: skip
"""By set and language."""

SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)  # guidance scales side by side


def examples(data: str, language: str) -> Examples:
    """The captions of a set in a language; in English where there are none."""
    return EXAMPLES.get((data, language)) or EXAMPLES[data, "en"]


def scene_requests(show: str, request: Request, negative: str = "", to: str = "", picture: int = 0) -> list[Request]:
    """The films of a scene, from the request of its caption."""
    if show == "text_vector":
        return []
    if show == "prior_skipped":
        return [request, replace(request, skip_prior=True)]
    if show == "negative_caption":
        return [request, replace(request, negative=negative)]
    if show == "guidance":
        return [replace(request, scale=scale, n=2) for scale in SCALES]
    if show == "variations":
        return [replace(request, caption="", picture=picture)]
    if show == "interpolation":
        return [replace(request, to=to, n=INTERPOLATED)]
    return [request]


def first_requests(data: str, language: str) -> tuple[Request, ...]:
    """The films of all scenes of a set as the page opens them."""
    first, found = examples(data, language), []
    captions = {"prior_skipped": first.alone, "negative_caption": first.positive}
    for show in ("all_stages", "prior_skipped", "negative_caption", "guidance", "variations", "interpolation"):
        caption = captions.get(show, first.caption)
        one = Request(data, caption, scale=first.scale, prior_scale=first.prior_scale)
        found += scene_requests(show, one, first.negative, first.to, first.picture)
    return tuple(dict.fromkeys(found))


# The films that the page opens with, in a file that holds the guesses: the states follow from them


def write_first(file: Path = FILE) -> None:
    """Make the films that the page opens with, and write them to a file."""
    arrays = {}
    for data in PARTS:
        models, named = shipped(data), {}
        for request in _first(data):
            *_, (film,) = films(models, [request])
            parts = {"x0": torch.stack(film.x0), "vectors": film.vectors}
            if film.guesses:
                parts["guesses"] = torch.stack(film.guesses)
            named |= {f"{request!r}/{name}": part.numpy() for name, part in parts.items()}
        arrays[_key(models)] = named
    lesson_films.write(file, arrays)


@shared_cache(4)
def shipped_films(models: Unclip, data: str, file: Path = FILE) -> dict[Request, Film]:
    """The films that the page opens with; none where the file is not of these models, or is not there."""
    found = lesson_films.read(file, _key(models))
    made = {}
    for request in _first(data):
        parts = {name: found.get(f"{request!r}/{name}") for name in ("x0", "vectors", "guesses")}
        if parts["x0"] is not None:
            x0, vectors, guesses = (() if part is None else torch.from_numpy(part) for part in parts.values())
            made[request] = _replay(models, Film(request, guesses=tuple(guesses), vectors=vectors), x0)
    return made


def _replay(models: Unclip, film: Film, x0: Tensor) -> Film:
    """The film of a decoder's guesses x0 uint8 [frames, n, C, side, side]: a sampler's states follow from them and from
    the noise that it begins with."""
    request, guesses = film.request, iter(unit(x0.flatten(0, 1)).unflatten(0, x0.shape[:2]))
    x = unclip_model.starting_noise(models, request.n, request.seed, alike=request.to is not None)
    steps = image_model.sampler_steps(lambda x, sigma: next(guesses), x, "dpmpp_2m", request.steps, request.seed)
    for step in steps:
        film = film.add_step(step)
    return replace(film, x=(*film.x[:-1], x0[-1]), x0=(*film.x0[:-1], x0[-1]))


def _first(data: str) -> tuple[Request, ...]:
    """The films that the page opens with in any language."""
    return tuple(dict.fromkeys(one for of, language in EXAMPLES if of == data for one in first_requests(of, language)))


def _key(models: Unclip) -> str:
    return " ".join(unclip_model.fingerprint(part) for part in (models.clip, models.prior, models.decoder))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_first()
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
