"""Chapter 7: unCLIP. From words to a picture by way of CLIP's vectors, one stage after the other."""

from dataclasses import replace

import streamlit as st

from core.diffusion import guidance
from core.lessons import clip as clip_lesson
from core.lessons import unclip as unclip_lesson
from core.models import clip as clip_model
from core.models import unclip as unclip_model
from core.networks.clip import TextEncoder
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import unclip as unclip_scenes
from pages.ui.lessons.unclip import ALL, AWAY, DECODER, PRIOR, SCALES, SKIPPED, VARIATIONS, WAY, WORDS

STRANGE, NEW, UNSEEN, APART = (
    "Words: type a caption with a word that no caption had, and see the rest drawn without it.",
    "2 prior: find a caption for which the prior ends nearest to a picture that was held out.",
    "Variations: let the decoder vary a picture that it never saw.",
    "Between: go from one kind of thing to another, by way of pictures of two Unicode groups.",
)

# Each draws a picture and the controls that it alone has, and returns which tasks it shows to be done.


def draw(takes, panels_of, what: str) -> tuple:
    """Films of takes as panels on a clock, which ``panels_of`` makes of them and the newest frame; those films."""
    with picture:
        films = unclip_scenes.watch(takes, lambda films, k: unclip_scenes.show(*panels_of(films, k), what, scene))
        if scene in (SKIPPED, AWAY, SCALES, VARIATIONS):
            st.caption("Told and seen: the cosine of the vector that was told with that of the finished picture, as "
                       "CLIP sees it.")  # fmt: skip
    return films


def all_stages() -> set[str]:
    """From the caption to pictures, all on one clock."""
    with picture:
        unclip_scenes.chips(take.caption)
    draw([take], lambda films, k: unclip_scenes.pipeline_of(films[0], k), f"From “{take.caption}” to pictures")
    return strange


def words() -> set[str]:
    """The caption's vector."""
    with picture:
        unclip_scenes.words(take.caption)
    return strange


def prior() -> set[str]:
    """From noise to an image vector."""
    films = draw([take], lambda films, k: unclip_scenes.prior(films[0], k), f"The prior told “{take.caption}”")
    if not films:
        return set()
    nearest = unclip_lesson.walk(unclip_scenes.whole(), films[0], unclip_scenes.space()).pictures[-1, 0]
    return {NEW} if clip_lesson.pairs().held_out[nearest] else set()


def decoder() -> set[str]:
    """From noise to pictures."""
    draw([take], lambda films, k: unclip_scenes.decoder(films[0], k), f"The decoder told vectors for “{take.caption}”")
    return set()


def skipped() -> set[str]:
    """The decoder told the caption's own vector."""
    takes = [take, replace(take, skip_prior=True)]
    films = draw(
        takes, lambda films, k: unclip_scenes.skipped(*films, k), f"“{take.caption}” with the prior and without"
    )
    if films:
        with picture:
            st.markdown(unclip_scenes.table(*films))
            shell.explain("guess", seen=True)
    return set()


def away() -> set[str]:
    """Led away from a second caption."""
    with own:
        negative = unclip_scenes.caption("Negative caption", unclip_scenes.NEGATIVE, "negative")
    if negative is not None:
        named = {"without a negative caption": "unconditional", f"not “{negative}”": "guided"}
        takes = [take, replace(take, negative=negative)]
        draw(
            takes,
            lambda films, k: unclip_scenes.beside(films, k, named),
            f"“{take.caption}”, and away from “{negative}”",
        )
    return set()


def scales() -> set[str]:
    """One start under several guidance scales."""
    named = {f"w = {scale:g}": "guided" for scale in unclip_scenes.UNDER}
    draw(
        unclip_scenes.scaled(take),
        lambda films, k: unclip_scenes.beside(films, k, named),
        f"“{take.caption}” under several scales",
    )
    return set()


def variations() -> set[str]:
    """A picture's own vector, and new noise."""
    with own:
        number = unclip_scenes.of_collection()
    films = draw([replace(take, caption="", picture=number)], lambda films, k: unclip_scenes.variations(films[0], k),
                 f"Variations of “{clip_lesson.pairs().captions[number]}”")  # fmt: skip
    return {UNSEEN} if films and clip_lesson.pairs().held_out[number] else set()


def between() -> set[str]:
    """From one caption to another."""
    with own:
        to = unclip_scenes.caption("To the caption", unclip_scenes.OTHER, "to")
    films = to is not None and draw([unclip_scenes.way(take, to)], lambda films, k: unclip_scenes.between(films[0], k),
                                    f"From “{take.caption}” to “{to}”")  # fmt: skip
    return {APART} if films and unclip_scenes.apart(films[0]) else set()


SCENES = {ALL: all_stages, WORDS: words, PRIOR: prior, DECODER: decoder, SKIPPED: skipped, AWAY: away, SCALES: scales,
          VARIATIONS: variations, WAY: between}  # fmt: skip

