"""What a model with attributes is asked for: a sentence, or attribute names with values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.data import people_captions
from core.problems import Problem

Values = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class AttributeRequest:
    """Attributes that are asked for.

    Attributes:
        values: of each attribute the numbers of the values that will do; empty where any will.
        unknown: the words of a sentence that name no attribute.
    """

    values: Values
    unknown: tuple[str, ...] = ()


def attributes_of(stored: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The attributes in a checkpoint's config and the values of each; none for a model without attributes."""
    return {name: tuple(values) for name, values in stored.get("data", {}).get("attributes", {}).items()}


def read(query: str | Mapping[str, str], attributes: Mapping[str, Sequence[str]]) -> AttributeRequest:
    """The request for ``attributes`` (names to their values) in a sentence, such as "a person with a red hat", or in
    names with values, such as {"hat": "cap"}. The value "hat" of a hat stands for all kinds of hats.

    Raises Problem for a model without attributes, for an attribute or a value that does not exist, and for a sentence
    that cannot be read (see ``people_captions.parse``).
    """
    if not attributes:
        raise Problem("model_no_attributes")
    unknown = ()
    if isinstance(query, str):
        parsed = people_captions.parse(query)
        query, unknown = parsed.wanted, parsed.unknown
    if not isinstance(query, Mapping):
        raise Problem(
            "setting_type", name="attributes", expected="a text, or names with values", value=f"{query!r:.60}"
        )
    found = dict.fromkeys(attributes, ())
    for name, value in query.items():
        if name not in attributes:
            raise Problem("unknown_attribute", name=name, known=", ".join(attributes))
        some = people_captions.values(name, value)
        if not set(some) <= set(attributes[name]):
            raise Problem("unknown_attribute_value", name=name, value=value, known=", ".join(attributes[name]))
        found[name] = tuple(map(attributes[name].index, some))
    return AttributeRequest(tuple(found.values()), unknown)


def condition(values: Values, n: int) -> dict[str, Tensor]:
    """The condition of n samples: "attributes" int64 [n, A], -1 where any value will do. Of several values that will do
    sample k has the one in turn."""
    return {"attributes": torch.tensor([[some[k % len(some)] if some else -1 for some in values] for k in range(n)])}


def negative(values: Values, n: int) -> list[dict[str, Tensor]]:
    """The negative conditions of n samples: one, or where several values are unwanted one for each of them."""
    several = max(map(len, values), default=0)
    turns = [tuple(some and (some[k % len(some)],) for some in values) for k in range(max(1, several))]
    return [condition(turn, n) for turn in turns]


def fits(values: Values, got: Tensor) -> Tensor:
    """Which attributes of ``got`` [n, A] have a value that will do, bool [n, A]; True where any will."""
    rows = zip(values, got.unbind(1), strict=True)
    return torch.stack([torch.isin(row, torch.tensor(some)) if some else row >= -1 for some, row in rows], 1)
