"""Guidance on the stage: the models there are to steer, what is computed of them once, and the panels that show it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from hashlib import sha256
from typing import NamedTuple

import streamlit as st
import torch
from torch import Tensor

from core.figures.curves import Curve, curves
from core.figures.scene import Arrows, Clock, Layer, Line, Panel, Points
from core.lessons import guidance as guidance_lesson
from core.lessons.guidance import (
    MODELS,
    SCALES,
    WALK,
    WEAKER,
    Anatomy,
    Fields,
    GuidanceConfig,
    Model,
    Portrait,
    Run,
    Verdict,
)
from core.lessons.home import CLASSES
from core.models import points as point_model
from core.models.points import PointConfig
from core.pretrained import points_of, pretrained
from pages.ui.frame import shell_old as shell
from pages.ui.frame.text import pair, signed
from pages.ui.lessons import training as training_scenes
from pages.ui.runs import training_run
from pages.ui.runs.point_runs import LABELLED, PointTraining
from pages.ui.stage.player import newest_probe, stage
from pages.ui.widgets.dataset_picker import Data

POINTS = points_of("spiral-classes-strong")
PROBE = (0.8, -0.75)
NOISES = ("0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5")
REACH, SIDE, FAR = 1.25, 11, 16 * 1.25  # FAR: where a probe may be, as the picture grows with long arrows
LIMITS = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH)}
DRAWN = guidance_lesson.alpha(POINTS.rms)[:, None, None]
LEVELS = WALK.clamp_min(point_model.SIGMA_MIN)
ENDS = (point_model.SIGMA_MIN, WALK[0].item())
N = 300  # samples of a cloud
PARTING = 10  # the frame at sigma 0.19, near which the two fields are farthest apart
NEARLY = 15  # the frame at sigma 0.04, where samples are nearly made and the fields of two classes still differ
EXACT, OWN = "exact denoiser of 100 points", "your run"


# The controls that not all pictures have


def scale() -> float:
    """The guidance scale w."""
    w = shell.slider("Guidance scale w", 0.0, 12.0, 2.0, 0.25, key="scale")
    st.caption(f"In the other convention in use: s = w − 1 = {w - 1:g}".replace("-", "−"))
    return w


def seed() -> int:
    """The seed of the samples."""
    return int(shell.number("Seed", 0, 9999, 0, key="seed"))


def negative_of(wanted: int) -> int:
    """One of the other classes."""
    others = [kind for kind in CLASSES if kind != CLASSES[wanted]]
    return CLASSES.index(shell.segmented("Negative prompt", others, default=others[-1], key="negative"))


def something_to_lose(verdict: Verdict, negative: int) -> None:
    """Says so if there is nothing that a negative prompt could remove, and offers a model that has it."""
    if verdict.shares[negative] < 0.005:
        st.caption(f"This model makes no {CLASSES[negative]} here to remove; the plain network does.")
        plain = {"model": "plain network"}
        st.button("Try the plain network", on_click=st.session_state.update, args=(plain,), key="_lose")


def variants(guide: GuidanceConfig) -> tuple[GuidanceConfig, GuidanceConfig]:
    """The guide in an interval only, and away from a weaker model."""
    low, high = shell.select_slider("GuidanceConfig only for σ in", NOISES, ("0.1", "1"), key="interval")
    weak = shell.selectbox("Autoguidance: away from", WEAKER, index=1, key="weak")
    return replace(guide, interval=(float(low), float(high))), replace(guide, weak=weak)


def lessons() -> PointTraining:
    """What to train: the classes, with some label dropout."""
    about = "How often the class is left out while the network learns."
    dropout = shell.segmented("Label dropout", (0, 0.1, 0.3), default=0.1, key="dropout", help=about)
    return PointTraining(
        Data(POINTS, True), PointConfig(conditional=True, label_dropout=dropout), guidance_lesson.portrait
    )


# Models, and what is computed of them


class Subject(NamedTuple):
    """A model to steer; ``key`` changes whenever its answers do."""

    key: str
    model: Model


def subjects() -> dict[str, Callable[[], Subject]]:
    """The models that can be steered, by the name that a page shows; each is made only when it is chosen."""
    choices = {name: partial(_shipped, name) for name in MODELS} | {EXACT: _exact}
    own = training_run.latest(LABELLED)
    return choices | {OWN: lambda: of_model(training_run.model(own))} if own else choices


def choose() -> tuple[str, Subject]:
    """The model to steer, and its name."""
    choices = subjects()
    about = "The converged model stopped early, a plain network as in the literature, and the best there can be."
    name = shell.selectbox("Model", list(choices), key="model", help=about)
    return name, choices[name]()


def of_model(model: Model) -> Subject:
    """A model that nobody shipped, known by its weights."""
    return Subject(sha256(b"".join(v.numpy().tobytes() for v in model.state_dict().values())).hexdigest(), model)


def _shipped(name: str) -> Subject:
    return Subject(name, pretrained(MODELS[name]).denoiser)


def _exact() -> Subject:
    return Subject(EXACT, point_model.exact(POINTS, endless=False))


@st.cache_resource(max_entries=32, show_spinner=False)
def fields_of(key: str, guide: GuidanceConfig, _model: Model, side: int = SIDE) -> Fields:
    """The fields of a subject under a guide, at so many places along a side."""
    return guidance_lesson.fields(guide, _model, POINTS.rms, side, REACH)


@st.cache_resource(max_entries=32, show_spinner=False)
def angles_of(key: str, guide: GuidanceConfig, _model: Model) -> tuple[Tensor, Tensor]:
    """The angle between the two fields at all noised data, and at those of the wanted class, [T] each."""
    every, labels = POINTS.even(600)
    return tuple(guidance_lesson.angles(guide, _model, x0, LEVELS) for x0 in (every, every[labels == guide.wanted]))


@st.cache_resource(max_entries=64, show_spinner=False)
def run_of(key: str, guide: GuidanceConfig, seed: int, _model: Model) -> Run:
    """Samples of a subject under a guide, and the verdict on them."""
    return guidance_lesson.run(guide, _model, POINTS, N, seed)


@st.cache_resource(max_entries=48, show_spinner=False)
def sweep_of(key: str, wanted: int, seed: int, _model: Model) -> list[Run]:
    """Samples of a subject towards a class from one start under all scales."""
    return guidance_lesson.sweep(GuidanceConfig(wanted), _model, POINTS, N, seed)


def price_of(subject: Subject) -> list[Verdict]:
    """The verdict at each scale in the mean over the classes, each from starts of its own, always the same: so it is
    computed once for all."""
    place, found = st.empty(), []
    for wanted in range(len(CLASSES)):
        place.empty()  # here Streamlit looks whether the learner has moved a control meanwhile, which goes first
        found.append(sweep_of(subject.key, wanted, wanted, subject.model))
    return [guidance_lesson.mean([run.verdict for run in runs]) for runs in zip(*found, strict=True)]


# Pictures: panels, and what they show in words


class Picture(NamedTuple):
    """Panels on a clock of noise levels, and a text for those who cannot see them."""

    panels: list[Panel]
    alt: str
    clock: Tensor = WALK


def show(drawn: Picture, key: str, start: int = -1, **more) -> tuple[float, float] | None:
    """The picture on its clock, which begins at frame ``start``; returns the probe, if there is one."""
    return stage(drawn.panels, Clock(drawn.clock, start=start), key=key, alt=drawn.alt, permalink=True, **more)


def two_fields(subject: Subject, name: str, wanted: int) -> Picture:
    """Unconditional, conditional and difference at the same places, and the angle over sigma."""
    kind, guide = CLASSES[wanted], GuidanceConfig(wanted)
    drawn, (every, own) = (of(subject.key, guide, subject.model) for of in (fields_of, angles_of))
    alt = (
        f"Three arrows at each place: the {name} model told nothing, told {kind}, and the difference. The angle "
        f"between the first two is {every[0]:.0f} degrees at sigma 5, {every[PARTING]:.0f} at 0.19 and "
        f"{every[-1]:.0f} at 0.01; where the {kind} is, {own[0]:.0f}, {own[PARTING]:.0f} and {own[-1]:.0f}."
    )
    return Picture([overlay(drawn, "unconditional", "told nothing", wanted), angle(every, own, kind)], alt)


def one_place(parts: Anatomy, place: tuple[float, float], guide: GuidanceConfig) -> Picture:
    """Every term of guidance at one place, to scale and in numbers, both as drawn, and how long each is over sigma."""
    factor, scale = DRAWN[:, 0], guide.scale
    at = torch.tensor([place]).expand(len(WALK), 2)
    u, c, guided = (factor * (guess - parts.x) for guess in (parts.base, parts.target, parts.guided))
    arrows = [
        ("unconditional", at, u, "u, told nothing", 3, ()),
        ("conditional", at, c, f"c, told {CLASSES[guide.wanted]}", 3, ()),
        ("guided", at + u, factor * parts.push, "w (c − u)", 2, (4, 3)),
        ("difference", at + u, factor * parts.difference, "c − u", 3, ()),
        ("guided", at, guided, "guided", 4, ()),
    ]
    layers = [Arrows(start[:, None], by[:, None], role, width, dash, name)
              for role, start, by, name, width, dash in arrows]  # fmt: skip
    lengths = [Line(LEVELS, by.norm(dim=1), role, name, dash) for role, _, by, name, _, dash in arrows]
    terms = (parts.base, parts.target, parts.difference, parts.guided)
    told = zip(*((factor * term).tolist() for term in terms), strict=True)
    one, other = zip(
        *((f"u + w (c − u) = {pair(u)} + {scale:g} {pair(d)} = {pair(g)}",
           f"(1 + s) c − s u = {scale:g} {pair(c)} − {signed(scale - 1)} {pair(u)}")
          for u, c, d, g in told), strict=True)  # fmt: skip
    # So that too long an arrow is seen whole; in coarse steps, or the axes would move under the hand that drags.
    far = REACH * 2 ** math.ceil(math.log2(max(1.0, (at + guided).abs().max().item() / REACH)))
    limits = {"xlim": (-far, far), "ylim": (-far, far)}
    panels = [
        Panel("Guidance at the probe", [goal(guide.wanted), *layers], probe=True, caption=one, **limits),
        Panel("Length of each arrow, as drawn", lengths, ENDS, None, equal=False, xlabel="σ", xlog=True, marker=LEVELS,
              caption=other),
    ]  # fmt: skip
    alt = (f"The terms of guidance towards {CLASSES[guide.wanted]} at ({place[0]:g}, {place[1]:g}). At sigma 0.19: "
           f"{one[PARTING]}; in the other convention {other[PARTING]}.")  # fmt: skip
    return Picture(panels, alt)


def probed(subject: Subject, guide: GuidanceConfig) -> None:
    """One place, which the learner drags the probe to, and its numbers."""
    asked = shell.param("probe", shell.place(FAR), PROBE)
    place = newest_probe("arrows", asked)
    parts = guidance_lesson.anatomy(guide, subject.model, POINTS.rms, place)
    put = show(one_place(parts, place, guide), "arrows", PARTING, probe=asked)
    shell.set_param("probe", None if put in (None, PROBE) else f"{put[0]:g},{put[1]:g}")
    st.caption("All numbers are in the units of the picture, which is drawn smaller as the noise grows: "
               r"$\alpha = \sigma_d/\sqrt{\sigma_d^2 + \sigma^2}$ times its size, "
               rf"with the data's $\sigma_d = {POINTS.rms:.2f}$.")  # fmt: skip
    st.markdown(table(parts))


def table(parts: Anatomy, frames: Sequence[int] = (3, 6, PARTING, 13, 19)) -> str:
    """The terms of guidance as drawn at some of the noise levels, as a Markdown table."""
    names = ["σ", "α", "u", "c", "c − u", "w (c − u)", "u + w (c − u)"]
    factor = DRAWN[:, 0]
    terms = [factor * term for term in (parts.base, parts.target, parts.difference, parts.push, parts.guided)]
    levels = ((k, f"{LEVELS[k]:.2g}", f"{factor[k].item():.2f}") for k in frames)
    return shell.table(names, ([*level, *(pair(term[k].tolist()) for term in terms)] for k, *level in levels))


def one_start(runs: Sequence[Run]) -> Picture:
    """The same starting points under several scales of one guide."""
    names = {0: "w = 0: told nothing", 1: "w = 1: conditional"}
    panels = [
        cloud(names.get(run.guide.scale, f"w = {run.guide.scale:g}"), run, size=1.7, legend=False) for run in runs
    ]
    said = "; ".join(f"w = {run.guide.scale:g}: {saying(run)}" for run in runs)
    return Picture(panels, f"{len(runs[0].ends)} starting points under {len(runs)} guidance scales. {said}.")


def legend() -> None:
    """What the colours of samples and the verdicts under them mean."""
    marks = " ".join(f"{shell.mark(each)} {each}" for each in CLASSES)
    st.caption(f"{marks} &emsp; Hit: the nearest arm is the wanted one. Cover: of its data points. "
               "Off: mean distance to the arm. Outside: of the picture.", unsafe_allow_html=True)  # fmt: skip


def negative_prompt(drawn: Fields, plain: Run, away: Run) -> Picture:
    """The unwanted class in place of the unconditional answer: its fields, and the samples without and with it, these
    over the guided field that they follow."""
    wanted, unwanted = CLASSES[away.guide.wanted], CLASSES[away.guide.negative]
    clouds = {"No negative prompt": plain, f"Negative prompt: {unwanted}": away}
    said = {title: both_shares(run, away.guide) for title, run in clouds.items()}
    first, second = (cloud(title, run, said[title]) for title, run in clouds.items())
    follow = Arrows(drawn.places, drawn.guided, "guided", 1.6, (), "guided")
    panels = [
        overlay(drawn, "negative", f"told {unwanted}", away.guide.wanted),
        first,
        replace(second, layers=[follow, *second.layers]),
    ]
    alt = f"Guidance towards {wanted} with w = {away.guide.scale:g}. " + "; ".join(map(": ".join, said.items())) + "."
    return Picture(panels, alt)


def beside(runs: Sequence[Run]) -> Picture:
    """Samples under different guides from one start, with their spread."""
    titles = [guided_how(run.guide) for run in runs]
    said = [f"{run.verdict.hit:.0%} hit · spread {run.verdict.spread:.2f}" for run in runs]
    alt = "; ".join(map(": ".join, zip(titles, said, strict=True))) + "."
    return Picture(list(map(cloud, titles, runs, said)), alt)


def guided_how(guide: GuidanceConfig) -> str:
    """A guide in a few words."""
    if guide.weak:
        return f"Autoguidance, w = {guide.scale:g}"
    if guide.interval:
        low, high = guide.interval
        return f"Only for σ {low:g} to {high:g}"
    return "Told the class, w = 1" if guide.scale == 1 else f"Guided, w = {guide.scale:g}"


def lesson(shot: Portrait, guide: GuidanceConfig) -> Picture:
    """What a network under training answers, told nothing and told the class, and its loss. It is sent twice a second,
    so that every second frame must do."""
    said = {}
    for run in answers(shot, guide):
        shares = " · ".join(f"{share:.0%} {kind}" for kind, share in zip(CLASSES, run.verdict.shares, strict=True))
        told = f"Told {CLASSES[guide.wanted]}, w = {run.guide.scale:g}", saying(run)
        title, caption = told if run.guide.scale else ("Told nothing", shares)
        said[title] = caption, run
    panels = [cloud(title, run, caption, every=2) for title, (caption, run) in said.items()]
    alt = "; ".join(f"{title}: {caption}" for title, (caption, _) in said.items())
    return Picture([*panels, training_scenes.loss(shot)], f"After {shot.step} steps. {alt}.", WALK[::2])


def show_lesson(guide: GuidanceConfig, shot: Portrait, standing: str) -> None:
    """The lesson under a line on how the run stands."""
    st.markdown(standing)
    show(lesson(shot, guide), "training")


@lru_cache(maxsize=16)
def answers(shot: Portrait, guide: GuidanceConfig) -> tuple[Run, ...]:
    """Samples told nothing, told the class, and guided; computed once for all who watch the same run."""
    scales = sorted({0.0, 1.0, guide.scale})
    return tuple(guidance_lesson.run(replace(guide, scale=w), shot.model, POINTS, 100) for w in scales)


# Panels


def overlay(drawn: Fields, role: str, base: str, wanted: int) -> Panel:
    """Three arrows at each place: the base in the colour of its ``role``, which ``base`` names, the target, told the
    wanted class, and from tip to tip the difference."""
    # The wide ones below: where two arrows coincide, both are seen.
    layers = [
        goal(wanted),
        Arrows(drawn.places + drawn.base, drawn.difference, "difference", 3.6, (), "difference"),
        Arrows(drawn.places, drawn.base, role, 2.4, (), base),
        Arrows(drawn.places, drawn.target, "conditional", 1.3, (), f"told {CLASSES[wanted]}"),
    ]
    return Panel("Both fields, and what is between them", layers, **LIMITS)


def angle(every: Tensor, own: Tensor, wanted: str) -> Panel:
    """The angle between the two fields over sigma, with the clock's place on it."""
    lines = [
        Line(LEVELS, own, "conditional", f"at noised data of the {wanted}"),
        Line(LEVELS, every, "difference", "at all noised data"),
    ]
    captions = [f"{a:.0f}° at all noised data, {b:.0f}° at the {wanted}’s" for a, b in zip(every, own, strict=True)]
    return Panel("Angle between the two, in degrees", lines, ENDS, (0, 180), equal=False, xlabel="σ", xlog=True,
                 marker=LEVELS, caption=captions)  # fmt: skip


