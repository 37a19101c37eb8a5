"""A page's configuration and the address that holds it, without Streamlit.

A page declares its controls as the fields of one frozen dataclass::

    @dataclass(frozen=True)
    class Config:
        show: str = choice("clouds", ("clouds", "one_step"))
        steps: int = number(64, 1, 256)

`parse` turns an address into such a configuration, `address` turns it back. A default stays out of the address, and
what cannot be read is named and left out. Addresses hold identifiers and numbers, never labels.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from core import limits

C = TypeVar("C")
Main = bool | tuple[str, ...]
EVERYWHERE = ("present", "predictions", "lang", "plan", "class", "open")  # these hold on every page
OWN = ("guess", "present", "predictions", "run", "plan", "class", "open")
"""What belongs to one visitor only, such as an answer or a training run: a copied link leaves it out."""
PARTS = ("hide", "fix")  # they name controls of the page


@dataclass(frozen=True)
class Control:
    """A control of a page: its default, or a function that returns it, and what values it can have. ``main``: whether
    it is what the picture is about, or in which scenes; there it stays in view while the page is presented."""

    default: Any
    main: Main = field(default=False, kw_only=True)

    @property
    def initial(self) -> Any:
        """The default as it is now: a text may depend on the language of the page."""
        return self.default() if callable(self.default) else self.default

    def parse(self, raw: str) -> Any:
        """The value that an address means. Raises ValueError for one that the control cannot have."""
        return raw

    def write(self, value: Any) -> str:
        """The value as an address holds it."""
        return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Choice(Control):
    """One of several identifiers or numbers.

    Attributes:
        options: what there is to choose from, or a function that returns it.
        labels: the kind of their labels in ``labels.toml``; empty: the page's own (``controls.NAME.options``).
        style: "segmented", "select", "radio" or "slider"; "none" where the page draws it otherwise.
    """

    options: Sequence[Any] | Callable[[], Sequence[Any]] = ()
    labels: str = ""
    style: str = "segmented"

    @property
    def choices(self) -> tuple[Any, ...]:
        """What there is to choose from now."""
        return tuple(self.options() if callable(self.options) else self.options)

    def parse(self, raw: str) -> Any:
        for option in self.choices:
            if self.write(option) == raw or (_number(option) and _same(raw, option)):
                return option
        raise ValueError(raw)


@dataclass(frozen=True)
class Several(Choice):
    """Any number of identifiers."""

    def parse(self, raw: str) -> tuple[Any, ...]:
        one = Choice(None, self.options)
        return tuple(dict.fromkeys(one.parse(part) for part in raw.split(",") if part))

    def write(self, value: Any) -> str:
        return ",".join(map(super().write, value))


@dataclass(frozen=True)
class Interval(Several):
    """Two of several ordered values, the lower one first."""

    style: str = "slider"

    def parse(self, raw: str) -> tuple[Any, ...]:
        one = Choice(None, self.options)
        found = tuple(map(one.parse, raw.split(",")))
        if len(found) != 2 or self.choices.index(found[0]) > self.choices.index(found[1]):
            raise ValueError(raw)
        return found


@dataclass(frozen=True)
class Number(Control):
    """A finite number from ``low`` to ``high``; a whole one where the default is. style: "box" or "slider"."""

    low: float = 0
    high: float = 1
    step: float | None = None
    style: str = "box"
    form: str | None = None  # how the box writes it, such as "%g"

    def parse(self, raw: str) -> float:
        value = float(raw)
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise ValueError(raw)
        if isinstance(self.default, int):
            if value != int(value):
                raise ValueError(raw)
            return int(value)
        return value

    def write(self, value: float) -> str:
        return f"{value:.10g}"


@dataclass(frozen=True)
class Toggle(Control):
    """On or off."""

    def parse(self, raw: str) -> bool:
        if raw.lower() not in ("true", "false"):
            raise ValueError(raw)
        return raw.lower() == "true"

    def write(self, value: bool) -> str:
        return str(value).lower()


@dataclass(frozen=True)
class Text(Control):
    """A text of at most so many characters, on one line or on several."""

    most: int = 200
    lines: bool = False

    def parse(self, raw: str) -> str:
        if len(raw) > self.most:
            raise ValueError(raw)
        return raw


@dataclass(frozen=True)
class Place(Control):
    """A place "x,y" of the plane, each from -reach to reach."""

    reach: float = 1.0

    def parse(self, raw: str) -> tuple[float, float]:
        one = Number(0.0, -self.reach, self.reach)
        x, y = map(one.parse, raw.split(","))
        return x, y

    def write(self, value: tuple[float, float]) -> str:
        return ",".join(f"{part:g}" for part in value)


@dataclass(frozen=True)
class Code(Control):
    """A text that ``check`` accepts: it raises ValueError for any other, such as a drawing or the name of a run."""

    check: Callable[[str], Any] = str

    def parse(self, raw: str) -> str:
        self.check(raw)
        return raw


@dataclass(frozen=True)
class Zoom(Control):
    """What a stage shows of its panels: "panel,x,y,scale", one after the other. x and y are the centre in fractions of
    the panel's whole view, and scale is how many times larger it is drawn."""

    def parse(self, raw: str) -> dict[str, dict[str, float]]:
        numbers = [float(part) for part in raw.split(",")]
        if len(numbers) % 4 or not all(map(math.isfinite, numbers)):
            raise ValueError(raw)
        found = {}
        for panel, x, y, scale in zip(*[iter(numbers)] * 4, strict=True):
            if panel != int(panel) or not (0 <= panel < 1000 and 0.1 <= scale <= 100 and max(abs(x), abs(y)) <= 1000):
                raise ValueError(raw)
            found[str(int(panel))] = {"x": x, "y": y, "scale": scale}
        return found

    def write(self, value: Mapping[str, Mapping[str, float]]) -> str:
        return ",".join(f"{panel},{at['x']:g},{at['y']:g},{at['scale']:g}" for panel, at in value.items())


