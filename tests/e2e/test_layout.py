"""The layout of the real pages in a browser, from page to page in one visit: on a phone the picture comes before its
controls and these before the words; on a laptop the verdict can be read without scrolling."""

from playwright.sync_api import Page, expect

from pages.ui.frame import shell
from pages.ui.frame.text import t
from tests.e2e.learner import LONG, box, rest

PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
TALL = {"width": 1280, "height": 3000}  # everything of a page can be clicked without scrolling
SLOW = {"training"}  # there the run that decides is trained first: its own test does that
# Where the parts of a page begin, in pixels of the window; -1 where there is none.
TOPS = """names => names.map(name => document.querySelector(`.st-key-${name}`)?.getBoundingClientRect().top ?? -1)"""


def visit(page: Page, name: str) -> None:
    """Go on to a page without loading another."""
    if name != "home":
        links = page.get_by_role("navigation") if name in shell.UNNUMBERED else page.locator(".st-key-switches")
        links.get_by_role("link", name=t(f"{name}.navigation")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(t(f"{name}.title"))
    rest(page, live=True)


def test_on_a_phone_the_picture_comes_first_then_its_controls_then_the_words(page, serve):
    page.set_default_timeout(LONG)
    page.set_viewport_size(LAPTOP)
    page.goto(f"{serve('app.py')}/?predictions=false")
    wrong = []
    for name in (name for name in shell.present() if name != "glossary"):
        page.set_viewport_size(LAPTOP)
        visit(page, name)
        page.set_viewport_size(PHONE)
        rest(page, live=True)
        tops = page.evaluate(TOPS, ["picture", "controls", "notes", "equation", "next"])
        if -1 in tops or tops != sorted(tops):
            wrong.append((name, tops))
    assert not wrong


def test_on_a_laptop_the_verdict_is_read_without_scrolling(page, serve):
    page.set_default_timeout(LONG)
    page.set_viewport_size(TALL)
    page.goto(serve("app.py"))
    low = []
    for name in (name for name in shell.present() if name != "glossary"):
        page.set_viewport_size(TALL)
        visit(page, name)
        card = page.locator("[class*=st-key-predict_]").first
        if name in SLOW or not card.count():
            continue
        card.locator(".stButton button").first.click()
        rest(page, live=True)
        decide = card.get_by_role("button", name=t("frame.predict.decide"))
        if decide.count():
            decide.click()
        verdict = card.locator(".stAlert")
        expect(verdict).to_be_visible()
        page.set_viewport_size(LAPTOP)
        rest(page, live=True)
        page.evaluate("document.querySelector('.stMain').scrollTo(0, 0)")
        place = box(verdict, live=True)
        if place["y"] + place["height"] > LAPTOP["height"]:
            low.append((name, place))
    assert not low
