"""A class on its pages, without a browser."""

import pytest

from core.problems import Problem
from pages.ui.frame import chapters, class_view, classes, kept, links, text
from pages.ui.lecture.polls import LENGTH, Polls
from pages.ui.runs import training_run
from tests.reading import messages, texts
from tests.test_catalogue import config_of, given

QUESTION = "guidance/guess"
STUDENT = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def polls(tmp_path, monkeypatch):
    """The classes of this test alone."""
    found = Polls(tmp_path / "classes.db")
    monkeypatch.setattr(classes, "polls", lambda: found)
    yield found
    found.close_file()


@pytest.fixture
def lecturer(polls):
    return polls.open_class()


def as_lecturer(app, lecturer):
    """The page ``app`` in the browser of the lecturer."""
    app.session_state["_kept"] = kept.Memory({"class": {"code": lecturer.code, "secret": lecturer.secret}})
    return app.run()


def as_student(app):
    """The page ``app`` in the browser of a student."""
    app.session_state["_kept"] = kept.Memory({"student": STUDENT})
    return app.run()


def buttons(app) -> dict:
    return {button.key: button for button in app.button}


@pytest.mark.slow
def test_every_question_of_the_chapters_has_its_answers_in_the_order_of_the_page_in_every_language():
    wrong = []
    for page in chapters.present():
        for name in given(page, "shell.predict"):
            choices = links.controls(config_of(page))[name].choices
            for language in text.languages():
                token = text.language.set(language)
                if tuple(class_view.answers(f"{page}/{name}")) != choices:
                    wrong.append((page, language))
                text.language.reset(token)
    assert not wrong


@pytest.mark.slow
def test_a_lecturers_page_asks_the_class_and_shows_it_the_scene_but_nothing_of_her_own(open_page, polls, lecturer):
    as_lecturer(open_page("guidance", wanted="dog", lang="zh", predictions="true"), lecturer)
    now = polls.standing(lecturer.code)
    assert now.question == QUESTION and now.open and now.scene == "guidance?wanted=dog"
    as_lecturer(open_page("glossary"), lecturer)
    assert polls.standing(lecturer.code).question is None


def test_a_student_who_follows_sees_the_run_of_the_lecturer_who_alone_commands_it(open_page, polls, lecturer):
    def stands(app) -> tuple:
        view = jobs.look(app.session_state["_runs"][request], app.session_state["_viewer"])
        return view.id, view.status, view.step

    jobs = training_run.jobs()
    hers = as_lecturer(open_page("training", seed="31", predictions="false"), lecturer)
    assert buttons(hers)["_main"].label == text.t("runs.buttons.together")
    buttons(hers)["_step"].click().run()
    ((request, run),) = hers.session_state["_runs"].items()
    scene = classes.scene_of(polls.standing(lecturer.code))
    assert scene.parameters["run"] == run
    phone = as_student(open_page("training", **scene.link(), **{"class": lecturer.code}))
    assert text.t("runs.standing.lecturers") in " ".join(texts(phone))
    buttons(hers)["_step"].click().run()
    assert stands(hers) == stands(phone) == (run, "paused", 2)
    buttons(phone)["_step"].click().run()
    assert stands(phone)[0] != run and stands(hers) == (run, "paused", 2)
    jobs.close()
    training_run.jobs.cache_clear()


def test_the_class_decides_what_the_page_of_its_lecturer_predicts(open_page, polls, lecturer):
    app = as_lecturer(open_page("guidance"), lecturer)
    assert not [key for key in buttons(app) if key.startswith("_guess")]
    options = list(class_view.answers(QUESTION))
    for student, answer in enumerate((options[0], options[-1], options[-1])):
        polls.vote(lecturer.code, str(student), QUESTION, 1, answer)
    buttons(app.run())["_class_go_on"].click().run()
    assert not app.exception and app.query_params["guess"] == options[-1]
    assert not polls.standing(lecturer.code).open
    assert any("2 (67 %)" in found for found in texts(app))


