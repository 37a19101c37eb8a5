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


@pytest.mark.parametrize("name", shell.present())
def test_a_page_has_no_violation(page: Page, serve, name: str):
    page.set_default_timeout(LONG)
    found = []
    for scheme, query in (("light", ""), ("dark", "predictions=false")):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{serve('app.py')}/{'' if name == 'home' else name}?{query}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("button", name=t("frame.copy_link.label"))).to_be_visible()
        rest(page)
        found += [f"{scheme} ?{query} {fault}" for fault in violations(page)]
    assert not found
