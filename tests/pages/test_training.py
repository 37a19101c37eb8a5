"""Chapter 2 without a browser: every control, the buttons, the run's life, checkpoints in and out, bad input."""

import io
import time
from itertools import islice

import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.data.points import make_points
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs import checkpoints
from pages.ui.frame import visitor
from pages.ui.runs import training_run
from tests.reading import done


@pytest.fixture(autouse=True)
def fresh_registry():
    training_run.jobs.clear()
    yield
    training_run.jobs().close()
    training_run.jobs.clear()


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("training", guess="a", **address)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return app.run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def standing(app: AppTest) -> str:
    return next(m.value for m in app.markdown if "step" in m.value and "**" in m.value)


def until(app: AppTest, text: str, seconds: float = 30) -> AppTest:
    end = time.monotonic() + seconds
    while text not in " ".join([m.value for m in app.markdown] + [e.value for e in app.error]):
        assert time.monotonic() < end, standing(app)
        app.run()
    return app


def archive(how: PointConfig | None = None, data: str = "spiral", steps: int = 3) -> bytes:
    how, points = how or PointConfig(seed=3), make_points(data, 100)
    progress = next(islice(point_model.run(how, points), steps - 1, None))
    return checkpoints.to_bytes(point_model.checkpoint_of(progress, how, points))


def upload(app: AppTest, key: str, name: str, content: bytes) -> AppTest:
    app.file_uploader(key=key).set_value((name, content, "application/octet-stream"))
    return app.run()


def test_the_page_shows_a_shipped_model_at_once_and_offers_training_after_the_prediction(open_page):
    asked = open_page("training")
    assert not asked.exception and all(asked.button(key=key).disabled for key in ("_main", "_step", "_reset"))
    assert "Answer the prediction first." in [caption.value for caption in asked.caption]
    answered = open_page("training", guess="a")
    assert not answered.exception and not any(answered.button(key=key).disabled for key in ("_main", "_step", "_reset"))
    assert "trained earlier" in standing(answered)


@pytest.mark.parametrize("scene", ["train live", "why an average arrow"])
def test_every_control_can_be_moved(chapter, scene):
    app = chapter(show=scene)
    app.toggle(key="fresh").set_value(False).run()
    app.select_slider(key="n").set_value(500).run()
    for name in ("net", "prediction", "noise", "seed", "lr", "word"):
        if name == "word":
            app.selectbox(key="data").set_value("your word").run()
            app.text_input(key="word").set_value("abc").run()
        elif name in ("seed", "lr"):
            app.number_input(key=name).increment().run()
        else:
            control = next(w for kind in ("selectbox", "button_group") for w in app.get(kind) if w.key == name)
            control.set_value(control.options[0]).run()
        assert not app.exception and not app.error, name


def test_every_data_set_shows_a_picture(chapter):
    app = chapter()
    for name in app.selectbox(key="data").options:
        app.selectbox(key="data").set_value(name).run()
        assert not app.exception and not app.error and app.get("bidi_component"), name


def test_training_starts_pauses_steps_resumes_and_resets(chapter):
    app = press(chapter(), "Train")
    assert "Pause" in labels(app)
    until(press(app, "Pause"), "**Paused**")
    at = training_run.jobs().look(app.session_state["_runs"].copy().popitem()[1], "test").step
    assert f"step {at:,}" in standing(app)
    run_id = next(iter(app.session_state["_runs"].values()))
    training_run.jobs().leave(run_id, "test")
    assert f"step {at + 1:,}" in standing(press(app, "Step"))
    assert "Pause" in labels(press(app, "Resume"))
    assert "untrained" in standing_at_rest(press(app, "Reset"))


def test_reset_of_the_shipped_model_leaves_an_untrained_network_and_no_more_to_reset(chapter):
    app = press(chapter(), "Reset")
    assert "untrained" in standing_at_rest(app) and "dead" not in standing_at_rest(app)
    assert app.button(key="_reset").disabled


