"""What the page of chapter 8 draws: the live run on the stage, and cards, tables and a chart for the other scenes."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from typing import Any

import streamlit as st
from torch import Tensor

from core import limits
from core.data import image_files
from core.data.captions import ARITHMETIC, LENGTH
from core.figures.maps import Cloud, scatter
from core.figures.scene import Scene
from core.lessons import clip as lesson
from core.lessons.clip import Accuracy, Answer, Snapshot, Space
from core.models import clip_space
from core.models.clip_queries import Difference
from core.models.clip_space import Projection, Vectors
from core.problems import Problem
from core.runs.jobs import Work
from pages.ui.frame import controls, shell, stored, text
from pages.ui.frame.chart import draw_chart
from pages.ui.frame.links import plain
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip as scenes
from pages.ui.lessons import clip_arithmetic, clip_live, clip_map, clip_retrieval, clip_zero_shot
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.clip import Config
from pages.ui.lessons.clip_collection import Encoders, Nearest
from pages.ui.lessons.clip_drawing import SIDE
from pages.ui.lessons.clip_map import CAPTIONS, PICTURES, SYMBOLS
from pages.ui.lessons.clip_zero_shot import ROLES, Classified
from pages.ui.runs import training_run
from pages.ui.stage import player
from pages.ui.widgets import brush, html_cards
from pages.ui.widgets.html_cards import Bar, EnglishText


def image(number: int) -> str:
    """A picture of the collection as HTML, named by its caption."""
    return _image(number, text.language.get())


@cache
def _image(number: int, language: str) -> str:
    return html_cards.image(clip_space.pairs().images[number], collection.name(number))


def figure(number: int) -> str:
    """A picture of the collection over its caption, as HTML."""
    return html_cards.figure(image(number), collection.name(number))


def warn_of_unknown_words(space: Vectors, *texts: str) -> None:
    """Name the words that no caption had, ask for some where there are none, and say where there are too many."""
    words = " ".join(texts)
    with shell.alerts():
        if any(map(space.tokenizer.cut, texts)):
            most = max(len(space.tokenizer.known(one)) for one in texts)
            shell.caption(t("clip.unknown.long", most=LENGTH, n=most))
        if unknown := space.tokenizer.unknown(words):
            sentence = t("clip.unknown.words", count=len(unknown), words=collection.listed(unknown))
            shell.message("warning", sentence, "help")
        elif not space.tokenizer.known(words):
            shell.message("info", t(f"clip.unknown.{space.pairs.name}"), "edit")


def choose_encoders(data: str) -> Encoders:
    """The shipped CLIP of a set, or the learner's own one if that is chosen."""
    trained = training_run.latest(clip_live.KINDS[data])
    model = controls.draw("model", scenes.MODELS if trained else scenes.MODELS[:1])
    if model == scenes.OWN and trained:
        return collection.of_run(training_run.checkpoint(trained))
    return collection.shipped(clip_live.MODELS[data])


# What a page of emoji asks and draws


def options(name: str) -> dict[str, Any]:
    """What else a control of emoji is drawn with: nothing."""
    return {}


def ask(show: str) -> tuple[Space, Tensor | None]:
    """Draw the controls of a scene that follow the first ones: the vectors asked about, and the picture of a file."""
    encoders, pixels, more = choose_encoders("emoji"), None, scenes.MORE_CONTROLS["emoji"]
    with st.spinner(t("clip.embedding")):
        space = collection.space_of(encoders)
    if show == "retrieval":
        by = controls.value("by")
        for name in more[by]:
            controls.draw(name)
        pixels = bring_picture(by)
    elif show == "zero_shot":
        choose_wordings(space)
        controls.draw("example")
    elif show == "arithmetic":
        for name in more[controls.value("kind")]:
            controls.draw(name, disabled=name == "pair" and controls.value("attribute") == "hat")
    return space, pixels


def draw(config: Config, given: tuple[Space, Tensor | None]) -> bool:
    """Draw a scene of emoji; whether its task is done."""
    space, pixels = given
    if config.show == "retrieval":
        return retrieval(config, space, pixels)
    scene = {"zero_shot": zero_shot, "arithmetic": arithmetic, "map": vector_map}[config.show]
    return scene(config, space)


def scene(config: Config, given: tuple[Space, Tensor | None]) -> Scene:
    """The scene of what `draw` shows, for a file."""
    space, pixels = given
    if config.show == "retrieval":
        return scenes.retrieval(config, space, pixels)
    return scenes.SCENES[config.show](config, space)


def plays(show: str) -> bool:
    """Whether a player draws a scene, which has an export menu of its own. A presented map stands sooner there than as
    a chart."""
    return show == "train_live" or (show == "map" and controls.value("present"))


# Live training


