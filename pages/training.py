"""Chapter 2: training. A network learns the average way back, live, beside the exact answer."""

import streamlit as st
import torch

from core.data.points import BUILT_IN
from core.diffusion import denoiser, training, vector_field
from core.diffusion.denoiser import PREDICTIONS
from core.figures.scene import Clock
from core.lessons import training as training_lesson
from core.lessons.training import Snapshot
from core.models import points as point_model
from core.models.points import PointConfig
from core.networks import NETWORKS
from core.runs.checkpoints import Checkpoint
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import training as training_scenes
from pages.ui.runs import training_run
from pages.ui.runs.point_runs import PointTraining
from pages.ui.stage.player import newest_probe, stage
from pages.ui.widgets import dataset_picker

NOISES = ("log-normal", "log-linear", "karras", "cosine", "ddpm-linear", "rectified-flow")
LIVE, WHY = "train live", "why an average arrow"
PROBE = (0.5, 0.6)
MARKS = SEEN, *_ = 300, 600, 1_000, 2_000, 4_000, 8_000  # steps at which the page looks anew; explained when SEEN
ANSWERS = ("the rough extent of the data, then its shape", "one part after the other, from the middle outwards",
           "all of it, slowly sharper")  # fmt: skip


def adopt(brought: Checkpoint) -> PointConfig:
    """Set the controls to a loaded model's recipe; data that nobody can rebuild stay as chosen on the page."""
    how, data = point_model.config_of(brought.config), brought.config["data"]
    controls = {"net": how.network, "prediction": how.prediction, "noise": how.noise, "seed": how.seed, "lr": how.lr}
    name = next((name for name, made in dataset_picker.SETS.items() if made == data["name"]), None)
    if name:
        controls |= {"data": name, "fresh": how.endless}
    if name and not how.endless and data.get("n") in dataset_picker.SIZES:
        controls["n"] = data["n"]
    for key, value in controls.items():
        st.session_state[key] = value
    return how


def choose_recipe(endless: bool) -> PointConfig:
    """The controls of how to train."""
    about = "From 1e-6 to 1e6. It may change while a network trains, which keeps what it has learned."
    lr = shell.number("Learning rate", 1e-6, 1e6, PointConfig.lr, step=1e-3, format="%g", key="lr", help=about)
    with st.expander("Network, target, noise, seed"):
        network = shell.segmented("Network", list(NETWORKS), default="fourier", key="net")
        prediction = shell.selectbox("It predicts", list(PREDICTIONS), index=4, key="prediction")
        noise = shell.selectbox("Noise levels drawn from", NOISES, key="noise")
        seed = int(shell.number("Seed", 0, 9999, 0, key="seed"))
    return PointConfig(network=network, prediction=prediction, noise=noise, endless=endless, lr=lr, seed=seed)


def built_in(prediction: str) -> str:
    """What there is of the field before any training, in words."""
    first = f"Before any training they point to the middle: that is built into “{prediction}”, by $c_\\mathrm{{skip}}$."
    if prediction == "eps":
        first = "Before any training there are none, for no noise is seen. First they learn the middle."
    return ("**Arrows** lead from where a point is to the network's guess of where it began. "
            f"{first} What training must teach is where they turn to the shape.")  # fmt: skip


def draw_live(shot: Snapshot, standing: str) -> None:
    """A run's newest snapshot on the stage, with a line on how it stands."""
    if shot.dead:
        standing += " · **This network is dead:** it says the same everywhere, for ever. *Reset* begins anew."
    st.markdown(standing)
    stage(
        [
            training_scenes.cloud(shot, data.points.points),
            training_scenes.loss(shot, broke=view is not None and bool(view.error)),
        ],
        Clock(shot.sigmas, start=-1),
        key="training",
        alt=f"After {shot.step} training steps: samples walk from noise at sigma 5 to sigma 0 along the learned "
        "arrows, beside the data; and the network's loss so far beside the loss of the exact denoiser.",
        permalink=True,
    )


def draw_why() -> None:
    """One place: the walks that pass it, where they began, the exact mean arrow and the network's."""
    asked = shell.param("probe", shell.place(training_scenes.REACH), PROBE)
    x = torch.tensor(newest_probe("why", asked))
    ideal = point_model.exact(plan.data.points, plan.data.endless)
    passed = training_lesson.sample_through(
        x, vector_field.levels(31, 2.0, 0.03), ideal, training_run.model(plan), n=400, steps=40
    )
    place = stage(
        training_scenes.through_here(passed, data.points.points),
        Clock(passed.sigmas, start=10),
        key="why",
        alt="Random walks from the data that end at the probe, where they began, and two arrows from the probe: to "
        "the mean of all starts, and the network's.",
        probe=asked,
        permalink=True,
    )
    shell.set_param("probe", None if place in (None, PROBE) else f"{place[0]:g},{place[1]:g}")


