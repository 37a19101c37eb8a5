"""The frame of the chapters, without a browser."""

import logging
import re
import shutil
from functools import cache

import pytest
from streamlit.testing.v1 import AppTest

from core.figures import palette
from pages.ui.frame import class_view, glossary, kept, shell, text
from tests.reading import messages, tasks, without_entries

PAGE = """
import streamlit as st
from dataclasses import dataclass
from core.figures import palette
from pages.ui.frame import controls, shell
from pages.ui.frame.links import choice, number, place, toggle

@dataclass(frozen=True)
class Config:
    steps: int = number(16, 1, 64, style="slider")
    rate: float = number(0.25, 0, 1)
    data: str = choice("spiral", ("spiral", "moons"), "data", "select")
    view: str = choice("samples", ("samples", "field"))
    trail: bool = toggle(False)
    eta: float = choice(0.0, (0.0, 0.5, 1.0), style="slider")
    guess: str | None = choice(None, ("here", "there"), style="none")
    gated: int = number(0, 0, 9, style="slider")
    probe: tuple = place((0.0, 0.0), 1)

shell.require_shell()
shell.chapter("example", Config)
left, right = shell.columns()
with left:
    steps, data = controls.draw("steps"), controls.draw("data")
    for name in ("rate", "view", "trail", "eta"):
        controls.draw(name)
    if shell.predict("guess"):
        controls.draw("gated")
        shell.explain("guess", "there", shown=steps > 16)
controls.use("probe")
shell.notes("first", "second", word="dot")
shell.equation("denoiser", legend="denoiser")
shell.code(palette.colour)
shell.tasks({"moons": data == "moons", "steps": steps == 64})
shell.finish()
st.session_state["said"] = controls.config()
"""
WORDS = """
navigation = "Example"
title = "A title"
sentence = "A sentence."
why = "A reason."
next = "What comes next."
[controls]
steps.label = "Steps"
rate.label = "Rate"
data.label = "Data"
view.label = "View"
view.options.samples = "the samples"
view.options.field = "the field"
trail.label = "Trails"
eta.label = "Eta"
gated.label = "Gated"
[predict.guess]
question = "Where to?"
options.here = "here"
options.there = "there"
why = "It is so."
[[first.notes]]
mark = "data"
text = "the data"
[[second.notes]]
mark = "sample"
text = "a %{word}"
[[denoiser.legend]]
mark = "data"
text = "the data"
[tasks.moons]
what = "Take the moons."
hint = "In the list."
[tasks.steps]
what = "Take <b>64</b> steps."
"""
DEFAULTS = (16, 0.25, "spiral", "samples", False, 0.0, (0.0, 0.0))


@pytest.fixture
def words(tmp_path, monkeypatch):
    """A catalogue with the words of the example."""
    folder = tmp_path / "text"
    shutil.copytree(text.FOLDER, folder)
    (folder / "en" / "example.toml").write_text(WORDS)
    (folder / "formulas.toml").write_text('[example]\ndenoiser = [["x_0", "data"], ["= D(x)", ""]]')
    monkeypatch.setattr(text, "FOLDER", folder)
    # A cache of its own: a thread of an earlier test that is still reading would put the other catalogue into this one.
    monkeypatch.setattr(text, "catalogue", cache(text.catalogue.__wrapped__))


@pytest.fixture
def page(open_page, tmp_path, words):
    path = tmp_path / "example.py"
    path.write_text(PAGE)
    return lambda **address: open_page(path, **address)


def said(app: AppTest) -> tuple:
    assert not app.exception
    made = app.session_state["said"]
    return made.steps, made.rate, made.data, made.view, made.trail, made.eta, made.probe


