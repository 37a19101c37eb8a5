"""The shipped models of unCLIP, and their vectors as panels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from core.figures import palette
from core.figures.scene import Images, Panel, Points
from core.lessons import unclip as lesson
from core.lessons.unclip import Film, Space
from core.models import clip_queries
from core.models import unclip as unclip_model
from core.models.unclip import Unclip
from core.runs.caching import shared_cache
from pages.ui.frame.text import fixed, t

LIMIT = 2.5  # numbers of a vector beyond it have the deepest colour


@shared_cache(2)
def models(data: str) -> Unclip:
    """The shipped models of a set together."""
    return lesson.shipped(data)


@shared_cache(2)
def space(data: str) -> Space:
    """The vectors that the shipped CLIP gives to the collection of a set."""
    return lesson.embed(models(data), lesson.pairs(data))


@shared_cache(4)
def named_captions(data: str, language: str) -> tuple[tuple[str, ...], Tensor]:
    """The captions of the collection in a language, where it has them, and their unit vectors."""
    known, whole = lesson.pairs(data), models(data)
    if language == "en" or data == "emoji":
        return known.captions, space(data).captions
    names = tuple(some[0] for some in known.keywords)
    return names, clip_queries.text_vectors(whole.clip, whole.known, names)


def strips(vectors: Tensor, theme: str) -> Tensor:
    """Vectors [..., size] as small pictures uint8 [..., h, w, 3] with a square for each number: the farther from 0, the
    deeper the colour, that of "data" below 0 and that of "sample" above."""
    size = vectors.shape[-1]
    width = next(w for w in range(int(size**0.5), 0, -1) if size % w == 0)
    value = vectors.nan_to_num().div(LIMIT).clamp(-1, 1)[..., None]
    zero, below, above = map(_rgb, (palette.BACKGROUND[theme], *(palette.colour(r, theme) for r in ("data", "sample"))))
    mixed = torch.lerp(zero, torch.where(value < 0, below, above), value.abs())
    return mixed.round().byte().unflatten(-2, (size // width, width))


def _rgb(colour: str) -> Tensor:
    return torch.tensor([*bytes.fromhex(colour[1:])]).float()


def vectors(title: str, frames: Tensor, theme: str, caption: str | list[str] = "", names: list[str] = ()) -> Panel:
    """Vectors [T, n, size] as strips."""
    return Panel(title, [Images(strips(frames, theme), names=names)], caption=caption)


def text_vector(data: str, text: str) -> Tensor:
    """The caption's vector as the prior's condition, [size]; NaN for no caption."""
    return unclip_model.caption_condition(models(data), [text])["embed"][0]


def cosine(one: Tensor, other: Tensor) -> float:
    """The mean cosine of vectors [n, size] with another [size]; NaN where there is none."""
    return F.cosine_similarity(one, other, dim=-1).mean().item()


def gap(data: str, text: str, shown: dict[str, tuple[Tensor, str]]) -> Panel:
    """Where vectors [T, n, size], given by the key of their label with a role, lie among all captions and pictures:
    their coordinate across the gap between these, and their cosine with a caption's vector."""
    caption, known = F.normalize(text_vector(data, text).nan_to_num(), dim=0), space(data)

    def at(vectors: Tensor) -> Tensor:
        unit = F.normalize(vectors.flatten(0, -2), dim=1).nan_to_num()
        return torch.stack([lesson.across_gap(unit, known), unit @ caption], 1).unflatten(0, vectors.shape[:-1])

    clouds = [
        Points(at(known.captions), "conditional", size=1.5, alpha=0.3, label=t("unclip.layers.captions")),
        Points(at(known.pictures), "data", size=1.5, alpha=0.3, label=t("unclip.layers.pictures")),
    ]
    rows = [
        Points(at(vectors), role, size=6, alpha=1, label=t(f"unclip.layers.{name}"))
        for name, (vectors, role) in shown.items()
    ]
    axes = {"xlabel": t("unclip.gap.xlabel"), "ylabel": t("unclip.gap.ylabel")}
    return Panel(t("unclip.panels.gap"), [*clouds, *rows], (-1.1, 2.1), (-0.6, 1.08), False, **axes)


# What is said under finished pictures


def mutual_cosine(film: Film) -> str:
    """The mean cosine of the finished pictures' vectors with each other, in words; "" for a single picture."""
    value = lesson.mutual_cosine(models(film.request.data), film)
    return "" if value != value else t("unclip.captions.mutual", cosine=fixed(value))


def condition_cosine(film: Film) -> str:
    """The mean cosine of the finished pictures' vectors with the decoder's condition, in words; "" without one."""
    value = lesson.condition_cosines(models(film.request.data), film).mean().item()
    return "" if value != value else t("unclip.captions.condition", cosine=fixed(value))


def unwanted(film: Film, negative: str) -> str:
    """How far finished pictures show what a negative caption names, in words; "" without one: the number of people that
    have it, and of other pictures the mean cosine of their vectors with that of the caption."""
    if not negative:
        return ""
    if film.request.data == "people":
        return t("unclip.captions.unwanted", of=len(film.images), negative=negative,
                 n=sum(map(all, zip(*(row.right for row in lesson.asked_and_got(negative, film.images))))))  # fmt: skip
    vector = text_vector(film.request.data, negative)
    value = lesson.cosine_with(models(film.request.data), film, vector)
    return t("unclip.captions.with_negative", cosine=fixed(value))
