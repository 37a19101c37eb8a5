"""Who a visitor is in a class: its lecturer, by the secret that the browser keeps; a student, by the ``class`` of the
address and a random text that the browser keeps; or nobody.

The classes are in the file that the environment's ``CLASS_DB`` names, else in ``.classes.db`` beside the app. Servers
that have no file in common tell their classes apart by the first letter of a code, ``CLASS_LETTER``.
"""

import logging
import os
import socket
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st

from core.problems import Problem
from pages.ui.frame import chapters, controls, kept, links, server
from pages.ui.frame.visitor import viewer
from pages.ui.lecture.polls import Lecturer, Polls, Standing, read_code

KEEP, IDENTITY = "class", "student"  # the names under which the browser keeps them
OFTEN = 3600.0  # seconds between two looks for classes that are a day old
_opening = threading.Lock()  # a whole class may come at once to a server that was just started


def file() -> Path:
    """The file of the classes."""
    return Path(os.environ.get("CLASS_DB") or chapters.ROOT / ".classes.db")


def polls() -> Polls:
    """The classes of this server. Raises Problem where their file cannot be used."""
    with _opening:
        return _polls()


@cache
def _polls() -> Polls:
    found = Polls(file(), letter=os.environ.get("CLASS_LETTER", "").strip().upper())
    _delete_old(found)
    return found


def delete_old() -> None:
    """Delete classes that are a day old, where a server before this one left any; from then on it is done every
    hour."""
    if file().exists():
        try:
            polls()
        except Problem as problem:
            logging.getLogger(__name__).error("the file of the classes cannot be used: %s", problem)


def _delete_old(found: Polls) -> None:
    timer = threading.Timer(OFTEN, _delete_old, [found])
    timer.daemon = True
    timer.start()
    try:
        found.delete_old()
    except Problem as problem:
        logging.getLogger(__name__).error("old classes could not be deleted: %s", problem)


@dataclass(frozen=True)
class Scene:
    """What a lecturer shows: a page, its parameters, and how its picture stands (`links.STAGE`)."""

    page: str
    parameters: dict[str, str]
    stage: dict[str, str]

    def link(self) -> dict[str, str]:
        """The parameters of a link that opens it as a whole."""
        return controls.link_to({**self.parameters, **self.stage})


# The lecturer


def lecturer() -> Lecturer | None:
    """The lecturer that this visitor is, or None."""
    found = kept.value(KEEP)
    if isinstance(found, dict) and all(isinstance(found.get(part), str) for part in ("code", "secret")):
        return Lecturer(found["code"], found["secret"])
    return None


def open_class() -> None:
    """Open a class, whose lecturer this visitor now is."""
    opened = polls().open_class(viewer())
    kept.put(KEEP, {"code": opened.code, "secret": opened.secret})


def leave() -> None:
    """This visitor is no lecturer any more."""
    kept.put(KEEP, None)


def scene_shown(page: str, stage: str | None) -> str:
    """``page`` and its parameters as they stand, the run that she trains among them, without those that are the
    lecturer's own. How its picture stands only her browser knows: ``stage``, a query; None until it has said so."""
    private = {*links.OWN, "lang", *(() if stage is None else links.STAGE)} - {"run"}
    shared = [(name, value) for name, value in st.query_params.to_dict().items() if name not in private]
    stands = [(name, value) for name, value in parse_qsl(stage or "") if name in links.STAGE]
    return f"{page}?{urlencode(shared + stands)}".rstrip("?")


def join_link(code: str) -> str:
    """The link by which students join a class."""
    return f"{chapters.server()}join?class={code}"


def address_to_type() -> str:
    """The address of the page on which students join, without what a browser adds by itself."""
    return f"{chapters.server().partition('://')[2]}join"


def reachable() -> str:
    """The address of the app in the network, where the page was opened under a name that only this machine knows; else
    nothing."""
    url = urlsplit(chapters.server())
    if url.hostname not in server.LOCAL:
        return ""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: nothing is sent
            host = probe.getsockname()[0]
    except OSError:
        return ""
    netloc = host if url.port is None else f"{host}:{url.port}"
    return url._replace(netloc=netloc).geturl() if not host.startswith("127.") else ""


# The students


def code() -> str | None:
    """The code of the class that this visitor has joined or wants to join, or None."""
    found = controls.value("class")
    return found and read_code(found)


def student() -> str | None:
    """The random text by which the browser of a student is known; None until the browser has sent it."""
    found = kept.value(IDENTITY)
    return found if isinstance(found, str) and 0 < len(found) <= 64 else None


def scene_of(standing: Standing) -> Scene | None:
    """What the lecturer shows, or None.

    Who opens a scene is not asked before it is drawn, unless the class is asked just now.
    """
    page, _, query = (standing.scene or "").partition("?")
    if page not in chapters.present():
        return None
    given = dict(parse_qsl(query))
    stage = {name: given.pop(name) for name in links.STAGE if name in given}
    voting = standing.open and standing.question.startswith(f"{page}/")
    return Scene(page, given if voting else {**given, "predictions": "false"}, stage)
