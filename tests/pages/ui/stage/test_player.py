"""What the stage puts on the wire: shapes, rounding, what is left out, and the sentences for bad input."""

import json
import shutil
import struct

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.figures.scene import Arrows, Clock, Heat, Images, Line, Panel, Path, Points
from pages.ui.frame import text
from pages.ui.stage.packing import pack
from pages.ui.stage.source import WORDS, words
from pages.ui.stage.wire import MISSING, Wire, quantise

TYPES = {name: dtype for dtype, name in Wire.TYPES.items()}
LOW, HIGH = np.array([-1.0, -1.0]), np.array([1.0, 1.0])


def unpack(data: bytes) -> tuple[dict, list[dict]]:
    """Header and layers of a packed stage, the array references replaced by arrays."""
    (size,) = struct.unpack_from("<I", data)
    header, body = json.loads(data[4 : 4 + size]), data[4 + size :]

    def arrays(part: dict) -> dict:
        found = {
            name: np.frombuffer(body, TYPES[kind], length, offset)
            for name, (kind, offset, length) in part.get("arrays", {}).items()
        }
        return part | found

    return arrays(header), [arrays(layer) for panel in header["panels"] for layer in panel["layers"]]


def only(layer, frames: int = 1, **panel) -> dict:
    """``layer`` as it arrives when it is alone on a stage."""
    return unpack(pack([Panel("P", [layer], **panel)], Clock(np.arange(frames))))[1][0]


def positions(packed: dict) -> np.ndarray:
    x, y, dx, dy = packed["box"]
    return np.array([x, y]) + packed["xy"].reshape(-1, packed["n"], 2) * np.array([dx, dy])


def test_points_come_back_to_a_thousandth_of_a_pixel_of_their_own_range():
    xy = np.random.default_rng(0).normal(size=(5, 200, 2)).astype(np.float32)
    assert np.abs(positions(only(Points(xy), 5)) - xy).max() <= np.ptp(xy) / 65534 * 0.51


def test_far_points_stay_outside_the_view_without_coarsening_what_is_inside():
    xy = np.array([[[0.123, 0.456], [1e6, -1e6]]], dtype=np.float32)
    near, far = positions(only(Points(xy)))[0]
    assert np.abs(near - xy[0, 0]).max() < 1e-3
    assert far[0] > 10 and far[1] < -10


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_point_that_is_not_finite_is_marked_missing_and_spoils_no_other(bad):
    xy = np.array([[[0.5, 0.5], [bad, 0.0]]], dtype=np.float32)
    packed = only(Points(xy))
    assert packed["xy"][2] == MISSING and (packed["xy"][:2] != MISSING).all()
    assert np.allclose(positions(packed)[0, 0], 0.5, atol=1e-3)


def test_no_point_at_all_is_a_picture_too():
    assert only(Points(np.empty((0, 2))))["n"] == 0
    assert only(Arrows(np.empty((0, 2)), np.empty((3, 0, 2))), 3)["n"] == 0


def test_only_missing_points_are_packed_without_a_warning():
    assert (quantise(np.full((2, 3, 2), np.nan, np.float32), LOW, HIGH)[0] == MISSING).all()


def test_groups_are_put_together_and_keep_their_own_values():
    packed = only(Points(np.zeros((4, 2)), ("person", "dog"), group=[1, 0, 1, 0], value=[10.0, 20.0, 30.0, 40.0]))
    assert packed["ends"] == [2, 4]
    assert packed["value"].tolist() == [86, 255, 1, 170]
    assert packed["limits"] == [10, 40]


def test_a_group_without_a_colour_is_refused():
    with pytest.raises(ValueError, match=r"group must name one of 2 colours"):
        only(Points(np.zeros((3, 2)), ("person", "dog"), group=[0, 1, 2]))


def test_arrows_keep_one_part_in_127_of_the_longest_of_their_frame():
    by = np.random.default_rng(0).normal(size=(4, 50, 2)) * np.array([100, 1, 0.01, 0])[:, None, None]
    packed = only(Arrows(np.zeros((50, 2)), by), 4)
    back = packed["by"].reshape(by.shape) * packed["scale"][:, None, None]
    assert (np.abs(back - by).max((1, 2)) <= np.abs(by).max((1, 2)) / 127 * 0.51 + 1e-12).all()


