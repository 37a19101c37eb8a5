"""The lecture plan of this visitor: its menu, the dialog in which it is made, and the way through it.

The browser keeps the plan (`kept`), so that it outlasts a reload. Which of its views is shown stands in the address
(``plan=4``); 0 while none runs. A step is a link that opens the next view as a whole.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import streamlit as st

from core.problems import Problem
from pages.ui.frame import chapters, controls, drawing, kept, links, presentation, share, text
from pages.ui.frame.drawing import caption
from pages.ui.frame.text import t
from pages.ui.lecture import plan as plans
from pages.ui.lecture.plan import LecturePlan, View

OWN, BEFORE, OFFERED, OPEN, SHOWN = "plan", "plan_before", "_plan_offered", "_plan_open", "_plan_shown"
HEIGHT = 420  # CSS pixels of the list of views


# The plan


def current() -> LecturePlan:
    """The plan of this visitor; an empty one where the browser keeps none that can be read."""
    packed = kept.value(OWN)
    known = st.session_state.get("_plan", (None, LecturePlan()))
    if known[0] != packed:  # it is read once, not in every run
        try:
            known = packed, plans.unpack(str(packed), chapters.present())[0]
        except Problem:
            known = packed, LecturePlan()
        st.session_state["_plan"] = known
    return known[1]


def _keep(plan: LecturePlan) -> None:
    kept.put(OWN, plans.pack(plan) if plan != LecturePlan() else None)


def _take(plan: LecturePlan) -> None:
    """Put a plan in the place of the present one, which can be brought back."""
    if len(current()):
        kept.put(BEFORE, kept.value(OWN))
    _keep(plan)
    st.session_state.pop(OFFERED, None)
    st.session_state["_plan_chosen"] = 0


def _bring_back() -> None:
    now = kept.value(OWN)
    kept.put(OWN, kept.value(BEFORE))
    kept.put(BEFORE, now)


@cache
def shipped(language: str) -> dict[str, LecturePlan]:
    """The plans of the whole course in a language, by the name of their file."""
    files = sorted((text.FOLDER / language / "plans").glob("*.toml"))
    return {file.stem: plans.read(file.read_bytes(), chapters.present())[0] for file in files}


# The way through it


def running() -> bool:
    """Whether a view of the plan is shown, or was before the lecturer looked at something else."""
    return 0 < controls.value("plan") <= len(current())


def parameters_of(plan: LecturePlan, place: int) -> dict[str, str]:
    """The parameters of the link that opens a view of a plan, counted from 1."""
    given = {"predictions": "true", **plan.views[place - 1].parameters}
    for name in ("present", *links.EVERYWHERE):
        if name not in ("predictions", "lang"):
            given.pop(name, None)
    return controls.link_to({**given, "plan": str(place)})


def upcoming() -> View | None:
    """The view that comes next, while a plan runs."""
    place, plan = controls.value("plan"), current()
    return plan.views[place] if running() and place < len(plan) else None


def turns() -> None:
    """The ways to the views before and after, and the place of this one. At an end of the plan there is no way on."""
    plan, place = current(), controls.value("plan")
    with st.container(key="plan", horizontal=True, vertical_alignment="center", gap="small", width="content"):
        for direction, there in (("previous", place - 1), ("next", place + 1)):
            with st.container(key=f"plan_{direction}", width="content"):
                if 1 <= there <= len(plan):
                    _step(plan, there, plan.views[there - 1].title, presentation.ICONS[direction])
            if direction == "previous":
                drawing.draw_html(f"{place}&thinsp;/&thinsp;{len(plan)}")


def _step(plan: LecturePlan, place: int, label: str, icon: str) -> None:
    page = chapters.page_of(plan.views[place - 1].page)
    st.page_link(page, label=links.plain(label) or str(place), icon=icon, query_params=parameters_of(plan, place))


def notes() -> None:
    """What the lecturer says at the view that is shown; on another page than that of the view, nothing."""
    view = current().views[controls.value("plan") - 1] if running() else None
    if view and view.page == controls.page() and view.notes:
        with presentation.sheet(), st.container(key="plan_notes", border=True, gap="small"):
            st.subheader(t("frame.plan.notes"), anchor=False)
            drawing.draw_html(_paragraphs(view.notes))


def _paragraphs(notes: str) -> str:
    """A lecturer's text with a paragraph for each line. Of Markdown it has lists only: no link, picture or HTML."""
    # Without the space that begins a line: four of them would make it code.
    return "\n\n".join(links.plain(line.strip()) for line in notes.splitlines() if line.strip())


