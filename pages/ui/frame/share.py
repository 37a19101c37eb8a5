"""The page's address as the browser has it: copied, as a QR code for a class, or added to the lecture plan.

Only the browser knows what the picture shows now, so a button here asks it for the address (``share.js``).
"""

import base64
import html
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from core.problems import Problem
from pages.ui.frame import component, drawing, links, server, text
from pages.ui.frame.text import t
from pages.ui.lecture import qr

HERE = Path(__file__).parent
WORDS = ("copy", "copied", "failed", "qr", "add", "presented")

_share = st.components.v2.component(
    "share",
    js=(HERE / "share.js").read_text("utf-8"),
    isolate_styles=False,  # a key of a lecture presses its buttons; their style stands in shell.css
)


def buttons(key: str, kinds: Sequence[str], width: str = "content") -> Any:
    """Draw buttons for the page's address: "copy", "qr" and "add". "presented": a switch to copy it as a presentation.

    Returns what the browser sent in this run: the address as ``qr`` or ``add``; the text of a plan that stood in the
    fragment of the address as ``plan``, which one of the components, with the kind "plan", looks for.
    """
    return _draw(key, kinds, width)


def copy_button(key: str, link: str) -> None:
    """Draw a button that copies a given link."""
    _draw(key, ("copy",), "content", link)


def _draw(key: str, kinds: Sequence[str], width: str, link: str | None = None) -> Any:
    words = {word: t(f"frame.share.{word}") for word in WORDS}
    language = "" if text.language.get() == text.DEFAULT else text.language.get()
    callbacks = {f"on_{name}_change": component.nothing for name in ("qr", "add", "plan")}
    # A list: in a dictionary Streamlit would look for data frames, and import pandas for it.
    return _share(key=key, data=[list(kinds), list(links.OWN), language, words, link], width=width, **callbacks)


def show_code(link: str) -> None:
    """Open the QR code of a link, as large as the window allows."""
    drawing.dialog(t("frame.share.code"), partial(_code, link), width="large")


def _code(link: str) -> None:
    draw_code(link)
    drawing.draw_html(f'<p class="qr-link">{html.escape(link)}</p>')
    if urlsplit(link).hostname in server.LOCAL:
        drawing.message("warning", t("frame.share.local"), "wifi_off")


def draw_code(link: str) -> None:
    """Draw the QR code of a link, or say why there is none."""
    try:
        image = code_image(link)
    except Problem as problem:
        drawing.sorry(problem)
    else:
        drawing.draw_html(f'<img class="qr" alt="{t("frame.share.code")}" src="{image}">')


def code_image(link: str) -> str:
    """The QR code of a link as the address of an image. Raises Problem for a link that no code can hold."""
    return f"data:image/svg+xml;base64,{base64.b64encode(qr.svg(link).encode()).decode()}"
