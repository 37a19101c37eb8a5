"""The scene that trains image models: people and digits live, commands for more, a run in a folder, damaged ones."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.data.images import digits as real_digits
from core.models import images as image_model
from core.models import live_digits, live_people
from core.models.images import ImageConfig
from core.networks import SIZES
from core.runs import checkpoints
from pages.ui.frame import text
from pages.ui.frame.text import t
from pages.ui.lessons import image_training, own_models
from pages.ui.lessons.image_models_config import Config
from pages.ui.runs import followed, training_run
from tests.reading import group, header, panels, small_print, without_entries
from tests.runs import CONFIG, note, save, write_run

SCENE = """
import streamlit as st
from pages.ui.frame import shell
from pages.ui.lessons import image_training
from pages.ui.lessons.image_models_config import Config
from pages.ui.lessons import own_models

shell.require_shell()
shell.chapter("image_models", Config)
st.session_state["_readable"] = image_training.draw(*shell.columns(), st.container())
st.session_state["_models"] = {name: load().state.step for name, load in own_models.models().items()}
shell.finish()
"""


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch) -> Path:
    """A folder of runs and a registry of this test's own."""
    monkeypatch.setattr(own_models, "FOLDER", tmp_path / "runs")
    followed._logs.clear()
    training_run.jobs.cache_clear()
    yield tmp_path / "runs"
    training_run.jobs().close()
    training_run.jobs.cache_clear()


@pytest.fixture
def scene(open_page, tmp_path):
    page = tmp_path / "image_models.py"
    page.write_text(SCENE)
    return lambda **address: open_page(page, **{"train": "live", **address})


