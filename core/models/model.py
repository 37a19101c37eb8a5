"""Trained models as a notebook uses them: ``train``, ``save``, ``load``, and ``Model`` with its samples."""

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from core.data import points
from core.data.points import PointSet
from core.data.words import position
from core.diffusion import few_step, samplers
from core.diffusion.denoiser import Denoise, Denoiser, in_chunks
from core.diffusion.palette import PaletteDenoiser
from core.diffusion.training import TrainConfig, TrainState, as_dict
from core.models import flows as flow_model
from core.models import images as image_model
from core.models import points as point_model
from core.models import requests, sources
from core.models.images import ImageConfig
from core.models.points import PointConfig
from core.problems import Problem
from core.runs import distributed
from core.runs.checkpoints import CONFIG, CUSTOM, Checkpoint, NoCheckpoint, class_name, load_run, save_folder
from core.runs.progress import Progress, resume

SHIPPED = Path(__file__).parents[1] / "pretrained"
BUNDLED = ("digits", "fashion", "emoji", "people")  # sets of images that come with the library


@dataclass(frozen=True, eq=False)
class Model:
    """A model: its checkpoint, and the data that it was trained on if they are at hand."""

    checkpoint: Checkpoint
    dataset: Any = None

    @property
    def denoiser(self) -> Denoiser:
        """The denoiser to sample with, (x, sigma, cond) -> x0_hat: the moving average of the weights."""
        return self.checkpoint.denoiser

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample. Raises Problem if the checkpoint does not say it."""
        stored = self.checkpoint.config
        if _is_of_points(stored):
            return (stored["network"]["dim"],)
        if stored.get("data", {}).get("shape") is None and "plan" not in stored:
            raise Problem("model_no_shape")
        return image_model.shape_of(stored)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes, empty if it has none."""
        stored = self.checkpoint.config
        if _is_of_points(stored):
            return tuple(self.data.classes) if stored["network"]["classes"] else ()
        return tuple(stored.get("data", {}).get("classes", ()))

    @property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """The attributes that samples can be asked to have, and the values of each; empty if there are none."""
        return requests.attributes_of(self.checkpoint.config)

    @property
    def data(self) -> Any:
        """The data that it was trained on: those of ``train``, a built-in set of points, or images loaded again.

        Raises Problem if they cannot be loaded again.
        """
        if self.dataset is not None:
            return self.dataset
        stored = self.checkpoint.config
        data = stored.get("data", {})
        name, source = data.get("name"), data.get("source", {})
        if _is_of_points(stored) and name in points.BUILT_IN:
            made = points.make_points(name, data["n"])
            return points.at_unit_rms(made) if "flow" in stored else made
        if "plan" in stored and "latent" not in stored and (source or name in BUNDLED):
            side, damaged, n = source.get("side"), source.get("damaged", "refuse"), source.get("n")
            return sources.load(source.get("data", name), side, damaged=damaged, n=n)
        raise Problem("model_no_data")

    @torch.no_grad()
    def sample(
        self,
        n: int,
        sampler: str = "dpmpp_2m",
        steps: int = 20,
        seed: int = 0,
        label: int | str | Sequence[int | str] | None = None,
        scale: float = 1.0,
        negative: int | str | Mapping[str, str] | None = None,
        shape: tuple[int, ...] | None = None,
        attributes: str | Mapping[str, str] | None = None,
    ) -> Tensor:
        """n samples [n, *shape], on the CPU. Sample k of a seed is the same for any n.

        Args:
            n: the number of samples.
            sampler: one of ``SAMPLERS``.
            steps: steps of the sampler.
            seed: decides the noise.
            label: a class by number or name for all samples, or for each in turn; None: no class.
            scale: guidance scale w.
            negative: a class to guide away from; for a model with attributes what the samples shall not have, as
                ``attributes``.
            shape: of one sample, for a model that does not know it.
            attributes: what samples shall have, for a model with attributes: a sentence, such as "a person with a red
                hat", or attribute names with values, such as {"hat": "cap"}. Warns of words that name no attribute.

        Raises Problem for a class, an attribute or a value that the model does not have, and for impossible numbers.
        """
        _check_request(n, steps, seed, scale, shape)
        config = _family(self.checkpoint.config).sampler_config(sampler, steps, seed)
        if "flow" in self.checkpoint.config:
            start = flow_model.start(self.checkpoint.config, n, config, seed)
        else:
            start = samplers.start((n, *(shape or self.shape)), config.sigma_max, self.denoiser.sigma_data, seed)
        x = start.to(image_model.device_of(self.denoiser))
        denoise = self._guided(n, label, scale, negative, attributes)
        if flow_model.is_told_ends(self.checkpoint.config):
            denoise = few_step.steps_to(denoise, config.sigmas)
        return samplers.last(samplers.run(config, denoise, x)).cpu()

    def _guided(
        self,
        n: int,
        label: int | str | Sequence[int | str] | None,
        scale: float,
        negative: int | str | Mapping[str, str] | None,
        attributes: str | Mapping[str, str] | None,
    ) -> Denoise:
        """The denoiser under the guidance that ``sample`` describes."""
        if label is None and negative is None and attributes is None:
            return in_chunks(self.denoiser, image_model.CHUNK)
        several = label if isinstance(label, list | tuple) else [label]
        if not several:
            raise Problem("image_labels")
        numbers = [self._number(each) for each in several]  # a model with attributes has no classes
        if label is None and self.attributes or attributes is not None:
            wanted = requests.condition(self._values({} if attributes is None else attributes), n)
            away = None if negative is None else requests.negative(self._values(negative), n)
            return image_model.guided(self.denoiser, wanted, scale, away)
        labels = [numbers[k % len(numbers)] for k in range(n)]
        return image_model.guided(self.denoiser, labels, scale, self._number(negative))

    def _values(self, query: str | Mapping[str, str]) -> requests.Values:
        """The values of each attribute that are asked for."""
        request = requests.read(query, self.attributes)
        if request.unknown:
            warnings.warn(str(Problem("unknown_words", words=", ".join(request.unknown))), stacklevel=4)
        return request.values

    def _number(self, label: int | str | None) -> int | None:
        """The number of a class."""
        if label is None:
            return None
        known = self.classes
        number = label if (named := position(label, known)) is None else named
        if not isinstance(number, int) or not 0 <= number < len(known):
            raise Problem("model_unknown_class", name=label, known=", ".join(known) or "none in this model")
        return number


