"""Chapter 6: flow matching. Straight training lines, the mean velocity, its bent paths, couplings and few steps."""

from pages.ui.frame import controls, shell
from pages.ui.lessons import flow_matching as lesson
from pages.ui.lessons.flow_config import ALL_PAIRS, CONTROLS, Config
from pages.ui.lessons.flow_matching import CODE, SCENES
from pages.ui.stage import player

shell.require_shell()
shell.chapter("flow_matching", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "lines", "pairs": ALL_PAIRS})
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "lines"
with left:
    for name in CONTROLS[show]:
        if not (name == "pairs" and not answered or name == "batch" and controls.value("classes")):
            controls.draw(name)

config = controls.config(show=show)
scene = SCENES[show](config)
with right:
    player.show(scene if answered else lesson.before_answer(scene), key="flow", permalink=True)
    shell.explain("guess", "bent", shown=answered and show == "lines" and config.pairs == ALL_PAIRS)

shell.notes(*lesson.notes_of(config, answered))
shell.equation(show, legend=show)
shell.code(*CODE[show])
shell.tasks(lesson.tasks(config))
shell.finish()
