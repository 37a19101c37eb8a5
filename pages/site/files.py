"""The files of the site: one page for each chapter and language, its words from the catalogue, its look and script."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from streamlit.testing.v1.element_tree import Block

from pages.site import markdown
from pages.site.elements import NAMES, Parts, View, adapt, address, parts
from pages.site.figures import Figures
from pages.site.visits import Scene, Visit, card_of, find, key_of, walk
from pages.ui.frame import chapters, links, prepare, text
from pages.ui.frame.text import t
from pages.ui.stage import source, standalone

HERE = Path(__file__).parent
FRAME = HERE.parent / "ui" / "frame"
FONT = "source-sans.woff2"
RELATIONS = {"previous": "prev", "next": "next"}  # of the chapters before and after
START = "start"  # the page that says how to start the app


@dataclass(frozen=True)
class Site:
    """What all pages have in common: the folder of the data, the pages there are, and the languages."""

    figures: Figures
    pages: Sequence[str]
    languages: Sequence[str]


@dataclass(frozen=True)
class Shown:
    """What a page shows in one state: with its question open ("asking"), in the run that decides it ("decided"), or
    with all answers ("shown"); and the scenes of which it shows that."""

    scenes: Sequence[str]
    state: str
    parts: Parts


# Files of all pages


def write_shared(out: Path, languages: Sequence[str]) -> None:
    """The player, the script, the style, the font, and the page that chooses the language."""
    player = f"(() => {{\n{source.source(languages)}\nglobalThis.showStage = show;\n}})();\n"
    dark = f":root[data-theme=dark]{{{standalone.colours('dark')}}}"
    sheets = [(folder / name).read_text("utf-8") for folder, name in ((FRAME, "shell.css"), (HERE, "site.css"))]
    written = {
        "player.js": player,
        "site.js": (HERE / "site.js").read_text("utf-8"),
        "site.css": "\n".join([standalone.style("light", FONT), dark, *sheets]),
        "index.html": _choice(languages),
    }
    for name, body in written.items():
        (out / name).write_text(body, "utf-8")
    (out / FONT).write_bytes(standalone.font_file())


def _choice(languages: Sequence[str]) -> str:
    """The page that chooses the language: that of the browser, if it is there."""
    links = "\n".join(f'<p><a lang="{name}" href="{name}/home.html">{_language(name)}</a></p>' for name in languages)
    body = f'<main id="choice"><h1>{t("frame.title")}</h1>\n{links}</main>'
    return _document(t("frame.title"), "", body, "")


def _language(name: str) -> str:
    return text.catalogue(name)["frame"]["controls"]["lang"]["options"][name]


def _document(title: str, page: str, body: str, root: str) -> str:
    return f"""<!doctype html>
