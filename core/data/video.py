"""Clips of pixel people: 8 frames of a person who moves, some of them spoiled, each with exactly known attributes.

A clip is a person (``core.data.people``) with one of ``MOTIONS``. A motion shifts groups of layers by whole pixels from
frame to frame: the person, the head, the hat; or it opens the mouth. One clip in four is spoiled by some of ``FAULTS``.
"""

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from core import seeds
from core.data import people
from core.data.people import ATTRIBUTES, SIDE
from core.problems import Problem

FRAMES = 8
SHAPE = (FRAMES, 3, SIDE, SIDE)
MOST = 200_000  # clips drawn at once: 1.2 GB
BLOCK = 256  # clips composed at once
SPOILED = 0.25
COLUMN = {name: column for column, name in enumerate(ATTRIBUTES)}

MOTIONS = (
    "stands", "walks_left", "walks_right", "jumps", "nods", "shakes_head", "talks", "tips_hat", "hat_comes_on",
)  # fmt: skip
OF_HATS = ("tips_hat", "hat_comes_on")
"""The motions of people with a hat."""
FAULTS = ("blurred", "noisy", "flickering", "frozen", "washed_out", "torn")

_REST = ((0, 0),) * FRAMES
_DOWN = tuple((0, 1 if frame % 4 in (1, 2) else 0) for frame in range(FRAMES))
_SHAKE = tuple(((0, 1, 0, -1)[frame % 4], 0) for frame in range(FRAMES))
_STEP = tuple((0, -(frame % 2)) for frame in range(FRAMES))
_JUMP = tuple((0, y) for y in (0, 1, -1, -3, -4, -3, -1, 0))
_TIP = ((0, 0), (1, -1), (2, -2), (3, -2), (3, -2), (2, -2), (1, -1), (0, 0))
_COME = tuple((0, y) for y in (-8, -6, -5, -4, -2, -1, 0, 0))
PATHS: dict[str, dict[str, tuple[tuple[int, int], ...]]] = {
    "stands": {},
    "walks_left": {"person": tuple((4 - frame, 0) for frame in range(FRAMES)), "head": _STEP},
    "walks_right": {"person": tuple((frame - 4, 0) for frame in range(FRAMES)), "head": _STEP},
    "jumps": {"person": _JUMP},
    "nods": {"head": _DOWN},
    "shakes_head": {"head": _SHAKE},
    "talks": {},
    "tips_hat": {"hat": _TIP},
    "hat_comes_on": {"hat": _COME},
}
"""Where a motion shifts a group of layers: (right, down) in pixels, for each frame. The head moves with the person, and
the hat with the head."""
OPEN = ((0, 1, 0, 1, 1, 0, 1, 0), (1, 0, 1, 1, 0, 1, 0, 0), (0, 1, 1, 0, 1, 0, 0, 1), (1, 1, 0, 1, 0, 1, 1, 0))
"""In which frames the mouth of one who talks is open: four ways."""
OPEN_MOUTH = ("mouth", "happy13")
BEHIND, FRONT = ("skin", "earrings"), ("eyes", "glasses", "beard", "mouth", "hair")  # of the head: below, above clothes
LIFTED = 2  # pixels: a hat that is so much higher may be cut off, and is not judged
_MARGIN = 8  # pixels around a layer, the largest shift
_PLACE = 0x51DE0  # keeps the draws of clips apart from all others


@dataclass(frozen=True, eq=False)
class Clips:
    """n clips.

    Attributes:
        frames: uint8 [n, 8, 3, 16, 16].
        attributes: of the people, int64 [n, 12], in the order of ``people.ATTRIBUTES``.
        visible: what can be seen of them, and may be said, bool [n, 12].
        motions: the number of each clip's motion, int64 [n].
        faults: which of ``FAULTS`` spoil it, bool [n, 6].
    """

    frames: Tensor
    attributes: Tensor
    visible: Tensor
    motions: Tensor
    faults: Tensor

    def __len__(self) -> int:
        return len(self.frames)

    def named(self, k: int) -> dict[str, str]:
        """The visible attributes of the person of clip k."""
        rows = zip(ATTRIBUTES.items(), self.attributes[k].tolist(), self.visible[k].tolist(), strict=True)
        return {name: values[chosen] for (name, values), chosen, shown in rows if shown}

    def motion(self, k: int) -> str:
        """The motion of clip k."""
        return MOTIONS[self.motions[k]]

    def faults_of(self, k: int) -> tuple[str, ...]:
        """The faults of clip k."""
        return tuple(name for name, spoils in zip(FAULTS, self.faults[k].tolist(), strict=True) if spoils)


