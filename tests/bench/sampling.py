"""What a sampler's step costs beside the network's own forward, and what it reaches for how many network calls."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import make_points
from core.diffusion.denoiser import Denoise
from core.diffusion.samplers import SAMPLERS, Step, ancestral, ddim, last, start
from core.models import points as point_model
from core.pretrained import pretrained
from tests.bench.figure import Figure
from tests.bench.peers import Missing, library, on_the_processor

POINTS, STEPS, TARGET = 1000, 20, 30
AHEAD = 10.0  # times cheaper than diffusers
WARM_UP = 3  # walks
JUDGED, CALLS = 2000, (5, 10, 20, 40, 80)  # samples, network calls
_PLACE = 0x5A3F  # keeps the draws that judge apart


def measure(walks: int = 60, calls: Sequence[int] = CALLS, pairs: int = 5) -> Iterator[Figure]:
    """The cost of a step over so many walks (see ``costs``), then the quality of ``pairs`` clouds (see ``quality``)."""
    yield from costs(walks)
    yield from quality(calls, pairs)


def costs(walks: int) -> Iterator[Figure]:
    """One DDPM and one DDIM step at 1,000 points; a repeat is the median step of one walk, and all take turns.

    What a step costs beyond the network's forward is measured with a network that answers at once. Beside it, the same
    in place: the whole step less the time inside a real network's call, taken from the same step. There the forward's
    megabytes have pushed Python and torch out of the processor's caches, and the difference is what it costs to fetch
    them again: so much that drawing the noise, one interpolation and one addition alone take longer than the target.
    The peers' steps, with a network that answers at once, are ratios theirs / ours of the same turn.
    """
    model = point_model.new_checkpoint(point_model.PointConfig(), make_points("spiral", 100)).state.model
    denoisers: dict[str, Denoise] = {"trained": model, "instant": lambda x, sigma: x}
    walked = {(sampler, denoiser): [] for sampler in ("DDPM", "DDIM") for denoiser in denoisers}
    theirs = {name: [] for name in PEERS}
    x = start((POINTS, 2), 5.0, model.sigma_data, seed=0)
    for walk in range(WARM_UP + walks):
        samplers = {"DDPM": partial(ancestral, seed=walk), "DDIM": ddim}
        for (sampler, denoiser), times in walked.items():
            times.append(_median_step(samplers[sampler], denoisers[denoiser], x))
        for name in list(theirs):
            try:
                theirs[name].append(PEERS[name][1]())
            except Missing as missing:
                del theirs[name]
                yield Figure(f"A step of {name} / ours", [], "", note=str(missing))
    beyond = {name: [outside for outside, _ in times[WARM_UP:]] for name, times in walked.items()}
    for sampler in ("DDPM", "DDIM"):
        forward = median(inside for _, inside in walked[sampler, "trained"])
        name = f"{sampler} step of {POINTS:,} points beyond the network's forward"
        yield Figure(name, beyond[sampler, "instant"], "µs", TARGET, "with a network that answers at once")
        note = f"with a real network, whose forward takes {forward:.0f} µs and empties the caches"
        yield Figure(f"{name}, in place", beyond[sampler, "trained"], "µs", note=note)
    for name, times in theirs.items():
        sampler, its = PEERS[name][0], times[WARM_UP:]
        mine = beyond[sampler, "instant"]
        note = f"{median(its):.0f} and {median(mine):.0f} µs"
        target = AHEAD if name.startswith("diffusers") else None
        row = f"A step of {name} / our {sampler} step, {POINTS:,} points, beyond the network's forward"
        yield Figure(row, [one / other for one, other in zip(its, mine)], "×", target, note, least=True)


def _median_step(sampler: Callable[..., Iterator[Step]], denoise: Denoise, x: Tensor) -> tuple[float, float]:
    """Medians over a walk of the microseconds outside and inside ``denoise``, without the first and the last step."""
    inside, outside = [], []

    def timed(x: Tensor, sigma: Tensor) -> Tensor:
        begin = time.perf_counter_ns()
        x0 = denoise(x, sigma)
        inside.append(time.perf_counter_ns() - begin)
        return x0

    steps = sampler(timed, x, point_model.grid(STEPS))
    for _ in range(STEPS - 1):
        begin = time.perf_counter_ns()
        next(steps)
        outside.append(time.perf_counter_ns() - begin - inside[-1])
    return median(outside[1:]) / 1000, median(inside[1:]) / 1000


def _scheduler(name: str) -> float:
    """Median microseconds of ``step`` of a scheduler of diffusers, without the clipping that is meant for images."""
    scheduler = getattr(library("diffusers", name), name)(clip_sample=False)
    scheduler.set_timesteps(STEPS)
    x, times = torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(0)), []
    for t in scheduler.timesteps[:-1]:
        begin = time.perf_counter_ns()
        x = scheduler.step(x, t, x).prev_sample
        times.append(time.perf_counter_ns() - begin)
    return median(times[1:]) / 1000


def _samples(mu: float) -> float:
    """Median microseconds of a step of smalldiffusion's ``samples``; mu = 1/2 is DDPM, 0 is DDIM."""
    peer = library("smalldiffusion", "samples")

    class Instant(torch.nn.Module, peer.ModelMixin):
        input_dims = (2,)

        def forward(self, x: Tensor, sigma: Tensor, cond: None = None) -> Tensor:
            return x

    sigmas = peer.ScheduleLogLinear(N=200, sigma_min=0.01, sigma_max=10).sample_sigmas(STEPS)
    steps, times = peer.samples(Instant(), sigmas, gam=1, mu=mu, batchsize=POINTS, accelerator=on_the_processor()), []
    for _ in range(STEPS - 1):
        begin = time.perf_counter_ns()
        next(steps)
        times.append(time.perf_counter_ns() - begin)
    return median(times[1:]) / 1000


# Of each peer's sampler: ours that does the same, and the median microseconds of a step of one walk.
PEERS: dict[str, tuple[str, Callable[[], float]]] = {
    "diffusers' DDPMScheduler": ("DDPM", partial(_scheduler, "DDPMScheduler")),
    "diffusers' DDIMScheduler": ("DDIM", partial(_scheduler, "DDIMScheduler")),
    "smalldiffusion's samples as DDPM": ("DDPM", partial(_samples, 0.5)),
    "smalldiffusion's samples as DDIM": ("DDIM", partial(_samples, 0.0)),
}


def quality(calls: Sequence[int], pairs: int) -> Iterator[Figure]:
    """The energy distance that each sampler reaches with at most so many network calls, in multiples of the floor: the
    shipped model of the spiral, 2,000 samples from sigma 5, against ``pairs`` independent draws."""
    model, points = pretrained("spiral").denoiser, make_points("spiral", 100)
    floor = metrics.noise_floor(points.sample, JUDGED, repeats=25)
    for name in ("ddpm", "ddim", "euler", "heun", "dpmpp_2m", "sde"):
        sampler = partial(SAMPLERS[name].run, **SAMPLERS[name].options)
        for most in calls:
            grid = point_model.grid((most + 1) // 2 if name == "heun" else most)
            reached = []
            for pair in range(pairs):
                x = start((JUDGED, 2), 5.0, points.rms, pair)
                cloud = last(sampler(model, x, grid, **({"seed": pair} if name in ("ddpm", "sde") else {})))
                real = points.sample(JUDGED, seeds.generator(_PLACE, pair))[0]
                reached.append(metrics.energy_distance(cloud, real) / floor)
            yield Figure(f"Sampler {name}, {most} network calls: energy distance", reached, "× floor")
