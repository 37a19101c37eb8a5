"""Chapter 12: clips that a model draws from captions, and a negative prompt that removes faults."""

from pages.ui.frame import controls, shell
from pages.ui.lessons import video as lesson
from pages.ui.lessons import video_widgets as widgets
from pages.ui.lessons.video_config import Config

shell.require_shell()
shell.chapter("video", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "negative"})
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "data"
with left:
    widgets.draw_controls(show)
config = controls.config(show=show)
with right:
    films = widgets.show_picture(config) if widgets.readable(config) else ()
    widgets.explain_numbers(config, films)
    shell.explain("guess", "one_in_seven", shown=answered and show == "negative" and bool(films))

formula = lesson.formula_of(config)
shell.notes(*lesson.notes_of(config), guidance=shell.number_of("guidance"))
shell.equation(formula, legend=formula)
shell.code(*lesson.CODE[show])
shell.tasks(lesson.tasks_done(config, films))
shell.finish()
