"""The lab: every control of chapters 4 and 5 twice, two configurations on the same noise, and what differs."""

import math
from collections.abc import Callable, Sequence

import streamlit as st

from core import lab, walks
from core.forward import in_view
from core.lab import Setup, Trial
from core.pretrained import points_of
from core.schedules import scale
from core.steering import MODELS, Guide, steer
from core.story import CLASSES
from core.walks import BETWEEN, DDIM, KINDS, Way
from pages.ui import shell
from pages.ui.stage import Arrows, Clock, Panel, Path, Points, stage
from pages.ui.walking import LEVELS, WINDOWS

N, FOLLOWED, ARROWS = 1000, 3, 200  # particles; whose way is drawn in both; whose ends are joined
POINTS = points_of(MODELS["converged"])
ANY, NOTHING = "any", "no class"
WEAKER = {f"weaker: {name}": name for name in MODELS if name not in ("converged", "no label dropout")}
EDGES = ("0", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10")
TOPS = (1.0, 2.0, 5.0, 10.0)
SIDES = {"a": "A", "b": "B"}
WIDTHS = (4, 7, 7)  # of a row's label and its two controls
MARKS: dict[str, tuple[Callable[[Trial], float], str]] = {
    "network calls for a sample": (lambda trial: trial.marks.calls, "d"),
    "hit rate of the wanted class": (lambda trial: math.nan if asked(trial) is None else trial.marks.hit, ".3f"),
    "coverage of its data points": (lambda trial: trial.marks.coverage, ".3f"),
    "mean distance to its arm": (lambda trial: trial.marks.distance, ".4f"),
    "spread along the arm, data = 1": (lambda trial: trial.marks.spread, ".2f"),
    "energy distance, × noise floor": (lambda trial: trial.marks.energy, ".1f"),
}


def asked(trial: Trial) -> int | None:
    """The class that a trial was to hit."""
    return trial.setup.guide.wanted


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


def choose(answered: bool) -> list[Setup]:
    """Both setups."""
    hidden = {"label_visibility": "collapsed"}

    def select(side: str, label: str, options: Sequence[str], name: str, index: int = 0) -> str:
        return shell.selectbox(label, options, index, key=f"{side}{name}", **hidden)

    def model(side: str, label: str) -> str:
        if side == "a" or answered:
            return select(side, label, lab.MODELS, "model", list(SIDES).index(side))
        st.selectbox(label, ["as A"], disabled=True, key="_later", **hidden)
        return ""

    for column, name in zip(st.columns(WIDTHS, gap="small")[1:], SIDES.values(), strict=True):
        column.markdown(f"**{name}**")
    models = row("Model", model)
    kinds = row("Sampler", lambda side, label: select(side, label, list(KINDS), "kind", [*KINDS].index(DDIM)))
    steps = row("Steps", lambda side, label: shell.number(label, 1, 256, 64, key=f"{side}n", **hidden))
    wants = row("Wanted", lambda side, label: select(side, label, (ANY, *CLASSES), "want"))
    scales = row("Guidance w", lambda side, label: shell.number(label, 0.0, 12.0, 1.0, 0.5, format="%g", key=f"{side}w",
                                                                **hidden))  # fmt: skip
    aways = row("Away from", lambda side, label: select(side, label, (NOTHING, *CLASSES, *WEAKER), "from"))
    with st.expander("Guidance interval, eta, noise levels, seed"):
        ends = EDGES[0], EDGES[-1]
        spans = row("Guided for σ in", lambda side, label: shell.select_slider(label, EDGES, ends, key=f"{side}in",
                                                                               **hidden))  # fmt: skip
        etas = row(f"eta of “{BETWEEN}”", lambda side, label: shell.slider(label, 0.0, 1.0, 0.5, 0.05, key=f"{side}eta",
                                                                           **hidden))  # fmt: skip
        grids = row("Noise levels", lambda side, label: select(side, label, walks.GRIDS, "grid"))
        tops = row("Start at σ", lambda side, label: shell.select_slider(label, TOPS, 10.0, key=f"{side}top", **hidden))
        seed = int(shell.number("Seed of both", 0, 9999, 0, key="seed"))

    def setup(side: str) -> Setup:
        guide = guided(wants[side], aways[side], scales[side], spans[side])
        way = Way(kinds[side], int(steps[side]), etas[side], tops[side], grids[side], seed)
        return Setup(models[side] or models["a"], way, guide)

    return [setup(side) for side in SIDES]


def guided(wanted: str, away: str, scale: float, span: tuple[str, str]) -> Guide:
    """The guide that the controls mean."""
    label, negative = (CLASSES.index(name) if name in CLASSES else None for name in (wanted, away))
    low, high = map(float, span)
    everywhere = span == (EDGES[0], EDGES[-1])
    if low == high:
        scale = 1.0  # an interval without a level in it
    return Guide(label, negative, scale, None if everywhere or low == high else (low, high), WEAKER.get(away))


def cloud(name: str, trial: Trial) -> Panel:
    """The particles of one side on their way, in the colour of the class where they end; a few followed in both."""
    states = in_view(trial.walk.at(LEVELS), LEVELS, window.view)
    layers = [
        Points(POINTS.points * scale(LEVELS, window.view).float()[:, None, None], "grid", size=1.4, alpha=0.7),
        Points(states, CLASSES, trial.ends, size=1.8, alpha=0.65, label=CLASSES),
        Path(states[:, :FOLLOWED], "probe"),
    ]
    way, marks = trial.setup.way, trial.marks
    hit = "" if asked(trial) is None else f" · {marks.hit:.0%} hit"
    said = f"{marks.calls} calls{hit} · {marks.distance:.3f} off · spread {marks.spread:.2f}"
    return Panel(f"{name}: {trial.setup.model}, {way.kind}", layers, caption=said, **window.limits)


def between(first: Trial, second: Trial) -> Panel:
    """Where particles end in A, and from there to where they end in B."""
    a, b = (trial.samples[:ARROWS] for trial in (first, second))
    layers = [
        Points(POINTS.points, "grid", size=1.4, alpha=0.7),
        Arrows(a, b - a, "difference", 1.4, (), "from its end in A to its end in B"),
    ]
    return Panel("The same particle in A and in B, at σ = 0", layers, caption=said_apart)


def table(first: Trial, second: Trial) -> str:
    """The marks of both and their difference, as a Markdown table."""
    rows = [["", "A", "B", "B − A"], [":--", "--:", "--:", "--:"]]
    for name, (value, form) in MARKS.items():
        a, b = value(first), value(second)
        rows.append([name, *(cell(mark, sign) for mark, sign in ((a, form), (b, form), (b - a, f"+{form}")))])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def cell(mark: float, form: str) -> str:
    """A number, or a dash where there is none."""
    return "–" if math.isnan(mark) else format(mark, form).replace("-", "−")


def beats(better: Callable[[lab.Marks, lab.Marks], bool], first: Trial, second: Trial) -> bool:
    """Whether the second is better than the first, both asked for the same class."""
    return asked(first) == asked(second) is not None and better(first.marks, second.marks)


shell.require_shell()
shell.chapter(0, "Lab", f"The same {N:,} particles walk twice from the same noise; all that differs is what you set.")
controls, picture = shell.picture(7)
with controls:
    ready = shell.predict(
        "guess",
        "Two networks, trained apart, lead the same noise by DDIM. Where do B's particles end?",
        ("each near where it ended in A", "anywhere on the spiral", "exactly where it ended in A"),
        0,
        "Both learned nearly the same field, and DDIM adds no noise of its own: the start decides where a particle "
        "ends. Where arms meet a small difference is enough to end on another.",
    )
    setups = choose(ready)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window = WINDOWS[shell.segmented("View", list(WINDOWS), default="variance preserving", key="view")]
        st.button("Make B equal to A", icon=":material/equal:", on_click=same, key="_same")
trials: Sequence[Trial] = [lab.attempt(setup, N) for setup in setups]
itself, other = lab.apart(*trials)
said_apart = f"median {itself:.3f} apart; another particle would be {other:.2f}"
with picture:
    panels = [*map(cloud, SIDES.values(), trials), between(*trials)]
    stage(
        panels,
        Clock(LEVELS, start=-1),
        key="lab",
        alt=". ".join(f"{panel.title}: {panel.caption}" for panel in panels) + ".",
        permalink=True,
    )
    st.markdown(table(*trials))
    shell.explain("guess", seen=setups[0].model != setups[1].model)

shell.notes(
    [
        ("probe", "**The three paths** belong to the same particles in A and in B: they begin at one place, and with "
         "equal steps random samplers shake them alike."),
        ("cat", "**The colours** are the classes on whose arms the particles end, from the first frame on: you see in "
         "the noise which of it will become what."),
        ("difference", "**Each arrow** joins the ends of one particle. Short arrows: the start decides. Long ones: the "
         "noise on the way, or the guidance, decides."),
    ]
)  # fmt: skip
shell.equation(
    [
        (r"x_{\text{next}}", "sample"), ("=", None), ("D", "guided"), (r"+\frac{\sigma_\downarrow}{\sigma}(x-", None),
        ("D", "guided"), (r")+", None), (r"\sigma_\uparrow\,\varepsilon", "noise"), (r"\qquad", None),
        ("D", "guided"), ("=", None), ("u", "unconditional"), (r"+\, w\,(", None), ("c", "conditional"), ("-", None),
        ("u", "unconditional"), (")", None),
    ],
    [("sample", "the next state"), ("guided", "the guided guess"), ("noise", "fresh noise, if the sampler adds any"),
     ("conditional", "told the wanted class"), ("unconditional", "what is led away from")],
)  # fmt: skip
shell.code(lab.attempt, walks.steps_of, steer)
first, second = (setup.way for setup in setups)
shell.tasks(
    [
        ("Find another sampler for B, with A's model, that ends within 0.001 of A, particle by particle.",
         setups[0].model == setups[1].model and first.kind != second.kind and itself < 0.001,
         "With the noise left out of the question, two of the names are one method."),
        ("Let B hit its class by 5 points more often than A, with no more network calls.",
         beats(lambda a, b: b.hit >= a.hit + 0.05 and b.calls <= a.calls, *trials),
         "Choose the plain network for both. Guidance asks twice: half the steps make room for it."),
        ("With a sixth of A's network calls, stay within 0.3 noise floors of its energy distance.",
         beats(lambda a, b: 6 * b.calls <= a.calls and b.energy <= a.energy + 0.3, *trials),
         "Ask both for the same class. A solver of second order needs fewer steps."),
    ]
)  # fmt: skip
shell.finish()
