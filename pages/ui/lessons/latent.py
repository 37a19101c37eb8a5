"""Chapter 11: the scenes of latent diffusion. Each is a pure function of a `Config`."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from core.figures.scene import Arrows, Clock, Images, Panel, Points, Scene, Window
from core.lessons import latent as lesson
from core.lessons.latent import PlaneFilm, PlaneRequest
from core.models import latent as latent_model
from core.models.latent import LatentSpace
from core.networks.autoencoder import draw_latent, kl_divergence
from pages.ui.frame import text
from pages.ui.frame.text import t
from pages.ui.lessons import latent_people, latent_plane
from pages.ui.lessons.latent_config import Config
from pages.ui.lessons.shared_scene import shared_scene

WINDOW = Window("vp", lesson.FIELD_REACH)
DIGITS = tuple(f"digit_{k}" for k in range(10))
COLUMNS = 5
MIDDLE = 12  # the frame at sigma 0.6, where arrows part
RANDOM = 25  # pictures of random places for each weight
SHOWN = 6  # people who are encoded and decoded
CONTROLS: dict[str, tuple[str, ...]] = {
    "plane": ("kl",),
    "weights": (),
    "field": ("digit", "w", "sampler", "seed"),
    "rebuilt": ("first",),
    "people": ("ask", "w", "seed"),
}
"""The controls of each scene."""


# The scenes


@shared_scene
def weights(config: Config) -> Scene:
    """Planes of four weights of the KL divergence, each over what the same random places decode to."""
    panels, under = [], []
    for weight, name in lesson.WEIGHTS.items():
        made = lesson.shipped_plane(name)
        share = t("latent.captions.random", share=made.random)
        title = t("latent.panels.weight", weight=weight)
        panels.append(latent_plane.plane_panel(title, made, legend=False))
        pictures, read = lesson.random_pictures(lesson.autoencoder(name), RANDOM)
        drawn = Images(pictures[None], COLUMNS, ("", ""), (), ("sample", "unconditional"), (~read).long().tolist())
        under.append(Panel(t("latent.panels.random", weight=weight), [drawn], caption=share))
    found = text.join(
        tuple(t("latent.weights.alt_one", weight=weight, share=lesson.shipped_plane(name).random,
                spread=lesson.shipped_plane(name).spread) for weight, name in lesson.WEIGHTS.items())
    )  # fmt: skip
    return Scene([*panels, *under], None, t("latent.weights.alt", found=found))


@shared_scene
def field(config: Config) -> Scene:
    """The diffusion model on the plane: its arrows beside the exact ones, samples on their way, and their pictures."""
    film = lesson.plane_film(PlaneRequest(config.sampler, config.label, config.w, config.seed))
    title = t("latent.panels.learned"), t("latent.panels.exact")
    panels = [
        arrows_panel(title[0], film, film.learned, "denoise", samples=True),
        arrows_panel(title[1], film, film.exact, "exact"),
        pictures_panel(film, config),
    ]
    what = t("latent.field.any") if config.label is None else t("latent.field.digit", digit=config.digit)
    alt = t("latent.field.alt", what=what, share=film.read, sampler=text.label("samplers", config.sampler))
    return Scene(panels, Clock(film.sigmas, start=MIDDLE), alt, fps=6)


def arrows_panel(title: str, film: PlaneFilm, by: Tensor, role: str, samples: bool = False) -> Panel:
    """The latents of digits as the view draws them, arrows over them, and samples on their way."""
    points = lesson.latent_points()
    scale = 1 / (1 + film.sigmas.square()).sqrt()
    part = slice(None, None, 6)
    data = points.points[part] * scale[:, None, None]
    name = t(f"latent.layers.{role}")
    layers = [Points(data, "data", size=1.5, alpha=0.45, label=t("latent.layers.data")),
              Arrows(film.places, by, role, 1.3, (), name)]  # fmt: skip
    if samples:
        layers.append(Points(film.samples, "sample", size=2.4, label=t("latent.layers.samples")))
    return Panel(title, layers, **WINDOW.limits)


def pictures_panel(film: PlaneFilm, config: Config) -> Panel:
    """What the network's guesses at the first samples decode to."""
    caption = t("latent.captions.read", share=film.read)
    if film.right is not None:
        caption = t("latent.captions.right", share=film.read, digit=config.digit, right=film.right)
    return Panel(t("latent.panels.decoded"), [Images(film.pictures, COLUMNS, colour="sample")], caption=caption)


@shared_scene
def rebuilt(config: Config) -> Scene:
    """People, the channels of their latents, and what these decode to."""
    found = lesson.rebuilt_people(SHOWN, config.first)
    channels = found.channels.flatten(0, 1)[None]
    panels = [
        Panel(t("latent.panels.originals"), [_people(found.originals, "data")], caption=t("latent.captions.pixels")),
        Panel(t("latent.panels.channels"), [Images(channels, found.channels.shape[1])],
              caption=t("latent.captions.numbers", numbers=found.channels[0].numel())),
        Panel(t("latent.panels.rebuilt"), [_people(found.rebuilt, "sample")],
              caption=t("latent.captions.error", error=found.error)),
    ]  # fmt: skip
    return Scene(panels, None, t("latent.rebuilt.alt", n=SHOWN, error=found.error))


def _people(pictures: Tensor, role: str) -> Images:
    return Images(pictures.movedim(1, -1)[None], 2, colour=role)


SCENES: dict[str, Callable[[Config], Scene]] = {
    "plane": latent_plane.plane,
    "weights": weights,
    "field": field,
    "rebuilt": rebuilt,
    "people": latent_people.finished,
}

NOTES = {"plane": {"before": ("plane",), "after": ("plane", "between")}}
"""The notes that a scene can show together; other scenes show those of their name."""


def notes_of(config: Config, answered: bool) -> tuple[str, ...]:
    """The notes of a scene; what answers the question once that is answered."""
    return NOTES[config.show]["after" if answered else "before"] if config.show in NOTES else (config.show,)


def tasks_done(config: Config, view: Any) -> dict[str, bool]:
    """Which tasks are done."""
    shot = view.picture if view is not None else None
    trained = shot is not None and shot.plane.random >= 0.6
    mixed = config.show == "plane" and (view is None or trained) and latent_plane.is_between(config)
    seven = config.show == "field" and config.label == 7 and config.w > 1
    return {"live": trained, "between": mixed, "seven": seven}


CODE: dict[str, tuple[Callable, ...]] = {
    "plane": (latent_model.autoencoder_loss, draw_latent),
    "weights": (kl_divergence,),
    "field": (LatentSpace.encode, LatentSpace.decode),
    "rebuilt": (latent_model.measure,),
    "people": (latent_model.sample,),
}
"""The lines of core that make the scenes."""
