"""A small CLIP that is trained live: the matrix of cosines, which turns diagonal, and the loss beside it.

There is one for each set of pictures: people and emoji.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core.figures.scene import Clock, Line, Matrix, Panel, Scene
from core.lessons import clip as lesson
from core.lessons import clip_people as people_lesson
from core.lessons.clip import Snapshot
from core.models import clip as clip_model
from core.models import clip_space
from core.models.clip import ClipConfig
from core.pretrained import pretrained
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint
from core.runs.progress import BLOCK, Progress, smooth
from pages.ui.frame import text
from pages.ui.frame.text import fixed, t
from pages.ui.runs import training_run

KINDS = {"people": "people_clip", "emoji": "clip"}
MODELS = {"people": people_lesson.MODEL, "emoji": "clip"}
"""The kind of the runs on each set, and the shipped model."""

LIMITS = (-0.2, 0.8)  # cosines from the lightest cell to the darkest, in the light theme
STEPS = tuple(sorted(step for step in lesson.MATRIX_STEPS if step < lesson.CONFIG.steps))


class Data(NamedTuple):
    """What a run is trained on."""

    name: str
    key: str


DATA = {"people": Data("people", "captioned_people"), "emoji": Data("emoji", "captioned_emoji")}


@dataclass(frozen=True)
class Shown:
    """Which of the matrices is shown: of a set, with captions in a language, held out from training or not."""

    data: str
    language: str
    held_out: bool

    @property
    def number(self) -> int:
        """See ``lesson.matrix_number``."""
        return lesson.matrix_number(self.held_out, self.data, self.language)


@dataclass(frozen=True)
class ClipTraining(training_run.TrainingRequest):
    """The training of a small CLIP on the captioned pictures of a set."""

    data: Data = DATA["emoji"]
    config: ClipConfig = lesson.CONFIG
    picture: Any = lesson.snapshot

    @property
    def kind(self) -> str:
        return KINDS[self.data.name]

    def begin(self) -> Checkpoint:
        return clip_model.new_checkpoint(self.config, clip_space.pairs(self.data.name))

    def run(self, progress: Progress) -> Iterator[Progress]:
        return lesson.run(self.config, progress, self.data.name)

    def bayes_loss(self) -> float:
        return math.nan  # the least loss that two encoders can have is not known

    def checkpoint(self, progress: Progress) -> Checkpoint:
        return lesson.checkpoint(progress, self.config, self.data.name)


def training(data: str, config: ClipConfig) -> ClipTraining:
    """The training of a small CLIP on a set."""
    return ClipTraining(DATA[data], config, lesson.people_snapshot if data == "people" else lesson.snapshot)


@shared_cache(8)
def untrained(config: ClipConfig, data: str) -> Snapshot:
    """A run before its first step."""
    state = clip_model.new_checkpoint(config, clip_space.pairs(data)).state
    return lesson.snapshot(Progress(state), data)


@shared_cache(2)
def shipped(data: str) -> Tensor:
    """The matrices of the shipped CLIP of a set, [1, K, N, N]."""
    checkpoint = pretrained(MODELS[data])
    return lesson.matrix(checkpoint.denoiser, clip_model.tokenizer_of(checkpoint.config), data)[None]


def scene(snapshot: Snapshot, batch: int, shown: Shown, compare: bool = True) -> Scene:
    """The matrix over the steps so far; beside it the loss, or before any training the matrix of the shipped CLIP, if
    the two are to be compared."""
    panels = [matrix("now" if snapshot.step else "untrained", snapshot.cosines[:, shown.number], shown)]
    if snapshot.step:
        panels.append(loss(snapshot, batch))
    elif compare:
        panels.append(matrix("shipped", shipped(shown.data)[:, shown.number], shown))
    ends = (panel.caption if isinstance(panel.caption, str) else panel.caption[-1] for panel in panels)
    described = (f"{panel.title}: {end}." for panel, end in zip(panels, ends))
    alt = text.join((t("clip.train_live.alt", n=lesson.N, step=snapshot.step), *described))
    clock = Clock(snapshot.steps, t("clip.train_live.step"), digits=9, start=-1)
    return Scene(panels, clock, alt, fps=4)


def matrix(title: str, cosines: Tensor, shown: Shown) -> Panel:
    """Cosines [T, N, N] of the captions with the pictures."""
    numbers, pairs = list(lesson.matrix_pairs(shown.held_out, shown.data)), clip_space.pairs(shown.data)
    names = lesson.matrix_captions(shown.held_out, shown.data, shown.language)
    layer = Matrix(cosines, pairs.images[numbers].movedim(1, -1), names, LIMITS, "guided", t("clip.layers.cosine"))
    captions = [
        t("clip.captions.matrix", right=lesson.count_matches(one), n=len(numbers),
          own=fixed(one.diag().mean().item()), others=fixed(mean_of_others(one)))
        for one in cosines
    ]  # fmt: skip
    return Panel(t(f"clip.panels.{title}"), [layer], caption=captions if len(captions) > 1 else captions[0])


def mean_of_others(cosines: Tensor) -> float:
    """The mean cosine off the diagonal of a matrix [N, N]."""
    return cosines[~torch.eye(len(cosines), dtype=torch.bool)].mean().item()


def loss(snapshot: Snapshot, batch: int) -> Panel:
    """The loss so far, and the loss at which all captions are equally likely."""
    curve, top = smooth(snapshot.losses), math.log(batch)
    steps = (BLOCK * torch.arange(1, len(curve) + 1)).clamp(max=snapshot.step)
    ends = (0, max(100, 1.02 * snapshot.step))
    layers = [
        Line(steps, curve, "denoise", t("clip.layers.loss")),
        Line(ends, [top] * 2, "exact", t("clip.layers.log_n", n=batch, log=top)),
    ]
    newest = curve[-1].item()
    caption = t("clip.captions.loss", loss=newest, share=math.exp(-newest), guess=1 / batch)
    title, xlabel = t("clip.panels.loss", n=batch), t("clip.train_live.xlabel")
    return Panel(title, layers, ends, (0, 1.25 * top), equal=False, xlabel=xlabel, marker=snapshot.steps,
                 caption=caption)  # fmt: skip
