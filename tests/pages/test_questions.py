"""Twelve questions that the pages alone must answer: for each the sentences that answer it, and the scene that shows
them."""

import re

import pytest

from pages.ui.frame import text
from tests.pages import reading_ease as reading

QUICK = {"unclip": {"steps": "2", "n": "1"}, "image_models": {"steps": "4", "n": "1"}}
ANSWERS: dict[str, tuple[str, ...]] = {
    "1 What does CLIP's training raise and lower, what is on the diagonal?": (),
    "2 Why is hat minus no hat the word hat; can CLIP draw?": (),
    "3 Why is an image a point, what is noise there?": (
        "forward_noise.two_pixels.how",
        "forward_noise.two_pixels.notes.1.text",
    ),
    "4 What exactly does the network predict, why not the last step's noise, why an average?": (),
    "5 How does the field differ with sigma?": (),
    "6 What does DDPM do?": (),
    "7 What if the noise is left out; in images; do more steps help?": (),
    "8 Why must noise be added; what is Gaussian?": (),
    "9 SDE and ODE; DDIM's step; why fewer?": (),
    "10 What are unCLIP's stages; what is the prior for?": (),
    "11 When is conditional sampling mushy, when not?": (
        "guidance.weak_and_converged.notes.0.text",
        "guidance.weak_and_converged.notes.2.text",
    ),
    "12 What is guidance; when do the fields agree; what is a negative prompt; what does WAN do?": (
        "guidance.one_place.how",
        "guidance.two_fields.notes.0.text",
        "guidance.negative_prompt.how",
        "guidance.negative_prompt.notes.2.text",
    ),
}
KEYS = [key for keys in ANSWERS.values() for key in keys]


def entry(key: str, language: str) -> str:
    """The text at a key, whose numbers are places in a list."""
    found = text.catalogue(language)
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def shown(app) -> str:
    """What an app shows as Markdown, without markup and without the glossary's entries."""
    said = " ".join(part.value for part in app.markdown)
    said = re.sub(r'<span class="entry".*?</span>', "", said, flags=re.DOTALL)
    return re.sub(r"<[^<>]*>", "", said)


def test_every_question_has_an_answer_in_a_sentence():
    assert all(ANSWERS.values())
    for key in KEYS:
        assert reading.sentences(entry(key, "en"))


@pytest.mark.parametrize("language", text.languages())
def test_every_answer_is_there_in_every_language(language: str):
    assert all(entry(key, language) for key in KEYS)


@pytest.mark.slow
@pytest.mark.parametrize("page, scene", sorted({tuple(key.split(".")[:2]) for key in KEYS}))
def test_a_scene_shows_its_answers(open_page, page: str, scene: str):
    app = open_page(page, predictions="false", show=scene, **QUICK.get(page, {}))
    assert not app.exception
    said = shown(app)
    for key in KEYS:
        if key.startswith(f"{page}.{scene}."):
            parts = re.split(r"%\{[^}]*\}", entry(key, "en"))
            assert re.search(".*".join(map(re.escape, parts)), said, re.DOTALL), key
