"""Towers that learn while one looks: the matrix that turns diagonal, and the loss beside it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from core.figures.scene import Clock, Line, Matrix, Panel
from core.lessons import clip as clip_lesson
from core.lessons.clip import Snapshot
from core.models import clip as clip_model
from core.models.clip import ClipConfig
from core.pretrained import pretrained
from core.runs.checkpoints import Checkpoint
from core.runs.progress import BLOCK, Progress, smooth
from pages.ui.frame import shell_old as shell
from pages.ui.runs import training_run
from pages.ui.stage.player import stage

KIND = "towers"
BATCHES = (16, 32, 64, 128, 256)
WHICH = {"trained on": False, "held out": True}
LIMITS = (-0.2, 0.8)  # cosines from the lightest cell to the darkest, in the light theme
MARKS = tuple(sorted(step for step in clip_lesson.FRAMES if step < clip_lesson.PLAN.steps))


class Data(NamedTuple):
    name: str
    key: str


@dataclass(frozen=True)
class ClipTraining(training_run.TrainingRequest):
    """A small pair of towers on the captioned emoji."""

    data: Data = Data("emoji", "emoji with captions")
    config: ClipConfig = clip_lesson.PLAN
    picture: Any = clip_lesson.snapshot

    @property
    def kind(self) -> str:
        return KIND

    def begin(self) -> Checkpoint:
        return clip_model.new_checkpoint(self.config, clip_lesson.pairs())

    def run(self, progress: Progress) -> Iterator[Progress]:
        return clip_lesson.run(self.config, progress)

    def bayes_loss(self) -> float:
        return math.nan  # nobody knows the least loss that towers can have

    def keep(self, progress: Progress) -> Checkpoint:
        return clip_lesson.keep(progress, self.config)


def choose() -> tuple[ClipTraining, bool]:
    """The controls: a plan, and whether the pictures of the matrix are held out."""
    which = shell.segmented("Pictures of the matrix", list(WHICH), default="trained on", key="which")
    about = "So many pairs at a time: each picture is to find its caption among all of them."
    batch = shell.select_slider("Batch N", BATCHES, clip_lesson.PLAN.batch, key="batch", help=about)
    lr = shell.number("Learning rate", 1e-6, 1.0, clip_lesson.PLAN.lr, step=1e-3, format="%g", key="lr")
    seed = int(shell.number("Seed", 0, 9999, 0, key="seed"))
    return ClipTraining(config=replace(clip_lesson.PLAN, batch=batch, lr=lr, seed=seed)), WHICH[which]


def show(controls: DeltaGenerator, picture: DeltaGenerator, ready: bool) -> tuple[bool, bool]:
    """Draw the scene into the two columns of ``shell.picture``. Whether there was training to be seen, and whether all
    captions of the matrix find their own picture by now."""
    with controls:
        plan, held_out = choose()
        view = training_run.current(plan)
        training_run.heed_learning_rate(plan, view)
    with picture:
        training_run.buttons(plan, view, ready)
        if view is not None and view.error:
            shell.sorry(view.error)
        training_run.watch(plan, view, partial(draw, plan.config.batch, held_out), MARKS)
    shot = view and view.picture
    if not shot or not shot.step:
        return False, False
    return True, clip_lesson.right(shot.cosines[-1, int(held_out)]) == clip_lesson.N


def draw(batch: int, held_out: bool, shot: Snapshot, standing: str) -> None:
    """The matrix so far; beside it the loss, or before any training the matrix of the shipped pair."""
    st.markdown(standing)
    cosines = shot.cosines[:, int(held_out)]
    title = "Captions × pictures, now" if shot.step else "Before training"
    trained = "Trained for long, as shipped"
    beside = loss(shot, batch) if shot.step else matrix(trained, shipped()[:, int(held_out)], held_out)
    panels = [matrix(title, cosines, held_out), beside]
    said = ". ".join(f"{panel.title}: {panel.caption if isinstance(panel.caption, str) else panel.caption[-1]}"
                     for panel in panels)  # fmt: skip
    stage(
        panels,
        Clock(shot.steps, "step", digits=9, start=-1),
        key="matrix",
        alt=f"A matrix of the cosines of {clip_lesson.N} captions (rows) and their pictures (columns) after {shot.step} "
        f"training steps; where it is right, its diagonal is dark. {said}.",
        fps=4,
        permalink=True,
    )


def matrix(title: str, cosines: Tensor, held_out: bool) -> Panel:
    """Cosines [T, N, N] of the captions with the pictures."""
    own, pairs = list(clip_lesson.shown(held_out)), clip_lesson.pairs()
    names = [pairs.captions[i] for i in own]
    label = "cosine, −0.2 to 0.8; framed: own pair"
    layer = Matrix(cosines, pairs.images[own].movedim(1, -1), names, LIMITS, "guided", label)
    said = [
        f"● {clip_lesson.right(one)} of {len(own)} captions find their picture · "
        f"own pairs {one.diag().mean():.2f}, others {others(one):.2f}".replace("-", "−")
        for one in cosines
    ]
    return Panel(title, [layer], caption=said if len(said) > 1 else said[0])


def others(cosines: Tensor) -> float:
    """The mean cosine of what does not belong together."""
    return cosines[~torch.eye(len(cosines), dtype=torch.bool)].mean().item()


@st.cache_resource(show_spinner=False)
def shipped() -> Tensor:
    """The matrices of the shipped pair, [1, 2, N, N]."""
    checkpoint = pretrained("clip")
    return clip_lesson.matrix(checkpoint.denoiser, clip_model.tokenizer_of(checkpoint.config))[None]


def loss(shot: Snapshot, batch: int) -> Panel:
    """The loss so far, and what it is for towers that know nothing."""
    curve, top = smooth(shot.losses), math.log(batch)
    steps = (BLOCK * torch.arange(1, len(curve) + 1)).clamp(max=shot.step)
    ends = (0, max(100, 1.02 * shot.step))
    layers = [
        Line(steps, curve, "denoise", "the towers’ loss"),
        Line(ends, [top] * 2, "exact", f"log {batch} = {top:.2f}: all captions alike"),
    ]
    said = f"{curve[-1]:.2f}: the own caption gets {math.exp(-curve[-1]):.0%} of the softmax, a guess {1 / batch:.1%}"
    return Panel(f"Loss of a batch of {batch} pairs", layers, ends, (0, 1.25 * top), equal=False,
                 xlabel="training step", marker=shot.steps, caption=said)  # fmt: skip
