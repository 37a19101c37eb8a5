"""The lecture plans that come with the app: the whole course in 45 and in 90 minutes."""

import re
from importlib import import_module

import pytest

from pages.ui.frame import links, plan_view, text
from pages.ui.lecture import plan as plans

SHIPPED = [(language, name) for language in text.languages() for name in plan_view.shipped(language)]
VIEWS = list(dict.fromkeys(view.address for name in plan_view.shipped("en").values() for view in name.views))


def test_each_language_has_both_plans_with_the_same_views():
    assert {name for language, name in SHIPPED} == {"45", "90"}
    for language in text.languages():
        for name, plan in plan_view.shipped(language).items():
            english = plan_view.shipped("en")[name]
            assert [(view.address, view.minutes) for view in plan.views] == [
                (view.address, view.minutes) for view in english.views
            ]
            assert plan.minutes == int(name) and all(view.title and view.notes for view in plan.views)


@pytest.mark.parametrize("address", VIEWS)
def test_nothing_in_the_address_of_a_view_is_ignored(address):
    view = plans.view_at(address, "")
    assert not links.parse(import_module(f"pages.ui.lessons.{view.page}").Config, view.parameters)[1]


@pytest.mark.slow
@pytest.mark.parametrize("address", VIEWS)
def test_every_view_opens_as_its_address_says(open_page, address):
    view = plans.view_at(address, "")
    app = open_page(view.page, present="true", plan="1", open="1", **view.parameters)
    assert not app.exception and not app.error and not app.toast
    kept = {name: value for name, value in view.parameters.items() if name != "predictions" or value == "false"}
    assert dict(app.query_params) == {**kept, "present": "true", "plan": "1"}


@pytest.mark.parametrize("language, name", SHIPPED)
def test_the_notes_are_short_sentences(language, name):
    for view in plan_view.shipped(language)[name].views:
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", f"{view.title} {view.notes}")
        long = [each for each in re.split(r"[.?!:;]\s", view.notes) if len(each.split()) > 25]
        assert not long


def test_the_plan_of_45_minutes_is_short_enough_for_a_link():
    assert plans.link(plan_view.shipped("en")["45"], "https://a-university.example.org/diffusion")
