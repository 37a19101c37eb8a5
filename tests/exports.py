"""Every scene as a file of every kind, each opened and checked: ``python -m tests.exports [page ...]``.

It prints a line for each file and ends with status 1 if one is wrong. Films are small, and scenes that make films of
their own have few steps; all else is as the menu makes it. An HTML file also has to draw the pixels of the app, at the
same frame and size.
"""

import argparse
import csv
import io
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from core.figures.frames import count_frames
from core.figures.scene import Scene
from pages.export import files, scenes
from tests import commands
from tests.core.figures.readers import count, plays_on_slides, reads_as_pdf, told
from tests.e2e.learner import LONG, rest

SVG = "{http://www.w3.org/2000/svg}"
QUICK = {"unclip": "steps=2&n=2", "image_models": "steps=4"}  # where scenes make films of their own
SMALL = {"mp4": 480, "gif": 320}  # the width of films


# What a file has to hold


def is_png(content: bytes, scene: Scene) -> None:
    """A picture with more than one colour, its link in the metadata."""
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "PNG" and picture.size[0] == 2560 and scene.address in picture.text.values()
    assert len(set(map(tuple, np.asarray(picture.convert("RGB"))[::8, ::8].reshape(-1, 3)))) > 8


def is_svg(content: bytes, scene: Scene) -> None:
    """Real text, such as the titles, of which long ones are cut; the link in the metadata; nothing from elsewhere."""
    tree = ElementTree.fromstring(content)
    written = "".join("".join(node.itertext()) for node in tree.iter(f"{SVG}text"))
    assert all(_bare(title)[:24] in _bare(written) for title in (scene.title, *_titles(scene)))
    link = scene.address.encode().replace(b"&", b"&amp;")
    assert link in content and not re.search(rb'href="(?!#|data:)', content.replace(link, b"#"))


def is_pdf(content: bytes, scene: Scene) -> None:
    """One page of the usual width, fonts inside, title and link in the metadata."""
    reads_as_pdf(content, 1280, scene.title, scene.address)


def is_mp4(content: bytes, scene: Scene) -> None:
    """A film for slides, with a frame for each of the scene."""
    plays_on_slides(content, _frames(scene), scene.fps)


def is_gif(content: bytes, scene: Scene) -> None:
    """A frame for each of the scene, or fewer where two are equal."""
    assert content.startswith(b"GIF89a") and 1 <= count(told(content, "gif")) <= _frames(scene)


def is_html(content: bytes, scene: Scene) -> None:
    """One file that names no other."""
    page = content.decode()
    assert not re.search(
        r'(?:src|href)="(?!data:|http)|url\("?(?!data:|"data:)|@import', page.replace(scene.address, "")
    )
    assert 'class="scene"' in page and "default-src 'none'" in page


def is_npz(content: bytes, scene: Scene) -> None:
    """Arrays of numbers, with what they are and the link."""
    found = np.load(io.BytesIO(content), allow_pickle=False)
    assert len(found.files) > 1 and any(scene.address in str(found[name]) for name in found.files)


def is_csv(content: bytes, scene: Scene) -> None:
    """A header and rows of its length."""
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    assert rows and {len(row) for row in rows} == {len(head)}


CHECKS: dict[str, Callable[[bytes, Scene], None]] = {
    "png": is_png, "svg": is_svg, "pdf": is_pdf, "mp4": is_mp4, "gif": is_gif, "html": is_html, "npz": is_npz,
    "csv": is_csv,
}  # fmt: skip


def _titles(scene: Scene) -> list[str]:
    return [panel.title for panel in scene.panels]


def _bare(words: str) -> str:
    return re.sub(r"\s+", "", words)


def _frames(scene: Scene) -> int:
    return count_frames(scene.panels, scene.clock)


# In a browser

STANDS = "() => document.fonts.status === 'loaded' && !document.querySelector('[data-testid=stProgress]')"
# The first canvas of a player that can be seen: its pixels, its size on the page, and the clock of its player.
PIXELS = """() => {
    const hosts = [...document.querySelectorAll('.st-key-picture *, .scene')];
    const every = hosts.map(host => host.shadowRoot?.querySelector('.stage canvas'));
    const canvas = every.find(one => one?.getClientRects().length);
    if (!canvas) return null;
    const {width, height} = canvas.getBoundingClientRect(), stage = Object.values(__stage).find(one => one.mounted);
    return {pixels: canvas.toDataURL(), width, height, frame: stage.k};
}"""
# Gives the picture of a file the size of the app's, which is not the only thing on its page and may fix its height.
RESIZE = """({width, height}) => {
    const main = document.querySelector('main'), scene = document.querySelector('.scene');
    const canvas = scene.shadowRoot.querySelector('canvas'), bar = scene.shadowRoot.querySelector('.controls');
    document.documentElement.style.fontSize = '17px';
    Object.assign(main.style, {display: 'block', width: `${width + 32}px`});
    scene.style.setProperty('--stage-part', 'initial');
    dispatchEvent(new Event('resize'));
    if (canvas.getBoundingClientRect().height === height) return;
    scene.style.setProperty('--stage-part', (height + bar.offsetHeight) / innerHeight);
    dispatchEvent(new Event('resize'));
}"""