def cloud(title: str, run: Run, caption: str = "", size: float = 2.2, legend: bool = True, every: int = 1) -> Panel:
    """Samples on their way, in the colour of the class on whose arm they end; the verdict if there is no caption."""
    label = CLASSES if legend else ""
    samples = Points(run.states[::every], CLASSES, group=run.ends, size=size, alpha=0.75, label=label)
    return Panel(title, [data(every), samples], caption=caption or saying(run), **LIMITS)


def data(every: int = 1) -> Layer:
    """The data points where the picture draws them at each noise level; or some of them, at some of the levels."""
    return Points(DRAWN[::every] * POINTS.points[::every], "grid", size=1.3, alpha=0.7)


def goal(wanted: int) -> Layer:
    """The data points where the picture draws them, those of the wanted class in its colour and shape."""
    kind = CLASSES[wanted]
    return Points(DRAWN * POINTS.points, ("grid", kind), group=POINTS.labels == wanted, size=1.8, label=("", kind))


def saying(run: Run) -> str:
    """The verdict in a few words."""
    return f"{run.verdict.hit:.0%} hit · {run.verdict.coverage:.0%} cover · {astray(run)}"


def astray(run: Run) -> str:
    """How far off the arm samples are, or how many are out of the picture where these are many."""
    out = (run.states[-1].abs() > REACH).any(1).double().mean().item()
    return f"{out:.0%} outside" if out >= 0.05 else f"{run.verdict.distance:.2f} off"


