"""What a page of the app shows to a reader: run without a browser, with its question open, answered, scene by scene.

A page is a tree of blocks and elements, as Streamlit's own testing module keeps it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Node

from core.problems import Problem
from pages.ui.frame import chapters, links, shell, text

PATIENCE = 600  # seconds until what a page computes or trains has to be there
LOOK = 0.5  # seconds between two looks at a page that is still computing
KEY = re.compile(r"\$\$ID-[0-9a-f]+-(.*)", re.DOTALL)


@dataclass(frozen=True)
class Scene:
    """A scene of a page: with its question open, where that changes what it shows, and with all of the answers."""

    name: str
    label: str
    shown: Block
    asking: Block | None = None


@dataclass(frozen=True)
class Answer:
    """What the page shows to those who have given an answer: the card of the question with the verdict, and the run
    that decides it."""

    option: str
    card: Block
    scene: str
    shown: Block


@dataclass(frozen=True)
class Visit:
    """A page in one language."""

    name: str
    language: str
    scenes: list[Scene]
    answers: list[Answer] = field(default_factory=list)


# The tree of a page


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, from top to bottom."""
    yield node
    for child in children(node):
        yield from walk(child)


def children(node: Node) -> list[Node]:
    """What stands in a block, from top to bottom; nothing in an element."""
    return [node.children[place] for place in sorted(node.children)] if isinstance(node, Block) else []


def key_of(node: Node) -> str:
    """The key that the page gave to a container or a control; "" for none."""
    found = KEY.fullmatch(getattr(node.proto, "id", "") or "") if node.proto is not None else None
    return found[1] if found and found[1] != "None" else ""


def find(root: Node, key: str) -> Node | None:
    """The container or control with that key."""
    return next((node for node in walk(root) if key_of(node) == key), None)


def card_of(root: Node) -> Block | None:
    """The card of the page's question, if it is there."""
    return next((node for node in walk(root) if key_of(node).startswith("predict_")), None)


def verdict_of(card: Block) -> Node | None:
    """The verdict in the card of a question, if it is there."""
    return next((node for node in walk(card) if node.type == "markdown" and 'class="message' in node.value), None)


# Visiting


def visit(page: str, language: str) -> Visit:
    """A page in a language with all of its scenes. Raises Problem for a page that fails."""
    token = text.language.set(language)
    try:
        names = scenes_of(page)
        scenes = [_scene(page, name, language) for name in names]
        return Visit(page, language, scenes, _answers(page, language, scenes))
    finally:
        text.language.reset(token)


def scenes_of(page: str) -> tuple[str, ...]:
    """The names of the scenes of a page, in its order; one without a name where it has but one."""
    if not find_spec(f"pages.ui.lessons.{page}"):
        return ("",)
    show = links.controls(import_module(f"pages.ui.lessons.{page}").Config).get("show")
    return show.choices if show else ("",)


def _scene(page: str, name: str, language: str) -> Scene:
    given = {"show": name} if name else {}
    shown = run(page, language, predictions="false", **given).main
    asking = run(page, language, **given).main
    label = _label(page, name)
    return Scene(name, label, shown, asking if card_of(asking) else None)


def _label(page: str, name: str) -> str:
    return text.t(f"{page}.controls.show.options.{name}") if name else ""


def _answers(page: str, language: str, scenes: list[Scene]) -> list[Answer]:
    asking = next((scene for scene in scenes if scene.asking), None)
    if asking is None:
        return []
    question = key_of(card_of(asking.asking)).removeprefix("predict_")
    options = links.controls(import_module(f"pages.ui.lessons.{page}").Config)[question].choices
    given = {"show": asking.name} if asking.name else {}
    return [_answer(page, language, question, option, given) for option in options]


def _answer(page: str, language: str, question: str, option: str, given: Mapping[str, str]) -> Answer:
    """Answer as a learner does: choose an option, go to the run that decides, and train where that is what decides."""
    app = run(page, language, **given)
    press(app, f"_{question}_{option}")
    if find(app.main, f"_{question}_decide"):
        press(app, f"_{question}_decide")
    begun = time.monotonic()
    if not verdict_of(card_of(app.main)):
        press(app, "_main")
    while not verdict_of(card_of(app.main)):
        _wait(page, begun)
        _checked(app.run(), page)
    show = find(app.main, "show")
    return Answer(option, card_of(app.main), show.value if show else given.get("show", ""), app.main)


def run(page: str, language: str, **address: str) -> AppTest:
    """Run a page as if its address had these parameters, until all that it computes is there."""
    path = chapters.ROOT / "pages" / f"{page}.py"
    app = AppTest.from_function(_framed, default_timeout=PATIENCE, kwargs={"path": str(path), "name": page})
    app.session_state[shell.PLAIN] = True
    for name, value in {"lang": language, **address}.items():
        app.query_params[name] = value
    return _finished(app.run(), page)


def _framed(path: str, name: str) -> None:
    """A page in the frame, but without the frame's guard: an exception ends the visit. It runs by its source alone."""
    import streamlit as st

    from pages.ui.frame import shell

    page = st.navigation([st.Page(path, url_path=name, default=True)])
    with shell.frame(name):
        page.run()


def press(app: AppTest, key: str) -> AppTest:
    """Press a button of the page."""
    return _finished(app.button(key=key).click().run(), key)


def _finished(app: AppTest, page: str) -> AppTest:
    begun = time.monotonic()
    _checked(app, page)
    while any(node.type == "progress" for node in walk(app.main)):
        _wait(page, begun)
        _checked(app.run(), page)
    return app


def _wait(page: str, begun: float) -> None:
    if time.monotonic() > begun + PATIENCE:
        raise Problem("site_page_slow", page=page, seconds=PATIENCE)
    time.sleep(LOOK)


def _checked(app: AppTest, page: str) -> None:
    for failed in (*app.exception, *app.error):
        raise Problem("site_page_failed", page=page, error=failed.value)
