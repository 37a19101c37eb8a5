"""unCLIP on the stage: what is asked for, films that come in the background, and a picture of each of its stages."""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st
import torch
import torch.nn.functional as F

from core.data.captions import LENGTH
from core.figures import palette
from core.figures.scene import Clock, Images, Line, Panel
from core.lessons import clip as clip_lesson
from core.lessons import unclip as unclip_lesson
from core.lessons.clip import pairs
from core.lessons.unclip import Film, Take
from core.models import clip_queries
from core.models import images as image_model
from core.models import unclip as unclip_model
from pages.ui.frame import shell_old as shell
from pages.ui.frame.links_old import name_of
from pages.ui.lessons.unclip_vectors import cosine, gap, number, space, text_vector, vectors, whole
from pages.ui.runs import background_films
from pages.ui.runs.background_films import Studio
from pages.ui.stage.player import stage
from pages.ui.widgets import html_cards
from pages.ui.widgets.html_cards import Bar

ALL, WORDS, PRIOR, DECODER = "all stages", "1 words", "2 prior", "3 decoder"
SKIPPED, AWAY, SCALES, VARIATIONS, WAY = "skip the prior", "negative", "scales", "variations", "between"
CAPTION, OTHER, NEGATIVE, PICTURE = unclip_lesson.FIRST.caption, "woman farmer", "red", "man cook"
UNDER = (0.0, 1.0, 2.0, 4.0, 8.0)  # guidance scales side by side
LONG = 120  # signs of a caption

Draw = Callable[[Sequence[Film], int | None], None]


# The controls


def caption(label: str, default: str, key: str, disabled: bool = False) -> str | None:
    """A caption as the learner types it, and what becomes of its words; None if none of them is known."""
    text = shell.text(label, default, key=key, max_chars=LONG, disabled=disabled).strip()
    known, unknown = whole().known.known(text), whole().known.unknown(text)
    if len(known) > LENGTH:
        st.caption(f"A caption has {LENGTH} words here; of {len(known)} the last are left out.")
    if not unknown:
        return text
    words = ", ".join(map(name_of, unknown[:6])) + (" and more" if len(unknown) > 6 else "")
    if known:
        verb, them = ("is a word", "it") if len(unknown) == 1 else ("are words", "them")
        st.warning(f"{words} {verb} that no caption had; the rest is drawn without {them}.", icon=":material/help:")
        return text
    st.error(f"No caption had {words}, so nothing is drawn. Name what is in the picture in plain words, "
             "such as *smiling cat* or *woman pilot*.", icon=":material/help:")  # fmt: skip
    return None


def options(scaled: bool) -> Take:
    """The controls of all scenes; ``scaled``: the panels differ in their guidance, which is then no control."""
    scale = shell.slider("Guidance of the decoder, w", 0.0, 8.0, 4.0, 0.5, key="w", disabled=scaled)
    with st.expander("More: guidance of the prior, pictures, steps, seed"):
        prior = shell.slider("Guidance of the prior", 0.0, 8.0, 2.0, 0.5, key="wp")
        n = shell.select_slider("Pictures", (1, 2, 4, 6), 4, key="n")
        steps = int(shell.number("Steps of each stage", 2, unclip_lesson.MOST, 20, key="steps"))
        seed = int(shell.number("Seed", 0, 9999, 0, key="seed"))
    return Take(scale=scale, prior_scale=prior, n=n, steps=steps, seed=seed)


def of_collection() -> int:
    """A picture of the collection, by its caption."""
    names = pairs().captions
    return names.index(shell.selectbox("A picture of the collection", names, names.index(PICTURE), key="of"))


# Films


def watch(takes: Sequence[Take], draw: Draw) -> tuple[Film, ...]:
    """Draw the films of the takes while they form and when they are finished (see ``filming.watch``)."""
    models = whole()
    studio = Studio(
        "unclip", lambda some: unclip_lesson.films(models, some), Film, unclip_lesson.steps, unclip_lesson.kept(models)
    )
    return background_films.watch(studio, takes, draw)


def show(panels: Sequence[Panel], clock: Clock | None, what: str, scene: str, height: int | None = None) -> None:
    """Panels on the one stage of the page; another scene begins at its own start."""
    ends = (panel.caption if isinstance(panel.caption, str) else panel.caption[-1] for panel in panels)
    said = ". ".join(f"{panel.title}: {end}" if end else panel.title for panel, end in zip(panels, ends))
    fps = len(clock.values) / 5 if clock else 20
    stage(panels, clock, key="unclip", alt=f"{what}. {said}.", fps=fps, height=height, permalink=True,
          restart=scene)  # fmt: skip


