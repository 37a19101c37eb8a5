"""Chapter 4: samplers side by side from the same starting points, what a step is made of, and what its noise is for."""

from dataclasses import replace

import streamlit as st

from core.diffusion import samplers
from core.diffusion.samplers import DDIM, DDPM_NO_NOISE
from core.models import trajectories
from pages.ui.frame import controls, shell
from pages.ui.frame.text import t
from pages.ui.lessons import sampling as lesson
from pages.ui.lessons import sampling_widgets as widgets
from pages.ui.lessons.sampling import SCENES, Config
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
    shell.explain("guess", "near_middle", seen=any(collapsed))
    if answered and show == "clouds":
        shell.lead_to("image_models", "leave_noise_out_for_images")

shell.notes(show if answered else "before_answer")
shell.equation("step", legend=("step", *(["step_without_noise"] if answered else [])))
shell.code(samplers.ancestral, samplers.ancestral_step, trajectories.at_levels)


def coverage(sampler: samplers.SamplerConfig) -> float:
    """The part of the data points that a sampler's cloud reaches."""
    return lesson.quality_of(config, sampler).coverage


few = [each for each in chosen if each.sampler == DDIM and 1 < each.steps < 20 and coverage(each) > 0.9]
shell.tasks(
    {
        "fewest_ddim_steps": any(coverage(replace(each, steps=each.steps - 1)) <= 0.9 for each in few),
        "more_steps": any(each.sampler == DDPM_NO_NOISE and each.steps == 256 for each in chosen),
        "five_calls": any(each.nfe <= 5 and coverage(each) == 1 for each in chosen),
    }
)
shell.finish()
