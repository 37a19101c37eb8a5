"""Flow models of points in the plane: one configuration is one reproducible training run.

Data and starts are in units of their root mean square coordinate (``points.at_unit_rms``), the size of standard normal
noise. A configuration says from where the starts come, which start belongs to which data point (``couplings``), and
what the model learns: the velocity, or the mean velocity of a step (``few_step``). All train one network in one loop.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from torch import Tensor

from core import seeds
from core.data.points import PointSet, at_unit_rms, make_points
from core.diffusion import couplings, few_step
from core.diffusion.couplings import Coupling, Draw
from core.diffusion.denoiser import Cond, Denoise, Denoiser, in_chunks
from core.diffusion.samplers import SamplerConfig, euler, path
from core.diffusion.schedules import flow_sigmas, make_schedule, scale
from core.diffusion.training import (
    Batches,
    LossFn,
    TrainConfig,
    TrainState,
    as_dict,
    diffusion_loss,
    pair_batches,
    train,
)
from core.models.images import MAX_BATCH, check_batch, check_type
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, loss_history, recorded

OBJECTIVES = ("velocity", "path_chords", "mean_flow")
COUPLINGS = ("independent", "optimal_transport")
PATHS, PATH_STEPS = 20_000, 64  # of a model, whose ends are pairs and whose chords are mean velocities
SIGMA_MAX = 100.0  # where a sampler of the registry starts
CHUNK = 4096  # states in one call of a network
_PLACE = 0xF70  # keeps the starts of stored paths apart from other uses of a seed


@dataclass(frozen=True)
class FlowConfig:
    """How to train a flow model on a set of points.

    Attributes:
        objective: what the model learns, one of ``OBJECTIVES``: the velocity; the mean velocity of steps, from stored
            paths of a model that has learned the velocity; or the same by MeanFlow, without such a model.
        coupling: one of ``COUPLINGS``, of data and starts.
        transport_batch: pairs among which optimal transport is computed.
        stored_pairs: the number of pairs that are drawn once, before training, which then draws from them: optimal
            transport of each batch would take half of every step. None: each step has new pairs.
        own_paths_from: step from which the model is trained on its own paths, which its ODE joins: on their ends as
            pairs (reflow), or with "path_chords" on their chords. None: never.
        paths: the number of these paths.
        noise: the schedule that the noise levels of training are drawn from.
        batch, lr, steps, decay, ema: see ``TrainConfig``.
        seed: decides the initial weights, the data and the starts.
    """

    objective: str = "velocity"
    coupling: str = "independent"
    transport_batch: int = 256
    stored_pairs: int | None = None
    own_paths_from: int | None = None
    paths: int = PATHS
    noise: str = "rectified-flow"
    batch: int = 512
    lr: float = 1.2e-2
    steps: int = 6_000
    decay: str = "cosine"
    ema: float = 0.995
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop. Raises Problem for values that no run can have."""
        for field in fields(self):
            if getattr(self, field.name) is not None:
                check_type(field.name, getattr(self, field.name), type(field.default or 0))
        known = {"objective": OBJECTIVES, "coupling": COUPLINGS}
        for name, options in known.items():
            if getattr(self, name) not in options:
                raise Problem("train_setting", name=name, value=repr(getattr(self, name)))
        positive = {"paths": self.paths, "own_paths_from": self.own_paths_from, "stored_pairs": self.stored_pairs}
        if self.objective == "path_chords" and self.own_paths_from is None:
            raise Problem("train_setting", name="own_paths_from", value="None")
        for name, value in positive.items():
            if value is not None and value < 1:
                raise Problem("train_setting", name=name, value=repr(value))
        if not 2 <= self.batch <= MAX_BATCH:
            raise Problem("train_setting", name="batch", value=repr(self.batch))
        check_batch(self.batch, (2,))
        return TrainConfig(self.steps, self.lr, decay=self.decay, restart=self.own_paths_from, ema=self.ema)


