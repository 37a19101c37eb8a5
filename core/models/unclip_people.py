"""How well unCLIP draws people as captions ask, judged attribute by attribute.

A request is a row of attributes, -1 where one is not asked for (``people_judge.requests``); its caption names all
of the others.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.data import people_captions
from core.data.images import pixels
from core.data.people import ATTRIBUTES
from core.models import people_judge
from core.models import unclip as unclip_model
from core.models.unclip import Unclip


def caption_of(request: Tensor, language: str = "en", seed: int = 0) -> str:
    """A caption that names the attributes of a request [12]."""
    numbered = zip(ATTRIBUTES.items(), request.tolist(), strict=True)
    named = {name: values[number] for (name, values), number in numbered if number >= 0}
    return people_captions.caption(named, language, seed)


@dataclass(frozen=True)
class Scales:
    """How pictures are sampled: the guidance scales of the decoder and of the prior, and the steps of each."""

    decoder: float = 2.0
    prior: float = 4.0
    steps: int = 20


def draw(
    unclip: Unclip, requests: Tensor, language: str = "en", scales: Scales = Scales(), skip_prior: bool = False,
    seed: int = 0,
) -> Tensor:  # fmt: skip
    """A picture uint8 [n, 3, 16, 16] for the caption of each request [n, 12]."""
    captions = [caption_of(request, language, seed + k) for k, request in enumerate(requests)]
    options = scales.decoder, scales.prior, scales.steps, seed, skip_prior
    return pixels(unclip_model.generate(unclip, captions, "", *options)).cpu()


@dataclass(frozen=True)
class Accuracy:
    """The shares of what requests ask for that the judge finds in the pictures: of all attributes that were asked for,
    and of the pictures in which all of them are right."""

    attributes: float
    all: float


def accuracy(requests: Tensor, images: Tensor) -> Accuracy:
    """How far pictures uint8 [n, 3, 16, 16] have the attributes that were asked for, [n, 12]."""
    right = people_judge.right(requests, people_judge.attributes_of(images))
    return Accuracy(right[requests >= 0].double().mean().item(), right.all(1).double().mean().item())


def unwanted_shares(
    unclip: Unclip, caption: str, unwanted: str, n: int = 200, scales: Scales = Scales(), seed: int = 0
) -> tuple[float, float]:
    """The share of the pictures of a caption that have all that another caption names: without a negative caption, and
    with that one as the negative caption."""
    shares, options = [], (scales.decoder, scales.prior, scales.steps, seed)
    for negative in ("", unwanted):
        images = pixels(unclip_model.generate(unclip, [caption] * n, negative, *options)).cpu()
        shares.append(has(images, unwanted).double().mean().item())
    return shares[0], shares[1]


def has(images: Tensor, caption: str) -> Tensor:
    """Which pictures of people uint8 [n, 3, 16, 16] have all that a caption names, bool [n]."""
    read, found = people_judge.attributes_of(images), torch.ones(len(images), dtype=torch.bool)
    for name, value in people_captions.parse(caption).wanted.items():
        numbers = [ATTRIBUTES[name].index(one) for one in people_captions.values(name, value)]
        found &= torch.isin(read[:, list(ATTRIBUTES).index(name)], torch.tensor(numbers))
    return found


# Tables


UNWANTED = (
    ("a person with glasses", "hat"), ("a person with a hat", "glasses"), ("a person with a hat", "sunglasses"),
    ("a person", "beard"), ("a smiling person", "earrings"), ("戴眼镜的人", "帽子"),
)  # fmt: skip
"""Captions, each with a negative caption."""


def table(unclip: Unclip, n: int = 2000, scales: Scales = Scales(), seed: int = 0) -> list[tuple[str, ...]]:
    """The rows of an evaluation, the first of them the head: how far pictures have what captions ask for.

    Requests of 3 to 5 attributes, n for any, and half as many for combinations of hat, glasses and clothes that were
    trained on, and for held-out ones. Captions of them in English and in Chinese, and with the prior skipped.
    """
    wanted = [people_judge.requests(n if kind is None else n // 2, seed, kind) for kind in (None, False, True)]
    rows = [("captions", "named attributes right", "all of a caption right", "all right, combinations trained on",
             "all right, held-out combinations")]  # fmt: skip
    for name, language, skip in (("English", "en", False), ("Chinese", "zh", False), ("English, no prior", "en", True)):
        found = [accuracy(some, draw(unclip, some, language, scales, skip, seed)) for some in wanted]
        rows.append((name, f"{found[0].attributes:.1%}", *(f"{one.all:.1%}" for one in found)))
    return rows


def negative_table(unclip: Unclip, n: int = 2000, scales: Scales = Scales(), seed: int = 0) -> list[tuple[str, ...]]:
    """The rows of an evaluation, the first of them the head: how many pictures of n have what a negative caption names,
    without it and with it."""
    rows = [("caption", "negative caption", "share without it", "share with it")]
    for caption, unwanted in UNWANTED:
        shares = unwanted_shares(unclip, caption, unwanted, n, scales, seed)
        rows.append((caption, unwanted, *(f"{share:.1%}" for share in shares)))
    return rows
