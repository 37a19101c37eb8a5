"""Films: images on their way from noise, frame by frame, and files of films.

Chapters 9 and 10 sample what ``core.models`` samples, and keep the steps on the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from core.data.images import pixels
from core.diffusion.samplers import Step
from core.diffusion.schedules import scale
from core.problems import Problem


class Request(Protocol):
    """What a film is of. Equal requests of one model have equal films."""

    steps: int

    @property
    def frames(self) -> int:
        """The number of frames of the finished film."""


@dataclass(frozen=True, eq=False)
class Film:
    """The images of a request, as far as they have come.

    Attributes:
        request: what was asked for.
        x: the state of each frame in the variance preserving view, uint8 [n, C, H, W]; the last one is the images.
        x0: the guess of each frame, uint8 [n, C, H, W].
    """

    request: Request
    x: tuple[Tensor, ...] = field(default=(), repr=False)
    x0: tuple[Tensor, ...] = field(default=(), repr=False)

    @property
    def done(self) -> bool:
        """Whether its images are finished."""
        return len(self.x) == self.request.frames

    @property
    def images(self) -> Tensor:
        """The newest state, uint8 [n, C, H, W]: the finished images if the film is done."""
        return self.x[-1]

    def at(self, k: int) -> Self:
        """Its frame k alone; -1: none, where there is none yet."""
        part = slice(max(k, 0), k + 1)
        return replace(self, x=self.x[part], x0=self.x0[part])

    def add(self, sigma: float, x: Tensor, x0: Tensor) -> Self:
        """The film with one more frame: a state x at sigma and the guess there, [n, C, H, W]."""
        state = pixels(scale(torch.tensor(sigma), "vp") * x)
        return replace(self, x=(*self.x, state.cpu()), x0=(*self.x0, pixels(x0).cpu()))

    def add_step(self, step: Step, shown: bool = True) -> Self:
        """The film after a sampler's step: with the frame it began at if that is to be ``seen``, and with the finished
        images if it was the last one."""
        film = self.add(step.sigma, step.x, step.x0) if shown else self
        return film.add(0.0, step.x_next, step.x_next) if step.sigma_next == 0 else film


def check_steps(requests: Sequence[Request]) -> None:
    """Raise Problem for requests of unequal numbers of steps, which have no common clock."""
    if len({request.steps for request in requests}) != 1:
        raise Problem("unequal_steps")


# Files


def write(file: Path, arrays: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write named arrays for each of several keys of models."""
    flat = {f"{key}/{name}": array for key, named in arrays.items() for name, array in named.items()}
    np.savez_compressed(file, **flat)


def has(file: Path, key: str) -> bool:
    """Whether a file has anything of the model of that key; a file that is not there has nothing."""
    return any(name.startswith(f"{key}/") for name in _names(file))


def read(file: Path, key: str) -> dict[str, np.ndarray]:
    """The arrays of the model of that key by name; none where the file has none of it."""
    if not has(file, key):
        return {}
    with np.load(file, allow_pickle=False) as arrays:
        return {name.removeprefix(f"{key}/"): arrays[name] for name in arrays if name.startswith(f"{key}/")}


@lru_cache(maxsize=8)
def _names(file: Path) -> tuple[str, ...]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return tuple(arrays)
    except OSError:
        return ()
