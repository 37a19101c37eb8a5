"""Chapter 4: several samplers from the same starting points, one of their steps, and what a network call buys.

Each scene is a pure function of a `Config`. Whatever lists samplers reads the registry (``core.diffusion.samplers``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core import metrics
from core.diffusion import samplers
from core.diffusion.forward import in_view
from core.diffusion.samplers import (
    DDIM,
    DDIM_WITH_NOISE,
    DDPM,
    DDPM_NO_NOISE,
    MAX_STEPS,
    SAMPLERS,
    SamplerConfig,
    Step,
)
from core.figures.curves import Curve
from core.figures.curves import panel as curve_panel
from core.figures.scene import Clock, Panel, Scene, Window
from core.lessons import sampler_quality as quality_lesson
from core.lessons import sampling as lesson
from core.lessons.sampling import Anatomy
from core.models import trajectories
from core.models.trajectories import PointModel, Quality, Trajectory, trajectory
from core.pretrained import SPIRAL_FLOWS, shipped
from pages.ui.frame import text
from pages.ui.frame.links import choice, number
from pages.ui.frame.text import pair, t
from pages.ui.lessons import sampler_quality, sampling_panels, sampling_step
from pages.ui.lessons.sampler_quality import MEASURES
from pages.ui.lessons.shared_scene import shared_scene
from pages.ui.stage import exporting

EXACT, NONE = "exact", "none"
MODELS = ("spiral-100-fourier", "spiral-100-reference", EXACT, "spiral", *SPIRAL_FLOWS)
WINDOWS = {"vp": Window("vp", 1.7), "ve": Window("ve", 2.2)}
GRIDS = ("log-linear", "karras", "cosine", "ddpm-linear", "rectified-flow")
TOPS = (0.5, 1.0, 2.0, 5.0, 10.0)  # noise levels to start from
FOUR = (DDPM, DDPM_NO_NOISE, DDIM_WITH_NOISE, DDIM)  # each step with noise and without
KEPT_BACK = (DDPM_NO_NOISE, DDIM_WITH_NOISE)  # until the prediction is made
N, FEW = 2000, 50  # particles of a cloud; particles that can be followed one by one
COARSE, FINE = 49, 121  # frames of the clock for clouds, and for single paths
SECONDS = 5  # that the clock runs
HALVES = 2  # clouds are compared in halves, which takes half as long
CHANCE = 2.5  # times the noise floor; of 30 pairs of exact clouds one was so far apart at some level
COLLAPSE = {"show": "clouds", "b": DDPM_NO_NOISE, "nb": 64, "top": 10.0}  # where it is seen what the noise is for


def names() -> tuple[str, ...]:
    """Every sampler that is registered."""
    return tuple(SAMPLERS)


def names_or_none() -> tuple[str, ...]:
    """The same for a place that may stay empty."""
    return (NONE, *SAMPLERS)


@dataclass(frozen=True)
class Config:
    """The controls of the page: two to four samplers with their numbers of steps, the two whose distributions are
    compared, and what all have in common."""

    guess: str | None = choice(None, ("to_the_spiral", "near_middle", "stay_noise"), style="none")
    show: str = choice("clouds", ("clouds", "one_step", "paths", "whose_step", "sde_and_ode", "quality"))
    model: str = choice(MODELS[0], MODELS, "models", "select")
    a: str = choice(DDPM, names, "samplers", "select", main=True)
    na: int = number(64, 1, 256, main=("paths", "whose_step"))
    b: str = choice(DDIM, names, "samplers", "select", main=True)
    nb: int = number(64, 1, 256)
    c: str = choice(NONE, names_or_none, "samplers", "select")
    nc: int = number(64, 1, 256)
    d: str = choice(NONE, names_or_none, "samplers", "select")
    nd: int = number(64, 1, 256)
    first: str = choice(DDPM, names, "samplers", "select", main=True)
    nfirst: int = number(64, 1, 256)
    second: str = choice(DDIM, names, "samplers", "select", main=True)
    nsecond: int = number(64, 1, 256)
    eta: float = number(0.5, 0.0, 1.0, 0.05, "slider")
    top: float = choice(10.0, TOPS, style="slider")
    grid: str = choice(GRIDS[0], GRIDS, "schedules", "select")
    seed: int = number(0, 0, 9999)
    view: str = choice("vp", tuple(WINDOWS), "views", "radio")
    step: int = number(21, 1, MAX_STEPS)
    particle: int = number(4, 0, FEW - 1)  # whose path turns
    measure: str = choice("energy", tuple(MEASURES))

    @property
    def samplers(self) -> tuple[SamplerConfig, ...]:
        """The chosen samplers."""
        slots = (self.a, self.na), (self.b, self.nb), (self.c, self.nc), (self.d, self.nd)
        return tuple(self.sampler(name, steps) for name, steps in slots if name != NONE)

    @property
    def pair(self) -> tuple[SamplerConfig, SamplerConfig]:
        """The two samplers whose distributions are compared; they do not depend on those of the other scenes."""
        return self.sampler(self.first, self.nfirst), self.sampler(self.second, self.nsecond)

    @property
    def window(self) -> Window:
        """What the panels look through."""
        return WINDOWS[self.view]

    @property
    def step_number(self) -> int:
        """The step to look at, from 1; the last one where there are fewer steps than the control says."""
        return min(self.step, self.na)

    def sampler(self, name: str, steps: int | None = None) -> SamplerConfig:
        """A sampler with what all have in common; by default with as many steps as the first."""
        return sampler_config(name, steps or self.na, self.eta, self.top, self.grid, self.seed)


def sampler_config(name: str, steps: int, eta: float, sigma_max: float, schedule: str, seed: int) -> SamplerConfig:
    """The configuration that controls mean. Only a sampler that reads eta gets it: no other is sampled anew."""
    eta = eta if "eta" in SAMPLERS[name].reads else SamplerConfig.eta
    return SamplerConfig(name, steps, eta, sigma_max, schedule, seed)


# What is computed


def model_of(config: Config) -> PointModel:
    """A shipped model, or the exact denoiser of the spiral of 100 points."""
    return trajectories.exact_model() if config.model == EXACT else shipped(config.model)


def run_all(model: PointModel, configs: Sequence[SamplerConfig], n: int) -> list[Trajectory]:
    """Trajectories of n particles, two at a time: PyTorch releases the interpreter in each of its operations."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda config: trajectory(model, config, n), configs))


