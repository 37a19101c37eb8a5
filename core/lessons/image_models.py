"""Images made in several ways from the same starts, every step of them on one clock; and what they resemble.

``imaging.sample`` makes the same images and keeps the last step only. ``python -m core.lessons.image_models`` keeps what the shipped
models are first seen with: their guesses x0_hat, from which a sampler makes all the rest again without a network.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import metrics, seeds
from core.data.images import ImageSet, pixels, unit
from core.diffusion.denoiser import Denoise, Denoiser
from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE, SAMPLERS, Step
from core.lessons import films as lesson_films
from core.lessons.films import Film
from core.models import image_judge
from core.models import images as image_model
from core.pretrained import IMAGES, images_of, pretrained
from core.runs.checkpoints import Checkpoint, to_files

MULTISTEP = "dpmpp_2m"
MOST, FRAMES = 100, 24  # steps of a sampler; steps of the clock
FILE = Path(__file__).parents[1] / "pretrained" / "image_models.npz"
_REAL = 0x5EE7  # keeps the draw of real images apart from other uses of a seed


@dataclass(frozen=True)
class Take:
    """How a few images are made: a sampler, a class for each image (None: none), guidance, steps, seed.

    Image k of all takes of one seed starts from the same noise. Equal takes of one model are equal images, those of
    ``imaging.sample``. Raises ValueError with a sentence for what no take can be.
    """

    sampler: str = MULTISTEP
    labels: tuple[int | None, ...] = tuple(range(8))
    scale: float = 1.0
    negative: int | None = None
    steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise ValueError(f"There is no sampler {self.sampler!r}; choose one of {', '.join(SAMPLERS)}.")
        if not 1 <= self.steps <= MOST:
            raise ValueError(f"A sampler makes between 1 and {MOST} steps here, not {self.steps}.")
        if not math.isfinite(self.scale):
            raise ValueError(f"The guidance scale must be a finite number, not {self.scale}.")
        if not self.labels or min(label or 0 for label in (*self.labels, self.negative)) < 0:
            raise ValueError("Give at least one image a class: a number from 0 on, or None for no class.")

    @property
    def frames(self) -> int:
        """Frames of its film."""
        return len(shown(self.steps))

    @property
    def nfe(self) -> int:
        """Network calls for each image; a guided step asks twice, unless all that is asked for is one answer."""
        asked = 1 if self.scale in (0, 1) else 2
        return asked * SAMPLERS[self.sampler].calls(self.steps)


def shown(steps: int) -> list[int]:
    """Which of the levels 0 ... steps of a sampler have a frame: all of them, or evenly spread ones."""
    return torch.linspace(0, steps, min(steps, FRAMES) + 1).round().int().tolist()


def clock(steps: int) -> Tensor:
    """The noise levels of the frames, from 80 to 0."""
    return image_model.grid(steps)[shown(steps)]


@dataclass(frozen=True)
class Model:
    """An image model and the data it is of. Equal keys are equal weights. ``images`` are those it was trained on, and
    ``held_out`` others of their kind; None where they are not here."""

    key: str
    denoiser: Denoiser = field(compare=False)
    config: dict[str, Any] = field(compare=False)
    step: int = field(compare=False)  # of its training

    @property
    def data(self) -> str:
        """The name of its data: a label, which need not be of any set that is here."""
        return self.config["data"]["name"]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes it can be told."""
        return tuple(self.config["data"]["classes"])

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape [C, H, W] of its images."""
        return image_model.shape_of(self.config)

    def in_turn(self, n: int) -> tuple[int | None, ...]:
        """A class for each of n images, all classes in turn; None where it knows none."""
        return tuple(k % len(self.classes) if self.classes else None for k in range(n))

    @cached_property
    def images(self) -> ImageSet | None:
        if self.data not in IMAGES:
            return None
        found, due = images_of(self.data), (self.config["data"].get("n"), *self.shape)
        return found if (*found.images.shape, found.classes) == (*due, self.classes) else None

    @cached_property
    def held_out(self) -> ImageSet | None:
        try:
            return self.images and images_of(self.data, "test")
        except ValueError:  # an undivided set
            return None


def model_of(checkpoint: Checkpoint) -> Model:
    """The model in a checkpoint, without what only training needs; raises ValueError for one that is not of images."""
    image_model.shape_of(checkpoint.config)
    weights = to_files(checkpoint, ("ema",))["ema.safetensors"]
    key = hashlib.sha256(weights).hexdigest()[:16]
    return Model(key, checkpoint.denoiser, checkpoint.config, checkpoint.state.step)


@cache
def shipped(name: str) -> Model:
    """The shipped image model of that name, a key of ``pretrained.IMAGES``."""
    return model_of(pretrained(name))


# From noise to images


def told(model: Model, take: Take) -> Denoise:
    """A model guided as a take wants it. Raises ValueError for a class that it does not know."""
    known = len(model.classes)
    if max((label for label in (*take.labels, take.negative) if label is not None), default=-1) >= known:
        raise ValueError(f"This model knows {known} classes, counted from 0; choose among them.")
    return image_model.told(model.denoiser, take.labels, take.scale, take.negative)


def start(model: Model, take: Take) -> Tensor:
    """The noise that the images of a take begin as, [n, C, H, W]."""
    return image_model.start(model.denoiser, (len(take.labels), *model.shape), take.seed)


def steps_of(take: Take, denoise: Denoise, x: Tensor) -> Iterator[Step]:
    """The steps of a take's sampler from x, one by one."""
    return image_model.walk(denoise, x, take.sampler, take.steps, take.seed)


