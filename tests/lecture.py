"""A whole lecture by PageDown alone: a shipped plan in a projector's window, with every picture whole.

``python -m tests.lecture [--size 1920x1080] [--plan 45] [--language en] [--theme light] [--phones 6] [--pictures
FOLDER]`` presents each view of the plan and prints how long it took until it stood, and what is wrong with it. So many
phones join the lecturer's class and vote at each question of the plan; R reveals their votes.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from pages.ui.frame import class_view, plan_view, text
from pages.ui.lecture import plan as plans
from pages.ui.lecture.plan import LecturePlan, View
from tests.bench.browsing import serving
from tests.browser import FLAGS, chromium
from tests.e2e.classroom import PHONE, answered, bars, join, open_class, vote
from tests.e2e.learner import LONG, rest
from tests.presentation import OUTSIDE

# Whether the address says that view of the plan with these parameters and no others, and the clock stands as it says.
# The address says nothing of a clock that is at the scene's own start.
SHOWN = """([place, wanted]) => {
    const given = new URLSearchParams(location.search);
    if (given.get("plan") !== String(place)) return false;
    const {clock, ...others} = wanted, stages = Object.values(globalThis.__stage ?? {}).filter(stage => stage.mounted);
    for (const name of ["plan", "present", "lang", "clock"]) given.delete(name);
    if (clock && !stages.some(stage => stage.k === Math.round(clock * (stage.T - 1)))) return false;
    given.sort();
    return given.toString() === new URLSearchParams(Object.entries(others).sort()).toString();
}"""
# The pictures that can be seen: those of players, and charts.
PICTURES = """() => [...document.querySelectorAll(".st-key-picture *")].filter(part => part.getClientRects().length
    && (part.shadowRoot?.querySelector(".stage canvas, .js-plotly-plot")
        || part.matches(".js-plotly-plot, img, table"))).length"""


def lecture(page: Page, address: str, plan: LecturePlan, language: str, views: int | None = None) -> Iterator[str]:
    """Opens a plan by its link and goes through its first ``views`` views, or all, by PageDown alone. Yields what is
    wrong with each once it is at rest; nothing is the empty text."""
    page.goto(plans.link(plan, address).replace("/#", f"/?lang={language}#"))
    page.locator(".st-key-_plan_use button").click(timeout=LONG)
    rest(page, live=True)
    page.locator(".st-key-plan_start a").first.click()
    for place, view in enumerate(plan.views[:views], 1):
        wanted = {name: each for name, each in view.parameters.items() if (name, each) != ("predictions", "true")}
        page.wait_for_function(SHOWN, arg=[place, wanted], timeout=LONG)
        rest(page, live=True)
        expect(page.locator(".st-key-plan")).to_contain_text(str(len(plan)))
        wrong = page.evaluate(OUTSIDE) + ([] if page.evaluate(PICTURES) else ["no picture"])
        yield "; ".join(wrong)
        page.keyboard.press("PageDown")


def gather(browser: Browser, lecturer: Page, address: str, language: str, count: int) -> list[Page]:
    """The lecturer opens a class, and so many phones join it."""
    lecturer.goto(f"{address}/?lang={language}")
    rest(lecturer)
    link = open_class(lecturer)
    windows = [browser.new_context(viewport=PHONE, reduced_motion="reduce", has_touch=True) for _ in range(count)]
    return [join(window.new_page(), f"{link}&lang={language}") for window in windows]


def question(lecturer: Page, view: View) -> str | None:
    """The question "page/name" that a view of the plan asks the class, if it asks one."""
    card = lecturer.locator("[class*=st-key-predict_]").filter(has=lecturer.locator(".class-answers"))
    if not card.count():
        return None
    name = re.search(r"st-key-predict_(\w+)", card.first.get_attribute("class"))[1]
    return f"{view.page}/{name}"


def poll(lecturer: Page, phones: Sequence[Page], asked: str) -> None:
    """All phones vote, each for the next answer. The lecturer sees how many have, and on R how."""
    votes = [option for _, option in zip(phones, cycle(class_view.answers(asked)))]
    for phone, option in zip(phones, votes):
        vote(phone, option)
    answered(lecturer, len(phones), len(phones))
    expect(lecturer.locator(".class-bars").first).to_be_hidden()
    lecturer.keyboard.press("r")
    expect(lecturer.locator(".class-bars").first).to_be_visible()
    bars(lecturer, asked, *votes)


def main() -> int:
    """The command: 1 if a view is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", default="1920x1080")
    options.add_argument("--plan", default="45", choices=sorted(plan_view.shipped("en")))
    options.add_argument("--language", choices=("en", "zh"), default="en")
    options.add_argument("--theme", choices=("light", "dark"), default="light")
    options.add_argument("--phones", type=int, default=0)
    options.add_argument("--pictures", type=Path)
    given = options.parse_args()
    text.language.set(given.language)
    width, height = map(int, given.size.split("x"))
    plan, wrong, polls = plan_view.shipped(given.language)[given.plan], 0, 0
    with serving("app.py") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=list(FLAGS))
        look = {"viewport": {"width": width, "height": height}, "color_scheme": given.theme}
        page = browser.new_context(reduced_motion="reduce", **look).new_page()
        page.set_default_timeout(LONG)
        phones = gather(browser, page, server.address, given.language, given.phones) if given.phones else []
        started = time.perf_counter()
        for place, fault in enumerate(lecture(page, server.address, plan, given.language), 1):
            now = time.perf_counter()
            print(f"{place:2} {now - started:5.1f} s  {plan.views[place - 1].address}  {fault}", flush=True)
            if phones and (asked := question(page, plan.views[place - 1])):
                poll(page, phones, asked)
                polls, fault = polls + 1, "; ".join(page.evaluate(OUTSIDE))
                print(f"            {len(phones)} phones voted on {asked}  {fault}", flush=True)
            if given.pictures:
                given.pictures.mkdir(exist_ok=True)
                page.screenshot(path=given.pictures / f"{place:02}.png")
            wrong, started = wrong + bool(fault), time.perf_counter()
        browser.close()
    print(f"{len(plan)} views, {wrong} with faults; {polls} votes of {given.phones} phones")
    return int(bool(wrong) or given.phones and not polls)


if __name__ == "__main__":
    sys.exit(main())
