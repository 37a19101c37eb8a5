"""What chapter 11 computes: the plane that an autoencoder of digits makes, what its places decode to, diffusion on that
plane, and people from latents beside people from pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from core import seeds
from core.data import people
from core.data.images import pixels, unit
from core.data.points import Affine, PointSet
from core.diffusion import samplers, vector_field
from core.diffusion.denoiser import Denoise
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.samplers import SAMPLERS, SamplerConfig, Step
from core.diffusion.schedules import scale as view_scale
from core.lessons.films import Film
from core.models import digit_judge, latent_quality, live_digits, requests
from core.models import images as image_model
from core.models import latent as latent_model
from core.models.latent import Autoencoder, LatentSpace
from core.pretrained import pretrained
from core.runs.caching import shared_cache
from core.runs.progress import Progress, loss_curve

SIDE = 8  # of a digit
TILES = 12  # pictures along a side of the map of the plane
DRAWN = 600  # digits that are drawn as points
PLACES = 500  # random places
REACHES = (3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0)  # half the side of the plane that is drawn
WITHIN = 0.99  # of the digits lie in it

WEIGHTS = {
    "0": "digits-autoencoder-kl0",
    "0.1": "digits-autoencoder",
    "1": "digits-autoencoder-kl1",
    "2": "digits-autoencoder-kl2",
}
"""The weights of the KL divergence whose autoencoders are shipped, and their names."""


# The plane


@dataclass(frozen=True, eq=False)
class Plane:
    """What an autoencoder of digits makes of the plane, in the encoder's own units.

    Attributes:
        places, labels: the means that digits are encoded to [n, 2], and their classes [n].
        reach: the plane is drawn over [-reach, reach]^2.
        mosaic: the pictures that the centres of ``TILES`` x ``TILES`` equal squares decode to, side by side as one
            picture in [0, 1], [TILES 8, TILES 8], row 0 at the bottom.
        rebuilt: a digit of each class, and below what it becomes, uint8 [20, 8, 8].
        random: the share of random places that decode to something that is read as a digit (``latent_quality``).
        error: mean squared error of a pixel in [-1, 1] over all digits.
        spread: root mean square of the places.
    """

    places: Tensor
    labels: Tensor
    reach: float
    mosaic: Tensor
    rebuilt: Tensor
    random: float
    error: float
    spread: float


@torch.no_grad()
def plane(model: Autoencoder) -> Plane:
    """The plane of an autoencoder of digits."""
    x, labels = _digits()
    mean = model.encode(x)[0]
    reach = reach_of(mean)
    chosen = _one_of_each()
    again = model.decode(mean)
    rebuilt = torch.cat([x[chosen], again[chosen]])
    random = digit_judge.share_read(model.decode(latent_quality.random_places(PLACES)))
    error, spread = (again - x).square().mean().item(), mean.square().mean().sqrt().item()
    part = slice(None, None, max(1, len(x) // DRAWN))
    return Plane(mean[part], labels[part], reach, mosaic(model, reach), pixels(rebuilt)[:, 0], random, error, spread)


def reach_of(places: Tensor) -> float:
    """Half the side of the plane to draw for places [n, 2]: of ``REACHES`` the least that holds nearly all of them."""
    far = places.abs().amax(1).quantile(WITHIN).item()
    return next((reach for reach in REACHES if reach >= far), REACHES[-1])


@torch.no_grad()
def mosaic(model: Autoencoder, reach: float, tiles: int = TILES) -> Tensor:
    """The pictures that a grid of places decodes to, as one picture (see ``Plane.mosaic``)."""
    pictures = model.decode(vector_field.grid(tiles, reach)).view(tiles, tiles, SIDE, SIDE)
    # The first row of a picture is its top, that of the mosaic its bottom.
    brightness = (pictures.flip(2) + 1).div(2).clamp(0, 1)
    return brightness.permute(0, 2, 1, 3).reshape(tiles * SIDE, tiles * SIDE)


@torch.no_grad()
def picture_at(model: Autoencoder, place: tuple[float, float]) -> tuple[Tensor, int, float]:
    """The picture that a place decodes to, uint8 [1, 8, 8], the digit that it is read as, and how surely."""
    x = model.decode(torch.tensor([place], dtype=torch.float32))
    label, sure = digit_judge.read(x)
    return pixels(x)[:, 0], int(label), sure.item()


@torch.no_grad()
def random_pictures(model: Autoencoder, n: int) -> tuple[Tensor, Tensor]:
    """The pictures of the first n random places, uint8 [n, 8, 8], and which are read as a digit, bool [n]."""
    x = model.decode(latent_quality.random_places(n))
    return pixels(x)[:, 0], digit_judge.read(x)[1] > digit_judge.SURE


@shared_cache(1)
def _digits() -> tuple[Tensor, Tensor]:
    images = live_digits.images()
    return unit(images.images), images.labels


@shared_cache(1)
def _one_of_each() -> Tensor:
    """The first digit of each class, [10]."""
    labels = _digits()[1]
    return torch.stack([(labels == k).nonzero()[0, 0] for k in range(live_digits.CLASSES)])


@shared_cache(None)
def shipped_plane(name: str) -> Plane:
    """The plane of a shipped autoencoder of digits."""
    return plane(autoencoder(name))


def autoencoder(name: str) -> Autoencoder:
    """A shipped autoencoder."""
    return pretrained(name).state.ema.eval()


@dataclass(frozen=True, eq=False)
class Snapshot:
    """An autoencoder between two steps of its training: its ``plane``, and its loss so far in blocks."""

    step: int
    plane: Plane
    losses: Tensor
    bayes_loss: float


def snapshot(progress: Progress) -> Snapshot:
    """The snapshot of a run."""
    made = plane(progress.state.ema)
    return Snapshot(progress.state.step, made, loss_curve(progress), progress.bayes_loss)


# Diffusion on the plane


FIELD_REACH = 3.0  # of the plane of latents at unit root mean square, in the variance preserving view
ARROWS = 15  # along a side
SAMPLES, PICTURED = 300, 20  # samples on the plane, and those whose pictures are shown
STEPS = 24
SIGMA_MAX, SIGMA_MIN = 20.0, 0.02


@dataclass(frozen=True)
class PlaneRequest:
    """Samples of the diffusion model on the plane; ``label`` None: of any digit."""

    sampler: str
    label: int | None
    scale: float
    seed: int


@dataclass(frozen=True, eq=False)
class PlaneFilm:
    """Samples on their way, and the field that leads them, on a clock of T noise levels, in the variance preserving
    view.

    Attributes:
        sigmas: [T], the last one 0.
        places, learned, exact: the grid [g, 2], and the arrows of the network and of the exact denoiser [T, g, 2].
        samples: [T, n, 2].
        pictures: what the network's guesses at the first samples decode to, uint8 [T, PICTURED, 8, 8].
        read: the share of finished samples that are read as a digit; ``right``: as the digit that was asked for.
    """

    sigmas: Tensor
    places: Tensor
    learned: Tensor
    exact: Tensor
    samples: Tensor
    pictures: Tensor
    read: float
    right: float | None


@shared_cache(1)
def space() -> LatentSpace:
    """The latent space of the shipped plane of digits."""
    return latent_model.space_of(pretrained("digits-latent"))


@shared_cache(1)
def latent_points() -> PointSet:
    """The latents of all digits as a set of points, with their classes."""
    x, labels = _digits()
    names = tuple(map(str, range(live_digits.CLASSES)))
    z = space().encode(x)
    return PointSet("digits", z, labels, names, Affine((0.0, 0.0), 1.0), None, _no_draw)


def _no_draw(u: Tensor) -> tuple[Tensor, None]:
    raise NotImplementedError("latents are not drawn anew")


def plane_denoiser(label: int | None, scale: float) -> Denoise:
    """The shipped diffusion model on the plane, asked for a digit under a guidance scale, or for none."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return image_model.guided(pretrained("digits-latent").denoiser, [label] * len(x), scale, None)(x, sigma)

    return denoise if label is not None else partial(_unconditional, pretrained("digits-latent").denoiser)


