"""Chapter 2 in a real browser: a run seen live, left and found again, linked, shared, saved, begun without a mouse."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from core.runs import live_runs
from pages.ui.frame import shell, text
from pages.ui.frame.text import t
from pages.ui.runs import earlier_runs
from tests.e2e.conftest import watch
from tests.e2e.learner import OFTEN, Learner, box, press
from tests.serving import serving

FINGERPRINT = """([canvas, panel]) => {
    const {x, y, w, h} = __stage.training.plots[panel], ratio = devicePixelRatio;
    const pixels = canvas.getContext('2d').getImageData(x * ratio, y * ratio, w * ratio, h * ratio).data;
    return pixels.reduce((hash, value) => (hash * 31 + value) | 0, 0);
}"""
STEP = re.escape(t("runs.standing.step", step=0)).replace("0", r"([\d,]+)")
STEP_BEYOND = """([pattern, step]) => {
    const shown = new RegExp(pattern).exec(document.querySelector('.st-key-picture')?.innerText ?? '');
    return shown && +shown[1].replaceAll(',', '') > step;
}"""
COLOURS = """button => {
    const [text, paper] = [button.querySelector('p'), document.querySelector('.stApp')];
    return [getComputedStyle(text).color, getComputedStyle(paper).backgroundColor];
}"""
GUESS = "guess=extent_first"


class Trainer(Learner):
    """Somebody at the chapter of training, in a browser of their own."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page, f"{address}/training", "training")
        self.sent: list[str | bytes] = []  # what the browser tells the server
        page.on("websocket", lambda channel: channel.on("framesent", lambda data: self.sent.append(data)))
        self.canvas = page.get_by_role("application", name=re.compile(re.escape(t("training.panels.cloud"))))
        self.main, self.reset = self.button("_main"), self.button("_reset")
        self.standing = page.locator(".st-key-picture p:has(strong)").first  # how the run stands

    def button(self, key: str) -> Locator:
        return self.page.locator(f".st-key-{key} button")

    def says(self, key: str, **values: object) -> None:
        """Waits until the line on how the run stands holds a sentence of the catalogue."""
        # As it is seen: without the explanations of its terms.
        expect(self.standing).to_contain_text(t(f"runs.{key}", **values).replace("*", ""), use_inner_text=True)

    def train(self) -> "Trainer":
        self.main.click()
        self.says("status.running")
        return self

    def pause(self) -> int:
        """Hold the run; the step at which it stands."""
        self.main.click()
        self.says("status.paused")
        self.rests()
        return self.step()

    def step(self) -> int:
        return int(re.search(STEP, self.standing.inner_text())[1].replace(",", ""))

    def trains_beyond(self, step: int) -> int:
        """Waits until the page shows a later step; which."""
        self.page.wait_for_function(STEP_BEYOND, arg=[STEP, step], polling=OFTEN)
        return self.step()

    def seen(self, panel: int) -> int:
        """A number that changes with the pixels of a panel's plot; of the layout at rest, while a run may go on."""
        self.rests(live=True)
        return self.page.evaluate(FINGERPRINT, [self.canvas.element_handle(), panel])

    def changes(self, panel: int, seen: int) -> None:
        """Waits until a panel's plot is no longer as it was seen."""
        changed = f"([canvas, panel, seen]) => ({FINGERPRINT})([canvas, panel]) !== seen"
        self.page.wait_for_function(changed, arg=[self.canvas.element_handle(), panel, seen], polling=OFTEN)

    def parameters(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)

    def is_in_the_address(self, part: str) -> None:
        expect(self.page).to_have_url(re.compile(part))

    def tab_to(self, target: Locator) -> None:
        for _ in range(80):
            if target.count() and target.evaluate("element => element === element.getRootNode().activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the tab key does not reach {target}")


@pytest.fixture
def meet(window, serve) -> Iterator[Callable[..., Trainer]]:
    """``meet(query)`` is another learner at the chapter, in a browser of their own. Their runs end with the test."""
    learners: list[Trainer] = []
    problems: list[str] = []

    def new(query: str, address: str | None = None) -> Trainer:
        page = window(len(learners)).new_page()
        watch(page, problems)
        learners.append(Trainer(page, address or serve("app.py")))
        return learners[-1].open(query)

    yield new
    for learner in learners:
        if learner.reset.count() and learner.reset.is_enabled():
            learner.reset.click()
            expect(learner.main).to_have_text(re.compile(t("runs.buttons.train")))
        learner.page.close()
    assert not problems, f"the pages had problems: {problems}"


