"""The controls of a page as Streamlit's widgets, bound to the address of the page.

Streamlit's own binding would write the labels that it shows into the address; here the address holds what `links`
writes. A value that a control had is remembered for the visit, also while another scene hides the control.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.frame import links, text
from pages.ui.frame.links import Choice, Code, Control, Interval, Number, Several, Text, Toggle
from pages.ui.lecture import polls

C = TypeVar("C")
COMMON = {
    "predictions": Toggle(True),
    "present": Toggle(False),
    "plan": Number(0, 0, 999),
    "class": Code(None, polls.read_code),
    "lang": Choice(text.DEFAULT, text.languages, style="select"),
}
"""The choices that hold on every page: the lecturer's switches, the place in the lecture plan, the class of a
student, and the language."""
SWITCHES = "predictions", "present"
"""Those of them that stand in the lecturer's menu."""
strip: ContextVar[DeltaGenerator | None] = ContextVar("strip", default=None)
"""Where a presented page has its main controls; None on any other page."""


@dataclass
class Memory:
    """What one visitor's session remembers of its controls."""

    page: str | None = None
    config: type = object
    values: dict[str, dict[str, Any]] = field(default_factory=dict)  # page -> control -> what it was left at
    named: set[str] = field(default_factory=set)  # of what holds on every page, by an address of this visit
    options: dict[str, tuple] = field(default_factory=dict)  # what each control of this page last offered
    drawn: set[str] = field(default_factory=set)  # in this run of the script
    parts: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)  # page -> "hide" or "fix" -> controls
    opened: str = ""  # the last view that a link opened as a whole
    view: tuple[str, dict[str, str]] | None = None  # its number and how its picture stands, while its page is shown
    ignored: tuple[str, ...] = ()
    greeted: bool = (
        False  # what is ignored is named for the link that began the session, and for a view opened as a whole
    )


def arrive(page: str, config: type) -> None:
    """Begin a run of ``page``; when a visitor comes to it, read the address.

    Coming back to a page opens it as it was left. Parameters of the link that led here win. A link with ``open``, any
    new text, opens a view as a whole: no other control is left as it was, also on the page where the visitor is.
    """
    memory, given = _memory(), st.query_params.to_dict()
    memory.drawn = set()
    token = given.pop("open", memory.opened)
    st.query_params.pop("open", None)
    if memory.page == page and token == memory.opened:
        return
    memory.page, memory.config, memory.options, memory.view = page, config, {}, None
    if token != memory.opened:
        memory.values.pop(page, None)
        memory.parts.pop(page, None)
        memory.opened, memory.greeted = token, False
        memory.view = str(time.time_ns()), {name: given[name] for name in links.STAGE if name in given}
    _read(config, given)


def _read(config: type, given: dict[str, str]) -> None:
    """Take over what the address says, and name what cannot be read."""
    memory = _memory()
    read, memory.ignored = links.parse(config, given)
    known = {**links.controls(config), **COMMON}
    for name in known:
        st.session_state.pop(_key(name), None)
    for name in known.keys() & given.keys() - COMMON.keys():
        if f"{name}={given[name]}" not in memory.ignored:
            _values(name)[name] = getattr(read, name)
    for name in COMMON.keys() & given.keys():
        try:
            _values(name)[name] = links.value_of(COMMON[name], given[name])
            memory.named.add(name)
        except ValueError:
            memory.ignored += (f"{name}={given[name]}",)
    for name in given:
        if f"{name}={given[name]}" in memory.ignored:
            del st.query_params[name]
    for name in known:
        _to_address(name)
    _read_parts(config, given)


def _read_parts(config: type, given: dict[str, str]) -> None:
    """What the address hides and fixes of the page; without a word of it, what it was left with."""
    kept = _memory().parts.setdefault(str(_memory().page), {})
    for part in links.PARTS:
        if part in given:
            kept[part] = links.named(config, given[part])
        written = ",".join(kept.get(part, ()))
        if not written:
            st.query_params.pop(part, None)
        elif st.query_params.get(part) != written:
            st.query_params[part] = written


def link_to(parameters: dict[str, str]) -> dict[str, str]:
    """The parameters of a link that opens a view as a whole, also on the page where the visitor is."""
    return {**parameters, "open": "2" if _memory().opened == "1" else "1"}


def view() -> tuple[str, dict[str, str]] | None:
    """The number of the view that a link opened as a whole, and how its picture is to stand (`links.STAGE`), while its
    page is shown."""
    return _memory().view


def language() -> str:
    """The visitor's language, also before the page has read its address."""
    kept = st.session_state.get("lang") or _values("lang").get("lang")
    chosen = kept or st.query_params.get("lang")
    return chosen if chosen in text.languages() else _default("lang")


def _default(name: str) -> Any:
    """The value of a control that nobody has set; for the language the one that the browser asks for."""
    if name == "lang":
        wanted = (st.context.locale or "").split("-")[0]
        return wanted if wanted in text.languages() else text.DEFAULT
    return _control(name).initial


