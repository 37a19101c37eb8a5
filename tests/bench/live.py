"""How good the default recipe is after a few seconds of training, on every built-in data set."""

import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice, product

from torch import Tensor

from core import metrics, seeds
from core.data.points import BUILT_IN, PointSet, make_points
from core.diffusion.denoiser import Denoise, Denoiser
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs.progress import Progress
from tests.bench.figure import Figure

N = 2000
MARKS = (0.5, 1.0, 2.0, 3.0, 5.0)
TARGETS = {("spiral", 1.0): 1.5, **{(name, 5.0): 2.0 for name in BUILT_IN}}
OFF_CURVE_AT, OFF_CURVE_TARGETS = 3.0, {"spiral": 5.0}
FLOOR_PAIRS = 75
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}

_PLACE = 0xBE9C  # keeps the draws that judge apart from those that train


@dataclass(frozen=True)
class Moment:
    """A model of a run after ``step`` steps, ``wall`` seconds and ``cpu`` seconds of this process's processor time."""

    model: Denoiser
    step: int
    wall: float
    cpu: float


def measure(
    clock: str = "wall",
    data: Sequence[str] = tuple(BUILT_IN),
    runs: int = 3,
    pairs: int = 9,
    exact_pairs: int = 5,
) -> Iterator[Figure]:
    """Each data set's figures; the seconds of training are those of ``clock``: "cpu" where the machine is shared.

    The energy distance of 2,000 samples to as many fresh draws, as a multiple of the noise floor: over ``runs``
    trainings of other seeds with ``pairs`` independent pairs each. The exact denoiser is judged on the first
    ``exact_pairs`` of the same pairs: it stands for what sampling itself leaves. Pairs scatter by a factor of three, so
    only medians count.
    """
    for _ in islice(point_model.run(PointConfig(seed=runs), make_points(data[0], 100)), 50):
        pass  # a warm process
    for name in data:
        yield from _figures(make_points(name, 100), clock, list(product(range(runs), range(pairs))), exact_pairs)


def train(how: PointConfig, points: PointSet, clock: str) -> Iterator[Moment]:
    """The run at each of ``MARKS`` seconds of training. The clocks stand still between steps."""
    progress = Progress(point_model.new_checkpoint(how, points).state)
    steps, spent = point_model.run(how, points, progress), dict.fromkeys(CLOCKS, 0.0)
    for mark in MARKS:
        while spent[clock] < mark:
            before = {name: now() for name, now in CLOCKS.items()}
            next(steps)
            for name, now in CLOCKS.items():
                spent[name] += now() - before[name]
        yield Moment(deepcopy(progress.state.ema), progress.state.step, **spent)


def _figures(points: PointSet, clock: str, places: list[tuple[int, int]], exact_pairs: int) -> Iterator[Figure]:
    floor = metrics.noise_floor(points.sample, N, repeats=FLOOR_PAIRS)
    moments = [list(train(PointConfig(seed=run), points, clock)) for run in sorted({run for run, _ in places})]
    for index, mark in enumerate(MARKS):
        at = [run[index] for run in moments]
        clouds = [_cloud(at[place[0]].model, points, place) for place in places]
        multiples = [_distance(cloud, points, place) / floor for cloud, place in zip(clouds, places)]
        name = f"{points.name}: energy distance after {mark:g} s"
        yield Figure(name, multiples, "× floor", TARGETS.get((points.name, mark)), _pace(at))
        if mark == OFF_CURVE_AT and points.curve is not None:
            off = [100 * metrics.off_curve(cloud, points.curve) for cloud in clouds]
            name = f"{points.name}: farther than 0.05 from the curve after {mark:g} s"
            yield Figure(name, off, "%", OFF_CURVE_TARGETS.get(points.name))
    ideal, few = point_model.exact(points, endless=True), places[:exact_pairs]
    multiples = [_distance(_cloud(ideal, points, place), points, place) / floor for place in few]
    name = f"{points.name}: energy distance of the exact denoiser"
    yield Figure(name, multiples, "× floor", note=f"the floor is {floor:.2e}")


def _cloud(denoise: Denoise, points: PointSet, place: tuple[int, int]) -> Tensor:
    return point_model.sample(denoise, N, points.rms, seeds.mix(_PLACE, *place))[-1]


def _distance(cloud: Tensor, points: PointSet, place: tuple[int, int]) -> float:
    return metrics.energy_distance(cloud, points.sample(N, seeds.generator(_PLACE, *place, 1))[0])


def _pace(moments: list[Moment]) -> str:
    steps, wall, cpu = (sum(values) / len(moments) for values in zip(*((m.step, m.wall, m.cpu) for m in moments)))
    return f"{steps:.0f} steps in {wall:.2f} s, {cpu:.2f} s of processor: {steps / wall:.0f} a second"
