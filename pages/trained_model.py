"""Chapter 7: five uses of a trained model, from data to start with to a measurement to keep."""

from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import trained_model as lesson
from pages.ui.lessons import trained_model_widgets as widgets
from pages.ui.lessons.trained_model import CODE, SCENES
from pages.ui.lessons.trained_model_config import Config
from pages.ui.stage import player

shell.require_shell()
shell.chapter("trained_model", Config)
left, right = shell.columns()
with shell.asking(left, right):
    decides = {"show": "start_at_sigma", "shape": "circle", "sigma": 2.0}
    answered = shell.predict("guess", decides=decides)
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "start_at_sigma"
with left:
    widgets.draw_controls(show, answered)
if show == "likelihood":
    player.take_probe("uses", "probe")
config = controls.config(show=show)
with right:
    widgets.refuse_drawing(config)
    scene = SCENES[show](config)
    player.show(scene if answered else lesson.before_answer(scene), key="uses", permalink=True)
    with shell.sheet():
        if answered and text.has(f"trained_model.{show}.hint"):
            shell.caption(t(f"trained_model.{show}.hint"))
        if show == "likelihood":
            shell.prose(lesson.densities_table(config))
    decided = show == "start_at_sigma" and config.sigma == 2 and config.shape == "circle"
    shell.explain("guess", "farther_start", shown=answered and decided)

formula = lesson.formula_of(config)
shell.notes(*lesson.notes_of(config))
shell.equation(formula, legend=formula)
shell.code(*CODE[formula])
shell.tasks(lesson.tasks_done(config))
shell.finish()