def test_heat_keeps_one_part_in_254_and_marks_what_is_not_finite():
    values = np.linspace(-3, 5, 12).reshape(3, 4)
    values[1, 1] = np.nan
    packed = only(Heat(values, (-1, 1, -1, 1)))
    low, high = packed["limits"]
    back = low + (high - low) * (packed["values"].reshape(3, 4) - 1.0) / 254
    assert packed["values"][5] == 0
    assert np.nanmax(np.abs(back - values)[np.isfinite(values)]) <= 8 / 254 * 0.51


def test_logarithmic_axes_are_applied_before_packing_and_leave_gaps_below_zero():
    packed = only(Line([1, 10, 100], [0.1, 0, -1]), xlim=(1, 100), ylim=None, xlog=True, ylog=True)
    assert packed["x"] == pytest.approx([0, 1, 2])
    assert packed["y"][0] == pytest.approx(-1) and np.isnan(packed["y"][1:]).all()


def test_a_reversed_axis_begins_with_its_largest_value():
    packed = pack([Panel("p", [Line([1, 100], [0, 1])], (1, 100), None, xlog=True, equal=False, xreversed=True)])
    assert json.loads(packed[4 : 4 + struct.unpack("<I", packed[:4])[0]])["panels"][0]["x"] == [2, 0]


def test_a_tensor_with_a_gradient_is_as_good_as_an_array():
    assert only(Points(torch.zeros(3, 2, requires_grad=True)))["n"] == 3


def test_data_that_do_not_change_are_sent_once():
    packed = only(Points(np.zeros((7, 2))), frames=100)
    assert packed["xy"].size == 14


def test_images_are_framed_in_one_colour_or_each_in_that_of_its_group():
    one = only(Images(np.zeros((3, 8, 8), np.uint8)[None], colour="sample"))
    assert one["roles"] == ["sample"] and one["group"] == []
    two = Images(np.zeros((1, 3, 8, 8), np.uint8), label=("made", "real"), colour=("sample", "data"), group=[0, 1, 0])
    packed = only(two)
    assert (packed["roles"], packed["group"]) == (["sample", "data"], [0, 1, 0]) and packed["label"] == ["made", "real"]
    assert only(Images(np.zeros((1, 3, 8, 8), np.uint8)))["roles"] == []


def test_a_clock_has_one_label_or_one_for_each_frame():
    still = [Panel("p", [Points(np.zeros((3, 1, 2)))])]
    assert unpack(pack(still, Clock([1, 0, 1], ["out", "out", "back"])))[0]["label"] == ["out", "out", "back"]
    with pytest.raises(ValueError, match="2 labels for 3 frames"):
        pack(still, Clock([1, 0, 1], ["out", "back"]))


def test_without_a_clock_the_longest_layer_counts_the_frames():
    assert unpack(pack([Panel("P", [Points(np.zeros((9, 4, 2))), Points(np.zeros((4, 2)))])]))[0]["T"] == 9


