"""Chapter 4: samplers side by side from the same starting points, what a step is made of, and what its noise is for."""

import streamlit as st

from pages.ui.frame import controls, shell
from pages.ui.frame.text import t
from pages.ui.lessons import sampling as lesson
from pages.ui.lessons import sampling_widgets as widgets
from pages.ui.lessons.sampling import CODE, DDPM_NO_NOISE, SCENES, Config
from pages.ui.stage import player

shell.require_shell()
shell.chapter("sampling", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess")
row = right.container(horizontal=True, vertical_alignment="center")
with row:
    show = controls.draw("show", label_visibility="collapsed") if answered else "clouds"
    if show == "paths":
        widgets.choose_particle()
with left:
    controls.draw("model")
    widgets.choose_samplers(answered)
    controls.draw("view")

config = controls.config()
chosen = config.samplers
without_noise = [each for each in lesson.seen_clouds(config) if each.sampler == DDPM_NO_NOISE]
if answered and show in ("clouds", "sde_and_ode") and DDPM_NO_NOISE not in {each.sampler for each in chosen}:
    with row:
        widgets.leave_noise_out()
with right:
    if show == "one_step":
        widgets.show_step()
    elif show == "quality":
        widgets.show_quality(config)
    else:
        player.show(SCENES[show](config), key="sampling", permalink=True)
    if show == "whose_step" and config.na > 2:  # the last step goes all the way for both
        widgets.show_step_sizes(config)
    elif show == "sde_and_ode":
        verdict, values = lesson.verdict(config)
        st.caption(t(f"sampling.sde_and_ode.{verdict}", **values))
    elif show != "whose_step":
        st.caption(t(f"sampling.{show}.hint", n=lesson.N))
    collapsed = [lesson.quality_of(config, each).collapsed for each in without_noise if each.sigma_max == 10]
    shell.explain("guess", "near_middle", shown=any(collapsed))
    if answered and show == "clouds":
        shell.lead_to("image_models", "leave_noise_out_for_images")

shell.notes(show if answered else "before_answer")
shell.equation("step", legend=("step", *(["step_without_noise"] if answered else [])))
shell.code(*CODE)
shell.tasks(lesson.tasks(config))
shell.finish()
