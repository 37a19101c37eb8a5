"""Panels of chapter 4: clouds, the path of one particle, and the distance between two clouds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.diffusion.forward import in_view
from core.diffusion.samplers import ETA_INTERPOLATED, SamplerConfig
from core.diffusion.schedules import scale
from core.figures.scene import Line, Panel, Path, Points, Window
from core.models.points import SIGMA_MIN
from core.models.trajectories import Trajectory
from pages.ui.frame import text
from pages.ui.frame.text import t

SEEN = 4000  # points that the clouds of one picture draw together: more take longer to travel than to be seen


def clouds(
    made: Sequence[Trajectory], points: Tensor, sigmas: Tensor, window: Window, caption: str | None = "cloud"
) -> list[Panel]:
    """The clouds side by side over the data [N, 2], beside many others only the first points of each; ``caption`` names
    what is said of the quality of all samples."""
    data = Points(_data(points, sigmas, window), "data", size=1.3, alpha=1, label=t("sampling.layers.data"))
    panels = []
    for each in made:
        states = in_view(each.at(sigmas)[:, : SEEN // len(made)], sigmas, window.view)
        cloud = Points(states, "sample", size=2.4, alpha=0.6, label=t("sampling.layers.samples"))
        title = title_of(each.config, steps=len(made) < 3)
        panels.append(
            Panel(title, [cloud, data], caption=caption_of(each, caption) if caption else "", **window.limits)
        )
    return panels


def title_of(config: SamplerConfig, steps: bool = True) -> str:
    """The title of a sampler's panel."""
    interpolated = config.sampler == ETA_INTERPOLATED
    name = t("sampling.panels.eta", eta=config.eta) if interpolated else text.label("samplers", config.sampler)
    return t("sampling.panels.cloud", count=config.steps, sampler=name) if steps else name


def caption_of(made: Trajectory, name: str) -> str:
    """The quality of the samples of a trajectory, in words, with its network calls ("cloud") or without ("samples")."""
    quality = made.quality
    values = {"covered": quality.covered, "of": quality.of, "distance": quality.distance}
    return t(f"sampling.captions.{name}", count=made.config.nfe, **values)


def paths(
    made: Sequence[Trajectory], exact: Sequence[Trajectory], k: int, points: Tensor, sigmas: Tensor, window: Window
) -> list[Panel]:
    """Particle k under each sampler, and as a dotted line its path under the exact denoiser."""
    data = Points(_data(points, sigmas, window), "data", size=1.3, alpha=0.5)
    panels = []
    for each, ideal in zip(made, exact, strict=True):
        path, other = (in_view(one.at(sigmas)[:, k], sigmas, window.view) for one in (each, ideal))
        layers = [data, Path(path, "sample"), Line(*other.T, "exact", dash=(2, 6), width=1.5)]
        apart = (each.states[-1, k] - ideal.states[-1, k]).norm().item()
        caption = t("sampling.captions.path", count=each.config.nfe, apart=apart)
        panels.append(Panel(title_of(each.config, steps=False), layers, caption=caption, **window.limits))
    return panels


def _data(points: Tensor, sigmas: Tensor, window: Window) -> Tensor:
    """The data where a view draws them: [N, 2], or [T, N, 2] where they shrink with the noise."""
    return points if window.view == "ve" else points * scale(sigmas, window.view).float()[:, None, None]


def distance(sigmas: Tensor, apart: Tensor, noise_floor: Tensor, marker: Tensor) -> Panel:
    """The distance of two clouds over the noise levels, in units of that of two exact ones, each [T]; the noise level
    falls to the right, as on the clock."""
    times, x = apart / noise_floor, sigmas.clamp_min(SIGMA_MIN)
    lines = [
        Line(x, torch.ones_like(times), "exact", t("sampling.layers.floor")),
        Line(x, times, "sample", t("sampling.layers.these_two"), dash=(), width=3),
    ]
    ends, top = (x[-1].item(), x[0].item()), max(4, 1.05 * times.max().item())
    words = {"caption": t("sampling.captions.distance", times=times.max().item()), "xlabel": "σ"}
    marker = marker.clamp_min(ends[0])
    title = t("sampling.panels.distance")
    return Panel(title, lines, ends, (0, top), False, xlog=True, xreversed=True, marker=marker, **words)
