"""A class in real browsers: a lecturer's window and students' phones, each with a memory of its own."""

import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from pages.ui.frame import class_view, share
from pages.ui.frame.text import t
from tests.e2e.classroom import COUNTED, PHONE, answered, bars, choice, join, open_class, vote
from tests.e2e.conftest import SIZE, watch
from tests.e2e.learner import LONG, press, rest

QUESTION = "guidance/guess"
ANSWERS = class_view.answers(QUESTION)
FIRST, SECOND, THIRD = ANSWERS
# What Streamlit's client logs where a timer of the page comes due between a lost connection and the next one.
LOST = "console: Cannot send rerun backMessage when disconnected from server."


@pytest.fixture
def visitor(window: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """``visitor(PHONE)`` is the page of a browser that knows nothing. At the end none may have had a problem; ``cut``:
    but for saying that its connection was lost, which the test does on purpose."""
    opened, problems, expected = [], [], set()

    def open_page(size: dict[str, int], cut: bool = False) -> Page:
        expected.update([LOST] if cut else [])
        opened.append(page := window(len(opened)).new_page())
        page.set_default_timeout(LONG)
        page.set_viewport_size(size)
        watch(page, problems)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert not [problem for problem in problems if problem not in expected]


@pytest.fixture
def lecturer(visitor, serve) -> Page:
    """A lecturer who shows the question of a chapter."""
    page = visitor(SIZE)
    page.goto(f"{serve('app.py')}/guidance")
    return page


def faults(phone: Page) -> list[str]:
    """What axe-core finds on a page, and whether it is wider than the phone."""
    rest(phone)
    violations = Axe().run(phone).response["violations"]
    found = [f"{fault['id']}: {node['html'][:120]}" for fault in violations for node in fault["nodes"]]
    return found + phone.evaluate("document.scrollingElement.scrollWidth > innerWidth ? ['wide'] : []")


def test_a_class_votes_twice_also_after_a_lost_connection_and_only_its_lecturer_sees_how(lecturer, visitor):
    link = open_class(lecturer)
    first, second = (join(visitor(PHONE), link) for _ in range(2))
    assert not faults(first)
    vote(first, FIRST)
    vote(second, FIRST)
    vote(second, THIRD)  # a student may think again
    answered(lecturer, 2, 2)
    lecturer.locator("details.reveal > summary").click()
    bars(lecturer, QUESTION, FIRST, THIRD)
    first.reload()
    expect(choice(first, FIRST)).to_have_attribute("data-testid", COUNTED)
    expect(first.get_by_text(t("class.student.counted", answer=ANSWERS[FIRST].rstrip(".")))).to_be_visible()
    second.context.set_offline(True)
    lecturer.locator(".st-key-_class_again button").click()
    vote(first, THIRD, ballot=2)
    answered(lecturer, 1, 2)
    expect(lecturer.locator(".class-bars")).to_be_hidden()  # nobody sees what the others answer now
    lecturer.locator("details.reveal > summary").click()
    bars(lecturer, QUESTION, THIRD)  # the first vote stays hidden
    second.context.set_offline(False)
    second.reload()  # it is the same student
    vote(second, SECOND, ballot=2)
    lecturer.locator(".st-key-_class_first label").first.click()
    expect(lecturer.locator(".class-bars p > span")).to_have_count(6)
    lecturer.reload()  # the browser knows the secret
    answered(lecturer, 2, 2)
    lecturer.locator(".st-key-_class_close button").click()
    expect(first.get_by_text(t("class.student.closed_answer", answer=ANSWERS[THIRD].rstrip(".")))).to_be_visible()
    expect(join(visitor(PHONE), link).get_by_text(t("class.student.closed"))).to_be_visible()  # who comes late
    assert not faults(first)
    secret = lecturer.evaluate("JSON.parse(localStorage['kept-class']).secret")
    lecturer.goto(f"{lecturer.url.partition('?')[0]}?present=true")
    rest(lecturer)
    lecturer.keyboard.press("q")  # of the class, not of the page
    expect(lecturer.get_by_role("dialog").locator(".class-code")).to_have_text(link[-4:])
    expect(lecturer.get_by_role("dialog").locator("img.qr")).to_have_attribute("src", share.code_image(link))
    assert secret not in link + lecturer.url + lecturer.content() + first.content()


def test_a_student_follows_the_lecturer_only_with_consent_and_votes_where_the_question_is(lecturer, visitor):
    link = open_class(lecturer)
    follower, other = (join(visitor(PHONE), link) for _ in range(2))
    follower.locator(".st-key-_class_follow label").first.click()
    follower.wait_for_url(re.compile("/guidance"))
    vote(follower, FIRST)
    answered(lecturer, 1, 2)
    lecturer.locator(".st-key-_class_go_on button").click()
    lecturer.locator(".st-key-show").get_by_role("radio").nth(3).click()
    follower.wait_for_url(re.compile(r"/guidance\?.*show=eight_scales"))
    rest(follower)
    assert "show=eight_scales" in follower.url
    press(lecturer.get_by_role("application"), "Home", "ArrowRight", "ArrowRight")  # without a run of either page
    runs = follower.evaluate("__stage.samples.ticks")
    follower.wait_for_function("__stage.samples.k === 2")
    assert follower.evaluate("__stage.samples.ticks") == runs
    expect(other.get_by_text(t("class.student.closed"))).to_be_visible()
    assert "/join" in other.url


def test_a_tap_is_counted_or_said_not_to_be_when_the_network_was_away(lecturer, visitor):
    link, away, routes = open_class(lecturer), [], []
    phone = visitor(PHONE, cut=True)
    phone.route_web_socket(re.compile("_stcore/stream"), partial(forward, away, routes))
    vote(join(phone, link), FIRST)
    away.append("nothing that the phone says arrives, and nobody tells it")
    choice(phone, SECOND).click()
    expect(phone.get_by_text(t("class.student.sending"))).to_be_visible()
    away.clear()
    routes[-1].close()  # what was on its way is lost
    expect(phone.get_by_text(t("class.student.counted", answer=ANSWERS[SECOND]))).to_be_visible()
    assert len(routes) == 2, "it has connected anew by itself"
    away.append("as before")
    choice(phone, THIRD).click()
    lecturer.locator(".st-key-_class_again button").click()
    expect(lecturer.locator(".st-key-_class_first")).to_be_visible()
    away.clear()
    expect(phone.get_by_text(t("class.student.late", answer=ANSWERS[THIRD]))).to_be_visible()
    vote(phone, FIRST, ballot=2)
    start_anew(lecturer)
    expect(choice(phone, SECOND)).to_have_attribute("data-testid", "stBaseButton-secondary")
    vote(phone, THIRD)
    answered(lecturer, 1, 1)


def forward(away: list[str], routes: list[WebSocketRoute], route: WebSocketRoute) -> None:
    """Hand on what a page says to its server, but while the network is ``away``; note the connection in ``routes``."""
    server = route.connect_to_server()
    route.on_message(lambda message: None if away else server.send(message))
    routes.append(route)


def start_anew(lecturer: Page) -> None:
    """Throw away the answers to the question, which is asked before."""
    lecturer.get_by_role("button", name=t("class.anew")).click()
    expect(lecturer.get_by_text(t("class.anew_warning"))).to_be_visible()
    lecturer.get_by_role("button", name=t("class.anew_yes")).click()
    answered(lecturer, 0, 1)
