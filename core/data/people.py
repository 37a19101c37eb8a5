"""Pixel people: pictures of 16x16 composed of parts, each person with exactly known attributes.

A person is a row of attributes such as hair style, hat and colour of clothes (`ATTRIBUTES`). There are more than 10^12
different people, so a data set of them has no end, and what a model makes of a request can be judged exactly. The parts
are layers (``assets/people/parts.npz``, see the notice there): a layer of colour c laid over a picture p gives
``colour * c + light + (1 - alpha) * p``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from core import seeds
from core.data.images import ASSETS, unit
from core.problems import Problem

SIDE, MAX_SIDE = 16, 256
MOST = 1_000_000  # people drawn at once: 0.8 GB
BLOCK = 512  # people composed at once: the layers of one block fit into the cache
MOST_BLOCKS = 16  # in which ``fitting`` looks for people who are seldom drawn
COLOURS = {
    "black": "28150a",
    "brown": "5a3210",
    "yellow": "ffc425",
    "red": "c41a10",
    "blue": "1f66c0",
    "green": "3c9a3c",
    "purple": "7b4fb5",
    "pink": "f07cb0",
    "grey": "989789",
}
"""The colours that hair, hats and clothes share, so that none of them names a part."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "skin": ("light", "tan", "dark"),
    "hair": ("bald", "short", "curly", "bun", "bob", "braids", "long"),
    "hair_colour": tuple(COLOURS),
    "beard": ("none", "beard", "goatee"),
    "glasses": ("none", "glasses", "sunglasses"),
    "hat": ("none", "cap", "beanie", "top_hat"),
    "hat_colour": tuple(COLOURS),
    "mouth": ("smiling", "sad", "serious"),
    "clothes_colour": tuple(COLOURS),
    "pattern": ("plain", "striped", "checked"),
    "earrings": ("none", "earrings"),
    "background": ("blue", "green", "white"),
}
"""The attributes of a person and the values of each, in the order of the columns of `People.attributes`."""

# The variants of a part that share a word. Others look like one of these, or are too small to be seen.
VARIANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "hair": {
        "short": ("short06", "short15", "short16", "short17", "short22"),
        "curly": ("long15", "short11", "short13"),
        "bun": ("long05",),
        "bob": ("long04", "long16", "long21"),
        "braids": ("long18", "long02"),
        "long": ("long07", "long09", "long12", "long13"),
    },
    "beard": {"beard": ("variant01", "variant03", "variant05"), "goatee": ("variant02",)},
    "glasses": {
        "glasses": ("light02", "light05", "light06", "light07"),
        "sunglasses": ("dark05", "dark06", "dark07"),
    },
    "hat": {
        "cap": ("variant02", "variant07", "variant08"),
        "beanie": ("variant01", "variant03", "variant09"),
        "top_hat": ("variant05", "variant06"),
    },
    "mouth": {"smiling": ("happy06", "happy09"), "sad": ("sad01",), "serious": ("sad06", "sad04")},
    "pattern": {
        "plain": ("variant12", "variant03", "variant05"),
        "striped": ("variant13",),
        "checked": ("variant06",),
    },
    "earrings": {"earrings": ("variant01", "variant03")},
}
KINDS = {"pattern": "clothing", "earrings": "accessories"}  # the file's names of parts, where they differ from ours
EYES = ("variant01", "variant06", "variant09")
SKIN = {"light": ("ffdbac", "f5cfa0"), "tan": ("cb9e6e",), "dark": ("8d5524",)}
BACKGROUND = {"blue": "b6e3f4", "green": "d3efc6", "white": "ffffff"}
LAYERS = ("skin", "earrings", "pattern", "eyes", "glasses", "beard", "mouth", "hair", "hat")  # from below

