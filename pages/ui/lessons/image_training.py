"""Image models of one's own: people and digits trained live, the commands for a bigger model, a run followed."""

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.diffusion import training
from core.figures.scene import Clock, Images, Panel, Scene
from core.models import images as image_model
from core.models import live_digits, live_people, run_folder
from core.models.live_images import Snapshot
from core.models.run_folder import Log
from core.networks import SIZES
from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import own_models
from pages.ui.lessons.image_models_config import SIDES, Config
from pages.ui.lessons.own_models import DigitTraining, LiveTraining, PeopleTraining
from pages.ui.runs import followed, training_run
from pages.ui.runs.loss_curve import loss_curve
from pages.ui.stage import player

READABLE = 0.9  # of the samples
MARKS = (50, 100, 200, 400, 800, 1_600)  # steps after which the whole page runs again
CODE: tuple[Callable, ...] = (image_model.batches, image_model.run, training.train)


# The scene


def scene(config: Config) -> Scene:
    """The run that is followed, or the untrained network of the people or the digits."""
    run = run_folder.place_of(own_models.FOLDER, config.follow)
    if config.train == "follow" and config.follow and (log := followed.newest(run)[0]).entries:
        return followed.scene(run, log, config.curve)
    request = request_of(config)
    return live_scene(training_run.initial_picture(request), request.kind)


def live_scene(shot: Snapshot, kind: str, broke: bool = False) -> Scene:
    """Samples of a model of people or digits on their way from noise, and its loss; ``broke``: the run broke down."""
    n = shot.pixels.shape[1]
    caption = t(f"image_models.live.{kind}.recognised", recognised=shot.recognised, n=n)
    pictures = Images(shot.pixels, 4 if kind == "people" else 5)
    panels = [Panel(t(f"image_models.live.{kind}.panel"), [pictures], caption=caption), loss_curve(shot, broke)]
    alt = t(f"image_models.live.{kind}.alt", step=shot.step, n=n, caption=caption)
    return Scene(panels, Clock(shot.sigmas, start=-1), alt)


def request_of(config: Config) -> LiveTraining:
    """The run that the controls describe."""
    if config.train == "live":
        return DigitTraining(config=replace(live_digits.CONFIGS[config.net], lr=config.lr, seed=config.seed))
    return PeopleTraining(config=replace(live_people.CONFIG, lr=config.lr, seed=config.seed))


# The commands


def commands(config: Config) -> dict[str, str]:
    """The commands that train the model of a configuration, go on with it and evaluate it, by name."""
    data = "FOLDER" if config.data == "own_folder" else config.data
    out = output(config.name or f"{data.lower()}-{config.bignet}")
    python = f"torchrun --nproc-per-node {config.processes}" if config.processes > 1 else "python"
    train = f"{python} -m core train --out {out}"
    bf16 = " --bf16" if config.size in ("patched", "large") else ""
    network = f"--network {config.bignet} --size {config.size} --steps {config.bigsteps} --batch {config.batch}{bf16}"
    return {
        "train": f"{train} \\\n  --data {data} {network}",
        "resume": f"{train} --resume",
        "evaluate": " ".join(("python", "-m", "core", "evaluate", "--checkpoint", out)),
    }


def output(name: str) -> str:
    """The folder of the run of that name, quoted for a shell: always inside the folder of runs."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    folder = own_models.FOLDER
    return shlex.quote(str((folder.relative_to(shell.ROOT) if folder.is_relative_to(shell.ROOT) else folder) / safe))


def sizes(network: str, data: str) -> list[str]:
    """The sizes of a network whose squares of pixels and levels divide the side of a set's images; not that for
    latents."""
    parts = {
        size: options.get("patch", 1) * 2 ** (len(options.get("multipliers", "1")) - 1)
        for size, options in SIZES[network].items()
    }
    return [size for size, factor in parts.items() if SIDES[data] % factor == 0 and size != "latent"]


# What the page draws


def draw(left: DeltaGenerator, right: DeltaGenerator, row: DeltaGenerator) -> bool:
    """Draw the chosen part into the columns (controls, picture), its buttons into the row above the picture, which else
    would be cut off on a small screen; whether the people or the digits can be recognised."""
    with left:
        part = controls.draw("train")
    if part in ("people", "live"):
        return _live(part, left, right, row)
    return {"bigger": _bigger, "follow": _follow}[part](left, right)


def _live(part: str, left: DeltaGenerator, right: DeltaGenerator, row: DeltaGenerator) -> bool:
    with left:
        for name in ("net", "lr", "seed") if part == "live" else ("lr", "seed"):
            controls.draw(name)
        request = request_of(controls.config())
        training_run.take_in(request)
        view = training_run.current(request)
        training_run.heed_learning_rate(request, view)
        with st.expander(t("image_models.live.files")):
            training_run.save(request)
            training_run.load(own_models.adopt)
            shell.caption(t("image_models.live.files_hint", model=text.label("models", f"own_{request.kind}")))
    broke = view is not None and bool(view.error)

    def show(shot: Snapshot, standing: str) -> None:
        shell.prose(standing)
        key = f"{request.kind}_live"  # "people" is a control of the page
        player.show(live_scene(shot, request.kind, broke), key=key, permalink=True)

    with row:
        training_run.buttons(request, view)
    with right:
        if broke:
            shell.sorry(view.error)
        training_run.watch(request, view, show, MARKS)
    shot = view.picture if view is not None else None
    return shot is not None and shot.recognised >= READABLE * shot.pixels.shape[1]


def _bigger(left: DeltaGenerator, right: DeltaGenerator) -> bool:
    with left:
        data = controls.draw("data")
        one, other = st.columns(2)
        with one:
            network = controls.draw("bignet")
            for name in ("bigsteps", "processes"):
                controls.draw(name)
        with other:
            controls.draw("size", sizes(network, data))
            controls.draw("batch")
            controls.draw("name", placeholder=f"{data}-{network}")
    config = controls.config()
    with right:
        for name, command in commands(config).items():
            shell.prose(t(f"image_models.bigger.{name}"))
            st.code(command, language="bash")
        images = config.bigsteps * config.batch
        follow = controls.option("train", "follow")
        shell.prose(t("image_models.bigger.text", follow=follow, images=images))
    return False


def _follow(left: DeltaGenerator, right: DeltaGenerator) -> bool:
    names = followed.known(own_models.FOLDER)
    if not names:
        with right:
            followed.wait(own_models.FOLDER)
        return False
    with left:
        name, curve = controls.draw("follow", names), controls.draw("curve")
        shell.caption(t("image_models.follow.folder", folder=own_models.FOLDER.name))
    taken, take = partial(own_models.taken_step, name), partial(own_models.take, name)

    def show(log: Log) -> None:
        player.show(
            followed.scene(run_folder.place_of(own_models.FOLDER, name), log, curve), key="followed", permalink=True
        )

    with right:
        followed.watch(own_models.FOLDER, name, show, taken, take)
    return False
