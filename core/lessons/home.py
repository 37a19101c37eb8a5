"""The home page: data become noise, and a field learned from the data leads noise back to them.

One clock of T frames goes out and back. First the noise level sigma grows from 0 while noise is added to the data in a
random walk; then it falls to 0 while samples that began as noise follow the field of a shipped model.

``python -m core.lessons.home`` writes the result of the default `Request` to a file that `read` opens without PyTorch,
whose import takes longer than all else between the start of the app and its first picture.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.data import CLASSES
from core.problems import Problem

if TYPE_CHECKING:
    from torch import Tensor

FILE = Path(__file__).parents[1] / "pretrained" / "home.npz"
MODELS = ("spiral-classes-strong", "spiral-classes-100")  # one run, at its end and after 100 steps
N, OUT, BACK, SIGMA_MAX = 300, 16, 28, 5.0  # points of a cloud; steps out and back; the largest noise level
SIDE, REACH = 13, 1.25  # arrows along a side; half the width of a picture
CLOSE = 0.05
FIELD_SIGMA_MIN = 0.05
"""The field is drawn at no smaller level: far from the data, where no training sample of less noise came, it is
arbitrary."""


@dataclass(frozen=True)
class Request:
    """What the picture shows.

    Attributes:
        model: a shipped model, one of `MODELS`.
        wanted: the class of the guided samples.
        scale: the guidance scale w; 0 is unconditional, 1 plain conditional (see ``core.diffusion.guidance``).
        seed: of all noise.
    """

    model: str = MODELS[0]
    wanted: str = "cat"
    scale: float = 2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Result:
    """The picture as arrays. States are as drawn, at alpha times their size.

    Attributes:
        sigma, alpha: the noise levels and alpha = s / sqrt(s^2 + sigma^2) with s the RMS of the data, [T] and
            [T, 1, 1].
        data, labels: data points [n, 2] and their classes [n].
        walks: the data points in their random walk into noise, [T, n, 2].
        places, arrows: the places [g, 2] of the field and its arrows [T, g, 2].
        samples, guided: unconditional and guided samples from the same starting points, [T, n, 2].
        close: [3, T], the share of the walks, of the samples and of the guided samples that are within 0.05 of the
            spiral, the last within 0.05 of the arm of the wanted class.
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


def compute(request: Request) -> Result:
    """Compute the picture with a shipped model. Raises Problem for a class or a model that does not exist."""
    # Imported here and not above: reading the shipped picture must not wait for PyTorch.
    import torch

    from core.diffusion import forward, guidance
    from core.diffusion.schedules import log_linear, scale
    from core.models import points as point_model
    from core.pretrained import shipped

    if request.wanted not in CLASSES:
        raise Problem("unknown_class", name=request.wanted, known=", ".join(CLASSES))
    if request.model not in MODELS:
        raise Problem("unknown_model", name=request.model, known=", ".join(MODELS))
    model, label = shipped(request.model), CLASSES.index(request.wanted)
    points, denoiser = model.points, model.denoise

    out = forward.levels(log_linear(0.04, SIGMA_MAX), OUT)
    sigma = torch.cat([out, point_model.grid(BACK, SIGMA_MAX)[1:]])
    alpha = scale(sigma / denoiser.sigma_data, "vp")[:, None, None].float()
    frames = torch.arange(len(sigma))
    alpha_out, alpha_back = alpha[frames.clamp(max=OUT)], alpha[frames.clamp(min=OUT)]

    data, labels = points.even(N)
    walks = torch.cat([walk := forward.random_walk(data, out, request.seed), walk[-1:].expand(BACK, -1, -1)])
    plain = guidance.condition(denoiser, None)
    wanted = guidance.cfg(denoiser, {"label": torch.tensor([label])}, scale=request.scale)
    samples, guided = (
        torch.cat([states[:1].expand(OUT, -1, -1), states])
        for states in (
            point_model.sample(denoise, N, denoiser.sigma_data, request.seed, BACK, SIGMA_MAX)
            for denoise in (plain, wanted)
        )
    )
    places, arrows = _field(plain, sigma, alpha)
    spiral, arm = points.curve, points.curve.tensor_split(len(CLASSES))[label]
    close = torch.stack([_share_close(walks, spiral), _share_close(samples, spiral), _share_close(guided, arm)])
    drawn = alpha_out * walks, places, arrows, alpha_back * samples, alpha_back * guided, close
    arrays = (sigma, alpha, data, labels, *drawn)
    return Result(*(array.numpy().astype(np.int8 if array is labels else np.float32) for array in arrays))


def _field(denoise, sigma: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Places [g, 2] and arrows x0_hat - x as drawn, [T, g, 2]."""
    from core.diffusion import vector_field

    places = vector_field.grid(SIDE, REACH)
    x = places / alpha
    guesses = vector_field.evaluate(denoise, x, sigma.float().clamp_min(FIELD_SIGMA_MIN))
    (arrows,) = vector_field.limit_lengths(2 * REACH / SIDE, alpha * (guesses - x))
    return places, arrows


def _share_close(states: Tensor, curve: Tensor) -> Tensor:
    """The share of states [T, n, 2] within 0.05 of a vertex of a fine curve [M, 2], [T]."""
    from core.metrics import distance_to

    return (distance_to(states.flatten(0, 1), curve) <= CLOSE).float().view(states.shape[:2]).mean(1)


def write(result: Result, file: Path = FILE) -> None:
    """Write a result to a file, numbers with three digits, which is finer than a pixel."""
    arrays = {part.name: getattr(result, part.name) for part in fields(Result)}
    small = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in arrays.items()}
    np.savez_compressed(file, **small)


def read(file: Path = FILE) -> Result:
    """The result in a file. Raises OSError without the file."""
    with np.load(file, allow_pickle=False) as arrays:
        return Result(**{part.name: arrays[part.name] for part in fields(Result)})


if __name__ == "__main__":
    write(compute(Request()))
