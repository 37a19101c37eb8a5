"""Runs that train a model of points in the plane: chapters 2 and 5."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from core.models import points as point_model
from core.models import trajectories
from core.models.trajectories import PointModel
from core.pretrained import find
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress
from core.runs.step_process import Continue
from pages.ui.runs import training_run

POINTS, LABELLED = "points", "labelled_points"  # kinds of runs


@dataclass(frozen=True)
class PointTraining(training_run.TrainingRequest):
    """To train by a `PointConfig` on a `PointSet`."""

    @property
    def kind(self) -> str:
        return LABELLED if self.config.conditional else POINTS

    @property
    def data_key(self) -> tuple[str, str]:
        return self.data.name, self.data.digest

    def begin(self) -> Checkpoint:
        return point_model.new_checkpoint(self.config, self.data)

    def run(self, progress: Progress) -> Iterator[Progress]:
        return point_model.run(self.config, self.data, progress)

    def bayes_loss(self) -> float:
        return point_model.bayes_loss(self.config, self.data)

    def checkpoint(self, progress: Progress) -> Checkpoint:
        return point_model.checkpoint_of(progress, self.config, self.data)

    @property
    def portable(self) -> Continue:
        return partial(point_model.run_on, self.config, self.data)

    @property
    def shipped(self) -> str | None:
        return find(self.data.name, len(self.data.points), self.config)


def own_model(kind: str) -> PointModel | None:
    """The model of this visitor's newest run of that kind as it is now; None where there is none."""
    request = training_run.latest(kind)
    if request is None:
        return None
    denoise = training_run.checkpoint(request).denoiser
    return trajectories.unshipped(denoise, request.data, request.config.endless)