def _unconditional(denoiser: Denoise, x: Tensor, sigma: Tensor) -> Tensor:
    return denoiser(x, sigma, None)


@shared_cache(48)
def plane_film(request: PlaneRequest) -> PlaneFilm:
    """The film of a request."""
    denoise = plane_denoiser(request.label, request.scale)
    config = SamplerConfig(request.sampler, STEPS, sigma_max=SIGMA_MAX, sigma_min=SIGMA_MIN, seed=request.seed + 1)
    start = samplers.start((SAMPLES, 2), config.sigma_max, 1.0, request.seed)
    steps = list(samplers.run(config, denoise, start))
    states = torch.stack([*(step.x for step in steps), steps[-1].x_next]).float()
    guesses = torch.stack([*(step.x0[:PICTURED] for step in steps), states[-1, :PICTURED]]).float()
    decode, (frames, n) = space().decode, guesses.shape[:2]
    pictures = pixels(decode(guesses.flatten(0, 1)))[:, 0].unflatten(0, (frames, n))
    label, sure = digit_judge.read(decode(states[-1]))
    right = None if request.label is None else (label == request.label).double().mean().item()
    levels = config.sigmas.float()
    learned, exact = _fields(request.label, denoise, levels)
    view = view_scale(levels, "vp")[:, None, None] * states
    read = (sure > digit_judge.SURE).double().mean().item()
    return PlaneFilm(levels, vector_field.grid(ARROWS, FIELD_REACH), learned, exact, view, pictures, read, right)


