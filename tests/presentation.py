"""What a presented page has to be, and a command that goes by PageDown alone through all of them.

``python -m tests.presentation [--size 1920x1080] [--theme light] [--language en] [--pictures FOLDER]`` presents every
scene of every page, prints how much of its room the picture fills and what is wrong with it, and puts pictures of them
into a folder.
"""

import sys
from collections.abc import Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests import commands
from tests.e2e.learner import rest

LEAST = {1080: 20, 768: 16}  # the smallest text in pixels, by the height of the window
# Notes the size of each text that is drawn on a canvas, in pixels of the page.
LISTEN = """() => {
    const draw = CanvasRenderingContext2D.prototype.fillText;
    globalThis.__sizes = [];
    CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
        const {a, b} = this.getTransform(), size = parseFloat(this.font.match(/([\\d.]+)px/)[1]);
        globalThis.__sizes.push([text, size * Math.hypot(a, b) / devicePixelRatio]);
        return draw.call(this, text, ...where);
    };
}"""
# Every text that can be seen and is smaller than so many pixels, with its size; a sub- or superscript may be.
SMALL = """least => {
    const IGNORED = "style, script, template, option, .hidden, .skip, .msupsub, .op-limits, .mtight";
    const found = [];
    const look = root => {
        const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
        for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
            if (node.shadowRoot) look(node.shadowRoot);
            const part = node.parentElement, text = node.nodeType === Node.TEXT_NODE ? node.data.trim() : "";
            if (!text || !part || part.closest(IGNORED)) continue;
            const size = parseFloat(getComputedStyle(part).fontSize);
            if (size < least - 0.1 && isSeen(node, part)) found.push([text.slice(0, 40), size]);
        }
    };
    const isSeen = (node, part) => {
        const range = new Range();
        range.selectNode(node);
        const {width, height, right, bottom} = range.getBoundingClientRect();
        const clipped = part.closest("[style*=clip]") || getComputedStyle(part.parentElement).clipPath !== "none";
        const placed = width > 1 && height > 1 && right > 0 && bottom > 0;
        return placed && !clipped && part.checkVisibility({visibilityProperty: true});
    };
    look(document.body);
    return [...found, ...globalThis.__sizes.filter(([text, size]) => text && size < least - 0.1)];
}"""
# How far what a page shows stands out of the window: players, charts, images and tables, but for what a key opens; and
# the page, and what stands in its line.
OUTSIDE = """() => {
    const SHOWN = ".stage, .js-plotly-plot, img, table";
    const OPENED = ".st-key-sheet, .stColumn:has(.st-key-controls), dialog, [role=dialog]";
    const main = document.querySelector(".stMain"), line = document.querySelector(".st-key-line");
    const inside = part => part.shadowRoot ? find(part.shadowRoot) : [];
    const find = root => [...root.querySelectorAll("*")].flatMap(part => [part, ...inside(part)]);
    const isSeen = part => part.getClientRects().length && part.checkVisibility({visibilityProperty: true});
    const isOpened = part => !!(part.closest(OPENED) ?? part.getRootNode().host?.closest(OPENED));
    const found = find(main).filter(part => part.matches(SHOWN) && isSeen(part) && !isOpened(part)).flatMap(part => {
        const {right, bottom} = part.getBoundingClientRect(), name = part.className || part.tagName.toLowerCase();
        return [[`${name} below`, bottom + main.scrollTop - innerHeight], [`${name} beside`, right - innerWidth]];
    });
    found.push(["page wide", main.scrollWidth - innerWidth], ["page high", main.scrollHeight - innerHeight]);
    if (line && document.querySelector(".st-key-strip")) {
        const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
        found.push(["line wide", line.scrollWidth - line.clientWidth], ["line high", line.clientHeight - 2.3 * size]);
    }
    return found.filter(([where, far]) => far > 1).map(([where, far]) => `${where}: ${Math.round(far)} px`);
}"""
# The part of the room for a player that the plots of its picture fill, in percent; null where there is none.
FILLED = """() => {
    const hosts = [...document.querySelectorAll(".st-key-picture *")], player = hosts
        .map(host => host.shadowRoot?.querySelector(".stage")).find(player => player?.getClientRects().length);
    const plots = Object.values(globalThis.__stage ?? {}).find(stage => stage.mounted && stage.plots[0])?.plots;
    if (!player || !plots) return null;
    const {left, right, top} = player.getBoundingClientRect();
    const room = (right - left) * (innerHeight - top - player.querySelector(".controls").offsetHeight);
    return Math.round(100 * plots.reduce((sum, {w, h}) => sum + w * h, 0) / room);
}"""


def faults(page: Page) -> list[str]:
    """What is wrong with a presented page at rest: small texts, a picture that is not whole, a strip without controls
    or with many, and what axe-core finds."""
    least = LEAST[page.viewport_size["height"]]
    small = [f"{size:.1f} px: {text}" for text, size in {tuple(each) for each in page.evaluate(SMALL, least)}]
    strip = page.locator(".st-key-strip > .stElementContainer").count()
    crowd = [] if strip <= 2 else [f"{strip} controls in the strip"]
    violations = Axe().run(page).response["violations"]
    rules = [f"{fault['id']}: {node['target']}" for fault in violations for node in fault["nodes"]]
    return [*sorted(small), *crowd, *page.evaluate(OUTSIDE), *rules]


def lecture(page: Page, address: str, language: str) -> Iterator[str]:
    """Goes through all scenes of all pages by PageDown, and yields the place of each once it is at rest."""
    page.add_init_script(f"({LISTEN})()")
    page.goto(f"{address}/?present=true&lang={language}")
    while True:
        rest(page, live=True)
        page.evaluate("__sizes.length = 0; dispatchEvent(new Event('resize'))")
        yield page.url.removeprefix(address)
        if not page.locator(".st-key-view_next :is(button, a)").count():
            return
        before = page.url
        page.keyboard.press("PageDown")
        page.wait_for_function("before => location.href !== before", arg=before)


def main() -> None:
    """The command."""
    options = commands.options(__doc__, size="1920x1080")
    options.add_argument("--address", help="of a server that runs already")
    given = options.parse_args()
    with commands.app_in_browser(given.address) as (address, browser):
        page = commands.window(browser, given.theme, given.size)
        page.on("pageerror", lambda error: print(f"  script: {error}"))
        for number, place in enumerate(lecture(page, address, given.language)):
            filled = page.evaluate(FILLED)
            head = f"{number:02} {place}  {'' if filled is None else f'{filled} %'}"
            print(head, *faults(page), sep="\n  ", flush=True)
            commands.keep_picture(page, given.pictures, f"{number:02}")


if __name__ == "__main__":
    sys.exit(main())
