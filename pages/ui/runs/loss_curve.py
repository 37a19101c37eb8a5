"""The loss of a run so far beside the loss of the exact denoiser, as a panel."""

import math
from typing import Protocol

import torch
from torch import Tensor

from core.figures.scene import Line, Panel, Points
from core.runs.progress import BLOCK, smooth
from pages.ui.frame.text import t

DRAWN = 160  # points of the curve


class Losses(Protocol):
    """What is known at ``step``: the loss so far in blocks of ``BLOCK`` steps, [n], and the exact denoiser's."""

    step: int
    losses: Tensor
    bayes_loss: float


def loss_curve(shot: Losses, broke: bool = False) -> Panel:
    """The network's loss so far beside the exact denoiser's; ``broke``: the run broke down at its last step."""
    curve, ends = smooth(shot.losses), (0, max(10 * BLOCK, 1.02 * shot.step))
    title, axes = t("runs.loss.title"), {"equal": False, "xlabel": t("runs.loss.xlabel")}
    if not len(curve):
        caption = t("runs.loss.not_kept" if shot.step else "runs.loss.none")
        return Panel(title, [Line(ends, [shot.bayes_loss] * 2, "exact")], ends, (0, 1.2), caption=caption, **axes)
    unknown = max(0, math.ceil(shot.step / BLOCK) - len(curve))  # blocks of a model that came without its loss
    steps = (BLOCK * torch.arange(unknown + 1, unknown + len(curve) + 1)).clamp(max=shot.step)
    picked = torch.linspace(0, len(curve) - 1, min(len(curve), DRAWN)).round().long()
    low, high = _window(curve, shot.bayes_loss)
    now = torch.stack([steps[-1:], curve[-1:]], 1)
    layers = [
        Line(steps[picked], curve[picked], "denoise", t("runs.loss.network")),
        Points(now, "denoise", size=4, alpha=1, shape="dot"),
    ]
    known = math.isfinite(shot.bayes_loss)
    if known:
        layers.append(Line(ends, [shot.bayes_loss] * 2, "exact", t("runs.loss.exact")))
    if broke:
        fatal = [[shot.step, 0.95 * high + 0.05 * low]]
        layers.append(Points(fatal, "negative", size=9, alpha=1, shape="cross", label=t("runs.loss.broke")))
    values = {"network": curve[-1].item(), **({"exact": shot.bayes_loss} if known else {})}
    caption = t(f"runs.loss.{'caption' if known else 'alone'}", **values)
    return Panel(title, layers, ends, (low, high), caption=caption, **axes)


def _window(curve: Tensor, bayes_loss: float) -> tuple[float, float]:
    """Limits of the axis of a loss: around all of the curve but a spike, which may leave at the top."""
    heights = torch.tensor([curve.min(), min(curve.max(), 1.5 * curve.median()), bayes_loss])
    low, high = heights[: 2 + math.isfinite(bayes_loss)].aminmax()
    margin = 0.06 * (high - low).item() or 0.1
    return low.item() - margin, high.item() + margin
