"""Chapter 5: guidance. A model that is told a class, pushed further the same way, and what the push costs."""

from dataclasses import replace
from functools import partial

import streamlit as st

from core.diffusion import guidance
from core.lessons import guidance as guidance_lesson
from core.lessons.guidance import GuidanceConfig
from core.lessons.home import CLASSES
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import guidance as guidance_scenes
from pages.ui.lessons.guidance import NEARLY, PARTING, show
from pages.ui.runs import training_run

FIELDS, PLACE, EIGHT, NEGATIVE, BEYOND, LIVE = (
    "two fields", "one place", "eight scales", "negative prompt", "beyond", "train live",
)  # fmt: skip
ASTRAY = 300  # training steps after which the answer to nothing told has shown what it is


# Each draws a picture and the controls that it alone has; those that a task belongs to return whether it is done.


def two_fields() -> None:
    with picture:
        show(guidance_scenes.two_fields(subject, name, wanted), "arrows", PARTING)
        st.caption("Long arrows are cut to one grid cell, all three at a place by the same factor.")


def one_place() -> None:
    with controls:
        guide = GuidanceConfig(wanted, scale=guidance_scenes.scale())
    with picture:
        guidance_scenes.probed(subject, guide)


def eight_scales() -> None:
    with controls:
        runs = guidance_scenes.sweep_of(subject.key, wanted, guidance_scenes.seed(), subject.model)
    with picture:
        show(guidance_scenes.one_start(runs), "samples")
        guidance_scenes.legend()
        shell.explain("guess", seen=name == "converged" and CLASSES[wanted] == "cat")
    guidance_scenes.price(subject, name)


def negative_prompt() -> bool:
    with controls:
        negative, scale, seed = guidance_scenes.negative_of(wanted), guidance_scenes.scale(), guidance_scenes.seed()
    plain, away = GuidanceConfig(wanted, None, scale), GuidanceConfig(wanted, negative, scale)
    runs = [guidance_scenes.run_of(subject.key, guide, seed, subject.model) for guide in (plain, away)]
    with controls:
        guidance_scenes.something_to_lose(runs[0].verdict, negative)
    with picture:
        show(
            guidance_scenes.negative_prompt(guidance_scenes.fields_of(subject.key, away, subject.model, side=8), *runs),
            "samples",
            NEARLY,
        )
    return name == "plain network" and CLASSES[wanted] == "cat" and runs[0].verdict.hit >= 0.98


def beyond() -> bool:
    with controls:
        guide = GuidanceConfig(wanted, scale=guidance_scenes.scale())
        guides, seed = [replace(guide, scale=1), guide, *guidance_scenes.variants(guide)], guidance_scenes.seed()
    with picture:
        runs = [guidance_scenes.run_of(subject.key, each, seed, subject.model) for each in guides]
        show(guidance_scenes.beside(runs), "samples")
    return guide.scale >= 4 and any(run.verdict.hit > 0.98 and run.verdict.spread >= 0.9 for run in runs[2:])


def train_live() -> bool:
    with controls:
        plan, guide = guidance_scenes.lessons(), GuidanceConfig(wanted, scale=guidance_scenes.scale())
    with picture:
        view = training_run.current(plan)
        training_run.buttons(plan, view)
        if view is not None and view.error:
            shell.sorry(view.error)
        training_run.watch(plan, view, partial(guidance_scenes.show_lesson, guide), marks=(ASTRAY,))
    return plan.config.label_dropout == 0 and view is not None and view.step >= ASTRAY


SCENES = {FIELDS: two_fields, PLACE: one_place, EIGHT: eight_scales, NEGATIVE: negative_prompt, BEYOND: beyond,
          LIVE: train_live}  # fmt: skip

shell.require_shell()
shell.chapter(5, "Guidance", "Told a class, a model points elsewhere; guidance goes further the same way.")
controls, picture = shell.picture()
with shell.asking(controls, picture):
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
        scene = shell.segmented("Show", list(SCENES), default=FIELDS, key="show", label_visibility="collapsed")
    if answered and scene == FIELDS and st.session_state["predictions"]:
        st.caption("Now choose *eight scales*: w = 1 is what the question was about.")