def draw(name: str, options: Sequence[Any] | None = None, style: str = "", **given: Any) -> Any:
    """Draw the control ``name`` of this page's configuration in the current container and return its value. One that
    the address hides is not drawn, and one that it fixes cannot be changed. A presented page has its main controls, and
    the choice of its scene, in its header.

    options: those of its options that there are now. style: another than its own. given: more for Streamlit's widget.
    """
    memory, control = _memory(), _control(name)
    if name == "show" and strip.get():
        return use(name)
    control = replace(control, style=style) if style else control
    choices = tuple(options if options is not None else control.choices) if isinstance(control, Choice) else ()
    if name in _parts("hide"):
        memory.options[name] = choices
        found = _possible(control, value(name), choices)
    else:
        found = _drawn(name, control, choices, given)
    found = tuple(found) if isinstance(control, Several) else found
    if found is None:
        found = _default(name)
    _keep(name, found)
    return found


def _drawn(name: str, control: Control, choices: tuple, given: dict[str, Any]) -> Any:
    """Draw the widget of a control where it belongs, and return its value."""
    memory, key = _memory(), _key(name)
    if key not in st.session_state or memory.options.get(name, choices) != choices:
        st.session_state[key] = _possible(control, value(name), choices)
    memory.options[name] = choices
    fixed = {"disabled": True} if name in _parts("fix") else {}
    given = {**_start(control, choices, st.session_state[key]), **_help(name), **fixed, **given}
    given |= {"label_visibility": "visible"} if (place := _main_place(control)) else {}
    with place or nullcontext():
        return _widget(name, control, choices)(_text(name, "label"), key=key, **given)


def _key(name: str) -> str:
    """The key of a control's widget. A switch in the menu has another for each view that a link opens: while the menu
    is closed, the browser learns no new value of its switches and would send the old one with the next run."""
    return f"{name}{_memory().opened}" if name in SWITCHES else name


def _parts(which: str) -> Sequence[str]:
    """The controls of this page that its address hides ("hide") or fixes ("fix")."""
    memory = _memory()
    return memory.parts.get(str(memory.page), {}).get(which, ())


def _main_place(control: Control) -> DeltaGenerator | None:
    """Where a presented page draws one of its main controls; None for any other control or page."""
    main = control.main if isinstance(control.main, bool) else value("show") in control.main
    return strip.get() if main else None


def value(name: str) -> Any:
    """The value that a control has: what it was last drawn with, used with or set to, else its default. A widget that
    the learner has just changed counts once it is drawn; `upcoming` looks ahead. Changes nothing."""
    return _values(name).get(name, _default(name))


def upcoming(name: str) -> Any:
    """The value that a control will be drawn with further down in this run: what its widget, if it has one, was just
    changed to. Changes nothing."""
    return st.session_state.get(_key(name), value(name))


def scenes() -> tuple[str, ...]:
    """The scenes that the page offers in this run; none where it has but one, or a question comes first."""
    return tuple(_memory().options.get("show", ())) if "show" in _memory().drawn else ()


def page() -> str:
    """The page that is shown."""
    return str(_memory().page)


def shown() -> str:
    """The identifier of the scene that the page shows; empty where it has but one."""
    memory = _memory()
    return str(value("show")) if memory.page and "show" in links.controls(memory.config) else ""


def scene() -> str:
    """The label of the scene that the page shows; empty where it has but one."""
    return option("show", upcoming("show")) if "show" in links.controls(_memory().config) else ""


def waits(name: str) -> bool:
    """Whether the page has a control that it does not offer yet: a question comes first."""
    memory = _memory()
    return name in links.controls(memory.config) and name not in memory.drawn


def use(name: str) -> Any:
    """The value of a control without a widget of `draw`, such as a probe or an answer. As a drawn one it now belongs to
    this run: the address and `config` have it."""
    _keep(name, value(name))
    return value(name)


def put(name: str, new: Any) -> None:
    """Set a control; None or its default takes it out of the address. For a widget only before it is drawn."""
    if name in _memory().options:
        st.session_state[_key(name)] = _default(name) if new is None else new
    _keep(name, _default(name) if new is None else new)


def recall(name: str, chosen: Any) -> None:
    """Set one of the choices that hold on every page as it was left on an earlier visit, unless an address of this one
    has named it. To be called before it is drawn."""
    if name not in _memory().named and chosen in options(name):
        st.session_state.pop(_key(name), None)
        _values(name)[name] = chosen


def forget(page: str, name: str) -> None:
    """Take a control of any page back to its default; nothing for a name that the page does not have any more."""
    _memory().values.get(page, {}).pop(name, None)
    if page == _memory().page and name in links.controls(_memory().config):
        put(name, None)


def config(**more: Any) -> Any:
    """The configuration of the page as it stands: what was drawn or used in this run, all else by default."""
    memory = _memory()
    drawn = {name: value(name) for name in links.controls(memory.config) if name in memory.drawn}
    return memory.config(**drawn | more)


