"""Chapter 6: what a shift does to the noise levels of a sampler, to samples in the plane, and why large images need
it."""

from dataclasses import replace

import torch
from torch import Tensor

from core.data import images
from core.figures.scene import Clock, Images, Line, Panel, Points, Scene
from core.lessons import flow_matching as lesson
from pages.ui.frame import text
from pages.ui.frame.text import t
from pages.ui.lessons.flow_config import COARSE, SECONDS, Config, data_layer, plane
from pages.ui.lessons.shared_scene import shared_scene

SHIFTS = {1: "denoise", 3: "conditional", 8: "negative"}
"""The shifts that are compared, and the role of the colour of each."""
STEPS, WITHIN = 8, 5  # of the sampler, and frames within each
N = 400  # samples of a cloud
LARGER = 5  # times as many pixels along a side


@shared_scene
def shift(config: Config) -> Scene:
    """Noise levels over steps, samples under each shift, and one picture in two sizes under the same noise."""
    panels = [*(cloud(each, config.seed) for each in SHIFTS), levels(), two_sizes(config)]
    clock = Clock(torch.linspace(0, STEPS, STEPS * WITHIN + 1), t("flow_matching.axes.step"), 2, -1)
    found = text.join(t("flow_matching.shift.alt_cloud", title=panel.title) for panel in panels[:3])
    alt = t("flow_matching.shift.alt", found=found, level=config.level)
    return Scene(panels, clock, alt, fps=STEPS * WITHIN / SECONDS)


def levels() -> Panel:
    """The noise level after each step under every shift; those of the first and of the last step have no logarithm."""
    steps = torch.arange(1, STEPS)
    curves, dots = [], []
    for factor, role in SHIFTS.items():
        times = lesson.even_times(STEPS, factor)[1:-1]
        sigma = times / (1 - times)
        curves.append(Line(steps, sigma, role, t("flow_matching.layers.shift", factor=factor), dash=()))
        dots.append(torch.stack([steps, sigma], 1))
    group = [k for k in range(len(dots)) for _ in steps]
    points = Points(torch.cat(dots), list(SHIFTS.values()), group, size=3.5, alpha=1)
    marker = torch.linspace(0, STEPS, STEPS * WITHIN + 1)
    title, xlabel = t("flow_matching.panels.levels"), t("flow_matching.axes.step")
    return Panel(title, [*curves, points], (0, STEPS), (0.1, 80), False, xlabel, ylog=True, marker=marker)


def cloud(factor: int, seed: int) -> Panel:
    """Samples in `STEPS` steps under a shift. A frame between two steps lies between their states."""
    states = lesson.clouds(STEPS, float(factor), N, seed, COARSE)
    frames = lesson.at_times(
        states, torch.arange(STEPS, -1, -1.0), torch.linspace(STEPS, 0, STEPS * WITHIN + 1)
    )  # at even times here: the clock counts steps
    data = replace(data_layer(lesson.endless()), label="")
    return plane(t(f"flow_matching.shifted.{factor}"), [data, Points(frames, SHIFTS[factor], size=2, alpha=0.7)])


def two_sizes(config: Config) -> Panel:
    """A picture, the same under noise in its size and LARGER times as large, and the mean of the large one's blocks."""
    clean = images.picture(config.image)
    large = enlarged(clean)
    small_noisy, noisy = (x + config.level * lesson.picture_noise(x, config.seed) for x in (clean, large))
    shown = [large, enlarged(small_noisy), noisy, enlarged(lesson.block_means(noisy, LARGER))]
    sides = [f"{len(x)} × {len(x)}" for x in (clean, large)]
    names = [t("flow_matching.layers.clean"), *sides, t("flow_matching.layers.block_means", side=LARGER)]
    pixels = images.pixels(torch.stack(shown))[None]
    return Panel(t("flow_matching.panels.sizes", level=config.level), [Images(pixels, 2, names=names)])


def enlarged(picture: Tensor) -> Tensor:
    """Each pixel of a picture [h, w, ...] as a block of LARGER x LARGER equal ones."""
    return picture.repeat_interleave(LARGER, 0).repeat_interleave(LARGER, 1)
