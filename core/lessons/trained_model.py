"""Chapter 7: five uses of one trained model of points. Nothing is trained here.

The data are the 100 points of the spiral, in units of their root mean square, each with Gaussian noise of ``SIGMA_MIN``
= 0.05: samplers end at this level and not at 0, so the data have a density in the plane. The model is a shipped network
that knows these points and their three classes; ``exact`` stands for their exact denoiser.

``python -m core.lessons.trained_model`` writes what takes longer than a page may wait: the maps of the log-density, and
the errors over the number of steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import at_unit_rms
from core.diffusion import editing, guidance, likelihood, posterior, samplers, vector_field
from core.diffusion.denoiser import Cond, Denoise
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.guidance import condition
from core.diffusion.schedules import log_linear
from core.pretrained import points_of, shipped
from core.problems import Problem
from core.runs.caching import shared_cache

FILE = Path(__file__).parents[1] / "pretrained" / "trained_model.npz"
NAME = "spiral-100-classes"
MODELS = ("learned", "exact")
SIGMA_MIN, SIGMA_MAX = 0.05, 20.0
INVERSION_MAX = 40.0
"""Where inversion ends: at 20 a trace of the data is left in the noise."""
N = 400
ON_DATA = 3 * SIGMA_MIN
"""How near to a data point a sample has to be to count as one on the data."""
PERFECT_DISTANCE = SIGMA_MIN * (math.pi / 2) ** 0.5
"""The mean distance of data to their own point: that of a Gaussian of two dimensions from its mean."""
_DATA, _EXACT = 0x7DA7A, 0x7E7A

ConditionalDenoiser = Callable[..., Tensor]  # x [B, 2], sigma [B], cond -> x0_hat [B, 2]


# The model and its data


@dataclass(frozen=True, eq=False)
class Data:
    """Points [100, 2] of root mean square 1 and their classes [100]."""

    points: Tensor
    labels: Tensor


@cache
def data() -> Data:
    """The data of the chapter."""
    points = at_unit_rms(points_of(NAME))
    return Data(points.points, points.labels)


@cache
def exact(dtype: torch.dtype = torch.float32) -> EmpiricalDenoiser:
    """The exact denoiser of the data."""
    return EmpiricalDenoiser(data().points.to(dtype), data().labels)


@cache
def learned() -> ConditionalDenoiser:
    """The shipped network in units of the root mean square s of its data: D(s x, s sigma) / s."""
    model = shipped(NAME)
    denoiser, s = model.denoise, model.points.rms

    def denoise(x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        return denoiser(s * x, s * sigma, cond) / s

    return denoise


def denoiser_of(name: str) -> ConditionalDenoiser:
    """One of ``MODELS``. Raises Problem for another name."""
    if name not in MODELS:
        raise Problem("unknown_model", name=name, known=", ".join(MODELS))
    return exact() if name == "exact" else learned()


def cond(label: int | None) -> Cond | None:
    """A class as the condition of a whole batch."""
    return None if label is None else {"label": torch.tensor([label])}


def levels(steps: int, sigma_max: float = SIGMA_MAX) -> Tensor:
    """Log-linear noise levels from sigma_max down to ``SIGMA_MIN``, [steps + 1] float64."""
    return log_linear(SIGMA_MIN, sigma_max).sigmas(steps + 1)[:-1]


def draw(n: int, seed: int = 0, label: int | None = None) -> Tensor:
    """n exact draws of the data, or of one class, [n, 2]."""
    points = data().points if label is None else data().points[data().labels == label]
    chosen = torch.randint(len(points), (n,), generator=seeds.generator(seed, _DATA))
    return points[chosen] + SIGMA_MIN * seeds.gaussian((n, 2), seed, _DATA, 1)


def share_on_data(samples: Tensor) -> float:
    """The share of samples [n, 2] within ``ON_DATA`` of a data point."""
    return (metrics.distance_to(samples, data().points) <= ON_DATA).double().mean().item()


def reached(samples: Tensor) -> int:
    """How many of the 100 data points are nearest to a sample of [n, 2] that is on the data."""
    return int(metrics.covered(samples, data().points, ON_DATA).sum())


def classes_of(samples: Tensor) -> Tensor:
    """The class of the data point nearest to each sample [n, 2], [n]."""
    return data().labels[metrics.nearest(samples, data().points)[1]]


def share_of_class(samples: Tensor, label: int) -> float:
    """The share of samples [n, 2] that are of a class."""
    return (classes_of(samples) == label).double().mean().item()


# 1 Start at sigma


SHAPES = ("circle", "square", "line")
EDIT_SIGMAS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
EDIT_STEPS = 40


def shape(name: str, n: int = N) -> Tensor:
    """n points spread evenly along a drawn shape, [n, 2]. Raises Problem for another name than those of ``SHAPES``."""
    part = (torch.arange(n) + 0.5) / n
    if name == "circle":
        angle = 2 * math.pi * part
        return 1.4 * torch.stack([angle.cos(), angle.sin()], 1)
    if name == "square":
        side, along = (4 * part).long() % 4, 2 * (4 * part % 1) - 1
        edge = torch.stack([along, torch.ones(n)], 1)
        turns = torch.tensor([[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]])
        return 1.3 * torch.einsum("nij,nj->ni", turns[side].float(), edge)
    if name == "line":
        return torch.stack([4 * part - 2, torch.zeros(n)], 1)
    raise Problem("unknown_shape", name=name, known=", ".join(SHAPES))


@dataclass(frozen=True, eq=False)
class Edit:
    """Given points that were noised to a level and denoised.

    Attributes:
        sigmas: the noise levels of the states, descending, [T].
        states: all states, [T, n, 2].
        moved: how far the points end from where they began, on average.
        distance: how far they end from the nearest data point, on average.
    """

    sigmas: Tensor
    states: Tensor
    moved: float
    distance: float


def edit(name: str, x: Tensor, sigma: float, seed: int = 0, steps: int = EDIT_STEPS) -> Edit:
    """Noise given points x [n, 2] to a level and denoise them, on the part of a grid of so many steps below it."""
    sigmas = editing.levels_from(levels(steps), sigma)
    states = editing.start_at(condition(denoiser_of(name), None), x, sigmas, seed)
    moved = (states[-1] - x).norm(dim=1).mean().item()
    return Edit(sigmas, states, moved, metrics.distance_to(states[-1], data().points).mean().item())


def edits(name: str, x: Tensor, seed: int = 0) -> list[Edit]:
    """The same points from each of ``EDIT_SIGMAS``, with fewer points and steps than ``edit``."""
    return [edit(name, x[::2], sigma, seed, 24) for sigma in EDIT_SIGMAS]


# 2 Fix a part


INPAINT_N, INPAINT_STEPS = 500, 50
KNOWN = torch.tensor([[True, False]])  # the first coordinate


@dataclass(frozen=True, eq=False)
class Inpainting:
    """Samples whose first coordinate was fixed.

    Attributes:
        states: all states over ``levels(INPAINT_STEPS)``, [T, n, 2].
        on_data: the share of samples on the data.
        w1: the Wasserstein distance between the second coordinates and their exact conditional distribution.
    """

    states: Tensor
    on_data: float
    w1: float


@shared_cache(24)
def inpaint(name: str, value: float, resamplings: int, seed: int = 0, n: int = INPAINT_N) -> Inpainting:
    """n samples with the first coordinate ``value``, filled in by RePaint."""
    x = samplers.start((n, 2), SIGMA_MAX, 1.0, seed)
    known, denoise = torch.tensor([[float(value), 0.0]]), condition(denoiser_of(name), None)
    steps = editing.fill_in(denoise, x, levels(INPAINT_STEPS), known, KNOWN, resamplings, seed)
    return judged(samplers.path(steps), value)


@shared_cache(24)
def inpaint_exactly(value: float, seed: int = 0, n: int = INPAINT_N) -> Inpainting:
    """n samples of the exact conditional distribution, by DDPM with the exact denoiser E[x0 | x, first coordinate]."""
    x = samplers.start((n, 2), SIGMA_MAX, 1.0, seed)
    operator, y = torch.tensor([[1.0, 0.0]]), torch.tensor([float(value)])
    denoise = posterior.measured_points(exact(), operator, y, SIGMA_MIN)
    return judged(samplers.path(samplers.ancestral(denoise, x, levels(INPAINT_STEPS), seed=seed)), value)


def judged(states: Tensor, value: float) -> Inpainting:
    """States of samples with what is measured of the last ones."""
    return Inpainting(states, share_on_data(states[-1]), wasserstein(states[-1][:, 1], conditional_draws(value)))


def conditional_weights(value: float) -> Tensor:
    """How likely each data point is, given the first coordinate, [100]."""
    return torch.softmax(-(data().points[:, 0].double() - value).square() / (2 * SIGMA_MIN**2), 0)


def conditional_draws(value: float, n: int = 20_000, place: int = 0) -> Tensor:
    """Second coordinates drawn from their exact distribution given the first, [n]."""
    generator = seeds.generator(_EXACT, place)
    chosen = torch.multinomial(conditional_weights(value), n, True, generator=generator)
    return data().points[chosen, 1] + SIGMA_MIN * torch.randn(n, generator=generator)


@shared_cache(64)
def w1_floor(value: float, n: int = INPAINT_N) -> float:
    """The Wasserstein distance that n exact draws have from the exact distribution by chance, mean of 9 sets."""
    wanted = conditional_draws(value)
    return sum(wasserstein(conditional_draws(value, n, 1 + k), wanted) for k in range(9)) / 9


def wasserstein(a: Tensor, b: Tensor) -> float:
    """The 1-Wasserstein distance of numbers a [n] and b [m]: the mean distance of their quantiles, at 2,000 of them."""
    at = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    return (a.double().quantile(at) - b.double().quantile(at)).abs().mean().item()


# 3 Invert


STEPS = (10, 20, 50, 100, 200)
INVERTED = 100  # points


@shared_cache(24)
def round_trip(name: str, label: int | None, back: int | None, steps: int, n: int = INVERTED) -> Tensor:
    """Data of a class up to noise and down again, all states [2 steps + 1, n, 2]: with the condition ``label`` on the
    way up and ``back`` on the way down; None is no condition, and data of all classes."""
    up, down = (condition(denoiser_of(name), cond(each)) for each in (label, back))
    return samplers.path(editing.round_trip(up, draw(n, label=label), levels(steps, INVERSION_MAX), down))


def round_trip_error(states: Tensor) -> float:
    """The median distance between where points of a round trip [T, n, 2] began and where they ended."""
    return (states[-1] - states[0]).norm(dim=1).median().item()


def inversion_errors(name: str, n: int = 2000) -> list[float]:
    """The error of the round trip without a condition for each of ``STEPS``."""
    return [round_trip_error(round_trip(name, None, None, steps, n)) for steps in STEPS]


# 4 Log-likelihood


LIKELIHOOD_STEPS = (5, 10, 20, 50, 100)
SIDE, REACH = 40, 2.6  # cells of a map along a side, and half its width


def traced(name: str) -> likelihood.Traced:
    """A model with the trace of its Jacobian."""
    return likelihood.posterior_trace(exact()) if name == "exact" else likelihood.exact_trace(learned())


def log_density(name: str, x: Tensor, steps: int) -> Tensor:
    """The log-density of a model at places x [n, 2] by the flow ODE in so many Heun steps, [n] in nats."""
    return likelihood.log_likelihood(traced(name), x, levels(steps), 1.0)


def exact_log_density(x: Tensor) -> Tensor:
    """The log-density of the data at places x [n, 2], [n] in nats."""
    return exact().log_density(x, x.new_full((len(x),), SIGMA_MIN))


def rms_error(name: str, steps: int, n: int = N) -> float:
    """The root mean square error of a log-density at n draws of the data, in nats."""
    x = draw(n, 1)
    return (log_density(name, x, steps) - exact_log_density(x)).square().mean().sqrt().item()


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured of a model and kept in a file.

    Attributes:
        maps: its log-density on ``vector_field.grid(SIDE, REACH)`` with each of ``LIKELIHOOD_STEPS``, [5, SIDE, SIDE]
            in nats.
        density_errors: the RMS error of its log-density at data with each of them, [5] in nats.
        inversion_errors: the median error of the round trip with each of ``STEPS``, [5].
    """

    maps: Tensor
    density_errors: Tensor
    inversion_errors: Tensor


