"""Training and sampling of our U-Net against those of other libraries, at equal numbers of weights (see ``peers``).

Every trial is a process of its own, so that the memory it takes is its own. The contenders take turns, and each figure
is the ratio of two trials of one turn.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch

from tests.bench.figure import Figure
from tests.bench.live import CLOCKS
from tests.bench.peers import CONTENDERS, Missing, Task

SAMPLES, CALLS = 64, 10
WARM_UP = 1  # steps
APART = 0.03  # numbers of weights that are called equal

ON_CPU = (Task("fashion"), Task("emoji"))
ON_GPU = tuple(
    Task(data, batch=256, width=128, device="cuda", bf16=bf16, compiled=compiled)
    for data in ("fashion", "emoji")
    for bf16, compiled in ((False, False), (True, False), (True, True))
)


@dataclass(frozen=True)
class Trial:
    """What one contender took: weights; images trained on in a second; peak memory in MB, None where nothing tells it;
    seconds to sample ``SAMPLES`` images."""

    weights: int
    pace: float
    memory: float | None
    sampling: float


def measure(
    clock: str = "wall", tasks: Sequence[Task] | None = None, repeats: int = 5, steps: int = 3
) -> Iterator[Figure]:
    """The ratios ours / peer of images a second, of peak memory, and of the time to sample, for each task and peer.

    A peer that is missing or breaks costs its own figures alone. The seconds are those of ``clock``: "cpu" where the
    machine is shared.
    """
    for task in tasks or (*ON_CPU, *(ON_GPU if torch.cuda.is_available() else ())):
        turns = {name: [] for name in CONTENDERS}
        for _ in range(repeats):
            for name in list(turns):
                try:
                    turns[name].append(apart(name, task, steps, clock))
                except Exception as error:  # Missing, with a remedy, or whatever a library raises
                    del turns[name]
                    yield Figure(f"{task.name}: {name}", [], "", note=_why(error))
        for name in [name for name in turns if name != "ours" and "ours" in turns]:
            yield from figures(task, name, turns["ours"], turns[name])


def figures(task: Task, name: str, ours: Sequence[Trial], theirs: Sequence[Trial]) -> Iterator[Figure]:
    """The rows that compare the trials of one task with those of a peer, turn by turn."""
    weights = ours[0].weights, theirs[0].weights
    if abs(weights[0] / weights[1] - 1) > APART:
        note = f"its {weights[1]:,} weights and our {weights[0]:,} are too far apart to compare"
        yield Figure(f"{task.name}: {name}", [], "", note=note)
        return
    for what, of, unit, target, least in (
        ("training, images a second", lambda trial: trial.pace, "/s", 1.0, True),
        ("training, peak memory", lambda trial: trial.memory, " MB", 1.0, False),
        (f"sampling {SAMPLES} images in {CALLS} network calls, time", lambda trial: trial.sampling, " s", None, False),
    ):
        mine, its = [of(trial) for trial in ours], [of(trial) for trial in theirs]
        if None not in mine + its:
            note = f"{median(mine):.3g} and {median(its):.3g}{unit}; {weights[0]:,} and {weights[1]:,} weights"
            # A trial in a process that has grown before takes no new memory: 0 beside 0 is as much.
            ratios = [m / i if i else 1.0 if not m else math.inf for m, i in zip(mine, its)]
            yield Figure(f"{task.name}: {what}, ours / {name}", ratios, "×", target, note, least)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Missing) else repr(error)[:200]


def apart(name: str, task: Task, steps: int, clock: str) -> Trial:
    """A ``trial`` in a process of its own, with as many threads as this one."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(trial, name, task, steps, clock, torch.get_num_threads()).result()


def trial(name: str, task: Task, steps: int, clock: str = "wall", threads: int = 1) -> Trial:
    """Train a contender for so many steps, then sample. Raises Missing for a peer that does not import."""
    torch.set_num_threads(threads)
    # What libraries load at their first use is not the network's: two images go first.
    CONTENDERS[name](replace(task, batch=2, compiled=False)).step()
    before = _memory(task.device)
    contender = CONTENDERS[name](task)
    for _ in range(WARM_UP):
        contender.step()
    train = [_seconds(contender.step, task, clock) for _ in range(steps)]
    peak = _peak(task.device)
    contender.sample(2, 2)
    return Trial(
        sum(weight.numel() for weight in contender.net.parameters()),
        task.batch / median(train),
        None if before is None or peak is None else max(0.0, peak - before),  # the system counts a peak a little late
        _seconds(lambda: contender.sample(SAMPLES, CALLS), task, clock),
    )


def _seconds(do: Callable[[], object], task: Task, clock: str) -> float:
    def now() -> float:
        if task.device == "cuda":
            torch.cuda.synchronize()
        return CLOCKS[clock]()

    begin = now()
    do()
    return now() - begin


def _memory(device: str) -> float | None:
    return torch.cuda.memory_allocated() / 1e6 if device == "cuda" else _resident("VmRSS")


def _peak(device: str) -> float | None:
    return torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else _resident("VmHWM")


def _resident(field: str) -> float | None:
    """Megabytes of this process in memory, now (VmRSS) or at most so far (VmHWM), where Linux tells."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field)), None)
