"""The controls of chapter 5, and which of them each scene has."""

from dataclasses import dataclass

from core.data import CLASSES
from core.lessons import guidance as lesson
from core.lessons.guidance import WEAK_MODELS
from pages.ui.frame.links import choice, code, interval, number, place
from pages.ui.lessons.guidance_panels import REACH
from pages.ui.runs import training_run

STRONG, EARLY, WEAK = "spiral-classes-strong", "spiral-classes-200", "spiral-classes-weak"
EXACT, OWN = "exact", "own_class_run"
MODELS = (*lesson.MODELS, EXACT, OWN)
EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # where a guidance interval can end
PROBE, FAR = (0.8, -0.75), 16 * REACH  # FAR: where a probe can be, as the picture grows with long arrows


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("third", "two_thirds", "nearly_all"), style="none")
    show: str = choice(
        "two_fields",
        ("two_fields", "one_place", "weak_and_converged", "eight_scales", "negative_prompt", "beyond", "train_live"),
    )
    model: str = choice(STRONG, MODELS, "models", "select", main=True)
    wanted: str = choice("cat", CLASSES, "classes")
    negative: str = choice("person", CLASSES, "classes", main=True)
    dropout: float = choice(0.1, (0.0, 0.1, 0.3), main=True)
    scale: float = number(2.0, 0.0, 12.0, 0.25, "slider", main=True)
    # The negative prompt has settings of its own: those of other scenes hide what it does.
    negative_model: str = choice(WEAK, MODELS, "models", "select")
    negative_scale: float = number(1.25, 0.0, 12.0, 0.25, "slider", main=True)
    beyond_model: str = choice(EARLY, MODELS, "models", "select")  # one that guidance can still improve
    beyond_scale: float = number(4.0, 0.0, 12.0, 0.25, "slider", main=True)
    interval: tuple[float, float] = interval((0.1, 1.0), EDGES, main=True)
    weak: str = choice("spiral-classes-100", WEAK_MODELS, "models", "select")
    seed: int = number(0, 0, 9999)
    probe: tuple[float, float] = place(PROBE, FAR)
    run: str | None = code(training_run.check_run)

    @property
    def chosen(self) -> str:
        """The model of the scene that is shown."""
        return {"negative_prompt": self.negative_model, "beyond": self.beyond_model}.get(self.show, self.model)

    @property
    def label(self) -> int:
        """The number of the wanted class."""
        return CLASSES.index(self.wanted)

    @property
    def negatives(self) -> tuple[str, ...]:
        """What a negative prompt can be: the other classes."""
        return tuple(name for name in CLASSES if name != self.wanted)

    @property
    def negative_label(self) -> int:
        """The number of the negative class, which is never the wanted one."""
        return CLASSES.index(self.negative if self.negative in self.negatives else self.negatives[0])


CONTROLS: dict[str, tuple[str, ...]] = {
    "two_fields": ("model", "wanted"),
    "one_place": ("model", "wanted", "scale"),
    "weak_and_converged": ("wanted", "scale", "seed"),
    "eight_scales": ("model", "wanted", "seed"),
    "negative_prompt": ("negative_model", "wanted", "negative", "negative_scale", "seed"),
    "beyond": ("beyond_model", "wanted", "beyond_scale", "interval", "weak", "seed"),
    "train_live": ("wanted", "dropout", "scale"),
}
"""The controls of each scene, in the order in which the page draws them."""