def measure(name: str) -> Measured:
    """Measure one of ``MODELS``, in a quarter of a minute."""
    places = vector_field.grid(SIDE, REACH)
    maps = torch.stack([log_density(name, places, steps).view(SIDE, SIDE) for steps in LIKELIHOOD_STEPS])
    errors = [rms_error(name, steps) for steps in LIKELIHOOD_STEPS]
    return Measured(maps, torch.tensor(errors), torch.tensor(inversion_errors(name)))


def write(file: Path = FILE) -> None:
    """Measure all models and write the numbers, maps in half precision."""
    arrays = {}
    for name in MODELS:
        for part, values in vars(measure(name)).items():
            arrays[f"{name}/{part}"] = values.numpy().astype(np.float16 if part == "maps" else np.float32)
    np.savez_compressed(file, **arrays)


@cache
def measured_of(name: str) -> Measured:
    """What the file has of one of ``MODELS``."""
    with np.load(FILE, allow_pickle=False) as arrays:
        parts = ("maps", "density_errors", "inversion_errors")
        return Measured(*(torch.from_numpy(arrays[f"{name}/{part}"].astype(np.float32)) for part in parts))


# 5 A measurement


FIELD_SIDE, MEASURED_STEPS, MEASURED_N = 9, 40, 200
MEASURED = torch.tensor([[1.0, 0.0]])  # the operator that reads the first coordinate