# The menu


def menu() -> None:
    """The part of the lecturer's menu that is about the plan and about the address of this view."""
    sent = share.buttons("share", ("copy", "qr", "add", "presented"))
    if sent.add:
        _add(sent.add)
    if sent.qr:
        share.show_code(sent.qr)
    count = len(current())
    label = t("frame.plan.open", count=count) if count else t("frame.plan.begin")
    st.button(label, icon=":material/list:", key="_plan_menu", on_click=_open)


def _add(link: str) -> None:
    """Put the view at a link, which the page shows now, at the end of the plan."""
    scene = controls.scene()
    title = (
        t("frame.plan.view_title", page=chapters.title_of(controls.page()), scene=scene)
        if scene
        else chapters.title_of(controls.page())
    )
    try:
        plan = current().add(plans.view_at(link, title))
    except Problem as problem:
        st.toast(links.plain(text.problem(problem)), icon=":material/error:")
        return
    _keep(plan)
    st.session_state["_plan_added"] = len(plan)
    st.toast(t("frame.plan.added", title=links.plain(title), place=len(plan)), icon=":material/playlist_add:")


def receive(packed: str | None) -> None:
    """Offer the plan that stood in the address of this page, once."""
    if packed is not None and packed != st.session_state.get("_plan_received"):
        st.session_state["_plan_received"] = packed
        _open()
        try:
            st.session_state[OFFERED] = plans.unpack(packed, chapters.present())
        except Problem as problem:
            st.session_state[OFFERED] = LecturePlan(), problem


def _open() -> None:
    """Open the dialog at the view that was just added, or else at the place in the plan."""
    drawing.close_menu()
    st.session_state.pop(OFFERED, None)
    if place := st.session_state.pop("_plan_added", controls.value("plan")):
        st.session_state["_plan_chosen"] = place - 1
    st.session_state[OPEN] = controls.view()


def _close() -> None:
    st.session_state.pop(OPEN, None)


def dialog() -> None:
    """Draw the dialog of the plan, until it is closed or a view is opened from it."""
    if OPEN in st.session_state:
        if st.session_state[OPEN] == controls.view():
            st.session_state[SHOWN] = kept.value(OWN)
            drawing.dialog(t("frame.plan.title"), _contents, width="large", on_dismiss=_close)
        else:
            _close()


def _contents() -> None:
    plan = current()
    _offer()
    if len(plan):
        _start(plan)
        _edit(plan)
        _save(plan)
    else:
        drawing.prose(t("frame.plan.empty"))
    _load()
    if kept.value(OWN) != st.session_state[SHOWN]:  # the browser keeps it from the next run on
        st.rerun()


def _offer() -> None:
    """A plan that came by a link or a file, or what is wrong with it."""
    plan, problem = st.session_state.get(OFFERED, (LecturePlan(), None))
    if problem:
        drawing.sorry(problem)
    if len(plan):
        with st.container(border=True, gap="small"):
            drawing.prose(t("frame.plan.offered", title=links.plain(_title(plan)), **_measures(plan)))
            st.button(t("frame.plan.use"), type="primary", key="_plan_use", on_click=_take, args=(plan,))


def _title(plan: LecturePlan) -> str:
    return plan.title or t("frame.plan.title")


def _measures(plan: LecturePlan) -> dict[str, Any]:
    return {"count": len(plan), "views": len(plan), "minutes": f"{plan.minutes:g}"}


def _start(plan: LecturePlan) -> None:
    """The name of the plan, and the links that begin to show it."""
    st.session_state["_plan_title"] = plan.title
    st.text_input(t("frame.plan.name"), max_chars=plans.TITLE, key="_plan_title", on_change=_rename)
    caption(t("frame.plan.measures", **_measures(plan)))
    chosen = _chosen(plan)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="plan_start"):
        for place, label in ({1: "start"} | ({chosen + 1: "start_here"} if chosen else {})).items():
            given = {**parameters_of(plan, place), "present": "true"}
            icon = ":material/slideshow:"
            page = chapters.page_of(plan.views[place - 1].page)
            st.page_link(page, label=t(f"frame.plan.{label}", place=place), icon=icon, query_params=given)
        if controls.value("plan"):
            st.button(t("frame.plan.stop"), key="_plan_stop", on_click=_stop)


