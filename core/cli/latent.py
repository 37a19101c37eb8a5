"""The commands of latent diffusion: ``python -m core train autoencoder | latent``, ``sample latent``, ``evaluate
latent``."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from core.cli import terminal
from core.cli.captions import shipped_name
from core.cli.flags import Training
from core.cli.images import (
    Sampler,
    check_count,
    check_positive,
    check_sampling,
    label_of,
    labels_in_turn,
    output_files,
    values_of,
)
from core.cli.people import check_model
from core.data.images import pixels
from core.models import digit_judge, latent_quality, requests
from core.models import images as image_model
from core.models import latent as model
from core.models.latent import AutoencoderConfig, LatentConfig
from core.models.model import SHIPPED, open_checkpoint
from core.models.sources import load
from core.problems import Problem
from core.runs import distributed
from core.runs.checkpoints import Checkpoint, load_folder

FLAT = tyro.conf.OmitArgPrefixes
DIGITS, PEOPLE = SHIPPED / "digits-autoencoder", SHIPPED / "people-autoencoder"
SHEET = 64  # pictures
CONFIGS = AutoencoderConfig(), LatentConfig()


# Training


def train_autoencoder(
    out: Path,
    config: Annotated[AutoencoderConfig, FLAT] = CONFIGS[0],
    data: str = "digits",
    n: int | None = None,
    side: int | None = None,
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 1000,
    bf16: bool = False,
) -> None:
    """Train an autoencoder: pictures to a few numbers, and back.

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png with pictures over their
            reconstructions.
        config: how to train.
        data: digits, fashion, people or any other images that `train` takes.
        n: only for people: the number of different people; none given: without end.
        side: bring all images to this many pixels a side.
        config_file: a JSON file of these flags; flags given beside it win.
        resume: go on from OUT's checkpoint, with its data and settings; flags given beside it win.
        every: steps between two checkpoints. Ctrl-C leaves one, too.
        bf16: compute in bfloat16, on a graphics card or a processor that can.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        pictures = load(data, side, n=n)
        fitted = config.fitted(pictures.shape)
        source = {"data": data, "n": n, "side": side, "every": every, "bf16": bf16}
        checkpoint = (
            model.resume_autoencoder(load_folder(folder), fitted, pictures, source)
            if resume
            else model.new_autoencoder(fitted, pictures, source)
        )
        team = distributed.join(bf16)
        state = image_model.move(checkpoint.state, team.device)
        if not team.rank:
            latent, shape = ("x".join(map(str, sides)) for sides in (state.model.latent, pictures.shape))
            print(f"{pictures.name}: pictures of {shape} to latents of {latent}; KL weight {fitted.kl:g}")
        terminal.carry_out(
            lambda _: model.run_autoencoder(fitted, pictures, state, team), checkpoint, fitted, team, out, every,
            partial(_write_reconstructions, model.pictures_of(pictures)[: SHEET // 2]),
        )  # fmt: skip


def _write_reconstructions(x: Tensor, checkpoint: Checkpoint, file: Path) -> None:
    """Draw pictures and under each row their reconstructions."""
    space = model.LatentSpace(checkpoint.state.ema, (0.0,) * checkpoint.state.ema.latent[0], 1.0)
    again = space.decode(space.encode(x.to(image_model.device_of(checkpoint.state.ema)))).cpu()
    rows = [part for pair in zip(x.split(8), again.split(8), strict=True) for part in pair]
    image_model.write_sheet(torch.cat(rows).clamp(-1, 1), 8, file)


def train_latent(
    out: Path,
    autoencoder: Path = DIGITS,
    config: Annotated[LatentConfig, FLAT] = CONFIGS[1],
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 1000,
    bf16: bool = False,
) -> None:
    """Train a diffusion model of the latents of an autoencoder, of the pictures that this was trained on.

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png.
        autoencoder: its checkpoint's folder, its run's folder, or the name of a shipped one, such as
            people-autoencoder.
        config: how to train.
        config_file: a JSON file of these flags; flags given beside it win.
        resume: go on from OUT's checkpoint, with its settings; flags given beside it win.
        every: steps between two checkpoints, each with a sheet of decoded samples. Ctrl-C leaves one, too.
        bf16: compute in bfloat16, on a graphics card or a processor that can.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        data = model.latents(model.open_autoencoder(autoencoder))
        fitted = config.fitted(data.shape)
        source = {"autoencoder": shipped_name(autoencoder), "every": every, "bf16": bf16}
        checkpoint = (
            model.resume_diffusion(load_folder(folder), fitted, data, source)
            if resume
            else model.new_diffusion(fitted, data, source)
        )
        team = distributed.join(bf16)
        state = image_model.move(checkpoint.state, team.device)
        data.space.autoencoder.to(team.device)
        if not team.rank:
            weights = sum(p.numel() for p in state.model.parameters())
            shape = "x".join(map(str, data.shape))
            print(f"latents of {shape} of {data.name}; {fitted.network}: {weights:,} parameters; {team.device}")
        terminal.carry_out(
            lambda losses: image_model.run(fitted, data, state, team, losses), checkpoint, fitted, team, out, every,
            partial(_write_samples, data.space),
        )  # fmt: skip


def _write_samples(space: model.LatentSpace, checkpoint: Checkpoint, file: Path) -> None:
    """Draw a sheet of decoded samples."""
    classes = checkpoint.config["data"]["classes"]
    labels = [k % len(classes) if classes else None for k in range(SHEET)]
    image_model.write_sheet(model.sample(checkpoint, space, labels)[1].clamp(-1, 1), 8, file)


# Samples and their quality


def sample(
    checkpoint: Path,
    out: Path,
    autoencoder: Path | None = None,
    n: int = 64,
    classes: tuple[str, ...] = (),
    caption: str | None = None,
    scale: float = 1.0,
    sampler: Sampler = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
    columns: int = 8,
) -> None:
    """Draw latents and decode them: a sheet OUT.png, and OUT.npz with latents and pictures.

    Args:
        checkpoint: a diffusion model of latents: its folder, its run's folder, or the name of a shipped one, such as
            people-latent.
        out: the two files' name without its ending.
        autoencoder: the one that it was trained with, if it is no longer where the checkpoint says.
        n: how many pictures.
        classes: the classes to draw, in turn; none given: all of them.
        caption: what to draw, in words, for a model of people.
        scale: guidance scale w.
        sampler: how to go from noise to latents.
        steps: steps of the sampler.
        seed: decides the noise.
        columns: columns of the sheet.
    """
    check_count(n)
    check_sampling(steps, [sampler], scale=scale)
    check_positive(columns=columns)
    opened, space = _open(checkpoint, autoencoder)
    sheet, arrays = output_files(out)
    if requests.attributes_of(opened.config):
        wanted = requests.condition(values_of({} if caption is None else caption, opened), n)
    else:
        wanted = labels_in_turn(opened, n, [label_of(name, opened) for name in classes])
    z, x = model.sample(opened, space, wanted, scale, sampler, steps, seed)
    image_model.write_sheet(x.clamp(-1, 1), min(n, columns), sheet)
    np.savez_compressed(arrays, latents=z.numpy(), images=pixels(x).numpy())
    print(f"{n} pictures in {sheet} and {arrays}")


def _open(checkpoint: Path, autoencoder: Path | None) -> tuple[Checkpoint, model.LatentSpace]:
    """A diffusion model of latents and their space. Raises Problem for other models."""
    opened = open_checkpoint(checkpoint)
    return opened, model.space_of(opened, autoencoder and model.open_autoencoder(autoencoder))


def evaluate(
    digits: Path = SHIPPED / "digits-latent",
    people: Path = SHIPPED / "people-latent",
    pixel: Path = SHIPPED / "people",
    n: int = 512,
    places: int = 500,
    scale: float = 3.0,
    sampler: Sampler = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
) -> None:
    """Judge latent diffusion: the plane of digits, and people from latents beside the pixel model.

    Args:
        digits: a diffusion model of digits' latents of two numbers.
        people: a diffusion model of people's latents.
        pixel: an image model of people, conditioned on attributes.
        n: samples of each model.
        places: random places of the plane, drawn from N(0, I).
        scale: guidance scale w for people; digits are drawn with w = 1.
        sampler: how to go from noise to samples, for people.
        steps: steps of the sampler.
        seed: decides noise, places and requests.
    """
    check_count(n, fewest=2)
    check_count(places, fewest=2)
    check_sampling(steps, [sampler], scale=scale)
    plane, space = _open(digits, None)
    drawn, people_space = _open(people, None)
    pixels_model = open_checkpoint(pixel)
    check_model(pixels_model, pixel)
    _check_latents(plane, digits, "digits")
    _check_latents(drawn, people, "people")
    _print_plane(latent_quality.plane_report(
        space, model.pictures_of(load("digits")), plane, n, places, steps=steps, seed=seed), n, places)  # fmt: skip
    reports = latent_quality.people_reports(pixels_model, drawn, people_space, n, scale, sampler, steps, seed)
    print(f"\nPeople: {n:,} requests of 3 to 5 attributes, w = {scale:g}, {sampler}, {steps} steps, seed {seed}.")
    print("| pictures | all attributes right | attributes right | network calls | seconds per sample |")
    print("| --- | --- | --- | --- | --- |")
    for name, row in reports.items():
        cost = f"{row.calls} | {row.seconds:.4f}" if row.calls else "– | –"
        print(f"| {ROWS[name]} | {row.whole:.1%} | {row.attributes:.1%} | {cost} |")


ROWS = {"real": "real people", "rebuilt": "real people, encoded and decoded", "pixels": "pixel model",
        "latents": "latent model"}  # fmt: skip


def _check_latents(checkpoint: Checkpoint, name: Path, data: str) -> None:
    """Raise Problem unless a model is of latents of those data."""
    if checkpoint.config["data"]["name"] != data:
        raise Problem("latent_other_data", name=str(name), expected=data, given=checkpoint.config["data"]["name"])


def _print_plane(report: latent_quality.PlaneReport, n: int, places: int) -> None:
    """Print how often pictures of the plane are read as a digit."""
    rows = {"held-out digits": report.real, "digits, encoded and decoded": report.rebuilt,
            f"{places:,} random places from N(0, I), decoded": report.random,
            f"{n:,} samples of the diffusion model, decoded": report.samples}  # fmt: skip
    print(f"Digits: pictures that are read as some digit with a confidence over {digit_judge.SURE}.")
    print("| pictures | read |\n| --- | --- |")
    for name, share in rows.items():
        print(f"| {name} | {share:.1%} |")
    print(f"{report.fitting:.1%} of the samples are read as the digit that was asked for.")


def _other_flags(stored: dict[str, Any]) -> dict[str, Any]:
    """The flags beside the configuration that a run was begun with."""
    return dict(stored["data"].get("source", {}))


TRAINING = (
    Training(train_autoencoder, CONFIGS[0], model.config_of, _other_flags),
    Training(train_latent, CONFIGS[1], model.latent_config_of, _other_flags),
)
