"""The shipped models of unCLIP together, and their vectors as pictures."""

import streamlit as st
import torch
import torch.nn.functional as F
from torch import Tensor

from core.figures import palette
from core.figures.scene import Images, Panel, Points
from core.lessons import clip as clip_lesson
from core.lessons import unclip as unclip_lesson
from core.lessons.clip import Space
from core.models import unclip as unclip_model
from core.models.unclip import Unclip
from core.pretrained import pretrained
from pages.ui.frame import shell_old as shell

LIMIT = 2.5  # numbers of a vector beyond it are as deep in colour as it is


@st.cache_resource(show_spinner="Reading the models")
def whole() -> Unclip:
    """The shipped models together."""
    return unclip_lesson.shipped()


@st.cache_resource(show_spinner="Embedding the pictures and their captions")
def space() -> Space:
    """Where the shipped CLIP puts the collection."""
    return clip_lesson.space(pretrained("clip"))


def strips(vectors: Tensor) -> Tensor:
    """Vectors [..., size] as small pictures uint8 [..., h, w, 3], a square for each number: the farther from 0, the
    deeper the colour, that of "data" below 0 and that of "sample" above."""
    size = vectors.shape[-1]
    width = next(w for w in range(int(size**0.5), 0, -1) if size % w == 0)
    theme, value = shell.theme(), vectors.nan_to_num().div(LIMIT).clamp(-1, 1)[..., None]
    zero, below, above = map(_rgb, (palette.BACKGROUND[theme], *(palette.colour(r, theme) for r in ("data", "sample"))))
    mixed = torch.lerp(zero, torch.where(value < 0, below, above), value.abs())
    return mixed.round().byte().unflatten(-2, (size // width, width))


def _rgb(colour: str) -> Tensor:
    return torch.tensor([*bytes.fromhex(colour[1:])]).float()


def vectors(title: str, frames: Tensor, said: str | list[str] = "", names: list[str] | tuple = ()) -> Panel:
    """Vectors [T, n, size] as strips."""
    return Panel(title, [Images(strips(frames), names=names)], caption=said)


def text_vector(text: str) -> Tensor:
    """The caption's vector as the prior is told it, [size]."""
    return unclip_model.caption_condition(whole(), [text])["embed"][0]


def cosine(one: Tensor, other: Tensor) -> str:
    """The mean cosine of vectors [n, size] with another [size], in words; nothing where there is none."""
    value = F.cosine_similarity(one, other, dim=-1).mean().item()
    return "" if value != value else f"cosine {number(value)}"


def number(value: float) -> str:
    """A cosine as text; a dash where there is none."""
    return "–" if value != value else f"{value:.2f}".replace("-", "−")


def gap(text: str, shown: dict[str, tuple[Tensor, str]]) -> Panel:
    """Where vectors [T, n, size] lie, shown by a name and a role, among all captions and pictures: how far across the
    gap between these, and how near to a caption's vector."""
    caption = F.normalize(text_vector(text).nan_to_num(), dim=0)

    def at(vectors: Tensor) -> Tensor:
        unit = F.normalize(vectors.flatten(0, -2), dim=1).nan_to_num()
        return torch.stack([unclip_lesson.side(unit, space()), unit @ caption], 1).unflatten(0, vectors.shape[:-1])

    clouds = [
        Points(at(space().captions), "conditional", size=1.5, alpha=0.3, label="captions"),
        Points(at(space().pictures), "data", size=1.5, alpha=0.3, label="pictures"),
    ]
    told = [Points(at(vectors), role, size=6, alpha=1, label=name) for name, (vectors, role) in shown.items()]
    return Panel("where the vectors lie", [*clouds, *told], (-1.1, 2.1), (-0.6, 1.08), False,
                 "0 captions’ side, 1 pictures’ side", "cosine with the caption")  # fmt: skip
