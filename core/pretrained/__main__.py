"""``python -m core.pretrained [NAME ...]``: train the shipped models again (without a name: all), with their logs."""

import json
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import torch

from core.cli import captions as cli_captions
from core.cli import images as command
from core.cli import latent as cli_latent
from core.cli import terminal
from core.cli import video as cli_video
from core.data import captions
from core.data import points as data
from core.data.points import at_unit_rms
from core.models import clip_words, digit_judge, people_judge, video_judge
from core.models import flows as flow_model
from core.models import points as point_model
from core.models.video_text import TextConfig
from core.pretrained import (
    AUTOENCODER_CONFIGS,
    CAPTION_CONFIGS,
    CAPTION_SOURCES,
    FLOW_CONFIGS,
    FOLDER,
    HALF,
    IMAGE_CONFIGS,
    JUDGE_CONFIGS,
    LATENT_CONFIGS,
    PEOPLE_CONFIGS,
    POINT_CONFIGS,
    VIDEO_CONFIGS,
    WORDS_CONFIGS,
    N,
    points_of,
)
from core.runs.checkpoints import load_folder, save_folder

TRAIN = {"clip": cli_captions.train_clip, "judge": cli_captions.train_clip, "prior": cli_captions.train_prior,
         "decoder": partial(cli_captions.train_decoder, bf16=True)}  # fmt: skip
WORDS = "-words"  # after the name of a CLIP: let it learn the words of a second language


def make_images(name: str) -> None:
    """Train a shipped image model as ``python -m core train`` does, in ``.runs/NAME``, or resume that run."""
    data, config = IMAGE_CONFIGS[name]
    run = Path(".runs") / name
    command.train(run, config, data, resume=(run / "checkpoint").exists(), every=500, bf16=config.size == "patched")
    ship(name)


def make_people(name: str) -> None:
    """Train a shipped model of so many people as ``python -m core train --data people --n N`` does."""
    n, config = PEOPLE_CONFIGS[name]
    run = Path(".runs") / name
    command.train(run, config, "people", n, resume=(run / "checkpoint").exists(), every=250, bf16=True)
    ship(name)
    shutil.copy(run / "losses.jsonl", FOLDER / name)


def make_captioned(name: str) -> None:
    """Train a shipped model of captioned images as ``python -m core train clip | prior | decoder`` does."""
    run = Path(".runs") / name
    train = TRAIN[name.removeprefix("people-")]
    resume = (run / "checkpoint").exists()
    train(run, config=CAPTION_CONFIGS[name], resume=resume, every=500, **CAPTION_SOURCES.get(name, {}))
    ship(name)


def add_words(name: str) -> None:
    """Let the text encoder of a shipped CLIP of emoji learn their Chinese names; log the loss in ``words.jsonl``."""
    clip = name.removesuffix(WORDS)
    folder, config, translation = FOLDER / clip, WORDS_CONFIGS[clip], captions.emoji_in_chinese()
    checkpoint = load_folder(folder)
    if checkpoint.state.ema.added:
        raise SystemExit(f"{clip} has learned these words already; train it again first.")
    whole, log = (folder / "log.jsonl").read_bytes(), []
    for state in clip_words.run(config, checkpoint, captions.emoji(), translation):
        if state.step % 100 == 0:
            log.append(json.dumps({"step": state.step, "of": config.steps, "loss": round(state.loss, 4)}))
            print(name, log[-1], flush=True)
    save_folder(clip_words.with_words(checkpoint, config, state, translation), folder, parts=("ema",))
    (folder / "log.jsonl").write_bytes(whole)
    (folder / "words.jsonl").write_text("\n".join(log) + "\n", "utf-8")


def make_judge(name: str) -> None:
    """Train a network that judges pictures or clips."""
    run, config = Path(".runs") / name, {**JUDGE_CONFIGS, **VIDEO_CONFIGS}[name]
    judge = {"people-judge": people_judge, "digits-judge": digit_judge}.get(name, video_judge)
    terminal.train_judge(judge.new_checkpoint, judge.run, run, config, resume=(run / "checkpoint").exists(), every=500)
    ship(name)


def make_autoencoder(name: str) -> None:
    """Train a shipped autoencoder as ``python -m core train autoencoder`` does."""
    data, config = AUTOENCODER_CONFIGS[name]
    run = Path(".runs") / name
    resume = (run / "checkpoint").exists()
    cli_latent.train_autoencoder(run, config, data, resume=resume, every=500, bf16=data == "people")
    ship(name)


