"""How good latent diffusion is: what places of the plane of digits decode to, and people from latents beside those of
the pixel model."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core import seeds
from core.data.images import unit
from core.diffusion.samplers import SAMPLERS
from core.models import digit_judge, latent, people_judge
from core.models import images as image_model
from core.models.latent import LatentSpace
from core.models.people_judge import requested_people, requests, right
from core.runs.checkpoints import Checkpoint

TIMED = 64  # people of one call whose seconds are measured
_PLACE = 0x91A0  # keeps the random places apart from all other draws


# The plane of digits


def random_places(n: int, seed: int = 0) -> Tensor:
    """n places of the plane in the encoder's own units, [n, 2], from N(0, I): the distribution that the KL divergence
    draws latents towards, and that a variational autoencoder is sampled from (Kingma & Welling 2014, section 3)."""
    return seeds.gaussian((n, 2), seed, _PLACE)


@torch.no_grad()
def decoded(space: LatentSpace, places: Tensor) -> Tensor:
    """The pictures [n, C, H, W] of places [n, 2] in the encoder's own units."""
    return space.autoencoder.decode(places)


@dataclass(frozen=True)
class PlaneReport:
    """Shares of pictures that are read as some digit with a confidence over 0.9 (see ``digit_judge``).

    Attributes:
        real: held-out digits.
        rebuilt: digits after encoding and decoding.
        random: decoded random places (see ``random_places``).
        samples: decoded samples of the diffusion model, all classes in turn; None without one.
        fitting: samples that are read as the class that was asked for, whatever the confidence.
    """

    real: float
    rebuilt: float
    random: float
    samples: float | None = None
    fitting: float | None = None


def plane_report(
    space: LatentSpace, digits: Tensor, checkpoint: Checkpoint | None = None, n: int = 512, places: int = 500,
    scale: float = 1.0, steps: int = 20, seed: int = 0,
) -> PlaneReport:  # fmt: skip
    """The report on a plane of digits [N, 1, 8, 8], and on ``n`` samples of a diffusion model on it."""
    real = digit_judge.known_and_held_out()[1][0]
    shares = [digit_judge.share_read(x) for x in
              (real, space.decode(space.encode(digits)), decoded(space, random_places(places, seed)))]  # fmt: skip
    if checkpoint is None:
        return PlaneReport(*shares)
    labels = [k % len(checkpoint.config["data"]["classes"]) for k in range(n)]
    _, x = latent.sample(checkpoint, space, labels, scale, steps=steps, seed=seed)
    fitting = digit_judge.read(x)[0] == torch.tensor(labels)
    return PlaneReport(*shares, digit_judge.share_read(x), fitting.double().mean().item())


# People


@dataclass(frozen=True)
class PeopleReport:
    """How well pictures of people fit requests of 3 to 5 attributes, by the network that reads them, as shares.

    Attributes:
        whole: of the requests, all attributes are right.
        attributes: of the attributes asked for, those that are right.
        calls, seconds: of one sample: network calls, and seconds of one core where ``TIMED`` are drawn together; 0 for
            pictures that were not sampled.
    """

    whole: float
    attributes: float
    calls: int = 0
    seconds: float = 0.0


def judge(wanted: Tensor, x: Tensor, calls: int = 0, seconds: float = 0.0) -> PeopleReport:
    """The report on pictures [n, 3, 16, 16] that were made for requests [n, 12]."""
    fits, named = right(wanted, people_judge.attributes_of(x)), wanted >= 0
    attributes = (fits & named).sum() / named.sum()
    return PeopleReport(fits.all(1).double().mean().item(), attributes.item(), calls, seconds)


def people_reports(
    pixel: Checkpoint, checkpoint: Checkpoint, space: LatentSpace, n: int = 512, scale: float = 3.0,
    sampler: str = "dpmpp_2m", steps: int = 20, seed: int = 0,
) -> dict[str, PeopleReport]:  # fmt: skip
    """Reports on the same n requests: of real people ("real"), of these encoded and decoded ("rebuilt"), of the pixel
    model ("pixels") and of the latent one ("latents") from as many steps."""
    wanted = requests(n, seed)
    real = unit(requested_people(n, seed).images)
    calls = SAMPLERS[sampler].calls(steps) * (1 if scale in (0, 1) else 2)

    def in_pixels(some: Tensor) -> Tensor:
        shape = image_model.shape_of(pixel.config)
        return image_model.sample(pixel.denoiser, shape, {"attributes": some}, scale, None, sampler, steps, seed)

    def in_latents(some: Tensor) -> Tensor:
        return latent.sample(checkpoint, space, {"attributes": some}, scale, sampler, steps, seed)[1]

    reports = {"real": judge(wanted, real), "rebuilt": judge(wanted, space.decode(space.encode(real)))}
    drawn = {"pixels": in_pixels, "latents": in_latents}
    seconds = seconds_of(list(drawn.values()), wanted[:TIMED])
    for (name, draw), each in zip(drawn.items(), seconds, strict=True):
        reports[name] = judge(wanted, draw(wanted), calls, each)
    return reports


def seconds_of(draws: list[Callable[[Tensor], Tensor]], wanted: Tensor, rounds: int = 3) -> list[float]:
    """Seconds of one core per sample of each function that draws samples for requests: the least of several rounds,
    taken in turn, so that other work of the machine slows all alike."""
    threads, least = torch.get_num_threads(), [float("inf")] * len(draws)
    torch.set_num_threads(1)
    try:
        for _ in range(rounds):
            for k, draw in enumerate(draws):
                begun = time.process_time()
                draw(wanted)
                least[k] = min(least[k], (time.process_time() - begun) / len(wanted))
    finally:
        torch.set_num_threads(threads)
    return least
