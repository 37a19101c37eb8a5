"""What a browser test needs: a browser, a page that writes down what went wrong on it, and servers of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Page, expect

from tests.browser import browsing
from tests.e2e.learner import LONG
from tests.serving import serving

expect.set_options(timeout=LONG)
SHARED = "--process-per-site"  # the pages of a window share a process
SIZE = {"width": 1280, "height": 800}
LOCAL = {"127.0.0.1", "localhost", ""}  # the host of data: and blob: addresses is empty


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, installed if there is none. Where that fails, so does every test that needs it."""
    with browsing(SHARED) as running:
        yield running


@pytest.fixture(scope="session")
def window(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """``window(1)`` is the second visitor's browser, with no cookies, no permissions and nothing kept.

    The visitors of all tests share these few: an empty page stays open in each, so that its process lives on and has
    compiled Streamlit's scripts when the next test opens a page. That is half of the work of opening one.
    """
    known: list[BrowserContext] = []
    storages: list[CDPSession] = []

    def open_window(visitor: int = 0) -> BrowserContext:
        while len(known) <= visitor:
            known.append(browser.new_context(viewport=SIZE, reduced_motion="reduce"))
            stays = known[-1].new_page()
            stays.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
            stays.goto("http://127.0.0.1/")
            storages.append(known[-1].new_cdp_session(stays))
        known[visitor].clear_cookies()
        known[visitor].clear_permissions()
        # A class that a test has opened would make a lecturer of the next visitor.
        storages[visitor].send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "local_storage,indexeddb"})
        return known[visitor]

    yield open_window
    for context in known:
        context.close()


@pytest.fixture
def page(window: Callable[..., BrowserContext]) -> Iterator[Page]:
    """A fresh page of 1280x800 of a visitor without cookies or permissions, who prefers reduced motion: fewer frames
    are drawn. A test of motion asks for ``motion``.

    ``page.problems`` lists console errors, script errors and calls to other machines. The test fails at its end if
    there are any; one that provokes an error on purpose clears the list.
    """
    opened = window().new_page()
    opened.problems = []
    watch(opened, opened.problems)
    yield opened
    found = list(opened.problems)
    opened.close()
    assert not found, f"the page had problems: {found}"


@pytest.fixture
def motion(page: Page) -> None:
    """The visitor of ``page`` has no preference for reduced motion."""
    page.emulate_media(reduced_motion="no-preference")


def watch(page: Page, problems: list[str]) -> None:
    """Append to ``problems`` each console error, script error and request of ``page`` that leaves the machine."""

    def left(url: str) -> None:
        if urlsplit(url).hostname not in {*LOCAL, None}:
            problems.append(f"request to {url}")

    def said(message: ConsoleMessage) -> None:
        # On a deep link Streamlit's own client first looks for its server below the page's path, and finds a 404 there.
        looked = message.location["url"].endswith(("/_stcore/health", "/_stcore/host-config"))
        if message.type == "error" and not looked:
            problems.append(f"console: {message.text}")

    page.on("console", said)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.on("request", lambda request: left(request.url))
    page.on("websocket", lambda channel: left(channel.url))


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """``serve("app.py")`` starts a server for a file of the repository and returns its address.

    One server per file for the whole run; ``fresh=True`` starts another that nobody has visited.
    """
    known: dict[str, str] = {}
    with ExitStack() as servers:

        def start(file: str, fresh: bool = False) -> str:
            if fresh:
                return servers.enter_context(serving(file)).address
            if file not in known:
                known[file] = start(file, fresh=True)
            return known[file]

        yield start
