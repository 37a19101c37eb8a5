"""A run in a folder on the server, followed: how it stands, its sheets of samples, its loss, its newest model."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from core.figures.scene import Clock, Images, Line, Panel, Points
from core.models import run_folder
from core.models.run_folder import Log
from core.runs.distributed import BINS
from core.runs.progress import smooth
from pages.ui.frame import shell_old as shell
from pages.ui.frame.links_old import name_of
from pages.ui.stage.player import stage

TICK, REST = 2.0, 20.0  # seconds between two looks at a run under way, and at one at rest
SILENT = 120.0  # seconds; a run that has written nothing for so long is at rest
DRAWN, SHEETS, ROOM = 160, 8, 1_000_000  # points of the loss curve; sheets on the clock, and the bytes they may take
WITHIN = (0.015, *((low * high) ** 0.5 for low, high in zip(BINS[1:], BINS[2:-1])), 6.0)  # each of BINS


@st.cache_resource(show_spinner=False)
def _logs() -> dict[Path, Log]:
    """What is known of the runs' logs, read once for all visitors."""
    return {}


def newest(run: Path) -> tuple[Log, str]:
    """What is known of a run's log, and a sentence if it cannot be read any more."""
    try:
        _logs()[run] = run_folder.read_log(run, _logs().get(run, Log()))
    except ValueError as error:
        return _logs().get(run, Log()), str(error)
    return _logs()[run], ""


def known(folder: Path) -> list[str]:
    """The names of the runs in a folder, and of the one that this visitor follows even if it has vanished."""
    names = run_folder.runs(folder)
    return names + [name for name in st.session_state.get("_followed", ()) if name not in names]


def under_way(log: Log) -> bool:
    """Whether the run seems to go on."""
    return not log.finished and time.time() - log.written < SILENT


def wait(folder: Path) -> None:
    """What there is to see without any run; the page runs again when one begins."""

    @st.fragment(run_every=TICK)
    def tick() -> None:
        if known(folder):
            st.rerun()
        st.info(f"No run in the folder `{folder.name}` of the server yet. One appears here as soon as it begins.")

    tick()


def watch(folder: Path, name: str, curve: str, taken: Callable[[], int | None],
          take: Callable[[], None]) -> None:  # fmt: skip
    """Draw the run of that name again and again, with one of ``CURVES`` beside its samples and a button to ``take`` its
    model; ``taken()`` is the step of the one that was taken. The page runs again when there are other runs, and when
    this one comes to rest."""
    st.session_state["_followed"] = [name]
    names, going_on = known(folder), under_way(newest(folder / name)[0])

    @st.fragment(run_every=TICK if going_on else REST)
    def tick() -> None:
        with shell.guard():
            log, problem = newest(folder / name)
            if known(folder) != names or under_way(log) != going_on:
                st.rerun()
            if problem:
                shell.sorry(f"{problem} What was read of it before stays.")
            with st.container(horizontal=True, vertical_alignment="center", key="standing"):
                st.markdown(standing(log))
                _offer(folder / name, taken(), take)
            if refused := st.session_state.pop("_refused", ""):
                shell.sorry(refused)
            if log.entries:
                draw(folder / name, log, curve)

    tick()


def standing(log: Log) -> str:
    """One line on how a run stands."""
    if not log.entries:
        return "**Beginning**: nothing to read yet." if not log.damaged else "**Not one line** of it can be read."
    last = log.entries[-1]
    state = "Finished" if log.finished else "Training" if under_way(log) else "At rest"
    parts = [f"**{state}** · step {last.step:,}" + (f" of {last.steps:,}" if last.steps else "")]
    if state == "Training":
        parts.append(f"{last.pace:,.0f} images/s")
        parts += [] if log.left is None else [f"{timedelta(seconds=round(log.left))} left"]
    if log.damaged:
        parts.append(f"{log.damaged} line{'s' * (log.damaged > 1)} of its log cannot be read")
    return " · ".join(parts)


