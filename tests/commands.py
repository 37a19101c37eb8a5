"""What the commands that look at the whole app have in common: their options, the app in a browser, its pictures."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import browsing
from tests.serving import Server, serving

THEMES, LANGUAGES = ("light", "dark"), ("en", "zh")
# How many pictures can be seen: those of players, and charts.
PICTURES = """() => [...document.querySelectorAll(".st-key-picture *")].filter(part => part.getClientRects().length
    && (part.shadowRoot?.querySelector(".stage canvas, .js-plotly-plot")
        || part.matches(".js-plotly-plot, img, table"))).length"""


def options(says: str, size: str | None = None) -> argparse.ArgumentParser:
    """A command of this documentation: the language and the theme that it looks at, a folder for its pictures, and the
    size of the window if it has a usual one."""
    parser = argparse.ArgumentParser(description=says, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--theme", choices=THEMES, default="light")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    if size:
        parser.add_argument("--size", type=viewport, default=size, help=f"of the window, {size} unless it is given")
    return parser


def viewport(size: str) -> dict[str, int]:
    """The size of a window, "1920x1080", as Playwright takes it."""
    width, height = map(int, size.split("x"))
    return {"width": width, "height": height}


@contextmanager
def app_in_browser(address: str | None = None) -> Iterator[tuple[str, Browser]]:
    """The address of the app and a browser; the app is served anew if no address is given."""
    with nullcontext(address) if address else serving("app.py") as app, browsing() as browser:
        yield app.address if isinstance(app, Server) else app, browser


def window(browser: Browser, theme: str, size: dict[str, int], **more: bool) -> Page:
    """A page in a window of its own whose visitor prefers a theme and reduced motion."""
    context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce", **more)
    return context.new_page()


def keep_picture(page: Page, folder: Path | None, name: str) -> None:
    """What the window shows as a PNG in a folder, if there is one."""
    if folder:
        page.screenshot(path=folder / f"{name}.png")  # makes the folder
