"""Two small pages in the frame: both have a control called `seed`, with other ranges and other defaults."""

import streamlit as st

from core.figures import palette
from pages.ui.frame import shell_old as shell


def first() -> None:
    shell.chapter(0, "First", "It has a prediction.")
    controls, picture = shell.picture()
    with controls:
        seed = shell.slider("Seed", 0, 9, 3, key="seed")
        if shell.predict("guess", "Where does it end?", ("here", "there"), 1, "It is so."):
            steps = shell.slider("Steps", 1, 64, 16, key="steps")
            shell.explain("guess", seen=steps > 16)
    picture.html(f'<div style="height:560px">first {seed}</div>')
    shell.notes([("data", "the data")])
    shell.equation([("x_0", "data")])
    shell.code(palette.colour)
    shell.tasks([("Take the seed 7.", seed == 7, "The first slider.")])
    shell.finish()


def second() -> None:
    shell.chapter(1, "Second", "It has another seed.")
    controls, picture = shell.picture()
    with controls:
        seed = shell.slider("Seed", 0, 99, 50, key="seed")
        broken = shell.toggle("Break the page", key="broken")
    picture.write(f"second {seed}")
    if broken:
        raise KeyError("secret of the server")
    shell.finish()


st.set_page_config(layout="wide")
shell.show(st.navigation([st.Page(first, default=True), st.Page(second)], position="top"))