_RARE = {"hair": (1, 2, 1, 1, 1, 1, 2), "beard": (5, 3, 2), "glasses": (4, 3, 3), "hat": (4, 2, 2, 2)}
_RARE |= {"pattern": (4, 3, 3), "earrings": (2, 1), "skin": (2, 1, 1)}
"""How often each value is drawn, where not all are equally frequent."""
MOUTH = ("de0f0d", "5f0610")  # the second on a red beard, where the first could not be seen
EARRING = "daa520"
EYE = "4b5f78"
FRAME = "191919"
COMBINED = ("hat", "glasses", "clothes_colour")
"""The attributes of which a third of all combinations is held out from training."""
SEEN = 0.5  # the share of a part's pixels that must be visible before a caption may name it
CLEAR = 8  # as many visible pixels of hair show its colour


@dataclass(frozen=True, eq=False)
class People:
    """n people: pictures uint8 [n, 3, side, side], attributes int64 [n, 12] (the index of each value, in the order of
    `ATTRIBUTES`), and ``visible`` bool [n, 12]: what can be seen of them, and may be said."""

    images: Tensor
    attributes: Tensor
    visible: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def named(self, k: int) -> dict[str, str]:
        """The visible attributes of person k."""
        rows = zip(ATTRIBUTES.items(), self.attributes[k].tolist(), self.visible[k].tolist(), strict=True)
        return {name: values[chosen] for (name, values), chosen, shown in rows if shown}


@dataclass(frozen=True, eq=False)
class Layer:
    """The variants of a part as tensors: what takes the colour [V, 1, 16, 16], what has its own [V, 3, 16, 16] and what
    covers [V, 1, 16, 16]. Variant 0 is empty. ``first`` and ``count`` [values]: the variants of each value."""

    colour: Tensor
    light: Tensor
    alpha: Tensor
    first: Tensor
    count: Tensor


@cache
def parts() -> dict[str, Layer]:
    """The layers of a person, those of ``LAYERS``."""
    with np.load(ASSETS / "people" / "parts.npz") as file:
        kinds, names = file["kind"].tolist(), file["name"].tolist()
        arrays = {part: torch.from_numpy(file[part]).float() / 255 for part in ("colour", "light", "alpha")}
    place = {(kind, name): row for row, (kind, name) in enumerate(zip(kinds, names, strict=True))}
    groups = {
        "skin": [[("skin", "head")]] * len(SKIN),
        "eyes": [[("eyes", name) for name in EYES]],
        **{
            part: [[(KINDS.get(part, part), name) for name in variants.get(value, ())] for value in ATTRIBUTES[part]]
            for part, variants in VARIANTS.items()
        },
    }
    return {part: _layer(arrays, [[place[one] for one in group] for group in groups[part]]) for part in LAYERS}


def part(kind: str, name: str) -> Tensor:
    """What a variant of a part covers, [1, 16, 16] in [0, 1], whether people are drawn with it or not."""
    with np.load(ASSETS / "people" / "parts.npz") as file:
        row = list(zip(file["kind"].tolist(), file["name"].tolist(), strict=True)).index((kind, name))
        return torch.from_numpy(file["alpha"][row]).float().view(1, SIDE, SIDE) / 255


def _layer(arrays: dict[str, Tensor], groups: list[list[int]]) -> Layer:
    rows = [row for group in groups for row in group]
    empty = torch.zeros(1, 16, 16)
    counts = torch.tensor([max(len(group), 1) for group in groups])
    first, free = [], 1
    for group in groups:
        first.append(free if group else 0)
        free += len(group)
    colour, alpha = (torch.cat([empty, arrays[part][rows]])[:, None] for part in ("colour", "alpha"))
    light = torch.cat([torch.zeros(1, 16, 16, 3), arrays["light"][rows]]).permute(0, 3, 1, 2)
    return Layer(colour, light, alpha, torch.tensor(first), counts)


# People from a seed


