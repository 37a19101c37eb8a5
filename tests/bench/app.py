"""How long a visitor waits: from `streamlit run` to the home page's picture, and from a control to its picture."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from playwright.sync_api import Browser, Page

from tests.bench.browsing import Server, browsing, serving, visiting
from tests.bench.figure import Figure

HOME = "home"


class Control(NamedTuple):
    """A control that changes what a fresh page shows, by role and name; ``within`` names a list to be opened first."""

    page: str
    role: str
    label: str
    within: str = ""
    query: str = ""


CONTROLS = {
    "forward_noise": Control("forward_noise", "radio", "Dissolve"),
    "training": Control("training", "switch", "Fresh points at every step"),
    "vector_field": Control("vector_field", "radio", "variance preserving"),
    "sampling (one new walk)": Control("sampling", "button", "Leave DDPM's noise out"),
    "sampling (two new walks)": Control("sampling", "option", "reference network", "Model"),
    "sampling (whose step: three new walks)": Control("sampling", "radio", "whose step"),
    "sampling (SDE and ODE)": Control("sampling", "radio", "SDE and ODE"),
    "sampling (every sampler, one particle)": Control("sampling", "radio", "paths"),
    "guidance (two fields)": Control("guidance", "radio", "dog"),
    "guidance (eight scales)": Control("guidance", "radio", "dog", query="&show=eight+scales"),
    "guidance (negative prompt)": Control("guidance", "radio", "negative prompt"),
    "guidance (four guides)": Control("guidance", "radio", "beyond"),
    "lab (one new trial)": Control("lab", "option", "Heun", "Sampler B"),
    "clip (other pictures)": Control("clip", "radio", "held out"),
    "unclip (the same film)": Control("unclip", "radio", "3 decoder"),
    "unclip (one new film)": Control("unclip", "radio", "variations"),
    "image_models (the same films)": Control("image_models", "radio", "guess x̂₀"),
    "image_models (four new films)": Control("image_models", "option", "emoji", "Model"),
    HOME: Control("", "radio", "8"),
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
    starts, visits = [], {name: [] for name in CONTROLS}
    with browsing() as browser:
        for _ in range(repeats):
            with serving("app.py") as server:
                starts.append(_first_visit(browser, server))
                for name, control in CONTROLS.items():
                    visits[name].append(_later_visit(browser, server, control))
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


def _later_visit(browser: Browser, server: Server, control: Control) -> tuple[float, float, float]:
    """Seconds from the address to the picture; milliseconds from a control to the picture that it changes, and of the
    server's processor time meanwhile, which on a busy machine is the steadier measure."""
    with visiting(browser) as page:
        page.goto(f"{server.address}/{control.page}?predictions=false{control.query}")
        picture = _picture(page)
        page.wait_for_function(_IDLE)
        page.wait_for_timeout(1000)
        if control.within:
            page.get_by_role("combobox", name=control.within, exact=True).click()
        page.evaluate(_TIME_THE_ANSWER)
        before = server.processor_seconds()
        page.get_by_role(control.role, name=control.label, exact=True).evaluate("control => control.click()")
        page.wait_for_function("globalThis.answered")
        return picture / 1000, page.evaluate("answered"), 1000 * (server.processor_seconds() - before)


def _picture(page: Page) -> float:
    """When the page's first stage had drawn its first frame, in milliseconds after the page's beginning."""
    page.wait_for_function(f"{_STAGES}.length")
    return page.evaluate(f"Math.min(...{_STAGES}.map(stage => stage.ready))")
