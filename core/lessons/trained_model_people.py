"""Chapter 7 with pictures of people: a scribble becomes a person, a half is filled in, a person is inverted and edited,
a mosaic is measured, and pictures have a log-likelihood. The model is the shipped one of people; nothing is trained.

``python -m core.lessons.trained_model_people`` writes what takes longer than a page may wait.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core import seeds
from core.data import paintings, people
from core.data.images import pixels, unit
from core.data.people import ATTRIBUTES, SIDE
from core.diffusion import editing, likelihood, posterior, samplers
from core.diffusion.denoiser import Denoise
from core.diffusion.guidance import condition
from core.diffusion.samplers import Step
from core.diffusion.schedules import log_linear
from core.lessons.films import Film
from core.models import images as image_model
from core.models import people_judge
from core.pretrained import pretrained
from core.problems import Problem

FILE = Path(__file__).parents[1] / "pretrained" / "trained_model_people.npz"
NAME = "people"
NAMES = list(ATTRIBUTES)
START_STEPS, FILL_STEPS, INVERT_STEPS, MEASURE_STEPS = 24, 15, 12, 15  # of a whole grid; a start takes fewer
N, INVERTED = 8, 6  # pictures of a start and of a filled-in person; people who are inverted
USES = ("start", "fill", "invert", "measure")
KNOWN = ("left", "top", "bottom")
BLOCKS = (2, 4)  # pixels a side of the blocks of a mosaic
MEASURED_STD = 0.05  # the error of a measured number
_PERSON, _NOISE = 0xA59, 0x70153  # the first six people of this seed wear no hat

SCRIBBLES: dict[str, tuple[str, tuple[tuple[int, int, int, int, str], ...]]] = {
    "hat": ("b6e3f4", ((3, 13, 4, 12, "ffdbac"), (1, 4, 3, 13, "c41a10"), (13, 16, 2, 14, "3c9a3c"),
                       (7, 8, 6, 7, "000000"), (7, 8, 9, 10, "000000"))),
    "hair": ("ffffff", ((2, 15, 2, 14, "ffc425"), (4, 13, 5, 11, "cb9e6e"), (13, 16, 3, 13, "1f66c0"),
                        (7, 8, 6, 7, "000000"), (7, 8, 9, 10, "000000"))),
    "beard": ("d3efc6", ((3, 13, 4, 12, "8d5524"), (10, 14, 4, 12, "28150a"), (2, 4, 4, 12, "28150a"),
                         (14, 16, 2, 14, "7b4fb5"))),
}  # fmt: skip
"""Pictures scribbled from rectangles: the colour of the ground, and of each rectangle its rows, columns and colour."""


@dataclass(frozen=True)
class Change:
    """Attributes that an edit sets, and others that it may hide or show."""

    values: Mapping[str, str]
    beside: tuple[str, ...] = ()


CHANGES: dict[str, Change] = {
    "same": Change({}),
    "top_hat": Change({"hat": "top_hat", "hat_colour": "black"}, ("hair", "hair_colour", "earrings")),
    "sunglasses": Change({"glasses": "sunglasses"}),
    "beard": Change({"beard": "beard"}, ("mouth", "hair_colour")),
    "long_hair": Change({"hat": "none", "hair": "long"}, ("hat_colour", "hair_colour", "earrings")),
    "red_clothes": Change({"clothes_colour": "red"}, ("pattern",)),
}
"""What an edit can change."""


# The model


@cache
def denoiser() -> Denoise:
    """The shipped model of people without a condition."""
    return condition(pretrained(NAME).denoiser, given(torch.full((1, len(NAMES)), -1)))


def given(attributes: Tensor) -> dict[str, Tensor]:
    """Attributes [B, 12] as a condition; -1 is not given."""
    return {"attributes": attributes}


@cache
def scribble(name: str) -> Tensor:
    """A scribbled person, [1, 3, 16, 16] in [-1, 1]. Raises Problem for another name than those of ``SCRIBBLES``."""
    if name not in SCRIBBLES:
        raise Problem("unknown_shape", name=name, known=", ".join(SCRIBBLES))
    ground, rectangles = SCRIBBLES[name]
    picture = people.palette((ground,)).expand(1, 3, SIDE, SIDE).clone()
    for top, bottom, left, right, colour in rectangles:
        picture[..., top:bottom, left:right] = people.palette((colour,))
    return 2 * picture - 1


def beginning(request: "PeopleRequest") -> Tensor:
    """The picture that a start begins with, [1, 3, 16, 16] in [-1, 1]. Raises Problem for one that cannot be used."""
    return paintings.picture(request.painting) if request.painting else scribble(request.scribble)


def person(k: int, n: int = 1) -> people.People:
    """n people from number k on, none of whom was trained on."""
    return people.draw(n, _PERSON, first=k, held_out=True)


def mask(known: str) -> Tensor:
    """Which pixels of a picture are known, bool [1, 1, 16, 16]. Raises Problem for another name than in ``KNOWN``."""
    if known not in KNOWN:
        raise Problem("unknown_shape", name=known, known=", ".join(KNOWN))
    line = torch.arange(SIDE)
    first = {"left": line < SIDE // 2, "top": line < SIDE // 2, "bottom": line >= SIDE // 2}[known]
    rows = first.expand(SIDE, -1) if known == "left" else first[:, None].expand(-1, SIDE)
    return rows[None, None]


@cache
def mosaic_operator(block: int) -> Tensor:
    """What measures a mosaic, [3 (16 / block)^2, 768]: the mean of each block of block^2 pixels in each channel, times
    ``block``, so that the rows are orthonormal. Raises Problem for another size than those of ``BLOCKS``."""
    if block not in BLOCKS:
        raise Problem("unknown_shape", name=block, known=", ".join(map(str, BLOCKS)))
    along = torch.eye(SIDE // block).repeat_interleave(block, 1) / block**0.5
    return torch.kron(torch.eye(3), torch.kron(along, along))


def mosaic(images: Tensor, block: int) -> Tensor:
    """Pictures, uint8 [n, 3, 16, 16], with each block in its mean colour."""
    operator = mosaic_operator(block)
    return pixels((unit(images).flatten(1) @ operator.T @ operator).view(images.shape))


# Films of the uses


@dataclass(frozen=True)
class PeopleRequest:
    """A use of the model of people; equal requests have equal films.

    Attributes:
        use: one of ``USES``.
        sigma, scribble: the level and the picture of a start; "" with a painting.
        painting: a picture painted by hand that takes the place of the scribble (see ``core.data.paintings``).
        known, resamplings: the half that is known, and how often each step is made.
        change: what is edited, one of ``CHANGES``.
        block: the size of the blocks of a mosaic, one of ``BLOCKS``.
        person: the number of the (first) person.
        seed: of the noise.
    """

    use: str = "start"
    sigma: float = 1.0
    scribble: str = "hat"
    painting: str = ""
    known: str = "left"
    resamplings: int = 1
    change: str = "same"
    block: int = 4
    person: int = 0
    seed: int = 0

    @property
    def sigmas(self) -> Tensor:
        """The levels of the states, [steps + 1]."""
        if self.use == "start":
            return editing.levels_from(image_model.grid(START_STEPS), self.sigma)
        if self.use in ("fill", "measure"):
            return image_model.grid(FILL_STEPS if self.use == "fill" else MEASURE_STEPS)
        down = image_model.grid(INVERT_STEPS)
        return torch.cat([editing.rising(down), down[1:]])

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.sigmas) - 1

    @property
    def frames(self) -> int:
        """The number of frames of the finished film."""
        return self.steps + 1


def steps_of(request: PeopleRequest) -> Iterator[Step]:
    """The steps of a request, one by one."""
    if request.use == "start":
        x = beginning(request).expand(N, -1, -1, -1)
        start = editing.add_noise(x, request.sigma, request.seed)
        return samplers.dpmpp_2m(denoiser(), start, request.sigmas)
    if request.use == "invert":
        found = person(request.person, INVERTED)
        conditions = wanted(found, "same"), wanted(found, request.change)
        up, down = (condition(pretrained(NAME).denoiser, given(each)) for each in conditions)
        return editing.round_trip(up, unit(found.images), image_model.grid(INVERT_STEPS), down)
    x = image_model.starting_noise(pretrained(NAME).denoiser, (N, 3, SIDE, SIDE), request.seed)
    known = unit(person(request.person).images)
    if request.use == "measure":
        return samplers.dpmpp_2m(measured(known, request.block), x, request.sigmas)
    seed = seeds.mix(request.seed, _NOISE)
    return editing.fill_in(denoiser(), x, request.sigmas, known, mask(request.known), request.resamplings, seed)


def measured(picture: Tensor, block: int) -> Denoise:
    """The model guided by an estimate of the likelihood of a picture's mosaic, [1, 3, 16, 16] in [-1, 1]."""
    operator, sigma_data = mosaic_operator(block), pretrained(NAME).denoiser.sigma_data
    y = operator @ picture.flatten()
    fit = posterior.measurement_log_likelihood(denoiser(), operator, y, MEASURED_STD, sigma_data)
    return posterior.guided_by(denoiser(), fit)


