"""The panels of chapter 5: fields, samples and curves."""

from collections.abc import Sequence

from torch import Tensor

from core.data import CLASSES
from core.figures.scene import Arrows, Layer, Line, Panel, Points
from core.lessons import guidance as lesson
from core.lessons.guidance import FIELD_SIGMAS, Fields, GuidanceConfig, GuidedSamples, Terms
from core.models import points as point_model
from core.pretrained import points_of
from pages.ui.frame import text
from pages.ui.frame.text import pair, signed, t

POINTS = points_of("spiral-classes-strong")
REACH = 1.25
LIMITS = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH)}
ALPHA = lesson.alpha(POINTS.rms)  # [T]
SIGMA_RANGE = (point_model.SIGMA_MIN, FIELD_SIGMAS[0].item())
OUTSIDE = 0.05  # from this share on, samples outside of the picture are counted in the place of a distance


def class_label(label: int) -> str:
    """The label of a class by its number."""
    return text.label("classes", CLASSES[label])


# Layers and panels


def data(every: int = 1) -> Layer:
    """The data points as drawn at each noise level; or every so many points, at every so many levels."""
    return Points(ALPHA[::every, None, None] * POINTS.points[::every], "grid", size=1.3, alpha=0.7)


def wanted_data(label: int) -> Layer:
    """The data points as drawn, those of the wanted class in its colour and shape."""
    states, wanted = ALPHA[:, None, None] * POINTS.points, POINTS.labels == label
    return Points(states, ("grid", CLASSES[label]), group=wanted, size=1.8, label=("", class_label(label)))


def overlay(drawn: Fields, role: str, base: str, label: int) -> Panel:
    """Three arrows at each place: u in the colour of ``role``, which ``base`` names, c, and c - u from tip to tip."""
    # The wide ones below: where arrows coincide, all are seen.
    target = t("guidance.layers.target", label=class_label(label))
    layers = [
        wanted_data(label),
        Arrows(drawn.places + drawn.base, drawn.difference, "difference", 3.6, (), t("guidance.layers.difference")),
        Arrows(drawn.places, drawn.target, "conditional", 2.6, (), target),
        Arrows(drawn.places, drawn.base, role, 1.2, (), base),
    ]
    return Panel(t("guidance.panels.fields"), layers, **LIMITS)


def angle(every: Tensor, wanted: Tensor, label: int) -> Panel:
    """The angle between the two fields over sigma, at all noised data and at those of the wanted class, [T] each."""
    name = class_label(label)
    lines = [
        Line(FIELD_SIGMAS, wanted, "conditional", t("guidance.layers.at_wanted", label=name)),
        Line(FIELD_SIGMAS, every, "difference", t("guidance.layers.at_all")),
    ]
    caption = [
        t("guidance.captions.angle", every=a, wanted=b, label=name)
        for a, b in zip(every.tolist(), wanted.tolist(), strict=True)
    ]
    axes = {"equal": False, "xlabel": "σ", "xlog": True, "xreversed": True, "marker": FIELD_SIGMAS}
    return Panel(t("guidance.panels.angle"), lines, SIGMA_RANGE, (0, 180), caption=caption, **axes)


