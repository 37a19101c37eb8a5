"""Chapter 6: CLIP. Two encoders bring pictures and captions to one space, where cosines answer questions."""

from pages.ui.frame import controls, shell
from pages.ui.lessons import clip_live, clip_view
from pages.ui.lessons.clip import CODE, CONTROLS, MORE_CONTROLS, NOTES, TASKS, Config, formula_of
from pages.ui.runs import training_run

shell.require_shell()
shell.chapter("clip", Config)
trained = training_run.latest(clip_live.KIND)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "train_live"})
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "train_live"
with left:
    for name in CONTROLS[show]:
        controls.draw(name)
    if show != "train_live":
        space = clip_view.choose_space(trained)
    if show == "retrieval":
        by = controls.value("by")
        for name in MORE_CONTROLS[by]:
            controls.draw(name)
        pixels = clip_view.bring_picture(by)
    elif show == "zero_shot":
        clip_view.choose_wordings(space)
        controls.draw("example")
    elif show == "arithmetic":
        for name in MORE_CONTROLS[controls.value("kind")]:
            controls.draw(name, disabled=name == "pair" and controls.value("attribute") == "hat")

config = controls.config()
with right:
    if show == "train_live":
        done = clip_view.train_live(config, answered)
    elif show == "retrieval":
        done = clip_view.retrieval(config, space, pixels)
    elif show == "zero_shot":
        done = clip_view.zero_shot(config, space)
    elif show == "arithmetic":
        done = clip_view.arithmetic(config, space)
    else:
        done = clip_view.vector_map(config, space)
    shell.explain("guess", "near_zero", shown=answered and show == "train_live")

scene = show if answered else "matrix"  # before the answer the notes, the formula and the code are of the matrix alone
shell.notes(*(NOTES[show]["after" if answered else "before"] if show in NOTES else (show,)))
formula = formula_of(scene, config)
shell.equation(formula, legend=formula)
shell.code(*CODE[scene])
shell.tasks({task: show == scene and done for scene, task in TASKS.items()})
shell.finish()