def quality_of(config: Config, sampler: SamplerConfig) -> Quality:
    """How good the samples of a cloud are."""
    return trajectory(model_of(config), sampler, N).quality


def seen_clouds(config: Config) -> Sequence[SamplerConfig]:
    """The samplers whose clouds the scene shows."""
    if config.show == "whose_step":
        return [config.sampler(name) for name in FOUR]
    return {"clouds": config.samplers, "sde_and_ode": config.pair}.get(config.show, ())


def every_sampler(config: Config) -> list[SamplerConfig]:
    """All samplers that are worth comparing, with as many steps as the first; those that read eta come last."""
    compared = quality_lesson.compared()
    return [*map(config.sampler, (*compared, *(name for name in SAMPLERS if SAMPLERS[name].reads)))]


def all_steps(config: Config) -> tuple[Step, ...]:
    """The steps of the particles that can be followed, under the first sampler."""
    return trajectories.steps(model_of(config), config.samplers[0], FEW)


def step_of(config: Config) -> Anatomy:
    """The parts of the step to look at."""
    return lesson.anatomy(all_steps(config)[config.step_number - 1], config.particle)


def places(config: Config) -> Tensor:
    """Where the particles are before that step, in the view, [FEW, 2]."""
    step = all_steps(config)[config.step_number - 1]
    return in_view(step.x[None], torch.tensor([step.sigma], dtype=torch.float64), config.view)[0]


