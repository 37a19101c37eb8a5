"""Noise levels. A schedule maps a time t in [0, 1] to a noise level sigma, and names the view of its paper.

Schedules differ in their transform: a monotone function ``transform(sigma)`` grows linearly in t,

    t = (transform(sigma) - transform(sigma_min)) / (transform(sigma_max) - transform(sigma_min)).

The state is x = x0 + sigma eps throughout (Karras et al. 2022). DDPM's alpha_bar enters through
sigma = sqrt((1 - alpha_bar) / alpha_bar); rectified flow's time through sigma = t / (1 - t).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from torch import Tensor

from core import seeds
from core.problems import Problem

Transform = Callable[[Tensor], Tensor]
VIEWS = ("vp", "ve", "flow")


def scale(sigma: Tensor, view: str) -> Tensor:
    """The factor from a state x = x0 + sigma eps to a view of it: "vp" preserves the variance, "ve" lets it grow,
    "flow" interpolates linearly. Raises Problem for another view."""
    if view == "vp":
        return (1 + sigma**2).rsqrt()
    if view == "flow":
        return 1 / (1 + sigma)
    if view == "ve":
        return torch.ones_like(sigma)
    raise Problem("unknown_view", name=view, known=", ".join(VIEWS))


def log_snr(sigma: Tensor) -> Tensor:
    """The log signal-to-noise ratio, log(1 / sigma^2) (Kingma et al. 2021)."""
    return -2 * sigma.log()


@dataclass(frozen=True)
class Schedule:
    """Noise levels sigma(t) from ``sigma_min`` at t = 0 to ``sigma_max`` at t = 1, spaced evenly on ``transform``."""

    name: str
    sigma_min: float
    sigma_max: float
    transform: Transform
    inverse: Transform
    view: str = "ve"

    @cached_property
    def _ends(self) -> tuple[Tensor, Tensor]:
        return tuple(self.transform(torch.tensor(s, dtype=torch.float64)) for s in (self.sigma_min, self.sigma_max))

    def sigma(self, t: Tensor) -> Tensor:
        """Noise level at time t in [0, 1], same shape and dtype."""
        low, high = self._ends
        return self.inverse(low + t.double() * (high - low)).to(t.dtype)

    def t(self, sigma: Tensor) -> Tensor:
        """Time at which the noise level is sigma, same shape and dtype: the inverse of ``sigma``."""
        low, high = self._ends
        return ((self.transform(sigma.double()) - low) / (high - low)).to(sigma.dtype)

    def scale(self, sigma: Tensor) -> Tensor:
        """The factor of this schedule's own view of the state (see ``scale``)."""
        return scale(sigma, self.view)

    def shifted(self, factor: float) -> "Schedule":
        """The schedule whose noise levels are ``factor`` times as large at every t.

        On rectified flow's time this is t' = factor t / (1 + (factor - 1) t) (Esser et al. 2024, eq. 23).
        """
        return replace(
            self,
            sigma_min=factor * self.sigma_min,
            sigma_max=factor * self.sigma_max,
            transform=lambda sigma: self.transform(sigma / factor),
            inverse=lambda place: factor * self.inverse(place),
        )

    def sigmas(self, steps: int, sigma_max: float | None = None, sigma_min: float | None = None) -> Tensor:
        """The grid of a sampler, [steps + 1] float64: descending from sigma_max to sigma_min on the transform, then 0.

        Raises Problem unless steps >= 1 and 0 < sigma_min < sigma_max.
        """
        top = self.sigma_max if sigma_max is None else sigma_max
        bottom = self.sigma_min if sigma_min is None else sigma_min
        if steps < 1:
            raise Problem("schedule_steps", steps=steps)
        if not 0 < bottom < top:
            raise Problem("schedule_levels", high=top, low=bottom)
        ends = torch.tensor([top, bottom], dtype=torch.float64)
        high, low = self.transform(ends)
        levels = self.inverse(high + torch.linspace(0, 1, steps, dtype=torch.float64) * (low - high))
        levels[0] = top
        return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])

    def sample(self, n: int, seed: int, *place: int) -> Tensor:
        """n training noise levels, [n] float32, in random order; t is stratified over [0, 1]: one draw in each n-th.

        The order is random so that a data source with an order of its own does not tie its items to noise levels.
        """
        generator = seeds.generator(seed, *place)
        t = (torch.arange(n) + torch.rand(n, generator=generator)) / max(1, n)
        return self.sigma(t[torch.randperm(n, generator=generator)].clamp(1e-6, 1 - 1e-6))


def log_linear(sigma_min: float = 0.01, sigma_max: float = 10.0) -> Schedule:
    """log sigma linear in t (Song & Ermon 2019)."""
    return Schedule("log-linear", sigma_min, sigma_max, torch.log, torch.exp)


