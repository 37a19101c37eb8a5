"""Panels of the stage that show a network learning: samples over its field, its loss, and one place under the lens."""

import math

import torch
from torch import Tensor

from core import recipe
from core.passing import Passing
from core.recipe import Snapshot
from pages.ui.stage import Arrows, Layer, Line, Panel, Points

REACH = 1.7
LIMITS = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH)}
SHOWN, DRAWN = 10, 160  # walks; points of the loss curve


def thinned(points: Tensor, most: int = 120) -> Tensor:
    """At most about ``most`` of the points, evenly picked."""
    return points[:: max(1, len(points) // most)]


def cloud(shot: Snapshot, points: Tensor) -> Panel:
    """Samples on their way over the learned field, and the data where the same view draws them."""
    layers = [
        Points(thinned(points) * shot.scale, "data", size=1.6, alpha=0.7, label="data"),
        Arrows(shot.places, shot.arrows, "denoise", 1.2, label="learned arrow x̂₀ − x"),
        Points(shot.samples, "sample", size=2.4, label="samples"),
    ]
    return Panel("Samples on their way, over the learned field", layers, **LIMITS)


def loss(shot: Snapshot) -> Panel:
    """The network's loss so far beside the exact denoiser's."""
    smooth = recipe.smooth(shot.losses)
    known, ends = len(smooth) > 0, (recipe.BLOCK, max(10 * recipe.BLOCK, shot.step))
    picked = torch.linspace(0, len(smooth) - 1, min(len(smooth), DRAWN)).round().long()
    lines = [Line(recipe.BLOCK * (picked + 1), smooth[picked], "denoise", "network's loss")]
    if not math.isnan(shot.floor):
        lines.append(Line(ends, [shot.floor] * 2, "exact", "exact denoiser's loss"))
    said = f"network {smooth[-1]:.3f} · exact {shot.floor:.3f}" if known else "no training yet"
    ylim = None if known else (0, 1.2)
    return Panel("Loss", lines, xlim=ends, ylim=ylim, equal=False, xlabel="training step", caption=said)


def through_here(passed: Passing, points: Tensor) -> list[Panel]:
    """Left the walks that end at the probe and where they began, right the mean arrow and the network's."""
    frames, (n, steps) = len(passed.sigmas), (passed.walks.shape[1], passed.walks.shape[2] - 1)
    here = passed.x.expand(frames, 1, 2)
    # A point of NaN lifts the pen between two walks of one line.
    spread = torch.linspace(0, n - 1, SHOWN).long()
    walks = torch.nn.functional.pad(passed.walks[:, spread], (0, 0, 0, 1), value=math.nan).flatten(1, 2)
    data: list[Layer] = [Points(thinned(points, 400), "data", size=1.8, alpha=0.6, label="data")]
    ways = [
        *data,
        Line(walks[..., 0], walks[..., 1], "noise", f"{SHOWN} of {n} walks", dash=(), width=1.2),
        Points(passed.starts[:, spread], "data", size=5, alpha=1, shape="ring", label="where they began"),
    ]
    arrows = [
        *data,
        Arrows(here, passed.exact[:, None], "exact", 5, label="to the mean start, exact"),
        Arrows(here, passed.learned[:, None], "denoise", 2, label="the network's"),
    ]
    means = zip(passed.mean_start.tolist(), (-steps * passed.mean_last_step).tolist(), strict=True)
    both = zip(passed.exact.tolist(), passed.learned.tolist(), strict=True)
    return [
        Panel("Walks that pass through here", ways, probe=True, **LIMITS,
              caption=[f"mean way back {_pair(way)} = {steps} × mean last step {_pair(step)}" for way, step in means]),
        Panel("What they average to", arrows, probe=True, **LIMITS,
              caption=[f"exact {_pair(exact)} · network {_pair(learned)}" for exact, learned in both]),
    ]  # fmt: skip


def _pair(xy: list[float]) -> str:
    return f"({xy[0]:+.2f}, {xy[1]:+.2f})"
