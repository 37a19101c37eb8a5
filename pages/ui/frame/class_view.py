"""What a class has on its pages: the vote in the place of a question, for the lecturer; the page on which students
join and answer; and above a chapter what a student needs there.

A page asks for nothing of this: `shell` calls it. Whatever changes while nobody touches the page is looked up by a part
that runs by itself.
"""

import html
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from core.problems import Problem
from pages.ui.frame import chapters, classes, component, controls, kept, links, share, text
from pages.ui.frame.classes import Scene
from pages.ui.frame.drawing import anchor, caption, close_menu, dialog, draw_html, fragment, message, prose, sorry
from pages.ui.frame.text import t
from pages.ui.lecture import polls
from pages.ui.lecture.polls import Lecturer, Standing

STYLE = Path(__file__).with_name("class.css")
_tap = st.components.v2.component(
    "tap", js=Path(__file__).with_name("vote.js").read_text("utf-8"), isolate_styles=False
)
_picture = st.components.v2.component("follow", js=Path(__file__).with_name("follow.js").read_text("utf-8"))
GONE = ("class_unknown", "class_over", "class_full", "class_secret")
"""Problems that do not pass: who has one is in no class any more. Others may pass, such as a file that is locked."""
VOTE = ("question", "ballot", "open")  # what of a `Standing` makes it another vote
FOLLOWED = "followed"  # the name under which a student's browser keeps the class that it follows
SOON, OFTEN = 1.0, 2.0  # seconds between two looks: of the lecturer at the votes, of a student at the class


def identity() -> str:
    """The name under which the browser of a student of a class keeps its random text; nothing for anybody else."""
    return classes.IDENTITY if classes.code() else ""


def begin(page: str) -> None:
    """Begin chapter ``page``: draw what a student of a class needs above it."""
    st.session_state["_class_question"] = None
    if classes.lecturer() or classes.code():
        _style()
    lecturer = classes.lecturer()
    if lecturer:
        try:
            classes.polls().check(lecturer)
        except Problem as error:
            _leave(error)
    if classes.code() and classes.student():
        try:
            now = classes.polls().join(classes.code(), classes.student())
        except Problem as error:
            _toast(error)
            if error.code in GONE:
                controls.put("class", None)
        else:
            with st.container(key="class", border=True, gap="small"):
                _student(now, page)


def _style() -> None:
    draw_html(f"<style>{STYLE.read_text('utf-8')}</style>")


def _leave(error: Problem) -> None:
    _toast(error)
    if error.code in GONE:
        classes.leave()


def _toast(error: Problem) -> None:
    st.toast(links.plain(text.problem(error)), icon=":material/error:", duration=10)


# The lecturer: opening a class


def menu() -> None:
    """A button that opens a class, and once there is one, shows how to join it."""
    lecturer = classes.lecturer()
    label = t("class.menu", code=lecturer.code) if lecturer else t("class.open")
    st.button(label, icon=":material/groups:", key="_class", on_click=_open)
    if error := st.session_state.pop("_class_error", None):
        sorry(error)
    elif lecturer and st.session_state.pop("_class_dialog", False):
        dialog(label, partial(_commands, lecturer), width="large", on_dismiss="rerun")


def _open() -> None:
    try:
        if not classes.lecturer():
            classes.open_class()
    except Problem as error:
        st.session_state["_class_error"] = error  # the menu, which says it, stays open
    else:
        st.session_state["_class_dialog"] = True
        close_menu()


