"""The stage on a page of Streamlit in a real browser: what it is sent, and that the server hears only what it must.

What the player does by itself, `test_player.py` looks at.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner, press, wait_frames

APP = "tests/e2e/apps/stage.py"


class Stage(Learner):
    """The stage of the mini app as a learner meets it."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page, f"{address}/", "demo")

    def open(self, query: str = "case=one", stage: str = "") -> "Stage":
        super().open(query, stage)
        expect(self.page.get_by_text(re.compile("^runs 1 "))).to_be_visible()
        return self

    def runs(self) -> int:
        return int(self.page.get_by_text(re.compile("^runs")).inner_text().split()[1])

    def set_gain(self) -> None:
        """A control of the page changes: the server runs and sends new data."""
        ticks = self.now("ticks")
        press(self.page.get_by_role("slider", name="gain"), "ArrowRight")
        self.until(f"now.ticks > {ticks}")


@pytest.fixture
def stage(page: Page, serve) -> Stage:
    return Stage(page, serve(APP)).open()


def test_scrubbing_zooming_and_playing_make_no_server_run(stage, motion):
    stage.clock.fill("25")
    stage.until("now.k === 25")
    press(stage.canvas, "+")
    stage.page.get_by_role("button", name=t("frame.stage.play"), exact=True).click()
    stage.until("!now.playing && now.k === 40")
    assert stage.runs() == 1 and stage.now("ticks") == 1


def test_a_click_places_the_probe_and_python_hears_of_it(stage):
    stage.page.mouse.click(*stage.at(0.75, 0.25))
    expect(stage.page.get_by_text(re.compile(r"probe \(0\.(59|60?)\d*, -0\.(59|60?)\d*\)"))).to_be_visible()
    assert stage.runs() == 2


def test_new_data_keep_clock_zoom_and_probe_and_never_blank(stage):
    stage.clock.fill("25")
    press(stage.canvas, "+")
    stage.page.mouse.click(*stage.at(0.5, 0.25))
    expect(stage.page.get_by_text("runs 2 ")).to_be_visible()
    before = {name: stage.now(name) for name in ("k", "zoom", "probe", "mounted")}
    stage.page.evaluate(BLANKS)
    stage.set_gain()
    wait_frames(stage.rests().page)
    assert {name: stage.now(name) for name in before} == before
    assert stage.page.evaluate("blanks") == 0


BLANKS = """() => {
  globalThis.blanks = 0;
  const canvas = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.querySelector('canvas');
  const look = () => {
    const middle = canvas.getContext('2d').getImageData(0, canvas.height / 2, canvas.width, 1).data;
    blanks += middle.every(value => value === 0);
    requestAnimationFrame(look);
  };
  look();
}"""


def test_the_address_keeps_the_clock_beside_the_page_s_own_controls(stage):
    stage.clock.fill("30")
    stage.clock.blur()
    stage.page.wait_for_url(re.compile(r"clock=0\.75"))
    stage.set_gain()
    stage.page.wait_for_url(re.compile(r"gain=3"))
    stage.page.mouse.click(*stage.at(0.5, 0.5))
    expect(stage.page.get_by_text("runs 3 ")).to_be_visible()
    stage.rests()
    expect(stage.page).to_have_url(re.compile(r"\?(?=.*case=one)(?=.*gain=3)(?=.*clock=0\.75)"))


def test_a_change_of_theme_redraws_in_the_other_colours(stage):
    pixel = "c => [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]"
    looks = "c => getComputedStyle(c.closest('.stage')).color"
    light, ink = stage.canvas.evaluate(pixel), stage.canvas.evaluate(looks)
    drawn = stage.now("drawn")
    stage.page.emulate_media(color_scheme="dark")
    stage.until(f"now.drawn > {drawn}")
    assert stage.canvas.evaluate(looks) != ink and stage.canvas.evaluate(pixel) != light
