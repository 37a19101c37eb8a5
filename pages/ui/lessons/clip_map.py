"""The vectors of pictures and captions in two dimensions."""

from collections.abc import Sequence

import torch

from core.figures.scene import Panel, Points, Scene
from core.lessons import clip as lesson
from core.lessons.clip import Space
from core.models.clip_space import Projection
from core.runs.caching import shared_cache
from pages.ui.frame import text
from pages.ui.frame.text import t

PICTURES, CAPTIONS = "pictures", "captions"
SYMBOLS = {
    "person": ("unconditional", "circle"), "face": ("conditional", "x"), "animal": ("guided", "triangle-up"),
    "food": ("negative", "square"), "place": ("data", "diamond"), "activity": ("noise", "star"),
    "object": ("denoise", "triangle-down"), "sign": ("difference", "cross"),
}  # fmt: skip
"""The role and Plotly's symbol of each group."""


@shared_cache(8)
def projection(space: Space, axes: str) -> Projection:
    """See `core.lessons.clip.project`."""
    return lesson.project(space, axes)


def groups() -> list[str]:
    """The group of each picture of a projection."""
    return [lesson.groups()[i] for i in lesson.without_skin_tone()]


def titles(found: Projection, axes: str) -> list[str]:
    """What each axis is, with its share of the variance."""
    names = (t(f"clip.map.axes.{axes}.{axis}") for axis in ("x", "y"))
    return [t("clip.map.axis", axis=name, share=share) for name, share in zip(names, found.shares)]


def scene(found: Projection, axes: str, shown: Sequence[str]) -> Scene:
    """Pictures and captions as points in the colour of their group."""
    names, labels = list(SYMBOLS), [text.label("groups", group) for group in SYMBOLS]
    group = torch.tensor([names.index(name) for name in groups()])
    roles = [role for role, _ in SYMBOLS.values()]
    layers = [
        Points(getattr(found, part), roles, group, size=size, alpha=0.75, shape=shape, label=labels)
        for part, size, shape, labels in ((PICTURES, 2.5, None, labels), (CAPTIONS, 2, "ring", ""))
        if part in shown
    ]
    (x, y), both = titles(found, axes), torch.cat([getattr(found, part) for part in shown])
    (left, low), (right, high) = both.amin(0).tolist(), both.amax(0).tolist()
    panel = Panel(t("clip.map.title"), layers, (left, right), (low, high), xlabel=x, ylabel=y)
    return Scene([panel], alt=about(found, shown))


def about(found: Projection, shown: Sequence[str]) -> str:
    """A sentence on what the map shows."""
    names = t("clip.map.both") if len(shown) > 1 else t(f"clip.controls.shown.options.{shown[0]}")
    return t("clip.map.about", shown=names, n=len(found.pictures), gap=found.gap)