shell.require_shell()
shell.chapter(
    2, "Training", "A network is shown noised points and asked for the way back; it can only learn the average way."
)
controls, picture = shell.picture()
with controls:
    scene = shell.segmented("Show", [LIVE, WHY], default=LIVE, key="show")
    ready = shell.predict(
        "guess", "You are about to train from nothing. What appears first?", ANSWERS, 0,
        "One arrow to the middle is nearly right wherever there is much noise: most targets have it built in, and with "
        "“eps” it is learned in a few steps. The shape shows only at small noise, where arrows turn within a short "
        "distance, and that takes hundreds.",
        hidden=scene == WHY,
    )  # fmt: skip
    data = dataset_picker.choose()
    plan = PointTraining(data, choose_recipe(data.endless))
    training_run.take_in(plan)
    view = training_run.current(plan)
    if ready:
        training_run.heed_learning_rate(plan, view)
        with st.expander("Save and load"):
            training_run.save(plan)
            training_run.load(adopt)
with picture:
    training_run.buttons(plan, view, ready)
    if view is not None and view.error:
        shell.sorry(view.error)
    if scene == LIVE:
        training_run.watch(plan, view, draw_live, MARKS)
        shell.explain("guess", seen=view is not None and view.step >= SEEN)
    else:
        draw_why()

NOTES = {
    LIVE: [
        ("sample", "**Samples** start as noise at $\\sigma = 5$ and follow the arrows down to $\\sigma = 0$: scrub "
         "the clock. As the network learns, they settle on the data. All is drawn at $1/\\sqrt{1+\\sigma^2}$ of its "
         "size (“variance preserving”, chapter 1)."),
        ("denoise", built_in(plan.config.prediction)),
        ("exact", "**The dashed line** is the loss of the exact denoiser. Many walks pass one place, so even the "
         "perfect answer, their mean, misses most of them: the loss cannot stay below it."),
    ],
    WHY: [
        ("noise", "**Walks** from all over the data pass through one place. Drag it, and scrub $\\sigma$: with more "
         "noise they come from farther away."),
        ("exact", "**The exact arrow** leads to the mean of where they began, weighted by how likely each start is. "
         "It is the best single answer, and may point to where no data are."),
        ("denoise", "**The network's arrow** has learned it from single walks, without ever seeing a mean. $N$ "
         "times the mean last step of these walks is the same arrow: asking for all the noise or for the last step "
         "is the same question."),
    ],
}  # fmt: skip
shell.notes(NOTES[scene])
shell.equation(
    [
        (r"\mathcal L = \mathbb E_{x_0,\,\sigma,\,\varepsilon}\; w(\sigma)\,\bigl\lVert", None),
        (r"D_\theta", "denoise"), (r"(", None), (r"x_0", "data"), (r"+", None),
        (r"\sigma\varepsilon", "noise"), (r",\,\sigma) -", None), (r"x_0", "data"),
        (r"\bigr\rVert^2", None), (r"\qquad", None), (r"D^*(x,\sigma) = \mathbb E[x_0 \mid x]", "exact"),
    ],
    [("denoise", "the network's guess"), ("data", "where the walk began"), ("exact", "the best guess there is"),
     ("noise", "all its noise: N times the average last step of a walk of N steps")],
)  # fmt: skip
shown = view and view.picture
if view and (view.error or (shown and shown.dead)):
    st.session_state["_broke"] = True
mended = bool(shown and not view.error and training_scenes.near(shown))
shell.code(denoiser.denoising_loss, training.train, training_lesson.last_step)
shell.tasks(
    [
        ("Train until the samples lie on the data.", mended,
         "A few seconds are enough. It counts once the loss is within a tenth of the exact denoiser's."),
        ("Train on a drawing or a word of your own.",
         data.points.name not in BUILT_IN and view is not None and view.step > 0, "Choose it under Data."),
        ("Find a learning rate at which training breaks down, and mend it.",
         mended and st.session_state.get("_broke", False),
         "Try 1000000, or 0.1. It is mended when the loss is within a tenth of the exact denoiser's."),
    ]
)  # fmt: skip
shell.finish()