def both_shares(run: Run, guide: GuidanceConfig) -> str:
    """The share of the wanted and of the unwanted class, and how far astray the samples are."""
    shares = (f"{CLASSES[label]} {run.verdict.shares[label]:.1%}" for label in (guide.wanted, guide.negative))
    return f"{', '.join(shares)} · {astray(run)}"


def price(subject: Subject, name: str) -> None:
    """What guidance gains and costs over its scale, as curves and in numbers; the hit rate of another model beside it:
    the plain network's beside the converged one, else that one's."""
    other = "plain network" if name == "converged" else "converged"
    own, rival = price_of(subject), price_of(_shipped(other))
    lines = [
        Curve(SCALES, [v.hit for v in own], "guided", "hit rate"),
        Curve(SCALES, [v.hit for v in rival], "unconditional", f"hit rate, {other}"),
        Curve(SCALES, [v.coverage for v in own], "data", "coverage", marked=True),
        Curve(SCALES, [v.spread for v in own], "difference", "spread"),
        Curve(SCALES, [10 * v.distance for v in own], "negative", "distance × 10"),
    ]
    numbers = ([line.label, *(f"{value:.3f}" for value in line.y)] for line in lines)
    with st.container(gap="small"):
        st.markdown("#### The price of guidance")
        st.markdown(f"Means over the three classes, {N} samples each, whatever the seed. Spread: the variance along "
                    "the arm, 1 for the data. Distance: to the wanted arm. Drag to zoom.")  # fmt: skip
        st.plotly_chart(curves(lines, shell.theme(), "w", "share", ylim=(0, 1.25)), theme=None, key="price")
        st.markdown(shell.table(["w", *(f"{w:g}" for w in SCALES)], numbers))