def levels(film: Film, k: int | None) -> Clock:
    """The noise levels of the decoder, to stand at the end; or the level of frame k alone."""
    grid = image_model.grid(film.request.steps)
    return Clock(grid if k is None else grid[max(k, 0)][None], start=-1)


# Panels


def pictures(
    title: str, film: Film, said: str = "", role: str = "sample", guess: bool = False, columns: int | None = None
) -> Panel:
    """The frames of a film's pictures; noise where there is none yet."""
    seen = film if film.x else unclip_lesson.noise(whole(), film.request)
    frames = torch.stack(seen.x0 if guess else seen.x).movedim(-3, -1)
    return Panel(title, [Images(frames, columns, colour=role)], caption=said)


# The stages


def pipeline_of(film: Film, k: int | None) -> tuple[list[Panel], Clock]:
    """All stages on one clock that counts steps: first those of the prior, then those of the decoder."""
    text, grid = text_vector(film.request.caption), image_model.grid(film.request.steps)
    thought = [guess[: film.request.n] for guess in film.guesses] or [torch.zeros(film.request.n, len(text))]
    noise, near = unclip_lesson.noise(whole(), film.request).x[0], [cosine(guess, text) for guess in thought]
    frames = [
        (guess, f"prior, σ = {sigma:.3g}" + (f" · {value} with the text" if value else ""), noise, "noise, so far")
        for guess, value, sigma in zip(thought, near, grid)
    ]
    frames += [
        (thought[-1], f"{near[-1]} with the text" if near[-1] else "", x, f"decoder, σ = {sigma:.3g}")
        for x, sigma in zip(film.x, grid if k is None else grid[k:])
    ]
    count, shown = len(frames), frames if k is None else frames[-1:]
    guesses, told, x, saying = map(list, zip(*shown))
    panels = [
        vectors("text vector", text[None, None], "what the words mean together"),
        vectors("image vector, imagined", torch.stack(guesses), told),
        Panel("picture", [Images(torch.stack(x).movedim(-3, -1), colour="sample")], caption=saying),
    ]
    return panels, Clock(range(count)[-len(shown) :], "step", start=-1)


def words(text: str) -> None:
    """What each word means, the vector of them all, and what is nearest to it."""
    tokens = whole().known.encode([text])
    meaning = unclip_model.prior_condition(whole().clip, tokens)["tokens"][0]
    there = ~meaning.isnan().any(1)
    known = whole().known.known(text)[:LENGTH]
    own = vectors("text vector", text_vector(text)[None, None], "" if known else "no caption: no vector")
    if known:
        each = vectors("each word, having seen the others", unclip_model.scaled(meaning[there])[None], names=known)
    show([each, own] if known else [own], None, f"The words of “{text}” as vectors", WORDS, height=330)
    if known:
        _neighbours(text)


def _neighbours(text: str) -> None:
    vector = clip_queries.text_vectors(whole().clip, whole().known, [text])[0]
    every, names = torch.arange(len(pairs().captions)), pairs().captions
    lists = (("captions", space().captions, "sample"), ("pictures", space().pictures, "data"))
    tables = (
        html_cards.bars([(names[i], [Bar(value, f"{value:.2f}", role)])
                       for i, value in clip_lesson.nearest(among, vector, every, 6)], f"The nearest {name}")
        for name, among, role in lists
    )  # fmt: skip
    html_cards.row(*tables, label="The captions and the pictures nearest to this caption")


def prior(film: Film, k: int | None) -> tuple[list[Panel], Clock]:
    """The walk of the vectors from noise: what the first is near to, where all lie, the pictures nearest to it."""
    ends, grid = (image_model.SIGMA_MIN, image_model.SIGMA_MAX), image_model.grid(film.request.steps)
    if not film.guesses:
        return [Panel("cosine of the guess with …", [], ends, (0, 1), False, "σ", xlog=True)], levels(film, 0)
    went, now = unclip_lesson.walk(whole(), film, space()), slice(None) if k is None else slice(-1, None)
    sigma, guesses = grid.clamp_min(ends[0])[: len(film.guesses)], torch.stack(film.guesses)[now, : film.request.n]
    lines = [
        Line(sigma, went.end, "denoise", "end" if k is None else "newest", width=3),
        Line(sigma, went.cosines[:, 0], "data", "nearest", dash=(2, 3)),
    ]
    if film.request.caption:
        lines.insert(0, Line(sigma, went.caption, "conditional", "caption", dash=(8, 3)))
    low = min(0.0, *(float(line.y.min()) for line in lines))
    near = pairs().images[went.pictures[now]].movedim(-3, -1)
    said = [f"{pairs().captions[i]}, {value:.2f}" for i, value in
            zip(went.pictures[now, 0].tolist(), went.cosines[now, 0].tolist())]  # fmt: skip
    panels = [
        Panel("cosine of the guess with …", lines, ends, (low, 1.02), False, "σ", xlog=True, marker=sigma[now]),
        gap(film.request.caption, {"guess x̂₀": (guesses, "denoise")}),
        Panel("nearest pictures", [Images(near, 2, colour="data")], caption=said),
    ]
    return panels, Clock(grid[: len(film.guesses)][now], start=-1)