shell.require_shell()
shell.chapter(7, "unCLIP", "Words become a vector, a diffusion model makes of it a picture’s, and another the picture.")
controls, picture = shell.picture()
own = controls.container(gap="small")
with shell.asking(controls, picture):
    answered = shell.predict(
        "guess",
        "CLIP draws a caption and its picture together. You type a caption that it was not trained on: of all pictures "
        "and captions, what lies nearest to its vector?",
        ("its picture", "some other picture", "another caption"),
        2,
        "So it is for nearly all captions that were held out. The loss only asks that the right picture be nearer than "
        "the wrong ones, and captions keep to themselves. The decoder learned from pictures’ vectors and has hardly "
        "seen one like a caption’s: so a prior makes one that it knows.",
    )
scene = ALL
if answered:
    with picture:
        scene = shell.segmented("Show", list(SCENES), default=ALL, key="show", label_visibility="collapsed")
with own:
    caption = unclip_scenes.caption("Caption", unclip_scenes.CAPTION, "caption", disabled=scene == VARIATIONS)
with controls:
    take = replace(unclip_scenes.options(scaled=scene in (WORDS, SCALES)), caption=caption or "")
strange = {STRANGE} if caption and unclip_scenes.whole().known.unknown(caption) else set()
drawn = caption is not None or scene == VARIATIONS
done = SCENES[scene]() if drawn else set()
if not drawn:
    picture.info("Nothing to draw: no word of the caption is known.", icon=":material/edit:")

NOTES = {
    ALL: [
        ("data", "**The text vector** has 128 numbers: orange above 0, blue below. It says what all words mean."),
        ("denoise", "**The prior**, a diffusion model on vectors, goes from noise to one as a picture’s would be."),
        ("sample", "**The decoder**, a diffusion model on pictures, is told that vector and sees no word."),
    ],
    WORDS: [
        ("data", "**A word** is a row of a table. Each looks at the others once: *hot* in *hot dog* is another *hot*."),
        ("sample", "**The text vector** is made of their mean."),
        ("difference", "**Nearest to it** are captions that say the same, and then pictures: compare the cosines."),
    ],
    PRIOR: [
        ("conditional", "**At large σ** the guess is a mean of all that the caption may mean, near to much."),
        ("denoise", "**It decides** from σ = 10 to 0.5: the curve to its end rises to 1, that to the caption falls. "
         "What is drawn has traits that no word told."),
        ("data", "**Across the gap** it ends where pictures’ vectors lie. *Guidance of the prior* draws it back."),
    ],
    DECODER: [
        ("sample", "**The state** is noise for long. Shapes come at σ of 10 to 1, detail last, as in chapter 8."),
        ("denoise", "**The guess** is a blur of what fits the vector, and clear much earlier."),
        ("data", "**What differs** from picture to picture is noise twice over: the prior’s and the decoder’s."),
    ],
    SKIPPED: [
        ("sample", "**Imagined** vectors lie where pictures’ do; each decides what the caption leaves open."),
        ("negative", "**The caption’s own** lies on the other side, nearer to the caption than any picture. The "
         "decoder has not learned from such: it overdoes what the words say, and lacks the rest."),
        ("data", "**The noise** of the decoder is the same in both, so all that differs comes from the vectors."),
    ],
    AWAY: [
        ("unconditional", "**Left,** guidance leads away from *no vector*: away from any picture."),
        ("guided", "**Right,** away from the vector that the prior made of the negative caption; from the same noise."),
        ("negative", "**At w = 1** a negative caption has no say: the equation leaves it out."),
    ],
    SCALES: [
        ("unconditional", "**w = 0** has not heard of the caption: any picture at all."),
        ("guided", "**w = 1** is plain; **w = 2** and **4** show more clearly what was told."),
        ("negative", "**w = 8** overdoes it, in colour first: the price of chapter 5."),
    ],
    VARIATIONS: [
        ("data", "**The picture** has a vector of its own: no prior, no caption is needed."),
        ("sample", "**Variations** keep what the vector tells, and differ in the rest: so one sees what CLIP notes."),
        ("denoise", "**More guidance** brings them nearer to each other."),
    ],
    WAY: [
        ("guided", "**On the way** the vector goes along an arc from one image vector to the other; the noise stays."),
        ("sample", "**All of the way** at once: the change is not even, for pictures lie in heaps."),
        ("data", "**In pixels** the way would be a cross-fade. Here every picture is one that the decoder can draw."),
    ],
}  # fmt: skip
shell.notes(NOTES[scene])
shell.equation(*unclip_scenes.EQUATIONS.get(scene, unclip_scenes.EQUATIONS[DECODER]))
CODE = {ALL: (unclip_model.sample_prior, unclip_model.sample_decoder, unclip_lesson.films), WORDS: (TextEncoder.forward, unclip_model.prior_condition),
        PRIOR: (unclip_model.sample_prior, unclip_lesson.walk), SKIPPED: (unclip_model.generate, unclip_lesson.place, clip_model.contrastive_loss),
        VARIATIONS: (unclip_model.image_vectors, unclip_model.sample_decoder), WAY: (unclip_model.slerp, unclip_model.sample_decoder)}  # fmt: skip
shell.code(*CODE.get(scene, (unclip_model.sample_decoder, guidance.cfg)))
hints = ("Try “woman firefighter gizmo”.", "Combine words that you have seen apart, such as “woman swimming”.",
         "Its place is written below it; try “woman cook” or “crown”.", "A woman and a pizza will do.")  # fmt: skip
shell.tasks([(task, task in done, hint) for task, hint in zip((STRANGE, NEW, UNSEEN, APART), hints, strict=True)])
shell.finish()
