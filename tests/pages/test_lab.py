"""The lab without a browser: every control, both sides, their difference, and the tasks."""

import pytest
from streamlit.testing.v1 import AppTest

from core.diffusion.samplers import DDIM, SamplerConfig
from core.lessons import lab as lab_lesson
from pages.ui.lessons import lab as lab_scenes
from pages.ui.lessons.sampling import WINDOWS
from tests.reading import done, header

SHOWN = {"predictions": "false"}
EQUAL = {**SHOWN, "bmodel": "converged"}


@pytest.fixture
def lab(open_page):
    return lambda **address: open_page("lab", **address)


def drawn(app: AppTest) -> list[dict]:
    """The panels of the stage."""
    return header(app)["panels"]


def table(app: AppTest) -> dict[str, list[str]]:
    """The rows of marks: A, B and B − A by name."""
    lines = next(part.value for part in app.markdown if "B − A" in part.value).splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: cells for name, *cells in rows}


def test_before_the_prediction_both_sides_have_one_model(lab):
    app = lab()
    first, second, _ = (panel["title"] for panel in drawn(app))
    assert (first, second) == ("A: converged, DDIM", "B: converged, DDIM")
    assert {row[2].strip("+−0.–") for row in table(app).values()} == {""}


def test_another_network_moves_each_particle_a_little(lab):
    panels = drawn(lab(**SHOWN))
    assert panels[1]["title"] == "B: plain network, DDIM"
    apart, other = (float(word) for word in panels[2]["caption"].replace(";", "").split() if word[0] == "0")
    assert apart < 0.15 < 0.7 < other


def test_every_control_of_either_side_changes_the_page_without_an_exception(lab):
    app = lab(**EQUAL, awant="cat", bwant="cat")
    for side in "ab":
        app.selectbox(key=f"{side}kind").set_value("between, by eta")
        app.number_input(key=f"{side}n").set_value(8)
        app.number_input(key=f"{side}w").set_value(3.0)
        app.selectbox(key=f"{side}from").set_value("dog" if side == "a" else "weaker: after 100 steps")
        app.select_slider(key=f"{side}in").set_value(("0.1", "2"))
        app.slider(key=f"{side}eta").set_value(0.25)
        app.selectbox(key=f"{side}grid").set_value("karras")
        app.select_slider(key=f"{side}top").set_value(5.0)
    app.number_input(key="seed").set_value(3)
    app.selectbox(key="amodel").set_value("exact denoiser")
    app.radio(key="view").set_value("variance exploding")
    panels = drawn(app.run())
    assert [panel["title"] for panel in panels[:2]] == [
        "A: exact denoiser, between, by eta", "B: converged, between, by eta",
    ]  # fmt: skip
    assert all("calls" in panel["caption"] and "hit" in panel["caption"] for panel in panels[:2])


def test_b_can_be_made_equal_to_a(lab):
    app = lab(**SHOWN, awant="dog", aw="4", akind="Heun", an="9", **{"afrom": "cat"})
    app = app.button(key="_same").click().run()
    assert {row[2].strip("+−0.–") for row in table(app).values()} == {""}
    assert app.query_params["bwant"] == "dog" and app.selectbox(key="bmodel").value == "converged"


def test_an_empty_interval_is_no_guidance(lab):
    app = lab(**EQUAL, awant="cat", bwant="cat", bw="4")
    assert table(app)["network calls for a sample"] == ["64", "128", "+64"]
    app = app.select_slider(key="bin").set_value(("1", "1")).run()
    assert table(app)["network calls for a sample"] == ["64", "64", "+0"]


def test_without_a_wanted_class_there_is_no_hit_rate(lab):
    assert table(lab(**EQUAL, bwant="cat"))["hit rate of the wanted class"][::2] == ["–", "–"]


def test_nonsense_in_the_address_is_ignored_with_a_notice(lab):
    app = lab(**EQUAL, akind="magic", bw="1e9", an="x")
    assert app.selectbox(key="akind").value == "DDIM" and app.number_input(key="bw").value == 1
    assert "magic" in app.toast[0].value


def test_the_tasks_check_themselves(lab):
    assert done(lab(**EQUAL)) == [False, False, False]
    assert done(lab(**EQUAL, bkind="Euler")) == [True, False, False]
    plain = {"amodel": "plain network", "bmodel": "plain network", "awant": "cat", "bwant": "cat"}
    assert done(lab(**SHOWN, **plain, bw="2", bn="32")) == [False, True, False]
    assert done(lab(**EQUAL, awant="cat", bwant="cat", bkind="DPM-Solver++(2M)", bn="10")) == [False, False, True]


def test_a_side_that_starts_lower_waits_at_its_own_noise_level(lab):
    assert len(drawn(lab(**EQUAL, btop="1.0"))) == 3
    clock = lab_scenes.levels(
        [lab_lesson.evaluate(lab_lesson.Config(way=SamplerConfig(DDIM, 2, sigma_max=top)), 10) for top in (10.0, 1.0)]
    )
    low = lab_lesson.evaluate(lab_lesson.Config(way=SamplerConfig(DDIM, 2, sigma_max=1.0)), 500)
    panel = lab_scenes.cloud("B", low, clock, WINDOWS["variance preserving"])
    assert clock[0] == 10 and panel.layers[1].xy[0].std().item() == pytest.approx(0.78, abs=0.05)


@pytest.mark.parametrize(
    ("address", "seen"),
    [({}, True), ({"bn": "32"}, False), ({"akind": "DDPM", "bkind": "DDPM"}, False), ({"bmodel": "converged"}, False)],
)
def test_the_prediction_is_explained_only_where_it_was_tried(lab, address, seen):
    app = lab(guess="a", **address)
    assert bool(app.success) == seen
