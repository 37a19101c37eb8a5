"""The lab: every control of chapters 4 and 5 twice, two configurations on the same noise, and what differs."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from core.diffusion import samplers
from core.diffusion.samplers import DDIM
from core.figures.scene import Clock
from core.lessons import lab as lab_lesson
from core.lessons.guidance import guided_denoiser
from core.lessons.lab import Config, Result
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import lab as lab_scenes
from pages.ui.lessons.lab import asked
from pages.ui.stage.player import stage

N = 1000  # particles


def beats(better: Callable[[lab_lesson.Metrics, lab_lesson.Metrics], bool], first: Result, second: Result) -> bool:
    """Whether the second is better than the first, both asked for the same class."""
    alike = asked(first) is not None and asked(first) == asked(second)
    return alike and better(first.marks, second.marks)


def two_networks(first: Config, second: Config) -> bool:
    """Whether the question was tried: two networks, and all else alike, by DDIM."""
    return first.model != second.model and first == replace(second, model=first.model) and first.way.sampler == DDIM


shell.require_shell()
shell.chapter(0, "Lab", f"The same {N:,} particles walk twice from the same noise; all that differs is what you set.")
controls, picture = shell.picture(7)
with shell.asking(controls, picture):
    ready = shell.predict(
        "guess",
        "Two networks, trained apart, lead the same noise by DDIM. Where do B's particles end?",
        ("each near where it ended in A", "anywhere on the spiral", "exactly where it ended in A"),
        0,
        "Both learned a similar field, and DDIM adds no noise of its own: the start decides where a particle ends. The "
        "median distance is in the third panel, beside that of two particles taken at random.",
    )
with controls:
    setups, window = lab_scenes.choose(ready)
    st.button("Make B equal to A", icon=":material/equal:", on_click=lab_scenes.same, key="_same")
trials = [lab_lesson.evaluate(setup, N) for setup in setups]
itself, other = lab_lesson.apart(*trials)
said = f"median {itself:.3f} apart; by chance {other:.2f}"
with picture:
    clock = lab_scenes.levels(trials)
    panels = [lab_scenes.cloud(*side, clock, window) for side in zip("AB", trials, strict=True)]
    panels.append(lab_scenes.between(*trials, said))
    stage(
        panels,
        Clock(clock, start=-1),
        key="lab",
        alt=". ".join(f"{panel.title}: {panel.caption}" for panel in panels) + ".",
        permalink=True,
    )
    st.markdown(lab_scenes.table(*trials))
    shell.explain("guess", seen=two_networks(*setups))

shell.notes(
    [
        ("probe", "**The three paths** belong to the same particles in A and in B: they begin at one place, and with "
         "equal steps random samplers shake them alike."),
        ("cat", "**The colours** are the classes on whose arms the particles end, from the first frame on: you see in "
         "the noise which of it will become what."),
        ("difference arrow", "**Each arrow** joins the ends of one particle. Short arrows: the start decides. Long "
         "ones: the noise on the way, the guidance, or a weaker network leads elsewhere."),
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
shell.code(lab_lesson.evaluate, samplers.run, guided_denoiser)
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
