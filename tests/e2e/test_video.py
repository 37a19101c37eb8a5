"""Chapter 12 in a real browser: a clip plays in a loop, and a caption of one's own becomes a clip while one looks."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.lessons.video import STEPS
from pages.ui.frame.text import t
from tests.e2e.learner import Learner


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/video", "video")


def test_a_prediction_leads_to_the_panels(chapter):
    chapter.open()
    chapter.page.locator(".st-key-_guess_none button").click()
    chapter.page.locator(".st-key-_guess_decide button").click()
    expect(chapter.page.locator(".message.info")).to_be_visible()
    expect(chapter.page).to_have_url(re.compile("show=negative"))


def test_a_caption_of_ones_own_becomes_a_clip(chapter):
    chapter.open("predictions=false&show=clip")
    field = chapter.page.get_by_role("textbox", name=t("video.controls.caption.label"))
    field.fill("a person with a blue beanie, nodding")
    field.press("Enter")
    expect(chapter.page).to_have_url(re.compile("caption="))
    chapter.until(f"now.T > {STEPS}")
    expect(chapter.page.get_by_role("table")).to_contain_text("✓")
