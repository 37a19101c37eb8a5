"""Scenes on paper: each kind of file is what it says, has real text, says what it shows, and is the same each time."""

import io
import re
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.text import Text
from PIL import Image

from core.figures import fonts, paper
from core.figures.palette import BACKGROUND, colour
from core.figures.scene import Arrows, Heat, Line, Panel, Path, Points, Scene
from core.figures.sheet import wrap
from tests.core.figures.readers import reads_as_pdf
from tests.core.figures.scenes import LINK, everything

ONE = Scene([Panel("one", [Points([[0.0, 0.0]], "sample", size=20, shape="dot")])], title="One point")


def pixels(scene: Scene, **more) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(paper.to_file(scene, "png", **({"scale": 1} | more)))).convert("RGB"))


def words(figure: Figure) -> dict[str, Text]:
    return {artist.get_text(): artist for artist in figure.artists if isinstance(artist, Text)}


def rgb(hexadecimal: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(hexadecimal[1:]))


def test_an_svg_has_its_words_as_text_and_brings_their_letters_along():
    content = paper.to_file(everything(), "svg").decode()
    texts = {element.text for element in ElementTree.fromstring(content).iter() if element.tag.endswith("}text")}
    assert {"Guidance 引导", "plane", "σ", "σ = 1.00", "密度", "x̂₀", "frame 1", LINK} <= texts
    faces = re.findall(
        r"@font-face{font-family:'([^']*)';font-weight:(\d+);src:url\(data:font/woff;base64,([^)]*)", content
    )
    assert [face[:2] for face in faces] == [
        (fonts.LATIN_FAMILY, "400"),
        (fonts.LATIN_FAMILY, "600"),
        (fonts.FAMILY, "400"),
    ]
    chinese = TTFont(io.BytesIO(b64decode(faces[2][2]))).getBestCmap()
    assert set(map(chr, chinese)) == set("引导密度猫四") and "sans-serif" in content
    assert "Four pictures." in content  # the text alternative, in the metadata


def test_titles_have_one_weight_beside_a_chinese_one():
    def weights(scene: Scene) -> set[int]:
        found = words(paper.figure(scene))
        return {found[title].get_fontweight() for title in (scene.title, *(panel.title for panel in scene.panels))}

    assert weights(everything()) == {400} and weights(replace(everything(), title="Guidance")) == {fonts.SEMIBOLD}


def test_a_pdf_embeds_the_fonts_of_its_words_and_links_to_the_page():
    reads_as_pdf(paper.to_file(everything(), "pdf", width=960), 960, "Guidance 引导", LINK)


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_what_names_no_server_is_no_link(kind):
    content = paper.to_file(replace(everything(), address="guidance?w=3"), kind).decode("latin-1")
    assert "guidance?w=3" in content and "/URI (" not in content and "<a " not in content


@pytest.mark.parametrize(
    "kind", [pytest.param("svg", marks=pytest.mark.slow), pytest.param("pdf", marks=pytest.mark.slow), "png"]
)
def test_equal_scenes_give_equal_bytes(kind):
    assert paper.to_file(everything(), kind, width=640) == paper.to_file(everything(), kind, width=640)


def test_a_png_has_the_width_and_scale_that_were_asked_for_on_paper_of_the_theme():
    for theme, scale in (("light", 1), ("dark", 2)):
        drawn = pixels(ONE, theme=theme, width=300, scale=scale)
        assert drawn.shape[1] == 300 * scale
        assert tuple(drawn[2, 2]) == rgb(BACKGROUND[theme])


def test_a_point_is_drawn_where_it_is_in_the_colour_of_its_role():
    drawn = pixels(ONE, width=400)
    rows, columns = np.nonzero(np.abs(drawn - np.array(rgb(colour("sample", "light")))).sum(axis=-1) < 150)
    figure = paper.figure(ONE, width=400)
    plot = next(artist for artist in figure.artists if isinstance(artist, PathPatch))
    box = plot.get_window_extent()
    assert columns.mean() == pytest.approx((box.x0 + box.x1) / 2, abs=1)
    assert drawn.shape[0] - rows.mean() == pytest.approx((box.y0 + box.y1) / 2, abs=1.5)


def test_plots_stay_large_in_a_narrow_figure_below_a_long_caption():
    two = Scene(ONE.panels * 2, title="two", caption="a long caption " * 30)
    grounds = [artist for artist in paper.figure(two, width=640).artists if isinstance(artist, PathPatch)]
    assert grounds[0].get_window_extent().width > 200


def test_each_frame_is_drawn_as_it_is():
    first, last = (pixels(everything(), frame=k, width=500) for k in (0, -1))
    assert (first != last).any() and (pixels(everything(), frame=3, width=500) == last).all()


