"""What a sampler's step costs beside the network's own forward."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

from torch import Tensor

from core import recipe
from core.data.points import make
from core.denoiser import Denoise
from core.samplers import Step, ancestral, ddim, start
from tests.bench.figure import Figure

POINTS, STEPS, TARGET = 1000, 20, 30
WARM_UP = 3  # walks


def measure(walks: int = 60) -> Iterator[Figure]:
    """One DDPM and one DDIM step at 1,000 points; a repeat is the median step of one walk, and the samplers take turns.

    What a step costs beyond the network's forward is measured with a network that answers at once. Beside it, the same
    in place: the whole step less the time inside a real network's call, taken from the same step. There the forward's
    megabytes have pushed Python and torch out of the processor's caches, and the difference is what it costs to fetch
    them again: so much that drawing the noise, one interpolation and one addition alone take longer than the target.
    """
    model = recipe.begin(recipe.Recipe(), make("spiral", 100)).state.model
    denoisers: dict[str, Denoise] = {"trained": model, "instant": lambda x, sigma: x}
    costs = {(sampler, denoiser): [] for sampler in ("DDPM", "DDIM") for denoiser in denoisers}
    x = start((POINTS, 2), 5.0, model.sigma_data, seed=0)
    for walk in range(WARM_UP + walks):
        samplers = {"DDPM": partial(ancestral, seed=walk), "DDIM": ddim}
        for (sampler, denoiser), walked in costs.items():
            walked.append(_median_step(samplers[sampler], denoisers[denoiser], x))
    beyond = {name: [outside for outside, _ in walked[WARM_UP:]] for name, walked in costs.items()}
    for sampler in ("DDPM", "DDIM"):
        forward = median(inside for _, inside in costs[sampler, "trained"])
        name = f"{sampler} step of {POINTS:,} points beyond the network's forward"
        yield Figure(name, beyond[sampler, "instant"], "µs", TARGET, "with a network that answers at once")
        note = f"with a real network, whose forward takes {forward:.0f} µs and empties the caches"
        yield Figure(f"{name}, in place", beyond[sampler, "trained"], "µs", note=note)


def _median_step(sampler: Callable[..., Iterator[Step]], denoise: Denoise, x: Tensor) -> tuple[float, float]:
    """Medians over a walk of the microseconds outside and inside ``denoise``, without the first and the last step."""
    inside, outside = [], []

    def timed(x: Tensor, sigma: Tensor) -> Tensor:
        begin = time.perf_counter_ns()
        x0 = denoise(x, sigma)
        inside.append(time.perf_counter_ns() - begin)
        return x0

    steps = sampler(timed, x, recipe.grid(STEPS))
    for _ in range(STEPS - 1):
        begin = time.perf_counter_ns()
        next(steps)
        outside.append(time.perf_counter_ns() - begin - inside[-1])
    return median(outside[1:]) / 1000, median(inside[1:]) / 1000
