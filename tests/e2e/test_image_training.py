"""Chapter 10 in a real browser: digits trained live."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import t
from tests.e2e.learner import Learner, box


@pytest.fixture
def scene(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/image_models", "digits_live")


def sheet(scene: Learner) -> bytes:
    """The pixels of the sheet of samples."""
    canvas = box(scene.canvas)
    plot = scene.now("plots[0]")
    place = {"x": canvas["x"] + plot["x"], "y": canvas["y"] + plot["y"], "width": plot["w"], "height": plot["h"]}
    return scene.page.screenshot(clip=place)


def test_digits_trained_live_change_on_the_sheet_which_stays_where_it_is(scene):
    scene.open("predictions=false&show=train&train=live&net=fourier&seed=71")
    before, mounted = sheet(scene), scene.now("mounted")
    main, reset = (scene.page.locator(f".st-key-{key} button") for key in ("_main", "_reset"))
    main.click()
    scene.until(f"now.ticks > {scene.now('ticks') + 2}")
    standing = scene.page.locator(".st-key-picture p:has(strong)").first
    expect(standing).to_contain_text(re.compile(r"[1-9]"))
    expect(main).to_have_text(re.compile(t("runs.buttons.pause")))
    main.click()
    expect(main).to_have_text(re.compile(t("runs.buttons.resume")))
    scene.rests()
    assert sheet(scene) != before and scene.now("mounted") == mounted
    ticks = scene.now("ticks")
    scene.clock.fill("0")
    scene.until("now.k === 0")
    assert scene.now("ticks") == ticks
    reset.click()
    expect(main).to_have_text(re.compile(t("runs.buttons.train")))
