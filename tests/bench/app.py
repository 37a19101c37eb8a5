"""How long a visitor waits: from `streamlit run` to the home page's picture, and from a control to its picture."""

from collections.abc import Iterator
from importlib import import_module
from statistics import median
from typing import NamedTuple

from playwright.sync_api import Browser, Locator, Page

from pages.ui.frame import links
from pages.ui.frame.controls import label_of
from tests.bench.browsing import visiting
from tests.bench.figure import Figure
from tests.browser import browsing
from tests.serving import Server, serving

HOME = "home"


class Change(NamedTuple):
    """A control of a page and the value to give it; for a button no value."""

    page: str
    control: str
    value: object = None
    address: str = ""


CHANGES = {
    "forward_noise": Change("forward_noise", "show", "dissolve"),
    "training": Change("training", "fresh", False),
    "vector_field": Change("vector_field", "view", "vp"),
    "sampling (one new trajectory)": Change("sampling", "_leave_out"),
    "sampling (two new trajectories)": Change("sampling", "model", "spiral-100-reference"),
    "sampling (whose step: three new trajectories)": Change("sampling", "show", "whose_step"),
    "sampling (SDE and ODE)": Change("sampling", "show", "sde_and_ode"),
    "sampling (every sampler, one particle)": Change("sampling", "show", "paths"),
    "guidance (two fields)": Change("guidance", "wanted", "dog"),
    "guidance (eight scales)": Change("guidance", "wanted", "dog", "&show=eight_scales"),
    "guidance (negative prompt)": Change("guidance", "show", "negative_prompt"),
    "guidance (four kinds of guidance)": Change("guidance", "show", "beyond"),
    "flow_matching (Euler steps)": Change("flow_matching", "show", "euler"),
    "flow_matching (couplings)": Change("flow_matching", "show", "couplings"),
    "flow_matching (with classes)": Change("flow_matching", "classes", True, "&show=couplings"),
    "flow_matching (shift)": Change("flow_matching", "show", "shift"),
    "trained_model (another level)": Change("trained_model", "shape", "square"),
    "trained_model (resamplings)": Change("trained_model", "resamplings", 5, "&show=fix_a_part"),
    "trained_model (invert)": Change("trained_model", "show", "invert"),
    "trained_model (not a class)": Change("trained_model", "measured", "negative", "&show=measurement"),
    "latent (another digit)": Change("latent", "digit", "3", "&show=field"),
    "video (the faults)": Change("video", "what", "faults"),
    "lab (one new result)": Change("lab", "bkind", "heun"),
    "clip (other pictures)": Change("clip", "which", "held_out"),
    "unclip (the same film)": Change("unclip", "show", "decoder"),
    "unclip (one new film)": Change("unclip", "show", "variations"),
    "image_models (the same films)": Change("image_models", "of", "guess"),
    "image_models (four new films)": Change("image_models", "model", "emoji"),
    HOME: Change("home", "w", 8),
}
SOON = 500

_STAGES = "Object.values(globalThis.__stage ?? {}).filter(stage => stage.mounted && stage.ready)"
_IDLE = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
# Sets `answered`: milliseconds from the next click to the first frame that shows new data, or is another stage's.
_TIME_THE_ANSWER = f"""() => {{
  const shown = () => {_STAGES}.map(stage => `${{stage.ticks}} since ${{stage.mounted}}`).join(), before = shown();
  addEventListener('click', event => {{
    const look = () => {{
      if (['', before].includes(shown())) requestAnimationFrame(look);
      else globalThis.answered = performance.now() - event.timeStamp;
    }};
    look();
  }}, {{capture: true, once: true}});
}}"""


def measure(repeats: int = 4) -> Iterator[Figure]:
    """Each repeat starts a server of its own; its first visitor opens the home page, later ones each page."""
    starts, visits = [], {name: [] for name in CHANGES}
    with browsing() as browser:
        for _ in range(repeats):
            with serving("app.py") as server:
                starts.append(_first_visit(browser, server))
                for name, change in CHANGES.items():
                    visits[name].append(_later_visit(browser, server, change))
    for name, values in zip(("the server's first answer", "the first paint", "the home page's picture"), zip(*starts)):
        yield Figure(f"App: from `streamlit run` to {name}", values, "s")
    for name, waits in visits.items():
        picture, answer, work = zip(*waits)
        yield Figure(f"App: from the address of {name} to its picture, for a later visitor", picture, "s")
        note = f"in which the server computed for {median(work):.0f} ms"
        yield Figure(f"App: from a control of {name} to its picture", answer, "ms", SOON, note)


def _first_visit(browser: Browser, server: Server) -> tuple[float, float, float]:
    """Seconds from the start of the process to a healthy server, the first paint, and the first picture."""
    with visiting(browser) as page:
        page.goto(server.address)
        picture = _picture(page)
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        origin = page.evaluate("performance.timeOrigin")
        moments = server.up, (origin + paint) / 1000, (origin + picture) / 1000
        return tuple(moment - server.started for moment in moments)


def _later_visit(browser: Browser, server: Server, change: Change) -> tuple[float, float, float]:
    """Seconds from the address to the picture; milliseconds from a control to the picture that it changes, and of the
    server's processor time meanwhile, which on a busy machine is the steadier measure."""
    with visiting(browser) as page:
        page.goto(f"{server.address}/{'' if change.page == HOME else change.page}?predictions=false{change.address}")
        picture = _picture(page)
        page.wait_for_function(_IDLE)
        page.wait_for_timeout(1000)
        part = _part(page, change)
        page.evaluate(_TIME_THE_ANSWER)
        before = server.processor_seconds()
        part.evaluate("part => part.click()")
        page.wait_for_function("globalThis.answered")
        return picture / 1000, page.evaluate("answered"), 1000 * (server.processor_seconds() - before)


def _part(page: Page, change: Change) -> Locator:
    """What has to be clicked to make the change; a list is opened for it."""
    widget = page.locator(f".st-key-{change.control}")
    if change.value is None:
        return widget.get_by_role("button")
    if isinstance(change.value, bool):
        return widget.get_by_role("switch")
    control = links.controls(import_module(f"pages.ui.lessons.{change.page}").Config)[change.control]
    label = label_of(change.page, change.control, control, change.value)
    if control.style != "select":
        return widget.get_by_role("radio", name=label, exact=True)
    widget.get_by_role("combobox").click()
    return page.get_by_role("option", name=label, exact=True)


def _picture(page: Page) -> float:
    """When the page's first stage had drawn its first frame, in milliseconds after the page's beginning."""
    page.wait_for_function(f"{_STAGES}.length")
    return page.evaluate(f"Math.min(...{_STAGES}.map(stage => stage.ready))")
