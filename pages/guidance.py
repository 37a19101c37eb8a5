"""Chapter 5: guidance of a model that knows classes: its terms, its scale, what it improves and what it costs."""

import streamlit as st

from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import label, t
from pages.ui.lessons import guidance as lesson
from pages.ui.lessons import guidance_curves, guidance_live
from pages.ui.lessons.guidance import CODE, NEAR, SCENES
from pages.ui.lessons.guidance_config import CLASSES, CONTROLS, MODELS, OWN, WEAK, Config
from pages.ui.runs import point_runs, training_run
from pages.ui.stage import player

SCALES = ("scale", "negative_scale", "beyond_scale")

shell.require_shell()
shell.chapter("guidance", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "weak_and_converged", "wanted": "cat"})
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "two_fields"
small = show in ("weak_and_converged", "eight_scales")  # panels without room for a legend of their own
if small:
    marks = " &emsp; ".join(f"{shell.mark(name)} {label('classes', name)}" for name in CLASSES)
    with shell.asking(left, right):
        shell.caption(marks)
trained = training_run.latest(point_runs.LABELLED)
models = [name for name in MODELS if trained or name != OWN]
offered = dict.fromkeys(("model", "negative_model", "beyond_model"), models)
with left:
    for name in CONTROLS[show]:
        controls.draw(name, offered.get(name) or (controls.config().negatives if name == "negative" else None))
        if name in SCALES:
            shell.caption(t("guidance.other_scale", s=f"{controls.value(name) - 1:g}".replace("-", "−")))
if show == "one_place":
    player.take_probe("arrows", "probe")
config = controls.config(show=show)
model = point_runs.own_model(point_runs.LABELLED) if config.chosen == OWN else None
model = model or lesson.model_of(config.chosen)
view = None
with right:
    if show == "train_live":
        view = guidance_live.draw(config)
    else:
        key = "arrows" if show in ("two_fields", "one_place") else "samples"
        player.show(SCENES[show](config, model), key=key, permalink=True)
    with shell.sheet():
        if small:
            shell.caption(t("guidance.metrics", close=NEAR))
        elif text.has(f"guidance.{show}.hint"):
            shell.caption(t(f"guidance.{show}.hint", rms=lesson.POINTS.rms, close=NEAR))
        if show == "one_place":
            shell.prose(lesson.terms_table(lesson.terms_of(config, model)))
    decided = show == "weak_and_converged" and config.wanted == "cat"
    shell.explain("guess", "nearly_all", shown=answered and decided)
if lesson.nothing_to_remove(config, model):
    with left:
        shell.caption(t("guidance.negative_prompt.nothing", label=label("classes", CLASSES[config.negative_label])))
        st.button(t("guidance.negative_prompt.try"), on_click=controls.put, args=("negative_model", WEAK), key="_weak")
if show == "eight_scales":
    with shell.sheet():
        guidance_curves.draw(config, model)

shell.notes(show)
shell.equation(show, legend=show)
shell.code(*CODE)
shell.tasks(
    {
        "sharp_without_negative": lesson.sharp_without_negative(config, model),
        "spread_kept": lesson.spread_kept(config, model),
        "no_dropout": config.dropout == 0 and view is not None and view.step >= guidance_live.DROPPED_OUT,
    }
)
shell.finish()
