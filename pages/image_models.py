"""Chapter 8: image models. The samplers and the guidance of the spiral, with images, through the same code."""

from dataclasses import replace

import streamlit as st

from core.diffusion import guidance, samplers
from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE
from core.lessons import image_models as image_lesson
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import image_models as image_scenes
from pages.ui.lessons import image_training

SAMPLERS, NEAREST, GUIDANCE, TRAIN = "four samplers", "nearest training image", "guidance", "train"
QUICK, AWAY, TRAINED = (
    "Four samplers: come within a fifth of the data's detail with at most 10 network calls.",
    "Guidance: lead away from one class to another, and compare with leading away from nothing.",
    "Train: let a network learn digits until they can be read.",
)
REAL = {
    True: "that the model never saw have a nearest training image",
    False: "of the training set have a nearest one among the others",
}

# Each draws a picture and returns which tasks it shows to be done.


def four_samplers() -> set[str]:
    """Four samplers from the same noise."""
    kinds = (DDPM, DDPM_NO_NOISE, DDIM, wish.take.sampler) if answered else (DDPM, DDIM, wish.take.sampler)
    with row:
        seen = image_scenes.shown_as()
    with picture:
        films = image_scenes.watch(wish.model, [replace(wish.take, sampler=kind) for kind in kinds], lambda films, levels: (
            image_scenes.show(image_scenes.samplers(films, wish, seen), levels, wish, "From the same noise by several samplers")
        ))  # fmt: skip
        if not films:
            return set()
        shell.explain("guess", seen=answered)
        st.markdown(image_scenes.table(films, wish))
        st.caption(
            "Detail is the mean square of what is lost when each pixel becomes the mean of 3 × 3. Artefacts count as "
            "well: more than the data's is no praise. Apart: the mean distance of two images, RMS over pixels."
        )
    quick = any(film.request.nfe <= 10 and 0.8 <= image_scenes.share_of_detail(film, wish) <= 1.2 for film in films)
    return {QUICK} if quick else set()


def nearest() -> set[str]:
    """Each sample over the training image that is most like it, beside real images over theirs."""
    with row:
        take = replace(wish.take, sampler=image_scenes.made_by())
    with picture:
        films = image_scenes.watch(wish.model, [take], lambda films, levels: (
            image_scenes.show(image_scenes.neighbours(films[0], wish), levels[-1:], wish, "Samples over training images")
        ))  # fmt: skip
        if films:
            st.caption(image_scenes.verdict(films[0], wish))
    return set()


def guided() -> set[str]:
    """One start under several guidance scales."""
    with row:
        seen = image_scenes.shown_as()
    with picture:
        films = image_scenes.watch(wish.model, image_scenes.scales(wish.take), lambda films, levels: (
            image_scenes.show(image_scenes.scaled(films, wish, seen), levels, wish, "The same noise under several scales")
        ))  # fmt: skip
    led_away = films and len({*wish.take.labels}) == 1 and wish.take.negative not in (None, *wish.take.labels)
    return {AWAY} if led_away else set()


def train() -> set[str]:
    """Models of one's own."""
    return {TRAINED} if image_training.show(controls, picture) else set()


SCENES = {SAMPLERS: four_samplers, NEAREST: nearest, GUIDANCE: guided, TRAIN: train}

shell.require_shell()
shell.chapter(8, "Image models", "What was a point in the plane is an image now; samplers and guidance stay the same.")
controls, picture = shell.picture()
with shell.asking(controls, picture):
    answered = shell.predict(
        "guess",
        "In chapter 4, DDPM without its noise sent all points to a few. What will it do to images?",
        ("they stay noisy", "smooth ghosts, alike within a class", "sharp, and as varied as ever"),
        1,
        "The long step without noise goes to the mean of all images that could be meant: of garments a blur, of digits "
        "one typical digit. It is the collapse of chapter 4.",
    )
row = picture.container(horizontal=True, vertical_alignment="center")
scene = SAMPLERS
if answered:
    with row:
        scene = shell.segmented("Show", list(SCENES), default=SAMPLERS, key="show", label_visibility="collapsed")
if scene != TRAIN:
    with controls:
        wish = image_scenes.choose(scaled=scene == GUIDANCE)
done = SCENES[scene]()

unseen = scene == NEAREST and wish.model.held_out is not None
NOTES = {
    SAMPLERS: [
        ("sample", "**DDPM** and **DDIM** go from the same noise to different images: one is shaken on its way. The "
         "second-order solver ends where DDIM would with many more steps."),
        ("negative", "**Without its noise** DDPM goes to a mean. Choose one class, of emoji the smileys: its images "
         "are less than half as far apart as real ones. Of garments the mean is a blur, as its share of the detail "
         "tells, and of most kinds of emoji; a digit of 8 × 8 pixels has no finer detail to lose. 100 steps do not "
         "help."),
        ("denoise", "**x̂₀**, what the network believes, is a blurred mean at large σ for every sampler, and finds "
         "its form around σ = 1; detail comes last. Switch to it, and scrub."),
    ],
    NEAREST: [
        ("data", "**Below each sample** the training image with the least distance to it, pixel by pixel. A copy would "
         "have a distance near 0."),
        ("exact", f"**Real images** {REAL[unseen]}, too. Samples should be about as far from theirs: nearer means "
         "copied, much farther means unlike the data."),
        ("negative", "**The blurred** images of DDPM without its noise are nearest of all. A mean is near to all, "
         "so a small distance alone is no praise."),
    ],
    GUIDANCE: [
        ("unconditional", "**w = 0** is told nothing (or the negative class) and makes what it likes; **w = 1** is "
         "plain conditional."),
        ("guided", "**w = 2 and 4** are clearer and plainer examples of their class: mistakes go, and patterns "
         "with them. That is the price of chapter 5."),
        ("negative", "**At w = 8** guidance overdoes it: garments turn hard white on black, emoji gaudier. With a "
         "negative class, the left column leads away from nothing and the right one, from the same noise, away "
         "from that class."),
    ],
    TRAIN: image_training.NOTES,
}  # fmt: skip
shell.notes(NOTES[scene] if answered else NOTES[SAMPLERS][:1])
shell.equation(
    [
        (r"x_{\text{next}}", "sample"), ("=", None), (r"\hat x_0", "denoise"),
        (r"+ \frac{\sigma_\downarrow}{\sigma}\,(x - ", None), (r"\hat x_0", "denoise"), (r") +", None),
        (r"\sigma_\uparrow\,\varepsilon", "noise"), (r",\qquad ", None), (r"\hat x_0", "denoise"), ("=", None),
        ("u", "unconditional"), (r"+\;w\,(", None), ("c", "conditional"), ("-", None), ("u", "unconditional"),
        (")", None),
    ],
    [("sample", "an image: many numbers in the place of two"),
     ("noise", "σ↑ of it after the step down to σ↓; left out: blur"),
     ("unconditional", "told nothing, or the negative class"), ("conditional", "told the class")],
)  # fmt: skip
shell.code(*(image_training.CODE if scene == TRAIN else (image_lesson.sample, samplers.ancestral, guidance.cfg)))
hints = (
    "A second-order solver needs few steps; with guidance each of them is two calls, with w = 1 one.",
    "Choose a class, and another one to lead away from.",
    "Press Train, and wait a quarter of a minute.",
)
shell.tasks([(task, task in done, hint) for task, hint in zip((QUICK, AWAY, TRAINED), hints, strict=True)])
shell.finish()
