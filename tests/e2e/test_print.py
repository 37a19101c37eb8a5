"""A page on paper: light, without controls, with its link."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.learner import LONG, rest


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
    rules = page.evaluate("[...document.styleSheets].flatMap(sheet => [...sheet.cssRules]).map(rule => rule.cssText)")
    assert sum("@bottom-left" in rule and "var(--link-parts)" in rule for rule in rules) == 1, "in the margin of each"
    link = page.evaluate("getComputedStyle(document.querySelector('.stMainBlockContainer'), '::after').content")
    assert link.endswith('/guidance?show=eight_scales"')
    assert page.evaluate("getComputedStyle(document.querySelector('.stApp')).color") == "rgb(34, 34, 34)"
    assert not page.locator(".st-key-controls, .st-key-switches").filter(visible=True).count()
    assert page.evaluate("__stage.samples.plots.every(p => p.x + p.w <= 680)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
