"""The shipped models of unCLIP, and their vectors as panels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from core.figures import palette
from core.figures.scene import Images, Panel, Points
from core.lessons import unclip as lesson
from core.lessons.clip import Space
from core.models import unclip as unclip_model
from core.models.unclip import Unclip
from core.runs.caching import shared_cache
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip_collection as collection

LIMIT = 2.5  # numbers of a vector beyond it have the deepest colour


@shared_cache(1)
def models() -> Unclip:
    """The shipped models together."""
    return lesson.shipped()


def space() -> Space:
    """The vectors that the shipped CLIP gives to the collection."""
    return collection.space_of(collection.shipped())


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


def text_vector(text: str) -> Tensor:
    """The caption's vector as the prior's condition, [size]; NaN for no caption."""
    return unclip_model.caption_condition(models(), [text])["embed"][0]


def cosine(one: Tensor, other: Tensor) -> float:
    """The mean cosine of vectors [n, size] with another [size]; NaN where there is none."""
    return F.cosine_similarity(one, other, dim=-1).mean().item()


def gap(text: str, shown: dict[str, tuple[Tensor, str]]) -> Panel:
    """Where vectors [T, n, size], given by the key of their label with a role, lie among all captions and pictures:
    their coordinate across the gap between these, and their cosine with a caption's vector."""
    caption = F.normalize(text_vector(text).nan_to_num(), dim=0)

    def at(vectors: Tensor) -> Tensor:
        unit = F.normalize(vectors.flatten(0, -2), dim=1).nan_to_num()
        return torch.stack([lesson.across_gap(unit, space()), unit @ caption], 1).unflatten(0, vectors.shape[:-1])

    clouds = [
        Points(at(space().captions), "conditional", size=1.5, alpha=0.3, label=t("unclip.layers.captions")),
        Points(at(space().pictures), "data", size=1.5, alpha=0.3, label=t("unclip.layers.pictures")),
    ]
    rows = [
        Points(at(vectors), role, size=6, alpha=1, label=t(f"unclip.layers.{name}"))
        for name, (vectors, role) in shown.items()
    ]
    axes = {"xlabel": t("unclip.gap.xlabel"), "ylabel": t("unclip.gap.ylabel")}
    return Panel(t("unclip.panels.gap"), [*clouds, *rows], (-1.1, 2.1), (-0.6, 1.08), False, **axes)


def mutual_cosine(film: lesson.Film) -> str:
    """The mean cosine of the finished pictures' vectors with each other, in words; "" for a single picture."""
    value = lesson.mutual_cosine(models(), film)
    return "" if value != value else t("unclip.captions.mutual", cosine=fixed(value))


def cosine_with(film: lesson.Film, vector: Tensor | None) -> str:
    """The mean cosine of the finished pictures' vectors with that of a negative caption, in words; "" without one."""
    return "" if vector is None else t("unclip.captions.with_negative",
                                       cosine=fixed(lesson.cosine_with(models(), film, vector)))  # fmt: skip


def condition_cosine(film: lesson.Film) -> str:
    """The mean cosine of the finished pictures' vectors with the decoder's condition, in words; "" without one."""
    value = lesson.condition_cosines(models(), film).mean().item()
    return "" if value != value else t("unclip.captions.condition", cosine=fixed(value))