LIVE_FLOW = FlowConfig(steps=4_000, decay="root")
LIVE_REFLOW = replace(LIVE_FLOW, own_paths_from=1_000, paths=4_000)
"""Runs for a learner who watches: after 20 seconds of one core the paths of the second are straight."""


def new_checkpoint(config: FlowConfig, points: PointSet, source: PointSet | None = None) -> Checkpoint:
    """An untrained checkpoint."""
    return checkpoints.new_checkpoint(describe(config, points, source), config.train)


def describe(config: FlowConfig, points: PointSet, source: PointSet | None = None) -> dict[str, Any]:
    """A checkpoint's config: the configuration, the model that it makes, the data's affine map and the source."""
    return {
        "network": {"name": "steps", "dim": points.points.shape[1], "classes": 0, "seed": config.seed},
        "prediction": "flow",
        "sigma_data": 1.0,
        "scale_input": True,
        "flow": asdict(config),
        "data": {"name": points.name, "n": len(points.points), "affine": asdict(points.affine)},
        "source": source and {"name": source.name, "n": len(source.points)},
    }


def run(
    config: FlowConfig, points: PointSet, progress: Progress | None = None, source: PointSet | None = None
) -> Iterator[Progress]:
    """Train from the beginning, or further from ``progress``; yields after each step.

    points, source: data and starts in units of their root mean square; without a source, starts are standard normal.
    Where training on own paths begins, they are those of the model at that step; of a run that is resumed later, those
    of the model as it was resumed. Raises Problem if data and source differ in dimension, and Diverged (see
    ``training.train``).
    """
    if progress is None:
        progress = Progress(new_checkpoint(config, points, source).state)
    settings, begin, pairs = config.train, config.own_paths_from, coupling(config, points, source)
    if begin is None or progress.state.step < begin:
        first = replace(settings, steps=min(settings.steps, begin or settings.steps))
        yield from recorded(progress, _steps(*_objective(config, pairs), settings, first.steps, progress.state))
    if begin is not None and progress.state.step < settings.steps:
        batches = own_batches(config, progress.state.ema, starts(source))
        yield from recorded(progress, _steps(diffusion_loss, batches, settings, settings.steps, progress.state))


def _steps(loss: LossFn, batches: Batches, config: TrainConfig, until: int, state: TrainState) -> Iterator[TrainState]:
    """The steps of the training loop up to step ``until``, at the learning rates of the whole run."""
    if state.step < until:
        for now in train(loss, batches, config, state):
            yield now
            if now.step >= until:
                return


def _objective(config: FlowConfig, pairs: Coupling) -> tuple[LossFn, Batches]:
    """The loss, and the batches that it takes, until a model is trained on its own paths."""
    if config.objective == "mean_flow":
        return few_step.mean_flow_loss, few_step.mean_batches(pairs, config.batch, config.seed)
    return diffusion_loss, pair_batches(pairs, make_schedule(config.noise), config.batch, config.seed)


def own_batches(config: FlowConfig, denoiser: Denoiser, draw: Draw) -> Batches:
    """Batches of a model's own paths: their ends as pairs, or their chords."""
    x1, _ = draw(config.paths, seeds.generator(config.seed, _PLACE))
    states, times = paths(denoiser, x1, PATH_STEPS)
    if config.objective == "path_chords":
        return few_step.path_batches(states, times, config.batch, config.seed)
    pairs = couplings.stored(states[-1], x1)
    return pair_batches(pairs, make_schedule(config.noise), config.batch, config.seed)


def starts(source: PointSet | None) -> Draw:
    """Draws of the starts: standard normal ones without a source."""
    return couplings.gaussian((2,)) if source is None else lambda n, generator: (source.sample(n, generator)[0], None)


