"""Panels of the stage that show a network learning: samples over its field, its loss, and one place under the lens."""

import math

import torch
from torch import Tensor

from core.figures.scene import Arrows, Layer, Line, Panel, Points
from core.lessons.training import ARROWS_FROM, PosteriorWalks, Snapshot
from core.models import live_digits
from core.runs.progress import BLOCK, smooth

REACH = 1.7
LIMITS = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH)}
SHOWN, DRAWN = 10, 160  # walks; points of the loss curve
NEAR = 1.1  # a loss of so many times the exact denoiser's is near it


def thinned(points: Tensor, most: int = 120) -> Tensor:
    """At most about ``most`` of the points, evenly picked."""
    return points[:: max(1, len(points) // most)]


def cloud(shot: Snapshot, points: Tensor) -> Panel:
    """Samples on their way over the network's field, and the data where the same view draws them."""
    kind = "learned arrow" if shot.step else "untrained arrow"
    depths = [f"arrows of σ = {max(ARROWS_FROM, sigma):.2g}" for sigma in shot.sigmas.tolist()]
    layers = [
        Points(thinned(points) * shot.scale, "data", size=1.6, alpha=0.7, label="data"),
        Arrows(shot.places, shot.arrows, "denoise", 1.2, label=f"{kind} x̂₀ − x"),
        Points(shot.samples, "sample", size=2.4, label="samples"),
    ]
    return Panel("Samples on their way, over the network's field", layers, caption=depths, **LIMITS)


def near(shot: Snapshot) -> bool:
    """Whether the network's loss has come near the exact denoiser's."""
    return len(shot.losses) > 0 and smooth(shot.losses)[-1].item() <= NEAR * shot.bayes_loss


def loss(shot: Snapshot | live_digits.Snapshot, broke: bool = False) -> Panel:
    """The network's loss so far beside the exact denoiser's; ``broke``: then the run broke down."""
    curve, ends = smooth(shot.losses), (0, max(10 * BLOCK, 1.02 * shot.step))
    title, names = "Loss", {"equal": False, "xlabel": "training step"}
    if not len(curve):
        said = "not kept with this model" if shot.step else "no training yet"
        return Panel(title, [Line(ends, [shot.bayes_loss] * 2, "exact")], ends, (0, 1.2), caption=said, **names)
    unknown = max(0, math.ceil(shot.step / BLOCK) - len(curve))  # blocks of a model that came without its loss
    steps = (BLOCK * torch.arange(unknown + 1, unknown + len(curve) + 1)).clamp(max=shot.step)
    picked = torch.linspace(0, len(curve) - 1, min(len(curve), DRAWN)).round().long()
    low, high = _window(curve, shot.bayes_loss)
    now = torch.stack([steps[-1:], curve[-1:]], 1)
    layers = [
        Line(steps[picked], curve[picked], "denoise", "network's loss"),
        Points(now, "denoise", size=4, alpha=1, shape="dot"),
        Line(ends, [shot.bayes_loss] * 2, "exact", "exact denoiser's loss"),
    ]
    if broke:
        fatal = [[shot.step, 0.95 * high + 0.05 * low]]
        layers.append(Points(fatal, "negative", size=9, alpha=1, shape="cross", label="broke down"))
    said = f"network {curve[-1]:.3f} · exact {shot.bayes_loss:.3f}"
    return Panel(title, layers, ends, (low, high), caption=said, **names)


def _window(smooth: Tensor, floor: float) -> tuple[float, float]:
    """Where the axis of a loss curve begins and ends: around all of it but a spike, which may leave at the top."""
    heights = torch.tensor([smooth.min(), min(smooth.max(), 1.5 * smooth.median()), floor])
    low, high = heights[: 2 + math.isfinite(floor)].aminmax()
    air = 0.06 * (high - low).item() or 0.1
    return low.item() - air, high.item() + air


def through_here(passed: PosteriorWalks, points: Tensor) -> list[Panel]:
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
        Arrows(here, passed.exact[:, None], "exact", 8, (), label="to the mean start, exact"),
        Arrows(here, passed.learned[:, None], "denoise", 2.5, label="the network's"),
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
