"""The frame in a real browser: links, navigation, keyboard, what is above the fold."""

import re

from playwright.sync_api import Page, expect

from pages.ui.frame import shell
from pages.ui.frame.text import label, t
from tests.e2e.learner import Learner, box, open_menu, rest
from tests.e2e.learner import press as press_keys

APP = "tests/e2e/apps/shell.py"
RIGHT = t("frame.predict.right", answer="", why="").split("**")[1]


def visit(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    rest(page)


def slider(page: Page, label: str):
    return page.get_by_role("slider", name=label)


def press(page: Page, label: str, key: str, times: int = 1) -> None:
    press_keys(slider(page, label), *times * [key])


def go_to(page: Page, title: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)


def go_to_chapter(page: Page, name: str) -> None:
    """By the navigation, where a section of the lesson opens under its name."""
    section = next(section for section, names in shell.SECTIONS.items() if name in names)
    page.get_by_role("navigation").get_by_role("button", name=t(f"frame.sections.{section}")).click()
    page.get_by_test_id("stTopNavDropdownLink").filter(has_text=shell.title_of(name)).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(t(f"{name}.title"))


def test_a_deep_link_is_restored_as_the_first_request_of_a_fresh_server(page, serve):
    visit(page, serve("app.py", fresh=True) + "/vector_field?predictions=false&present=true&unheard=of")
    expect(page.get_by_role("heading", level=1)).to_contain_text("3")
    expect(page.get_by_test_id("stToast")).to_contain_text("unheard=of")
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/vector_field\?(?=.*predictions=false)(?=.*present=true)(?!.*unheard)"))


def test_controls_write_their_link_and_a_link_restores_them_for_another_visitor(page, serve):
    visit(page, serve(APP))
    page.locator(".st-key-_guess_there button").click()
    press(page, "Steps", "ArrowRight", 5)
    press(page, "Seed", "End")
    expect(page).to_have_url(re.compile(r"\?(?=.*guess=there)(?=.*steps=21)(?=.*seed=9)"))
    link = page.url.split("?")[1]
    page.context.clear_cookies()
    visit(page, f"{serve(APP)}/?{link}")
    expect(slider(page, "Steps")).to_have_value("21")
    expect(slider(page, "Seed")).to_have_value("9")
    expect(page.get_by_text(RIGHT)).to_be_visible()


def test_pages_keep_their_controls_apart_and_give_them_back(page, serve):
    visit(page, serve(APP) + "/?seed=7&guess=here&steps=20")
    go_to(page, "Second")
    expect(slider(page, "Seed")).to_have_value("50")
    expect(page).not_to_have_url(re.compile(r"steps|guess"))
    press(page, "Seed", "ArrowLeft")
    expect(page.get_by_text("second 49")).to_be_visible()
    go_to(page, "First")
    expect(slider(page, "Seed")).to_have_value("7")
    expect(page).to_have_url(re.compile(r"\?(?=.*guess=here)(?=.*steps=20)(?=.*seed=7)"))
    go_to(page, "Second")
    expect(slider(page, "Seed")).to_have_value("49")


def test_a_lecturers_choices_go_along_from_a_link_to_every_page(page, serve):
    visit(page, serve(APP) + "/?predictions=false")
    expect(slider(page, "Steps")).to_be_visible()
    go_to(page, "Second")
    expect(page).to_have_url(re.compile("predictions=false"))
    go_to(page, "First")
    expect(slider(page, "Steps")).to_be_visible()
    expect(page.get_by_text("Predict first.")).to_have_count(0)


def test_moved_controls_add_nothing_to_the_browsers_history(page, serve):
    visit(page, serve("app.py") + "/forward_noise?predictions=false")
    go_to_chapter(page, "vector_field")
    chapter = Learner(page, page.url, "field").arrived()
    entries = page.evaluate("history.length")
    chapter.clock.fill("40")
    expect(page).to_have_url(re.compile("clock=0.833"))
    press_keys(page.get_by_role("radio", name=label("views", "vp")), "Space")
    press_keys(page.locator(".st-key-density input"), "Space")
    expect(page).to_have_url(re.compile(r"\?(?=.*view=vp)(?=.*density=false)(?=.*clock=0.833)"))
    chapter.rests()
    assert page.evaluate("history.length") == entries and chapter.now("k") == 40
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text(t("forward_noise.title"))


def test_the_browsers_back_button_finds_the_page_as_it_was_left(page, serve):
    visit(page, serve(APP) + "/?seed=7")
    go_to(page, "Second")
    expect(slider(page, "Seed")).to_have_value("50")
    while "second" in page.url:
        place = page.evaluate("navigation.currentEntry.index")
        page.go_back()
        page.wait_for_function("place => navigation.currentEntry.index < place", arg=place)
        rest(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("First")
    expect(slider(page, "Seed")).to_have_value("7")


def test_presentation_hides_the_controls_on_every_page_and_leads_back(page, serve):
    visit(page, serve(APP))
    open_menu(page).get_by_text(t("frame.controls.present.label")).click()
    expect(slider(page, "Seed")).to_be_hidden()
    expect(page).to_have_url(re.compile("present=true"))
    open_menu(page).get_by_text(t("frame.controls.present.label")).click()
    expect(slider(page, "Seed")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present"))


def test_copy_link_leaves_out_the_visitors_own_run(page, serve):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, serve(APP) + "/?seed=7&run=mine&clock=0.4")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").split("?")[1] == "seed=7&clock=0.4"


def test_a_picture_of_560_pixels_and_its_controls_are_above_the_fold(page, serve):
    visit(page, serve(APP) + "/?guess=there&steps=20")
    picture, controls = (page.locator(f".st-key-{name}") for name in ("picture", "controls"))
    expect(picture.get_by_text("first 3")).to_be_visible()
    expect(page.get_by_text(RIGHT)).to_be_visible()
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        for part in (picture, controls):
            place = box(part)
            assert place["y"] + place["height"] <= height
        assert box(picture)["width"] > 0.65 * width


def test_the_frame_is_used_by_keyboard_alone(page, serve):
    visit(page, serve(APP))
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    reached = []
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML").lower())
        if page.evaluate("document.activeElement.innerText") == "here":
            break
    page.keyboard.press("ArrowDown")  # looks around and answers nothing
    expect(page.get_by_text("You predict:")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You predict: here")).to_be_visible()
    expect(slider(page, "Steps")).to_be_visible()
    assert any("skip to the picture" in element for element in reached)
    assert any("lecture" in element for element in reached)


def test_a_broken_page_shows_a_sentence_and_no_traceback_and_its_theme_follows_the_browser(page, serve):
    page.emulate_media(color_scheme="dark")
    visit(page, serve(APP) + "/second?broken=true")
    expect(page.get_by_text("Something on this page went wrong")).to_be_visible()
    assert "secret" not in page.content() and "Traceback" not in page.content()
    expect(page.locator(".stApp")).to_have_css("background-color", "rgb(16, 21, 31)")
    go_to(page, "First")
    expect(page.locator(".mark").first).to_have_css("color", "rgb(86, 180, 233)")
