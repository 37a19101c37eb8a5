"""Files that a learner brings: the browser keeps those of at most 1 MB in its IndexedDB, and they come back after a
reload, after a restart of the server and on another server of the same address.

A page draws `upload`, reads what it returns, and once that was a good file, lets the browser keep it by `keep`. What
comes back is a stranger's as any upload is: it is read and checked in the same way.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.frame import component, links
from pages.ui.frame.drawing import caption
from pages.ui.frame.text import t

MOST = 10**6  # bytes of a file that the browser keeps
LONG = 200  # characters of its name
_store = st.components.v2.component("stored", js=Path(__file__).with_suffix(".js").read_text("utf-8"))


@dataclass(frozen=True)
class Upload:
    """A file from the learner's machine, or the same one from the browser's store; ``id`` is another for each."""

    name: str
    content: bytes
    id: str = field(default_factory=partial(secrets.token_hex, 8))


@dataclass
class Field:
    """What a session knows of one field for files."""

    upload: Upload | None = None
    chosen: str = ""  # Streamlit's name of the file that was chosen last
    kept: bool | None = None  # whether the browser keeps it; None: it has not said so
    removed: bool = False
    session: str = field(default_factory=partial(secrets.token_hex, 8))


def upload(label: str, types: list[str] | None, key: str, **given: Any) -> Upload | None:
    """Draw a field for a file. Returns the one that was chosen last, in this visit or an earlier one; None if there is
    none. given: more for Streamlit's widget."""
    here, file = _field(key), st.file_uploader(label, types, key=key, **given)
    if file is not None and file.file_id != here.chosen:
        here.chosen, here.kept, here.removed = file.file_id, None, False
        here.upload = Upload(file.name[-LONG:], file.getvalue())
    if here.upload is None:
        sent = _tell(f"{key}_ask", key, "remove" if here.removed else "ask")
        if (found := _read(sent.file, here.session)) and not here.removed:
            here.upload, here.kept = found, True
    return here.upload


def keep(key: str) -> None:
    """Let the browser keep the file of a field, say so, and offer to remove it."""
    here = _field(key)
    if here.upload is None:
        return
    small = len(here.upload.content) <= MOST
    if here.kept is None:
        order = ["write", here.upload.name, base64.b64encode(here.upload.content).decode()] if small else ["remove"]
        sent = _tell(f"{key}_keep", key, *order)
        if isinstance(sent.written, list) and len(sent.written) == 2 and sent.written[0] == here.session:
            here.kept = bool(sent.written[1])
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        standing = "large" if not small else "refused" if here.kept is False else "kept"
        caption(t(f"frame.stored.{standing}", name=links.name_of(here.upload.name)))
        given = {"type": "tertiary", "key": f"{key}_remove", "on_click": _remove, "args": (key,)}
        st.button(t("frame.stored.remove"), **given)


def is_kept(key: str) -> bool:
    """Whether the browser is known to keep the file of a field."""
    return _field(key).kept is True


def _remove(key: str) -> None:
    here = _field(key)
    here.upload, here.removed = None, True


def _tell(drawn: str, key: str, order: str, *more: str) -> Any:
    """Give the browser an order, and return what it sent."""
    data = [_field(key).session, key, order, *more]
    return _store(key=drawn, data=data, on_file_change=component.nothing, on_written_change=component.nothing)


def _read(sent: Any, session: str) -> Upload | None:
    """A file that the browser sent to this session."""
    try:
        of_session, name, content = sent
        if of_session != session or not isinstance(name, str) or len(content) > 2 * MOST:
            return None
        return Upload(name[-LONG:], base64.b64decode(content, validate=True)[:MOST])
    except (TypeError, ValueError, binascii.Error):
        return None


def _field(key: str) -> Field:
    return st.session_state.setdefault("_stored", {}).setdefault(key, Field())
