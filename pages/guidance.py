"""Chapter 5: guidance. A model that is told a class, pushed further the same way, and what the push costs."""

import streamlit as st

from core import guidance, steering
from core.figures.curves import curves
from core.recipe import Recipe
from core.steering import SCALES, WEAKER, Guide, Portrait
from core.story import CLASSES
from pages.ui import live, shell, steer
from pages.ui.dataset import Data
from pages.ui.live import Plan
from pages.ui.stage import Clock, newest_probe, stage
from pages.ui.steer import PARTING, POINTS, Picture

FIELDS, PLACE, EIGHT, NEGATIVE, BEYOND, LIVE = SCENES = (
    "two fields", "one place", "eight scales", "negative prompt", "beyond", "train live",
)  # fmt: skip
PROBE = (0.8, -0.75)
NOISES = ("0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5")
ASTRAY = 300  # training steps after which the answer to nothing told has shown what it is


def show(drawn: Picture, key: str, start: int = -1, **more) -> tuple[float, float] | None:
    """A picture on the clock of noise levels."""
    return stage(drawn.panels, Clock(drawn.clock, start=start), key=key, alt=drawn.alt, permalink=True, **more)


def run(guide: Guide) -> steering.Run:
    """The samples of the chosen model under a guide."""
    return steer.run_of(subject.key, guide, seed, subject.model)


def draw_live(shot: Portrait, standing: str) -> None:
    """A run's newest model on the stage, with a line on how the run stands."""
    st.markdown(standing)
    show(steer.lesson(shot, guide), "training")


shell.require_shell()
shell.chapter(5, "Guidance", "Told a class, a model points elsewhere; guidance goes further the same way.")
controls, picture = shell.picture()
with controls:
    answered = shell.predict(
        "guess",
        "The converged model is told “cat”, and nothing else is done (w = 1). How many of its samples are cats?",
        ("about a third", "about two thirds", "nearly all"),
        2,
        "Plain conditional samples are mushy only from a weak or an early model: choose one, and see what w = 2 mends.",
    )
    with picture:
        scene = FIELDS
        if answered:
            scene = shell.segmented("Show", SCENES, default=FIELDS, key="show", label_visibility="collapsed")
    plan = view = None
    if scene == LIVE:
        about = "How often the class is left out while the network learns."
        dropout = shell.segmented("Label dropout", (0, 0.1, 0.3), default=0.1, key="dropout", help=about)
        plan = Plan(Data(POINTS, True), Recipe(conditional=True, label_dropout=dropout), steering.portrait)
        view = live.current(plan)
        with picture:
            live.buttons(plan, view)
    else:
        choices = steer.subjects()
        about = "The converged model stopped early, a plain network as in the literature, and the best there can be."
        name = shell.selectbox("Model", list(choices), key="model", help=about)
        subject = choices[name]()
    wanted = CLASSES.index(shell.segmented("Wanted class", CLASSES, default="cat", key="wanted"))
    if scene == NEGATIVE:
        others = [kind for kind in CLASSES if kind != CLASSES[wanted]]
        negative = CLASSES.index(shell.segmented("Negative prompt", others, default=others[-1], key="negative"))
    scale = 1.0
    if scene in (PLACE, NEGATIVE, BEYOND, LIVE):
        scale = shell.slider("Guidance scale w", 0.0, 12.0, 2.0, 0.25, key="scale")
        st.caption(f"In the other convention in use: s = w − 1 = {scale - 1:g}".replace("-", "−"))
    if scene == BEYOND:
        low, high = shell.select_slider("Guide only for σ in", NOISES, ("0.1", "1"), key="interval")
        weak = shell.selectbox("Autoguidance: away from", WEAKER, index=1, key="weak")
    seed = int(shell.number("Seed", 0, 9999, 0, key="seed")) if scene in (EIGHT, NEGATIVE, BEYOND) else 0

guide = Guide(wanted, scale=scale)
best = None  # of the samples shown, the verdict that the tasks look at
with picture:
    if scene == FIELDS:
        show(steer.two_fields(subject, name, wanted), "arrows", PARTING)
        st.caption("Long arrows are cut to one grid cell, all three at a place by the same factor.")
    elif scene == PLACE:
        asked = shell.param("probe", shell.place(steer.REACH), PROBE)
        place = newest_probe("arrows", asked)
        parts = steering.anatomy(guide, subject.model, POINTS.rms, place)
        put = show(steer.one_place(parts, place, guide), "arrows", PARTING, probe=asked)
        shell.set_param("probe", None if put in (None, PROBE) else f"{put[0]:g},{put[1]:g}")
        st.markdown(steer.table(parts))
    elif scene == EIGHT:
        runs = [run(Guide(wanted, scale=w)) for w in SCALES]
        show(steer.one_start(runs), "samples")
        legend = " ".join(f"{shell.mark(each)} {each}" for each in CLASSES)
        st.caption(f"{legend} &emsp; Hit: the nearest arm is the wanted one. Covered: of its data points. "
                   "Off: mean distance to the arm.", unsafe_allow_html=True)  # fmt: skip
    elif scene == NEGATIVE:
        away = Guide(wanted, negative, scale)
        drawn = steer.fields_of(subject.key, away, subject.model)
        show(steer.negative_prompt(drawn, run(guide), run(away)), "samples")
        best = run(guide).verdict
    elif scene == BEYOND:
        others = {
            f"Only for σ {low} to {high}": Guide(wanted, None, scale, (float(low), float(high))),
            f"Autoguidance, w = {scale:g}": Guide(wanted, None, scale, None, weak),
        }
        clouds = {"Told the class, w = 1": Guide(wanted), f"Guided, w = {scale:g}": guide, **others}
        show(steer.beside({title: run(each) for title, each in clouds.items()}), "samples")
        best = max((run(each).verdict for each in others.values()), key=lambda v: (v.hit > 0.98, v.spread))
    else:
        if view is not None and view.error:
            shell.sorry(view.error)
        live.watch(plan, view, draw_live, marks=(ASTRAY,))
    shell.explain("guess", seen=scene == EIGHT)

