"""A page with one stage of every layer, for the browser tests; the query parameter ``case`` picks what is on it."""

import numpy as np
import streamlit as st

from pages.ui.stage import Arrows, Clock, Heat, Images, Line, Panel, Path, Points, newest_probe, stage

FRAMES = 40

st.set_page_config(layout="wide")


def spiral(count: int) -> np.ndarray:
    angle = np.linspace(0.5 * np.pi, 5.5 * np.pi, count)
    return np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1) / (5.5 * np.pi)


def cloud(count: int, frames: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(count, 2))
    share = np.linspace(1, 0, frames)[:, None, None]
    return spiral(count) * (1 - share) + 0.6 * share * noise


def field(frames: int) -> tuple[np.ndarray, np.ndarray]:
    side = np.linspace(-1.05, 1.05, 15)
    at = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    data = spiral(200)
    sigmas = np.geomspace(1, 0.08, frames)
    steps = []
    for sigma in sigmas:
        weights = np.exp(-((at[:, None] - data) ** 2).sum(-1) / (2 * sigma**2)) + 1e-30
        steps.append(weights @ data / weights.sum(1, keepdims=True) - at)
    return at, 0.22 * np.stack(steps)


def panels(frames: int, seed: int) -> list[Panel]:
    at, by = field(frames)
    groups = np.minimum(2, np.arange(300) // 100)
    moving = cloud(300, frames, seed)
    density = np.exp(-(np.stack(np.meshgrid(*2 * [np.linspace(-1.2, 1.2, 60)]), -1)[None] ** 2).sum(-1) / np.linspace(2, 0.1, frames)[:, None, None])
    step = np.arange(1, 2001)
    loss = 0.9 / np.sqrt(step) + 0.02 * np.random.default_rng(seed).random(2000) + 0.05
    pictures = np.random.default_rng(0).integers(0, 255, (frames, 6, 8, 8), dtype=np.uint8)
    return [
        Panel("Samples", [Points(spiral(100), "data", size=2, alpha=0.5, label="data"), Points(moving, ("person", "dog", "cat"), group=groups, label=("person", "dog", "cat")), Path(moving[:, 7], label="")], caption="300 samples, DDIM", probe=True),
        Panel("Field", [Heat(density, (-1.2, 1.2, -1.2, 1.2), label="density"), Arrows(at, by, label="denoise"), Points(moving, "sample", size=2)], probe=True, caption=[f"frame {k}" for k in range(frames)]),
        Panel("Loss", [Line(step, loss, "denoise", label="network"), Line(step, np.full(2000, 0.06), "exact", label="exact")], xlim=(1, 2000), ylim=None, ylog=True, xlog=True, equal=False, xlabel="step", marker=np.geomspace(1, 2000, frames)),
        Panel("Pictures", [Images(pictures, names=[f"no. {i}" for i in range(6)])]),
    ]  # fmt: skip


st.session_state.runs = st.session_state.get("runs", 0) + 1
case = st.query_params.get("case", "all")
gain = st.slider("gain", 0, 10, 2, key="gain", bind="query-params")
frames = 60 if gain == 9 else FRAMES
shown = panels(frames, gain)
chosen = shown[:2] if case == "pair" else shown[:3] if case == "three" else shown[:1] if case == "one" else shown
place = newest_probe("demo", (0.2, 0.1))
returned = stage(
    chosen, Clock(np.geomspace(1, 0.01, frames), start=0), key="demo", probe=place, permalink=True,
    alt="Noise turns into a spiral of three classes.", autoplay=case == "auto", loop=case == "auto",
)  # fmt: skip
st.text(f"runs {st.session_state.runs} probe {returned}")
if case == "far":
    st.html("<div style='height:3000px'></div>")