def decoder(film: Film, k: int | None) -> tuple[list[Panel], Clock]:
    """What the pictures are on their way, and what the network takes them for."""
    return [
        pictures("state x", film, "from noise to pictures"),
        pictures("guess x̂₀", film, "the mean of what it may become", "denoise", guess=True),
    ], levels(film, k)


def beside(films: Sequence[Film], k: int | None, named: dict[str, str]) -> tuple[list[Panel], Clock]:
    """Films from the same noise side by side, ``named`` by titles, each with a role; once finished, each with how well
    its pictures show what was told."""
    columns = 1 if len(films) > 2 else None
    panels = [
        pictures(title, film, recognised(film) if k is None else "", role, columns=columns)
        for film, (title, role) in zip(films, named.items(), strict=True)
    ]
    return panels, levels(films[0], k)


def skipped(used: Film, bare: Film, k: int | None) -> tuple[list[Panel], Clock]:
    """Where the vectors lie that the decoder is told, with the prior and without, and the pictures that it makes."""
    told = {"imagined": (used, "sample"), "own": (bare, "negative")}
    shown = {name: (film.told[None], role) for name, (film, role) in told.items() if film.told is not None}
    named = {"told what the prior imagined": "sample", "told the caption’s own vector": "negative"}
    panels, clock = beside([used, bare], k, named)
    return [gap(used.request.caption, shown), *panels], clock


def recognised(film: Film) -> str:
    """How well CLIP finds the vector that was told in the finished pictures."""
    value = unclip_lesson.recognised(whole(), film).mean().item()
    return "" if value != value else f"told and seen: {number(value)}"


def variations(film: Film, k: int | None) -> tuple[list[Panel], Clock]:
    """A picture of the collection beside others of the same vector."""
    own = pairs().images[film.request.picture, None, None].movedim(-3, -1)
    held = "held out: the decoder never saw it" if pairs().held_out[film.request.picture] else "one that was trained on"
    panels, clock = beside([film], k, {"its vector, new noise": "sample"})
    return [Panel("the picture", [Images(own, colour="data")], caption=held), *panels], clock


def between(film: Film, k: int | None) -> tuple[list[Panel], Clock]:
    """All pictures of a way while they form; then also one at a time, the clock being how far it has come."""
    ends = f"from “{film.request.caption}” to “{film.request.to}”"
    if k is not None:
        return [pictures(ends, film, columns=4)], levels(film, k)
    finished, t = film.at(film.request.steps), torch.linspace(0, 1, film.request.n)
    a, b = film.told[0], film.told[-1]
    said = [f"{cosine(vector, a)} with the start, {cosine(vector, b)} with the end" for vector in film.told]
    one = torch.stack(finished.x).movedim(-3, -1)[0][:, None]
    return [
        Panel("on the way", [Images(one, colour="guided")], caption=said),
        pictures(ends, finished, columns=4),
    ], Clock(t, "t", digits=2)


# What stands below the picture


def table(used: Film, bare: Film) -> str:
    """Where the vectors lie that the decoder is told, with the prior and without, beside those of real pictures; and
    how well CLIP finds them in the finished pictures. As Markdown."""
    text = text_vector(used.request.caption)
    rows = []
    for name, film in (("the prior’s vectors", used), ("the caption’s own vector", bare)):
        where, seen = (
            unclip_lesson.place(film.told, text, space()),
            unclip_lesson.recognised(whole(), film).mean().item(),
        )
        rows.append([name, *map(number, (where.side, where.caption, where.picture, seen))])
    true = unclip_lesson.real(space())
    rows.append(["held-out pictures’ own vectors", *map(number, (true.side, true.caption, true.picture, math.nan))])
    head = ["Means of", "side", "cosine with the caption’s", "with the nearest picture’s", "told and seen"]
    return shell.table(head, rows)


