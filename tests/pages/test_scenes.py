"""Every scene of every page is a pure function of the configuration that an address means."""

import inspect
from dataclasses import replace
from importlib import import_module

import pytest

from core.figures.palette import ROLES
from core.figures.scene import Arrows, Images, Layer, Line, Matrix, Path, Scene
from pages.ui.frame import chapters, links, shell
from pages.ui.stage.packing import pack
from tests.pages import noted

PAGES = [name for name in chapters.present() if (shell.ROOT / "pages" / "ui" / "lessons" / f"{name}.py").exists()]
QUICK = {"unclip": {"steps": "2", "n": "2"}}  # fewer steps where the scenes make films
LONG = {"unclip", "image_models", "quality"}  # pages that make films, and a scene of two hundred runs
SCENES = [(page, scene) for page in PAGES for scene in getattr(import_module(f"pages.ui.lessons.{page}"), "SCENES", ())]
NOTED = {
    "forward_noise": {
        "alike_one_point": {"jumps": "true"},
        "alike_data": {"jumps": "true", "source": "data"},
        "unlike_one_point": {"jumps": "true", "stride": "2"},
        "unlike_data": {"jumps": "true", "source": "data", "stride": "2"},
    },
    "training": {"middle_learned": {"prediction": "eps"}, "untrained_edm": {"arrow": "untrained_edm"},
                 "live": {"arrow": "live"}},
    "vector_field": {"spiral-100-fourier": {"model": "spiral-100-fourier"}, "other": {"model": "moons"}},
    "flow_matching": {"classes": {"classes": "true"}},
    "sampling": {"after": {"b": "ddpm_no_noise"}},
    "image_models": {"training": {"model": "digits"}},
    "clip": {"emoji": {"data": "emoji"}},
    "trained_model": {name: {"measured": name} for name in ("coordinate", "negative", "mosaic")}
    | {"people": {"of": "people"}},
    "video": {"faults": {"what": "faults"}},
}  # fmt: skip
"""What the address says besides the scene where notes stand together, by page and by their key in the lesson."""


def cases(*of: tuple[str, ...]) -> list:
    """Cases of pages and scenes as parameters, long ones marked as slow."""
    return [pytest.param(*case, marks=[pytest.mark.slow] if set(case) & LONG else []) for case in of]


def config_of(page: str, scene: str, **more: str) -> object:
    """The configuration of a scene at an address."""
    lesson = import_module(f"pages.ui.lessons.{page}")
    shown = {"show": scene} if len(lesson.SCENES) > 1 else {}
    config, ignored = links.parse(lesson.Config, QUICK.get(page, {}) | shown | more)
    assert not ignored
    return config


@pytest.mark.slow
@pytest.mark.parametrize("page, scene", cases(*SCENES))
def test_a_scene_follows_from_an_address_alone(page, scene):
    lesson = import_module(f"pages.ui.lessons.{page}")
    config = config_of(page, scene)
    assert config == replace(config)
    made = lesson.SCENES[scene](config)
    assert isinstance(made, Scene) and made.alt
    again = inspect.unwrap(lesson.SCENES[scene])(config)  # not the one that is kept
    assert pack(made.panels, made.clock) == pack(again.panels, made.clock)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page, scene, state", cases(*((*case, state) for case in SCENES for state in noted.combinations(*case)))
)
def test_every_mark_of_the_notes_is_in_the_picture(page, scene, state):
    made = import_module(f"pages.ui.lessons.{page}").SCENES[scene](
        config_of(page, scene, **NOTED.get(page, {}).get(state, {}))
    )
    marks = {note["mark"] for note in noted.notes(page, noted.combinations(page, scene)[state]) if "mark" in note}
    assert not {mark for mark in marks if "%{" not in mark} - marks_of(made)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page, scene, given, budget",
    [
        ("sampling", "clouds", {}, 1_000_000),  # two panels of 2,000 particles
        ("image_models", "four_samplers", {"model": "fashion"}, 500_000),
        ("unclip", "all_stages", {"steps": "20", "n": "4"}, 700_000),
    ],
)
def test_a_scene_stays_within_the_budget_of_the_stage(page, scene, given, budget):
    made = import_module(f"pages.ui.lessons.{page}").SCENES[scene](config_of(page, scene, **given))
    assert len(pack(made.panels, made.clock)) < budget


def test_every_address_of_notes_is_that_of_notes_which_stand_together():
    states = {page: {state for each, scene in SCENES if each == page for state in noted.combinations(page, scene)}
              for page in NOTED}  # fmt: skip
    assert not [(page, state) for page, given in NOTED.items() for state in given if state not in states[page]]


def marks_of(scene: Scene) -> set[str]:
    """What a note can point to in a scene: the roles of its layers, with the kinds of marks for what is drawn so."""
    found = set()
    for layer in (layer for panel in scene.panels for layer in panel.layers):
        colours = getattr(layer, "colour", ())
        for colour in filter(None, (colours,) if isinstance(colours, str) else colours):
            found |= {f"{colour}{kind}" for kind in kinds(layer, colour)}
    return found | ({"probe"} if any(panel.probe for panel in scene.panels) else set())


def kinds(layer: Layer, colour: str) -> list[str]:
    if isinstance(layer, Arrows):
        return [" arrow"]
    if isinstance(layer, Line):
        dash = ROLES[colour].dash if layer.dash is None else layer.dash
        return [" line", " dashes"] if dash else [" line"]
    if isinstance(layer, Path):
        return [" line"]
    return ["", " frame"] if isinstance(layer, Images | Matrix) else [""]
