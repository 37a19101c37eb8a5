"""Small values that a visitor's browser keeps from one visit to the next, in its localStorage.

`begin` draws the component, once in a run. What the browser kept arrives with a run of its own, at the first page of a
visit; where it kept nothing, there is no such run. A value is one of JSON. It comes from a stranger: who reads it,
checks it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.frame import component

KEY = "kept"
_kept = st.components.v2.component(KEY, js=Path(__file__).with_suffix(".js").read_text("utf-8"))


@dataclass
class Memory:
    """What one session knows of its browser's values."""

    values: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)  # by this session; None: removed
    sent: str = ""  # by the browser: what it kept when this session began


def begin(identity: str = "") -> None:
    """Ask the browser what it keeps, and hand on what was `put`. ``identity``: a name under which the browser keeps a
    random text of 32 hexadecimal digits, which it makes at its first visit."""
    memory = _memory()
    known = bool(memory.sent) and (not identity or identity in memory.values)
    # A list: in a dictionary Streamlit would look for data frames, and import pandas for it.
    _kept(key=KEY, data=[json.dumps(memory.written), known, identity], on_values_change=component.nothing)


def value(name: str, default: Any = None) -> Any:
    """The value that the browser keeps under ``name``, or ``default``."""
    found = _memory().values.get(name)
    return default if found is None else found


def put(name: str, new: Any) -> None:
    """Let the browser keep ``new`` under ``name``; None removes it. To be called before `begin`, as a callback is, or
    the browser hears of it in the next run only."""
    memory = _memory()
    memory.values[name] = memory.written[name] = new


def _read(sent: Any) -> dict[str, Any]:
    try:
        found = json.loads(sent)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _memory() -> Memory:
    """What the session knows, with what the browser has just sent."""
    memory, sent = st.session_state.setdefault("_kept", Memory()), (st.session_state.get(KEY) or {}).get("values")
    if sent and sent != memory.sent:
        memory.sent, memory.values = sent, {**_read(sent), **memory.written}
    return memory
