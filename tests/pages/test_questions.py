"""Questions that the pages alone must answer: for each the sentences that answer it, and the scene that shows
them."""

import re

import pytest

from pages.ui.frame import text
from tests.reading import without_entries

QUICK = {"unclip": {"steps": "2", "n": "1"}, "image_models": {"steps": "4", "n": "1"}}
ANSWERS: dict[str, dict[str, tuple[str, ...]]] = {
    "1 What does CLIP's training raise and lower, what is on the diagonal?": {
        "clip/train_live": ("train_live.how", "train_live.notes.0.text"),
    },
    "2 Why is hat minus no hat the word hat; can CLIP draw?": {
        "clip/arithmetic": (
            "arithmetic_people.how",
            "arithmetic_people.notes.0.text",
            "arithmetic_people.notes.2.text",
        ),
        "clip/map": ("next",),
    },
    "3 Why is an image a point, what is noise there?": {
        "forward_noise/two_pixels": ("two_pixels.how", "two_pixels.notes.0.text", "two_pixels.notes.1.text"),
    },
    "4 What exactly does the network predict, why not the last step's noise, why an average?": {
        "training/train_live": ("train_live.how",),
        "training/why_average": ("why_average.why", "why_average.how", "why_average.notes.1.text"),
    },
    "5 How does the field differ with sigma?": {
        "vector_field/fields": ("fields.notes.0.text", "fields.notes.1.text"),
    },
    "6 What does DDPM do?": {"sampling/clouds": ("clouds.how",)},
    "7 What if the noise is left out; in images; do more steps help?": {
        "sampling/clouds&b=ddpm_no_noise": (
            "without_noise.how",
            "without_noise.notes.0.text",
            "without_noise.notes.2.text",
        ),
        "image_models/four_samplers": ("four_samplers.after.notes.0.text",),
    },
    "8 Why must noise be added; what is Gaussian?": {
        "forward_noise/walk_and_jump": ("walk_and_jump.how",),
        "sampling/one_step": ("one_step.how",),
    },
    "9 What are the SDE and the ODE; what is DDIM's step; why fewer steps?": {
        "sampling/sde_and_ode": ("sde_and_ode.how",),
        "sampling/whose_step": ("whose_step.how",),
        "sampling/paths": ("paths.how",),
    },
    "10 What are unCLIP's stages; what is the prior for?": {
        "unclip/all_stages": ("all_stages.why", "all_stages.how"),
        "unclip/prior_skipped": ("prior_skipped.how",),
    },
    "11 When is conditional sampling mushy, when not?": {
        "guidance/weak_and_converged": ("weak_and_converged.notes.0.text", "weak_and_converged.notes.2.text"),
    },
    "12 What is guidance; when do the fields agree; what is a negative prompt; what does WAN do?": {
        "guidance/one_place": ("one_place.how",),
        "guidance/two_fields": ("two_fields.notes.0.text", "two_fields.notes.1.text"),
        "guidance/negative_prompt": ("negative_prompt.how", "negative_prompt.notes.2.text"),
    },
}
FLOWS: dict[str, dict[str, tuple[str, ...]]] = {
    "Why are conditional paths straight, and why does sampling still take steps?": {
        "flow_matching/lines": ("lines.how", "paths.notes.0.text", "paths.notes.1.text"),
        "flow_matching/euler": ("euler.why", "euler.how"),
    },
    "What does reflow change?": {
        "flow_matching/couplings": ("couplings.how", "couplings.notes.2.text"),
        "flow_matching/reflow": ("reflow.how", "reflow.notes.2.text"),
    },
    "Why does optimal transport fail with classes?": {
        "flow_matching/couplings&classes=true": (
            "with_classes.how",
            "with_classes.notes.0.text",
            "with_classes.notes.1.text",
        ),
    },
    "What is a shift for?": {"flow_matching/shift": ("shift.how", "shift.notes.2.text")},
}
"""The questions of chapter 6, besides the twelve."""
USES: dict[str, dict[str, tuple[str, ...]]] = {
    "How does image to image work, and what does the starting level decide?": {
        "trained_model/start_at_sigma": (
            "start_at_sigma.how",
            "start_at_sigma.notes.0.text",
            "start_at_sigma.notes.1.text",
        ),
    },
    "How does inpainting work, and what may one not conclude from a filled-in part?": {
        "trained_model/fix_a_part": ("fix_a_part.how", "fix_a_part.notes.1.text", "fix_a_part.notes.2.text"),
    },
    "What is inversion, why has the round trip an error, and how does it edit?": {
        "trained_model/invert": ("invert.why", "invert.how", "invert.notes.0.text"),
    },
    "How does a diffusion model give a log-density, and why is that no measure of quality?": {
        "trained_model/likelihood": ("likelihood.how", "likelihood.notes.1.text"),
    },
    "What does a measurement add to the denoiser; when is classifier guidance classifier-free guidance?": {
        "trained_model/measurement": ("measurement.how", "class.notes.0.text"),
        "trained_model/measurement&measured=coordinate": ("coordinate.notes.0.text", "coordinate.notes.1.text"),
    },
    "What does a negative class with one scale do wrong?": {
        "trained_model/measurement&measured=negative": ("negative.notes.0.text", "negative.notes.1.text"),
    },
}
"""The questions of chapter 7, besides the twelve."""
LATENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "What is a latent, and what does the KL divergence do?": {
        "latent/plane": ("plane.how", "plane.notes.0.text"),
        "latent/weights": ("weights.how", "weights.notes.0.text", "weights.notes.2.text"),
    },
    "Why do large image models work on latents?": {
        "latent/rebuilt": ("rebuilt.how", "rebuilt.notes.2.text"),
        "latent/people": ("people.how", "people.notes.0.text"),
    },
}
"""The questions of chapter 11, besides the twelve."""
VIDEO: dict[str, dict[str, tuple[str, ...]]] = {
    "What is a clip as a point?": {"video/data": ("data.why", "data.how")},
    "What does the network read of the caption?": {"video/clip": ("clip.how", "clip.notes.1.text")},
    "Why attention across time?": {
        "video/attention": ("attention.why", "attention.how", "attention.notes.1.text"),
    },
    "What does a negative prompt do in the formula; why does a long list work; what do real systems add?": {
        "video/negative": ("negative.how", "negative.notes.1.text", "negative.notes.2.text"),
    },
}
"""The questions of chapter 12, besides the twelve."""
EVERY = [*ANSWERS.values(), *FLOWS.values(), *USES.values(), *LATENTS.values(), *VIDEO.values()]
SCENES = sorted({scene for answer in EVERY for scene in answer})


