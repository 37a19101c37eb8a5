"""A learner in a browser: opens a page, waits for what its stage shows, and knows where to point."""

from typing import Any, Self

from playwright.sync_api import Page, expect

LONG = 60_000  # milliseconds; a machine with other work is no failure


class Learner:
    """Somebody at a page of the app, and the counters of the stage there, ``stage`` being its key."""

    def __init__(self, page: Page, address: str, stage: str) -> None:
        page.set_default_timeout(LONG)
        self.page, self.address, self.stage = page, address, stage
        self.canvas = page.get_by_role("application")
        self.clock = page.get_by_role("slider", name="σ", exact=True)

    def open(self, query: str = "", stage: str = "") -> Self:
        """Opens the page; returns when its stage is drawn, ``stage`` if this query shows another, and its run over."""
        self.stage = stage or self.stage
        self.page.goto(f"{self.address}?{query}")
        return self.arrived()

    def arrived(self) -> Self:
        """Waits until the page is there."""
        self.until("now.ready && now.drawn")
        return self.rests()

    def rests(self) -> Self:
        """Waits until the server has no more to say."""
        expect(self.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        return self

    def now(self, counter: str) -> Any:
        """A counter of the stage."""
        return self.page.evaluate(f"__stage.{self.stage}.{counter}")

    def until(self, condition: str) -> None:
        """Waits until a condition in JavaScript holds of the stage's counters, ``now``."""
        self.page.wait_for_function(f"(now => now && ({condition}))(globalThis.__stage?.{self.stage})")

    def at(self, right: float, up: float, panel: int = 0) -> tuple[float, float]:
        """Page coordinates of a place on a panel, in fractions of its plot."""
        plot, box = self.now(f"plots[{panel}]"), self.canvas.bounding_box()
        return box["x"] + plot["x"] + right * plot["w"], box["y"] + plot["y"] + (1 - up) * plot["h"]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags the pointer between two places on the first panel, in fractions of its plot."""
        mouse = self.page.mouse
        mouse.move(*self.at(*start))
        mouse.down()
        mouse.move(*self.at(*end), steps=4)
        mouse.up()
