"""Ways from noise to data, to compare: the same model and starting points, one clock of noise levels for all.

Whatever its name, each step of each sampler here is one line,

    x_next = guess + sigma_down / sigma (x - guess) + sigma_up eps.

The samplers differ in how far they step down, how much noise they put back, and how they sharpen the guess x0_hat.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet, make
from core.diffusion import forward, samplers
from core.diffusion.denoiser import Denoise
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.samplers import Sampler, Step
from core.diffusion.schedules import make_schedule
from core.models import points as point_model
from core.pretrained import RECIPES, N, points_of, pretrained

DDPM, BARE, DDIM, RAISED = "DDPM", "DDPM, noise left out", "DDIM", "DDIM, noise added"
BETWEEN, SDE = "between, by eta", "reverse-time SDE"
GRIDS = ("log-linear", "karras", "cosine", "ddpm-linear", "rectified-flow")
MOST = 512  # steps
EVEN = 2000  # points that stand in for endless data
_FLOOR = 0xF10A  # keeps the draws of the floor apart from other uses of a seed


@dataclass(frozen=True)
class Kind:
    """A sampler to choose: eta and eta_step are whose noise and whose step down it has (see ``samplers.ancestral``)."""

    sampler: Sampler
    eta: float = 0.0
    eta_step: float = 0.0


KINDS: dict[str, Kind] = {
    DDPM: Kind(samplers.ancestral, eta=1, eta_step=1),
    BARE: Kind(samplers.ancestral, eta=0, eta_step=1),
    DDIM: Kind(samplers.ancestral, eta=0, eta_step=0),
    RAISED: Kind(samplers.ancestral, eta=1, eta_step=0),
    BETWEEN: Kind(samplers.ancestral, eta=math.nan, eta_step=math.nan),
    "Euler": Kind(samplers.euler),
    "Heun": Kind(samplers.heun),
    "DPM-Solver++(2M)": Kind(samplers.dpmpp_2m),
    SDE: Kind(samplers.sde, eta=1, eta_step=1),
}
"""What a learner can choose, by its name. The eta of ``BETWEEN`` is the way's own."""


@dataclass(frozen=True)
class Way:
    """How to walk from noise to data. Equal ways under one model are equal walks, noise included.

    Step i of two ways of equal seed draws equal noise. eta is read by ``BETWEEN`` only; grid is a schedule, taken from
    sigma_max to 0.01 and then to 0. Raises ValueError with a sentence for what no walk can be.
    """

    kind: str = DDPM
    steps: int = 64
    eta: float = 0.5
    sigma_max: float = 10.0
    grid: str = "log-linear"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"There is no sampler {self.kind!r}; choose one of {', '.join(KINDS)}.")
        if self.grid not in GRIDS:
            raise ValueError(f"There is no grid {self.grid!r}; choose one of {', '.join(GRIDS)}.")
        if not 1 <= self.steps <= MOST:
            raise ValueError(f"A walk has between 1 and {MOST} steps, not {self.steps}.")
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta lies between 0 (DDIM) and 1 (DDPM), and is not {self.eta}.")
        if not point_model.SIGMA_MIN < self.sigma_max <= 100:
            raise ValueError(
                f"A walk starts above {point_model.SIGMA_MIN} and at most at 100, not at {self.sigma_max}."
            )

    @cached_property
    def sigmas(self) -> Tensor:
        """Its noise levels, [steps + 1] float64, descending to 0."""
        return make_schedule(self.grid).sigmas(self.steps, self.sigma_max, point_model.SIGMA_MIN)

    @property
    def etas(self) -> tuple[float, float]:
        """The eta of its noise, and that of its step down."""
        kind = KINDS[self.kind]
        return (self.eta, self.eta) if self.kind == BETWEEN else (kind.eta, kind.eta_step)

    @property
    def nfe(self) -> int:
        """Network calls of the whole walk."""
        return 2 * self.steps - 1 if KINDS[self.kind].sampler is samplers.heun else self.steps

    @property
    def noisy(self) -> bool:
        """Whether it draws noise on its way."""
        return self.etas[0] > 0


def way_of(kind: str, steps: int, eta: float, sigma_max: float = 10.0, grid: str = "log-linear", seed: int = 0) -> Way:
    """The way that controls mean: it is told eta only where it reads it, so that no other way changes with eta."""
    return Way(kind, steps, eta if kind == BETWEEN else Way.eta, sigma_max, grid, seed)


def steps_of(way: Way, denoise: Denoise, x: Tensor) -> Iterator[Step]:
    """The steps of a way from x [n, D], one by one."""
    sampler, eta = KINDS[way.kind].sampler, way.etas
    options = {"eta": eta[0], "eta_step": eta[1]} if sampler is samplers.ancestral else {}
    return sampler(denoise, x, way.sigmas, **options, **({"seed": way.seed} if way.noisy else {}))


