"""The nearest person that can be composed to a picture: what people are judged by exactly, without any training.

A picture is fitted by coordinate descent: each part in turn takes the variant and the colour that make the squared
distance to the picture smallest while all other parts stay. Where t is the share that the parts above let through, u
their light, and d the picture below, a candidate of light l and opacity a leaves the difference

    u + t (l + (1 - a) d) - x = g + t (l - a d),        g = u + t d - x,

whose square is linear in (l, a, |l|^2, a l, a^2): one matrix product measures all candidates of a part.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from core import seeds
from core.data import people
from core.data.images import unit
from core.data.people import ATTRIBUTES, COLOURS, SIDE
from core.problems import Problem

STARTS = 2  # people that the descent begins with; the nearest of those that it ends with is taken
SWEEPS = 3  # times that each part is chosen
BLOCK = 64  # pictures fitted at once: what belongs to one block fits into the cache
TIE = 1e-3  # squared distance: of people as near as each other, the one without a hat is taken
_PLACE = 0x9E10  # keeps the draw of the people to begin with apart from all others


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest people: attributes int64 [n, 12], pictures uint8 [n, 3, 16, 16], and ``difference`` [n, 16, 16], the
    largest absolute difference of a channel in each pixel, between pictures in [-1, 1].

    What cannot be seen of a nearest person makes no difference, and is the first of its values.
    """

    attributes: Tensor
    images: Tensor
    difference: Tensor


def nearest(images: Tensor) -> Nearest:
    """The nearest person to each picture, [n, 3, 16, 16], uint8 or in [-1, 1]; values beyond that are clipped.

    Coordinate descent may end in a local minimum, so it begins with several people; of 1,000 composed people it finds
    999 or more exactly, in 2 ms each. Raises Problem for pictures of another shape, and for none.
    """
    x = pictures(images).add(1).div(2).flatten(2)
    attributes, fitted = map(torch.cat, zip(*map(_nearest, x.split(BLOCK)), strict=True))
    difference = 2 * (fitted - x).abs().amax(1).unflatten(1, (SIDE, SIDE))
    return Nearest(attributes, fitted.mul(255).round().byte().unflatten(2, (SIDE, SIDE)), difference)


def pictures(images: Tensor) -> Tensor:
    """Pictures of people, uint8 or in [-1, 1], as float32 [n, 3, 16, 16] in [-1, 1]. Raises Problem for another shape,
    and for none."""
    if images.shape[1:] != (3, SIDE, SIDE) or not len(images):
        raise Problem("people_pictures", side=SIDE, shape="x".join(map(str, images.shape)))
    return unit(images) if images.dtype == torch.uint8 else images.float().clamp(-1, 1)


# Candidates


@dataclass(frozen=True, eq=False)
class _Layers:
    """V layers to choose from: light [V, 3, 256], opacity [V, 1, 256], and the value [V] of each attribute that the
    choice decides."""

    light: Tensor
    alpha: Tensor
    values: dict[str, Tensor]

    @cached_property
    def terms(self) -> Tensor:
        """What the squared distance is linear in, [2304, V] (see ``_costs``)."""
        light, alpha = self.light, self.alpha
        terms = light, alpha, light.square().sum(1), alpha * light, alpha.square()
        return torch.cat([term.flatten(1) for term in terms], 1).T.contiguous()


def _layers(name: str, colour: Tensor, empty: bool = True) -> _Layers:
    """The variants of a part in a colour [3, 1, 1]; empty: with nothing before them."""
    layer = people.parts()[name]
    used = layer.first > 0
    value = torch.cat([torch.zeros(1, dtype=torch.long), used.nonzero()[:, 0].repeat_interleave(layer.count[used])])
    light, first = (layer.colour * colour + layer.light).flatten(2), 0 if empty else 1
    return _Layers(light[first:], layer.alpha.flatten(2)[first:], {name: value[first:]})


def _joined(several: list[_Layers], **values: list[int]) -> _Layers:
    """The candidates of all of ``several``; values: an attribute that is the same for all candidates of each."""
    counts = torch.tensor([len(layers.light) for layers in several])
    known = {name: torch.cat([layers.values[name] for layers in several]) for name in several[0].values}
    added = {name: torch.tensor(each).repeat_interleave(counts) for name, each in values.items()}
    return _Layers(
        *(torch.cat([getattr(some, part) for some in several]) for part in ("light", "alpha")), known | added
    )


def _pairs(lower: _Layers, upper: _Layers) -> _Layers:
    """Each candidate of a part with each of the part next above, as one layer."""
    a = torch.arange(len(lower.light)).repeat_interleave(len(upper.light))
    b = torch.arange(len(upper.light)).repeat(len(lower.light))
    values = {name: value[a] for name, value in lower.values.items()} | {n: v[b] for n, v in upper.values.items()}
    through = 1 - upper.alpha[b]
    return _Layers(upper.light[b] + through * lower.light[a], 1 - through * (1 - lower.alpha[a]), values)