# Clips from a seed


def draw(n: int, seed: int = 0, first: int = 0, held_out: bool | None = False, spoiled: float = SPOILED) -> Clips:
    """Clips ``first`` to ``first + n`` of a seed; clip k does not depend on ``n`` or ``first``.

    held_out: whether all of them, or none, have a person and a motion that never occur together in training (see
    ``is_held_out``); None: as it comes. spoiled: the share of spoiled clips. Raises Problem for an n that is below 1 or
    above ``MOST``, and for a share outside of [0, 1].
    """
    check(n, spoiled)
    return Clips(*map(torch.cat, zip(*(_block(seed, *rows, held_out, spoiled) for rows in _rows(n, first)))))


def describe(n: int, seed: int = 0, first: int = 0, held_out: bool | None = False, spoiled: float = SPOILED) -> Clips:
    """The clips of ``draw`` without their frames, 10 times as fast: ``frames`` is empty, [n, 0]."""
    check(n, spoiled)
    drawn = [_described(seed, *rows, held_out, spoiled)[:-1] for rows in _rows(n, first)]
    return Clips(torch.empty(n, 0, dtype=torch.uint8), *map(torch.cat, zip(*drawn)))


def check(n: int, spoiled: float) -> None:
    """Raise Problem unless so many clips can be drawn, with such a share of spoiled ones."""
    if not 1 <= n <= MOST:
        raise Problem("video_count", n=n, most=MOST)
    if not 0 <= spoiled <= 1:
        raise Problem("video_spoiled", share=spoiled)


