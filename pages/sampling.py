"""Chapter 4: samplers side by side from the same starting points, what a step is made of, and what its noise is for."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.diffusion import samplers
from core.diffusion.samplers import DDIM, DDIM_WITH_NOISE, DDPM, DDPM_NO_NOISE, SAMPLERS, SamplerConfig
from core.figures.scene import Clock, Panel
from core.models import trajectories
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import sampler_quality as quality_scenes
from pages.ui.lessons import sampling as sampling_scenes
from pages.ui.lessons.sampling import COARSE, FEW, FINE, LEGEND, N
from pages.ui.stage.player import stage

CLOUDS, STEP, PATHS, WHOSE, BOTH, QUALITY = "clouds", "one step", "paths", "whose step", "SDE and ODE", "quality"
FOUR = (DDPM, DDPM_NO_NOISE, DDIM_WITH_NOISE, DDIM)


def clouds() -> None:
    """The chosen samplers side by side."""
    draw(sampling_scenes.clouds(sampling_scenes.go(model, ways, N), points, window))
    st.caption(f"The same {N:,} starting points and, step for step, the same noise. One clock for all: σ.")


def one_step() -> None:
    """One step of one particle of the first sampler."""
    sampling_scenes.one_step(model, ways[0], window)
    st.caption("Click near another particle to follow it, or focus the picture and press Shift and an arrow key.")


def paths() -> None:
    """One particle under every sampler, beside its ghosts."""
    every = sampling_scenes.under_all(ways[0], eta)
    with row:
        k = sampling_scenes.particle()
    gone = sampling_scenes.go(model, every, FEW), sampling_scenes.go(model.exact, every, FEW)
    draw(sampling_scenes.paths(*gone, k, points, window), FINE)
    st.caption("Dashed: the ghost of the same particle, which the exact denoiser leads; and how far off its end is.")


def whose_step() -> None:
    """DDPM's step or DDIM's, each with noise and without."""
    four = [replace(ways[0], kind=kind) for kind in FOUR]
    draw(sampling_scenes.clouds(sampling_scenes.go(model, four, N), points, window))
    if ways[0].steps > 2:  # the last step goes all the way for both
        sampling_scenes.show_step_sizes(four[0], four[-1])


def both() -> None:
    """The first two clouds at one noise level, and how far they are apart at each."""
    gone = sampling_scenes.go(model, ways[:2], N)
    panel, times = sampling_scenes.difference(model, *ways[:2])
    draw([*sampling_scenes.clouds(gone, points, window), panel])
    st.caption(sampling_scenes.verdict(*gone, times))


def quality() -> None:
    """What a network call buys, for every sampler."""
    models = [model] if model == model.exact else [model, model.exact]
    quality_scenes.watch(models, ways[0])
    st.caption("Thick: this model. Thin: the exact denoiser. A click on a name hides both.")


def draw(panels: Sequence[Panel], frames: int = COARSE) -> None:
    """The panels on the one clock; at its end, where a fresh one stands, is what the samplers made."""
    levels = sampling_scenes.film(ways[0], frames)
    said = ". ".join(f"{panel.title}: {panel.caption}" for panel in panels)
    alt = f"From noise at sigma {levels[0]:g} to sigma 0 under the {name}. At the end: {said}."
    stage(panels, Clock(levels, start=-1), key="walks", alt=alt, fps=len(levels) / 5, permalink=True)


def made(way: SamplerConfig) -> trajectories.Quality:
    """How good the samples of a way are."""
    return trajectories.trajectory(model, way, N).quality


def leave_out() -> None:
    """The second sampler becomes DDPM without its noise."""
    st.session_state["b"] = DDPM_NO_NOISE


SCENES = {CLOUDS: clouds, STEP: one_step, PATHS: paths, WHOSE: whose_step, BOTH: both, QUALITY: quality}

shell.require_shell()
shell.chapter(
    4,
    "DDPM, DDIM, and what the noise is for",
    "The same points walk from noise to data under several samplers: some are shaken at every step, some never.",
)
controls, picture = shell.picture()
with shell.asking(controls, picture):
    answered = shell.predict(
        "guess",
        "DDPM adds a little noise after every step. Leave that out and keep all else. Where do the points go?",
        ("to the spiral, on smoother paths", "to a few points near the middle", "nowhere: they stay noise"),
        1,
        "DDPM's step goes farther down than σ falls; the noise was to fill the gap. Without it a point is less noisy "
        "than the network is told, and is pulled to the mean of all data that could be meant.",
    )
row = picture.container(horizontal=True, vertical_alignment="center")
scene = CLOUDS
if answered:
    with row:
        scene = shell.segmented("Show", list(SCENES), default=CLOUDS, key="show", label_visibility="collapsed")
with controls:
    name = shell.selectbox("Model", list(sampling_scenes.MODELS), key="model")
    kinds = [kind for kind in SAMPLERS if answered or kind not in (DDPM_NO_NOISE, DDIM_WITH_NOISE)]
    ways, eta = sampling_scenes.choose(kinds)
    window = sampling_scenes.WINDOWS[shell.radio("View", list(sampling_scenes.WINDOWS), key="view")]
if answered and DDPM_NO_NOISE not in {way.sampler for way in ways} and scene in (CLOUDS, BOTH):
    row.button("Leave DDPM's noise out", icon=":material/blur_off:", on_click=leave_out, key="_leave_out")
model = sampling_scenes.MODELS[name]()
points = model.points.points
with picture:
    SCENES[scene]()
    seen = {CLOUDS: ways, BOTH: ways[:2], WHOSE: [replace(ways[0], kind=DDPM_NO_NOISE)]}.get(scene, [])
    asked = [way for way in seen if way.sampler == DDPM_NO_NOISE and way.sigma_max == 10]
    shell.explain("guess", seen=any(made(way).collapsed for way in asked))
    if answered and scene == CLOUDS:
        shell.lead_to("image_models", "Leave the noise out for images")

NOTES = {
    CLOUDS: [
        ("sample", "**DDPM** shakes every point at every step and **DDIM** never does. Both bring the cloud to the "
         "spiral, from the same starts, each to a different place."),
        ("data", "**Without its noise** DDPM reaches only a few of the 100 data points, near the mean: 6 to 8 with the "
         "exact denoiser and the Fourier network, 10 to 12 with the reference network. Its samples look clean and are "
         "nearly all alike. More steps do not help. A start at σ = 1 hides it, for there the arms are already apart."),
        ("denoise", "**Why:** going back, a small step is a Gaussian, and the network knows its mean. To sample from "
         "it, the noise must be added. In image space this collapse is blur: the mean of many pictures."),
    ],
    STEP: [
        ("denoise arrow", "**The denoising arrow** leads from x towards the guess x̂₀, part of the way: DDPM farther "
         "than DDIM. Under the lens all is measured in σ, so a step looks alike at every noise level."),
        ("noise arrow", "**The random arrow** puts noise back. DDPM's sum of both has the noise of the next level, and "
         "no more."),
        ("sample", "**Next x** is where the next step begins. The path so far is jittery with noise, smooth without."),
    ],
    PATHS: [
        ("sample", "**One start, few ends.** DDIM and Euler are one method under two names and end at one place; Heun "
         "and DPM-Solver++ follow the same curve more closely and end nearly there. DDPM without its noise ends near "
         "the middle. What is shaken goes astray, and ends on the spiral all the same."),
        ("exact", "**The ghost** has the same start, noise and steps, and the exact denoiser. Where the two part, "
         "the network was wrong, or a small error was enough to choose another arm."),
    ],
    WHOSE: [
        ("sample", "**DDPM's step** is longer than DDIM's by the factor 1 + r when σ falls to r σ. The surplus makes "
         "room for noise."),
        ("negative", "**The long step without noise** leaves too little noise in x, and the cloud shrinks to the "
         "middle. **The short step with noise** leaves too much: the cloud is too wide, and most of it ends on the "
         "outer third of the points."),
    ],
    BOTH: [
        ("sample", "**Stop the clock anywhere:** the clouds of DDPM and DDIM look alike. An SDE and an ODE of the same "
         "marginals carry the same density; only single points go other ways."),
        ("exact", "**The floor** is how far two clouds of exact draws are apart by chance, on average; up to twice "
         "that at some level is nothing. DDPM in 8 steps beside DDIM in 64 is no longer alike, and DDPM without its "
         "noise is more than a hundred floors away."),
    ],
    QUALITY: [
        ("conditional", "**One call a step and second order** pay where calls are few: DPM-Solver++(2M) is done after "
         "a handful. Heun pays two calls a step."),
        ("unconditional", "**Euler hides DDIM:** they are one method, and DDIM's line lies exactly under Euler's."),
        ("negative", "**Judge no metric alone:** without noise DDPM has a small distance to the data and reaches "
         "nearly none of them."),
        ("exact", "**The dashed line** is the noise floor: what perfect samples measure by chance. The data "
         "are a hundred points, to which the distance of perfect samples is 0, off the axis; of the endless spiral it "
         "is the distance to 2,000 even points."),
    ],
}  # fmt: skip
UNTOLD = [*NOTES[CLOUDS][:1], ("data", "**Without its noise** is still to come: say first what you expect.")]
shell.notes(NOTES[scene] if answered else UNTOLD)
shell.equation(
    [
        (r"x_{\text{next}}", "sample"), ("=", None), (r"\hat x_0", "denoise"),
        (r"+ \frac{\sigma_\downarrow}{\sigma}\,(x - ", None), (r"\hat x_0", "denoise"), (r") +", None),
        (r"\sigma_\uparrow\,\varepsilon", "noise"),
    ],
    LEGEND if answered else LEGEND[:-1],
)  # fmt: skip
shell.code(samplers.ancestral, samplers.ancestral_step, trajectories.at_levels)

shell.tasks(
    [
        ("Find the smallest number of steps at which DDIM still reaches more than 90 of the 100 points.",
         any(way.sampler == DDIM and 1 < way.steps < 20 and made(way).coverage > 0.9
             and made(replace(way, steps=way.steps - 1)).coverage <= 0.9 for way in ways),
         "It is a small number; its panel says how many points were reached."),
        ("Leave DDPM's noise out, and try whether 256 steps mend it.",
         any(way.sampler == DDPM_NO_NOISE and way.steps == 256 for way in ways), "Choose the sampler and its steps above."),
        ("Find a sampler that reaches all 100 points with at most 5 network calls.",
         any(way.nfe <= 5 and made(way).coverage == 1 for way in ways), "Second order, and one call a step."),
    ]
)  # fmt: skip
shell.finish()
