"""Points, beside another library: our default run and smalldiffusion's spiral, quality against seconds of training.

Ours is the default recipe, on fresh draws at every step. The peer has what its own example has: the plain network,
log-linear noise levels up to 10, the learning rate, and its accelerated sampler of 20 steps. The levels begin at 0.01;
the readme of its version 0.5 has 0.005, with which it came less far (one run of 8 s: an energy distance of 21 times the
floor instead of 11, as many samples off the curve). It runs twice:

- as documented, on the 100 points of its Swissroll, which is our spiral once moved. On the spiral alone: it documents
  no other set that is ours.
- with endless data as well, so that the data make no difference: as many fresh draws a step as ours takes. Of 100, 512
  and 2,048, these 512 brought it furthest on the moons (after 12 s: 5.6 % off the curve, against 13 and 23). They come
  as tensors, which is quicker than its loader.

Without its progress bar it is a little quicker, too. All are judged against fresh draws of the set, since that is what
a learner is to see. It costs nobody anything to have learned those 100 points by heart: they lie on the curve, and so
evenly that they are nearer to fresh draws (0.5 times the floor of the energy distance) than other fresh draws are.

All take turns, from one look to the next, on one thread of a warm process; only their training is timed.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet, make_points
from core.diffusion.denoiser import eps_hat
from core.diffusion.exact import EmpiricalDenoiser
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs.progress import Progress, loss_curve
from tests.bench.figure import Figure
from tests.bench.live import CLOCKS
from tests.bench.peers import Missing, library, on_the_processor
from tests.bench.portrait import portrait

TUNED_ON, OTHERS = "spiral", ("moons", "rings")
MARKS = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 40.0)  # seconds of training
FINER = 2**0.25  # from one look to the next, for the moment at which a run is clean
N, TRANSPORTED = 2000, 1000  # samples judged; of them those moved at the least cost
CLEAN, SOONER = 5.0, 20.0  # % off the curve; times
WARM_UP, RECENT = 50, 5  # steps; blocks of ten steps that a loss is the mean of
OURS, DOCUMENTED, ENDLESS = "ours", "smalldiffusion", "smalldiffusion with endless data"
_PLACE = 0x4ACE  # keeps the draws that judge apart from those that train


@dataclass(frozen=True)
class Racer:
    """A run under way: ``step`` makes one step, ``cloud(n, seed)`` samples from it as it is; ``loss`` is its loss over
    the last 50 steps / that of the exact denoiser of its data, under its own noise levels and weights."""

    step: Callable[[], object]
    cloud: Callable[[int, int], Tensor]
    loss: Callable[[], float]


@dataclass(frozen=True)
class Look:
    """A run after so many seconds and steps of training: its samples, the % of them farther than 0.05 from the curve,
    and its loss (see ``Racer``)."""

    seconds: float
    steps: int
    cloud: Tensor
    off: float
    loss: float


Race = dict[str, list[Look]]  # one run of each racer


def ours(points: PointSet, seed: int) -> Racer:
    """The default recipe, which goes on for as long as the race does."""
    how = PointConfig(seed=seed, steps=10**6)
    progress = Progress(point_model.new_checkpoint(how, points).state)
    steps, floor = point_model.run(how, points, progress), point_model.bayes_loss(PointConfig(), points)

    def cloud(n: int, seed: int) -> Tensor:
        return point_model.sample(deepcopy(progress.state.ema), n, points.rms, seed)[-1]

    def loss() -> float:
        return loss_curve(progress)[-RECENT:].mean().item() / floor

    return Racer(lambda: next(steps), cloud, loss)


def documented(points: PointSet, seed: int) -> Racer:
    """smalldiffusion's example: 100 points of a spiral, moved to where ours lies."""
    peer = library("smalldiffusion", "Swissroll")
    centre = [-place / points.affine.scale for place in points.affine.centre]
    roll = peer.Swissroll(math.pi / 2, 5 * math.pi, 100, center=centre)
    return _theirs(torch.utils.data.DataLoader(roll, batch_size=2048), EmpiricalDenoiser(roll.vals), seed)


