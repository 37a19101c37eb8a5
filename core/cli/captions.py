"""The commands of captioned images: ``python -m core train clip | prior | decoder``, ``sample unclip``,
``evaluate unclip``."""

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
from core.cli.flags import Training
from core.cli.images import check_count, check_positive, check_sampling, output_files
from core.data import people
from core.data.captions import LENGTH, Pairs, Tokenizer, load
from core.data.images import pixels, unit
from core.diffusion import samplers
from core.diffusion.training import as_dict
from core.models import clip as clip_model
from core.models import clip_queries
from core.models import images as image_model
from core.models import unclip as unclip_model
from core.models.clip import ClipConfig
from core.models.model import SHIPPED, open_checkpoint
from core.models.unclip import DecoderConfig, PriorConfig, Unclip
from core.problems import Problem
from core.runs import distributed
from core.runs.checkpoints import Checkpoint, load_folder
from core.runs.distributed import Losses, Team

FLAT = tyro.conf.OmitArgPrefixes
CLIP, PRIOR, DECODER, JUDGE = (SHIPPED / name for name in ("clip", "prior", "decoder", "judge"))
CONFIGS = ClipConfig(), PriorConfig(), DecoderConfig()
SHEET = 64  # images on a sheet of the decoder
FITTED = 8192  # people whose attributes a decoder's first condition is fitted to


# Training


def train_clip(
    out: Path,
    config: Annotated[ClipConfig, FLAT] = CONFIGS[0],
    data: str = "emoji",
    n: int | None = None,
    side: int | None = None,
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 500,
) -> None:
    """Train a pair of encoders, one for images and one for text. On several machines: torchrun ... train clip ...

    Args:
        out: the run's folder, for its checkpoint and metrics.jsonl.
        config: how to train.
        data: emoji, people, or a folder of pictures with captions.csv (columns file, caption and, if any, keywords).
        n: only for people: how many, those held out included.
        side: pixels a side that the pictures of a folder are brought to, 32 where none is given; of people 16.
        config_file: a JSON file of these flags; flags given beside it win.
        resume: go on from OUT's checkpoint, with its data and settings; flags given beside it win.
        every: steps between two checkpoints. Ctrl-C leaves one, too.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        pairs = load(data, side, n)
        source = {"data": data, "n": n, "side": side, "every": every}
        new = clip_model.new_checkpoint(config, pairs, source)
        checkpoint = _resumed(folder, "clip", config, new) if resume else new
        team = distributed.join()
        state = image_model.move(checkpoint.state, team.device)
        _introduce(checkpoint, pairs, "pictures and captions", team)
        terminal.carry_out(lambda _: clip_model.run(config, pairs, state, team), checkpoint, config, team, out, every)


def train_prior(
    out: Path,
    encoders: Path = CLIP,
    config: Annotated[PriorConfig, FLAT] = CONFIGS[1],
    data: str = "emoji",
    n: int | None = None,
    side: int | None = None,
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 1000,
) -> None:
    """Train a prior: a diffusion model from a caption to the vector of an image.

    Args:
        out: the run's folder, for its checkpoint and metrics.jsonl.
        encoders: the checkpoint of the CLIP whose vectors these are.
        config: how to train.
        data: emoji, people, or a folder of pictures with captions.csv.
        n: only for people: how many, those held out included.
        side: pixels a side that the pictures of a folder are brought to, 32 where none is given; of people 16.
        config_file: a JSON file of these flags; flags given beside it win.
        resume: go on from OUT's checkpoint, with its data and settings; flags given beside it win.
        every: steps between two checkpoints. Ctrl-C leaves one, too.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        clip, pairs = open_checkpoint(encoders), load(data, side, n)
        source = {"data": data, "n": n, "side": side, "encoders": shipped_name(encoders), "every": every}
        new = unclip_model.new_prior(config, clip, pairs, source)
        checkpoint, team = _resumed(folder, "prior", config, new) if resume else new, distributed.join()
        clip.state.ema.to(team.device)
        examples = unclip_model.prior_examples(clip, pairs)
        _diffuse(checkpoint, config, examples, pairs, team, out, every)