def test_a_press_starts_what_the_controls_say_at_that_moment(chapter):
    app = chapter(seed="31")
    app.selectbox(key="data").set_value("rings")  # not drawn yet when the button is pressed
    app = press(app, "Train")
    assert "Pause" in labels(app)
    (plan,) = app.session_state["_latest"].values()
    assert next(iter(app.session_state["_runs"])) == plan.key and plan.data.points.name == "rings"


def trained(app: AppTest, steps: int) -> AppTest:
    """The run, which is held, so many steps later."""
    training_run.jobs().step(next(iter(app.session_state["_runs"].values())), live_viewer(app), steps)
    return app.run()


def test_a_run_that_broke_down_is_mended_when_its_loss_is_near_the_exact_one(chapter):
    app = press(chapter(seed="32"), "Step")
    app.number_input(key="lr").set_value(1e6).run()
    app = until(press(app, "Resume"), "The loss became")
    app.number_input(key="lr").set_value(PointConfig.lr).run()
    app = press(app, "Pause") if "Pause" in labels(app) else app
    assert done(app) == [False, False, False]
    assert done(trained(app, 400)) == [True, False, True]
    assert done(press(app, "Reset")) == [True, False, True]  # what was earned stays


def test_a_network_that_has_died_is_called_dead_and_reset_begins_anew(chapter):
    app = trained(press(chapter(seed="33", lr="0.1"), "Step"), 150)
    assert "This network is dead" in standing(app) and done(app)[0] is False
    app.number_input(key="lr").set_value(PointConfig.lr).run()
    assert "dead" not in standing(trained(press(press(app, "Reset"), "Step"), 20))


def test_a_single_step_begins_a_run_and_holds_it(chapter):
    app = press(chapter(seed="5"), "Step")
    assert "**Paused** · step 1 ·" in standing(app) and "Resume" in labels(app)


def test_two_learners_with_equal_settings_share_a_run_and_do_not_disturb_each_other(chapter):
    first, second = press(chapter(seed="6"), "Train"), press(chapter(seed="6"), "Train")
    assert first.session_state["_runs"] == second.session_state["_runs"]
    assert "2 are watching" in standing(second)
    press(first, "Pause")
    assert "**Paused**" in standing(first)
    assert "**Paused**" not in standing(second.run())
    assert first.session_state["_runs"] != second.session_state["_runs"]


def test_a_learner_in_the_queue_sees_the_place(chapter):
    apps = [press(chapter(seed=str(seed)), "Train") for seed in (11, 12, 13)]
    assert "number 1 in the queue" in standing(apps[2])


def test_another_learning_rate_keeps_the_model(chapter):
    app = press(press(chapter(seed="8"), "Step"), "Step")
    app.number_input(key="lr").set_value(0.001).run()
    assert "step 2" in standing(app) and "**Paused**" in standing(app)
    view = training_run.jobs().look(next(iter(app.session_state["_runs"].values())), live_viewer(app))
    assert view.settings["lr"] == 0.001


def live_viewer(app: AppTest) -> str:
    return app.session_state["_viewer"]


def test_a_learning_rate_of_a_million_is_explained_and_the_last_good_weights_go_on(chapter):
    app = press(chapter(seed="9"), "Step")
    app.number_input(key="lr").set_value(1e6).run()
    until(press(app, "Resume"), "The loss became")
    assert "**Stopped**" in standing(app)
    app.number_input(key="lr").set_value(0.001).run()
    until(app, "**Training**")
    run_id = next(iter(app.session_state["_runs"].values()))
    state = training_run.jobs().state(run_id, live_viewer(app)).state
    assert all(p.isfinite().all() for p in state.ema.parameters())


def test_a_saved_model_comes_back_with_its_recipe_and_its_steps(chapter):
    app = upload(
        chapter(), "_load", "model.zip", archive(PointConfig(network="plain", prediction="v", seed=3), "rings")
    )
    assert not app.error and "A model from a file" in standing(app) and "3 steps" in standing(app)
    assert app.selectbox(key="data").value == "rings" and app.selectbox(key="prediction").value == "v"
    app = press(app, "Step")
    assert "step 4" in standing(app)


