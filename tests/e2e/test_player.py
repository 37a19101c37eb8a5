"""The player in a real browser, on a page of its own without Streamlit: it moves, rests, listens and remembers.

What Python and Streamlit add to it, `test_stage.py` looks at.
"""

import base64
import re
import struct
import time
from pathlib import Path
from string import Template

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.figures.scene import Panel, Points
from pages.ui.frame.text import entry, t
from pages.ui.stage import standalone
from pages.ui.stage.packing import pack
from pages.ui.stage.source import source
from tests.e2e.learner import Learner, box, press, wait_frames
from tests.e2e.scene import FRAMES, scene

ADDRESS = "http://127.0.0.1/player"
# A page as Streamlit makes it: the player in a shadow root, told of data by `give`; what it tells Python is in `told`.
HTML = Template("""<!doctype html><html lang="en"><meta charset="utf-8"><title>A player</title>
<link rel="icon" href="data:,">
<style>$style body {font-family: var(--st-font); background: var(--st-background-color)}</style>
<div style="height: $above"></div><div class="scene"></div>
<script>$source
const parentElement = document.querySelector('.scene').attachShadow({mode: 'open'}), told = [];
const give = text => show({data: Uint8Array.from(atob(text), sign => sign.charCodeAt(0)), parentElement,
  setStateValue: (name, value) => told.push(value)});
give('$data');
</script>""")