def train_live(config: Config, ready: bool) -> bool:
    """The learner's run on the stage, with its buttons; until it is ``ready``, the untrained matrix alone, which a
    presented page may train all the same. True where all captions find their own picture by now."""

    def draw(snapshot: Snapshot, standing: str) -> None:
        line = st.empty()  # also without a line: a stage that moves to another place is mounted anew
        if snapshot.step:
            with line:
                shell.prose(standing)
        compare = ready or snapshot.step > 0
        player.show(scenes.train_live(config, snapshot, compare), key="matrix", permalink=True)

    request = clip_live.training(config.data, config.training)
    view = training_run.current(request)
    training_run.heed_learning_rate(request, view)
    training_run.buttons(request, view, ready or controls.value("present"))
    if view is not None and view.error:
        shell.sorry(view.error)
    training_run.watch(request, view, draw, clip_live.STEPS)
    snapshot = view and view.picture
    return (
        bool(snapshot and snapshot.step)
        and lesson.count_matches(snapshot.cosines[-1, config.matrix.number]) == lesson.N
    )


# Retrieval


def retrieval(config: Config, space: Space, pixels: Tensor | None = None) -> bool:
    """The pictures nearest to a text, or the captions nearest to a picture. True where the first of all pictures is one
    that was held out."""
    found = scenes.nearest(config, space, pixels)
    if config.by == "text":
        warn_of_unknown_words(space, config.text)
        if found:
            shell.prose(t("clip.retrieval.nearest", text=plain(config.text)))
            pictures(found, t("clip.retrieval.shelf", n=clip_retrieval.PICTURES))
        return bool(found) and config.among == "all" and bool(clip_space.pairs().held_out[found[0][0]])
    pixels = config.pixels if pixels is None else pixels
    if pixels is None:
        shell.message("info", t(f"clip.retrieval.no_{config.by}"))
    elif config.by == "picture":
        picture_number = collection.number_of(config.of)
        captions(space, image(picture_number), found, picture_number)
    else:
        captions(space, html_cards.image(pixels, t(f"clip.retrieval.own_{config.by}")), found)
    return False


def pictures(found: Nearest, label: str) -> None:
    """Pictures of the collection with their cosines and captions; those held out from training have a mark."""
    held_out = clip_space.pairs().held_out
    html_cards.shelf(
        (
            html_cards.figure(image(i), fixed(cosine) + " ◇" * bool(held_out[i]), collection.name(i))
            for i, cosine in found
        ),
        label,
    )
    shell.caption(t("clip.retrieval.legend"))


def captions(space: Space, query: str, found: Nearest, picture_number: int | None = None) -> None:
    """An HTML image beside the captions nearest to it, its ``own`` marked."""
    rows = [(collection.name(i), [Bar(cosine, fixed(cosine))]) for i, cosine in found]
    marked = [k for k, (i, _) in enumerate(found) if i == picture_number]
    table = html_cards.bars(rows, t("clip.retrieval.captions"), marked)
    html_cards.row(html_cards.figure(query), "→", table, label=t("clip.retrieval.row"))
    first, ten = clip_retrieval.accuracy_of(space)
    shell.caption(t("clip.retrieval.accuracy", first=first, ten=ten))


def bring_picture(by: str) -> Tensor | None:
    """Where the learner chooses a file or draws: the pixels of the file; a drawing stands in the address."""
    if by == "file":
        return uploaded()
    if by == "drawing":
        brush.draw_data("canvas", height=200, label=t("clip.drawing.label"))
    return None


def uploaded() -> Tensor | None:
    """A picture that the learner brings, uint8 [3, 32, 32] on white; None until there is a readable one."""
    file = stored.upload(t("clip.file.label"), None, "_picture")
    if file is None:
        shell.caption(t("clip.file.about"))
        return None
    if st.session_state.get("_picture_read", ("",))[0] != file.id:  # it is decoded once, not in every run
        st.session_state["_picture_read"] = file.id, *decode(file.content)
    _, pixels, note = st.session_state["_picture_read"]
    if pixels is None:
        shell.sorry(t("clip.file.unreadable", name=file.name, error=text.problem(note)))
        return None
    stored.keep("_picture")
    if note:
        shell.caption(text.problem(note))
    return pixels


def decode(content: bytes) -> tuple[Tensor | None, Problem | None]:
    """The pixels of a file of an image, uint8 [3, 32, 32], and a note; None and the problem if it cannot be read."""
    try:
        decoded = image_files.decode(BytesIO(content), at_least=SIDE, megapixels=limits.MEGAPIXELS)
    except image_files.UnreadableImage as problem:
        return None, problem
    return image_files.as_tensor(decoded, SIDE).expand(3, -1, -1), image_files.note_of(decoded)