def _commands(lecturer: Lecturer) -> None:
    link = classes.join_link(lecturer.code)
    with st.container(horizontal=True, gap="large", vertical_alignment="center"):
        share.draw_code(link)
        with st.container(gap="small"):
            draw_html(f'<div class="class-code">{lecturer.code}</div>')
            draw_html(f'<div class="class-link">{html.escape(link)}</div>')
            share.copy_button("class_link", link)
            _joined(lecturer)
            _warn_of_address()
    shared = st.session_state.get("_class_shared", True)
    st.toggle(t("class.share"), shared, key="_class_share", help=t("class.share_help"))
    st.session_state["_class_shared"] = st.session_state["_class_share"]
    with st.container(horizontal=True):
        given = {"mime": "text/csv", "file_name": f"class-{lecturer.code}.csv", "icon": ":material/download:"}
        st.download_button(t("class.results_file"), _results(lecturer), on_click="ignore", key="_class_csv", **given)
        if st.button(t("class.end"), icon=":material/logout:", key="_class_end", help=t("class.end_help")):
            classes.polls().end(lecturer)
            classes.leave()
            st.rerun()


def show_code() -> None:
    """Open what a room needs to join the class of this lecturer, large: the QR code, the address, the four letters."""
    lecturer = classes.lecturer()
    dialog(t("class.menu", code=lecturer.code), partial(_draw_code, lecturer), width="large")


def _draw_code(lecturer: Lecturer) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="large", key="class_join"):
        share.draw_code(classes.join_link(lecturer.code))
        with st.container(gap="medium", width="content"):
            draw_html(f'<div class="class-address">{html.escape(classes.address_to_type())}</div>')
            draw_html(f'<div class="class-code">{lecturer.code}</div>')
            _joined(lecturer)
    _warn_of_address()


def _warn_of_address() -> None:
    """Say where the class finds the app, if the page's own address is one that only this machine knows."""
    if found := classes.reachable():
        message("warning", t("class.only_here", address=links.plain(found)), "wifi_off")


@fragment(OFTEN)
def _joined(lecturer: Lecturer) -> None:
    prose(t("class.joined", count=classes.polls().check(lecturer).joined))


def _results(lecturer: Lecturer) -> bytes:
    found = classes.polls()
    counts = {question: found.counts(lecturer, question) for question in found.questions(lecturer)}
    return polls.results(counts, answers)


def answers(question: str) -> dict[str, str]:
    """The answers to a question "page/name", by identifier, in the language of the visitor; none to one that this
    version of the app does not have."""
    page, _, name = question.partition("/")
    key = f"{page}.predict.{name}"
    return {option: t(f"{key}.options.{option}") for option in text.entry(f"{key}.options")} if text.has(key) else {}


# The lecturer: a vote in the place of a question


def ask(question: str) -> None:
    """Show the lecturer's class a question "page/name"."""
    lecturer = classes.lecturer()
    st.session_state["_class_question"] = question
    try:
        if classes.polls().check(lecturer).question != question:
            classes.polls().ask(lecturer, question)
    except Problem as error:
        sorry(error)


def know(question: str, right: str) -> None:
    """Remember the right answer to a question, for when the lecturer wants it marked."""
    if classes.lecturer():
        st.session_state["_class_right"] = {question: right}


def settle(page: str) -> None:
    """At the end of ``page``: tell the class what its lecturer shows."""
    lecturer = classes.lecturer()
    if not lecturer:
        return
    try:
        if classes.polls().check(lecturer).question and not st.session_state["_class_question"]:
            classes.polls().ask(lecturer, None)
    except Problem as error:
        _leave(error)
    else:
        _share(page)


@fragment()
def _share(page: str) -> None:
    """Tell the class which scene its lecturer shows; again, without a run of the page, when the picture stands anew."""
    lecturer = classes.lecturer()
    if not lecturer:
        return
    scene = classes.scene_shown(page, (st.session_state.get("class_picture") or {}).get("stage"))
    try:
        classes.polls().show(lecturer, scene if shares() else None)
    except Problem as error:
        _toast(error)
    _picture(key="class_picture", data=[True, list(links.STAGE), scene], on_stage_change=component.nothing)


def lecturing() -> bool:
    """Whether this visitor is the lecturer of a class."""
    return classes.lecturer() is not None


def shares() -> bool:
    """Whether this visitor is the lecturer of a class that may follow her page, and with it the run that she trains."""
    return lecturing() and st.session_state.get("_class_shared", True)