def karras(sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> Schedule:
    """sigma^(1/rho) linear in t (Karras et al. 2022, eq. 5)."""
    return Schedule("karras", sigma_min, sigma_max, lambda s: s ** (1 / rho), lambda r: r**rho)


def rectified_flow(t_min: float = 1e-3, t_max: float = 1 - 1e-3) -> Schedule:
    """x_t = (1 - t) x0 + t eps, so sigma = t / (1 - t) (Liu et al. 2023)."""
    return Schedule(
        "rectified-flow", t_min / (1 - t_min), t_max / (1 - t_max), lambda s: s / (1 + s), lambda r: r / (1 - r), "flow"
    )


def cosine(steps: int = 1000, s: float = 0.008) -> Schedule:
    """alpha_bar = cos^2((t + s) / (1 + s) pi/2), divided by its value at 0 (Nichol & Dhariwal 2021, eq. 17).

    The ends are the first and the last but one of ``steps`` discrete times: at t = 1 itself sigma is infinite.
    """
    start = s / (1 + s) * math.pi / 2
    top = math.cos(start)

    def transform(sigma: Tensor) -> Tensor:
        return torch.arccos(top / (1 + sigma**2).sqrt())

    def inverse(angle: Tensor) -> Tensor:
        return (top**2 / angle.cos() ** 2 - 1).clamp_min(0).sqrt()

    ends = torch.tensor([1 / steps, 1 - 1 / steps], dtype=torch.float64)
    sigma_min, sigma_max = inverse((ends + s) / (1 + s) * math.pi / 2).tolist()
    return Schedule("cosine", sigma_min, sigma_max, transform, inverse, "vp")


@cache
def linear_alpha_bar(steps: int = 1000, beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """DDPM's alpha_bar of its ``steps`` discrete times, [steps] float64 (Ho et al. 2020, section 4)."""
    return (1 - torch.linspace(beta_min, beta_max, steps, dtype=torch.float64)).cumprod(0)


def ddpm_linear(steps: int = 1000) -> Schedule:
    """DDPM's linear beta (Ho et al. 2020): exact at its discrete times, log sigma interpolated linearly between
    them."""
    alpha_bar = linear_alpha_bar(steps)
    table = ((1 - alpha_bar) / alpha_bar).sqrt().log()
    index = torch.arange(steps, dtype=torch.float64)
    return Schedule(
        "ddpm-linear",
        math.exp(table[0]),
        math.exp(table[-1]),
        lambda sigma: _interpolate(sigma.log(), table, index),
        lambda place: _interpolate(place, index, table).exp(),
        "vp",
    )


def log_normal(mean: float = -1.8, std: float = 1.2) -> Schedule:
    """log sigma ~ N(mean, std^2) for t uniform: the training distribution of Karras et al. 2022 (their -1.2, 1.2).

    Truncated at the quantiles 1e-5 and 1 - 1e-5.
    """
    normal = torch.distributions.Normal(torch.tensor(mean, dtype=torch.float64), std, validate_args=False)
    ends = normal.icdf(torch.tensor([1e-5, 1 - 1e-5], dtype=torch.float64)).exp().tolist()
    return Schedule("log-normal", *ends, lambda s: normal.cdf(s.log()), lambda r: normal.icdf(r).exp())


def logit_normal(mean: float = 0.0, std: float = 1.0) -> Schedule:
    """The logit of rectified flow's time ~ N(mean, std^2), which is log sigma (Esser et al. 2024, eq. 19).

    The same levels as those of ``log_normal``, for data of unit RMS, in the view of flow matching.
    """
    return replace(log_normal(mean, std), name="logit-normal", view="flow")


def u_shaped(a: float = 2.0) -> Schedule:
    """Rectified flow's time with a density like cosh(a (t - 1/2)), which is highest at both ends: for reflow, which is
    hardest to learn there (Lee et al. 2024, "Improving the Training of Rectified Flows", section 4.1)."""
    straight = rectified_flow()
    return replace(
        straight,
        name="u-shaped",
        transform=lambda sigma: torch.sinh(a * (straight.transform(sigma) - 0.5)),
        inverse=lambda place: straight.inverse(torch.asinh(place) / a + 0.5),
    )


def flow_sigmas(steps: int, t_max: float = 0.999) -> Tensor:
    """The grid of a sampler whose times t = sigma / (1 + sigma) are evenly spaced from t_max to 0, [steps + 1] float64.

    Raises Problem unless steps >= 1.
    """
    if steps < 1:
        raise Problem("schedule_steps", steps=steps)
    t = torch.linspace(t_max, 0, steps + 1, dtype=torch.float64)
    return t / (1 - t)


def _interpolate(x: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """Piecewise linear interpolation of (xs, ys), xs ascending, with linear extrapolation."""
    right = torch.searchsorted(xs, x.contiguous()).clamp(1, len(xs) - 1)
    left = right - 1
    return ys[left] + (x - xs[left]) / (xs[right] - xs[left]) * (ys[right] - ys[left])


SCHEDULES: dict[str, Callable[[], Schedule]] = {
    "ddpm-linear": ddpm_linear,
    "cosine": cosine,
    "log-linear": log_linear,
    "karras": karras,
    "rectified-flow": rectified_flow,
    "log-normal": log_normal,
    "logit-normal": logit_normal,
    "u-shaped": u_shaped,
}


def make_schedule(name: str) -> Schedule:
    """The schedule of that name with its default ends. Raises Problem for an unknown name."""
    if name not in SCHEDULES:
        raise Problem("unknown_schedule", name=name, known=", ".join(SCHEDULES))
    return SCHEDULES[name]()
