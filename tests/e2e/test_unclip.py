"""Chapter 9 in a real browser: a typed caption forms on the stage that stands, links, the keyboard, what fits."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner, box, press

QUICK = "predictions=false&steps=4&n=2&w=1"


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/unclip", "unclip")


def formed(chapter: Learner, frames: int) -> Learner:
    """Waits until the film is finished, and the page with it."""
    chapter.until(f"now.T === {frames}")
    return chapter.rests()


def test_one_clock_goes_through_all_stages_without_a_server_run(chapter):
    formed(chapter.open(QUICK), 10)
    ticks = chapter.now("ticks")
    chapter.page.get_by_role("slider", name=t("unclip.clock.step"), exact=True).fill("3")
    chapter.until("now.k === 3")
    expect(chapter.page).to_have_url(re.compile(r"clock=0\.333"))
    assert chapter.now("ticks") == ticks and len(chapter.now("plots")) == 3


def test_a_typed_caption_forms_on_the_same_stage_and_then_stands_at_its_end(chapter):
    formed(chapter.open("data=emoji&predictions=false&steps=20&n=4"), 42)
    mounted = chapter.now("mounted")
    caption = chapter.page.get_by_role("textbox", name=t("unclip.controls.caption.label"), exact=True)
    caption.fill("green apple xyzzy")
    caption.press("Enter")
    chapter.until("now.T === 1")
    expect(chapter.page.get_by_role("status").filter(has_text="xyzzy")).to_be_visible()
    formed(chapter, 42)
    assert chapter.now("mounted") == mounted and chapter.now("k") == 41
    expect(chapter.page).to_have_url(re.compile("emoji=green"))


def test_every_scene_with_its_clock_is_above_the_fold(chapter):
    page = chapter.open(f"{QUICK}&show=prior").page
    for scene in ("prior", "decoder", "prior_skipped", "guidance", "interpolation"):
        last = scene == "interpolation"
        page.get_by_role("radio", name=t(f"unclip.controls.show.options.{scene}"), exact=True).click()
        expect(page).to_have_url(re.compile(f"show={scene}(&|$)"))
        formed(chapter, 11 if last else 5)
        clock = box(page.get_by_role("slider", name="t" if last else "σ", exact=True))
        assert clock["y"] + clock["height"] < 800, scene


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    page = chapter.open("steps=4&n=2&w=1").page
    press(page.get_by_role("button", name=t("unclip.predict.guess.options.nearly_alike")), "Space")
    expect(page).to_have_url(re.compile("guess=nearly_alike"))
    press(formed(chapter, 10).canvas, "Home", "ArrowRight")
    chapter.until("now.k === 1")
    press(page.get_by_role("radio", name=t("unclip.controls.show.options.decoder")), "Space")
    formed(chapter, 5)
    press(page.get_by_role("textbox", name=t("unclip.controls.caption.label"), exact=True), "Control+a")
    page.keyboard.type("dog")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("caption=dog"))
    formed(chapter, 5)
