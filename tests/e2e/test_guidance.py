"""Chapter 5 in a real browser: the clock, the probe, the keyboard, a link on a fresh server, and training live."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.learner import Learner, box, press

SHOWN = "predictions=false&show="


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/guidance", "arrows")


def test_eight_scales_are_above_the_fold_on_one_clock_that_makes_no_server_run(chapter):
    chapter.open(SHOWN + "eight+scales", "samples")
    assert len(chapter.now("plots")) == 8
    clock = box(chapter.clock)
    assert clock["y"] + clock["height"] < 800
    ticks = chapter.now("ticks")
    chapter.clock.fill("9")
    chapter.until("now.k === 9")
    expect(chapter.page).to_have_url(re.compile("clock=0.45"))
    assert chapter.now("ticks") == ticks


def test_a_dragged_probe_changes_the_numbers_and_the_address_and_keeps_the_clock(chapter):
    chapter.open(SHOWN + "one+place")
    table = chapter.page.get_by_role("table")
    before = table.inner_text()
    chapter.clock.fill("7")
    chapter.drag((0.5, 0.5), (0.3, 0.7))
    expect(chapter.page).to_have_url(re.compile(r"probe=-0\.\d+%2C0\.\d+"))
    expect(table).not_to_have_text(before)
    assert chapter.now("k") == 7


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    chapter.open()
    press(chapter.page.get_by_role("button", name="nearly all"), "Space")
    expect(chapter.page.get_by_text("You predict:")).to_be_visible()
    press(chapter.page.get_by_role("radio", name="negative prompt"), "Space")
    chapter.stage = "samples"
    chapter.until("now.plots.length === 3")
    press(chapter.page.get_by_role("slider", name="Guidance scale w"), "ArrowRight")
    expect(chapter.page).to_have_url(re.compile("scale=2.25"))
    press(chapter.canvas, "Home")
    chapter.until("now.k === 0")


def test_a_link_restores_model_class_scale_interval_and_clock_on_a_fresh_server(page, serve):
    chapter = Learner(page, f"{serve('app.py', fresh=True)}/guidance", "samples")
    wish = "model=plain+network&wanted=dog&scale=4&interval=0.05&interval=0.5&seed=3&clock=0.5"
    chapter.open(f"{SHOWN}beyond&{wish}")
    chapter.until("now.plots.length === 4")
    expect(page.get_by_role("radio", name="dog")).to_be_checked()
    expect(page.get_by_role("slider", name="Guidance scale w")).to_have_value("4")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("plain network")
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("3")
    assert chapter.now("k") == 10


def test_training_without_label_dropout_shows_its_samples_live_and_then_under_eight_scales(chapter):
    chapter.open(SHOWN + "train+live&dropout=0", "training")
    ticks = chapter.now("ticks")
    chapter.page.get_by_role("button", name="Train").click()
    chapter.until(f"now.ticks > {ticks} + 3")
    chapter.page.get_by_role("button", name="Pause").click()
    expect(chapter.page.get_by_text("Paused")).to_be_visible()
    chapter.page.get_by_role("radio", name="eight scales").click()
    chapter.stage = "samples"
    chapter.until("now.plots.length === 8")
    chapter.page.get_by_role("combobox", name="Model").click()
    chapter.page.get_by_role("option", name="your run").click()
    expect(chapter.page).to_have_url(re.compile("model=your\\+run"))
