"""Walks from noise to data on the stage: the controls that choose them, and their clouds, paths and single steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import streamlit as st
import torch
from torch import Tensor

from core.diffusion import samplers
from core.diffusion.forward import in_view
from core.diffusion.samplers import DDIM, DDPM, ETA_INTERPOLATED, SAMPLERS, SamplerConfig
from core.diffusion.schedules import scale
from core.figures.curves import Curve, curves
from core.figures.scene import Arrows, Layer, Line, Panel, Path, Points, Window
from core.lessons import sampler_quality
from core.lessons import sampling as sampling_lesson
from core.lessons.sampling import Anatomy
from core.models import trajectories
from core.models.points import SIGMA_MIN
from core.models.trajectories import PointModel, Trajectory
from pages.ui.frame import shell_old as shell
from pages.ui.frame.text import pair
from pages.ui.stage.player import latest, stage

MODELS: dict[str, Callable[[], PointModel]] = {
    "Fourier network": partial(sampling_lesson.shipped, "spiral-100-fourier"),
    "reference network": partial(sampling_lesson.shipped, "spiral-100-reference"),
    "exact denoiser": trajectories.exact_model,
    "Fourier network, endless spiral": partial(sampling_lesson.shipped, "spiral"),
}
WINDOWS = {"variance preserving": Window("vp", 1.7), "variance exploding": Window("ve", 2.2)}
ROLES = {name: spec.role for name, spec in SAMPLERS.items()}
GRIDS = ("log-linear", "karras", "cosine", "ddpm-linear", "rectified-flow")
NONE = "none"
N, FEW = 2000, 50  # particles of a cloud; of those that can be followed one by one
COARSE, FINE = 49, 121  # frames of the clock of clouds, and of single paths
HALVES = 2  # clouds are compared in halves: fast enough to wait for
CHANCE = 2.5  # times the floor; of 30 pairs of exact clouds one was so far apart at some level
FIRST = 21  # the step to begin with
HAIR = 1e-4  # too little to be seen
LEGEND = [
    ("denoise", "the network's guess"),
    ("noise", r"fresh noise, ${\sigma_\uparrow = 0}$ for DDIM"),
    ("sample", r"DDPM: ${\sigma_\downarrow = \sigma_{\text{next}}^2/\sigma}$, DDIM: "
     r"${\sigma_\downarrow = \sigma_{\text{next}}}$, and from one to the other "
     r"${\sigma_\downarrow^2 + \sigma_\uparrow^2 = \sigma_{\text{next}}^2}$: the noise of the next level"),
    ("data", r"reverse-time SDE: DDPM's ${\sigma_\downarrow}$, but ${\sigma_\uparrow^2 = \sigma^2 - "
     r"\sigma_{\text{next}}^2}$: right only for small steps"),
    ("negative", "with the noise left out the sum is less than that, with noise added to DDIM's step more"),
]  # fmt: skip


# The controls


def config_of(sampler: str, steps: int, eta: float, sigma_max: float, schedule: str, seed: int) -> SamplerConfig:
    """The configuration that controls mean: it has their eta only where it reads it, so that no other changes with it."""
    eta = eta if "eta" in SAMPLERS[sampler].reads else SamplerConfig.eta
    return SamplerConfig(sampler, steps, eta, sigma_max, schedule, seed)


def choose(kinds: Sequence[str]) -> tuple[list[SamplerConfig], float]:
    """Two to four samplers, each with its own number of steps, on what they have in common; and the eta of others."""
    first = [_slot("a", kinds, kinds.index(DDPM)), _slot("b", kinds, kinds.index(DDIM), "collapsed")]
    with st.expander("More samplers, eta, noise levels, seed"):
        more = [_slot(key, [NONE, *kinds], 0, "collapsed") for key in "cd"]
        eta = shell.slider(
            "eta, from DDIM (0) to DDPM (1)", 0.0, 1.0, 0.5, 0.05, key="eta", help=f"Of “{ETA_INTERPOLATED}”."
        )
        top = shell.select_slider("They start at σ =", (0.5, 1.0, 2.0, 5.0, 10.0), 10.0, key="top")
        grid = shell.selectbox("Noise levels", GRIDS, key="grid")
        seed = int(shell.number("Seed", 0, 9999, 0, key="seed"))
    chosen = [slot for slot in (*first, *more) if slot[0] != NONE]
    return [config_of(kind, steps, eta, top, grid, seed) for kind, steps in chosen], eta


def under_all(way: SamplerConfig, eta: float) -> list[SamplerConfig]:
    """Every sampler that is worth comparing, with a way's steps and all else that it has."""
    kinds = (*sampler_quality.compared(), ETA_INTERPOLATED)
    return [config_of(kind, way.steps, eta, way.sigma_max, way.schedule, way.seed) for kind in kinds]


