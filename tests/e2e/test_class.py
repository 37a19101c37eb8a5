"""A class in real browsers: a lecturer's window and students' phones, each with a memory of its own."""

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from pages.ui.frame import class_view, share
from pages.ui.frame.text import t
from tests.e2e.classroom import COUNTED, PHONE, answered, bars, choice, join, open_class, vote
from tests.e2e.conftest import SIZE, forgets, watch
from tests.e2e.learner import LONG, rest

QUESTION = "guidance/guess"
ANSWERS = class_view.answers(QUESTION)
FIRST, SECOND, THIRD = ANSWERS


@pytest.fixture
def visitor(window: Callable[..., BrowserContext], serve) -> Iterator[Callable[..., Page]]:
    """``visitor(PHONE)`` is the page of a browser that knows nothing. At the end none may have had a problem."""
    opened, problems = [], []

    def open_page(size: dict[str, int]) -> Page:
        opened.append(page := window(len(opened)).new_page())
        page.set_default_timeout(LONG)
        page.set_viewport_size(size)
        watch(page, problems)
        return forgets(page, serve("app.py"))

    yield open_page
    for page in opened:
        page.close()
    assert not problems


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
    expect(other.get_by_text(t("class.student.closed"))).to_be_visible()
    assert "/join" in other.url
