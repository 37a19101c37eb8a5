"""Chapter 4 in a real browser: one clock, the noise left out, a particle clicked and stepped, links, the keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

SHOWN = "predictions=false"


class Chapter:
    """The page of the samplers as a learner meets it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.canvas = page.get_by_role("application")
        self.clock = page.get_by_role("slider", name="σ", exact=True)
        self.particle = page.get_by_role("spinbutton", name="Particle")

    def open(self, query: str, stage: str = "walks") -> "Chapter":
        self.page.goto(f"{self.address}/sampling?{query}")
        self.until(f"__stage.{stage}.drawn", stage)
        expect(self.page.get_by_text("Try this")).to_be_visible(timeout=60_000)  # the run is over
        return self

    def now(self, counter: str, stage: str = "walks"):
        return self.page.evaluate(f"__stage.{stage}.{counter}")

    def until(self, condition: str, stage: str = "walks") -> None:
        self.page.wait_for_function(f"globalThis.__stage?.{stage} && ({condition})", timeout=60_000)


@pytest.fixture
def chapter(page: Page, serve) -> Chapter:
    return Chapter(page, serve("app.py"))


def test_one_clock_moves_all_panels_without_a_server_run_and_stays_when_a_sampler_changes(chapter):
    chapter.open(f"{SHOWN}&nb=16")
    ticks = chapter.now("ticks")
    chapter.clock.fill("30")
    chapter.until("__stage.walks.k === 30")
    expect(chapter.page).to_have_url(re.compile("clock=0.625"))
    assert chapter.now("ticks") == ticks and len(chapter.now("plots")) == 2
    chapter.page.get_by_role("button", name="Leave DDPM's noise out").click()
    chapter.until(f"__stage.walks.ticks > {ticks}")
    expect(chapter.page).to_have_url(re.compile(r"b=DDPM.*noise.left.out"), timeout=20_000)
    assert chapter.now("k") == 30


def test_two_panels_of_2000_particles_stay_within_the_budget_of_the_stage(chapter):
    chapter.open(SHOWN)
    assert chapter.now("bytes") < 1_000_000


def test_a_click_goes_over_to_the_particle_there_and_the_page_remembers_it(chapter):
    chapter.open(f"{SHOWN}&show=one+step&step=30", "one_step")
    before = chapter.particle.input_value()
    plot, box = chapter.now("plots[0]", "one_step"), chapter.canvas.bounding_box()
    chapter.page.mouse.click(box["x"] + plot["x"] + 0.3 * plot["w"], box["y"] + plot["y"] + 0.3 * plot["h"])
    expect(chapter.particle).not_to_have_value(before, timeout=20_000)
    chosen = chapter.particle.input_value()
    expect(chapter.page).to_have_url(re.compile(f"particle={chosen}(&|$)"), timeout=20_000)
    ticks = chapter.now("ticks", "one_step")
    chapter.page.get_by_role("button", name="Forward").click()
    chapter.until(f"__stage.one_step.ticks > {ticks}", "one_step")
    expect(chapter.page).to_have_url(re.compile("step=31"), timeout=20_000)
    expect(chapter.particle).to_have_value(chosen)


def test_the_crosshair_goes_to_the_particle_followed_after_each_click_near_it(chapter):
    chapter.open(f"{SHOWN}&show=one+step&step=30", "one_step")
    plot, box = chapter.now("plots[0]", "one_step"), chapter.canvas.bounding_box()
    for part in (0.3, 0.31):
        clicked = box["x"] + plot["x"] + part * plot["w"], box["y"] + plot["y"] + part * plot["h"]
        ticks = chapter.now("ticks", "one_step")
        chapter.page.mouse.click(*clicked)
        place = chapter.now("probe", "one_step")
        chapter.until(f"__stage.one_step.ticks > {ticks}", "one_step")
        chapter.until(f"Math.hypot(...__stage.one_step.probe.map((v, i) => v - {place}[i])) > 0.01", "one_step")


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    chapter.open("")
    chapter.page.get_by_role("button", name="to a few points near the middle").focus()
    chapter.page.keyboard.press("Space")
    leave_out = chapter.page.get_by_role("button", name="Leave DDPM's noise out")
    expect(leave_out).to_be_visible(timeout=20_000)
    leave_out.focus()
    chapter.page.keyboard.press("Enter")
    expect(chapter.page.get_by_text("As you predicted:")).to_be_visible(timeout=20_000)
    chapter.canvas.focus()
    chapter.page.keyboard.press("Home")
    chapter.page.keyboard.press("ArrowRight")
    chapter.until("__stage.walks.k === 1")


def test_a_presentation_asks_beside_the_picture_and_keeps_its_scenes_and_its_action(chapter):
    chapter.page.goto(f"{chapter.address}/sampling?present=true")
    chapter.page.get_by_role("button", name="to a few points near the middle").click()
    expect(chapter.page.get_by_role("radio", name="whose step")).to_be_visible(timeout=20_000)
    chapter.page.get_by_role("button", name="Leave DDPM's noise out").click()
    expect(chapter.page.get_by_text("As you predicted:")).to_be_visible(timeout=20_000)


def test_a_link_restores_samplers_steps_model_view_and_clock_on_a_fresh_server(page, serve):
    chapter = Chapter(page, serve("app.py", fresh=True))
    chapter.open(f"{SHOWN}&a=Heun&na=12&b=DDIM&nb=5&c=reverse-time+SDE&model=exact+denoiser"
                 "&view=variance+exploding&seed=7&clock=0.5")  # fmt: skip
    expect(page.get_by_role("combobox", name="Sampler A")).to_have_value("Heun")
    expect(page.get_by_role("spinbutton", name="Steps of B")).to_have_value("5")
    expect(page.get_by_role("radio", name="variance exploding")).to_be_checked()
    assert chapter.now("k") == 24 and len(chapter.now("plots")) == 3


def test_scores_come_in_the_background_while_the_page_is_used(chapter):
    chapter.page.goto(f"{chapter.address}/sampling?{SHOWN}&show=quality&model=exact+denoiser")
    expect(chapter.page.get_by_text("Sampling in the background")).to_be_visible(timeout=60_000)
    expect(chapter.page.get_by_text("Try this")).to_be_visible(timeout=20_000)
    expect(chapter.page.get_by_text("Sampling in the background")).to_be_hidden(timeout=120_000)
    expect(chapter.page.get_by_test_id("stPlotlyChart")).to_be_visible()
    expect(chapter.page.get_by_role("cell", name="reverse-time SDE")).to_be_visible()
