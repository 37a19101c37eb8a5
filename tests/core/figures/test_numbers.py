"""The numbers of a scene: all that it shows, in the units of its axes, in files that other programs open."""

import csv
import io
import json
from dataclasses import replace

import numpy as np

from core.figures import numbers
from core.figures.scene import Panel, Points, Scene
from tests.core.figures.scenes import FRAMES, LINK, PLACES, SIGMAS, everything


def rows(scene: Scene, frame: int | None = None) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(numbers.to_file(scene, "csv", frame).decode("utf-8-sig"))))


def test_an_npz_has_every_array_and_says_what_each_is():
    found = np.load(io.BytesIO(numbers.to_file(everything(), "npz")))
    assert np.allclose(found["clock"], SIGMAS) and np.allclose(found["panel2_layer1_line_x"], SIGMAS[None])
    assert found["panel1_layer1_heat_values"].shape == (FRAMES, 6, 6)
    assert found["panel1_layer2_points_group"].shape == (25,) and np.allclose(
        found["panel1_layer4_arrows_at"], [PLACES]
    )
    assert found["panel3_layer1_images_pixels"].dtype == np.uint8
    about = json.loads(str(found["about"]))
    assert (about["address"], about["frames"]) == (LINK, FRAMES)
    assert about["panels"][1]["xlog"] and about["panels"][0]["layers"][1]["label"] == ["person", "猫"]


def test_equal_scenes_give_equal_bytes():
    assert numbers.to_file(everything(), "npz") == numbers.to_file(everything(), "npz")


def test_a_csv_of_one_frame_has_the_values_of_that_frame():
    cloud = [row for row in rows(everything(), 2) if row["layer"] == "person, 猫"]
    assert {(row["frame"], row["clock"]) for row in cloud} == {("2", "0.1")}
    assert np.allclose([[float(row["x"]), float(row["y"])] for row in cloud], PLACES * 0.6)
    assert [row["group"] for row in cloud[:3]] == ["0", "1", "0"]


def test_a_csv_of_all_frames_says_once_what_does_not_move_and_leaves_out_what_is_not_there():
    found = rows(everything())
    arrows = [row for row in found if row["layer"] == "noise ε̂"]
    assert len(arrows) == 25 and {row["frame"] for row in arrows} == {""}
    assert np.allclose([float(row["u"]) for row in arrows], -0.2 * PLACES[:, 0])
    curve = [row for row in found if row["layer"] == "curve"]
    assert [row["frame"] for row in curve] == [str(k) for k in range(FRAMES) for _ in SIGMAS]
    hidden = next(row for row in found if row["layer"] == "person, 猫" and row["frame"] == "1")
    assert (hidden["x"], hidden["y"]) == ("", "")


def test_a_csv_names_its_source_once():
    found = rows(everything(), 0)
    assert found[0]["link"] == LINK and found[0]["title"] == "Guidance 引导" and not found[1]["link"]


def test_no_text_of_a_csv_is_a_formula():
    made = Scene([Panel("=1+1", [Points([[0.0, 1.0]], label="@SUM(A1)")])])
    assert [(row["panel"], row["layer"]) for row in rows(made)] == [("'=1+1", "'@SUM(A1)")]


def test_a_kind_or_a_frame_that_does_not_exist_is_refused(refused):
    with refused("figure_format", kind="xlsx"):
        numbers.to_file(everything(), "xlsx")
    with refused("figure_frame", frame=9):
        numbers.to_file(replace(everything()), "csv", 9)
