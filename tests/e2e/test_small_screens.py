"""A phone and a tablet: no page scrolls sideways, the whole player is in reach. Paper: light, with the link."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pages.ui.frame import chapters
from tests.e2e.learner import LONG, rest

SIZES = [(390, 844), (820, 1180)]
# How far the page can be scrolled sideways, and the player's controls that reach out of the window.
OUTSIDE = """() => {
    const wide = document.querySelector('.stMain').scrollWidth, shadows = [...document.querySelectorAll('*')];
    const roots = shadows.map(element => element.shadowRoot).filter(Boolean);
    const parts = [document, ...roots].flatMap(root => [...root.querySelectorAll('.stage .controls :is(button, input, select)')]);
    const outside = parts.map(part => part.getBoundingClientRect()).filter(({left, right}) => left < -1 || right > innerWidth + 1);
    return [Math.max(wide, document.scrollingElement.scrollWidth) - innerWidth, outside.length];
}"""  # noqa: E501


@pytest.mark.slow
@pytest.mark.parametrize("width, height", SIZES)
def test_no_page_scrolls_sideways_the_player_is_in_the_window_and_axe_finds_nothing(page: Page, serve, width, height):
    page.set_default_timeout(LONG)
    page.set_viewport_size({"width": width, "height": height})
    wrong = []
    for name in chapters.present():
        page.goto(f"{serve('app.py')}/{'' if name == 'home' else name}?predictions=false")
        rest(page, live=True)
        beyond, outside = page.evaluate(OUTSIDE)
        faults = [fault["id"] for fault in Axe().run(page).response["violations"]] if name == "guidance" else []
        if beyond > 0 or outside or faults:
            wrong.append((name, beyond, outside, faults))
    assert not wrong


@pytest.mark.slow
def test_a_printed_page_is_light_without_controls_and_ends_with_its_link(page: Page, serve):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{serve('app.py')}/guidance?predictions=false&show=eight_scales")
    expect(page.get_by_role("application")).to_be_visible(timeout=LONG)
    rest(page)
    shown = page.evaluate("__stage.samples.plots[0].w")
    printed = page.pdf(format="A4", print_background=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 4
    assert page.evaluate("__stage.samples.plots[0].w") == shown, "the picture is as it was before"
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    link = page.evaluate("getComputedStyle(document.querySelector('.stMainBlockContainer'), '::after').content")
    assert link.endswith('/guidance?show=eight_scales"')
    assert page.evaluate("getComputedStyle(document.querySelector('.stApp')).color") == "rgb(34, 34, 34)"
    assert not page.locator(".st-key-controls, .st-key-switches").filter(visible=True).count()
    assert page.evaluate("__stage.samples.plots.every(p => p.x + p.w <= 680)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
