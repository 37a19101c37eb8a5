"""Chapter 2 without a browser: its controls, the buttons, the life of a run, checkpoints in and out, bad input."""

import errno
import io
import time
from dataclasses import replace
from itertools import islice

import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.data.points import make_points
from core.models import points as point_model
from core.models.points import PointConfig
from core.problems import Problem
from core.runs import checkpoints, jobs, live_runs
from core.runs.jobs import View
from pages.ui.frame import kept, links, text, visitor
from pages.ui.frame.text import t
from pages.ui.lessons import training as lesson
from pages.ui.runs import earlier_runs, training_run
from tests.pages.test_home import home
from tests.reading import group, header, messages, small_print, tasks, texts

pytestmark = pytest.mark.usefixtures("fresh_registry")

GUESS = {"guess": "extent_first"}
MAIN, STEP, RESET = BUTTONS = "_main", "_step", "_reset"
SEEDED = PointConfig(seed=3)


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("training", **GUESS, **address)


def press(app: AppTest, *keys: str) -> AppTest:
    for key in keys:
        app.button(key=key).click()
        app.run()
    return app


def view(app: AppTest) -> View:
    """The run of this visitor as the registry shows it."""
    return training_run.jobs().look(run_of(app), app.session_state["_viewer"])


def run_of(app: AppTest) -> str:
    (run,) = app.session_state["_runs"].values()
    return run


def standing(app: AppTest) -> str:
    """Everything that the page says in paragraphs, the line on how the run stands among it."""
    return " ".join(texts(app))


def says(app: AppTest, key: str, **values) -> bool:
    return t(f"runs.{key}", **values) in standing(app)


def until(app: AppTest, status: str, seconds: float = 30) -> AppTest:
    """Run the page again until the run has a status."""
    end = time.monotonic() + seconds
    while view(app).status != status:
        assert time.monotonic() < end, view(app)
        time.sleep(0.05)
    return app.run()


def after(app: AppTest, steps: int) -> AppTest:
    """The run, which is held, so many steps later."""
    training_run.jobs().step(run_of(app), app.session_state["_viewer"], steps)
    return app.run()


def archive(config: PointConfig = SEEDED, data: str = "spiral", steps: int = 3) -> bytes:
    points = make_points(data, 100)
    progress = next(islice(point_model.run(config, points), steps - 1, None))
    return checkpoints.to_bytes(point_model.checkpoint_of(progress, config, points))


ENDINGS = {"_load_training": "zip", "_upload_csv": "csv", "_upload_image": "png"}


def upload(app: AppTest, key: str, content: bytes) -> AppTest:
    app.file_uploader(key=key).set_value((f"file.{ENDINGS[key]}", content, "application/octet-stream"))
    return app.run()


def test_nothing_can_be_trained_before_the_prediction(open_page):
    app = open_page("training")
    assert not app.exception and all(app.button(key=key).disabled for key in BUTTONS)
    assert t("runs.buttons.not_ready") in small_print(app)
    press(app, "_guess_slowly_sharper")
    assert not any(app.button(key=key).disabled for key in BUTTONS)
    assert app.query_params["guess"] == "slowly_sharper"


def test_a_presented_page_trains_before_its_question_is_answered(open_page):
    app = open_page("training", present="true")
    assert app.button(key="_guess_slowly_sharper") and not any(app.button(key=key).disabled for key in BUTTONS)


@pytest.mark.slow
def test_a_shipped_model_is_seen_where_there_is_one_and_an_untrained_network_where_not(chapter):
    steps = training_run.initial_checkpoint(lesson.request_of(lesson.Config())).state.step
    assert says(chapter(), "standing.shipped", steps=steps) and steps > 1000
    app = chapter(fresh="false", n="20")
    assert says(app, "standing.untrained") and app.button(key=RESET).disabled


def test_reset_puts_the_shipped_model_away(chapter):
    app = press(chapter(), RESET)
    assert says(app, "standing.untrained") and t("training.dead") not in standing(app)
    assert app.button(key=RESET).disabled


@pytest.mark.slow
def test_every_control_can_be_moved_and_is_in_the_address(chapter):
    app = chapter(show="why_average")
    app.toggle(key="fresh").set_value(False).run()
    app.select_slider(key="n").set_value(500).run()
    group(app, "net").set_value("plain").run()
    app.selectbox(key="prediction").set_value("v").run()
    app.selectbox(key="noise").set_value("cosine").run()
    app.number_input(key="seed").increment().run()
    app.number_input(key="lr").set_value(0.5).run()
    recipe = {"net": "plain", "prediction": "v", "noise": "cosine", "seed": "1", "lr": "0.5"}
    assert header(app) and dict(app.query_params) == {
        **GUESS, **recipe, "show": "why_average", "fresh": "false", "n": "500",
    }  # fmt: skip
    group(app, "show").set_value("train_live").run()
    app.selectbox(key="data").set_value("word").run()
    app.text_input(key="word").set_value("abc").run()
    assert header(app) and dict(app.query_params) == {**GUESS, **recipe, "data": "word", "word": "abc"}


