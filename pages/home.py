"""Chapter 0: the whole story in one picture."""

import subprocess
import sys
from collections import Counter
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from core.figures.scene import Arrows, Clock, Panel, Path, Points
from core.lessons import home as home_lesson
from core.lessons.home import BACK, CLASSES, FINEST, MODELS, OUT, REACH, Request, Result
from pages.ui.frame import shell_old as shell
from pages.ui.stage.player import stage

WALKER, FOLLOWED = 16, [25, 76, 88]  # whose way is drawn: a data point's, and three samples' from the same starts
LINKS = (
    ("training", "Draw and train your own", {"data": "your drawing"}),
    ("forward_noise", "How noise spreads", {"scene": "Dissolve"}),
    ("vector_field", "What the arrows know", {}),
    ("sampling", "How samples form", {}),
    ("guidance", "What guidance does", {}),
)  # a way on from each panel


@st.cache_resource(max_entries=32, show_spinner=False)
def story_of(wish: Request) -> Result:
    """The story of a wish; the one of a fresh page was computed beforehand and needs no torch."""
    return home_lesson.read() if wish == Request() else home_lesson.compute(wish)


def panels(told: Result, wish: Request) -> list[Panel]:
    """Data, noise, field, samples, guided samples."""
    targets = "spiral", "spiral", f"{wish.wanted}’s arm"
    near = [[f"{share:.0%} on the {target}" for share in shares] for target, shares in zip(targets, told.close)]
    walked = [f"out: {now}" for now in near[0][:OUT]] + ["stays noise, at σ = 5"] * (BACK + 1)
    sampled, guided = (["waiting, at σ = 5"] * OUT + [f"back: {now}" for now in part[OUT:]] for part in near[1:])
    spiral = told.alpha * told.data
    arm = spiral[:, told.labels == CLASSES.index(wish.wanted)]

    def panel(title: str, caption: str | list[str], *layers: Points | Arrows | Path) -> Panel:
        return Panel(title, layers, (-REACH, REACH), (-REACH, REACH), caption=caption)

    def classes(xy: np.ndarray, labels: tuple[str, ...] = ()) -> Points:
        return Points(xy, CLASSES, told.labels, size=2.2, label=labels)

    def under(xy: np.ndarray, colour: str = "data") -> Points:
        return Points(xy, colour, size=1.2, alpha=0.45, shape="dot")

    depths = [f"learned; drawn at σ = {max(FINEST, sigma):.2g}" for sigma in told.sigma]
    arrows = Arrows(told.places, told.arrows, "denoise", 1.4, label="the way back")
    free = Points(told.samples, "sample", size=2.2, label="from noise")
    kind = Points(told.guided, "guided", size=2.4, label=f"asked for {wish.wanted}")
    return [
        panel("Data", "three kinds of point", classes(told.data, CLASSES)),
        panel("→ Noise", walked, classes(told.walks), Path(told.walks[:, WALKER], "noise", "one walk")),
        panel("→ Field", depths, under(spiral), arrows),
        panel("→ Samples", sampled, under(spiral), free, Path(told.samples[:, FOLLOWED], "sample")),
        panel("→ Guided samples", guided, under(arm, wish.wanted), kind, Path(told.guided[:, FOLLOWED], "guided")),
    ]


def under_way() -> Counter[str]:
    """How many runs of this server there are by status; whose they are and of what stays with their learners."""
    live = sys.modules.get(
        "pages.ui.runs.training_run"
    )  # before its first visitor nothing trains, and torch need not be loaded
    return live.jobs().census() if live else Counter()


@st.fragment(run_every=5)
def on_this_server() -> None:
    """What trains here now, in one line that keeps up."""
    with shell.guard():
        count = under_way()
        words = {"running": "training", "queued": "waiting", "paused": "paused", "finished": "finished"}
        now = ", ".join(f"{count[status]} {word}" for status, word in words.items() if count[status])
        st.markdown(f"**On this server now.** {f'Models: {now}.' if now else 'No model is being trained.'}")


