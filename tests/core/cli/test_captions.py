"""The command line of captioned pictures, from end to end on a tiny folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.__main__ import main
from core.cli import captions as cli_captions
from core.runs.checkpoints import load_folder
from tests.core.cli.test_images import config, metrics, same, torchrun, weights

CLIP = ["--width", "8", "--size", "8", "--batch", "12", "--steps", "3", "--warmup", "1"]
HALF = ["--batch", "8", "--steps", "2", "--warmup", "1"]


def data(folder: Path) -> list[str]:
    return ["--data", str(folder), "--side", "8"]


@pytest.fixture(scope="module")
def runs(folder, tmp_path_factory) -> Path:
    """A CLIP, a judge, a prior and a decoder, hardly trained."""
    out = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("clip", "judge")):
        main(["train", "clip", "--out", str(out / name), *CLIP, "--seed", str(seed), *data(folder)])
    for half in ("prior", "decoder"):
        size = ["--size", "tiny"] if half == "decoder" else []
        main(["train", half, "--out", str(out / half), "--encoders", str(out / "clip"), *HALF, *size, *data(folder)])
    return out


def few(folder: Path, to: Path) -> Path:
    """Three of the pictures of a folder: training needs the words of each, so that none can be held out."""
    to.mkdir(exist_ok=True)
    rows = (folder / "captions.csv").read_text().splitlines()[:4]
    (to / "captions.csv").write_text("\n".join(rows))
    for row in rows[1:]:
        shutil.copy(folder / row.partition(",")[0], to)
    return to


def of(runs: Path, *names: str) -> list[str]:
    folders = {"encoders": "clip"}
    return [text for name in names for text in (f"--{name}", str(runs / folders.get(name, name)))]


@pytest.mark.slow
def test_each_run_leaves_a_checkpoint_and_its_metrics(runs):
    for name, steps in {"clip": 3, "prior": 2, "decoder": 2}.items():
        assert config(runs / name)["step"] == steps == metrics(runs / name)[-1]["step"]
        assert name in config(runs / name)
    assert (runs / "decoder" / "samples-000002.png").exists()


@pytest.mark.slow
def test_a_caption_becomes_pictures_and_unknown_words_are_named(runs, tmp_path, capsys):
    asked = ["--caption", "shade1 top zebra", "--negative", "left", "--n", "3", "--steps", "2"]
    main(["sample", "unclip", *asked, "--out", str(tmp_path / "a"), *of(runs, "encoders", "prior", "decoder")])
    assert "'zebra': left out" in capsys.readouterr().out
    assert np.load(tmp_path / "a.npz")["images"].shape == (3, 3, 8, 8) and (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_a_decoder_is_trained_on_pictures_of_which_none_is_held_out(runs, folder, tmp_path, capsys):
    begin = ["train", "decoder", "--out", str(tmp_path), "--encoders", str(runs / "clip")]
    main([*begin, *HALF, "--size", "tiny", *data(few(folder, tmp_path / "few"))])
    assert "No picture of few is held out" in capsys.readouterr().out
    main([*begin, "--resume", "--steps", "3"])
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == ["samples-000002", "samples-000003"]


@pytest.mark.slow
def test_one_table_compares_towers_with_the_baseline_and_pictures_with_real_ones(runs, folder, capsys, monkeypatch):
    monkeypatch.setattr(cli_captions, "AMONG", 4)
    main(["evaluate", "unclip", *of(runs, "encoders", "prior", "decoder", "judge"), "--steps", "2", *data(folder)])
    said = capsys.readouterr().out
    for row in ("| CLIP |", "| judge |", "| linear (CCA", "| real |", "| generated |", "| generated, prior skipped |"):
        assert row in said
    assert "seeds: CLIP 0, judge 1, samples 0" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "code", "values"),
    [
        (["evaluate", "unclip", "--judge", "clip"], "judge_is_judged", {}),
        (["train", "clip", "--out", "new", "--data", "people", "--n", "2"], "clip_pairs", {"pairs": 1}),
        (
            ["train", "clip", "--out", "new", "--data", "people", "--n", "9", "--batch", "2", "--shift", "-1"],
            "train_setting",
            {"name": "shift", "value": "-1"},
        ),
        (["train", "decoder", "--out", "new", "--blur", "-1"], "train_setting", {"name": "blur"}),
        (
            ["train", "clip", "--out", "new", "--data", "people", "--n", "9", "--batch", "2", "--steps", "0"],
            "train_setting",
            {"name": "steps", "value": "0"},
        ),
        (["train", "prior", "--out", "new", "--encoders", "fashion"], "checkpoint_no_part", {"part": "clip"}),
        (["evaluate", "unclip", "--judge", "prior"], "checkpoint_no_part", {"part": "clip"}),
        (["evaluate", "unclip", "--judge", "judge", "--data", "few"], "captions_none_to_judge", {"pairs": 3}),
        (["evaluate", "unclip", "--judge", "judge", "--side", "16"], "clip_other_images", {}),
        (["sample", "unclip", "--caption", "zebra", "--out", "x"], "caption_unknown_words", {"caption": "zebra"}),
        (["sample", "unclip", "--caption", "top", "--out", "x", "--n", "0"], "flag_samples", {"value": 0}),
        (
            ["sample", "unclip", "--caption", "top", "--out", "x", "--prior", "decoder"],
            "checkpoint_no_part",
            {"part": "prior"},
        ),
    ],
)
def test_what_cannot_be_asked_ends_as_a_sentence(runs, folder, asked, code, values, ends, monkeypatch):
    monkeypatch.chdir(runs)
    parts = () if asked[0] == "train" else ("encoders", "prior", "decoder")
    more = of(runs, *[name for name in parts if f"--{name}" not in asked])
    few(folder, runs / "few")
    given = data(folder)
    with ends(code, **values):
        main([*asked[:2], *(given if asked[0] == "evaluate" else []), *asked[2:], *more])


@pytest.mark.slow
def test_a_decoder_goes_on_where_it_was_only_with_its_own_clip(runs, folder, tmp_path, ends):
    out, begin = tmp_path / "decoder", ["train", "decoder", "--out", str(tmp_path / "decoder")]
    more = [*HALF, "--size", "tiny", *data(folder)]
    main([*begin, "--encoders", str(runs / "clip"), *more])
    main([*begin, "--encoders", str(runs / "clip"), *more, "--resume", "--steps", "3"])
    assert config(out)["step"] == 3
    with ends("run_other_kind", folder=str(out)):
        main(["train", "clip", "--resume", "--out", str(out)])
    with ends("run_other_network"):
        main([*begin, "--encoders", str(runs / "clip"), *HALF, "--size", "small", *data(folder), "--resume"])
    with ends("run_other_clip"):
        main([*begin, "--encoders", str(runs / "judge"), *more, "--resume", "--steps", "4"])


@pytest.mark.slow
@pytest.mark.parametrize("part", ["clip", "prior", "decoder"])
def test_a_resumed_run_has_its_own_data_and_settings_but_for_what_flags_say(runs, tmp_path, part):
    shutil.copytree(runs / part, tmp_path / part)
    before = config(tmp_path / part)
    before["data"]["source"]["start"] = "emoji"  # what the run was begun with belongs to it for ever
    (tmp_path / part / "checkpoint" / "config.json").write_text(json.dumps(before))
    more = ["--steps", "5", "--weight-decay", "0.7"] if part == "clip" else ["--steps", "5", "--lr", "1e-6"]
    main(["train", part, "--out", str(tmp_path / part), "--resume", *more])
    after = config(tmp_path / part)
    changed = {"steps": 5, **({"weight_decay": 0.7} if part == "clip" else {"lr": 1e-6})}
    assert after["step"] == 5 and after[part] == {**before[part], **changed} and after["data"] == before["data"]
    group = load_folder(tmp_path / part / "checkpoint").state.optimizer.param_groups[0]
    assert group["weight_decay"] == after["train"]["weight_decay"] == (0.7 if part == "clip" else 0.0)


@pytest.mark.slow
def test_shipped_parts_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["sample", "unclip", "--caption", "cat", "--n", "1", "--steps", "1", "--out", "cat"])
    assert np.load("cat.npz")["images"].shape == (1, 3, 32, 32)


@pytest.mark.slow
def test_two_processes_train_towers_as_one_does(runs, folder, tmp_path):
    torchrun("train", "clip", "--out", str(tmp_path), *CLIP, *data(folder))
    assert same(weights(tmp_path), weights(runs / "clip"), tolerance=1e-4)