def wanted(found: people.People, change: str) -> Tensor:
    """The attributes of people with a change, [n, 12], as far as they can be seen; -1 where not."""
    attributes, edit = found.attributes.where(found.visible, -1), CHANGES[change]
    for name, value in edit.values.items():
        attributes[:, NAMES.index(name)] = ATTRIBUTES[name].index(value)
    return attributes


def films(requests: Sequence[PeopleRequest]) -> Iterator[tuple[Film, ...]]:
    """The films of requests as they form, after each step of one after the other."""
    made = {request: Film(request) for request in requests}
    for request in requests:
        for step in steps_of(request):
            made[request] = made[request].add_step(step)
            yield tuple(made.values())


# What is measured of finished pictures


def distance_to_people(images: Tensor) -> float:
    """The root mean square difference of pictures, uint8 [n, 3, 16, 16], to the nearest person that can be composed, of
    values in [-1, 1]; the mean over the pictures."""
    return _difference(images, people_judge.nearest(images).images)


def change_of(images: Tensor, before: Tensor) -> float:
    """The root mean square difference of pictures to others or to one, uint8, the mean over the pictures."""
    return _difference(images, before.expand_as(images))


def _difference(images: Tensor, others: Tensor) -> float:
    return (unit(images) - unit(others)).square().mean((1, 2, 3)).sqrt().mean().item()


