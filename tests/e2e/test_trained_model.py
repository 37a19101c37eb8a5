"""Chapter 7 in a real browser: the probe, the prediction and the way on, and people who form on the stage."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.lessons.trained_model_people import PeopleRequest
from core.problems import Problem
from pages.ui.frame.text import problem, t
from tests.e2e.learner import Learner, press


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/trained_model", "uses")


def test_a_dragged_probe_changes_the_table_and_the_address(chapter):
    chapter.open("predictions=false&show=likelihood")
    table = chapter.page.get_by_role("table")
    before = table.inner_text()
    chapter.drag((0.5, 0.5), (0.3, 0.7))
    expect(chapter.page).to_have_url(re.compile(r"probe=-?\d"))
    expect(table).not_to_have_text(before)
    assert chapter.now("k") == 4  # the clock stays where it was


def test_a_prediction_opens_the_scenes_and_a_scene_leads_to_the_next(chapter):
    chapter.open()
    chapter.page.locator(".st-key-_guess_farther_start button").click()
    chapter.page.locator(".st-key-_guess_decide button").click()
    expect(chapter.page.locator(".message.success")).to_be_visible()
    chapter.page.locator(".st-key-_next button").click()
    expect(chapter.page).to_have_url(re.compile("show=fix_a_part"))
    chapter.until("now.k === 50")


def test_a_scribble_becomes_people_while_one_looks(chapter):
    chapter.open("predictions=false&of=people&sigma=1")
    chapter.until(f"now.k === {PeopleRequest(sigma=1.0).steps}")
    chapter.page.locator(".st-key-scribble").get_by_role("radio").nth(2).click(force=True)
    expect(chapter.page).to_have_url(re.compile("scribble=beard"))


def test_a_painted_person_stands_in_the_address_and_becomes_people(chapter):
    chapter.open("predictions=false&of=people&sigma=0.3&scribble=drawing")
    grid = chapter.page.get_by_role("application", name=t("widgets.pixel_brush.label"))
    press(grid, "Space", "Shift+ArrowDown", "Space")
    expect(chapter.page).to_have_url(re.compile("paint=[A-Z]"))
    chapter.until(f"now.k === {PeopleRequest(sigma=0.3).steps}")
    before = chapter.page.url
    chapter.page.get_by_role("button", name=t("widgets.pixel_brush.clear")).click()
    expect(chapter.page).not_to_have_url(before)
    refused = t("trained_model.start_people.refused", error=problem(Problem("painting_empty")))
    expect(chapter.page.get_by_text(refused)).to_be_visible()
