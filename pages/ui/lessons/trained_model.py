"""Chapter 7: five uses of a trained model. It starts from given data, fills in a missing part, inverts samples,
measures a log-density, and samples given a measurement.

Each scene is a pure function of a `Config`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from core.data import CLASSES
from core.diffusion import editing, guidance, likelihood, posterior, vector_field
from core.diffusion.denoiser import Denoise
from core.diffusion.guidance import condition
from core.figures.scene import Arrows, Clock, Panel, Path, Points, Scene
from core.lessons import trained_model as lesson
from core.runs.caching import shared_cache
from pages.ui.frame import shell
from pages.ui.frame.text import t
from pages.ui.lessons import trained_model_panels as panels
from pages.ui.lessons import trained_model_people as with_people
from pages.ui.lessons.shared_scene import shared_scene
from pages.ui.lessons.trained_model_config import WITH_PEOPLE, Config, given_points

OUT = 10  # frames in which noise is added
FOLLOWED = [20, 150, 290]  # points whose paths are drawn
MEASURED_SIGMAS = lesson.levels(lesson.MEASURED_STEPS)
INPAINT_SIGMAS = lesson.levels(lesson.INPAINT_STEPS)
ROUNDING = 1e-5  # smaller distances are rounding errors of single precision
FIELD_START = 22  # the frame at sigma 0.7, where classes part


# The scenes


@shared_cache(32)
def edits_of(model: str, shape: str, written: str | None, seed: int) -> list[lesson.Edit]:
    """The given points from each level (see ``lesson.edits``)."""
    return lesson.edits(model, given_points(Config(shape=shape, draw=written)), seed)


@shared_cache(32)
def edit_of(model: str, shape: str, written: str | None, sigma: float, seed: int) -> lesson.Edit:
    """The given points from one level (see ``lesson.edit``)."""
    return lesson.edit(model, given_points(Config(shape=shape, draw=written)), sigma, seed)


@shared_cache(16)
def negative_samples(
    model: str, label: int, negative: int, scale: float, negative_scale: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Samples with a negative class by its own scale, and exactly without this class, all states."""
    formula = lesson.with_negative(model, label, negative, scale, negative_scale)
    return lesson.sample(formula, seed), without_class_samples(model, negative, seed)


# What no scale changes is computed once: a slider of scales then waits for half as many calls of the network.


@shared_cache(16)
def without_class_samples(model: str, negative: int, seed: int) -> Tensor:
    """Samples exactly without a class, all states."""
    return lesson.sample(lesson.without_class(model, negative), seed)


@shared_cache(16)
def negative_arrows(model: str, negative: int) -> tuple[Tensor, Tensor, Tensor]:
    """The arrows without a condition, of a class, and exactly without this class, each [T, g, 2]."""
    plain, away = (condition(lesson.denoiser_of(model), lesson.cond(each)) for each in (None, negative))
    return tuple(_arrows(each) for each in (plain, away, lesson.without_class(model, negative)))


def _arrows(denoise: Denoise) -> Tensor:
    return lesson.arrows(denoise, vector_field.grid(lesson.FIELD_SIDE, panels.REACH), MEASURED_SIGMAS)