def draw(n: int, seed: int = 0, first: int = 0, side: int = SIDE, held_out: bool | None = False) -> People:
    """People ``first`` to ``first + n`` of a seed; person k does not depend on ``n`` or ``first``.

    held_out: whether all of them, or none, have a combination that is held out (see ``is_held_out``); None: as it
    comes. Raises Problem for a side that is no multiple of 16 and an n that is below 1 or above ``MOST``.
    """
    if not 1 <= n <= MOST:
        raise Problem("people_count", n=n, most=MOST)
    check_side(side)
    blocks = range(first // BLOCK, -(-(first + n) // BLOCK))
    rows = [slice(max(first - block * BLOCK, 0), min(first + n - block * BLOCK, BLOCK)) for block in blocks]
    drawn = [_block(seed, block, some, held_out) for block, some in zip(blocks, rows, strict=True)]
    images, attributes, visible = map(torch.cat, zip(*drawn, strict=True))
    return People(enlarge(images, side), attributes, visible)


def check_side(side: int) -> None:
    """Raise Problem unless people can be drawn with ``side`` pixels a side."""
    if not (SIDE <= side <= MAX_SIDE and side % SIDE == 0):
        raise Problem("people_side", side=side, most=MAX_SIDE)


@cache
def common_colours(n: int) -> Tensor:
    """The n most frequent colours of people, the most frequent first, uint8 [n, 3]; fewer if there are fewer."""
    pixels = draw(4096).images.movedim(1, -1).flatten(0, -2)
    colours, count = pixels.unique(dim=0, return_counts=True)
    return colours[count.argsort(descending=True, stable=True)[:n]]


def enlarge(images: Tensor, side: int) -> Tensor:
    """Pictures of 16x16 pixels with each pixel repeated, to ``side`` pixels."""
    times = side // SIDE
    return images if times == 1 else images.repeat_interleave(times, -1).repeat_interleave(times, -2)


def _block(seed: int, block: int, rows: slice, held_out: bool | None) -> tuple[Tensor, Tensor, Tensor]:
    chances = torch.rand(2 * len(ATTRIBUTES) + 2, BLOCK, generator=seeds.generator(seed, _PLACE, block))[:, rows]
    of = {name: _value(name, chances[k]) for k, name in enumerate(ATTRIBUTES)}
    if held_out is not None:
        clothes = chances[list(ATTRIBUTES).index("clothes_colour")]
        of["clothes_colour"] = _clothes_colour(of["hat"] + of["glasses"], clothes, held_out)
    return compose(torch.stack(list(of.values()), 1), chances[len(ATTRIBUTES) :].T)


_PLACE = 0x9E09  # keeps the draws of people apart from all others


def _value(name: str, chance: Tensor) -> Tensor:
    values = ATTRIBUTES[name]
    weights = torch.tensor(_RARE.get(name, (1,) * len(values)), dtype=torch.float32)
    return torch.bucketize(chance.contiguous(), weights.cumsum(0)[:-1] / weights.sum(), right=True)


def fitting(wanted: Sequence[Sequence[int]], n: int, seed: int = 0) -> People:
    """n people who have for each attribute one of the values ``wanted`` (empty: any), also held-out combinations.

    All that is wanted can be seen in them, unless it never can together, such as short hair under a top hat.
    """
    found, kept, anyone = [], 0, []
    for block in range(MOST_BLOCKS):
        chances = torch.rand(2 * len(ATTRIBUTES) + 2, BLOCK, generator=seeds.generator(seed, _PLACE, block, 1))
        values = [
            torch.tensor(some)[(chances[k] * len(some)).long()] if some else _value(name, chances[k])
            for k, (name, some) in enumerate(zip(ATTRIBUTES, wanted, strict=True))
        ]
        parts = compose(torch.stack(values, 1), chances[len(ATTRIBUTES) :].T)
        fits = parts[2][:, torch.tensor([bool(some) for some in wanted])].all(1)
        anyone.append(parts)
        found.append(tuple(part[fits] for part in parts))
        kept += int(fits.sum())
        if kept >= n:
            break
    parts = found if kept >= n else [*found, *anyone]
    return People(*(torch.cat(some)[:n] for some in zip(*parts, strict=True)))


# Held-out combinations


def is_held_out(attributes: Tensor) -> Tensor:
    """Which rows of attributes [n, 12] have a combination of hat, glasses and colour of clothes that no training
    picture has, bool [n]: a third of all combinations. Every pair of two of these values occurs in training."""
    hat, glasses, clothes = (attributes[:, list(ATTRIBUTES).index(name)] for name in COMBINED)
    return (hat + glasses + clothes) % 3 == 0


def _clothes_colour(others: Tensor, chance: Tensor, held_out: bool) -> Tensor:
    """Colours of clothes, all allowed ones equally frequent, where ``others`` is hat + glasses: see ``is_held_out``."""
    thirds = len(COLOURS) // 3
    if held_out:
        return (3 * (chance * thirds).long() - others) % len(COLOURS)
    chosen = (chance * 2 * thirds).long()
    return (3 * (chosen // 2) + 1 + chosen % 2 - others) % len(COLOURS)


# Composition


def compose(attributes: Tensor, chances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """People of given attributes [n, 12]: pictures uint8 [n, 3, 16, 16], the attributes, and what is visible [n, 12].

    ``chances`` [n, 14] in [0, 1) choose among the variants that share a word.
    """
    made = [_composed(*block) for block in zip(attributes.split(BLOCK), chances.split(BLOCK), strict=True)]
    return tuple(map(torch.cat, zip(*made, strict=True)))


def _composed(attributes: Tensor, chances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The people of one block."""
    of = dict(zip(ATTRIBUTES, attributes.unbind(1), strict=True))
    picture, covers = background(of), {}
    for part, light, alpha in painted(of, chances):
        picture = light + (1 - alpha) * picture
        covers[part] = alpha[:, 0]
    images = (picture * 255).round_().clamp_(0, 255).byte()
    return images, attributes, _visible(of, covers)


def background(of: Mapping[str, Tensor]) -> Tensor:
    """The plain backgrounds [n, 3, 16, 16], in [0, 1], of people ``of`` given attributes, each [n]."""
    colours = palette(tuple(BACKGROUND.values()))[of["background"]]
    return colours.expand(len(colours), 3, SIDE, SIDE)


def painted(of: Mapping[str, Tensor], chances: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The layers of people ``of`` given attributes, each [n], from below, one by one: the part, its colour multiplied
    by what it covers, [n, 3, 16, 16], and what it covers, [n, 1, 16, 16]. ``chances``: see ``compose``."""
    colours = _colours(of, chances[:, -2:])
    for k, part in enumerate(LAYERS):
        layer, value = parts()[part], of.get(part, torch.zeros_like(of["skin"]))
        variant = layer.first[value] + (chances[:, k] * layer.count[value]).long()
        yield part, layer.colour[variant] * colours[part] + layer.light[variant], layer.alpha[variant]


@cache
def palette(words: Sequence[str]) -> Tensor:
    """Colours [n, 3, 1, 1] in [0, 1] of hexadecimal numbers."""
    return torch.tensor([[int(word[i : i + 2], 16) / 255 for i in (0, 2, 4)] for word in words])[:, :, None, None]


def _colours(of: Mapping[str, Tensor], chances: Tensor) -> dict[str, Tensor]:
    """The colour [n, 3, 1, 1] of each layer of each person."""
    shared = palette(tuple(COLOURS.values()))
    skin = palette(tuple(tone for tones in SKIN.values() for tone in tones))
    light = (of["skin"] == 0) & (chances[:, 0] < 0.5)
    hair = shared[of["hair_colour"]]
    red_beard = (of["beard"] > 0) & (of["hair_colour"] == list(COLOURS).index("red"))
    n = len(hair)
    return {
        "skin": skin[of["skin"] + ~light],
        "earrings": palette((EARRING,)).expand(n, 3, 1, 1),
        "pattern": shared[of["clothes_colour"]],
        "eyes": palette((EYE,)).expand(n, 3, 1, 1),
        "glasses": palette((FRAME,)).expand(n, 3, 1, 1),
        "beard": hair,
        "mouth": palette(MOUTH)[red_beard.long()],
        "hair": hair,
        "hat": shared[of["hat_colour"]],
    }


def _visible(of: Mapping[str, Tensor], covers: Mapping[str, Tensor]) -> Tensor:
    """Which attributes can be seen, bool [n, 12]: enough of the part's pixels are not covered by a later layer."""
    free = torch.ones_like(covers["skin"])
    share, pixels = {}, {}
    for part in reversed(LAYERS):
        whole, shown = covers[part].sum((1, 2)), (covers[part] * free).sum((1, 2))
        share[part], pixels[part] = shown / whole.clamp(min=1), shown
        free = free * (1 - covers[part])
    hair = (share["hair"] >= SEEN) & (pixels["hair"] >= CLEAR)
    bald = (of["hair"] == 0) & (of["hat"] == 0)
    beard = (of["beard"] == 0) | (share["beard"] >= SEEN)
    always = torch.ones_like(hair)
    shown = {
        "hair": hair | bald,
        "hair_colour": (pixels["hair"] >= CLEAR) | ((of["beard"] > 0) & (pixels["beard"] >= CLEAR)),
        "beard": beard,
        "hat_colour": of["hat"] > 0,
        "mouth": share["mouth"] >= 0.75,
        "earrings": (of["earrings"] > 0) & (share["earrings"] >= SEEN) | (of["earrings"] == 0) & ~_ears_hidden(covers),
    }
    return torch.stack([shown.get(name, always) for name in ATTRIBUTES], 1)


def _ears_hidden(covers: dict[str, Tensor]) -> Tensor:
    """Whether hair or hat covers the places beside the head where earrings would be."""
    places = parts()["earrings"].alpha[1:].amax(0)[0] > 0
    free = (1 - covers["hair"]) * (1 - covers["hat"]) * places
    return free.sum((1, 2)) < SEEN * places.sum()


# As data to train on


class PeopleSet:
    """People to train an image model on (``core.models.images.TrainingSet``), conditioned on their attributes.

    Args:
        n: the number of different people; None: without end, each drawn for the first time.
        side: pixels a side, a multiple of 16.
        seed: of the people.

    Held-out combinations never occur in it. Raises Problem as `draw` does.
    """

    name, classes, note, attributes = "people", (), None, ATTRIBUTES

    def __init__(self, n: int | None = None, side: int = SIDE, seed: int = 0):
        check_side(side)
        self.n, self.side, self.seed = n, side, seed
        self.shape = (3, side, side)
        self.people = None if n is None else draw(n, seed, side=side)
        self.rms = unit((self.people or draw(4096, seed)).images).square().mean().sqrt().item()

    def __len__(self) -> int:
        """The number of people; 0 stands for no end."""
        return self.n or 0

    def sample(self, n: int, generator: torch.Generator, flip: bool | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """``n`` people, float32 [n, 3, side, side] in [-1, 1], and the condition: "attributes" int64 [n, 12], -1 where
        a value is not given. ``flip`` is ignored."""
        people, given = self.batch(n, generator)
        return unit(people.images), {"attributes": people.attributes.where(given, -1)}

    def batch(self, n: int, generator: torch.Generator) -> tuple[People, Tensor]:
        """``n`` people, and which of their attributes are given, bool [n, 12]: of each person a random part of what can
        be seen, from nothing to all. The share is uniform."""
        u = torch.rand(n, 2 + len(ATTRIBUTES), generator=generator, dtype=torch.float64)
        if self.people is None:
            people = draw(n, torch.randint(2**62, (), generator=generator).item(), side=self.side)
        else:
            chosen = (u[:, 0] * len(self.people)).long()
            parts = (self.people.images, self.people.attributes, self.people.visible)
            people = People(*(part[chosen] for part in parts))
        return people, people.visible & (u[:, 2:] < u[:, 1:2])
