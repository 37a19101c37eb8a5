"""Chapter 7 with pictures of people: the scenes of its films, and of the log-likelihoods.

Each scene is a pure function of a `Config` and of films, whose frames the page draws while they form.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.data.images import pixels
from core.figures.scene import Clock, Images, Panel, Scene
from core.lessons import trained_model_people as lesson
from core.lessons.films import Film
from core.lessons.trained_model_people import PeopleRequest
from pages.ui.frame.text import t
from pages.ui.lessons.shared_scene import shared_scene
from pages.ui.lessons.trained_model_config import DRAWING, Config, painting_refusal
from pages.ui.runs import background_films
from pages.ui.runs.background_films import FilmMaker

USES = {"start_at_sigma": "start", "fix_a_part": "fill", "invert": "invert", "measurement": "measure"}
MAKER = FilmMaker("people-uses", lesson.films, Film, lambda requests: sum(each.steps for each in requests))
GREY = 128  # of what is not known
COLUMNS = 4


def request_of(config: Config) -> PeopleRequest:
    """What a configuration asks of the model of people."""
    use, seed = USES[config.show], config.seed
    if use == "start":
        scribble, painting = config.scribble, ""
        if scribble == DRAWING:  # one that cannot be used leaves the first scribble
            scribble, painting = ("hat", "") if painting_refusal(config) else ("", str(config.paint))
        return PeopleRequest(use, sigma=config.sigma, scribble=scribble, painting=painting, seed=seed)
    if use == "fill":
        number = {"resamplings": config.resamplings, "person": config.person, "seed": seed}
        return PeopleRequest(use, known=config.known, **number)
    if use == "measure":
        return PeopleRequest(use, block=config.block, person=config.person, seed=seed)
    return PeopleRequest(use, change=config.change, person=config.person)


def is_film(config: Config) -> bool:
    """Whether the scene is a film of people."""
    if config.show == "measurement":
        return config.measured == "mosaic"
    return config.of == "people" and config.show in USES


def film_scene(config: Config, films: Sequence[Film], frame: int | None = None) -> Scene:
    """The scene of a film that is whole, or of the one frame that it has come to."""
    (film,) = films
    sigmas = film.request.sigmas if frame is None else film.request.sigmas[max(frame, 0) :][:1]
    panels = PANELS[film.request.use](film)
    values = {"panels": "; ".join(f"{panel.title}: {panel.caption}" for panel in panels)}
    alt = t(f"trained_model.{film.request.use}_people.alt", **values)
    return Scene(panels, Clock(sigmas, start=-1), alt, fps=max(3, len(sigmas) / 5))


@shared_scene
def finished(config: Config) -> Scene:
    """The scene with its finished film, which is made here if it is not known yet."""
    return film_scene(config, background_films.films(MAKER, [request_of(config)]))


def _start(film: Film) -> list[Panel]:
    """The scribble, without noise and with it, and the people that it becomes."""
    given, sigma = pixels(lesson.beginning(film.request)), film.request.sigma
    noised = film.x[0][:1] if film.x else _blank(film.request)[0, :1]
    names = [t("trained_model.panels.clean"), t("trained_model.panels.noised", sigma=sigma)]
    far, caption = t("trained_model.captions.to_people", distance=lesson.distance_to_people(given)), ""
    if film.done:
        moved, distance = lesson.change_of(film.images, given), lesson.distance_to_people(film.images)
        caption = t("trained_model.captions.people", moved=moved, distance=distance)
    pair = _images(torch.cat([given, noised])[None], 1, names, "data")
    scribble = Panel(t("trained_model.panels.scribble"), [pair], caption=far)
    return [scribble, _film("from_scribble", film, caption, sigma=sigma)]


def _fill(film: Film) -> list[Panel]:
    """A person, what is known of the picture, and how it is filled in."""
    whole = lesson.person(film.request.person).images
    known = whole.where(lesson.mask(film.request.known), torch.tensor(GREY, dtype=torch.uint8))
    caption = ""
    if film.done:
        caption = t("trained_model.captions.to_people", distance=lesson.distance_to_people(film.images))
    names = [t(f"trained_model.panels.{name}") for name in ("whole", "known")]
    given = Panel(t("trained_model.panels.given_half"), [_images(torch.cat([whole, known])[None], 1, names, "data")])
    return [given, _film("filled_people", film, caption)]


def _invert(film: Film) -> list[Panel]:
    """People, and what becomes of them on the way to noise and back."""
    before = lesson.person(film.request.person, lesson.INVERTED).images
    caption = ""
    if film.done:
        changed, kept = lesson.judged(film.images, film.request)
        difference = lesson.change_of(film.images, before)
        caption = t("trained_model.captions.kept", changed=changed, kept=kept, difference=difference)
    original = Panel(t("trained_model.panels.original"), [_images(before[None], 3, (), "data")])
    return [original, _film("there_and_back", film, caption, columns=3)]


def _measure(film: Film) -> list[Panel]:
    """A person and its mosaic, and people who fit the mosaic."""
    whole, block = lesson.person(film.request.person).images, film.request.block
    mosaic, caption = lesson.mosaic(whole, block), ""
    if film.done:
        apart = lesson.change_of(lesson.mosaic(film.images, block), mosaic)
        values = {"apart": apart, "distance": lesson.distance_to_people(film.images)}
        caption = t("trained_model.captions.mosaic", **values)
    names = [t(f"trained_model.panels.{name}") for name in ("whole", "mosaic")]
    given = Panel(t("trained_model.panels.given_half"), [_images(torch.cat([whole, mosaic])[None], 1, names, "data")])
    return [given, _film("fitting", film, caption)]


PANELS = {"start": _start, "fill": _fill, "invert": _invert, "measure": _measure}


def _film(title: str, film: Film, caption: str, columns: int = COLUMNS, **values: float) -> Panel:
    frames = torch.stack(film.x) if film.x else _blank(film.request)
    return Panel(
        t(f"trained_model.panels.{title}", **values), [_images(frames, columns, (), "sample")], caption=caption
    )


def _blank(request: PeopleRequest) -> Tensor:
    """What stands for a film before its first frame."""
    n = lesson.INVERTED if request.use == "invert" else lesson.N
    return torch.full((1, n, 3, lesson.SIDE, lesson.SIDE), GREY, dtype=torch.uint8)


def _images(frames: Tensor, columns: int, names: Sequence[str], role: str) -> Images:
    return Images(frames.movedim(-3, -1), columns, names=names, colour=role)


@shared_scene
def likelihood_scene(config: Config) -> Scene:
    """Two real people and four pictures that are none, with the log-likelihood of each."""
    found = lesson.kept()
    names = [
        t("trained_model.captions.picture", name=t(f"trained_model.likelihood_people.{name}"), nats=_nats(nats))
        for name, nats in zip(lesson.PICTURES, found.nats.tolist(), strict=True)
    ]
    shown = found.pictures[None].movedim(-3, -1)
    labels = [t("trained_model.layers.real"), t("trained_model.layers.no_person")]
    pictures = Images(shown, 3, labels, names, ("data", "negative"), [0, 0, 1, 1, 1, 1])
    alt = t("trained_model.likelihood_people.alt", pictures="; ".join(names))
    return Scene([Panel(t("trained_model.panels.pictures"), [pictures])], alt=alt)


def _nats(nats: float) -> str:
    return f"{nats:,.0f}".replace("-", "−")
