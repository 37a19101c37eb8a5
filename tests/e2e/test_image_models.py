"""Chapter 10 in a real browser: one clock, films that form while the stage stays, links, the keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner, press

FEW = "predictions=false&show=four_samplers&model=digits&steps=8&w=1"


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/image_models", "gallery")


def control(page: Page, name: str, role: str) -> Locator:
    return page.get_by_role(role, name=t(f"image_models.controls.{name}.label"), exact=True)


def option(page: Page, scene: str) -> Locator:
    return page.get_by_role("radio", name=t(f"image_models.controls.show.options.{scene}"))


def formed(chapter: Learner, frames: int = 9) -> Learner:
    """Waits until the films are finished, and the page with them."""
    chapter.until(f"now.T === {frames}")
    return chapter.rests()


def test_one_clock_moves_all_panels_without_a_server_run_and_new_films_form_on_the_same_stage(chapter):
    formed(chapter.open(FEW))
    ticks, mounted = chapter.now("ticks"), chapter.now("mounted")
    chapter.clock.fill("4")
    chapter.until("now.k === 4")
    expect(chapter.page).to_have_url(re.compile(r"clock=0\.5"))
    assert chapter.now("ticks") == ticks and len(chapter.now("plots")) == 4
    chapter.clock.fill("8")
    chapter.until("now.k === 8")
    steps = control(chapter.page, "steps", "spinbutton")
    steps.fill("60")
    steps.press("Enter")
    formed(chapter, 25)
    assert chapter.now("mounted") == mounted and chapter.now("k") == 24  # a clock at its end stays there
    expect(chapter.page.get_by_role("progressbar")).to_be_hidden()


def test_a_link_restores_controls_and_clock_where_its_films_must_form_first(chapter):
    page = chapter.page
    formed(chapter.open(f"{FEW.replace('four_samplers', 'guidance')}&label=7&n=4&second=heun&seed=5&clock=0.5"))
    expect(control(page, "label", "combobox")).to_have_value("7")
    expect(control(page, "steps", "spinbutton")).to_have_value("8")
    expect(option(page, "guidance")).to_be_checked()
    assert chapter.now("k") == 4 and len(chapter.now("plots")) == 5
    expect(page).to_have_url(re.compile(r"clock=0\.5"))


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    page = chapter.open("show=four_samplers&model=digits&steps=8&w=1").page
    press(page.locator(".st-key-_guess_ghosts button"), "Space")
    expect(page.locator(".st-key-_guess_again")).to_be_visible()
    chapter.until("now.plots.length === 4")
    press(formed(chapter).canvas, "Home", "ArrowRight")
    chapter.until("now.k === 1")
    press(option(page, "four_samplers"), "ArrowRight", "Space")
    expect(page).to_have_url(re.compile("show=nearest_training_image"))
    formed(chapter, 1)
    chapter.until("now.plots.length === 2")