def scaled(take: Take) -> list[Take]:
    """A take under each of the scales, two pictures each."""
    return [replace(take, scale=scale, n=2) for scale in UNDER]


def way(take: Take, to: str) -> Take:
    """A take that leads to another caption."""
    return replace(take, to=to, n=unclip_lesson.WAY)


def chips(text: str) -> None:
    """The words of a caption, each with whether it is known, over an arrow to the stages that follow."""
    known, unknown = whole().known.known(text), whole().known.unknown(text)
    parts = [_chip(word, "conditional", "") for word in known[:LENGTH]]
    parts += [_chip(word, "negative", " (unknown)") for word in unknown[:LENGTH]]
    shown = " ".join(parts) if parts else "<em>no caption: any picture</em>"
    st.markdown(f'<div role="group" aria-label="Words">{shown} → text vector → prior → image vector → decoder → '
                "picture</div>", unsafe_allow_html=True)  # fmt: skip


def _chip(word: str, role: str, note: str) -> str:
    dash = "dashed" if note else "solid"
    colour = palette.colour(role, shell.theme())
    style = f"border:2px {dash} {colour};border-radius:1em;padding:0 .6em"
    inside = f"<s>{html.escape(word)}</s>{note}" if note else html.escape(word)
    return f'<span style="{style}">{inside}</span>'


def apart(film: Film) -> bool:
    """Whether the ends of a way are nearest to pictures of two different groups."""
    ends = F.normalize(film.told[[0, -1]], dim=1) @ space().pictures.T
    one, other = (clip_lesson.groups()[i] for i in ends.argmax(1).tolist())
    return one != other


# The mathematics

GUIDED = [
    (r"\hat x_0", "guided"), (r"= ", None), ("n", "unconditional"), (r"+\;w\,(", None), ("c", "conditional"),
    ("-", None), ("n", "unconditional"), (r"),\qquad ", None), (r"c = D(x,\sigma,u)", "conditional"),
    (r",\quad ", None),
]  # fmt: skip
EQUATIONS = {
    ALL: (
        [(r"p(x\mid\text{words}) = \int ", None), (r"p(x\mid u)", "sample"), (r"\;", None),
         (r"p(u\mid v, \text{words})", "denoise"), (r"\;du,\qquad ", None), (r"v = g(\text{words})", "conditional")],
        [("conditional", "text vector"), ("denoise", "image vector, by the prior"), ("sample", "picture")],
    ),
    WORDS: (
        [("v", "conditional"), (r"= \frac{g}{|g|},\qquad g = W\,\frac{1}{T}\sum_{t=1}^{T}", None),
         (r"h_t(\text{words})", "data")],
        [("data", "what a word means among the others"), ("conditional", "the text vector")],
    ),
    PRIOR: (
        [(r"\hat u_0", "denoise"), (r"= P(u_\sigma,\,\sigma,\,", None), ("v", "conditional"), (r",\,", None),
         (r"h_1 \dots h_T", "conditional"), (r"),\qquad u_\sigma = u + ", None), (r"\sigma\,\varepsilon", "noise")],
        [("denoise", "the guess of the image vector u"), ("conditional", "what it is told: text vector and words")],
    ),
    DECODER: (
        [*GUIDED, (r"n = D(x,\sigma)", "unconditional")],
        [("conditional", "told the image vector u"), ("unconditional", "told nothing"), ("guided", "the guided guess")],
    ),
    AWAY: (
        [*GUIDED, (r"n = D(x,\sigma,u_{\text{negative}})", "unconditional")],
        [("conditional", "told the image vector u"), ("unconditional", "told the negative caption’s"),
         ("guided", "the guided guess")],
    ),
    WAY: (
        [("u(t)", "guided"), (r"= \frac{\sin (1-t)\theta}{\sin\theta}\,", None), ("u_a", "data"),
         (r"+ \frac{\sin t\theta}{\sin\theta}\,", None), ("u_b", "sample"), (r",\qquad \cos\theta = ", None),
         ("u_a", "data"), (r"\cdot", None), ("u_b", "sample")],
        [("data", "the first image vector"), ("sample", "the second"), ("guided", "on the way")],
    ),
}  # fmt: skip
"""What a scene computes, as terms and their legend; that of the decoder where a scene has none of its own."""
