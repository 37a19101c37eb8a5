"""The whole state of a page in its address, so that a pasted link shows what its sender saw.

A control made here is Streamlit's own widget bound to the address: its key is the parameter's name, its default stays
out of the address, and a value that it cannot take is left out. This module adds what the binding does not do: one
notice that names what was ignored in a link, and values that belong to a page (two chapters may both have a `seed`).
"""

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

T = TypeVar("T")

EVERYWHERE = {"present", "predictions"}  # a lecturer's choices hold on every page
ALL = "*"  # in place of a page's name, which may be empty
UNSHARED = ("run",)  # somebody's own training run: a copied link leaves it out
EXTRAS = {"probe", "run", "draw"}  # read by some scenes of some pages


@dataclass
class Memory:
    """What one visitor's session remembers of its addresses."""

    page: str | None = None
    unread: dict[str, str] = field(default_factory=dict)  # came with the address, claimed by nothing so far
    ignored: list[str] = field(default_factory=list)
    parts: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # page -> parameter -> what it was left at
    greeted: bool = False  # only the link that began the session is the visitor's own


def arrive(page: str) -> None:
    """Read the address when a visitor comes to `page`. Coming back to a page opens the link that it was left with."""
    if "_controls" in st.session_state:
        st.session_state["_controls"].page = None
    memory = _memory()
    if memory.page == page:
        return
    first, memory.page = memory.page is None, page
    if not first:
        _restore(memory)
    memory.unread = st.query_params.to_dict()
    if not first:
        st.rerun()  # only a run that starts with an address gives it to the widgets, whatever they held before


def _restore(memory: Memory) -> None:
    for key in {key for part in memory.parts.values() for key in part} & set(st.session_state):
        del st.session_state[key]
    left = memory.parts.get(ALL, {}) | memory.parts.get(memory.page, {})
    left_with = {name: values for name, values in left.items() if values}
    came_with = {name: st.query_params.get_all(name) for name in st.query_params}
    st.query_params.from_dict(left_with | came_with)


def _remember(name: str, values: list[str]) -> None:
    memory = _memory()
    memory.parts.setdefault(ALL if name in EVERYWHERE else memory.page, {})[name] = values


def _bound(widget: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(widget)
    def control(*args: Any, key: str, **kwargs: Any) -> T:
        value = widget(*args, key=key, bind="query-params", **kwargs)
        if value is None:  # the address cleared a choice that must be made
            value = kwargs.get("default")
        memory = _memory()
        came = memory.unread.pop(key, None)
        written = _written(value, kwargs.get("format_func") or str)
        if came is not None and not any(_same(came, part) for part in written):
            memory.ignored.append(f"{key}={came}")
        _remember(key, written if key in st.query_params else [])  # a default is in no address
        return value

    return control


slider = _bound(st.slider)
select_slider = _bound(st.select_slider)
selectbox = _bound(st.selectbox)
segmented = _bound(functools.partial(st.segmented_control, required=True))
radio = _bound(st.radio)
multiselect = _bound(st.multiselect)
toggle = _bound(st.toggle)
number = _bound(st.number_input)
text = _bound(st.text_input)
text_area = _bound(st.text_area)


def param(name: str, parse: Callable[[str], T], default: T) -> T:
    """A parameter that is no widget's (a probe, a run); `default` where it is absent or `parse` raises ValueError."""
    came = _memory().unread.pop(name, None)
    raw = st.query_params.get(name)
    _remember(name, st.query_params.get_all(name))
    if raw is None:
        return default
    try:
        return parse(raw)
    except ValueError:
        if came is not None:
            _memory().ignored.append(f"{name}={came}")
        set_param(name, None)
        return default


def set_param(name: str, value: object | None) -> None:
    """Write a parameter that is no widget's into the address; None takes it out."""
    if value is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != str(value):
        st.query_params[name] = str(value)
    _remember(name, st.query_params.get_all(name))


def between(low: float, high: float) -> Callable[[str], float]:
    """A parser for `param`: a finite number from `low` to `high`."""

    def parse(raw: str) -> float:
        value = float(raw)
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"{name_of(raw)} is not between {low} and {high}")
        return value

    return parse


def place(reach: float) -> Callable[[str], tuple[float, float]]:
    """A parser for `param`: a place "x,y" of the plane, each from -reach to reach."""

    def parse(raw: str) -> tuple[float, float]:
        x, y = map(between(-reach, reach), raw.split(","))
        return x, y

    return parse


def notice() -> None:
    """Say once, in a small message, which parts of the link were ignored; what nothing claimed leaves the address."""
    memory = _memory()
    unknown = [name for name, raw in memory.unread.items() if name not in EXTRAS and not _is_clock(name, raw)]
    ignored = memory.ignored + [f"{name}={memory.unread[name]}" for name in unknown]
    memory.unread, memory.ignored = {}, []
    for name in unknown:
        st.query_params.pop(name, None)
    if ignored and not memory.greeted:
        listed = ", ".join(map(name_of, ignored[:4])) + (f" and {len(ignored) - 4} more" if len(ignored) > 4 else "")
        st.toast(f"Ignored in this link: {listed}. The defaults stand.", icon=":material/link_off:", duration=10)
    memory.greeted = True


def _is_clock(name: str, raw: str) -> bool:
    """The stage reads and writes its own parameter in the browser."""
    try:
        return name == "clock" and between(0, 1)(raw) >= 0
    except ValueError:
        return False


def name_of(raw: str) -> str:
    """A visitor's text as short inert code: it may hold Markdown, and Markdown can call other machines."""
    inert = "".join(sign for sign in raw if sign.isprintable()).replace("`", "'")
    return f"`{inert[:32]}{'…' if len(inert) > 32 else ''}`"


def plain(text: str) -> str:
    """A sentence that may quote a stranger's file, as Markdown that says just that: no link, no picture, no layout."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:&])", r"\\\1", text)


def _written(value: Any, label: Callable[[Any], str]) -> list[str]:
    """A control's value as the address has it: options by their labels."""
    if isinstance(value, bool):
        return [str(value).lower()]
    return [label(item) for item in value] if isinstance(value, (list, tuple)) else [label(value)]


def _same(came: str, written: str) -> bool:
    try:
        return float(came) == float(written)
    except ValueError:
        return came.lower() == written.lower()


def _memory() -> Memory:
    return st.session_state.setdefault("_links", Memory())
