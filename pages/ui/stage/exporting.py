"""A picture that a visitor wants as a file, from the button to the menu (``pages/export/menu.py``) that makes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import streamlit as st

from core.figures.scene import Line, Panel, Scene
from pages.ui.frame.text import t

KEY = "_export"


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """A scene as it was when the visitor asked for it.

    Attributes:
        scene: what was shown; its probe is where the visitor had put it.
        key: of the stage or chart that showed it.
        frame: where the clock stood.
        zoom: what was enlarged, as the player keeps it.
        chart: its name among the charts of the page, for one of these.
    """

    scene: Scene
    key: str
    frame: int = 0
    zoom: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    chart: str = ""


def scene_of(chart: Panel) -> Scene:
    """A chart of curves as a scene that stands alone."""
    names = t("frame.comma").join(layer.label for layer in chart.layers if isinstance(layer, Line) and layer.label)
    return Scene([replace(chart, title="")], alt=t("frame.export.curves", curves=names), title=chart.title)


def ask(request: ExportRequest) -> None:
    """Open the menu for a request: the page runs again, and at its end the menu is drawn."""
    st.session_state[KEY] = request
    st.rerun()


def note(key: str) -> None:
    """The button of the player ``key`` was pressed. Noted as soon as it is heard: the run that should open the menu may
    be overtaken by one that draws a training anew."""
    st.session_state[f"{key}-wanted"] = (st.session_state.get(key) or {}).get("export")


def ask_if_noted(scene: Scene, key: str, probe: tuple[float, float] | None) -> None:
    """Open the menu for a scene as its player shows it, if that button was pressed."""
    if view := st.session_state.pop(f"{key}-wanted", None):
        ask(ExportRequest(replace(scene, probe=probe), key, int(view["frame"]), view.get("zoom") or {}))


def pending() -> ExportRequest | None:
    """What the menu is open for."""
    return st.session_state.get(KEY)


def close() -> None:
    """The menu is closed."""
    st.session_state.pop(KEY, None)


def button(scene: Callable[[], Scene], key: str, chart: str = "") -> None:
    """A button that opens the menu, for what is not drawn by a player, such as the page's ``chart`` of that name.
    ``scene`` is made only when the button is pressed."""
    st.session_state[f"{key}-scene"] = scene
    if st.button(t("frame.export.button"), icon=":material/download:", type="tertiary", key=f"export_{key}"):
        ask(ExportRequest(scene(), key, chart=chart))
