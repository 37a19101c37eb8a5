"""Chapter 7: five uses of a trained model, from data to start with to a measurement to keep."""

from pages.ui.frame import controls, shell
from pages.ui.lessons import trained_model as lesson
from pages.ui.lessons import trained_model_widgets as widgets
from pages.ui.lessons.trained_model import CODE
from pages.ui.lessons.trained_model_config import Config
from pages.ui.stage import player

shell.require_shell()
shell.chapter("trained_model", Config)
left, right = shell.columns()
with shell.asking(left, right):
    decides = {"show": "start_at_sigma", "of": "points", "shape": "circle", "sigma": 2.0}
    answered = shell.predict("guess", decides=decides)
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "start_at_sigma"
with left:
    widgets.draw_controls(show, answered)
if show == "likelihood":
    player.take_probe("uses", "probe")
config = controls.config(show=show)
with right:
    widgets.show_picture(config, answered)
    if answered:
        widgets.explain_numbers(config)
    decided = (config.show, config.of, config.sigma, config.shape) == ("start_at_sigma", "points", 2, "circle")
    shell.explain("guess", "farther_start", shown=answered and decided)

formula = lesson.formula_of(config)
shell.notes(*lesson.notes_of(config))
shell.equation(formula, legend=formula)
shell.code(*CODE[formula])
shell.tasks(lesson.tasks_done(config))
shell.finish()
