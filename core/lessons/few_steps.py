"""What chapter 6 computes of the shipped flow models: their samples in few steps, how good these are, and their fields.

``python -m core.lessons.few_steps`` measures all of them and writes ``core/pretrained/few_steps.json``.
"""

import json
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet, at_unit_rms, make_points
from core.diffusion import couplings, few_step, vector_field
from core.diffusion.denoiser import Denoise
from core.models import flows
from core.pretrained import FOLDER, SPIRAL_FLOWS, N, pretrained
from core.runs.caching import shared_cache

VELOCITY, TRANSPORT, REFLOW, CHORDS, MEAN, MEAN_INDEPENDENT = MODELS = SPIRAL_FLOWS
CALLS = (1, 2, 4, 8, 64)
FILE = FOLDER / "few_steps.json"
SEEDS, SAMPLES = 3, 2000  # what accuracies are the mean of
_PLACE = 0xFE3  # keeps these draws apart from other uses of a seed


@dataclass(frozen=True)
class Accuracy:
    """How good samples are: their exact 2-Wasserstein distance to fresh data, and their mean distance to the curve.

    The two together: a cloud with the right radii and random angles has a Wasserstein distance of 0.25 only.
    """

    wasserstein: float
    distance: float


@cache
def points() -> PointSet:
    """The endless spiral in units of its root mean square."""
    return at_unit_rms(make_points("spiral", N))


def is_told_ends(name: str) -> bool:
    """Whether a shipped flow model is told where its steps end."""
    return flows.is_told_ends(pretrained(name).config)


@shared_cache(64)
def sample(name: str, calls: int, n: int, seed: int = 0) -> Tensor:
    """The paths [calls + 1, n, 2] of a shipped flow model in so many calls. Start k is the same for all models."""
    x1 = seeds.gaussian((n, 2), _PLACE, seed)
    return flows.sample(pretrained(name).denoiser, x1, calls, is_told_ends(name))


def accuracy(samples: Tensor, seed: int) -> Accuracy:
    """The accuracy of samples [n, 2] of the spiral, beside n fresh draws of that seed."""
    fresh, _ = points().sample(len(samples), seeds.generator(_PLACE, seed, 1))
    curve = points().curve
    return Accuracy(metrics.wasserstein(samples, fresh), metrics.distance_to_curve(samples, curve).mean().item())


def mean_accuracy(clouds: list[Tensor]) -> Accuracy:
    """The mean accuracy of several clouds of samples, each beside other fresh draws."""
    each = [accuracy(cloud, seed) for seed, cloud in enumerate(clouds)]
    return Accuracy(*(sum(getattr(one, part) for one in each) / len(each) for part in ("wasserstein", "distance")))


def measure(name: str) -> dict:
    """The accuracies of a shipped flow model by number of calls, and the straightness of its paths."""
    by_calls = {
        calls: mean_accuracy([sample(name, calls, SAMPLES, seed)[-1] for seed in range(SEEDS)]) for calls in CALLS
    }
    record = {str(calls): [round(each.wasserstein, 4), round(each.distance, 4)] for calls, each in by_calls.items()}
    return {"calls": record, "straightness": round(couplings.straightness(sample(name, CALLS[-1], SAMPLES)), 5)}


def perfect_accuracy() -> Accuracy:
    """The accuracy of perfect samples: other fresh draws."""
    return mean_accuracy([points().sample(SAMPLES, seeds.generator(_PLACE, seed, 2))[0] for seed in range(SEEDS)])


@cache
def recorded() -> dict:
    """What ``measure`` found, by name of the model, and those of perfect samples as "floor"."""
    return json.loads(FILE.read_text("utf-8"))


def recorded_accuracy(name: str, calls: int) -> Accuracy:
    """The recorded accuracy of a shipped flow model."""
    return Accuracy(*recorded()[name]["calls"][str(calls)])


# Fields


@dataclass(frozen=True, eq=False)
class Fields:
    """The velocity and the mean velocity down to t = 0 of a model at the places [g, 2], each [T, g, 2], over times
    [T]."""

    places: Tensor
    times: Tensor
    tangent: Tensor
    chord: Tensor


def field_denoisers(name: str) -> tuple[Denoise, Denoise]:
    """A shipped model of mean velocities as two denoisers: of steps without a length, and of steps down to t = 0."""
    denoiser = pretrained(name).denoiser
    return denoiser, lambda x, sigma: denoiser(x, sigma, {"end": torch.zeros_like(sigma)})


@shared_cache(8)
@torch.no_grad()
def fields(name: str, times: tuple[float, ...], side: int, reach: float) -> Fields:
    """Both fields of a shipped model of mean velocities on a grid of side^2 places."""
    places, levels = vector_field.grid(side, reach), torch.tensor(times)
    z, t = places.repeat(len(times), 1), levels.repeat_interleave(side**2)
    both = [few_step.velocity(denoise, z, t).view(len(times), -1, 2) for denoise in field_denoisers(name)]
    return Fields(places, levels, *both)


@torch.no_grad()
def from_place(name: str, place: tuple[float, float], times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """From one place at each of the times [T]: where one step down to t = 0 along the tangent ends, [T, 2], where one
    along the chord ends, [T, 2], and the path in 32 steps, [T, 33, 2]."""
    z = torch.tensor([place]).expand(len(times), 2)
    tangent, chord = (z - times[:, None] * few_step.velocity(denoise, z, times) for denoise in field_denoisers(name))
    states, denoise = [z], field_denoisers(name)[0]
    for left in torch.linspace(1, 0, 33)[:-1]:
        t = (times * left).clamp_min(few_step.T_MIN)
        states.append(states[-1] - times[:, None] / 32 * few_step.velocity(denoise, states[-1], t))
    return tangent, chord, torch.stack(states, 1)


if __name__ == "__main__":
    perfect = perfect_accuracy()
    measured: dict = {"floor": [round(perfect.wasserstein, 4), round(perfect.distance, 4)]}
    for model in MODELS:
        measured[model] = measure(model)
        print(model, measured[model], flush=True)
    FILE.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