def _rows(n: int, first: int) -> list[tuple[int, slice]]:
    """The blocks that clips ``first`` to ``first + n`` lie in, and which rows of each they are."""
    blocks = range(first // BLOCK, -(-(first + n) // BLOCK))
    return [(block, slice(max(first - block * BLOCK, 0), min(first + n - block * BLOCK, BLOCK))) for block in blocks]


def _described(seed: int, block: int, rows: slice, held_out: bool | None, spoiled: float) -> tuple[Tensor, ...]:
    """Attributes, what is visible, motions and faults of some rows of a block, and the chances of their variants."""
    shown = people.draw(rows.stop - rows.start, seeds.mix(seed, _PLACE), block * BLOCK + rows.start)
    width = 2 * len(ATTRIBUTES) + 8
    chances = torch.rand(width, BLOCK, generator=seeds.generator(seed, _PLACE, block, 1))[:, rows].T
    motions = _motions(shown.attributes, chances[:, 0], held_out)
    return shown.attributes, shown.visible, motions, _faults(motions, chances[:, 1:5], spoiled), chances[:, 8:]


def _block(seed: int, block: int, rows: slice, held_out: bool | None, spoiled: float) -> tuple[Tensor, ...]:
    attributes, visible, motions, faults, chances = _described(seed, block, rows, held_out, spoiled)
    numbers = [seeds.mix(seed, _PLACE, block * BLOCK + k) for k in range(rows.start, rows.stop)]
    frames = spoil(compose(attributes, motions, chances), faults, numbers)
    return (frames * 255).round_().byte(), attributes, visible, motions, faults


def is_held_out(attributes: Tensor, motions: Tensor) -> Tensor:
    """Which rows of attributes [n, 12] with motions [n] are combinations of a colour of clothes and a motion that no
    clip of training has, bool [n]: a quarter of all. Every colour and every motion occurs in training."""
    return (attributes[:, COLUMN["clothes_colour"]] + motions) % 4 == 0


def _motions(attributes: Tensor, chance: Tensor, held_out: bool | None) -> Tensor:
    """A motion for each person, all about equally frequent: those of hats are drawn more often where there is one."""
    numbers = torch.arange(len(MOTIONS))
    hats = torch.tensor([name in OF_HATS for name in MOTIONS])
    with_hat = attributes[:, [COLUMN["hat"]]] > 0
    weights = torch.where(hats, torch.where(with_hat, 1 / 0.6, 0.0), 1.0)
    if held_out is not None:
        away = is_held_out(attributes[:, None].expand(-1, len(numbers), -1).flatten(0, 1), numbers.repeat(len(chance)))
        weights = weights * (away.view(-1, len(numbers)) == held_out)
    ends = weights.cumsum(1)
    return (chance[:, None] * ends[:, -1:] >= ends).sum(1).clamp(max=len(MOTIONS) - 1)


def _faults(motions: Tensor, chances: Tensor, spoiled: float) -> Tensor:
    """Which faults each clip has, bool [n, 6]: one in seven of ten spoiled clips, otherwise two. Those who stand cannot
    freeze."""
    n = len(motions)
    first = (chances[:, 1] * len(FAULTS)).long()
    second = (first + 1 + (chances[:, 2] * (len(FAULTS) - 1)).long()) % len(FAULTS)
    found = torch.zeros(n, len(FAULTS), dtype=torch.bool)
    found[torch.arange(n), first] = True
    found[torch.arange(n), second] |= chances[:, 3] < 0.3
    frozen, still = FAULTS.index("frozen"), motions == MOTIONS.index("stands")
    found[still, FAULTS.index("blurred")] |= found[still, frozen]
    found[still, frozen] = False
    return found & (chances[:, 0] < spoiled)[:, None]


# Composition


def compose(attributes: Tensor, motions: Tensor, chances: Tensor) -> Tensor:
    """Clean clips of given attributes [n, 12] and motions [n], in [0, 1]: [n, 8, 3, 16, 16].

    ``chances`` [n, 14 or more] in [0, 1) choose among the variants that share a word, and among ways to talk.
    """
    of = dict(zip(ATTRIBUTES, attributes.unbind(1), strict=True))
    layers = {part: (light, alpha) for part, light, alpha in people.painted(of, chances[:, 2:])}
    talking = torch.tensor(OPEN, dtype=torch.bool)[(chances[:, 0] * len(OPEN)).long()]
    talking = talking & (motions == MOTIONS.index("talks"))[:, None]
    closed = _over([layers[part] for part in FRONT])
    opened = _over([_open_mouth(layers) if part == "mouth" else layers[part] for part in FRONT])
    person, head, hat = (paths(motions, group) for group in ("person", "head", "hat"))
    shifted = [
        _shift(_over([layers[part] for part in BEHIND]), person + head),
        _shift(torch.cat(layers["pattern"], 1), person),
        torch.where(talking[:, :, None, None, None], _shift(opened, person + head), _shift(closed, person + head)),
        _shift(torch.cat(layers["hat"], 1), person + head + hat),
    ]
    frames = people.background(of)[:, None].expand(-1, FRAMES, -1, -1, -1)
    for group in shifted:
        frames = group[:, :, :3] + (1 - group[:, :, 3:]) * frames
    return frames.clamp(0, 1)


def paths(motions: Tensor, group: str) -> Tensor:
    """Where motions [n] shift a group of layers: (right, down) in pixels, int64 [n, 8, 2]."""
    return torch.tensor([PATHS[name].get(group, _REST) for name in MOTIONS])[motions]


def _over(layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Layers laid over each other, from below, as one: colour and cover [n, 4, 16, 16]."""
    whole = torch.cat(layers[0], 1)
    for light, alpha in layers[1:]:
        whole = torch.cat([light, alpha], 1) + (1 - alpha) * whole
    return whole


@cache
def _opening() -> Tensor:
    """What an open mouth covers, [1, 16, 16]."""
    return people.part(*OPEN_MOUTH)


def _open_mouth(layers: dict[str, tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The layer of an open mouth in a dark red."""
    cover = _opening().expand_as(layers["mouth"][1])
    return people.palette((people.MOUTH[1],)) * cover, cover


def _shift(group: Tensor, path: Tensor) -> Tensor:
    """Layers [n, 4, 16, 16] in each frame, shifted along a path [n, 8, 2]: [n, 8, 4, 16, 16]. Empty is shifted in."""
    wide = F.pad(group, (_MARGIN,) * 4)
    side = wide.shape[-1]
    places = torch.arange(SIDE) + _MARGIN
    columns, rows = (places - path[..., [axis]] for axis in (0, 1))  # [n, 8, 16]
    index = (rows[..., :, None] * side + columns[..., None, :]).flatten(1)  # [n, 8 * 256]
    found = wide.flatten(2).gather(2, index[:, None].expand(-1, 4, -1))
    return found.unflatten(2, (FRAMES, SIDE, SIDE)).transpose(1, 2)


# Faults


def spoil(frames: Tensor, faults: Tensor, numbers: list[int]) -> Tensor:
    """Clips [n, 8, 3, 16, 16] in [0, 1], spoiled by their faults [n, 6]. What is random of each follows from its
    number."""
    frames = frames.clone()
    for k in faults.any(1).nonzero()[:, 0].tolist():
        for fault, name in enumerate(FAULTS):
            if faults[k, fault]:
                frames[k] = SPOIL[name](frames[k], numbers[k])
    return frames.clamp_(0, 1)


def _blurred(clip: Tensor, seed: int) -> Tensor:
    """Each pixel the mean of 3x3, twice."""
    for _ in range(2):
        clip = F.avg_pool2d(F.pad(clip, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return clip


def _noisy(clip: Tensor, seed: int) -> Tensor:
    """Other noise in each frame."""
    return clip + 0.3 * seeds.gaussian(clip.shape, seed, 1)


def _flickering(clip: Tensor, seed: int) -> Tensor:
    """Frames brighter and darker in turn."""
    light = 0.12 + 0.12 * seeds.uniform(FRAMES, seed, 2)
    return clip + (light * torch.tensor([1.0, -1.0]).repeat(FRAMES // 2))[:, None, None, None]


def _frozen(clip: Tensor, seed: int) -> Tensor:
    """The motion ends at the third or fourth frame."""
    last = 2 + int(2 * seeds.uniform(1, seed, 3).item())
    return torch.cat([clip[:last], clip[last : last + 1].expand(FRAMES - last, -1, -1, -1)])


def _washed_out(clip: Tensor, seed: int) -> Tensor:
    """A third of the contrast, in a light grey."""
    return 0.65 + (clip - 0.5) / 3


def _torn(clip: Tensor, seed: int) -> Tensor:
    """The lower part of each frame shifted aside, from another row on in each."""
    rows = 5 + (6 * seeds.uniform(FRAMES, seed, 4)).long()
    shifts = 3 + (3 * seeds.uniform(FRAMES, seed, 5)).long()
    clip = clip.clone()
    for frame, (row, shift) in enumerate(zip(rows.tolist(), shifts.tolist(), strict=True)):
        clip[frame, :, row:] = clip[frame, :, row:].roll(shift if frame % 2 else -shift, -1)
    return clip


SPOIL = {
    "blurred": _blurred, "noisy": _noisy, "flickering": _flickering, "frozen": _frozen, "washed_out": _washed_out,
    "torn": _torn,
}  # fmt: skip


# What can be judged


def judged(attributes: Tensor, visible: Tensor, motions: Tensor) -> Tensor:
    """Which attributes can be judged in each frame of clean clips, bool [n, 8, 12]: what is visible, but no hat while
    it is lifted and no mouth that may be open."""
    height = sum(paths(motions, group) for group in ("person", "head", "hat"))[..., 1]
    shown = visible[:, None].repeat(1, FRAMES, 1)
    for name in ("hat", "hat_colour"):
        shown[..., COLUMN[name]] &= (height > -LIFTED) | (attributes[:, [COLUMN["hat"]]] == 0)
    shown[..., COLUMN["mouth"]] &= (motions != MOTIONS.index("talks"))[:, None]
    return shown