with controls:
    if scene != LIVE:
        name, subject = guidance_scenes.choose()
    wanted = CLASSES.index(shell.segmented("Wanted class", CLASSES, default="cat", key="wanted"))
done = SCENES[scene]()

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
        ("guided", "**w = 2 sharpens** the plain network, from 95 to 99 % hits; cats of seed 0 from 85 to 95 %. "
         "Where both answers are blurred alike, the blur cancels. A converged model has nothing left to mend."),
        ("negative", "**Too much costs.** The converged model's spread falls to about 0.85 at 2 and 0.62 at 4; then "
         "points are lost; at last samples leave the arm, and hits deceive: far out, the outer arm is nearest."),
    ],
    NEGATIVE: [
        ("negative", "**Red arrows**, told the unwanted class, have taken the place of the grey ones."),
        ("difference", "**The difference** leads from one class to the other. The converged model's is long "
         "everywhere: near the data the two do not agree, as conditional and unconditional do."),
        ("guided", "**The unwanted class goes**: the plain network, asked for cats at w = 2 and seed 0, makes 3.3 % "
         "dogs without the prompt and none with it. But guided arrows lead past the wanted arm to its far side. At "
         "w = 1.25 samples stay nearer to it, and only a third of the dogs go, from 6.3 to 4.3 %."),
    ],
    BEYOND: [
        ("guided", "**A guidance interval** leaves it out at large $\\sigma$, where it pushes all to one part of the "
         "arm, and at small, where nobody needs it. More of the spread stays; try the person and w = 6."),
        ("unconditional", "**Autoguidance** leads away from a weaker copy of the model, told the same class: away "
         "from what training mends, and not from the other classes."),
        ("negative", "**A copy of the same model**, mind: the plain network makes other mistakes than early stages of "
         "the converged one, and led away from those it gets worse."),
    ],
    LIVE: [
        ("unconditional", "**Told nothing**, the model should make the whole spiral. It learns that from the samples "
         "whose class was left out."),
        ("conditional", "**Told the class** and no more (w = 1), it makes the right arm after some hundred steps, with "
         "or without dropout. Pause early, and choose *your run* as the model of the other pictures."),
        ("negative", "**Without dropout** it never learned what to say when it is told nothing. The answer is an "
         "accident, often much like one class, and guidance away from it (w = 2) leads off the arm."),
    ],
}  # fmt: skip
shell.notes([(f"{role} arrow", note) for role, note in NOTES[scene]])  # the shapes of points are the classes here
base, role = (r"D(x,\sigma,\text{not this})", "negative") if scene == NEGATIVE else (r"D(x,\sigma)", "unconditional")
shell.equation(
    [
        (r"\begin{array}{l}", None),
        (r"\hat x_0", "guided"), ("=", None), ("u", role), (r"+\;w\,(", None), ("c", "conditional"), ("-", None),
        ("u", role), (r")\;=\;(1+s)\,", None), ("c", "conditional"), (r"-\;s\,", None), ("u", role),
        (r"\\[0.6em] s = w-1,\qquad ", None), ("u", role), ("=", None), (base, role),
        (r",\qquad ", None), (r"c = D(x,\sigma,\text{class})", "conditional"), (r"\end{array}", None),
    ],
    [(f"{role} arrow", "what guidance leads away from"), ("conditional arrow", "told the class"),
     ("guided arrow", "the guided guess")],
)  # fmt: skip
shell.code(
    guidance.cfg,
    guidance.lerp,
    guidance.interval,
    guidance.autoguidance,
    guidance_lesson.guided_denoiser,
    guidance_lesson.judge,
)
shell.tasks(
    [
        ("Negative prompt: with the plain network, find a scale at which 98 % are cats without a negative prompt.",
         scene == NEGATIVE and done, "From the default seed it is 85 % at w = 1 and 95 % at w = 2."),
        ("Beyond: guide with w of at least 4, more than 98 % hits, and a spread of at least 0.9.",
         scene == BEYOND and done, "Try the person, or an interval at small σ."),
        ("Train live: show what becomes of the unconditional answer when no class was ever left out.",
         scene == LIVE and done, "A label dropout of 0, and a few seconds of training."),
    ]
)  # fmt: skip
shell.finish()
