"""From a link to the scene that a page shows there, and what describes a scene where it stands alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from core.figures.frames import count_frames
from core.figures.scene import Scene
from core.figures.sheet import frame_of
from core.problems import Problem
from pages.ui.frame import chapters, links, text
from pages.ui.frame.controls import label_of
from pages.ui.frame.text import t

Zoom = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Link:
    """The address of a scene, read: the page, its configuration, and how the picture stands.

    Attributes:
        base: what stands before the parameters: a server and its page, or the page alone.
        page: the name of the page.
        config: its configuration.
        given: the parameters as they were written, without those that are ignored.
        clock: where the clock stands, as a part of its way; None: where the scene says.
        zoom: what is enlarged, as the player keeps it.
        language: of the page.
        ignored: the parameters "name=value" that the page would ignore.
    """

    base: str
    page: str
    config: Any
    given: Mapping[str, str]
    clock: float | None = None
    zoom: Zoom = field(default_factory=dict)
    language: str = text.DEFAULT
    ignored: tuple[str, ...] = ()


def read(link: str) -> Link:
    """Read a link, a whole one or only page and parameters: "guidance?show=beyond". Raises Problem for a page that
    there is not, and for one without a picture."""
    parts = urlsplit(link)
    page = parts.path.rstrip("/").rpartition("/")[2] or "home"
    path = parts.path.removesuffix("home")  # which a server shows at its root only
    base = f"{parts.scheme}://{parts.netloc}{path}" if parts.netloc else page
    lesson, given = lesson_of(page), dict(parse_qsl(parts.query, keep_blank_values=True))
    config, ignored = links.parse(lesson.Config, given)
    config, of_visitor = _without_runs(config, given)
    language = given.get("lang", text.DEFAULT)
    if language not in text.languages():
        ignored, language = (*ignored, f"lang={language}"), text.DEFAULT
    stands = {name: links.STAGE[name].parse(given[name]) for name in ("clock", "zoom")
              if name in given and f"{name}={given[name]}" not in ignored}  # fmt: skip
    ignored = tuple(dict.fromkeys((*ignored, *of_visitor)))
    given = {name: value for name, value in given.items() if f"{name}={value}" not in ignored}
    return Link(base, page, config, given, language=language, ignored=ignored, **stands)


def _without_runs(config: Any, given: Mapping[str, str]) -> tuple[Any, tuple[str, ...]]:
    """The configuration without a visitor's own training run, which no file can show again."""
    if "run" not in given or not hasattr(config, "run"):
        return config, ()
    return replace(config, run=None), (f"run={given['run']}",)


def lesson_of(page: str) -> ModuleType:
    """The lesson of a page, which holds its configuration and scenes. Raises Problem where there is none."""
    if page in chapters.present():
        lesson = import_module(f"pages.ui.lessons.{page}")
        if hasattr(lesson, "SCENES"):
            return lesson
    raise Problem("export_page", page=page, known=", ".join(drawn_pages()))


def drawn_pages() -> list[str]:
    """The pages that have pictures."""
    return [page for page in chapters.present() if page != "glossary"]


def scene_of(link: Link, chart: str = "") -> Scene:
    """The scene that the page shows at a link, or one of its charts; described, in the language of the link.

    Raises Problem for a chart that the page does not have.
    """
    token = text.language.set(link.language)
    try:
        made = make_scene(link.page, link.config, chart)
        place = address(link.base, link.given, made, frame_at(made, link.clock), link.zoom)
        return describe(made, link.page, scene_name(link.page, link.config), place)
    finally:
        text.language.reset(token)


def make_scene(page: str, config: Any, chart: str = "") -> Scene:
    """The scene of a configuration of a page, or one of its charts.

    Raises Problem for a chart that the page does not have.
    """
    lesson = lesson_of(page)
    if not chart:
        return lesson.SCENES[scene_name(page, config)](config)
    charts = getattr(lesson, "CHARTS", {})
    if chart not in charts:
        raise Problem("export_chart", name=chart, page=page, known=", ".join(charts) or "–")
    return charts[chart](config)


def scene_name(page: str, config: Any) -> str:
    """The name of the scene that a configuration shows."""
    return getattr(config, "show", None) or next(iter(lesson_of(page).SCENES))


def describe(scene: Scene, page: str, name: str, link: str) -> Scene:
    """A scene with what says what it is where it stands alone: the chapter and the scene as title, why it is shown as
    caption, the link that makes it again as address."""
    chapter = f"{chapters.number_of(page) or ''} {t(f'{page}.title')}".strip()
    config = getattr(import_module(f"pages.ui.lessons.{page}"), "Config", None)
    control = links.controls(config).get("show") if config else None
    part = scene.title or (label_of(page, "show", control, name) if control else "")
    title = t("frame.export.titled", chapter=chapter, scene=part) if part and part != t(f"{page}.title") else chapter
    why = f"{page}.{name}.why"
    caption = scene.caption or t(why if text.has(why) else f"{page}.sentence")
    return replace(scene, title=title, caption=caption.replace("**", ""), address=link)


def address(base: str, given: Mapping[str, str], scene: Scene, frame: int, zoom: Zoom) -> str:
    """The link to a scene, with the clock at ``frame``: without what is the sender's own, in the language of now."""
    kept = {name: value for name, value in given.items() if name not in (*links.OWN, *links.STAGE, "lang")}
    frames = count_frames(scene.panels, scene.clock)
    if frames > 1 and frame != frame_of(scene, None):
        kept["clock"] = f"{frame / (frames - 1):.3f}".rstrip("0").rstrip(".")
    if zoom:
        kept["zoom"] = links.STAGE["zoom"].write(zoom)
    if text.language.get() != text.DEFAULT:
        kept["lang"] = text.language.get()
    return f"{base}?{urlencode(kept, safe=',')}".rstrip("?")


def frame_at(scene: Scene, clock: float | None) -> int:
    """The frame at a part of the clock's way; None: where the scene says."""
    if clock is None:
        return frame_of(scene, None)
    return int(clock * (count_frames(scene.panels, scene.clock) - 1) + 0.5)  # as the browser rounds


def formula_of(page: str, config: Any) -> list[tuple[str, str]]:
    """The terms (LaTeX, role of its colour or "") of the formula of the scene that a configuration shows."""
    lesson = lesson_of(page)
    name = lesson.formula_of(config) if hasattr(lesson, "formula_of") else scene_name(page, config)
    values = lesson.values_of(config) if hasattr(lesson, "values_of") else {}
    return text.formula(page, name, **values)


def file_name(page: str, part: Iterable[str], kind: str) -> str:
    """A name for a file, such as "guidance-eight-scales-f12.svg"."""
    return f"{'-'.join((page, *part)).replace('_', '-')}.{kind}"