def endless(points: PointSet, seed: int) -> Racer:
    """smalldiffusion's example on fresh draws at every step."""
    generator = seeds.generator(_PLACE, seed)
    batches = iter(lambda: points.sample(PointConfig().batch, generator)[0], None)
    return _theirs(batches, point_model.exact(points, endless=True), seed)


def _theirs(batches, exact: EmpiricalDenoiser, seed: int) -> Racer:
    peer = library("smalldiffusion", "TimeInputMLP")
    peer.diffusion.tqdm = iter  # its progress bar would stand among our rows
    schedule = peer.ScheduleLogLinear(N=200, sigma_min=0.01, sigma_max=10)
    torch.manual_seed(0)
    floor = _least(exact, schedule)
    torch.manual_seed(seed)
    net = peer.TimeInputMLP(hidden_dims=(16, 128, 128, 128, 128, 16))
    steps = peer.training_loop(batches, net, schedule, on_the_processor(), epochs=10**9)
    next(steps)  # it yields before it steps: from here on, each ``next`` is one step
    losses = deque(maxlen=10 * RECENT)

    def step() -> None:
        losses.append(next(steps).loss.detach())

    def cloud(n: int, seed: int) -> Tensor:
        torch.manual_seed(seed)
        *_, x = peer.samples(net, schedule.sample_sigmas(20), gam=2, batchsize=n, accelerator=on_the_processor())
        return x

    return Racer(step, cloud, lambda: torch.stack([*losses]).mean().item() / floor)


def _least(exact: EmpiricalDenoiser, schedule) -> float:
    """The mean squared error that the exact denoiser makes in the noise, at a schedule's levels."""
    generator = seeds.generator(_PLACE, 1)
    x0 = exact.points[torch.randint(len(exact.points), (4096,), generator=generator)].float()
    sigma = schedule.sample_batch(x0)
    eps = torch.randn(x0.shape, generator=generator)
    x = x0 + sigma[:, None] * eps
    return (eps_hat(x, exact(x, sigma), sigma) - eps).square().mean().item()


RACERS: dict[str, Callable[[PointSet, int], Racer]] = {OURS: ours, DOCUMENTED: documented, ENDLESS: endless}


def measure(
    clock: str = "wall",
    data: Sequence[str] = (TUNED_ON, *OTHERS),
    runs: int = 3,
    marks: Sequence[float] = MARKS,
    figure: Path | None = None,
) -> Iterator[Figure]:
    """Ratios theirs / ours at each mark, over ``runs`` races of other seeds, and how much sooner ours is clean.

    The seconds are those of ``clock``: "cpu" where the machine is shared. ``figure``: where to draw the first race.
    """
    try:
        library("smalldiffusion", "TimeInputMLP"), library("ot", "emd2")
    except Missing as missing:
        yield Figure("Points beside another library", [], "", note=str(missing))
        return
    for begin in RACERS.values():
        warm = begin(make_points(TUNED_ON, 100), runs)
        for _ in range(WARM_UP):
            warm.step()
    for name in data:
        points = make_points(name, 100)
        races = [race(points, seed, moments(marks), CLOCKS[clock]) for seed in range(runs)]
        yield from figures(points, races, marks)
        if figure is not None and name == data[0]:
            portrait(points, dict(islice(races[0].items(), 2)), marks, figure)


def moments(marks: Sequence[float]) -> list[float]:
    """When to look: at the marks, and at finer steps from the first of them to the last."""
    finer = int(math.log(marks[-1] / marks[0], FINER) + 1e-9)
    return sorted({*marks, *(marks[0] * FINER**k for k in range(finer))})


def race(points: PointSet, seed: int, at: Sequence[float], now: Callable[[], float]) -> Race:
    """One run of every racer that has something to do on the set; they take turns from look to look."""
    racers = {name: begin for name, begin in RACERS.items() if points.name == TUNED_ON or name != DOCUMENTED}
    turns = zip(*(_run(begin(points, seed), points, seed, at, now) for begin in racers.values()))
    return {name: list(looks) for name, looks in zip(racers, zip(*turns))}


