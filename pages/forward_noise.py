"""Chapter 1: an image is a point, and noise moves it at random."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.lessons import forward_noise as lesson
from pages.ui.lessons.forward_noise import CODE, CONTROLS, SCENES, Config
from pages.ui.stage import player

shell.require_shell()
shell.chapter("forward_noise", Config)
left, right = shell.columns()
with right:
    show = controls.draw("show", label_visibility="collapsed")
player.take_probe("forward", "start")
with shell.asking(left, right):
    answered = shell.predict("guess", hidden=show != "walk_and_jump", decides={"jumps": True, "stride": 1.0})
with left:
    for row in CONTROLS[show]:
        for column, name in zip(st.columns(len(row)) if len(row) > 1 else [st.container()], row, strict=True):
            if name and (name != "jumps" or answered):
                with column:
                    controls.draw(name)
config = controls.config()
with right:
    player.show(SCENES[show](config), key="forward", permalink=True, restart=config.steps)
    if show == "walk_and_jump":
        shell.explain("guess", "same", shown=config.jumps and config.stride == 1)

formula, values = lesson.formula_of(config), lesson.values_of(config)
shell.notes(*lesson.notes_of(config, revealed=not controls.value("predictions")), **values)
if show == "schedules":
    with shell.sheet():
        shell.lead_to("flow_matching", "what_a_shift_does", {"show": "shift"})
shell.equation(formula, legend=formula, **values)
shell.code(*CODE[formula])
shell.tasks(
    {
        "black_and_white": config.start[0] < -0.8 and config.start[1] > 0.8,
        "five_steps": config.jumps and config.source == "data" and config.steps == 5 and config.stride == 1,
        "easiest_schedule": config.schedule == lesson.easiest_schedule(),
    }
)
shell.finish()
