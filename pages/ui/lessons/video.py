"""Chapter 12: clips of people, and a model that draws them from captions.

Each scene is a pure function of a `Config` and of films, whose newest state the page draws while they form.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from core.data import video, video_captions
from core.data.people import SIDE
from core.data.video import FAULTS, FRAMES, MOTIONS
from core.diffusion.guidance import lerp
from core.figures import palette
from core.figures.scene import Clock, Images, Panel, Scene
from core.lessons import video as lesson
from core.lessons.video import ClipFilm, ClipRequest
from core.models import video as video_model
from core.networks.video import TimeAttention
from core.problems import Problem
from pages.ui.frame import text
from pages.ui.frame.text import language, t
from pages.ui.lessons.shared_scene import shared_scene
from pages.ui.lessons.video_config import Config
from pages.ui.runs import background_films
from pages.ui.runs.background_films import FilmMaker

FPS = 6
STILL = 4  # the frame that a picture shows where nothing plays
REPEATS = 2  # how often a clip plays after it has formed
EYES = 7  # the row of pixels, from 1, that shows how a face changes
LARGE = 4  # pixels for each pixel of a clip in which a row is marked
PALE = 0.75  # the share of grey in what has not come yet
NEGATIVE_PANELS = {"plain": "conditional", "guided": "guided", "word": "negative", "list_en": "negative",
                   "list_zh": "negative"}  # fmt: skip

Films = Sequence[ClipFilm]


# What is asked of the model


def film_maker() -> FilmMaker:
    """What makes the clips of the model."""
    return FilmMaker(f"video {lesson.key_of_model()}", lesson.make_films, ClipFilm,
                     lambda requests: sum(each.steps for each in requests), lesson.shipped_films())  # fmt: skip


def requests_of(config: Config) -> list[ClipRequest]:
    """What a configuration asks of the model; nothing where real clips are shown."""
    speaks, seed = language.get(), config.seed
    if config.show == "clip":
        return [lesson.clip_request(config.caption.strip(), config.w, seed)]
    if config.show == "time_axis":
        return [lesson.motion_request(config.motion, speaks, seed=seed)]
    if config.show == "attention":
        return [lesson.motion_request(config.doing, speaks, together, seed) for together in (True, False)]
    if config.show == "guidance":
        return lesson.guidance_requests(config.caption.strip(), seed)
    if config.show == "negative":
        return lesson.negative_requests(speaks, config.word.strip(), config.w_negative, seed)
    return []


# The scenes


def film_scene(config: Config, films: Films, frame: int | None = None) -> Scene:
    """The scene of a configuration with its finished clips, or with the state that they have come to (``frame``)."""
    panels, clock = PANELS[config.show](config, films, frame is not None)
    described = "; ".join(": ".join(filter(None, (panel.title, _last(panel.caption)))) for panel in panels)
    alt = t(f"video.{config.show}.alt", panels=described, caption=config.caption, motion=_motion(config))
    return Scene(panels, clock, alt, fps=FPS)


def _last(caption: str | Sequence[str]) -> str:
    return caption if isinstance(caption, str) else caption[-1]


def _motion(config: Config) -> str:
    return text.label("motions", config.doing if config.show == "attention" else config.motion)


def _finished(show: str) -> Callable[[Config], Scene]:
    """A scene with its finished clips, which are drawn here if they are not known yet."""

    @shared_scene
    def scene(config: Config) -> Scene:
        config = replace(config, show=show)
        requests = requests_of(config)
        return film_scene(config, background_films.films(film_maker(), requests) if requests else ())

    return scene


def _time(films: Films, forming: bool) -> Clock:
    """The clock of time; of films that form, the noise level of the one that forms."""
    if forming:
        newest = next((film for film in films if not film.done), films[-1])
        return Clock([newest.sigma])
    return Clock(list(range(1, FRAMES + 1)), t("video.clock.frame"), start=STILL)


def _played(clips: Tensor, forming: bool) -> Tensor:
    """Clips [n, 8, 3, H, W] on the clock of time: [8 or 1, n, H, W, 3]."""
    frames = clips.movedim(1, 0).movedim(-3, -1)
    return frames[STILL : STILL + 1] if forming else frames


def data_panels(config: Config, films: Films, forming: bool) -> tuple[list[Panel], Clock]:
    """Real clips: one of each motion, or one with each of the faults."""
    clock = _time(films, forming)
    if config.what == "motions":
        names = [text.label("motions", name) for name in MOTIONS]
        shown = Images(_played(lesson.clips_of_motions(config.seed).frames, False), 3, names=names, colour="data")
        return [Panel(t("video.panels.motions"), [shown])], clock
    clean, spoiled = lesson.spoiled_clips(config.seed)
    names = [text.label("faults", name) for name in FAULTS]
    return [
        Panel(t("video.panels.clean"), [Images(_played(clean.frames, False), 1, colour="data")]),
        Panel(t("video.panels.faults"), [Images(_played(spoiled, False), 3, names=names, colour="negative")]),
    ], clock


def clip_panels(config: Config, films: Films, forming: bool) -> tuple[list[Panel], Clock]:
    """A clip that forms on the clock of sigma, the noisy frames and their estimates side by side, and then plays on the
    clock of time."""
    (film,) = films
    states, estimates = (torch.stack(part or (film.clips,))[:, 0].movedim(-3, -1) for part in (film.x, film.x0))
    titles = t("video.panels.frames"), t("video.panels.estimate"), t("video.panels.playing")
    names = [str(frame + 1) for frame in range(FRAMES)]

    def panels(noisy: Tensor, clean: Tensor, one: Tensor, caption: Sequence[str] = "") -> list[Panel]:
        return [Panel(titles[0], [Images(noisy, 4, names=names, colour="sample")]),
                Panel(titles[1], [Images(clean, 4, names=names, colour="denoise")]),
                Panel(titles[2], [Images(one, 1, colour="sample")], caption=caption)]  # fmt: skip

    if forming:
        return panels(states, estimates, states[:, :1]), Clock([film.sigma])
    playing = states[-1].repeat(REPEATS, 1, 1, 1)[:, None]
    noisy, clean = (torch.cat([each, states[-1:].expand(len(playing), -1, -1, -1, -1)]) for each in (states, estimates))
    alone = torch.cat([states[:, :1], playing])
    numbers = [*range(1, FRAMES + 1)] * REPEATS
    captions = [t("video.captions.forming")] * len(states) + [t("video.captions.frame", k=k) for k in numbers]
    labels = ["σ"] * len(states) + [t("video.clock.plays", k=k) for k in numbers]
    clock = Clock([*film.request.sigmas.tolist(), *[0.0] * len(numbers)], labels, start=len(states) + STILL)
    return panels(noisy, clean, alone, captions), clock


def time_panels(config: Config, films: Films, forming: bool) -> tuple[list[Panel], Clock]:
    """A clip that was drawn and a real one of the same caption, each with one row of its pixels over time."""
    (film,) = films
    pairs = [("drawn", film.clips[0], "sample"), ("real", lesson.real_clip(config.motion), "data")]
    panels = [panel for name, clip, role in pairs for panel in _with_row(name, clip, config.row - 1, role, forming)]
    return panels, _time(films, forming)


def attention_panels(config: Config, films: Films, forming: bool) -> tuple[list[Panel], Clock]:
    """The same caption and noise with attention across time and without, each with one row of its pixels over time."""
    roles, panels = {"together": "sample", "apart": "unconditional"}, []
    for film, (name, role) in zip(films, roles.items(), strict=True):
        caption = t("video.captions.flicker", flicker=lesson.measures_of(film).flicker) if film.done else ""
        clip, over_time = _with_row(name, film.clips[0], EYES - 1, role, forming)
        panels += [replace(clip, caption=caption), over_time]
    return panels, _time(films, forming)


def _with_row(name: str, clip: Tensor, row: int, role: str, forming: bool) -> list[Panel]:
    """A clip [8, 3, 16, 16] with a row of its pixels marked, and that row over time, as far as time has come."""
    marked = clip.repeat_interleave(LARGE, -1).repeat_interleave(LARGE, -2).clone()
    colour = palette.ROLES["difference"].light
    line = torch.tensor([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=torch.uint8)[:, None]
    for edge in (LARGE * row - 1, LARGE * (row + 1)):
        if 0 <= edge < LARGE * SIDE:
            marked[:, :, edge] = line
    rows = lesson.over_time(clip, row).movedim(0, -1)  # [8, 16, 3]
    later = torch.arange(FRAMES)[None] > torch.arange(FRAMES)[:, None]  # [time, row]
    pale = ((1 - PALE) * rows.float() + PALE * 128).byte()
    grown = rows.where(~later[..., None, None], pale)[:, None]
    return [
        Panel(t(f"video.panels.{name}"), [Images(_played(marked[None], forming), 1, colour=role)]),
        Panel(t("video.panels.row", row=row + 1), [Images(grown[-1:] if forming else grown, 1, colour=role)],
              caption=t("video.captions.over_time")),
    ]  # fmt: skip


def guidance_panels(config: Config, films: Films, forming: bool) -> tuple[list[Panel], Clock]:
    """Clips of one caption under several guidance scales, from the same noises."""
    panels = [
        Panel(f"w = {film.request.scale:g}", [Images(_played(film.clips, forming), 2, colour="guided")],
              caption=_with_fault(film))
        for film in films
    ]  # fmt: skip
    return panels, _time(films, forming)


def negative_panels(config: Config, films: Films, forming: bool) -> tuple[list[Panel], Clock]:
    """Clips of plain captions from the same noises: plain, guided, away from a word, and away from the long list in
    each language."""
    panels = []
    for film, (name, role) in zip(films, NEGATIVE_PANELS.items(), strict=True):
        title = t(f"video.panels.{name}", scale=film.request.scale, word=config.word.strip())
        panels.append(Panel(title, [Images(_played(film.clips, forming), 2, colour=role)], caption=_with_fault(film)))
    return panels, _time(films, forming)


def _with_fault(film: ClipFilm) -> str:
    """In how many clips the judge finds a fault, once they are finished."""
    if not film.done:
        return ""
    spoiled = lesson.verdict_of(film).spoiled
    return t("video.captions.spoiled", n=int(spoiled.sum()), of=len(spoiled))


PANELS: dict[str, Callable[[Config, Films, bool], tuple[list[Panel], Clock]]] = {
    "data": data_panels,
    "clip": clip_panels,
    "time_axis": time_panels,
    "attention": attention_panels,
    "guidance": guidance_panels,
    "negative": negative_panels,
}
SCENES: dict[str, Callable[[Config], Scene]] = {show: _finished(show) for show in PANELS}
NOTES = {"data": {"motions": ("data",), "faults": ("data", "data.faults")}}
"""The notes that a scene can show together, by their names in the catalogue; other scenes show those of their name."""


def notes_of(config: Config) -> tuple[str, ...]:
    """The notes of a scene."""
    return NOTES.get(config.show, {}).get(config.what, (config.show,))


FORMULAS = {"data": "point", "time_axis": "point"}
"""The formula of a scene; the others have one of their own."""


def formula_of(config: Config) -> str:
    """The name of the formula of a scene, and of its legend."""
    return FORMULAS.get(config.show, config.show)


CODE: dict[str, tuple[Callable, ...]] = {
    "data": (video.compose, video.paths),
    "clip": (video_model.sample, lesson.steps_of),
    "time_axis": (lesson.over_time,),
    "attention": (TimeAttention,),
    "guidance": (video_model.guided, lerp),
    "negative": (video_model.guided, video_captions.all_faults),
}
"""The lines of core that make each scene."""


# What the tasks ask


def tasks_done(config: Config, films: Films) -> dict[str, bool]:
    """Which tasks the present setting solves."""
    done = {"unknown_word": False, "still_row": False, "one_fault": False}
    if config.show == "clip":
        done["unknown_word"] = bool(films and unknown_words(config.caption))
    elif config.show == "time_axis":
        rows = lesson.real_clip(config.motion)[:, :, config.row - 1]  # [8, 3, 16]
        still, plain = bool((rows == rows[:1]).all()), bool((rows == rows[..., :1]).all())
        done["still_row"] = config.motion != "stands" and still and not plain
    elif config.show == "negative" and films:
        faults = parsed(config.word).named.faults
        done["one_fault"] = len(faults) == 1 and faults[0] in FAULTS
    return done


def parsed(caption: str) -> video_captions.Parsed:
    """What a caption names; nothing where it cannot be read."""
    try:
        return video_captions.parse(caption)
    except Problem:
        return video_captions.Parsed(video_captions.Named({}), (), language.get())


def unknown_words(caption: str) -> tuple[str, ...]:
    """The words of a caption that name nothing of these clips."""
    return parsed(caption).unknown
