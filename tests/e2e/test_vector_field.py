"""Chapter 3 in a real browser: the clock, the probe, the keyboard and the address."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame import text
from pages.ui.frame.text import t
from tests.e2e.learner import Learner, press

PLACE = "predictions=false&show=one_place"


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/vector_field", "field")


def test_a_dragged_probe_changes_the_numbers_and_the_address_and_keeps_the_clock(chapter):
    chapter.open(PLACE)
    table = chapter.page.get_by_role("table")
    before = table.inner_text()
    ticks = chapter.now("ticks")
    chapter.clock.fill("37")
    chapter.until("now.k === 37")
    expect(chapter.page).to_have_url(re.compile("clock=0.771"))
    assert chapter.now("ticks") == ticks  # the clock makes no server run
    chapter.drag((0.5, 0.5), (0.25, 0.75))
    expect(chapter.page).to_have_url(re.compile(r"probe=-0\.\d+%2C0\.\d+"))
    expect(table).not_to_have_text(before)
    expect(chapter.page).to_have_url(re.compile("clock=0.771"))
    assert chapter.now("k") == 37


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    chapter.open()
    press(chapter.page.locator(".st-key-_guess_small_sigma button"), "Space")
    expect(chapter.page.locator(".st-key-_guess_again")).to_be_visible()
    press(chapter.page.get_by_role("radio", name=t("vector_field.controls.show.options.one_place")), "Space")
    expect(chapter.page.get_by_role("table")).to_be_visible()
    press(chapter.canvas, "End", "Shift+ArrowLeft")
    chapter.until("now.k === 48 && now.probe[0] < 0.7")
    expect(chapter.page).to_have_url(re.compile("probe="))


def test_a_link_restores_model_view_place_and_clock_for_another_visitor(page, serve):
    chapter = Learner(page, f"{serve('app.py')}/vector_field", "field")
    chapter.open(f"{PLACE}&model=spiral-100-fourier&view=vp&probe=0.5,0.25&clock=0.5")
    expect(page.get_by_role("combobox", name=t("vector_field.controls.model.label"))).to_have_value(
        text.label("models", "spiral-100-fourier")
    )
    expect(page.get_by_role("radio", name=text.label("views", "vp"))).to_be_checked()
    assert chapter.now("k") == 24 and chapter.now("probe") == [0.5, 0.25]