def distances(config: Config) -> tuple[Tensor, Tensor, Tensor]:
    """Noise levels, the distance of the two clouds at each, and the noise floor of that distance, each [T]."""
    first, second = config.pair
    model, sigmas = model_of(config), trajectories.levels(9, config.top)
    given = tuple(sigmas.tolist())
    apart = lesson.cloud_distance_over_levels(model, first, second, given, N, HALVES)
    return sigmas, apart, trajectories.energy_noise_floor(model.exact, given, N // HALVES)


def times_floor(config: Config) -> float:
    """How many noise floors the two clouds are apart at most."""
    _, apart, noise_floor = distances(config)
    return (apart / noise_floor).max().item()


def verdict(config: Config) -> tuple[str, dict[str, float]]:
    """Whether the two clouds differ ("differ"), are alike with each point at the same place ("same_ends"), or are
    alike though the points are not ("same_density"); with the values that the sentence quotes."""
    if (times := times_floor(config)) > CHANCE:
        return "differ", {"times": times, "chance": CHANCE}
    first, second = run_all(model_of(config), config.pair, N)
    apart = (first.states[-1] - second.states[-1]).norm(dim=1).mean().item()
    return ("same_ends", {"apart": apart}) if apart < 0.1 else ("same_density", {"times": times})


def step_sizes(config: Config) -> list[Curve]:
    """How far the steps of DDPM and of DDIM go down, as fractions of sigma, over the noise levels."""
    found = []
    for each in map(config.sampler, (DDPM, DDIM)):
        sigmas, down = each.sigmas[:-2], samplers.step_sizes(each)[0][:-1]  # all go down to 0 in the last step
        label = t("sampling.step_sizes.curve", sampler=text.label("samplers", each.sampler))
        found.append(Curve(sigmas.numpy(), (1 - down / sigmas).numpy(), each.spec.role, label))
    return found


def compared_models(config: Config) -> list[PointModel]:
    """The models of the quality table: the chosen one and the exact denoiser of its data."""
    model = model_of(config)
    return [model] if model == model.exact else [model, model.exact]


# The scenes


@shared_scene
def clouds(config: Config) -> Scene:
    """The chosen samplers side by side."""
    return _scene(config, _clouds(config, config.samplers))


@shared_scene
def one_step(config: Config) -> Scene:
    """One step of one particle under the first sampler, in the picture and enlarged, with the probe at the particle."""
    step, points, k = step_of(config), model_of(config).points.points, config.particle
    states, sampler = samplers.path(iter(all_steps(config))), config.samplers[0]
    panels = [
        sampling_step.whole_panel(step, states, k, sampler, points, config.window),
        sampling_step.lens_panel(step, points),
    ]
    parts = {"x": step.x, "x0": step.x0, "mean": step.denoised, "x_next": step.x_next}
    numbers = {name: pair(place.tolist()) for name, place in parts.items()}
    label = text.label("samplers", sampler.sampler)
    alt = t("sampling.one_step.alt", title=panels[0].title, sampler=label, **numbers)
    return Scene(panels, None, alt, probe=tuple(places(config)[k].tolist()))


@shared_scene
def paths(config: Config) -> Scene:
    """One particle under every sampler, and beside it where the exact denoiser leads it."""
    model, configs, sigmas = model_of(config), every_sampler(config), trajectories.levels(FINE, config.top)
    made, ideal = (run_all(each, configs, FEW) for each in (model, model.exact))
    panels = sampling_panels.paths(made, ideal, config.particle, model.points.points, sigmas, config.window)
    return _scene(config, panels, FINE)


@shared_scene
def whose_step(config: Config) -> Scene:
    """DDPM's step and DDIM's, each with noise and without."""
    return _scene(config, _clouds(config, [config.sampler(name) for name in FOUR], "samples"))


@shared_scene
def sde_and_ode(config: Config) -> Scene:
    """Two clouds, and the distance between them at each noise level; a fresh clock stands halfway."""
    marker = trajectories.levels(COARSE, config.top)
    panel = sampling_panels.distance(*distances(config), marker)
    return _scene(config, [*_clouds(config, config.pair, None), panel], start=COARSE // 2)


def quality(config: Config) -> Scene:
    """The quality of every sampler over network calls. Takes seconds where the table is not known yet."""
    models = compared_models(config)
    return quality_of_rows(config, sampler_quality.finished(models, config.samplers[0]))


def quality_of_rows(config: Config, rows: sampler_quality.Rows) -> Scene:
    """The same of the rows that there are."""
    panel = sampler_quality.panel(rows, compared_models(config)[0], config.measure)
    alt = t("sampling.quality.alt", model=text.label("models", config.model), measure=panel.ylabel)
    return Scene([panel], None, alt)


def step_size_curves(config: Config) -> Scene:
    """How far the steps of DDPM and of DDIM go down, as a chart."""
    sizes, title = step_sizes(config), t("sampling.step_sizes.title")
    limits = 0, 1.2 * max(size.y.max() for size in sizes)
    axes = {"xlog": True, "ylim": limits, "xreversed": True}
    return exporting.scene_of(curve_panel(sizes, title, "σ", t("sampling.step_sizes.ylabel"), **axes))


SCENES: dict[str, Callable[[Config], Scene]] = {
    "clouds": clouds,
    "one_step": one_step,
    "paths": paths,
    "whose_step": whose_step,
    "sde_and_ode": sde_and_ode,
    "quality": quality,
}
CHARTS = {"step_sizes": step_size_curves}
"""The charts below the picture of a scene, by their names."""
NOTES = {
    "clouds": {"before": ("clouds",), "after": ("without_noise",)},
    "quality": {"before": ("quality",), "after": ("quality", "measured_collapse")},
}
"""The notes that a scene can show together, by their names in the catalogue; other scenes show those of their name.
What DDPM without noise does is said after it was seen."""


def _clouds(config: Config, configs: Sequence[SamplerConfig], caption: str | None = "cloud") -> list[Panel]:
    model, sigmas = model_of(config), trajectories.levels(COARSE, config.top)
    return sampling_panels.clouds(run_all(model, configs, N), model.points.points, sigmas, config.window, caption)


def _scene(config: Config, panels: Sequence[Panel], frames: int = COARSE, start: int = -1) -> Scene:
    """Panels on one clock; unless ``start`` is given, a fresh one stands at its end, where the samples are."""
    found = text.join(
        t("sampling.alt_panel", title=panel.title, caption=panel.caption) for panel in panels if panel.caption
    )
    alt = t("sampling.alt", sigma=config.top, model=text.label("models", config.model), found=found)
    return Scene(panels, Clock(trajectories.levels(frames, config.top), start=start), alt, fps=frames / SECONDS)


CODE = {
    "clouds": (samplers.ancestral, samplers.ancestral_step),
    "one_step": (samplers.ancestral, samplers.ancestral_step, lesson.anatomy),
    "paths": (samplers.ancestral, samplers.euler, samplers.heun, samplers.dpmpp_2m),
    "whose_step": (samplers.ancestral, samplers.ancestral_step),
    "sde_and_ode": (samplers.ancestral, samplers.sde, metrics.energy_distance),
    "quality": (metrics.coverage, metrics.distance_to, metrics.energy_distance),
}
"""The lines of core that make each scene."""


def tasks(config: Config) -> dict[str, bool]:
    """Which tasks the chosen samplers have done."""

    def coverage(sampler: SamplerConfig) -> float:
        return quality_of(config, sampler).coverage

    chosen = config.samplers
    few = [each for each in chosen if each.sampler == DDIM and 1 < each.steps < 20 and coverage(each) > 0.9]
    return {
        "fewest_ddim_steps": any(coverage(replace(each, steps=each.steps - 1)) <= 0.9 for each in few),
        "more_steps": any(each.sampler == DDPM_NO_NOISE and each.steps == 256 for each in chosen),
        "five_calls": any(each.nfe <= 5 and coverage(each) == 1 for each in chosen),
    }
