"""Chapter 8 in a real browser: a matrix that turns diagonal under one clock, links, drawing, the keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import LONG, Learner, box, press, rest


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/clip", "matrix")


def opened(page: Page, address: str, query: str) -> Page:
    """A scene without a stage, once its page is whole."""
    page.set_default_timeout(LONG)
    page.goto(f"{address}?predictions=false&{query}")
    expect(page.get_by_role("heading", name=t("frame.headings.tasks"))).to_be_visible()
    rest(page)
    return page


def test_towers_train_on_the_same_stage_and_their_steps_can_be_scrubbed_without_a_server_run(chapter):
    page = chapter.open("predictions=false&batch=16&seed=77").page
    mounted = chapter.now("mounted")
    page.get_by_role("button", name=t("runs.buttons.train"), exact=True).click()
    chapter.until("now.T > 3")
    page.get_by_role("button", name=t("runs.buttons.pause"), exact=True).first.click()
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    ticks = chapter.rests().now("ticks")
    steps = page.get_by_role("slider", name=t("clip.train_live.step"), exact=True)
    steps.fill("0")
    chapter.until("now.k === 0")
    expect(steps).to_have_attribute("aria-valuetext", re.compile(f"^{t('clip.train_live.step')} = 0,"))
    assert chapter.now("mounted") == mounted and chapter.now("ticks") == ticks


def test_the_pointer_reads_a_cell_of_the_matrix(chapter):
    page = chapter.open("predictions=false&data=emoji").page
    page.mouse.move(*chapter.at(0.97, 0.1, panel=1))
    readout = page.locator(".readout")
    expect(readout).to_contain_text("caption: person surfing")
    expect(readout).to_contain_text("picture: person surfing")


def test_a_drawing_is_compared_and_travels_in_the_address(page, serve):
    opened(page, f"{serve('app.py')}/clip", "data=emoji&show=retrieval&by=drawing&colour=yellow")
    expect(page.get_by_role("rowheader").filter(has_text="heart").first).to_be_visible()
    page.get_by_role("button", name=t("widgets.brush.clear")).click()
    expect(page.get_by_text(t("clip.retrieval.no_drawing"))).to_be_visible()
    sheet = box(page.get_by_role("application", name=t("clip.drawing.label")))
    x, y, side = sheet["x"], sheet["y"], sheet["height"]
    page.mouse.move(x + 0.2 * side, y + 0.2 * side)
    page.mouse.down()
    for right, down in ((0.8, 0.2), (0.8, 0.8), (0.2, 0.8)):
        page.mouse.move(x + right * side, y + down * side, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile("draw="))
    expect(page.get_by_role("rowheader")).to_have_count(10)


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    page = chapter.open("data=emoji").page
    press(page.get_by_role("button", name=t("clip.predict.guess.options.near_zero")), "Space")
    expect(page).to_have_url(re.compile("guess=near_zero"))
    press(
        page.get_by_role("radio", name=t("clip.controls.show.options.train_live")), "ArrowRight", "ArrowRight", "Space"
    )
    text = page.get_by_role("textbox", name=t("clip.controls.text.label"))
    press(text, "ControlOrMeta+A")
    page.keyboard.type("pizza blorp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="blorp")).to_be_visible()
    expect(page.get_by_role("img", name="pizza", exact=True)).to_be_visible()


def test_the_map_can_be_zoomed(page, serve):
    opened(page, f"{serve('app.py')}/clip", "show=map")
    axis = page.locator(".xtick text")
    expect(axis.first).to_be_visible()
    before = axis.all_text_contents()
    plot = box(page.locator(".nsewdrag"))
    page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + plot["height"] / 2)
    page.mouse.wheel(0, -800)
    expect(axis).not_to_have_text(before)