def _fields(label: int | None, denoise: Denoise, sigmas: Tensor) -> list[Tensor]:
    """The arrows of a denoiser and of the exact one of the digits of a class, or of all [T, g, 2]."""
    points = latent_points()
    known = points.points if label is None else points.points[points.labels == label]
    places, levels = vector_field.grid(ARROWS, FIELD_REACH), sigmas.clamp_min(SIGMA_MIN)
    both = [vector_field.arrows(each, places, levels, "vp") for each in (denoise, EmpiricalDenoiser(known))]
    return vector_field.limit_lengths(2 * FIELD_REACH / ARROWS, *both)


# People


PEOPLE = 12  # of a film


@dataclass(frozen=True)
class PeopleRequest:
    """People to draw by one of the two models.

    Attributes:
        in_latents: by the model of latents, else by that of pixels.
        values: of each attribute the numbers of the values that will do (see ``requests``).
        scale, steps, seed: guidance scale w, steps of the sampler, and what decides the noise.
    """

    in_latents: bool
    values: requests.Values
    scale: float = 3.0
    steps: int = 20
    seed: int = 0

    @property
    def frames(self) -> int:
        """The number of frames of the film: a state for each noise level."""
        return self.steps + 1

    @property
    def calls(self) -> int:
        """Network calls for each person."""
        return SAMPLERS["dpmpp_2m"].calls(self.steps) * (1 if self.scale in (0, 1) else 2)


@shared_cache(1)
def people_space() -> LatentSpace:
    """The latent space of the shipped people."""
    return latent_model.space_of(pretrained("people-latent"))


def people_films(wanted: Sequence[PeopleRequest]) -> Iterator[tuple[Film, ...]]:
    """Films of requests of equal steps, made together; yields them after each step. Latents are shown decoded."""
    films = [Film(request) for request in wanted]
    for steps in zip(*(_people_steps(request) for request in wanted), strict=True):
        films = [_add_step(film, step) for film, step in zip(films, steps, strict=True)]
        yield tuple(films)


def _people_steps(request: PeopleRequest) -> Iterator[Step]:
    model = pretrained("people-latent" if request.in_latents else "people")
    shape = people_space().shape if request.in_latents else image_model.shape_of(model.config)
    cond = requests.condition(request.values, PEOPLE)
    denoise = image_model.guided(model.denoiser, cond, request.scale, None)
    x = image_model.starting_noise(model.denoiser, (PEOPLE, *shape), request.seed)
    return image_model.sampler_steps(denoise, x, "dpmpp_2m", request.steps, request.seed)


def _add_step(film: Film, step: Step) -> Film:
    """The film with the frame that a step began at, and with the finished people if it was the last one."""
    if not film.request.in_latents:
        return film.add_step(step)
    decode = people_space().decode
    state = decode(view_scale(torch.tensor(step.sigma), "vp").float() * step.x.float())
    film = film.add(0.0, state, decode(step.x0.float()))
    if step.sigma_next:
        return film
    last = decode(step.x_next.float())
    return film.add(0.0, last, last)


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """People, their latents and what these decode to.

    Attributes:
        originals, rebuilt: uint8 [n, 3, 16, 16].
        channels: the latents' channels in grey, uint8 [n, C, 4, 4].
        error: root mean square error of a value, of pictures in [-1, 1].
    """

    originals: Tensor
    channels: Tensor
    rebuilt: Tensor
    error: float


@shared_cache(16)
def rebuilt_people(n: int, seed: int) -> Rebuilt:
    """n people of held-out combinations, encoded and decoded."""
    drawn = people.draw(n, seeds.mix(seed, 0x2EB), held_out=True).images
    x, made = unit(drawn), people_space()
    z = made.encode(x)
    again = made.decode(z)
    error = (again - x).square().mean().sqrt().item()
    return Rebuilt(drawn, pixels(z / 2.5), pixels(again), error)