@pytest.mark.slow
def test_data_that_a_learner_is_still_to_bring_begin_with_the_spiral(chapter):
    app = chapter(net="plain")
    for name, hint in {"drawing": "nothing_drawn", "image": "no_file", "csv": "no_file"}.items():
        app.selectbox(key="data").set_value(name).run()
        assert header(app)["panels"] and t(f"widgets.picker.{hint}") in small_print(app)


@pytest.mark.slow
def test_training_starts_pauses_steps_resumes_and_resets(chapter):
    app = press(chapter(), MAIN)
    assert app.button(key=MAIN).label == t("runs.buttons.pause")
    press(app, MAIN)
    held = view(app)
    assert held.status == "paused" and says(app, "status.paused")
    assert says(app, "standing.step", step=held.step) and says(press(app, STEP), "standing.step", step=held.step + 1)
    assert app.button(key=MAIN).label == t("runs.buttons.resume")
    press(app, MAIN)
    assert view(app).status in ("queued", "running")
    assert says(press(app, RESET), "standing.untrained") and not app.session_state["_runs"]


@pytest.mark.slow
def test_a_press_starts_what_the_controls_say_at_that_moment(chapter):
    app = chapter(seed="31")
    app.selectbox(key="data").set_value("rings")  # not drawn yet when the button is pressed
    press(app, STEP)
    (request,) = app.session_state["_latest"].values()
    assert next(iter(app.session_state["_runs"])) == request.key and request.data.name == "rings"


@pytest.mark.slow
def test_a_single_step_begins_a_run_and_holds_it(chapter):
    app = press(chapter(seed="5"), STEP)
    assert (view(app).status, view(app).step) == ("paused", 1) and says(app, "standing.step", step=1)


@pytest.mark.slow
def test_another_learning_rate_keeps_the_model(chapter):
    app = press(chapter(seed="8"), STEP, STEP)
    app.number_input(key="lr").set_value(0.001).run()
    assert (view(app).status, view(app).step, view(app).settings["lr"]) == ("paused", 2, 0.001)


@pytest.mark.slow
def test_a_run_that_broke_down_is_explained_and_mended_by_a_lower_learning_rate(chapter):
    app = press(chapter(seed="32"), STEP)
    app.number_input(key="lr").set_value(1e6).run()
    until(press(app, MAIN), "failed")
    assert len(app.error) == 1 and says(app, "status.failed")
    app.number_input(key="lr").set_value(PointConfig.lr).run()
    state = training_run.jobs().state(run_of(app), app.session_state["_viewer"]).state
    assert all(weight.isfinite().all() for weight in state.ema.parameters())
    app = press(app, MAIN) if view(app).status in ("queued", "running") else app
    nothing = {"on_the_data": False, "own_data": False, "broken_and_mended": False}
    assert tasks(app) == nothing
    earned = nothing | {"on_the_data": True, "broken_and_mended": True}
    assert tasks(after(app, 400)) == earned
    assert tasks(press(app, RESET)) == earned  # what was earned stays


@pytest.mark.slow
def test_a_run_that_broke_down_decides_nothing(chapter):
    app = after(press(chapter(seed="33", lr="0.1"), STEP), lesson.SEEN)
    assert view(app).picture.dead and not explained(app)
    app = after(press(chapter(seed="35"), STEP), lesson.SEEN)
    assert explained(app)
    app.number_input(key="lr").set_value(1e6).run()
    app = until(press(app, MAIN), "failed")
    assert view(app).step >= lesson.SEEN and not explained(app)


def explained(app: AppTest) -> bool:
    return any(t("training.predict.guess.why") in said for said in (*messages(app, "success"), *messages(app, "info")))


@pytest.mark.slow
def test_a_network_that_has_died_is_called_dead_and_reset_begins_anew(chapter):
    app = after(press(chapter(seed="33", lr="0.1"), STEP), 150)
    assert t("training.dead") in standing(app) and not tasks(app)["on_the_data"]
    app.number_input(key="lr").set_value(PointConfig.lr).run()
    assert t("training.dead") not in standing(after(press(app, RESET, STEP), 20))


@pytest.mark.slow
def test_the_prediction_is_explained_once_the_run_has_shown_the_answer(chapter):
    app = press(chapter(seed="34"), STEP)
    assert not messages(app, "success")
    assert len(messages(after(app, lesson.SEEN), "success")) == 1