def one_place(parts: Terms, config: GuidanceConfig, reach: float) -> list[Panel]:
    """The terms of guidance as arrows from the place of the probe, and how long each is over sigma."""
    factor = ALPHA[:, None]
    at = factor * parts.x
    u, c, guided = (factor * (guess - parts.x) for guess in (parts.base, parts.target, parts.guided))
    target = t("guidance.layers.c", label=class_label(config.label))
    arrows = [
        ("unconditional", at, u, t("guidance.layers.u"), 3, ()),
        ("conditional", at, c, target, 3, ()),
        ("guided", at + u, factor * parts.scaled, "w (c − u)", 2, (4, 3)),
        ("difference", at + u, factor * parts.difference, "c − u", 3, ()),
        ("guided", at, guided, t("guidance.layers.guided"), 4, ()),
    ]
    layers = [
        Arrows(start[:, None], by[:, None], role, width, dash, name) for role, start, by, name, width, dash in arrows
    ]
    lengths = [Line(FIELD_SIGMAS, by.norm(dim=1), role, name, dash) for role, _, by, name, _, dash in arrows]
    ours, other = formulas(parts, config.scale)
    axes = {"equal": False, "xlabel": "σ", "xlog": True, "xreversed": True, "marker": FIELD_SIGMAS}
    limits = {"xlim": (-reach, reach), "ylim": (-reach, reach)}
    plane = [wanted_data(config.label), *layers]
    return [
        Panel(t("guidance.panels.one_place"), plane, probe=True, caption=ours, **limits),
        Panel(t("guidance.panels.lengths"), lengths, SIGMA_RANGE, None, caption=other, **axes),
    ]


def formulas(parts: Terms, scale: float) -> tuple[list[str], list[str]]:
    """The guided guess in numbers as drawn, at each level, in both conventions of the scale."""
    terms = (parts.base, parts.target, parts.difference, parts.guided)
    drawn = zip(*((ALPHA[:, None] * term).tolist() for term in terms), strict=True)
    ours, other = [], []
    for u, c, d, guided in drawn:
        ours.append(f"u + w (c − u) = {pair(u)} + {scale:g} {pair(d)} = {pair(guided)}")
        other.append(f"(1 + s) c − s u = {scale:g} {pair(c)} − {signed(scale - 1)} {pair(u)}")
    return ours, other


def cloud(title: str, run: GuidedSamples, caption: str = "", size: float = 2.2, legend: bool = True,
          every: int = 1) -> Panel:  # fmt: skip
    """Samples on their way, in the colour of the class of each; their quality if there is no caption."""
    labels = [text.label("classes", name) for name in CLASSES] if legend else ""
    samples = Points(run.states[::every], CLASSES, group=run.classes, size=size, alpha=0.75, label=labels)
    return Panel(title, [data(every), samples], caption=caption or in_words(run), **LIMITS)


# Samples in words


def in_words(run: GuidedSamples) -> str:
    """The quality of samples in a few words."""
    quality = run.quality
    return t("guidance.captions.quality", hit=quality.hit, coverage=quality.coverage, off=off(run))


def off(run: GuidedSamples) -> str:
    """How far off the arm the samples are, or which share is outside of the picture where that is large."""
    outside = (run.states[-1].abs() > REACH).any(1).double().mean().item()
    if outside >= OUTSIDE:
        return t("guidance.captions.outside", share=outside)
    return t("guidance.captions.off", distance=run.quality.distance)


def two_shares(run: GuidedSamples, label: int, negative: int) -> str:
    """The share of the wanted and of the unwanted class, and how far off the samples are."""
    shares = [
        t("guidance.captions.share", label=class_label(each), share=run.quality.shares[each])
        for each in (label, negative)
    ]
    return " · ".join([*shares, off(run)])


def all_shares(run: GuidedSamples) -> str:
    """The share of each class."""
    return " · ".join(
        t("guidance.captions.of_all", share=share, label=class_label(label))
        for label, share in enumerate(run.quality.shares)
    )


def title_of(config: GuidanceConfig) -> str:
    """Guidance in a few words."""
    if config.weak_model:
        return t("guidance.panels.autoguidance", scale=config.scale)
    if config.interval:
        return t("guidance.panels.interval", low=config.interval[0], high=config.interval[1])
    return t("guidance.panels.conditional" if config.scale == 1 else "guidance.panels.guided", scale=config.scale)


def joined(titles: Sequence[str], captions: Sequence[str]) -> str:
    """The panels of a picture as one sentence."""
    return "; ".join(f"{title}: {caption}" for title, caption in zip(titles, captions, strict=True)) + "."
