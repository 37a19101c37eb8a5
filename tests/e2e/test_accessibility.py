"""Every page in both themes has none of the faults that axe-core finds: contrast, names, order of headings, tables."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pages.ui.frame import shell
from pages.ui.frame.text import t
from tests.e2e.learner import LONG, rest


def violations(page: Page) -> list[str]:
    """Each fault and the elements that have it."""
    found = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else node['html'][:120]}"
            for fault in found for node in fault["nodes"]]  # fmt: skip


@pytest.mark.parametrize("scheme, query", [("light", ""), ("dark", "predictions=false")])
def test_no_page_has_a_violation(page: Page, serve, scheme: str, query: str):
    page.set_default_timeout(LONG)
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{serve('app.py')}/?{query}")
    found, titles = [], page.get_by_role("heading", level=1)
    for name in shell.present():
        if name != "home":  # on from page to page: only the first is loaded
            links = page.get_by_role("navigation") if name in shell.UNNUMBERED else page.locator(".st-key-switches")
            links.get_by_role("link", name=shell.title_of(name)).click()
        expect(titles).to_contain_text(t(f"{name}.title"))
        rest(page)
        found += [f"{name}: {fault}" for fault in violations(page)]
    assert not found
