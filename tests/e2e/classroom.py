"""A class in browsers: what its lecturer does in a window, and its students on their phones."""

import re
from collections import Counter

from playwright.sync_api import Locator, Page, expect

from pages.ui.frame import class_view, share
from pages.ui.frame.text import t
from tests.e2e.learner import open_menu

PHONE = {"width": 390, "height": 844}
COUNTED = "stBaseButton-primary"  # the answer that the class has from this phone


def open_class(lecturer: Page) -> str:
    """Open a class in the menu of a chapter. The link by which students join, from the dialog, which is closed then."""
    open_menu(lecturer).get_by_role("button", name=t("class.open")).click()
    dialog = lecturer.get_by_role("dialog")
    expect(dialog.locator(".class-code")).to_have_text(re.compile(r"^[A-Z]{4}$"))
    link = dialog.locator(".class-link").inner_text()
    expect(dialog.locator("img.qr")).to_have_attribute("src", share.code_image(link))
    lecturer.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    return link


def join(phone: Page, link: str) -> Page:
    phone.goto(link)
    code = re.search("class=([A-Z]{4})", link)[1]
    expect(phone.get_by_text(t("class.student.in_class", code=code))).to_be_visible()
    return phone


def choice(phone: Page, option: str, ballot: int = 1) -> Locator:
    return phone.locator(f".st-key-_vote_{ballot}_{option} button")


def vote(phone: Page, option: str, ballot: int = 1) -> None:
    """Choose an answer on a phone, and wait until the phone shows that the vote is counted."""
    choice(phone, option, ballot).click()
    expect(choice(phone, option, ballot)).to_have_attribute("data-testid", COUNTED)


def answered(lecturer: Page, count: int, joined: int) -> None:
    expect(lecturer.get_by_text(t("class.answered", answered=count, joined=joined))).to_be_visible()


def bars(lecturer: Page, question: str, *votes: str) -> None:
    """Wait until the bars of a question are seen and say the numbers of these votes."""
    counts = Counter(votes)
    shares = {option: 100 * counts[option] / len(votes) for option in class_view.answers(question)}
    numbers = [t("class.share_of", count=counts[option], share=share) for option, share in shares.items()]
    expect(lecturer.locator(".class-bars p > span")).to_have_text(numbers)
