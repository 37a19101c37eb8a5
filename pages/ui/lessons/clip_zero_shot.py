"""Classes that nobody trained for: prompts as a learner words them, and what pictures are by them."""

from collections.abc import Sequence

import streamlit as st
from torch import Tensor

from core.lessons import clip as clip_lesson
from core.lessons.clip import Accuracy, Prompt, Space
from pages.ui.frame import shell_old as shell
from pages.ui.frame.links_old import name_of
from pages.ui.widgets import html_cards
from pages.ui.widgets.html_cards import Bar

WORDINGS = (
    "face\nperson\nanimal\nfood\nplace: building\nactivity: sport\nobject: tool\nsign",
    "face: face, smile, heart, cat face\nperson: person, man, woman, hand\nanimal: animal, bird, insect, flower\n"
    "food: food, fruit, drink, sweet, vegetable\nplace: building, vehicle, weather, moon\n"
    "activity: sport, game, medal\nobject: clothing, book, tool, office, music\nsign: button, arrow, square, zodiac",
)  # fmt: skip
ROLES = ("data", "sample")
SHOWN = 4  # examples


def wordings(space: Space) -> list[tuple[Prompt, ...]]:
    """Two lists of prompts as the learner words them; one that cannot be read is said, and stands as it was."""
    found = []
    for k, (tab, default) in enumerate(zip(st.tabs(["Wording 1", "Wording 2"]), WORDINGS), 1):
        with tab:
            about = f"Wording {k}: a class a line; “name: text, text”"
            text = shell.text_area(about, default, height=222, max_chars=800, key=f"wording{k}")
            try:
                prompts = clip_lesson.prompts(text)
            except ValueError as error:
                shell.sorry(str(error))
                prompts = clip_lesson.prompts(default)
            strange = space.known.unknown(" ".join(text for prompt in prompts for text in prompt.texts))
            if strange:
                st.caption(f"No caption had: {', '.join(map(name_of, strange[:6]))}.")
            found.append(prompts)
    return found


def classified(space: Space, lists: Sequence[tuple[Prompt, ...]], numbers: Tensor, seed: int) -> list[Accuracy | None]:
    """Some of the pictures with the probability of each class under each wording; then how often each is right."""
    answers = [clip_lesson.classify(space, prompts, numbers) for prompts in lists]
    scores = [clip_lesson.score(prompts, p, numbers) for prompts, p in zip(lists, answers)]
    examples = _some(numbers, seed)
    html_cards.shelf((_example(lists, [p[at] for p in answers], int(numbers[at])) for at in examples),
                   "Pictures, and the probability of each class under both wordings", wide=True)  # fmt: skip
    marks = " · ".join(f"{shell.mark(role)} wording {k}" for k, role in enumerate(ROLES, 1))
    st.caption(f"{marks} · ◆ the picture’s own group, found where its bar is the longest", unsafe_allow_html=True)
    known = [score for score in scores if score]
    if known:
        st.markdown(_table(scores))
        st.caption(f"Right of the {known[0].n:,} pictures whose Unicode group is among the names. Most are people, so "
                   "the mean over the groups tells more; of some groups only a few are held out.")  # fmt: skip
    return scores


def _some(numbers: Tensor, seed: int) -> list[int]:
    """Places in ``numbers`` of pictures of ``SHOWN`` groups, others for another seed."""
    groups = clip_lesson.groups()
    places: dict[str, list[int]] = {name: [] for name in clip_lesson.GROUPS}
    for at, i in enumerate(numbers.tolist()):
        places.get(groups[i], []).append(at)
    filled = [own for own in places.values() if own]
    turned = [filled[(SHOWN * seed + k) % len(filled)] for k in range(min(SHOWN, len(filled)))]
    return [own[seed // 2 % len(own)] for own in turned]


def _example(lists: Sequence[tuple[Prompt, ...]], p: Sequence[Tensor], i: int) -> str:
    """A picture over its probabilities."""
    own = clip_lesson.groups()[i]
    names = list(dict.fromkeys(prompt.name for prompts in lists for prompt in prompts))
    rows = []
    for name in names:
        values = [
            next((float(value) for prompt, value in zip(prompts, probabilities) if prompt.name == name), 0.0)
            for prompts, probabilities in zip(lists, p)
        ]
        rows.append((name, [Bar(v, f"{v:.0%}" if v >= 0.1 else "", role) for v, role in zip(values, ROLES)]))
    marked = [names.index(own)] if own in names else []
    figure = html_cards.figure(html_cards.picture(i), clip_lesson.pairs().captions[i])
    return f"<div>{figure}{html_cards.bars(rows, '', marked, '◆')}</div>"


def _table(scores: Sequence[Accuracy | None]) -> str:
    names = list(dict.fromkeys(name for score in scores if score for name in score.by_group))
    rows = [
        [f"wording {k}", f"{score.right:.0%}", f"**{score.mean:.0%}**",
         *(f"{score.by_group[name]:.0%}" if name in score.by_group else "–" for name in names)]
        for k, score in enumerate(scores, 1) if score
    ]  # fmt: skip
    return shell.table(["Right of", "all", "mean of groups", *names], rows)
