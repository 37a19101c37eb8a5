"""Zero-shot classification: prompts as a learner words them, and the probabilities of pictures under two lists."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from core.figures.scene import Images, Panel, Scene
from core.lessons import clip as lesson
from core.lessons.clip import Accuracy, Prompt, Space
from core.models import clip_space
from core.problems import Problem
from pages.ui.frame import text
from pages.ui.frame.text import t
from pages.ui.lessons import clip_collection as collection

ROLES = ("data", "sample")
EXAMPLES = 4


@dataclass(frozen=True, eq=False)
class Classified:
    """Pictures classified under two lists of prompts.

    Attributes:
        prompts: the two lists.
        probabilities: [m, P] of each list, for the m pictures classified.
        accuracies: of each list; None where no prompt is named after a group.
        examples: places among the m pictures of those to show.
        numbers: the numbers [m] of the pictures.
    """

    prompts: Sequence[tuple[Prompt, ...]]
    probabilities: Sequence[Tensor]
    accuracies: Sequence[Accuracy | None]
    examples: Sequence[int]
    numbers: Tensor


def prompts_of(wording: str, default: str) -> tuple[tuple[Prompt, ...], Problem | None]:
    """The prompts of a wording; those of the default, and the problem, where it cannot be read."""
    try:
        return lesson.parse_prompts(wording), None
    except Problem as problem:
        return lesson.parse_prompts(default), problem


def classify(space: Space, wordings: Sequence[str], numbers: Tensor, seed: int) -> Classified:
    """Classify pictures under two wordings."""
    prompts = [prompts_of(wording, default)[0] for wording, default in zip(wordings, lesson.WORDINGS, strict=True)]
    probabilities = [lesson.classify(space, some, numbers) for some in prompts]
    accuracies = [lesson.accuracy(some, p, numbers) for some, p in zip(prompts, probabilities)]
    return Classified(prompts, probabilities, accuracies, examples(numbers, seed), numbers)


def examples(numbers: Tensor, seed: int) -> list[int]:
    """Places in ``numbers`` of pictures of ``EXAMPLES`` groups, others for another seed."""
    groups = lesson.groups()
    places: dict[str, list[int]] = {name: [] for name in lesson.GROUPS}
    for at, i in enumerate(numbers.tolist()):
        places.get(groups[i], []).append(at)
    filled = [group for group in places.values() if group]
    chosen = [filled[(EXAMPLES * seed + k) % len(filled)] for k in range(min(EXAMPLES, len(filled)))]
    return [group[seed // 2 % len(group)] for group in chosen]


def better_by(found: Classified) -> float:
    """How far the mean accuracies of the two lists are apart; 0 where one of them has none."""
    one, other = found.accuracies
    return abs(one.mean - other.mean) if one and other else 0.0


def scene(found: Classified) -> Scene:
    """The examples under each wording, each with its most probable class."""
    examples = found.numbers[list(found.examples)]
    pixels = clip_space.pairs().images[examples].movedim(1, -1)[None]
    panels, described = [], []
    for k, (prompts, p) in enumerate(zip(found.prompts, found.probabilities), 1):
        best = p[list(found.examples)].max(1)
        names = [f"{prompts[i].name}, {value:.0%}" for i, value in zip(best.indices.tolist(), best.values.tolist())]
        title = t("clip.zero_shot.wording", k=k)
        panels.append(Panel(title, [Images(pixels, colour=ROLES[k - 1], names=names)]))
        pairs = (f"{collection.captions()[i]}: {name}" for i, name in zip(examples.tolist(), names))
        described.append(f"{title}: {'; '.join(pairs)}.")
    return Scene(panels, alt=text.join([t("clip.zero_shot.shelf") + ".", *described]))
