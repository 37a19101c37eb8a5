"""Chapter 2: training. A network learns the average way back, live, beside the exact answer."""

import math

import streamlit as st
import torch

from core import denoiser, passing, recipe, training
from core.data.points import BUILT_IN
from core.denoiser import PREDICTIONS
from core.networks import NETWORKS
from core.recipe import Recipe, Snapshot
from core.schedules import log_linear
from pages.ui import dataset, live, shell
from pages.ui.live import Plan
from pages.ui.stage import Arrows, Clock, Line, Panel, Points, newest_probe, stage

NOISES = ("log-normal", "log-linear", "karras", "cosine", "ddpm-linear", "rectified-flow")
LIVE, WHY = "train live", "why an average arrow"
REACH = 1.7
PROBE = (0.2, -0.1)
WALKS, STEPS = 14, 40


def parse_place(raw: str) -> tuple[float, float]:
    """A probe in the address."""
    x, y = map(shell.between(-REACH, REACH), raw.split(","))
    return x, y


def adopt(how: Recipe, data: str) -> None:
    """Set the controls to a loaded model's recipe; data that nobody can rebuild stay as chosen on the page."""
    controls = {"net": how.network, "prediction": how.prediction, "noise": how.noise, "seed": how.seed, "lr": how.lr}
    if data in BUILT_IN:
        controls |= {"data": data, "fresh": how.endless}
    for key, value in controls.items():
        st.session_state[key] = value


def choose_recipe(endless: bool) -> Recipe:
    """The controls of how to train."""
    lr = shell.number("Learning rate", 1e-6, 1e6, Recipe.lr, step=1e-3, format="%g", key="lr")
    with st.expander("Network, target, noise, seed"):
        network = shell.segmented("Network", list(NETWORKS), default="fourier", key="net")
        prediction = shell.selectbox("It predicts", list(PREDICTIONS), index=4, key="prediction")
        noise = shell.selectbox("Noise levels drawn from", NOISES, key="noise")
        seed = int(shell.number("Seed", 0, 9999, 0, key="seed"))
    return Recipe(network=network, prediction=prediction, noise=noise, endless=endless, lr=lr, seed=seed)


def draw_live(points: torch.Tensor):
    """How a snapshot goes on the stage."""
    shown = points[:: max(1, len(points) // 120)]

    def draw(shot: Snapshot, standing: str) -> None:
        cloud = Panel(
            "Samples on their way, over the learned field",
            [
                Points(shown * shot.scale, "data", size=1.6, alpha=0.6, label="data"),
                Arrows(shot.places, shot.arrows, "denoise", 1.2, label="learned arrow x̂₀ − x"),
                Points(shot.samples, "sample", size=2.4, label="samples"),
            ],
            xlim=(-REACH, REACH),
            ylim=(-REACH, REACH),
        )
        smooth = recipe.smooth(shot.losses)
        steps = torch.arange(1, len(smooth) + 1) * recipe.BLOCK
        pick = torch.linspace(0, len(smooth) - 1, min(len(smooth), 160)).round().long()
        known = len(smooth) > 0
        ends = [recipe.BLOCK, max(10 * recipe.BLOCK, shot.step)]
        floor = [Line(ends, [shot.floor] * 2, "exact", "exact denoiser's loss")] if not math.isnan(shot.floor) else []
        loss = Panel(
            "Loss",
            [Line(steps[pick], smooth[pick], "denoise", "network's loss"), *floor],
            xlim=tuple(ends),
            ylim=None if known else (0, 1.2),
            equal=False,
            xlabel="training step",
            caption=f"loss {smooth[-1]:.3f} · exact {shot.floor:.3f}" if known else "no training seen yet",
        )
        st.markdown(standing)
        stage(
            [cloud, loss],
            Clock(shot.sigmas, start=-1),
            key="training",
            alt=f"After {shot.step} training steps: samples walk from noise at sigma 5 to sigma 0 along the learned arrows, "
            f"beside the data. {'Loss ' + format(float(smooth[-1]), '.3f') if known else 'No loss yet'}.",
            permalink=True,
        )

    return draw


def draw_why(plan: Plan, view) -> torch.Tensor:
    """One place: the walks that pass it, their starts, the exact mean arrow and the network's. Returns both arrows."""
    asked = shell.param("probe", parse_place, PROBE)
    x = torch.tensor(newest_probe("why", asked))
    sigmas = log_linear(0.03, 2.0).sigmas(31)[:-1].float()
    ideal = recipe.exact(plan.data.points, plan.data.endless)
    starts = passing.origins(ideal, x, sigmas, 400)
    walks = passing.bridges(starts[:, :WALKS], x, sigmas, STEPS)
    many = passing.bridges(starts, x, sigmas, STEPS)
    with torch.no_grad():
        exact = ideal(x.expand(30, -1), sigmas) - x
        learned = live.model(plan)(x.expand(30, -1), sigmas) - x
    last = -STEPS * passing.last_step(many)
    sent = [f"mean of {len(starts[0])} starts ({m[0]:+.2f}, {m[1]:+.2f}) · last steps × {STEPS} ({k[0]:+.2f}, {k[1]:+.2f})"
            for m, k in zip(starts.mean(1) - x, last)]
    here = x.expand(30, 1, 2)
    limits = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH), "probe": True}
    cloud = [Points(plan.data.points.points, "data", size=1.8, alpha=0.6, label="data")]
    ways = Panel(
        "Walks that pass through here",
        [*cloud, Points(walks.flatten(1, 2), "noise", size=1.1, alpha=0.7, shape="dot", label="walks"),
         Points(starts[:, :WALKS], "data", size=4.5, label="where they began"), Points(here, "probe", size=5)],
        caption=sent, **limits,
    )
    arrows = Panel(
        "The mean arrow, and the network's",
        [*cloud, Arrows(here, exact[:, None], "exact", 2.4, label="exact mean of all starts"),
         Arrows(here, learned[:, None], "denoise", 2.4, label="the network's"), Points(here, "probe", size=5)],
        caption=[f"exact ({e[0]:+.2f}, {e[1]:+.2f}) · network ({l[0]:+.2f}, {l[1]:+.2f})" for e, l in zip(exact, learned)],
        **limits,
    )
    place = stage([ways, arrows], Clock(sigmas, start=10), key="why", probe=asked, permalink=True,
                  alt="Random walks from the data that end at the probe, and the average arrow from the probe to their starts.")
    shell.set_param("probe", None if place in (None, PROBE) else f"{place[0]:g},{place[1]:g}")
    return (exact - learned).norm(dim=1)


