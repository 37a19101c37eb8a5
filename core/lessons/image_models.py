"""What the chapter on image models computes: images sampled in several ways from the same noise, beside real images.

``core.models.images.sample`` makes the same images and keeps the last step only. The shipped models are first seen with
films from a file, which ``python -m core.lessons.image_models`` writes: their guesses x0_hat, from which a sampler
makes all the rest without a network.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import metrics, seeds
from core.data import nearest_person, people
from core.data.images import ImageSet, pixels, unit
from core.data.people import ATTRIBUTES
from core.diffusion.denoiser import Denoise, Denoiser
from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE, SAMPLERS, Step
from core.lessons import films
from core.lessons.films import Film
from core.models import image_judge, people_judge, requests
from core.models import images as image_model
from core.models.requests import Values
from core.pretrained import IMAGE_CONFIGS, images_of, pretrained
from core.problems import Problem
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint, to_files

MULTISTEP = "dpmpp_2m"
MAX_STEPS, MAX_FRAMES = 100, 24  # steps of a sampler; frames of a film before the one at level 0
FILE = Path(__file__).parents[1] / "pretrained" / "image_models.npz"
FIRST_PEOPLE = {"hair": "long", "hair_colour": "green", "beard": "beard", "glasses": "none", "mouth": "smiling"}
"""What the people that are first seen are asked to have."""
_REAL = 0x5EE7  # keeps the draw of real images apart from other uses of a seed


@dataclass(frozen=True)
class Request:
    """How to sample a few images. Under one model, equal requests give equal images.

    Attributes:
        sampler: an identifier of ``SAMPLERS``.
        labels: a class for each image; None: no class.
        scale: guidance scale.
        negative: the negative class of guidance, or None.
        wanted: for a model with attributes, of each the numbers of the values that will do; empty where any will.
        unwanted: the same for the negative of guidance; empty: none.
        steps: number of steps.
        seed: decides all noise. Image k of all requests of one seed starts from the same noise.

    Raises Problem for values that no sampler can have.
    """

    sampler: str = MULTISTEP
    labels: tuple[int | None, ...] = tuple(range(8))
    scale: float = 1.0
    negative: int | None = None
    steps: int = 20
    seed: int = 0
    wanted: Values = ()
    unwanted: Values = ()

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise Problem("unknown_sampler", name=self.sampler, known=", ".join(SAMPLERS))
        if not 1 <= self.steps <= MAX_STEPS:
            raise Problem("sampler_steps", most=MAX_STEPS, steps=self.steps)
        if not math.isfinite(self.scale):
            raise Problem("guidance_scale", scale=self.scale)
        if not self.labels or min(label or 0 for label in (*self.labels, self.negative)) < 0:
            raise Problem("image_labels")

    @property
    def frames(self) -> int:
        """Frames of its film."""
        return len(frame_steps(self.steps))

    @property
    def nfe(self) -> int:
        """Answers of the network for each image: two for each step of guidance, unless the scale leaves only one. Where
        several values are unwanted, each is one more. Those of a step are computed in one call."""
        base = max(1, *map(len, self.unwanted)) if self.unwanted else 1
        answers = {0: base, 1: 1}.get(self.scale, 1 + base)
        return answers * SAMPLERS[self.sampler].calls(self.steps)


def frame_steps(steps: int) -> list[int]:
    """Which of the levels 0 ... steps of a sampler have a frame: all of them, or evenly spread ones."""
    return torch.linspace(0, steps, min(steps, MAX_FRAMES) + 1).round().int().tolist()


def levels(steps: int) -> Tensor:
    """The noise levels of the frames, from 80 to 0."""
    return image_model.grid(steps)[frame_steps(steps)]


@dataclass(frozen=True)
class ImageModel:
    """An image model and its data. Equal keys are equal weights.

    Attributes:
        key: follows from the weights.
        denoiser: the moving average of the weights.
        config: the configuration of its checkpoint.
        step: training steps.
    """

    key: str
    denoiser: Denoiser = field(compare=False)
    config: dict[str, Any] = field(compare=False)
    step: int = field(compare=False)

    @property
    def data(self) -> str:
        """The name of its data: a label, which need not be of any set that is here."""
        return self.config["data"]["name"]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that it can be conditioned on."""
        return tuple(self.config["data"]["classes"])

    @property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """The attributes that images can be asked to have, and the values of each."""
        return requests.attributes_of(self.config)

    @property
    def of_people(self) -> bool:
        """Whether it draws people as they are composed here."""
        return self.shape == (3, people.SIDE, people.SIDE) and self.attributes == ATTRIBUTES

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape [C, H, W] of its images."""
        return image_model.shape_of(self.config)

    def labels(self, n: int) -> tuple[int | None, ...]:
        """A class for each of n images, all classes in turn; None where it knows none."""
        return tuple(k % len(self.classes) if self.classes else None for k in range(n))

    @cached_property
    def images(self) -> ImageSet | None:
        """The images that it was trained on, of endless people some of them; None where they are not here."""
        if self.of_people:
            return _people(self.config["data"]["n"])
        if self.data not in IMAGE_CONFIGS:
            return None
        found, expected = images_of(self.data), (self.config["data"].get("n"), *self.shape)
        return found if (*found.images.shape, found.classes) == (*expected, self.classes) else None

    @property
    def comparable(self) -> bool:
        """Whether there are real images to compare its images with."""
        return self.of_people or self.images is not None

    @cached_property
    def held_out(self) -> ImageSet | None:
        """Others of their kind; None where there are none here."""
        if self.of_people:
            return _as_set(people.draw(1024, _REAL, held_out=None))
        try:
            return self.images and images_of(self.data, "test")
        except ValueError:  # a set that is not divided
            return None


@shared_cache(4)
def _people(n: int) -> ImageSet:
    """The people that a run of n people, 0 for people without end, was trained on."""
    return _as_set(people.PeopleSet(n).people) if n else images_of("people")


def _as_set(some: people.People) -> ImageSet:
    return ImageSet("people", some.images, None, (), flip=False)


def model_of(checkpoint: Checkpoint) -> ImageModel:
    """The model in a checkpoint, without what only training needs. Raises ValueError for one that is not of images."""
    image_model.shape_of(checkpoint.config)
    weights = to_files(checkpoint, ("ema",))["ema.safetensors"]
    key = hashlib.sha256(weights).hexdigest()[:16]
    return ImageModel(key, checkpoint.denoiser, checkpoint.config, checkpoint.state.step)


@shared_cache(None)
def shipped(name: str) -> ImageModel:
    """The shipped image model of that name, a key of ``pretrained.IMAGE_CONFIGS``."""
    return model_of(pretrained(name))


# From noise to images


def guided(model: ImageModel, request: Request) -> Denoise:
    """The model under the guidance of a request. Raises Problem for a class or an attribute that it does not know."""
    known, sizes, n = len(model.classes), [*map(len, model.attributes.values())], len(request.labels)
    for values in filter(None, (request.wanted, request.unwanted)):
        if len(values) != len(sizes) or any(max(some, default=0) >= size for some, size in zip(values, sizes)):
            raise Problem("unknown_attributes", known=", ".join(model.attributes) or "none in this model")
    if request.wanted or request.unwanted:
        wanted = requests.condition(request.wanted or ((),) * len(sizes), n)
        away = requests.negative(request.unwanted, n) if request.unwanted else None
        return image_model.guided(model.denoiser, wanted, request.scale, away)
    labels = (label for label in (*request.labels, request.negative) if label is not None)
    if max(labels, default=-1) >= known:
        raise Problem("unknown_label", known=known)
    return image_model.guided(model.denoiser, request.labels, request.scale, request.negative)


def start(model: ImageModel, request: Request) -> Tensor:
    """The noise that the images of a request start from, [n, C, H, W]."""
    return image_model.starting_noise(model.denoiser, (len(request.labels), *model.shape), request.seed)


def steps_of(request: Request, denoise: Denoise, x: Tensor) -> Iterator[Step]:
    """The steps of a request's sampler from x, one by one."""
    return image_model.sampler_steps(denoise, x, request.sampler, request.steps, request.seed)


