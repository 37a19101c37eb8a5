"""What a trained pair of towers is asked on the page: retrieval, arithmetic, and a map of its vectors."""

import math
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from typing import NamedTuple

import streamlit as st
import torch
from torch import Tensor

from core.data import image_files
from core.data.captions import ARITHMETIC
from core.figures.maps import Cloud, scatter
from core.lessons import clip as clip_lesson
from core.lessons.clip import Answer, Plane, Space
from core.models.clip_queries import Difference
from core.pretrained import pretrained
from core.runs.jobs import Work
from pages.ui.frame import shell_old as shell
from pages.ui.frame.links_old import name_of, plain
from pages.ui.lessons import clip_live
from pages.ui.runs import training_run
from pages.ui.widgets import brush, html_cards
from pages.ui.widgets.html_cards import Bar

SHIPPED, OWN = "shipped", "your towers"
HELD_OUT, ALL = "held out", "all"
SIDE = 32
K = 12

# The pair that is asked, and where it puts the collection


class Subject(NamedTuple):
    """A space of vectors; ``key`` changes whenever the vectors do."""

    key: str
    space: Space


def subject() -> Subject:
    """The choice of a pair of towers: the shipped one, or the one trained in the first scene."""
    own = training_run.latest(clip_live.KIND)
    name = shell.selectbox("Towers", [SHIPPED, OWN] if own else [SHIPPED], key="model")
    if name == OWN:
        checkpoint = training_run.checkpoint(own)
        weights = checkpoint.state.ema.state_dict().values()
        key = sha256(b"".join(weight.numpy().tobytes() for weight in weights)).hexdigest()
        return Subject(key, _space(key, checkpoint))
    return Subject(SHIPPED, _space(SHIPPED, None))


@st.cache_resource(max_entries=4, show_spinner="Embedding the pictures and their captions")
def _space(key: str, _checkpoint) -> Space:
    return clip_lesson.space(_checkpoint or pretrained("clip"))


def among(label: str, default: str, key: str) -> Tensor:
    """Which pictures and captions are asked about."""
    which = shell.segmented(label, (HELD_OUT, ALL), default=default, key=key)
    return clip_lesson.pairs().indices(held_out=True) if which == HELD_OUT else every()


def every() -> Tensor:
    """The numbers of all pairs."""
    return torch.arange(len(clip_lesson.pairs().captions))


def unknown(space: Space, *texts: str) -> bool:
    """Say which words no caption had; whether there is no other one."""
    text = " ".join(texts)
    strange = space.known.unknown(text)
    if strange:
        words = ", ".join(map(name_of, strange[:6])) + (" and more" if len(strange) > 6 else "")
        kind = "is a word that no caption had" if len(strange) == 1 else "are words that no caption had"
        st.warning(f"{words} {kind}: the towers learned nothing of that, and leave it out.", icon=":material/help:")
    if space.known.known(text):
        return False
    if not strange:
        st.info("Type some words, such as *smiling cat* or *hot drink*.", icon=":material/edit:")
    return True


# Retrieval


def by_text(space: Space, text: str, numbers: Tensor) -> list[int]:
    """The pictures nearest to a text, as a grid; returns their numbers."""
    if unknown(space, text):
        return []
    found = clip_lesson.nearest(space.pictures, space.text(text), numbers, K)
    st.markdown(f"**“{plain(text)}”** is nearest to")
    pictures(found, f"The {K} pictures nearest to the text, nearest first")
    return [number for number, _ in found]


def pictures(found: Sequence[tuple[int, float]], label: str) -> None:
    """Pictures of the collection with their cosines and captions; those held out from training have a mark."""
    held_out = clip_lesson.pairs().held_out
    html_cards.shelf(
        (html_cards.figure(html_cards.picture(i), number(cosine) + " ◇" * bool(held_out[i]), caption(i))
         for i, cosine in found), label)  # fmt: skip
    st.caption("Below each picture: its cosine with what was asked, its caption, and ◇ if it was held out from "
               "training with all of its combination of words.")  # fmt: skip


def caption(number: int) -> str:
    """The caption of a picture of the collection."""
    return clip_lesson.pairs().captions[number]


def by_picture(space: Space, shown: str, vector: Tensor, numbers: Tensor, own: int | None = None) -> None:
    """The captions nearest to a picture, its ``own`` marked."""
    found = clip_lesson.nearest(space.captions, vector, numbers, 10)
    rows = [(caption(i), [Bar(cosine, number(cosine))]) for i, cosine in found]
    marked = [k for k, (i, _) in enumerate(found) if i == own]
    table = html_cards.bars(rows, "The nearest captions, and their cosines", marked)
    html_cards.row(html_cards.figure(shown), "→", table, label="A picture and the captions nearest to it")
    first, ten = _accuracy(space)
    st.caption(f"Of the held-out pictures {first:.0%} have their own caption first among all held-out ones, {ten:.0%} "
               "among the first ten.")  # fmt: skip


