"""A lecture in a real browser: what its keys do, and what they leave alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner, press, rest
from tests.presentation import LISTEN, faults

DIALOG = "dialog[open], [role=dialog]"


class Lecture(Learner):
    """A chapter that is presented."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page, f"{address}/guidance", "arrows")
        self.sent = []  # what the browser tells the server
        page.on("websocket", lambda channel: channel.on("framesent", lambda data: self.sent.append(data)))

    def open(self, query: str = "present=true", stage: str = "") -> "Lecture":
        super().open(query, stage or "arrows")
        self.sent.clear()
        return self

    def press(self, *keys: str) -> "Lecture":
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def part(self, name: str):
        return self.page.locator(f".st-key-{name}")


@pytest.fixture
def lecture(page: Page, serve) -> Lecture:
    return Lecture(page, serve("app.py"))


def test_keys_show_controls_notes_and_the_answer_without_a_run_of_the_script(lecture):
    lecture.open()
    for key, part in (("c", "controls"), ("n", "notes"), ("r", "answers .reveal > :not(summary)")):
        shown = lecture.part(part).first
        expect(shown).to_be_hidden()
        lecture.press(key)
        expect(shown).to_be_visible()
        lecture.press(key)
        expect(shown).to_be_hidden()
    lecture.press("ArrowRight", "ArrowRight")
    lecture.until("now.k === 12")
    lecture.press("b")
    expect(lecture.page.locator("html")).to_have_attribute("data-black", "")
    lecture.press("c")
    expect(lecture.page.locator("html")).not_to_have_attribute("data-black", "")
    lecture.press("f")
    lecture.page.wait_for_function("document.fullscreenElement === document.documentElement")
    lecture.press("f")
    lecture.page.wait_for_function("!document.fullscreenElement")
    lecture.rests()
    assert not lecture.sent
    expect(lecture.page.locator(DIALOG)).to_have_count(0)  # Streamlit's own C asks whether to clear its cache
    lecture.press("q")
    expect(lecture.page.locator(".qr")).to_be_visible()
    expect(lecture.page.locator(".qr-link")).to_contain_text("/guidance?clock=0.6")
    lecture.press("q")
    expect(lecture.page.locator(DIALOG)).to_have_count(0)
    lecture.press("e")
    expect(lecture.part("_export_kind")).to_be_visible()
    lecture.press("e")
    expect(lecture.page.locator(DIALOG)).to_have_count(0)


def test_a_clicker_goes_from_scene_to_scene_and_on_to_the_next_chapter(lecture):
    lecture.open("present=true&show=negative_prompt", "samples").until("now.k === 15")
    lecture.press("PageDown").until("now.k === 20")  # each scene begins at its own start, on the same stage too
    lecture.rests().press("PageDown")
    expect(lecture.page).to_have_url(re.compile(r"guidance\?(?=.*present=true)(?=.*show=train_live)"))
    lecture.rests(live=True).press("PageUp")
    expect(lecture.page).to_have_url(re.compile("show=beyond"))
    lecture.open("present=true&show=train_live", "training").press("PageDown")
    expect(lecture.page).to_have_url(re.compile(r"/flow_matching\?(?=.*present=true)"))
    expect(lecture.page.get_by_role("heading", level=1)).to_contain_text(t("flow_matching.navigation"))
    lecture.rests(live=True).press("PageUp")
    expect(lecture.page).to_have_url(re.compile(r"guidance\?(?=.*show=train_live)"))


def test_no_key_is_taken_from_somebody_who_types_or_who_reads(lecture):
    lecture.open("present=true&show=eight_scales", "samples").press("c")
    field = lecture.part("seed").locator("input")
    press(field, "n", "r", "b", "PageDown", "Escape")
    expect(lecture.part("controls")).to_be_visible()
    expect(lecture.part("notes")).to_be_hidden()
    expect(field).to_be_focused()
    lecture.open("predictions=false").press("n", "b", "PageDown")
    rest(lecture.page)
    assert lecture.page.evaluate("({...document.documentElement.dataset})") == {}
    expect(lecture.page).to_have_url(re.compile("guidance"))
    lecture.press("?")
    expect(lecture.page.locator("dialog")).to_contain_text(t("frame.keys.title"))


@pytest.mark.slow
@pytest.mark.parametrize("address, stage", [("guidance?show=beyond", "samples"), ("training?lang=zh", "training")])
def test_a_presented_picture_is_whole_and_every_text_can_be_read_from_afar(page, serve, address, stage):
    """`python -m tests.presentation` looks at all pages."""
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.add_init_script(f"({LISTEN})()")
    name, _, query = address.partition("?")
    lecture = Learner(page, f"{serve('app.py')}/{name}", stage).open(f"{query}&present=true")
    for width, height in ((1920, 1080), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        lecture.rests()
        page.evaluate("__sizes.length = 0; dispatchEvent(new Event('resize'))")
        assert page.evaluate("__sizes.length") and not faults(page)
        assert lecture.now("plots")[-1]["h"] > 0.2 * height