def draw_poll(question: str) -> None:
    """The vote of the class on a question, in the place of the buttons by which one learner would answer it."""
    ask(question)
    listed = "".join(f"<li>{html.escape(answer)}</li>" for answer in answers(question).values())
    draw_html(f'<ol class="class-answers">{listed}</ol>')
    _votes(question)


@fragment(SOON)
def _votes(question: str) -> None:
    lecturer = classes.lecturer()
    try:
        now, counts = classes.polls().check(lecturer), classes.polls().counts(lecturer, question)
    except Problem as error:
        sorry(error)
        return
    if now.question != question:
        caption(t("class.elsewhere"))
        return
    link = links.plain(classes.address_to_type())
    standing = t("class.answered", answered=now.answered, joined=now.joined)
    standing = f"**{standing}**{'' if now.open else t('class.closed_mark')}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="class_buttons"):
        prose(f"{standing} &emsp; {t('class.join_at', link=link)} **{lecturer.code}**", width="content")
        _buttons(lecturer, now, counts)
    failed, error = st.session_state.get("_class_failed", (None, None))
    if failed == question:
        sorry(error)
    _bars(question, counts)


def _buttons(lecturer: Lecturer, now: Standing, counts: Mapping[int, Mapping[str, int]]) -> None:
    store = classes.polls()
    acts = {"close": store.close} if now.open else {"reopen": store.reopen}
    acts |= {"again": store.vote_again} if now.ballot == polls.BALLOTS[0] else {}
    for name, act in acts.items():
        st.button(t(f"class.{name}"), key=f"_class_{name}", on_click=_act, args=(act, lecturer))
    if now.ballot != polls.BALLOTS[0]:
        st.toggle(t("class.first"), key="_class_first")
    if any(counts.values()):  # before what comes and goes with the votes: an open one that moved would close
        with st.popover(t("class.anew")):
            prose(t("class.anew_warning"))
            st.button(t("class.anew_yes"), key="_class_anew", on_click=_act, args=(store.vote_anew, lecturer))
    if now.question in st.session_state.get("_class_right", {}):
        st.toggle(t("class.mark_right"), key="_class_mark")
    if counts[now.ballot] and st.button(t("class.go_on"), icon=":material/arrow_forward:", key="_class_go_on"):
        _act(store.close, lecturer)
        given = counts[now.ballot]
        controls.put(now.question.partition("/")[2], max(given, key=given.get))
        st.rerun()


def _act(act: Callable[[Lecturer], None], lecturer: Lecturer) -> None:
    """Change the vote of a class. Why that failed is shown with the question until another change."""
    st.session_state.pop("_class_failed", None)
    try:
        act(lecturer)
    except Problem as error:
        st.session_state["_class_failed"] = st.session_state["_class_question"], error


def draw_result(question: str) -> None:
    """What the class answered, if this visitor has one, below what most of it predict."""
    if not lecturing():
        return
    ask(question)
    try:
        _bars(question, classes.polls().counts(classes.lecturer(), question))
    except Problem as error:
        sorry(error)


def _bars(question: str, counts: Mapping[int, Mapping[str, int]]) -> None:
    """The votes as bars and numbers, which stay folded until they are revealed. Of two votes the first is shown on
    demand; so is the right answer."""
    last = max(counts, default=polls.BALLOTS[0])
    shown = [number for number in counts if number == last or st.session_state.get("_class_first")]
    right = st.session_state.get("_class_right", {}).get(question) if st.session_state.get("_class_mark") else None
    rows = []
    for option, answer in answers(question).items():
        name = html.escape(answer) + (f" <strong>✓ {t('class.right')}</strong>" if option == right else "")
        bars = [_bar(counts[number], option, number if last > polls.BALLOTS[0] else None) for number in shown]
        rows.append(f"<li><span>{name}</span><div>{''.join(bars)}</div></li>")
    listed = f'<ul class="class-bars">{"".join(rows)}</ul>'
    folded = f'<details class="reveal"><summary>{t("class.results")}</summary>{listed}</details>'
    # Inside another element the browser takes them for new: those of a second vote are folded again.
    draw_html(folded if last == polls.BALLOTS[0] else f"<div>{folded}</div>")


