"""A whole lecture by PageDown alone: a shipped plan in a projector's window, with every picture whole.

``python -m tests.lecture [--size 1920x1080] [--plan 45] [--language en] [--theme light] [--phones 6] [--pictures
FOLDER]`` presents each view of the plan and prints how long it took until it stood, and what is wrong with it. So many
phones join the lecturer's class and vote at each question of the plan; R reveals their votes.
"""

import re
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

from playwright.sync_api import Browser, Page, expect

from pages.ui.frame import class_view, plan_view, text
from pages.ui.lecture import plan as plans
from pages.ui.lecture.plan import LecturePlan, View
from tests import commands
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
        wrong = page.evaluate(OUTSIDE) + ([] if page.evaluate(commands.PICTURES) else ["no picture"])
        yield "; ".join(wrong)
        page.keyboard.press("PageDown")


def gather(browser: Browser, lecturer: Page, address: str, language: str, count: int) -> list[Page]:
    """The lecturer opens a class, and so many phones join it."""
    lecturer.goto(f"{address}/?lang={language}")
    rest(lecturer)
    link = open_class(lecturer)
    phones = [commands.window(browser, "light", PHONE, has_touch=True) for _ in range(count)]
    return [join(phone, f"{link}&lang={language}") for phone in phones]


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
    options = commands.options(__doc__, size="1920x1080")
    options.add_argument("--plan", default="45", choices=sorted(plan_view.shipped("en")))
    options.add_argument("--phones", type=int, default=0)
    given = options.parse_args()
    text.language.set(given.language)
    plan, wrong, polls = plan_view.shipped(given.language)[given.plan], 0, 0
    with commands.app_in_browser() as (address, browser):
        page = commands.window(browser, given.theme, given.size)
        page.set_default_timeout(LONG)
        phones = gather(browser, page, address, given.language, given.phones) if given.phones else []
        started = time.perf_counter()
        for place, fault in enumerate(lecture(page, address, plan, given.language), 1):
            now = time.perf_counter()
            print(f"{place:2} {now - started:5.1f} s  {plan.views[place - 1].address}  {fault}", flush=True)
            if phones and (asked := question(page, plan.views[place - 1])):
                poll(page, phones, asked)
                polls, fault = polls + 1, "; ".join(page.evaluate(OUTSIDE))
                print(f"            {len(phones)} phones voted on {asked}  {fault}", flush=True)
            commands.keep_picture(page, given.pictures, f"{place:02}")
            wrong, started = wrong + bool(fault), time.perf_counter()
    print(f"{len(plan)} views, {wrong} with faults; {polls} votes of {given.phones} phones")
    return int(bool(wrong) or given.phones and not polls)


if __name__ == "__main__":
    sys.exit(main())
