"""Runs that train a model of points in the plane: chapters 2 and 5."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from core.lessons import training as lesson
from core.models import points as point_model
from core.models import trajectories
from core.models.points import PointConfig
from core.models.trajectories import PointModel
from core.pretrained import find
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress
from pages.ui.runs import training_run
from pages.ui.widgets.dataset_picker import Data

POINTS, LABELLED = "points", "points with classes"  # kinds of runs


@dataclass(frozen=True)
class PointTraining(training_run.TrainingRequest):
    """A configuration on a learner's data."""

    data: Data
    config: PointConfig
    picture: Callable[[Progress], Any] = lesson.snapshot

    @property
    def kind(self) -> str:
        return LABELLED if self.config.conditional else POINTS

    def begin(self) -> Checkpoint:
        return point_model.new_checkpoint(self.config, self.data.points)

    def run(self, progress: Progress) -> Iterator[Progress]:
        return point_model.run(self.config, self.data.points, progress)

    def bayes_loss(self) -> float:
        return point_model.bayes_loss(self.config, self.data.points)

    def keep(self, progress: Progress) -> Checkpoint:
        return point_model.checkpoint_of(progress, self.config, self.data.points)

    @property
    def shipped(self) -> str | None:
        return find(self.data.name, len(self.data.points.points), self.config)


def own_model(kind: str) -> PointModel | None:
    """The model of this visitor's newest run of that kind as it is now; None where there is none."""
    request = training_run.latest(kind)
    return request and trajectories.unshipped(training_run.model(request), request.data.points, request.data.endless)