def _offer(run: Path, taken: int | None, take: Callable[[], None]) -> None:
    """The button that takes the newest model to the other scenes."""
    step = run_folder.saved_step(run)
    if step is None:
        st.caption("No checkpoint to use yet.")
        return
    if step == taken:
        st.caption(f":material/check: Step {step:,} is among the models of the other scenes.")
    else:
        label = f"Use its {'model' if taken is None else 'newer model'}, step {step:,}"
        st.button(label, icon=":material/download:", on_click=_try, args=(take,), key="_take")


def _try(take: Callable[[], None]) -> None:
    try:
        take()
    except ValueError as error:
        st.session_state["_refused"] = str(error)


def draw(run: Path, log: Log, curve: str) -> None:
    """The sheets of samples on a clock of steps, and a curve with the clock's place on it."""
    sheets = newest_sheets(run)
    steps = list(sheets) or [log.entries[-1].step]
    panels = [Panel("Its samples", [Images(torch.stack(list(sheets.values()))[:, None], 1)])] if sheets else []
    stage(
        [*panels, CURVES[curve](log, steps)],
        Clock(steps, "step", digits=9, start=-1),
        key="followed",
        alt=f"The run {name_of(run.name)} at step {log.entries[-1].step}: sheets of samples over the steps, and the "
        f"loss {curve}.",
        permalink=True,
    )


def newest_sheets(run: Path) -> dict[int, Tensor]:
    """The newest sheet of samples that is whole, and some earlier ones of its shape, evenly picked; by their step."""
    paths = list(run_folder.sheets(run).items())
    while paths and (last := _sheet(paths[-1][1])) is None:
        paths.pop()
    if not paths:
        return {}
    count = min(len(paths), SHEETS, ROOM // last.numel())
    picked = [paths[round(k)] for k in np.linspace(len(paths) - 1, 0, count)]
    found = {step: _sheet(path) for step, path in reversed(picked)}
    return {step: pixels for step, pixels in found.items() if pixels is not None and pixels.shape == last.shape}


def _sheet(path: Path) -> Tensor | None:
    try:
        return _decoded(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@st.cache_resource(max_entries=64, show_spinner=False)
def _decoded(path: Path, written: int) -> Tensor | None:
    """A sheet as it is kept; one too large for the room loses every other pixel until it fits."""
    pixels = run_folder.read_sheet(path)
    while pixels is not None and pixels.numel() > ROOM:
        pixels = pixels[::2, ::2]
    return None if pixels is None else pixels.clone()  # lets go of those that were lost


def loss(log: Log, steps: list[int]) -> Panel:
    """The loss over the steps of the run, smoothed; the marker is where the clock stands."""
    at, losses = (torch.tensor([float(entry[k]) for entry in log.entries]) for k in (0, 1))
    curve = smooth(losses)
    picked = torch.linspace(0, len(curve) - 1, min(len(curve), DRAWN)).round().long()
    layers = [
        Line(at[picked], curve[picked], "denoise"),
        Points(torch.stack([at[-1:], curve[-1:]], 1), "denoise", size=4, alpha=1, shape="dot"),
    ]
    low, high = curve.min().item(), min(curve.max().item(), 3 * curve.median().item())
    air = 0.06 * (high - low) or 0.1
    ends = (0.0, max(1.02 * at[-1].item(), 1.0))
    return Panel("Loss", layers, ends, (low - air, high + air), equal=False, xlabel="training step", marker=steps,
                 caption=f"{curve[-1]:.3f} at step {log.entries[-1].step:,}")  # fmt: skip


def by_noise(log: Log, steps: list[int]) -> Panel:
    """The loss at each noise level when the run stood where the clock stands."""
    table = torch.stack([run_folder.mean_loss_by_sigma(log.entries, step) for step in steps])
    dots = torch.stack([torch.tensor(WITHIN).expand_as(table), table], -1)
    high = table[table.isfinite()].max().item() if table.isfinite().any() else 1.0
    return Panel("Loss by noise level", [Line(WITHIN, table, "denoise"), Points(dots, "denoise", size=4, alpha=1)],
                 (0.01, 10.0), (0.0, 1.1 * high), equal=False, xlog=True, xlabel="noise level σ",
                 caption=[f"near step {step:,}" for step in steps])  # fmt: skip


CURVES: dict[str, Callable[[Log, list[int]], Panel]] = {"over steps": loss, "by noise level": by_noise}
