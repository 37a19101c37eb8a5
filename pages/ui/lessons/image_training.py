"""Image models of one's own: digits learned live in the page, the command for a bigger model, a run followed."""

import os
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.diffusion import training
from core.figures.scene import Clock, Images, Panel
from core.models import images as image_model
from core.models import live_digits, run_folder
from core.models.live_digits import Snapshot
from core.networks import SIZES
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import training as training_scenes
from pages.ui.runs import followed, training_run
from pages.ui.stage.player import stage

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("IMAGE_RUNS", ROOT / ".runs"))  # the runs on this server that may be followed
KIND, OWN = "images", "your digits"
READ = 18  # of 20 samples
HELD = 4  # models that a visitor brought or took
MARKS = (50, 100, 200, 400, 800, 1_600)  # steps at which the page looks anew
PROCESSES, BATCHES = (1, 2, 4, 8), (32, 64, 128, 256, 512, 1024)
SETS = {"Fashion-MNIST": "fashion", "emoji": "emoji", "digits": "digits", "your folder": "FOLDER"}
SIDES = {"fashion": 28, "emoji": 32, "digits": 8, "FOLDER": 0}  # 0: whatever they are brought to

NOTES = [
    ("sample", "**Digits live:** twenty samples of the model so far, always from the same noise, two of each class. "
     "First they are noise, then strokes, then digits that one can read. Scrub σ to see them form."),
    ("exact", "**The dashed line** is the loss of the exact denoiser, which knows the 1,797 images by heart. The "
     "network stays far above it: it has not learned them by heart, so what it draws need not be any of them."),
    ("denoise", "**A bigger model** is the same code with another network. Its loss falls first near σ = 1, where the "
     "shape is decided, and last at small noise, where only detail is left to guess: follow a run, and scrub."),
]  # fmt: skip
CODE: tuple[Callable, ...] = (live_digits.snapshot, image_model.run, training.train)


def show(controls: DeltaGenerator, picture: DeltaGenerator) -> bool:
    """Draw the scene into the two columns of ``shell.picture``; whether digits were trained until they can be read."""
    with controls:
        part = shell.segmented("Train", list(PARTS), default=next(iter(PARTS)), key="train")
    return PARTS[part](controls, picture)


def models() -> dict[str, Callable[[], Checkpoint]]:
    """Image models that this visitor trained, brought as a file or took from a run on the server, by the name that a
    choice shows; called, each gives its weights as they are now, or raises ValueError once it has gone. Its data are
    ``config["data"]``: name, side, classes. A name that is not shipped is a label, never a path."""
    taken = {name: partial(_taken().get, name) for name in _taken()}
    own = training_run.latest(KIND) or _of_the_address()
    return {OWN: partial(training_run.checkpoint, own), **taken} if own else taken


def _of_the_address() -> "DigitTraining | None":
    """The plan of the digits' run that the address names, which is followed again: a reload has forgotten it."""
    run_id, key = training_run.named() or ("", ())
    if not key or key[0] != DigitTraining().data.key:
        return None
    lr = key[2] if isinstance(key[2], float) else live_digits.CONFIG.lr
    plan = DigitTraining(config=replace(key[1], lr=lr))
    training_run.follow(plan, run_id)
    return plan


def _taken() -> dict[str, Checkpoint]:
    return st.session_state.setdefault("_image_models", {})


def _hold(name: str, found: Checkpoint) -> None:
    """Take a model among those of the other scenes; the oldest of more than ``HELD`` goes."""
    taken = _taken()
    taken.pop(name, None)
    taken[name] = found
    while len(taken) > HELD:
        taken.pop(next(iter(taken)))


# Live


class Data(NamedTuple):
    name: str
    key: str


@dataclass(frozen=True)
class DigitTraining(training_run.TrainingRequest):
    """Digits by one of the plans for one core."""

    data: Data = Data("digits", "digits 8x8")
    config: image_model.ImageConfig = live_digits.CONFIG
    picture: Callable[[Progress], Snapshot] = live_digits.snapshot

    @property
    def kind(self) -> str:
        return KIND

    def begin(self) -> Checkpoint:
        return image_model.new_checkpoint(self.config, live_digits.images())

    def run(self, progress: Progress) -> Iterator[Progress]:
        return live_digits.run(self.config, progress)

    def bayes_loss(self) -> float:
        return live_digits.bayes_loss(self.config)

    def keep(self, progress: Progress) -> Checkpoint:
        return live_digits.checkpoint_of(progress, self.config)


def _choose() -> DigitTraining:
    network = shell.segmented("Network", list(live_digits.CONFIGS), default="U-Net", key="net")
    about = "It may change while a network trains, which keeps what it has learned."
    lr = shell.number("Learning rate", 1e-6, 1e6, live_digits.CONFIG.lr, step=1e-3, format="%g", key="lr", help=about)
    seed = int(shell.number("Seed", 0, 9999, 0, key="seed"))
    return DigitTraining(config=replace(live_digits.CONFIGS[network], lr=lr, seed=seed))


def _live(controls: DeltaGenerator, picture: DeltaGenerator) -> bool:
    with controls:
        plan = _choose()
        training_run.take_in(plan)
        view = training_run.current(plan)
        training_run.heed_learning_rate(plan, view)
        with st.expander("Save and load"):
            training_run.save(plan)
            training_run.load(adopt)
            st.caption(f"In the other scenes this model is “{OWN}”, and one from a file is named after its data.")
    with picture:
        training_run.buttons(plan, view)
        broke = view is not None and bool(view.error)
        if broke:
            shell.sorry(view.error)
        training_run.watch(plan, view, partial(_draw, broke), MARKS)
    return view is not None and view.picture is not None and view.picture.recognised >= READ


