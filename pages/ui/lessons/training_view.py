"""What chapter 2 draws around its picture: the choice of the prediction target, the list of targets, and its tasks."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data.points import PointSet
from pages.ui.frame import controls, shell
from pages.ui.frame.text import t
from pages.ui.lessons import training as lesson
from pages.ui.runs.training_run import View


def draw_row() -> DeltaGenerator:
    """The row above the picture: the place of the buttons, and the choice of what the network predicts. A presented
    page has both in its line."""
    if controls.value("present"):
        controls.draw("prediction")
        return st.container()
    buttons, target = st.columns([6, 8], vertical_alignment="center")
    with target, st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
        shell.prose(t("training.controls.prediction.label"), width="content")
        controls.draw("prediction", label_visibility="collapsed", width=230)
    return buttons


def list_targets(revealed: bool) -> None:
    """One sentence on each prediction target; what answers the question is said once the answer is revealed."""
    with shell.sheet(), st.container(gap="small", width=1000):
        shell.prose(t("training.targets.intro"))
        rows = {name: f"- {t(f'training.targets.{name}')}" for name in controls.options("prediction")}
        if revealed:
            rows["edm"] += f" {t('training.targets.built_in')}"
        shell.prose("\n".join(rows.values()))


def say(standing: str, snapshot: lesson.Snapshot | lesson.MeasuredSnapshot) -> None:
    """How a run stands, and whether its network is dead."""
    shell.prose(standing + (f" · {t('training.dead')}" if snapshot.dead else ""))


def broke_down(view: View) -> bool:
    """Whether a run has ended in an error or in a network without a gradient: it shows nothing of how one learns."""
    return bool(view.error or (view.picture and view.picture.dead))


def tasks_done(view: View | None, points: PointSet) -> dict[str, bool]:
    """Which tasks of the page are done."""
    snapshot = view and view.picture
    if view and broke_down(view):
        st.session_state["_broke"] = True
    reached = bool(snapshot and not view.error and lesson.near(snapshot))
    return {
        "on_the_data": reached,
        "own_data": points.name not in lesson.BUILT_IN and view is not None and view.step > 0,
        "broken_and_mended": reached and st.session_state.get("_broke", False),
    }