@lru_cache(maxsize=4)
def _accuracy(space: Space) -> tuple[float, float]:
    return clip_lesson.accuracy(space)


def number(value: float) -> str:
    """A cosine as text."""
    return f"{value:.2f}".replace("-", "−")


def of_collection(label: str, key: str, default: str) -> int:
    """A picture of the collection, chosen by its caption."""
    names = clip_lesson.pairs().captions
    return names.index(shell.selectbox(label, names, names.index(default), key=key))


def uploaded() -> Tensor | None:
    """A picture that the learner brings, uint8 [3, 32, 32] on white; None until there is a readable one."""
    file = st.file_uploader("A picture", ["png", "jpg", "jpeg", "webp", "gif", "bmp"], key="_picture")
    if file is None:
        st.caption("Its middle square, shrunk to 32 × 32, is what the tower sees. A file is not part of the link.")
        return None
    try:
        return image_files.image(BytesIO(file.getvalue()), SIDE).expand(3, -1, -1)
    except image_files.Unreadable as error:
        shell.sorry(f"{file.name} {error}; choose another.")
        return None


COLOURS = {"red": "#dd2e44", "orange": "#f4900c", "yellow": "#ffcc4d", "green": "#5c913b", "blue": "#3b88c3",
           "purple": "#9266cc", "brown": "#8a4b38", "black": "#292f33"}  # fmt: skip


def drawn() -> Tensor | None:
    """What the learner draws, uint8 [3, 32, 32], None on an empty sheet; the strokes travel in the address."""
    colour = shell.selectbox("Colour", list(COLOURS), key="colour")
    filled = shell.toggle("Fill what a stroke goes round", True, key="filled")
    asked = shell.param("draw", brush.decode, None) or HEART
    strokes = brush.brush("canvas", asked, height=200, label="Draw a picture")
    written = brush.encode(strokes)
    shell.set_param("draw", None if written == brush.encode(HEART) else written or None)
    return painted(brush.decode(written), COLOURS[colour], filled) if written else None


HEART = [[
    [round(0.5 + 0.026 * 16 * math.sin(t) ** 3, 3),
     round(0.53 + 0.026 * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)), 3)]
    for t in (math.tau * i / 40 for i in range(41))
]]  # fmt: skip


