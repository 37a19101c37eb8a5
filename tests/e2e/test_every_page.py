"""Every page in a browser, from page to page in one visit: axe-core finds no fault in it (contrast, names, order of
headings, tables); on a laptop the verdict can be read without scrolling; on a phone the picture comes before its
controls and these before the words; on a phone and a tablet the picture and its player are whole in the window, and so
are the labels (`tests.small_screens`).
"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from pages.ui.frame import chapters, shell
from pages.ui.frame.text import t
from tests import small_screens
from tests.e2e.learner import LONG, box, rest

PHONE, TABLET, LAPTOP = ({"width": w, "height": h} for w, h in [(390, 844), (820, 1180), (1280, 800)])
TALL = {"width": 1280, "height": 3000}  # everything of a page can be clicked without scrolling
SLOW = {"training"}  # there the run that decides is trained first: its own test does that
# Where the parts of a page begin, in pixels of the window; -1 where there is none.
TOPS = """names => names.map(name => document.querySelector(`.st-key-${name}`)?.getBoundingClientRect().top ?? -1)"""


@pytest.fixture
def visitor(page: Page) -> Page:
    page.set_default_timeout(LONG)
    page.set_viewport_size(LAPTOP)
    return page


def visit(page: Page, name: str) -> None:
    """Go on to a page without loading another."""
    if name != "home":
        links = page.get_by_role("navigation") if name in shell.UNNUMBERED else page.locator(".st-key-switches")
        links.get_by_role("link", name=t(f"{name}.navigation")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(t(f"{name}.title"))
    rest(page)


def resize(page: Page, size: dict[str, int]) -> None:
    page.set_viewport_size(size)
    rest(page, live=True)


def violations(page: Page) -> list[str]:
    """Each fault that axe-core finds and the elements that have it."""
    found = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else node['html'][:120]}"
            for fault in found for node in fault["nodes"]]  # fmt: skip


def test_no_light_page_that_asks_has_a_violation_and_its_verdict_is_read_without_scrolling(visitor: Page, serve):
    visitor.emulate_media(color_scheme="light")
    visitor.goto(serve("app.py"))
    wrong = []
    for name in chapters.present():
        visit(visitor, name)
        wrong += [(name, fault) for fault in violations(visitor)]
        card = visitor.locator("[class*=st-key-predict_]").first
        if name in SLOW or not card.count():
            continue
        resize(visitor, TALL)
        verdict = answered(card)
        resize(visitor, LAPTOP)
        visitor.evaluate("document.querySelector('.stMain').scrollTo(0, 0)")
        place = box(verdict, live=True)
        if place["y"] + place["height"] > LAPTOP["height"]:
            wrong.append((name, place))
    assert not wrong


def answered(card: Locator) -> Locator:
    """Predicts the first outcome and decides; the verdict."""
    decide = card.get_by_role("button", name=t("frame.predict.decide"))
    verdict = card.locator(".message")
    card.locator(".stButton button").first.click()
    expect(decide.or_(verdict)).to_be_visible()
    rest(card.page, live=True)
    if decide.count():
        decide.click()
    expect(verdict).to_be_visible()
    return verdict


def test_every_page_that_shows_all_fits_a_phone_and_a_tablet_and_has_no_violation_in_the_dark(visitor: Page, serve):
    visitor.emulate_media(color_scheme="dark")
    visitor.set_viewport_size(PHONE)
    visitor.goto(f"{serve('app.py')}/?predictions=false")
    wrong = []
    for name in chapters.present():
        if name in shell.UNNUMBERED and name != "home":
            resize(visitor, LAPTOP)  # a phone has no navigation in sight
        visit(visitor, name)
        resize(visitor, PHONE)
        wrong += [(name, fault) for fault in beyond(visitor)]
        if name != "glossary":
            tops = visitor.evaluate(TOPS, ["picture", "controls", "notes", "equation", "next"])
            wrong += [(name, tops)] if -1 in tops or tops != sorted(tops) else []
        wrong += [(name, fault) for fault in violations(visitor)] if name == "guidance" else []
        resize(visitor, TABLET)
        wrong += [(name, fault) for fault in beyond(visitor)]
        resize(visitor, LAPTOP)
        wrong += [(name, fault) for fault in violations(visitor)]
        visitor.set_viewport_size(PHONE)  # the next page begins on it
    assert not wrong


def beyond(page: Page) -> list[str]:
    """What does not fit the window."""
    return [f"{page.viewport_size['width']}: {fault}" for fault in small_screens.faults(page)]