@shared_scene
def start_at_sigma(config: Config) -> Scene:
    """Given points are noised to a level and denoised; how far they move, and how near to the data they end."""
    x, seed = given_points(config), config.seed
    made = edit_of(config.model, config.shape, config.draw, config.sigma, seed)
    out = torch.linspace(0, config.sigma, OUT + 1, dtype=torch.float64)[:-1]
    noised = torch.stack([editing.add_noise(x, sigma, seed) for sigma in out.tolist()])
    sigmas, states = torch.cat([out, made.sigmas]), torch.cat([noised, made.states])
    drawn, caption = panels.in_view(states, sigmas), t("trained_model.captions.edit", **_numbers(made))
    given = panels.in_view(x.expand_as(states), sigmas)
    plane = panels.clouds(
        t("trained_model.panels.edit", sigma=config.sigma),
        "",
        sigmas,
        Points(given, "data", size=1.6, alpha=0.7, label=t("trained_model.layers.given")),
        Points(drawn, "sample", size=2.4, label=t("trained_model.layers.points")),
        Path(drawn[:, FOLLOWED], "sample"),
    )
    chart = panels.over_sigma(
        edits_of(config.model, config.shape, config.draw, seed), config.sigma, len(sigmas), caption
    )
    labels = [t("trained_model.clock.out")] * OUT + [t("trained_model.clock.back")] * len(made.sigmas)
    shape = t(f"trained_model.controls.shape.options.{config.shape}")
    alt = t("trained_model.start_at_sigma.alt", shape=shape, sigma=config.sigma, **_numbers(made))
    return Scene([plane, chart], Clock(sigmas, labels, 2, start=-1), alt, fps=12)


def _numbers(edit: lesson.Edit) -> dict[str, float]:
    return {"moved": edit.moved, "distance": edit.distance}


def before_answer(scene: Scene) -> Scene:
    """The scene without what answers the question: the curves over the level."""
    return Scene(scene.panels[:1], scene.clock, scene.alt, fps=scene.fps)


@shared_scene
def fix_a_part(config: Config) -> Scene:
    """Samples with a fixed first coordinate by RePaint, beside exact ones, and where on the line both end."""
    value, sigmas = config.value, INPAINT_SIGMAS
    filled = lesson.inpaint(config.model, value, config.resamplings, config.seed)
    exact = lesson.inpaint_exactly(value, config.seed)
    parts = [("filled_in", filled, "sample"), ("conditional", exact, "exact")]
    planes = [
        panels.clouds(
            t(f"trained_model.panels.{name}"),
            panels.on_data(made.states),
            sigmas,
            panels.fixed_line(value, sigmas),
            panels.samples(made.states, sigmas, role, t(f"trained_model.layers.{name}")),
        )
        for name, made, role in parts
    ]
    distances = {"filled_in": filled.w1, "chance": lesson.w1_floor(value)}
    free = [
        (lesson.conditional_draws(value), "exact", t("trained_model.layers.conditional")),
        (filled.states[-1][:, 1], "sample", t("trained_model.layers.filled_in")),
    ]
    chart = panels.shares_chart(t("trained_model.panels.free"), t("trained_model.axes.free"), free,
                                t("trained_model.captions.w1", **distances))  # fmt: skip
    shares = {"share": filled.on_data, "exact": exact.on_data}
    alt = t("trained_model.fix_a_part.alt", value=value, resamplings=config.resamplings, **shares, **distances)
    return Scene([*planes, chart], Clock(sigmas, start=-1), alt)


@shared_scene
def invert(config: Config) -> Scene:
    """Data of a class go up to noise and come down again, with the same class or another; the error over steps."""
    label, back = config.origin_label, config.back_label
    states = lesson.round_trip(config.model, label, back, config.steps)
    every = torch.linspace(0, len(states) - 1, min(len(states), 61)).round().long()
    down = lesson.levels(config.steps, lesson.INVERSION_MAX)
    sigmas = torch.cat([down.flip(0), down[1:]])[every]
    drawn = panels.in_view(states[every], sigmas)
    name = panels.class_label(back)
    layers = [
        panels.data_by_class(sigmas),
        Points(drawn, CLASSES[label], size=2.4, label=t("trained_model.layers.points")),
        Path(drawn[:, [10, 40, 70]], CLASSES[label]),
    ]
    title = t("trained_model.panels.way", label=panels.class_label(label), back=name)
    way = Panel(title, layers, **panels.LIMITS)
    hit = lesson.share_of_class(states[-1], back)
    top = len(every) // 2
    labels = [t("trained_model.clock.up")] * top + [t("trained_model.clock.down")] * (len(every) - top)
    caption = t("trained_model.captions.hit", label=name, share=hit, moved=lesson.round_trip_error(states))
    errors = lesson.measured_of(config.model).inversion_errors.tolist()
    shown = [way, _ends(states, label, back, caption), panels.inversion_chart(config.steps, errors, name)]
    values = {"label": panels.class_label(label), "back": name, "steps": config.steps}
    alt = t("trained_model.invert.alt", share=hit, error=errors[lesson.STEPS.index(config.steps)], **values)
    return Scene(shown, Clock(sigmas, labels, 2, start=-1), alt)