class Player(Learner):
    """A learner at a page that holds nothing but a player."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, ADDRESS, "demo")
        self.turn = 0

    def open(self, query: str = "", case: str = "one", above: str = "0", **options: object) -> "Player":
        """Opens the page of a scene, ``above`` being the height of what stands over it."""
        html = HTML.substitute(
            style=standalone.style(font="data:,"), source=source(["en"]), above=above, data=self.data(case, **options)
        )
        self.page.route(f"{ADDRESS}?*", lambda route: route.fulfill(body=html, content_type="text/html"))
        return super().open(query)

    def data(self, case: str = "one", frames: int = FRAMES, seed: int = 2, **options: object) -> str:
        """What Python sends next: a scene and how it is shown."""
        self.turn += 1
        made = scene(case, frames, seed)
        packed = pack(
            made.panels, made.clock, key="demo", alt=made.alt, probe=made.probe, fps=made.fps, permalink=True,
            language="en", **options,
        )  # fmt: skip
        return base64.b64encode(packed + self.turn.to_bytes(8, "little")).decode()

    def give(self, **options: object) -> None:
        """Python sends new data."""
        self.page.evaluate("text => { give(text) }", self.data(**options))

    def told(self) -> list[list[float]]:
        """The places of the probe of which Python has heard."""
        return self.page.evaluate("told")


@pytest.fixture
def player(page: Page) -> Player:
    return Player(page)


def test_play_moves_the_clock_and_ends_at_the_last_frame(player, motion):
    player.open().page.get_by_role("button", name=t("frame.stage.play"), exact=True).click()
    player.until("!now.playing && now.k === 40")
    assert player.now("drawn") > 3


def test_the_clock_says_where_it_stands(player):
    player.open().clock.fill("25")
    player.until("now.k === 25")
    said = entry("frame.stage.clock").replace("%{value}", "σ = 0.0562").replace("%{frame}", "26")
    assert player.clock.get_attribute("aria-valuetext") == said.replace("%{frames}", "41")


def test_everything_can_be_done_from_the_keyboard(player, motion):
    player.open()
    for key, k in [("End", 40), ("ArrowLeft", 39), ("Home", 0), ("ArrowRight", 1), ("ArrowUp", 2)]:
        press(player.canvas, key)
        player.until(f"now.k === {k}")
    player.page.keyboard.press("+")
    player.until("now.zoom[0]?.scale > 1")
    player.page.keyboard.press("0")
    player.until("!now.zoom[0]")
    player.page.keyboard.press("Space")
    player.until("now.playing")
    player.page.keyboard.press("Space")
    player.until("!now.playing")
    player.page.keyboard.press("Shift+ArrowRight")
    player.page.wait_for_function("told.length")
    assert player.told() == [[pytest.approx(0.26, abs=0.01), 0.1]]


def test_the_focused_canvas_shows_it_and_says_what_it_shows(player):
    player.open().page.keyboard.press("Tab")
    expect(player.canvas).to_be_focused()
    assert player.canvas.evaluate("node => getComputedStyle(node).boxShadow") != "none"
    expect(player.canvas).to_have_accessible_name("Samples")
    expect(player.canvas).to_have_accessible_description(re.compile("^Noise turns into a spiral of three classes"))


def test_a_dragged_probe_tells_python_a_few_times_and_ends_where_it_was_dropped(player):
    (left, y), (right, _) = player.open().at(0.1, 0.5), player.at(0.9, 0.5)
    start = time.monotonic()
    player.page.mouse.move(left, y)
    player.page.mouse.down()
    for step in range(1, 41):
        player.page.mouse.move(left + (right - left) * step / 40, y)
    player.page.mouse.up()
    player.page.wait_for_function("told.at(-1)?.[0] > 0.95")
    assert len(player.told()) <= 2 + 4 * (time.monotonic() - start)
    assert player.told()[-1] == player.now("probe") and player.now("probe")[0] == pytest.approx(0.96, abs=0.01)


def test_a_clock_of_another_length_keeps_its_relative_position_and_its_end(player):
    player.open().clock.fill("20")
    player.give(frames=60)
    player.until("now.T === 60 && now.k === 30")
    player.clock.fill("59")
    player.give()
    player.until("now.T === 41 && now.k === 40")


def test_the_place_of_the_clock_and_that_of_a_link_outlast_a_stage_of_a_single_frame(player):
    player.open().clock.fill("30")
    player.give(frames=1)
    player.until("now.T === 1")
    player.give()
    player.until("now.T === 41 && now.k === 30")
    player.open("clock=0.5", frames=1)
    player.give()
    player.until("now.T === 41 && now.k === 20")


def test_a_changed_restart_puts_the_clock_back_to_its_start(player):
    player.open(restart="a").clock.fill("25")
    player.give(seed=3, restart="a")
    assert player.now("k") == 25
    player.give(seed=4, restart="b")
    assert player.now("k") == 0


def test_a_link_restores_the_clock_on_a_fresh_load_and_the_start_leaves_none(player):
    player.open("clock=0.75")
    assert player.now("k") == 30
    press(player.canvas, "Home")
    player.page.wait_for_url(lambda url: "clock" not in url)


@pytest.mark.parametrize("clock", ["banana", "7", "-1", "", "NaN"])
def test_a_nonsense_clock_in_the_address_is_ignored(player, clock):
    assert player.open(f"clock={clock}").now("k") == 0


def test_the_address_keeps_zoom_speed_and_loop_and_a_link_restores_them(player):
    press(player.open().canvas, "+", "+")
    player.page.get_by_role("combobox", name=entry("frame.stage.speed")).select_option("2")
    player.page.get_by_role("button", name=entry("frame.stage.loop"), exact=True).click()
    player.page.wait_for_url(re.compile(r"\?(?=.*zoom=0)(?=.*speed=2)(?=.*loop=true)"))
    player.page.reload()
    player.arrived()
    assert player.now("zoom[0].scale") == 1.563 and player.now("speed") == 2 and player.now("loop")
    press(player.canvas, "0")
    player.page.wait_for_url(lambda url: "zoom" not in url)


def test_who_copies_the_address_of_a_clock_that_runs_gets_the_frame_that_is_shown(player, motion):
    player.open().page.get_by_role("button", name=entry("frame.stage.play"), exact=True).click()
    player.until("now.playing && now.k > 1 && now.k < 30")
    player.page.evaluate("document.dispatchEvent(new Event('stage-address'))")
    assert "clock=0." in player.page.url


def test_autoplay_plays_and_yields_to_a_learner_who_wants_less_motion(player, motion):
    player.open(autoplay=True, loop=True)
    player.until("now.playing && now.k > 1")
    player.page.emulate_media(reduced_motion="reduce")
    player.page.goto(f"{ADDRESS}?")
    player.until("now.ready")
    wait_frames(player.page)
    assert not player.now("playing") and player.now("k") == 0


def test_with_reduced_motion_play_makes_a_few_slow_steps(player):
    player.page.emulate_media(reduced_motion="reduce")
    player.open().page.get_by_role("button", name=t("frame.stage.play"), exact=True).click()
    player.until("now.k >= 6")
    assert player.now("drawn") - 1 < player.now("k")  # more than one frame of the clock at a time


def test_a_stage_that_nobody_can_see_asks_for_no_frames(player, motion):
    player.open(above="3000px", autoplay=True, loop=True)
    player.until("now.ready && now.playing")
    wait_frames(player.page)  # by then the browser has found that it is out of view
    resting = player.now("frames")
    wait_frames(player.page, 30)
    assert player.now("frames") == resting
    player.canvas.scroll_into_view_if_needed()
    player.until(f"now.frames > {resting + 5}")


def test_the_wheel_scrolls_the_page_unless_the_learner_means_the_stage(player):
    player.open().page.mouse.move(*player.at(0.5, 0.5))
    player.page.evaluate("globalThis.wheels = 0; addEventListener('wheel', () => wheels++)")
    player.page.mouse.wheel(0, -100)
    player.page.wait_for_function("wheels === 1")
    wait_frames(player.page)
    assert player.now("zoom") == {}
    player.page.keyboard.down("Shift")
    player.page.mouse.wheel(0, -100)
    player.page.keyboard.up("Shift")
    player.until("now.zoom[0]?.scale > 1")
    player.page.get_by_role("button", name=t("frame.stage.whole")).click()
    player.until("!now.zoom[0]")


def test_shift_and_drag_moves_the_view_and_not_the_probe(player):
    probe = player.open().now("probe")
    player.page.mouse.move(*player.at(0.5, 0.5))
    player.page.keyboard.down("Shift")
    player.page.mouse.down()
    player.page.mouse.move(*player.at(0.7, 0.5))
    player.page.mouse.up()
    player.page.keyboard.up("Shift")
    player.until("now.zoom[0]?.x < 0.4")
    assert player.now("probe") == probe and not player.told()


def test_hovering_reads_values_without_moving_the_page(player):
    page = player.open(case="all").page
    place = [box(player.canvas), page.evaluate("document.documentElement.scrollHeight")]
    readings = {0: r"x −?[\d.]+ +y −?[\d.]+", 1: r"density [\d.]+", 2: r"network [\d.]+\nexact 0\.0600", 3: r"no\. \d"}
    for panel, text in readings.items():
        page.mouse.move(*player.at(0.3, 0.7, panel))
        expect(page.locator(".readout")).to_have_text(re.compile(text))
    assert [box(player.canvas), page.evaluate("document.documentElement.scrollHeight")] == place


def test_the_saved_picture_is_a_png_of_the_whole_stage_at_twice_the_size(player):
    with player.open().page.expect_download() as download:
        player.page.get_by_role("button", name=t("frame.stage.save")).click()
    saved = Path(download.value.path()).read_bytes()
    place = box(player.canvas)
    assert saved.startswith(b"\x89PNG\r\n\x1a\n") and download.value.suggested_filename == "demo-0.png"
    assert struct.unpack(">II", saved[16:24]) == (2 * round(place["width"]), 2 * round(place["height"]) + 60)


def test_the_whole_stage_fits_the_window_and_wraps_on_a_phone(player):
    player.open(case="all")
    assert box(player.canvas)["height"] <= 0.55 * 800
    tops = [plot["y"] for plot in player.now("plots")]
    assert max(tops) - min(tops) < 1
    player.page.set_viewport_size({"width": 400, "height": 800})
    player.until("new Set(now.plots.map(plot => Math.round(plot.y))).size > 1")
    widths = [plot["x"] + plot["w"] for plot in player.now("plots")]
    assert max(widths) <= box(player.canvas)["width"]


def test_a_late_clean_up_leaves_a_picture_standing_that_is_still_on_the_page(player):
    """Two updates in one moment: Streamlit then ends the first after the second has begun, on the same element."""
    left = player.open().page.evaluate(
        """bytes => {
            const parentElement = document.body.appendChild(document.createElement('div')), stands = [];
            const given = {data: Uint8Array.from(bytes), parentElement, setStateValue() {}};
            const ends = [show(given), show(given)];
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


def test_of_two_updates_in_the_wrong_order_the_newer_one_stands_and_later_ones_follow(player):
    """Both come while the browser still loads the player: it may then call for the second before the first."""
    shown = player.open().page.evaluate(
        """updates => {
            const parentElement = document.body.appendChild(document.createElement('div'));
            return updates.map(bytes => {
                show({data: Uint8Array.from(bytes), parentElement, setStateValue() {}});
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
