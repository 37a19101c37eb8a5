"""A visitor for measuring what a page of the app waits for and receives."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

PATIENCE = 60.0


@contextmanager
def visiting(browser: Browser) -> Iterator[Page]:
    """A page of 1280x800 with nothing in its cache. ``page.received`` lists the bytes of each message of the server."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.received = []
    page.on("websocket", lambda channel: channel.on("framereceived", lambda data: page.received.append(len(data))))
    yield page
    context.close()
