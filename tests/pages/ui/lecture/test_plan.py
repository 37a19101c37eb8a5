"""Lecture plans as files and as links."""

from dataclasses import replace

import pytest

from core.problems import Problem
from pages.ui.lecture import plan
from pages.ui.lecture.plan import LecturePlan, View

PAGES = ("home", "guidance", "clip")
PLAN = LecturePlan(
    'A "lecture" of \\ both',
    (
        View("Eight scales", "guidance", {"show": "eight_scales", "interval": "0.1,1"}, "Ask.\n\nWait.", 2.5),
        View("帽子", "clip", {"words": "a&b=帽子 #1", "hide": ""}, 'Three quotes """ and \x7f\x00.\n  A tail: "'),
        View("", "home"),
    ),
)  # fmt: skip


@pytest.mark.parametrize("through", [
    lambda it: plan.read(plan.write(it), PAGES), lambda it: plan.unpack(plan.pack(it), PAGES),
    lambda it: plan.read(b"\xef\xbb\xbf" + plan.write(it).encode(), PAGES),
])  # fmt: skip
def test_a_plan_comes_back_from_its_file_and_from_its_link(through):
    assert through(PLAN) == (PLAN, None)


def test_a_file_is_made_to_be_read():
    assert plan.write(PLAN).split("\n\n")[1] == (
        '[[view]]\ntitle = "Eight scales"\nminutes = 2.5\naddress = "guidance?show=eight_scales&interval=0.1,1"\n'
        'notes = """\nAsk.'
    )


def test_views_are_added_changed_moved_and_dropped():
    first, second, third = PLAN.views
    assert PLAN.move(0, 2).views == (second, third, first) and PLAN.move(2, 1).views == (first, third, second)
    assert PLAN.drop(1).views == (first, third) and PLAN.minutes == 2.5
    assert PLAN.change(1, title="Hat").views[1] == replace(second, title="Hat")
    assert PLAN.add(first).views == (*PLAN.views, first)


@pytest.mark.parametrize("address, page, parameters", [
    ("http://10.0.0.1:8501/guidance?w=2", "guidance", {"w": "2"}), ("https://x.org/app/clip", "clip", {}),
    ("http://x.org/", "home", {}), ("guidance?w=2&w=3", "guidance", {"w": "3"}),
    ("guidance?w=2&embed=true&Embed_options=x", "guidance", {"w": "2"}),
])  # fmt: skip
def test_an_address_may_be_a_whole_link(address, page, parameters):
    assert plan.view_at(address, "") == View("", page, parameters)


@pytest.mark.parametrize("file, code", [
    (b"\xff\xfe", "plan_damaged"), (b"x = [", "plan_damaged"), (b"", "plan_damaged"), (b"[[view]]", "plan_damaged"),
    (b"version = true", "plan_damaged"), (b"version = 0", "plan_version"), (b"version = 2", "plan_version"),
    (b"version = " + 5000 * b"1", "plan_damaged"),
    (b"version = 1\nview = 3", "plan_damaged"), (b"version = 1\ntitle = 3", "plan_damaged"),
    (b"version = 1\n[[view]]\ntitle = ''", "plan_view"), (b"version = 1\nview = [1]", "plan_view"),
    (b"version = 1\n[[view]]\naddress = 'home'\nminutes = 1e9", "plan_view"),
    (b"version = 1\n[[view]]\naddress = 'http://[home'", "plan_view"),
    (b"version = 1\n[[view]]\naddress = 'home'\ntitle = '" + 201 * b"x" + b"'", "plan_view"),
    (b"version = 1\n" + 501 * b"[[view]]\naddress = 'home'\n", "plan_views"), (b"#" * 1_000_001, "plan_large"),
])  # fmt: skip
def test_a_damaged_file_is_one_problem(file, code):
    with pytest.raises(Problem) as caught:
        plan.read(file, PAGES)
    assert caught.value.code == code and str(caught.value)


@pytest.mark.parametrize("text", ["", "!!", "AAAA", plan.pack(PLAN)[:-8], plan.pack(PLAN)[8:], "帽"])
def test_a_link_that_was_cut_is_one_problem(text):
    with pytest.raises(Problem) as caught:
        plan.unpack(text, PAGES)
    assert caught.value.code == "plan_link"


def test_views_of_pages_that_are_gone_are_named_and_left_out():
    found, note = plan.read(plan.write(PLAN), ("clip", "home"))
    assert found.views == PLAN.views[1:] and note.code == "plan_pages"
    assert "guidance?show=eight_scales" in str(note)


def test_a_plan_too_long_for_a_link_is_offered_as_a_file_only():
    assert plan.link(PLAN, "http://x.org/") == f"http://x.org/#plan={plan.pack(PLAN)}"
    long = LecturePlan("", tuple(View(f"{k}", "home", notes=str(k**99)) for k in range(2, 99)))
    assert plan.link(long, "http://x.org") is None and plan.unpack(plan.pack(long), PAGES) == (long, None)
