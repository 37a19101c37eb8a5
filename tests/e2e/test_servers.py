"""Two servers of the app behind nginx, as `.deploy/nginx.conf` puts them: one address, and no learner is lost."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.ui.frame.text import t
from pages.ui.lecture.polls import LENGTH
from tests.core.cli.test_images import TINY, torchrun
from tests.e2e.classroom import open_class
from tests.e2e.conftest import SIZE
from tests.e2e.learner import Learner, open_menu, press, rest
from tests.e2e.nginx import proxying
from tests.serving import Server, serving

PATH = "/lesson"  # a part of a bigger site
RUN = "cluster"
LETTERS = {"a": "B", "b": "C"}  # with which the codes of each server begin


@dataclass(frozen=True)
class Place:
    """The address of the app behind the proxy, and its servers by the name that the proxy gives them."""

    address: str
    servers: dict[str, Server]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, runs = tmp_path_factory.mktemp("proxy"), tmp_path_factory.mktemp("runs")
    torchrun("train", "--out", str(runs / RUN), "--steps", "40", *TINY)
    common = {"IMAGE_RUNS": str(runs), "STREAMLIT_SERVER_COOKIE_SECRET": "of both servers"}
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving("app.py", PATH, CLASS_LETTER=letter, **common))
            for name, letter in LETTERS.items()
        }
        places = [server.address.partition("://")[2] for server in servers.values()]
        yield Place(stack.enter_context(proxying(folder, places)) + PATH, servers)


@pytest.fixture
def visitors(browser: Browser) -> Iterator[list[Page]]:
    """A lecturer's and a student's page, whose browsers trust the proxy's certificate."""
    contexts = [browser.new_context(viewport=SIZE, reduced_motion="reduce", ignore_https_errors=True) for _ in "12"]
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()


def server_of(page: Page) -> str:
    """The name of the server with which a visitor stays."""
    return next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "server")


def lead(page: Page, place: Place, server: str) -> None:
    """Let a request of a page lead its browser to a server, as the link of a class does."""
    page.evaluate("link => fetch(link)", f"{place.address}/?class={LETTERS[server]}")
    assert server_of(page) == server


def test_each_server_follows_a_run_of_two_processes_and_takes_its_model(place, page):
    for server in place.servers.values():
        lesson = Learner(page, f"{server.address}{PATH}/image_models", "followed")
        lesson.open(f"predictions=false&show=train&train=follow&follow={RUN}")
        page.get_by_role("button", name=t("runs.followed.take", step=40)).click()
        expect(page.get_by_text(t("runs.followed.taken", step=40).partition(": ")[2])).to_be_visible()


def test_a_class_is_found_from_any_server_and_a_learner_goes_on_where_one_server_is_killed(place, visitors):
    lecturer, phone = visitors
    lesson = Learner(lecturer, f"{place.address}/guidance", "samples")
    lesson.open("predictions=false&show=eight_scales&seed=3")
    sniffed = "fetch('').then(answer => answer.headers.get('x-content-type-options'))"
    assert lecturer.evaluate(sniffed) == "nosniff"
    mine = server_of(lecturer)
    phone.goto(f"{place.address}/join")
    rest(phone)
    lead(phone, place, "ab".replace(mine, ""))
    phone.reload()
    link = open_class(lecturer)
    assert link.startswith(f"{place.address}/join?class={LETTERS[mine]}")
    code = link[-LENGTH:]
    phone.get_by_role("textbox").fill(code)
    phone.get_by_role("button", name=t("class.student.join")).click()
    phone.get_by_role("link", name=t("class.student.elsewhere")).click()
    expect(phone.get_by_text(t("class.student.in_class", code=code))).to_be_visible()
    assert server_of(phone) == mine

    os.kill(place.servers[mine].pid, signal.SIGKILL)
    for state in (":not([data-test-connection-state=CONNECTED])", "[data-test-connection-state=CONNECTED]"):
        lecturer.wait_for_selector(f"[data-testid=stApp]{state}")
    lesson.rests()
    press(lecturer.get_by_role("spinbutton", name=t("guidance.controls.seed.label")), "ArrowUp", "Enter")
    expect(lecturer).to_have_url(re.compile(r"seed=4"))
    assert server_of(lecturer) != mine

    port = int(place.servers[mine].address.rpartition(":")[2])
    with serving("app.py", PATH, port=port):  # the server is back, and holds nothing of this session
        open_menu(lecturer)
        lead(lecturer, place, mine)  # as another tab may do
        lecturer.locator(".st-key-_plan_menu button").click()
        lecturer.locator("input[type=file]").set_input_files({"name": "x", "mimeType": "", "buffer": b"version = 0"})
        expect(lecturer.get_by_role("alert").filter(has_text="version")).to_be_visible()