STAGE = {
    "clock": Number(0.0, 0, 1),
    "zoom": Zoom({}),
    "speed": Choice(1.0, (0.25, 0.5, 1.0, 2.0, 4.0)),
    "loop": Toggle(False),
}
"""How the picture of a page stands: where the clock is as a part of its way, what is enlarged, how it plays."""
BROWSER = {**STAGE, "embed": Control(""), "embed_options": Control("")}
"""Parameters that the stage and Streamlit read and write in the browser."""


def choice(default: Any, options: Any, labels: str = "", style: str = "segmented", main: Main = False) -> Any:
    """A field with a `Choice`."""
    return _field(Choice(default, options, labels, style, main=main))


def several(default: tuple, options: Any, labels: str = "", style: str = "select") -> Any:
    """A field with `Several`."""
    return _field(Several(default, options, labels, style))


def interval(default: tuple, options: Any, main: Main = False) -> Any:
    """A field with an `Interval`."""
    return _field(Interval(default, options, main=main))


def number(default: float, low: float, high: float, step: float | None = None, style: str = "box",
           form: str | None = None, main: Main = False) -> Any:  # fmt: skip
    """A field with a `Number`."""
    return _field(Number(default, low, high, step, style, form, main=main))


def toggle(default: bool, main: Main = False) -> Any:
    """A field with a `Toggle`."""
    return _field(Toggle(default, main=main))


def text(default: str | Callable[[], str], most: int = 200, lines: bool = False, main: Main = False) -> Any:
    """A field with a `Text`."""
    return _field(Text(default, most, lines, main=main))


def place(default: tuple[float, float] | None, reach: float) -> Any:
    """A field with a `Place`."""
    return _field(Place(default, reach))


def code(check: Callable[[str], Any], default: str | None = None) -> Any:
    """A field with a `Code`."""
    return _field(Code(default, check))


def _field(control: Control) -> Any:
    default = {"default_factory": control.default} if callable(control.default) else {"default": control.default}
    return field(**default, metadata={"control": control})


def controls(config: type | Any) -> dict[str, Control]:
    """The controls of a configuration, by name."""
    return {each.name: each.metadata["control"] for each in fields(config) if "control" in each.metadata}


def parse(config: type[C], given: Mapping[str, str]) -> tuple[C, tuple[str, ...]]:
    """The configuration that an address means, and the parameters "name=value" that were ignored."""
    known, values, ignored = controls(config), {}, []
    for name, raw in given.items():
        if name in EVERYWHERE:
            continue
        if name in PARTS:
            ignored += [f"{name}={part}" for part in raw.split(",") if part and part not in known]
            continue
        try:
            value = value_of(BROWSER.get(name) or known[name], raw)
            values |= {name: value} if name in known else {}
        except (KeyError, ValueError):
            ignored.append(f"{name}={raw}")
    return config(**values), tuple(ignored)


def value_of(control: Control, raw: str) -> Any:
    """The value that a parameter of an address means. Raises ValueError for one that the control cannot have, and for
    one that is far too long for any."""
    if len(raw) > limits.VALUE:
        raise ValueError(raw[:100])
    return control.parse(raw)


def named(config: type, raw: str) -> tuple[str, ...]:
    """The controls of a page that ``hide`` or ``fix`` names in its address."""
    known = controls(config)
    return tuple(dict.fromkeys(name for name in raw.split(",") if name in known))


def address(config: Any) -> dict[str, str]:
    """The address of a configuration: all that differs from the defaults."""
    values = {name: (control, getattr(config, name)) for name, control in controls(config).items()}
    return {name: control.write(value) for name, (control, value) in values.items() if value != control.initial}


def name_of(raw: str) -> str:
    """A visitor's text as short inert code: it may hold Markdown, and Markdown can call other machines."""
    inert = "".join(sign for sign in raw if sign.isprintable()).replace("`", "'")
    return f"`{inert[:32]}{'…' if len(inert) > 32 else ''}`"


def plain(sentence: str) -> str:
    """A sentence that may quote a stranger's file, as Markdown that says just that: no link, no picture, no layout."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:&])", r"\\\1", sentence)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(raw: str, value: float) -> bool:
    try:
        return float(raw) == value
    except ValueError:
        return False
