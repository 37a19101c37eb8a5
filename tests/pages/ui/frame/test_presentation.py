"""What a presented page asks, keeps back and shows, without a browser."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from pages.ui.frame import chapters, links, prepare


def asks(app: AppTest, page: str) -> bool:
    """Whether the page shows its question and waits for an answer."""
    first = f"_guess_{links.controls(prepare.lesson_of(page).Config)['guess'].choices[0]}"
    return first in [button.key for button in app.button]


def keeps(app: AppTest) -> bool:
    """Whether the page has an answer that is to be revealed."""
    assert not app.exception
    return any('<details class="reveal last">' in part.value for part in app.markdown)


def test_the_question_is_asked_in_one_scene_and_its_answer_is_kept_until_it_is_revealed(open_page):
    app = open_page("guidance", present="true")
    assert asks(app, "guidance") and keeps(app)
    app = open_page("guidance", present="true", show="eight_scales")
    assert not asks(app, "guidance") and not keeps(app)
    assert app.selectbox(key="show").value == "eight_scales"


def test_an_address_that_asks_for_the_run_that_decides_needs_no_answer(open_page):
    address = {"present": "true", "show": "walk_and_jump"}
    assert asks(open_page("forward_noise", **address), "forward_noise")
    app = open_page("forward_noise", **address, jumps="true")
    assert not asks(app, "forward_noise") and keeps(app)
    assert app.toggle(key="jumps").value


def test_the_way_leads_through_all_scenes_and_then_to_the_first_one_of_the_next_page(open_page):
    app = open_page("vector_field", present="true")
    for show in ("error", "one_place"):
        app.button(key="_view_next").click().run()
        assert app.query_params["show"] == show and app.selectbox(key="show").value == show
    following = chapters.neighbours("vector_field")["next"]
    links_of = [link.proto for link in app.get("page_link")]
    assert any(link.page.endswith(following) and "show=clouds" in link.query_string for link in links_of)
    app.button(key="_view_previous").click().run()
    assert app.query_params["show"] == "error"


def test_the_way_back_from_the_first_scene_leads_to_the_last_one_of_the_page_before(open_page):
    app = open_page("vector_field", present="true")
    before = chapters.neighbours("vector_field")["previous"]
    shown = [link.proto.query_string for link in app.get("page_link") if link.proto.page.endswith(before)]
    assert any(f"show={prepare.last_scene(before)}" in query for query in shown)


def test_what_is_said_of_a_control_in_the_drawer_stands_above_the_picture(open_page):
    app = open_page("clip", present="true", show="retrieval", query="a smiling xyzzy")
    (alerts,) = (part for part in blocks(app.main) if "-alerts" in getattr(part.proto, "id", ""))
    assert any("xyzzy" in part.value for part in alerts.markdown)


def blocks(block: Block) -> Iterator[Block]:
    """All blocks inside of a block."""
    for part in block.children.values():
        if isinstance(part, Block):
            yield part
            yield from blocks(part)


@pytest.mark.parametrize("page", [name for name in chapters.present() if name != "glossary"])
def test_every_page_names_the_controls_that_its_scenes_are_about(page):
    lesson = prepare.lesson_of(page)
    known = links.controls(lesson.Config)
    scenes = known["show"].choices if "show" in known else ("",)
    for name, control in known.items():
        assert isinstance(control.main, bool) or set(control.main) <= set(scenes), name
    assert any(control.main for control in known.values())