if scene == EIGHT:
    with st.container(gap="small"):
        st.markdown("#### The price of guidance")
        st.markdown("Spread: the variance along the arm, 1 for the data. Distance: to the wanted arm. Drag to zoom.")
        chart = curves(steer.price(runs, steer.rival(name, runs, seed)), shell.theme(), "w", "share", ylim=(0, 1.25))
        st.plotly_chart(chart, theme=None, key="price")

NOTES = {
    FIELDS: [
        ("unconditional", "**Told nothing**, the model points to where a sample came from, whatever it is; told the "
         "class (yellow), to where it came from if it is of that class."),
        ("difference", "**The difference** is what the class adds: little at large $\\sigma$, where all is a blur. At "
         "$\\sigma \\approx 0.2$, half the way between two arms, the class decides which it is: the arrows part."),
        ("conditional", "**Where the wanted class is**, a converged model's arrows agree again near 0: who stands on "
         "the right arm need not be told. A weak model's do not: it has not learned the fine field."),
    ],
    PLACE: [
        ("unconditional", "**u and c** begin at the probe, and each ends at a guess of the clean data."),
        ("difference", "**c − u** joins their tips. Guidance goes the same way w times, from the tip of u."),
        ("guided", "**The guided arrow** ends on the line through both: at u for w = 0, at c for w = 1, then beyond."),
    ],
    EIGHT: [
        ("conditional", "**w = 1 is plain conditional**, and right with a converged model. The plain network and "
         "the early models are mushy: they know roughly where the class is, and not the line."),
        ("guided", "**w = 2 sharpens** a weak model: where both answers are blurred alike, the blur cancels in the "
         "difference. A converged model has nothing left to mend."),
        ("negative", "**Too much costs.** The spread falls from the first step beyond 1; then points are no longer "
         "covered; at last the samples leave the arm, and hits deceive: far out, the outer arm is nearest."),
    ],
    NEGATIVE: [
        ("negative", "**Red arrows**, told the unwanted class, have taken the place of the grey ones."),
        ("difference", "**The difference** leads from one class to the other and is long everywhere: near the data "
         "the two do not agree, as conditional and unconditional do."),
        ("guided", "**The unwanted class goes**; at w = 2 guided arrows lead past the wanted arm to its far side. A "
         "negative prompt wants a smaller scale: try 1.25."),
    ],
    BEYOND: [
        ("guided", "**A guidance interval** leaves guidance out at large $\\sigma$, where it pushes all samples to one "
         "part of the arm, and at small $\\sigma$, where nobody needs it. More of the spread stays; "
         "try the person and w = 6."),
        ("unconditional", "**Autoguidance** leads away from a weaker copy of the model, told the same class: away "
         "from what training mends, and not from the other classes."),
        ("negative", "**A copy of the same model**, mind: the plain network makes other mistakes than early stages of "
         "the converged one, and led away from those it gets worse."),
    ],
    LIVE: [
        ("unconditional", "**Told nothing**, the model should make the whole spiral. It learns that from the samples "
         "whose class was left out."),
        ("conditional", "**Told the class**, it makes the right arm after some hundred steps, with or without dropout. "
         "Pause early, and choose *your run* as the model of the other pictures."),
        ("negative", "**Without dropout** nobody ever asked what it says when it is told nothing. The answer is "
         "whatever the network began with, and guidance away from that leads astray."),
    ],
}  # fmt: skip
shell.notes(NOTES[scene])
base, role = (r"D(x,\sigma,\text{not this})", "negative") if scene == NEGATIVE else (r"D(x,\sigma)", "unconditional")
shell.equation(
    [
        (r"\hat x_0", "guided"), ("=", None), ("u", role), (r"+\;w\,(", None), ("c", "conditional"), ("-", None),
        ("u", role), (r")\;=\;(1+s)\,", None), ("c", "conditional"), (r"-\;s\,", None), ("u", role),
        (r",\qquad s = w-1,\qquad ", None), ("u", role), ("=", None), (base, role),
        (r",\quad ", None), (r"c = D(x,\sigma,\text{class})", "conditional"),
    ],
    [(role, "what guidance leads away from"), ("conditional", "told the class"),
     ("guided", "the guided guess")],
)  # fmt: skip
shell.code(guidance.cfg, guidance.lerp, guidance.interval, guidance.autoguidance, steering.steer, steering.judge)
shell.tasks(
    [
        ("Negative prompt: with the plain network, find a scale at which 98 % are cats without a negative prompt.",
         scene == NEGATIVE and name == "plain network" and CLASSES[wanted] == "cat" and best.hit >= 0.98,
         "At w = 1 it is 87 %, at w = 2 it is 96 %."),
        ("Beyond: guide with w of at least 4, more than 98 % hits, and a spread of at least 0.9.",
         scene == BEYOND and scale >= 4 and best.hit > 0.98 and best.spread >= 0.9,
         "Try the person, or an interval at small σ."),
        ("Train live: show what becomes of the unconditional answer when no class was ever left out.",
         scene == LIVE and dropout == 0 and view is not None and view.step >= ASTRAY,
         "A label dropout of 0, and a few seconds of training."),
    ]
)  # fmt: skip
shell.finish()