def _is_of_points(stored: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's config is that of a model of points."""
    return "recipe" in stored or "flow" in stored


def _family(stored: Mapping[str, Any]) -> ModuleType:
    """The module of the kind of model that a checkpoint's config describes."""
    return point_model if "recipe" in stored else flow_model if "flow" in stored else image_model


def _check_request(n: int, steps: int, seed: int, scale: float, shape: tuple[int, ...] | None) -> None:
    """Raise Problem unless so many samples of such a shape can be drawn like that."""
    for name, value in {"n": n, "steps": steps, "seed": seed}.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise Problem("setting_type", name=name, expected="a whole number", value=f"{value!r:.60}")
    if n < 0:
        raise Problem("sample_count", n=n)
    if not (isinstance(scale, Real) and math.isfinite(scale)):
        raise Problem("guidance_scale", scale=f"{scale!r:.60}")
    sides = shape if isinstance(shape, list | tuple) else (0,)
    if shape is not None and not all(isinstance(side, Integral) and side > 0 for side in sides):
        raise Problem("sample_shape", shape=f"{shape!r:.60}")


@dataclass(frozen=True)
class Training:
    """A training run after a step.

    Attributes:
        step: number of steps made.
        loss: the loss of the last step.
        get_model: makes ``model``.
    """

    step: int
    loss: float
    get_model: Callable[[], Model]

    @property
    def model(self) -> Model:
        """The model so far. Its weights are those of the run: the next step changes them."""
        return self.get_model()


def train(
    config: PointConfig | ImageConfig,
    data: Any,
    network: nn.Module | None = None,
    classes: int | Sequence[str] | None = None,
    model: Model | None = None,
) -> Iterator[Training]:
    """Train a model; yields after each step.

    Args:
        config: how to train: ``PointConfig`` for a set of points, ``ImageConfig`` for samples of any shape.
        data: a ``PointSet``, an ``ImageSet``, a tensor [N, ...], or a PyTorch Dataset or DataLoader (see
            ``sources.sample_set``).
        network: one's own network F(x, c_noise, cond), in place of the one that ``config`` names.
        classes: number or names of the classes, for data that do not say it.
        model: a model to train further, as ``load`` returns it.

    Trains on the graphics card, if there is one, and together with other processes, if torchrun started some. Raises
    Diverged (see ``training.train``), and Problem for a configuration or data that cannot be trained with.
    """
    team = distributed.join()
    if isinstance(config, PointConfig):
        return _train_points(config, data, model)
    return _train_samples(config, data, network, classes, model, team)


def _train_points(config: PointConfig, data: Any, model: Model | None) -> Iterator[Training]:
    if not isinstance(data, PointSet):
        raise Problem("points_needed", kind=type(data).__name__)
    for progress in point_model.run(config, data, model and resume(model.checkpoint)):
        yield Training(progress.state.step, progress.state.loss, partial(_point_model_of, progress, config, data))


def _point_model_of(progress: Progress, config: PointConfig, data: PointSet) -> Model:
    return Model(point_model.checkpoint_of(progress, config, data), data)


def _train_samples(
    config: ImageConfig,
    data: Any,
    network: nn.Module | None,
    classes: int | Sequence[str] | None,
    model: Model | None,
    team: distributed.Team,
) -> Iterator[Training]:
    is_set = all(hasattr(data, name) for name in ("sample", "shape", "rms"))
    source = data if is_set and not isinstance(data, Tensor) else sources.sample_set(data, classes)
    if model is None:
        checkpoint = image_model.new_checkpoint(config, source, network=network)
    else:
        checkpoint = image_model.resume(model.checkpoint, config, source)
    image_model.move(checkpoint.state, team.device)
    result = Model(checkpoint, data)
    for state in image_model.run(config, source, checkpoint.state, team):
        yield Training(state.step, state.loss, lambda: result)


def save(model: Model | Denoiser, folder: str | Path, shape: tuple[int, ...] | None = None) -> None:
    """Write a model to a folder, replacing what is there only once the new one is complete.

    A ``Denoiser`` around any network can be saved; shape: of one of its samples, so that a loaded model can draw some.
    """
    if isinstance(model, Denoiser):
        return save_folder(_checkpoint_of(model, shape), Path(folder), parts=("ema",))
    save_folder(model.checkpoint, Path(folder))


def _checkpoint_of(denoiser: Denoiser, shape: tuple[int, ...] | None) -> Checkpoint:
    """A checkpoint of a denoiser that was not trained here."""
    stored = {
        "prediction": denoiser.prediction,
        "sigma_data": denoiser.sigma_data,
        "scale_input": denoiser.scale_input,
        "data": {"shape": shape and list(shape), "classes": []},
        "train": as_dict(TrainConfig()),
        "network": {"name": CUSTOM, "class": class_name(denoiser.net)},
    }
    if isinstance(denoiser, PaletteDenoiser):
        number, channels = denoiser.palette.shape
        stored["palette"] = ((denoiser.palette + 1) * 127.5).round().int().tolist()
        stored["network"] |= {"colours": number, "channels": channels}
    return Checkpoint(TrainState(denoiser, denoiser, None), stored)


def load(name: str | Path, network: nn.Module | None = None) -> Model:
    """The model in a folder, in the folder of a run, in a zip file of either, or the shipped one of that name.

    It is on the graphics card, if there is one; models of points stay on the CPU, where such small networks are faster.

    network: for a network that is no part of core, one of the same class and size; its weights are replaced. Raises
    NoCheckpoint if there is no such model, and Problem for a damaged one, for one that draws nothing (CLIP), or if the
    network is missing.
    """
    checkpoint = open_checkpoint(Path(name), network)
    if not isinstance(checkpoint.denoiser, Denoiser):
        raise Problem("model_no_denoiser", name=str(name))
    if not _is_of_points(checkpoint.config):
        image_model.move(checkpoint.state, distributed.device())
    return Model(checkpoint)


def open_checkpoint(path: Path, network: nn.Module | None = None) -> Checkpoint:
    """The checkpoint in a folder, in the folder of a run, in a zip file of either, or the shipped one of that name.

    Raises NoCheckpoint if there is none, and Problem as `load_run` does.
    """
    if os.path.exists(path):
        return load_run(path, network)
    known = sorted(config.parent.name for config in SHIPPED.glob(f"*/{CONFIG}"))
    if str(path) not in known:
        raise NoCheckpoint("no_model", name=str(path), known=", ".join(known))
    return load_run(SHIPPED / path, network)
