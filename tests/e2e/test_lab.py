"""The lab in a real browser: the clock, the address, and the button that makes both sides equal."""

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner, press

BOTH = "predictions=false&awant=cat&bwant=cat&amodel=spiral-classes-weak&bw=3"
SCALE_B = t("lab.controls.bw.label")


@pytest.fixture
def lab(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/lab", "lab")


def test_scrubbing_makes_no_server_run_a_control_keeps_the_clock_and_the_keyboard_makes_b_equal_to_a(lab):
    page = lab.open(BOTH).page
    ticks = lab.now("ticks")
    lab.clock.fill("20")
    lab.until("now.k === 20")
    assert lab.now("ticks") == ticks
    page.get_by_role("spinbutton", name=t("lab.controls.bn.label")).fill("16")
    page.keyboard.press("Enter")
    expect(page.get_by_role("table")).to_contain_text("−32")
    assert lab.now("k") == 20
    press(page.get_by_role("button", name=t("lab.make_equal")), "Enter")
    calls = page.get_by_role("row", name=t("lab.metrics.calls"))
    expect(calls.get_by_role("cell").last).to_have_text("+0")
    expect(page.get_by_role("spinbutton", name=SCALE_B)).to_have_value("1")