def differs(app: Page, alone: Page, address: str, link: str) -> str | None:
    """How the picture of a file that stands alone differs from that of the app, at the same frame and size; "" if it
    does not, None where the app draws no player but a chart or a table."""
    app.goto(f"{address}/{link}&predictions=false")
    rest(app)
    app.wait_for_function(STANDS, timeout=LONG)
    rest(app)
    shown = app.evaluate(PIXELS)
    if shown is None:
        return None
    read = scenes.read(link)
    options = files.Options(frame=shown["frame"])
    content = files.file_of(scenes.scene_of(read), "html", options, scenes.formula_of(read.page, read.config))
    with tempfile.NamedTemporaryFile(suffix=".html") as file:
        file.write(content)
        file.flush()
        alone.goto(f"file://{file.name}")
        alone.wait_for_function("() => document.fonts.status === 'loaded' && globalThis.__stage?.scene?.drawn")
    alone.evaluate(RESIZE, shown)
    found = alone.evaluate(PIXELS)
    names = [name for name in shown if shown[name] != found[name]]
    return f"not as in the app: {', '.join(names)}" if names else ""


# The matrix


def links(pages: list[str], more: str = "") -> Iterator[str]:
    """A link to every scene of some pages, or of all, with more parameters if any are given."""
    for page in pages or scenes.drawn_pages():
        names = scenes.lesson_of(page).SCENES
        shown = [f"show={name}" for name in names] if len(names) > 1 else [""]
        yield from (f"{page}?{'&'.join(filter(None, (name, QUICK.get(page), more)))}" for name in shown)


def opens(browser: Browser, content: bytes) -> list[str]:
    """What is wrong with an HTML file in a browser: errors, requests, a bar that covers the picture, and words that
    the window does not show with it."""
    problems = []
    with tempfile.NamedTemporaryFile(suffix=".html") as file:
        file.write(content)
        file.flush()
        page = browser.new_page(viewport={"width": 960, "height": 540})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or problems.append(request.url))
        page.goto(f"file://{file.name}")
        page.wait_for_function("() => document.fonts.status === 'loaded' && globalThis.__stage?.scene?.drawn")
        if (tall := page.evaluate("document.scrollingElement.scrollHeight")) > 540:
            problems.append(f"{tall} pixels high")
        canvas, bar = (page.locator(f".scene {part}").bounding_box() for part in ("canvas", ".controls"))
        if canvas["y"] + canvas["height"] > bar["y"] + 1 or bar["y"] + bar["height"] > 540:
            problems.append(f"the bar covers the picture: {canvas} {bar}")
        page.close()
    return problems


def check(link: str, kind: str, browser: Browser | None = None) -> str:
    """What is wrong with the file of a kind of the scene at a link; empty if nothing is."""
    read = scenes.read(link)
    scene = scenes.scene_of(read)
    options = files.Options(width=SMALL.get(kind))
    content = files.file_of(scene, kind, options, scenes.formula_of(read.page, read.config))
    try:
        CHECKS[kind](content, scene)
    except (AssertionError, ValueError, OSError) as error:
        return f"{type(error).__name__} {error}"
    return "; ".join(opens(browser, content)) if kind == "html" and browser else ""


def main() -> int:
    """Make and check all files of the matrix."""
    # As the app does, before torch is imported: more threads add up in another order, and colours differ by one step.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--kinds", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--more", default="", help='such as "lang=zh"')
    given, wrong, compared = parser.parse_args(), 0, 0
    with commands.app_in_browser() as (address, browser):
        app, alone = (commands.window(browser, "light", commands.viewport("1280x800")) for _ in range(2))
        for link in links(given.pages, given.more):
            made = files.kinds_of(scenes.scene_of(scenes.read(link)))
            for kind in filter(given.kinds.__contains__, made):
                begun = time.perf_counter()
                found = check(link, kind, browser)
                if kind == "html" and not found:
                    found = differs(app, alone, address, link)
                    compared += found is not None
                wrong += bool(found)
                print(f"{time.perf_counter() - begun:6.1f} s  {kind:5}{link}  {found or 'ok'}", flush=True)
    print(json.dumps({"wrong": wrong, "compared with the app": compared}))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
