"""A learner in a browser: opens a page, waits until it is at rest, and knows where to point.

Nothing here waits for a time. A machine that is busy draws fewer frames in a second, so what is to stay as it is, is
watched over a number of animation frames. A condition that is to come true is checked ten times a second: a check at
every frame makes the browser draw all frames.
"""

import itertools
from typing import Any, Self

from playwright.sync_api import Locator, Page, expect

from pages.ui.frame.text import t

LONG = 180_000  # milliseconds; a machine with other work is no failure
FRAMES = 10  # of the browser, over which a page at rest does not change
OFTEN = 100  # milliseconds between two checks of a condition

# True once the script does not run and something of the page is there; a page of our own has no script.
IDLE = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
    && !!document.querySelector('[data-testid=stElementContainer]') || !!document.querySelector('body > .scene')"""
# True once the script does not run, fonts and the code of each element are there, and none has moved for so many
# frames; without `live`, no stage has been drawn anew either, unless it plays.
AT_REST = """([id, frames, live]) => {
    const seen = globalThis.__rest?.id === id ? globalThis.__rest : (globalThis.__rest = {id, same: 0});
    const app = document.querySelector('[data-testid=stApp]'), alone = !!document.querySelector('body > .scene');
    const idle = app?.dataset.testScriptState === 'notRunning' || alone;
    const boxes = [...document.querySelectorAll('[data-testid=stElementContainer], body > .scene')].map(element => {
        const {x, y, width, height} = element.getBoundingClientRect();
        return [x, y, width, height];
    });
    const stages = Object.values(globalThis.__stage ?? {}).map(s => [s.plots, live || s.playing ? 0 : s.drawn]);
    const now = JSON.stringify([boxes, stages, innerWidth, innerHeight]);
    const whole = document.fonts.status === 'loaded' && !document.querySelector('[data-testid=stSkeleton]');
    const still = boxes.length && whole && (idle || live) && now === seen.now;
    Object.assign(seen, {now, same: still ? seen.same + 1 : 0});
    return idle && seen.same >= frames;
}"""
# True after so many animation frames.
COUNT = """([id, frames]) => {
    const seen = globalThis.__count?.id === id ? globalThis.__count : (globalThis.__count = {id, frames: -1});
    return ++seen.frames >= frames;
}"""
_number = itertools.count()


def rest(page: Page, live: bool = False) -> None:
    """Wait until the server has no more to say and the layout stands. ``live``: a run goes on and is drawn anew."""
    page.wait_for_function(IDLE, polling=OFTEN, timeout=LONG)
    page.wait_for_function(AT_REST, arg=[next(_number), FRAMES, live], timeout=LONG)


def wait_frames(page: Page, count: int = FRAMES) -> None:
    """Wait for so many animation frames: what a browser would do without being asked, it has done by then."""
    page.wait_for_function(COUNT, arg=[next(_number), count], timeout=LONG)


def box(part: Locator, live: bool = False) -> dict[str, float]:
    """Where ``part`` is, x, y, width and height in CSS pixels of the page, once the page is at rest."""
    expect(part).to_be_visible()
    rest(part.page, live)
    return part.bounding_box()


def press(part: Locator, *keys: str) -> None:
    """Focus ``part`` on a page at rest, so that no update takes the focus away, and press the keys."""
    expect(part).to_be_visible()
    rest(part.page)
    part.focus()
    for key in keys:
        part.page.keyboard.press(key)


def open_menu(page: Page) -> Locator:
    """The Lecture menu, opened unless it is open: a menu whose switch was moved may be drawn anew, open or closed."""
    rest(page)
    menu = page.get_by_test_id("stPopoverBody").filter(has_text=t("frame.controls.present.label"))
    if not menu.is_visible():
        page.get_by_role("button", name=t("frame.lecture"), exact=True).click()
    expect(menu).to_be_visible()
    return menu


class Learner:
    """Somebody at a page of the app, and the counters of the stage there, ``stage`` being its key."""

    def __init__(self, page: Page, address: str, stage: str) -> None:
        page.set_default_timeout(LONG)
        self.page, self.address, self.stage = page, address, stage
        self.canvas = page.get_by_role("application")
        self.clock = page.get_by_role("slider", name="σ", exact=True)

    def open(self, query: str = "", stage: str = "") -> Self:
        """Opens the page; returns when its stage (``stage`` if this query shows another) is drawn, all at rest."""
        self.stage = stage or self.stage
        self.page.goto(f"{self.address}?{query}")
        return self.arrived()

    def arrived(self, live: bool = False) -> Self:
        """Waits until the page is there; ``live``: with a run that goes on."""
        self.until("now.ready && now.drawn")
        return self.rests(live)

    def rests(self, live: bool = False) -> Self:
        """Waits until the server has no more to say and the layout stands; ``live``: while a run goes on."""
        rest(self.page, live)
        return self

    def now(self, counter: str) -> Any:
        """A counter of the stage."""
        return self.page.evaluate(f"__stage.{self.stage}.{counter}")

    def until(self, condition: str) -> None:
        """Waits until a condition in JavaScript holds of the stage's counters, ``now``. Checked at every frame: a film
        that forms may have one frame for a moment only."""
        self.page.wait_for_function(f"(now => now && ({condition}))(globalThis.__stage?.{self.stage})")

    def at(self, right: float, up: float, panel: int = 0) -> tuple[float, float]:
        """Page coordinates of a place on a panel, in fractions of its plot, once the page is at rest."""
        canvas = box(self.canvas)
        plot = self.now(f"plots[{panel}]")
        x, y = canvas["x"] + plot["x"] + right * plot["w"], canvas["y"] + plot["y"] + (1 - up) * plot["h"]
        window = self.page.viewport_size
        assert 0 <= x < window["width"] and 0 <= y < window["height"], "a pointer cannot reach what is out of view"
        return x, y

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags the pointer between two places on the first panel, in fractions of its plot."""
        mouse = self.page.mouse
        mouse.move(*self.at(*start))
        mouse.down()
        mouse.move(*self.at(*end), steps=4)
        mouse.move(*self.at(*end))  # the page may have moved with what was dragged
        mouse.up()
