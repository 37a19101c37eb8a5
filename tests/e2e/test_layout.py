"""Paper places panels and ticks as the player in the browser does."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from core.figures import layout, ticks
from core.figures.frames import checked_panel, count_frames
from core.figures.scene import Images, Line, Panel, Points, Scene
from pages.ui.stage.packing import pack
from tests.core.figures.scenes import everything

STAGE = Path(__file__).parents[2] / "pages" / "ui" / "stage"
CODE = (STAGE / "layout.js").read_text("utf-8")
PLACE = """([header, width, room, unit, least]) => {
  header.panels.forEach((p, i) => Object.assign(p, {index: i, alone: header.panels.length === 1,
    link: JSON.stringify([p.x, p.y, !p.xlog, !p.ylog, isPicture(p)])}));
  const height = layout(header, width, room, unit, least, undefined, text => 7 * unit * text.length);
  return [height, header.panels.map(p => [p.plot, p.titleY, p.legendY, p.captionY, p.room, !!p.shared, 
    p.legend.flatMap(e => [e.x, e.y])])];
}"""
SCENES = {
    "everything": everything(),
    "one": Scene([Panel("one", [Points([[0.0, 0.0]], label="a point")])]),
    "many": Scene([Panel(f"{i}", [Points([[0.0, 0.0]])], caption="it") for i in range(8)]),
    "wide": Scene(
        [Panel("wide", [Images(np.zeros((1, 6, 4, 4), np.uint8), 3, names=6 * ["it"])], caption="of six")] * 2
    ),
    "loose": Scene(
        [Panel("a", [Line([1, 10], [1, 10], label=20 * "label ")], None, None, False, "x", "y", xlog=True)] * 2
    ),
}


def header(scene: Scene) -> dict:
    data = pack(scene.panels, scene.clock)
    return json.loads(data[4 : 4 + struct.unpack("<I", data[:4])[0]])


def placed(scene: Scene, width: float, room: float, unit: float, least: float) -> list:
    frames = count_frames(scene.panels, scene.clock)
    slots = layout.slots(Scene([checked_panel(panel, frames) for panel in scene.panels]))
    height = layout.arrange(slots, width, room, unit, least, lambda text: 7 * unit * len(text))
    return [height, *map(where, slots)]


def where(slot: layout.Slot) -> list:
    words = [slot.title_y, slot.legend_y, slot.caption_y, slot.room, slot.shared]
    return [vars(slot.plot), *words, [at for entry in slot.legend for at in (entry.x, entry.y)]]


@pytest.mark.parametrize("name", SCENES)
def test_panels_and_their_words_stand_where_the_player_puts_them(page, name):
    page.add_script_tag(content=CODE)
    for size in ((1200, 600, 1.0, 150), (800, 420, 1.3, 120), (420, 300, 1.0, 150)):
        height, panels = page.evaluate(PLACE, [header(SCENES[name]), *size])
        ours, *slots = placed(SCENES[name], *size)
        assert ours == pytest.approx(height)
        for (plot, *words, legend), (our_plot, *our_words, our_legend) in zip(panels, slots, strict=True):
            assert our_plot == pytest.approx(plot) and our_words == pytest.approx(words)
            assert our_legend == pytest.approx(legend)


def test_titles_stand_over_their_panels_on_a_phone_when_one_column_becomes_two(page):
    page.add_script_tag(content=CODE)
    starts = page.evaluate(
        """header => [300, 80].map(title => {  // as before and after a font has come
          header.panels.forEach((p, index) => Object.assign(p, {index}));
          Object.assign(header, {floor: 0.5, title});
          layout(header, 390, 500, 1, 150, {}, text => 7 * text.length);
          return header.panels.map(p => [p.textX ?? p.plot.x, p.plot.x]);
        })""",
        header(SCENES["wide"]),
    )
    assert starts[1][0][1] < starts[1][1][1], "there is one column"
    assert all(title == pytest.approx(plot) for title, plot in starts[1])


def test_ticks_and_numbers_are_the_same(page):
    page.add_script_tag(content=CODE)
    axes = [(-1.2, 1.2, 4.5, False), (0, 15000, 3, False), (2.5, -2.5, 6, False), (0.6, 0.93, 5, False),
            (-2, 1, 4, True), (1, -2, 4, True), (-0.3, 0.9, 4, True), (-9, 9, 3, True), (0, 3e7, 4, False)]  # fmt: skip
    theirs = page.evaluate("axes => axes.map(axis => ticks(...axis))", axes)
    for axis, found in zip(axes, theirs, strict=True):
        ours = ticks.ticks(*axis)
        assert [text for _, text in ours] == [text for _, text in found], axis
        assert [at for at, _ in ours] == pytest.approx([at for at, _ in found])
    values = [0, 1, -2.5, 1000, 1234567, 0.00001234, 0.0866, 12.349, 99.96, -0.5]
    theirs = page.evaluate("values => values.map(value => [format(value), format(value, 2, false)])", values)
    assert [[ticks.written(value), ticks.written(value, 2, False)] for value in values] == theirs
