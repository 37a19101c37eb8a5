"""Classes and their votes."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.problems import Problem
from pages.ui.lecture import polls
from pages.ui.lecture.polls import Lecturer, Polls

QUESTION = "guidance/guess"


class Hours:
    """A clock that is set by hand."""

    def __init__(self):
        self.passed = 0.0

    def __call__(self) -> float:
        return 3600 * self.passed


@pytest.fixture
def hours():
    return Hours()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "classes.db"


@pytest.fixture
def store(path, hours):
    opened = Polls(path, patience=0.05, now=hours)
    yield opened
    opened.close_file()


@pytest.fixture
def lecturer(store):
    """The lecturer of a class that is shown a question."""
    opened = store.open_class()
    store.ask(opened, QUESTION)
    return opened


def vote(store: Polls, code: str, answers: str, ballot: int = 1) -> None:
    """Student k gives the k-th of these answers, a letter each."""
    for student, answer in enumerate(answers):
        store.vote(code, f"browser {student}", QUESTION, ballot, answer)


def code_of(caught: pytest.ExceptionInfo) -> str:
    assert str(caught.value)
    return caught.value.code


def test_a_code_is_read_however_it_is_typed_and_another_is_refused(lecturer):
    assert polls.read_code(f" {lecturer.code[:2].lower()} {lecturer.code[2:]}") == lecturer.code
    for raw in ("", "BCD", "BCDFG", "BCD0", "BCDI", "<b>x"):
        with pytest.raises(Problem) as caught:
            polls.read_code(raw)
        assert code_of(caught) == "class_code"


def test_each_student_has_one_vote_which_can_be_changed(store, lecturer):
    vote(store, lecturer.code, "aab")
    vote(store, lecturer.code, "b")
    assert store.counts(lecturer, QUESTION) == {1: {"a": 1, "b": 2}}
    now = store.standing(lecturer.code)
    assert (now.question, now.open, now.joined, now.answered) == (QUESTION, True, 3, 3)
    assert store.answer(lecturer.code, "browser 0", QUESTION, 1) == "b"
    assert store.answer(lecturer.code, "browser 9", QUESTION, 1) is None


def test_a_student_who_joins_again_is_counted_once(store, lecturer):
    for browser in ("one", "two", "one"):
        now = store.join(lecturer.code, browser)
    assert (now.joined, now.answered) == (2, 0)


def test_the_second_vote_leaves_the_first_as_it_was(store, lecturer):
    vote(store, lecturer.code, "aab")
    store.vote_again(lecturer)
    vote(store, lecturer.code, "bb", ballot=2)
    assert store.counts(lecturer, QUESTION) == {1: {"a": 2, "b": 1}, 2: {"b": 2}}
    assert store.standing(lecturer.code).answered == 2
    with pytest.raises(Problem) as caught:
        vote(store, lecturer.code, "b", ballot=1)
    assert code_of(caught) == "class_vote_closed"


def test_a_question_that_is_started_anew_has_no_answers_and_its_first_vote(store, lecturer):
    vote(store, lecturer.code, "aab")
    store.vote_again(lecturer)
    store.close(lecturer)
    store.vote_anew(lecturer)
    assert store.counts(lecturer, QUESTION) == {1: {}}
    vote(store, lecturer.code, "b")
    assert store.counts(lecturer, QUESTION) == {1: {"b": 1}}


def test_a_closed_vote_and_a_question_that_is_not_shown_take_no_answer(store, lecturer):
    vote(store, lecturer.code, "a")
    store.close(lecturer)
    with pytest.raises(Problem) as closed:
        vote(store, lecturer.code, "b")
    store.reopen(lecturer)
    vote(store, lecturer.code, "b")
    store.ask(lecturer, None)
    with pytest.raises(Problem) as left:
        vote(store, lecturer.code, "a")
    assert code_of(closed) == code_of(left) == "class_vote_closed"
    assert store.counts(lecturer, QUESTION) == {1: {"b": 1}}


def test_a_question_that_is_shown_again_is_as_it_was_left(store, lecturer):
    vote(store, lecturer.code, "a")
    store.close(lecturer)
    store.ask(lecturer, "clip/guess")
    store.ask(lecturer, QUESTION)
    now = store.standing(lecturer.code)
    assert (now.open, now.answered) == (False, 1)
    assert store.questions(lecturer) == ["clip/guess", QUESTION]


def test_two_classes_have_nothing_in_common(store, lecturer):
    other = store.open_class()
    store.ask(other, QUESTION)
    vote(store, lecturer.code, "ab")
    vote(store, other.code, "b")
    store.show(other, "clip?show=map")
    store.close(other)
    assert store.counts(lecturer, QUESTION) == {1: {"a": 1, "b": 1}}
    now = store.standing(lecturer.code)
    assert now.open and now.scene is None and store.standing(other.code).scene == "clip?show=map"


def test_who_lacks_the_secret_can_neither_command_a_class_nor_read_its_votes(store, lecturer):
    thief = Lecturer(lecturer.code, "guessed")
    for act in (store.check, store.close, store.reopen, store.vote_again, store.vote_anew, store.end, store.questions,
                lambda one: store.ask(one, None), lambda one: store.show(one, "clip"),
                lambda one: store.counts(one, QUESTION)):  # fmt: skip
        with pytest.raises(Problem) as caught:
            act(thief)
        assert code_of(caught) == "class_secret"
    assert store.standing(lecturer.code).open


def test_a_class_that_is_over_or_was_never_opened_takes_nobody(store, lecturer):
    vote(store, lecturer.code, "a")
    store.end(lecturer)
    for code, wanted in ((lecturer.code, "class_over"), ("XXXX", "class_unknown")):
        for act in (lambda code: store.join(code, "new"), store.standing, lambda code: vote(store, code, "b")):
            with pytest.raises(Problem) as caught:
                act(code)
            assert code_of(caught) == wanted
    assert store.counts(lecturer, QUESTION) == {1: {"a": 1}}


def test_a_class_survives_a_restart(store, path, lecturer, hours):
    vote(store, lecturer.code, "ab")
    store.close_file()
    again = Polls(path, now=hours)
    assert again.counts(lecturer, QUESTION) == {1: {"a": 1, "b": 1}}
    assert again.answer(lecturer.code, "browser 1", QUESTION, 1) == "b"
    again.close_file()


def test_after_24_hours_nothing_is_left_of_a_class(store, path, lecturer, hours):
    vote(store, lecturer.code, "ab")
    hours.passed = 24.1
    with pytest.raises(Problem) as caught:
        store.standing(lecturer.code)
    assert code_of(caught) == "class_unknown"
    store.delete_old()
    with sqlite3.connect(path) as file:
        left = [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("classes", "questions", "students", "votes")]  # fmt: skip
    assert left == [0, 0, 0, 0]


def test_the_file_names_no_browser_no_secret_and_no_time_of_a_vote(store, path, lecturer):
    other = store.open_class()
    store.ask(other, QUESTION)
    for code in (lecturer.code, other.code):
        store.vote(code, "the browser of Ada", QUESTION, 1, "a")
    with sqlite3.connect(path) as file:
        dump = "\n".join(file.iterdump())
        rows = file.execute("SELECT * FROM votes").fetchall()
    assert "Ada" not in dump and lecturer.secret not in dump
    assert b"Ada".hex() not in dump.lower() and lecturer.secret.encode().hex() not in dump.lower()
    # Code, question, ballot, hash and answer; one browser has another hash in each class.
    assert {len(row) for row in rows} == {5} and rows[0][3] != rows[1][3]


def test_200_students_at_once_lose_no_vote(store, lecturer):
    def one(student: int) -> None:
        store.join(lecturer.code, f"browser {student}")
        store.vote(lecturer.code, f"browser {student}", QUESTION, 1, "ab"[student % 2])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(200)))
    assert store.counts(lecturer, QUESTION) == {1: {"a": 100, "b": 100}}
    assert store.standing(lecturer.code).joined == 200


def test_a_class_and_a_server_have_a_limit(store, lecturer, monkeypatch):
    monkeypatch.setattr(polls, "MOST_STUDENTS", 2)
    monkeypatch.setattr(polls, "MOST_CLASSES", 1)
    vote(store, lecturer.code, "aa")
    with pytest.raises(Problem) as full:
        vote(store, lecturer.code, "aaa")
    with pytest.raises(Problem) as many:
        store.open_class()
    assert (code_of(full), code_of(many)) == ("class_full", "class_too_many")


def test_a_visitor_opens_at_most_so_many_classes_in_a_day(store, hours, monkeypatch):
    monkeypatch.setattr(polls, "MOST_OPENED", 2)
    for visitor in ("Ada", "Ada", "Bo"):
        store.open_class(visitor)
    with pytest.raises(Problem) as often:
        store.open_class("Ada")
    assert code_of(often) == "class_opened_often"
    hours.passed = 24.1
    store.open_class("Ada")


def test_a_file_that_cannot_be_used_is_one_problem_each(tmp_path, store, path, lecturer):
    foreign, newer, other = (tmp_path / name for name in ("foreign.db", "newer.db", "other.db"))
    foreign.write_bytes(b"This is a text and no database.\n" * 100)
    with sqlite3.connect(other) as made:
        made.execute("CREATE TABLE notes (text)")
    Polls(newer).close_file()
    with sqlite3.connect(newer) as made:
        made.execute("PRAGMA user_version=99")
    wanted = {foreign: "class_file_foreign", newer: "class_version", other: "class_file_foreign",
              tmp_path / "no" / "such.db": "class_file"}  # fmt: skip
    for file, code in wanted.items():
        with pytest.raises(Problem) as caught:
            Polls(file)
        assert code_of(caught) == code and str(file) in str(caught.value)
    assert foreign.read_bytes().startswith(b"This is a text")


def test_a_vote_that_cannot_be_written_is_a_problem_and_can_be_given_again(store, path, lecturer):
    def refused() -> str:
        with pytest.raises(Problem) as caught:
            store.vote(lecturer.code, "browser", QUESTION, 1, "a" * 100_000)
        return code_of(caught)

    pages = store._file.execute("PRAGMA page_count").fetchone()[0]
    store._file.execute(f"PRAGMA max_page_count = {pages}")
    assert refused() == "class_file_full"
    store._file.execute("PRAGMA max_page_count = 100000")
    store._file.execute("PRAGMA query_only = ON")
    assert refused() == "class_file_read_only"
    store._file.execute("PRAGMA query_only = OFF")
    with sqlite3.connect(path) as another:
        another.execute("BEGIN IMMEDIATE")
        assert refused() == "class_file_locked"
        another.rollback()
    store.vote(lecturer.code, "browser", QUESTION, 1, "a")
    assert store.counts(lecturer, QUESTION) == {1: {"a": 1}}


def test_results_name_every_answer_and_nobody(store, lecturer):
    vote(store, lecturer.code, "aab")
    store.vote_again(lecturer)
    counts = {name: store.counts(lecturer, name) for name in store.questions(lecturer)}
    file = polls.results(counts, lambda question: {"a": "yes, all", "b": "否", "c": "c"})
    assert file.decode("utf-8-sig").splitlines() == [
        "question,vote,answer,text,count",
        'guidance/guess,1,a,"yes, all",2',
        "guidance/guess,1,b,否,1",
        "guidance/guess,1,c,c,0",
        'guidance/guess,2,a,"yes, all",0',
        "guidance/guess,2,b,否,0",
        "guidance/guess,2,c,c,0",
    ]


def test_servers_without_a_common_file_tell_their_classes_by_the_first_letter(tmp_path):
    store = Polls(tmp_path / "classes.db", letter="B")
    assert store.open_class().code.startswith("B")
    for code, wanted in (("CXXX", "class_elsewhere"), ("BXXX", "class_unknown")):
        with pytest.raises(Problem) as caught:
            store.standing(code)
        assert code_of(caught) == wanted
    with pytest.raises(Problem) as caught:
        Polls(tmp_path / "other.db", letter="A")
    assert code_of(caught) == "class_letter"