def pickled() -> bytes:
    stream = io.BytesIO()
    torch.save({"weights": torch.zeros(2)}, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: archive()[:900], "cut short"),
        (pickled, "pickle"),
        (lambda: b"hello", "cut short, damaged or no checkpoint"),
        (lambda: archive(PointConfig(conditional=True)), "another kind of model"),
    ],
    ids=["truncated", "a pickle in disguise", "not a zip", "of another network"],
)
def test_a_bad_checkpoint_is_refused_with_a_sentence_and_changes_nothing(chapter, content, said):
    app = press(chapter(seed="4"), "Step")
    before = standing(app)
    upload(app, "_load", "model.zip", content())
    assert not app.exception and said in app.error[0].value
    assert standing(app.run()) == before and not app.error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x,y\n1,2\nred,3\n", "red"),
        (b"1,2\nnan,3\n4,5\n", "nan"),
        (b"1,2\n", "one point"),
        (b"1,2\n1,2\n1,2\n", "same"),
        (b"", "no points"),
    ],
    ids=["text", "NaN", "one point", "identical points", "empty"],
)
def test_a_bad_csv_is_refused_with_a_sentence_and_the_data_stay(chapter, content, said):
    good = b"".join(b"%d,%d\n" % (i, i * i % 7) for i in range(40))
    app = upload(chapter(data="your CSV"), "_upload_csv", "points.csv", good)
    assert not app.error
    kept = app.session_state["_good_csv"]
    upload(app, "_upload_csv", "bad.csv", content)
    assert not app.exception and said in app.error[0].value.lower()
    assert app.session_state["_good_csv"] is kept


def test_a_truncated_picture_is_refused_with_a_sentence(chapter):
    from PIL import Image

    stream = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(stream, "PNG")
    app = upload(chapter(data="your image"), "_upload_image", "cut.png", stream.getvalue()[:600])
    assert not app.exception and len(app.error) == 1


def test_absurd_values_in_the_address_leave_the_defaults_and_a_notice(chapter):
    absurd = {"lr": "1e400", "seed": "-7", "data": "../../etc", "n": "x", "probe": "nan,nan"}
    app = chapter(**absurd, run="nobody", draw="%%%", clock="abc")
    assert not app.exception and not app.error
    assert app.number_input(key="seed").value == 0 and app.selectbox(key="data").value == "spiral"
    assert "seed=-7" in app.toast[0].value
    assert not {"run", "draw", "clock"} & set(app.query_params)


def test_a_file_that_holds_markdown_is_quoted_and_not_drawn(chapter):
    app = upload(chapter(data="your CSV"), "_upload_csv", "bad.csv", b"1,2\n![](//e.co/a),3\n")
    assert "](" not in app.error[0].value and "e.co" in app.error[0].value


def test_a_command_to_a_run_that_has_gone_says_so(chapter):
    app = press(chapter(seed="21"), "Step")
    run_id = next(iter(app.session_state["_runs"].values()))
    pause = next(button for button in app.button if button.label == "Resume")
    training_run.jobs().leave(run_id, live_viewer(app))
    app.session_state["_runs"] = {}
    pause.click()
    app.run()
    assert not app.exception and "has ended" in app.error[0].value


def test_a_browser_is_the_same_viewer_however_the_server_masks_its_cookie():
    token = bytes(range(16))
    masked = {mask: bytes(b ^ mask[i % 4] for i, b in enumerate(token)) for mask in (b"abcd", b"wxyz")}
    cookies = [f"2|{mask.hex()}|{hidden.hex()}|1700" for mask, hidden in masked.items()]
    assert visitor.browser(cookies[0]) == visitor.browser(cookies[1]) is not None
    assert visitor.browser(None) is None and visitor.browser("2|zz|1|1") is None


def test_points_that_no_shipped_model_saw_begin_with_an_untrained_network(chapter):
    assert "trained earlier" in standing_at_rest(chapter(fresh="false"))
    assert "untrained" in standing_at_rest(chapter(fresh="false", n="20"))


def standing_at_rest(app: AppTest) -> str:
    return " ".join(m.value for m in app.markdown)
