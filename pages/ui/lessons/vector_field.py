"""Panels of the stage that show vector fields: side by side, one place under the lens, and the error over sigma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from core.diffusion.schedules import scale
from core.figures import lecture
from core.figures.scene import Arrows, Heat, Layer, Line, Panel, Points
from core.lessons.vector_field import Film, Reading
from pages.ui.frame import shell_old as shell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPS_SCALE, SCORE_SCALE = 0.2, 0.2  # a unit of eps_hat, and a decade of the score, in units of the picture


class Window(NamedTuple):
    """What the panels look through: a view of the state (see ``schedules.scale``) over [-reach, reach]^2."""

    view: str
    reach: float

    @property
    def limits(self) -> dict:
        return {"xlim": (-self.reach, self.reach), "ylim": (-self.reach, self.reach)}


def ground(film: Film, points: Tensor, window: Window, density: bool) -> list[Layer]:
    """What lies under the arrows: the log-density if wanted, and the data [N, 2] where the view draws them."""
    drawn = points if window.view == "ve" else points * scale(film.sigmas, window.view)[:, None, None]
    reach = window.reach
    heat = [Heat(film.heat, (-reach, reach, -reach, reach), "log-density")] if density else []
    return [*heat, Points(drawn, "data", size=1.8, alpha=0.75, label="data")]


def triple(film: Film) -> list[tuple[str, str, Tensor]]:
    """Title, role and arrows [T, g, 2] of the learned field, the exact one and what is between them."""
    return [
        ("Learned", "denoise", film.learned),
        ("Exact", "exact", film.exact),
        ("Difference", "difference", film.learned - film.exact),
    ]


def side_by_side(film: Film, under: list[Layer], error: Tensor, window: Window) -> list[Panel]:
    """Learned, exact and difference, each with what its numbers say at every frame."""
    captions = [*map(_pointing, (film.learned_to, film.exact_to)), [f"relative error {e:.2f}" for e in error.tolist()]]
    labels = ("learned x̂₀ − x", "exact x̂₀ − x", "learned − exact")
    return [
        Panel(title, [*under, Arrows(film.places, by, role, 1.3, (), label)], caption=caption, **window.limits)
        for (title, role, by), caption, label in zip(triple(film), captions, labels, strict=True)
    ]


def _pointing(to: Tensor) -> list[str]:
    return [f"cosine to the mean {mean:.2f}, to the nearest {nearest:.2f}" for mean, nearest in to.T.tolist()]


def error_over_sigma(sigmas: Tensor, own: Tensor, rival: tuple[str, Tensor] | None) -> Panel:
    """The relative error [T] of a model, beside a rival's if there is one, with the clock's place on it."""
    lines = [Line(sigmas, rival[1], "unconditional", rival[0])] if rival else []
    lines.append(Line(sigmas, own, "difference", "this model"))
    title, ends = "Relative error of the field", (sigmas.min().item(), sigmas.max().item())
    return Panel(title, lines, ends, (0, top(own)), equal=False, xlabel="σ", xlog=True, marker=sigmas)


def top(error: Tensor) -> float:
    """Where an axis of relative errors [T] ends: at 1, or higher for a model that is worse than no model."""
    return max(1.0, 1.05 * error.max().item())


def slide(film: Film, frame: int, points: Tensor, window: Window, density: bool, heading: str, theme: str) -> Figure:
    """One frame of the fields side by side, as a Matplotlib figure for a slide."""
    panels = [lecture.FieldPanel(title, by[frame].numpy(), role) for title, role, by in triple(film)]
    data = points * scale(film.sigmas[frame], window.view)
    heat = film.heat[frame].numpy() if density else None
    return lecture.fields(heading, panels, film.places.numpy(), data.numpy(), window.reach, heat, theme)


def lens(title: str, role: str, reading: Reading, sigmas: Tensor, under: list[Layer], window: Window) -> Panel:
    """One place: the way to the guess, the noise seen and the score as arrows, their numbers in the caption."""
    factor = scale(sigmas, window.view)[:, None]
    at, way = reading.x * factor, (reading.x0 - reading.x) * factor
    length = reading.score.norm(dim=1, keepdim=True)
    along = reading.score / length.clamp_min(1e-9)
    beside = at + 0.06 * along.flip(1) * along.new_tensor([-1, 1])
    score = SCORE_SCALE * (1 + length).log10() * along
    arrows = [
        Arrows(at[:, None], EPS_SCALE * reading.eps[:, None], "noise", 2.5, (), f"ε̂ × {EPS_SCALE}"),
        Arrows(beside[:, None], score[:, None], "probe", 2, (3, 2), "score, log scale"),
        Arrows(at[:, None], way[:, None], role, 2.5, (), "x̂₀ − x"),
    ]
    guess = Points((at + way)[:, None], role, size=5, alpha=1, shape="ring", label="x̂₀")
    return Panel(title, [*under, *arrows, guess], caption=_numbers(reading), probe=True, **window.limits)


def table(sigmas: Tensor, learned: Reading, exact: Reading, frames: tuple[int, ...]) -> str:
    """What both say at one place at some of the noise levels, as a Markdown table."""
    names = [f"{name}, {whose}" for name in ("x̂₀", "ε̂", "score") for whose in ("learned", "exact")]
    columns = [getattr(reading, part).tolist() for part in ("x0", "eps", "score") for reading in (learned, exact)]
    return shell.table(["σ", *names], ([f"{sigmas[k]:.2g}", *(pair(column[k]) for column in columns)] for k in frames))


def _numbers(reading: Reading) -> list[str]:
    values = {"x̂₀": reading.x0, "ε̂": reading.eps, "score": reading.score}
    texts = ([f"{name} {pair(place)}" for place in value.tolist()] for name, value in values.items())
    return ["  ".join(frame) for frame in zip(*texts, strict=True)]


def pair(place: Sequence[float]) -> str:
    """Two numbers in brackets, with as many digits as can be told apart."""
    return f"({', '.join(f'{v:z.{2 if abs(v) < 9.95 else 0}f}' for v in place)})".replace("-", "−")


def signed(value: float) -> str:
    """A factor as text, in brackets if it is negative."""
    return f"{value:g}" if value >= 0 else f"(−{-value:g})"