def _slot(key: str, kinds: Sequence[str], index: int, label: str = "visible") -> tuple[str, int]:
    """A sampler and its number of steps, side by side."""
    name = key.upper()
    left, right = st.columns([5, 3], gap="small")
    with left:
        kind = shell.selectbox(f"Sampler {name}", kinds, index, key=key, label_visibility=label)
    with right:
        steps = shell.number(f"Steps of {name}", 1, 256, 64, key=f"n{key}", label_visibility=label)
    return kind, int(steps)


def film(way: SamplerConfig, frames: int = COARSE) -> Tensor:
    """The noise levels of the clock for all ways that start where this one does, [frames]."""
    return trajectories.levels(frames, way.sigma_max)


def go(model: PointModel, ways: Sequence[SamplerConfig], n: int) -> list[Trajectory]:
    """All walks, two at a time: PyTorch lets go of the interpreter in each of its operations."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda way: trajectories.trajectory(model, way, n), ways))


# Clouds


def clouds(gone: Sequence[Trajectory], points: Tensor, window: Window) -> list[Panel]:
    """The clouds side by side on one clock, over the data points [N, 2]; in words what each cost and where it came."""
    levels = film(gone[0].config)
    data = Points(_data(points, levels, window), "data", size=1.3, alpha=1, label="data")
    drawn = (in_view(walk.at(levels), levels, window.view) for walk in gone)
    seen = (Points(states, "sample", size=2.4, alpha=0.6, label="samples") for states in drawn)
    return [
        Panel(title(walk.config, len(gone) < 3), [cloud, data], caption=said(walk), **window.limits)
        for walk, cloud in zip(gone, seen, strict=True)
    ]


def title(way: SamplerConfig, steps: bool = True) -> str:
    """What a panel is called."""
    kind = f"eta = {way.eta:g}" if way.sampler == ETA_INTERPOLATED else way.sampler
    return f"{kind}, {way.steps} step{'s' if way.steps > 1 else ''}" if steps else kind


def said(walk: Trajectory) -> str:
    """What a walk cost and where it came, in words."""
    quality = walk.quality
    calls = f"{walk.config.nfe} call{'s' if walk.config.nfe != 1 else ''}"
    return f"{calls}: {quality.covered} of {quality.of} points · std {quality.std:.2f}"


def _data(points: Tensor, levels: Tensor, window: Window) -> Tensor:
    """The data where a view draws them: [N, 2], or [T, N, 2] where they shrink with the noise."""
    return points if window.view == "ve" else points * scale(levels, window.view).float()[:, None, None]


# The path of one particle under every sampler


def paths(
    gone: Sequence[Trajectory], ghosts: Sequence[Trajectory], k: int, points: Tensor, window: Window
) -> list[Panel]:
    """Particle k on each way, a panel each, beside its ghost: where the exact denoiser takes it by the same sampler."""
    levels = film(gone[0].config, FINE)
    data = Points(_data(points, levels, window), "data", size=1.3, alpha=0.5)

    def one(walk: Trajectory, ghost: Trajectory) -> Panel:
        path, other = (in_view(w.at(levels)[:, k], levels, window.view) for w in (walk, ghost))
        layers = [data, Path(path, "sample"), Line(other[:, 0], other[:, 1], "exact", dash=(2, 8), width=1.5)]
        apart = (walk.states[-1, k] - ghost.states[-1, k]).norm().item()
        said = f"{walk.config.nfe} calls: {apart:.2f} off"
        return Panel(title(walk.config, False), layers, caption=said, **window.limits)

    return [one(*both) for both in zip(gone, ghosts, strict=True)]


# One step


@st.fragment
def one_step(model: PointModel, way: SamplerConfig, window: Window) -> None:
    """Steps of one particle, forward and back: in the picture, under a lens, and as numbers under the terms."""
    with shell.guard(), st.container(gap="xxsmall"):
        (gone,) = go(model, [way], FEW)
        with st.container(horizontal=True, vertical_alignment="center"):
            i = _which(way)
            seen = in_view(gone.states[i : i + 1], way.sigmas[i : i + 1], window.view)[0]
            _follow_click(seen)
            k = particle()
        now = sampling_lesson.anatomy(model.denoise, way, gone.states[:, k], i)
        panels = [_whole(now, gone, k, model.points.points, window), _lens(now, model.points.points)]
        x, x0, mean, x_next = (pair(place.tolist()) for place in (now.x, now.x0, now.denoised, now.x_next))
        alt = f"{panels[0].title}, {way.sampler}. From x = {x} towards the guess {x0} to {mean}, and by noise to {x_next}."
        st.latex(in_numbers(now))
        stage(panels, key="one_step", alt=alt, probe=_crosshair(seen[k]))
        if now.sharpened:
            st.latex(sharper(now, way.sampler))


def particle() -> int:
    """The number of the particle to follow, one control of a row."""
    st.markdown("Particle", width="content")
    return int(shell.number("Particle", 0, FEW - 1, 7, key="particle", width=160, label_visibility="collapsed"))


def _which(way: SamplerConfig) -> int:
    """The step to look at, from 0, with buttons to go on and back. A way shorter than that shows its last step, and the
    address keeps the step that was chosen, so that a link never depends on a default."""

    def choose(step: int | None = None) -> None:
        shell.set_param("step", st.session_state["_step"] if step is None else step)

    wanted = shell.param("step", lambda raw: int(shell.between(1, samplers.MAX_STEPS)(raw)), FIRST)
    step = st.session_state["_step"] = min(wanted, way.steps)
    st.button("Back", icon=":material/skip_previous:", on_click=choose, args=(max(1, step - 1),), key="_back")
    st.slider(
        f"Step of {way.sampler}", 1, max(2, way.steps), key="_step", on_change=choose, label_visibility="collapsed"
    )
    forward = {"icon": ":material/skip_next:", "on_click": choose, "args": (min(way.steps, step + 1),)}
    st.button("Forward", **forward, key="_forward")
    return step - 1


def _follow_click(seen: Tensor) -> None:
    """Go over to another particle, out of those seen [n, 2], where the learner has moved the crosshair."""
    if clicked := latest("one_step", "probe", None):  # None again once it was read
        st.session_state["_clicks"] = st.session_state.get("_clicks", 0) + 1
        st.session_state["particle"] = nearest(seen, st.session_state["particle"], torch.tensor(clicked))


def nearest(seen: Tensor, k: int, clicked: Tensor) -> int:
    """Of particles seen [n, 2] the one nearest to a click [2]. An arrow key moves the crosshair straight along an axis
    from particle k: then the nearest that lies more that way than aside, or k where there is none."""
    moved = clicked - seen[k]
    if moved.abs().min() > 3 * HAIR:
        return int((seen - clicked).norm(dim=1).argmin())
    ahead = moved.abs().argmax()
    away = seen - seen[k]
    onward = away[:, ahead] * moved[ahead].sign()
    distance = away.norm(dim=1).where(onward > away[:, 1 - ahead].abs(), torch.inf)
    return int(distance.argmin()) if distance.isfinite().any() else k


def _crosshair(place: Tensor) -> tuple[float, float]:
    """The place of a particle [2]; after every other click a hair aside, as the stage goes back only to a new place."""
    x, y = place.tolist()
    return x + HAIR * (st.session_state.get("_clicks", 0) % 2), y


def _whole(now: Anatomy, walk: Trajectory, k: int, points: Tensor, window: Window) -> Panel:
    here, after = (scale(torch.tensor(sigma), window.view) for sigma in (now.sigma, now.sigma_next))
    path = in_view(walk.states[:, k], walk.config.sigmas, window.view)
    # Within a step the view's scale changes: the mean and the next place are drawn at the next level's.
    at, to, then = here * now.x, after * now.denoised, after * now.x_next
    layers = [
        Points(here * points, "data", size=1.8, alpha=0.7, label="data"),
        Points(here * walk.states[now.i], "sample", size=2.4, alpha=0.45, label="particles"),
        Line(path[now.i :, 0], path[now.i :, 1], "grid", "to come", dash=(2, 3), width=1.2),
        Line(path[: now.i + 1, 0], path[: now.i + 1, 1], "sample", dash=(), label="path so far"),
        Arrows(at[None], (to - at)[None], "denoise", 2.5, ()),
        Arrows(to[None], (then - to)[None], "noise", 2.5, ()),
        Points((here * now.x0)[None], "denoise", size=6, alpha=1, shape="ring", label="x̂₀"),
    ]
    room = replace(window, reach=max(window.reach, 1.2 * at.abs().max().item()))
    heading = f"Particle {k}, step {now.i + 1} of {walk.config.steps}: σ = {now.sigma:.3g} → {now.sigma_next:.3g}"
    if window.view == "ve":
        return Panel(heading, layers, probe=True, **room.limits)
    smaller = f"Next x is drawn × {after:.2g}: so the noise fits at every σ"
    return Panel(f"{heading}, drawn × {here:.2g}", layers, probe=True, caption=smaller, **room.limits)


def _lens(now: Anatomy, points: Tensor) -> Panel:
    """Around x, in units of σ: there a step looks alike at every noise level."""
    x0, guess, to, then, data = (
        (place - now.x) / now.sigma for place in (now.x0, now.guess, now.denoised, now.x_next, points)
    )
    x = torch.zeros_like(x0)
    reach = 1.3 * torch.stack([to, then]).abs().max().item()
    layers: list[Layer] = [
        Points(data, "data", size=3),
        Line([0, x0[0]], [0, x0[1]], "denoise", "to x̂₀", dash=(2, 4), width=1.2),
    ]
    if now.sharpened:
        layers.append(Line([0, guess[0]], [0, guess[1]], "difference", "to the sharper guess", width=1.5))
    layers += [
        Arrows(x[None], to[None], "denoise", 4, (), "denoising"),
        Arrows(to[None], (then - to)[None], "noise", 4, (), "random" if now.sigma_up else ""),
        Points(x[None], "sample", size=6, alpha=1, shape="dot", label="x"),
        Points(then[None], "sample", size=7, alpha=1, shape="ring", label="next x"),
    ]
    limits = {"xlim": (-reach, reach), "ylim": (-reach, reach)}
    return Panel("The step under a lens, in units of σ", layers, **limits)


def in_numbers(now: Anatomy) -> str:
    """The equation of a step with its numbers under its terms, as LaTeX in the colours of the picture."""
    guess = r"\tilde x_0" if now.sharpened else r"\hat x_0"
    kept = rf"\frac{{{now.sigma_down:.3g}}}{{{now.sigma:.3g}}} = {now.kept:.2f}"
    return " ".join([
        _under(r"x_{\text{next}}", now.x_next, "sample"), "=", _under(guess, now.guess, "denoise"), "+",
        _under(r"\frac{\sigma_\downarrow}{\sigma}", kept), r"\bigl(", _under("x", now.x, "sample"), "-",
        _under(guess, now.guess, "denoise"), r"\bigr) +", _under(r"\sigma_\uparrow", f"{now.sigma_up:.3g}", "noise"),
        r"\;", _under(r"\varepsilon", now.eps if now.sigma_up else r"\text{none}", "noise"),
    ])  # fmt: skip


def sharper(now: Anatomy, kind: str) -> str:
    """How a second-order sampler sharpened its guess, in numbers: by the mean of two slopes, or by extrapolation."""
    guess, x0 = _under(r"\tilde x_0", now.guess, "denoise"), _under(r"\hat x_0", now.x0, "denoise")
    if kind == "heun":
        first, second = (_under(f"d_{k}", slope, "difference") for k, slope in enumerate(now.slopes, 1))
        half = _under(r"\frac{\sigma}{2}", f"{now.sigma / 2:.3g}")
        return rf"{guess} = {_under('x', now.x, 'sample')} - {half}\, \bigl({first} + {second}\bigr)"
    ahead = _under(r"\Delta", now.guess - now.x0, "difference")
    return rf"{guess} = {x0} + {ahead} \qquad \Delta\text{{: the last move of }} \hat x_0 \text{{, continued}}"


def _under(term: str, value: str | Tensor, role: str | None = None) -> str:
    """A term of an equation with its value below."""
    text = value if isinstance(value, str) else pair(value.tolist()).replace("−", "-")
    return rf"\underbrace{{{shell.tint(role, term)}}}_{{{text}}}"


# Whose step


def step_sizes(ways: Sequence[SamplerConfig]) -> list[Curve]:
    """How far each way's steps go down, as a part of σ, over the noise levels."""
    found = []
    for way in ways:
        sigmas, down = way.sigmas[:-2], samplers.step_sizes(way)[0][:-1]  # the last step goes all the way for all
        found.append(Curve(sigmas.numpy(), (1 - down / sigmas).numpy(), ROLES[way.sampler], f"{way.sampler}'s step"))
    return found


