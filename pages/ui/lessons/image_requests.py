"""What is asked of an image model, in words or by classes, and what was got: attribute by attribute, by two judges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from core.lessons import image_models as lesson
from core.lessons.films import Film
from core.lessons.image_models import ImageModel, Request
from core.models import requests
from core.models.requests import Values
from core.problems import Problem
from pages.ui.frame import controls, links, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons.image_models_config import EVERY_CLASS, NO_CLASS, NO_NEGATIVE, Config


def class_options(model: ImageModel) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the controls ``label`` and ``negative`` offer for a model."""
    return (*((EVERY_CLASS,) if model.classes else ()), NO_CLASS, *model.classes), (NO_NEGATIVE, *model.classes)


def words_of(config: Config, model: ImageModel) -> tuple[Values, Values, tuple[str, ...]]:
    """The values of attributes that the words of a configuration ask for, those that they want to avoid, and the words
    that name none. Without words for it an example is asked for. Raises Problem for words that cannot be read."""
    wanted = requests.read(config.ask or t("image_models.request.example"), model.attributes)
    if not config.avoid:
        return wanted.values, (), wanted.unknown
    unwanted = requests.read(config.avoid, model.attributes)
    return wanted.values, unwanted.values if any(unwanted.values) else (), wanted.unknown + unwanted.unknown


def request_of(config: Config, model: ImageModel) -> Request:
    """The request of a configuration by the second-order solver; those of a scene differ from it in one thing."""
    if model.attributes:
        rest = config.w, None, config.steps, config.seed, *words_of(config, model)[:2]
        return Request(config.second, (None,) * config.n, *rest)
    index = {name: place for place, name in enumerate(model.classes)}
    every = config.label == EVERY_CLASS
    labels = model.labels(config.n) if every else (index.get(config.label),) * config.n
    return Request(config.second, labels, config.w, index.get(config.negative), config.steps, config.seed)


# What the page draws


def draw_request(model: ImageModel) -> bool:
    """Draw the controls of what is asked of a model: words, or classes. Whether nothing is asked."""
    if model.attributes:
        example = t("image_models.request.example")
        controls.draw("ask", placeholder=t("image_models.request.placeholder", example=example))
        controls.draw("avoid", placeholder=t("image_models.request.placeholder_avoid"))
        return False
    labels, negatives = class_options(model)
    return (controls.draw("label", labels), controls.draw("negative", negatives)) == (NO_CLASS, NO_NEGATIVE)


def readable(config: Config, model: ImageModel) -> Config:
    """A configuration whose words can be read: others are reported, and left out. Names the words that have no
    effect."""
    if not model.attributes:
        return config
    try:
        _, _, unknown = words_of(config, model)
    except ValueError as error:
        with shell.alerts():
            shell.sorry(error)
        return replace(config, ask="", avoid="")
    if unknown:
        problem = Problem("unknown_words", words=t("frame.comma").join(unknown))
        with shell.alerts():
            shell.message("info", links.plain(text.problem(problem)))
    return config


# What it is called


def asked_for(model: ImageModel, request: Request) -> list[str]:
    """What images of a request are asked to be: their classes, or their attributes."""
    if model.attributes:
        return attribute_labels(model, request.wanted) or [t("image_models.request.nothing_wanted")]
    return [class_label(model, label) for label in dict.fromkeys(request.labels)]


def attribute_labels(model: ImageModel, values: Values) -> list[str]:
    """What the page calls each attribute that is named, with its values."""
    rows = zip(model.attributes.items(), values, strict=False)
    named = [(text.label("attributes", name), _listed(name, known, some)) for (name, known), some in rows if some]
    return [name if name == value else t("image_models.request.value", name=name, value=value) for name, value in named]


def class_label(model: ImageModel, label: int | None) -> str:
    """What the page calls a class of a model."""
    return text.label("classes", NO_CLASS if label is None else model.classes[label])


def class_captions(model: ImageModel, labels: Sequence[int | None]) -> tuple[str, ...]:
    """The words under images of these classes: none where all are of one."""
    return () if len({*labels}) == 1 else tuple(class_label(model, label) for label in labels)


def base_label(model: ImageModel, request: Request) -> str:
    """What guidance leads away from."""
    if model.attributes:
        named = attribute_labels(model, request.unwanted)
        return t("frame.comma").join(named or [t("image_models.request.nothing_wanted")])
    return class_label(model, request.negative)


# What was got


def judged_table(film: Film, model: ImageModel) -> str:
    """What was asked for and what was got, attribute by attribute, by both judges, as a Markdown table."""
    found, request, n = lesson.judged(film), film.request, len(film.request.labels)
    both = found.network, found.nearest
    rows = []
    for key, values in (("wanted", request.wanted), ("unwanted", request.unwanted)):
        for (name, known), some, *got in zip(model.attributes.items(), values, *(each.T.tolist() for each in both)):
            if some:
                query = t(f"image_models.request.{key}", values=_listed(name, known, some))
                cells = [_got(name, known, column, some, key == "wanted") for column in got]
                rows.append([text.label("attributes", name), query, *cells])
    if not rows:
        return t("image_models.request.nothing")
    every = [
        t("image_models.request.count", right=int(right.sum()), n=n)
        for right in found.right(request.wanted, request.unwanted)
    ]
    head = [t(f"image_models.request.{name}") for name in ("attribute", "asked_for", "network", "nearest")]
    return shell.table(head, [*rows, [t("image_models.request.all"), "", *every]])


def _got(name: str, known: Sequence[str], numbers: Sequence[int], some: Sequence[int], wanted: bool) -> str:
    """How many of the values ``numbers`` of an attribute are right, and which values they are."""
    right = sum((number in some) == wanted for number in numbers)
    counts = Counter(numbers).most_common()
    listed = [
        _listed(name, known, [number]) if len(counts) == 1 else f"{_listed(name, known, [number])} × {count}"
        for number, count in counts
    ]
    return t("image_models.request.got", right=right, n=len(numbers), values=t("frame.comma").join(listed))


def judges(film: Film) -> str:
    """Who the judges are, and how far images are from any person that can be composed."""
    return t("image_models.request.judges", difference=lesson.judged(film).difference.mean().item())


def _listed(name: str, known: Sequence[str], numbers: Sequence[int]) -> str:
    """What the page calls values of an attribute, any of which will do: all but "none" are the thing itself."""
    values = [known[number] for number in numbers]
    if len(values) > 1 and {*known} - {*values} == {"none"}:
        return text.label("attributes", name)
    return "/".join(text.label("attribute_values", value) for value in values)
