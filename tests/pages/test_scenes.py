"""Every scene of every page is a pure function of the configuration that an address means."""

from dataclasses import replace
from importlib import import_module

import pytest

from core.figures.scene import Scene
from pages.ui.frame import links, shell
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