def _stop() -> None:
    controls.put("plan", 0)
    _close()


def _rename() -> None:
    _keep(replace(current(), title=st.session_state["_plan_title"]))


def _chosen(plan: LecturePlan) -> int:
    """The view that is edited, counted from 0."""
    return max(0, min(st.session_state.get("_plan_chosen", 0), len(plan) - 1))


def _edit(plan: LecturePlan) -> None:
    """The list of the views, and the one that is chosen in it."""
    listed, edited = st.columns([1, 1], gap="medium")
    places = range(len(plan))
    chosen = _chosen(plan)
    labels = [f"{place + 1}. {links.plain(view.title)}" for place, view in enumerate(plan.views)]
    with listed.container(height=HEIGHT, border=True):
        st.session_state["_plan_list"] = chosen
        st.radio(t("frame.plan.views"), places, format_func=labels.__getitem__, key="_plan_list", on_change=_choose)
    with edited:
        _edit_view(plan, chosen)


def _choose() -> None:
    st.session_state["_plan_chosen"] = st.session_state["_plan_list"]


def _edit_view(plan: LecturePlan, place: int) -> None:
    view = plan.views[place]
    fields = {
        "title": (st.text_input, view.title, {"max_chars": plans.TITLE}),
        "minutes": (st.number_input, float(view.minutes),
                    {"min_value": 0.0, "max_value": float(plans.MINUTES), "step": 0.5, "format": "%g"}),
        "notes": (st.text_area, view.notes, {"max_chars": plans.NOTES, "height": 150}),
    }  # fmt: skip
    for name, (widget, value, more) in fields.items():
        key = f"_plan_view_{name}"
        st.session_state[key] = value
        widget(t(f"frame.plan.view.{name}"), key=key, on_change=_change, args=(place, name), **more)
    caption(links.name_of(view.address))
    with st.container(horizontal=True, gap="small"):
        for name, icon, act, possible in (
            ("up", "arrow_upward", (_move, place, place - 1), place > 0),
            ("down", "arrow_downward", (_move, place, place + 1), place < len(plan) - 1),
            ("delete", "delete", (_delete, place), True),
        ):
            given = {"icon": f":material/{icon}:", "disabled": not possible, "key": f"_plan_{name}"}
            st.button(t(f"frame.plan.view.{name}"), on_click=act[0], args=act[1:], **given)


def _change(place: int, name: str) -> None:
    _keep(current().change(place, **{name: st.session_state[f"_plan_view_{name}"]}))


def _move(place: int, to: int) -> None:
    _keep(current().move(place, to))
    st.session_state["_plan_chosen"] = to


def _delete(place: int) -> None:
    kept.put(BEFORE, kept.value(OWN))
    _keep(current().drop(place))


def _save(plan: LecturePlan) -> None:
    """The plan as a file and as a link, where a link can be as long."""
    link = plans.link(plan, chapters.server())
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        name = "".join(sign if sign.isalnum() else "-" for sign in _title(plan).lower()).strip("-")
        given = {"mime": "application/toml", "icon": ":material/download:", "on_click": "ignore", "key": "_plan_save"}
        st.download_button(t("frame.plan.save"), plans.write(plan), f"{name}.toml", **given)
        if link:
            share.copy_button("plan_link", link)
        else:
            caption(t("frame.plan.no_link", most=plans.LENGTH))


def _load() -> None:
    """A plan from a file, one of those that come with the app, or the one before."""
    st.divider()
    with st.container(horizontal=True, gap="small"):
        for name, plan in shipped(text.language.get()).items():
            st.button(plan.title, key=f"_plan_{name}", on_click=_offer_this, args=(plan,))
        if kept.value(BEFORE):
            st.button(t("frame.plan.undo"), icon=":material/undo:", key="_plan_undo", on_click=_bring_back)
    st.file_uploader(t("frame.plan.file"), key="_plan_file", on_change=_read)


def _offer_this(plan: LecturePlan) -> None:
    """Take a plan, where it replaces none; else offer it."""
    if len(current()):
        st.session_state[OFFERED] = plan, None
    else:
        _take(plan)


def _read() -> None:
    if file := st.session_state["_plan_file"]:
        try:
            plan, note = plans.read(file.getvalue(), chapters.present())
        except Problem as problem:
            plan, note = LecturePlan(), problem
        st.session_state[OFFERED] = plan, note
