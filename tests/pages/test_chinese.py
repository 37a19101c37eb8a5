"""No English is left in any scene of a Chinese page: in what the page sends to the browser, its picture included.

What the browser itself says, `tests/e2e/test_language.py` looks at.
"""

import json
import re
import struct
from collections.abc import Iterator
from functools import cache

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from core.data import captions
from pages.ui.frame import chapters
from tests.pages.noted import scenes
from tests.pages.test_words import NAMES

QUICK = {"unclip": {"steps": "2", "n": "2"}, "image_models": {"steps": "4"}}  # where the scenes make films
SCENES = [(page, scene) for page in chapters.present() for scene in (scenes(page) if page != "glossary" else ("",))]
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,]+[A-Za-z]{2,}){2,}")
SAID = {"alt", "body", "caption", "content", "hovertemplate", "label", "name", "options", "placeholder", "help", "text",
        "title", "xlabel", "ylabel"}  # fmt: skip
QUIET = {"code", "latex"}  # the kinds of elements that hold code and formulas
UNREAD = re.compile(
    r"<(style|script|code|pre|svg)\b.*?</\1>|<(\w+)[^<>]*\blang=\"en\"[^<>]*>.*?</\2>|```.*?```|\$\$.*?\$\$|\$[^$]*\$"
    r"|`[^`]*`|:material/\w+:|\]\([^)]*\)|%\{[^}]*\}",
    re.DOTALL,
)


def elements(block: Block) -> Iterator[tuple[str, Message]]:
    """The kinds and messages of all that a page sends."""
    for part in block.children.values():
        yield part.type, part.proto
        if isinstance(part, Block):
            yield from elements(part)


def said(message: Message) -> Iterator[str]:
    """What a learner reads of a message, also in the data of its component or of its chart."""
    for field, value in message.ListFields():
        many = value if field.is_repeated else [value]
        for one in many if not hasattr(value, "items") else ():
            if isinstance(one, Message):
                yield from said(one)
            elif isinstance(one, bytes):
                yield from said_in(header(one))
            elif field.name in ("spec", "json") and one.startswith(("{", "[")):
                yield from said_in(json.loads(one))
            elif isinstance(one, str) and field.name in SAID:
                yield one


def header(sent: bytes) -> object:
    """What is said of the data of a stage, which begin with the length of their header."""
    size = struct.unpack("<I", sent[:4])[0] if len(sent) > 4 else len(sent)
    return json.loads(sent[4 : 4 + size]) if size < len(sent) else None


def said_in(found: object, name: str = "") -> Iterator[str]:
    if isinstance(found, str) and name in SAID:
        yield found
    elif isinstance(found, dict):
        for key, part in found.items():
            yield from said_in(part, key)
    elif isinstance(found, list):
        for part in found:
            yield from said_in(part, name)


def english(app: AppTest) -> set[str]:
    """The stretches of a page with three English words in a row, without names, code, formulas and English data."""
    parts = [part for kind, message in elements(app._tree) if kind not in QUIET and message for part in said(message)]
    attributes = [each for part in parts for each in re.findall(r'(?:aria-label|title)="([^"]*)"', part)]
    plain = [re.sub(r"<[^<>]*>", " ", UNREAD.sub(" ", part)) for part in parts]
    found = {each for each in (*plain, *attributes) if ENGLISH.search(NAMES.sub("", each))}
    return {each for each in found if ENGLISH.search(data().sub("", NAMES.sub("", each)))}


@cache
def data() -> re.Pattern:
    """The captions of the emoji, which are English data."""
    return re.compile("|".join(map(re.escape, sorted(set(captions.emoji().captions), key=len, reverse=True))))


@pytest.mark.slow
@pytest.mark.parametrize("page, scene", SCENES)
def test_no_english_is_left_in_a_scene_of_a_chinese_page(open_page, page: str, scene: str):
    app = open_page(page, lang="zh", predictions="false", **{"show": scene} if scene else {}, **QUICK.get(page, {}))
    assert not app.exception
    assert not {each[:300] for each in english(app)}
