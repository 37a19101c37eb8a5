"""Chapter 1 in a real browser: the clock, the probe, the keyboard, and links."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import label, t
from tests.e2e.learner import Learner, box, press


class Chapter(Learner):
    """The page of forward noise as a learner meets it."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page, f"{address}/forward_noise", "forward")
        self.clock = page.get_by_role("slider", name="t", exact=True)

    def grey(self, right: float, down: float) -> int:
        """The brightness, 0 to 255, at a place of the second panel, in fractions of its plot."""
        read = """(canvas, [x, y]) => {
            const plot = __stage.forward.plots[1], at = [plot.x + x * plot.w, plot.y + y * plot.h];
            return canvas.getContext('2d').getImageData(...at.map(v => v * devicePixelRatio), 1, 1).data[0];
        }"""
        return self.canvas.evaluate(read, [right, down])


@pytest.fixture
def chapter(page: Page, serve) -> Chapter:
    return Chapter(page, serve("app.py"))


def test_the_walk_plays_without_a_server_run_and_dragging_the_image_moves_its_dot_and_its_squares(chapter, motion):
    chapter.open()
    ticks = chapter.now("ticks")
    chapter.page.get_by_role("button", name=t("frame.stage.play"), exact=True).click()
    chapter.until("now.playing && now.k > 5")
    chapter.clock.fill("70")
    chapter.until("!now.playing && now.k === 70")
    expect(chapter.page).to_have_url(re.compile("clock=0.7"))
    assert chapter.now("ticks") == ticks
    press(chapter.canvas, "Home")
    chapter.until("now.k === 0")
    assert chapter.grey(0.25, 0.2) > chapter.grey(0.75, 0.2)  # brighter on the left
    start, end = (((x + 2.9) / 5.8, (y + 2.9) / 5.8) for x, y in ((0.6, -0.4), (-0.95, 0.95)))  # the plot is 5.8 wide
    chapter.drag(start, end)
    expect(chapter.page.locator("[data-task=black_and_white].done")).to_be_visible()
    expect(chapter.page).to_have_url(re.compile(r"start=-0\.9\d*(,|%2C)0\.9"))
    assert chapter.grey(0.25, 0.2) < 20 and chapter.grey(0.75, 0.2) > 235


def test_a_student_without_a_mouse_predicts_jumps_and_moves_the_start(chapter):
    page = chapter.open().page
    press(page.get_by_role("radio", name=t("forward_noise.controls.show.options.two_pixels")), "ArrowRight", "Space")
    press(page.get_by_role("button", name=t("forward_noise.predict.guess.options.same")), "Space")
    press(page.get_by_role("switch", name=t("forward_noise.controls.jumps.label")), "Space")
    expect(page.locator(".message.success")).to_be_visible()
    ticks = chapter.rests().now("ticks")
    press(page.get_by_role("application"), "Shift+ArrowUp")
    chapter.until(f"now.ticks > {ticks}")
    expect(page).to_have_url(re.compile("start="))


def test_a_deep_link_is_restored(page: Page, serve):
    link = "show=dissolve&image=boot&data=moons&schedule=cosine&view=ve&seed=7&density=false&clock=0.4"
    chapter = Chapter(page, serve("app.py")).open(link)
    assert chapter.now("k") == 40
    expect(page.get_by_role("spinbutton", name=t("forward_noise.controls.seed.label"))).to_have_value("7")
    for part in ("seed=7", "image=boot", "clock=0.4"):
        expect(page).to_have_url(re.compile(part))
    expect(page.get_by_role("application")).to_have_attribute(
        "aria-label", re.compile(f"{label('data', 'moons')}.*784")
    )


def test_what_decides_in_a_scene_is_above_the_fold(chapter):
    page = chapter.open("guess=same&jumps=true").page
    for scene, parts in {
        "two_pixels": ("picture", "controls"),
        "walk_and_jump": ("picture", "predict_guess", "jumps"),
        "dissolve": ("picture", "controls"),
        "schedules": ("picture", "controls"),
        "two_views": ("picture", "controls"),
    }.items():
        if scene != "two_pixels":  # the page begins with it
            page.get_by_role("radio", name=t(f"forward_noise.controls.show.options.{scene}")).click()
            expect(page).to_have_url(re.compile(f"show={scene}"))
        for part in parts:
            place = box(page.locator(f".st-key-{part}"))
            assert place["y"] + place["height"] <= 800, (scene, part)
