"""The lab's two sides: their controls beside each other, their clouds, and their marks with the difference."""

import math
from collections.abc import Callable, Sequence

import streamlit as st
from torch import Tensor

from core.data import CLASSES
from core.diffusion.forward import in_view
from core.diffusion.samplers import DDIM, ETA_INTERPOLATED, SAMPLERS
from core.diffusion.schedules import scale
from core.figures.scene import Arrows, Panel, Path, Points, Window
from core.lessons import guidance as guidance_lesson
from core.lessons import lab as lab_lesson
from core.lessons.guidance import GuidanceConfig
from core.lessons.lab import Config, Net, Result
from core.models import trajectories
from pages.ui.frame import shell_old as shell
from pages.ui.lessons.sampling import GRIDS, WINDOWS, config_of
from pages.ui.runs import point_runs, training_run
from pages.ui.runs.point_runs import LABELLED

FRAMES, FOLLOWED, ARROWS = 49, 3, 200  # of the clock; particles whose way is drawn in both; whose ends are joined
POINTS = lab_lesson.spiral()
OWN = "your run"
ANY, NOTHING = "any", "no class"
WEAKER = {f"weaker: {label}": name for label, name in lab_lesson.SHIPPED.items() if name in guidance_lesson.WEAK_MODELS}
EDGES = ("0", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10")
TOPS = (0.5, 1.0, 2.0, 5.0, 10.0)
SIDES = {"a": "A", "b": "B"}
WIDTHS = (4, 7, 7)  # of a row's label and its two controls
MARKS: dict[str, tuple[Callable[[Result], float], str]] = {
    "network calls for a sample": (lambda trial: trial.marks.calls, "d"),
    "hit rate of the wanted class": (lambda trial: math.nan if asked(trial) is None else trial.marks.hit, ".3f"),
    "coverage of its data points": (lambda trial: trial.marks.coverage, ".3f"),
    "mean distance to its arm": (lambda trial: trial.marks.distance, ".4f"),
    "spread along the arm, data = 1": (lambda trial: trial.marks.spread, ".2f"),
    "energy distance, × noise floor": (lambda trial: trial.marks.energy, ".1f"),
}


def asked(trial: Result) -> int | None:
    """The class that a trial was to hit."""
    return trial.setup.guide.label


def row(label: str, draw: Callable[[str, str], object]) -> dict[str, object]:
    """A label and beside it one control for each side: ``draw`` is given the side's key and the control's own label."""
    columns = st.columns(WIDTHS, gap="small", vertical_alignment="center")
    columns[0].markdown(label)
    found = {}
    for column, (side, name) in zip(columns[1:], SIDES.items(), strict=True):
        with column:
            found[side] = draw(side, f"{label} {name}")
    return found


def same() -> None:
    """Give B all that A has."""
    for name in ("model", "kind", "n", "want", "w", "from", "in", "eta", "grid", "top"):
        if f"a{name}" in st.session_state:
            st.session_state[f"b{name}"] = st.session_state[f"a{name}"]


def choose(answered: bool) -> tuple[list[Config], Window]:
    """Both setups, and the view of both."""
    hidden = {"label_visibility": "collapsed"}

    def select(side: str, label: str, options: Sequence[str], name: str, index: int = 0) -> str:
        return shell.selectbox(label, options, index, key=f"{side}{name}", **hidden)

    own = training_run.latest(LABELLED)
    names = [*lab_lesson.MODELS, OWN] if own else lab_lesson.MODELS

    def model(side: str, label: str) -> str:
        if side == "a" or answered:
            return select(side, label, names, "model", list(SIDES).index(side))
        st.selectbox(label, ["as A"], disabled=True, key="_later", **hidden)
        return ""

    for column, name in zip(st.columns(WIDTHS, gap="small")[1:], SIDES.values(), strict=True):
        column.markdown(f"**{name}**")
    models = row("Model", model)
    kinds = row("Sampler", lambda side, label: select(side, label, list(SAMPLERS), "kind", [*SAMPLERS].index(DDIM)))
    steps = row("Steps", lambda side, label: shell.number(label, 1, 256, 64, key=f"{side}n", **hidden))
    wants = row("Wanted", lambda side, label: select(side, label, (ANY, *CLASSES), "want"))
    scales = row("Guidance w", lambda side, label: shell.number(label, 0.0, 12.0, 1.0, 0.5, format="%g", key=f"{side}w",
                                                                **hidden))  # fmt: skip
    aways = row("Away from", lambda side, label: select(side, label, (NOTHING, *CLASSES, *WEAKER), "from"))
    with st.expander("Guidance interval, eta, noise levels, seed, view"):
        ends = EDGES[0], EDGES[-1]
        spans = row("Guided for σ in", lambda side, label: shell.select_slider(label, EDGES, ends, key=f"{side}in",
                                                                               **hidden))  # fmt: skip
        etas = row(f"eta of “{ETA_INTERPOLATED}”", lambda side, label: shell.slider(label, 0.0, 1.0, 0.5, 0.05, key=f"{side}eta",
                                                                           **hidden))  # fmt: skip
        grids = row("Noise levels", lambda side, label: select(side, label, GRIDS, "grid"))
        tops = row("Start at σ", lambda side, label: shell.select_slider(label, TOPS, 10.0, key=f"{side}top", **hidden))
        seed = int(shell.number("Seed of both", 0, 9999, 0, key="seed"))
        window = WINDOWS[shell.radio("View of both", list(WINDOWS), key="view")]

    def setup(side: str) -> Config:
        guide = guided(wants[side], aways[side], scales[side], spans[side])
        way = config_of(kinds[side], int(steps[side]), etas[side], tops[side], grids[side], seed)
        return Config(net(models[side] or models["a"]), way, guide)

    def net(name: str) -> Net:
        if name != OWN:
            return lab_lesson.net(name)
        mine = point_runs.own_model(LABELLED)
        return Net(OWN, mine.denoise, mine.key)

    return [setup(side) for side in SIDES], window


def guided(wanted: str, away: str, scale: float, span: tuple[str, str]) -> GuidanceConfig:
    """The guide that the controls mean."""
    label, negative = (CLASSES.index(name) if name in CLASSES else None for name in (wanted, away))
    low, high = map(float, span)
    everywhere = span == (EDGES[0], EDGES[-1])
    if low == high:
        scale = 1.0  # an interval without a level in it
    return GuidanceConfig(label, negative, scale, None if everywhere or low == high else (low, high), WEAKER.get(away))


def levels(trials: Sequence[Result]) -> Tensor:
    """The clock of all: from the highest start of any."""
    return trajectories.levels(FRAMES, max(trial.setup.way.sigma_max for trial in trials))


def cloud(name: str, trial: Result, clock: Tensor, window: Window) -> Panel:
    """The particles of one side on their way, in the colour of the class where they end; a few followed in both.

    Until the clock has come down to its start, a side waits there.
    """
    way, marks = trial.setup.way, trial.marks
    seen = clock.clamp_max(way.sigma_max)
    states = in_view(trial.walk.at(seen), seen, window.view)
    layers = [
        Points(POINTS.points * scale(seen, window.view).float()[:, None, None], "grid", size=1.4, alpha=0.7),
        Points(states, CLASSES, trial.ends, size=1.8, alpha=0.65, label=CLASSES),
        Path(states[:, :FOLLOWED], "probe"),
    ]
    hit = "" if asked(trial) is None else f" · {marks.hit:.0%} hit"
    said = f"{marks.calls} calls{hit} · {marks.distance:.3f} off · spread {marks.spread:.2f}"
    return Panel(f"{name}: {trial.setup.model.name}, {way.sampler}", layers, caption=said, **window.limits)


def between(first: Result, second: Result, said: str) -> Panel:
    """Where particles end in A, and from there to where they end in B."""
    a, b = (trial.samples[:ARROWS] for trial in (first, second))
    layers = [
        Points(POINTS.points, "grid", size=1.4, alpha=0.7),
        Arrows(a, b - a, "difference", 1.4, (), "the same particle"),
    ]
    return Panel("A → B: where each ends", layers, caption=said)


def table(first: Result, second: Result) -> str:
    """The marks of both and their difference, as a Markdown table."""
    rows = []
    for name, (value, form) in MARKS.items():
        a, b = value(first), value(second)
        rows.append([name, *(cell(mark, sign) for mark, sign in ((a, form), (b, form), (b - a, f"+{form}")))])
    return shell.table(["", "A", "B", "B − A"], rows)


def cell(mark: float, form: str) -> str:
    """A number, or a dash where there is none."""
    return "–" if math.isnan(mark) else format(mark, form).replace("-", "−")
