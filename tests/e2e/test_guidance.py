"""Chapter 5 in a real browser: the clock, the probe, the keyboard, and training live."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import label, t
from pages.ui.lessons.guidance_config import OWN
from tests.e2e.learner import Learner, box, press

SHOWN, MODEL = "predictions=false&show=", t("guidance.controls.model.label")


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/guidance", "arrows")


def test_eight_scales_are_above_the_fold_on_one_clock_that_makes_no_server_run(chapter):
    chapter.open(SHOWN + "eight_scales", "samples")
    assert len(chapter.now("plots")) == 8
    clock = box(chapter.clock)
    assert clock["y"] + clock["height"] < 800
    ticks = chapter.now("ticks")
    chapter.clock.fill("9")
    chapter.until("now.k === 9")
    expect(chapter.page).to_have_url(re.compile("clock=0.45"))
    assert chapter.now("ticks") == ticks


def test_a_dragged_probe_changes_the_numbers_and_the_address_and_keeps_the_clock(chapter):
    chapter.open(SHOWN + "one_place")
    table = chapter.page.get_by_role("table")
    before = table.inner_text()
    chapter.clock.fill("7")
    chapter.drag((0.5, 0.5), (0.3, 0.7))
    expect(chapter.page).to_have_url(re.compile(r"probe=-0\.\d+%2C0\.\d+"))
    expect(table).not_to_have_text(before)
    assert chapter.now("k") == 7


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    chapter.open()
    press(chapter.page.get_by_role("button", name=t("guidance.predict.guess.options.nearly_all")), "Space")
    expect(chapter.page).to_have_url(re.compile("guess=nearly_all"))
    press(chapter.page.get_by_role("radio", name=t("guidance.controls.show.options.negative_prompt")), "Space")
    chapter.stage = "samples"
    chapter.until("now.plots.length === 3")
    press(chapter.page.get_by_role("slider", name=t("guidance.controls.scale.label")), "ArrowRight")
    expect(chapter.page).to_have_url(re.compile("negative_scale=1.5"))
    press(chapter.canvas, "Home")
    chapter.until("now.k === 0")


def test_training_without_label_dropout_shows_its_samples_live_and_then_under_eight_scales(chapter):
    chapter.open(SHOWN + "train_live&dropout=0", "training")
    ticks = chapter.now("ticks")
    chapter.page.get_by_role("button", name="Train").click()
    chapter.until(f"now.ticks > {ticks} + 3")
    chapter.page.get_by_role("button", name="Pause").click()
    chapter.page.get_by_role("radio", name=t("guidance.controls.show.options.eight_scales")).click()
    chapter.stage = "samples"
    chapter.until("now.plots.length === 8")
    chapter.page.get_by_role("combobox", name=MODEL).click()
    chapter.page.get_by_role("option", name=label("models", OWN)).click()
    expect(chapter.page).to_have_url(re.compile(f"model={OWN}"))