def shown(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_a_link_restores_every_control(page):
    app = page(steps="32", rate="0.1", data="moons", view="field", trail="true", eta="0.5", probe="-0.25,0.5")
    assert said(app) == (32, 0.1, "moons", "field", True, 0.5, (-0.25, 0.5))
    assert not app.toast


def test_a_browser_that_draws_a_later_run_first_still_shows_what_the_link_says(page):
    app = page(steps="32", rate="0.5", data="moons", view="field", trail="true", eta="0.5").run()
    widgets = [
        *app.slider,
        *app.number_input,
        *app.selectbox,
        *app.toggle,
        *app.select_slider,
        *app.get("button_group"),
    ]
    own = {widget.key: widget.proto.default for widget in widgets}
    assert own["steps"] == [32]
    assert own["rate"] == 0.5 and own["data"] == 1 and own["view"] == [1] and own["trail"] and own["eta"] == [1]


def test_an_address_without_parameters_gives_the_defaults(page):
    app = page()
    assert said(app) == DEFAULTS
    assert not app.query_params


@pytest.mark.parametrize(
    "name, value",
    [
        ("steps", "99"),
        ("steps", "-1e400"),
        ("steps", "abc"),
        ("rate", "nan"),
        ("rate", "7"),
        ("data", "../../etc"),
        ("view", ""),
        ("view", "x"),
        ("trail", "1"),
        ("eta", "0.3"),
        ("probe", "inf"),
        ("probe", "5"),
        ("guess", "z"),
        ("unheard", "of"),
    ],
)
def test_nonsense_in_a_link_gives_the_default_and_one_small_notice(page, name, value):
    app = page(**{name: value})
    assert said(app) == DEFAULTS
    assert len(app.toast) == 1
    assert f"`{name}={value}`" in app.toast[0].value
    assert not app.run().toast


def test_a_visitors_text_is_shown_as_inert_code(page):
    app = page(unheard="`![](http://example.org/x.png)`\n" + "y" * 100)
    assert "`unheard='![](http://example.org/…`" in app.toast[0].value


def test_the_default_spelled_out_in_a_link_is_no_nonsense(page):
    app = page(steps="16", trail="FALSE", rate="0.250", view="samples")
    assert said(app) == DEFAULTS
    assert not app.toast


def test_what_nothing_on_the_page_reads_leaves_the_address_and_the_clock_stays(page):
    app = page(unheard="of", clock="0.4", steps="20")
    assert dict(app.query_params) == {"clock": "0.4", "steps": "20"}


def test_a_link_opens_a_view_as_a_whole_also_on_the_page_where_the_visitor_is(page):
    app = page(steps="20", rate="0.5", guess="here")
    open_view(app, steps="32", clock="0.5", unheard="of", open="1")
    assert said(app) == (32, *DEFAULTS[1:]) and "gated" not in [slider.key for slider in app.slider]
    assert dict(app.query_params) == {"steps": "32", "clock": "0.5"} and "unheard=of" in app.toast[0].value
    assert app.session_state["_controls"].view[1] == {"clock": "0.5"}
    app.slider(key="steps").set_value(40).run()
    app.query_params["open"] = "1"  # from a browser that has not yet heard that it was opened
    assert said(app.run())[0] == 40 and "open" not in app.query_params


def open_view(app: AppTest, **address: str) -> None:
    app.query_params.clear()
    for name, value in address.items():
        app.query_params[name] = value
    app.run()


def test_an_address_hides_controls_and_fixes_others(page):
    app = page(hide="steps,view,nothing", fix="rate,data", steps="20", rate="0.5")
    assert said(app)[:2] == (20, 0.5) and "hide=nothing" in app.toast[0].value
    assert [slider.key for slider in app.slider] == [] and not app.get("button_group")
    assert (
        app.number_input(key="rate").disabled
        and app.selectbox(key="data").disabled
        and not app.toggle(key="trail").disabled
    )
    assert dict(app.run().query_params) == {"hide": "steps,view", "fix": "rate,data", "steps": "20", "rate": "0.5"}


def test_the_gated_control_waits_for_the_prediction(page):
    app = page()
    assert [slider.label for slider in app.slider] == ["Steps"]
    app.button(key="_guess_here").click().run()
    assert [slider.label for slider in app.slider] == ["Steps", "Gated"]
    assert app.query_params["guess"] == "here"


def test_the_explanation_comes_after_the_run(page):
    app = page(guess="there")
    assert not messages(app, "success")
    app.slider(key="steps").set_value(20).run()
    assert messages(app, "success")[0] == text.t("frame.predict.right", answer="there", why="It is so.")


def test_another_prediction_is_compared_without_scolding(page):
    app = page(guess="here", steps="20")
    assert messages(app, "info")[0] == text.t("frame.predict.answer", answer="there", why="It is so.")


def test_a_prediction_can_be_asked_again(page):
    app = page(guess="here")
    app.button(key="_guess_again").click().run()
    assert app.button(key="_guess_here").label == "here"
    assert "guess" not in app.query_params


def test_a_letter_that_is_no_answer_leaves_the_address(page):
    assert "guess" not in page(guess="z").query_params


@pytest.mark.slow
def test_the_clock_of_a_link_stays_and_nonsense_in_it_is_named_and_leaves(page):
    assert page(clock="0.25").query_params["clock"] == "0.25" and not page(clock="0.25").toast
    app = page(clock="noon")
    assert "clock=noon" in app.toast[0].value and "clock" not in app.query_params


@pytest.mark.slow
def test_a_task_once_done_stays_done_for_the_visit_and_not_for_the_next_visitor(page):
    app = page(data="moons")
    app.selectbox(key="data").set_value("spiral").run()
    assert "1 of 2 done" in shown(app)
    assert "0 of 2 done" in shown(page())


def again(app: AppTest, **kept_before) -> AppTest:
    """The page once the browser has sent what it kept."""
    app.session_state["_kept"] = kept.Memory({EARLIER[name]: value for name, value in kept_before.items()})
    return app.run()


EARLIER = {"guess": "answer example/guess", "steps": "task example/steps", "lang": "lang"}


def test_answers_tasks_and_language_of_an_earlier_visit_come_back_where_the_address_names_none(page):
    (text.FOLDER / "zh" / "example.toml").write_text(WORDS)
    app = again(page(), guess="there", steps=True, lang="zh")
    assert dict(app.query_params) == {"guess": "there", "lang": "zh"}
    assert tasks(app) == {"moons": False, "steps": True}
    app = again(page(guess="here", lang="en"), guess="there", lang="zh")
    assert dict(app.query_params) == {"guess": "here"}
    assert "guess" not in again(page(), guess="elsewhere", lang=["zh"]).query_params  # not from this version of the app


def test_who_asks_a_room_is_asked_anew_and_the_answer_is_not_kept(page, monkeypatch):
    assert not {"guess"} & again(page(present="true"), guess="there").query_params.keys()
    assert not {"guess"} & again(page(predictions="false"), guess="there").query_params.keys()
    with monkeypatch.context() as in_a_class:
        in_a_class.setattr(class_view.classes, "code", lambda: "ABCD")
        assert not {"guess"} & again(page(), guess="there").query_params.keys()
    alone, presented = page(), page(present="true")
    for app in (alone, presented):
        app.button(key="_guess_here").click().run()
    assert [app.session_state["_kept"].written for app in (alone, presented)] == [{"answer example/guess": "here"}, {}]


def test_a_learner_begins_anew(page):
    app = again(page(), guess="there", steps=True)
    older = "answer example/of_an_older_version"
    app.session_state["_kept"].values[older] = "there"
    app.run().button(key="_forget_here").click().run()
    assert not app.exception and "guess" not in app.query_params and not any(tasks(app).values())
    assert app.session_state["_kept"].written == dict.fromkeys([EARLIER["guess"], older, EARLIER["steps"]])
    assert not [button for button in app.button if button.key.startswith("_forget")]


def test_a_lecturer_switches_predictions_off_by_link(page):
    app = page(predictions="false", steps="20")
    assert not [button for button in app.button if button.key.startswith("_guess")]
    assert [slider.label for slider in app.slider] == ["Steps", "Gated"]
    asked = text.t("frame.predict.asked", question="Where to?")
    assert messages(app, "info")[0] == f"{asked}\n\n" + text.t("frame.predict.answer", answer="there", why="It is so.")


@pytest.mark.slow
def test_presentation_mode_is_a_link(page):
    assert "controls" not in shown(page()).split("</style>")[1]
    assert ".stAppHeader" in shown(page(present="true"))


def test_notes_are_numbered_and_marked_by_shape_and_colour(page):
    found = shown(page())
    assert f"1. {shell.mark('data')} the data" in found and "●" in shell.mark("data")
    assert f"2. {shell.mark('sample')} a dot" in found and "○" in shell.mark("sample")
    kinds = {"sample arrow": "→", "sample line": "━", "sample dashes": "┄", "sample frame": "▢"}
    assert all(sign in shell.mark(kind) for kind, sign in kinds.items())


def test_terms_of_the_equation_have_the_colours_of_what_they_stand_for(page):
    assert rf"\textcolor{{{palette.colour('data', 'light')}}}{{x_0}}= D(x)" in page().latex[0].value


def test_the_code_is_the_source_itself(page):
    code = page().code[0].value
    assert code.startswith("def colour(role: str, theme: str) -> str:")


def test_tasks_check_themselves_and_say_how_many_are_done(page):
    found = shown(page(data="moons"))
    assert "1 of 2 done" in found and "✓ <small>Done</small>" in found
    assert "Take &lt;b&gt;64&lt;/b&gt; steps." in without_entries(found)


def test_an_unexpected_exception_becomes_a_sentence_and_a_line_in_the_log(caplog):
    def page():
        from pages.ui.frame import shell

        with shell.guard():
            raise KeyError("secret of the server")

    with caplog.at_level(logging.ERROR):
        app = AppTest.from_function(page).run()
    assert not app.exception
    assert "secret" not in app.error[0].value and "Reload the page" in app.error[0].value
    assert "secret of the server" in caplog.text


def test_the_guard_lets_streamlit_stop_a_page():
    def page():
        import streamlit as st

        from pages.ui.frame import shell

        with shell.guard():
            st.stop()

    app = AppTest.from_function(page).run()
    assert not app.error and not app.exception


def test_before_the_answer_the_way_on_is_first_the_answer_then_the_next_chapter(open_page):
    def way_on(**address):
        app = open_page("vector_field", **address)
        said = [part.value for part in app.markdown]
        return text.t("frame.predict.opens") in said, [button.key for button in app.button if button.key == "_next"]

    assert way_on() == (True, [])
    assert way_on(guess="small_sigma") == (False, ["_next"])
    assert way_on(predictions="false") == (False, ["_next"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "page, address, key",
    [
        ("sampling", {"show": "clouds"}, "sampling.metrics"),
        ("guidance", {"show": "eight_scales"}, "guidance.metrics"),
        ("guidance", {"show": "eight_scales"}, "guidance.curves.text"),
        ("lab", {}, "lab.measures.hit"),
        ("training", {"show": "train_live"}, "training.targets.intro"),
        ("vector_field", {"show": "error"}, "vector_field.predict.guess.why"),
        ("vector_field", {}, "vector_field.tasks.unit_gaussian.what"),
        ("home", {}, "vector_field.sentence"),
    ],
)
def test_every_text_of_a_page_explains_its_terms_at_their_first_use(open_page, page, address, key):
    app = open_page(page, predictions="false", **address)
    said = [part.value for kind in ("markdown", "caption") for part in app.get(kind)]
    explained = re.findall(r'popovertarget="term-(\w+)"', "".join(said))
    assert any(text.entry(key)[:12] in without_entries(part) for part in said)
    assert terms_of(text.entry(key)) <= set(explained) and len(explained) == len(set(explained))


def terms_of(markdown: str) -> set[str]:
    """The terms of the glossary that a text uses."""
    glossary.begin()
    return set(re.findall(r'popovertarget="term-(\w+)"', glossary.mark_terms(markdown)))


def test_a_legend_explains_its_terms_too(open_page):
    app = open_page("vector_field", predictions="false", show="one_place")
    assert [
        part
        for part in app.markdown
        if "log-density" in part.value and 'popovertarget="term-log_density"' in part.value
    ]


def test_a_second_language_can_be_chosen_and_holds_for_the_visit(page):
    (text.FOLDER / "zh" / "example.toml").write_text('title = "一个标题"', "utf-8")
    text.catalogue.cache_clear()
    text.strict = False
    try:
        app = page()
        assert app.title[0].value == "A title"
        app.selectbox(key="lang").set_value("zh").run()
        assert app.title[0].value == "一个标题" and app.query_params["lang"] == "zh"
        assert page(lang="zh").title[0].value == "一个标题" and page(lang="xx").title[0].value == "A title"
    finally:
        text.strict = True