def test_a_student_votes_and_finds_the_vote_again_after_a_reload(open_page, polls, lecturer):
    polls.ask(lecturer, QUESTION)
    app = as_student(open_page("join", **{"class": lecturer.code.lower()}))
    second = list(class_view.answers(QUESTION))[1]
    buttons(app)[f"_vote_1_{second}"].click().run()
    assert polls.counts(lecturer, QUESTION) == {1: {second: 1}} and messages(app, "success")
    app = as_student(open_page("join", **{"class": lecturer.code}))
    assert messages(app, "success") and polls.standing(lecturer.code).joined == 1
    polls.close(lecturer)
    app = as_student(app)
    assert not [key for key in buttons(app) if key.startswith("_vote")] and messages(app, "info")


def test_a_tap_after_the_vote_was_closed_is_answered_with_a_sentence(open_page, polls, lecturer):
    polls.ask(lecturer, QUESTION)
    app = as_student(open_page("join", **{"class": lecturer.code}))
    polls.close(lecturer)
    next(button for key, button in buttons(app).items() if key.startswith("_vote")).click().run()
    assert polls.counts(lecturer, QUESTION) == {1: {}}
    assert app.error[0].value == links.plain(text.problem(Problem("class_vote_closed")))


def test_a_code_that_is_none_or_is_over_leads_back_to_the_field_for_the_code(open_page, polls, lecturer):
    app = as_student(open_page("join", **{"class": "XXXX"}))
    assert "XXXX" in app.error[0].value
    app.text_input[0].set_value("B0")
    next(button for button in app.button if "class_form" in button.key).click().run()
    assert app.text_input and app.error[-1].value == str(Problem("class_code", letters=LENGTH))
    polls.end(lecturer)
    assert lecturer.code in as_student(open_page("join", **{"class": lecturer.code})).error[0].value


def test_a_class_that_cannot_be_opened_is_a_sentence(open_page, polls, monkeypatch):
    def full(visitor):
        raise Problem("class_file_full", file="classes.db")

    monkeypatch.setattr(classes.polls(), "open_class", full)
    app = open_page("guidance")
    buttons(app)["_class"].click().run()
    assert not app.exception and app.error[0].value == links.plain(str(Problem("class_file_full", file="classes.db")))
    assert "_dialogs" not in app.session_state  # the menu that says it stays open


def test_a_locked_file_is_a_sentence_and_puts_nobody_out_of_the_class(open_page, polls, lecturer, monkeypatch):
    def locked(*_):
        raise Problem("class_file_locked", file="classes.db")

    with monkeypatch.context() as patch:
        patch.setattr(polls, "close", locked)
        app = as_lecturer(open_page("guidance"), lecturer)
        buttons(app)["_class_close"].click().run()
        assert "classes" in app.error[0].value and polls.standing(lecturer.code).open
        patch.setattr(polls, "join", locked)
        app = as_student(open_page("guidance", **{"class": lecturer.code}))
    assert not app.exception and app.query_params["class"] == lecturer.code


def test_a_student_in_a_chapter_votes_above_it_and_is_not_asked_twice(open_page, polls, lecturer):
    polls.ask(lecturer, QUESTION)
    app = as_student(open_page("guidance", **{"class": lecturer.code}))
    keys = list(buttons(app))
    assert [key for key in keys if key.startswith("_vote")] and not [key for key in keys if key.startswith("_guess")]


def test_a_follower_is_led_to_a_scene_until_it_is_there_and_may_then_look_elsewhere(
    open_page, polls, lecturer, monkeypatch
):
    polls.show(lecturer, "guidance?wanted=dog")
    ways = []
    monkeypatch.setattr(class_view.st, "switch_page", lambda page, query_params: ways.append(query_params))
    app = open_page("guidance", **{"class": lecturer.code})
    app.session_state["_class_follow"] = True
    as_student(app)
    as_student(app)  # as if the first way had been lost
    assert len(ways) == 2 and ways[0] == ways[1] and ways[0]["wanted"] == "dog"
    for name, value in ways[1].items():
        app.query_params[name] = value
    as_student(app)
    del app.query_params["wanted"]
    as_student(app)
    assert len(ways) == 2
