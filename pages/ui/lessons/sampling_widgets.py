"""What the learner does in chapter 4: choose samplers, go from step to step, follow a particle, wait for a table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st
import torch
from torch import Tensor

from core.figures.curves import curves
from core.figures.scene import Scene
from core.lessons import sampler_quality as quality_lesson
from core.lessons.sampler_quality import CALLS
from core.models.trajectories import PointModel
from core.runs.jobs import Work
from pages.ui.frame import component, controls, presentation, shell, text
from pages.ui.frame.chart import draw_chart
from pages.ui.frame.text import t
from pages.ui.lessons import sampler_quality, sampling, sampling_step
from pages.ui.lessons.sampler_quality import MEASURES
from pages.ui.lessons.sampling import COLLAPSE, KEPT_BACK, NONE, SCENES
from pages.ui.runs import background
from pages.ui.stage import exporting, player

EQUATION_AFTER = 0.25  # seconds: a browser draws the many controls of one step before its picture
HAIR = 1e-4  # too small a distance to be seen
SLOTS = {"clouds": ("a", "b"), "one_step": ("a",), "sde_and_ode": ("first", "second")}  # samplers that a scene asks for
WITHOUT_ETA = ("whose_step", "quality")


def choose_samplers(show: str, answered: bool) -> None:
    """The samplers of a scene, each with its number of steps, and what they have in common."""
    _keep_back(answered)
    names = [name for name in sampling.names() if answered or name not in KEPT_BACK]
    for name in SLOTS.get(show, ()):
        _slot(name, names)
    if show in ("paths", "whose_step"):
        controls.draw("na")
    with st.expander(t("sampling.more")):
        if show == "clouds":
            for name in "cd":
                _slot(name, [NONE, *names])
        for name in ("eta", "top", "grid", "seed"):
            if name != "eta" or show not in WITHOUT_ETA:
                controls.draw(name)


def _keep_back(answered: bool) -> None:
    """A sampler that the question keeps back but that is asked for, such as by a link, is named until the question is
    answered, and is chosen then; not where the learner has chosen another in its place."""
    kept = _kept()
    if answered:
        for name in list(kept):
            controls.put(name, kept.pop(name))
    else:
        kept |= {name: controls.upcoming(name) for name in "abcd" if controls.upcoming(name) in KEPT_BACK}
        for sampler in dict.fromkeys(kept.values()):
            shell.message("info", t("sampling.kept_back", sampler=text.label("samplers", sampler)), "lock")


def _kept() -> dict[str, str]:
    """The samplers that are kept back, by the control that asked for each."""
    return st.session_state.setdefault("_kept_back", {})


def note_collapse() -> None:
    """Note that the learner now sees what happens without the noise."""
    st.session_state["_collapse_seen"] = True


def has_seen_collapse() -> bool:
    """Whether the learner has seen in this visit what happens without the noise, or is asked no questions."""
    return st.session_state.get("_collapse_seen", False) or not controls.value("predictions")


def _slot(name: str, options: list[str]) -> None:
    """A sampler and its number of steps, side by side."""
    left, right = st.columns([5, 3], gap="small")
    with left:
        controls.draw(name, options, on_change=_kept().pop, args=(name, None))
    with right:
        controls.draw(f"n{name}")


def leave_noise_out() -> None:
    """A button that makes the second sampler DDPM without its noise, where no question has one."""
    options = {"icon": ":material/blur_off:", "on_click": controls.put, "args": ("b", COLLAPSE["b"])}
    st.button(t("sampling.leave_noise_out"), key="_leave_out", **options)


def choose_particle() -> None:
    """The particle to follow."""
    shell.prose(t("sampling.controls.particle.label"), width="content")
    controls.draw("particle", width=160, label_visibility="collapsed")


# The picture, and above it what one step has more


@shell.fragment()
def show_picture(show: str) -> None:
    """The picture of a scene: for all of them at one place, where the browser keeps its player.

    Of one step also its steps to choose, forward and back, and the same as numbers under the terms.
    """
    above = st.container(gap="xxsmall")
    if show != "one_step":
        _play(SCENES[show](controls.config()))
        return
    with above.container(horizontal=True, vertical_alignment="center"):
        _choose_step()
        _follow_click(sampling.places(controls.config()))
        choose_particle()
    equation = above.container(key="step_equation")
    config = controls.config()
    step, scene = sampling.step_of(config), SCENES[show](config)
    _play(replace(scene, probe=_probe(*scene.probe)))
    presentation.let_picture_go_first(EQUATION_AFTER)
    with equation:
        st.latex(sampling_step.in_numbers(step))
    with above:
        if step.higher_order:
            st.latex(sampling_step.sharper_guess(step, config.a))
            shell.caption(t(f"sampling.one_step.{'heun' if config.a == 'heun' else 'sharper'}"))


def _play(scene: Scene) -> None:
    player.show(scene, key="sampling", permalink=True)


def _choose_step() -> None:
    """The step to look at, with buttons to go on and back.

    The address keeps the step that was chosen, also where there are fewer, so that it never depends on a default.
    """

    def choose(step: int | None = None) -> None:
        controls.put("step", st.session_state["_step"] if step is None else step)

    controls.use("step")
    config = controls.config()
    step = st.session_state["_step"] = config.step_number
    label = t("sampling.controls.step.label", sampler=text.label("samplers", config.a))
    back, forward = max(1, step - 1), min(config.na, step + 1)
    st.button(t("sampling.back"), icon=":material/skip_previous:", on_click=choose, args=(back,), key="_back")
    st.slider(label, 1, max(2, config.na), key="_step", on_change=choose, label_visibility="collapsed")
    st.button(t("sampling.forward"), icon=":material/skip_next:", on_click=choose, args=(forward,), key="_forward")


def _follow_click(places: Tensor) -> None:
    """Follow another particle, out of those seen [n, 2], where the learner has moved the probe."""
    if clicked := component.latest("sampling", "probe", None):  # None again once it was read
        st.session_state["_clicks"] = st.session_state.get("_clicks", 0) + 1
        now = controls.value("particle")
        controls.put("particle", sampling_step.nearest(places, now, torch.tensor(clicked)))


def _probe(x: float, y: float) -> tuple[float, float]:
    """The place of the particle; after every other click a hair aside, as the stage moves only to a new place."""
    return x + HAIR * (st.session_state.get("_clicks", 0) % 2), y


# Sampler quality, computed in the background


def show_quality(config: sampling.Config) -> None:
    """The quality of all samplers, at once where it is known, else as it is computed; the page goes on meanwhile."""
    if background.failed():
        return
    # Outside the fragment: its reruns may overtake the first drawing of a control, which then shows no value.
    measure = controls.draw("measure", label_visibility="collapsed")
    models = sampling.compared_models(config)
    work = sampler_quality.work(models, config.samplers[0])
    known = tuple(sampler_quality.stored(work.key))

    @shell.fragment(run_every=None if known else 1.0)
    def tick() -> None:
        if rows := known or _newest(work, quality_lesson.length(models)):
            _draw(config, rows, models[0], measure)
            if not known and not controls.value("present"):
                shell.prose(sampler_quality.table(rows, models[0]))

    tick()
    with shell.sheet():
        shell.caption(t(f"sampling.quality.meaning.{measure}"))
        shell.caption(t("sampling.quality.hint"))
        if known:
            shell.prose(sampler_quality.table(known, models[0]))


def _newest(work: Work, rows: int) -> sampler_quality.Rows:
    """The rows so far, and a bar that shows how many of all there are."""
    stored = sampler_quality.stored(work.key)
    if stored:  # another visitor's look was the first after the end
        st.rerun()
    view = background.newest(work, stored.extend)
    if view is None:
        return ()
    background.progress(view, rows)
    return view.picture or ()


def _draw(config: sampling.Config, rows: sampler_quality.Rows, model: PointModel, measure: str) -> None:
    """A measure over network calls: a chart to zoom into, or presented its scene, which stands sooner."""
    scene = partial(sampling.quality_of_rows, replace(config, measure=measure), rows)
    if controls.value("present"):
        player.show(scene(), key="quality_curves")
        return
    xlabel, ylabel = t("sampling.quality.calls"), t(f"sampling.quality.axes.{measure}")
    options = {"xlog": True, "ylog": MEASURES[measure][1], "xticks": CALLS, "height": 400}
    chart = curves(sampler_quality.lines(rows, model, measure), shell.theme(), xlabel, ylabel, **options)
    draw_chart(chart, "quality_curves")
    exporting.button(scene, "quality_curves")


def show_step_sizes(config: sampling.Config) -> None:
    """How far the steps of DDPM and DDIM go down, as curves and halfway as numbers."""
    presentation.let_picture_go_first()
    sizes = sampling.step_sizes(config)
    top = 1.2 * max(size.y.max() for size in sizes)
    chart = curves(
        sizes, shell.theme(), "σ", t("sampling.step_sizes.ylabel"), xlog=True, ylim=(0, top), height=300, xreversed=True
    )
    draw_chart(chart, "step_sizes")
    exporting.button(partial(sampling.step_size_curves, config), "step_sizes", chart="step_sizes")
    longer, shorter = (float(size.y[len(size.y) // 2]) for size in sizes)
    with shell.sheet():
        shell.caption(t("sampling.step_sizes.caption", ddpm=longer, ddim=shorter))
