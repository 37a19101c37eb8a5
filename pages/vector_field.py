"""Chapter 3: a model's field beside the exact one at every noise level, where they part, and one place under a lens."""

from functools import partial

import streamlit as st

from pages.ui.frame import controls, shell, text
from pages.ui.frame.chart import draw_chart
from pages.ui.frame.text import t
from pages.ui.lessons import vector_field as lesson
from pages.ui.lessons.vector_field import FINE, OWN, REFERENCE, SCENES, Config
from pages.ui.runs import point_runs, training_run
from pages.ui.stage import exporting, player

shell.require_shell()
shell.chapter("vector_field", Config)
trained = training_run.latest(point_runs.POINTS)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "error", "model": REFERENCE})
with left:
    show = controls.draw("show") if answered else "fields"
    controls.draw("model", [name for name in lesson.MODELS if trained or name != OWN])
    controls.draw("view")
    controls.draw("density")
player.take_probe("field", "probe")

config = controls.config()
model = point_runs.own_model(point_runs.POINTS) if config.model == OWN else None
scene, model = SCENES[show](config, model), model or lesson.model_of(config)
readings, error, rival = lesson.readings(config, model), lesson.error_of(model), lesson.rival_of(config)
with right:
    player.show(scene if answered else lesson.before_answer(scene), key="field", permalink=True)
    hint = t(
        f"vector_field.{show}.hint",
        view="x" if config.view == "ve" else "x / √(1 + σ²)",
        place=lesson.pair(config.inside),
    )
    endless = (t("vector_field.endless", n=len(model.ideal.points)),) if model.endless else ()
    move = (t(f"vector_field.{show}.move"),) if show == "one_place" and shell.answers_moves() else ()
    with shell.sheet():
        shell.caption(text.join((hint, *move, *endless)))
        if show == "one_place":
            shell.prose(lesson.numbers_table(*readings))
    shell.explain("guess", "small_sigma", shown=show == "error" and config.model != OWN)

shell.notes(*lesson.notes_of(config, show, answered))
shell.equation(show, legend=show)
if show == "error":
    with shell.sheet():
        st.header(t("vector_field.curve.heading"), anchor=False)
        move = (t("vector_field.curve.move"),) if shell.answers_moves() else ()
        shell.prose(text.join((t("vector_field.curve.text"), *move)))
        chart = lesson.error_chart(config, error, rival, shell.theme())
        draw_chart(chart, "error_curve")
        exporting.button(partial(lesson.error_curve, config, model), "error_curve", chart="error_curve")

shell.code(*lesson.CODE)
shell.tasks(
    {"unit_gaussian": config.view == "vp"}
    | (
        {
            "small_error": error[FINE].item() < 0.25,
            "far_apart": show == "one_place" and lesson.apart(*readings) > 0.2,
        }
        if answered
        else {}
    )
)
shell.finish()
