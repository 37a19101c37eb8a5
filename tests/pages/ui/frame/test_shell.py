"""The frame of the chapters, without a browser."""

import logging

import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.figures import palette
from pages.ui.frame import links_old as links
from pages.ui.frame import shell_old as shell

PAGE = """
import streamlit as st
from core.figures import palette
from pages.ui.frame import shell_old as shell

shell.require_shell()
shell.chapter(7, "A title", "A sentence.")
controls, picture = shell.picture()
with controls:
    steps = shell.slider("Steps", 1, 64, 16, key="steps")
    rate = shell.number("Rate", 0.0, 1.0, 0.25, key="rate")
    data = shell.selectbox("Data", ["spiral", "moons"], key="data")
    view = shell.segmented("View", ["samples", "field"], default="samples", key="view")
    trail = shell.toggle("Trails", key="trail")
    eta = shell.select_slider("Eta", [0.0, 0.5, 1.0], key="eta")
    open_ = shell.predict("guess", "Where to?", ("here", "there"), 1, "It is so.")
    if open_:
        shell.slider("Gated", 0, 9, key="gated")
        shell.explain("guess", seen=steps > 16)
probe = shell.param("probe", shell.between(-1, 1), 0.0)
shell.notes([("data", "the data"), ("sample", "a sample")])
shell.equation([("x_0", "data"), ("= D(x)", None)], [("data", "the data")])
shell.code(palette.colour)
shell.tasks([("Take the moons.", data == "moons", "In the list."), ("Take <b>64</b> steps.", steps == 64, "")])
shell.finish()
st.session_state["said"] = (steps, rate, data, view, trail, eta, probe)
"""
DEFAULTS = (16, 0.25, "spiral", "samples", False, 0.0, 0.0)


@pytest.fixture
def page(open_page, tmp_path):
    path = tmp_path / "example.py"
    path.write_text(PAGE)
    return lambda **address: open_page(path, **address)


def said(app: AppTest) -> tuple:
    assert not app.exception
    return app.session_state["said"]


def text(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_a_link_restores_every_control(page):
    app = page(steps="32", rate="0.1", data="moons", view="field", trail="true", eta="0.5", probe="-0.25")
    assert said(app) == (32, 0.1, "moons", "field", True, 0.5, -0.25)
    assert not app.toast


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


def test_the_gated_control_waits_for_the_prediction(page):
    app = page()
    assert [slider.label for slider in app.slider] == ["Steps"]
    app.button(key="_guess_a").click().run()
    assert [slider.label for slider in app.slider] == ["Steps", "Gated"]
    assert app.query_params["guess"] == "a"


def test_the_explanation_comes_after_the_run(page):
    app = page(guess="b")
    assert not app.success
    app.slider(key="steps").set_value(20).run()
    assert app.success[0].value == "**As you predicted:** there. It is so."


def test_another_prediction_is_compared_without_scolding(page):
    app = page(guess="a", steps="20")
    assert app.info[0].value == "**You predicted:** here. **It is:** there. It is so."


def test_a_prediction_can_be_asked_again(page):
    app = page(guess="a")
    app.button(key="_guess_again").click().run()
    assert app.button(key="_guess_a").label == "here"
    assert "guess" not in app.query_params


def test_a_letter_that_is_no_answer_leaves_the_address(page):
    assert "guess" not in page(guess="z").query_params


def test_the_clock_of_a_link_stays_and_nonsense_in_it_is_named_and_leaves(page):
    assert page(clock="0.25").query_params["clock"] == "0.25" and not page(clock="0.25").toast
    app = page(clock="noon")
    assert "clock=noon" in app.toast[0].value and "clock" not in app.query_params


def test_a_task_once_done_stays_done_for_the_visit_and_not_for_the_next_visitor(page):
    app = page(data="moons")
    app.selectbox(key="data").set_value("spiral").run()
    assert "1 of 2 done" in text(app)
    assert "0 of 2 done" in text(page())


def test_a_lecturer_switches_predictions_off_by_link(page):
    app = page(predictions="false", steps="20")
    assert not app.button
    assert [slider.label for slider in app.slider] == ["Steps", "Gated"]
    assert app.info[0].value == "There. It is so."


def test_presentation_mode_is_a_link(page):
    assert "controls" not in text(page()).split("</style>")[1]
    assert ".stAppHeader" in text(page(present="true"))


def test_notes_are_numbered_and_marked_by_shape_and_colour(page):
    shown = text(page())
    assert f"1. {shell.mark('data')} the data" in shown and "●" in shell.mark("data")
    assert f"2. {shell.mark('sample')} a sample" in shown and "○" in shell.mark("sample")


def test_terms_of_the_equation_have_the_colours_of_what_they_stand_for(page):
    assert rf"\textcolor{{{palette.colour('data', 'light')}}}{{x_0}}= D(x)" in page().latex[0].value


def test_the_code_is_the_source_itself(page):
    code = page().code[0].value
    assert code.startswith("def colour(role: str, theme: str) -> str:")


def test_tasks_check_themselves_and_say_how_many_are_done(page):
    shown = text(page(data="moons"))
    assert "1 of 2 done" in shown and "✓ <small>Done</small>" in shown
    assert "Take &lt;b&gt;64&lt;/b&gt; steps." in shown


def test_an_unexpected_exception_becomes_a_sentence_and_a_line_in_the_log(caplog):
    def page():
        from pages.ui.frame import shell_old as shell

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

        from pages.ui.frame import shell_old as shell

        with shell.guard():
            st.stop()

    app = AppTest.from_function(page).run()
    assert not app.error and not app.exception


@pytest.mark.parametrize("raw", ["1.5", "-2", "nan", "inf", "x", ""])
def test_between_refuses_what_is_no_number_in_its_range(raw):
    with pytest.raises(ValueError):
        links.between(-1, 1)(raw)


def test_a_page_that_a_fresh_server_runs_alone_lets_its_workers_use_one_thread_each(monkeypatch):
    monkeypatch.setattr(shell.st, "navigation", lambda *_, **__: None)
    monkeypatch.setattr(shell.st, "rerun", lambda: None)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    shell.require_shell()
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
