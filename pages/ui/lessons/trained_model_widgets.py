"""What chapter 7 draws: the controls of a scene, a shape drawn by hand, and the picture with what stands below it."""

from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import trained_model as lesson
from pages.ui.lessons import trained_model_people as with_people
from pages.ui.lessons.trained_model_config import (
    CONTROLS,
    DRAWING,
    WITH_PEOPLE,
    Config,
    painting_refusal,
    part_of,
    refusal,
)
from pages.ui.runs import background_films
from pages.ui.stage import player
from pages.ui.widgets import brush, pixel_brush


def draw_controls(show: str, answered: bool) -> None:
    """Draw the controls of a scene; the level, and the choice of what it is of, only after the question;
    a wanted class beside an unwanted one only if it has a scale."""
    of = controls.draw("of") if answered and show in WITH_PEOPLE else "points"
    measured = controls.draw("measured") if show == "measurement" else ""
    for name in CONTROLS[part_of(show, of, measured)]:
        if name == "wanted" and measured == "negative" and not controls.value("positive_scale"):
            continue
        if answered or name != "sigma":
            controls.draw(name)
        if name == "shape" and controls.value("shape") == DRAWING:
            brush.draw_data("edit_brush", height=230)
        if name == "scribble" and controls.value("scribble") == DRAWING:
            pixel_brush.draw_painting("paint_brush", size=208)


def show_picture(config: Config, answered: bool) -> None:
    """Draw the picture of a scene; films of people while they form."""
    if with_people.is_film(config):
        _refuse_painting(config)
        background_films.watch(
            with_people.MAKER,
            [with_people.request_of(config)],
            lambda films, frame: player.show(with_people.film_scene(config, films, frame), key="uses", permalink=True),
        )
        return
    _refuse_drawing(config)
    scene = lesson.SCENES[config.show](config)
    player.show(scene if answered else lesson.before_answer(scene), key="uses", permalink=True)


def _refuse_drawing(config: Config) -> None:
    """Say why a drawing cannot be used, if it cannot."""
    problem = refusal(config) if config.show == "start_at_sigma" else None
    if problem and problem.code == "drawing_empty":
        shell.caption(t("trained_model.start_at_sigma.nothing_drawn"))
    elif problem:
        shell.sorry(t("trained_model.start_at_sigma.refused", error=text.problem(problem)))


def _refuse_painting(config: Config) -> None:
    """Say why a painting cannot be used, if it cannot; until then a given scribble is the start."""
    problem = painting_refusal(config) if config.show == "start_at_sigma" else None
    if problem:
        shell.caption(t("trained_model.start_people.refused", error=text.problem(problem)))


def explain_numbers(config: Config) -> None:
    """The small print of a scene, and the table of densities."""
    part = part_of(config.show, config.of, config.measured)
    with shell.sheet():
        if text.has(f"trained_model.{part}.hint"):
            shell.caption(t(f"trained_model.{part}.hint"))
        if config.show == "likelihood" and config.of == "points":
            shell.prose(lesson.densities_table(config))
