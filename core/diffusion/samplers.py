"""Samplers: from noise to data, as generators that yield every step. ``break`` stops one; nothing is hidden in it.

All start from x ~ N(0, sigma_max^2 + sigma_data^2) and go down a grid of sigmas that ends at 0. ``denoise`` is any
(x, sigma[B]) -> x0_hat; x is [B, ...] of any shape.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any

import torch
from torch import Tensor

from core import seeds
from core.diffusion.denoiser import Denoise
from core.diffusion.schedules import SCHEDULES, make_schedule
from core.problems import Problem


@dataclass(frozen=True)
class Step:
    """One step from x at sigma to x_next at sigma_next.

    Attributes:
        x0: the denoiser's guess of the clean data at x.
        noise: the random part of x_next, or None.
        nfe: network calls so far.
        sigma_down: the level that the deterministic part of the step ends at; None: sigma_next.
        sigma_up: standard deviation of the random part.
    """

    i: int
    sigma: float
    sigma_next: float
    x: Tensor
    x0: Tensor
    x_next: Tensor
    noise: Tensor | None
    nfe: int
    sigma_down: float | None = None
    sigma_up: float = 0.0


Sampler = Callable[..., Iterator[Step]]


def start(shape: tuple[int, ...], sigma_max: float, sigma_data: float, seed: int) -> Tensor:
    """Starting points, float32: noise of the highest level on data of RMS ``sigma_data``. Row k is equal for any B."""
    return (sigma_max**2 + sigma_data**2) ** 0.5 * seeds.gaussian(shape, seed)


def without_gradient(sampler: Sampler) -> Sampler:
    """Decorate a sampler so that it records no gradients: its denoiser and its start are detached once.

    Under ``torch.no_grad`` itself, a generator would switch the gradient mode at every step, which takes as long as the
    arithmetic of a small one.
    """

    @wraps(sampler)
    def wrapper(denoise: Denoise, x: Tensor, *options: Any, **named: Any) -> Iterator[Step]:
        return sampler(torch.no_grad()(denoise), x.detach(), *options, **named)

    return wrapper


@without_gradient
def ancestral(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    eta: float = 1.0,
    s_noise: float = 1.0,
    seed: int = 0,
    eta_step: float | None = None,
) -> Iterator[Step]:
    """From DDIM (eta = 0) to DDPM (eta = 1): down to sigma_down, then up to sigma_next by noise (``ancestral_step``).

    s_noise = 0 leaves the noise out and keeps DDPM's step: the mean in place of a sample. eta_step takes the step down
    of another eta than the noise's own: (eta, eta_step) = (0, 1) is DDPM's step without noise once more, and (1, 0) is
    DDIM's step with DDPM's noise on top.
    """
    source = torch.Generator()
    for i, (sigma, sigma_next, level) in enumerate(levels(x, sigmas)):
        x0 = denoise(x, level)
        down, up = ancestral_step(sigma, sigma_next, eta)
        if eta_step is not None:
            down, _ = ancestral_step(sigma, sigma_next, eta_step)
        x_next = torch.lerp(x0, x, down / sigma)
        noise = None
        if up * s_noise > 0:
            noise = seeds.gaussian(x.shape, seed, i + 1, like=x, std=up * s_noise, reuse=source)
            x_next += noise
        yield Step(i, sigma, sigma_next, x, x0, x_next, noise, i + 1, down, up * s_noise)
        x = x_next


def ancestral_step(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """(sigma_down, sigma_up), whose squares add up to sigma_next's: how far to step down, how much noise to put back.

    sigma_up = eta sigma_next sqrt(1 - sigma_next^2 / sigma^2) (Song, Meng & Ermon 2021, eq. 16, where sigma_up /
    sqrt(1 + sigma_next^2) is called sigma_tau). At eta = 1 it is the standard deviation of DDPM's posterior, and
    sigma_down = sigma_next^2 / sigma.
    """
    up = eta * sigma_next * (1 - (sigma_next / sigma) ** 2) ** 0.5
    return max(sigma_next**2 - up**2, 0.0) ** 0.5, up


@without_gradient
def euler(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """Euler's method on the probability-flow ODE dx/dsigma = (x - x0_hat) / sigma (Karras et al. 2022, eqs. 1, 3)."""
    for i, (sigma, sigma_next, level) in enumerate(levels(x, sigmas)):
        x0 = denoise(x, level)
        slope = (x - x0) / sigma
        x_next = x + (sigma_next - sigma) * slope
        yield Step(i, sigma, sigma_next, x, x0, x_next, None, i + 1)
        x = x_next


