"""The scene of chapter 8 that trains: digits live, the command for more, a run in a folder, good and damaged."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.data.images import digits as real_digits
from core.models import images as image_model
from core.models import live_digits
from core.models.images import ImageConfig
from core.networks import SIZES
from core.runs import checkpoints
from pages.ui.lessons import image_training
from pages.ui.runs import followed, training_run
from tests.reading import group, header, panels
from tests.runs import PLAN, note, save, write_run

SCENE = """
import streamlit as st
from pages.ui.lessons import image_training as image_runs; from pages.ui.frame import shell_old as shell

shell.require_shell()
shell.chapter(8, "Image models", "One scene of it.")
read = image_runs.show(*shell.picture())
st.session_state["_read"] = read
st.session_state["_models"] = {name: open_().state.step for name, open_ in image_runs.models().items()}
shell.finish()
"""


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch) -> Path:
    """A folder of runs and a registry of this test's own."""
    monkeypatch.setattr(image_training, "FOLDER", tmp_path / "runs")
    followed._logs.clear()
    training_run.jobs.clear()
    yield tmp_path / "runs"
    training_run.jobs().close()
    training_run.jobs.clear()


@pytest.fixture
def scene(open_page, tmp_path):
    page = tmp_path / "image_models.py"
    page.write_text(SCENE)
    return lambda **address: open_page(page, **address)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label.startswith(label)).click()
    return app.run()


def text(app: AppTest) -> str:
    return "\n".join(part.value for kind in (app.markdown, app.caption, app.error, app.info) for part in kind)


# Live


MODELS = SCENE.replace("read = image_runs.show(*shell.picture())", "read = False")


def test_after_a_reload_the_run_in_the_address_is_one_s_own_model_again_in_every_scene(scene, open_page, tmp_path):
    app = press(scene(net="MLP", seed="7"), "Step")
    run = app.session_state["_runs"].popitem()[1]
    elsewhere = tmp_path / "elsewhere" / "image_models.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(MODELS)
    again = open_page(elsewhere, run=run)
    assert not again.exception and again.session_state["_models"] == {image_training.OWN: 1}


def test_an_untrained_network_is_seen_at_once_and_every_control_can_be_moved(scene):
    app = scene()
    assert "An untrained network" in text(app) and [*panels(app)] == ["The digits 0 to 9, twice, w = 2", "Loss"]
    for name in live_digits.CONFIGS:
        group(app, "net").set_value(name).run()
        assert header(app)["T"] == 11
    for key in ("lr", "seed"):
        app.number_input(key=key).increment().run()
        assert not app.exception and not app.error


def test_training_shows_other_samples_from_the_same_noise_and_its_loss(scene):
    app = press(scene(net="MLP"), "Step")
    assert "**Paused** · step 1 ·" in text(app) and not app.session_state["_read"]
    (run,) = app.session_state["_runs"].values()
    training_run.jobs().step(run, app.session_state["_viewer"], 250)
    app.run()
    assert "step 251" in text(app) and app.session_state["_read"] is True
    assert panels(app)["The digits 0 to 9, twice, w = 2"]["caption"].startswith(("18", "19", "20"))
    assert "exact 0.0" in panels(app)["Loss"]["caption"]


def test_the_run_is_a_model_for_the_other_scenes_until_it_is_left(scene):
    app = press(scene(net="MLP"), "Step")
    assert app.session_state["_models"][image_training.OWN] == 1
    assert image_training.OWN not in press(app, "Reset").session_state["_models"]


def test_two_learners_with_equal_settings_share_a_run(scene):
    first, second = press(scene(net="MLP", seed="7"), "Train"), press(scene(net="MLP", seed="7"), "Train")
    assert first.session_state["_runs"] == second.session_state["_runs"]


def test_a_saved_run_comes_back_with_its_network_and_its_steps_and_is_a_model_of_the_other_scenes(scene):
    plan = live_digits.CONFIGS["MLP"]
    made = image_model.new_checkpoint(plan, live_digits.images())
    for state in image_model.run(plan, live_digits.images(), made.state):
        if state.step == 3:
            break
    app = scene()
    app.file_uploader(key="_load").set_value(("m.zip", checkpoints.to_bytes(made), "application/zip"))
    app.run()
    assert not app.error and "A model from a file**, 3 steps" in text(app)
    assert group(app, "net").value == "MLP" and app.session_state["_models"]["file: digits"] == 3
    assert "step 4" in text(press(app, "Step"))


