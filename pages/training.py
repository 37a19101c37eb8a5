"""Chapter 2: training. A network learns to remove noise while the page shows it, beside the exact denoiser."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.frame.text import label, t
from pages.ui.lessons import training as lesson
from pages.ui.lessons import training_view
from pages.ui.lessons.training import MARKS, RECIPE, SEEN, STEPS, Config
from pages.ui.runs import training_run
from pages.ui.stage import player


def draw_live(snapshot: lesson.Snapshot | lesson.MeasuredSnapshot, standing: str) -> None:
    """A run's newest snapshot, with a line on how it stands."""
    if measures:
        training_view.say(standing if view else t("training.memorised_or_learned.recorded"), snapshot)
        player.show(lesson.memorised_or_learned(config, snapshot), key="memorised", permalink=True)
        return
    training_view.say(standing, snapshot)
    scene = lesson.train_live(config, snapshot, points, broke=view is not None and bool(view.error))
    player.show(scene, key="training", permalink=True)


shell.require_shell()
shell.chapter("training", Config)
left, right = shell.columns()
with left:
    show = controls.draw("show")
live, measures = show == "train_live", show == "memorised_or_learned"
with shell.asking(left, right):
    ready = shell.predict("guess", decides={"show": "train_live"}) or controls.value("present")
with right:
    commands = training_view.draw_row()
with left:
    if show == "why_average":
        controls.draw("arrow")
    points = lesson.choose_data(measures)
    controls.draw("lr")
    with st.expander(t("training.recipe")):
        for name in RECIPE:
            controls.draw(name)
    if show == "why_average":
        player.take_probe("why", "probe")
    config = controls.config()
    request = lesson.request_of(config, points)
    training_run.take_in(request)
    view = training_run.current(request)
    if ready:
        training_run.heed_learning_rate(request, view)
        if not measures:
            with st.expander(t("training.save_and_load")):
                training_run.save(request)
                training_run.load(lesson.adopt)
with commands:
    training_run.buttons(request, view, ready)
with right:
    if view is not None and view.error:
        shell.sorry(view.error)
    if live or measures:
        training_run.watch(request, view, draw_live, MARKS)
    else:
        scene = lesson.why_average(config, training_run.checkpoint(request).denoiser, points)
        player.show(scene, key="why", permalink=True)
trained = view is not None and view.step >= SEEN and not training_view.broke_down(view)
decided = live and trained
revealed = trained or not controls.value("predictions")
with left:
    shell.explain("guess", "extent_first", shown=decided)

quoted = {"prediction": label("predictions", config.prediction), "steps": STEPS, "chance": 1 - 1 / STEPS}
shell.notes(*lesson.notes_of(config, revealed), **quoted)
if live:
    training_view.list_targets(revealed)
formula = lesson.formula_of(config)
shell.equation(formula, legend=formula)
shell.code(*lesson.code_of(show))
shell.tasks(training_view.tasks_done(view, request.data))
shell.finish()
