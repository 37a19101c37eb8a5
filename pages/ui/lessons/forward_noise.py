"""Chapter 1: what noise does to points and to images, in small steps and in one jump, under several schedules.

Each scene is a pure function of a `Config`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from core.data import images
from core.data.images import PICTURES
from core.data.points import BUILT_IN, make_points
from core.diffusion import forward, schedules
from core.diffusion.schedules import Schedule, make_schedule
from core.figures.scene import Arrows, Clock, Heat, Images, Line, Panel, Path, Points, Scene
from core.lessons import forward_noise as lesson
from core.runs.caching import shared_cache
from pages.ui.frame import text
from pages.ui.frame.links import choice, number, place, toggle
from pages.ui.frame.text import t
from pages.ui.lessons.shared_scene import shared_scene

COLOURS = {
    "ddpm-linear": "denoise",
    "cosine": "conditional",
    "log-linear": "guided",
    "karras": "difference",
    "rectified-flow": "negative",
}
"""The schedules that are compared, and the role of the colour of each."""
REACH = {"vp": 2.9, "ve": 5.8, "flow": 2.9}  # half the width of a view
ALPHA = {"vp": r"1/\sqrt{1+\sigma_t^2}", "ve": "1", "flow": r"1/(1+\sigma_t)"}
SQUARE = [-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]
N, COUNTED = 200, 2000  # walks that are drawn, and that are counted
CLOUD, COMPARED, DENSE = 300, 250, 1500  # points that dissolve, of each schedule, of a density
CELLS = 64  # of a density along a side
BINS = 16  # of a histogram
SIGMA_CLOCK = "log-linear"  # the schedule of a clock that shows σ
SECONDS = 6  # in which the clock goes from 0 to 1


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("nearer", "farther", "same"), style="none")
    show: str = choice("two_pixels", ("two_pixels", "walk_and_jump", "dissolve", "schedules", "two_views"))
    jumps: bool = toggle(False, main=True)
    source: str = choice("one_point", ("one_point", "data"))
    steps: int = choice(100, (1, 2, 5, 10, 20, 50, 100, 200), style="slider", main=True)
    stride: float = choice(1.0, (0.5, 0.7, 1.0, 1.4, 2.0), style="slider")
    image: str = choice("person", PICTURES, style="select", main=True)
    density: bool = toggle(True)
    schedule: str = choice("ddpm-linear", tuple(COLOURS), "schedules", "select", main=True)
    view: str = choice("vp", ("vp", "ve", "flow"), "views", "select")
    shift: float = choice(1.0, (1.0, 2.0, 3.0, 5.0), style="slider", main=True)
    seed: int = number(0, 0, 9999, main=("two_pixels", "two_views"))
    data: str = choice("spiral", tuple(BUILT_IN), "data", "select")
    start: tuple[float, float] = place((0.6, -0.4), 5.8)

    @property
    def x0(self) -> Tensor:
        """The place of the image of two pixels, [2]."""
        return torch.tensor(self.start, dtype=torch.float64)


CONTROLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "two_pixels": (("seed", ""),),
    "walk_and_jump": (("jumps",), ("source",), ("steps", "stride"), ("seed", "data"), ("view",)),
    "dissolve": (("image",), ("density",), ("schedule",), ("view",), ("seed", "data")),
    "schedules": (("schedule",), ("shift",), ("view",), ("seed", "data")),
    "two_views": (("seed", "data"),),
}
"""The controls of each scene, row by row; "" is an empty place."""


@dataclass(frozen=True)
class Process:
    """The forward process under a schedule in so many steps, drawn in a view, with the noise of a seed."""

    schedule: str
    steps: int
    view: str
    seed: int
    shift: float = 1.0

    @cached_property
    def made(self) -> Schedule:
        """The schedule itself."""
        return make_schedule(self.schedule).shifted(self.shift)

    @cached_property
    def t(self) -> Tensor:
        """The clock, [steps + 1]."""
        return torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)

    @cached_property
    def sigma(self) -> Tensor:
        """The noise levels, [steps + 1]."""
        return forward.levels(self.made, self.steps)

    @property
    def limits(self) -> tuple[float, float]:
        """Both axes of the view."""
        return -REACH[self.view], REACH[self.view]

    def plane(self, title: str, layers: Sequence, **options) -> Panel:
        """A panel of the plane that holds the view."""
        return Panel(title, layers, self.limits, self.limits, **options)

    def walk(self, x0: Tensor, stride: float = 1.0) -> Tensor:
        """The random walk from x0, each step ``stride`` times as long as the schedule asks."""
        return forward.random_walk(x0, stride * self.sigma, self.seed)

    def jump(self, x0: Tensor) -> Tensor:
        """x0 after one jump to each level."""
        return forward.jump(x0, self.sigma, forward.jump_noise(x0, self.seed))

    def drawn(self, x: Tensor) -> Tensor:
        """States [T, ...] as the view draws them."""
        return forward.in_view(x, self.sigma, self.view)

    def scene(self, panels: list[Panel], alt: str, start: int = 0, **more) -> Scene:
        """Panels on the clock t, which goes from 0 to 1 in about six seconds."""
        return Scene(panels, Clock(self.t, "t", 2, start), alt, fps=max(2, self.steps / SECONDS), **more)


def process_of(config: Config) -> Process:
    """The process that a configuration asks for."""
    return Process(config.schedule, config.steps, config.view, config.seed)


# The scenes


@shared_scene
def two_pixels(config: Config) -> Scene:
    """An image of two pixels as a point of the plane, and as two grey squares without and with noise."""
    process, x0 = process_of(replace(config, view="vp")), config.x0  # for its clock and the size of its panel
    walk = forward.random_walk(x0, process.t.sqrt(), config.seed)  # all steps of one size
    layers = [
        Line(*SQUARE, "grid", t("forward_noise.layers.square"), dash=(5, 4)),
        Path(walk, "sample", t("forward_noise.layers.walk")),
        Points(x0[None], "data", size=7, label="x₀"),
    ]
    squares = images.pixels(torch.stack([x0.expand_as(walk), walk], 1))[:, :, None]
    brightness = [f"xₜ = ({left:+.2f}, {right:+.2f})".replace("-", "−") for left, right in walk.tolist()]
    axes = {"xlabel": t("forward_noise.axes.left"), "ylabel": t("forward_noise.axes.right")}
    panels = [
        process.plane(t("forward_noise.panels.point"), layers, probe=True, **axes),
        Panel(t("forward_noise.panels.squares"), [Images(squares, 1, names=("x₀", "xₜ"))], caption=brightness),
    ]
    alt = t("forward_noise.two_pixels.alt", left=config.start[0], right=config.start[1])
    return process.scene(panels, alt, probe=config.start)


@shared_scene
def walk_and_jump(config: Config) -> Scene:
    """Walks from one point or from the data, and with ``jumps`` jumps as well and how different the clouds are."""
    process, one = process_of(config), config.source == "one_point"
    x0 = starts(config)
    walks, start = process.walk(x0, config.stride), process.drawn(x0[:1].expand(process.steps + 1, 1, 2))
    drawn, name = process.drawn(walks), "x₀" if config.view == "ve" else "αₜ x₀"
    layers = [
        Points(drawn[:, 1:], "sample", alpha=0.6, label=t("forward_noise.layers.walks")),
        Path(drawn[:, 0], "sample"),
        Points(start, "data", size=6, label=name),
    ]
    if config.jumps:
        jumps = process.drawn(process.jump(x0))
        layers.insert(1, Points(jumps[:, 1:], "noise", label=t("forward_noise.layers.jumps")))
        if one:
            rim = process.drawn(lesson.contour(x0[0], process.sigma))
            label = t("forward_noise.layers.contour", centre=name)
            layers.append(Line(rim[..., 0], rim[..., 1], "grid", label, dash=(5, 4)))
        layers.append(Arrows(start, jumps[:, :1] - start, "noise", 3, dash=()))
    panels = [process.plane(t(f"forward_noise.panels.from_{config.source}", n=N), layers, probe=one)]
    if config.jumps:
        panels.append(bell_curve(config, process) if one else difference(config, process, x0, walks))
    values = {"number": steps_in_words(config), "source": t(f"forward_noise.controls.source.options.{config.source}")}
    alt = t(f"forward_noise.walk_and_jump.{'alt_jumps' if config.jumps else 'alt'}", n=N, **values)
    first = int((process.sigma < 2).sum()) - 1 if config.view == "ve" else -1  # in "ve" the end is outside the picture
    return process.scene(panels, alt, first, probe=config.start if one else None)


@shared_scene
def dissolve(config: Config) -> Scene:
    """A cloud on its walks over its density, and a real image, under the same schedule."""
    process, data = process_of(config), text.label("data", config.data)
    cloud, photo = make_points(config.data, CLOUD).points.double(), images.picture(config.image).double()
    layers = [Points(process.drawn(process.walk(cloud)), "sample", size=2, label="xₜ")]
    if config.density:
        density = density_of(config.schedule, config.steps, config.view, config.data)
        layers.insert(0, Heat(density, process.limits + process.limits, t("forward_noise.layers.density")))
    alphas = schedules.scale(process.sigma, process.view)
    formula = [f"xₜ = {a:.2f} x₀ + {a * s:.2f} ε" for a, s in zip(alphas, process.sigma, strict=True)]
    pixels = images.pixels(process.drawn(process.walk(photo)))
    panels = [
        process.plane(t("forward_noise.panels.cloud", n=CLOUD, data=data), layers, caption=formula),
        Panel(t("forward_noise.panels.photo", numbers=photo.numel()), [Images(pixels[:, None])]),
    ]
    alt = t("forward_noise.dissolve.alt", data=data, image=image_label(config.image))
    return process.scene(panels, alt, start=int((process.sigma < 0.25).sum()))


@shared_scene
def compare_schedules(config: Config) -> Scene:
    """The same cloud with the same noise under each schedule, and their log-SNR over t."""
    x0, chosen = make_points(config.data, COMPARED).points.double(), process_of(config)
    panels, curves, dots = [], [Line([0, 1], [0, 0], "grid")], []
    for name, colour in COLOURS.items():
        process = Process(name, config.steps, config.view, config.seed, config.shift)
        snr = schedules.log_snr(process.made.sigma(process.t))
        title = text.label("schedules", name)
        if name == config.schedule:
            title = t("forward_noise.panels.chosen", schedule=title)
        panels.append(process.plane(title, [Points(process.drawn(process.jump(x0)), colour, size=1.7)]))
        curves.append(Line(process.t, snr, colour, dash=(), width=4 if name == config.schedule else 2))
        dots.append(torch.stack([process.t, snr], 1))
    curves.append(Points(torch.stack(dots, 1), list(COLOURS.values()), range(len(dots)), size=5, alpha=1))
    title = t("forward_noise.panels.log_snr")
    panels.append(Panel(title, curves, (0, 1), (-17, 14), equal=False, marker=chosen.t))
    alt = t("forward_noise.schedules.alt", data=text.label("data", config.data))
    return chosen.scene(panels, alt, start=config.steps // 4)


@shared_scene
def two_views(config: Config) -> Scene:
    """The same noisy cloud at its own scale and at the scale that preserves the variance, with σ as the clock."""
    x0, panels = make_points(config.data, COMPARED).points.double(), []
    for view in ("ve", "vp"):
        process = Process(SIGMA_CLOCK, config.steps, view, config.seed)
        sigma, alpha = process.sigma, schedules.scale(process.sigma, view)
        layers = [Points(process.drawn(process.jump(x0)), "sample", size=2, label="x")]
        if view == "ve":
            reach = REACH["vp"] / schedules.scale(sigma, "vp")
            frame = reach[:, None] * torch.tensor(SQUARE)[:, None]  # [2, T, 5]
            layers.append(Line(*frame, "grid", t("forward_noise.layers.frame"), dash=(5, 4)))
        formula = [f"x = {a:.2f} x₀ + {a * s:.2f} ε" for a, s in zip(alpha, sigma, strict=True)]
        panels.append(process.plane(text.label("views", view), layers, caption=formula))
    alt = t("forward_noise.two_views.alt", data=text.label("data", config.data))
    return Scene(panels, Clock(sigma, "σ", 2, int((sigma < 1).sum())), alt, fps=max(2, config.steps / SECONDS))


SCENES: dict[str, Callable[[Config], Scene]] = {
    "two_pixels": two_pixels,
    "walk_and_jump": walk_and_jump,
    "dissolve": dissolve,
    "schedules": compare_schedules,
    "two_views": two_views,
}


# Their parts


def starts(config: Config) -> Tensor:
    """Where the walks of a scene begin, [N, 2]."""
    if config.source == "one_point":
        return config.x0.expand(N, 2)
    return lesson.draws(config.data, N, config.seed)


def bell_curve(config: Config, process: Process) -> Panel:
    """How the left pixel of many walks from one point is distributed, beside the bell curve of the jumps.

    Both relative to the peak of the bell curve, whose width is the noise level.
    """
    z, fine = (torch.linspace(-4, 4, n, dtype=torch.float64) for n in (BINS + 1, 81))
    walks = process.walk(config.x0.expand(COUNTED, 2), config.stride)[..., 0] - config.x0[0]
    share = torch.full((process.steps + 1, BINS), torch.nan, dtype=torch.float64)  # none where there is no noise yet
    for row, x, sigma in zip(share[1:], walks[1:], process.sigma[1:], strict=True):
        row[:] = torch.histogram(x, sigma * z).hist * (2 * torch.pi) ** 0.5 / (z[1] - z[0]) / COUNTED
    alpha, sigma = schedules.scale(process.sigma, process.view)[:, None], process.sigma[:, None]
    corners = torch.stack([z[:-1], z[1:]], 1).flatten()
    bell = torch.exp(-fine.square() / 2).expand(len(sigma), -1)
    label = t("forward_noise.layers.counted", n=COUNTED)
    lines = [
        Line(alpha * (config.x0[0] + sigma * corners), share.repeat_interleave(2, 1), "sample", label),
        Line(alpha * (config.x0[0] + sigma * fine), bell, "noise", t("forward_noise.layers.bell"), width=3),
    ]
    xlabel, ylabel = t("forward_noise.axes.left"), t("forward_noise.axes.frequency")
    return Panel(t("forward_noise.panels.bell"), lines, process.limits, (0, 1.6), False, xlabel, ylabel)


def difference(config: Config, process: Process, x0: Tensor, walks: Tensor) -> Panel:
    """The distance of walks [T, n, 2] from jumps over time, beside the one that chance rarely exceeds.

    Measured at the scale of the "vp" view, whichever is drawn, so that clouds of any noise are of one size.
    """
    some = torch.linspace(0, process.steps, min(process.steps, 20) + 1).round().long()
    distances = lesson.energy_distances(walks[some], process.jump(x0)[some]) * schedules.scale(
        process.sigma[some], "vp"
    )
    limit = chance_of(config.schedule, config.seed, "" if config.source == "one_point" else config.data)
    lines = [
        Line(torch.linspace(0, 1, len(limit)), limit, "exact", t("forward_noise.layers.chance")),
        Line(process.t[some], distances, "sample", t("forward_noise.layers.distance"), width=3),
    ]
    top = max(3 * limit.max().item(), 1.05 * distances.max().item())
    title, ylabel = t("forward_noise.panels.difference"), t("forward_noise.axes.distance")
    return Panel(title, lines, (0, 1), (0, top), False, "t", ylabel, marker=process.t)


@shared_cache(32)
def chance_of(schedule: str, seed: int, data: str) -> Tensor:
    """The distance between two clouds of jumps that chance rarely exceeds, at 11 times from 0 to 1, [11].

    From the points of a data set, or for "" from one point; where that is makes no difference.
    """
    source = "data" if data else "one_point"
    x0 = starts(Config(source=source, data=data or Config.data, seed=seed))
    levels = forward.levels(make_schedule(schedule), 10)
    return lesson.chance_distance(x0 - x0[0], levels, seed) * schedules.scale(levels, "vp")


@shared_cache(32)
def density_of(schedule: str, steps: int, view: str, data: str) -> Tensor:
    """The density of the noised data relative to its peak, [steps + 1, CELLS, CELLS]."""
    process = Process(schedule, steps, view, 0)
    shape = make_points(data, DENSE).points
    return lesson.density_frames(shape, process.sigma.float(), view, torch.linspace(*process.limits, CELLS))


def image_label(name: str) -> str:
    """The label of a picture."""
    return t(f"forward_noise.controls.image.options.{name}")


def steps_in_words(config: Config) -> str:
    """How many steps the walks have."""
    return t("forward_noise.walk_and_jump.steps", count=config.steps)


# The text beside the picture


NOTES = {
    "walk_and_jump": {
        "walks": ("walk_and_jump", "start"),
        "revealed": ("walk_and_jump", "start", "jumps_hidden"),
        "alike_one_point": ("walk_and_jump", "jumps_alike", "bell"),
        "alike_data": ("walk_and_jump", "jumps_alike", "distance"),
        "unlike_one_point": ("walk_and_jump", "jumps_unlike", "bell"),
        "unlike_data": ("walk_and_jump", "jumps_unlike", "distance"),
    }
}
"""The notes that a scene can show together, by their names in the catalogue; other scenes show those of their name."""


def notes_of(config: Config, revealed: bool = False) -> tuple[str, ...]:
    """The notes of a scene and of what is special about it now. What hidden jumps would show is said only where
    answers are revealed."""
    if config.show not in NOTES:
        return (config.show,)
    if config.jumps:
        state = f"{'alike' if config.stride == 1 else 'unlike'}_{config.source}"
    else:
        state = "revealed" if revealed and config.stride == 1 else "walks"
    return NOTES[config.show][state]


def formula_of(config: Config) -> str:
    """The name of the formula of a scene."""
    return "walk" if config.show == "walk_and_jump" and not config.jumps else config.show


def values_of(config: Config) -> dict[str, object]:
    """The values that the sentences of a scene quote."""
    return {
        "data": text.label("data", config.data),
        "image": image_label(config.image),
        "numbers": images.picture(config.image).numel(),
        "dense": DENSE,
        "counted": COUNTED,
        "number": steps_in_words(config),
        "stride": config.stride,
        "width": t(f"forward_noise.walk_and_jump.{'too_wide' if config.stride > 1 else 'too_narrow'}"),
        "colour": COLOURS[config.schedule],
        "alpha": ALPHA[config.view],
        "shift": config.shift,
    }


def easiest_schedule() -> str:
    """The schedule with the least noise at t = 0.25."""
    return min(COLOURS, key=lambda name: make_schedule(name).sigma(torch.tensor(0.25)).item())


CODE = {
    "two_pixels": (forward.random_walk, images.pixels),
    "walk": (forward.random_walk,),
    "walk_and_jump": (forward.random_walk, forward.jump),
    "dissolve": (forward.random_walk, forward.density),
    "schedules": (schedules.log_snr, Schedule.shifted),
    "two_views": (forward.jump, schedules.scale),
}
"""The lines of core that make each scene."""