def test_a_zoom_shows_a_part_of_the_axes():
    zoom = {"0": {"x": 0.5, "y": 0.5, "scale": 4}}
    assert "0.2" in words(paper.figure(everything(), zoom=zoom)) and "0.2" not in words(paper.figure(everything()))


def test_a_frame_or_a_kind_that_does_not_exist_is_refused(refused):
    with refused("figure_frame", frame=4, last=3):
        paper.to_file(everything(), "png", frame=4)
    with refused("figure_format", kind="bmp"):
        paper.to_file(everything(), "bmp")


def test_what_is_no_formula_stays_as_it_was_written():
    made = replace(everything(), title=r"$x_0$ costs \$5 & <b>")
    texts = [element.text for element in ElementTree.fromstring(paper.to_file(made, "svg")).iter()]
    assert r"$x_0$ costs \$5 & <b>" in texts


def test_a_text_without_room_becomes_smaller_and_then_loses_its_end():
    narrow = Scene([Panel("a title that is much too long for the room that it has " * 3, ONE.panels[0].layers)])
    text, title = next(each for each in words(paper.figure(narrow, width=300)).items() if each[0].startswith("a title"))
    with rc_context(paper.SETTINGS):
        assert text.endswith("…") and title.get_window_extent().x1 <= 300


def test_lines_break_at_spaces_between_han_characters_and_in_long_links():
    def measure(text: str) -> float:
        return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)

    assert wrap("one two three", measure, 8) == ["one two", "three"]
    assert wrap("引导把样本推远，更清晰。", measure, 10) == ["引导把样本", "推远，更清", "晰。"]
    assert wrap("abcdefghijkl", measure, 5) == ["abcde", "fghij", "kl"]


def test_neither_pyplot_nor_a_setting_of_matplotlib_is_left_behind():
    import matplotlib

    before = dict(matplotlib.rcParams)
    paper.to_file(ONE, "svg", width=300)
    assert "matplotlib.pyplot" not in sys.modules and dict(matplotlib.rcParams) == before


def test_no_letter_is_missing_and_nothing_is_written_to_the_terminal(recwarn, caplog):
    fonts.families()
    warnings.simplefilter("always")
    made = replace(everything(), title="向量场：x̂₀ − x ≈ ∇ log p(xₜ), ε̂ → 10⁻³ ✓ ½×", caption="学到的")
    paper.to_file(made, "png", scale=1)
    assert not [str(warning.message) for warning in recwarn if "lyph" in str(warning.message)] and not caplog.messages


@pytest.mark.slow
def test_text_of_strangers_makes_no_broken_file():
    made = replace(everything(), title="a\x00b\ud800 <script>&😀\n", alt="\x1b")
    for kind in paper.KINDS:
        content = paper.to_file(made, kind, width=400)
    texts = [element.text for element in ElementTree.fromstring(paper.to_file(made, "svg")).iter()]
    assert "a b  <script>&😀 " in texts and content


def test_what_has_nothing_to_draw_is_drawn():
    nothing = [
        Points(np.empty((0, 2))), Points([[np.nan, np.nan]], value=[np.nan]), Arrows([[0.0, 0.0]], [[0.0, 0.0]]),
        Path([[np.nan, 0.0]]), Heat(np.full((2, 2), np.nan), (-1, 1, -1, 1)), Line([0.0], [np.nan]),
    ]  # fmt: skip
    for kind in paper.KINDS:
        assert paper.to_file(Scene([Panel("", nothing), Panel("", [])]), kind, width=300)


@pytest.mark.slow
def test_files_made_at_the_same_time_are_those_made_one_after_the_other():
    alone = [paper.to_file(everything(), kind, k, width=400) for kind in paper.KINDS for k in range(2)]
    with ThreadPoolExecutor(6) as pool:
        each = [pool.submit(paper.to_file, everything(), kind, k, width=400) for kind in paper.KINDS for k in range(2)]
    assert [one.result() for one in each] == alone


def test_dashes_have_the_lengths_of_the_role_at_every_width():
    lines = [Line([0.0, 1.0], [0.0, k], "noise", width=1 + 2 * k) for k in range(2)]
    content = paper.to_file(Scene([Panel("", lines)]), "svg", width=1000).decode()
    assert len(re.findall("stroke-dasharray: 2(?:\\.0+)?,3(?:\\.0+)?;", content)) == 2


def test_svg_ids_do_not_depend_on_the_moment():
    assert not re.search(rb"20\d\d-\d\d-\d\dT", paper.to_file(ONE, "svg", width=300))
