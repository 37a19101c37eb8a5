"""Chapter 5: guidance, its terms as arrows, and samples under several scales, a negative prompt and more.

Each scene is a pure function of a `Config`; ``model`` is for one that no address can name, such as a learner's run.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from core.diffusion import guidance
from core.figures.scene import Arrows, Clock, Scene
from core.lessons import guidance as lesson
from core.lessons.guidance import (
    FIELD_SIGMAS,
    SIGMAS,
    Fields,
    GuidanceConfig,
    GuidedSamples,
    Terms,
)
from core.models.trajectories import PointModel, exact_model
from core.pretrained import shipped
from core.runs.caching import shared_cache
from pages.ui.frame import shell, text
from pages.ui.frame.text import pair, t
from pages.ui.lessons import guidance_panels as panels
from pages.ui.lessons.guidance_config import EXACT, OWN, STRONG, WEAK, Config
from pages.ui.lessons.guidance_live import train_live
from pages.ui.lessons.guidance_panels import ALPHA, POINTS, REACH
from pages.ui.lessons.shared_scene import shared_scene

SIDE, FEW = 11, 8  # arrows along a side
N = 300  # samples of a cloud
NEAR = lesson.COVERAGE_RADIUS  # how near to a data point a sample has to be, to cover it
COMPARED = ("spiral-classes-100", WEAK, STRONG)  # the models that are shown side by side
WIDEST, LATE = 10, 15  # the frames at sigma 0.19, where the angle is widest, and at 0.04, where samples are nearly made
LEVELS = (3, 6, WIDEST, 13, 19)  # the frames of the table


# Models, and what is computed of them once


def model_of(name: str) -> PointModel:
    """The model of that name; the strong one in the place of a learner's own."""
    if name == EXACT:
        return exact_model(POINTS)
    return shipped(STRONG if name == OWN else name)


@shared_cache(32)
def fields_of(model: PointModel, guided: GuidanceConfig, side: int = SIDE) -> Fields:
    """The fields of guidance at ``side``^2 places."""
    return lesson.fields(guided, model.denoise, POINTS.rms, side, REACH)


@shared_cache(32)
def angles_of(model: PointModel, label: int) -> tuple[Tensor, Tensor]:
    """The angle between u and c at all noised data, and at those of the wanted class, [T] each."""
    every, labels = POINTS.even(600)
    guided = GuidanceConfig(label)
    return tuple(lesson.angles(guided, model.denoise, x0, FIELD_SIGMAS) for x0 in (every, every[labels == label]))


@shared_cache(64)
def samples_of(model: PointModel, guided: GuidanceConfig, seed: int) -> GuidedSamples:
    """Samples of a model under guidance."""
    return lesson.sample(guided, model.denoise, POINTS, N, seed)


@shared_cache(48)
def sweep_of(model: PointModel, label: int, seed: int) -> list[GuidedSamples]:
    """Samples of a class from the same starting points under all scales."""
    return lesson.sweep(GuidanceConfig(label), model.denoise, POINTS, N, seed)


# The scenes


@shared_scene
def two_fields(config: Config, model: PointModel | None = None) -> Scene:
    """Unconditional, conditional and difference at the same places, and the angle over sigma."""
    model = model or model_of(config.model)
    label, name = config.label, panels.class_label(config.label)
    drawn, (every, wanted) = fields_of(model, GuidanceConfig(label)), angles_of(model, label)
    values = {
        f"{which}_{k}": angle[k].item() for which, angle in (("all", every), ("wanted", wanted)) for k in (0, WIDEST)
    }
    values |= {"all_last": every[-1].item(), "wanted_last": wanted[-1].item()}
    alt = t("guidance.two_fields.alt", model=text.label("models", config.model), label=name, **values)
    base = t("guidance.layers.unconditional")
    pair_of_panels = [panels.overlay(drawn, "unconditional", base, label), panels.angle(every, wanted, label)]
    return Scene(pair_of_panels, Clock(SIGMAS, start=WIDEST), alt)