def test_a_start_may_count_from_the_end():
    assert unpack(pack([Panel("P", [])], Clock(np.arange(5), start=-1)))[0]["start"] == 4


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (Points(np.zeros((3, 4, 2))), r"Panel 'P': Points\.xy has 3 frames and the clock has 5; give it 1 or 5\."),
        (Points(np.zeros((5, 4, 3))), r"must end in 2 coordinates"),
        (Points(np.zeros(4)), r"Points\.xy has 1 axes"),
        (Points(np.zeros((4, 2)), value=np.zeros(3)), r"3 values for 4 points"),
        (Points(np.zeros((4, 2)), "mauve"), r"no colour role 'mauve'"),
        (Points(np.zeros((4, 2)), shape="star"), r"Points\.shape must be one of"),
        (Arrows(np.zeros((4, 2)), np.zeros((5, 3, 2))), r"Arrows\.at and Arrows\.by"),
        (Path(np.zeros((4, 2))), r"Path\.xy has 4 frames"),
        (Images(np.zeros((1, 2, 8, 8))), r"must be uint8"),
        (Images(np.zeros((1, 2, 8, 8), np.uint8), colour=("data", "sample"), group=[0, 2]), r"one of 2 colours"),
        (Images(np.zeros((2, 8), np.uint8)), r"must be \[T or 1, k, h, w\]"),
        (Line([1, 2], [1, 2, 3]), r"2 values of x and 3 of y"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused_with_a_sentence(layer, sentence):
    with pytest.raises(ValueError, match=sentence):
        only(layer, 5)


def test_limits_that_span_nothing_are_refused():
    with pytest.raises(ValueError, match="xlim .* positive numbers in ascending order"):
        only(Points(np.zeros((1, 2))), xlim=(0, 1), xlog=True)


def test_captions_and_marker_need_one_entry_per_frame():
    with pytest.raises(ValueError, match="2 captions for 3 frames"):
        only(Line([0], [0]), 3, caption=["a", "b"])
    with pytest.raises(ValueError, match="marker has 2 positions for 3 frames"):
        only(Line([0], [0]), 3, marker=[0, 1])


def test_the_budget_of_a_large_stage_and_of_a_live_one():
    def size(points: int, arrows: int, frames: int, *more: Panel) -> int:
        field = Arrows(np.zeros((arrows, 2)), np.zeros((frames, arrows, 2)))
        panel = Panel("P", [Points(np.zeros((frames, points, 2))), field])
        return len(pack([panel, *more], Clock(np.arange(frames)), key="k", alt="a"))

    assert size(2000, 400, 200) < 2.2e6
    assert size(300, 225, 12, Panel("Loss", [Line(np.arange(200), np.arange(200))], None, None)) < 24e3


def test_a_script_sees_one_payload_and_the_probe_it_asked_for():
    def script() -> None:
        import numpy as np
        import streamlit as st

        from core.figures.scene import Panel, Points, Scene
        from pages.ui.stage import player

        panel = Panel("P", [Points(np.zeros((3, 2)))], probe=True)
        place = player.show(Scene([panel], alt="Three points.", probe=(0.25, 1)), key="s")
        st.text(str(place))

    app = AppTest.from_function(script).run()
    assert not app.exception
    header, layers = unpack(app.get("bidi_component")[0].proto.bytes)
    assert header["alt"] == "Three points." and header["probe"] == [0.25, 1.0] and layers[0]["n"] == 3
    assert app.text[0].value == "(0.25, 1.0)"


def test_a_page_says_when_the_clock_is_to_start_again():
    def script() -> None:
        import numpy as np
        import streamlit as st

        from core.figures.scene import Panel, Points, Scene
        from pages.ui.stage import player

        scene = Scene([Panel("P", [Points(np.zeros((3, 2)))])], alt="Points.")
        player.show(scene, key="s", restart=st.number_input("n", value=1))

    app = AppTest.from_function(script)
    sent = [app.run().get("bidi_component")[0].proto.bytes]
    sent += [app.number_input[0].set_value(2).run().get("bidi_component")[0].proto.bytes]
    before, after = (unpack(data)[0]["restart"] for data in sent)
    assert before != after


def test_the_player_knows_its_words_in_every_language(tmp_path, monkeypatch):
    assert set(WORDS) == set(text.entry("frame.stage")) and words(text.languages()).keys() == set(text.languages())
    shutil.copytree(text.FOLDER, tmp_path / "text")
    (tmp_path / "text" / "xx").mkdir()
    (tmp_path / "text" / "xx" / "frame.toml").write_text('[stage]\nplay = "abspielen"')
    monkeypatch.setattr(text, "FOLDER", tmp_path / "text")
    monkeypatch.setattr(text, "strict", False)
    text.catalogue.cache_clear()
    text.languages.cache_clear()
    spoken = words(text.languages())
    text.catalogue.cache_clear()
    text.languages.cache_clear()
    assert [name for name, said in spoken["xx"].items() if said != spoken["en"][name]] == ["play"]


def test_data_say_when_they_changed_and_stay_the_same_bytes_otherwise():
    def script() -> None:
        import numpy as np
        import streamlit as st

        from core.figures.scene import Panel, Points, Scene
        from pages.ui.stage import player

        panel = Panel("P", [Points(np.zeros((st.number_input("n", value=1), 2)))])
        player.show(Scene([panel], alt="Points."), key="s")

    app = AppTest.from_function(script)
    sent = [app.run().get("bidi_component")[0].proto.bytes]
    for count in (1, 2, 1):
        sent.append(app.number_input[0].set_value(count).run().get("bidi_component")[0].proto.bytes)
    turns = [int.from_bytes(data[-8:], "little") for data in sent]
    assert sent[0] == sent[1] and turns[1] < turns[2] < turns[3] and sent[1][:-8] == sent[3][:-8]
