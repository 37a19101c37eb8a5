"""What a video model is asked for, and how far its clips are what was asked for: by the judges, and by measures that
need none."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core import seeds
from core.data import people_captions, video, video_captions
from core.data.images import unit
from core.data.people import ATTRIBUTES
from core.data.video import MOTIONS, Clips
from core.data.video_captions import Named
from core.diffusion.denoiser import Denoiser
from core.diffusion.samplers import Step
from core.models import video as video_model
from core.models import video_judge
from core.models.model import SHIPPED
from core.models.video import VideoConfig
from core.models.video_judge import Verdict
from core.models.video_text import TextEncoder, text_encoder
from core.networks.attributes import AttributeReader
from core.problems import Problem
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint, load_folder

_PLACE = 0x51DE6  # keeps the draws of requests apart from all others
STANDS = MOTIONS.index("stands")


@dataclass(frozen=True, eq=False)
class Requests:
    """n requests: captions of clean clips that exist, each naming attributes of the person and the motion.

    Attributes:
        captions: in English and Chinese in turn.
        attributes: those named, int64 [n, 8, 12] for each frame; -1 where one is not named, or cannot be judged.
        motions: int64 [n].
    """

    captions: tuple[str, ...]
    attributes: Tensor
    motions: Tensor


def requests(n: int, seed: int = 0, held_out: bool | None = False, motion: str | None = None) -> Requests:
    """n requests. held_out: whether clothes and motion are a combination that was not trained on (see
    ``video.is_held_out``). motion: the motion of all of them; None: any."""
    clips = _clips(n, seeds.mix(seed, _PLACE), held_out, motion)
    named = []
    for k in range(n):
        person = people_captions.choose(clips.named(k), seeds.mix(seed, _PLACE, k), most=video_captions.MOST_NAMED)
        named.append(Named(person, clips.motion(k)))
    languages = people_captions.LANGUAGES
    captions = tuple(video_captions.caption(each, languages[k % 2], seeds.mix(seed, k)) for k, each in enumerate(named))
    spoken = torch.tensor([[name in each.person for name in ATTRIBUTES] for each in named])
    shown = video.judged(clips.attributes, clips.visible, clips.motions) & spoken[:, None]
    return Requests(captions, clips.attributes[:, None].where(shown, -1), clips.motions)


def _clips(n: int, seed: int, held_out: bool | None, motion: str | None) -> Clips:
    if motion is None:
        return video.describe(n, seed, held_out=held_out, spoiled=0)
    several = video.describe(min(video.MOST, 20 * n), seed, held_out=held_out, spoiled=0)
    rows = (several.motions == MOTIONS.index(motion)).nonzero()[:n, 0]
    parts = (several.frames, several.attributes, several.visible, several.motions, several.faults)
    return Clips(*(part[rows] for part in parts))


@dataclass(frozen=True, eq=False)
class Sampling:
    """How clips are drawn: guidance scale, negative caption ("" for none), and whether frames attend to each other."""

    scale: float = 1.0
    negative: str = ""
    together: bool = True
    steps: int = video_model.STEPS
    seed: int = 0
    sampler: str = video_model.SAMPLER


@dataclass(frozen=True, eq=False)
class VideoModel:
    """A trained video model with its text encoder."""

    denoiser: Denoiser
    config: VideoConfig
    text: TextEncoder

    def condition(self, captions: Sequence[str], together: bool = True) -> dict[str, Tensor]:
        """The condition of captions; "" is none."""
        apart = torch.full((len(captions),), 0 if together else 1)
        return self.text.encode(captions) | {"apart": apart}

    def sample(
        self,
        captions: Sequence[str],
        how: Sampling | None = None,
        watch: Callable[[Iterator[Step]], Iterable[Step]] = iter,
    ) -> Tensor:
        """A clip for each caption, [n, 8, 3, 16, 16] in [-1, 1]. watch: see ``video.sample``."""
        how = how or Sampling()
        cond = self.condition(captions, how.together)
        negative = self.condition([how.negative] * len(captions), how.together)
        return video_model.sample(self.denoiser, self.config, cond, negative, how.scale, how.sampler, how.steps,
                                  how.seed, watch)  # fmt: skip


def load(checkpoint: Checkpoint, text: Checkpoint) -> VideoModel:
    """The model of a checkpoint with its text encoder. Raises Problem for checkpoints of other kinds, and for a text
    encoder of other sizes than the model was trained with."""
    config, encoder = video_model.config_of(checkpoint.config), text_encoder(text)
    video_model.check_text(checkpoint, text)
    return VideoModel(checkpoint.denoiser, config, encoder)


def check_frames(model: VideoModel, frames: int) -> None:
    """Raise Problem unless the model makes clips of so many frames."""
    if frames != model.denoiser.net.frames:
        raise Problem("video_frames", frames=frames, made=model.denoiser.net.frames)


def notes(model: VideoModel, caption: str, negative: str | None = None, scale: float = 1.0) -> list[Problem]:
    """What to say of a caption before clips are drawn from it: words that the model does not know, and a caption
    without a motion.

    Raises Problem for a caption that is empty, too long, of two motions, of two values of an attribute, or equal to the
    negative caption.
    """
    parsed = video_captions.parse(caption)
    if negative and scale != 1 and negative.lower().split() == caption.lower().split():
        raise Problem("video_same_negative")
    unknown = [*model.text.tokenizer.unknown(caption), *parsed.unknown, *model.text.tokenizer.unknown(negative or "")]
    found = [Problem("video_unknown_words", words=", ".join(dict.fromkeys(unknown)))] if unknown else []
    return found + ([Problem("video_no_motion")] if parsed.named.motion is None else [])


# Evaluation


@dataclass(frozen=True)
class Report:
    """How far clips are what was asked for, as shares.

    Attributes:
        attributes: of the named attributes that can be judged in a frame, those that are right.
        persons: of the frames, those in which all of them are right.
        motions: of the clips, those with the right motion.
        spoiled: of the clips, those with a fault.
        flicker: mean absolute change between frames of clips that stand, as a share of a pixel's range; NaN for none.
    """

    attributes: float
    persons: float
    motions: float
    spoiled: float
    flicker: float


def report(wanted: Requests, clips: Tensor, judges: tuple[AttributeReader, AttributeReader]) -> Report:
    """Judge clips [n, 8, 3, 16, 16] by what was asked for."""
    return _report(wanted, clips, video_judge.judge(clips, *judges))


def _report(wanted: Requests, clips: Tensor, found: Verdict) -> Report:
    named = wanted.attributes >= 0
    right = (wanted.attributes == found.attributes) | ~named
    still = wanted.motions == STANDS
    shares = (
        right[named].double().mean(),
        right.all(2)[named.any(2)].double().mean(),
        (wanted.motions == found.motions).double().mean(),
        found.spoiled.double().mean(),
        video_judge.flicker(clips[still]).double().mean(),
    )
    return Report(*(share.item() for share in shares))


Judges = tuple[AttributeReader, AttributeReader]


@shared_cache(None)
def judges() -> Judges:
    """The shipped judges, of frames and of whole clips."""
    return tuple(load_folder(SHIPPED / name).state.ema.eval() for name in ("video-frame-judge", "video-judge"))


def table(
    model: VideoModel, n: int, scale: float, negative_scales: Sequence[float], steps: int, seed: int
) -> Iterator[tuple[str, ...]]:
    """The rows of an evaluation of n clips of each kind, the head first."""
    yield ("clips", "attributes right", "all of a frame right", "motion right", "spoiled", "flicker of those who stand")
    wanted, held_out = requests(n, seed), requests(n, seed, held_out=True)
    standing = requests(n, seed, motion="stands")
    yield _row("real ones, clean", report(wanted, real(n, seed), judges()))
    plain = Sampling(1.0, steps=steps, seed=seed)
    guided = replace(plain, scale=scale)
    kinds = {
        "plain captions, w = 1": (wanted, plain),
        f"w = {scale:g}": (wanted, guided),
        f"held-out combinations, w = {scale:g}": (held_out, guided),
        f"who stand, w = {scale:g}": (standing, guided),
        f"who stand, each frame by itself, w = {scale:g}": (standing, replace(guided, together=False)),
    }
    negative = video_captions.all_faults("en")
    kinds |= {
        f"w = {each:g}, the long negative caption": (wanted, replace(plain, scale=each, negative=negative))
        for each in negative_scales
    }
    for name, (some, how) in kinds.items():
        yield _row(name, report(some, model.sample(some.captions, how), judges()))


def _row(name: str, found: Report) -> tuple[str, ...]:
    shares = (found.attributes, found.persons, found.motions, found.spoiled)
    return (name, *(f"{share:.1%}" for share in shares), f"{found.flicker:.4f}")


def real(n: int, seed: int = 0, held_out: bool | None = False) -> Tensor:
    """The real, clean clips that ``requests`` of the same arguments name attributes of, [n, 8, 3, 16, 16]."""
    return unit(video.draw(n, seeds.mix(seed, _PLACE), held_out=held_out, spoiled=0).frames)