@without_gradient
def heun(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """Heun's second-order method: the mean slope of both ends, and Euler's step to 0 (Karras et al. 2022, alg. 1)."""
    nfe = 0
    for i, (sigma, sigma_next, level) in enumerate(levels(x, sigmas)):
        x0 = denoise(x, level)
        slope = (x - x0) / sigma
        x_next = x + (sigma_next - sigma) * slope
        nfe += 1
        if sigma_next > 0:
            ahead = (x_next - denoise(x_next, x.new_full((len(x),), sigma_next))) / sigma_next
            x_next = x + (sigma_next - sigma) * (slope + ahead) / 2
            nfe += 1
        yield Step(i, sigma, sigma_next, x, x0, x_next, None, nfe)
        x = x_next


@without_gradient
def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """DPM-Solver++(2M): exponential integrator, x0_hat extrapolated from the last two (Lu et al. 2022, algorithm 2).

    The first step and the step to 0 are first order, where there is nothing to extrapolate from or to.
    """
    x0_before, h_before = None, 0.0
    for i, (sigma, sigma_next, level) in enumerate(levels(x, sigmas)):
        x0 = denoise(x, level)
        ahead, ratio = x0, sigma_next / sigma
        if sigma_next > 0:
            h = -math.log(ratio)
            if x0_before is not None:
                ahead = torch.lerp(x0_before, x0, 1 + h / (2 * h_before))
            h_before = h
        x_next = torch.lerp(ahead, x, ratio)
        yield Step(i, sigma, sigma_next, x, x0, x_next, None, i + 1)
        x, x0_before = x_next, x0


@without_gradient
def sde(denoise: Denoise, x: Tensor, sigmas: Tensor, seed: int = 0) -> Iterator[Step]:
    """Euler-Maruyama on the reverse-time SDE, dx = -2 sigma score dsigma + sqrt(2 sigma) dw (Song et al. 2021, eq. 6).

    The score is held over a step, over which the variance falls by sigma^2 - sigma_next^2; the last step adds no noise.
    """
    source = torch.Generator()
    for i, (sigma, sigma_next, level) in enumerate(levels(x, sigmas)):
        x0 = denoise(x, level)
        fall = sigma**2 - sigma_next**2
        x_next = torch.lerp(x, x0, fall / sigma**2)
        noise = None
        if sigma_next > 0:
            noise = seeds.gaussian(x.shape, seed, i + 1, like=x, std=fall**0.5, reuse=source)
            x_next += noise
        yield Step(
            i, sigma, sigma_next, x, x0, x_next, noise, i + 1, sigma_next**2 / sigma, fall**0.5 * (sigma_next > 0)
        )
        x = x_next


def ddim(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """DDIM (Song, Meng & Ermon 2021): ``ancestral`` with eta = 0."""
    return ancestral(denoise, x, sigmas, eta=0.0)


# The registry: what pages and command line offer


@dataclass(frozen=True)
class SamplerSpec:
    """A sampler to choose.

    Attributes:
        run: the sampler.
        options: the arguments that make it this one.
        reads: the settings of a `SamplerConfig` that it takes as arguments of the same name.
        calls: network calls of a number of steps.
        random: whether it draws noise, and so takes a seed.
        straight: whether a step keeps its direction down to the next level, as a step of a mean velocity does (see
            ``few_step``).
        role: the colour that stands for it (see ``core.figures.palette``); the default is DDPM's.
    """

    run: Sampler
    options: Mapping[str, float] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    calls: Callable[[int], int] = lambda steps: steps
    random: bool = False
    straight: bool = False
    role: str = "sample"


SAMPLERS: dict[str, SamplerSpec] = {
    "ddpm": SamplerSpec(ancestral, {"eta": 1.0}, random=True, role="sample"),
    "ddpm_no_noise": SamplerSpec(ancestral, {"eta": 0.0, "eta_step": 1.0}, role="negative"),
    "ddim": SamplerSpec(ancestral, {"eta": 0.0}, straight=True, role="denoise"),
    "ddim_with_noise": SamplerSpec(ancestral, {"eta": 1.0, "eta_step": 0.0}, random=True, role="noise"),
    "eta_interpolated": SamplerSpec(ancestral, reads=("eta",), random=True, role="difference"),
    "euler": SamplerSpec(euler, straight=True, role="unconditional"),
    "heun": SamplerSpec(heun, calls=lambda steps: 2 * steps - 1, role="guided"),
    "dpmpp_2m": SamplerSpec(dpmpp_2m, role="conditional"),
    "sde": SamplerSpec(sde, random=True, role="data"),
}
"""Every sampler by its identifier. To add one, write its function and its entry here; a label is optional."""

DDPM, DDPM_NO_NOISE, DDIM, DDIM_WITH_NOISE, ETA_INTERPOLATED = (
    "ddpm", "ddpm_no_noise", "ddim", "ddim_with_noise", "eta_interpolated",
)  # fmt: skip
MAX_STEPS = 512


@dataclass(frozen=True)
class SamplerConfig:
    """Everything that decides how a sampler goes from noise to data. Under one model, equal configurations give equal
    samples.

    Attributes:
        sampler: an identifier of ``SAMPLERS``.
        steps: number of steps.
        eta: between DDIM (0) and DDPM (1), for a sampler that reads it.
        sigma_max, sigma_min: the first noise level, and the last one before 0.
        schedule: the schedule that spaces the noise levels between them.
        shift: factor by which that schedule is shifted (see ``Schedule.shifted``).
        seed: decides the noise. Step i of two configurations of equal seed draws equal noise.

    Raises Problem for values that no sampler can have.
    """

    sampler: str = DDPM
    steps: int = 64
    eta: float = 0.5
    sigma_max: float = 10.0
    schedule: str = "log-linear"
    seed: int = 0
    sigma_min: float = 0.01
    shift: float = 1.0

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise Problem("unknown_sampler", name=self.sampler, known=", ".join(SAMPLERS))
        if self.schedule not in SCHEDULES:
            raise Problem("unknown_schedule", name=self.schedule, known=", ".join(SCHEDULES))
        if not 1 <= self.steps <= MAX_STEPS:
            raise Problem("sampler_steps", most=MAX_STEPS, steps=self.steps)
        if not 0 <= self.eta <= 1:
            raise Problem("sampler_eta", eta=self.eta)
        if not 0 < self.sigma_min < self.sigma_max <= 100:
            raise Problem("sampler_levels", low=self.sigma_min, high=self.sigma_max)
        if not 0 < self.shift < math.inf:
            raise Problem("sampler_shift", shift=self.shift)

    @property
    def spec(self) -> SamplerSpec:
        """Its entry in the registry."""
        return SAMPLERS[self.sampler]

    @cached_property
    def sigmas(self) -> Tensor:
        """Its noise levels, [steps + 1] float64, descending to 0."""
        schedule = make_schedule(self.schedule)
        schedule = schedule if self.shift == 1 else schedule.shifted(self.shift)
        return schedule.sigmas(self.steps, self.sigma_max, self.sigma_min)

    @property
    def nfe(self) -> int:
        """Network calls for each sample."""
        return self.spec.calls(self.steps)

    @property
    def random(self) -> bool:
        """Whether noise is drawn on the way."""
        return self.spec.random and (self.eta > 0 or "eta" not in self.spec.reads)


def run(config: SamplerConfig, denoise: Denoise, x: Tensor) -> Iterator[Step]:
    """The steps of a configuration from x [B, ...], one by one."""
    spec = config.spec
    options = {**spec.options, **{name: getattr(config, name) for name in spec.reads}}
    return spec.run(denoise, x, config.sigmas, **options, **({"seed": config.seed} if spec.random else {}))


def step_sizes(config: SamplerConfig) -> tuple[Tensor, Tensor]:
    """How far each step goes down and how much noise it adds: sigma_down and sigma_up, each [steps] float64.

    1 - sigma_down / sigma is the part of the way to the guess that a step goes. From sigma to r sigma that is 1 - r for
    DDIM and 1 - r^2 for DDPM: longer by the factor 1 + r, to make room for the noise.
    """
    steps = list(run(config, lambda x, sigma: torch.zeros_like(x), torch.zeros(1, 1)))
    down = [step.sigma_next if step.sigma_down is None else step.sigma_down for step in steps]
    return torch.tensor([down, [step.sigma_up for step in steps]], dtype=torch.float64).unbind()


def last(steps: Iterator[Step]) -> Tensor:
    """Run a sampler to its end: the samples [B, ...]. Raises Problem if it takes no step."""
    x = None
    for step in steps:
        x = step.x_next
    if x is None:
        raise Problem("no_sampler_step")
    return x


def path(steps: Iterator[Step]) -> Tensor:
    """Every state of a run, [steps + 1, B, ...], the starting points first. Raises Problem if it takes no step."""
    taken = list(steps)
    if not taken:
        raise Problem("no_sampler_step")
    return torch.stack([taken[0].x, *(step.x_next for step in taken)])


def levels(x: Tensor, sigmas: Tensor) -> Iterator[tuple[float, float, Tensor]]:
    """(sigma, sigma_next, sigma as a denoiser takes it, [B]) along the grid.

    Floats, because arithmetic on them costs no tensor operation; views of one grid, because so no step fills a tensor.
    Raises Problem unless there are at least two levels, all positive but the last, which may be 0.
    """
    numbers = torch.as_tensor(sigmas).tolist()
    if not (isinstance(numbers, list) and len(numbers) >= 2 and min(numbers[:-1]) > 0 and numbers[-1] >= 0):
        raise Problem("sampler_grid", levels=str(numbers))
    batches = torch.as_tensor(sigmas).to(x)[:, None].expand(-1, len(x))
    return zip(numbers, numbers[1:], batches)