def make_latent(name: str) -> None:
    """Train a shipped diffusion model of latents as ``python -m core train latent`` does."""
    autoencoder, config = LATENT_CONFIGS[name]
    run = Path(".runs") / name
    resume = (run / "checkpoint").exists()
    cli_latent.train_latent(run, FOLDER / autoencoder, config, resume=resume, every=1000)
    ship(name)


def make_video(name: str) -> None:
    """Train the video model or its text encoder as ``python -m core train text | video`` does."""
    run, config = Path(".runs") / name, VIDEO_CONFIGS[name]
    resume = (run / "checkpoint").exists()
    if isinstance(config, TextConfig):
        cli_video.train_text(run, config=config, resume=resume)
    else:
        cli_video.train_video(run, config=config, resume=resume, every=250, bf16=True)
    ship(name)


def ship(name: str) -> None:
    """Copy the moving average of a finished run in ``.runs``, its metrics as ``log.jsonl`` and its last sheet, if any.
    A run that is stopped before its end ends the program, so that the shipped model stays as it is."""
    run = Path(".runs") / name
    made = load_folder(run / "checkpoint")
    save_folder(made, FOLDER / name, parts=("ema",), half=name in HALF)
    shutil.copy(run / "metrics.jsonl", FOLDER / name / "log.jsonl")
    for sheet in sorted(run.glob("samples-*.png"))[-1:]:
        shutil.copy(sheet, FOLDER / name / "samples.png")


def make_points(name: str) -> None:
    """Train a shipped model of points; write its complete checkpoint and ``log.csv`` with step, seconds, loss, loss
    of the exact denoiser, and energy distance."""
    config = POINT_CONFIGS[name][1]
    points = points_of(name)
    bayes_loss = point_model.bayes_loss(config, points)
    begun = time.perf_counter()
    rows = ["step,seconds,loss,exact_loss,energy_distance"]
    for progress in point_model.run(config, points):
        state = progress.state
        if state.step % 1000 == 0 or state.step == config.steps:
            distance = point_model.energy_distance(state.ema, config, points)
            seconds = time.perf_counter() - begun
            rows.append(f"{state.step},{seconds:.1f},{progress.losses[-1]:.5f},{bayes_loss:.5f},{distance:.6f}")
            print(name, rows[-1], flush=True)
    progress.bayes_loss = bayes_loss
    save_folder(point_model.checkpoint_of(progress, config, points), FOLDER / name)
    (FOLDER / name / "log.csv").write_text("\n".join(rows) + "\n", "utf-8")


def make_flow(name: str) -> None:
    """Train a shipped flow model; write the moving average of its weights, and ``log.csv`` with step, seconds and
    loss."""
    source, target, config = FLOW_CONFIGS[name]
    source, points = (each and at_unit_rms(data.make_points(each, N)) for each in (source, target))
    begun = time.process_time()
    rows = ["step,seconds,loss"]
    for progress in flow_model.run(config, points, source=source):
        if progress.state.step % 1000 == 0 or progress.state.step == config.steps:
            seconds = time.process_time() - begun
            rows.append(f"{progress.state.step},{seconds:.1f},{progress.losses[-1]:.5f}")
            print(name, rows[-1], flush=True)
    save_folder(flow_model.checkpoint_of(progress, config, points, source), FOLDER / name, parts=("ema",))
    (FOLDER / name / "log.csv").write_text("\n".join(rows) + "\n", "utf-8")


MAKE = {
    **dict.fromkeys(POINT_CONFIGS, make_points),
    **dict.fromkeys(FLOW_CONFIGS, make_flow),
    **dict.fromkeys(IMAGE_CONFIGS, make_images),
    **dict.fromkeys(PEOPLE_CONFIGS, make_people),
    **dict.fromkeys(CAPTION_CONFIGS, make_captioned),
    **{name + WORDS: add_words for name in WORDS_CONFIGS},
    **dict.fromkeys(JUDGE_CONFIGS, make_judge),
    **dict.fromkeys(AUTOENCODER_CONFIGS, make_autoencoder),
    **dict.fromkeys(LATENT_CONFIGS, make_latent),
    **{name: make_judge if name.endswith("judge") else make_video for name in VIDEO_CONFIGS},
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or MAKE:
        MAKE[wanted](wanted)
