"""Chapter 5: guidance of a model that knows classes: its terms, its scale, what it improves and what it costs."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.frame.text import label, t
from pages.ui.lessons import guidance as lesson
from pages.ui.lessons import guidance_curves, guidance_live
from pages.ui.lessons.guidance import CODE, SCENES
from pages.ui.lessons.guidance_config import CLASSES, CONTROLS, MODELS, OWN, STRONG, WEAK, Config
from pages.ui.runs import point_runs, training_run
from pages.ui.stage import player

shell.require_shell()
shell.chapter("guidance", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess")
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "two_fields"
    if answered and show == "two_fields" and controls.value("predictions"):
        st.caption(t("guidance.next"))
trained = training_run.latest(point_runs.LABELLED)
offered = {"model": [name for name in MODELS if trained or name != OWN]}
with left:
    for name in CONTROLS[show]:
        controls.draw(name, offered.get(name) or (controls.config().negatives if name == "negative" else None))
        if name == "scale":
            st.caption(t("guidance.other_scale", s=f"{controls.value('scale') - 1:g}".replace("-", "−")))
if show == "one_place":
    player.take_probe("arrows", "probe")
config = controls.config()
model = (point_runs.own_model(point_runs.LABELLED) if config.model == OWN else None) or lesson.model_of(config)
view = None
with right:
    if show == "train_live":
        view = guidance_live.draw(config)
    else:
        key = "arrows" if show in ("two_fields", "one_place") else "samples"
        player.show(SCENES[show](config, model), key=key, permalink=True)
    if show == "two_fields":
        st.caption(t("guidance.two_fields.hint"))
    elif show == "one_place":
        st.caption(t("guidance.one_place.hint", rms=lesson.POINTS.rms))
        st.markdown(lesson.terms_table(lesson.terms_of(config, model)))
    elif show == "eight_scales":
        marks = " ".join(f"{shell.mark(name)} {label('classes', name)}" for name in CLASSES)
        st.caption(f"{marks} &emsp; {t('guidance.eight_scales.hint')}", unsafe_allow_html=True)
        shell.explain("guess", "nearly_all", shown=config.model == STRONG and config.wanted == "cat")
if lesson.nothing_to_remove(config, model):
    with left:
        st.caption(t("guidance.negative_prompt.nothing", label=label("classes", CLASSES[config.negative_label])))
        st.button(t("guidance.negative_prompt.try"), on_click=controls.put, args=("model", WEAK), key="_weak")
if show == "eight_scales":
    guidance_curves.draw(config, model)

shell.notes(show)  # their marks are arrows: the shapes of points are the classes here
formula = "cfg_negative" if show == "negative_prompt" else "cfg"
shell.equation(formula, legend=formula)
shell.code(*CODE)
shell.tasks(
    {
        "sharp_without_negative": lesson.sharp_without_negative(config, model),
        "spread_kept": lesson.spread_kept(config, model),
        "no_dropout": config.dropout == 0 and view is not None and view.step >= guidance_live.DROPPED_OUT,
    }
)
shell.finish()
