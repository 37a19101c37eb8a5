"""Image models: images that were asked for, by several samplers, over their nearest training images, and under several
guidance scales.

Each scene is a pure function of a `Config`; ``model`` is for one that no address can name, such as a learner's own. The
page draws the films of a scene while they form (see ``runs.background_films``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from core.diffusion import samplers
from core.diffusion.guidance import cfg
from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE, SAMPLERS
from core.figures.scene import Clock, Images, Panel, Scene
from core.lessons import image_models as lesson
from core.lessons.films import Film
from core.lessons.image_models import ImageModel, Neighbours, Request
from core.models import requests as requests_of_attributes
from pages.ui.frame import shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import image_training, memorization
from pages.ui.lessons.image_models_config import SHIPPED, Config
from pages.ui.lessons.image_requests import asked_for, base_label, class_captions, request_of
from pages.ui.runs import background_films
from pages.ui.runs.background_films import FilmMaker

SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)


# What is asked of the model


def requests(config: Config, model: ImageModel) -> list[Request]:
    """The requests of the scene that is shown."""
    request = request_of(config, model)
    if config.show == "request":
        return [request]
    if config.show == "nearest_training_image":
        return [replace(request, sampler=config.by)]
    if config.show == "guidance":
        return _over_scales(request)
    return [replace(request, sampler=sampler) for sampler in (DDPM, DDPM_NO_NOISE, DDIM, config.second)]


def _over_scales(request: Request) -> list[Request]:
    """A request at each of the scales; with a negative each also without it, from the same noise."""
    if request.negative is None and not request.unwanted:
        return [replace(request, scale=scale) for scale in SCALES]
    half = replace(request, labels=request.labels[: len(request.labels) // 2])
    plain = replace(half, negative=None, unwanted=())
    return [replace(each, scale=scale) for scale in SCALES for each in (plain, half)]


def film_maker(model: ImageModel) -> FilmMaker:
    """What makes the films of a model."""
    return FilmMaker(
        model.key, partial(lesson.sample, model), partial(lesson.first_frame, model),
        lambda some: some[0].steps, lesson.first_films(model),
    )  # fmt: skip


# The scenes


def film_scene(config: Config, model: ImageModel, films: Sequence[Film], frame: int | None = None) -> Scene:
    """The scene of ``config.show`` with whole films, or with the frame that they have come to."""
    levels = lesson.levels(config.steps)
    levels = levels if frame is None else levels[frame : frame + 1]
    levels = levels[-1:] if config.show == "nearest_training_image" else levels  # only finished images are compared
    panels = PANELS[config.show](config, model, films)
    values = {
        "what": t(f"image_models.{config.show}.what"),
        "classes": t("frame.comma").join(asked_for(model, films[0].request)),
        "panels": "; ".join(f"{panel.title}: {panel.caption}" for panel in panels),
    }
    still = len(levels) == 1
    first = {"sigma" if still else "first": levels[0].item()}
    alt = t(f"image_models.alt.{'frame' if still else 'film'}", **values, **first)
    return Scene(panels, Clock(levels, start=-1), alt, fps=len(levels) / 5)


def _finished(show: str, config: Config) -> Scene:
    """A scene of a shipped model with its finished films, which are made here if they are not known yet."""
    config = replace(config, show=show)
    model = lesson.shipped(config.model if config.model in SHIPPED else SHIPPED[0])
    return film_scene(config, model, background_films.films(film_maker(model), requests(config, model)))


# Their panels


def film_panel(
    title: str, films: Sequence[Film], config: Config, model: ImageModel, role: str, names: Sequence[str] = (),
    columns: int = 2,
) -> Panel:  # fmt: skip
    """Films of one length as a panel of so many columns; several films take a column each."""
    frames = torch.stack([torch.stack(film.x0 if config.of == "guess" else film.x) for film in films], 2).flatten(1, 2)
    pictures = Images(channels_last(frames), max(columns, len(films)), names=names, colour=role)
    return Panel(title, [pictures], caption=caption(films[-1], model))


def caption(film: Film, model: ImageModel) -> str:
    """What a film cost; once it is done also how much detail its images have."""
    if film.done and model.comparable:
        return t("image_models.captions.detail", nfe=film.request.nfe, detail=share_of_detail(film, model))
    return t("image_models.captions.calls", nfe=film.request.nfe)


def share_of_detail(film: Film, model: ImageModel) -> float:
    """The detail of finished images as a part of that of real ones; 0 where there are none to compare with."""
    real = lesson.real_statistics(model, film.request.labels, film.request.wanted)
    return lesson.statistics(film.images).detail / real[0].detail if real else 0.0


def channels_last(frames: Tensor) -> Tensor:
    """Frames [..., C, H, W] as a scene takes them: [..., H, W], in colour with a last axis of 3."""
    return frames.squeeze(-3) if frames.shape[-3] == 1 else frames.movedim(-3, -1)


def sampler_panels(config: Config, model: ImageModel, films: Sequence[Film]) -> list[Panel]:
    """A panel for each sampler."""
    names = class_captions(model, films[0].request.labels)
    panel = partial(film_panel, config=config, model=model, names=names)
    samplers = [film.request.sampler for film in films]
    return [
        panel(text.label("samplers", each), [film], role=SAMPLERS[each].role) for each, film in zip(samplers, films)
    ]


def guidance_panels(config: Config, model: ImageModel, films: Sequence[Film]) -> list[Panel]:
    """A panel for each scale; with a negative class each has a column without it and one with it."""
    columns, labels = len(films) // len(SCALES), films[0].request.labels
    names = class_captions(model, labels)
    if columns == 2:
        negative = t("image_models.guidance.negative", name=base_label(model, films[1].request))
        names = (t("image_models.guidance.plain"), negative) * len(labels)
    panels = []
    for k in range(0, len(films), columns):
        part, scale = films[k : k + columns], films[k].request.scale
        # At w = 0 the class has no effect: what is drawn is the answer that guidance leads away from.
        base = [base_label(model, film.request) for film in part]
        title = t("image_models.guidance.scale", scale=scale)
        if scale:
            under = names
        elif columns == 1:  # one for all images, which stand too close for its words
            title, under = t("image_models.guidance.base", scale=scale, name=base[0]), ()
        else:
            under = base * len(labels)
        panels.append(film_panel(title, part, config, model, "guided", under))
    return panels


def request_panels(config: Config, model: ImageModel, films: Sequence[Film]) -> list[Panel]:
    """One panel with the images that were asked for."""
    (film,) = films
    names = class_captions(model, film.request.labels)
    title = t("image_models.request.panel", n=len(film.request.labels), scale=film.request.scale)
    return [film_panel(title, films, config, model, "guided", names, columns=4)]


def neighbour_panels(config: Config, model: ImageModel, films: Sequence[Film]) -> list[Panel]:
    """A film's images over their neighbours, beside real images over theirs; alone as long as they are not finished."""
    film, state = films[0], replace(config, of="state")
    title, role = text.label("samplers", film.request.sampler), SAMPLERS[film.request.sampler].role
    names = class_captions(model, film.request.labels)
    found = lesson.compare(model, film) if film.done else None
    if found is None:
        return [film_panel(title, [film.at(len(film.x) - 1)], state, model, role, names)]
    real = t(f"image_models.nearest_training_image.{'held_out' if model.held_out else 'training'}")
    return [
        paired(title, found[0], names, role, t("image_models.nearest_training_image.sample")),
        paired(t("image_models.nearest_training_image.real"), found[1], names, "exact", real),
    ]


