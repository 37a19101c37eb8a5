"""Chapter 6: CLIP. Two towers bring pictures and captions to one space, where cosines answer questions."""

import streamlit as st

from core.data.captions import ARITHMETIC
from core.lessons import clip as clip_lesson
from core.models import clip as clip_model
from core.models import clip_queries as queries
from core.models.clip_queries import Difference
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import clip_live, clip_queries, clip_zero_shot
from pages.ui.widgets import html_cards

LIVE, SEARCH, CLASSES, MINUS, MAP = "train live", "retrieval", "zero-shot", "arithmetic", "map"
PAIRS, PICTURES, WORDS = "held-out pairs", "pictures", "words"
DIAGONAL, FOUND, WORDED, GREEN = (
    "Train live: let all twelve captions find their own picture.",
    "Retrieval: among all pictures, let one that was held out be the nearest to your text.",
    "Zero-shot: word a list that is right for 5 points more, in the mean of the groups, than the other.",
    "Arithmetic: make the red apple green.",
)  # fmt: skip
# Each draws a picture and the controls that it alone has, and returns which tasks it shows to be done.


def train_live() -> set[str]:
    """The matrix that turns diagonal."""
    seen, diagonal = clip_live.show(controls, picture, answered)
    with picture:
        shell.explain("guess", seen=seen)
    return {DIAGONAL} if diagonal else set()


def search() -> set[str]:
    """From words to pictures, and from pictures to words."""
    with controls:
        by = shell.segmented("By", ("text", "picture", "file", "drawing"), default="text", key="by")
        numbers = clip_queries.among("Search", clip_queries.ALL, "among")
        space = clip_queries.subject().space
        if by == "text":
            text = shell.text("Your text", "smiling cat", key="text", max_chars=120)
        elif by == "picture":
            chosen = clip_queries.of_collection("A picture of the collection", "of", "woman firefighter")
        else:
            pixels = clip_queries.uploaded() if by == "file" else clip_queries.drawn()
    with picture:
        if by == "text":
            found = clip_queries.by_text(space, text, numbers)
            whole = len(numbers) == len(space.pictures)
            return {FOUND} if found and whole and clip_lesson.pairs().held_out[found[0]] else set()
        if by == "picture":
            clip_queries.by_picture(space, html_cards.picture(chosen), space.pictures[chosen], numbers, chosen)
        elif pixels is None:
            st.info("Choose a file on the left." if by == "file" else "Draw on the sheet on the left.")
        else:
            clip_queries.by_picture(space, html_cards.brought(pixels, f"your {by}"), space.picture(pixels), numbers)
    return set()


def zero_shot() -> set[str]:
    """Classes that nobody trained for."""
    with controls:
        numbers = clip_queries.among("Pictures", clip_queries.HELD_OUT, "classify")
        space = clip_queries.subject().space
        lists = clip_zero_shot.wordings(space)
        seed = int(shell.number("Other examples", 0, 999, 0, key="example"))
    with picture:
        scores = clip_zero_shot.classified(space, lists, numbers, seed)
    return {WORDED} if all(scores) and abs(scores[0].mean - scores[1].mean) >= 0.05 else set()


def arithmetic() -> set[str]:
    """Pictures minus pictures, and pictures minus and plus words."""
    with controls:
        kind = shell.segmented("Of", (PAIRS, PICTURES, WORDS), default=PAIRS, key="kind")
        key, space = clip_queries.subject()
    if kind == PICTURES:
        with controls:
            one = clip_queries.of_collection("A picture", "one", "mermaid")
            other = clip_queries.of_collection("minus a picture", "other", "woman")
        with picture:
            clip_queries.subtraction(space, Difference("", one, other))
    elif kind == WORDS:
        with controls:
            start = clip_queries.of_collection("A picture", "one", "man surfing")
            minus = shell.text("minus", "man", key="minus", max_chars=60)
            plus = shell.text("plus", "woman", key="plus", max_chars=60)
        with picture:
            found = clip_queries.moved(space, start, minus, plus)
        names = clip_lesson.pairs().captions
        return {GREEN} if names[start] == "red apple" and "green apple" in [names[i] for i in found[:3]] else set()
    else:
        with controls:
            attribute = shell.selectbox("Attribute", (*ARITHMETIC, "hat"), key="attribute")
            answers = clip_queries.answers_of(key, space)
            own = [a.difference for a in answers if a.difference.attribute == attribute] or [clip_lesson.hat()]
            which = int(shell.number("Pair", 1, 12, 1, key="pair", disabled=len(own) == 1))
        with picture:
            clip_queries.subtraction(space, own[min(which, len(own)) - 1])
            clip_queries.tally(answers, attribute)
    return set()


def on_a_map() -> set[str]:
    """All vectors in two dimensions."""
    with controls:
        axes = shell.radio("Axes", clip_lesson.AXES, 1, key="axes")
        shown = shell.multiselect("Show", ("pictures", "captions"), ["pictures", "captions"], key="shown")
        key, space = clip_queries.subject()
    with picture:
        clip_queries.show_map(clip_queries.plane_of(key, axes, space), axes, shown or ["pictures"])
    return set()


SCENES = {LIVE: train_live, SEARCH: search, CLASSES: zero_shot, MINUS: arithmetic, MAP: on_a_map}

