"""Chapter 4 in a real browser: one clock, the noise left out, a particle clicked and stepped, links, the keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.ui.frame.text import label, t
from tests.e2e.learner import Learner, press

SHOWN = "predictions=false"
LEAVE_OUT, DECIDE = t("sampling.leave_noise_out"), t("frame.predict.decide")
ANSWER = t("sampling.predict.guess.options.near_middle")


@pytest.fixture
def chapter(page: Page, serve) -> Learner:
    return Learner(page, f"{serve('app.py')}/sampling", "sampling")


def test_one_clock_moves_all_panels_without_a_server_run_and_stays_when_a_sampler_changes(chapter):
    chapter.open(f"{SHOWN}&nb=16")
    ticks = chapter.now("ticks")
    chapter.clock.fill("30")
    chapter.until("now.k === 30")
    expect(chapter.page).to_have_url(re.compile("clock=0.625"))
    assert chapter.now("ticks") == ticks and len(chapter.now("plots")) == 2
    chapter.page.get_by_role("button", name=LEAVE_OUT).click()
    chapter.until(f"now.ticks > {ticks}")
    expect(chapter.page).to_have_url(re.compile("b=ddpm_no_noise"))
    assert chapter.now("k") == 30


def test_each_click_goes_over_to_the_particle_there_and_the_page_remembers_it(chapter):
    chapter.open(f"{SHOWN}&show=one_step&step=30")
    particle = chapter.page.get_by_role("spinbutton", name=t("sampling.controls.particle.label"))
    before = particle.input_value()
    for right, up in ((0.31, 0.69), (0.3, 0.7)):  # the second is near the particle that the first has found
        ticks = chapter.now("ticks")
        chapter.page.mouse.click(*chapter.at(right, up))
        place = chapter.now("probe")
        chapter.until(f"now.ticks > {ticks}")
        chapter.until(f"Math.hypot(...now.probe.map((v, i) => v - {place}[i])) > 0.01")
    expect(particle).not_to_have_value(before)
    chosen = particle.input_value()
    expect(chapter.page).to_have_url(re.compile(f"particle={chosen}(&|$)"))
    ticks = chapter.now("ticks")
    chapter.page.get_by_role("button", name=t("sampling.forward")).click()
    chapter.until(f"now.ticks > {ticks}")
    expect(chapter.page).to_have_url(re.compile("step=31"))
    expect(particle).to_have_value(chosen)


def test_a_term_in_the_small_print_of_a_step_stays_marked_at_the_next_step_and_opens_by_click_and_enter(chapter):
    chapter.open(f"{SHOWN}&show=one_step&a=heun&step=44")
    page = chapter.page
    term, entry = page.locator('[popovertarget="term-heun"]'), page.locator("#term-heun")
    for step in (45, 46):
        ticks = chapter.now("ticks")
        page.get_by_role("button", name=t("sampling.forward")).click()
        chapter.until(f"now.ticks > {ticks}")
        expect(page).to_have_url(re.compile(f"step={step}"))
        expect(page.get_by_test_id("stCaptionContainer").locator(term)).to_have_count(1)
        expect(entry).to_have_count(1)
    term.click()
    expect(entry).to_be_visible()
    page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
    press(term, "Enter")
    expect(entry).to_be_visible()


def test_the_page_can_be_used_from_the_keyboard_alone(chapter):
    chapter.open()
    press(chapter.page.get_by_role("button", name=ANSWER), "Space")
    press(chapter.page.get_by_role("button", name=DECIDE), "Enter")
    expect(chapter.page.locator(".message.success")).to_be_visible()
    press(chapter.canvas, "Home", "ArrowRight")
    chapter.until("now.k === 1")


def test_a_presentation_asks_above_the_picture_asks_again_and_keeps_the_answer_until_it_is_revealed(chapter):
    chapter.page.goto(f"{chapter.address}?present=true")
    chapter.page.get_by_role("button", name=ANSWER).click()
    expect(chapter.page.get_by_role("button", name=t("frame.predict.again"))).to_be_visible()
    chapter.page.get_by_role("button", name=DECIDE).click()
    kept = chapter.page.locator(".st-key-answers .reveal")
    expect(kept.locator("summary")).to_be_visible()
    expect(kept.locator("p").first).to_be_hidden()
    chapter.rests().page.keyboard.press("r")
    expect(kept.locator("p").first).to_be_visible()


def test_the_quality_table_comes_in_the_background_and_is_whole_at_last(chapter):
    chapter.page.goto(f"{chapter.address}?{SHOWN}&show=quality&model=exact")
    expect(chapter.page.locator("[data-task]").first).to_be_visible()
    # How far it is, is not asked: where the browser is slower than the sampling, nobody sees that.
    expect(chapter.page.get_by_role("cell", name=label("samplers", "sde"))).to_be_visible(timeout=120_000)
    expect(chapter.page.get_by_role("progressbar")).to_be_hidden()
    charts = chapter.page.get_by_test_id("stPlotlyChart")
    expect(charts).to_have_count(1)  # for a moment the growing one and the finished one
    expect(charts.first).to_be_visible()
