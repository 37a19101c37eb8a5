"""Chapter 8: CLIP. Two encoders bring pictures and captions to one space, where cosines answer questions."""

from functools import partial

from pages.ui.frame import controls, shell
from pages.ui.lessons import clip_people_view, clip_view
from pages.ui.lessons.clip import CONTROLS, TASKS, Config, code_of, formula_of, notes_of
from pages.ui.stage import exporting

shell.require_shell()
shell.chapter("clip", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "train_live"})
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "train_live"
with left:
    data = controls.draw("data")
    view = clip_people_view if data == "people" else clip_view
    for name in CONTROLS[data][show]:
        controls.draw(name, **view.options(name))
    given = view.ask(show) if show != "train_live" else None

config = controls.config()
with right:
    done = clip_view.train_live(config, answered) if show == "train_live" else view.draw(config, given)
    if not clip_view.plays(show):
        exporting.button(partial(view.scene, config, given), show)
    shell.explain("guess", "near_zero", shown=answered and show == "train_live")

scene = show if answered else "matrix"  # before the answer the notes, the formula and the code are of the matrix alone
shell.notes(*notes_of(show, data, answered))
formula = formula_of(config, scene)
shell.equation(formula, legend=formula)
shell.code(*code_of(scene, data))
shell.tasks({task: show == scene and done for scene, task in TASKS[data].items()})
shell.finish()
