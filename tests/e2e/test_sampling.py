"""Chapter 4 in a real browser: one clock, the noise left out, a particle clicked and stepped, links, the keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.learner import Learner, press

SHOWN = "predictions=false"


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/sampling", "walks")


def test_one_clock_moves_all_panels_without_a_server_run_and_stays_when_a_sampler_changes(chapter):
    chapter.open(f"{SHOWN}&nb=16")
    ticks = chapter.now("ticks")
    chapter.clock.fill("30")
    chapter.until("now.k === 30")
    expect(chapter.page).to_have_url(re.compile("clock=0.625"))
    assert chapter.now("ticks") == ticks and len(chapter.now("plots")) == 2
    chapter.page.get_by_role("button", name="Leave DDPM's noise out").click()
    chapter.until(f"now.ticks > {ticks}")
    expect(chapter.page).to_have_url(re.compile(r"b=DDPM.*noise.left.out"))
    assert chapter.now("k") == 30


def test_two_panels_of_2000_particles_stay_within_the_budget_of_the_stage(chapter):
    chapter.open(SHOWN)
    assert chapter.now("bytes") < 1_000_000


def test_a_click_goes_over_to_the_particle_there_and_the_page_remembers_it(chapter):
    chapter.open(f"{SHOWN}&show=one+step&step=30", "one_step")
    particle = chapter.page.get_by_role("spinbutton", name="Particle")
    before = particle.input_value()
    chapter.page.mouse.click(*chapter.at(0.3, 0.7))
    expect(particle).not_to_have_value(before)
    chosen = particle.input_value()
    expect(chapter.page).to_have_url(re.compile(f"particle={chosen}(&|$)"))
    ticks = chapter.now("ticks")
    chapter.page.get_by_role("button", name="Forward").click()
    chapter.until(f"now.ticks > {ticks}")
    expect(chapter.page).to_have_url(re.compile("step=31"))
    expect(particle).to_have_value(chosen)


def test_the_crosshair_goes_to_the_particle_followed_after_each_click_near_it(chapter):
    chapter.open(f"{SHOWN}&show=one+step&step=30", "one_step")
    for right, up in ((0.3, 0.7), (0.31, 0.69)):
        ticks = chapter.now("ticks")
        chapter.page.mouse.click(*chapter.at(right, up))
        place = chapter.now("probe")
        chapter.until(f"now.ticks > {ticks}")
        chapter.until(f"Math.hypot(...now.probe.map((v, i) => v - {place}[i])) > 0.01")


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    chapter.open()
    press(chapter.page.get_by_role("button", name="to a few points near the middle"), "Space")
    press(chapter.page.get_by_role("button", name="Leave DDPM's noise out"), "Enter")
    expect(chapter.page.get_by_text("As you predicted:")).to_be_visible()
    press(chapter.canvas, "Home", "ArrowRight")
    chapter.until("now.k === 1")


def test_a_presentation_asks_beside_the_picture_asks_again_and_keeps_its_scenes_and_its_action(chapter):
    chapter.page.goto(f"{chapter.address}?present=true")
    chapter.page.get_by_role("button", name="to a few points near the middle").click()
    expect(chapter.page.get_by_role("radio", name="whose step")).to_be_visible()
    expect(chapter.page.get_by_role("button", name="Again")).to_be_visible()
    chapter.page.get_by_role("button", name="Leave DDPM's noise out").click()
    expect(chapter.page.get_by_text("As you predicted:")).to_be_visible()


def test_a_link_restores_samplers_steps_model_view_and_clock_on_a_fresh_server(page, serve):
    chapter = Learner(page, f"{serve('app.py', fresh=True)}/sampling", "walks")
    chapter.open(f"{SHOWN}&a=Heun&na=12&b=DDIM&nb=5&c=reverse-time+SDE&model=exact+denoiser"
                 "&view=variance+exploding&seed=7&clock=0.5")  # fmt: skip
    expect(page.get_by_role("combobox", name="Sampler A")).to_have_value("Heun")
    expect(page.get_by_role("spinbutton", name="Steps of B")).to_have_value("5")
    expect(page.get_by_role("radio", name="variance exploding")).to_be_checked()
    assert chapter.now("k") == 24 and len(chapter.now("plots")) == 3


def test_scores_come_in_the_background_and_all_are_there_at_last(chapter):
    chapter.page.goto(f"{chapter.address}?{SHOWN}&show=quality&model=exact+denoiser")
    expect(chapter.page.get_by_text("Try this")).to_be_visible()
    # How far it is, is not asked: where the browser is slower than the scores, nobody sees that.
    expect(chapter.page.get_by_role("cell", name="reverse-time SDE")).to_be_visible(timeout=120_000)
    expect(chapter.page.get_by_text("Sampling in the background")).to_be_hidden()
    expect(chapter.page.get_by_test_id("stPlotlyChart")).to_be_visible()
