"""Chapter 6 in a real browser: the question, one clock for lines and paths, the keyboard and the address."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner, press


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    learner = Learner(page, f"{serve('app.py')}/flow_matching", "flow")
    learner.clock = page.get_by_role("slider", name="t", exact=True)
    return learner


def test_an_answer_from_the_keyboard_shows_the_field_and_the_verdict(chapter):
    chapter.open()
    chapter.until("now.plots.length === 1")
    press(chapter.page.locator(".st-key-_guess_bent button"), "Space")
    chapter.until("now.plots.length === 3")
    expect(chapter.page.locator(".message.success")).to_be_visible()


def test_the_slider_goes_down_to_one_data_point_and_the_clock_stays(chapter):
    chapter.open("predictions=false")
    chapter.clock.fill("20")
    chapter.until("now.k === 20")
    slider = chapter.page.get_by_role("slider", name=t("flow_matching.controls.pairs.label"))
    press(slider, *["ArrowLeft"] * 5)
    expect(chapter.page).to_have_url(re.compile("pairs=1(&|$)"))
    expect(chapter.page.locator("#alt")).to_contain_text("0.00")
    assert chapter.now("k") == 20
