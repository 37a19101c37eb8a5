"""The export menu in a browser: what it saves, how it goes on beside a run, and the file that stands alone."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from pages.export import files, scenes
from tests.e2e.learner import Learner, box, rest
from tests.exports import is_mp4, is_svg

SHOWN = "guidance?show=beyond&clock=0.5"
# The picture of a stage, once it is drawn.
PIXELS = """key => {
    const found = [document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)]
        .flatMap(root => [...root.querySelectorAll('canvas')]);
    return found[0].toDataURL();
}"""


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
    opened.get_by_text("MP4", exact=True).click()
    rest(learner.page)
    make = opened.locator(".st-key-_export_make button")
    make.click()
    name, content = saved(learner.page, opened.get_by_role("button", name="guidance-beyond.mp4"))
    is_mp4(content, scene)
    learner.page.keyboard.press("Escape")
    expect(opened).to_have_count(0)


def test_the_menu_stays_open_while_a_run_draws_its_picture_anew(learner):
    learner.open("show=train_live&predictions=false", "training")
    page = learner.page
    page.locator("button", has_text="play_arrow").first.click()
    learner.until("now.ticks > 2")
    opened = menu(page)
    before = learner.now("ticks")
    learner.until(f"now.ticks > {before + 2}")
    name, content = saved(page, opened.get_by_role("button", name="guidance-train-live-f11.png"))
    assert name == "guidance-train-live-f11.png" and content.startswith(b"\x89PNG")
    page.keyboard.press("Escape")
    expect(opened).to_have_count(0)


def test_the_file_that_stands_alone_draws_the_pixels_of_the_app_and_asks_for_nothing(learner, tmp_path):
    learner.open("show=beyond&clock=0.5&predictions=false")
    page = learner.page
    size = page.viewport_size
    shown, width = page.evaluate(PIXELS), box(learner.canvas)["width"]
    link = scenes.read(SHOWN)
    options = files.Options(frame=10)
    file = tmp_path / "alone.html"
    file.write_bytes(files.file_of(scenes.scene_of(link), "html", options, scenes.formula_of(link.page, link.config)))
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": round(width) + 32, "height": size["height"]})
    page.goto(f"file://{file}")
    # As high as in the app, which is not the only thing on its page.
    page.add_style_tag(content="html{font-size:17px} .scene{--stage-part:initial}")
    page.evaluate("dispatchEvent(new Event('resize'))")
    page.wait_for_function(f"__stage.scene.k === 10 && ({PIXELS})() === '{shown}'")
    assert not violations(page)
    assert [url for url in asked if not url.startswith("data:")] == [f"file://{file}"]