def paired(title: str, found: Neighbours, classes: Sequence[str], role: str, label: str) -> Panel:
    """Images in a row, more than four in two, each over the training image nearest to it, with their distance below."""
    n = len(found.images)
    columns = n if n <= 4 else n // 2
    rows = [part[at : at + columns] for at in (0, columns) for part in (found.images, found.nearest)]
    below = classes or ("",) * n, [f"{distance:.2f}" for distance in found.distance.tolist()]
    names = [name for at in (0, columns) for part in below for name in part[at : at + columns]]
    group = [place // columns % 2 for place in range(2 * n)]
    labels = (label, t("image_models.nearest_training_image.nearest"))
    pictures = Images(channels_last(torch.cat(rows))[None], columns, labels, names, (role, "data"), group)
    mean = t("image_models.captions.distance", distance=found.distance.mean().item())
    return Panel(title, [pictures], caption=mean)


PANELS = {
    "request": request_panels,
    "four_samplers": sampler_panels,
    "nearest_training_image": neighbour_panels,
    "guidance": guidance_panels,
}
SCENES: dict[str, Callable[[Config], Scene]] = {
    **{show: partial(_finished, show) for show in PANELS},
    "memorised_or_learned": lambda config: memorization.people_scene(config.people),
    "train": image_training.scene,
}


# What is said of finished films


def table(films: Sequence[Film], model: ImageModel) -> str:
    """The statistics of the finished images of each sampler, beside the data's, as a Markdown table."""
    rows = [
        (text.label("samplers", film.request.sampler), str(film.request.nfe), lesson.statistics(film.images))
        for film in films
    ]
    real = lesson.real_statistics(model, films[0].request.labels, films[0].request.wanted)
    if real:
        rows += [(t(f"image_models.table.{name}"), "–", each) for name, each in zip(("data", "blurred"), real)]
    head = [t(f"image_models.table.{name}") for name in ("images", "calls", "detail", "share", "distance")]
    shares = [f"{each.detail / real[0].detail:.0%}" if real else "–" for *_, each in rows]
    return shell.table(
        head,
        [
            [name, calls, f"{each.detail:.4f}", share, f"{each.distance:.2f}"]
            for (name, calls, each), share in zip(rows, shares)
        ],
    )


def verdict(film: Film, model: ImageModel) -> str:
    """How near samples are to training images, in words, beside real ones."""
    found = lesson.compare(model, film)
    if found is None:
        return t("image_models.nearest_training_image.unknown")
    sampled, real = (part.distance for part in found)
    numbers = {"mean": sampled.mean(), "least": sampled.min(), "real_mean": real.mean(), "real_least": real.min()}
    whose = t(f"image_models.nearest_training_image.whose.{'held_out' if model.held_out else 'training'}")
    distances = t(
        "image_models.nearest_training_image.distances",
        whose=whose,
        **{name: value.item() for name, value in numbers.items()},
    )
    if model.of_people and not model.config["data"]["n"]:
        some = t("image_models.nearest_training_image.some", n=len(model.images.images))
        return text.join((distances, some))
    return distances


def tasks_done(config: Config, model: ImageModel, films: Sequence[Film]) -> dict[str, bool]:
    """Which tasks the finished films of a scene do."""
    few = [film for film in films if film.request.nfe <= 10] if config.show == "four_samplers" else []
    request = request_of(config, model)
    one_class = len({*request.labels}) == 1 and request.negative not in (None, *request.labels)
    away = any(request.wanted) and bool(request.unwanted) if model.attributes else one_class
    return {
        "few_calls": any(0.8 <= share_of_detail(film, model) <= 1.2 for film in few),
        "away": config.show == "guidance" and bool(films) and away,
    }


NOTES = {
    "request": {"people": ("request",), "emoji": ("request", "request_emoji"), "classes": ("request",)},
    "four_samplers": {
        "before": ("four_samplers",),
        "people": ("four_samplers", "four_samplers.after"),
        "classes": ("four_samplers", "four_samplers_classes"),
    },
    "guidance": {"people": ("guidance", "guidance_people"), "classes": ("guidance", "guidance_classes")},
    "nearest_training_image": {
        "held_out": ("nearest_training_image", "real_held_out"),
        "training": ("nearest_training_image", "real_training"),
    },
    "train": {"people": ("train", "train_people"), "live": ("train", "train_live")},
}
"""The notes that a scene can show together, by their names in the catalogue; other scenes show those of their name."""


def notes_of(show: str, answered: bool, model: ImageModel | None = None, part: str = "") -> tuple[str, ...]:
    """The notes of a scene and of what is special about it now; ``part``: of the scene that trains."""
    kind = "people" if model is None or model.attributes else "classes"
    case = {
        "request": "emoji" if model and model.data == "emoji" else "people",
        "four_samplers": kind if answered else "before",
        "guidance": kind,
        "nearest_training_image": model and ("training" if model.held_out is None else "held_out"),
        "train": "live" if part == "live" else "people",
    }
    return NOTES.get(show, {}).get(case.get(show), (show,))


def code_of(show: str) -> tuple[Callable, ...]:
    """The lines of core that make a scene."""
    special = {
        "request": (requests_of_attributes.condition, lesson.guided, cfg),
        "memorised_or_learned": memorization.PEOPLE_CODE,
        "train": image_training.CODE,
    }
    return special.get(show, (lesson.sample, samplers.ancestral, cfg))