def painted(strokes: brush.Strokes, colour: str, filled: bool) -> Tensor:
    """Strokes on white, uint8 [3, 32, 32]."""
    import numpy as np
    from PIL import Image, ImageDraw

    side = 8 * SIDE
    sheet = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        line = [(x * side, (1 - y) * side) for x, y in stroke]
        if filled and len(line) > 2:
            pen.polygon(line, fill=colour)
        pen.line(line if len(line) > 1 else line * 2, fill=colour, width=side // 16, joint="curve")
    small = sheet.resize((SIDE, SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()


# Arithmetic


@st.cache_resource(max_entries=4, show_spinner=False)
def answers_of(key: str, _space: Space) -> list[Answer]:
    """The nearest words of each held-out difference."""
    return clip_lesson.answers(_space)


def subtraction(space: Space, difference: Difference) -> None:
    """Two pictures, the minus between them, and the words nearest to what is left."""
    (direction,) = space.directions([difference])
    words = clip_lesson.named(space, direction)
    if not words:
        st.info("A picture minus itself is nothing. Choose two.", icon=":material/edit:")
        return
    rows = [(_with_synonyms(space, word), [Bar(cosine, number(cosine))]) for word, cosine in words]
    right = [k for k, (word, _) in enumerate(words) if difference.attribute in (word, *space.words[word])]
    if difference.attribute and not right:
        place, cosine = clip_lesson.place_of(space, difference.attribute, direction)
        rows.append((f"… {difference.attribute}, number {place}", [Bar(cosine, number(cosine), "negative")]))
    one, other = difference.with_it, difference.without
    html_cards.row(
        html_cards.figure(html_cards.picture(one), caption(one)), "−",
        html_cards.figure(html_cards.picture(other), caption(other)), "=",
        html_cards.bars(rows, f"The nearest of {len(space.words)} words, and their cosines", right),
        label=f"{caption(one)} minus {caption(other)}: the nearest words",
    )  # fmt: skip


def _with_synonyms(space: Space, word: str) -> str:
    same = space.words[word]
    return f"{word} ({', '.join(same[:3])}{' …' if len(same) > 3 else ''})" if same else word


def tally(answers: Sequence[Answer], attribute: str) -> None:
    """For how many differences the right word is first, here and by the linear baseline; and those of one attribute."""

    @st.fragment(run_every=None if _kept() else 2.0)
    def tick() -> None:
        waited = not _kept()
        _compared(answers, by_linear())
        if waited and _kept():
            st.rerun()

    tick()
    if attribute in ARITHMETIC:
        own = [answer for answer in answers if answer.difference.attribute == attribute]
        html_cards.shelf(
            (html_cards.figure(html_cards.picture(a.difference.with_it), f"{'✓' if a.right else '✗'} {a.words[0][0]}")
             for a in own), f"The nearest word of each difference with {attribute}")  # fmt: skip


def _compared(answers: Sequence[Answer], baseline: Sequence[bool]) -> None:
    rows = []
    for name, own in (("these towers", [a.right for a in answers]), ("linear (pixels, bag of words)", baseline)):
        if own:
            parts = [[hit for hit, a in zip(own, answers) if a.difference.attribute == each] for each in ARITHMETIC]
            rows.append([name, f"**{sum(own)} of {len(own)}**", *(f"{sum(part)} of {len(part)}" for part in parts)])
    st.markdown(shell.table(["Right word first", "all", *ARITHMETIC], rows))
    if not baseline:
        st.caption("A linear baseline is being computed in the background, once for all; it takes less than a minute.")


@st.cache_resource(show_spinner=False)
def _kept() -> list[list[bool]]:
    """Where the linear baseline's verdict is kept once it is known."""
    return []


def by_linear() -> list[bool]:
    """The linear baseline's verdict on each difference, empty as long as it is computed in the background."""
    if _kept():
        return _kept()[0]
    work = Work(("linear", "emoji"), lambda *_: iter([clip_lesson.by_linear()]), picture=list)
    try:
        view = training_run.jobs().look(training_run.jobs().join(work, training_run.viewer()), training_run.viewer())
    except ValueError:
        return []
    if view.status == "finished":
        _kept().append(view.picture)
        training_run.jobs().leave(view.id, training_run.viewer())
        return view.picture
    return []


def moved(space: Space, start: int, minus: str, plus: str) -> list[int]:
    """The pictures nearest to a picture minus a text plus a text; returns their numbers."""
    if unknown(space, minus, plus):
        return []
    found = clip_lesson.nearest(space.pictures, clip_lesson.moved(space, start, minus, plus), every(), K + 1)
    found = [(i, cosine) for i, cosine in found if i != start][:K]
    texts = [(sign, f"“{text}”") for sign, text in (("−", minus), ("+", plus)) if text.strip()]
    html_cards.row(html_cards.figure(html_cards.picture(start), caption(start)), *(part for pair in texts for part in pair),
                 "=", label=f"{caption(start)} minus {minus} plus {plus}")  # fmt: skip
    pictures(found, "The nearest pictures, without the one at the start")
    return [i for i, _ in found]


# The map

SYMBOLS = {
    "person": ("unconditional", "circle"), "face": ("conditional", "hexagon"), "animal": ("guided", "triangle-up"),
    "food": ("negative", "square"), "place": ("data", "diamond"), "activity": ("noise", "star"),
    "object": ("denoise", "triangle-down"), "sign": ("difference", "cross"),
}  # fmt: skip


@st.cache_resource(max_entries=8, show_spinner=False)
def plane_of(key: str, axes: str, _space: Space) -> Plane:
    """The vectors in two dimensions."""
    return clip_lesson.plane(_space, axes)


def clouds(plane: Plane, shown: Sequence[str]) -> list[Cloud]:
    """Filled marks for pictures, open ones for captions, in the colour and shape of their group."""
    groups = [clip_lesson.groups()[i] for i in clip_lesson.plain()]
    names = [caption(i) for i in clip_lesson.plain()]
    found = []
    for group, (role, symbol) in SYMBOLS.items():
        own = [k for k, name in enumerate(groups) if name == group]
        texts = [names[k] for k in own]
        if "pictures" in shown:
            found.append(Cloud(plane.pictures[own].numpy(), role, symbol, group, [f"picture: {t}" for t in texts]))
        if "captions" in shown:
            found.append(Cloud(plane.captions[own].numpy(), role, f"{symbol}-open", f"{group}, captions",
                               [f"caption: {t}" for t in texts]))  # fmt: skip
    return found


TITLES = {
    "principal": ("first principal axis", "second principal axis"),
    "between groups": ("first axis of the groups’ means", "second axis of the groups’ means"),
    "across the gap": ("from captions (left) to pictures (right)", "principal axis of what is left"),
}


def show_map(plane: Plane, axes: str, shown: Sequence[str]) -> None:
    """The map, and in words what is on it."""
    titles = [f"{title}: {share:.1%} of the variance" for title, share in zip(TITLES[axes], plane.shares)]
    chart = scatter(clouds(plane, shown), shell.theme(), *titles)
    st.plotly_chart(chart, theme=None, key="map", config={"scrollZoom": True, "displaylogo": False})
    st.caption(
        f"The {' and '.join(shown)} of {len(plane.pictures):,} emoji without a skin tone; the mean picture and the "
        f"mean caption are {plane.gap:.2f} apart. Drag to move, scroll to zoom, double-click for the whole."
    )
