"""A scene as one HTML file: the same player with the scene's bytes inside. It makes no request, and plays from disk.

The static site uses `style`, `colours` and `font_file` for its own pages.
"""

import base64
import html
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from string import Template

import streamlit as st

from core.figures import palette
from core.figures.scene import Scene
from pages.ui.frame import links, text
from pages.ui.frame.mathml import mathml
from pages.ui.frame.text import t
from pages.ui.stage.packing import pack
from pages.ui.stage.source import HERE, source

KEY = "scene"  # the name of the scene in its player
FONT = '"Source Sans"', "sans-serif"  # as in the app


def page(
    scene: Scene,
    formula: Iterable[tuple[str, str]] = (),
    theme: str = "auto",
    frame: int | None = None,
    zoom: Mapping | None = None,
) -> str:
    """The whole file, in the language of ``text.language``: the scene with its title, its caption and its address.

    Args:
        scene: what to show. A title, a caption or an address that it does not have is left out.
        formula: its terms (LaTeX, role of its colour or "").
        theme: "light", "dark", or "auto" for the one that the reader's browser asks for.
        frame: where the clock stands at first; None: where the scene says.
        zoom: what is enlarged, as the player keeps it.
    """
    drawn = mathml(formula, None if theme == "auto" else theme) if formula else ""
    parts = (
        f"<h1>{html.escape(scene.title)}</h1>" if scene.title else "",
        _element(scene, frame, zoom),
        f"<p>{html.escape(scene.caption)}</p>" if scene.caption else "",
        f'<div class="formula" tabindex="0" role="group" aria-label="{_label("formula")}">{drawn}</div>'
        if drawn
        else "",
        f"<footer>{_link(scene.address)}</footer>" if scene.address else "",
    )
    return Template((HERE / "standalone.html").read_text("utf-8")).substitute(
        language=text.language.get(),
        title=html.escape(scene.title) or _label("figure"),
        alt=html.escape(scene.alt or scene.title),
        style=f"{style(theme)}\n{(HERE / 'standalone.css').read_text('utf-8')}",
        body="\n".join(filter(None, parts)),
        script=_script(text.language.get()),
    )


def _element(scene: Scene, frame: int | None, zoom: Mapping | None) -> str:
    """The place of the scene, with its bytes in it."""
    probe = None if scene.probe is None else [round(float(v), 4) for v in scene.probe]
    data = pack(
        scene.panels, scene.clock, key=KEY, alt=scene.alt, probe=probe, fps=scene.fps, start=frame,
        language=text.language.get(), view=(KEY, {"zoom": links.STAGE["zoom"].write(zoom)}) if zoom else None,
    )  # fmt: skip
    packed = base64.b64encode(zlib.compress(data + (1).to_bytes(8, "little"), 9)).decode()
    return (
        f'<div class="scene"><script type="application/octet-stream">{packed}</script>'
        f"<noscript>{html.escape(scene.alt)}</noscript></div>"
    )


def _script(language: str) -> str:
    """The script that shows the scene. It speaks ``language``."""
    return f"{source([language])}{(HERE / 'standalone.js').read_text('utf-8')}".replace("</script", r"<\/script")


def style(theme: str = "auto", font: str | None = None) -> str:
    """What the player takes from its page: colours of a theme ("light", "dark" or "auto") and the font. ``font`` is the
    address of the file ``font_file``; None: its bytes are inside."""
    source_of_font = font or f"data:font/woff2;base64,{base64.b64encode(font_file()).decode()}"
    face = f'@font-face{{font-family:"Source Sans";font-weight:200 900;src:url("{source_of_font}") format("woff2")}}'
    first = "dark" if theme == "dark" else "light"
    sheet = f"{face}\n:root{{{colours(first)}--st-font:{', '.join(FONT)};}}"
    if theme == "auto":
        sheet += f"\n@media (prefers-color-scheme:dark){{:root{{{colours('dark')}}}}}"
    return sheet


@cache
def font_file() -> bytes:
    """The font of the app, woff2."""
    media = files("streamlit") / "static" / "static" / "media"
    return next(file for file in media.iterdir() if file.name.startswith("SourceSansVF-Upright")).read_bytes()


def colours(theme: str) -> str:
    """The colours of a theme as CSS properties."""
    found = {
        "color-scheme": theme,
        "--st-background-color": palette.BACKGROUND[theme],
        "--st-text-color": palette.INK[theme],
        "--st-primary-color": st.get_option(f"theme.{theme}.primaryColor"),
    }
    return "".join(f"{name}:{value};" for name, value in found.items())


def _link(address: str) -> str:
    """The address, as a link where it names a server; without one it is the page and its settings."""
    written = html.escape(address)
    if not address.startswith(("http://", "https://")):
        return t("frame.standalone.place", address=written)
    return t("frame.standalone.link", address=f'<a href="{written}" target="_blank" rel="noopener">{written}</a>')


def _label(name: str) -> str:
    return html.escape(t(f"frame.standalone.{name}"))
