"""The export menu in a browser: what it saves, how it goes on beside a run, and the file that stands alone."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from pages.export import scenes
from pages.ui.frame.text import t
from tests.e2e.learner import Learner, rest, wait_frames
from tests.exports import differs, is_mp4, is_svg


@pytest.fixture
def learner(page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/guidance", "samples")


def menu(page: Page) -> Locator:
    """The menu, opened."""
    page.locator(".save").first.click()
    opened = page.get_by_role("dialog")
    expect(opened).to_be_visible()
    rest(page, live=True)
    return opened


def choose(opened: Locator, key: str, option: str) -> None:
    """Choose an option of a list of the menu."""
    opened.locator(f"[class*=st-key-{key}] input").click()
    opened.page.get_by_role("option", name=option).click()
    rest(opened.page)


def films(address: str) -> list[Path]:
    """The files that programs write films of a page into (Linux)."""
    programs = [read(file).split("\0") for file in Path("/proc").glob("[0-9]*/cmdline")]
    return [Path(given[-2]) for given in programs if any(each.startswith(f"comment={address}") for each in given)]


def read(file: Path) -> str:
    """A text that may be gone by now."""
    with suppress(OSError):
        return file.read_text("utf-8", "replace")
    return ""


def violations(page: Page) -> list[str]:
    """The faults that axe-core finds."""
    return [fault["id"] for fault in Axe().run(page).response["violations"]]


def saved(page: Page, button: Locator) -> tuple[str, bytes]:
    """The name and the bytes of what a button saves."""
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_the_menu_saves_what_is_shown_and_makes_a_film(learner):
    learner.open("show=beyond&clock=0.5&predictions=false")
    opened = menu(learner.page)
    assert not violations(learner.page)
    scene = scenes.scene_of(scenes.read(f"{learner.address}?show=beyond&clock=0.5"))
    opened.get_by_text("SVG", exact=True).click()
    rest(learner.page)
    name, content = saved(learner.page, opened.get_by_role("button", name="guidance-beyond-f11.svg"))
    is_svg(content, scene)
    assert name == "guidance-beyond-f11.svg"
    expect(opened).to_contain_text(t("frame.export.holds.still", frame=11, count=21))
    opened.get_by_text("MP4", exact=True).click()
    rest(learner.page)
    expect(opened).to_contain_text(t("frame.export.holds.all", count=21))
    make = opened.locator(".st-key-_export_make button")
    make.click()
    expect(opened.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("[1-9]"))
    under_way = films(learner.address)
    # By key: where the button moves while it is clicked, the click is one beside the menu, which closes it.
    opened.locator(".st-key-_export_cancel button").press("Enter")
    expect(make).to_be_visible()
    while films(learner.address):  # the program ends with the frame that it is at
        wait_frames(learner.page)
    assert len(under_way) == 1 and not under_way[0].parent.exists()
    choose(opened, "_export_width", "640 px")
    make.click()
    name, content = saved(learner.page, opened.get_by_role("button", name="guidance-beyond.mp4"))
    is_mp4(content, scene)
    learner.page.keyboard.press("Escape")
    expect(opened).to_have_count(0)


def test_the_menu_stays_open_while_a_run_draws_its_picture_anew(learner):
    learner.open("show=train_live&predictions=false", "training")
    page = learner.page
    run = page.locator(".st-key-_main button")
    run.click()
    learner.until("now.ticks > 2")
    opened = menu(page)
    before = learner.now("ticks")
    learner.until(f"now.ticks > {before + 2}")
    name, content = saved(page, opened.get_by_role("button", name="guidance-train-live-f11.png"))
    assert name == "guidance-train-live-f11.png" and content.startswith(b"\x89PNG")
    page.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    run.click()  # a run that goes on takes the processor from the tests that follow
    expect(run).to_have_text(re.compile(t("runs.buttons.resume")))


def test_the_file_that_stands_alone_draws_the_pixels_of_the_app_and_asks_for_nothing(page, window, serve):
    alone, asked = window(1).new_page(), []
    alone.on("request", lambda request: asked.append(request.url))
    assert differs(page, alone, serve("app.py"), "guidance?show=beyond&clock=0.5") == ""
    assert not violations(alone)
    assert [url[:5] for url in asked if not url.startswith("data:")] == ["file:"]
    alone.close()