def sample(model: ImageModel, requests: Sequence[Request]) -> Iterator[tuple[Film, ...]]:
    """The films of all requests, made together: yields them after each step, until the images are finished.

    Raises Problem for requests of unequal numbers of steps and for classes that the model does not know.
    """
    return _sample(model, requests, [guided(model, request) for request in requests])


def _sample(model: ImageModel, requests: Sequence[Request], denoisers: Sequence[Denoise]) -> Iterator[tuple[Film, ...]]:
    films.check_steps(requests)
    runs = [steps_of(request, denoise, start(model, request)) for request, denoise in zip(requests, denoisers)]
    made, framed = tuple(map(Film, requests)), set(frame_steps(requests[0].steps))
    for steps in zip(*runs, strict=True):
        made = tuple(film.add_step(step, step.i in framed) for film, step in zip(made, steps))
        yield made


def first_frame(model: ImageModel, request: Request) -> Film:
    """The film of a request before the first network call: noise, and a grey guess."""
    x = start(model, request)
    return Film(request).add(image_model.SIGMA_MAX, x, torch.zeros_like(x))


# How images compare with real ones


@dataclass(frozen=True)
class Statistics:
    """Numbers of several images.

    Attributes:
        detail: the energy of their fine detail (see ``image_judge.detail``).
        distance: the mean distance of two of them, root mean square over pixels from -1 to 1.
    """

    detail: float
    distance: float


