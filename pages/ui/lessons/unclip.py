"""Chapter 9: unCLIP, one stage after the other, and what becomes of a picture when a stage is changed.

Each scene is a pure function of a `Config`. It computes its films, unless they are given: so the page draws films while
they form, ``k`` being the number of the newest frame, by the same panels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F

from core.diffusion.guidance import cfg
from core.figures.scene import Clock, Images, Line, Panel, Scene
from core.lessons import clip as clip_lesson
from core.lessons import unclip as lesson
from core.lessons.unclip import PARTS, SCALES, Film, Request
from core.models import clip as clip_model
from core.models import images as image_model
from core.models import unclip as unclip_model
from core.networks.clip import TextEncoder
from pages.ui.frame.links import choice, number, text
from pages.ui.frame.text import fixed, language, t
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.unclip_vectors import (
    condition_cosine,
    cosine,
    gap,
    models,
    mutual_cosine,
    space,
    text_vector,
    unwanted,
    vectors,
)  # fmt: skip
from pages.ui.runs import background_films
from pages.ui.runs.background_films import FilmMaker

Films = Sequence[Film]
SHOW = (
    "all_stages", "text_vector", "prior", "decoder", "prior_skipped", "negative_caption", "guidance", "variations",
    "interpolation",
)  # fmt: skip
LONGEST = 120  # characters of a caption
FIELDS = {
    "people": {"caption": "caption", "alone": "prior_caption", "positive": "positive_caption", "negative": "negative",
               "to": "to", "picture": "person", "w": "w", "wp": "wp"},
    "emoji": {"caption": "emoji", "alone": "prior_emoji", "positive": "positive_emoji", "negative": "negative_emoji",
              "to": "to_emoji", "picture": "of", "w": "w_emoji", "wp": "wp_emoji"},
}  # fmt: skip
"""The control of each of the ``lesson.Examples`` of a set, and of its guidance scales."""


def _caption(data: str, role: str) -> str:
    """A field with the text of a role, which begins with the example of the set in the language of the page."""
    return text(lambda: getattr(lesson.examples(data, language.get()), role), LONGEST, main=True)


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("the_same", "nearly_alike", "noise"), style="none")
    show: str = choice("all_stages", SHOW)
    data: str = choice("people", tuple(PARTS), "data")
    caption: str = _caption("people", "caption")
    prior_caption: str = _caption("people", "alone")  # of "prior_skipped"
    positive_caption: str = _caption("people", "positive")  # of "negative_caption"
    negative: str = _caption("people", "negative")
    to: str = _caption("people", "to")
    person: int = number(lesson.EXAMPLES["people", "en"].picture, 0, lesson.COLLECTED - 1, main=True)
    emoji: str = _caption("emoji", "caption")
    prior_emoji: str = _caption("emoji", "alone")
    positive_emoji: str = _caption("emoji", "positive")
    negative_emoji: str = _caption("emoji", "negative")
    to_emoji: str = _caption("emoji", "to")
    of: str = choice("man cook", collection.captions, "captions", "select", main=True)
    w: float = number(lesson.EXAMPLES["people", "en"].scale, 0.0, 8.0, 0.5, style="slider", main=("variations",))
    wp: float = number(lesson.EXAMPLES["people", "en"].prior_scale, 0.0, 8.0, 0.5, style="slider", main=("prior",))
    w_emoji: float = number(lesson.EXAMPLES["emoji", "en"].scale, 0.0, 8.0, 0.5, style="slider", main=("variations",))
    wp_emoji: float = number(lesson.EXAMPLES["emoji", "en"].prior_scale, 0.0, 8.0, 0.5, style="slider", main=("prior",))
    n: int = choice(4, (1, 2, 4, 6), style="slider")
    steps: int = number(20, 2, lesson.MAX_STEPS)
    seed: int = number(0, 0, 9999)

    def text(self, role: str) -> str:
        """The text of a role."""
        return getattr(self, FIELDS[self.data][role]).strip()

    @property
    def wanted(self) -> str:
        """The caption of the scene."""
        return self.text({"prior_skipped": "alone", "negative_caption": "positive"}.get(self.show, "caption"))

    @property
    def picture(self) -> int:
        """The number of the picture that is varied."""
        return self.person if self.data == "people" else collection.number_of(self.of)

    @property
    def request(self) -> Request:
        """The pictures of the caption."""
        scale, prior_scale = (getattr(self, FIELDS[self.data][name]) for name in ("w", "wp"))
        return Request(self.data, self.wanted, scale=scale, prior_scale=prior_scale, n=self.n, steps=self.steps,
                       seed=self.seed)  # fmt: skip


ROLES = {"prior_skipped": ("alone",), "negative_caption": ("positive", "negative"), "interpolation": ("caption", "to"),
         "variations": ("picture",)}  # fmt: skip
"""What a scene is of; the others are of ``caption``."""

SETTINGS = {"text_vector": (), "prior": ("wp", "n", "steps", "seed"), "guidance": ("wp", "steps", "seed"),
            "variations": ("w", "n", "steps", "seed"), "interpolation": ("w", "wp", "steps", "seed"),
            "negative_caption": ("wp", "w", "n", "steps", "seed")}  # fmt: skip
"""The settings that a scene depends on, the first of which stands alone; the others depend on ``ALL_SETTINGS``."""

ALL_SETTINGS = ("w", "wp", "n", "steps", "seed")


NOTES = {
    show: {data: (show, f"{show}.{data}") for data in PARTS}
    for show in ("text_vector", "negative_caption", "guidance", "variations", "interpolation")
}
"""The notes that a scene shows together for each set, by their names in the catalogue; the others are the same."""


def notes_of(show: str, data: str) -> tuple[str, ...]:
    """The notes of a scene and of what is special about it for a set."""
    return NOTES.get(show, {}).get(data, (show,))


def fields(show: str, data: str) -> tuple[str, ...]:
    """The controls that say what a scene is of."""
    return tuple(FIELDS[data][role] for role in ROLES.get(show, ("caption",)))


def requests_of(config: Config) -> list[Request]:
    """The films that the scene shows."""
    return lesson.scene_requests(config.show, config.request, config.text("negative"), config.text("to"),
                                 config.picture)  # fmt: skip


def film_maker(data: str) -> FilmMaker:
    """What makes the films of a set."""
    loaded = models(data)
    return FilmMaker(
        key=f"unclip {data}", make=partial(lesson.films, loaded), initial=Film, steps=lesson.count_steps,
        shipped=lesson.shipped_films(loaded, data),
    )  # fmt: skip


def scene(config: Config, films: Films | None = None, k: int | None = None, theme: str = "light") -> Scene:
    """The scene that the configuration shows. films: those of `requests_of`, finished (k None) or at their frame k."""
    if films is None:
        films = background_films.films(film_maker(config.data), requests_of(config))
    panels, clock = PANELS[config.show](config, films, k, theme)
    ends = (panel.caption if isinstance(panel.caption, str) else panel.caption[-1] for panel in panels)
    described = ". ".join(f"{panel.title}: {end}" if end else panel.title for panel, end in zip(panels, ends))
    values = {"caption": config.wanted, "negative": config.text("negative"), "to": config.text("to"),
              "picture": _picture_name(config)}  # fmt: skip
    alt = t(f"unclip.{config.show}.alt", **values)
    return Scene(panels, clock, f"{alt}. {described}.", fps=len(clock.values) / 5 if clock else 20)


def _picture_name(config: Config) -> str:
    known, translated = lesson.pairs(config.data), config.data == "people" and language.get() == "zh"
    return known.keywords[config.picture][0] if translated else known.captions[config.picture]


def _scene(name: str) -> Callable[[Config], Scene]:
    return lambda config: scene(replace(config, show=name))


SCENES: dict[str, Callable[[Config], Scene]] = {name: _scene(name) for name in SHOW}


# The panels of each scene, and its clock


def all_stages(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """All stages on one clock that counts steps: first those of the prior, then those of the decoder, whose noise
    stands at the last step of the prior."""
    (film,) = films
    text, grid, n = text_vector(config.data, film.request.caption), image_model.grid(film.request.steps), film.request.n
    guesses = [guess[:n] for guess in film.guesses] or [torch.zeros(n, len(text))]
    noise = lesson.opening(models(config.data), film.request).x[0]
    cosines = [_with_text(cosine(guess, text)) for guess in guesses]
    frames = [
        (guess, t("unclip.captions.prior", sigma=sigma) + (f" · {near}" if near else ""), noise,
         t("unclip.captions.noise"))
        for guess, near, sigma in zip(guesses, cosines, grid.tolist())
    ]  # fmt: skip
    frames += [
        (guesses[-1], cosines[-1], x, t("unclip.captions.decoder", sigma=sigma))
        for x, sigma in zip(film.x, (grid if k is None else grid[k:]).tolist())
    ]
    count, shown = len(frames), frames if k is None else frames[-1:]
    guesses, guess_captions, x, captions = map(list, zip(*shown))
    panels = [
        vectors(t("unclip.panels.text_vector"), text[None, None], theme, t("unclip.captions.text_vector")),
        vectors(t("unclip.panels.image_vector"), torch.stack(guesses), theme, guess_captions),
        Panel(t("unclip.panels.picture"), [Images(torch.stack(x).movedim(-3, -1), colour="sample")], caption=captions),
    ]
    steps = [at - (at >= len(film.guesses) > 0) for at in range(count)]
    return panels, Clock(steps[-len(shown) :], t("unclip.clock.step"), start=-1)


def _with_text(value: float) -> str:
    return "" if value != value else t("unclip.captions.with_text", cosine=fixed(value))


def text_panels(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], None]:
    """The vector of each word, and the vector of them all."""
    text, whole = config.wanted, models(config.data)
    tokens = whole.known.encode([text])
    known = whole.known.known(text)[: tokens.shape[1]]
    meaning = unclip_model.prior_condition(whole.clip, tokens)["tokens"][0]
    caption = "" if known else t("unclip.captions.no_vector")
    text_panels = vectors(t("unclip.panels.text_vector"), text_vector(config.data, text)[None, None], theme, caption)
    if not known:
        return [text_panels], None
    words = unclip_model.scaled(meaning[~meaning.isnan().any(1)])
    return [vectors(t("unclip.panels.words"), words[None], theme, names=known), text_panels], None


def prior(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """The vectors on their way from noise: what the first is near to, where all lie, the pictures nearest to it."""
    (film,) = films
    ends, grid = (image_model.SIGMA_MIN, image_model.SIGMA_MAX), image_model.grid(film.request.steps)
    axes = {"equal": False, "xlabel": "σ", "xlog": True, "xreversed": True}
    if not film.guesses:
        return [Panel(t("unclip.panels.cosines"), [], ends, (0, 1), **axes)], _levels(film, 0)
    path = lesson.prior_path(models(config.data), film, space(config.data))
    now = slice(None) if k is None else slice(-1, None)
    sigma, guesses = grid.clamp_min(ends[0])[: len(film.guesses)], torch.stack(film.guesses)[now, : film.request.n]
    lines = [
        Line(sigma, path.end, "denoise", t("unclip.layers.end" if k is None else "unclip.layers.newest"), width=3),
        Line(sigma, path.cosines[:, 0], "data", t("unclip.layers.nearest"), dash=(2, 3)),
    ]
    if film.request.caption:
        lines.insert(0, Line(sigma, path.caption, "conditional", t("unclip.layers.caption"), dash=(8, 3)))
    low = math.floor(10 * min(float(line.y.min()) for line in lines)) / 10
    known = lesson.pairs(config.data)
    near = known.images[path.pictures[now]].movedim(-3, -1)
    first = zip(path.pictures[now, 0].tolist(), path.cosines[now, 0].tolist())
    people = config.data == "people"  # their captions are too long for a line under the picture
    captions = [
        t("unclip.captions.nearest", cosine=fixed(value)) if people else f"{known.captions[i]}, {fixed(value)}"
        for i, value in first
    ]
    panels = [
        Panel(t("unclip.panels.cosines"), lines, ends, (low, 1.02), **axes, marker=sigma[now]),
        gap(config.data, film.request.caption, {"guess": (guesses, "denoise")}),
        Panel(t("unclip.panels.nearest"), [Images(near, 2, colour="data")], caption=captions),
    ]
    return panels, Clock(grid[: len(film.guesses)][now], start=-1)


def decoder(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """The state of the pictures, and what the network guesses; the clock stands where the two differ."""
    (film,) = films
    return [
        _pictures(t("unclip.panels.state"), film, t("unclip.captions.state")),
        _pictures(t("unclip.panels.guess"), film, t("unclip.captions.guess"), "denoise", guess=True),
    ], replace(_levels(film, k), start=film.request.steps // 2 if k is None else 0)


def prior_skipped(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """Where the decoder's conditions lie, with the prior and without, and the pictures that follow."""
    roles = {"imagined": "sample", "own": "negative"}
    conditions = {name: (film.vectors[None], role) for film, (name, role) in zip(films, roles.items())
            if film.vectors is not None}  # fmt: skip
    titles = {t(f"unclip.panels.{name}"): role for name, role in roles.items()}
    panels, clock = beside(films, k, titles, mutual_cosine)
    return [gap(config.data, config.wanted, conditions), *panels], clock


