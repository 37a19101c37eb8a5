"""One step of one particle in chapter 4: in the picture, enlarged, and as numbers under the terms of its equation."""

from __future__ import annotations

import torch
from torch import Tensor

from core.diffusion.forward import in_view
from core.diffusion.samplers import SamplerConfig
from core.diffusion.schedules import scale
from core.figures.scene import Arrows, Layer, Line, Panel, Points, Window
from core.lessons.sampling import Anatomy
from pages.ui.frame import shell
from pages.ui.frame.text import pair, t

STRAIGHT = 3e-4  # a probe that moved less than this along one axis was moved by an arrow key


def whole_panel(step: Anatomy, states: Tensor, k: int, sampler: SamplerConfig, points: Tensor, window: Window) -> Panel:
    """The step of particle k among all states [steps + 1, n, 2] and the data, with its path before and after it."""
    here, after = (scale(torch.tensor(sigma), window.view) for sigma in (step.sigma, step.sigma_next))
    line = in_view(states[:, k], sampler.sigmas, window.view)
    # The scale of the view changes within a step: the mean and the next place are drawn at the scale of the next level.
    at, to, then = here * step.x, after * step.denoised, after * step.x_next
    layers = [
        Points(here * points, "data", size=1.8, alpha=0.7, label=t("sampling.layers.data")),
        Points(here * states[step.i], "sample", size=2.4, alpha=0.45, label=t("sampling.layers.particles")),
        Line(*line[step.i :].T, "grid", t("sampling.layers.to_come"), dash=(2, 3), width=1.2),
        Line(*line[: step.i + 1].T, "sample", dash=(), label=t("sampling.layers.path")),
        Arrows(at[None], (to - at)[None], "denoise", 2.5, ()),
        Arrows(to[None], (then - to)[None], "noise", 2.5, ()),
        Points((here * step.x0)[None], "denoise", size=6, alpha=1, shape="ring", label="x̂₀"),
    ]
    reach = max(window.reach, 1.2 * at.abs().max().item())
    limits = {"xlim": (-reach, reach), "ylim": (-reach, reach)}
    values = {"k": k, "step": step.i + 1, "steps": sampler.steps}
    title = t("sampling.panels.step", **values, sigma=step.sigma, sigma_next=step.sigma_next)
    if window.view == "ve":
        return Panel(title, layers, probe=True, **limits)
    title = t("sampling.panels.step_scaled", title=title, factor=here.item())
    return Panel(title, layers, probe=True, caption=t("sampling.captions.step", factor=after.item()), **limits)


def lens_panel(step: Anatomy, points: Tensor) -> Panel:
    """The step around x in units of sigma, where it looks alike at every noise level."""
    x0, guess, to, then, data = (
        (place - step.x) / step.sigma for place in (step.x0, step.guess, step.denoised, step.x_next, points)
    )
    x = torch.zeros_like(x0)
    reach = 1.3 * torch.stack([to, then]).abs().max().clamp_min(1e-3).item()
    layers: list[Layer] = [
        Points(data, "data", size=3),
        Line([0, x0[0]], [0, x0[1]], "denoise", t("sampling.layers.to_guess"), dash=(2, 4), width=1.2),
    ]
    if step.higher_order:
        layers.append(
            Line([0, guess[0]], [0, guess[1]], "difference", t("sampling.layers.to_sharper_guess"), width=1.5)
        )
    noise = t("sampling.layers.random") if step.sigma_up else ""
    layers += [
        Arrows(x[None], to[None], "denoise", 4, (), t("sampling.layers.denoising")),
        Arrows(to[None], (then - to)[None], "noise", 4, (), noise),
        Points(x[None], "sample", size=6, alpha=1, shape="dot", label="x"),
        Points(then[None], "sample", size=7, alpha=1, shape="ring", label=t("sampling.layers.next_x")),
    ]
    return Panel(t("sampling.panels.lens"), layers, (-reach, reach), (-reach, reach))


def nearest(places: Tensor, k: int, clicked: Tensor) -> int:
    """Of particles seen [n, 2] the one nearest to a click [2]. An arrow key moves the probe straight along an axis from
    particle k: then the nearest that lies more in that direction than aside, or k where there is none."""
    moved = clicked - places[k]
    if moved.abs().min() > STRAIGHT:
        return int((places - clicked).norm(dim=1).argmin())
    ahead = moved.abs().argmax()
    away = places - places[k]
    onward = away[:, ahead] * moved[ahead].sign()
    distance = away.norm(dim=1).where(onward > away[:, 1 - ahead].abs(), torch.inf)
    return int(distance.argmin()) if distance.isfinite().any() else k


# The equation in numbers


def in_numbers(step: Anatomy) -> str:
    """The equation of a step with its numbers under its terms, as LaTeX in the colours of the picture."""
    guess = r"\tilde x_0" if step.higher_order else r"\hat x_0"
    fraction = rf"\frac{{{step.sigma_down:.3g}}}{{{step.sigma:.3g}}} = {step.fraction:.2f}"
    none = t("sampling.one_step.no_noise")
    eps = step.eps if step.sigma_up else rf"\text{{{none}}}"
    return " ".join([
        _under(r"x_{\text{next}}", step.x_next, "sample"), "=", _under(guess, step.guess, "denoise"), "+",
        _under(r"\frac{\sigma_\downarrow}{\sigma}", fraction), r"\bigl(", _under("x", step.x, "sample"), "-",
        _under(guess, step.guess, "denoise"), r"\bigr) +", _under(r"\sigma_\uparrow", f"{step.sigma_up:.3g}", "noise"),
        r"\;", _under(r"\varepsilon", eps, "noise"),
    ])  # fmt: skip


def sharper_guess(step: Anatomy, sampler: str) -> str:
    """How a sampler of higher order came to its guess, in numbers: by the mean of two slopes (Heun), or by what it adds
    to the denoiser's guess."""
    guess, x0 = _under(r"\tilde x_0", step.guess, "denoise"), _under(r"\hat x_0", step.x0, "denoise")
    if sampler == "heun":
        first, second = (_under(f"d_{k}", slope, "difference") for k, slope in enumerate(step.slopes, 1))
        half = _under(r"\frac{\sigma}{2}", f"{step.sigma / 2:.3g}")
        return rf"{guess} = {_under('x', step.x, 'sample')} - {half}\, \bigl({first} + {second}\bigr)"
    delta = _under(r"\Delta", step.guess - step.x0, "difference")
    added = f"{guess} = {x0} + {delta}"
    if sampler != "dpmpp_2m":
        return added
    before, after = t("sampling.one_step.extrapolated").split("x̂₀")
    return rf"{added} \qquad \Delta\text{{{before}}}\hat x_0\text{{{after}}}"


def _under(term: str, value: str | Tensor, role: str | None = None) -> str:
    """A term of an equation with its value below."""
    below = value if isinstance(value, str) else pair(value.tolist()).replace("−", "-")
    return rf"\underbrace{{{shell.tint(role, term)}}}_{{{below}}}"