def press(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def shown(app: AppTest) -> str:
    """All that stands on the page as text."""
    return "\n".join(without_entries(part.value) for kind in (app.markdown, app.caption, app.error) for part in kind)


def models(app: AppTest) -> dict[str, int]:
    """The training steps of the visitor's models."""
    return app.session_state["_models"]


# Live


@pytest.mark.slow
def test_an_untrained_network_is_seen_at_once_and_every_control_can_be_moved(scene):
    app = scene()
    assert t("runs.standing.untrained") in shown(app)
    assert [*panels(app)] == [t("image_models.live.digits.panel"), t("runs.loss.title")]
    for name in live_digits.CONFIGS:
        group(app, "net").set_value(name).run()
        assert header(app)["T"] == 11
    for key in ("lr", "seed"):
        app.number_input(key=key).increment().run()
        assert not app.exception and not app.error
    assert app.query_params["net"] == "fourier"


@pytest.mark.slow
def test_training_shows_samples_its_loss_and_at_last_digits_that_can_be_read(scene):
    app = press(scene(net="fourier"), "_step")
    assert t("runs.status.paused") in shown(app) and t("runs.standing.step", step=1) in shown(app)
    assert not app.session_state["_readable"]
    (run,) = app.session_state["_runs"].values()
    training_run.jobs().step(run, app.session_state["_viewer"], 250)
    app.run()
    assert t("runs.standing.step", step=251) in shown(app) and app.session_state["_readable"] is True
    samples, loss = panels(app).values()
    assert int(samples["caption"].split()[0]) >= 20 * image_training.READABLE
    assert len(loss["layers"]) == 3 and "0.0" in loss["caption"]


@pytest.mark.slow
def test_the_run_is_a_model_to_sample_from_until_it_is_left_also_after_a_reload(scene, open_page):
    app = press(scene(net="fourier", seed="7"), "_step")
    assert models(app) == {"own_digits": 1}
    run = app.query_params["run"]
    again = open_page("image_models", predictions="false", model="own_digits", steps="2", w="1", run=run)
    for _ in range(2):
        assert not again.exception and again.selectbox(key="model").value == "own_digits"
        assert again.query_params["run"] == run
        again.run()
    assert models(press(app, "_reset")) == {} and "run" not in app.query_params


@pytest.mark.slow
def test_two_learners_with_equal_settings_share_a_run(scene):
    first, second = (press(scene(net="fourier", seed="7"), "_main") for _ in range(2))
    assert first.session_state["_runs"] == second.session_state["_runs"]


@pytest.mark.slow
def test_a_saved_run_comes_back_with_its_network_and_its_steps_and_is_a_model_to_sample_from(scene):
    config = live_digits.CONFIGS["fourier"]
    made = image_model.new_checkpoint(config, live_digits.images())
    for state in image_model.run(config, live_digits.images(), made.state):
        if state.step == 3:
            break
    app = scene()
    app.file_uploader(key="_load_image_models").set_value(("m.zip", checkpoints.to_bytes(made), "application/zip"))
    app.run()
    assert not app.error and t("runs.standing.file", steps=3) in shown(app)
    assert group(app, "net").value == "fourier" and models(app)["file:digits"] == 3
    assert t("runs.standing.step", step=4) in shown(press(app, "_step"))


@pytest.mark.slow
def test_a_saved_run_of_people_comes_back_as_people(scene):
    made = image_model.new_checkpoint(live_people.CONFIG, live_people.images())
    next(image_model.run(live_people.CONFIG, live_people.images(), made.state))
    app = scene()
    app.file_uploader(key="_load_image_models").set_value(("m.zip", checkpoints.to_bytes(made), "application/zip"))
    app.run()
    assert not app.error and group(app, "train").value == "people" and models(app) == {"file:people": 1}
    assert t("runs.standing.file", steps=1) in shown(app) and len(panels(app)) == 2


def test_a_model_that_cannot_be_trained_here_is_still_one_to_sample_from(scene):
    other = image_model.new_checkpoint(ImageConfig(network="plain"), real_digits())
    app = scene()
    app.file_uploader(key="_load_image_models").set_value(("m.zip", checkpoints.to_bytes(other), "application/zip"))
    app.run()
    assert len(app.error) == 1 and t("runs.standing.untrained") in shown(app) and "file:digits" in models(app)


def test_what_a_file_is_refused_for_is_said_in_the_language_of_the_page(scene):
    other = image_model.new_checkpoint(ImageConfig(network="plain"), real_digits())
    app = scene(lang="zh")
    app.file_uploader(key="_load_image_models").set_value(("m.zip", checkpoints.to_bytes(other), "application/zip"))
    app.run()
    chinese = text.catalogue("zh")["image_models"]["live"]["not_here"]
    assert app.error[0].value.endswith(chinese.removeprefix("%{problem} "))


@pytest.mark.parametrize("content", [b"hello", b"\x80\x02."], ids=["no zip", "a pickle"])
def test_a_bad_file_is_refused_and_changes_nothing(scene, content):
    app = press(scene(net="fourier"), "_step")
    app.file_uploader(key="_load_image_models").set_value(("m.zip", content, "application/zip"))
    app.run()
    assert len(app.error) == 1 and t("runs.standing.step", step=1) in shown(app) and not app.exception


@pytest.mark.slow
def test_of_many_models_from_files_the_newest_few_are_kept(scene):
    made = image_model.new_checkpoint(live_digits.CONFIGS["fourier"], live_digits.images())
    app, most = scene(), own_models.MAX_MODELS
    for k in range(most + 2):
        other = replace(made, config={**made.config, "data": {**made.config["data"], "name": f"set {k}"}})
        app.file_uploader(key="_load_image_models").set_value(
            (f"{k}.zip", checkpoints.to_bytes(other), "application/zip")
        )
        app.run()
    assert list(models(app)) == [f"file:set {k}" for k in range(2, most + 2)]


# The commands


def test_the_commands_say_what_the_controls_say(scene):
    app = scene(train="bigger")
    app.selectbox(key="processes").set_value(4)
    app.selectbox(key="bignet").set_value("dit").run()
    app.selectbox(key="size").set_value("large")
    app.number_input(key="bigsteps").set_value(5000).run()
    first, second = app.code[0].value.split(" \\\n  ")
    assert first.startswith("torchrun --nproc-per-node 4 -m core train --out ")
    assert second == "--data people --network dit --size large --steps 5000 --batch 128 --bf16"
    assert app.code[1].value == f"{first} --resume" and first.split()[-1] == app.code[2].value.split()[-1]


@pytest.mark.parametrize("name", ["../../etc", "a; rm -rf ~", "$(id)", "..", "-x", "名"])
def test_a_name_stays_one_word_inside_the_folder_of_runs(own_runs, name):
    out = image_training.commands(Config(name=name))["train"].split(" --out ")[1].split(" ")[0]
    assert Path(out).parent == own_runs and Path(out).name not in ("", ".", "..")
    assert not set(out) & set(";$()~")


def test_the_printed_command_is_one_that_the_command_line_takes(own_runs):
    import tyro

    from core.cli.images import train

    words = image_training.commands(Config())["train"].split(" -m core train ")[1].replace("\\\n", "").split()
    given = {}

    def stub(out: Path, config: ImageConfig = CONFIG, data: str = "digits") -> None:
        given.update(out=out, config=config, data=data)

    stub.__annotations__ = {name: train.__annotations__[name] for name in ("out", "config", "data")}
    tyro.cli(stub, args=words)
    assert given["out"] == own_runs / "people-unet" and given["data"] == "people"
    assert given["config"].steps == Config().bigsteps and given["config"].size == Config().size


def test_only_sizes_that_divide_the_images_are_offered():
    assert image_training.sizes("unet", "fashion") == ["tiny", "tiny_patched", "small", "large"]
    every = [size for size in SIZES["unet"] if size != "latent"]
    assert image_training.sizes("unet", "emoji") == image_training.sizes("unet", "own_folder") == every
    assert image_training.sizes("dit", "digits") == [*SIZES["dit"]]


# A run followed


def test_without_a_run_the_page_says_so_and_shows_the_first_one_that_begins(scene, own_runs):
    app = scene(train="follow")
    assert t("runs.followed.empty", folder="runs") in shown(app)
    write_run(own_runs / "first", steps=2)
    app.run()
    assert t("runs.followed.step_of", step=2, steps=6) in shown(app) and app.query_params["follow"] == "first"


def test_a_run_shows_its_samples_its_loss_and_the_time_left(scene, own_runs):
    write_run(own_runs / "one", steps=3)
    app = scene(train="follow", follow="one")
    parts = t("runs.followed.training"), t("runs.followed.pace", pace=50), t("runs.followed.left", left="0:00:01")
    assert all(part in shown(app) for part in parts)
    assert [*panels(app)] == [t("runs.followed.samples"), t("runs.loss.title")] and header(app)["T"] == 1
    group(app, "curve").set_value("by_noise_level").run()
    assert [*panels(app)] == [t("runs.followed.samples"), t("runs.followed.by_noise_level")]


def test_new_lines_and_new_sheets_are_seen_at_the_next_look(scene, own_runs):
    made = write_run(own_runs / "one", steps=3)
    app = scene(train="follow")
    note(own_runs / "one", json.dumps({"step": 9, "loss": 0.1, "images_per_second": 5, "loss_by_sigma": {}}) + "\n")
    made.state.step = 9
    save(own_runs / "one", made)
    assert t("runs.followed.step", step=9) in shown(app.run()) and header(app)["T"] == 2


@pytest.mark.slow
def test_a_model_is_taken_and_again_when_there_is_a_newer_one(scene, own_runs):
    made = write_run(own_runs / "one", steps=3)
    first, second = (press(scene(train="follow"), "_take") for _ in range(2))
    assert models(first) == {"run:one": 3} and t("runs.followed.taken", step=3) in small_print(first)
    same = [app.session_state["_image_models"]["run:one"] for app in (first, second)]
    assert same[0] is same[1], "two who take the same model share it"
    made.state.step = 9
    save(own_runs / "one", made)
    assert models(press(first.run(), "_take")) == {"run:one": 9}


@pytest.mark.parametrize("damage", ['{"step": 4, "lo', "nonsense\n", "\x00\n"], ids=["half a line", "text", "zeros"])
def test_a_damaged_log_shows_what_is_whole(scene, own_runs, damage):
    write_run(own_runs / "one", steps=3)
    note(own_runs / "one", damage)
    app = scene(train="follow")
    assert t("runs.followed.step_of", step=3, steps=6) in shown(app) and not app.exception
    assert (t("runs.followed.damaged", count=1, lines=4) in shown(app)) == damage.endswith("\n")


def test_a_log_without_one_whole_line_is_a_sentence(scene, own_runs):
    (own_runs / "one").mkdir(parents=True)
    note(own_runs / "one", "nonsense\n")
    app = scene(train="follow")
    assert t("runs.followed.nothing_readable") in shown(app) and not app.exception


@pytest.mark.slow
def test_a_vanished_run_leaves_what_was_seen_and_its_model(scene, own_runs):
    write_run(own_runs / "one", steps=3)
    app = press(scene(train="follow"), "_take")
    shutil.rmtree(own_runs / "one")
    app.run()
    assert len(app.error) == 1 and t("runs.followed.step_of", step=3, steps=6) in shown(app) and not app.exception
    assert models(app) == {"run:one": 3}
    assert any(part.proto.component_name.startswith("stage_player") for part in app.get("bidi_component"))


def test_a_damaged_checkpoint_is_refused_and_the_one_before_stays(scene, own_runs):
    made = write_run(own_runs / "one", steps=3)
    app = press(scene(train="follow"), "_take")
    made.state.step = 9
    save(own_runs / "one", made)
    weights = own_runs / "one" / "checkpoint" / "ema.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    app = press(app.run(), "_take")
    assert len(app.error) == 1 and not app.exception and models(app) == {"run:one": 3}


def test_a_damaged_sheet_gives_way_to_the_one_before(scene, own_runs):
    write_run(own_runs / "one", steps=3)
    (own_runs / "one" / "samples-000004.png").write_bytes(b"\x89PNG half")
    app = scene(train="follow")
    assert header(app)["T"] == 1 and t("runs.followed.samples") in panels(app)


@pytest.mark.slow
def test_sheets_are_never_more_than_the_room_for_them_and_the_newest_is_always_there(own_runs):
    own_runs.mkdir()
    for step, size in enumerate([(900, 900), (1, 2_000_000), (3000, 2000)]):
        Image.new("RGB", size).save(own_runs / f"samples-{step}.png")
        found = followed.newest_sheets(own_runs)
        assert list(found) == [step] and 0 < found[step].numel() <= followed.ROOM
        assert found[step].untyped_storage().nbytes() <= followed.ROOM


@pytest.mark.parametrize("name", ["../secret", "/etc", "..", ""])
def test_an_address_cannot_name_a_folder_elsewhere(scene, own_runs, name):
    write_run(own_runs / "one", steps=2)
    write_run(own_runs.parent / "secret", steps=1)
    app = scene(train="follow", follow=name)
    assert app.selectbox(key="follow").value == "one" and app.selectbox(key="follow").options == ["one"]


def test_the_scene_of_a_run_follows_from_its_address(own_runs):
    write_run(own_runs / "one", steps=3)
    scene = image_training.scene(Config(show="train", train="follow", follow="one"))
    assert scene.panels[0].title == t("runs.followed.samples")
    for train, kind in (("people", "people"), ("live", "digits")):
        panels = image_training.scene(Config(show="train", train=train)).panels
        assert panels[0].title == t(f"image_models.live.{kind}.panel") and panels[1].title == t("runs.loss.title")


def test_a_visitor_goes_from_the_memorised_people_to_the_training_of_people(open_page):
    app = open_page("image_models", show="memorised_or_learned", predictions="false")
    group(app, "show").set_value("train").run()
    assert not app.error and any(part.key == "train" for part in app.get("button_group"))
