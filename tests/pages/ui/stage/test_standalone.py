"""A scene as one HTML file."""

import base64
import re
import zlib

import numpy as np

from core.figures.scene import Clock, Panel, Points, Scene
from pages.ui.frame import text
from pages.ui.frame.mathml import mathml
from pages.ui.stage import standalone
from pages.ui.stage.packing import pack

SCENE = Scene(
    [Panel("P & Q", [Points(np.zeros((5, 3, 2)))])], Clock(np.arange(5)), "Three <points>.", "A title", "A caption",
    "http://localhost/guidance?show=beyond&scale=2",
)  # fmt: skip


def test_a_file_holds_the_scene_its_words_and_its_link_and_asks_for_nothing():
    made = standalone.page(SCENE, [("x_0", "data")], theme="light", frame=2)
    packed = re.search(r'octet-stream">([^<]+)<', made)[1]
    expected = pack(SCENE.panels, SCENE.clock, key="scene", alt=SCENE.alt, fps=20, start=2, language="en")
    assert zlib.decompress(base64.b64decode(packed))[:-8] == expected
    assert "<h1>A title</h1>" in made and "A caption" in made and "Three &lt;points&gt;." in made
    assert 'href="http://localhost/guidance?show=beyond&amp;scale=2"' in made and "#0072b2" in made
    assert not re.search(r'(?:src|href)=["\'](?!data:|http://localhost/guidance)|url\("(?!data:)|@import', made)
    assert made == standalone.page(SCENE, [("x_0", "data")], theme="light", frame=2)


def test_every_formula_of_the_lesson_is_drawn_without_latex():
    for terms in (terms for page in text.catalogue("")["formulas"].values() for terms in page.values()):
        drawn = mathml([(tex.replace("%{label}", "cat"), role) for tex, role in terms])
        assert drawn.count("light-dark") == sum(bool(role) for _, role in terms) and "\\" not in drawn
