"""Chapter 3: a model's field beside the exact one at every noise level, where they part, and one place under a lens."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlencode

import streamlit as st
from torch import Tensor

from core.data.points import BUILT_IN, PointSet
from core.diffusion import exact, vector_field
from core.diffusion.denoiser import Denoise
from core.figures.curves import Curve, curves
from core.figures.lecture import FORMATS, to_file
from core.figures.scene import Clock
from core.lessons import vector_field as vector_field_lesson
from core.models import points as point_model
from core.pretrained import RECIPES, points_of, pretrained
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import vector_field as vector_field_scenes
from pages.ui.runs import point_runs, training_run
from pages.ui.stage.player import newest_probe, stage

SIGMAS = vector_field.clock(49)
LEVELS = [f"{sigma:.3g}" for sigma in SIGMAS.tolist()]
SIDE, HEAT = 21, 56  # arrows and heat cells along a side
DRAWS = 2000
START, FINE = LEVELS.index("0.0866"), LEVELS.index("0.0487")  # where a fresh clock stands; where the tasks look
WINDOWS = {
    "variance exploding": vector_field_scenes.Window("ve", 1.2),
    "variance preserving": vector_field_scenes.Window("vp", 1.6),
}
REFERENCE, FOURIER = "reference network", "Fourier network"
PROBE = (0.7, -0.8)
NEARLY = (
    "they nearly do, too: the reference network is fed $x$ as it is, at $\\sigma = 10$ twenty times as large as the "
    "data, and its cosine falls to 0.84. The same network fed scaled $x$ reaches 0.94."
)


class Model(NamedTuple):
    """A model to look at: ``key`` changes whenever its weights or its data do; endless: trained on fresh draws."""

    key: str
    denoise: Denoise
    points: PointSet
    endless: bool

    @property
    def ideal(self) -> exact.EmpiricalDenoiser:
        """The exact denoiser of its data; of a few thousand even points for endless ones, to answer at once."""
        return point_model.exact(self.points, self.endless, DRAWS)


def shipped(name: str) -> Model:
    return Model(name, pretrained(name).denoiser, points_of(name), RECIPES[name][1].endless)


def trained(plan: point_runs.PointTraining) -> Model:
    """The learner's own run, as it stands now."""
    denoise = training_run.model(plan)
    weights = b"".join(value.numpy().tobytes() for value in denoise.state_dict().values())
    return Model(plan.data.key + sha256(weights).hexdigest(), denoise, plan.data.points, plan.data.endless)


def models() -> dict[str, Callable[[], Model]]:
    """What can be chosen on this page, by its name in the address; a model is made only when it is chosen."""
    names = {REFERENCE: "spiral-100-reference", FOURIER: "spiral-100-fourier"}
    names |= {f"{FOURIER}, endless {name}": name for name in BUILT_IN}
    choices = {label: partial(shipped, name) for label, name in names.items()}
    own = training_run.latest(point_runs.POINTS)
    return choices | {"your run in chapter 2": partial(trained, own)} if own else choices


@st.cache_resource(max_entries=24, show_spinner=False)
def film_of(key: str, window: vector_field_scenes.Window, _model: Model) -> vector_field_lesson.Film:
    return vector_field_lesson.film(_model.denoise, _model.ideal, SIGMAS, window.view, SIDE, window.reach, HEAT)


