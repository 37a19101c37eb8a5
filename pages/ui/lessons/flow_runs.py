"""Runs that train a flow model of points in the plane: chapter 6."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import nan

from core.data.points import PointSet
from core.lessons.flow_training import Snapshots
from core.models import flows
from core.models.flows import FlowConfig
from core.pretrained import FLOW_CONFIGS, N
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress
from core.runs.step_process import Continue
from pages.ui.runs import training_run

FLOWS = "flows"  # the kind of runs


@dataclass(frozen=True)
class Ends:
    """Where a flow begins and ends: the source, None for standard normal noise, and the data, both of unit root mean
    square."""

    source: PointSet | None
    target: PointSet

    @property
    def name(self) -> str:
        """The name of the data."""
        return self.target.name


@dataclass(frozen=True)
class FlowTraining(training_run.TrainingRequest):
    """To train by a `FlowConfig` between two `Ends`."""

    data: Ends
    config: FlowConfig

    @property
    def kind(self) -> str:
        return FLOWS

    @property
    def data_key(self) -> tuple[str, str, str]:
        source = self.data.source
        return self.data.name, self.data.target.digest, source.digest if source else ""

    def begin(self) -> Checkpoint:
        return flows.new_checkpoint(self.config, self.data.target, self.data.source)

    def run(self, progress: Progress) -> Iterator[Progress]:
        return flows.run(self.config, self.data.target, progress, self.data.source)

    def bayes_loss(self) -> float:
        return nan  # the least loss depends on the pairs, which change under way

    def checkpoint(self, progress: Progress) -> Checkpoint:
        return flows.checkpoint_of(progress, self.config, self.data.target, self.data.source)

    @property
    def portable(self) -> Continue | None:
        if self.config.own_paths_from is not None:
            return None  # another process would draw the model's own paths anew in each time slice
        return partial(flows.run_on, self.config, self.data.target, self.data.source)

    @property
    def shipped(self) -> str | None:
        source, target = self.data.source, self.data.target
        if len(target.points) != N:
            return None
        made = source and source.name, target.name, self.config
        return next((name for name, known in FLOW_CONFIGS.items() if known == made), None)


def training(source: PointSet | None, target: PointSet, config: FlowConfig) -> FlowTraining:
    """The training of a flow model."""
    return FlowTraining(Ends(source, target), config, Snapshots(source))
