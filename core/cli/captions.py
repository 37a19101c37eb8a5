"""The command line of captioned pictures: ``python -m core train clip | prior | decoder``, ``sample unclip``,
``evaluate unclip``. What they share with image models is in ``session``."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from core.cli import terminal
from core.data.captions import Pairs, Tokenizer, load
from core.data.images import pixels, unit
from core.diffusion import samplers
from core.diffusion.training import as_dict
from core.models import clip as clip_model
from core.models import clip_queries
from core.models import images as image_model
from core.models import unclip as unclip_model
from core.models.clip import ClipConfig
from core.models.unclip import DecoderConfig, PriorConfig, Unclip
from core.networks.clip import Clip
from core.runs.checkpoints import CONFIG, Checkpoint, load_folder
from core.runs.distributed import Team, losses

FLAT = tyro.conf.OmitArgPrefixes
CLIP, PRIOR, DECODER = Path("core/pretrained/clip"), Path("core/pretrained/prior"), Path("core/pretrained/decoder")
JUDGE = Path("core/pretrained/judge")
PLANS = ClipConfig(), PriorConfig(), DecoderConfig()
SHOWN = 64  # samples on a sheet of the decoder


def opened(folder: Path) -> Checkpoint:
    """A checkpoint from its folder, or from the folder of the run that holds it."""
    return load_folder(folder if (folder / CONFIG).exists() else folder / "checkpoint")


# Training


def train_clip(
    out: Path,
    plan: Annotated[ClipConfig, FLAT] = PLANS[0],
    data: str = "emoji",
    side: int = 32,
    resume: bool = False,
    every: int = 500,
) -> None:
    """Train a pair of towers, one for pictures and one for words. On several machines: torchrun ... train clip ...

    Args:
        out: the run's folder, for its checkpoint and metrics.jsonl.
        data: emoji, or a folder of pictures with captions.csv (columns file, caption and, if any, keywords).
        side: pixels a side that the pictures of a folder are brought to.
        resume: go on from OUT's checkpoint.
        every: steps between two checkpoints. Ctrl-C leaves one, too.
    """
    team, folder, pairs = terminal.team_here(), terminal.folder_of(out, resume), load(data, side)
    source = {"data": data, "side": side}
    checkpoint = _again(folder, "clip", plan) if resume else clip_model.new_checkpoint(plan, pairs, source)
    state = image_model.move(checkpoint.state, team.device)
    _said(checkpoint, pairs, "pictures and captions", team)
    terminal.carry_out(clip_model.run(plan, pairs, state, team), checkpoint, plan, losses(), team, out, every)


def train_prior(
    out: Path,
    towers: Path = CLIP,
    plan: Annotated[PriorConfig, FLAT] = PLANS[1],
    data: str = "emoji",
    side: int = 32,
    resume: bool = False,
    every: int = 1000,
) -> None:
    """Train a prior: a diffusion model from a caption to the vector of a picture.

    Args:
        out: the run's folder, for its checkpoint and metrics.jsonl.
        towers: the checkpoint of the CLIP whose vectors these are.
        data: emoji, or a folder of pictures with captions.csv.
        side: pixels a side that the pictures of a folder are brought to.
        resume: go on from OUT's checkpoint.
        every: steps between two checkpoints. Ctrl-C leaves one, too.
    """
    clip, pairs, source = opened(towers), load(data, side), {"data": data, "side": side, "towers": str(towers)}
    begun = unclip_model.new_prior(plan, clip, pairs, source)
    _diffuse("prior", out, plan, begun, unclip_model.prior_examples(clip, pairs), pairs, resume, every)


def train_decoder(
    out: Path,
    towers: Path = CLIP,
    plan: Annotated[DecoderConfig, FLAT] = PLANS[2],
    data: str = "emoji",
    side: int = 32,
    start: Path | None = None,
    resume: bool = False,
    every: int = 1000,
    bf16: bool = False,
) -> None:
    """Train a decoder: a diffusion model from the vector of a picture to the picture.

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png.
        towers: the checkpoint of the CLIP whose vectors these are.
        data: emoji, or a folder of pictures with captions.csv.
        side: pixels a side that the pictures of a folder are brought to.
        start: an image model, such as core/pretrained/emoji, to begin with the weights of, as far as they fit.
        resume: go on from OUT's checkpoint.
        every: steps between two checkpoints, each with a sheet of samples. Ctrl-C leaves one, too.
        bf16: compute in bfloat16, on a graphics card or a processor that can.
    """
    clip, pairs = opened(towers), load(data, side)
    source = {"data": data, "side": side, "towers": str(towers), "start": start and str(start)}
    begun, learnt = (
        unclip_model.new_decoder(plan, clip, pairs, source),
        unclip_model.decoder_examples(clip, pairs, plan.blur),
    )
    if start and not resume:
        print(f"Beginning with {unclip_model.copy_weights(begun, opened(start)):,} weights of {start}.")

    def sheet(checkpoint: Checkpoint, file: Path) -> None:
        denoiser = checkpoint.denoiser
        parts = Unclip(clip.state.ema, clip_model.tokenizer_of(clip.config), denoiser, denoiser, denoiser.sigma_data,
                       pairs.images.shape[1])  # fmt: skip
        held = pairs.indices(held_out=True)[: SHOWN // 2]
        seen = unit(pairs.images[held])
        drawn = samplers.last(unclip_model.sample_decoder(parts, unclip_model.image_vectors(parts, seen), scale=2.0))
        image_model.write_sheet(torch.stack([seen, drawn], 1).flatten(0, 1), 8, file)

    _diffuse("decoder", out, plan, begun, learnt, pairs, resume, every, sheet, bf16)


def _diffuse(
    part: str, out: Path, plan: Any, begun: Checkpoint, learnt: unclip_model.Examples, pairs: Pairs, resume: bool, every: int,
    sheet: Callable[[Checkpoint, Path], None] | None = None, bf16: bool = False,
) -> None:  # fmt: skip
    """Train a half of unCLIP as an image model is trained."""
    team, folder = terminal.team_here(bf16), terminal.folder_of(out, resume)
    checkpoint = _again(folder, part, plan) if resume else begun
    if checkpoint.config["clip"] != begun.config["clip"]:
        raise ValueError(f"The run in {out} was begun with another CLIP; go on with its own.")
    if any(checkpoint.config[name] != begun.config[name] for name in ("network", "prediction")):
        raise ValueError(f"The run in {out} trains another network than is asked for; begin in a new folder.")
    seen, state = losses(team.device), image_model.move(checkpoint.state, team.device)
    _said(checkpoint, pairs, "pictures", team)
    terminal.carry_out(
        image_model.run(plan, learnt, state, team, seen), checkpoint, plan, seen, team, out, every, sheet
    )


def _again(folder: Path, part: str, plan: Any) -> Checkpoint:
    """The checkpoint of a run to go on with by this plan. Raises ValueError for one of another kind."""
    kept = load_folder(folder)
    if part not in kept.config:
        raise ValueError(f"The run in {folder.parent} trains no {part}.")
    return replace(kept, config={**kept.config, part: asdict(plan), "train": as_dict(plan.train)})


def _said(checkpoint: Checkpoint, pairs: Pairs, of: str, team: Team) -> None:
    if not team.rank:
        parameters = sum(p.numel() for p in checkpoint.state.model.parameters())
        known = len(pairs.indices(held_out=False))
        print(f"{pairs.name}: {known:,} {of} to train on, {len(pairs.captions) - known:,} held out; {parameters:,} "
              f"parameters; {team.device}")  # fmt: skip
        if pairs.note:
            print(pairs.note)


# Sampling


def sample(
    caption: str,
    out: Path,
    negative: str = "",
    n: int = 4,
    scale: float = 4.0,
    prior_scale: float = 2.0,
    steps: int = 20,
    seed: int = 0,
    skip_prior: bool = False,
    towers: Path = CLIP,
    prior: Path = PRIOR,
    decoder: Path = DECODER,
) -> None:
    """Draw pictures for a caption: a sheet OUT.png, and OUT.npz with the pictures.

    Args:
        caption: what to draw; words that no caption of the training set had are named and left out.
        out: the two files' name without its ending.
        negative: a caption to lead away from.
        n: how many pictures.
        scale: guidance scale w of the decoder; 1 is told the vector plainly, more leads away from what is not it.
        prior_scale: guidance scale w of the prior.
        steps: steps of each of both walks.
        seed: decides the noise; picture k of a seed is the same however many are drawn.
        skip_prior: tell the decoder the caption's own vector, to see what the prior is for.
        towers: the checkpoint of the CLIP.
        prior: the checkpoint of the prior.
        decoder: the checkpoint of the decoder.
    """
    if n < 1 or steps < 1:
        raise ValueError("--n and --steps are whole numbers from 1 on.")
    whole = unclip_model.assemble(opened(towers), opened(prior), opened(decoder))
    for text in (caption, negative):
        if unknown := whole.known.unknown(text):
            print(f"No caption of the training set had {', '.join(map(repr, unknown))}: left out.")
    x = unclip_model.generate(whole, [caption] * n, negative, scale, prior_scale, steps, seed, skip_prior)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet, arrays = (out.with_name(out.name + ending) for ending in (".png", ".npz"))
    image_model.write_sheet(x, min(n, 8), sheet)
    np.savez_compressed(arrays, images=pixels(x).numpy(), caption=np.array(caption))
    print(f"{n} pictures in {sheet} and {arrays}")


# Judging

AMONG = 101  # captions, one of which belongs
Pair = tuple[clip_queries.Images, clip_queries.Texts]


def evaluate(
    towers: Path = CLIP,
    prior: Path = PRIOR,
    decoder: Path = DECODER,
    judge: Path = JUDGE,
    data: str = "emoji",
    side: int = 32,
    scale: float = 4.0,
    prior_scale: float = 2.0,
    steps: int = 20,
    seed: int = 0,
) -> None:
    """Say how good CLIP and unCLIP are, in one table: retrieval and arithmetic beside a linear baseline on the same
    split, and whether a second CLIP finds the caption of a generated picture among 100 others.

    Args:
        towers: the checkpoint of the CLIP.
        prior: the checkpoint of the prior.
        decoder: the checkpoint of the decoder.
        judge: the checkpoint of towers trained with another seed and never used to generate.
        data: what all of them were trained on.
        side: pixels a side that the pictures of a folder are brought to.
        scale: guidance scale w of the decoder.
        prior_scale: guidance scale w of the prior.
        steps: steps of each of both walks.
        seed: decides the noise, and which captions are asked for.
    """
    parts, pairs = [opened(folder) for folder in (towers, prior, decoder, judge)], load(data, side)
    whole, other = unclip_model.assemble(*parts[:3]), parts[3]
    if unclip_model.fingerprint(whole.clip) == unclip_model.fingerprint(other.state.ema):
        raise ValueError("The judge is the CLIP that is judged; train another with another --seed.")
    known, new = (len(pairs.indices(out)) for out in (False, True))
    seeds = f"CLIP {parts[0].config['clip']['seed']}, judge {other.config['clip']['seed']}, samples {seed}"
    print(f"{pairs.name}: {known:,} pairs trained on, {new:,} held out; seeds: {seeds}.")
    judging = _towers(other.state.ema, clip_model.tokenizer_of(other.config))
    _towers_table(pairs, _towers(whole.clip, whole.known), judging)

    def generated(some: Tensor, skip_prior: bool) -> Tensor:
        captions = [pairs.captions[i] for i in some.tolist()]
        return unclip_model.generate(whole, captions, "", scale, prior_scale, steps, seed, skip_prior)

    print(f"\nA picture for each of {AMONG} captions, w = {scale:g}, in the prior {prior_scale:g}, {steps} steps each:")
    _pictures_table(pairs, judging, seed, {
        "real": lambda some: unit(pairs.images[some]),
        "generated": lambda some: generated(some, skip_prior=False),
        "generated, prior skipped": lambda some: generated(some, skip_prior=True),
    })  # fmt: skip


def _towers_table(pairs: Pairs, own: Pair, judging: Pair) -> None:
    print("| towers | held-out picture's caption found first | among ten | right word of a difference first |")
    print("| --- | --- | --- | --- |")
    linear = clip_queries.linear(pairs, [" ".join([name, *some]) for name, some in zip(pairs.captions, pairs.keywords)])
    plain = linear.images, linear.texts
    rows = {
        "CLIP": (own, _for_differences(pairs, own)),
        "judge": (judging, _for_differences(pairs, judging)),
        "linear (CCA, pixels and bag of words)": (plain, plain),
    }
    for name, (pair, words) in rows.items():
        rank, right = clip_queries.held_out_ranks(pairs, *pair), clip_queries.attribute_ranks(pairs, *words)
        first = sum(place == 0 for _, place in right)
        print(
            f"| {name} | {clip_queries.recall_at(rank, 1):.1%} | {clip_queries.recall_at(rank, 10):.1%} | {first} of {len(right)} |"
        )


def _pictures_table(pairs: Pairs, judging: Pair, seed: int, ways: dict[str, Callable[[Tensor], Tensor]]) -> None:
    print("| picture | the judge finds its caption, trained on, among 100 others | one of a held-out combination |")
    print("| --- | --- | --- |")
    chosen = [_some(pairs, out, seed) for out in (False, True)]
    for name, way in ways.items():
        found = [_found(pairs, judging, some, way(some)) for some in chosen]
        print(f"| {name} | {found[0]:.0%} | {found[1]:.0%} |")


def _found(pairs: Pairs, judging: Pair, some: Tensor, x: Tensor) -> float:
    """The share of pictures x whose own caption the judge finds first."""
    images, texts = judging
    return clip_queries.recall_at(
        clip_queries.ranks(images(x) @ texts([pairs.captions[i] for i in some.tolist()]).T), 1
    )


def _for_differences(pairs: Pairs, pair: Pair) -> Pair:
    """The pair as differences are asked: pictures in many places, words in captions. The linear one is better asked as
    it is, 38 of 48 and not 17."""
    return partial(clip_queries.mean_over_shifts, pair[0]), clip_queries.mean_over_captions(pairs, pair[1])


def _towers(clip: Clip, known: Tokenizer) -> Pair:
    return lambda x: clip_queries.image_vectors(clip, x), lambda texts: clip_queries.text_vectors(clip, known, texts)


def _some(pairs: Pairs, held_out: bool, seed: int) -> Tensor:
    """The numbers of ``AMONG`` pairs of one side of the split."""
    part = pairs.indices(held_out)
    return part[torch.randperm(len(part), generator=torch.Generator().manual_seed(seed))[:AMONG]]


COMMANDS = {
    ("train", "clip"): train_clip,
    ("train", "prior"): train_prior,
    ("train", "decoder"): train_decoder,
    ("sample", "unclip"): sample,
    ("evaluate", "unclip"): evaluate,
}
