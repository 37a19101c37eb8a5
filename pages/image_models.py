"""Image models: the samplers and the guidance of the spiral, with images, through the same code."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.frame.text import t
from pages.ui.lessons import image_models as lesson
from pages.ui.lessons import image_requests, image_training, memorization, own_models
from pages.ui.lessons.image_models_config import SHIPPED, Config
from pages.ui.runs import background_films
from pages.ui.stage import player

shell.require_shell()
shell.chapter("image_models", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "four_samplers", "model": SHIPPED[0]})
row = right.container(horizontal=True, vertical_alignment="center")
show = "request"
if answered:
    with row:
        show = controls.draw("show", label_visibility="collapsed")
done = {"few_calls": False, "away": False, "readable": False}
model = None

if show == "train":
    done["readable"] = image_training.draw(left, right, row)
elif show == "memorised_or_learned":
    with left:
        people = controls.draw("people")
    with right:
        player.show(memorization.people_scene(people), key="memorised", permalink=True)
else:
    with left:
        model = own_models.choose(SHIPPED)
        free = image_requests.draw_request(model)
        controls.draw("w", disabled=show == "guidance" or free)
        controls.draw("steps")
        with st.expander(t("image_models.more")):
            for name in ("second", "n", "seed"):
                controls.draw(name)
    with row:
        extra = {"name": "by", "width": 240} if show == "nearest_training_image" else {"name": "of"}
        controls.draw(**extra, label_visibility="collapsed")
    config = image_requests.readable(controls.config(show=show), model)
    requests = lesson.requests(config, model)
    with right:
        films = background_films.watch(
            lesson.film_maker(model),
            requests,
            lambda films, frame: player.show(
                lesson.film_scene(config, model, films, frame), key="gallery", permalink=True
            ),
        )
        with shell.sheet():
            if show != "nearest_training_image":
                shell.caption(t("image_models.metrics"))
            if films and answered and show == "four_samplers":
                shell.prose(lesson.table(films, model))
                shell.caption(t("image_models.four_samplers.distance"))
            elif films and show == "nearest_training_image":
                shell.caption(lesson.verdict(films[0], model))
            elif films and show == "request" and model.of_people:
                shell.prose(image_requests.judged_table(films[0], model))
                shell.caption(image_requests.judges(films[0]))
        if films and answered and show == "four_samplers":
            shell.explain("guess", "ghosts", shown=config.model == SHIPPED[0])
    done |= lesson.tasks_done(config, model, films)

shell.notes(*lesson.notes_of(show, answered, model, controls.value("train")))
shell.equation(show, legend=show)
shell.code(*lesson.code_of(show))
shell.tasks(done)
shell.finish()