def test_a_model_that_cannot_be_trained_here_is_still_one_for_the_other_scenes(scene):
    other = image_model.new_checkpoint(ImageConfig(network="plain"), real_digits())
    app = scene()
    app.file_uploader(key="_load").set_value(("m.zip", checkpoints.to_bytes(other), "application/zip"))
    app.run()
    assert "among the models of the other scenes" in app.error[0].value and "untrained" in text(app)
    assert "file: digits" in app.session_state["_models"]


@pytest.mark.parametrize("content", [b"hello", b"\x80\x02."], ids=["no zip", "a pickle"])
def test_a_bad_file_is_a_sentence_and_changes_nothing(scene, content):
    app = press(scene(net="MLP"), "Step")
    app.file_uploader(key="_load").set_value(("m.zip", content, "application/zip"))
    app.run()
    assert len(app.error) == 1 and "step 1" in text(app) and not app.exception


def test_of_many_models_from_files_the_newest_few_are_held(scene):
    made = image_model.new_checkpoint(live_digits.CONFIGS["MLP"], live_digits.images())
    app = scene()
    for k in range(image_training.HELD + 2):
        other = replace(made, config={**made.config, "data": {**made.config["data"], "name": f"set {k}"}})
        app.file_uploader(key="_load").set_value((f"{k}.zip", checkpoints.to_bytes(other), "application/zip"))
        app.run()
    assert list(app.session_state["_image_models"]) == [f"file: set {k}" for k in range(2, image_training.HELD + 2)]


# The command


def test_the_command_says_what_the_controls_say(scene):
    app = scene(train="Bigger")
    app.selectbox(key="processes").set_value(4)
    app.selectbox(key="bignet").set_value("dit")
    app.selectbox(key="size").set_value("large")
    app.number_input(key="bigsteps").set_value(5000).run()
    first, second = app.code[0].value.split(" \\\n  ")
    assert first.startswith("torchrun --nproc-per-node 4 -m core train --out ")
    assert second == ("--data fashion --network dit --size large --steps 5000 --batch 128 --bf16")
    assert [code.value.split(" --out")[0] for code in app.code][1].endswith("-m core train")


@pytest.mark.parametrize("name", ["../../etc", "a; rm -rf ~", "$(id)", "..", "-x", "名"])
def test_a_name_stays_one_word_inside_the_folder_of_runs(scene, own_runs, name):
    app = scene(train="Bigger")
    app.text_input(key="name").set_value(name).run()
    out = app.code[0].value.split(" --out ")[1].split(" ")[0]
    assert Path(out).parent == own_runs and Path(out).name not in ("", ".", "..")
    assert not set(out) & set(";$()~")


def test_the_printed_command_is_one_that_the_command_line_takes(scene, own_runs):
    import tyro

    from core.__main__ import train

    app = scene(train="Bigger")
    words = app.code[0].value.split(" -m core train ")[1].replace("\\\n", "").split()
    seen = {}

    def taken(out: Path, plan: ImageConfig = PLAN, data: str = "digits") -> None:
        seen.update(out=out, plan=plan, data=data)

    taken.__annotations__ = {name: train.__annotations__[name] for name in ("out", "plan", "data")}
    tyro.cli(taken, args=words)
    assert seen["out"] == own_runs / "fashion-unet" and seen["plan"].steps == 10_000 and seen["data"] == "fashion"


# A run followed


def test_without_a_run_the_page_says_so_and_shows_the_first_one_that_begins(scene, own_runs):
    app = scene(train=image_training.FOLLOWED)
    assert "No run in the folder" in text(app)
    write_run(own_runs / "first", steps=2)
    app.run()
    assert "step 2 of 6" in text(app) and "No run" not in text(app)


def test_a_run_shows_its_samples_its_loss_and_the_time_left(scene, own_runs):
    write_run(own_runs / "one", steps=3)
    app = scene(train=image_training.FOLLOWED, follow="one")
    assert "**Training** · step 3 of 6 · 50 images/s · 0:00:01 left" in text(app)
    assert [*panels(app)] == ["Its samples", "Loss"] and header(app)["T"] == 1
    group(app, "curve").set_value("by_noise_level").run()
    assert [*panels(app)] == ["Its samples", "Loss by noise level"]


