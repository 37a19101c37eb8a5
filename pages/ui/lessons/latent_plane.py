"""Chapter 11, live: an autoencoder of digits under training, its plane, and the picture of a place."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import nan

import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from core.figures.scene import Heat, Images, Panel, Points, Scene
from core.lessons import latent as lesson
from core.lessons.latent import Plane, Snapshot
from core.models import latent as latent_model
from core.models import live_digits
from core.models.latent import Autoencoder, AutoencoderConfig
from core.pretrained import AUTOENCODER_CONFIGS
from core.runs.checkpoints import Checkpoint
from core.runs.jobs import View
from core.runs.progress import Progress, loss_history, recorded
from pages.ui.frame import shell
from pages.ui.frame.text import pair, t
from pages.ui.lessons.latent_config import Config
from pages.ui.runs import training_run
from pages.ui.runs.loss_curve import loss_curve
from pages.ui.stage import player

MARKS = (100, 300, 600, 1_000, 2_000, 3_000)  # steps after which the whole page runs again
SURE, UNSURE = 0.9, 0.6  # confidences from which a picture is read as a digit, and below which it is none for sure
DIGITS = tuple(f"digit_{k}" for k in range(10))


@dataclass(frozen=True)
class Data:
    """The digits as a training request names them."""

    name: str = "digits"
    key: str = "digits 8x8, plane"


@dataclass(frozen=True)
class AutoencoderTraining(training_run.TrainingRequest):
    """To train an autoencoder of digits."""

    data: Data
    config: AutoencoderConfig

    @property
    def kind(self) -> str:
        return "plane"

    def begin(self) -> Checkpoint:
        return latent_model.new_autoencoder(self.config, live_digits.images(), {"data": "digits"})

    def run(self, progress: Progress) -> Iterator[Progress]:
        return recorded(progress, latent_model.run_autoencoder(self.config, live_digits.images(), progress.state))

    def bayes_loss(self) -> float:
        return nan

    def checkpoint(self, progress: Progress) -> Checkpoint:
        return Checkpoint(progress.state, {**self.begin().config, **loss_history(progress)})

    @property
    def shipped(self) -> str | None:
        shape = live_digits.images().shape
        known = AUTOENCODER_CONFIGS.items()
        return next((name for name, (data, made) in known if data == "digits" and made.fitted(shape) == self.config),
                    None)  # fmt: skip


def request_of(config: Config) -> AutoencoderTraining:
    """The run that the controls describe."""
    fitted = AutoencoderConfig(kl=float(config.kl)).fitted(live_digits.images().shape)
    return AutoencoderTraining(Data(), fitted, lesson.snapshot)


# The scene


def plane(
    config: Config, snapshot: Snapshot | None = None, model: Autoencoder | None = None, answered: bool = True
) -> Scene:
    """The plane of a run, the picture of the place under the ring, digits that were rebuilt, and the loss. Without a
    snapshot: of the shipped or untrained autoencoder. Before the question is answered the plane has no pictures."""
    request = request_of(config)
    snapshot = snapshot or training_run.initial_picture(request)
    model = model or training_run.initial_checkpoint(request).state.ema
    made = snapshot.plane
    caption = t("latent.captions.places", share=made.random) if answered else ""
    panels = [plane_panel(t("latent.panels.plane"), made, answered, caption)]
    if answered:
        panels.append(place_panel(model, config.probe))
    panels += [rebuilt_panel(made), loss_curve(snapshot)] if snapshot.step and len(snapshot.losses) else [
        rebuilt_panel(made)]  # fmt: skip
    alt = t("latent.plane.alt", step=snapshot.step, error=made.error)
    return Scene(panels, None, alt, probe=config.probe)


def plane_panel(title: str, made: Plane, mosaic: bool = True, caption: str = "", legend: bool = True) -> Panel:
    """Digits where they are encoded to, over what the places decode to."""
    reach = made.reach
    labels = tuple(map(str, range(10))) if legend else ("",) * 10
    layers = [Points(made.places, DIGITS, made.labels, size=2.6 if legend else 1.6, alpha=0.9, label=labels)]
    if mosaic:
        layers.insert(0, Heat(made.mosaic, (-reach, reach, -reach, reach), t("latent.layers.brightness") * legend))
    return Panel(title, layers, (-reach, reach), (-reach, reach), caption=caption, probe=legend and mosaic)


def place_panel(model: Autoencoder, probe: tuple[float, float]) -> Panel:
    """The picture that the place under the ring decodes to."""
    picture, digit, sure = lesson.picture_at(model.eval(), probe)
    caption = t("latent.captions.place", place=pair(probe), digit=digit, sure=sure)
    return Panel(t("latent.panels.place"), [Images(picture[None], 1, colour="probe")], caption=caption)


def rebuilt_panel(made: Plane) -> Panel:
    """A digit of each class over what becomes of it."""
    upper, lower = made.rebuilt[:10], made.rebuilt[10:]
    rows = torch.cat([upper[:5], lower[:5], upper[5:], lower[5:]])
    group = [k // 5 % 2 for k in range(20)]
    labels = t("latent.layers.digit"), t("latent.layers.rebuilt")
    drawn = Images(rows[None], 5, labels, (), ("data", "sample"), group)
    return Panel(t("latent.panels.digits"), [drawn], caption=t("latent.captions.squared", error=made.error))


def is_between(config: Config) -> bool:
    """Whether the ring of the shipped plane was moved to a place that decodes to no digit for sure."""
    if config.probe == Config().probe:
        return False
    model = training_run.initial_checkpoint(request_of(config)).state.ema
    return lesson.picture_at(model.eval(), config.probe)[2] < UNSURE


# The run on the page


def draw(config: Config, answered: bool) -> View | None:
    """The buttons of the run and its picture, which changes while it trains; the run, None if there is none."""
    request = request_of(config)
    view = training_run.current(request)
    if answered:
        training_run.buttons(request, view)
    if view is not None and view.error:
        shell.sorry(view.error)
    training_run.watch(request, view, partial(_draw, config, request, answered), MARKS)
    return view


def _draw(
    config: Config, request: AutoencoderTraining, answered: bool, snapshot: Snapshot, standing: str
) -> DeltaGenerator | None:
    if player.has_new_probe("latent_plane"):
        st.rerun()  # the picture runs again by itself, and the place is in the address of the page
    shell.prose(standing)
    model = training_run.checkpoint(request).state.ema
    player.show(plane(config, snapshot, model, answered), key="latent_plane", permalink=True)