def train_decoder(
    out: Path,
    encoders: Path = CLIP,
    config: Annotated[DecoderConfig, FLAT] = CONFIGS[2],
    data: str = "emoji",
    n: int | None = None,
    side: int | None = None,
    start: Path | None = None,
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 1000,
    bf16: bool = False,
) -> None:
    """Train a decoder: a diffusion model from the vector of an image to the image.

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png.
        encoders: the checkpoint of the CLIP whose vectors these are.
        config: how to train.
        data: emoji, people, or a folder of pictures with captions.csv.
        n: only for people: how many, those held out included.
        side: pixels a side that the pictures of a folder are brought to, 32 where none is given; of people 16.
        start: an image model, such as emoji, to begin with the weights of, as far as they fit.
        config_file: a JSON file of these flags; flags given beside it win.
        resume: go on from OUT's checkpoint, with its data and settings; flags given beside it win.
        every: steps between two checkpoints, each with a sheet of samples. Ctrl-C leaves one, too.
        bf16: compute in bfloat16, on a graphics card or a processor that can.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        clip, pairs = open_checkpoint(encoders), load(data, side, n)
        source = {
            "data": data,
            "n": n,
            "side": side,
            "encoders": shipped_name(encoders),
            "start": start and shipped_name(start),
            "bf16": bf16,
            "every": every,
        }
        new = unclip_model.new_decoder(config, clip, pairs, source)
        if resume:
            checkpoint = _resumed(folder, "decoder", config, new)
        else:
            checkpoint = new
            if start:
                _begin_with(new, open_checkpoint(start), clip, str(start))
        team = distributed.join(bf16)
        clip.state.ema.to(team.device)
        examples = unclip_model.decoder_examples(clip, pairs, config.blur)
        sheet = partial(_write_sheet, clip=clip, pairs=pairs)
        _diffuse(checkpoint, config, examples, pairs, team, out, every, sheet)


def _begin_with(decoder: Checkpoint, other: Checkpoint, clip: Checkpoint, name: str) -> None:
    """Begin with the weights of an image model; with one of people, also with what it does of their attributes."""
    print(f"Beginning with {unclip_model.copy_weights(decoder, other):,} weights of {name}.")
    if other.config["data"]["name"] == people.PeopleSet.name:
        drawn = people.draw(FITTED, decoder.config["network"]["seed"], side=decoder.config["network"]["side"])
        attributes = drawn.attributes.where(drawn.visible, -1)
        unclip_model.fit_condition(decoder, other, clip.state.ema, unit(drawn.images), attributes)


def _write_sheet(checkpoint: Checkpoint, file: Path, clip: Checkpoint, pairs: Pairs) -> None:
    """A sheet of held-out images, each beside the decoder's image for its vector; of images that it is trained on where
    none is held out."""
    denoiser = checkpoint.denoiser
    unclip = Unclip(clip.state.ema, clip_model.tokenizer_of(clip.config), denoiser, denoiser, denoiser.sigma_data,
                    pairs.images.shape[1])  # fmt: skip
    shown = pairs.indices(held_out=bool(pairs.held_out.any()))[: SHEET // 2]
    real = unit(pairs.images[shown])
    vectors = unclip_model.image_vectors(unclip, real)
    images = samplers.last(unclip_model.sample_decoder(unclip, vectors, scale=2.0)).cpu()
    image_model.write_sheet(torch.stack([real, images], 1).flatten(0, 1), 8, file)


def _diffuse(
    checkpoint: Checkpoint, config: Any, examples: unclip_model.Examples, pairs: Pairs, team: Team, out: Path,
    every: int, sheet: Callable[[Checkpoint, Path], None] | None = None,
) -> None:  # fmt: skip
    """Train a prior or a decoder, as an image model is trained."""
    state = image_model.move(checkpoint.state, team.device)
    _introduce(checkpoint, pairs, "pictures", team)

    def start(losses: Losses):
        return image_model.run(config, examples, state, team, losses)

    terminal.carry_out(start, checkpoint, config, team, out, every, sheet)


def _resumed(folder: Path, part: str, config: Any, new: Checkpoint) -> Checkpoint:
    """The checkpoint of a run with another configuration, to be trained further.

    new: an untrained checkpoint of that configuration. What the run was begun with stays in its config. Raises Problem
    if the run trains another part or another network, or began with another CLIP.
    """
    stored = load_folder(folder)
    if part not in stored.config:
        raise Problem("run_other_kind", folder=str(folder.parent))
    if part != "clip" and stored.config["clip"] != new.config["clip"]:
        raise Problem("run_other_clip", folder=str(folder.parent))
    if any(stored.config.get(name) != new.config.get(name) for name in ("network", "prediction", "vocabulary")):
        raise Problem("run_other_network", folder=str(folder.parent))
    begun, data = stored.config["data"].get("source", {}), new.config["data"]
    data = {**data, "source": {**data["source"], **({"start": begun["start"]} if "start" in begun else {})}}
    entries = {part: asdict(config), "train": as_dict(config.train), "data": data}
    return replace(stored, config={**stored.config, **entries})


def _introduce(checkpoint: Checkpoint, pairs: Pairs, of: str, team: Team) -> None:
    """Print what is trained on what."""
    if not team.rank:
        parameters = sum(p.numel() for p in checkpoint.state.model.parameters())
        known = len(pairs.indices(held_out=False))
        print(f"{pairs.name}: {known:,} {of} to train on, {len(pairs.captions) - known:,} held out; {parameters:,} "
              f"parameters; {team.device}")  # fmt: skip
        if known == len(pairs.captions):
            print(Problem("captions_none_held_out", name=pairs.name))
        if pairs.note:
            print(pairs.note)


def shipped_name(folder: Path) -> str:
    """A folder as a checkpoint's config names it: shipped ones by their names, so that they are found on any
    machine."""
    return folder.name if folder.parent == SHIPPED else str(folder)


def _other_flags(stored: dict[str, Any]) -> dict[str, Any]:
    """The flags beside the configuration that a run was begun with; ``start`` is over once it has begun."""
    flags = {name: value for name, value in stored["data"].get("source", {}).items() if name != "start"}
    if "encoders" in flags and (SHIPPED / flags["encoders"]).is_dir():
        flags["encoders"] = str(SHIPPED / flags["encoders"])
    return flags


TRAINING = (
    Training(train_clip, CONFIGS[0], clip_model.config_of, _other_flags),
    Training(train_prior, CONFIGS[1], partial(unclip_model.config_of, part="prior"), _other_flags),
    Training(train_decoder, CONFIGS[2], partial(unclip_model.config_of, part="decoder"), _other_flags),
)


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
    encoders: Path = CLIP,
    prior: Path = PRIOR,
    decoder: Path = DECODER,
) -> None:
    """Draw pictures for a caption: a sheet OUT.png, and OUT.npz with the pictures.

    Args:
        caption: what to draw; words that no caption of the training set had are named and left out.
        out: the two files' name without its ending.
        negative: a caption to lead away from.
        n: how many pictures.
        scale: guidance scale w of the decoder; 1 is plain conditioning.
        prior_scale: guidance scale w of the prior.
        steps: steps of the prior's sampler, and of the decoder's.
        seed: decides the noise; picture k of a seed is the same however many are drawn.
        skip_prior: give the decoder the caption's own vector, to see what the prior is for.
        encoders: the checkpoint of the CLIP.
        prior: the checkpoint of the prior.
        decoder: the checkpoint of the decoder.
    """
    check_count(n)
    check_sampling(steps, scale=scale, prior_scale=prior_scale)
    sheet, arrays = output_files(out)
    parts = (open_checkpoint(folder) for folder in (encoders, prior, decoder))
    whole = unclip_model.assemble(*parts, distributed.device())
    for text in (caption, negative):
        if unknown := whole.known.unknown(text):
            print(f"No caption of the training set had {', '.join(map(repr, unknown))}: left out.")
        if cut := whole.known.cut(text):
            print(Problem("caption_cut", most=LENGTH, words=", ".join(cut)))
    x = unclip_model.generate(whole, [caption] * n, negative, scale, prior_scale, steps, seed, skip_prior).cpu()
    image_model.write_sheet(x, min(n, 8), sheet)
    np.savez_compressed(arrays, images=pixels(x).numpy(), caption=np.array(caption))
    print(f"{n} pictures in {sheet} and {arrays}")


# Judging

AMONG = 101  # captions, one of which belongs
Pair = tuple[clip_queries.Images, clip_queries.Texts]


def evaluate(
    encoders: Path = CLIP,
    prior: Path = PRIOR,
    decoder: Path = DECODER,
    judge: Path = JUDGE,
    data: str = "emoji",
    n: int | None = None,
    side: int | None = None,
    scale: float = 4.0,
    prior_scale: float = 2.0,
    steps: int = 20,
    seed: int = 0,
) -> None:
    """Say how good CLIP and unCLIP are, in one table: retrieval and arithmetic beside a linear baseline on the same
    split, and whether a second CLIP finds the caption of a generated picture among 100 others.

    Args:
        encoders: the checkpoint of the CLIP.
        prior: the checkpoint of the prior.
        decoder: the checkpoint of the decoder.
        judge: the checkpoint of encoders trained with another seed and never used to generate.
        data: what all of them were trained on.
        n: only for people: how many, those held out included.
        side: pixels a side that the pictures of a folder are brought to, 32 where none is given; of people 16.
        scale: guidance scale w of the decoder.
        prior_scale: guidance scale w of the prior.
        steps: steps of the prior's sampler, and of the decoder's.
        seed: decides the noise, and which captions are asked for.
    """
    check_sampling(steps, scale=scale, prior_scale=prior_scale)
    parts, pairs = [open_checkpoint(folder) for folder in (encoders, prior, decoder, judge)], load(data, side, n)
    whole, other = unclip_model.assemble(*parts[:3], distributed.device()), parts[3]
    _check_judge(whole, other, pairs)
    other.state.ema.to(whole.device)
    known, new = (len(pairs.indices(out)) for out in (False, True))
    seeds = f"CLIP {parts[0].config['clip']['seed']}, judge {other.config['clip']['seed']}, samples {seed}"
    print(f"{pairs.name}: {known:,} pairs trained on, {new:,} held out; seeds: {seeds}.")
    judging = _encoders(other.state.ema, clip_model.tokenizer_of(other.config))
    _encoders_table(pairs, _encoders(whole.clip, whole.known), judging)

    def generated(some: Tensor, skip_prior: bool) -> Tensor:
        captions = [pairs.captions[i] for i in some.tolist()]
        return unclip_model.generate(whole, captions, "", scale, prior_scale, steps, seed, skip_prior)

    counts = " and ".join(f"{min(AMONG, part)}" for part in (known, new))
    print(f"\nA picture for each of {counts} captions, w = {scale:g}, of the prior {prior_scale:g}, {steps} steps:")
    _pictures_table(pairs, judging, seed, {
        "real": lambda some: unit(pairs.images[some]),
        "generated": lambda some: generated(some, skip_prior=False),
        "generated, prior skipped": lambda some: generated(some, skip_prior=True),
    })  # fmt: skip


def _check_judge(whole: Unclip, judge: Checkpoint, pairs: Pairs) -> None:
    """Raise Problem unless a CLIP can judge this unCLIP by these pairs."""
    clip_model.check_images(judge, pairs.images.shape[1:], pairs.name)
    if whole.clip.side != pairs.images.shape[-1]:
        raise Problem("clip_other_images", name=pairs.name)
    if unclip_model.fingerprint(whole.clip) == unclip_model.fingerprint(judge.state.ema):
        raise Problem("judge_is_judged")
    if not pairs.held_out.any():
        raise Problem("captions_none_to_judge", name=pairs.name, pairs=len(pairs.captions))


def _encoders_table(pairs: Pairs, trained: Pair, judging: Pair) -> None:
    print("| encoders | held-out picture's caption found first | among ten | right word of a difference first |")
    print("| --- | --- | --- | --- |")
    linear = clip_queries.linear(pairs, [" ".join([name, *some]) for name, some in zip(pairs.captions, pairs.keywords)])
    plain = linear.images, linear.texts
    rows = {
        "CLIP": (trained, _for_differences(pairs, trained)),
        "judge": (judging, _for_differences(pairs, judging)),
        "linear (CCA, pixels and bag of words)": (plain, plain),
    }
    for name, (pair, words) in rows.items():
        rank, right = clip_queries.held_out_ranks(pairs, *pair), clip_queries.attribute_ranks(pairs, *words)
        first = sum(place == 0 for _, place in right)
        recalls = " | ".join(f"{clip_queries.recall_at(rank, k):.1%}" for k in (1, 10))
        print(f"| {name} | {recalls} | {first} of {len(right)} |")


def _pictures_table(pairs: Pairs, judging: Pair, seed: int, kinds: dict[str, Callable[[Tensor], Tensor]]) -> None:
    chosen = [_draw_pairs(pairs, held_out, seed) for held_out in (False, True)]
    others = [len(part) - 1 for part in chosen]
    print(f"| picture | the judge finds its caption, trained on, among {others[0]} others "
          f"| one of a held-out combination, among {others[1]} |")  # fmt: skip
    print("| --- | --- | --- |")
    for name, pictures in kinds.items():
        found = [_recall(pairs, judging, indices, pictures(indices)) for indices in chosen]
        print(f"| {name} | {found[0]:.0%} | {found[1]:.0%} |")


def _recall(pairs: Pairs, judging: Pair, indices: Tensor, x: Tensor) -> float:
    """The share of images x whose own caption the judge ranks first."""
    images, texts = judging
    similarity = images(x) @ texts([pairs.captions[i] for i in indices.tolist()]).T
    return clip_queries.recall_at(clip_queries.ranks(similarity), 1)


def _for_differences(pairs: Pairs, pair: Pair) -> Pair:
    """The encoders as differences are measured with: images at all shifts, words in captions. For the linear baseline
    the plain vectors are better: 38 of 48, not 17."""
    return partial(clip_queries.mean_over_shifts, pair[0]), clip_queries.mean_over_captions(pairs, pair[1])


def _encoders(clip: clip_model.Clip, tokenizer: Tokenizer) -> Pair:
    return partial(clip_queries.image_vectors, clip), partial(clip_queries.text_vectors, clip, tokenizer)


def _draw_pairs(pairs: Pairs, held_out: bool, seed: int) -> Tensor:
    """The indices of ``AMONG`` random pairs of one side of the split, of all if there are fewer."""
    part = pairs.indices(held_out)
    return part[torch.randperm(len(part), generator=torch.Generator().manual_seed(seed))[:AMONG]]