@st.cache_resource(show_spinner=False)
def version() -> str:
    """The state of the source that draws the pictures; empty where git does not keep it."""
    ask = ["git", "describe", "--always", "--tags", "--dirty=, changed"]
    try:
        return subprocess.run(ask, cwd=shell.ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def in_a_lecture() -> None:
    """What trains on this server, how to cite the figure, how to present it."""
    address = f"{(st.context.url or '').split('?')[0]}?{urlencode(st.query_params.to_dict())}".rstrip("?")
    source = ", ".join(filter(None, ("Diffusion models, seen", version() and f"version {version()}")))
    with st.container(key="lecture", gap="small", width=1000):
        st.header("In a lecture", anchor=False)
        on_this_server()
        st.markdown("**To cite this figure**, give its link, which holds every control and the seed, and the version:")
        st.code(f"“From noise to a spiral”. {source}. {address}", language=None, wrap_lines=True)
        st.markdown(
            "**To present:** *Lecture* at the top right hides all but the picture (`present=true` in the link) and "
            "switches the predictions off (`predictions=false`). *Copy link* takes the clock with it. On the picture, "
            "Space plays and pauses, ← and → step, Home and End jump, + and − zoom."
        )


shell.require_shell()
shell.chapter(
    0,
    "From noise to a spiral",
    "Noise destroys the data. A field learned from them leads fresh noise back to new data, of the kind you ask for.",
)
# In a column, because the presentation hides the column of the controls.
row = st.columns(1)[0].container(key="controls", horizontal=True, gap="medium")
picture = st.container(key="picture", gap="small")
links, question = st.columns(5, gap="small"), st.container(gap="small")
with question:
    ready = shell.predict(
        "guess",
        "The same field, another cloud of noise to start from: where do the samples end?",
        ("on the same points as before", "on other points of the same spiral", "on another shape"),
        1,
        "The noise decides where on the spiral a sample ends. That it ends on the spiral is the field's doing.",
    )
with row:
    wanted = shell.segmented("Ask for", CLASSES, default=Request.wanted, key="class")
    how = "0: the model is not told what is asked for. 1: it is told. Above 1: pushed further that way."
    scale = shell.segmented("Guidance w", (0, 1, 2, 4, 8), default=Request.scale, key="w", help=how)
    which = "Early: a plainer network, trained a fifth as long as the converged one."
    model = shell.segmented("Model", tuple(MODELS), default=Request.model, key="model", help=which)
    seed = (
        int(shell.number("Noise, by its seed", 0, 9999, Request.seed, key="seed", width=170)) if ready else Request.seed
    )
wish = Request(model, wanted, scale, seed)
told = story_of(wish)
with picture:
    st.markdown('<span id="picture" tabindex="-1"></span>', unsafe_allow_html=True)
    stage(
        panels(told, wish),
        Clock(told.sigma, ["out: noise σ"] * OUT + ["back: noise σ"] * (BACK + 1), 2, start=-1),
        key="story",
        alt="Five panels on one clock. Data: three classes along the arm of a spiral. Noise: the same points walk "
        "until they are a round cloud. Field: arrows lead back to the data. Samples: such a cloud follows them, and "
        f"{told.close[1, -1]:.0%} of it ends on the spiral. Guided samples: the same cloud, asked for {wanted}; "
        f"{told.close[2, -1]:.0%} of it ends on that arm.",
        fps=9,
        autoplay=True,
        permalink=True,
    )
for column, link in zip(links, LINKS, strict=True):
    with column:
        shell.lead_to(*link)
with question:
    seen = seed != Request.seed and model == Request.model
    if ready and not seen and st.session_state["predictions"] and not st.session_state["present"]:
        st.caption("Now change **Noise, by its seed** above the picture, and look at the samples.")
    shell.explain("guess", seen=seen)

shell.notes(
    [
        ("data", "**Out.** As σ grows, each point walks at random, until all is one cloud of noise, its kinds mixed. "
         "All is drawn at $1/\\sqrt{1+\\sigma^2/s^2}$ of its size, $s$ being that of the data (“variance "
         "preserving”, chapter 1), so that the noise stays in the picture."),
        ("denoise arrow", "**The field** says at each place and σ which way the data lie. It is all that is learned."),
        ("guided", "**And back.** Fresh noise follows the arrows to *new* points of the spiral. Guided, the same noise "
         "(follow the three paths) is pushed to the kind you ask for. Compare the early model at w = 1, 2 and 8."),
    ]
)  # fmt: skip
guess, told_kind = (r"\hat x_0", "denoise"), (r"\hat x_0^{\,\text{" + wanted + "}}", "conditional")
space = (r"\qquad", None)
shell.equation(
    [
        ("x", "sample"), ("=", None), ("x_0", "data"), (r"+ \sigma", None), (r"\varepsilon", "noise"), space,
        guess, (r"= D(", None), ("x", "sample"), (r",\,\sigma)", None), space,
        (r"\hat x_0^{\,w}", "guided"), ("=", None), guess, (r"+\, w\,\bigl(", None), told_kind, ("-", None), guess,
        (r"\bigr)", None),
    ],
    [("data", "a data point"), ("sample", "the point with noise σ"), ("noise", "noise"),
     ("denoise", "the trained network D's guess of it, where an arrow leads"),
     ("conditional", f"the guess when told “{wanted}”"), ("guided", "the guess to follow")],
)  # fmt: skip
shell.code(home_lesson.compute)
if not st.session_state["present"]:
    in_a_lecture()
shell.finish()