def show_step_sizes(ddpm: SamplerConfig, ddim: SamplerConfig) -> None:
    """The two as curves, and how far both go halfway."""
    sizes = step_sizes([ddpm, ddim])
    top = 1.2 * max(size.y.max() for size in sizes)
    chart = curves(sizes, shell.theme(), "σ", "step down / σ", xlog=True, ylim=(0, top), height=240)
    st.plotly_chart(chart, theme=None, key="sizes")
    longer, shorter = (size.y[len(size.y) // 2] for size in sizes)
    st.caption(f"Halfway a step goes down by {longer:.0%} of σ with DDPM and by {shorter:.0%} with DDIM.")


# Two clouds


def difference(model: PointModel, first: SamplerConfig, second: SamplerConfig) -> tuple[Panel, float]:
    """The distance between two clouds over the noise levels beside that of two exact ones; and at most how many times
    that it is.

    Drawn at the scale of the variance preserving view, so that clouds of any noise are of one size.
    """
    levels = trajectories.levels(9, first.sigma_max)
    given = tuple(levels.tolist())
    apart = sampling_lesson.cloud_distance_over_levels(model, first, second, given, N, HALVES)
    floor = trajectories.energy_noise_floor(model.exact, given, N // HALVES)
    times = (apart / floor).max().item()
    shrunk, seen = scale(levels, "vp"), levels.clamp_min(SIGMA_MIN)
    lines = [
        Line(seen, floor * shrunk, "exact", "two exact clouds: the floor"),
        Line(seen, apart * shrunk, "sample", "these two", dash=(), width=3),
    ]
    top = max(4 * (floor * shrunk).max().item(), 1.05 * (apart * shrunk).max().item())
    panel = Panel("Energy distance", lines, (seen[-1].item(), seen[0].item()), (0, top), False, "σ", xlog=True,
                  marker=film(first).clamp_min(seen[-1]), caption=f"at most {times:.1f} times the floor")  # fmt: skip
    return panel, times


def verdict(first: Trajectory, second: Trajectory, times: float) -> str:
    """Whether two clouds are alike that are at most so many times the floor apart, and whether their points are."""
    if times > CHANCE:
        return f"The clouds differ: at some σ they are {times:.3g} times as far apart as chance makes two alike ones."
    strayed = (first.states[-1] - second.states[-1]).norm(dim=1).mean().item()
    if strayed < 0.1:
        return f"The clouds are alike, for each point goes the same way in both: its ends are {strayed:.2f} apart."
    return "Each point goes another way, and yet the clouds are alike at every σ, to within what chance does."
