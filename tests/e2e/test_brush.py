"""The brush in a real browser: strokes by pointer and keyboard reach Python, can be undone, and travel in a link."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import box, press

APP = "tests/e2e/apps/brush.py"


@pytest.fixture
def canvas(page: Page, serve) -> Locator:
    page.goto(serve(APP))
    canvas = page.get_by_role("application", name=t("widgets.brush.label"))
    expect(page.get_by_text("runs 1 strokes 0")).to_be_visible()
    expect(canvas).to_be_visible()
    return canvas


def drag(canvas: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    at, mouse = box(canvas), canvas.page.mouse
    places = [(at["x"] + x * at["width"], at["y"] + (1 - y) * at["height"]) for x, y in (start, end)]
    mouse.move(*places[0])
    mouse.down()
    mouse.move(*places[1], steps=12)
    mouse.up()


def test_a_stroke_reaches_python_at_its_end_and_survives_a_rerun(canvas):
    drag(canvas, (0.25, 0.25), (0.75, 0.75))
    expect(canvas.page.get_by_text("runs 2 strokes 1")).to_be_visible()
    canvas.page.get_by_role("button", name="again").click()
    expect(canvas.page.get_by_text("runs 3 strokes 1")).to_be_visible()
    expect(canvas.page.get_by_text(t("widgets.brush.lines", count=1), exact=True)).to_be_visible()


def test_undo_takes_the_last_stroke_back_and_clear_takes_all(canvas):
    drag(canvas, (0.2, 0.2), (0.8, 0.2))
    drag(canvas, (0.2, 0.4), (0.8, 0.4))
    drag(canvas, (0.2, 0.6), (0.8, 0.6))
    expect(canvas.page.get_by_text("strokes 3")).to_be_visible()
    canvas.page.get_by_role("button", name=t("widgets.brush.undo")).click()
    expect(canvas.page.get_by_text("strokes 2")).to_be_visible()
    canvas.page.get_by_role("button", name=t("widgets.brush.clear")).click()
    expect(canvas.page.get_by_text("strokes 0")).to_be_visible()
    expect(canvas.page.get_by_role("button", name=t("widgets.brush.undo"))).to_be_disabled()


def test_a_drawing_can_be_made_from_the_keyboard_alone(canvas):
    press(canvas, "Space", "Shift+ArrowRight", "Space", "Shift+ArrowUp", "Space", "Enter")
    expect(canvas.page.get_by_text("strokes 1")).to_be_visible()
    press(canvas, "Backspace")
    expect(canvas.page.get_by_text("strokes 0")).to_be_visible()


def test_a_drawing_is_in_the_address(canvas, serve):
    drag(canvas, (0.1, 0.9), (0.9, 0.1))
    expect(canvas.page.get_by_text("strokes 1")).to_be_visible()
    text = canvas.page.locator("code").inner_text()
    assert re.fullmatch(r"[A-Za-z0-9._-]{6,}", text)
    canvas.page.goto(f"{serve(APP)}/?drawing={text}")
    expect(canvas.page.get_by_text("runs 1 strokes 1")).to_be_visible()
    expect(canvas.page.get_by_text(t("widgets.brush.lines", count=1), exact=True)).to_be_visible()


def test_a_finger_draws_too(browser, serve):
    context = browser.new_context(viewport={"width": 400, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto(serve(APP))
    page.get_by_role("application").tap(position={"x": 60, "y": 60})
    expect(page.get_by_text("strokes 1")).to_be_visible()
    context.close()
