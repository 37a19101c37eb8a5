"""Pictures with words and bars, as HTML: what stands still, and is read as text by whoever cannot see it."""

import base64
import html
from collections.abc import Iterable, Sequence
from functools import cache
from io import BytesIO
from typing import NamedTuple

import streamlit as st
from torch import Tensor

from core.lessons import clip as clip_lesson
from pages.ui.frame import shell_old as shell


def picture(number: int) -> str:
    """A picture of the collection, named by its caption."""
    return image(_file(number), clip_lesson.pairs().captions[number])


def brought(pixels: Tensor, name: str) -> str:
    """A picture uint8 [3, h, w] that is none of the collection."""
    return image(_png(pixels), name)


@cache
def _file(number: int) -> str:
    return _png(clip_lesson.pairs().images[number])


def _png(pixels: Tensor) -> str:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def image(file: str, name: str) -> str:
    """A PNG file in base64 as an image with a name."""
    return f'<img src="data:image/png;base64,{file}" alt="{html.escape(name)}">'


def figure(shown: str, *lines: str) -> str:
    """An image over lines of text."""
    return f"<figure>{shown}<figcaption>{'<br>'.join(map(html.escape, lines))}</figcaption></figure>"


def shelf(figures: Iterable[str], label: str, wide: bool = False) -> None:
    """Figures side by side, on as many lines as they need; ``wide`` ones are four to a line."""
    kind = "shelf wide" if wide else "shelf"
    _show(f'<div class="{kind}" role="group" aria-label="{html.escape(label)}">{"".join(figures)}</div>')


def row(*parts: str, label: str = "") -> None:
    """Parts of HTML in one line, of which a bare word is a sign such as a minus."""
    signed = (part if part.startswith("<") else f'<span class="sign">{part}</span>' for part in parts)
    _show(f'<div class="row" role="group" aria-label="{html.escape(label)}">{"".join(signed)}</div>')


class Bar(NamedTuple):
    """A value from 0 to 1 as a bar in the colour of ``role``; ``said`` is the number beside it."""

    value: float
    said: str
    role: str = "data"


def bars(rows: Sequence[tuple[str, Sequence[Bar]]], head: str, marked: Iterable[int] = (), sign: str = "✓") -> str:
    """A table of names, each with one or several bars; a ``sign`` stands before those of the rows ``marked``."""
    chosen = set(marked)
    lines = "".join(_line(f"{sign} {name}" if i in chosen else name, own) for i, (name, own) in enumerate(rows))
    return f'<table class="bars"><caption>{html.escape(head)}</caption>{lines}</table>'


def _line(name: str, own: Sequence[Bar]) -> str:
    drawn = "".join(
        f'<div><i style="width:{100 * min(1.0, max(0.0, bar.value)):.0f}%;background:{_colour(bar.role)}"></i>'
        f"<span>{bar.said}</span></div>"
        for bar in own
    )
    return f'<tr><th scope="row">{html.escape(name)}</th><td>{drawn}</td></tr>'


def _colour(role: str) -> str:
    return shell.palette.colour(role, shell.theme())


def _show(body: str) -> None:
    st.markdown(body, unsafe_allow_html=True, width="stretch")
