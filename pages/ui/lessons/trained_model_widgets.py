"""What the learner does in chapter 7: set the controls of a scene, and draw a shape by hand."""

from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons.trained_model_config import DRAWING, Config, controls_of, refusal
from pages.ui.widgets import brush


def draw_controls(show: str, answered: bool) -> None:
    """Draw the controls of a scene; the level only after the question about it."""
    measured = controls.draw("measured") if show == "measurement" else ""
    for name in controls_of(show, measured):
        if answered or name != "sigma":
            controls.draw(name)
        if name == "shape" and controls.value("shape") == DRAWING:
            brush.draw_data("edit_brush", height=230)


def refuse_drawing(config: Config) -> None:
    """Say why a drawing cannot be used, if it cannot."""
    problem = refusal(config) if config.show == "start_at_sigma" else None
    if problem and problem.code == "drawing_empty":
        shell.caption(t("trained_model.start_at_sigma.nothing_drawn"))
    elif problem:
        shell.sorry(t("trained_model.start_at_sigma.refused", error=text.problem(problem)))