def by_classifier(label: int, scale: float, name: str = "exact", dtype: torch.dtype = torch.float32) -> Denoise:
    """A model guided by the exact probability of a class."""
    base = condition(exact(dtype) if name == "exact" else denoiser_of(name), None)
    return posterior.guided_by(base, posterior.class_log_probability(exact(dtype), label), scale)


def by_class(label: int, scale: float, name: str = "exact", dtype: torch.dtype = torch.float32) -> Denoise:
    """Classifier-free guidance of a model towards a class."""
    return guidance.cfg(exact(dtype) if name == "exact" else denoiser_of(name), cond(label), scale=scale)


def with_negative(name: str, label: int, negative: int, scale: float, negative_scale: float) -> Denoise:
    """u + w1 (c - u) - w2 (n - u) of a model."""
    return guidance.two_scales(denoiser_of(name), cond(label), cond(negative), scale, negative_scale)


def without_class(name: str, label: int, dtype: torch.dtype = torch.float32) -> Denoise:
    """A model guided by the exact probability that the class is another one.

    For the exact denoiser this is u - p / (1 - p) (n - u): a negative with the scale p / (1 - p), which is large only
    where the class is likely.
    """
    probability = posterior.class_log_probability(exact(dtype), label)

    def log_likelihood(x: Tensor, sigma: Tensor) -> Tensor:
        return torch.log1p(-probability(x, sigma).exp().clamp(max=1 - 1e-6))

    base = condition(exact(dtype) if name == "exact" else denoiser_of(name), None)
    return posterior.guided_by(base, log_likelihood)


def measured_exactly(y: float, std: float) -> Denoise:
    """The exact denoiser E[x0 | x, y] for a measurement y of the first coordinate with noise std."""
    return posterior.measured_points(exact(), MEASURED, torch.tensor([float(y)]), std)


def measured(name: str, y: float, std: float) -> Denoise:
    """A model guided by an estimate of the likelihood of the same measurement."""
    base = condition(denoiser_of(name), None)
    return posterior.guided_by(
        base, posterior.measurement_log_likelihood(base, MEASURED, torch.tensor([float(y)]), std, 1.0)
    )


def sample(denoise: Denoise, seed: int = 0, n: int = MEASURED_N) -> Tensor:
    """All states of n samples by DDIM over ``levels(MEASURED_STEPS)``, [T, n, 2], from starts that the seed decides."""
    x = samplers.start((n, 2), SIGMA_MAX, 1.0, seed)
    return samplers.path(samplers.euler(denoise, x, levels(MEASURED_STEPS)))


def arrows(denoise: Denoise, places: Tensor, sigmas: Tensor) -> Tensor:
    """x0_hat - x at places [g, 2] of the variance preserving view, as drawn, [T, g, 2]."""
    return vector_field.arrows(denoise, places, sigmas.float(), "vp")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write()