@st.cache_resource(max_entries=24, show_spinner=False)
def error_of(key: str, _model: Model) -> Tensor:
    ideal = _model.ideal
    n = len(ideal.points)
    data = ideal.points[:: max(1, n // 500)].repeat(max(1, 1000 // n), 1)
    return vector_field.relative_error(_model.denoise, ideal, data, SIGMAS)


shell.require_shell()
shell.chapter(
    3,
    "The vector field in time",
    "At every place and noise level σ the model gives one arrow: from here to where the clean data are, on average.",
)
controls, picture = shell.picture()
with controls:
    answered = shell.predict(
        "guess",
        "Training is over. Where do the network's arrows still differ most from the exact ones?",
        ("at large σ, where all is one blur", "at small σ, where the detail is", "by about as much at every σ"),
        1,
        "At large σ one blurred arrow serves many places. At small σ the exact field turns to another of the hundred "
        "points within a short way, and the network does not follow: it makes new points instead of repeating them.",
    )
    scenes = ("fields", "error", "one place")
    scene = shell.segmented("Show", scenes, default="fields", key="show") if answered else "fields"
    if answered and scene == "fields" and st.session_state["predictions"]:
        st.caption("Now show the *error*, and scrub σ below the picture.")
    choices = models()
    about = "The first two saw the same 100 points; the reference is the plain network as commonly taught."
    name = shell.selectbox("Model", list(choices), key="model", help=about)
    window = WINDOWS[shell.radio("View", list(WINDOWS), key="view")]
    density = shell.toggle("Log-density under the arrows", True, key="density")

model = choices[name]()
film, error = film_of(model.key, window, model), error_of(model.key, model)
rival = None
if other := {REFERENCE: FOURIER, FOURIER: REFERENCE}.get(name):
    rival = other, error_of(choices[other]().key, choices[other]())
asked = shell.param("probe", shell.place(2), PROBE)
place = tuple(min(window.reach, max(-window.reach, v)) for v in newest_probe("field", asked))
learned, best = (
    vector_field_lesson.read(denoise, place, SIGMAS, window.view) for denoise in (model.denoise, model.ideal)
)

under = vector_field_scenes.ground(film, model.points.points, window, density)
panels = vector_field_scenes.side_by_side(film, under, error, window)[: 3 if answered else 2]
hint = "Arrows keep their true length up to one grid cell; longer ones are cut to it, by the same factor in all panels."
if scene == "error":
    panels = [panels[2], vector_field_scenes.error_over_sigma(SIGMAS, error, rival)]
elif scene == "one place":
    lens = partial(vector_field_scenes.lens, sigmas=SIGMAS, under=under, window=window)
    panels = [lens("Learned", "denoise", learned), lens("Exact", "exact", best)]
    drawn = "x" if window.view == "ve" else "x / √(1 + σ²)"
    hint = f"{drawn} = {vector_field_scenes.pair(place)}. Drag the probe, or focus the picture and press Shift and an arrow key."
if model.endless:
    hint += f" Exact: for {DRAWS:,} even points; where σ is below their spacing it sees each of them."
wrong = f" Its relative error is {error[START]:.2f} at sigma {LEVELS[START]}, {error[FINE]:.2f} at {LEVELS[FINE]}."
with picture:
    put = stage(
        panels, Clock(SIGMAS, start=START), key="field",
        alt=f"Arrows of the {name} and of the exact denoiser for noise levels from 10 down to 0.01. At large sigma the "
        "exact ones all point to the mean of the data, near 0 each to the nearest data point." + wrong * answered,
        probe=place, permalink=True,
    )  # fmt: skip
    st.caption(hint)
    if scene == "one place":
        st.markdown(vector_field_scenes.table(SIGMAS, learned, best, frames=(0, 16, START, 48)))
    shell.explain("guess", seen=scene == "error")
shell.set_param("probe", None if put in (None, PROBE) else f"{put[0]:g},{put[1]:g}")

seen = [
    ("exact arrow", "**Exact arrows** all point to the mean of the data at large $\\sigma$: from far away the data are "
     "one blur. As $\\sigma$ falls they turn to the nearest arm, at last to the nearest point. The cosine says how "
     "well."),
    ("denoise arrow", "**Learned arrows** lead from $x$ to the network's guess of the clean data. At large $\\sigma$ "
     + (NEARLY if name == REFERENCE else "those of a trained network with scaled input agree with the exact ones.")),
    ("difference arrow", "**The difference** is what the network missed. At small $\\sigma$ its arrows are short on "
     "the data and long off them, as half-way between two arms: noised data hardly ever come there, so the network "
     "was never asked. The relative error counts only places where noised data do come."),
]  # fmt: skip
shell.notes(seen if answered else seen[:2])
shell.equation(
    [
        (r"\hat x_0 - x", "denoise"), (r"\;=\; -\sigma\,", None), (r"\hat\varepsilon", "noise"),
        (r"\;=\; \sigma^2\,", None), (r"\nabla_{\!x} \log p(x;\sigma)", "probe"), (r"\qquad", None),
        (r"\hat x_0^{\,*}", "exact"),
        (r"= \sum_i \operatorname{softmax}_i\Bigl(-\tfrac{\lVert x - x_i \rVert^2}{2\sigma^2}\Bigr)\,", None),
        (r"x_i", "data"),
    ],
    [("denoise arrow", "the arrow drawn"), ("noise", "the noise seen in $x$"), ("probe", "the score"),
     ("exact", "the exact guess, a weighted mean of"), ("data", "the data points")],
)  # fmt: skip

if answered:
    st.markdown("#### Coarse is learned, fine is not")
    measure = r"\sqrt{\mathrm{E}\lVert\hat\varepsilon-\varepsilon^*\rVert^2 / \mathrm{E}\lVert\varepsilon^*\rVert^2}"
    rise = "The rise at the right end is the unscaled input's (note 2)." if name == REFERENCE else ""
    st.markdown(f"${measure}$ on noised data: 0 is the exact field, 1 as wrong as no arrow at all. {rise}")
    lines = [Curve(SIGMAS.numpy(), error.numpy(), "difference", name)]
    if rival:
        lines.append(Curve(SIGMAS.numpy(), rival[1].numpy(), "unconditional", other))
    chart = curves(
        lines, shell.theme(), "σ", "relative error of the field", xlog=True, ylim=(0, vector_field_scenes.top(error))
    )
    st.plotly_chart(chart, theme=None, key="error_curve")

with st.container(horizontal=True, vertical_alignment="bottom"):
    level = shell.select_slider("The fields as a figure for a slide, at σ =", LEVELS, LEVELS[START], key="slide")
    kind = shell.segmented("File", list(FORMATS), default="svg", key="file")
    link = f"{st.context.url}?{urlencode(st.query_params.to_dict())}"
    heading, at = f"The vector field, {name}, σ = {level}", LEVELS.index(level)
    slide = partial(vector_field_scenes.slide, film, at, model.points.points, window, density, heading, shell.theme())
    file = lambda: to_file(slide(), kind, heading, link)  # noqa: E731  drawn only when somebody asks for it
    st.download_button("Download", file, f"field-{level}.{kind}", FORMATS[kind], on_click="ignore")

shell.code(
    vector_field.arrows, exact.EmpiricalDenoiser.__call__, exact.EmpiricalDenoiser.weights, vector_field.relative_error
)
apart = (learned.x0 - best.x0).norm(dim=1)[FINE].item()
shell.tasks(
    [
        ("Find a network whose relative error at σ = 0.05 is below 0.25.", error[FINE].item() < 0.25,
         "The list of models has two networks that saw the same hundred points."),
        ("Find a place where the learned and the exact guess are more than 0.2 apart at σ = 0.05.",
         scene == "one place" and apart > 0.2,
         "Show one place, and try where the map is pale, between two arms or beyond the last."),
        ("Draw the process so that the cloud ends as a unit Gaussian. Where have the data gone at σ = 10?",
         window.view == "vp", "It is one of the two views: there the picture shrinks as the noise grows."),
    ]
)  # fmt: skip
shell.finish()
