"""Small values that a visitor's browser keeps from one visit to the next, in its localStorage.

`begin` draws the component, once in a run. What the browser kept arrives with a run of its own, at the first page of a
visit; where it kept nothing, there is no such run. A value is one of JSON. It comes from a stranger: who reads it,
checks it.
"""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.frame import component

KEY, LATE = "kept", "kept_late"
_kept = st.components.v2.component(KEY, js=Path(__file__).with_suffix(".js").read_text("utf-8"))


@dataclass
class Memory:
    """What one session knows of its browser's values."""

    values: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)  # by this session; None: removed
    numbers: dict[str, int] = field(default_factory=dict)  # of these writings, in their order
    handed: int = 0  # how many writings the browser was told of in this run
    sent: str = ""  # by the browser: what it kept when this session began
    # A page that finds its server again repeats what it once told another session: it is asked anew.
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    writings: int = 0


def begin(identity: str = "") -> None:
    """Ask the browser what it keeps, and hand on what was `put`. ``identity``: a name under which the browser keeps a
    random text of 32 hexadecimal digits, which it makes at its first visit."""
    memory = _memory()
    known = bool(memory.sent) and (not identity or identity in memory.values)
    _hand_on(KEY, memory, known, identity)


def end() -> None:
    """At the end of a run: hand on what was `put` since it began."""
    memory = _memory()
    if memory.writings > memory.handed:
        _hand_on(LATE, memory, True, "")


def _hand_on(key: str, memory: Memory, known: bool, identity: str) -> None:
    memory.handed = memory.writings
    # A list: in a dictionary Streamlit would look for data frames, and import pandas for it.
    written = {name: [memory.numbers[name], new] for name, new in memory.written.items()}
    data = [json.dumps(written), known, identity, memory.session]
    _kept(key=key, data=data, on_values_change=component.nothing)


def value(name: str, default: Any = None) -> Any:
    """The value that the browser keeps under ``name``, or ``default``."""
    found = _memory().values.get(name)
    return default if found is None else found


def names(beginning: str) -> list[str]:
    """The names under which the browser keeps something, of those that begin so."""
    return [name for name, found in _memory().values.items() if name.startswith(beginning) and found is not None]


def put(name: str, new: Any) -> None:
    """Let the browser keep ``new`` under ``name``; None removes it. What it keeps already is not told again."""
    memory = _memory()
    if name not in memory.values or memory.values[name] != new:
        memory.values[name] = memory.written[name] = new
        memory.writings += 1
        memory.numbers[name] = memory.writings


def _read(sent: Any, session: str) -> dict[str, Any] | None:
    """What the browser told this session; None where that is not it."""
    try:
        of_session, found = json.loads(sent)
    except (TypeError, ValueError, RecursionError):
        return None
    return found if of_session == session and isinstance(found, dict) else None


def _memory() -> Memory:
    """What the session knows, with what the browser has just sent."""
    if "_kept" not in st.session_state:
        st.session_state["_kept"] = Memory()
    memory, sent = st.session_state["_kept"], (st.session_state.get(KEY) or {}).get("values")
    if sent and sent != memory.sent and (found := _read(sent, memory.session)) is not None:
        memory.sent, memory.values = sent, {**found, **memory.written}
    return memory
