"""What the stage costs: a large one after a click, and a live one at each tick."""

from collections.abc import Iterator
from statistics import median

from playwright.sync_api import Browser, Page

from pages.ui.frame.text import t
from tests.bench.browsing import visiting
from tests.bench.figure import Figure
from tests.browser import browsing
from tests.serving import Server, serving

APP = "tests/e2e/apps/budget.py"
LARGE, LIVE = "Stage of 2,000 points + 400 arrows x 200 frames", "Live tick of 300 points + 225 arrows x 12 frames"
WINDOW = 6.0  # seconds that ticks are counted in


def measure(repeats: int = 5, windows: int = 3) -> Iterator[Figure]:
    """The large stage for ``repeats`` new visitors of one server; the live one over ``windows`` of 6 s each."""
    with serving(APP) as server, browsing() as browser:
        ready, wire, frame, rate = zip(*(_large(browser, server) for _ in range(repeats)))
        yield Figure(f"{LARGE}: ready after the click", ready, "ms", 1000, "the first of them computes the recording")
        yield Figure(f"{LARGE}: bytes on the wire", wire, "MB", 2.2)
        yield Figure(f"{LARGE}: median frame", frame, "ms", 4, "the player's own code")
        yield Figure(f"{LARGE}: frames a second at 4x", rate, "", note="of at most 60 that the browser draws")
        processor, wire = zip(*_live(browser, server, windows))
        yield Figure(f"{LIVE}: server's processor time", processor, "ms", 12, "the whole process, less its use at rest")
        yield Figure(f"{LIVE}: bytes on the wire", wire, "kB", 25)


def _large(browser: Browser, server: Server) -> tuple[float, float, float, float]:
    """Milliseconds from the click to the first drawn frame, MB received, median ms of a frame, frames a second."""
    with visiting(browser) as page:
        _open(page, server)
        page.received.clear()
        page.evaluate("addEventListener('click', e => { globalThis.clicked = e.timeStamp }, true)")
        page.get_by_role("button", name="show", exact=True).click()
        page.wait_for_function("globalThis.__stage?.large?.ready")
        ready, received = page.evaluate("__stage.large.ready - clicked"), sum(page.received) / 1e6
        page.get_by_role("combobox", name=t("frame.stage.speed")).select_option("4")
        before, start = page.evaluate("[__stage.large.drawn, performance.now()]")
        page.get_by_role("button", name=t("frame.stage.play"), exact=True).click()
        page.wait_for_function("!__stage.large.playing && __stage.large.k === __stage.large.T - 1")
        after, end = page.evaluate("[__stage.large.drawn, performance.now()]")
        return ready, received, median(page.evaluate("__stage.large.ms")), 1000 * (after - before) / (end - start)


def _live(browser: Browser, server: Server, windows: int) -> Iterator[tuple[float, float]]:
    """Milliseconds of the server's processor and kB received for a tick, in each window."""
    with visiting(browser) as page:
        _open(page, server)
        page.wait_for_timeout(2000)
        at_rest = _used(page, server)[0]
        page.get_by_text("live", exact=True).click()
        page.wait_for_function("globalThis.__stage?.live?.ticks > 3")
        for _ in range(windows):
            ticks = page.evaluate("__stage.live.ticks")
            used, received = _used(page, server)
            ticks = page.evaluate("__stage.live.ticks") - ticks
            yield 1000 * (used - at_rest) / ticks, received / ticks / 1000


def _used(page: Page, server: Server) -> tuple[float, int]:
    """Seconds of the server's processor, and bytes received, in one window."""
    used = server.processor_seconds()
    page.received.clear()
    page.wait_for_timeout(1000 * WINDOW)
    return server.processor_seconds() - used, sum(page.received)


def _open(page: Page, server: Server) -> None:
    page.goto(server.address)
    page.get_by_role("button", name="show", exact=True).wait_for()
    page.wait_for_timeout(500)