def test_new_lines_and_new_sheets_are_seen_at_the_next_look(scene, own_runs):
    made = write_run(own_runs / "one", steps=3)
    app = scene(train=image_training.FOLLOWED)
    note(own_runs / "one", json.dumps({"step": 9, "loss": 0.1, "images_per_second": 5, "loss_by_sigma": {}}) + "\n")
    made.state.step = 9
    save(own_runs / "one", made)
    assert "step 9" in text(app.run()) and header(app)["T"] == 2


def test_a_model_is_taken_and_again_when_there_is_a_newer_one(scene, own_runs):
    made = write_run(own_runs / "one", steps=3)
    app = press(scene(train=image_training.FOLLOWED), "Use its model, step 3")
    assert app.session_state["_models"]["run: one"] == 3
    assert "Step 3 is among the models" in text(app)
    made.state.step = 9
    save(own_runs / "one", made)
    app = press(app.run(), "Use its newer model, step 9")
    assert app.session_state["_models"]["run: one"] == 9


def test_two_learners_who_take_the_same_model_share_it(scene, own_runs):
    write_run(own_runs / "one", steps=3)
    apps = [press(scene(train=image_training.FOLLOWED), "Use its model") for _ in range(2)]
    first, second = (app.session_state["_image_models"]["run: one"] for app in apps)
    assert first is second


@pytest.mark.parametrize("damage", ['{"step": 4, "lo', "nonsense\n", "\x00\n"], ids=["half a line", "text", "zeros"])
def test_a_damaged_log_shows_what_is_whole(scene, own_runs, damage):
    write_run(own_runs / "one", steps=3)
    note(own_runs / "one", damage)
    app = scene(train=image_training.FOLLOWED)
    assert "step 3 of 6" in text(app) and not app.exception
    assert ("1 line of its log cannot be read" in text(app)) == damage.endswith("\n")


def test_a_log_without_one_whole_line_is_a_sentence(scene, own_runs):
    (own_runs / "one").mkdir(parents=True)
    note(own_runs / "one", "nonsense\n")
    app = scene(train=image_training.FOLLOWED)
    assert "**Not one line**" in text(app) and not app.exception


def test_a_vanished_run_leaves_what_was_seen_and_its_model(scene, own_runs):
    write_run(own_runs / "one", steps=3)
    app = press(scene(train=image_training.FOLLOWED), "Use its model")
    shutil.rmtree(own_runs / "one")
    app.run()
    assert "removed" in app.error[0].value and "step 3 of 6" in text(app) and not app.exception
    assert app.session_state["_models"]["run: one"] == 3
    assert any(part.proto.component_name.startswith("stage_player") for part in app.get("bidi_component"))


def test_a_damaged_checkpoint_is_refused_with_a_sentence_and_the_one_before_stays(scene, own_runs):
    made = write_run(own_runs / "one", steps=3)
    app = press(scene(train=image_training.FOLLOWED), "Use its model")
    made.state.step = 9
    save(own_runs / "one", made)
    weights = own_runs / "one" / "checkpoint" / "ema.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    app = press(app.run(), "Use its newer model")
    assert "cut short or damaged" in text(app) and not app.exception
    assert app.session_state["_models"]["run: one"] == 3


def test_a_damaged_sheet_gives_way_to_the_one_before(scene, own_runs):
    write_run(own_runs / "one", steps=3)
    (own_runs / "one" / "samples-000004.png").write_bytes(b"\x89PNG half")
    app = scene(train=image_training.FOLLOWED)
    assert header(app)["T"] == 1 and "Its samples" in panels(app)


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
    app = scene(train=image_training.FOLLOWED, follow=name)
    assert app.selectbox(key="follow").value == "one" and app.selectbox(key="follow").options == ["one"]
    assert "step 2 of 6" in text(app)


def test_only_sizes_that_divide_the_images_are_offered():
    assert image_training._sizes("unet", "fashion") == ["tiny", "small", "large"]
    assert image_training._sizes("unet", "emoji") == image_training._sizes("unet", "FOLDER") == [*SIZES["unet"]]
    assert image_training._sizes("dit", "digits") == [*SIZES["dit"]]