def _ends(states: Tensor, label: int, back: int, caption: str) -> Panel:
    """Where points begin and end, and an arrow between both for some of them."""
    begin, end = states[0], states[-1]
    layers = [
        panels.data_by_class(torch.zeros(1)),
        Arrows(begin[::4], (end - begin)[::4], "difference", 1.2, (), t("trained_model.layers.change")),
        Points(begin, CLASSES[label], size=2.4, label=t("trained_model.layers.begin")),
        Points(end, CLASSES[back] if back != label else "sample", size=2.4, label=t("trained_model.layers.end")),
    ]
    return Panel(t("trained_model.panels.ends"), layers, caption=caption, **panels.LIMITS)


@shared_scene
def log_likelihood(config: Config) -> Scene:
    """The log-density of the model by the flow ODE with more and more steps, beside the exact one, and its error."""
    measured, exact = lesson.measured_of(config.model), _exact_map()
    errors, steps = measured.density_errors.tolist(), lesson.LIKELIHOOD_STEPS
    captions = [t("trained_model.captions.steps", steps=each) for each in steps]
    shown = [
        panels.density_map(t("trained_model.panels.model_density"), measured.maps, captions, probe=True),
        panels.density_map(t("trained_model.panels.exact_density"), exact[None]),
        panels.density_chart(config.model),
    ]
    alt = t("trained_model.likelihood.alt", first=errors[0], last=errors[-1], steps=steps[-1])
    clock = Clock(list(steps), t("trained_model.axes.steps"), 3, start=-1)
    return Scene(shown, clock, alt, probe=config.probe, fps=2)


@shared_cache(1)
def _exact_map() -> Tensor:
    """The exact log-density on the grid of the maps, [SIDE, SIDE]."""
    places = vector_field.grid(lesson.SIDE, lesson.REACH)
    return lesson.exact_log_density(places).view(lesson.SIDE, lesson.SIDE)


def densities_table(config: Config) -> str:
    """The log-density at the probe by the model with each number of steps, and exactly, as a Markdown table."""
    head = [t("trained_model.likelihood.in_steps", steps=steps) for steps in lesson.LIKELIHOOD_STEPS]
    row = [f"{value:.2f}".replace("-", "−") for value in densities_at(config.model, config.probe)]
    return shell.table([*head, t("trained_model.likelihood.exactly")], [row])


@shared_cache(64)
def densities_at(model: str, place: tuple[float, float]) -> tuple[float, ...]:
    """The log-density at a place by a model with each number of steps, and the exact one."""
    x = torch.tensor([place])
    by_model = [lesson.log_density(model, x, steps).item() for steps in lesson.LIKELIHOOD_STEPS]
    return (*by_model, lesson.exact_log_density(x).item())


