"""The lab without a browser: every control, both sides, their difference, and the tasks."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.frame import links
from pages.ui.frame.text import label
from pages.ui.lessons import lab as lesson
from pages.ui.lessons.lab import Config
from tests.reading import done, header, messages

SHOWN = {"predictions": "false"}
EQUAL = {**SHOWN, "bmodel": "spiral-classes-strong"}


@pytest.fixture
def lab(open_page):
    return lambda **address: open_page("lab", **address)


def table(app: AppTest) -> dict[str, list[str]]:
    """The rows of metrics by name: A, B and B − A."""
    lines = next(part.value for part in app.markdown if "B − A" in part.value).splitlines()
    assert all(cell.strip() for cell in lines[0].strip("|").split("|"))  # axe-core rejects an empty header
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return dict(zip(lesson.METRICS, (cells for _, *cells in rows), strict=True))


def test_before_the_prediction_both_sides_have_one_model(lab):
    app = lab(bmodel="spiral-classes-50")
    assert {row[2].strip("+−0.–") for row in table(app).values()} == {""}
    assert all(label("models", "spiral-classes-strong") in panel["title"] for panel in header(app)["panels"][:2])


@pytest.mark.slow
def test_every_control_of_either_side_changes_the_page_and_its_address(lab):
    app = lab(**EQUAL)
    chosen = {"kind": "eta_interpolated", "n": 8, "want": "cat", "w": 3.0, "in": (0.1, 2.0), "eta": 0.25,
              "grid": "karras", "top": 5.0}  # fmt: skip
    config = {f"{side}{name}": value for side in "ab" for name, value in chosen.items()}
    config |= {"amodel": "exact", "afrom": "dog", "bfrom": "spiral-classes-100", "seed": 3, "view": "ve"}
    widgets = {part.key: part for kind in ("selectbox", "number_input", "slider", "select_slider", "radio")
               for part in app.get(kind)}  # fmt: skip
    for name, value in config.items():
        widgets[name].set_value(value)
    app.run()
    assert dict(app.query_params) == EQUAL | links.address(Config(**config))
    scene = lesson.two_sides(Config(bmodel="spiral-classes-strong", **config))
    assert [panel["caption"] for panel in header(app)["panels"]] == [panel.caption for panel in scene.panels]


@pytest.mark.slow
def test_b_can_be_made_equal_to_a(lab):
    app = lab(**SHOWN, awant="dog", aw="4", akind="heun", an="9", **{"afrom": "cat"})
    app = app.button(key="_same").click().run()
    assert {row[2].strip("+−0.–") for row in table(app).values()} == {""}
    assert app.query_params["bwant"] == "dog" and app.selectbox(key="bmodel").value == "spiral-classes-strong"


@pytest.mark.slow
def test_an_empty_interval_is_no_guidance(lab):
    app = lab(**EQUAL, awant="cat", bwant="cat", bw="4")
    assert table(app)["calls"] == ["64", "128", "+64"]
    app = app.select_slider(key="bin").set_value((1.0, 1.0)).run()
    assert table(app)["calls"] == ["64", "64", "+0"] and app.query_params["bin"] == "1,1"
    assert table(lab(**EQUAL, awant="cat", bwant="cat", bw="4", bin="1,1"))["calls"][1] == "64"


def test_without_a_wanted_class_there_is_no_hit_rate(lab):
    assert table(lab(**EQUAL, bwant="cat"))["hit"][::2] == ["–", "–"]


def test_nonsense_in_the_address_is_ignored_with_a_notice(lab):
    app = lab(**EQUAL, akind="magic", bw="1e9", an="x")
    assert app.selectbox(key="akind").value == "ddim" and app.number_input(key="bw").value == 1
    assert "magic" in app.toast[0].value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "finished"),
    [(EQUAL, [False, False, False]), ({**EQUAL, "bkind": "euler"}, [True, False, False]),
     ({**SHOWN, "amodel": "spiral-classes-weak", "bmodel": "spiral-classes-weak", "awant": "cat", "bwant": "cat",
       "bw": "2", "bn": "32"}, [False, True, False]),
     ({**EQUAL, "awant": "cat", "bwant": "cat", "bkind": "dpmpp_2m", "bn": "10"}, [False, False, True])],
)  # fmt: skip
def test_the_tasks_check_themselves(lab, address, finished):
    assert done(lab(**address)) == finished


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "seen"),
    [({}, True), ({"bn": "32"}, False), ({"akind": "ddpm", "bkind": "ddpm"}, False),
     ({"bmodel": "spiral-classes-strong"}, False)],
)  # fmt: skip
def test_the_prediction_is_explained_only_where_it_was_tried(lab, address, seen):
    assert bool(messages(lab(guess="near_its_end_in_a", **address), "success")) == seen


@pytest.mark.slow
def test_a_button_leads_to_the_run_that_decides(lab):
    app = lab(guess="near_its_end_in_a", bn="32", bkind="heun")
    app.button(key="_guess_decide").click().run()
    assert messages(app, "success") and dict(app.query_params) == {"guess": "near_its_end_in_a"}
