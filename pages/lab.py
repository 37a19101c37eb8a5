"""The lab: every control of chapters 4 and 5 twice, two configurations on the same noise, and what differs."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.frame.text import t
from pages.ui.lessons import lab as lesson
from pages.ui.lessons import lab_widgets
from pages.ui.lessons.lab import OWN, Config
from pages.ui.runs import point_runs
from pages.ui.stage import player

shell.require_shell()
shell.chapter("lab", Config)
left, right = shell.columns(8)
with shell.asking(left, right):
    answered = shell.predict("guess", decides=lesson.DECIDES)
    if not answered:
        shell.caption(t("lab.waiting"))
trained = point_runs.own_model(point_runs.LABELLED)
with left:
    lab_widgets.draw_controls(answered, [*lesson.MODELS, *([OWN] if trained else [])])
    st.button(t("lab.make_equal"), icon=":material/equal:", on_click=lab_widgets.make_equal, key="_same")
config = controls.config(**({} if answered else {"bmodel": controls.value("amodel")}))
first, second = lesson.results(config, trained)
with right:
    player.show(lesson.two_sides(config, trained), key="lab", permalink=True)
    with shell.sheet():
        shell.prose(lesson.metrics_table(first, second))
    shown, (same, other) = lesson.only_models_differ(first.config, second.config), lesson.distances(first, second)
    shell.explain("guess", "near_its_end_in_a", shown, same=same, other=other)

shell.notes("two_sides")
with shell.sheet():
    lab_widgets.explain_measures()
shell.equation("step", legend="step")
shell.code(*lesson.CODE)
shell.tasks(
    {
        "same_ends": lesson.same_ends(first, second),
        "more_hits": lesson.better(first, second, lambda a, b: b.hit >= a.hit + 0.05 and b.calls <= a.calls),
        "fewer_calls": lesson.better(first, second, lambda a, b: 6 * b.calls <= a.calls and b.energy <= a.energy + 0.3),
    }
)
shell.finish()