def _bar(counts: Mapping[str, int], option: str, number: int | None) -> str:
    """One answer's part of a vote, as a bar and in numbers; ``number`` names the vote where there are two."""
    count, total = counts.get(option, 0), sum(counts.values())
    percent = 100 * count / total if total else 0
    name = f"<small>{t(f'class.ballot.{number}')}</small>" if number else ""
    numbers = t("class.share_of", count=count, share=percent)
    return f'<p>{name}<i style="--share:{percent:.0f}%"></i><span>{numbers}</span></p>'


# The students


def voted_on(question: str) -> bool:
    """Whether this visitor is a student whose class is asked this question now: it stands above the page then."""
    return bool(classes.code()) and st.session_state.get("_class_vote") == question


def draw_join() -> None:
    """The page of a student: the code to type, then the question that the lecturer shows and what it is about."""
    _style()
    if not classes.code():
        _ask_code()
    elif not classes.student():
        prose(t("class.connecting"))
    else:
        try:
            _student(classes.polls().join(classes.code(), classes.student()))
        except Problem as error:
            sorry(error)
            if error.code == "class_elsewhere":  # the proxy reads the code of a link that is opened, not of a run
                link = classes.join_link(classes.code())
                draw_html(f'<p><a href="{link}" target="_self">{t("class.student.elsewhere")}</a></p>')
            _ask_code()


def _ask_code() -> None:
    with st.form("class_form", border=False):
        typed = st.text_input(t("class.student.code"), key="_class_code", max_chars=12, autocomplete="off")
        if st.form_submit_button(t("class.student.join"), type="primary", width="stretch"):
            try:
                controls.put("class", polls.read_code(typed))
            except Problem as error:
                sorry(error)
            else:
                st.rerun()


def _student(now: Standing, page: str = "") -> None:
    """The question of the class, and the scene of its lecturer, which is followed if the student wants that. Above
    chapter ``page`` only what is needed there: the picture has to stay in sight on a phone."""
    st.session_state["_class_vote"] = now.question
    scene = classes.scene_of(now)
    if scene and _follows():
        _lead_to(scene)
    if (now.question or "").startswith(f"{page}/"):
        anchor("question")
    _answer(now.code, bool(page))
    _tap(key="tap", data=[t("class.student.sending"), t("class.student.late", answer="%{answer}")])
    if scene:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="class_scene"):
            if not _follows() or scene.page != page:
                st.page_link(chapters.page_of(scene.page), label=t("class.student.scene", title=_scene_title(scene)),
                             icon=":material/co_present:", query_params=scene.link())  # fmt: skip
            st.toggle(t("class.student.follow"), _follows(), key="_class_follow", on_change=_follow)
    if now.open or not page:
        draw_html(f'<p class="class-note">{t("class.student.in_class", code=now.code)}</p>')
    _look(now)


def _lead_to(scene: Scene) -> None:
    """Open the scene of the lecturer, once: from there a student may look elsewhere. Where the browser asks for the old
    page meanwhile, or loses the connection, the way there is lost; then it is gone again."""
    place, link = _place(scene), scene.link()
    led_to, way = st.session_state.get("_class_scene") or (None, None)
    lost = way == link["open"]  # who has come by a link gets another text for the next
    if led_to == place and not lost:
        st.session_state["_class_scene"] = place, None
    else:
        st.session_state["_class_scene"] = place, link["open"]
        st.switch_page(chapters.page_of(scene.page), query_params=link)


def _place(scene: Scene) -> tuple:
    """The page and the scene that are shown, however the picture stands."""
    return scene.page, sorted(scene.parameters.items())


def _scene_title(scene: Scene) -> str:
    label = f"{scene.page}.controls.show.options.{scene.parameters.get('show')}"
    return ": ".join([chapters.title_of(scene.page), *([t(label)] if text.has(label) else [])])


def _follows() -> bool:
    """Whether the student follows the lecturer, also after the page was loaded again."""
    return st.session_state.get("_class_follow", kept.value(FOLLOWED) == classes.code())