# Zero-shot classification


def choose_wordings(space: Space) -> None:
    """The two lists of prompts, one on each tab. Says why one cannot be read, and names words that no caption had."""
    names = ("wording1", "wording2")
    for tab, name, default in zip(st.tabs(text.entry("clip.zero_shot.tabs")), names, lesson.WORDINGS, strict=True):
        with tab:
            prompts, problem = clip_zero_shot.prompts_of(controls.draw(name, height=222), default)
            if problem:
                shell.sorry(problem)
            if unknown := space.tokenizer.unknown(" ".join(one for prompt in prompts for one in prompt.texts)):
                shell.caption(t("clip.zero_shot.unknown", words=collection.listed(unknown)))


def zero_shot(config: Config, space: Space) -> bool:
    """Some of the pictures with the probability of each class under each wording; then the accuracies. True where these
    are 10 points apart."""
    found = scenes.classified(config, space)
    html_cards.shelf((example(found, at) for at in found.examples), t("clip.zero_shot.shelf"), wide=True)
    marks = " · ".join(
        f"{shell.mark(f'{role} line')} {t('clip.zero_shot.wording', k=k)}" for k, role in enumerate(ROLES, 1)
    )
    shell.caption(t("clip.zero_shot.legend", marks=marks))
    known = [accuracy for accuracy in found.accuracies if accuracy]
    if known:
        shell.prose(accuracy_table(found.accuracies))
        shell.caption(t("clip.zero_shot.accuracy", n=known[0].n))
    return clip_zero_shot.better_by(found) >= 0.1


def example(found: Classified, at: int) -> str:
    """A picture over its probabilities, as HTML."""
    number = int(found.numbers[at])
    group = lesson.groups()[number]
    names = list(dict.fromkeys(prompt.name for prompts in found.prompts for prompt in prompts))
    rows = []
    for name in names:
        values = [
            next((p.item() for prompt, p in zip(prompts, probabilities[at]) if prompt.name == name), 0.0)
            for prompts, probabilities in zip(found.prompts, found.probabilities)
        ]
        rows.append(
            (EnglishText(name), [Bar(v, f"{v:.0%}" if v >= 0.1 else "", role) for v, role in zip(values, ROLES)])
        )
    marked = [names.index(group)] if group in names else []
    return f"<div>{figure(number)}{html_cards.bars(rows, '', marked, '◆')}</div>"


def accuracy_table(accuracies: Sequence[Accuracy | None]) -> str:
    """The accuracies of the wordings, by group, as a Markdown table."""
    names = list(dict.fromkeys(name for accuracy in accuracies if accuracy for name in accuracy.by_group))
    rows = [
        [t("clip.zero_shot.wording", k=k), f"{accuracy.overall:.0%}", f"**{accuracy.mean:.0%}**",
         *(f"{accuracy.by_group[name]:.0%}" if name in accuracy.by_group else "–" for name in names)]
        for k, accuracy in enumerate(accuracies, 1) if accuracy
    ]  # fmt: skip
    return shell.table(
        [*(t(f"clip.zero_shot.head.{part}") for part in ("right", "all", "mean")), *map(_english, names)], rows
    )


# Arithmetic with vectors


def arithmetic(config: Config, space: Space) -> bool:
    """A picture minus another, or minus and plus words. True where a red apple becomes a green one."""
    if config.kind == "words":
        warn_of_unknown_words(space, config.minus, config.plus)
        found = scenes.analogies(config, space)
        if found:
            analogy(config, found)
        names = [collection.captions()[i] for i, _ in found[:3]]
        return config.start == "red apple" and "green apple" in names
    words(space, config.difference)
    if config.kind == "held_out_pairs":
        answers(clip_arithmetic.answers_of(space), config.attribute)
    return False


def analogy(config: Config, found: Nearest) -> None:
    """A picture minus a text plus a text, and the pictures nearest to that."""
    texts = [(sign, f"“{text}”") for sign, text in (("−", config.minus), ("+", config.plus)) if text.strip()]
    label = clip_arithmetic.analogy_title(config.start, config.minus, config.plus)
    signs = (part for pair in texts for part in pair)
    html_cards.row(figure(collection.number_of(config.start)), *signs, "=", label=label)
    pictures(found, t("clip.arithmetic.shelf"))


