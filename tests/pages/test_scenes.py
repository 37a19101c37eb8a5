"""Every scene of every page is a pure function of the configuration that an address means."""

from dataclasses import replace
from importlib import import_module

import pytest

from core.figures.palette import ROLES
from core.figures.scene import Arrows, Images, Layer, Line, Matrix, Path, Scene
from pages.ui.frame import links, shell, text
from pages.ui.stage.packing import pack

PAGES = [name for name in shell.present() if (shell.ROOT / "pages" / "ui" / "lessons" / f"{name}.py").exists()]
QUICK = {"unclip": {"steps": "2", "n": "2"}}  # fewer steps where the scenes make films
LONG = {"unclip", "image_models", "quality"}  # pages that make films, and a scene of two hundred runs
CASES = [
    pytest.param(page, scene, marks=[pytest.mark.slow] if {page, scene} & LONG else [])
    for page in PAGES
    for scene in getattr(import_module(f"pages.ui.lessons.{page}"), "SCENES", ())
]


@pytest.mark.parametrize("page, scene", CASES)
def test_a_scene_follows_from_an_address_alone(page, scene):
    lesson = import_module(f"pages.ui.lessons.{page}")
    config, ignored = links.parse(
        lesson.Config, QUICK.get(page, {}) | ({"show": scene} if len(lesson.SCENES) > 1 else {})
    )
    assert not ignored and config == replace(config)
    made = lesson.SCENES[scene](config)
    assert isinstance(made, Scene) and made.alt
    assert pack(made.panels, made.clock) == pack(lesson.SCENES[scene](config).panels, made.clock)
    marks = {note["mark"] for note in text.catalogue("en")[page].get(scene, {}).get("notes", ()) if "mark" in note}
    assert not {mark for mark in marks if "%{" not in mark} - marks_of(made)


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
