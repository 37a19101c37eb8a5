"""Chapter 12: clips of people, real ones and those that the video model draws from captions.

``python -m core.lessons.video`` writes the clips that the page opens with, and what is measured of many;
``python -m core.lessons.video seeds 20`` shows at which seeds a negative prompt removes faults of plain captions.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core import seeds
from core.data import people_captions, video, video_captions
from core.data.images import pixels, unit
from core.data.people import ATTRIBUTES
from core.data.video import FAULTS, MOTIONS, Clips
from core.data.video_captions import Named
from core.diffusion import samplers
from core.diffusion.samplers import SamplerConfig, Step
from core.diffusion.schedules import scale as view_scale
from core.lessons import films
from core.models import video as video_model
from core.models import video_judge, video_queries
from core.models.video_judge import Verdict
from core.models.video_queries import Sampling, VideoModel
from core.pretrained import FOLDER, VIDEO_CONFIGS, is_shipped, pretrained
from core.runs.caching import shared_cache

FILE = FOLDER / "video.npz"
NAME = "video"
STEPS = video_model.STEPS
SCALE = 2.0  # guidance scale of the clips that a scene opens with
SCALES = (1.0, 2.0, 3.0, 5.0)
NEGATIVE_SCALE = 2.0  # of the clips with a negative prompt
SEEDS = {"negative": 28}  # what a scene adds to the seed; "negative" by ``seeds_with_faults``, so that faults show
MEASURED, STANDING = 128, 48  # clips that are measured, and those of people who stand
_PERSON, _POOL, _MEASURE = 0x7E1, 256, 12

CAPTIONS: dict[str, tuple[str, ...]] = {
    "en": (
        "a person with a red cap and glasses, walking right",
        "a bald person with a beard and a black top hat, tipping the hat",
        "a person with long blond hair and blue clothes, jumping",
        "a person with sunglasses and a striped shirt, shaking the head",
        "a person with curly hair and green clothes, talking",
        "a person with a beard and a blue beanie, walking left",
    ),
    "zh": (
        "戴红色鸭舌帽和眼镜的人，向右走",
        "留胡子、戴黑色礼帽的光头，抬帽致意",
        "穿蓝衣服、留金色长发的人，跳跃",
        "戴墨镜、穿条纹衣服的人，摇头",
        "穿绿衣服的卷发的人，说话",
        "留胡子、戴蓝色毛线帽的人，向左走",
    ),
}
"""Plain captions of a person and a motion: the first is what a class reads first, all are drawn with a negative
prompt."""
WORD = {"en": "low quality", "zh": "低质量"}
"""A short negative prompt, which names no single fault."""


# Real clips


@shared_cache(16)
def clips_of_motions(seed: int = 0) -> Clips:
    """A clean clip of each motion, of people who follow from the seed."""
    known = video.describe(_POOL, seeds.mix(seed, _PERSON), spoiled=0)
    rows = [int((known.motions == motion).nonzero()[0]) for motion in range(len(MOTIONS))]
    drawn = [video.draw(1, seeds.mix(seed, _PERSON), first=row, spoiled=0) for row in rows]
    return Clips(*(torch.cat([getattr(clip, name) for clip in drawn]) for name in vars(drawn[0])))


def spoiled_clips(seed: int = 0) -> tuple[Clips, Tensor]:
    """A clean clip of a person who walks right, and that clip with each of the faults, uint8 [6, 8, 3, 16, 16]."""
    clips, row = clips_of_motions(seed), MOTIONS.index("walks_right")
    clean = Clips(*(part[row : row + 1] for part in vars(clips).values()))
    copies = (clean.frames / 255).expand(len(FAULTS), -1, -1, -1, -1)
    numbers = [seeds.mix(seed, _PERSON, fault) for fault in range(len(FAULTS))]
    spoiled = video.spoil(copies, torch.eye(len(FAULTS), dtype=torch.bool), numbers)
    return clean, (spoiled * 255).round().byte()


def caption_of(clips: Clips, k: int, language: str, faults: tuple[str, ...] = (), seed: int = 0) -> str:
    """A caption of clip k that names up to three attributes of the person, the motion, and these faults."""
    person = people_captions.choose(clips.named(k), seeds.mix(seed, _PERSON, k), most=3)
    return video_captions.caption(Named(person, clips.motion(k), faults), language, seeds.mix(seed, k))


SHOWN = {"skin": "tan", "hair": "short", "hair_colour": "brown", "beard": "none", "glasses": "glasses", "hat": "cap",
         "hat_colour": "red", "mouth": "smiling", "clothes_colour": "green", "pattern": "plain", "earrings": "none",
         "background": "white"}  # fmt: skip
"""The person whose motions are compared, with a hat, so that every motion is possible."""
NAMED = ("glasses", "hat", "hat_colour", "clothes_colour")


@shared_cache(len(MOTIONS))
def real_clip(motion: str) -> Tensor:
    """A real clip of the person who is compared, uint8 [8, 3, 16, 16]."""
    row = torch.tensor([[values.index(SHOWN[name]) for name, values in ATTRIBUTES.items()]])
    chances = torch.full((1, 2 * len(ATTRIBUTES) + 8), 0.3)
    return (video.compose(row, torch.tensor([MOTIONS.index(motion)]), chances)[0] * 255).round().byte()


def caption_of_motion(motion: str, language: str) -> str:
    """The caption of that clip: what a viewer notices of the person, and the motion."""
    return video_captions.caption(Named({name: SHOWN[name] for name in NAMED}, motion), language, seed=0)


def over_time(clip: Tensor, row: int) -> Tensor:
    """A row of pixels in each frame of a clip [8, 3, 16, 16], below each other: [3, 8, 16]."""
    return clip[:, :, row].movedim(0, 1)


# Clips that the model draws


@dataclass(frozen=True)
class ClipRequest:
    """What the model is asked for; equal requests have equal clips.

    Attributes:
        captions: one for each clip.
        scale: the guidance scale.
        negative: the negative prompt; "": none, so that guidance leads away from no caption.
        together: whether the frames attend to each other.
        whole: whether the states on the way are kept.
        steps: of the sampler.
        seed: of the noise. Clip k of a seed begins with the same noise in each request.
    """

    captions: tuple[str, ...]
    scale: float = SCALE
    negative: str = ""
    together: bool = True
    whole: bool = False
    steps: int = STEPS
    seed: int = 0

    @property
    def sigmas(self) -> Tensor:
        """The noise levels of the states, [steps + 1]."""
        return sampler_config(self).sigmas


def sampler_config(request: ClipRequest) -> SamplerConfig:
    """How a request is sampled."""
    return video_model.sampler_config(VIDEO_CONFIGS[NAME], steps=request.steps, seed=request.seed)


@dataclass(frozen=True, eq=False)
class ClipFilm:
    """The clips of a request, as far as they have come.

    Attributes:
        request: what was asked for.
        x: states in the variance preserving view, uint8 [n, 8, 3, 16, 16]: all so far, or the newest alone.
        x0: the estimate of the clean clips at each state; empty where the newest state alone is kept.
        step: how many states there have been.
    """

    request: ClipRequest
    x: tuple[Tensor, ...] = field(default=(), repr=False)
    x0: tuple[Tensor, ...] = field(default=(), repr=False)
    step: int = 0

    @property
    def done(self) -> bool:
        """Whether the clips are finished."""
        return self.step == self.request.steps + 1

    @property
    def clips(self) -> Tensor:
        """The newest state: the finished clips if the film is done. Grey before the first."""
        n = len(self.request.captions)
        return self.x[-1] if self.x else torch.full((n, *video.SHAPE), 128, dtype=torch.uint8)

    @property
    def sigma(self) -> float:
        """The noise level of the newest state."""
        return self.request.sigmas[max(0, self.step - 1)].item()

    def at(self, k: int) -> "ClipFilm":
        """With its state k alone; -1: none, where there is none yet. A film that keeps one state has that one."""
        if not self.request.whole or k < 0:
            return self
        return replace(self, x=self.x[k : k + 1], x0=self.x0[k : k + 1], step=k + 1)

    def add(self, sigma: float, x: Tensor, x0: Tensor) -> "ClipFilm":
        """The film with one more state x at sigma and the estimate there, [n, 8, 3, 16, 16]."""
        state = pixels(view_scale(torch.tensor(sigma), "vp") * x)
        if not self.request.whole:
            return replace(self, x=(state,), step=self.step + 1)
        return replace(self, x=(*self.x, state), x0=(*self.x0, pixels(x0)), step=self.step + 1)


@shared_cache(None)
def model() -> VideoModel:
    """The shipped video model with its text encoder."""
    return video_queries.load(pretrained(NAME), pretrained("video-text"))


@torch.no_grad()
def steps_of(request: ClipRequest) -> Iterator[Step]:
    """The steps of a request, one by one."""
    loaded, n = model(), len(request.captions)
    cond = loaded.condition(request.captions, request.together)
    negative = loaded.condition([request.negative] * n, request.together)
    denoise = video_model.guided(loaded.denoiser, cond, negative, request.scale)
    return samplers.run(sampler_config(request), denoise, video_model.starting_noise(loaded.denoiser, n, request.seed))


def make_films(requests: Sequence[ClipRequest]) -> Iterator[tuple[ClipFilm, ...]]:
    """The films of requests as they form, after each step of one after the other."""
    made = {request: ClipFilm(request) for request in requests}
    for request in requests:
        for step in steps_of(request):
            film = made[request].add(step.sigma, step.x, step.x0)
            made[request] = film.add(0.0, step.x_next, step.x_next) if step.sigma_next == 0 else film
            yield tuple(made.values())


# What the page opens with


def clip_request(caption: str, scale: float = SCALE, seed: int = 0) -> ClipRequest:
    """One clip, with all states on the way."""
    return ClipRequest((caption,), scale, seed=seed, whole=True)


def motion_request(motion: str, language: str, together: bool = True, seed: int = 0) -> ClipRequest:
    """One clip of the person who is compared."""
    return ClipRequest((caption_of_motion(motion, language),), together=together, seed=seed)


def guidance_requests(caption: str, seed: int = 0) -> list[ClipRequest]:
    """Four clips of one caption at each of the scales, from the same noises."""
    return [ClipRequest((caption,) * 4, scale, seed=seed) for scale in SCALES]


def negative_requests(language: str, word: str, scale: float = NEGATIVE_SCALE, seed: int = 0) -> list[ClipRequest]:
    """Six clips of plain captions, from the same noises: without guidance, guided, guided with a word as the negative
    prompt, and with the list of all faults in each language."""
    captions = CAPTIONS[language]
    lists = [(video_captions.all_faults(each), scale) for each in CAPTIONS]
    away = [("", 1.0), ("", scale), (word, scale), *lists]
    return [ClipRequest(captions, w, negative, seed=SEEDS["negative"] + seed) for negative, w in away]


def first_requests(language: str) -> list[ClipRequest]:
    """The clips that the page opens with in a language."""
    first = CAPTIONS[language][0]
    walking = motion_request("walks_right", language)
    standing = [motion_request("stands", language, together) for together in (True, False)]
    return [clip_request(first), walking, *standing, *guidance_requests(first),
            *negative_requests(language, WORD[language])]  # fmt: skip


@cache
def key_of_model() -> str:
    """What identifies the shipped model and its text encoder: "" if there is none yet."""
    if not is_shipped(NAME):
        return ""
    weights = b"".join((FOLDER / name / "ema.safetensors").read_bytes() for name in (NAME, "video-text"))
    return sha256(weights).hexdigest()[:16]


def shipped_films() -> Mapping[ClipRequest, ClipFilm]:
    """The films that need not be made; none where the file is of another model, or is not there."""
    return _shipped(key_of_model())


@shared_cache(2)
def _shipped(key: str, file: Path = FILE) -> dict[ClipRequest, ClipFilm]:
    found, made = films.read(file, key), {}
    for request in (request for language in CAPTIONS for request in first_requests(language)):
        names = [repr(request), *([_estimates(request)] if request.whole else [])]
        if all(name in found for name in names):
            parts = [tuple(torch.from_numpy(found[name])) for name in names]
            made[request] = ClipFilm(request, *parts, step=request.steps + 1)
    return made


def _estimates(request: ClipRequest) -> str:
    """The name of the estimates of a film in its file."""
    return f"estimates {request!r}"


# What is measured


@dataclass(frozen=True)
class Measures:
    """What is measured of clips.

    Attributes:
        spoiled: the share of clips in which the judge finds a fault.
        right: the share of clips with the motion that was asked for; NaN where none was.
        flicker: mean absolute change from frame to frame, as a share of a pixel's range.
        sharpness: mean absolute difference of neighbouring pixels, as a share of their range.
        contrast: standard deviation of the pixels of a frame, as a share of their range.
        moved: share of pixels that change by more than a tenth of their range between the first frame and any other.
    """

    spoiled: float
    right: float
    flicker: float
    sharpness: float
    contrast: float
    moved: float


def measure(clips: Tensor, motions: Tensor | None = None) -> Measures:
    """Measure clips [n, 8, 3, 16, 16] in [-1, 1]; motions [n] are those that were asked for."""
    found = judge(clips)
    right = float("nan") if motions is None else (found.motions == motions).double().mean().item()
    numbers = (part(clips).double().mean().item() for part in
               (video_judge.flicker, video_judge.sharpness, video_judge.contrast, video_judge.moved))  # fmt: skip
    return Measures(found.spoiled.double().mean().item(), right, *numbers)


def judge(clips: Tensor) -> Verdict:
    """What the judges read in clips [n, 8, 3, 16, 16] in [-1, 1]."""
    return video_judge.judge(clips, *video_queries.judges())


@shared_cache(96)
def verdict_of(film: ClipFilm) -> Verdict:
    """What the judges read in the clips of a finished film."""
    return judge(unit(film.clips))


@shared_cache(96)
def measures_of(film: ClipFilm) -> Measures:
    """What is measured of the clips of a finished film."""
    return measure(unit(film.clips))


WAYS: dict[str, tuple[float, str]] = {
    "plain": (1.0, ""),
    "guided": (NEGATIVE_SCALE, ""),
    "word": (NEGATIVE_SCALE, WORD["en"]),
    "list_en": (NEGATIVE_SCALE, video_captions.all_faults("en")),
    "list_zh": (NEGATIVE_SCALE, video_captions.all_faults("zh")),
    **{f"scale_{scale:g}": (scale, "") for scale in SCALES if scale not in (1.0, NEGATIVE_SCALE)},
}
"""The ways to draw clips that are measured: guidance scale and negative prompt."""
BY_ITSELF = {"together": True, "apart": False}
"""The ways to draw clips of people who stand."""


def measured_rows(n: int = MEASURED, standing: int = STANDING) -> Iterator[tuple[str, Measures]]:
    """What is measured of real clips, and of as many that are drawn in each way, with the name of each.

    Half of the captions are English and half Chinese. None names a fault, and all are of combinations that occur in
    training.
    """
    wanted = video_queries.requests(n, _MEASURE)
    yield "real", measure(video_queries.real(n, _MEASURE), wanted.motions)
    for name, (scale, negative) in WAYS.items():
        how = Sampling(scale, negative, seed=_MEASURE)
        yield name, measure(model().sample(wanted.captions, how), wanted.motions)
    wanted = video_queries.requests(standing, _MEASURE, motion="stands")
    for name, together in BY_ITSELF.items():
        how = Sampling(SCALE, together=together, seed=_MEASURE)
        yield name, measure(model().sample(wanted.captions, how), wanted.motions)


@shared_cache(2)
def _measured(key: str, file: Path = FILE) -> dict[str, Measures]:
    found = films.read(file, key)
    rows = ("real", *WAYS, *BY_ITSELF)
    return {name: Measures(*found[f"measured {name}"].tolist()) for name in rows if f"measured {name}" in found}


def measured() -> Mapping[str, Measures]:
    """What the file has of ``measured_rows``, by name; none where it is of another model."""
    return _measured(key_of_model())


def seeds_with_faults(count: int) -> Iterator[tuple[int, dict[str, list[int]]]]:
    """In how many of the six plain clips the judge finds a fault, in each of the ways, for so many seeds and for
    each language."""
    for seed in range(count):
        found = {}
        for language in CAPTIONS:
            *_, made = make_films(negative_requests(language, WORD[language], seed=seed - SEEDS["negative"]))
            found[language] = [int(judge(unit(film.clips)).spoiled.sum()) for film in made]
        yield seed, found


def _rounded(states: Tensor) -> Tensor:
    """States, uint8, in 64 steps of brightness, which nobody tells apart and which take three quarters of the room."""
    return ((states.int() + 2) // 4 * 4).clamp(max=255).byte()


def write(n: int = MEASURED, standing: int = STANDING, file: Path = FILE) -> None:
    """Make the clips that the page opens with, measure many more, and write both to a file."""
    arrays = {}
    for language in CAPTIONS:
        *_, made = make_films(first_requests(language))
        arrays |= {repr(film.request): _rounded(torch.stack(film.x)).numpy() for film in made}
        arrays |= {_estimates(film.request): _rounded(torch.stack(film.x0)).numpy() for film in made if film.x0}
    for name, found in measured_rows(n, standing):
        print(name, found, flush=True)
        arrays[f"measured {name}"] = np.array([*vars(found).values()])
    films.write(file, {key_of_model(): arrays})


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["seeds"]:
        for row in seeds_with_faults(int(sys.argv[2])):
            print(*row, flush=True)
    else:
        write(*map(int, sys.argv[1:]))