def words(space: Space, difference: Difference) -> None:
    """Two pictures, the minus between them, and the words nearest to the difference."""
    found = clip_arithmetic.words_of(space, difference)
    if not found:
        shell.message("info", t("clip.arithmetic.itself"), "edit")
        return
    attribute = difference.attribute
    rows = [(_with_synonyms(space, word), [Bar(cosine, fixed(cosine))]) for word, cosine in found]
    right = [k for k, (word, _) in enumerate(found) if attribute in (word, *space.synonyms[word])]
    if attribute and not right:
        rank, cosine = lesson.word_rank(space, attribute, space.directions([difference])[0])
        rows.append((t("clip.arithmetic.rank", word=attribute, rank=rank), [Bar(cosine, fixed(cosine), "negative")]))
    table = html_cards.bars(rows, t("clip.arithmetic.words", n=len(space.synonyms)), right)
    html_cards.row(figure(difference.with_it), "−", figure(difference.without), "=", table,
                   label=clip_arithmetic.title(difference))  # fmt: skip


def _with_synonyms(space: Space, word: str) -> EnglishText:
    same = space.synonyms[word]
    return EnglishText(f"{word} ({', '.join(same[:3])}{' …' if len(same) > 3 else ''})" if same else word)


def answers(found: Sequence[Answer], attribute: str) -> None:
    """For how many differences the right word is first, here and by the linear baseline; then those of an attribute."""

    @shell.fragment(run_every=None if _baseline_is_known() else 2.0)
    def tick() -> None:
        waited = not _baseline_is_known()
        answer_table(found, baseline())
        if waited and _baseline_is_known():
            st.rerun()

    tick()
    if attribute in ARITHMETIC:
        matching = [answer for answer in found if answer.difference.attribute == attribute]
        html_cards.shelf(
            (html_cards.figure(image(a.difference.with_it), f"{'✓' if a.correct else '✗'} {a.words[0][0]}")
             for a in matching), t("clip.arithmetic.attribute", attribute=attribute))  # fmt: skip


def answer_table(found: Sequence[Answer], baseline: Sequence[bool]) -> None:
    """How often the right word is first, by attribute, with the baseline's row once that is known."""
    rows = []
    for name, correct in (("clip", [answer.correct for answer in found]), ("linear", baseline)):
        if correct:
            parts = [[hit for hit, a in zip(correct, found) if a.difference.attribute == each] for each in ARITHMETIC]
            rows.append([t(f"clip.arithmetic.rows.{name}"), f"**{_of(correct)}**", *map(_of, parts)])
    head = [t("clip.arithmetic.head.right"), t("clip.arithmetic.head.all"), *map(_english, ARITHMETIC)]
    shell.prose(shell.table(head, rows))
    if not baseline:
        shell.caption(t("clip.arithmetic.computing"))


def _english(name: str) -> str:
    return html_cards.as_html(EnglishText(name))


def _of(hits: Sequence[bool]) -> str:
    return t("clip.arithmetic.of", right=sum(hits), n=len(hits))


def _baseline_is_known() -> bool:
    return lesson.linear_baseline.cache_info().currsize > 0


def baseline() -> Sequence[bool]:
    """The linear baseline's verdict on each difference; empty as long as it is computed in the background."""
    if _baseline_is_known():
        return lesson.linear_baseline()
    work = Work(("linear", "emoji"), lambda *_: iter([lesson.linear_baseline()]), picture=list)
    jobs, viewer = training_run.jobs(), training_run.viewer()
    try:
        view = jobs.look(jobs.join(work, viewer), viewer)
    except ValueError:
        return []
    if view.status == "finished":
        jobs.leave(view.id, viewer)
        return view.picture
    return []


# The map


def vector_map(config: Config, space: Space) -> bool:
    """The vectors in two dimensions, and in words what is on it: a chart to zoom into, or presented the scene."""
    found, shown = clip_map.projection(space, config.axes), config.projected
    if plays("map"):
        player.show(scenes.SCENES["map"](config, space), key="map")
    else:
        chart = scatter(clouds(found, shown), shell.theme(), *clip_map.titles(found, config.axes))
        draw_chart(chart, "map", scrollZoom=True)
    about_map(clip_map.about(found, shown))
    return False


def about_map(sentence: str) -> None:
    """What is on the map, and how a chart is read."""
    with shell.sheet():
        shell.caption(sentence if plays("map") else text.join((sentence, t("clip.map.hint"))))


def clouds(found: Projection, shown: Sequence[str]) -> list[Cloud]:
    """Filled marks for pictures, open ones for captions, in the colour and shape of their group."""
    names, groups = [collection.captions()[i] for i in lesson.without_skin_tone()], clip_map.groups()
    made = []
    for group, (role, symbol) in SYMBOLS.items():
        places = [k for k, name in enumerate(groups) if name == group]
        for part, suffix in ((PICTURES, ""), (CAPTIONS, "-open")):
            if part in shown:
                texts = [t(f"clip.map.texts.{part}", caption=names[k]) for k in places]
                label = t(f"clip.map.legend.{part}", group=text.label("groups", group))
                made.append(Cloud(getattr(found, part)[places].numpy(), role, symbol + suffix, label, texts))
    return made