def judged(images: Tensor, request: PeopleRequest) -> tuple[float, float]:
    """Of edited people: the share of the changed attributes that a network reads as they were wanted, and of all others
    that can be seen and that the change does not touch as they were. The first is 1 without a change."""
    found, edit = person(request.person, INVERTED), CHANGES[request.change]
    right = people_judge.attributes_of(images) == wanted(found, request.change)
    changed = [NAMES.index(name) for name in edit.values]
    rest = [k for k, name in enumerate(NAMES) if name not in (*edit.values, *edit.beside)]
    kept = right[:, rest][found.visible[:, rest]]
    return (right[:, changed].double().mean().item() if changed else 1.0), kept.double().mean().item()


# What filled-in pictures show, beside what they would show if they followed the conditional distribution


OFTEN = (1, 5)  # resamplings
BEARDS = 0.5  # the share of people with a beard or a goatee, who are drawn so whatever the top half shows
FILLED, EACH = 8, 32  # people whose top half is filled in, and answers for each


def share_of_beards(resamplings: int, each: int = EACH) -> float:
    """The share of answers with a beard or a goatee where the top half of eight people is filled in by RePaint, as the
    network that judges people reads them."""
    model = pretrained(NAME).denoiser
    x = image_model.starting_noise(model, (FILLED * each, 3, SIDE, SIDE), _NOISE)
    known = unit(person(0, FILLED).images).repeat_interleave(each, 0)
    steps = editing.fill_in(denoiser(), x, image_model.grid(FILL_STEPS), known, mask("top"), resamplings, _NOISE)
    return _bearded(samplers.last(steps))


