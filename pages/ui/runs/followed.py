"""A run in a folder on the server, followed: how it stands, its sheets of samples, its loss, its newest model."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from core.figures.scene import Clock, Images, Line, Panel, Points, Scene
from core.models import run_folder
from core.models.run_folder import Log
from core.problems import examples
from core.runs.caching import shared_cache
from core.runs.distributed import BINS
from core.runs.progress import smooth
from pages.ui.frame import shell, text
from pages.ui.frame.links import name_of, plain
from pages.ui.frame.text import t

TICK, REST = 2.0, 20.0  # seconds between two looks at a run under way, and at one at rest
SILENT = 120.0  # seconds; a run that has written nothing for so long is at rest
DRAWN, SHEETS, ROOM = 160, 8, 1_000_000  # points of the loss curve; sheets on the clock, and the bytes they may take
WITHIN = (0.015, *((low * high) ** 0.5 for low, high in zip(BINS[1:], BINS[2:-1])), 6.0)  # a level in each of BINS


_logs: dict[Path, Log] = {}  # what is known of the runs' logs, read once for all visitors


def newest(run: Path) -> tuple[Log, ValueError | None]:
    """What is known of a run's log, and the error if it cannot be read any more."""
    try:
        _logs[run] = run_folder.read_log(run, _logs.get(run, Log()))
    except ValueError as error:
        return _logs.get(run, Log()), error
    return _logs[run], None


def known(folder: Path) -> list[str]:
    """The names of the runs in a folder, and of the one that this visitor follows even if it has vanished."""
    names = run_folder.runs(folder)
    return names + [name for name in st.session_state.get("_followed", ()) if name not in names]


def under_way(log: Log) -> bool:
    """Whether the run seems to go on."""
    return not log.finished and time.time() - log.written < SILENT


def wait(folder: Path) -> None:
    """What there is to see without any run; the page runs again when one begins."""

    @shell.fragment(run_every=TICK)
    def tick() -> None:
        if known(folder):
            st.rerun()
        shell.message("info", t("runs.followed.empty", folder=plain(folder.name)))

    tick()


def watch(
    folder: Path, name: str, draw: Callable[[Log], None], taken: Callable[[], int | None], take: Callable[[], None]
) -> None:
    """Draw the run of that name again and again from its log, with a button to ``take`` its model; ``taken()`` is the
    step of the one that was taken. The page runs again when there are other runs, and when this one comes to rest."""
    st.session_state["_followed"] = [name]
    run = run_folder.place_of(folder, name)
    names, going_on = known(folder), under_way(newest(run)[0])

    @shell.fragment(run_every=TICK if going_on else REST)
    def tick() -> None:
        log, error = newest(run)
        if known(folder) != names or under_way(log) != going_on:
            st.rerun()
        if error:
            shell.sorry(t("runs.followed.unreadable", error=text.problem(error)))
        with st.container(horizontal=True, vertical_alignment="center", key="standing"):
            shell.prose(standing(log))
            _offer(run, taken(), take)
        if refused := st.session_state.pop("_refused", None):
            shell.sorry(refused)
        if log.entries:
            draw(log)

    tick()


def standing(log: Log) -> str:
    """One line on how a run stands."""
    if not log.entries:
        return t("runs.followed.nothing_readable" if log.damaged else "runs.followed.nothing_yet")
    last = log.entries[-1]
    state = "finished" if log.finished else "training" if under_way(log) else "rest"
    parts = [t(f"runs.followed.{state}")]
    parts.append(t("runs.followed.step_of" if last.steps else "runs.followed.step", step=last.step, steps=last.steps))
    if state == "training":
        parts.append(t("runs.followed.pace", pace=last.pace))
        if log.left is not None and log.left >= 0.5:
            parts.append(t("runs.followed.left", left=timedelta(seconds=round(log.left))))
    if log.damaged:
        parts.append(t("runs.followed.damaged", count=log.damaged, lines=examples(log.examples)))
    return " · ".join(parts)


def _offer(run: Path, taken: int | None, take: Callable[[], None]) -> None:
    """The button that takes the newest model to the other scenes."""
    step = run_folder.saved_step(run)
    if step is None:
        shell.caption(t("runs.followed.no_checkpoint"))
    elif step == taken:
        shell.caption(t("runs.followed.taken", step=step))
    else:
        label = t("runs.followed.take" if taken is None else "runs.followed.take_newer", step=step)
        st.button(label, icon=":material/download:", on_click=_attempt, args=(take,), key="_take")


def _attempt(take: Callable[[], None]) -> None:
    try:
        take()
    except ValueError as error:
        st.session_state["_refused"] = error


def scene(run: Path, log: Log, curve: str) -> Scene:
    """The sheets of samples on a clock of steps, and one of ``CURVES`` with the clock's place on it."""
    sheets = newest_sheets(run)
    steps = list(sheets) or [log.entries[-1].step]
    images = Images(torch.stack(list(sheets.values()))[:, None], 1) if sheets else None
    panels = [Panel(t("runs.followed.samples"), [images])] if sheets else []
    clock = Clock(steps, t("runs.followed.clock"), digits=9, start=-1)
    alt = t(f"runs.followed.alt.{curve}", name=name_of(run.name), step=log.entries[-1].step)
    return Scene([*panels, CURVES[curve](log, steps)], clock, alt)


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


@shared_cache(64)
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
    caption = t("runs.followed.loss_caption", loss=curve[-1].item(), step=log.entries[-1].step)
    names = {"equal": False, "xlabel": t("runs.loss.xlabel"), "marker": steps, "caption": caption}
    return Panel(t("runs.loss.title"), layers, ends, (low - air, high + air), **names)


def by_noise(log: Log, steps: list[int]) -> Panel:
    """The loss at each noise level when the run stood where the clock stands."""
    table = torch.stack([run_folder.mean_loss_by_sigma(log.entries, step) for step in steps])
    dots = torch.stack([torch.tensor(WITHIN).expand_as(table), table], -1)
    high = table[table.isfinite()].max().item() if table.isfinite().any() else 1.0
    layers = [Line(WITHIN, table, "denoise"), Points(dots, "denoise", size=4, alpha=1)]
    names = {"equal": False, "xlog": True, "xlabel": t("runs.followed.sigma")}
    captions = [t("runs.followed.near_step", step=step) for step in steps]
    title = t("runs.followed.by_noise_level")
    return Panel(title, layers, (0.01, 10.0), (0.0, 1.1 * high), caption=captions, **names)


CURVES: dict[str, Callable[[Log, list[int]], Panel]] = {"over_steps": loss, "by_noise_level": by_noise}