def statistics(images: Tensor) -> Statistics:
    """The statistics of at least two images, uint8 [n, C, H, W]."""
    x = unit(images)
    return Statistics(image_judge.detail(x), torch.pdist(x.flatten(1)).mean().item() / x[0].numel() ** 0.5)


def real_indices(images: ImageSet, labels: Sequence[int | None], seed: int = 0) -> Tensor:
    """The indices of real images of a set, one drawn for each label; repeated only where there are no others."""
    order = torch.randperm(len(images.images), generator=seeds.generator(seed, _REAL))
    drawn = {None: cycle(order.tolist())}
    for label in {*labels} - {None}:
        drawn[label] = cycle(order[images.labels[order] == label].tolist())
    return torch.tensor([next(drawn[label]) for label in labels])


def real_statistics(
    model: ImageModel, labels: tuple[int | None, ...], wanted: Values = ()
) -> tuple[Statistics, Statistics] | None:
    """The statistics of real images of the classes in ``labels`` or with the attributes ``wanted``, and of the same
    ones averaged over 3 x 3 neighbours; None where there are no real images."""
    if model.of_people:
        return _people_statistics(wanted)
    return None if model.images is None else _real_statistics(model.data, labels)


@shared_cache(64)
def _people_statistics(wanted: Values, n: int = 512) -> tuple[Statistics, Statistics]:
    return _both_statistics(real_people(wanted, n, 0))


