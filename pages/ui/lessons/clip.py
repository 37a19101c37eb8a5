"""Chapter 8: a CLIP that is trained live, and what a trained one is asked, of people or of emoji.

Each scene is a pure function of a `Config`; ``space`` is for a CLIP that no address can name, such as a learner's run,
and ``pixels`` for a picture from a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.data import drawings
from core.figures.scene import Panel, Scene
from core.lessons import clip as lesson
from core.lessons import clip_people as people_lesson
from core.lessons.clip import Snapshot, Space
from core.models import clip as clip_model
from core.models import clip_queries, clip_space, people_queries
from core.models.clip import ClipConfig
from core.models.clip_queries import Difference
from core.models.people_queries import DIFFERENCES
from pages.ui.frame import text
from pages.ui.frame.links import choice, code, number, several, toggle
from pages.ui.frame.links import text as text_field
from pages.ui.frame.text import t
from pages.ui.lessons import clip_arithmetic, clip_live, clip_map, clip_people, clip_retrieval, clip_zero_shot
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.clip_arithmetic import ATTRIBUTES
from pages.ui.lessons.clip_collection import Nearest
from pages.ui.lessons.clip_drawing import COLOURS, HEART, painted
from pages.ui.lessons.clip_live import Shown
from pages.ui.lessons.clip_zero_shot import Classified
from pages.ui.runs import training_run

OWN = "own_run"
MODELS = ("shipped", OWN)
PARTS = ("held_out", "all")


def _picture(default: str, main: bool = False) -> Any:
    return choice(default, collection.captions, "captions", "select", main)


def _person(default: int, main: bool = False) -> Any:
    return number(default, 1, clip_space.N_PEOPLE, main=main)


def _example(name: str, most: int, main: bool = False) -> Any:
    return text_field(lambda: t(f"clip.examples.{name}"), most, main=main)


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("near_zero", "rise", "fall"), style="none")
    show: str = choice("train_live", ("train_live", "arithmetic", "retrieval", "zero_shot", "map"))
    data: str = choice("people", tuple(lesson.LANGUAGES), "data")
    captions_in: str = choice("page", ("page", "other"))  # of people: the language of the page, or the other one
    # train_live
    which: str = choice("trained_on", ("trained_on", "held_out"), main=True)
    batch: int = choice(lesson.CONFIG.batch, (16, 32, 64, 128, 256), style="slider")
    lr: float = number(lesson.CONFIG.lr, 1e-6, 1.0, 1e-3, form="%g")
    seed: int = number(0, 0, 9999)
    run: str | None = code(training_run.check_run)
    # retrieval
    model: str = choice("shipped", MODELS, style="select")
    by: str = choice("text", ("text", "picture", "file", "drawing"), main=True)
    among: str = choice("all", PARTS)
    text: str = text_field("smiling cat", 120, main=True)
    of: str = _picture("woman firefighter", main=True)
    query: str = _example("query", 120, main=True)
    person: int = _person(3_216, main=True)
    colour: str = choice("red", tuple(COLOURS), style="select")
    filled: bool = toggle(True)
    draw: str = code(drawings.decode, HEART)
    # zero_shot
    classify: str = choice("all", PARTS, main=True)
    wording1: str = text_field(lesson.WORDINGS[0], 800, lines=True)
    wording2: str = text_field(lesson.WORDINGS[1], 800, lines=True)
    example: int = number(26, 0, 999)
    # arithmetic
    kind: str = choice("held_out_pairs", ("held_out_pairs", "pictures", "words"), main=True)
    attribute: str = choice("turban", ATTRIBUTES, style="select", main=True)
    pair: int = number(1, 1, 12)
    minuend: str = _picture("mermaid")
    subtrahend: str = _picture("woman")
    start: str = _picture("man surfing")
    minus: str = text_field("man", 60)
    plus: str = text_field("woman", 60)
    thing: str = choice("hat", tuple(DIFFERENCES), style="select", main=True)
    couple: int = number(41, 1, clip_people.COUPLES)
    first_person: int = _person(3_216)
    second_person: int = _person(3_205)
    start_person: int = _person(3_216)
    remove: str = _example("remove", 60)
    add: str = text_field("", 60)
    # map
    axes: str = choice("between_groups", tuple(clip_space.AXES), style="radio")
    grouped_by: str = choice("hat", clip_people.GROUPED_BY, "attributes", "select", main=True)
    shown: tuple[str, ...] = several((clip_map.PICTURES, clip_map.CAPTIONS), (clip_map.PICTURES, clip_map.CAPTIONS))

    @property
    def training(self) -> ClipConfig:
        """How the small CLIP is trained."""
        settings = lesson.PEOPLE_CONFIG if self.data == "people" else lesson.CONFIG
        return replace(settings, batch=self.batch, lr=self.lr, seed=self.seed)

    @property
    def language(self) -> str:
        """The language of the captions."""
        known = lesson.LANGUAGES[self.data]
        first = text.language.get() if text.language.get() in known else known[0]
        return first if self.captions_in == "page" else next((one for one in known if one != first), first)

    @property
    def matrix(self) -> Shown:
        """The matrix that is shown."""
        return Shown(self.data, self.language, self.which == "held_out")

    @property
    def pixels(self) -> Tensor | None:
        """The picture that is asked about, uint8 [3, 32, 32]; None for a file, and for an empty drawing."""
        if self.by == "picture":
            return clip_space.pairs().images[collection.number_of(self.of)]
        if self.by == "drawing" and self.draw:
            return painted(drawings.decode(self.draw), self.colour, self.filled)
        return None

    @property
    def difference(self) -> Difference:
        """The two pictures whose difference is asked about."""
        if self.kind == "pictures":
            return Difference("", collection.number_of(self.minuend), collection.number_of(self.subtrahend))
        differences = clip_arithmetic.differences(self.attribute)
        return differences[min(self.pair, len(differences)) - 1]

    @property
    def projected(self) -> tuple[str, ...]:
        """What the map shows: the pictures, where nothing is chosen."""
        return self.shown or (clip_map.PICTURES,)


CONTROLS = {
    "people": {
        "train_live": ("which", "captions_in", "batch", "lr", "seed"),
        "retrieval": ("by", "captions_in", "among"),
        "zero_shot": ("captions_in", "person"),
        "arithmetic": ("kind", "captions_in"),
        "map": ("grouped_by", "captions_in", "axes", "shown"),
    },
    "emoji": {
        "train_live": ("which", "batch", "lr", "seed"),
        "retrieval": ("by", "among"),
        "zero_shot": ("classify",),
        "arithmetic": ("kind",),
        "map": ("axes", "shown"),
    },
}
"""The controls that each scene of a set begins with; then comes ``model``, where one is asked."""

MORE_CONTROLS = {
    "people": {
        "text": ("query",),
        "picture": ("person",),
        "held_out_pairs": ("thing", "couple"),
        "pictures": ("first_person", "second_person"),
        "words": ("start_person", "remove", "add"),
    },
    "emoji": {
        "text": ("text",),
        "file": (),
        "picture": ("of",),
        "drawing": ("colour", "filled"),
        "held_out_pairs": ("attribute", "pair"),
        "pictures": ("minuend", "subtrahend"),
        "words": ("start", "minus", "plus"),
    },
}
"""Those that follow, by ``by`` or ``kind``."""


AnySpace = Space | people_lesson.PeopleSpace  # of emoji or of people; None: that of the shipped CLIP


# What is asked of a space of vectors


def nearest(config: Config, space: Space, pixels: Tensor | None = None) -> Nearest:
    """The pictures nearest to a text, or the captions nearest to a picture."""
    among = collection.numbers(config.among)
    if config.by == "text":
        return clip_retrieval.by_text(space, config.text, among)
    pixels = config.pixels if pixels is None else pixels
    return [] if pixels is None else clip_retrieval.by_picture(space, pixels, among)


def classified(config: Config, space: Space) -> Classified:
    """The pictures under both lists of prompts."""
    wordings = config.wording1, config.wording2
    return clip_zero_shot.classify(space, wordings, collection.numbers(config.classify), config.example)


def analogies(config: Config, space: Space) -> Nearest:
    """The pictures nearest to a picture minus and plus words."""
    return clip_arithmetic.analogies(space, collection.number_of(config.start), config.minus, config.plus)


# The scenes


def train_live(config: Config, snapshot: Snapshot | None = None, compare: bool = True) -> Scene:
    """The matrix and the loss of a run; of an untrained CLIP where there is no run, to ``compare`` with the shipped
    one."""
    snapshot = snapshot or clip_live.untrained(config.training, config.data)
    return clip_live.scene(snapshot, config.batch, config.matrix, compare)


def retrieval(config: Config, space: AnySpace | None = None, pixels: Tensor | None = None) -> Scene:
    """From words to pictures, and from pictures to words."""
    if config.data == "people":
        people = space or clip_people.space_of(config.language)
        return clip_people.retrieval(people, config.by, config.query, config.person - 1, config.among)
    found = nearest(config, space or collection.space_of(collection.shipped()), pixels)
    if config.by == "text":
        return clip_retrieval.scene_of_pictures(config.text, found)
    pixels = config.pixels if pixels is None else pixels
    if pixels is None:
        return Scene([Panel(t("clip.panels.no_picture"), [])], alt=t(f"clip.retrieval.no_{config.by}"))
    name = text.label("captions", config.of) if config.by == "picture" else t(f"clip.retrieval.own_{config.by}")
    return clip_retrieval.scene_of_captions(name, pixels, found)


def zero_shot(config: Config, space: AnySpace | None = None) -> Scene:
    """Examples with their most probable class under both lists of prompts; a person with the most probable
    attributes."""
    if config.data == "people":
        return clip_people.zero_shot(space or clip_people.space_of(config.language), config.person - 1)
    return clip_zero_shot.scene(classified(config, space or collection.space_of(collection.shipped())))


def arithmetic(config: Config, space: AnySpace | None = None) -> Scene:
    """A picture minus a picture, or minus and plus words."""
    if config.data == "people":
        return _arithmetic_of_people(config, space or clip_people.space_of(config.language))
    space = space or collection.space_of(collection.shipped())
    if config.kind == "words":
        start, found = collection.number_of(config.start), analogies(config, space)
        return clip_arithmetic.scene_of_pictures(start, config.minus, config.plus, found)
    return clip_arithmetic.scene_of_words(config.difference, clip_arithmetic.words_of(space, config.difference))


def _arithmetic_of_people(config: Config, people: people_lesson.PeopleSpace) -> Scene:
    if config.kind == "words":
        found = clip_people.analogies(people, config.start_person - 1, config.remove, config.add)
        return clip_people.pictures(people, t("clip.arithmetic.shelf"), found)
    one, other = pictures_of(config)
    return clip_people.difference_scene(one, other, named(config, people))


def pictures_of(config: Config) -> tuple[Tensor, Tensor]:
    """The two pictures of people whose difference is asked about."""
    if config.kind == "pictures":
        images = clip_space.pairs("people").images
        return images[config.first_person - 1], images[config.second_person - 1]
    return clip_people.couple(config.thing, config.couple)


def named(config: Config, people: people_lesson.PeopleSpace) -> list[people_lesson.Named]:
    """The words nearest to this difference."""
    if config.kind == "pictures":
        one, other = people.images(torch.stack(pictures_of(config)))
        return people_lesson.nearest_words(people, one - other)
    return clip_people.words_of(people, config.thing, config.couple)


def vector_map(config: Config, space: AnySpace | None = None) -> Scene:
    """The vectors of pictures and captions in two dimensions."""
    if config.data == "people":
        people = space or clip_people.space_of(config.language)
        return clip_people.map_scene(people, config.axes, config.grouped_by, config.projected)
    found = clip_map.projection(space or collection.space_of(collection.shipped()), config.axes)
    return clip_map.scene(found, config.axes, config.projected)


SCENES: dict[str, Callable[[Config], Scene]] = {
    "train_live": train_live,
    "arithmetic": arithmetic,
    "retrieval": retrieval,
    "zero_shot": zero_shot,
    "map": vector_map,
}
NOTES = {
    "train_live": {
        "before": ("matrix",),
        "people": ("train_live", "train_live_people"),
        "emoji": ("train_live", "train_live_emoji"),
    },
    "arithmetic": {"people": ("arithmetic_people",), "emoji": ("arithmetic",)},
    "retrieval": {"people": ("retrieval_people",), "emoji": ("retrieval",)},
    "zero_shot": {"people": ("zero_shot_people",), "emoji": ("zero_shot",)},
    "map": {"people": ("map_people",), "emoji": ("map",)},
}
"""The notes that a scene shows together, by their names in the catalogue: before the answer, and of each set."""


def notes_of(show: str, data: str, answered: bool = True) -> tuple[str, ...]:
    """The notes of a scene of a set; those of the matrix alone before the question is answered."""
    return NOTES[show][data if answered else "before"]


def formula_of(config: Config, scene: str = "") -> str:
    """The name of the formula of a scene; that of the configuration where none is named."""
    scene = scene or config.show
    if scene == "arithmetic":
        if config.data == "people":
            return "people_analogy" if config.kind == "words" else "people_difference"
        return "analogy" if config.kind == "words" else "difference"
    return {"train_live": "loss", "zero_shot": "probability", "map": "projection"}.get(scene, "cosine")


CODE = {
    "matrix": (lesson.matrix, clip_queries.text_vectors),
    "train_live": (clip_model.contrastive_loss, clip_model.clip_loss, clip_model.run),
    "retrieval": (clip_space.nearest, clip_queries.text_vectors),
    "zero_shot": (lesson.classify,),
    "arithmetic": (
        clip_queries.mean_over_shifts,
        clip_queries.mean_over_captions,
        clip_queries.nearest_words,
        lesson.analogy,
    ),
    "map": (lesson.project, clip_space.projection),
}
PEOPLE_CODE = {
    "zero_shot": (people_lesson.classify, people_lesson.prompts),
    "arithmetic": (people_lesson.directions, people_queries.words, people_lesson.nearest_words, people_lesson.analogy),
    "map": (people_lesson.project, clip_space.projection),
}
"""The lines of core that make each scene, and those that are others for people."""


def code_of(scene: str, data: str) -> tuple[Callable, ...]:
    """The lines of core that make a scene of a set."""
    return (data == "people" and PEOPLE_CODE.get(scene)) or CODE[scene]


TASKS = {
    "people": {
        "train_live": "diagonal",
        "arithmetic": "wrong_word",
        "retrieval": "held_out_person",
        "zero_shot": "wrong_row",
    },
    "emoji": {"train_live": "diagonal", "arithmetic": "green_apple", "retrieval": "held_out", "zero_shot": "wording"},
}
"""The task of each scene of a set."""
