"""The commands of pixel people: ``python -m core evaluate people``, and the training of the network that judges them
(``python -m core.pretrained people-judge``)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from core.cli.images import Sampler, check_count, check_sampling
from core.data import people
from core.data.images import unit
from core.data.people import ATTRIBUTES, SIDE
from core.models import clip, image_judge, memorization, people_judge, people_queries, unclip, unclip_people
from core.models import images as image_model
from core.models import requests as image_requests
from core.models.model import SHIPPED, open_checkpoint
from core.problems import Problem
from core.runs import distributed
from core.runs.checkpoints import Checkpoint

REFERENCE, REFERENCE_SEED = 10_000, 0x5EED  # real people that distributions are compared with


# Evaluation


@dataclass(frozen=True, eq=False)
class Requests:
    """Requests [n, 12] of three kinds: any attributes, held-out combinations, and combinations that were trained on.
    There are half as many of the last two."""

    anything: Tensor
    held_out: Tensor
    trained_on: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.anything, self.held_out, self.trained_on))


@dataclass(frozen=True, eq=False)
class Report:
    """How well pictures fit requests, as shares, and how near they are to people (see ``evaluate``).

    Attributes:
        network, exact: all attributes that were asked for are right, by the network and by the nearest person.
        each: of each attribute where it was asked for, by the network and by the nearest person.
        held_out, trained_on: all attributes are right, by the network, where such a combination was asked for.
        stray: pixels that differ by more than 0.15 and 0.3 from the nearest person.
        frechet: Frechet distance to real people in the network's features.
    """

    network: float
    exact: float
    each: list[tuple[float, float]]
    held_out: float
    trained_on: float
    stray: tuple[float, float]
    frechet: float


def evaluate(
    checkpoint: Path = SHIPPED / "people",
    encoders: Path = SHIPPED / "people-clip",
    prior: Path = SHIPPED / "people-prior",
    decoder: Path = SHIPPED / "people-decoder",
    n: int = 2000,
    scales: tuple[float, ...] = (1.0, 2.0, 3.0),
    sampler: Sampler = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
    memorised: bool = False,
) -> None:
    """Judge an image model of people in one table: are they what was asked for, and could they have been composed?

    Requests name 3 to 5 attributes that can be seen of a person; they are the same in every row. Two judges read the
    pictures: a network, and the nearest person that can be composed.

    Args:
        checkpoint: a checkpoint's folder, a run's folder that holds one, or the name of a shipped model.
        encoders: the same of a CLIP of people.
        prior, decoder: the same of the two parts of unCLIP that were trained with it.
        n: how many requests for any attributes; half as many for held-out combinations, and for others.
        scales: guidance scales w, a row for each.
        sampler: how to go from noise to images.
        steps: steps of the sampler.
        seed: decides the requests and the noise.
        memorised: also judge what the shipped models of 10, 100, ... people copy, and this one, each by n samples.
    """
    check_count(n, fewest=2)
    for scale in scales:
        check_sampling(steps, [sampler], scales=scale)
    opened = open_checkpoint(checkpoint)
    check_model(opened, checkpoint)
    parts = _unclip_parts(encoders, prior, decoder)
    counts = {None: n, True: n // 2, False: n // 2}
    wanted = Requests(*(people_judge.requests(some, seed, kind) for kind, some in counts.items()))
    real = [unit(people_judge.requested_people(some, seed, kind).images) for kind, some in counts.items()]
    rows = {"real people": real, "real people, 3x3 blur": [image_judge.blurred(x) for x in real]}
    reports = {name: judge(wanted, images) for name, images in rows.items()}
    for scale in scales:
        draw = partial(samples, opened, scale=scale, sampler=sampler, steps=steps, seed=seed)
        reports[f"image model, w = {scale:g}"] = judge(wanted, [draw(some) for some in wanted])
    print(f"People: {n:,} requests of 3 to 5 attributes, {n // 2:,} of held-out combinations, as many of others; "
          f"seed {seed}; step {opened.state.step:,} of the image model, {sampler}, {steps} steps.")  # fmt: skip
    print_requests(reports)
    print_attributes(reports)
    print_clip(parts[0], seed)
    print_unclip(unclip.assemble(*parts), n, seed)
    if memorised:
        few = [file.parent for file in SHIPPED.glob("people-*/losses.jsonl")]
        print_copies({folder.name: open_checkpoint(folder) for folder in (*few, checkpoint)}, n, seed)


def _unclip_parts(*folders: Path) -> list[Checkpoint]:
    """The CLIP, the prior and the decoder of people in three folders. Raises Problem if they do not belong together."""
    parts = [open_checkpoint(folder) for folder in folders]
    clip.check_images(parts[0], (3, SIDE, SIDE), "people")
    unclip.assemble(*parts)
    return parts


def check_model(checkpoint: Checkpoint, name: Path) -> None:
    """Raise Problem unless a checkpoint is an image model of people of 16x16 pixels, conditioned on attributes."""
    stored = checkpoint.config
    fits = "plan" in stored and image_requests.attributes_of(stored) == ATTRIBUTES
    if not fits or image_model.shape_of(stored) != (3, SIDE, SIDE):
        raise Problem("people_other_model", name=str(name), side=SIDE)


def samples(checkpoint: Checkpoint, wanted: Tensor, scale: float, sampler: str, steps: int, seed: int) -> Tensor:
    """A sample [n, 3, 16, 16] for each request [n, 12], on the CPU, drawn behind a progress bar."""
    denoiser, shape = checkpoint.denoiser.to(distributed.device()), image_model.shape_of(checkpoint.config)
    bar = partial(tqdm, total=steps, desc=f"w = {scale:g}", unit="step", leave=False)
    cond = {"attributes": wanted}
    return image_model.sample(denoiser, shape, cond, scale, None, sampler, steps, seed, bar).cpu()


def judge(wanted: Requests, images: list[Tensor]) -> Report:
    """The report on three sets of pictures [n, 3, 16, 16] that were made for three sets of requests."""
    network = [people_judge.right(some, people_judge.attributes_of(x)) for some, x in zip(wanted, images, strict=True)]
    nearest = people_judge.nearest(images[0])
    exact, named = people_judge.right(wanted.anything, nearest.attributes), wanted.anything >= 0
    rates = [(one & named).sum(0) / named.sum(0) for one in (network[0], exact)]
    return Report(
        *(_share(one.all(1)) for one in (network[0], exact)),
        list(zip(*(rate.tolist() for rate in rates), strict=True)),
        *(_share(one.all(1)) for one in network[1:]),
        tuple(people_judge.stray_pixels(nearest.difference, above) for above in (0.15, 0.3)),
        people_judge.frechet(images[0], people.draw(REFERENCE, REFERENCE_SEED).images),
    )


def _share(flags: Tensor) -> float:
    return flags.double().mean().item()


def print_requests(reports: dict[str, Report]) -> None:
    """Print a row for each report: what was asked for, and how near to people the pictures are."""
    print("| pictures | all right, network | of its rate on real people | all right, nearest person "
          "| held-out combination | combination trained on | stray pixels above 0.15 | above 0.3 "
          "| Frechet distance |")  # fmt: skip
    print("| --- " * 9 + "|")
    real = next(iter(reports.values()))
    for name, row in reports.items():
        print(f"| {name} | {row.network:.1%} | {row.network / real.network:.1%} | {row.exact:.1%} | {row.held_out:.1%} "
              f"| {row.trained_on:.1%} | {row.stray[0]:.2f} | {row.stray[1]:.2f} "
              f"| {row.frechet:.3g} ({row.frechet / real.frechet:.1f} x) |")  # fmt: skip


def print_attributes(reports: dict[str, Report]) -> None:
    """Print a row for each report: how often each attribute is right where it was asked for, by either judge."""
    print("\nEach attribute where it was asked for, right by the network / by the nearest person:")
    print(f"| pictures | {' | '.join(name.replace('_', ' ') for name in ATTRIBUTES)} |")
    print("| --- " * (1 + len(ATTRIBUTES)) + "|")
    for name, row in reports.items():
        cells = ["not asked for" if math.isnan(one) else f"{one:.1%} / {other:.1%}" for one, other in row.each]
        print(f"| {name} | {' | '.join(cells)} |")


def print_unclip(parts: unclip.Unclip, n: int, seed: int) -> None:
    """Print how far unCLIP draws what captions ask for, and leaves out what negative captions name."""
    print(
        f"\nunCLIP, captions of {n:,} requests and half as many of the last two kinds; {n:,} pictures of each caption:"
    )
    for rows in (unclip_people.table(parts, n, seed=seed), unclip_people.negative_table(parts, n, seed=seed)):
        head, *rest = rows
        for row in (head, ["---"] * len(head), *rest):
            print(f"| {' | '.join(row)} |")
        print()


def print_clip(checkpoint: Checkpoint, seed: int) -> None:
    """Print what a CLIP of people answers, beside the linear baseline (`people_queries`)."""
    answering = {"CLIP": people_queries.encoders(checkpoint), "linear (CCA)": people_queries.baseline()}
    print(f"\nCLIP, seed {seed}. Of {people_queries.PER_DIFFERENCE} pairs of pictures that differ in one attribute: "
          "how often a right word is nearest to their difference (of a hat its kind, or the word for any hat, which is "
          f"also counted by itself); how often a caption finds its own among {people_queries.AMONG:,} people of "
          "held-out combinations, beside what captions determine:")  # fmt: skip
    for k, row in enumerate(people_queries.table(answering, seed)):
        print(f"| {' | '.join(row)} |")
        if not k:
            print("| --- " * len(row) + "|")


def print_copies(checkpoints: dict[str, Checkpoint], n: int, seed: int) -> None:
    """Print what samples of models, drawn without a request, copy of the people that each was trained on."""
    print(f"\n{n:,} samples without a request, seed {seed}, beside the people that a model was trained on. A copy is "
          "three times as near to one of them as to any other:")  # fmt: skip
    for k, row in enumerate(memorization.table(checkpoints, n, seed)):
        print(f"| {' | '.join(row)} |")
        if not k:
            print("| --- " * len(row) + "|")
