"""The commands of video: ``python -m core train text | video``, ``sample video``, ``evaluate video``; and the training
of the judges of clips (``python -m core.pretrained video-judge``)."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from core.cli import terminal
from core.cli.flags import Training
from core.cli.images import check_positive
from core.models import images as image_model
from core.models import video as video_model
from core.models import video_judge, video_text
from core.models.model import SHIPPED, open_checkpoint
from core.models.video import VideoConfig
from core.models.video_judge import JudgeConfig
from core.models.video_text import TextConfig, text_encoder
from core.runs import distributed
from core.runs.checkpoints import Checkpoint, load_folder

FLAT = tyro.conf.OmitArgPrefixes
TEXT, IMAGE = SHIPPED / "video-text", SHIPPED / "people"
CONFIG, TEXT_CONFIG = VideoConfig(), TextConfig()


def train_text(
    out: Path,
    config: Annotated[TextConfig, FLAT] = TEXT_CONFIG,
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 400,
) -> None:
    """Train the text encoder of the video model: what captions of clips name, in English and in Chinese.

    Args:
        out: the run's folder, for its checkpoint and metrics.jsonl.
        config: how to train.
        config_file: a JSON file of these flags; flags given beside it win.
        resume: go on from OUT's checkpoint, with its settings; flags given beside it win.
        every: steps between two checkpoints. Ctrl-C leaves one, too.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        checkpoint = load_folder(folder) if resume else video_text.new_checkpoint(config)
        team = distributed.join()
        terminal.carry_out(lambda _: video_text.run(config, checkpoint), checkpoint, config, team, out, every)


def train_video(
    out: Path,
    text: Path = TEXT,
    image: Path | None = IMAGE,
    config: Annotated[VideoConfig, FLAT] = CONFIG,
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 500,
    bf16: bool = False,
) -> None:
    """Train a video model of people. On several graphics cards or machines: torchrun --nproc-per-node N -m core train
    video ...

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png, rows of the frames of clips.
        text: the checkpoint of the text encoder, which is not trained further.
        image: the checkpoint of an image model of people of the same width, whose weights the network begins with;
            none to begin with random weights.
        config: how to train.
        config_file: a JSON file of these flags; flags given beside it win.
        resume: go on from OUT's checkpoint, with its settings; flags given beside it win.
        every: steps between two checkpoints, each with a sheet of samples. Ctrl-C leaves a checkpoint, too.
        bf16: compute in bfloat16, on a graphics card or a processor that can.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        captions, team = open_checkpoint(text), distributed.join(bf16)
        encoder = text_encoder(captions)
        if resume:
            checkpoint = video_model.resume(load_folder(folder), config)
        else:
            checkpoint = video_model.new_checkpoint(config, captions, image and open_checkpoint(image))
        source = {"text": str(text), "image": image and str(image), "bf16": bf16, "every": every}
        checkpoint.config["data"]["source"] = source
        state = image_model.move(checkpoint.state, team.device)
        if not team.rank:
            parameters = sum(p.numel() for p in state.model.parameters())
            print(f"endless clips of people; {parameters:,} parameters; {team.device}")
        terminal.carry_out(
            lambda losses: video_model.run(config, encoder, state, team, losses), checkpoint, config, team, out, every,
            lambda made, file: _write_sheet(made, encoder, file),
        )  # fmt: skip


def _write_sheet(checkpoint: Checkpoint, encoder: video_text.TextEncoder, file: Path) -> None:
    """The frames of a few samples, a row for each."""
    captions = ("a person with a red hat, walking left", "一个戴眼镜的人，点头", "blue hair, standing still", "jumping")
    config, device = video_model.config_of(checkpoint.config), image_model.device_of(checkpoint.denoiser)
    cond = {name: rows.to(device) for name, rows in encoder.encode(captions).items()}
    clips = video_model.sample(checkpoint.denoiser, config, cond, scale=2.0)
    image_model.write_sheet(clips, 1, file)


def train_judge(out: Path, config: JudgeConfig, resume: bool = False, every: int = 500) -> None:
    """Train a judge of clips in the folder ``out``, or go on with that run."""
    with terminal.run_folder(out, resume) as folder:
        checkpoint = load_folder(folder) if resume else video_judge.new_checkpoint(config)
        team = distributed.join()
        state = image_model.move(checkpoint.state, team.device)
        terminal.carry_out(lambda _: video_judge.run(config, state), checkpoint, config, team, out, every)


def _flags(stored: dict[str, Any]) -> dict[str, Any]:
    """The flags of ``train_video`` beside the configuration."""
    source = stored["data"]["source"]
    return {**source, "text": str(source["text"]), "image": source["image"]}


TRAINING = (
    Training(train_text, TEXT_CONFIG, video_text.config_of, lambda stored: {}),
    Training(train_video, CONFIG, video_model.config_of, _flags),
)