def negative_caption(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """Pictures without a negative caption and with one, from the same noise."""
    away = config.text("negative")
    negative = t("unclip.panels.negative", caption=config.wanted, negative=away)
    titles = {t("unclip.panels.no_negative", caption=config.wanted): "unconditional", negative: "guided"}
    return beside(films, k, titles, lambda film: unwanted(film, away))


def guidance(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """Pictures under several guidance scales, from the same noise."""
    return beside(films, k, {f"w = {scale:g}": "guided" for scale in SCALES})


def variations(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """A picture of the collection beside others of the same vector."""
    (film,) = films
    known, number = lesson.pairs(config.data), film.request.picture
    caption = t(f"unclip.captions.{'held_out' if known.held_out[number] else 'trained_on'}.{config.data}")
    pixels = Images(known.images[number, None, None].movedim(2, -1), colour="data")
    panels, clock = beside(films, k, {t("unclip.panels.variations"): "sample"})
    return [Panel(t("unclip.panels.the_picture"), [pixels], caption=caption), *panels], clock


def interpolation(config: Config, films: Films, k: int | None, theme: str) -> tuple[list[Panel], Clock]:
    """All pictures of an interpolation while they form; then also one at a time, the clock being the part of the
    way."""
    (film,) = films
    title = t("unclip.panels.whole_way")
    if k is not None:
        return [_pictures(title, film, columns=4)], _levels(film, k)
    finished, parts = film.at(film.request.steps), torch.linspace(0, 1, film.request.n)
    a, b = film.vectors[0], film.vectors[-1]
    captions = [_between(cosine(vector, a), cosine(vector, b)) for vector in film.vectors]
    one = finished.images.movedim(-3, -1)[:, None]
    return [
        Panel(t("unclip.panels.on_the_way"), [Images(one, colour="guided")], caption=captions),
        _pictures(title, finished, columns=4),
    ], Clock(parts, "t", digits=2)


def _between(start: float, end: float) -> str:
    return "" if start != start or end != end else t("unclip.captions.between", start=fixed(start), end=fixed(end))


PANELS = {
    "all_stages": all_stages, "text_vector": text_panels, "prior": prior, "decoder": decoder,
    "prior_skipped": prior_skipped, "negative_caption": negative_caption, "guidance": guidance,
    "variations": variations, "interpolation": interpolation,
}  # fmt: skip


def beside(
    films: Films, k: int | None, titles: dict[str, str], measure: Callable[[Film], str] = condition_cosine
) -> tuple[list[Panel], Clock]:
    """Films from the same noise side by side, each with a title and a role; once finished, each with a measure of its
    pictures: by default how well they show the decoder's condition."""
    columns = 1 if len(films) > 2 else None
    panels = [
        _pictures(title, film, measure(film) if k is None else "", role, columns=columns)
        for film, (title, role) in zip(films, titles.items(), strict=True)
    ]
    return panels, _levels(films[0], k)


def _pictures(title: str, film: Film, caption: str = "", role: str = "sample", guess: bool = False,
              columns: int | None = None) -> Panel:  # fmt: skip
    """The frames of a film's pictures; noise where there is none yet."""
    newest = film if film.x else lesson.opening(models(film.request.data), film.request)
    frames = torch.stack(newest.x0 if guess else newest.x).movedim(-3, -1)
    return Panel(title, [Images(frames, columns, colour=role)], caption=caption)


def _levels(film: Film, k: int | None) -> Clock:
    """The noise levels of the decoder, to stand at the end; or the level of frame k alone."""
    grid = image_model.grid(film.request.steps)
    return Clock(grid if k is None else grid[max(k, 0)][None], start=-1)


# What the tasks ask


def nearest_picture(film: Film) -> int:
    """The number of the picture of the collection that the prior ends nearest to."""
    data = film.request.data
    return int(lesson.prior_path(models(data), film, space(data)).pictures[-1, 0])


def ends_differ(film: Film) -> bool:
    """Whether an interpolation of emoji leads from one group of pictures to another, and one of people from a person
    without a hat to one with a hat, or back."""
    if film.request.data == "people":
        hats = lesson.shown(film.images)["hat"]
        return (hats[0] == "none") != (hats[-1] == "none")
    ends = F.normalize(film.vectors[[0, -1]], dim=1) @ space("emoji").pictures.T
    one, other = (clip_lesson.groups()[i] for i in ends.argmax(1).tolist())
    return one != other


CODE = {
    "all_stages": (unclip_model.sample_prior, unclip_model.sample_decoder, lesson.films),
    "text_vector": (TextEncoder.forward, unclip_model.prior_condition),
    "prior": (unclip_model.sample_prior, lesson.prior_path),
    "prior_skipped": (unclip_model.generate, lesson.position, clip_model.contrastive_loss),
    "negative_caption": (unclip_model.sample_prior, cfg),
    "variations": (unclip_model.image_vectors, unclip_model.sample_decoder),
    "interpolation": (unclip_model.slerp, unclip_model.sample_decoder),
}


def code_of(show: str) -> tuple[Callable, ...]:
    """The lines of core that make a scene."""
    return CODE.get(show, (unclip_model.sample_decoder, cfg))


FORMULAS = (
    "all_stages", "text_vector", "prior", "prior_skipped", "negative_caption", "variations", "interpolation"
)  # fmt: skip


def formula_of(config: Config) -> str:
    """The name of the formula of a scene: of the decoder, where it has none of its own."""
    return config.show if config.show in FORMULAS else "decoder"


def held_out(data: str) -> torch.Tensor:
    """Which pictures of a collection were kept out of the training, [n]."""
    return lesson.pairs(data).held_out
