"""The controls of the chapter on latent diffusion."""

from dataclasses import dataclass

from core.diffusion.samplers import SAMPLERS
from core.lessons.latent import FIELD_REACH
from pages.ui.frame.links import choice, code, number, place
from pages.ui.runs import training_run

WEIGHTS = ("0", "0.03", "0.1", "0.3", "1", "2")
ANY = "any"
ASKS: dict[str, dict[str, str]] = {
    "red_hat": {"hat": "top_hat", "hat_colour": "red"},
    "green_hair": {"hair": "long", "hair_colour": "green", "hat": "none"},
    "beard": {"beard": "beard", "glasses": "sunglasses"},
    "anyone": {},
}
"""What people can be asked to have."""


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("noise", "between", "nothing"), style="none")
    show: str = choice("plane", ("plane", "weights", "field", "rebuilt", "people"))
    kl: str = choice("0.1", WEIGHTS, style="select", main=True)
    probe: tuple[float, float] = place((0.5, 0.5), FIELD_REACH)
    digit: str = choice(ANY, (ANY, *map(str, range(10))), style="select", main=True)
    sampler: str = choice("ddim", tuple(SAMPLERS), "samplers", "select", main=True)
    w: float = choice(3.0, (1.0, 2.0, 3.0, 4.0), style="slider", main=True)
    ask: str = choice("red_hat", tuple(ASKS), style="select", main=True)
    first: int = number(0, 0, 999)
    seed: int = number(0, 0, 9999)
    run: str | None = code(training_run.check_run)

    @property
    def label(self) -> int | None:
        """The number of the digit that is asked for; None: any."""
        return None if self.digit == ANY else int(self.digit)
