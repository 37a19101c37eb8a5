"""Chapter 2: training. A network learns the average way back while the page shows it, beside the exact answer."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.frame.text import t
from pages.ui.lessons import training as lesson
from pages.ui.lessons.training import MARKS, RECIPE, SEEN, Config
from pages.ui.runs import training_run
from pages.ui.stage import player
from pages.ui.widgets import dataset_picker


def draw_live(snapshot: lesson.Snapshot, standing: str) -> None:
    """A run's newest snapshot, with a line on how it stands."""
    st.markdown(standing + (f" · {t('training.dead')}" if snapshot.dead else ""))
    scene = lesson.train_live(config, snapshot, points, broke=view is not None and bool(view.error))
    player.show(scene, key="training", permalink=True)


shell.require_shell()
shell.chapter("training", Config)
left, right = shell.columns()
with left:
    show = controls.draw("show")
    live = show == "train_live"
    ready = shell.predict("guess", hidden=not live)
    points = dataset_picker.choose()
    controls.draw("lr")
    with st.expander(t("training.recipe")):
        for name in RECIPE:
            controls.draw(name)
    if not live:
        player.take_probe("why", "probe")
    config = controls.config()
    request = lesson.request_of(config, points)
    training_run.take_in(request)
    view = training_run.current(request)
    if ready:
        training_run.heed_learning_rate(request, view)
        with st.expander(t("training.save_and_load")):
            training_run.save(request)
            training_run.load(lesson.adopt)
with right:
    training_run.buttons(request, view, ready)
    if view is not None and view.error:
        shell.sorry(view.error)
    if live:
        training_run.watch(request, view, draw_live, MARKS)
        shell.explain("guess", "extent_first", shown=view is not None and view.step >= SEEN)
    else:
        scene = lesson.why_average(config, training_run.checkpoint(request).denoiser, points)
        player.show(scene, key="why", permalink=True)

first = "middle_learned" if config.prediction == "eps" else "middle_built_in"
shell.notes(*(["samples", first, "exact_loss"] if live else [show]), prediction=config.prediction)
shell.equation("loss", legend="loss")
shell.code(*lesson.CODE)
snapshot = view and view.picture
if view and (view.error or (snapshot and snapshot.dead)):
    st.session_state["_broke"] = True
reached = bool(snapshot and not view.error and lesson.near(snapshot))
shell.tasks(
    {
        "on_the_data": reached,
        "own_data": points.name not in lesson.BUILT_IN and view is not None and view.step > 0,
        "broken_and_mended": reached and st.session_state.get("_broke", False),
    }
)
shell.finish()