def test_training_shows_new_samples_and_losses_above_the_fold_and_leaves_the_clock_to_the_learner(meet):
    learner = meet(f"{GUESS}&seed=101")
    press(learner.canvas, "+")
    learner.clock.fill("7")
    learner.train()
    ticks, zoom, samples, losses = learner.now("ticks"), learner.now("zoom"), learner.seen(0), learner.seen(1)
    learner.until(f"now.ticks > {ticks + 2}")
    learner.changes(0, samples)
    learner.changes(1, losses)
    assert learner.now("k") == 7 and learner.now("zoom") == zoom and zoom["0"]["scale"] > 1
    learner.clock.fill("5")
    learner.trains_beyond(learner.step())
    assert learner.now("k") == 5
    learner.is_in_the_address("clock=0.5")
    for width, height in [(1280, 800), (1920, 1080)]:
        learner.page.set_viewport_size({"width": width, "height": height})
        learner.until(f"now.plots[0].h > {height} / 3")
        for part in (learner.canvas, learner.page.locator(".stage .controls")):
            place = box(part, live=True)
            assert place["y"] >= 0 and place["y"] + place["height"] <= height
    learner.sent.clear()
    learner.pause()
    assert learner.sent  # a press is heard here
    says_nothing_when_scrubbed(learner)


def says_nothing_when_scrubbed(learner: Trainer) -> None:
    """The clock of a run that is held is the browser's alone."""
    learner.sent.clear()
    ticks = learner.now("ticks")
    for frame in range(10):
        learner.clock.fill(str(frame))
        learner.until(f"now.k === {frame}")
    learner.is_in_the_address("clock=0.9")
    assert not learner.sent and learner.now("ticks") == ticks


def test_another_chapter_and_back_and_a_reload_find_the_run_going_on(meet):
    learner = meet(f"{GUESS}&seed=104").train()
    before, run = learner.trains_beyond(1), learner.parameters()["run"]
    chapters = learner.page.locator(".st-key-switches")
    chapters.get_by_role("link", name=shell.title_of("forward_noise")).click()
    expect(learner.page.get_by_role("heading", level=1)).to_contain_text(re.compile("^1"))
    assert "run" not in learner.parameters()
    chapters.get_by_role("link", name=shell.title_of("training")).click()
    learner.says("status.running")
    before = learner.trains_beyond(before)
    learner.page.reload()
    learner.arrived(live=True).says("status.running")
    learner.trains_beyond(before)
    assert learner.parameters()["run"] == run
    seen_by_two = t("runs.standing.viewers", viewers=2)
    expect(learner.standing).not_to_contain_text(seen_by_two, use_inner_text=True)  # who reloads is no second one


def test_a_killed_server_is_said_and_its_successor_finds_all_again_and_saves_the_run_at_its_end(page):
    kept, lost = re.escape(t("frame.stored.kept", name="points.csv")), page.get_by_role("alert")
    with serving("app.py") as first:
        learner = Trainer(page, first.address).open("data=csv&seed=7")
        page.locator(".st-key-_guess_extent_first button").click()
        rows = "".join(f"{number},{number * number % 11}\n" for number in range(60)).encode()
        page.locator("input[type=file]").first.set_input_files(
            {"name": "points.csv", "mimeType": "text/csv", "buffer": rows}
        )
        expect(page.get_by_text(re.compile(kept))).to_be_visible()
        step = learner.train().pause()
        os.kill(first.pid, signal.SIGKILL)
        expect(lost).to_contain_text(t("frame.lost.title"))
        with serving("app.py", port=int(first.address.rpartition(":")[2])):
            expect(lost).to_have_count(0)
            expect(page.get_by_text(re.compile(kept))).to_be_visible()
            # Taken up by its address, unless the page has looked for it before it had the file.
            offer, here = learner.button("_restore"), page.locator(".message:visible", has_text=f"{step}")
            expect(offer.or_(here)).to_be_visible()
            (offer if offer.count() else learner.main).click()
            learner.says("status.running")
            learner.trains_beyond(step)
            later = learner.pause()
            assert later > step
            learner.open("data=csv&seed=7")  # another day: what the address does not say is in the browser
            expect(page.get_by_text(re.compile(kept))).to_be_visible()
            learner.is_in_the_address(GUESS)
            learner.button("_restore").click()
            learner.trains_beyond(later)
            (run,) = learner.parameters()["run"]
    assert live_runs.head(earlier_runs.folder(), run).standing.step > later  # saved as the server ended in order
    page.problems.clear()  # a server that does not answer


def test_a_link_restores_the_controls_and_is_copied_without_the_run_and_the_prediction(meet, serve):
    link = {
        "guess": ["slowly_sharper"],
        "data": ["word"],
        "word": ["abc"],
        "seed": ["105"],
        "lr": ["0.002"],
        "net": ["plain"],
    }
    query = "&".join(f"{name}={value}" for name, (value,) in link.items())
    learner = meet(query, serve("app.py"))
    page = learner.page
    page.get_by_text(t("training.recipe")).click()
    expect(page.locator(".st-key-data").get_by_role("combobox")).to_have_value(text.label("data", "word"))
    expect(page.locator(".st-key-word").get_by_role("textbox")).to_have_value("abc")
    expect(page.locator(".st-key-seed").get_by_role("spinbutton")).to_have_value("105")
    expect(page.locator(".st-key-lr").get_by_role("spinbutton")).to_have_value("0.002")
    expect(page.get_by_role("radio", name="plain")).to_be_checked()
    learner.train().is_in_the_address("run=")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=t("frame.share.copy")).click()
    expect(page.get_by_text(t("frame.share.copied"), exact=True)).to_be_visible()
    del link["guess"]  # each reader predicts alone
    assert parse_qs(urlsplit(page.evaluate("navigator.clipboard.readText()")).query) == link


