"""Images on the stage: the controls that ask for them, films that come in the background, and what they resemble."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st
import torch
from torch import Tensor

from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE, SAMPLERS
from core.figures.scene import Clock, Images, Panel
from core.lessons import image_models as image_lesson
from core.lessons.image_models import MULTISTEP, Film, ImageModel, Neighbours, Request
from core.runs.checkpoints import Checkpoint
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import image_training
from pages.ui.runs import background_films, training_run
from pages.ui.runs.background_films import Studio
from pages.ui.stage.player import stage

SHIPPED = {"Fashion-MNIST": "fashion", "digits": "digits", "emoji": "emoji"}
ROLES = {DDPM: "sample", DDPM_NO_NOISE: "negative", DDIM: "denoise", MULTISTEP: "conditional", "heun": "guided"}
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)
EVERY, NO_CLASS, NOTHING = "every class in turn", "no class", "nothing"
STATE, GUESS = "state x", "guess x̂₀"


# The controls


@dataclass(frozen=True)
class Wish:
    """What a learner asks for: a model, and a take by the second-order solver; others differ from it in one thing."""

    model: ImageModel
    take: Request

    def named(self, labels: Sequence[int | None]) -> tuple[str, ...]:
        """What to write under images of these classes: nothing where all are of one."""
        return () if len({*labels}) == 1 else tuple(self.model.classes[label] for label in labels)

    @property
    def of(self) -> str:
        """The classes asked for, in words."""
        asked = dict.fromkeys(self.take.labels)
        return ", ".join(NO_CLASS if label is None else self.model.classes[label] for label in asked)


def choose(scaled: bool) -> Wish:
    """The controls of all scenes; ``scaled``: the panels differ in their guidance scale, which is then no control."""
    model = _model()
    classes = list(model.classes)
    wanted = shell.selectbox("Class", [EVERY, NO_CLASS, *classes] if classes else [NO_CLASS], key="class")
    negative = shell.selectbox("Away from", [NOTHING, *classes], key="negative", help="The negative class of guidance.")
    nowhere = wanted == NO_CLASS and negative == NOTHING
    scale = shell.slider("Guidance scale w", 0.0, 10.0, 2.0, 0.5, key="w", disabled=scaled or nowhere)
    steps = int(shell.number("Steps", 2, image_lesson.MAX_STEPS, 20, key="steps"))
    with st.expander("More: second-order solver, images, seed"):
        kind = shell.radio("Second-order solver", (MULTISTEP, "heun"), key="second")
        n = shell.select_slider("Images of each", (4, 6, 8), 6, key="n")
        seed = int(shell.number("Seed", 0, 9999, 0, key="seed"))
    labels = model.labels(n)
    if wanted != EVERY:
        labels = (None if wanted == NO_CLASS else classes.index(wanted),) * n
    away = None if negative == NOTHING else classes.index(negative)
    return Wish(model, Request(kind, labels, scale, away, steps, seed))


def _model() -> ImageModel:
    own = image_training.models()
    name = shell.selectbox("Model", [*SHIPPED, *own], key="model")
    if name != image_training.OWN:
        st.session_state.pop("_held", None)
    if name in own:
        try:
            return _held(own[name]) if name == image_training.OWN else image_lesson.model_of(own[name]())
        except ValueError as problem:
            shell.sorry(str(problem))
            name = next(iter(SHIPPED))
    return image_lesson.shipped(SHIPPED[name])


def _held(now: Callable[[], Checkpoint]) -> ImageModel:
    """The model of the digits as it was when it was chosen: one that still trains is another at each look, and no film
    of it would be finished. A newer one is taken by a press, and when the run is another."""
    view = training_run.newest(image_training.KIND)
    run, made = (view.id, view.step) if view else ("", 0)
    if st.session_state.get("_held", (None,))[0] != run:
        st.session_state["_held"] = run, made, image_lesson.model_of(now())
    _, before, model = st.session_state["_held"]
    if made > before:
        label = f"Use its newer model, step {model.step + made - before:,}"
        st.button(label, icon=":material/download:", on_click=st.session_state.pop, args=("_held", None), key="_newer")
    return model


def shown_as() -> str:
    """Whether the state is to be seen, or what the network believes."""
    options = {"default": STATE, "key": "of", "label_visibility": "collapsed"}
    return shell.segmented("Show the state or the guess", (STATE, GUESS), **options)


def made_by() -> str:
    """The sampler whose images are to be seen."""
    kinds = list(SAMPLERS)
    options = {"key": "by", "label_visibility": "collapsed", "width": 240}
    return shell.selectbox("Sampler", kinds, kinds.index(MULTISTEP), **options)


# Films


def watch(
    model: ImageModel, takes: Sequence[Request], draw: Callable[[Sequence[Film], Tensor], None]
) -> tuple[Film, ...]:
    """Draw the films of the takes and the noise levels of their frames (see ``filming.watch``)."""
    levels, shipped = image_lesson.levels(takes[0].steps), image_lesson.first_films(model)
    studio = Studio(model.key, lambda some: image_lesson.sample(model, some), lambda take: image_lesson.first_frame(model, take),
                    lambda some: some[0].steps, shipped)  # fmt: skip
    return background_films.watch(studio, takes, lambda made, k: draw(made, levels if k is None else levels[k : k + 1]))


# Pictures


def show(panels: Sequence[Panel], levels: Tensor, wish: Wish, what: str) -> None:
    """Panels on the one clock, at whose end a fresh one stands, with words for those who cannot see them."""
    said = ". ".join(f"{panel.title}: {panel.caption}" for panel in panels)
    at = f"sigma {levels[0]:.3g}" if len(levels) == 1 else f"sigma {levels[0]:g} to sigma 0"
    alt = f"{what}, at {at}. Asked for: {wish.of}. At the end: {said}."
    stage(panels, Clock(levels, start=-1), key="gallery", alt=alt, fps=len(levels) / 5, permalink=True)


def hung(title: str, films: Sequence[Film], wish: Wish, seen: str, role: str, names: Sequence[str] = ()) -> Panel:
    """Films of one length as a panel of two columns; several films take a column each."""
    frames = torch.stack([torch.stack(film.x0 if seen == GUESS else film.x) for film in films], 2).flatten(1, 2)
    pictures = Images(laid(frames), max(2, len(films)), names=names, colour=role)
    return Panel(title, [pictures], caption=said(films[-1], wish))


def said(film: Film, wish: Wish) -> str:
    """What a film cost; once it is done also how much detail its images have."""
    detail = f" · detail {share_of_detail(film, wish):.0%}" if film.done and wish.model.images else ""
    return f"{film.request.nfe} calls{detail}"


def share_of_detail(film: Film, wish: Wish) -> float:
    """The detail of finished images as a part of that of real ones; 0 where there are none to compare with."""
    real = image_lesson.real_statistics(wish.model, film.request.labels)
    return image_lesson.statistics(film.images).detail / real[0].detail if real else 0.0


def laid(frames: Tensor) -> Tensor:
    """Frames [..., C, H, W] as the stage takes them: [..., H, W], in colour with a last axis of 3."""
    return frames.squeeze(-3) if frames.shape[-3] == 1 else frames.movedim(-3, -1)


def samplers(films: Sequence[Film], wish: Wish, seen: str) -> list[Panel]:
    """A panel for each sampler."""
    names = wish.named(wish.take.labels)
    return [hung(film.request.sampler, [film], wish, seen, ROLES[film.request.sampler], names) for film in films]


def table(films: Sequence[Film], wish: Wish) -> str:
    """What the finished images of each sampler are like, beside the data, as Markdown."""
    real = image_lesson.real_statistics(wish.model, wish.take.labels)
    made = [(film.request.sampler, str(film.request.nfe), image_lesson.statistics(film.images)) for film in films]
    if real:
        made += [("the data", "–", real[0]), ("the data, each pixel the mean of 3 × 3", "–", real[1])]
    return shell.table(
        ["Images", "network calls", "detail", "of the data's", "two of them apart"],
        [
            [name, calls, f"{looks.detail:.4f}", f"{looks.detail / real[0].detail:.0%}" if real else "–",
             f"{looks.distance:.2f}"]
            for name, calls, looks in made
        ],
    )  # fmt: skip


# Guidance


def scales(take: Request) -> list[Request]:
    """A take under each of the scales; with a negative class each also without it, from the same starts."""
    if take.negative is None:
        return [replace(take, scale=scale) for scale in SCALES]
    few = replace(take, labels=take.labels[: len(take.labels) // 2])
    return [replace(few, scale=scale, negative=away) for scale in SCALES for away in (None, take.negative)]


def scaled(films: Sequence[Film], wish: Wish, seen: str) -> list[Panel]:
    """A panel for each scale."""
    beside = len(films) // len(SCALES)
    names = wish.named(films[0].request.labels)
    if beside == 2:
        names = ("plain", f"not {wish.model.classes[wish.take.negative]}") * len(films[0].request.labels)
    # At w = 0 the class asked for has no say: what is drawn is the base of guidance itself.
    base = [NO_CLASS if film.request.negative is None else wish.model.classes[film.request.negative] for film in films]
    panels = []
    for k in range(0, len(films), beside):
        part, scale = films[k : k + beside], films[k].request.scale
        told = names if scale else base[k : k + beside] * len(films[k].request.labels)
        panels.append(hung(f"w = {scale:g}", part, wish, seen, "guided", told))
    return panels


# Nearest training images


def paired(title: str, found: Neighbours, wish: Wish, role: str, label: str) -> Panel:
    """Images in two rows, each over the training image nearest to it, whose distance stands below."""
    n, columns = len(found.images), len(found.images) // 2
    rows = [part[at : at + columns] for at in (0, columns) for part in (found.images, found.nearest)]
    classes = wish.named(wish.take.labels) or ("",) * n
    far = [f"{distance:.2f}" for distance in found.distance.tolist()]
    names = [name for at in (0, columns) for part in (classes, far) for name in part[at : at + columns]]
    group = [place // columns % 2 for place in range(2 * n)]
    labels, roles = (label, "nearest training image"), (role, "data")
    pictures = Images(laid(torch.cat(rows))[None], columns, labels, names, roles, group)
    return Panel(title, [pictures], caption=f"mean distance {found.distance.mean():.2f}")


def neighbours(film: Film, wish: Wish) -> list[Panel]:
    """A film's images over their neighbours, beside real images over theirs; alone as long as they are not finished."""
    role = ROLES[film.request.sampler]
    found = image_lesson.compare(wish.model, film) if film.done else None
    if found is None:
        newest = film.at(len(film.x) - 1)
        return [hung(film.request.sampler, [newest], wish, STATE, role, wish.named(film.request.labels))]
    real = "held-out image" if wish.model.held_out else "training image"
    return [
        paired(film.request.sampler, found[0], wish, role, "sample"),
        paired("Real images, for comparison", found[1], wish, "exact", real),
    ]


def verdict(film: Film, wish: Wish) -> str:
    """How near samples are to training images, in words, beside real ones."""
    found = image_lesson.compare(wish.model, film)
    if found is None:
        return "The images that this model was trained on are not here, so there is nothing to compare with."
    made, real = (part.distance for part in found)
    whose = "held-out real images from theirs" if wish.model.held_out else "real images from the nearest other one"
    return (
        f"Root mean square over pixels from −1 to 1. The samples are {made.mean():.2f} from their nearest training "
        f"images on average, and none is nearer than {made.min():.2f}; {whose}: {real.mean():.2f} and {real.min():.2f}."
    )
