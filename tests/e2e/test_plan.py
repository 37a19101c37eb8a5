"""A lecture plan in a real browser: made from views, shown view by view, kept, and given on."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pages.ui.frame import plan_view
from pages.ui.frame.text import t
from pages.ui.lecture import plan as plans
from pages.ui.lecture.plan import LecturePlan, View
from tests.e2e.classroom import PHONE
from tests.e2e.learner import Learner, open_menu, rest

NOT_OURS = {"rules": {"presentation-role-conflict": {"enabled": False}}}  # Streamlit's own place to drop a file
PLAN = LecturePlan(
    "Two views",
    (
        View("Scales", "guidance", {"show": "eight_scales", "clock": "0.5", "zoom": "0,0.5,0.5,2"}, "Say *this*."),
        View("Fields", "guidance", {"clock": "0.9", "fix": "wanted", "speed": "2"}),
    ),
)


@pytest.fixture
def lecturer(page: Page) -> Page:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return page


def test_a_view_that_is_added_opens_as_it_was(lecturer, serve):
    Learner(lecturer, f"{serve('app.py')}/vector_field", "field").open("predictions=false&view=vp&clock=0.75&fix=view")
    open_menu(lecturer)
    lecturer.get_by_role("button", name=t("frame.share.add")).click()
    expect(lecturer.get_by_test_id("stToast")).to_contain_text(t("vector_field.navigation"))
    lecturer.reload()
    open_menu(lecturer)
    lecturer.locator(".st-key-_plan_menu button").click()
    lecturer.get_by_text(t("frame.plan.start")).click()
    expect(lecturer).to_have_url(
        re.compile(r"\?(?=.*view=vp)(?=.*clock=0.75)(?=.*fix=view)(?=.*present=true)(?=.*plan=1)")
    )
    rest(lecturer)
    lecturer.keyboard.press("e")  # with this run the browser sends the switches of the menu, which was open before
    expect(lecturer.get_by_role("dialog")).to_be_visible()
    rest(lecturer)
    expect(lecturer).to_have_url(re.compile(r"present=true"))


def test_a_plan_comes_by_link_is_shown_by_a_clicker_and_outlasts_a_reload(lecturer, serve):
    lecturer.goto(plans.link(PLAN, serve("app.py")))
    lecturer.locator(".st-key-_plan_use button").click()
    lecturer.get_by_text(t("frame.plan.start")).click()
    chapter = Learner(lecturer, "", "samples")
    chapter.until("now.k === 10 && now.zoom[0].scale === 2")
    chapter.rests()
    expect(lecturer.locator(".st-key-plan")).to_contain_text("2")
    expect(lecturer.locator(".st-key-plan_notes")).to_contain_text("Say *this*.")
    lecturer.keyboard.press("PageDown")
    expect(lecturer).to_have_url(re.compile(r"\?(?!.*show=)(?=.*plan=2)(?=.*clock=0.9)"))
    chapter.stage = "arrows"
    chapter.until("now.k === 18 && now.speed === 2 && !now.zoom[0]")
    chapter.rests()
    lecturer.keyboard.press("PageDown")  # nothing comes after the last view
    lecturer.reload()
    expect(lecturer.locator(".st-key-plan_previous a")).to_be_attached()
    rest(lecturer)
    lecturer.keyboard.press("PageUp")
    expect(lecturer).to_have_url(re.compile(r"\?(?=.*show=eight_scales)(?=.*plan=1)(?=.*zoom=0)(?!.*fix)"))


def test_a_link_that_was_cut_and_a_damaged_file_are_a_sentence_and_leave_the_plan_as_it_is(lecturer, serve):
    lecturer.goto(plans.link(PLAN, serve("app.py")))
    lecturer.locator(".st-key-_plan_use button").click()
    expect(lecturer.get_by_text("1. Scales")).to_be_visible()
    rest(lecturer)
    lecturer.locator("input[type=file]").set_input_files({"name": "x", "mimeType": "", "buffer": b"version = 0"})
    expect(lecturer.get_by_role("alert").filter(has_text="version")).to_be_visible()
    cut = plans.link(PLAN, "")[:-9]
    lecturer.evaluate("link => { location.hash = link.slice(link.indexOf('#')) }", cut)  # the page is open already
    expect(lecturer.get_by_role("alert").filter(has_text=re.compile("link"))).to_be_visible()
    expect(lecturer.get_by_text("1. Scales")).to_be_visible()


def test_a_shipped_plan_takes_the_place_of_another_which_can_be_brought_back(lecturer, serve):
    lecturer.goto(f"{serve('app.py')}/glossary")
    open_menu(lecturer)
    lecturer.locator(".st-key-_plan_menu button").click()
    for name in ("45", "90"):
        rest(lecturer)  # until then an earlier drawing of the dialog may stand beside the new one
        lecturer.locator(f".st-key-_plan_{name} button").click()
    lecturer.locator(".st-key-_plan_use button").click()
    title = lecturer.get_by_label(t("frame.plan.name"))
    expect(title).to_have_value(plan_view.shipped("en")["90"].title)
    lecturer.locator(".st-key-_plan_undo button").click()
    expect(title).to_have_value(plan_view.shipped("en")["45"].title)
    lecturer.set_viewport_size(PHONE)
    rest(lecturer)
    found = Axe().run(lecturer, "[role=dialog]", options=NOT_OURS).response["violations"]
    assert not [fault["id"] for fault in found]


def test_a_presentation_is_copied_as_it_is_seen_and_any_other_link_without_what_is_ones_own(lecturer, serve):
    chapter = Learner(lecturer, f"{serve('app.py')}/guidance", "samples")
    chapter.open("guess=third&show=eight_scales&clock=0.5&plan=3")
    open_menu(lecturer)
    copy = lecturer.locator(".st-key-share").get_by_role("button", name=t("frame.share.copy"))
    links = []
    for _ in range(2):
        copy.click()
        expect(lecturer.locator(".st-key-share").get_by_text(t("frame.share.copied"))).to_be_visible()
        links.append(lecturer.evaluate("navigator.clipboard.readText()").split("?")[1])
        lecturer.get_by_label(t("frame.share.presented")).check()
    assert links == ["show=eight_scales&clock=0.5", "show=eight_scales&clock=0.5&predictions=false&present=true"]
