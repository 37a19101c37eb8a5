"""A lecture plan: views of the app in the order in which a lecturer shows them, as a small text file and as a link.

A plan is a TOML file::

    version = 1
    title = "Guidance in ten minutes"

    [[view]]
    title = "Eight scales"
    minutes = 3
    address = "guidance?show=eight_scales&clock=0.5"
    notes = \"\"\"
    Ask first which scale they would choose.\"\"\"

A link holds the same text, compressed. Files and links come from strangers: `read` and `unpack` check them.
"""

import base64
import binascii
import json
import re
import tomllib
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from core import limits
from core.limits import ADDRESS, MINUTES, NOTES, TITLE, VIEWS
from core.problems import Problem, count_names

VERSION = 1
LENGTH = 8_000  # characters of a link at most: mail programs and messengers cut longer ones
_LONG_KEY = re.compile(  # which takes hours to read; a plan has no key of several parts
    rf"""(?m:^|[\[{{,])[ \t]*+(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{limits.KEY_PARTS}}}"""
)
EMBED = ("embed", "embed_options")  # parameters of Streamlit, in any case of letters, that it refuses in a link


@dataclass(frozen=True)
class View:
    """One view: a page with the parameters of its address, and what the lecturer says there."""

    title: str
    page: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    minutes: float = 0

    @property
    def address(self) -> str:
        """The page and its parameters, such as "guidance?show=eight_scales"."""
        return f"{self.page}?{urlencode(self.parameters, safe=',')}".rstrip("?")


@dataclass(frozen=True)
class LecturePlan:
    """Views in their order."""

    title: str = ""
    views: tuple[View, ...] = ()

    def __len__(self) -> int:
        return len(self.views)

    @property
    def minutes(self) -> float:
        """How long the lecture takes."""
        return sum(view.minutes for view in self.views)

    def add(self, view: View) -> "LecturePlan":
        """The plan with one more view at its end. Raises Problem where it has as many as it can have."""
        if len(self) >= VIEWS:
            raise Problem("plan_views", most=VIEWS)
        return replace(self, views=(*self.views, view))

    def drop(self, place: int) -> "LecturePlan":
        """The plan without the view at a place, counted from 0."""
        return replace(self, views=self.views[:place] + self.views[place + 1 :])

    def change(self, place: int, **values: Any) -> "LecturePlan":
        """The plan with other values of the view at a place."""
        changed = replace(self.views[place], **values)
        return replace(self, views=(*self.views[:place], changed, *self.views[place + 1 :]))

    def move(self, place: int, to: int) -> "LecturePlan":
        """The plan with the view of one place at another."""
        rest = self.drop(place).views
        return replace(self, views=(*rest[:to], self.views[place], *rest[to:]))


def view_at(address: str, title: str, notes: str = "", minutes: float = 0) -> View:
    """The view at an address. The server's name is left out, and so is what says that the page was embedded."""
    parts = urlsplit(address)
    page = parts.path.strip("/").rpartition("/")[2] or "home"
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    parameters = {name: value for name, value in given.items() if name.lower() not in EMBED}
    return View(title, page, parameters, notes, minutes)


# As a file


def write(plan: LecturePlan) -> str:
    """The plan as the text of a file."""
    parts = [f"version = {VERSION}\ntitle = {_quoted(plan.title)}\n"]
    for view in plan.views:
        minutes = f"minutes = {view.minutes:g}\n" if view.minutes else ""
        notes = f"notes = {_block(view.notes)}\n" if view.notes else ""
        parts.append(f"[[view]]\ntitle = {_quoted(view.title)}\n{minutes}address = {_quoted(view.address)}\n{notes}")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    # A string of JSON is one of TOML, but for the sign that TOML wants escaped and JSON does not.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _block(text: str) -> str:
    """A text of several lines, which a reader can edit."""
    lines = [_quoted(line)[1:-1] for line in text.split("\n")]
    return '"""\n' + "\n".join(lines) + '"""'


def read(file: bytes | str, pages: Collection[str]) -> tuple[LecturePlan, Problem | None]:
    """The plan of a file, and a note that names the views that were left out because the app has no such page.

    ``pages``: the pages that there are. Raises Problem for a file that is no plan or that another version wrote.
    """
    if len(file) > limits.PLAN_BYTES:
        raise Problem("plan_large", most=limits.PLAN_BYTES / 1e6)
    try:
        content = file if isinstance(file, str) else file.decode("utf-8-sig")
        if _LONG_KEY.search(content):
            raise ValueError(content)
        found = tomllib.loads(content)
    except (ValueError, RecursionError) as error:  # ValueError also for a number of too many digits
        raise Problem("plan_damaged") from error
    version, views = found.get("version"), found.get("view", [])
    if not isinstance(version, int) or isinstance(version, bool):
        raise Problem("plan_damaged")
    if version != VERSION:
        raise Problem("plan_version", version=version, known=VERSION)
    if not isinstance(views, list):
        raise Problem("plan_damaged")
    if len(views) > VIEWS:
        raise Problem("plan_views", most=VIEWS)
    plan = LecturePlan(_text(found, "title", TITLE), tuple(_view(each, k) for k, each in enumerate(views, 1)))
    return _without(plan, [view for view in plan.views if view.page not in pages])


def _without(plan: LecturePlan, lost: Sequence[View]) -> tuple[LecturePlan, Problem | None]:
    if not lost:
        return plan, None
    kept = tuple(view for view in plan.views if view not in lost)
    return replace(plan, views=kept), Problem("plan_pages", **count_names([view.address for view in lost]))


def _view(given: Any, place: int) -> View:
    """The view that a table of a file means; ``place`` is for the error that names it."""
    if not isinstance(given, dict) or not given.get("address"):
        raise Problem("plan_view", place=place)
    minutes = given.get("minutes", 0)
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 <= minutes <= MINUTES:
        raise Problem("plan_view", place=place)
    try:
        texts = [_text(given, name, most) for name, most in (("address", ADDRESS), ("title", TITLE), ("notes", NOTES))]
        return view_at(*texts, minutes)
    except ValueError as error:
        raise Problem("plan_view", place=place) from error


def _text(given: Mapping[str, Any], name: str, most: int) -> str:
    text = given.get(name, "")
    if not isinstance(text, str) or len(text) > most:
        raise Problem("plan_damaged")
    return text


# As a link


def pack(plan: LecturePlan) -> str:
    """The plan in letters that an address may hold."""
    return base64.urlsafe_b64encode(zlib.compress(write(plan).encode(), 9)).decode().rstrip("=")


def unpack(text: str, pages: Collection[str]) -> tuple[LecturePlan, Problem | None]:
    """The plan that `pack` wrote, and what `read` notes of it. Raises Problem for a text that was cut or changed."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
        stream = zlib.decompressobj()
        file = stream.decompress(packed, limits.PLAN_BYTES + 1)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise Problem("plan_link") from error
    if not stream.eof and len(file) <= limits.PLAN_BYTES:
        raise Problem("plan_link")
    return read(file, pages)


def link(plan: LecturePlan, server: str) -> str | None:
    """The link that opens the plan at the home page of ``server``; None if it would be longer than `LENGTH`."""
    found = f"{server.rstrip('/')}/#plan={pack(plan)}"
    return found if len(found) <= LENGTH else None
