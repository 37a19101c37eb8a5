"""Chapter 4 without a browser: every control, what is drawn, what the captions claim, and the tasks."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from core.diffusion.samplers import DDIM_WITH_NOISE, DDPM_NO_NOISE, ETA_INTERPOLATED
from core.lessons import sampler_quality as quality_lesson
from core.models import trajectories
from pages.ui.frame.text import entry, label, t
from pages.ui.lessons import sampler_quality, sampling
from pages.ui.lessons.sampling import Config
from pages.ui.runs import training_run
from tests.reading import done, group, header, messages, panels

SHOWN = {"predictions": "false"}


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("sampling", **address)


def address(app: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[-1] for name, value in app.query_params.items()}


# The prediction


@pytest.mark.slow
def test_what_happens_without_the_noise_is_kept_back_until_the_prediction_is_made(chapter):
    app = chapter(b=DDPM_NO_NOISE)
    assert [panel["caption"] for panel in header(app)["panels"]] == captions(Config())
    # The names of samplers are shown as labels in the list of options.
    assert len(app.selectbox(key="a").options) == len(sampling.names()) - len(sampling.KEPT_BACK)
    assert not any(part.key == "show" for part in app.get("button_group"))
    assert t("sampling.leave_noise_out") not in [button.label for button in app.button]
    assert not messages(app, "success") and "sampling.without_noise" not in words(app)
    app = app.button(key="_guess_to_the_spiral").click().run()
    assert len(app.selectbox(key="a").options) == len(sampling.names()) and group(app, "show").value == "clouds"


def test_a_sampler_of_a_link_that_is_kept_back_is_named_and_shown_after_the_answer(chapter):
    app = chapter(b=DDPM_NO_NOISE)
    (notice,) = messages(app, "info")
    assert label("samplers", DDPM_NO_NOISE) in notice and app.selectbox(key="b").value == "ddim"
    app = app.selectbox(key="a").set_value("euler").run()
    assert len(messages(app, "info")) == 1
    app = app.button(key="_guess_near_middle").click().run()
    assert address(app)["b"] == DDPM_NO_NOISE and messages(app, "success") and not messages(app, "info")


def test_a_sampler_that_is_kept_back_gives_way_to_one_chosen_in_its_place(chapter):
    app = chapter(b=DDPM_NO_NOISE).selectbox(key="b").set_value("heun").run()
    assert not messages(app, "info")
    app = app.button(key="_guess_near_middle").click().run()
    assert address(app)["b"] == "heun" and not messages(app, "success")


def test_without_questions_a_link_shows_what_it_asks_for(chapter):
    app = chapter(**SHOWN, b=DDPM_NO_NOISE)
    assert app.selectbox(key="b").value == DDPM_NO_NOISE and len(messages(app, "info")) == 1  # what the picture shows


@pytest.mark.slow
@pytest.mark.parametrize("show", [name for name in sampling.SCENES if name != "whose_step"])  # it shows the run itself
def test_before_the_run_that_decides_was_seen_no_note_tells_where_the_points_end(chapter, show):
    app = chapter(guess="stay_noise", show=show, seed="905")
    assert not messages(app, "success") and not messages(app, "info")
    assert t("sampling.without_noise.why") not in words(app)
    if show == "quality" and "_background" in app.session_state:  # not where another test has made the table
        training_run.jobs().leave(app.session_state["_background"], app.session_state["_viewer"])
        assert entry("sampling.measured_collapse.notes")[0]["text"] not in words(app)


def words(app: AppTest) -> str:
    """All that stands on the page as text."""
    return "\n".join(each.value for each in app.markdown)


def captions(config: Config) -> list[str]:
    """The captions of the scene that a configuration shows."""
    return [panel.caption for panel in sampling.SCENES[config.show](config).panels]


@pytest.mark.slow
def test_one_button_leaves_the_noise_out_and_brings_the_explanation(chapter):
    app = chapter(guess="near_middle", show="paths").button(key="_guess_decide").click().run()
    assert (
        address(app)["b"] == DDPM_NO_NOISE
        and messages(app, "success")
        and t("sampling.without_noise.why") in words(app)
    )
    assert not [button for button in app.button if button.key == "_guess_decide"]


def test_where_no_question_is_asked_a_button_beside_the_picture_leaves_the_noise_out(chapter):
    app = chapter(**SHOWN).button(key="_leave_out").click().run()
    assert address(app)["b"] == DDPM_NO_NOISE and messages(app, "info")
    assert not [button for button in app.button if button.key == "_leave_out"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "shown",
    [{"b": DDPM_NO_NOISE, "top": "0.5"}, {"b": DDPM_NO_NOISE, "nb": "1", "model": "spiral-100-reference"},
     {"b": DDPM_NO_NOISE, "show": "sde_and_ode"}, {"b": DDPM_NO_NOISE, "show": "one_step"}],
)  # fmt: skip
def test_nothing_is_explained_where_no_collapse_from_sigma_10_is_shown(chapter, shown):
    app = chapter(guess="near_middle", **shown)
    assert not app.exception and not messages(app, "success") and not messages(app, "info")


@pytest.mark.slow
def test_the_explanation_comes_where_the_four_combinations_show_the_collapse(chapter):
    app = chapter(guess="near_middle", show="whose_step")
    assert messages(app, "success") and len(panels(app)) == 4 and len(app.get("plotly_chart")) == 1


# The controls


@pytest.mark.slow
def test_every_control_changes_the_page_and_its_address(chapter):
    app = chapter(**SHOWN, na="8", nb="8", nc="8")
    app.selectbox(key="a").set_value(ETA_INTERPOLATED).run()
    before = trajectories.trajectory.cache_info().misses
    app.slider(key="eta").set_value(0.3).run()
    assert trajectories.trajectory.cache_info().misses == before + 1  # the others do not read eta
    app.number_input(key="na").set_value(5)
    app.selectbox(key="c").set_value("sde")
    app.selectbox(key="d").set_value("dpmpp_2m")
    app.number_input(key="nd").set_value(7)
    app.select_slider(key="top").set_value(5.0)
    app.selectbox(key="grid").set_value("karras")
    app.number_input(key="seed").set_value(3)
    app.selectbox(key="model").set_value("exact")
    app.radio(key="view").set_value("ve").run()
    chosen = {"na": "5", "nb": "8", "nc": "8", "c": "sde", "d": "dpmpp_2m", "nd": "7", "top": "5", "grid": "karras",
              "seed": "3", "model": "exact", "view": "ve", "a": ETA_INTERPOLATED, "eta": "0.3"}  # fmt: skip
    assert address(app) == SHOWN | chosen
    config = Config(a=ETA_INTERPOLATED, na=5, nb=8, c="sde", nc=8, d="dpmpp_2m", nd=7,
                    eta=0.3, top=5.0, grid="karras", seed=3, model="exact", view="ve")  # fmt: skip
    assert [panel["caption"] for panel in header(app)["panels"]] == captions(config)


@pytest.mark.slow
@pytest.mark.parametrize("show", ["one_step", "paths", "sde_and_ode", "quality"])
def test_every_scene_can_be_chosen(chapter, show):
    app = chapter(**SHOWN, nfirst="1", nsecond="2")
    group(app, "show").set_value(show).run()
    assert address(app)["show"] == show and not app.exception and not app.error
    if show == "quality" and "_background" in app.session_state:  # not where another test has made the table
        training_run.jobs().leave(app.session_state["_background"], app.session_state["_viewer"])
    elif show != "quality":
        assert panels(app)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"), [("a", "ddqm"), ("na", "0"), ("na", "many"), ("top", "3"), ("seed", "-1"), ("step", "513")]
)
def test_a_value_that_is_none_is_ignored_with_a_notice(chapter, name, value):
    app = chapter(**SHOWN, **{name: value})
    assert len(panels(app)) == 2 and f"{name}={value}" in app.toast[0].value


# One step


@pytest.mark.slow
def test_the_buttons_and_the_slider_choose_a_step_and_its_equation_has_its_numbers(chapter):
    app = chapter(**SHOWN, show="one_step", step="2", particle="3")
    app.button(key="_forward").click().run()
    assert app.slider(key="_step").value == 3 and address(app)["step"] == "3"
    for _ in range(3):
        app.button(key="_back").click().run()
    assert app.slider(key="_step").value == 1
    app.slider(key="_step").set_value(9).run()
    assert address(app)["step"] == "9"
    app.number_input(key="particle").set_value(4).run()
    scene = sampling.SCENES["one_step"](Config(show="one_step", step=9, particle=4))
    assert list(panels(app)) == [panel.title for panel in scene.panels]
    assert app.latex[0].value.count(r"\underbrace") == 7 and len(app.latex) == 2


@pytest.mark.slow
def test_where_there_are_fewer_steps_the_last_one_is_shown_and_the_address_keeps_the_one_chosen(chapter):
    app = chapter(**SHOWN, show="one_step", step="40", na="10")
    assert app.slider(key="_step").value == 10 and address(app)["step"] == "40" and not app.toast
    app.number_input(key="na").set_value(256).run()
    assert app.slider(key="_step").value == 40


def test_a_step_of_second_order_shows_how_its_guess_was_made(chapter):
    step, guess, _ = (part.value for part in chapter(**SHOWN, show="one_step", a="heun", na="8", step="4").latex)
    assert r"\tilde x_0" in step and "d_2" in guess


# Two clouds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "verdict", "least", "most"),
    [
        ({}, "same_density", 0, 2),
        ({"second": DDPM_NO_NOISE}, "differ", 100, 1e4),
        ({"nfirst": 8}, "differ", 8, 1e4),
        ({"first": DDIM_WITH_NOISE}, "differ", 20, 1e4),
        ({"first": "euler"}, "same_ends", 0, 0.1),
    ],
)
def test_two_clouds_are_said_to_differ_where_they_do(other, verdict, least, most):
    config = Config(show="sde_and_ode", **other)
    assert sampling.verdict(config)[0] == verdict and least <= sampling.times_floor(config) <= most


@pytest.mark.slow
def test_sde_and_ode_are_ddpm_and_ddim_unless_others_are_chosen_there(chapter):
    app = chapter(**SHOWN, b=DDPM_NO_NOISE, na="4")
    app = group(app, "show").set_value("sde_and_ode").run()
    titles = list(panels(app))
    assert titles == [panel.title for panel in sampling.SCENES["sde_and_ode"](Config(show="sde_and_ode")).panels]
    app = app.selectbox(key="second").set_value("heun").run()
    assert [title == now for title, now in zip(titles, panels(app), strict=True)] == [True, False, True]


# The quality of the samplers, computed in the background


@pytest.fixture
def short(monkeypatch):
    """A table of few samples and calls, kept apart from the others by its key and forgotten afterwards."""
    monkeypatch.setattr(quality_lesson, "CALLS", (4, 32))
    monkeypatch.setattr(sampler_quality, "SAMPLES", 40)
    yield
    sampler_quality.stored.cache_clear()


def key(**config) -> tuple:
    config = Config(**config)
    return sampler_quality.key_of(sampling.compared_models(config), config.samplers[0])


def until(app: AppTest, condition) -> AppTest:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
        app.run()
    assert condition()
    return app


@pytest.mark.slow
def test_a_table_is_computed_in_the_background_and_is_then_there_for_all(chapter, short):
    app = until(chapter(**SHOWN, show="quality", seed="901"), lambda: sampler_quality.stored(key(seed=901)))
    assert not app.exception and len(app.get("plotly_chart")) == 1
    again = chapter(**SHOWN, show="quality", seed="901")
    assert not again.get("progress") and len(again.get("plotly_chart")) == 1
    for measure in ("distance", "coverage"):
        group(again, "measure").set_value(measure).run()
        assert not again.exception and address(again)["measure"] == measure


def test_who_changes_a_control_waits_no_longer_for_the_old_table(chapter):
    app = chapter(**SHOWN, show="quality", seed="902")
    first = app.session_state["_background"]
    assert training_run.jobs().key_of(first) == key(seed=902)
    app.number_input(key="seed").set_value(903).run()
    second = app.session_state["_background"]
    assert training_run.jobs().key_of(first) is None and training_run.jobs().key_of(second) == key(seed=903)
    training_run.jobs().leave(second, app.session_state["_viewer"])


@pytest.mark.slow
def test_a_table_that_failed_says_so_and_can_be_tried_again(chapter, short, monkeypatch):
    def failing(*_):
        raise ValueError("There is no room.")
        yield

    with monkeypatch.context() as broken:
        broken.setattr(quality_lesson, "table", failing)
        app = chapter(**SHOWN, show="quality", seed="904")
        until(app, lambda: app.error)
        assert "ValueError" in app.error[0].value and not app.get("progress")
    app.button(key="_try_again").click().run()
    assert not app.error
    until(app, lambda: sampler_quality.stored(key(seed=904)))


# Tasks


@pytest.mark.slow
def test_the_tasks_check_themselves(chapter):
    assert done(chapter(**SHOWN)) == [False, False, False]
    exact = {**SHOWN, "model": "exact"}
    assert done(chapter(**exact, b="ddim", nb="5")) == [True, False, False]
    assert done(chapter(**exact, b="ddim", nb="6", a=DDPM_NO_NOISE, na="256")) == [False, True, False]
    assert done(chapter(**exact, a="dpmpp_2m", na="4")) == [False, False, True]
