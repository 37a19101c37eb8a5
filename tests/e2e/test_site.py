"""The static site of two pages, opened from disk: no server, no request, no error, and all of it by keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pages.site.__main__ import main
from tests.site import serving

STANDS = "() => Object.values(globalThis.__stage ?? {}).some(stage => stage.mounted && stage.drawn)"
CLOCK = "() => Object.values(__stage).find(stage => stage.mounted).k"
INSIDE = ("file:", "data:", "blob:", "http://127.0.0.1:")


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    main([str(folder), "--pages", "home", "forward_noise"])
    return folder


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The address of the site on a web server of plain files."""
    with serving(site) as address:
        yield address


@pytest.fixture
def reader(page: Page) -> Page:
    page.on("request", lambda request: request.url.startswith(INSIDE) or page.problems.append(request.url))
    return page


def visit(page: Page, site: Path | str, address: str) -> None:
    page.goto(f"{site if isinstance(site, str) else site.as_uri()}/{address}")
    page.wait_for_function(STANDS)


def test_a_question_answers_and_shows_the_run_that_decides(reader: Page, site: Path):
    visit(reader, site, "en/home.html")
    reader.locator("[data-answer=other_shape]").click()
    card = reader.locator("[data-option=other_shape]")
    expect(card.locator(".message.info")).to_be_visible()
    expect(reader.locator(".view[data-state=decided]")).to_be_visible()
    reader.reload()
    expect(card).to_be_visible()
    card.locator("[data-again]").click()
    reader.locator("[data-answer=other_points]").click()
    expect(reader.locator("[data-option=other_points] .message.success")).to_be_visible()
    assert "guess" not in reader.url


def test_an_address_opens_a_scene_at_its_clock_says_what_it_cannot_and_the_language_keeps_it(reader: Page, served: str):
    visit(reader, served, "en/forward_noise.html#show=dissolve&clock=0.5&steps=100")
    assert reader.evaluate(CLOCK) == 50
    expect(reader.locator("[data-settings]")).to_be_hidden()
    reader.evaluate("location.hash = 'show=dissolve&clock=0.5&steps=20'")
    expect(reader.locator("[data-settings]")).to_be_visible()
    reader.locator("[data-language]").click()
    reader.wait_for_function(STANDS)
    assert reader.url.endswith("zh/forward_noise.html#show=dissolve&clock=0.5&steps=20")
    assert reader.evaluate("document.documentElement.lang") == "zh" and reader.evaluate(CLOCK) == 50


def test_keys_turn_scenes_and_pages_and_move_the_picture(reader: Page, site: Path):
    visit(reader, site, "en/forward_noise.html#show=schedules")
    before = reader.evaluate(CLOCK)
    reader.locator("canvas").press("ArrowRight")
    reader.wait_for_function(f"before => ({CLOCK})() === before + 1", arg=before)
    reader.keyboard.press("PageDown")
    expect(reader.locator("[data-show=two_views]")).to_have_attribute("aria-current", "true")
    assert "clock" not in reader.url
    visit(reader, site, "en/forward_noise.html")
    reader.keyboard.press("PageUp")
    expect(reader).to_have_url(f"{site.as_uri()}/en/home.html")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_has_no_fault_on_a_phone(reader: Page, site: Path, theme: str):
    reader.emulate_media(color_scheme=theme)
    reader.set_viewport_size({"width": 390, "height": 844})
    visit(reader, site, "zh/home.html")
    assert reader.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert reader.locator("h1").evaluate("title => title.getBoundingClientRect().x") > 8, "no room beside the text"
    # It would read the style sheet again, which a page on a disk may not.
    assert not Axe().run(reader, options={"preload": False}).response["violations"]
