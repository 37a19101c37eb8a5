"""Chapter 11 with people: the same requests drawn by the model of pixels and by the model of latents."""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.data.people import ATTRIBUTES
from core.figures.scene import Clock, Images, Panel, Scene
from core.lessons import latent as lesson
from core.lessons.films import Film
from core.lessons.latent import PEOPLE, PeopleRequest
from core.models import images as image_model
from core.models import requests
from pages.ui.frame import shell
from pages.ui.frame.text import t
from pages.ui.lessons.latent_config import ASKS, Config
from pages.ui.lessons.shared_scene import shared_scene
from pages.ui.runs import background_films
from pages.ui.runs.background_films import FilmMaker
from pages.ui.stage import player

COLUMNS = 4
MAKER = FilmMaker("latent-people", lesson.people_films, Film, lambda wanted: wanted[0].steps)
ROWS = ("real", "rebuilt", "pixels", "latents")  # of the table


def requests_of(config: Config) -> list[PeopleRequest]:
    """The request of the model of pixels and the one of the model of latents."""
    values = requests.read(ASKS[config.ask], ATTRIBUTES).values
    return [PeopleRequest(in_latents, values, config.w, seed=config.seed) for in_latents in (False, True)]


def film_scene(config: Config, films: Sequence[Film], frame: int | None = None) -> Scene:
    """Both films side by side, whole or with the one frame that they have come to."""
    levels = image_model.grid(films[0].request.steps)
    levels = levels if frame is None else levels[max(frame, 0) :][:1]
    panels = [_panel(film) for film in films]
    names = "; ".join(f"{panel.title}: {panel.caption}" for panel in panels)
    alt = t("latent.people.alt", ask=t(f"latent.controls.ask.options.{config.ask}"), panels=names)
    return Scene(panels, Clock(levels, start=-1), alt, fps=5)


def _panel(film: Film) -> Panel:
    kind = "latents" if film.request.in_latents else "pixels"
    frames = torch.stack(film.x) if film.x else torch.full((1, PEOPLE, 3, 16, 16), 128, dtype=torch.uint8)
    drawn = Images(_last(frames), COLUMNS, colour="sample" if kind == "latents" else "unconditional")
    title = t("latent.panels.latents") if kind == "latents" else t("latent.panels.pixels")
    return Panel(title, [drawn], caption=t("latent.captions.calls", calls=film.request.calls))


def _last(frames: Tensor) -> Tensor:
    return frames.movedim(2, -1)


@shared_scene
def finished(config: Config) -> Scene:
    """The scene with its finished films, which are made here if they are not known yet."""
    return film_scene(config, background_films.films(MAKER, requests_of(config)))


def draw(config: Config) -> None:
    """The films while they form, and the measured table."""
    background_films.watch(
        MAKER, requests_of(config),
        lambda films, frame: player.show(film_scene(config, films, frame), key="latent_people", permalink=True),
    )  # fmt: skip
    with shell.sheet():
        shell.prose(table())
        shell.caption(t("latent.table.text"))


def table() -> str:
    """What was measured of both models and of real people, as a Markdown table."""
    head = [t(f"latent.table.{name}") for name in ("pictures", "attributes", "whole", "seconds", "training")]
    columns = ("attributes", "whole", "seconds", "training")
    rows = [[t(f"latent.table.{row}"), *(t(f"latent.cells.{row}.{name}") for name in columns)] for row in ROWS]
    return shell.table(head, rows)
