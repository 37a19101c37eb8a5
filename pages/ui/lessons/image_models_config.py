"""The controls of the chapter on image models."""

from dataclasses import dataclass

from core.diffusion.samplers import SAMPLERS
from core.lessons import image_models as lesson
from core.lessons import memorization
from core.lessons.image_models import MAX_STEPS, MULTISTEP
from core.models import live_digits, live_people, run_folder
from core.networks import SIZES
from pages.ui.frame.links import choice, code, number
from pages.ui.frame.links import text as line
from pages.ui.lessons import own_models
from pages.ui.runs import followed, training_run

SIDES = {"people": 16, "fashion": 28, "emoji": 32, "digits": 8, "own_folder": 0}  # of the images of a set; 0: any
SHIPPED = ("people", "fashion", "digits", "emoji")
EVERY_CLASS, NO_CLASS, NO_NEGATIVE = "every_class", "no_class", "no_negative"


def class_names() -> tuple[str, ...]:
    """The classes of all shipped models."""
    return tuple(dict.fromkeys(name for model in map(lesson.shipped, SHIPPED) for name in model.classes))


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("noisy", "ghosts", "sharp"), style="none")
    show: str = choice(
        "request",
        ("request", "four_samplers", "nearest_training_image", "memorised_or_learned", "guidance", "train"),
    )
    model: str = choice(SHIPPED[0], (*SHIPPED, *own_models.LIVE), "models", "select")
    ask: str = line("", 200, main=True)
    avoid: str = line("", 200)
    label: str = choice(EVERY_CLASS, lambda: (EVERY_CLASS, NO_CLASS, *class_names()), "classes", "select", main=True)
    negative: str = choice(NO_NEGATIVE, lambda: (NO_NEGATIVE, *class_names()), "classes", "select")
    w: float = number(2.0, 0.0, 10.0, 0.5, style="slider", main=("request",))
    steps: int = number(20, 2, MAX_STEPS)
    second: str = choice(MULTISTEP, (MULTISTEP, "heun"), "samplers", "radio")
    n: int = choice(4, (4, 6, 8), style="slider")
    seed: int = number(0, 0, 9999)
    of: str = choice("state", ("state", "guess"))
    by: str = choice(MULTISTEP, lambda: tuple(SAMPLERS), "samplers", "select", main=True)
    people: str = choice("10", memorization.known_people, main=True)
    train: str = choice("people", ("people", "live", "bigger", "follow"), main=True)
    net: str = choice("unet", tuple(live_digits.CONFIGS))
    lr: float = number(live_people.CONFIG.lr, 1e-6, 1e6, 1e-3, form="%g")
    run: str | None = code(training_run.check_run)
    data: str = choice("people", tuple(SIDES), "data", "select")
    bignet: str = choice("unet", tuple(SIZES), style="select")
    bigsteps: int = number(10_000, 100, 10_000_000, 1_000)
    processes: int = choice(1, (1, 2, 4, 8), style="select")
    size: str = choice(
        "small", tuple(dict.fromkeys(size for sizes in SIZES.values() for size in sizes)), style="select"
    )
    batch: int = choice(128, (32, 64, 128, 256, 512, 1024), style="select")
    name: str = line("", 40)
    follow: str = choice("", lambda: tuple(run_folder.runs(own_models.FOLDER)), style="select")
    curve: str = choice("over_steps", tuple(followed.CURVES))
