"""Chapter 3 in a real browser: the clock, the probe, the keyboard, the address, and the file for a slide."""

import re

import pytest
from playwright.sync_api import Page, expect

PLACE = "predictions=false&show=one+place"


class Chapter:
    """The page of the vector field as a learner meets it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.canvas = page.get_by_role("application")
        self.clock = page.get_by_role("slider", name="σ", exact=True)
        self.table = page.get_by_role("table")

    def open(self, query: str) -> "Chapter":
        self.page.goto(f"{self.address}/vector_field?{query}")
        self.until("__stage.field.drawn")
        expect(self.page.get_by_text("Try this")).to_be_visible(timeout=60_000)  # the run is over
        return self

    def now(self, counter: str):
        return self.page.evaluate(f"__stage.field.{counter}")

    def until(self, condition: str) -> None:
        self.page.wait_for_function(f"globalThis.__stage?.field && ({condition})", timeout=60_000)

    def at(self, right: float, up: float) -> tuple[float, float]:
        """Page coordinates of a place on the first panel, in fractions of its plot."""
        plot, box = self.now("plots[0]"), self.canvas.bounding_box()
        return box["x"] + plot["x"] + right * plot["w"], box["y"] + plot["y"] + (1 - up) * plot["h"]


@pytest.fixture
def chapter(page: Page, serve) -> Chapter:
    return Chapter(page, serve("app.py"))


def test_scrubbing_through_the_noise_levels_makes_no_server_run(chapter):
    chapter.open("predictions=false")
    ticks = chapter.now("ticks")
    chapter.clock.fill("40")
    chapter.until("__stage.field.k === 40")
    expect(chapter.page).to_have_url(re.compile("clock=0.833"))
    assert chapter.now("ticks") == ticks


def test_a_dragged_probe_changes_the_numbers_and_the_address_and_keeps_the_clock(chapter):
    chapter.open(PLACE)
    before = chapter.table.inner_text()
    chapter.clock.fill("37")
    chapter.page.mouse.move(*chapter.at(0.5, 0.5))
    chapter.page.mouse.down()
    chapter.page.mouse.move(*chapter.at(0.25, 0.75), steps=4)
    chapter.page.mouse.up()
    expect(chapter.page).to_have_url(re.compile(r"probe=-0\.\d+%2C0\.\d+"), timeout=20_000)
    expect(chapter.table).not_to_have_text(before)
    expect(chapter.page).to_have_url(re.compile("clock=0.771"))
    assert chapter.now("k") == 37


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    chapter.open("")
    chapter.page.get_by_role("button", name="at small σ, where the detail is").focus()
    chapter.page.keyboard.press("Space")
    expect(chapter.page.get_by_text("You predict:")).to_be_visible(timeout=20_000)
    chapter.page.get_by_role("radio", name="one place").focus()
    chapter.page.keyboard.press("Space")
    expect(chapter.table).to_be_visible(timeout=20_000)
    chapter.canvas.focus()
    chapter.page.keyboard.press("End")
    chapter.page.keyboard.press("Shift+ArrowLeft")
    chapter.until("__stage.field.k === 48 && __stage.field.probe[0] < 0.7")
    expect(chapter.page).to_have_url(re.compile("probe="), timeout=20_000)


def test_a_link_restores_model_view_place_and_clock_on_a_fresh_server(page, serve):
    chapter = Chapter(page, serve("app.py", fresh=True))
    chapter.open(f"{PLACE}&model=Fourier+network&view=variance+preserving&probe=0.5,0.25&clock=0.5")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("Fourier network")
    expect(page.get_by_role("radio", name="variance preserving")).to_be_checked()
    assert chapter.now("k") == 24 and chapter.now("probe") == [0.5, 0.25]


def test_a_figure_for_a_slide_is_drawn_when_asked_for(chapter):
    chapter.open("predictions=false&file=pdf&slide=0.1")
    with chapter.page.expect_download(timeout=60_000) as download:
        chapter.page.get_by_test_id("stDownloadButton").get_by_role("button").click()
    assert download.value.suggested_filename == "field-0.1.pdf"
    assert download.value.path().read_bytes().startswith(b"%PDF")
