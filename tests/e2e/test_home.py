"""The home page in a real browser: the picture plays once, fits the window, links on, and opens from a link."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import label, t
from tests.e2e.learner import Learner, box, press


@pytest.fixture
def home(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/", "figure")


def test_the_picture_plays_once_from_its_beginning_and_rests_at_its_end(home, motion):
    home.page.goto(home.address)
    home.until("!now.playing && now.k === 44")
    assert home.now("drawn") > 10  # it did not jump there; a busy machine leaves frames out
    assert home.now("ticks") <= 2  # played in the browser: no server run for it


def test_five_panels_stand_in_one_row_above_the_fold_at_their_beginning_and_the_keyboard_moves_their_clock(home):
    home.page.emulate_media(reduced_motion="reduce")
    page = home.open().page
    assert home.now("k") == 0 and not home.now("playing")
    tops = {round(home.now(f"plots[{i}].y")) for i in range(5)}
    assert len(tops) == 1
    last = page.get_by_role("link", name=t("home.links.guidance"))
    places = [box(part) for part in (page.get_by_role("button", name=re.compile("Play|Pause")), last)]
    assert max(place["y"] + place["height"] for place in places) < 800 and box(home.canvas)["width"] > 1100
    press(home.canvas, "End", "ArrowLeft")
    home.until("now.k === 43")


def test_a_link_shows_what_its_sender_saw(page, home):
    home.open("wanted=dog&w=4&model=spiral-classes-100&predictions=false&seed=3&clock=0.5")
    home.until("now.k === 22")
    expect(page.get_by_role("spinbutton", name=t("home.controls.seed.label"))).to_have_value("3")
    expect(page.get_by_role("radio", name=label("classes", "dog"))).to_be_checked()


def test_asking_for_another_kind_keeps_the_clock_and_a_panels_link_opens_its_chapter_where_it_matters(home):
    home.open("clock=0.5")
    ticks = home.now("ticks")
    home.page.get_by_role("radio", name=label("classes", "person")).click()
    home.until(f"now.ticks > {ticks}")
    expect(home.page).to_have_url(re.compile("wanted=person"))
    assert home.now("k") == 22 and not home.now("playing")
    home.page.get_by_role("link", name=t("home.links.forward_noise")).click()
    expect(home.page).to_have_url(re.compile(r"/forward_noise\?.*show=dissolve"))
