"""Runs on points in the plane, for ``live``: chapters 2 and 5."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from core import recipe
from core.checkpoints import Checkpoint
from core.pretrained import find
from core.progress import Progress
from core.recipe import Recipe
from pages.ui import live
from pages.ui.dataset import Data

POINTS, LABELLED = "points", "points with classes"  # kinds of runs


@dataclass(frozen=True)
class Plan(live.Plan):
    """A recipe on a learner's data."""

    data: Data
    recipe: Recipe
    picture: Callable[[Progress], Any] = recipe.snapshot

    @property
    def kind(self) -> str:
        return LABELLED if self.recipe.conditional else POINTS

    def begin(self) -> Checkpoint:
        return recipe.begin(self.recipe, self.data.points)

    def run(self, progress: Progress) -> Iterator[Progress]:
        return recipe.run(self.recipe, self.data.points, progress)

    def floor(self) -> float:
        return recipe.floor(self.recipe, self.data.points)

    def keep(self, progress: Progress) -> Checkpoint:
        return recipe.keep(progress, self.recipe, self.data.points)

    @property
    def shipped(self) -> str | None:
        return find(self.data.name, len(self.data.points.points), self.recipe)