<html lang="{text.language.get()}" data-parameters-in-fragment data-page="{page}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}site.css">
<title>{html.escape(title)}</title>
<script src="{root}site.js" defer></script>
<script src="{root}player.js" defer></script>
</head>
<body data-failed="{html.escape(t("site.failed"))}">
{body}
</body>
</html>
"""


# One page


def page(visit: Visit, site: Site) -> str:
    """The file of a page, in the language of ``text.language``."""
    heading = find(visit.scenes[0].shown, "heading")
    body = [
        f'<a class="skip" href="#picture">{t("frame.skip")}</a>',
        _bar(visit.name, site),
        '<main tabindex="-1" id="picture">',
        _heading(heading),
        _other_settings(visit.name),
        _question(visit),
        _tabs(visit.scenes),
        _search() if find(visit.scenes[0].shown, "terms") else "",
        *(_article(visit, view) for view in _views(visit, site.figures)),
        "</main>",
        f'<footer class="source">{t("frame.title")}: {html.escape(chapters.title_of(visit.name))}</footer>',
    ]
    title = f"{chapters.title_of(visit.name)} · {t('frame.title')}"
    return _document(title, visit.name, "\n".join(filter(None, body)), "../")


def start(site: Site, commands: Sequence[tuple[str, str]]) -> str:
    """The page that says how to start the app: ``commands`` are those of each system, by its name."""
    listed = "\n".join(
        f"<h2>{system}</h2>\n<pre tabindex='0'><code>{html.escape(line)}</code></pre>" for system, line in commands
    )
    words = "\n".join(f"<p>{markdown.inline(t(f'site.start.{part}'))}</p>" for part in ("why", "how"))
    body = (
        f'<a class="skip" href="#picture">{t("frame.skip")}</a>\n{_bar(START, site)}\n<main tabindex="-1" id="picture">'
        f"<h1>{t('site.start.title')}</h1>\n{words}\n{listed}\n<p>{markdown.inline(t('site.start.then'))}</p></main>"
    )
    return _document(f"{t('site.start.title')} · {t('frame.title')}", START, body, "../")


def _bar(page: str, site: Site) -> str:
    """The chapters, those before and after, the languages and the theme."""
    sections = [("", chapters.UNNUMBERED), *chapters.SECTIONS.items()]
    lists = "\n".join(_section(name, members, page, site) for name, members in sections)
    beside = "".join(
        f'<a href="{address(each)}" rel="{RELATIONS[way]}" data-last="{prepare.last_scene(each)}">'
        f"{html.escape(chapters.title_of(each))}</a>"
        for way, each in chapters.neighbours(page).items() if each in site.pages
    )  # fmt: skip
    others = "".join(
        f'<a lang="{name}" hreflang="{name}" data-language href="../{name}/{page}.html">{_language(name)}</a>'
        for name in site.languages if name != text.language.get()
    )  # fmt: skip
    return (
        f'<header class="bar"><button type="button" popovertarget="chapters">{t("site.chapters")}</button>\n'
        f'<nav id="chapters" popover aria-label="{t("site.chapters")}">{lists}</nav>\n'
        f'<nav class="neighbours" aria-label="{t("site.neighbours")}">{beside}</nav>\n'
        f'<div class="switches">{others}<button type="button" data-theme-switch>{t("site.theme")}</button></div>'
        "</header>"
    )


def _section(name: str, members: Sequence[str], page: str, site: Site) -> str:
    here = {page: ' aria-current="page"'}
    links = "".join(
        f'<li><a href="{address(each)}"{here.get(each, "")}>{html.escape(chapters.title_of(each))}</a></li>'
        for each in members if each in site.pages
    )  # fmt: skip
    title = f"<p>{t(f'frame.sections.{name}')}</p>" if name and links else ""
    return f"{title}<ul>{links}</ul>" if links else ""


def _heading(block: Block) -> str:
    """Title, sentence and why, as the page has them."""
    title = next(node.value for node in walk(block) if node.type == "title")
    texts = [node.value for node in walk(block) if node.type == "markdown" and not node.value.startswith("<a class")]
    body = "\n".join(markdown.to_html(each) for each in texts if not each.startswith("<style"))
    view = View("", "heading", lambda *_: "", lambda *_: "")
    return adapt(f'<div class="st-key-heading"><h1>{markdown.inline(title)}</h1>\n{body}</div>', view)


def _other_settings(page: str) -> str:
    """What is said where the address has a setting other than that of the page, ``data-settings``."""
    lesson = import_module(f"pages.ui.lessons.{page}")
    if not hasattr(lesson, "SCENES"):
        return ""
    found = links.controls(lesson.Config)
    ignored = (*NAMES, *links.OWN)  # the file answers these itself, or they are the sender's
    shown = {name: "" if one.initial is None else one.write(one.initial) for name, one in found.items()
             if name not in ignored}  # fmt: skip
    return (
        f'<p class="message info" role="status" data-settings="{html.escape(json.dumps(shown))}" hidden>'
        f"{markdown.inline(t('site.settings'))}</p>"
    )


def _tabs(scenes: Sequence[Scene]) -> str:
    if len(scenes) < 2:
        return ""
    links = "".join(
        f'<a href="#show={scene.name}" data-show="{scene.name}">{html.escape(scene.label)}</a>' for scene in scenes
    )
    return f'<nav class="scenes" aria-label="{t("site.scenes")}">{links}</nav>'


def _search() -> str:
    label = t("glossary.controls.search.label")
    return f'<p class="search"><label>{label} <input type="search" data-search></label></p>'


# The views of a page


def _views(visit: Visit, figures: Figures) -> Iterator[Shown]:
    for scene in visit.scenes:
        yield Shown((scene.name,), "shown", _parts(visit, scene.name, "shown", scene.shown, figures))
    asking = [scene for scene in visit.scenes if scene.asking]
    if is_gated(visit):  # whatever the scene, the page shows its first one
        asking = asking[:1]
    for scene in asking:
        names = [one.name for one in visit.scenes] if is_gated(visit) else [scene.name]
        yield Shown(names, "asking", _parts(visit, scene.name, "asking", scene.asking, figures))
    if visit.answers:
        decided = visit.answers[0]
        yield Shown((decided.scene,), "decided", _parts(visit, decided.scene, "decided", decided.shown, figures))


def is_gated(visit: Visit) -> bool:
    """Whether the open question keeps back the other scenes."""
    asking = visit.scenes[0].asking
    return asking is not None and len(visit.scenes) > 1 and find(asking, "show") is None


def _parts(visit: Visit, scene: str, state: str, root: Block, figures: Figures) -> Parts:
    name = f"{scene or visit.name}-{state}"
    key = scene or visit.name
    view = View(visit.name, name, partial(figures.figure, key=key), partial(figures.chart, key=f"{key}-chart"))
    return Parts(*(adapt(part, view) for part in vars(parts(root, view)).values()))


def _article(visit: Visit, view: Shown) -> str:
    needs = f'<p class="python">{markdown.inline(t("site.needs_python"))}</p>'
    side = f'<div class="side">{view.parts.side}\n{needs}</div>' if view.parts.side else ""
    picture = f'<div class="st-key-picture">{view.parts.picture}</div>'
    tasks = f'<div class="tasks"><h2>{t("frame.headings.tasks")}</h2><p>{markdown.inline(t("site.tasks"))}</p></div>'
    below = _with_tasks(view.parts.below, tasks) if text.has(f"{visit.name}.tasks") else view.parts.below
    return (
        f'<article class="view" data-scenes="{" ".join(view.scenes)}" data-state="{view.state}" hidden>\n'
        f'<div class="columns{"" if side else " wide"}">{side}\n{picture}</div>\n{below}\n</article>'
    )


def _with_tasks(below: str, tasks: str) -> str:
    """The parts below the picture, with the tasks before the way on."""
    before, mark, after = below.rpartition('<div class="st-key-next">')
    return f"{before}{tasks}\n{mark}{after}"


# The question


def _question(visit: Visit) -> str:
    """The card of the question, and the card with the verdict for each answer."""
    asking = [scene for scene in visit.scenes if scene.asking]
    if not asking:
        return ""
    cards = [f'<div data-option="">{_card(asking[0].asking, "")}</div>']
    cards += [
        f'<div data-option="{answer.option}" hidden>{_card(answer.card, answer.option)}</div>'
        for answer in visit.answers
    ]
    return (
        f'<section class="st-key-predict_" data-question data-scenes="{" ".join(scene.name for scene in asking)}" '
        f'data-gate="{str(is_gated(visit)).lower()}" data-decides="{visit.answers[0].scene}" '
        f'aria-label="{t("site.question")}">\n' + "\n".join(cards) + "\n</section>"
    )


def _card(root: Block, option: str) -> str:
    card = card_of(root)
    question = key_of(card).removeprefix("predict_")
    shown = []
    for node in walk(card):
        name = key_of(node).removeprefix(f"_{question}_")
        if node.type == "markdown":
            shown.append(markdown.to_html(node.value))
        elif node.type == "button" and name == "again":
            shown.append(f'<button type="button" data-again>{html.escape(node.proto.label)}</button>')
        elif node.type == "button" and not option:
            shown.append(f'<button type="button" data-answer="{name}">{html.escape(node.proto.label)}</button>')
    if option:
        shown.append(f'<button type="button" data-decided>{t("frame.predict.decide")}</button>')
    view = View("", f"question-{option or 'open'}", lambda *_: "", lambda *_: "")
    return adapt("\n".join(shown), view)


def commands(readme: str) -> list[tuple[str, str]]:
    """The commands that start the app, by system, as the README has them."""
    section = readme.split("## Start the app")[1].split("\n## ")[0]
    return re.findall(r"^(.+):\n\n```\w+\n(.+)\n```", section, re.MULTILINE)
