"""How long a learner waits for the picture of each control of chapters 6 and 7, the first time that it is used."""

from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from playwright.sync_api import Locator, Page

from pages.ui.frame import links
from pages.ui.frame.controls import label_of
from tests.bench.app import _IDLE, _STAGES
from tests.bench.browsing import visiting
from tests.bench.figure import Figure
from tests.browser import browsing
from tests.serving import Server, serving

SOON = 500
FILM = ("start_people", "fill_people", "invert_people", "mosaic")  # their pictures form while one looks
_RESTING = f"{_STAGES}.length && {_IDLE}"
# Sets `answered`: milliseconds from the next click or key to the first frame of another picture.
_TIME_THE_ANSWER = f"""() => {{
  const shown = () => {_STAGES}.map(stage => `${{stage.ticks}} since ${{stage.mounted}}`).join(), before = shown();
  globalThis.answered = null;
  const off = new AbortController();
  const start = event => {{
    off.abort();
    const look = () => {{
      if (['', before].includes(shown())) requestAnimationFrame(look);
      else globalThis.answered = performance.now() - event.timeStamp;
    }};
    look();
  }};
  for (const kind of ['click', 'keydown']) addEventListener(kind, start, {{capture: true, signal: off.signal}});
}}"""


class Change(NamedTuple):
    """A control of a scene of a page, and the address of the scene."""

    page: str
    scene: str
    control: str
    address: str


def changes() -> Iterator[Change]:
    """Every control of every scene of both chapters, beside the choice of the scene itself."""
    flow, trained = (import_module(f"pages.ui.lessons.{name}_config") for name in ("flow", "trained_model"))
    live = {"transport": ("source", "data")}
    for scene, names in {**flow.CONTROLS, **live}.items():
        for name in ("show", *names):
            yield Change("flow_matching", scene, name, f"show={scene}")
    for scene, names in trained.CONTROLS.items():
        for name in names:
            if (scene, name) == ("negative", "wanted"):  # changes nothing where its scale is 0, as at first
                continue
            yield Change("trained_model", scene, name, _address(trained, scene))
    yield Change("trained_model", "start_at_sigma", "show", "show=start_at_sigma")
    yield Change("trained_model", "start_at_sigma", "of", "show=start_at_sigma")


def _address(config, scene: str) -> str:
    with_people = {part: show for show, part in config.WITH_PEOPLE.items()}
    if scene in with_people:
        return f"show={with_people[scene]}&of=people"
    return f"show=measurement&measured={scene}" if scene in config.MEASUREMENTS else f"show={scene}"


def measure(repeats: int = 3) -> Iterator[Figure]:
    """Each repeat has a server of its own, where nothing is computed yet but what the pages prepare."""
    waits: dict[Change, list[float]] = {}
    for _ in range(repeats):
        with serving("app.py") as server, browsing() as browser, visiting(browser) as page:
            for change in changes():
                waits.setdefault(change, []).append(_wait(page, server, change))
    every = sorted(wait for values in waits.values() for wait in values)
    yield Figure(f"Controls of chapters 6 and 7: to the picture, {len(waits)} controls", every, "ms", SOON)
    for change, values in sorted(waits.items(), key=lambda item: -min(item[1])):
        note = "the first frame of a film" if change.scene in FILM else ""
        yield Figure(f"{change.page}, {change.scene}: {change.control}", values, "ms", SOON, note)


def _wait(page: Page, server: Server, change: Change) -> float:
    """Milliseconds from a control to another picture."""
    page.goto(f"{server.address}/{change.page}?predictions=false&{change.address}")
    page.wait_for_function(_RESTING)
    page.wait_for_timeout(1500)
    widget = page.locator(f".st-key-{change.control}").first
    kind = links.controls(_config(change.page))[change.control]
    part = _part(widget, kind, change)
    page.evaluate(_TIME_THE_ANSWER)
    part()
    page.wait_for_function("globalThis.answered")
    return page.evaluate("answered")


def _config(page: str) -> type:
    return import_module(f"pages.ui.lessons.{page}").Config


def _part(widget: Locator, kind: links.Control, change: Change):
    """What changes the control, to another value than it has."""
    if isinstance(kind, links.Toggle):
        return lambda: widget.get_by_role("switch").evaluate("part => part.click()")
    slider = widget.get_by_role("slider")
    if slider.count():
        slider.focus()
        last = slider.evaluate("part => part.value === part.max")
        return lambda: slider.press("ArrowLeft" if last else "ArrowRight")
    if isinstance(kind, links.Number):
        return widget.get_by_role("button").last.click
    if kind.style == "select":
        return lambda: _choose(widget, kind, change)
    return lambda: widget.locator("[role=radio][aria-checked=false], label:has(input:not(:checked))").first.click()


def _choose(widget: Locator, kind: links.Choice, change: Change) -> None:
    """Choose another option of a list; the time runs from the click on it."""
    shown = widget.get_by_role("combobox")
    shown.click()
    label = next(
        each for value in kind.choices
        if value != kind.initial and (each := label_of(change.page, change.control, kind, value))
    )  # fmt: skip
    option = widget.page.get_by_role("option", name=label, exact=True)
    option.wait_for()
    widget.page.evaluate(_TIME_THE_ANSWER)
    option.evaluate("part => part.click()")
