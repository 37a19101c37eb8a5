"""Opens the whole static site: ``python -m tests.site [OUT] [--http]``. OUT: a site that is written already.

It is opened from disk, with ``--http`` from a web server of plain files as ``python -m http.server`` is one.

Every page is opened in every language, and every scene of it in light and in dark and at the width of a phone. Counts
what must not be: a request that leaves the disk, an error, a picture without pixels, a line that is wider than the
window, a fault that axe-core finds. Prints the size and ends with an error if anything is wrong.
"""

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pages.site.__main__ import main
from tests import commands
from tests.browser import browsing

SIZES = {"light": "1280x800", "dark": "390x844"}
LARGEST = 60e6  # bytes of the whole site
PATIENCE = 20_000  # milliseconds until a picture stands
DRAWN = """() => [...document.querySelectorAll('.view:not([hidden]) .figure')].every(place => {
  const canvas = place.host?.shadowRoot.querySelector('canvas');
  if (!canvas?.width) return false;
  return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
})"""
# Where a page asks: at its first scene if the question keeps back the others, else at one that asks.
ASKS = """() => { const {gate, scenes} = document.querySelector('[data-question]').dataset;
  location.hash = gate === 'true' || !scenes ? '' : `show=${scenes.split(' ')[0]}`; }"""
ALONE = {"preload": False}  # axe-core would read the style sheet again, which a page on a disk may not
WIDE = "() => document.scrollingElement.scrollWidth - innerWidth"


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """A web server of the files of a folder; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def opened(browser: Browser, base: str, theme: str, problems: list[str]) -> Page:
    """A window that notes what must not be."""
    page = commands.window(browser, theme, commands.viewport(SIZES[theme]))
    page.on("console", lambda message: message.type == "error" and problems.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    inside = (base, "data:", "blob:")
    page.on("request", lambda request: request.url.startswith(inside) or problems.append(f"{page.url}: {request.url}"))
    return page


def scenes(page: Page) -> list[str]:
    """The parameters of each state of a page: its question open, each scene, the run that decides."""
    names = page.eval_on_selector_all(".scenes a", "tabs => tabs.map(tab => tab.dataset.show)")
    return ["", "predictions=false", *(f"show={name}&predictions=false" for name in names)]


def faults(page: Page) -> Iterator[str]:
    """What is wrong with what a page shows now."""
    try:
        page.wait_for_function(DRAWN, timeout=PATIENCE)
    except Exception:
        yield "a picture is empty"
    if (wide := page.evaluate(WIDE)) > 0:
        yield f"{wide} pixels too wide"
    for fault in Axe().run(page, options=ALONE).response["violations"]:
        yield from (f"{fault['id']}: {node['target']} {node['html'][:120]}" for node in fault["nodes"])


def visit(browser: Browser, base: str, name: str, theme: str) -> tuple[int, list[str]]:
    """Open each state of a page: how many there are, and what is wrong with them."""
    problems: list[str] = []
    page = opened(browser, base, theme, problems)
    page.goto(f"{base}/{name}")
    states = scenes(page)
    for state in states:
        page.evaluate("fragment => { location.hash = fragment }", state)
        page.evaluate("() => new Promise(requestAnimationFrame)")
        problems += [f"{name}#{state} ({theme}): {fault}" for fault in faults(page)]
    if page.locator("[data-answer]").count():
        page.evaluate(ASKS)
        page.locator("[data-answer]").first.click()
        problems += [f"{name} answered ({theme}): {fault}" for fault in faults(page)]
    page.context.close()
    return len(states), problems


def check(site: Path, base: str) -> int:
    """Open everything at an address; returns how many things are wrong."""
    wrong, views = [], 0
    files = [f"{file.parent.name}/{file.name}" for file in sorted(site.glob("*/*.html"))]
    with browsing() as browser:
        for name in files:
            for theme in SIZES:
                count, problems = visit(browser, base, name, theme)
                views, wrong = views + count, wrong + problems
                print(f"{name} {theme}: {count} views", *problems, sep="\n  ", flush=True)
    size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
    print(f"{len(files)} pages, {views} views, {size / 1e6:.1f} MB, {len(wrong)} things are wrong")
    return len(wrong) + (size > LARGEST)


def command() -> int:
    """The command: 1 if anything is wrong."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("site", nargs="?", type=Path, metavar="OUT")
    options.add_argument("--http", action="store_true", help="open it from a web server")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = (given.site or Path(folder)).resolve()
        if not given.site:
            main([folder])
        with serving(place) if given.http else nullcontext(place.as_uri()) as base:
            return int(bool(check(place, base)))


if __name__ == "__main__":
    sys.exit(command())
