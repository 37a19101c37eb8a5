"""The stage in a real browser: it moves, rests, listens and remembers, and the server hears only what it must."""

import re
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.figures.scene import Panel, Points
from pages.ui.frame.text import entry, t
from pages.ui.stage.packing import pack
from tests.e2e.learner import Learner, box, press, wait_frames

APP = "tests/e2e/apps/stage.py"


class Stage(Learner):
    """The stage of the mini app as a learner meets it."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page, f"{address}/", "demo")

    def open(self, query: str = "case=one", stage: str = "") -> "Stage":
        super().open(query, stage)
        expect(self.page.get_by_text(re.compile("^runs 1 "))).to_be_visible()
        return self

    def runs(self) -> int:
        return int(self.page.get_by_text(re.compile("^runs")).inner_text().split()[1])

    def set_gain(self, presses: int = 1) -> None:
        """A control of the page changes: the server runs and sends new data."""
        ticks = self.now("ticks")
        press(
            self.page.get_by_role("slider", name="gain"), *abs(presses) * ["ArrowRight" if presses > 0 else "ArrowLeft"]
        )
        self.until(f"now.ticks > {ticks}")


@pytest.fixture
def stage(page: Page, serve) -> Stage:
    return Stage(page, serve(APP)).open()


def test_play_moves_the_clock_and_ends_at_the_last_frame_without_a_server_run(stage, motion):
    stage.page.get_by_role("button", name=t("frame.stage.play"), exact=True).click()
    stage.until("!now.playing && now.k === 40")
    assert stage.now("drawn") > 3
    assert stage.runs() == 1 and stage.now("ticks") == 1


def test_scrubbing_shows_another_frame_and_makes_no_server_run(stage):
    stage.clock.fill("25")
    stage.until("now.k === 25")
    said = (
        entry("frame.stage.clock")
        .replace("%{value}", "σ = 0.0562")
        .replace("%{frame}", "26")
        .replace("%{frames}", "41")
    )
    assert stage.clock.get_attribute("aria-valuetext") == said
    assert stage.runs() == 1 and stage.now("ticks") == 1


def test_everything_can_be_done_from_the_keyboard(stage, motion):
    for key, k in [("End", 40), ("ArrowLeft", 39), ("Home", 0), ("ArrowRight", 1), ("ArrowUp", 2)]:
        press(stage.canvas, key)
        stage.until(f"now.k === {k}")
    stage.page.keyboard.press("+")
    stage.until("now.zoom[0]?.scale > 1")
    stage.page.keyboard.press("0")
    stage.until("!now.zoom[0]")
    stage.page.keyboard.press("Space")
    stage.until("now.playing")
    stage.page.keyboard.press("Space")
    stage.until("!now.playing")
    stage.page.keyboard.press("Shift+ArrowRight")
    expect(stage.page.get_by_text("probe (0.26, 0.1)")).to_be_visible()


def test_the_focused_canvas_shows_it_and_says_what_it_shows(stage):
    press(stage.page.get_by_role("slider", name="gain"), "Tab")
    expect(stage.canvas).to_be_focused()
    assert stage.canvas.evaluate("node => getComputedStyle(node).boxShadow") != "none"
    expect(stage.canvas).to_have_accessible_name("Samples")
    expect(stage.canvas).to_have_accessible_description(re.compile("^Noise turns into a spiral of three classes"))


def test_a_click_places_the_probe_and_python_hears_of_it(stage):
    stage.page.mouse.click(*stage.at(0.75, 0.25))
    expect(stage.page.get_by_text(re.compile(r"probe \(0\.(59|60?)\d*, -0\.(59|60?)\d*\)"))).to_be_visible()
    assert stage.runs() == 2


def test_a_dragged_probe_tells_python_a_few_times_and_ends_where_it_was_dropped(stage):
    (left, y), (right, _) = stage.at(0.1, 0.5), stage.at(0.9, 0.5)
    start = time.monotonic()
    stage.page.mouse.move(left, y)
    stage.page.mouse.down()
    for step in range(1, 41):
        stage.page.mouse.move(left + (right - left) * step / 40, y)
    stage.page.mouse.up()
    expect(stage.page.get_by_text(re.compile(r"probe \(0\.(95|96)\d*, "))).to_be_visible()
    assert stage.runs() <= 3 + 4 * (time.monotonic() - start)
    assert stage.now("probe")[0] == pytest.approx(0.96, abs=0.01)


def test_new_data_keep_clock_zoom_and_probe_and_never_blank(stage):
    stage.clock.fill("25")
    press(stage.canvas, "+")
    stage.page.mouse.click(*stage.at(0.5, 0.25))
    expect(stage.page.get_by_text("runs 2 ")).to_be_visible()
    before = {name: stage.now(name) for name in ("k", "zoom", "probe", "mounted")}
    stage.page.evaluate(BLANKS)
    stage.set_gain()
    wait_frames(stage.rests().page)
    assert {name: stage.now(name) for name in before} == before
    assert stage.page.evaluate("blanks") == 0


BLANKS = """() => {
  globalThis.blanks = 0;
  const canvas = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.querySelector('canvas');
  const look = () => {
    const middle = canvas.getContext('2d').getImageData(0, canvas.height / 2, canvas.width, 1).data;
    blanks += middle.every(value => value === 0);
    requestAnimationFrame(look);
  };
  look();
}"""


def test_a_clock_of_another_length_keeps_its_relative_position_and_its_end(stage):
    stage.clock.fill("20")
    stage.set_gain(7)
    stage.until("now.T === 60 && now.k === 30")
    stage.clock.fill("59")
    stage.set_gain(1)
    stage.until("now.T === 41 && now.k === 40")


def test_the_place_of_the_clock_and_that_of_a_link_outlast_a_stage_of_a_single_frame(stage, serve):
    stage.clock.fill("30")
    stage.set_gain(-2)
    stage.until("now.T === 1")
    stage.set_gain()
    stage.until("now.T === 41 && now.k === 30")
    stage.open("case=one&gain=0&clock=0.5")
    stage.set_gain()
    stage.until("now.T === 41 && now.k === 20")


def test_a_changed_restart_puts_the_clock_back_to_its_start(page, serve):
    stage = Stage(page, serve(APP)).open("case=pair")
    stage.clock.fill("25")
    stage.set_gain()
    assert stage.now("k") == 0


def test_the_address_keeps_the_clock_beside_the_page_s_own_controls(stage):
    stage.clock.fill("30")
    stage.clock.blur()
    stage.page.wait_for_url(re.compile(r"clock=0\.75"))
    stage.set_gain()
    stage.page.wait_for_url(re.compile(r"gain=3"))
    stage.page.mouse.click(*stage.at(0.5, 0.5))
    expect(stage.page.get_by_text("runs 3 ")).to_be_visible()
    stage.rests()
    expect(stage.page).to_have_url(re.compile(r"\?(?=.*case=one)(?=.*gain=3)(?=.*clock=0\.75)"))


def test_a_link_restores_the_clock_on_a_fresh_load_and_the_start_leaves_none(page, serve):
    stage = Stage(page, serve(APP)).open("case=one&clock=0.75")
    assert stage.now("k") == 30
    press(stage.canvas, "Home")
    stage.page.wait_for_url(lambda url: "clock" not in url)


def test_the_address_keeps_zoom_speed_and_loop_and_a_link_restores_them(stage):
    press(stage.canvas, "+", "+")
    stage.page.get_by_role("combobox", name=entry("frame.stage.speed")).select_option("2")
    stage.page.get_by_role("button", name=entry("frame.stage.loop"), exact=True).click()
    stage.page.wait_for_url(re.compile(r"\?(?=.*zoom=0)(?=.*speed=2)(?=.*loop=true)"))
    stage.page.reload()
    stage.arrived()
    assert stage.now("zoom[0].scale") == 1.563 and stage.now("speed") == 2 and stage.now("loop")
    press(stage.canvas, "0")
    stage.page.wait_for_url(lambda url: "zoom" not in url)


def test_who_copies_the_address_of_a_clock_that_runs_gets_the_frame_that_is_shown(stage, motion):
    stage.page.get_by_role("button", name=entry("frame.stage.play"), exact=True).click()
    stage.until("now.playing && now.k > 1 && now.k < 30")
    stage.page.evaluate("document.dispatchEvent(new Event('stage-address'))")
    assert "clock=0." in stage.page.url


@pytest.mark.parametrize("clock", ["banana", "7", "-1", "", "NaN"])
def test_a_nonsense_clock_in_the_address_is_ignored(page, serve, clock):
    assert Stage(page, serve(APP)).open(f"case=one&clock={clock}").now("k") == 0


def test_autoplay_plays_and_yields_to_a_learner_who_wants_less_motion(page, serve, motion):
    stage = Stage(page, serve(APP)).open("case=auto")
    stage.until("now.playing && now.k > 1")
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    stage.until("now.ready")
    wait_frames(page)
    assert not stage.now("playing") and stage.now("k") == 0


def test_with_reduced_motion_play_makes_a_few_slow_steps(page, serve):
    page.emulate_media(reduced_motion="reduce")
    stage = Stage(page, serve(APP)).open()
    page.get_by_role("button", name=t("frame.stage.play"), exact=True).click()
    stage.until("now.k >= 6")
    assert stage.now("drawn") - 1 < stage.now("k")  # more than one frame of the clock at a time


def test_a_stage_that_nobody_can_see_asks_for_no_frames(page, serve, motion):
    stage = Stage(page, serve(APP))
    page.goto(f"{stage.address}?case=far")
    stage.until("now.ready && now.playing")
    wait_frames(stage.rests().page)  # by then the browser has found that it is out of view
    resting = stage.now("frames")
    wait_frames(page, 30)
    assert stage.now("frames") == resting
    stage.canvas.scroll_into_view_if_needed()
    stage.until(f"now.frames > {resting + 5}")


def test_the_wheel_scrolls_the_page_unless_the_learner_means_the_stage(stage):
    stage.page.mouse.move(*stage.at(0.5, 0.5))
    stage.page.evaluate("globalThis.wheels = 0; addEventListener('wheel', () => wheels++)")
    stage.page.mouse.wheel(0, -100)
    stage.page.wait_for_function("wheels === 1")
    wait_frames(stage.page)
    assert stage.now("zoom") == {}
    stage.page.keyboard.down("Shift")
    stage.page.mouse.wheel(0, -100)
    stage.page.keyboard.up("Shift")
    stage.until("now.zoom[0]?.scale > 1")
    stage.page.get_by_role("button", name=t("frame.stage.whole")).click()
    stage.until("!now.zoom[0]")


def test_shift_and_drag_moves_the_view_and_not_the_probe(stage):
    probe = stage.now("probe")
    stage.page.mouse.move(*stage.at(0.5, 0.5))
    stage.page.keyboard.down("Shift")
    stage.page.mouse.down()
    stage.page.mouse.move(*stage.at(0.7, 0.5))
    stage.page.mouse.up()
    stage.page.keyboard.up("Shift")
    stage.until("now.zoom[0]?.x < 0.4")
    assert stage.now("probe") == probe and stage.runs() == 1


def test_hovering_reads_values_without_moving_the_page(page, serve):
    stage = Stage(page, serve(APP)).open("case=all")
    below = page.get_by_text(re.compile("^runs"))
    before = box(below)
    readings = {0: r"x −?[\d.]+ +y −?[\d.]+", 1: r"density [\d.]+", 2: r"network [\d.]+\nexact 0\.0600", 3: r"no\. \d"}
    for panel, text in readings.items():
        page.mouse.move(*stage.at(0.3, 0.7, panel))
        expect(page.locator(".readout")).to_have_text(re.compile(text))
    assert box(below) == before


def test_the_saved_picture_is_a_png_of_the_whole_stage_at_twice_the_size(stage):
    with stage.page.expect_download() as download:
        stage.page.get_by_role("button", name=t("frame.stage.save")).click()
    saved = Path(download.value.path()).read_bytes()
    place = box(stage.canvas)
    assert saved.startswith(b"\x89PNG\r\n\x1a\n") and download.value.suggested_filename == "demo-0.png"
    assert struct.unpack(">II", saved[16:24]) == (2 * round(place["width"]), 2 * round(place["height"]) + 60)


def test_a_change_of_theme_redraws_in_the_other_colours(stage):
    pixel = "c => [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]"
    looks = "c => getComputedStyle(c.closest('.stage')).color"
    light, ink = stage.canvas.evaluate(pixel), stage.canvas.evaluate(looks)
    drawn = stage.now("drawn")
    stage.page.emulate_media(color_scheme="dark")
    stage.until(f"now.drawn > {drawn}")
    assert stage.canvas.evaluate(looks) != ink and stage.canvas.evaluate(pixel) != light


def test_the_whole_stage_fits_the_window_and_wraps_on_a_phone(page, serve):
    stage = Stage(page, serve(APP)).open("case=all")
    assert box(stage.canvas)["height"] <= 0.55 * 800
    tops = [plot["y"] for plot in stage.now("plots")]
    assert max(tops) - min(tops) < 1
    page.set_viewport_size({"width": 400, "height": 800})
    stage.until("new Set(now.plots.map(plot => Math.round(plot.y))).size > 1")
    widths = [plot["x"] + plot["w"] for plot in stage.now("plots")]
    assert max(widths) <= box(stage.canvas)["width"]


def test_a_late_clean_up_leaves_a_picture_standing_that_is_still_on_the_page(stage):
    """Two updates in one moment: Streamlit then ends the first after the second has begun, on the same element."""
    left = stage.page.evaluate(
        """async bytes => {
            const engine = await Object.values(globalThis.__stageEngines)[0].promise;
            const parentElement = document.body.appendChild(document.createElement('div')), stands = [];
            const given = {data: Uint8Array.from(bytes), parentElement, setStateValue() {}};
            const ends = [engine(given), engine(given)];
            for (const there of [true, false]) {
                if (!there) parentElement.remove();
                ends.shift()();
                stands.push(!!parentElement.querySelector('.stage'));
            }
            return stands;
        }""",
        list(sent(frames=1, turn=1)),
    )
    assert left == [True, False]


def test_of_two_updates_in_the_wrong_order_the_newer_one_stands_and_later_ones_follow(stage):
    """Both come while the browser still loads the player: it may then call for the second before the first."""
    shown = stage.page.evaluate(
        """async updates => {
            const engine = await Object.values(globalThis.__stageEngines)[0].promise;
            const parentElement = document.body.appendChild(document.createElement('div'));
            return updates.map(bytes => {
                engine({data: Uint8Array.from(bytes), parentElement, setStateValue() {}});
                return __stage.late.T;
            });
        }""",
        [list(sent(frames, turn)) for frames, turn in [(5, 2), (1, 1), (5, 2), (9, 3)]],
    )
    assert shown == [5, 5, 5, 9]


def sent(frames: int, turn: int) -> bytes:
    """The bytes of a stage of that many frames, the ``turn``-th that Python sent."""
    data = pack([Panel("one", [Points(np.zeros((frames, 3, 2)))])], key="late", alt="three points", language="en")
    return data + turn.to_bytes(8, "little")
