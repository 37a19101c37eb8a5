"""Home: data, noise, field, samples and guided samples in one picture, the chapters, what a lecturer needs to know."""

import streamlit as st

from pages.ui.frame import controls, kept, remembered, shell
from pages.ui.lessons import home_lecture
from pages.ui.lessons.home import CODE, SCENES, Config, note_values, values_of
from pages.ui.stage import player

LINKS = {
    "training": {"data": "drawing"},
    "forward_noise": {"show": "dissolve"},
    "vector_field": None,
    "sampling": None,
    "guidance": None,
}  # a way on from each panel, and the address there


shell.require_shell()
shell.chapter("home", Config)
# The question stands beside the controls, so that its verdict is above the fold. A presentation hides their column.
left, right = st.columns([12, 11], gap="medium")
row, question = left.container(key="controls", horizontal=True, gap="medium"), right.container(key="question")
picture = st.container(key="picture", gap="small")
links = st.columns(len(LINKS), gap="small")
with question:
    answered = shell.predict("guess", decides={"seed": 1, "model": Config.model})
with row:
    for name in ("wanted", "w", "model"):
        controls.draw(name)
    if answered:
        controls.draw("seed", width=170)
config = controls.config()
with picture:
    if kept.names(remembered.RUN) and not controls.value("present"):
        from pages.ui.runs import earlier_runs  # with PyTorch, which this page needs for nothing else

        earlier_runs.lead_back()
    shell.draw_html('<span id="picture" tabindex="-1"></span>')
    player.show(SCENES["figure"](config), key="figure", autoplay=True, permalink=True)
for column, (name, address) in zip(links, LINKS.items(), strict=True):
    if not controls.value("present"):
        with column:
            shell.lead_to(name, f"links.{name}", address)
with question:
    shell.explain("guess", "other_points", shown=config.seed != Config.seed and config.model == Config.model)

shell.notes("figure", **note_values())
shell.equation("figure", legend="figure", **values_of(config))
shell.code(*CODE)
if not controls.value("present"):
    home_lecture.draw()
shell.finish()