shell.require_shell()
shell.chapter(6, "CLIP", "Two networks bring pictures and words to one space, where what belongs together is near.")
controls, picture = shell.picture()
with shell.asking(controls, picture):
    answered = shell.predict(
        "guess",
        "Each of 128 pictures is to find its caption among 128. Towers that know nothing begin: what is their loss?",
        ("0", "log 128 ≈ 4.85", "without bound"),
        1,
        "Where all cosines are alike, the softmax gives each caption 1/128, and −log 1/128 = 4.85, the dashed line. "
        "Untrained cosines differ a little, at random, so the loss begins slightly above.",
    )
scene = LIVE
if answered:
    with picture:
        scene = shell.segmented("Show", list(SCENES), default=LIVE, key="show", label_visibility="collapsed")
done = SCENES[scene]()
NOTES = {
    LIVE: [
        ("guided", "**The diagonal** is what belongs together. Untrained, all cosines are alike; after some hundred "
         "steps nearly each caption (row) is nearest to its own picture (column), as the dot in its row shows. Scrub."),
        ("exact", "**The dashed line** is log N, the loss of towers that know nothing. Take a smaller batch: the line "
         "sinks, for to find a caption among 16 is easier, and teaches less."),
        ("denoise", "**Held out** pictures are new combinations of known words. Their diagonal comes later, and paler: "
         "what is learned are words and looks, and not only pairs."),
    ],
    SEARCH: [
        ("data", "**From text to picture:** the text goes through its tower, and its cosine with each picture's vector "
         "ranks them. Nothing is compared with their captions."),
        ("sample", "**From picture to caption** it is the same the other way. Upload a picture, or draw one: these "
         "towers know emoji only, and see photographs as strange emoji."),
        ("guided", "**◇ Held out** pictures are found as well: words that were learned apart combine."),
    ],
    CLASSES: [
        ("data", "**Classes as captions:** the probability is the softmax of the cosines with each class's text, "
         "multiplied by the scale that the loss has learned. No class was ever trained for."),
        ("sample", "**Wording matters.** One word says little of what belongs to a class. Of several texts, divided by "
         "commas, the mean of the vectors is taken."),
        ("negative", "**Where it fails** tells what captions do not say: nobody captions a ribbon as an activity."),
    ],
    MINUS: [
        ("data", "**The difference** of two vectors points from one picture to the other. The words whose vectors lie "
         "along it (about the mean of all words) say what was added. Each picture is seen in 25 places, and a word "
         "counts as the mean of all captions that it is said of, so that what else they say averages out. In brackets: "
         "words that captions have together with it, so that nothing can tell them apart."),
        ("exact", "**The linear baseline**, a closed-form map from pixels and from words (CCA), comes near, asked "
         "plainly, which suits it better: the same crown is drawn on every head. In retrieval it is far behind."),
        ("sample", "**Hat** is shown and not counted: the only hats held out are builders’ helmets, which look unlike "
         "most that were trained on, so the word is far down. Words move pictures, too: red apple − red + green."),
    ],
    MAP: [
        ("data", "**Filled marks** are pictures, open ones captions; colour and shape are the Unicode group. "
         "Between the groups’ means, groups form regions: training knew no groups, only words that they share."),
        ("sample", "**Two axes are a thin slice:** their share of the variance stands on them. What looks near may be "
         "far in the other dimensions."),
        ("difference", "**The gap:** pictures and captions lie apart, in two cones (choose *across the gap*). The loss "
         "only ranks captions among captions and pictures among pictures; it need not close it."),
    ],
}  # fmt: skip
shell.notes(NOTES[scene] if answered else NOTES[scene][:1])
shell.equation(
    [
        (r"L = -\frac{1}{2N}\sum_i\left[\log\frac{", None), (r"e^{\,s\,u_i\cdot v_i}", "guided"),
        (r"}{\sum_j ", None), (r"e^{\,s\,u_i\cdot v_j}", "unconditional"), (r"} + \log\frac{", None),
        (r"e^{\,s\,u_i\cdot v_i}", "guided"), (r"}{\sum_j ", None), (r"e^{\,s\,u_j\cdot v_i}", "unconditional"),
        (r"}\right],\qquad ", None), ("u = ", "data"), (r"\frac{f(\text{picture})}{|f|}", "data"), (r",\quad ", None),
        ("v = ", "sample"), (r"\frac{g(\text{caption})}{|g|}", "sample"),
    ],
    [("guided", "own pair"), ("unconditional", "all pairs of the batch"), ("data", "a picture's unit vector"),
     ("sample", "a caption's unit vector; s is learned")],
)  # fmt: skip
CODE = {
    LIVE: (clip_model.contrastive_loss, clip_model.clip_loss, clip_model.run), SEARCH: (clip_lesson.nearest, queries.text_vectors),
    CLASSES: (clip_lesson.classify,), MAP: (clip_lesson.plane,),
    MINUS: (queries.mean_over_shifts, queries.mean_over_captions, queries.nearest_words, clip_lesson.moved),
}  # fmt: skip
shell.code(*CODE[scene])
hints = (
    "Half a minute does it, or a whole one where others train as well.",
    "Try “woman swimming”, or a word that you do not find in the captions.",
    "Say what is in the pictures of a group: “object: tool, clothing, book”.",
    "Words: red apple, minus red, plus green.",
)
shell.tasks([(task, task in done, hint) for task, hint in zip((DIAGONAL, FOUND, WORDED, GREEN), hints, strict=True)])
st.markdown("CLIP says how near a picture is to a text. It compares, and cannot draw: for that, **chapter 7** leads "
            "its vectors into a diffusion model.")  # fmt: skip
shell.finish()