def as_left() -> Any:
    """The configuration of the page with each control as it was left, also where another scene hides it."""
    memory = _memory()
    return memory.config(**{name: value(name) for name in links.controls(memory.config)})


def settle() -> None:
    """At the end of a run: controls of scenes that are not shown leave the address, and what was ignored is named
    once."""
    memory = _memory()
    for name in links.controls(memory.config).keys() - memory.drawn:
        st.query_params.pop(name, None)
    if memory.ignored and not memory.greeted:
        some, rest = memory.ignored[:4], len(memory.ignored) - 4
        listed = ", ".join(map(links.name_of, some))
        listed += text.t("frame.link.more", rest=rest) if rest > 0 else ""
        st.toast(text.t("frame.link.ignored", listed=listed), icon=":material/link_off:", duration=10)
    memory.greeted, memory.ignored = True, ()


def initial(name: str) -> Any:
    """The value of a control of this page that nobody has set."""
    return _default(name)


def options(name: str) -> tuple[Any, ...]:
    """What a control of this page offers."""
    return _control(name).choices


def option(name: str, chosen: Any) -> str:
    """The label of one option of a control of this page."""
    return label_of(_page(name), name, _control(name), chosen)


def label_of(page: str, name: str, control: Control, chosen: Any) -> str:
    """The label of one option of a page's control."""
    key = f"{page}.controls.{name}.options.{chosen}"
    if getattr(control, "labels", ""):
        return text.label(control.labels, chosen)
    return text.t(key) if text.has(key) else Control.write(control, chosen)


def _widget(name: str, control: Control, choices: tuple) -> Callable[..., Any]:
    labels = {one: option(name, one) for one in choices}
    shown = {"options": choices, "format_func": lambda one: labels.get(one, str(one))}
    hint = {"placeholder": text.t("frame.streamlit.choose")}
    if isinstance(control, Interval):
        return partial(st.select_slider, **shown)
    if isinstance(control, Several):
        return partial(st.multiselect, **shown, **hint)
    if isinstance(control, Choice):
        styles = {
            "select": partial(st.selectbox, **hint),
            "radio": st.radio,
            "slider": st.select_slider,
            "segmented": partial(st.segmented_control, required=True),
        }
        return partial(styles[control.style], **shown)
    if isinstance(control, Number):
        bounds = {"min_value": control.low, "max_value": control.high, "step": control.step}
        bounds = {key: type(control.default)(end) for key, end in bounds.items() if end is not None}
        return partial(st.slider if control.style == "slider" else st.number_input, **bounds, format=control.form)
    if isinstance(control, Text):
        return partial(st.text_area if control.lines else st.text_input, max_chars=control.most)
    return st.toggle


def _start(control: Control, choices: tuple, now: Any) -> dict[str, Any]:
    """The argument that gives a widget its present value as its own default.

    What is set in the session's state reaches the browser with one run only. A browser that draws the next run first
    would show, and send back, the widget's own default.
    """
    if isinstance(control, Several) and not isinstance(control, Interval):
        return {"default": list(now)}
    if isinstance(control, Choice) and control.style in ("select", "radio"):
        return {"index": choices.index(now) if now in choices else 0}
    if isinstance(control, Choice) and control.style == "segmented":
        return {"default": now}
    return {"value": now}


def _possible(control: Control, wanted: Any, choices: tuple) -> Any:
    if isinstance(control, Interval) or not choices:
        return wanted
    if isinstance(control, Several):
        return [one for one in wanted if one in choices]
    return wanted if wanted in choices else control.default if control.default in choices else choices[0]


def _keep(name: str, new: Any) -> None:
    _memory().drawn.add(name)
    _values(name)[name] = new
    _to_address(name)


def _to_address(name: str) -> None:
    """Write a value into the address, or take its default out of it; only a change is sent to the browser."""
    chosen = value(name)
    if chosen == _default(name):
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != (written := _control(name).write(chosen)):
        st.query_params[name] = written


def _control(name: str) -> Control:
    return COMMON.get(name) or links.controls(_memory().config)[name]


def _page(name: str) -> str:
    return "frame" if name in COMMON else str(_memory().page)


def _values(name: str) -> dict[str, Any]:
    memory = _memory()
    return memory.values.setdefault("" if name in COMMON else str(memory.page), {})


def _text(name: str, part: str) -> str:
    return text.t(f"{_page(name)}.controls.{name}.{part}")


def _help(name: str) -> dict[str, str]:
    return {"help": _text(name, "help")} if text.has(f"{_page(name)}.controls.{name}.help") else {}


def _memory() -> Memory:
    try:
        return st.session_state["_controls"]
    except KeyError:  # `setdefault` would make a new one at each of several hundred calls in a run
        st.session_state["_controls"] = Memory()
        return st.session_state["_controls"]