@shared_scene
def one_place(config: Config, model: PointModel | None = None) -> Scene:
    """The terms of guidance at the probe as arrows and in numbers, and their lengths over sigma."""
    model, guided = model or model_of(config.model), GuidanceConfig(config.label, scale=config.scale)
    parts = terms_of(config, model)
    longest = torch.stack([ALPHA[:, None] * parts.x, ALPHA[:, None] * parts.guided]).abs().max().item()
    # Too long an arrow is seen whole; in coarse steps, or the axes would move under the hand that drags the probe.
    reach = REACH * 2 ** math.ceil(math.log2(max(1.0, longest / REACH)))
    drawn = panels.one_place(parts, guided, reach)
    place = {"x": config.probe[0], "y": config.probe[1]}
    formulas = {"ours": drawn[0].caption[WIDEST], "other": drawn[1].caption[WIDEST]}
    alt = t("guidance.one_place.alt", label=panels.class_label(config.label), **place, **formulas)
    return Scene(drawn, Clock(SIGMAS, start=WIDEST), alt, probe=config.probe)


def terms_of(config: Config, model: PointModel) -> Terms:
    """The terms of guidance at the probe."""
    return lesson.terms(GuidanceConfig(config.label, scale=config.scale), model.denoise, POINTS.rms, config.probe)


@shared_scene
def weak_and_converged(config: Config, model: PointModel | None = None) -> Scene:
    """Samples of weak and of strong models from the same starting points, without guidance and with it."""
    titles, runs = [], []
    for scale in (1.0, config.scale):
        for name in COMPARED:
            titles.append(t(f"guidance.compared.{name}", scale=scale))
            runs.append(samples_of(model_of(name), GuidanceConfig(config.label, scale=scale), config.seed))
    drawn = [panels.cloud(title, run, size=1.7, legend=False) for title, run in zip(titles, runs, strict=True)]
    captions = panels.joined(titles, list(map(panels.in_words, runs)))
    name = panels.class_label(config.label)
    alt = t("guidance.weak_and_converged.alt", samples=N, label=name, captions=captions)
    return Scene(drawn, Clock(SIGMAS, start=-1), alt)


@shared_scene
def eight_scales(config: Config, model: PointModel | None = None) -> Scene:
    """The same starting points under eight scales."""
    runs = sweep_of(model or model_of(config.model), config.label, config.seed)
    named = {0: t("guidance.panels.scale_0"), 1: t("guidance.panels.scale_1")}
    titles = [named.get(run.config.scale, f"w = {run.config.scale:g}") for run in runs]
    drawn = [panels.cloud(title, run, size=1.7, legend=False) for title, run in zip(titles, runs, strict=True)]
    text_of_panels = panels.joined([f"w = {run.config.scale:g}" for run in runs], list(map(panels.in_words, runs)))
    alt = t("guidance.eight_scales.alt", samples=N, scales=len(runs), captions=text_of_panels)
    return Scene(drawn, Clock(SIGMAS, start=-1), alt)


@shared_scene
def negative_prompt(config: Config, model: PointModel | None = None) -> Scene:
    """Fields with a class in the place of the unconditional answer, and samples without and with a negative prompt."""
    model, (label, negative) = model or model_of(config.negative_model), (config.label, config.negative_label)
    runs, name = negative_samples(config, model), panels.class_label(negative)
    titles = [t("guidance.panels.no_negative"), t("guidance.panels.negative", label=name)]
    captions = [panels.two_shares(run, label, negative) for run in runs]
    first, second = map(panels.cloud, titles, runs, captions)
    drawn = fields_of(model, runs[1].config, FEW)
    follow = Arrows(drawn.places, drawn.guided, "guided", 1.6, (), t("guidance.layers.guided"))
    fields = panels.overlay(drawn, "negative", t("guidance.layers.negative", label=name), label)
    wanted, text_of_panels = panels.class_label(label), panels.joined(titles, captions)
    alt = t("guidance.negative_prompt.alt", label=wanted, scale=config.negative_scale, captions=text_of_panels)
    shown = [fields, first, replace(second, layers=[*second.layers, follow])]
    return Scene(shown, Clock(SIGMAS, start=LATE), alt)