@shared_scene
def by_class(config: Config) -> Scene:
    """Classifier guidance beside classifier-free guidance: the same arrows, and samples."""
    label, scale, name = config.label, config.scale, panels.class_label(config.label)
    sigmas, places = MEASURED_SIGMAS, vector_field.grid(lesson.FIELD_SIDE, panels.REACH)
    plain = condition(lesson.denoiser_of(config.class_model), None)
    conditional = condition(lesson.denoiser_of(config.class_model), lesson.cond(label))
    classifier, free = (make(label, scale, config.class_model) for make in (lesson.by_classifier, lesson.by_class))
    u, c, first, second = (lesson.arrows(each, places, sigmas) for each in (plain, conditional, classifier, free))
    apart = (first - second).norm(dim=2).amax(1)
    u, c, first, second, added = vector_field.limit_lengths(0.5, u, c, first, second, first - u)
    guided = t("trained_model.layers.guided")
    unconditional = (u, "unconditional", t("trained_model.layers.unconditional"), 1.4)
    gradient = (added, "difference", t("trained_model.layers.gradient"), 2.2)
    of_class = (c, "conditional", t("trained_model.layers.of_class", label=name), 3)
    captions = [_difference(each) for each in apart.tolist()]
    states = lesson.sample(classifier, config.seed)
    shown = [
        panels.field(t("trained_model.panels.classifier"), sigmas, places,
                     [unconditional, gradient, (first, "guided", guided, 2)]),
        panels.field(t("trained_model.panels.classifier_free"), sigmas, places,
                     [unconditional, of_class, (second, "guided", guided, 2)], captions),
        panels.clouds(t("trained_model.panels.class_samples", label=name), panels.of_class(states, label), sigmas,
                      panels.samples(states, sigmas, "guided", t("trained_model.layers.samples"))),
    ]  # fmt: skip
    alt = t("trained_model.class.alt", label=name, scale=scale, apart=_difference(apart.max().item()))
    return Scene(shown, Clock(sigmas, start=FIELD_START), alt)


def _difference(apart: float) -> str:
    """What is said of the greatest distance between arrows that differ by rounding alone, or by more."""
    return t("trained_model.captions.equal" if apart < ROUNDING else "trained_model.captions.apart", apart=apart)


@shared_scene
def by_coordinate(config: Config) -> Scene:
    """Samples given a noisy measurement of the first coordinate: by an estimate, exactly, and both as shares."""
    y, std, sigmas = config.reading, config.noise, MEASURED_SIGMAS
    estimate = lesson.sample(lesson.measured(config.model, y, std), config.seed)
    exact = lesson.sample(lesson.measured_exactly(y, std), config.seed)
    planes = [
        panels.clouds(
            t(f"trained_model.panels.{name}"),
            panels.on_data(states),
            sigmas,
            panels.fixed_line(y, sigmas),
            panels.samples(states, sigmas, role, t("trained_model.layers.samples")),
        )
        for name, states, role in (("estimate", estimate, "sample"), ("posterior", exact, "exact"))
    ]
    parts = [
        (lesson.data().points[:, 0], "unconditional", t("trained_model.layers.before")),
        (exact[-1][:, 0], "exact", t("trained_model.layers.posterior")),
        (estimate[-1][:, 0], "sample", t("trained_model.layers.estimate")),
    ]
    chart = panels.shares_chart(t("trained_model.panels.measured"), t("trained_model.axes.first"), parts)
    shares = {"estimate": lesson.share_on_data(estimate[-1]), "exact": lesson.share_on_data(exact[-1])}
    alt = t("trained_model.coordinate.alt", reading=y, noise=std, **shares)
    return Scene([*planes, chart], Clock(sigmas, start=-1), alt)


@shared_scene
def by_negative(config: Config) -> Scene:
    """A negative class with a scale of its own, beside the exact answer to "not this class"."""
    label, negative, sigmas = config.label, config.negative_label, MEASURED_SIGMAS
    places = vector_field.grid(lesson.FIELD_SIDE, panels.REACH)
    formula = lesson.with_negative(config.model, label, negative, config.positive_scale, config.negative_scale)
    u, n, second = negative_arrows(config.model, negative)
    u, n, first, second = vector_field.limit_lengths(0.5, u, n, _arrows(formula), second)
    name = panels.class_label(negative)
    parts = [
        (n, "negative", t("trained_model.layers.of_class", label=name), 3),
        (u, "unconditional", t("trained_model.layers.unconditional"), 1.4),
        (second, "exact", t("trained_model.layers.without"), 2),
        (first, "guided", t("trained_model.layers.guided"), 2),
    ]
    runs = _negative_samples(config)
    titles = [t("trained_model.panels.two_scales"), t("trained_model.panels.without", label=name)]
    shown = [
        panels.clouds(title, panels.with_coverage(run, negative), sigmas,
                      panels.samples(run, sigmas, role, t("trained_model.layers.samples")))
        for title, run, role in zip(titles, runs, ("guided", "exact"), strict=True)
    ]  # fmt: skip
    captions = "; ".join(f"{panel.title}: {panel.caption[-1]}" for panel in shown)
    alt = t("trained_model.negative.alt", label=name, scale=config.negative_scale, captions=captions)
    fields = panels.field(t("trained_model.panels.negative"), sigmas, places, parts)
    return Scene([fields, *shown], Clock(sigmas, start=-1), alt)


