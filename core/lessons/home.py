"""The whole story in one picture: data become noise, and a field learned from the data brings noise back to them.

One clock of T frames runs out and back: first the noise level sigma grows from 0 while the data walk into noise, then
it falls to 0 again while samples that began as noise follow the field of a shipped model. Nothing is trained for it.

``python -m core.lessons.home`` writes the picture of the default `Request` to a file that `read` opens without torch, whose
import takes longer than all else between the start of the app and its first picture.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

FILE = Path(__file__).parents[1] / "pretrained" / "home.npz"
MODELS = {"converged": "spiral-classes-strong", "early": "spiral-classes-weak"}
CLASSES = ("person", "dog", "cat")
N, OUT, BACK, SIGMA_MAX = 300, 16, 28, 5.0
SIDE, REACH = 13, 1.25
CLOSE = 0.05
FINEST = 0.05  # the field is drawn no finer: far from the data it was never asked for less noise, and answers at random


@dataclass(frozen=True)
class Request:
    """What is asked for: which shipped model, a key of `MODELS`; the class of the guided samples; the scale of the
    guidance (see core/guidance.py: 0 is unconditional, 1 plain conditional); the seed of all noise."""

    model: str = "converged"
    wanted: str = "cat"
    scale: float = 2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Result:
    """The picture as arrays, states drawn at the size of the data whatever the noise (see `tell`).

    sigma [T] and alpha [T], the noise level and the factor that draws a state there; data [n, 2] and labels [n]; the
    walks of the data into noise [T, n, 2]; the field's arrows [T, g, 2] at places [g, 2]; the samples and the guided
    samples from the same starts [T, n, 2]; close [3, T], how many of the walks, of the samples, and of the guided
    samples (0 to 1) are within 0.05 of the spiral, the last of the wanted class's arm.
    """

    sigma: np.ndarray
    alpha: np.ndarray
    data: np.ndarray
    labels: np.ndarray
    walks: np.ndarray
    places: np.ndarray
    arrows: np.ndarray
    samples: np.ndarray
    guided: np.ndarray
    close: np.ndarray


def compute(wish: Request) -> Result:
    """Compute the story of a wish with the shipped models.

    A state is drawn at alpha = s / sqrt(s^2 + sigma^2) of its size, s the RMS of the data: the "variance preserving"
    view of data scaled to RMS 1. Raises ValueError for a class or a model that does not exist.
    """
    # Imported here and not above: reading the shipped picture must not wait for torch.
    import torch

    from core.diffusion import forward, guidance, vector_field
    from core.diffusion.schedules import log_linear, scale
    from core.models import points as point_model
    from core.pretrained import points_of, pretrained

    if wish.wanted not in CLASSES or wish.model not in MODELS:
        choices = f"{', '.join(CLASSES)} and {', '.join(MODELS)}"
        raise ValueError(f"There is no {wish.wanted} or no {wish.model} model; choose from {choices}.")
    name = MODELS[wish.model]
    points, model = points_of(name), pretrained(name).denoiser
    place = CLASSES.index(wish.wanted)

    out = forward.levels(log_linear(0.04, SIGMA_MAX), OUT)
    sigma = torch.cat([out, point_model.grid(BACK, SIGMA_MAX)[1:]])
    alpha = scale(sigma / model.sigma_data, "vp")[:, None, None].float()
    going, coming = (alpha[torch.arange(len(sigma)).clamp(*side)] for side in ((0, OUT), (OUT, OUT + BACK)))

    data, labels = points.even(N)
    walks = torch.cat([walk := forward.random_walk(data, out, wish.seed), walk[-1:].expand(BACK, -1, -1)])
    plain = guidance.condition(model, None)
    wanted = guidance.cfg(model, {"label": torch.tensor([place])}, scale=wish.scale)
    ways = [point_model.sample(d, N, model.sigma_data, wish.seed, BACK, SIGMA_MAX) for d in (plain, wanted)]
    samples, guided = (torch.cat([way[:1].expand(OUT, -1, -1), way]) for way in ways)

    places = vector_field.grid(SIDE, REACH)
    x = places / alpha
    guesses = vector_field.evaluate(plain, x, sigma.float().clamp_min(FINEST))
    (arrows,) = vector_field.limit_lengths(2 * REACH / SIDE, alpha * (guesses - x))

    spiral, arm = points.curve, points.curve.tensor_split(len(CLASSES))[place]
    close = torch.stack([near(walks, spiral), near(samples, spiral), near(guided, arm)])
    told = sigma, alpha, data, labels, going * walks, places, arrows, coming * samples, coming * guided, close
    return Result(*(array.numpy().astype(np.int8 if array is labels else np.float32) for array in told))


def near(states: Tensor, curve: Tensor) -> Tensor:
    """The share of states [T, n, 2] that lie within 0.05 of one of the vertices of a fine curve [M, 2], [T]."""
    from core.metrics import distance_to

    return (distance_to(states.flatten(0, 1), curve) <= CLOSE).float().view(states.shape[:2]).mean(1)


def write(story: Result, file: Path = FILE) -> None:
    """Keep a story in a file, numbers to three digits, which is finer than a pixel."""
    arrays = {part.name: getattr(story, part.name) for part in fields(Result)}
    small = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in arrays.items()}
    np.savez_compressed(file, **small)


def read(file: Path = FILE) -> Result:
    """The story that `write` kept. Raises OSError without the file."""
    with np.load(file, allow_pickle=False) as arrays:
        return Result(**{part.name: arrays[part.name] for part in fields(Result)})


if __name__ == "__main__":
    write(compute(Request()))
