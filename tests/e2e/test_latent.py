"""Chapter 11 in a real browser: the ring on the plane, and a run that is begun."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/latent", "latent_plane")


def test_a_dragged_ring_is_another_place_in_the_address(chapter):
    chapter.open("predictions=false")
    chapter.drag((0.15, 0.6), (0.2, 0.5))
    expect(chapter.page).to_have_url(re.compile(r"probe="))


def test_training_begins_with_a_new_network(chapter):
    chapter.open("predictions=false")
    chapter.page.get_by_role("button", name=t("runs.buttons.train"), exact=True).click()
    expect(chapter.page).to_have_url(re.compile(r"run="))
    expect(chapter.page.locator(".under-way").first).to_be_visible()