def moves(way: Way) -> tuple[Tensor, Tensor]:
    """How far each step goes down and how much noise it puts back: sigma_down and sigma_up, each [steps] float64.

    1 - sigma_down / sigma is the part of the way to the guess that a step goes. From sigma to r sigma that is 1 - r for
    DDIM and 1 - r^2 for DDPM: longer by the factor 1 + r, to make room for the noise.
    """
    pairs = list(zip(way.sigmas.tolist(), way.sigmas.tolist()[1:]))
    down, up = ([samplers.split(*pair, eta)[part] for pair in pairs] for part, eta in enumerate(reversed(way.etas)))
    if way.kind == SDE:
        up = [(sigma**2 - after**2) ** 0.5 if after else 0.0 for sigma, after in pairs]
    return torch.tensor([down, up], dtype=torch.float64).unbind()


# What walks, and where it came to


@dataclass(frozen=True)
class Model:
    """A denoiser and the data it is of. Equal keys promise equal answers; endless: trained on fresh draws."""

    key: str
    denoise: Denoise = field(compare=False)
    points: PointSet = field(compare=False)
    endless: bool = field(default=False, compare=False)

    @cached_property
    def ideal(self) -> EmpiricalDenoiser:
        """The exact denoiser of its data; of 2,000 even points for endless ones."""
        return point_model.exact(self.points, self.endless, EVEN)

    @property
    def exact(self) -> "Model":
        """What it would be if its network were perfect."""
        return perfect(self.points, self.endless)


def shipped(name: str) -> Model:
    """The shipped model of that name (see ``core.pretrained``)."""
    return Model(name, pretrained(name).denoiser, points_of(name), RECIPES[name][1].endless)


def perfect(points: PointSet | None = None, endless: bool = False) -> Model:
    """The exact denoiser of points, those of the spiral of 100 if none are given (see ``Model.ideal``)."""
    points = make("spiral", N) if points is None else points
    ideal = point_model.exact(points, endless, EVEN)
    return Model(f"exact, {points.name}, {len(ideal.points)}", ideal, points, endless)


@dataclass(frozen=True, eq=False)
class Quality:
    """How good samples are: mean distance to the nearest data point, how many of ``of`` points are the nearest one of
    some sample, and the standard deviation of the first coordinate (the spiral's is about 0.47)."""

    distance: float
    covered: int
    of: int
    std: float

    @property
    def coverage(self) -> float:
        """The covered part of the points, 0 to 1."""
        return self.covered / self.of

    @property
    def collapsed(self) -> bool:
        """Whether all went to a few points near the middle."""
        return self.coverage < 0.2 and self.std < 0.1


def judge(samples: Tensor, model: Model) -> Quality:
    """The quality of samples [n, D]. Distances are to all data, coverage is of the set's points (see ``metrics``)."""
    points = model.points.points
    distance = metrics.distance_to(samples, model.ideal.points).mean().item()
    covered = metrics.covered(samples, points).sum().item()
    return Quality(distance, covered, len(points), samples[:, 0].std().item())


@dataclass(frozen=True, eq=False)
class Walk:
    """A way gone under a model: all states [steps + 1, n, D], from the starting points to the samples."""

    model: Model
    way: Way
    states: Tensor

    @cached_property
    def quality(self) -> Quality:
        """How good its samples are; computed when first asked for."""
        return judge(self.states[-1], self.model)

    def at(self, levels: Tensor) -> Tensor:
        """The states at common noise levels [T], [T, n, D] (see ``on_clock``)."""
        return on_clock(self.states, self.way.sigmas, levels)


@lru_cache(maxsize=24)
def walk(model: Model, way: Way, n: int = 2000) -> Walk:
    """n particles go a way under a model. Particle k starts, and is shaken, alike on all ways of equal seed and for
    any n. Remembered for the last 24 that were asked for, by any thread: 2,000 particles on 256 steps are 4 MB."""
    x = samplers.start((n, model.points.points.shape[1]), way.sigma_max, model.points.rms, way.seed)
    return Walk(model, way, samplers.path(steps_of(way, in_parts(model.denoise), x)))


def in_parts(denoise: Denoise, most: int = 1000) -> Denoise:
    """The same denoiser, asked about at most so many states at a time: a call about 2,000 is given its memory page by
    page, for what it frees goes back to the system, and takes up to twice as long as two calls about 1,000."""

    def answer(x: Tensor, sigma: Tensor) -> Tensor:
        return torch.cat([denoise(*part) for part in zip(x.split(most), sigma.split(most), strict=True)])

    return answer


def clock(frames: int, sigma_max: float = 10.0) -> Tensor:
    """Noise levels for a film of walks, [frames] float64: evenly spaced in log sigma down to 0.01, then 0."""
    return point_model.grid(frames - 1, sigma_max)


def on_clock(states: Tensor, sigmas: Tensor, levels: Tensor) -> Tensor:
    """States [S + 1, n, D] of a walk down ``sigmas`` [S + 1] at other levels [T], [T, n, D]: linear in sigma between.

    That is where Euler's method on the probability-flow ODE is on its way from one level to the next; a jump of a
    random step is drawn as a straight line. Levels beyond the ends are the ends.
    """
    levels = levels.to(sigmas).clamp(sigmas[-1], sigmas[0])
    before = (torch.searchsorted(-sigmas, -levels, right=True) - 1).clamp(0, len(sigmas) - 2)
    part = (sigmas[before] - levels) / (sigmas[before] - sigmas[before + 1])
    return torch.lerp(states[before], states[before + 1], part.to(states)[:, None, None])


