"""The pictures of chapter 1: what noise does to points and to images, as panels of the stage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import streamlit as st
import torch
from torch import Tensor

from core.data import images
from core.diffusion import forward, schedules
from core.diffusion.schedules import Schedule
from core.figures.scene import Arrows, Heat, Images, Line, Panel, Path, Points

TIMETABLES = {"ddpm-linear": "denoise", "cosine": "conditional", "log-linear": "guided", "karras": "difference",
              "rectified-flow": "negative"}  # fmt: skip
REACH = {"vp": 2.9, "ve": 5.8, "flow": 2.9}  # half the width of a view
SQUARE = [-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]

_kept = partial(st.cache_data, max_entries=32, show_spinner=False, hash_funcs={Tensor: lambda x: x.numpy().tobytes()})
_chance, _dissolving = _kept(forward.chance_distance), _kept(forward.density_frames)


@dataclass(frozen=True)
class Noise:
    """The noise that a learner chose: a schedule in so many steps, drawn in a view, from a seed."""

    schedule: Schedule
    steps: int
    view: str
    seed: int

    @cached_property
    def t(self) -> Tensor:
        """The clock, [steps + 1]."""
        return torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)

    @cached_property
    def sigma(self) -> Tensor:
        """The noise levels, [steps + 1]."""
        return forward.levels(self.schedule, self.steps)

    @property
    def limits(self) -> tuple[float, float]:
        """Both axes of the view."""
        return -REACH[self.view], REACH[self.view]

    def plane(self, title: str, layers: Sequence, **options) -> Panel:
        """A panel of the plane that holds the view."""
        return Panel(title, layers, self.limits, self.limits, **options)

    def walk(self, x0: Tensor, stride: float = 1.0) -> Tensor:
        """x0 on its walk, each step ``stride`` times as long as it should be."""
        return forward.random_walk(x0, stride * self.sigma, self.seed)

    def jump(self, x0: Tensor) -> Tensor:
        """x0 after one jump to each level."""
        return forward.jump(x0, self.sigma, forward.jump_noise(x0, self.seed))

    def drawn(self, x: Tensor) -> Tensor:
        """States [T, ...] as the view draws them."""
        return forward.in_view(x, self.sigma, self.view)


def two_pixels(noise: Noise, x0: Tensor) -> list[Panel]:
    """One image x0 [2] of two pixels: as a point of the plane, and as two grey squares without and with noise."""
    walk = noise.drawn(noise.walk(x0))
    layers = [
        Line(*SQUARE, "grid", "from black to white", dash=(5, 4)),
        Path(walk, "sample", "xₜ"),
        Points(x0[None], "data", size=7, label="x₀"),
    ]
    squares = images.pixels(torch.stack([x0.expand_as(walk), walk], 1))[:, :, None]
    brightness = [f"xₜ = ({left:+.2f}, {right:+.2f})".replace("-", "−") for left, right in walk.tolist()]
    names = {"xlabel": "brightness of the left pixel", "ylabel": "brightness of the right pixel"}
    return [
        noise.plane("The image as a point", layers, probe=True, **names),
        Panel("The image as a picture", [Images(squares, 1, names=("x₀", "xₜ"))], caption=brightness),
    ]


def walk_and_jump(noise: Noise, x0: Tensor, title: str, stride: float, jumping: bool) -> list[Panel]:
    """Walks from each x0 [n, 2], one of them as a path; with ``jumping`` jumps as well, and how different they are."""
    walks, start = noise.walk(x0, stride), noise.drawn(x0[:1].expand(noise.steps + 1, 1, 2))
    name = "x₀" if noise.view == "ve" else "αₜ x₀"
    seen, one = noise.drawn(walks), bool((x0 == x0[0]).all())
    layers = [Points(seen[:, 1:], "sample", alpha=0.6, label="walks"), Path(seen[:, 0], "sample"),
              Points(start, "data", size=6, label=name)]  # fmt: skip
    if not jumping:
        return [noise.plane(title, layers, probe=one)]
    jumps = noise.drawn(noise.jump(x0))
    layers.insert(1, Points(jumps[:, 1:], "noise", label="jumps"))
    if one:
        rim = noise.drawn(forward.contour(x0[0], noise.sigma))
        layers.append(Line(rim[..., 0], rim[..., 1], "grid", f"nine in ten, around {name}", dash=(5, 4)))
    layers.append(Arrows(start, jumps[:, :1] - start, "noise", 3, dash=()))
    return [noise.plane(title, layers, probe=one), difference(noise, x0, walks)]


def difference(noise: Noise, x0: Tensor, walks: Tensor) -> Panel:
    """The distance of walks [T, n, 2] from jumps over time, beside the one that chance rarely exceeds.

    Measured at the scale of the "vp" view, whichever is drawn, so that clouds of any noise are of one size. Chance does
    not care where the start is: what was computed for one holds for all.
    """
    some = torch.linspace(0, noise.steps, min(noise.steps, 20) + 1).round().long()
    apart = forward.distances(walks[some], noise.jump(x0)[some]) * schedules.scale(noise.sigma[some], "vp")
    levels = forward.levels(noise.schedule, 10)
    limit = _chance(x0 - x0[0], levels, noise.seed) * schedules.scale(levels, "vp")
    lines = [Line(torch.linspace(0, 1, len(limit)), limit, "exact", "chance stays below"),
             Line(noise.t[some], apart, "sample", "walks to jumps", width=3)]  # fmt: skip
    top = max(3 * limit.max().item(), 1.05 * apart.max().item())
    title = "How different are the clouds?"
    return Panel(title, lines, (0, 1), (0, top), False, "t", "energy distance", marker=noise.t)


def dissolving(noise: Noise, name: str, cloud: Tensor, shape: Tensor | None, photo: Tensor) -> list[Panel]:
    """A cloud [n, 2] on its walks, over the density of its ``shape`` [m, 2] if given, and a photo on its own."""
    layers = [Points(noise.drawn(noise.walk(cloud)), "sample", size=2, label="xₜ")]
    if shape is not None:
        density = _dissolving(shape, noise.sigma.float(), noise.view, torch.linspace(*noise.limits, 64))
        layers.insert(0, Heat(density, noise.limits + noise.limits, "density"))
    alphas = schedules.scale(noise.sigma, noise.view)
    formula = [f"xₜ = {a:.2f} x₀ + {a * s:.2f} ε" for a, s in zip(alphas, noise.sigma, strict=True)]
    pixels = images.pixels(noise.drawn(noise.walk(photo)))
    return [
        noise.plane(f"{len(cloud)} pictures of two pixels: the {name}", layers, caption=formula),
        Panel(f"One picture of {photo.numel():,} numbers", [Images(pixels[:, None])]),
    ]


def timetables(noise: Noise, x0: Tensor) -> list[Panel]:
    """The same cloud x0 [n, 2] with the same noise under each schedule, and their log-SNR over t."""
    panels, curves, dots = [], [Line([0, 1], [0, 0], "grid")], []
    for name, colour in TIMETABLES.items():
        other, chosen = replace(noise, schedule=schedules.make_schedule(name)), name == noise.schedule.name
        snr = schedules.log_snr(other.schedule.sigma(noise.t))
        title = f"{name} (chosen)" if chosen else name
        panels.append(noise.plane(title, [Points(other.drawn(other.jump(x0)), colour, size=1.7)]))
        curves.append(Line(noise.t, snr, colour, dash=(), width=4 if chosen else 2))
        dots.append(torch.stack([noise.t, snr], 1))
    curves.append(Points(torch.stack(dots, 1), list(TIMETABLES.values()), range(len(dots)), size=5, alpha=1))
    return [*panels, Panel("log(signal / noise) over t", curves, (0, 1), (-14, 14), equal=False, marker=noise.t)]
