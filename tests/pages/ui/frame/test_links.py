"""A page's configuration and its address, without Streamlit."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pages.ui.frame import links
from pages.ui.frame.links import address, choice, code, interval, number, parse, place, several, text, toggle

ROOT = Path(__file__).parents[4]


def no_x(raw: str) -> None:
    """Accept a text without an x."""
    if "x" in raw:
        raise ValueError(raw)


@dataclass(frozen=True)
class Config:
    show: str = choice("clouds", ("clouds", "one_step"))
    scale: float = choice(2.0, (0.0, 1.0, 2.0))
    among: tuple = several(("a",), ("a", "b", "c"))
    levels: tuple = interval((0.1, 1.0), (0.01, 0.1, 1.0, 5.0))
    steps: int = number(64, 1, 256)
    eta: float = number(0.5, 0.0, 1.0)
    density: bool = toggle(True)
    word: str = text("noise", 12)
    probe: tuple = place((0.5, -0.5), 2)
    run: str | None = code(no_x)


OTHER = Config("one_step", 1.0, ("b", "c"), (0.01, 5.0), 8, 0.25, False, "a&b=ü", (1.0, 0.125), "r1")


def test_an_address_holds_what_differs_from_the_defaults():
    assert address(Config()) == {} and address(Config(steps=8)) == {"steps": "8"}


@pytest.mark.parametrize("config", [Config(), OTHER, Config(among=(), levels=(1.0, 1.0))])
def test_a_configuration_comes_back_from_its_address(config):
    assert parse(Config, address(config)) == (config, ())


@pytest.mark.parametrize(
    "name, raw",
    [
        ("show", "Clouds"), ("show", ""), ("scale", "3"), ("scale", "nan"), ("among", "a,d"), ("levels", "5,0.1"),
        ("levels", "0.1"), ("steps", "0"), ("steps", "257"), ("steps", "1.5"), ("steps", "1e400"), ("eta", "nan"),
        ("density", "1"), ("word", "thirteen signs"), ("probe", "1"), ("probe", "3,0"), ("probe", "nan,0"),
        ("run", "x"), ("bogus", "1"), ("__class__", "1"),
    ],
)  # fmt: skip
def test_what_a_control_cannot_have_is_named_and_left_out(name, raw):
    assert parse(Config, {name: raw, "steps": "8"} if name != "steps" else {name: raw})[1] == (f"{name}={raw}",)


def test_a_lecturers_switches_and_the_clock_are_no_controls_of_a_page():
    assert parse(Config, {"present": "true", "predictions": "false", "clock": "0.5"}) == (Config(), ())


def test_addresses_are_parsed_without_streamlit():
    script = "import sys; from pages.ui.frame import links; print('streamlit' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


def test_a_strangers_text_is_quoted_as_inert_code():
    assert links.name_of("`![x](http://a)`\n") == "`'![x](http://a)'`"
    assert links.plain("a*b_[c](d)") == r"a\*b\_\[c\]\(d\)"


def test_an_address_names_the_controls_that_it_hides_and_those_that_are_none():
    assert parse(Config, {"hide": "steps,bogus,,eta", "fix": "show", "steps": "8"}) == (
        Config(steps=8),
        ("hide=bogus",),
    )
    assert links.named(Config, "steps,bogus,eta,steps") == ("steps", "eta")


@pytest.mark.parametrize("name, raw", [
    ("zoom", "0,0.5,0.5"), ("zoom", "0,0.5,0.5,0"), ("zoom", "0.5,0,0,1"), ("zoom", "0,nan,0,1"), ("speed", "3"),
    ("loop", "yes"), ("clock", "2"),
])  # fmt: skip
def test_what_a_picture_cannot_stand_like_is_named(name, raw):
    assert parse(Config, {name: raw})[1] == (f"{name}={raw}",)


def test_a_zoom_comes_back_from_its_address():
    raw = "0,0.5,0.25,2,3,-0.5,1,0.5"
    assert links.STAGE["zoom"].write(links.STAGE["zoom"].parse(raw)) == raw
    assert parse(Config, {"zoom": raw, "speed": "0.25", "loop": "true"}) == (Config(), ())
