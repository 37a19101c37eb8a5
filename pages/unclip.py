"""Chapter 9: unCLIP. From words to a picture by way of CLIP's vectors, one stage after the other."""

from functools import partial

import streamlit as st

from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import unclip as lesson
from pages.ui.lessons import unclip_view as view
from pages.ui.lessons.unclip import Config
from pages.ui.runs import background_films

shell.require_shell()
shell.chapter("unclip", Config)
first = Config()
left, right = shell.columns()
head = left.container(gap="small")
with shell.asking(head, right):
    decides = {"show": "prior_skipped", "data": "emoji", "prior_emoji": first.prior_emoji}
    decides |= {"n": first.n} if controls.upcoming("n") == 1 else {}
    answered = shell.predict("guess", decides=decides)
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "all_stages"
with left:
    data = controls.draw("data")
    with st.spinner(t("unclip.reading")):
        lesson.models(data)
    usable = view.ask(show, data)
    view.settings(show, data)

config, films = controls.config(), ()
with right:
    if not usable:
        shell.message("info", t("unclip.nothing"), "edit")
    elif show == "text_vector":
        view.draw(config, (), None)
        with shell.sheet():
            view.neighbours(config.wanted, data)
    else:
        if show == "all_stages":
            view.chips(config.wanted, data)
        films = background_films.watch(lesson.film_maker(data), lesson.requests_of(config), partial(view.draw, config))
    with shell.sheet():
        if text.has(f"unclip.{show}.metric"):
            shell.caption(t(f"unclip.{show}.metric"))
        if text.has(f"unclip.{show}.{data}.metric"):
            shell.caption(t(f"unclip.{show}.{data}.metric"))
        if films and data == "people" and show in view.JUDGED:
            shell.prose(view.judged(films))
        if films and show == "prior_skipped":
            shell.prose(view.positions(films))
    decided = show == "prior_skipped" and data == "emoji" and config.prior_emoji == first.prior_emoji
    shell.explain("guess", "nearly_alike", shown=bool(films) and decided and config.n > 1)

shell.notes(*lesson.notes_of(show, data), guidance=shell.number_of("guidance"),
            image_models=shell.number_of("image_models"))  # fmt: skip
formula = lesson.formula_of(config)
shell.equation(formula, legend=formula)
shell.code(*lesson.code_of(show))
held_out, film = lesson.held_out(data), films[0] if films else None
shell.tasks(
    {
        "unknown_word": usable and show in ("all_stages", "text_vector") and view.has_unknown(config.wanted, data),
        "new_picture": show == "prior" and film and held_out[lesson.nearest_picture(film)],
        "unseen_picture": show == "variations" and film and held_out[film.request.picture],
        "two_ends": show == "interpolation" and film and lesson.ends_differ(film),
    }
)
shell.finish()
