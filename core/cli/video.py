"""The commands of video: ``python -m core train text | video``, ``sample video`` and ``evaluate video``."""

from functools import partial
from pathlib import Path
from typing import Annotated

import tyro
from torch import Tensor
from tqdm import tqdm

from core.cli import terminal
from core.cli.captions import shipped_name
from core.cli.flags import Training
from core.cli.images import Sampler, check_count, check_positive, check_sampling
from core.data.images import pixels
from core.data.video import FRAMES
from core.figures.film import pixel_film
from core.models import images as image_model
from core.models import video as video_model
from core.models import video_queries, video_text
from core.models.model import SHIPPED, open_checkpoint
from core.models.video import VideoConfig
from core.models.video_queries import Sampling
from core.models.video_text import TextConfig, text_encoder
from core.problems import Problem
from core.runs import distributed
from core.runs.checkpoints import Checkpoint, load_folder
from core.runs.files import write_whole

FLAT = tyro.conf.OmitArgPrefixes
TEXT, IMAGE = SHIPPED / "video-text", SHIPPED / "people"
CONFIG, TEXT_CONFIG = VideoConfig(), TextConfig()
FPS, REPEATS = 6, 3  # of a film


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
        checkpoint = video_text.resume(load_folder(folder), config) if resume else video_text.new_checkpoint(config)
        team = distributed.join()
        terminal.carry_out(lambda _: video_text.run(config, checkpoint), checkpoint, config, team, out, every)


def train_video(
    out: Path,
    text: Path = TEXT,
    image: Path | None = IMAGE,
    start: Path | None = None,
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
        start: the checkpoint of a video model whose weights the run begins with, in place of those of the image model.
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
            checkpoint = video_model.resume(load_folder(folder), config, captions)
        else:
            checkpoint = video_model.new_checkpoint(
                config, captions, image and open_checkpoint(image), start and open_checkpoint(start)
            )
        names = {"text": shipped_name(text), "image": image and shipped_name(image)}
        checkpoint.config["data"]["source"] = {**names, "bf16": bf16, "every": every}
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


# Sampling


def sample(
    checkpoint: Path = SHIPPED / "video",
    text: Path = TEXT,
    *,
    caption: str,
    out: Path,
    negative: str | None = None,
    scale: float = 2.0,
    sampler: Sampler = video_model.SAMPLER,
    steps: int = video_model.STEPS,
    frames: int = FRAMES,
    apart: bool = False,
    n: int = 1,
    seed: int = 0,
    pixels: int = 16,
) -> None:
    """Draw clips of people from a caption, as a film.

    Args:
        checkpoint: a video model: a checkpoint's folder, a run's folder that holds one, or a zip file of either.
        text: the checkpoint of its text encoder.
        caption: the person and the motion, in English or Chinese: "a person with a red hat, walking left".
        out: the film, an .mp4; several clips stand side by side.
        negative: what to lead away from, such as "low quality, blurred"; none given: from no caption.
        scale: guidance scale w: 1 asks for the caption plainly, more leads away from what is none of it.
        sampler: how to go from noise to clips; with noise on the way (ddpm) clips are less grainy.
        steps: steps of the sampler.
        frames: frames of a clip; the model decides how many are possible.
        apart: draw each frame by itself, without attention across time.
        n: how many clips.
        seed: decides the noise; clip k of a seed is the same however many are drawn.
        pixels: pixels of the film for each pixel of a clip.
    """
    check_count(n)
    check_sampling(steps, [sampler], scale=scale)
    check_positive(pixels=pixels)
    if out.suffix.lower() != ".mp4":
        raise Problem("video_out", out=str(out))
    model = video_queries.load(open_checkpoint(checkpoint), open_checkpoint(text))
    video_queries.check_frames(model, frames)
    out.parent.mkdir(parents=True, exist_ok=True)
    for note in video_queries.notes(model, caption, negative, scale):
        print(note)
    how = Sampling(scale, negative or "", not apart, steps, seed, sampler)
    clips = model.sample([caption] * n, how, partial(tqdm, total=steps, desc=sampler, unit="step", leave=False))
    write_film(clips, out, pixels, caption)
    print(f"{n} {'clip' if n == 1 else 'clips'} of {frames} frames in {out}")


def write_film(clips: Tensor, out: Path, pixels_each: int, title: str) -> None:
    """Write clips [n, T, 3, H, W] side by side as an MP4 that shows them three times."""
    row = pixels(clips).movedim(0, 3).flatten(3, 4)  # [T, 3, H, n W]
    wide = row.repeat_interleave(pixels_each, 2).repeat_interleave(pixels_each, 3)
    even = wide[..., : wide.shape[2] // 2 * 2, : wide.shape[3] // 2 * 2].repeat(REPEATS, 1, 1, 1)
    write_whole(out, pixel_film(even.movedim(1, 3).contiguous().numpy(), FPS, title))


# Evaluation


def evaluate(
    checkpoint: Path = SHIPPED / "video",
    text: Path = TEXT,
    n: int = 512,
    scale: float = 2.0,
    negative_scale: tuple[float, ...] = (2.0, 3.0),
    steps: int = video_model.STEPS,
    seed: int = 0,
) -> None:
    """Judge clips of a video model: person, motion, faults and flicker, beside real clips.

    Args:
        checkpoint: a video model.
        text: the checkpoint of its text encoder.
        n: clips of each kind.
        scale: guidance scale w of the rows without a negative caption.
        negative_scale: guidance scales with the long negative caption, a row for each.
        steps: steps of the sampler.
        seed: decides captions and noise.
    """
    check_count(n, fewest=16)
    check_sampling(steps, scale=scale)
    model = video_queries.load(open_checkpoint(checkpoint), open_checkpoint(text))
    print(f"{n:,} clips of each kind, {steps} steps, seed {seed}; captions in English and Chinese in turn.")
    for k, row in enumerate(video_queries.table(model, n, scale, negative_scale, steps, seed)):
        print(f"| {' | '.join(row)} |", flush=True)
        if not k:
            print("| --- " * len(row) + "|")


TRAINING = (
    Training(train_text, TEXT_CONFIG, video_text.config_of, lambda stored: {}),
    Training(train_video, CONFIG, video_model.config_of, lambda stored: stored["data"]["source"]),
)