@cache
def _parts() -> dict[str, _Layers]:
    """The parts from below, each with all its candidates. Glasses belong to the eyes, and beard and mouth to the face:
    they are chosen together. Face and hair have as many candidates for each colour of hair, one colour after the other.
    """
    (earring,), (eye,), (frame,) = (people.palette((word,)) for word in (people.EARRING, people.EYE, people.FRAME))
    skin = [(k, tone) for k, tones in enumerate(people.SKIN.values()) for tone in people.palette(tones)]
    background = people.palette(tuple(people.BACKGROUND.values())).flatten(2).expand(-1, -1, SIDE * SIDE)
    colours, numbers = people.palette(tuple(COLOURS.values())), [*range(len(COLOURS))]
    clothes, hats = ([_layers(name, colour, empty=False) for colour in colours] for name in ("pattern", "hat"))
    no_hat = _Layers(*(torch.zeros(1, n, SIDE * SIDE) for n in (3, 1)), {"hat": torch.zeros(1, dtype=torch.long)})
    return {
        "background": _Layers(background, torch.ones(3, 1, SIDE * SIDE), {"background": torch.arange(3)}),
        "skin": _joined([_layers("skin", tone, empty=False) for _, tone in skin], skin=[k for k, _ in skin]),
        "earrings": _layers("earrings", earring),
        "clothes": _joined(clothes, clothes_colour=numbers),
        "eyes": _pairs(_layers("eyes", eye, empty=False), _layers("glasses", frame)),
        "face": _joined([_faces(name, colour) for name, colour in zip(COLOURS, colours)], hair_colour=numbers),
        "hair": _joined([_layers("hair", colour) for colour in colours], hair_colour=numbers),
        "hat": _joined([no_hat, *hats], hat_colour=[0, *numbers]),
    }


def _faces(name: str, colour: Tensor) -> _Layers:
    """Beards of a colour, each with each mouth."""
    beards = _layers("beard", colour)
    usual, on_red = (_pairs(beards, _layers("mouth", mouth, empty=False)) for mouth in people.palette(people.MOUTH))
    dark = (usual.values["beard"] > 0) & (name == "red")
    return _Layers(on_red.light.where(dark[:, None, None], usual.light), usual.alpha, usual.values)


# Coordinate descent

_State = dict[str, Tensor]  # the candidate of each part, [n]
_Above = tuple[
    Tensor, Tensor
]  # the light [n, 3, 256] of the parts above, and the share [n, 1, 256] that they let through


def _nearest(x: Tensor) -> tuple[Tensor, Tensor]:
    """Attributes [n, 12] and picture [n, 3, 256] of the nearest person to each picture x [n, 3, 256] in [0, 1]."""
    n, parts = len(x), _parts()
    source = seeds.generator(0, _PLACE)
    begin = {name: torch.randint(len(part.light), (STARTS,), generator=source) for name, part in parts.items()}
    state = {name: candidate.repeat_interleave(n) for name, candidate in begin.items()}
    several = x.repeat(STARTS, 1, 1)
    for _ in range(SWEEPS):
        fitted = _sweep(several, state)
    best = (fitted - several).square().sum((1, 2)).view(STARTS, n).argmin(0) * n + torch.arange(n)
    values = {
        attribute: value[state[name][best]] for name, part in parts.items() for attribute, value in part.values.items()
    }
    return torch.stack([values[name] for name in ATTRIBUTES], 1), fitted[best]


def _sweep(x: Tensor, state: _State) -> Tensor:
    """Choose each part anew, from below, in place; the pictures that result."""
    parts, nothing = _parts(), (torch.zeros_like(x), torch.ones_like(x[:, :1]))
    above, stacks = nothing, {}
    for name in reversed(parts):
        stacks[name] = above
        above = _under(parts[name], state[name], above)
    below = torch.zeros_like(x)
    for name, part in parts.items():
        if name == "face":
            _choose_head(x, state, below, [nothing, stacks["hair"]])
        elif name != "hair":
            costs = _costs(x, below, stacks[name], part.terms)
            costs[:, 0] -= TIE * (name == "hat")
            state[name] = costs.argmin(1)
        below = _over(part, state[name], below)
    return below


def _choose_head(x: Tensor, state: _State, below: Tensor, hats: list[_Above]) -> None:
    """Choose the face and then the hair in each colour of hair, without a hat and with the present one, and the best of
    these. A hat in the colour of the hair is nearly hair: it would remain if the hair were chosen under it alone."""
    face, hair = _parts()["face"], _parts()["hair"]
    faces, hairs = len(face.light) // len(COLOURS), len(hair.light) // len(COLOURS)
    variant = state["hair"] % hairs
    found = []
    for bare, above in zip((True, False), hats, strict=True):
        for colour in range(len(COLOURS)):
            some, others = (slice(colour * n, colour * n + n) for n in (faces, hairs))
            under = _under(hair, variant + others.start, above)
            chosen = _costs(x, below, under, face.terms[:, some]).argmin(1) + some.start
            cost, last = _costs(x, _over(face, chosen, below), above, hair.terms[:, others]).min(1)
            hat = torch.zeros_like(last) if bare else state["hat"]
            found.append((cost - TIE * bare, chosen, last + others.start, hat))
    costs, *chosen = map(torch.stack, zip(*found, strict=True))
    best = costs.argmin(0, keepdim=True)
    state |= {name: each.gather(0, best)[0] for name, each in zip(("face", "hair", "hat"), chosen, strict=True)}


def _costs(x: Tensor, below: Tensor, above: _Above, terms: Tensor) -> Tensor:
    """The squared distance [n, V] to x of the pictures with each of V candidates between ``below`` and ``above``."""
    light, through = above
    rest = light + through * below - x
    weighted, seen_below = 2 * through * rest, through.square() * below
    factors = (
        weighted,
        -(weighted * below).sum(1),
        through.square(),
        -2 * seen_below,
        (seen_below * below).sum(1),
    )
    return torch.cat([factor.flatten(1) for factor in factors], 1) @ terms + rest.square().sum((1, 2))[:, None]


def _over(part: _Layers, candidate: Tensor, below: Tensor) -> Tensor:
    """The picture with the candidates of a part on it."""
    return part.light[candidate] + (1 - part.alpha[candidate]) * below


def _under(part: _Layers, candidate: Tensor, above: _Above) -> _Above:
    """What lies above, with the candidates of a part below it."""
    light, through = above
    return light + through * part.light[candidate], through * (1 - part.alpha[candidate])
