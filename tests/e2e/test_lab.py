"""The lab in a real browser: the clock, the address, and the button that makes both sides equal."""

import pytest
from playwright.sync_api import Page, expect

BOTH = "predictions=false&awant=cat&bwant=cat&amodel=plain+network&bw=3"


@pytest.fixture
def lab(page: Page, serve):
    def open_lab(query: str, fresh: bool = False) -> Page:
        page.goto(f"{serve('app.py', fresh=fresh)}/lab?{query}")
        page.wait_for_function("globalThis.__stage?.lab?.drawn", timeout=60_000)
        expect(page.get_by_text("Try this")).to_be_visible(timeout=60_000)
        return page

    return open_lab


def test_a_link_restores_both_sides_on_a_fresh_server(lab):
    page = lab(f"{BOTH}&clock=0.5", fresh=True)
    expect(page.get_by_role("combobox", name="Model A")).to_have_value("plain network")
    expect(page.get_by_role("spinbutton", name="Guidance w B")).to_have_value("3")
    assert page.evaluate("__stage.lab.k") == 24


def test_scrubbing_makes_no_server_run_and_a_changed_control_keeps_the_clock(lab):
    page = lab(BOTH)
    ticks = page.evaluate("__stage.lab.ticks")
    page.get_by_role("slider", name="σ", exact=True).fill("20")
    page.wait_for_function("__stage.lab.k === 20")
    assert page.evaluate("__stage.lab.ticks") == ticks
    page.get_by_role("spinbutton", name="Steps B").fill("16")
    page.keyboard.press("Enter")
    expect(page.get_by_role("table")).to_contain_text("−32", timeout=30_000)
    assert page.evaluate("__stage.lab.k") == 20


def test_b_is_made_equal_to_a_by_the_keyboard(lab):
    page = lab(BOTH)
    page.get_by_role("button", name="Make B equal to A").focus()
    page.keyboard.press("Enter")
    calls = page.get_by_role("row", name="network calls")
    expect(calls.get_by_role("cell").last).to_have_text("+0", timeout=30_000)
    expect(page.get_by_role("spinbutton", name="Guidance w B")).to_have_value("1")
