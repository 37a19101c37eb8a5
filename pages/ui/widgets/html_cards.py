"""Pictures with words and bars as HTML, which stand still and can be read as text by those who cannot see them."""

import base64
import html
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import NamedTuple

from torch import Tensor

from core.figures import palette
from pages.ui.frame import shell, text


class EnglishText(str):
    """Text that belongs to a data set: English on a page of any language, and marked so."""

    language = "en"


class ChineseText(EnglishText):
    """The same in Chinese."""

    language = "zh"


def as_html(line: str) -> str:
    """A text as HTML."""
    shown = html.escape(line)
    return f'<span lang="{line.language}">{shown}</span>' if _is_foreign(line) else shown


def _is_foreign(line: str) -> bool:
    return isinstance(line, EnglishText) and line.language != text.language.get()


def image(pixels: Tensor, name: str) -> str:
    """A picture uint8 [3, h, w] as an HTML image with a name."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "PNG")
    content = base64.b64encode(file.getvalue()).decode()
    language = f' lang="{name.language}"' if _is_foreign(name) else ""
    return f'<img src="data:image/png;base64,{content}" alt="{html.escape(name)}"{language}>'


def figure(image: str, *lines: str) -> str:
    """An image over lines of text."""
    return f"<figure>{image}<figcaption>{'<br>'.join(map(as_html, lines))}</figcaption></figure>"


def shelf(figures: Iterable[str], label: str, wide: bool = False) -> None:
    """Figures side by side, on as many lines as they need; ``wide`` ones are four to a line."""
    kind = "shelf wide" if wide else "shelf"
    _show(f'<div class="{kind}" role="group" aria-label="{html.escape(label)}">{"".join(figures)}</div>')


def row(*parts: str, label: str = "") -> None:
    """Parts of HTML in one line; a part that is no element is a sign such as a minus."""
    signs = (part if part.startswith("<") else f'<span class="sign">{html.escape(part)}</span>' for part in parts)
    _show(f'<div class="row" role="group" aria-label="{html.escape(label)}">{"".join(signs)}</div>')


class Bar(NamedTuple):
    """A value from 0 to 1 as a bar in the colour of ``role``, with ``number`` beside it."""

    value: float
    number: str
    role: str = "data"


def bars(rows: Sequence[tuple[str, Sequence[Bar]]], head: str, marked: Iterable[int] = (), sign: str = "✓") -> str:
    """A table of names, each with one or several bars; a ``sign`` stands before those of the rows ``marked``."""
    chosen = set(marked)
    lines = "".join(_line(f"{sign} " * (i in chosen) + as_html(name), each) for i, (name, each) in enumerate(rows))
    return f'<table class="bars"><caption>{html.escape(head)}</caption>{lines}</table>'


def _line(name: str, bars: Sequence[Bar]) -> str:
    drawn = "".join(
        f'<div><i style="width:{100 * min(1.0, max(0.0, bar.value)):.0f}%;'
        f'background:{palette.colour(bar.role, shell.theme())}"></i><span>{bar.number}</span></div>'
        for bar in bars
    )
    return f'<tr><th scope="row">{name}</th><td>{drawn}</td></tr>'


def _show(body: str) -> None:
    shell.draw_html(body)