def share_of_beards_alone(n: int = FILLED * EACH) -> float:
    """The same share of n people whom the model draws when nothing is known, by DPM-Solver++(2M)."""
    x = image_model.starting_noise(pretrained(NAME).denoiser, (n, 3, SIDE, SIDE), _NOISE)
    return _bearded(samplers.last(samplers.dpmpp_2m(denoiser(), x, image_model.grid(FILL_STEPS))))


def _bearded(x: Tensor) -> float:
    return (people_judge.attributes_of(pixels(x))[:, NAMES.index("beard")] > 0).double().mean().item()


# The log-likelihood of pictures


LIKELIHOOD_SIGMA, LIKELIHOOD_STEPS = 0.05, 50
PROBES = 8, 32  # random signs for each of many people, and for each picture that is shown: known to about 10 nats
PICTURES = ("likeliest", "unlikeliest", "average", "ground", "scribble", "noise")
MEASURED = 32  # real people, of whom the likeliest and the unlikeliest are shown


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured of the model of people and kept in a file. Log-likelihoods are in nats, at noise of
    ``LIKELIHOOD_SIGMA``, without a condition.

    Attributes:
        pictures: those of ``PICTURES``, uint8 [6, 3, 16, 16].
        nats: of each, [6].
        people: of 32 real people, [32].
        beards: the share of beards in filled-in pictures with each number of resamplings in ``OFTEN``, and in pictures
            of which nothing is known, [3].
    """

    pictures: Tensor
    nats: Tensor
    people: Tensor
    beards: Tensor


def log_likelihoods(images: Tensor, probes: int, steps: int = LIKELIHOOD_STEPS) -> Tensor:
    """The log-likelihood of pictures in [-1, 1], [n, 3, 16, 16], each with the same noise, [n] in nats."""
    model = pretrained(NAME).denoiser
    noise = seeds.gaussian((1, *images.shape[1:]), _NOISE)
    sigmas = log_linear(LIKELIHOOD_SIGMA, image_model.SIGMA_MAX).sigmas(steps + 1)[:-1]
    traced = likelihood.estimated_trace(denoiser(), _NOISE, probes)
    return likelihood.log_likelihood(traced, images + LIKELIHOOD_SIGMA * noise, sigmas, model.sigma_data)


def others() -> Tensor:
    """The average of 4,096 people, a ground without a person, a scribble, and noise: uint8 [4, 3, 16, 16]."""
    average = unit(people.draw(4096, _PERSON).images).mean(0, keepdim=True)
    ground = 2 * people.palette((people.BACKGROUND["blue"],)).expand(1, 3, SIDE, SIDE) - 1
    noise = 2 * seeds.uniform(3 * SIDE * SIDE, _NOISE).view(1, 3, SIDE, SIDE) - 1
    return pixels(torch.cat([average, ground, scribble("hat"), noise]))


def measure() -> Measured:
    """Measure the model of people, in about six minutes."""
    real, (few, many) = person(0, MEASURED).images, PROBES
    nats = log_likelihoods(unit(real), few)
    shown = torch.cat([real[torch.stack([nats.argmax(), nats.argmin()])], others()])
    beards = torch.tensor([*map(share_of_beards, OFTEN), share_of_beards_alone()])
    return Measured(shown, log_likelihoods(unit(shown), many), nats, beards)


def write(file: Path = FILE) -> None:
    """Measure the model of people and write the numbers."""
    np.savez_compressed(file, **{name: np.asarray(value) for name, value in vars(measure()).items()})


@cache
def kept() -> Measured:
    """What the file has."""
    with np.load(FILE, allow_pickle=False) as arrays:
        return Measured(*(torch.from_numpy(arrays[name]) for name in ("pictures", "nats", "people", "beards")))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write()
