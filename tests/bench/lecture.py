"""How long a room waits for the next picture of a lecture: from the key of a clicker to the picture, scene by scene."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page

from tests.bench.app import _IDLE, _STAGES
from tests.bench.browsing import visiting
from tests.bench.figure import Figure
from tests.browser import browsing
from tests.serving import Server, serving

SOON = 300
SLOWEST = 8  # scenes that have a figure of their own
# Sets `answered`: milliseconds from now, just before the key, to the first frame that shows other data or another
# stage; where the next scene has no player, to the last change of its picture before the script has ended.
_TIME_THE_KEY = f"""() => {{
  const shown = () => {_STAGES}.map(stage => `${{stage.ticks}} since ${{stage.mounted}}`).join(), before = shown();
  const start = performance.now();
  let ran = false, changed = null;
  const seeing = new MutationObserver(changes => {{
    if (changes.some(({{target}}) => (target.closest ? target : target.parentElement)?.closest('.st-key-picture')))
      changed = performance.now();
  }});
  seeing.observe(document.body, {{childList: true, subtree: true}});
  globalThis.answered = null;
  const look = () => {{
    const idle = {_IDLE};
    ran ||= !idle;
    const standing = ['', before].includes(shown());
    if (standing && !(ran && idle)) return requestAnimationFrame(look);
    globalThis.answered = (standing && changed || performance.now()) - start;
    seeing.disconnect();
  }};
  look();
}}"""


def measure(repeats: int = 3) -> Iterator[Figure]:
    """Each repeat gives a lecture over all scenes on a server of its own. The lecturer stays with a picture until the
    next one is prepared."""
    waits: dict[str, list[float]] = {}
    for _ in range(repeats):
        with serving("app.py") as server, browsing() as browser, visiting(browser) as page:
            for name, wait in _lecture(page, server):
                waits.setdefault(name, []).append(wait)
    every = sorted(wait for values in waits.values() for wait in values)
    yield Figure(f"Lecture: from Page Down to the picture, {len(waits)} scenes", every, "ms", SOON)
    for name in sorted(waits, key=lambda name: -min(waits[name]))[:SLOWEST]:
        yield Figure(f"Lecture: to the picture of {name}", waits[name], "ms", SOON)


def _lecture(page: Page, server: Server) -> Iterator[tuple[str, float]]:
    """Each scene and the milliseconds from the key to its picture."""
    page.goto(f"{server.address}/?present=true")
    page.wait_for_function(f"{_STAGES}.length")
    while page.locator(".st-key-view_next :is(button, a)").count():
        page.wait_for_function(_IDLE)
        _until_idle(page, server)
        page.evaluate(_TIME_THE_KEY)
        before = page.url
        page.keyboard.press("PageDown")
        page.wait_for_function("before => location.href !== before && globalThis.answered", arg=before)
        place = urlsplit(page.url)
        yield f"{place.path[1:]} {parse_qs(place.query).get('show', [''])[0]}".strip(), page.evaluate("answered")


def _until_idle(page: Page, server: Server) -> None:
    """Wait until the server has computed nothing for half a second."""
    before = -1.0
    while server.processor_seconds() - before > 0.02:
        before = server.processor_seconds()
        page.wait_for_timeout(500)