@pytest.mark.slow
def test_what_the_target_gives_before_training_is_said_only_once_it_answers_no_question(open_page):
    def said(app: AppTest) -> bool:
        return any(part in standing(app) for part in ("middle of the data", "nearly exact", "nearly right"))

    for scene in ({}, {"show": "why_average", "arrow": "untrained_edm"}):
        assert not said(open_page("training", **scene)) and not said(open_page("training", **scene, **GUESS))
        assert said(open_page("training", **scene, predictions="false"))


@pytest.mark.slow
def test_two_learners_with_equal_settings_share_a_run_and_do_not_disturb_each_other(chapter):
    first, second = press(chapter(seed="6"), MAIN), press(chapter(seed="6"), MAIN)
    assert run_of(first) == run_of(second) and says(second, "standing.viewers", viewers=2)
    press(first, MAIN)
    second.run()
    assert view(first).status == "paused" and view(second).status != "paused" and run_of(first) != run_of(second)


@pytest.mark.slow
def test_a_learner_whose_turn_is_over_sees_when_the_next_one_comes(chapter, monkeypatch):
    monkeypatch.setattr(training_run, "slots", lambda: 1)
    first, *_, last = [press(chapter(seed=str(seed)), MAIN) for seed in (11, 12, 13)]
    end = time.monotonic() + 30
    for app in (last, first):
        while not (shown := view(app)).step or shown.status != "queued":
            assert time.monotonic() < end, shown
        words = training_run.waiting(shown)
        assert words.startswith(t("runs.status.between", seconds=training_run.seconds_left(shown)))
    assert not last.exception and not app.run().exception


def test_the_bar_of_who_waits_shows_the_part_of_the_time_that_has_passed(chapter):
    app = after(press(chapter(), STEP), 1)
    shown = replace(view(app), status="queued", step=0, wait=2.4, waited=0.8)
    words = training_run.waiting(shown)
    assert words.startswith(t("runs.status.queued", seconds=3)) and 'value="25"' in words


@pytest.mark.slow
def test_a_run_in_the_address_is_one_s_own_again_and_one_that_has_gone_is_ignored(chapter):
    first = press(chapter(seed="35"), STEP)
    assert first.query_params["run"] == run_of(first)
    again = chapter(seed="35", run=run_of(first))
    assert run_of(again) == run_of(first) and says(again, "standing.step", step=1)
    other = chapter(seed="36", run=run_of(first))  # a run of other settings
    assert not other.session_state["_runs"] and "run" not in other.query_params


def restarted() -> None:
    """Another server has taken the place of this one."""
    training_run.jobs().close()
    training_run.jobs.cache_clear()


@pytest.mark.slow
def test_a_paused_run_outlives_the_server_by_its_address_or_by_the_browser_and_reset_forgets_it(chapter):
    first = press(chapter(seed="35"), STEP, MAIN, MAIN)  # one step; on; a pause, which keeps it
    run, step = run_of(first), view(first).step
    restarted()
    again = chapter(seed="35", run=run)
    assert not again.error and view(again).status == "paused" and view(again).step == step and run_of(again) == run
    assert t("runs.restored.here", step=step) in messages(again, "info")
    restarted()
    runs = dict(first.session_state["_kept"].values)
    at_home = home()
    at_home.session_state["_kept"] = kept.Memory(runs)
    ways = {way.proto.query_string: way.proto.label for way in at_home.run().get("page_link")}
    assert f"{step:,}" in ways[f"seed=35&run={run}"]
    by_browser = chapter(seed="35")
    by_browser.session_state["_kept"] = kept.Memory(runs)
    assert says(by_browser.run(), "restored.offer", step=step) and not by_browser.session_state["_runs"]
    press(by_browser, "_restore")
    assert run_of(by_browser) == run and view(by_browser).step >= step
    press(by_browser, RESET)
    assert "_restore" not in {button.key for button in by_browser.button}
    assert not live_runs.is_kept(earlier_runs.folder(), run)


@pytest.mark.slow
def test_a_run_that_finds_no_room_on_the_disk_says_so_until_it_is_saved(chapter, monkeypatch):
    def refuse(*given) -> None:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(jobs, "KEEP_EVERY", 0.0)
    monkeypatch.setattr(live_runs, "write_whole", refuse)
    sentence = text.problem(Problem("run_not_kept_full"))
    app = press(chapter(), STEP, STEP)
    assert sentence in small_print(app)
    monkeypatch.undo()
    assert sentence not in small_print(press(app, MAIN, MAIN))


def test_a_damaged_run_is_named_so_and_leaves_the_address(chapter):
    run = "damaged_run_of_a_class"
    earlier_runs.folder().mkdir(exist_ok=True)
    (earlier_runs.folder() / f"{run}.zip").write_bytes(b"no zip")
    app = chapter(run=run)
    assert (
        app.error[0].value == links.plain(text.problem(Problem("live_run_damaged"))) and "run" not in app.query_params
    )


