"""How good samples of the shipped flow models are in few steps, by POT's exact transport, and how fast a live run of
reflow makes straight paths."""

import time
from collections.abc import Iterator

from torch import Tensor

from core import metrics, seeds
from core.data.points import at_unit_rms, make_points
from core.lessons import few_steps
from core.lessons.few_steps import CHORDS, MEAN, MEAN_INDEPENDENT, REFLOW, TRANSPORT, VELOCITY
from core.lessons.flow_training import Snapshots
from core.models import flows
from pages.ui.lessons import flow_live
from tests.bench.figure import Figure
from tests.bench.peers import Missing, library

SAMPLES, SEEDS = 2000, 3
STRAIGHT_WITHIN = 20.0  # seconds of one core
TARGETS = {
    (VELOCITY, 1): (1.35, 0.23), (VELOCITY, 2): (0.73, 0.21), (VELOCITY, 4): (0.47, 0.15),
    (VELOCITY, 64): (0.16, 0.013),
    (TRANSPORT, 1): (0.17, 0.09), (TRANSPORT, 2): (0.14, 0.034), (TRANSPORT, 4): (0.135, 0.016),
    (REFLOW, 1): (0.15, 0.03), (CHORDS, 1): (0.15, 0.04),
    (MEAN, 1): (0.15, 0.06), (MEAN, 2): (0.135, 0.025), (MEAN, 4): (0.13, 0.016),
    (MEAN_INDEPENDENT, 1): (0.22, 0.15),
}  # fmt: skip
"""Model and calls to the 2-Wasserstein distance, where perfect samples had 0.15, and the distance to the curve that
were aimed at; differences of less than 0.02 are chance."""


def measure() -> Iterator[Figure]:
    """The distances of all models by number of calls, of perfect samples, and the seconds of a live run of reflow."""
    try:
        transport = library("ot", "emd2")
    except Missing as missing:
        yield Figure("Few steps: exact 2-Wasserstein distance", [], "", note=str(missing))
        return

    def wasserstein(samples: Tensor, seed: int) -> float:
        fresh, _ = few_steps.points().sample(SAMPLES, seeds.generator(0xBE7C, seed))
        cost = transport.dist(samples.double().numpy(), fresh.double().numpy())
        return float(transport.emd2([], [], cost, numItermax=10_000_000)) ** 0.5

    perfect = [few_steps.points().sample(SAMPLES, seeds.generator(0xBE7D, seed))[0] for seed in range(SEEDS)]
    yield Figure("Fresh draws: 2-Wasserstein distance", [wasserstein(each, k) for k, each in enumerate(perfect)], "")
    for (name, calls), (most, farthest) in TARGETS.items():
        clouds = [few_steps.sample(name, calls, SAMPLES, seed)[-1] for seed in range(SEEDS)]
        distances = [metrics.distance_to_curve(each, few_steps.points().curve).mean().item() for each in clouds]
        both = [wasserstein(each, seed) for seed, each in enumerate(clouds)]
        yield Figure(f"{name}, {calls} calls: 2-Wasserstein distance", both, "", most)
        yield Figure(f"{name}, {calls} calls: distance to the curve", distances, "", farthest)
    yield from live()


def live() -> Iterator[Figure]:
    """The seconds until the paths of a live run of reflow are straight."""
    points, begun = at_unit_rms(make_points("spiral", 100)), time.process_time()
    for progress in flows.run(flows.LIVE_REFLOW, points):
        step = progress.state.step
        if step % 50 == 0 and step > flow_live.OWN_FROM and Snapshots()(progress).straightness <= flow_live.STRAIGHT:
            seconds = time.process_time() - begun
            yield Figure("Live reflow: straight paths", [seconds], "s of one core", STRAIGHT_WITHIN, f"{step} steps")
            return