def _negative_samples(config: Config) -> tuple[Tensor, Tensor]:
    scales = config.positive_scale, config.negative_scale
    return negative_samples(config.model, config.label, config.negative_label, *scales, config.seed)


BY = {"class": by_class, "coordinate": by_coordinate, "negative": by_negative, "mosaic": with_people.finished}


def measurement(config: Config) -> Scene:
    """Samples given a measurement of one of four kinds."""
    return BY[config.measured](config)


def scene_of(points: Callable[[Config], Scene], people: Callable[[Config], Scene]) -> Callable[[Config], Scene]:
    """A scene of points or of people, as the configuration asks."""
    return lambda config: (people if config.of == "people" else points)(config)


SCENES: dict[str, Callable[[Config], Scene]] = {
    "start_at_sigma": scene_of(start_at_sigma, with_people.finished),
    "fix_a_part": scene_of(fix_a_part, with_people.finished),
    "invert": scene_of(invert, with_people.finished),
    "likelihood": scene_of(log_likelihood, with_people.likelihood_scene),
    "measurement": measurement,
}

NOTES = {show: {"points": (show,), "people": (name,)} for show, name in WITH_PEOPLE.items()}
NOTES |= {"measurement": {name: ("measurement", name) for name in BY}}
"""The notes that a scene can show together, by their names in the catalogue; other scenes show those of their name."""


def notes_of(config: Config) -> tuple[str, ...]:
    """The notes of a scene and of what is measured."""
    return NOTES[config.show][config.measured if config.show == "measurement" else config.of]


def formula_of(config: Config) -> str:
    """The name of the formula of a scene, and of its legend."""
    if config.show != "measurement":
        return config.show
    return "coordinate" if config.measured == "mosaic" else config.measured


# What the tasks ask


def tasks_done(config: Config) -> dict[str, bool]:
    """Which tasks the present setting solves."""
    done = {"compromise": False, "hard_value": False, "own_scale": False}
    if config.of == "people" and config.show in WITH_PEOPLE:
        return done
    if config.show == "start_at_sigma":
        made = edit_of(config.model, config.shape, config.draw, config.sigma, config.seed)
        done["compromise"] = made.moved < 0.5 and made.distance < 0.1
    elif config.show == "fix_a_part":
        filled = lesson.inpaint(config.model, config.value, config.resamplings, config.seed)
        done["hard_value"] = filled.on_data < 0.7
    elif config.show == "measurement" and config.measured == "negative":
        samples = _negative_samples(config)[0][-1]
        share = lesson.share_of_class(samples, config.negative_label)
        done["own_scale"] = share < 0.1 and lesson.reached(samples) < 50
    return done


CODE = {
    "start_at_sigma": (editing.start_at, editing.levels_from),
    "fix_a_part": (editing.fill_in, posterior.measured_points),
    "invert": (editing.invert, editing.round_trip),
    "likelihood": (likelihood.log_likelihood, likelihood.exact_trace),
    "class": (posterior.guided_by, posterior.class_log_probability, guidance.cfg),
    "coordinate": (posterior.guided_by, posterior.measurement_log_likelihood, posterior.measured_points),
    "negative": (guidance.two_scales, lesson.without_class),
}
"""The lines of core that make each scene."""
