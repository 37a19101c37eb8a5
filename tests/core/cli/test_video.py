"""``python -m core train text | video``, ``sample video`` and ``evaluate video``: files, tables, and sentences for bad
input."""

import json

import pytest
import torch

from core.__main__ import main
from core.data.video import SHAPE
from core.models import video as video_model
from core.models import video_text
from core.models.model import SHIPPED, open_checkpoint
from core.models.video import VideoConfig
from core.models.video_text import TextConfig
from core.runs.checkpoints import load_folder, save_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small untrained video model, and a text encoder that does not fit it."""
    folder = tmp_path_factory.mktemp("video")
    text = open_checkpoint(SHIPPED / "video-text")
    save_folder(video_model.new_checkpoint(VideoConfig(width=8), text), folder / "model", parts=("ema",))
    save_folder(video_text.new_checkpoint(TextConfig(width=8)), folder / "text", parts=("ema",))
    return folder


def sample(model, *arguments: str) -> None:
    main(["sample", "video", "--checkpoint", str(model / "model"), "--steps", "2", *arguments])


def test_a_clip_is_written_as_a_film(model, tmp_path, capsys):
    out = tmp_path / "new" / "clip.mp4"
    sample(model, "--caption", "a person with wings, jumping", "--negative", "blurred", "--scale", "2", "--n", "2",
           "--out", str(out))  # fmt: skip
    assert out.read_bytes()[4:8] == b"ftyp"
    printed = capsys.readouterr().out
    assert "wings" in printed and str(out) in printed


@pytest.mark.parametrize(
    ("arguments", "code", "values"),
    [
        (["--caption", ""], "people_caption_empty", {}),
        (["--caption", "walking left, jumping"], "video_motions", {"first": "walking left", "second": "jumping"}),
        (["--caption", "jumping", "--negative", "Jumping", "--scale", "2"], "video_same_negative", {}),
        (["--caption", "jumping", "--frames", "16"], "video_frames", {"frames": 16, "made": 8}),
        (["--caption", "jumping", "--out", "clip.gif"], "video_out", {"out": "clip.gif"}),
        (["--caption", "jumping", "--out", "/proc/none/clip.mp4"], OSError, {}),
        (["--caption", "jumping", "--scale", "nan"], "flag_number", {"flag": "scale"}),
        (["--caption", "jumping", "--text", "other"], "video_other_text", {}),
        (["--caption", "jumping", "--text", "people"], "checkpoint_no_part", {"part": "text"}),
        (["--caption", "jumping", "--checkpoint", "people"], "checkpoint_no_part", {"part": "video"}),
    ],
)
def test_what_cannot_be_drawn_ends_as_a_sentence(model, tmp_path, ends, arguments, code, values):
    arguments = [str(model / "text") if word == "other" else word for word in arguments]
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "clip.mp4")]
    with ends(code, **values):
        sample(model, *arguments, *out)


@pytest.mark.slow
def test_a_run_of_both_parts_is_kept_and_goes_on(tmp_path, capsys):
    text, run = tmp_path / "text", tmp_path / "run"
    main(["train", "text", "--out", str(text), *"--width 8 --batch 8 --steps 2".split()])
    small = "--image None --width 8 --batch 4 --accumulate 2".split()
    main(["train", "video", "--out", str(run), "--text", str(text), *small, "--steps", "1"])
    main(["train", "video", "--out", str(run), "--resume", "--steps", "2"])
    made = load_folder(run / "checkpoint")
    assert made.state.step == 2 and made.config["video"]["accumulate"] == 2
    assert [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()] == [1, 2]
    assert (run / "samples-000002.png").exists() and made.config["data"]["shape"] == list(SHAPE)


@pytest.mark.slow
def test_evaluate_prints_a_table_with_real_clips_first(model, capsys):
    main(["evaluate", "video", "--checkpoint", str(model / "model"), *"--n 16 --steps 1 --negative-scale 2".split()])
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 9 and {len(row) for row in rows} == {6}
    real, plain = ([float(cell.strip().rstrip("%")) for cell in rows[k][1:5]] for k in (2, 3))
    assert min(real[:3]) > 90 and max(plain[:1]) < 60


def test_no_run_touches_the_global_random_state(model, tmp_path):
    before = torch.random.get_rng_state()
    sample(model, "--caption", "jumping", "--out", str(tmp_path / "a.mp4"))
    assert torch.equal(before, torch.random.get_rng_state())
