"""What the stage may cost: one large stage after a click, and a live one that ticks; used to measure, not to test."""

import time

import numpy as np
import streamlit as st

from core.figures.scene import Arrows, Clock, Line, Panel, Points, Scene
from pages.ui.stage import player

st.set_page_config(layout="wide")


@st.cache_data
def recording(points: int, arrows: int, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    xy = (0.4 * draw.normal(size=(1, points, 2)) * np.linspace(1, 0.3, frames)[:, None, None]).astype(np.float32)
    at = draw.uniform(-1, 1, (arrows, 2)).astype(np.float32)
    return xy, at, 0.1 * draw.normal(size=(frames, arrows, 2)).astype(np.float32)


def show(points: int, arrows: int, frames: int, key: str, **more) -> None:
    xy, at, by = recording(points, arrows, frames)
    if "tick" in more:
        by = by * (1 + 0.01 * more["tick"])
    panels = [Panel("Samples", [Arrows(at, by), Points(xy, "sample")])]
    if "tick" in more:
        panels.append(
            Panel(
                "Loss",
                [Line(np.arange(200), np.random.default_rng(more["tick"]).random(200))],
                ylim=None,
                xlim=None,
                equal=False,
            )
        )
    player.show(Scene(panels, Clock(np.geomspace(1, 0.01, frames)), "A cloud contracts."), key=key)


@st.fragment(run_every=0.5)
def live() -> None:
    st.session_state.tick = st.session_state.get("tick", 0) + 1
    start = time.thread_time()
    show(300, 225, 12, "live", tick=st.session_state.tick)
    spent = st.session_state.setdefault("spent", [])
    spent.append(1000 * (time.thread_time() - start))
    st.text(f"tick {st.session_state.tick}: {np.median(spent):.2f} ms of the script")


if st.toggle("live"):
    live()
elif st.button("show"):
    show(2000, 400, 200, "large")