def _draw(broke: bool, shot: Snapshot, standing: str) -> None:
    st.markdown(standing)
    n = shot.pixels.shape[1]
    said = f"{shot.recognised} of {n} look most like a real digit of the class asked for"
    stage(
        [
            Panel("The digits 0 to 9, twice, w = 2", [Images(shot.pixels, 5)], caption=said),
            training_scenes.loss(shot, broke),
        ],
        Clock(shot.sigmas, start=-1),
        key="digits",
        alt=f"After {shot.step} training steps: {n} samples, the digits 0 to 9 in turn, on their way from noise; "
        f"{said}. And the network's loss so far beside the exact denoiser's.",
        permalink=True,
    )


def adopt(brought: Checkpoint) -> image_model.ImageConfig | None:
    """Take a model from a file among the models of the other scenes. If it is one that can be trained here, set the
    controls to its plan and return that."""
    found = run_folder.check(brought)
    _hold(f"file: {found.config['data']['name']}", found)
    try:
        network, plan = live_digits.config_of(found)
    except ValueError as elsewhere:
        st.session_state["_live_error"] = f"{elsewhere} You find it among the models of the other scenes."
        return None
    st.session_state["net"], st.session_state["lr"], st.session_state["seed"] = network, plan.lr, plan.seed
    return plan


# By a command


def _command(controls: DeltaGenerator, picture: DeltaGenerator) -> bool:
    with controls:
        data = SETS[shell.selectbox("Data", list(SETS), key="data")]
        left, right = st.columns(2)
        with left:
            network = shell.selectbox("Network", list(SIZES), key="bignet")
            steps = int(shell.number("Steps", 100, 10_000_000, 10_000, step=1_000, key="bigsteps"))
            processes = shell.selectbox("Processes", PROCESSES, key="processes")
        with right:
            size = shell.selectbox("Size", _sizes(network, data), index=1, key="size")
            batch = shell.selectbox("Batch", BATCHES, index=2, key="batch")
            name = shell.text("Its name", "", key="name", max_chars=40, placeholder=f"{data.lower()}-{network}")
    out = _out(name or f"{data.lower()}-{network}")
    quick = " --bf16" if size in ("patched", "large") else ""
    start = f"torchrun --nproc-per-node {processes}" if processes > 1 else "python"
    train = f"{start} -m core train --out {out}"
    commands = [
        ("**Train** on a bigger machine, or on this one in a terminal, in the folder of this app:",
         f"{train} \\\n  --data {data} --network {network} --size {size} --steps {steps} --batch {batch}{quick}"),
        ("**Go on** after a stop; Ctrl-C saves:", f"{train} --resume"),
        ("**Judge** its samples beside real images:", f"python -m core evaluate --checkpoint {out}"),
    ]  # fmt: skip
    with picture:
        for what, line in commands:
            st.markdown(what)
            st.code(line, language="bash")
        st.markdown(
            f"Every 1,000 steps it saves a checkpoint and a sheet of samples. **{FOLLOWED}** shows them as soon as its "
            "folder is on the server of this app, and the loss meanwhile. The small U-Net learns from about 110 images "
            "of 28 × 28 a second on one quiet core, about 60 on a busy one: these "
            f"{steps * batch:,} images would take it {_hours(steps * batch / 110)} to {_hours(steps * batch / 60)}. "
            "The patched one is for pictures like emoji: four times the weights, and faster, most so in bfloat16. "
            "The large networks are for graphics cards."
        )
    return False


def _sizes(network: str, data: str) -> list[str]:
    """The sizes of a network whose squares of pixels and levels divide the side of a set's images."""
    parts = {size: told.get("patch", 1) * 2 ** (len(told.get("multipliers", "1")) - 1)
             for size, told in SIZES[network].items()}  # fmt: skip
    return [size for size, factor in parts.items() if SIDES[data] % factor == 0]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.0f} hours" if seconds > 5400 else f"{max(1, seconds / 60):.0f} minutes"


def _out(name: str) -> str:
    """Where the run of that name is written, as a shell takes it: always in the folder of runs."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    return shlex.quote(str((FOLDER.relative_to(ROOT) if FOLDER.is_relative_to(ROOT) else FOLDER) / safe))


# Followed


def _follow(controls: DeltaGenerator, picture: DeltaGenerator) -> bool:
    names = followed.known(FOLDER)
    if not names:
        with picture:
            followed.wait(FOLDER)
        return False
    with controls:
        name = shell.selectbox("Run", names, key="follow")
        curve = shell.segmented("Loss", list(followed.CURVES), default="over_steps", key="curve")
        st.caption(f"These are the runs in the folder `{FOLDER.name}` of the server.")
    with picture:
        followed.watch(FOLDER, name, curve, partial(_step, name), partial(_take, name))
    return False


def _step(run: str) -> int | None:
    """The step of the model that was taken from a run."""
    found = _taken().get(f"run: {run}")
    return found and found.state.step


def _take(run: str) -> None:
    """Take the newest model of a run among the models of the other scenes."""
    _hold(f"run: {run}", _model(FOLDER / run, run_folder.saved_at(FOLDER / run)))


@st.cache_resource(max_entries=8, show_spinner=False)
def _model(run: Path, written: int) -> Checkpoint:
    """One copy for all who take it."""
    return run_folder.load_checkpoint(run)


FOLLOWED = "Follow a run"
PARTS = {"Digits, live": _live, "Bigger": _command, FOLLOWED: _follow}