def drawn(learner: Trainer) -> Locator:
    return learner.page.get_by_role("application", name=t("widgets.brush.label"))


def draw(learner: Trainer, *corners: tuple[float, float]) -> None:
    """One line through ``corners``, in fractions of the brush, with the mouse; waits until the page has heard of it."""
    at, mouse = box(drawn(learner)), learner.page.mouse
    for place, (x, y) in enumerate(corners):
        mouse.move(at["x"] + x * at["width"], at["y"] + (1 - y) * at["height"], steps=8)
        if place == 0:
            mouse.down()
    mouse.up()
    learner.is_in_the_address("draw=")
    learner.rests()


DRAWING = f"{GUESS}&data=drawing"


def test_a_drawing_becomes_the_data_and_is_in_the_link_and_no_other_visitor_gets_it(meet):
    artist = meet(f"{DRAWING}&seed=106")
    spiral = artist.seen(0)
    ticks = artist.now("ticks")
    draw(artist, (0.2, 0.8), (0.8, 0.8), (0.2, 0.2))
    artist.until(f"now.ticks > {ticks}")
    drawing = artist.seen(0)
    assert drawing != spiral

    friend = meet(urlsplit(artist.page.url).query)
    expect(friend.page.get_by_text(t("widgets.brush.lines", count=1), exact=True)).to_be_visible()
    assert friend.seen(0) == drawing

    artist.train().trains_beyond(1)
    assert artist.seen(0) != drawing

    stranger = meet(f"{DRAWING}&seed=106")
    expect(stranger.page.get_by_text(t("widgets.picker.nothing_drawn"))).to_be_visible()
    assert stranger.seen(0) == spiral and "draw" not in stranger.parameters()


def test_one_of_two_learners_who_share_a_run_pauses_and_the_other_goes_on(meet):
    first, second = meet(f"{GUESS}&seed=108").train(), meet(f"{GUESS}&seed=108").train()
    first.says("standing.viewers", viewers=2)
    assert first.parameters()["run"] == second.parameters()["run"]
    at = first.pause()
    assert second.trains_beyond(second.trains_beyond(at)) > at
    assert first.step() == at and first.parameters()["run"] != second.parameters()["run"]


def test_a_saved_model_is_taken_up_in_another_browser_with_its_steps(meet, tmp_path: Path):
    learner = meet(f"{GUESS}&seed=109&net=plain").train()
    learner.trains_beyond(1)
    at = learner.pause()
    learner.page.get_by_text(t("training.save_and_load")).click()
    with learner.page.expect_download() as download:
        learner.button("_save").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)

    other = meet(GUESS)
    other.page.get_by_text(t("training.save_and_load")).click()
    other.page.get_by_test_id("stFileUploader").locator("input").set_input_files(file)
    other.says("standing.file", steps=at)
    other.is_in_the_address("net=plain")
    other.is_in_the_address("seed=109")
    other.train().trains_beyond(at)


def test_a_learner_without_a_mouse_cannot_train_before_the_prediction_then_predicts_trains_and_scrubs(meet):
    learner = meet("seed=110")
    keyboard = learner.page.keyboard
    expect(learner.main).to_be_disabled()
    learner.tab_to(learner.page.locator("a[href='#question']"))
    keyboard.press("Enter")
    expect(learner.page.locator("#question")).to_be_focused()
    word, paper = learner.main.evaluate(COLOURS)
    assert word != paper
    learner.tab_to(learner.button("_guess_extent_first"))
    keyboard.press("Space")
    expect(learner.main).to_be_enabled()
    learner.tab_to(learner.main)
    keyboard.press("Enter")
    learner.says("status.running")
    learner.tab_to(learner.clock)
    for _ in range(3):
        keyboard.press("ArrowLeft")
    learner.until("now.k === 7")
    learner.trains_beyond(1)
    assert learner.now("k") == 7


def test_a_lecturer_trains_live_in_a_presentation(meet):
    learner = meet("predictions=false&present=true&seed=114")
    expect(learner.page.locator(".st-key-data")).to_be_hidden()
    learner.train().trains_beyond(1)
    learner.pause()
    learner.page.keyboard.press("c")  # what the line has no room for is there while the drawer is open
    expect(learner.reset).to_be_visible()
