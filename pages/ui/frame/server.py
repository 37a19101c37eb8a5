"""What stands before Streamlit's server: whom it lets in, what it adds to every answer, and what it does at its start.

An origin that Streamlit does not know it takes for one of its own machine, and asks other machines for the addresses of
this one to find out. Here the origin is checked before that, so that nobody is asked.
"""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from streamlit import cli_util
from streamlit.web.server import server_util

from core.problems import Problem
from pages.ui.frame.slots import slots

LOCAL = ("localhost", "127.0.0.1", "::1")  # what a computer calls itself: no other computer finds it there
FILES = 65_536  # open files of a process
endings: list[Callable[[], None]] = []  # what is to be done when the server ends in order: SIGTERM leaves out atexit
SITE = re.compile(r"(https?://)?(\*\.)?[\w-]+(\.[\w-]+)*(:(\d{1,5}|\*))?/?", re.ASCII)  # "https://a.org", "*.a.org"


class OriginCheck:
    """Lets in a WebSocket that a page of the app opens, or of another origin that the configuration allows."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            origin, host = map(Headers(scope=scope).get, ("origin", "host"))
            if not is_allowed(origin, host):
                refusal = Problem("origin_refused", origin=origin[:200], host=host)
                logging.getLogger(__name__).log(logging.WARNING, "%s", refusal)
                await WebSocketClose()(scope, receive, send)
                return
            # Streamlit would ask other machines before it looks at its own configuration.
            scope = {**scope, "headers": [header for header in scope["headers"] if header[0] != b"origin"]}
        await self.app(scope, receive, send)


def is_allowed(origin: str | None, host: str | None) -> bool:
    """Whether a page of an origin, such as "https://a.org:8501", may open a WebSocket at a host, such as "a.org:8501".

    It may at its own host and from this machine, and where ``server.corsAllowedOrigins`` or ``browser.serverAddress``
    names it. A program that is no browser has no origin.
    """
    if origin is None or not st.get_option("server.enableCORS"):
        return True
    try:
        at = urlsplit(origin)
        named = map(host_of, st.get_option("server.corsAllowedOrigins"))
        known = {*LOCAL, st.get_option("browser.serverAddress"), *named} - {None, ""}
        return at.netloc == host or at.hostname in known
    except ValueError:  # it is no address
        return False


def host_of(origin: str) -> str | None:
    """The host of an origin of the configuration, which may lack its scheme: "https://b.org" or "b.org"; None for what
    is no address. "*" is the name of no host: it is ``server.enableCORS = false`` that lets in every origin."""
    origin = origin.strip()
    with suppress(ValueError):
        return urlsplit(origin if "://" in origin else f"//{origin}").hostname
    return None


class AnswerHeaders:
    """Adds to every answer that browsers are not to guess its type, and which pages may show it in a frame."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                if frame_ancestors() != "*":
                    headers["Content-Security-Policy"] = f"frame-ancestors {frame_ancestors()}"
            await send(message)

        await self.app(scope, receive, send_more if scope["type"] == "http" else send)


@cache
def frame_ancestors() -> str:
    """What may show the app in a frame: its own pages, and the sites that the environment's ``FRAME_ANCESTORS`` names,
    divided by spaces; "*": any page; "'none'": no page. A value with anything else is named in one line of the log, and
    only the app's own pages may."""
    given = os.environ.get("FRAME_ANCESTORS", "").split()
    if given in (["*"], ["'none'"]):
        return given[0]
    sites = [each for each in given if each != "'self'"]
    wrong = next((each for each in sites if not is_site(each)), None)
    if wrong is not None:
        logging.getLogger(__name__).error("%s", Problem("frame_ancestors", value=repr(wrong[:80])))
        return "'self'"
    return " ".join(["'self'", *sites])


def is_site(text: str) -> bool:
    """Whether a text names a site as a browser reads it: "https://a.org", "a.org:8080", "https://*.a.org"."""
    return bool(SITE.fullmatch(text)) and ("." in text or "://" in text)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """While the server runs. It begins by saying what of the environment it cannot use, and opens the app in a browser,
    where there is one; it ends with the `endings`."""
    slots()
    frame_ancestors()
    allow_files()
    if not st.get_option("server.headless"):
        asyncio.get_running_loop().call_soon(cli_util.open_browser, server_util.get_url("localhost"))
    yield
    for end in endings:
        try:
            end()
        except OSError as error:  # the others are done all the same
            logging.getLogger(__name__).error("not all was kept when the server ended: %s", error)
        except Exception:
            logging.getLogger(__name__).exception("not all was kept when the server ended")


def allow_files() -> None:
    """Let this process have as many open files as the system permits. A session holds four of them, and for two minutes
    after its end three: with the usual limit of 1,024 the two hundredth visitor would be turned away."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS permits less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


MIDDLEWARE = [Middleware(OriginCheck), Middleware(AnswerHeaders)]
