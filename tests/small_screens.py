"""What a page has to be on a phone and on a tablet, and a command that looks at all scenes of all pages there.

``python -m tests.small_screens [--language en] [--theme light] [--pictures FOLDER] [page ...]`` opens every scene,
prints what is wrong with it in each window, and puts pictures of them into a folder.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from urllib.parse import urlencode

from playwright.sync_api import Page

from pages.ui.frame import chapters, links
from tests import commands
from tests.e2e.learner import rest

SIZES = {"phone": "390x844", "tablet": "820x1180"}
# Notes each text that is drawn on a canvas, and how far beyond its left or right edge it goes, in pixels of the page.
LISTEN = """() => {
    const draw = CanvasRenderingContext2D.prototype.fillText;
    globalThis.__texts = [];
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...most) {
        const {a, b, e} = this.getTransform(), {width, actualBoundingBoxLeft, actualBoundingBoxRight} = this.measureText(text);
        const squeezed = most.length && !b ? Math.max(1, width / most[0]) : 1;
        const left = actualBoundingBoxLeft / squeezed, right = actualBoundingBoxRight / squeezed;
        const beyond = b ? 0 : Math.max(-(e + a * (x - left)), e + a * (x + right) - this.canvas.width) / devicePixelRatio;
        if (this.canvas.isConnected) globalThis.__texts.push([text, beyond, squeezed]);
        return draw.call(this, text, x, y, ...most);
    };
}"""  # noqa: E501
# What is wrong with the page as it stands, as texts.
FAULTS = """() => {
    const found = [], main = document.querySelector(".stMain"), whole = {left: 0, right: innerWidth, top: 0, bottom: innerHeight};
    const wide = Math.max(main.scrollWidth, document.scrollingElement.scrollWidth) - innerWidth;
    if (wide > 0) found.push(`the page scrolls sideways by ${wide} px`);
    const name = part => part.title || part.getAttribute("aria-label") || part.innerText?.trim().slice(0, 40) || part.tagName;
    const outside = ({left, right, top, bottom}, of) => left < of.left - 1 || right > of.right + 1 || top < of.top - 1 || bottom > of.bottom + 1;
    const seen = part => part.getClientRects().length && part.checkVisibility({visibilityProperty: true});

    const pencil = document.createElement("canvas").getContext("2d");
    const textWidth = (part, {font}) => (pencil.font = font, pencil.measureText(part.value).width);

    // The first player: all of its bar is in the window once the reader is at the picture's end, and covers nothing of it.
    const stages = [...document.querySelectorAll(".stMain *")].map(host => host.shadowRoot?.querySelector(".stage")).filter(stage => stage && seen(stage));
    for (const stage of stages.slice(0, 1)) {
        const bar = stage.querySelector(".controls"), canvas = stage.querySelector("canvas");
        if (stage.getBoundingClientRect().bottom > innerHeight) stage.scrollIntoView({block: "end", behavior: "instant"});
        const picture = canvas.getBoundingClientRect();
        const covered = Math.min(picture.bottom, bar.getBoundingClientRect().bottom) - Math.max(picture.top, bar.getBoundingClientRect().top);
        if (covered > 1) found.push(`the player's bar covers ${Math.round(covered)} px of the picture, which is ${Math.round(picture.height)} px high`);
        const playing = !stage.querySelector(".clock").hidden;
        for (const part of [...bar.querySelectorAll("button, input, select, output")].filter(seen)) {
            const place = part.getBoundingClientRect();
            if (outside(place, playing ? whole : {...whole, top: -1e6, bottom: 1e6})) found.push(`out of the window: ${name(part)}`);
        }
    }

    // Labels of controls are whole, and stand in the window.
    const controls = ".stMain :is(button, label, input, summary, [data-testid=stMarkdownContainer] > p, [role=radio], .stSelectbox [value]), .stAppHeader :is(button, a)";
    for (const part of [...document.querySelectorAll(controls)].filter(seen)) {
        if (part.closest(".skip, .stCode, pre, [data-testid=stExpanderDetails], .katex")) continue;
        const style = getComputedStyle(part), place = part.getBoundingClientRect();
        if (place.width <= 2 || style.clipPath !== "none" || part.closest("[style*=clip]")) continue;
        const text = part.value || part.innerText?.trim();
        if (part.matches("input")) {
            if (part.matches("[role=combobox]") && part.clientWidth > 24 && textWidth(part, style) > part.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) + 1) found.push(`cut: ${text}`);
        } else if (text && style.overflowX !== "visible" && part.scrollWidth > part.clientWidth + 1) found.push(`cut: ${text.slice(0, 60)}`);
        if (place.right > innerWidth + 1 || place.left < -1) found.push(`beside the window: ${name(part)}`);
    }

    // In a narrow window the picture stands above its controls.
    const picture = document.querySelector(".st-key-picture"), controlled = document.querySelector(".st-key-controls");
    if (picture && controlled && seen(controlled) && seen(picture) && controlled.getBoundingClientRect().height > 4
        && picture.getBoundingClientRect().top > controlled.getBoundingClientRect().top) found.push("the controls come before the picture");
    // The lecturer's switches on one line, beside the button of the navigation.
    const switches = [...document.querySelectorAll(".st-key-switches > *")].map(part => part.getBoundingClientRect()).filter(place => place.width > 4 && place.height > 4);
    if (switches.length && Math.max(...switches.map(place => place.top)) > Math.min(...switches.map(place => place.bottom))) found.push("the switches stand on two lines");
    const opens = document.querySelector("[data-testid=stExpandSidebarButton]")?.getBoundingClientRect();
    if (opens && switches.some(({left, right, top, bottom}) => left < opens.right && opens.left < right && top < opens.bottom && opens.top < bottom)) found.push("the switches cover the button of the navigation");

    for (const [text, beyond, squeezed] of globalThis.__texts ?? []) {
        if (beyond > 1) found.push(`drawn beyond the picture by ${Math.round(beyond)} px: ${text}`);
        if (squeezed > 1.1) found.push(`squeezed to ${Math.round(100 / squeezed)} %: ${text}`);
        if (text.includes("…")) found.push(`cut in the picture: ${text}`);
    }
    return [...new Set(found)];
}"""  # noqa: E501


def addresses(names: list[str]) -> Iterator[tuple[str, str]]:
    """Each scene of the pages of these names: page and scene, "" where the page has but one."""
    for page in chapters.present():
        if names and page not in names:
            continue
        lesson = import_module(f"pages.ui.lessons.{page}")
        control = links.controls(lesson.Config).get("show")
        yield from ((page, scene) for scene in (control.choices if control else ("",)))


def faults(page: Page) -> list[str]:
    """What is wrong with a page that is at rest in the window as it is."""
    page.evaluate("globalThis.__texts && (__texts.length = 0); dispatchEvent(new Event('resize'))")
    return page.evaluate(FAULTS)


def main() -> int:
    """The command: 1 if something is wrong."""
    options = commands.options(__doc__)
    options.add_argument("pages", nargs="*")
    given, wrong = options.parse_args(), 0
    if unknown := [name for name in given.pages if name not in chapters.present()]:
        options.error(f"no page {', '.join(unknown)}; there are {', '.join(chapters.present())}")
    with commands.app_in_browser() as (address, browser):
        for (name, scene), (screen, size) in product(addresses(given.pages), SIZES.items()):
            page = commands.window(browser, given.theme, commands.viewport(size), has_touch=True)
            page.add_init_script(f"({LISTEN})()")
            shown = urlencode({"predictions": "false", "lang": given.language, **({"show": scene} if scene else {})})
            page.goto(f"{address}/{'' if name == 'home' else name}?{shown}")
            rest(page, live=True)
            wanting = name != "glossary" and not page.evaluate(commands.PICTURES)
            found = [*faults(page), *(["no picture"] if wanting else [])]
            wrong += bool(found)
            print(f"{name} {scene} {screen}", *found, sep="\n  ", flush=True)
            commands.keep_picture(page, given.pictures, f"{name}-{scene}-{screen}")
            page.context.close()
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
