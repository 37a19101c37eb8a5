"""Chapter 7: unCLIP. From words to a picture by way of CLIP's vectors, one stage after the other."""

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
with st.spinner(t("unclip.reading")):
    models = lesson.models()
left, right = shell.columns()
head = left.container(gap="small")
with shell.asking(head, right):
    decides = {"show": "prior_skipped", "prior_caption": Config.prior_caption}
    decides |= {"n": Config.n} if controls.upcoming("n") == 1 else {}
    answered = shell.predict("guess", decides=decides)
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "all_stages"
with left:
    usable = view.ask(show)
    view.settings(show)

config, films = controls.config(), ()
with right:
    if not usable:
        st.info(t("unclip.nothing"), icon=":material/edit:")
    elif show == "text_vector":
        view.draw(config, (), None)
        view.neighbours(config.caption)
    else:
        if show == "all_stages":
            view.chips(config.caption)
        films = background_films.watch(lesson.film_maker(), lesson.requests_of(config), partial(view.draw, config))
    if text.has(f"unclip.{show}.metric"):
        shell.caption(t(f"unclip.{show}.metric"))
    if films and show == "prior_skipped":
        st.markdown(view.positions(films))
    decided = bool(films) and show == "prior_skipped" and config.prior_caption == Config.prior_caption and config.n > 1
    shell.explain("guess", "nearly_alike", shown=decided)

shell.notes(show, guidance=shell.number_of("guidance"), image_models=shell.number_of("image_models"))
formula = lesson.formula_of(show)
shell.equation(formula, legend=formula)
shell.code(*lesson.code_of(show))
held_out, film = lesson.held_out(), films[0] if films else None
unknown = show in ("all_stages", "text_vector") and bool(models.known.unknown(config.caption))
shell.tasks(
    {
        "unknown_word": usable and unknown,
        "new_picture": show == "prior" and film and held_out[lesson.nearest_picture(film)],
        "unseen_picture": show == "variations" and film and held_out[film.request.picture],
        "two_groups": show == "interpolation" and film and lesson.ends_in_two_groups(film),
    }
)
shell.finish()