def _follow() -> None:
    follows = st.session_state["_class_follow"]
    kept.put(FOLLOWED, classes.code() if follows else None)
    st.session_state["_class_scene"] = None
    if not follows:
        controls.put("predictions", None)


@fragment(OFTEN)
def _look(before: Standing) -> None:
    """Draw the page anew when the lecturer has changed something, or an answer of the student is not the one that is
    drawn; how many have joined or answered is not for here. How the lecturer's picture stands goes to the picture."""
    store = classes.polls()
    try:
        now = store.standing(before.code)
        given = store.answer(now.code, classes.student(), now.question, now.ballot) if now.question else None
    except Problem:
        st.rerun()
    scene, was = classes.scene_of(now), classes.scene_of(before)
    same = all(getattr(now, part) == getattr(before, part) for part in VOTE)
    if not same or (scene and _place(scene)) != (was and _place(was)) or given != st.session_state.get("_class_given"):
        st.rerun()
    if scene and _follows():
        _picture(key="class_picture", data=[False, urlencode(scene.stage)])


@fragment()
def _answer(code: str, brief: bool) -> None:
    """The question that the class is asked, and its answers as buttons; ``brief``: folded once the vote is closed."""
    store, student = classes.polls(), classes.student()
    try:
        now = store.standing(code)
        given = store.answer(code, student, now.question, now.ballot) if now.question else None
        st.session_state["_class_given"] = given
    except Problem as error:
        sorry(error)
        return
    choices = answers(now.question or "")
    if not choices:
        message("info", t("class.student.waiting"), "hourglass_empty")
        return
    refused = _refused(now)
    if brief and not now.open and not refused:
        with st.expander(_told(now, choices.get(given)), icon=":material/lock:", key="class_closed"):
            prose(_question(now))
        return
    _ballot(now, choices, given)
    if refused:
        sorry(refused)
    elif sentence := _told(now, choices.get(given)):
        kind, icon = ("success", "check_circle") if now.open and given in choices else ("info", "info")
        message(kind, sentence, icon if now.open else "lock")


def _question(now: Standing) -> str:
    page, _, name = now.question.partition("/")
    return f"**{t(f'{page}.predict.{name}.question')}**"


def _ballot(now: Standing, choices: Mapping[str, str], given: str | None) -> None:
    """The question and, while the vote is open, its answers as buttons."""
    if now.ballot != polls.BALLOTS[0]:
        prose(f"**{t('class.student.second')}**")
    prose(_question(now))
    for option, answer in choices.items() if now.open else ():
        drawn = {"type": "primary", "icon": ":material/check_circle:"} if option == given else {}
        vote = now.code, classes.student(), now.question, now.ballot, option
        key = f"_vote_{now.ballot}_{option}"
        st.button(answer, key=key, on_click=_vote, args=vote, width="stretch", **drawn)


def _told(now: Standing, answer: str | None) -> str:
    """What a student is told about the own answer; nothing where it is still to be given for the first time."""
    if answer:
        st.session_state["_class_answered"] = now.question, now.ballot
        return t(f"class.student.{'counted' if now.open else 'closed_answer'}", answer=answer.rstrip(".。"))
    if not now.open:
        return t("class.student.closed")
    question, ballot = st.session_state.get("_class_answered", ("", 0))
    thrown_away = question == now.question and ballot >= now.ballot
    return t("class.student.anew") if thrown_away else ""


def _vote(*vote) -> None:
    st.session_state.pop("_class_refused", None)
    try:
        classes.polls().vote(*vote)
    except Problem as error:
        st.session_state["_class_refused"] = error, vote[2:4]


def _refused(now: Standing) -> Problem | None:
    """Why the last tap was not counted, until the class goes on to another vote or can vote again."""
    error, vote = st.session_state.get("_class_refused", (None, None))
    again = now.open and getattr(error, "code", None) == "class_vote_closed"
    return error if vote == (now.question, now.ballot) and not again else None