def keys(scene: str) -> list[str]:
    """The catalogue's keys of all sentences that a scene must show."""
    page = scene.split("/")[0]
    return [f"{page}.{key}" for answer in EVERY for key in answer.get(scene, ())]


def entry(key: str, language: str) -> str:
    """The text at a key, whose numbers are places in a list."""
    found = text.catalogue(language)
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def shown(app) -> str:
    """What an app shows as Markdown, without markup and without the glossary's entries."""
    return without_entries(" ".join(part.value for part in app.markdown))


def comparable(said: str, language: str) -> str:
    """What of a text is the same in the catalogue and on the page: in Chinese the Chinese characters, since English
    names follow the terms there."""
    return re.sub(r"[^\u4e00-\u9fff]", "", said) if language == "zh" else said


def test_there_are_twelve_questions():
    assert len(ANSWERS) == 12


@pytest.mark.slow
@pytest.mark.parametrize("language", text.languages())
@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_shows_its_answers(open_page, scene: str, language: str):
    page, show = scene.split("/")
    address = dict(part.split("=") for part in f"show={show}&lang={language}".split("&"))
    app = open_page(page, predictions="false", **QUICK.get(page, {}) | address)
    assert not app.exception
    said = comparable(shown(app), language)
    for key in keys(scene):
        parts = [comparable(part, language) for part in re.split(r"%\{[^}]*\}", entry(key, language))]
        assert any(parts) and re.search(".*".join(map(re.escape, parts)), said, re.DOTALL), key
