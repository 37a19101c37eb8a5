"""Home: data, noise, field, samples and guided samples in one picture, and what a lecturer needs to know."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.frame.text import label, t
from pages.ui.lessons import home_lecture
from pages.ui.lessons.home import CODE, SCENES, Config
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
# In a column, because the presentation hides the column of the controls.
row = st.columns(1)[0].container(key="controls", horizontal=True, gap="medium")
picture = st.container(key="picture", gap="small")
links, question = st.columns(len(LINKS), gap="small"), st.container(gap="small")
with question:
    answered = shell.predict("guess")
with row:
    for name in ("wanted", "w", "model"):
        controls.draw(name)
    if answered:
        controls.draw("seed", width=170)
config = controls.config()
with picture:
    st.markdown('<span id="picture" tabindex="-1"></span>', unsafe_allow_html=True)
    player.show(SCENES["figure"](config), key="figure", autoplay=True, permalink=True)
for column, (name, address) in zip(links, LINKS.items(), strict=True):
    with column:
        shell.lead_to(name, f"links.{name}", address)
with question:
    moved = config.seed != Config.seed and config.model == Config.model
    if answered and not moved and controls.value("predictions") and not controls.value("present"):
        st.caption(t("home.next"))
    shell.explain("guess", "other_points", shown=moved)

wanted = label("classes", config.wanted)
shell.notes("figure")
shell.equation("figure", legend="figure", label=wanted)
shell.code(*CODE)
if not controls.value("present"):
    home_lecture.draw()
shell.finish()