shell.require_shell()
shell.chapter(2, "Training", "A network is shown noised points and asked for the way back; it can only learn the average way.")
controls, picture = shell.picture()
with controls:
    scene = shell.segmented("Show", [LIVE, WHY], default=LIVE, key="show")
    data = dataset.choose()
    ready = shell.predict(
        "guess",
        "You are about to train from nothing. What appears first?",
        ("the rough extent of the data, then the arms", "the inner arm, then the outer ones", "all of it, slowly sharper"),
        0,
        "At large noise one arrow to the middle is nearly right for every point, and that is quickly learned. The arms are "
        "told apart only at small noise, where the arrows turn within a short distance.",
    )
    commands = st.container()  # above the recipe, whose values they need
    plan = Plan(data, choose_recipe(data.endless))
    live.take_in(plan)
    view = live.current(plan)
    if ready:
        live.heed_learning_rate(plan, view)
        with commands:
            live.buttons(plan, view)
        with st.expander("Save and load"):
            live.save(plan)
            live.load(adopt)
with picture:
    if view is not None and view.error:
        st.error(view.error, icon=":material/error:")
    if scene == LIVE:
        live.watch(plan, view, draw_live(data.points.points))
    else:
        draw_why(plan, view)
    shell.explain("guess", seen=view is not None and view.step >= 300)

shell.notes(
    [
        ("sample", "**Samples** start as noise at $\\sigma = 5$ and follow the arrows down to $\\sigma = 0$: scrub the clock. "
         "As the network learns, they settle on the data."),
        ("denoise", "**Arrows** lead from where a point is to the network's guess of where it began. Early in training they all "
         "point to the middle; the arms come later."),
        ("exact", "**The dashed line** is the loss of the exact denoiser: many walks pass one place, so even the perfect answer, "
         "their mean, misses most of them. The loss cannot fall below it."),
    ]
)  # fmt: skip
shell.equation(
    [
        (r"\mathcal L = \mathbb E_{x_0,\,\sigma,\,\varepsilon}\; w(\sigma)\,\bigl\lVert", None), (r"D_\theta", "denoise"),
        (r"(", None), (r"x_0", "data"), (r"+", None), (r"\sigma\varepsilon", "noise"), (r",\,\sigma) -", None), (r"x_0", "data"),
        (r"\bigr\rVert^2", None), (r"\qquad", None), (r"D^*(x,\sigma) = \mathbb E[x_0 \mid x]", "exact"),
    ],
    [("denoise", "the network's guess"), ("data", "where the walk began"),
     ("noise", "all its noise: N times the average last step of a walk of N steps"), ("exact", "the best guess there is")],
)  # fmt: skip
shell.code(denoiser.denoising_loss, training.train, passing.last_step)
shell.tasks(
    [
        ("Train until the samples lie on the data.", view is not None and view.step >= 600, "A few seconds are enough."),
        ("Train on a drawing or a word of your own.", data.points.name not in BUILT_IN and view is not None and view.step > 0,
         "Choose it under Data."),
        ("Find a learning rate at which training breaks down, and mend it.",
         "_broke" in st.session_state and view is not None and view.status == "running", "Try 10000, then a small one."),
    ]
)  # fmt: skip
if view is not None and view.status == "failed":
    st.session_state["_broke"] = True
shell.finish()
