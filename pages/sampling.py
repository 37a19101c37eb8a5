"""Chapter 4: samplers side by side from the same starting points, what a step is made of, and what its noise is for."""

from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import sampling as lesson
from pages.ui.lessons import sampling_widgets as widgets
from pages.ui.lessons.sampling import CODE, COLLAPSE, DDPM_NO_NOISE, NOTES, Config

shell.require_shell()
shell.chapter("sampling", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides=COLLAPSE)
row = right.container(horizontal=True, vertical_alignment="center")
with row:
    show = controls.draw("show", label_visibility="collapsed") if answered else "clouds"
    if show == "paths":
        widgets.choose_particle()
with left:
    controls.draw("model")
    widgets.choose_samplers(show, answered)
    if show != "quality":
        controls.draw("view")

config = controls.config()
clouds = lesson.seen_clouds(config)
without_noise = [each for each in clouds if each.sampler == DDPM_NO_NOISE]
if show == "clouds" and not without_noise and not controls.value("predictions"):
    with row:
        widgets.leave_noise_out()
with right:
    if show == "quality":
        widgets.show_quality(config)
    else:
        widgets.show_picture(show)
    with shell.sheet():
        if show == "sde_and_ode":
            verdict, values = lesson.verdict(config)
            shell.caption(t(f"sampling.sde_and_ode.{verdict}", **values))
        elif show == "one_step":
            parts = ("hint", "scaled") if config.view == "vp" else ("hint",)
            shell.caption(text.join(t(f"sampling.one_step.{part}") for part in parts))
        elif show == "paths":
            shell.caption(t("sampling.paths.hint"))
        elif show in ("clouds", "whose_step"):
            shell.caption(t("sampling.metrics", n=lesson.N))
    if show == "whose_step" and config.na > 2:  # the last step goes all the way for both
        widgets.show_step_sizes(config)
    collapsed = any(lesson.quality_of(config, each).collapsed for each in without_noise if each.sigma_max == 10)
    if collapsed:
        widgets.note_collapse()
    shell.explain("guess", "near_middle", shown=collapsed)
    if show == "clouds" and collapsed:
        with shell.sheet():
            shell.lead_to("image_models", "leave_noise_out_for_images")

state = "after" if (collapsed if show == "clouds" else widgets.has_seen_collapse()) else "before"
shell.notes(*(NOTES[show][state] if show in NOTES else (show,)))
shell.equation(show, legend=show)
shell.code(*CODE[show])
shell.tasks(lesson.tasks(config))
shell.finish()