@pytest.mark.slow
def test_a_command_to_a_run_that_has_gone_says_so(chapter):
    app = press(chapter(seed="21"), STEP)
    training_run.jobs().leave(run_of(app), app.session_state["_viewer"])
    app.session_state["_runs"] = {}
    press(app, MAIN)
    assert not app.exception and len(app.error) == 1
    assert not app.run().error


@pytest.mark.slow
def test_a_saved_model_comes_back_with_its_recipe_and_its_steps(chapter):
    config = PointConfig(network="plain", prediction="v", seed=3, endless=False, lr=2e-3)
    app = upload(chapter(), "_load_training", archive(config, "rings"))
    assert not app.error and says(app, "standing.file", steps=3)
    recipe = {"net": "plain", "prediction": "v", "seed": "3", "lr": "0.002", "data": "rings", "fresh": "false"}
    assert dict(app.query_params) == GUESS | recipe
    assert app.selectbox(key="data").value == "rings" and app.number_input(key="lr").value == 2e-3
    press(app, STEP)
    assert says(app, "standing.step", step=4)


def pickled() -> bytes:
    stream = io.BytesIO()
    torch.save({"weights": torch.zeros(2)}, stream)
    return stream.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [lambda: archive()[:900], pickled, lambda: b"hello", lambda: archive(PointConfig(conditional=True))],
    ids=["truncated", "a pickle in disguise", "not a zip", "of another network"],
)
def test_a_bad_checkpoint_is_refused_once_and_changes_nothing(chapter, content):
    app = press(chapter(seed="4"), STEP)
    address = dict(app.query_params)
    upload(app, "_load_training", content())
    assert not app.exception and len(app.error) == 1
    app.run()
    assert not app.error and dict(app.query_params) == address and says(app, "standing.step", step=1)


GOOD = b"".join(b"%d,%d\n" % (i, i * i % 7) for i in range(40))


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [b"x,y\n1,2\nred,3\n", b"1,2\nnan,3\n4,5\n", b"1,2\n1,2\n1,2\n", b""],
    ids=["text", "NaN", "identical points", "empty"],
)
def test_a_bad_csv_is_refused_and_the_data_stay(chapter, content):
    app = upload(chapter(data="csv"), "_upload_csv", GOOD)
    assert not app.error
    kept = app.session_state["_good_csv"]
    upload(app, "_upload_csv", content)
    assert not app.exception and len(app.error) == 1 and app.session_state["_good_csv"] is kept
    assert len(app.run().error) == 1  # as long as the file is there


def test_a_bad_word_is_refused_and_the_data_stay(chapter):
    app = chapter(data="word", word="abc")
    kept = app.session_state["_good_word"]
    app.text_input(key="word").set_value("漢").run()
    assert not app.exception and len(app.error) == 1 and app.session_state["_good_word"] is kept


def test_a_truncated_picture_is_refused(chapter):
    from PIL import Image

    stream = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(stream, "PNG")
    app = upload(chapter(data="image"), "_upload_image", stream.getvalue()[:600])
    assert not app.exception and len(app.error) == 1


def test_a_file_that_holds_markdown_is_quoted_and_not_drawn(chapter):
    app = upload(chapter(data="csv"), "_upload_csv", b"1,2\n![](//e.co/a),3\n")
    assert "](" not in app.error[0].value and "e.co" in app.error[0].value
    upload(app, "_upload_csv", "![](//e.co/é);y\n1;2\n3;4\n".encode("cp1252"))
    assert not app.error and "](" not in app.caption[1].value and ";" in app.caption[1].value


@pytest.mark.slow
def test_training_on_data_of_one_s_own_is_a_task(chapter):
    app = press(upload(chapter(data="csv", net="plain"), "_upload_csv", GOOD), STEP)
    assert tasks(app)["own_data"] and not app.error


def test_absurd_values_in_the_address_leave_the_defaults_and_a_notice(chapter):
    absurd = {"lr": "1e400", "seed": "-7", "data": "../../etc", "n": "x", "probe": "nan,nan", "run": "nobody"}
    app = chapter(**absurd, draw="%%%", show="why_average")
    assert header(app) and dict(app.query_params) == {**GUESS, "show": "why_average"}
    assert app.number_input(key="seed").value == 0 and app.selectbox(key="data").value == "spiral"
    assert "lr=1e400" in app.toast[0].value


def test_a_browser_is_the_same_viewer_however_the_server_masks_its_cookie():
    token = bytes(range(16))
    masked = {mask: bytes(b ^ mask[i % 4] for i, b in enumerate(token)) for mask in (b"abcd", b"wxyz")}
    cookies = [f"2|{mask.hex()}|{hidden.hex()}|1700" for mask, hidden in masked.items()]
    assert visitor.browser(cookies[0]) == visitor.browser(cookies[1]) is not None
    assert visitor.browser(None) is None and visitor.browser("2|zz|1|1") is None