# One step under the lens


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One step of one particle, every term of its equation in numbers; places and arrows [D] are in state space.

    x_next = denoised + noise, with denoised = guess + sigma_down / sigma (x - guess) and noise = sigma_up eps. guess is
    x0 itself but where a sampler sharpens it: Heun's is x - sigma times the mean of the two slopes, that of
    DPM-Solver++(2M) is extrapolated from the last two x0.
    """

    i: int
    sigma: float
    sigma_down: float
    sigma_up: float
    sigma_next: float
    x: Tensor
    x0: Tensor
    guess: Tensor
    denoised: Tensor
    noise: Tensor
    x_next: Tensor

    @property
    def kept(self) -> float:
        """The part of the noise seen in x that the step keeps, sigma_down / sigma."""
        return self.sigma_down / self.sigma

    @property
    def sharpened(self) -> bool:
        """Whether the step aims elsewhere than at x0, by more than rounding."""
        return (self.guess - self.x0).norm().item() > 1e-3 * self.sigma

    @property
    def eps(self) -> Tensor:
        """The noise as it was drawn, of unit variance; zero where none was."""
        return self.noise / self.sigma_up if self.sigma_up else self.noise

    @property
    def slopes(self) -> tuple[Tensor, Tensor]:
        """dx/dsigma at x, (x - x0) / sigma, and the one at the step's other end whose mean with it Heun's method takes
        (equal to the first for samplers that do not look there)."""
        first, mean = (self.x - self.x0) / self.sigma, (self.x - self.guess) / self.sigma
        return first, 2 * mean - first


@torch.no_grad()
def anatomy(denoise: Denoise, way: Way, path: Tensor, i: int) -> Anatomy:
    """Step i of a particle whose path [steps + 1, D] a way made under this denoiser.

    The guess of a sampler without noise is read off its step, which tells where it was going.
    """
    (x, x_next), (sigma, sigma_next) = path[i : i + 2], way.sigmas[i : i + 2].tolist()
    down, up = (part[i].item() for part in moves(way))
    x0 = denoise(x[None], x.new_full((1,), sigma))[0]
    kept = down / sigma
    guess = x0 if way.noisy else (x_next - kept * x) / (1 - kept)
    denoised = torch.lerp(guess, x, kept)
    noise = x_next - denoised if up else torch.zeros_like(x)
    return Anatomy(i, sigma, down, up, sigma_next, x, x0, guess, denoised, noise, x_next)


# Two clouds


def apart(first: Tensor, second: Tensor, parts: int = 1) -> Tensor:
    """Energy distance between two clouds [T, n, D] at each of T levels, [T]: the mean over ``parts`` parts of them.

    Halves are compared twice as fast as the whole, and on two cores at once, but have twice its ``floor``: a true
    difference stands out half as much.
    """
    with ThreadPoolExecutor(2) as pool:
        return torch.stack([*pool.map(forward.distances, first.chunk(parts, 1), second.chunk(parts, 1))]).mean(0)


@lru_cache(maxsize=32)
def apart_on_the_way(
    model: Model, first: Way, second: Way, levels: tuple[float, ...], n: int = 2000, parts: int = 1
) -> Tensor:
    """How far ``apart`` the clouds of n particles on two ways are at each level [T]. Remembered like ``walk``."""
    clock = torch.tensor(levels, dtype=torch.float64)
    return apart(*(walk(model, way, n).at(clock) for way in (first, second)), parts)


@lru_cache(maxsize=32)
def floor(model: Model, levels: tuple[float, ...], n: int = 2000) -> Tensor:
    """How far ``apart`` two clouds of n independent exact draws x0 + sigma eps are on average, at each level [T], [T].

    It is 2 E|X - X'| / n, for the V-statistic counts n of the n^2 pairs within each cloud as 0; the mean is taken over
    20,000 pairs. On average over seeds no two perfect samplers are nearer to each other, unless they share their noise;
    one pair alone may by chance be at twice the floor.
    """
    sigmas = torch.tensor(levels, dtype=torch.float64)
    x0 = draw(model, 20_000, 0).double() - draw(model, 20_000, 1).double()
    eps = 2**0.5 * seeds.gaussian(x0.shape, _FLOOR, like=x0)  # the difference of two
    return 2 / n * forward.jump(x0, sigmas, eps).norm(dim=2).mean(1)


def draw(model: Model, n: int, *place: int) -> Tensor:
    """n exact draws [n, D] of a model's data: fresh ones if it was trained on such, else of its points. ``place``
    names the draw (see ``seeds``)."""
    fresh = model.points.sample if model.endless else point_model.resample(model.points)
    return fresh(n, seeds.generator(_FLOOR, *place))[0]