@shared_cache(64)  # by data, not by model: a cache that holds models keeps those of all visitors
def _real_statistics(data: str, labels: tuple[int | None, ...], most: int = 512) -> tuple[Statistics, Statistics]:
    known = images_of(data)
    wanted = [labels[k % len(labels)] for k in range(most // len(labels) * len(labels))]
    return _both_statistics(known.images[real_indices(known, wanted)])


def _both_statistics(images: Tensor) -> tuple[Statistics, Statistics]:
    """The statistics of images, and of the same ones blurred."""
    return statistics(images), statistics(pixels(image_judge.blurred(unit(images))))


def real_people(wanted: Values, n: int, seed: int) -> Tensor:
    """Pictures uint8 [n, 3, 16, 16] of people with the attributes wanted, drawn anew."""
    return people.fitting(wanted or ((),) * len(ATTRIBUTES), n, seed).images


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Images and the nearest training image of each, both uint8 [n, C, H, W], and their distance [n]: root mean square
    over pixels from -1 to 1."""

    images: Tensor
    nearest: Tensor
    distance: Tensor


def neighbours(images: Tensor, known: ImageSet, part: int = 1000) -> Neighbours:
    """The neighbours of images [n, C, H, W] among all of a set, and among their mirror images if it is trained so."""
    every = torch.cat([known.images, known.images.flip(-1)]) if known.flip else known.images
    found = [metrics.nearest(unit(images), unit(some)) for some in every.split(part)]
    distance, where = torch.stack([distance for distance, _ in found]).min(0)
    index = torch.stack([index for _, index in found]).gather(0, where[None])[0] + part * where
    return Neighbours(images, every[index], distance / images[0].numel() ** 0.5)


def compare(model: ImageModel, film: Film) -> tuple[Neighbours, Neighbours] | None:
    """The neighbours of a film's images, and for comparison those of real ones of the same classes or attributes: of
    held-out ones, or where there are none of some of the set among the others. None where there are no real images."""
    if model.of_people:
        return _compare_people(model.config["data"]["n"], film)
    return None if model.images is None else _compare(model.data, model.held_out is not None, film)


@shared_cache(32)
def _compare_people(n: int, film: Film) -> tuple[Neighbours, Neighbours]:
    known, request = _people(n), film.request
    real = real_people(request.wanted, len(request.labels), seeds.mix(request.seed, _REAL))
    return neighbours(film.images, known), neighbours(real, known)


@shared_cache(32)
def _compare(data: str, divided: bool, film: Film) -> tuple[Neighbours, Neighbours]:
    known, request = images_of(data), film.request
    if divided:
        held_out = images_of(data, "test")
        chosen = held_out.images[real_indices(held_out, request.labels, request.seed)]
        return neighbours(film.images, known), neighbours(chosen, known)
    chosen = real_indices(known, request.labels, request.seed)
    rest = torch.ones(len(known.images), dtype=torch.bool).index_fill_(0, chosen, False)
    others = replace(known, images=known.images[rest], labels=None)
    return neighbours(film.images, known), neighbours(known.images[chosen], others)


@dataclass(frozen=True, eq=False)
class Judged:
    """The attributes of n people, int64 [n, 12] each: as a network reads them, and those of the nearest person that can
    be composed; ``difference`` [n]: the largest difference of a channel to that person, values being from -1 to 1."""

    network: Tensor
    nearest: Tensor
    difference: Tensor

    def right(self, wanted: Values, unwanted: Values) -> tuple[Tensor, Tensor]:
        """Whether each person has all attributes that are wanted and none that is unwanted, bool [n], by each judge."""
        return tuple((_fit(wanted, got) & _lack(unwanted, got)).all(1) for got in (self.network, self.nearest))


def _fit(values: Values, got: Tensor) -> Tensor:
    return requests.fits(values or ((),) * got.shape[1], got)


def _lack(values: Values, got: Tensor) -> Tensor:
    """Which attributes of ``got`` have no value that is unwanted."""
    named = torch.tensor([bool(some) for some in values or ((),) * got.shape[1]])
    return ~(_fit(values, got) & named)


@shared_cache(64)
def judged(film: Film) -> Judged:
    """What both judges read from the images of a finished film of people."""
    found = nearest_person.nearest(film.images)
    return Judged(people_judge.attributes_of(film.images), found.attributes, found.difference.amax((1, 2)))


# What the shipped models are first seen with


def first_requests(model: ImageModel) -> tuple[Request, ...]:
    """The requests that a model is first seen with."""
    wanted = requests.read(FIRST_PEOPLE, model.attributes).values if model.of_people else ()
    samplers = DDPM, DDPM_NO_NOISE, DDIM, MULTISTEP
    return tuple(Request(sampler, model.labels(4), scale=2.0, wanted=wanted) for sampler in samplers)


def write_first_films(models: Sequence[ImageModel], file: Path = FILE) -> None:
    """Make the films that models are first seen with, and write their guesses to a file."""
    arrays = {}
    for model in models:
        *_, made = sample(model, first_requests(model))
        guesses = torch.stack([torch.stack(film.x0) for film in made]).numpy()
        arrays[model.key] = {"guesses": np.diff(guesses, axis=1, prepend=np.uint8(0))}  # packs better
    films.write(file, arrays)


def first_films(model: ImageModel, file: Path = FILE) -> dict[Request, Film]:
    """The films that a model is first seen with, made again from the guesses in a file; none if it has none of it.

    The file holds guesses as they are shown, cut at -1 and 1: guesses and images are exact, a state on the way is off
    by less than 2 % of the range on average.
    """
    return _first_films(model, file) if films.has(file, model.key) else {}


@shared_cache(8)  # holds no models but those of the file
def _first_films(model: ImageModel, file: Path) -> dict[Request, Film]:
    guesses = np.cumsum(films.read(file, model.key)["guesses"], axis=1, dtype=np.uint8)
    denoisers = [_recorded(unit(torch.from_numpy(each))) for each in guesses]
    *_, made = _sample(model, first_requests(model), denoisers)
    return {film.request: film for film in made}


def _recorded(guesses: Tensor) -> Denoise:
    """A denoiser that returns recorded guesses [steps, n, C, H, W] one after the other."""
    each = iter(guesses)
    return lambda x, sigma: next(each)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_first_films([shipped(name) for name in IMAGE_CONFIGS])
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