def films(model: Model, takes: Sequence[Take]) -> Iterator[tuple[Film, ...]]:
    """All takes under a model, together: yields their films after each step, to the finished images.

    Raises ValueError for takes of unequal steps, which have no common clock, and for what the model cannot be asked.
    """
    return _films(model, takes, [told(model, take) for take in takes])


def _films(model: Model, takes: Sequence[Take], denoises: Sequence[Denoise]) -> Iterator[tuple[Film, ...]]:
    lesson_films.check_steps(takes)
    walks = [steps_of(take, denoise, start(model, take)) for take, denoise in zip(takes, denoises, strict=True)]
    seen, framed = tuple(map(Film, takes)), set(shown(takes[0].steps))
    for steps in zip(*walks, strict=True):
        seen = tuple(film.add_step(step, step.i in framed) for film, step in zip(seen, steps))
        yield seen


def opening(model: Model, take: Take) -> Film:
    """The first frame of a take, before any network is asked: noise, and a grey guess."""
    x = start(model, take)
    return Film(take).add(image_model.SIGMA_MAX, x, torch.zeros_like(x))


# What the images are like


@dataclass(frozen=True)
class Looks:
    """What images are like, in numbers: the energy of their fine detail (see ``evaluation.detail``), and how far apart
    two of them are, root mean square over pixels from -1 to 1."""

    detail: float
    apart: float


def looks(images: Tensor) -> Looks:
    """The looks of at least two images, uint8 [n, C, H, W]."""
    x = unit(images)
    return Looks(image_judge.detail(x), torch.pdist(x.flatten(1)).mean().item() / x[0].numel() ** 0.5)


def real(images: ImageSet, labels: Sequence[int | None], seed: int = 0) -> Tensor:
    """The places of real images of a set, one drawn for each label; the same twice only where there are no others."""
    order = torch.randperm(len(images.images), generator=seeds.generator(seed, _REAL))
    drawn = {None: cycle(order.tolist())}
    for label in {*labels} - {None}:
        drawn[label] = cycle(order[images.labels[order] == label].tolist())
    return torch.tensor([next(drawn[label]) for label in labels])


def benchmark(model: Model, labels: tuple[int | None, ...]) -> tuple[Looks, Looks] | None:
    """The looks of real images of the classes in ``labels``, and of the same ones averaged over 3 x 3 neighbours; None
    where there are no real images. Remembered for the last that were asked for."""
    return None if model.images is None else _benchmark(model.data, labels)


@lru_cache(maxsize=64)  # by data, not by model: a cache that holds models keeps those of everybody who came by
def _benchmark(data: str, labels: tuple[int | None, ...], most: int = 512) -> tuple[Looks, Looks]:
    known = images_of(data)
    wanted = [labels[k % len(labels)] for k in range(most // len(labels) * len(labels))]
    found = known.images[real(known, wanted)]
    return looks(found), looks(pixels(image_judge.blurred(unit(found))))


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Images and the nearest training image of each, both uint8 [n, C, H, W], and how far that is, [n]: root mean
    square over pixels from -1 to 1."""

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


def compared(model: Model, film: Film) -> tuple[Neighbours, Neighbours] | None:
    """The neighbours of a film's images, and for comparison those of real ones of the same classes: of held-out ones,
    or where there are none of some of the set among the others. None where there are no real images. Remembered."""
    return None if model.images is None else _compared(model.data, model.held_out is not None, film)


@lru_cache(maxsize=32)
def _compared(data: str, divided: bool, film: Film) -> tuple[Neighbours, Neighbours]:
    known, take = images_of(data), film.request
    if divided:
        held_out = images_of(data, "test")
        chosen = held_out.images[real(held_out, take.labels, take.seed)]
        return neighbours(film.images, known), neighbours(chosen, known)
    chosen = real(known, take.labels, take.seed)
    rest = torch.ones(len(known.images), dtype=torch.bool).index_fill_(0, chosen, False)
    others = replace(known, images=known.images[rest], labels=None)
    return neighbours(film.images, known), neighbours(known.images[chosen], others)


# What the shipped models are first seen with


def first(model: Model) -> tuple[Take, ...]:
    """The takes that a model is first seen with."""
    return tuple(Take(kind, model.in_turn(6), scale=2.0) for kind in (DDPM, DDPM_NO_NOISE, DDIM, MULTISTEP))


def keep(models: Sequence[Model], file: Path = FILE) -> None:
    """Make what models are first seen with, and write their guesses to a file."""
    arrays = {}
    for model in models:
        *_, made = films(model, first(model))
        guesses = torch.stack([torch.stack(film.x0) for film in made]).numpy()
        arrays[model.key] = {"guesses": np.diff(guesses, axis=1, prepend=np.uint8(0))}  # packs better
    lesson_films.write(file, arrays)


def kept(model: Model, file: Path = FILE) -> dict[Take, Film]:
    """The films that a model is first seen with, made again from the guesses in a file; none if it has not got them.

    Guesses are kept as they are seen, cut at -1 and 1: guesses and images are exact, a state on the way is off by less
    than 2 % of the range on average.
    """
    return _kept(model, file) if lesson_films.has(file, model.key) else {}


@lru_cache(maxsize=8)  # holds no models but those of the file
def _kept(model: Model, file: Path) -> dict[Take, Film]:
    guesses = np.cumsum(lesson_films.read(file, model.key)["guesses"], axis=1, dtype=np.uint8)
    *_, made = _films(model, first(model), [_recorded(unit(torch.from_numpy(film))) for film in guesses])
    return {film.request: film for film in made}


def _recorded(guesses: Tensor) -> Denoise:
    """What a network said, [steps, n, C, H, W], said again, whatever it is asked."""
    each = iter(guesses)
    return lambda x, sigma: next(each)


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep([shipped(name) for name in IMAGES])
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
