"""The controls of the lab: those of both sides beside each other, and the button that makes them equal."""

import streamlit as st

from core.diffusion.samplers import ETA_INTERPOLATED
from core.lessons.guidance import COVERAGE_RADIUS, WEAK_MODELS
from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import lab
from pages.ui.lessons.lab import ANY, MORE_ROWS, NO_CLASS, ROWS

WIDTHS = (5, 8, 8)  # of a row's label and of its two controls


def draw_controls(answered: bool, models: list[str]) -> None:
    """A row for each control with both sides; B's model only once the prediction is made."""
    for column, side in zip(st.columns(WIDTHS, gap="small")[1:], "AB", strict=True):
        with column:
            shell.prose(f"**{side}**")
    for name in ROWS:
        draw_row(name, models if name == "model" else None, "ab" if answered or name != "model" else "a")
    with st.expander(t("lab.more")):
        for name in MORE_ROWS:
            draw_row(name)
        controls.draw("seed")
        controls.draw("view")


def draw_row(name: str, options: list[str] | None = None, sides: str = "ab") -> None:
    """A label, and beside it the control of each side."""
    label, *columns = st.columns(WIDTHS, gap="small", vertical_alignment="center")
    with label:
        shell.prose(t(f"lab.rows.{name}", sampler=text.label("samplers", ETA_INTERPOLATED)))
    form = {"want": class_label, "from": base_label}.get(name)
    given = {"label_visibility": "collapsed", **({"format_func": form} if form else {})}
    for column, side in zip(columns, "ab", strict=True):
        with column:
            if side in sides:
                controls.draw(f"{side}{name}", options, **given)
            else:
                st.selectbox(t(f"lab.controls.{side}{name}.label"), [t("lab.as_a")], disabled=True, key="_later",
                             label_visibility="collapsed", placeholder=t("frame.streamlit.choose"))  # fmt: skip


def class_label(name: str) -> str:
    """The label of a wanted class, or of any."""
    return t("lab.any") if name == ANY else text.label("classes", name)


def base_label(name: str) -> str:
    """The label of what guidance leads away from: no class, a class, or a weaker model."""
    if name == NO_CLASS:
        return t("lab.no_class")
    weaker = name in WEAK_MODELS
    return t("lab.weaker", model=text.label("models", name)) if weaker else text.label("classes", name)


def make_equal() -> None:
    """Give B all that A has."""
    for name in (*ROWS, *MORE_ROWS):
        controls.put(f"b{name}", controls.value(f"a{name}"))


def explain_measures() -> None:
    """One sentence on each measure of the table."""
    listed = [name for name in lab.METRICS if name != "calls"]
    with st.container(gap="small", width=1000):
        shell.prose(t("lab.measures.intro"))
        shell.prose("\n".join(f"- {t(f'lab.measures.{name}', close=COVERAGE_RADIUS)}" for name in listed))