def coupling(config: FlowConfig, points: PointSet, source: PointSet | None = None) -> Coupling:
    """The pairs of data and starts that a run trains on, without labels. Raises Problem for a source that does not fit
    the data (see ``couplings.between``)."""
    noise = couplings.gaussian(points.points.shape[1:])
    pairs = couplings.between(points, source) if source else couplings.independent(points.sample, noise)
    if config.coupling == "optimal_transport":
        pairs = couplings.optimal_transport(pairs, config.transport_batch)
    if config.stored_pairs is not None:
        pairs = couplings.stored(*pairs(config.stored_pairs, seeds.generator(config.seed, _PLACE, 1))[:2])
    return lambda n, generator: (*pairs(n, generator)[:2], None)


# Paths and samples


def paths(denoise: Denoise, x1: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The paths z [steps + 1, n, D] from starts x1 [n, D] by Euler's method at evenly spaced times [steps + 1], which
    fall from nearly 1 to 0."""
    sigmas = flow_sigmas(steps)
    first = sigmas[0].item()
    # The start lies at t = 0.999, where nearly all of a state is noise: z differs from x1 by a thousandth of the data.
    states = path(euler(in_chunks(denoise, CHUNK), x1 * (1 + first), sigmas))
    return states * scale(sigmas, "flow").to(states)[:, None, None], (sigmas / (1 + sigmas)).float()


def source_of(stored: Mapping[str, Any]) -> PointSet | None:
    """The source of a checkpoint's config; None for standard normal starts. Raises Problem for one that is not built
    in."""
    source = stored.get("source")
    if source is None:
        return None
    return at_unit_rms(make_points(source["name"], source["n"]))


def start(stored: Mapping[str, Any], n: int, config: SamplerConfig, seed: int) -> Tensor:
    """Starting points [n, D] of a sampler under the flow model of a checkpoint's config."""
    x1, _ = starts(source_of(stored))(n, seeds.generator(seed, _PLACE))
    return (1 + config.sigma_max) * x1


def is_told_ends(stored: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's config is that of a model of mean velocities, which is told where its steps end."""
    return stored.get("flow", {}).get("objective", "velocity") != "velocity"


def sample(denoiser: Denoiser, x1: Tensor, steps: int, ends: bool) -> Tensor:
    """The paths [steps + 1, n, D] of a flow model in so many steps, from starts x1 [n, D]; ``ends``: whether the model
    is told where its steps end."""
    return paths(few_step.steps_to(denoiser, flow_sigmas(steps)) if ends else denoiser, x1, steps)[0]


def sampler_config(sampler: str, steps: int, seed: int = 0) -> SamplerConfig:
    """A sampler on evenly spaced times of rectified flow, the grid of ``flow_sigmas`` from sigma = 100. Its noise
    differs from that which points of the same seed start from."""
    t_max = SIGMA_MAX / (1 + SIGMA_MAX)
    last = few_step.level(t_max / max(2, steps))
    return SamplerConfig(sampler, steps, sigma_max=SIGMA_MAX, sigma_min=last, schedule="rectified-flow", seed=seed + 1)


def at_scale(denoise: Denoise, size: float) -> Denoise:
    """The denoiser of the same data ``size`` times as large: D(x, sigma) = size D(x / size, sigma / size)."""

    def scaled(x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        cond = cond and {name: value / size if name == "end" else value for name, value in cond.items()}
        return size * denoise(x / size, sigma / size, cond)

    return scaled


# Checkpoints


def run_on(
    config: FlowConfig, points: PointSet, source: PointSet | None, progress: Progress, settings: Mapping[str, float]
) -> Iterator[Progress]:
    """``run`` from ``progress`` at the learning rate ``settings["lr"]``."""
    return run(replace(config, lr=settings["lr"]), points, progress, source)


def checkpoint_of(
    progress: Progress, config: FlowConfig, points: PointSet, source: PointSet | None = None
) -> Checkpoint:
    """The checkpoint of a run in progress, with its loss so far."""
    stored = {**describe(config, points, source), **loss_history(progress), "train": as_dict(config.train)}
    return Checkpoint(progress.state, stored)