def _run(racer: Racer, points: PointSet, seed: int, at: Sequence[float], now: Callable[[], float]) -> Iterator[Look]:
    spent, steps = 0.0, 0
    for moment in at:
        while spent < moment:
            begun = now()
            racer.step()
            spent, steps = spent + now() - begun, steps + 1
        cloud = racer.cloud(N, seeds.mix(_PLACE, seed, steps) % 2**31)
        yield Look(moment, steps, cloud, 100 * metrics.off_curve(cloud, points.curve), racer.loss())


def figures(points: PointSet, races: Sequence[Race], marks: Sequence[float]) -> Iterator[Figure]:
    """The rows of one set, each ratio with both numbers beside it."""
    floor = metrics.noise_floor(points.sample, N, repeats=25)
    theirs = [name for name in races[0] if name != OURS]
    for mark in marks:
        at = [{name: next(look for look in looks if look.seconds == mark) for name, looks in one.items()}
              for one in races]  # fmt: skip
        judged = [{name: judge(look, points, seed, floor) for name, look in looks.items()}
                  for seed, looks in enumerate(at)]  # fmt: skip
        for name in theirs:
            for what, unit in UNITS.items():
                pairs = [(verdict[name][what], verdict[OURS][what]) for verdict in judged]
                its, mine = (median(side) for side in zip(*pairs))
                ratios = [one / max(other, LEAST[what]) for one, other in pairs]
                row = f"{points.name}, {mark:g} s of training: {what}, {name} / ours"
                yield Figure(row, ratios, "×", note=f"{its:.3g} and {mine:.3g} {unit}".strip())
        paces = ", ".join(f"{name} {median(looks[name].steps for looks in at):.0f}" for name in races[0])
        losses = ", ".join(f"{name} {median(looks[name].loss for looks in at):.3g}" for name in theirs)
        row = f"{points.name}, {mark:g} s of training: our loss / the exact denoiser's"
        yield Figure(row, [looks[OURS].loss for looks in at], "×", note=f"{losses}; steps: {paces}")
    for name in theirs:
        yield sooner(points.name, name, races)


UNITS = {"energy distance": "× floor", "exact W2": "", "off the curve": "%"}
LEAST = {"energy distance": 0.0, "exact W2": 0.0, "off the curve": 100 / N}  # nearer to 0 than one sample is not known


def judge(look: Look, points: PointSet, seed: int, floor: float) -> dict[str, float]:
    """The figures of ``UNITS`` for a run's samples, against fresh draws that are the same for all racers."""
    real = points.sample(N, seeds.generator(_PLACE, seed, round(1000 * look.seconds)))[0]
    numbers = metrics.energy_distance(look.cloud, real) / floor, transport(look.cloud, real), look.off
    return dict(zip(UNITS, numbers, strict=True))


def transport(x: Tensor, y: Tensor) -> float:
    """Exact 2-Wasserstein distance between the first ``TRANSPORTED`` of two clouds, by POT (Flamary et al. 2021)."""
    ot = library("ot", "emd2")
    some = [cloud[:TRANSPORTED].double().numpy() for cloud in (x, y)]
    return ot.emd2([], [], ot.dist(*some)) ** 0.5


def sooner(data: str, peer: str, races: Sequence[Race]) -> Figure:
    """How many times sooner ours is clean. Who never is counts as clean at the end, so the ratio is only a bound."""
    end = races[0][OURS][-1].seconds
    cleaned = {name: [first_clean(one[name]) for one in races] for name in (OURS, peer)}
    ratios = [(its or end) / (mine or end) for mine, its in zip(*cleaned.values())]
    note = "; ".join(f"{name} {_when(moments, end)}" for name, moments in cleaned.items())
    row = f"{data}: sooner under {CLEAN:g} % off the curve than {peer}"
    return Figure(row, ratios, "×", SOONER if data == TUNED_ON else None, note, least=True)


def _when(found: Sequence[float | None], end: float) -> str:
    """A note on when runs were clean."""
    late = found.count(None)
    middle = median(moment or math.inf for moment in found)
    after = f"not within {end:g} s" if middle == math.inf else f"after {middle:.3g} s"
    return after + (f" ({late} of {len(found)} never)" if 0 < late < len(found) else "")


def first_clean(looks: Sequence[Look]) -> float | None:
    """The seconds after which a run first has less than ``CLEAN`` % off the curve, or None."""
    return next((look.seconds for look in looks if look.off < CLEAN), None)