def negative_samples(config: Config, model: PointModel) -> list[GuidedSamples]:
    """Samples without and with the negative prompt from the same starting points."""
    label, negative, scale = config.label, config.negative_label, config.negative_scale
    both = GuidanceConfig(label, None, scale), GuidanceConfig(label, negative, scale)
    return [samples_of(model, guided, config.seed) for guided in both]


@shared_scene
def beyond(config: Config, model: PointModel | None = None) -> Scene:
    """Plain, guided, guided in an interval only, and autoguidance, from the same starting points."""
    runs = beyond_samples(config, model or model_of(config.beyond_model))
    titles = [panels.title_of(run.config) for run in runs]
    captions = [t("guidance.captions.spread", hit=run.quality.hit, spread=run.quality.spread) for run in runs]
    drawn = list(map(panels.cloud, titles, runs, captions))
    return Scene(drawn, Clock(SIGMAS, start=-1), panels.joined(titles, captions))


def beyond_samples(config: Config, model: PointModel) -> list[GuidedSamples]:
    """Samples of the four kinds of guidance."""
    guided = GuidanceConfig(config.label, scale=config.beyond_scale)
    conditional, auto = replace(guided, scale=1.0), replace(guided, weak_model=config.weak)
    low, high = config.interval
    within = replace(guided, interval=(low, high)) if low < high else conditional  # an interval without a noise level
    return [samples_of(model, each, config.seed) for each in (conditional, guided, within, auto)]


SCENES: dict[str, Callable[[Config], Scene]] = {
    "two_fields": two_fields,
    "one_place": one_place,
    "weak_and_converged": weak_and_converged,
    "eight_scales": eight_scales,
    "negative_prompt": negative_prompt,
    "beyond": beyond,
    "train_live": train_live,
}


def price(config: Config) -> Scene:
    """What guidance gains and costs over its scale, as a chart below the picture."""
    from pages.ui.lessons import guidance_curves  # which is drawn from the scenes above

    return guidance_curves.price(config)


CHARTS = {"price": price}
"""The charts below the picture of a scene, by their names."""


# Numbers beside the pictures


def terms_table(parts: Terms, frames: Sequence[int] = LEVELS) -> str:
    """The terms of guidance as drawn at some of the noise levels, as a Markdown table."""
    names = ["σ", "k", "u", "c", "c − u", "w (c − u)", "u + w (c − u)"]
    factor = ALPHA[:, None]
    drawn = [factor * term for term in (parts.base, parts.target, parts.difference, parts.scaled, parts.guided)]
    levels = ((k, f"{FIELD_SIGMAS[k]:.2g}", f"{ALPHA[k].item():.2f}") for k in frames)
    return shell.table(names, ([*level, *(pair(term[k].tolist()) for term in drawn)] for k, *level in levels))


# What the tasks ask


def sharp_without_negative(config: Config, model: PointModel) -> bool:
    """Whether 98 % of the plain network's samples are cats without a negative prompt."""
    applies = config.show == "negative_prompt" and config.negative_model == WEAK and config.wanted == "cat"
    return applies and negative_samples(config, model)[0].quality.hit >= 0.98


def spread_kept(config: Config, model: PointModel) -> bool:
    """Whether an interval or autoguidance keeps hits above 98 % and a spread of 0.9 at a scale of at least 4."""
    if config.show != "beyond" or config.beyond_scale < 4:
        return False
    qualities = [run.quality for run in beyond_samples(config, model)[2:]]
    return any(quality.hit > 0.98 and quality.spread >= 0.9 for quality in qualities)


def nothing_to_remove(config: Config, model: PointModel) -> bool:
    """Whether a model hardly makes the negative class without a negative prompt."""
    applies = config.show == "negative_prompt"
    return applies and negative_samples(config, model)[0].quality.shares[config.negative_label] < 0.005


CODE = (
    guidance.cfg, guidance.lerp, guidance.interval, guidance.autoguidance, lesson.guided_denoiser, lesson.quality_of,
)  # fmt: skip
"""The lines of core that make the scenes."""
