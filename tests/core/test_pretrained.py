"""The shipped models of images and of captions: made as it is said, whole, and small enough to ship."""

import json
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from core.data.captions import emoji, emoji_in_chinese
from core.data.images import unit
from core.diffusion import samplers
from core.models import clip_queries
from core.models import images as image_model
from core.models import latent as latent_model
from core.models import unclip as unclip_model
from core.models.clip import tokenizer_of
from core.models.clip_queries import recall_at
from core.pretrained import (
    AUTOENCODER_CONFIGS,
    CAPTION_CONFIGS,
    FOLDER,
    IMAGE_CONFIGS,
    LATENT_CONFIGS,
    images_of,
    pretrained,
)

every_model = pytest.mark.parametrize("name", list(IMAGE_CONFIGS))
every_captioned_model = pytest.mark.parametrize("name", list(CAPTION_CONFIGS))


@every_model
def test_a_shipped_image_model_was_made_by_the_plan_that_is_committed(name):
    checkpoint = pretrained(name)
    assert image_model.config_of(checkpoint.config) == IMAGE_CONFIGS[name][1]
    assert checkpoint.state.step == IMAGE_CONFIGS[name][1].steps


@every_model
def test_its_log_reaches_its_last_step(name):
    last = json.loads((FOLDER / name / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == IMAGE_CONFIGS[name][1].steps and last["loss"] < 0.5


@every_model
def test_it_knows_the_classes_of_its_images(name):
    assert pretrained(name).config["data"]["classes"] == list(images_of(name).classes)


@pytest.mark.parametrize("names", [list(IMAGE_CONFIGS), list(CAPTION_CONFIGS)], ids=["images", "captioned"])
def test_the_shipped_models_of_a_kind_together_stay_below_45_megabytes(names):
    files = [path for name in names for path in (FOLDER / name).rglob("*")]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 45 * 2**20


def test_no_shipped_model_names_a_path_of_the_machine_that_made_it():
    for file in FOLDER.glob("*/config.json"):
        source = json.loads(file.read_text()).get("data", {}).get("source", {})
        assert not [value for value in source.values() if isinstance(value, str) and value.startswith(("/", "."))], file


def test_all_that_is_shipped_stays_below_120_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 120 * 2**20


@every_captioned_model
def test_a_shipped_model_of_captions_was_made_by_the_plan_that_is_committed(name):
    checkpoint, plan = pretrained(name), CAPTION_CONFIGS[name]
    part = {"judge": "clip"}.get(name, name.removeprefix("people-"))
    assert type(plan)(**checkpoint.config[part]) == plan
    last = json.loads((FOLDER / name / "log.jsonl").read_text().splitlines()[-1])
    assert checkpoint.state.step == last["step"] == plan.steps


@pytest.mark.parametrize("name", [*AUTOENCODER_CONFIGS, *LATENT_CONFIGS])
def test_an_autoencoder_and_a_model_of_latents_were_made_by_the_plan_that_is_committed(name):
    checkpoint = pretrained(name)
    if name in AUTOENCODER_CONFIGS:
        plan = AUTOENCODER_CONFIGS[name][1].fitted(tuple(checkpoint.config["data"]["shape"]))
        made = latent_model.config_of(checkpoint.config)
    else:
        plan = LATENT_CONFIGS[name][1].fitted(latent_model.space_of(checkpoint).shape)
        made = image_model.config_of(checkpoint.config)
    last = json.loads((FOLDER / name / "log.jsonl").read_text().splitlines()[-1])
    assert made == plan and checkpoint.state.step == last["step"] == plan.steps


@pytest.fixture(scope="module")
def pairs():
    return emoji()


@pytest.fixture(scope="module")
def encoders(pairs):
    clip = pretrained("clip").state.ema
    known = tokenizer_of(pretrained("clip").config)
    return lambda x: clip_queries.image_vectors(clip, x), lambda texts: clip_queries.text_vectors(clip, known, texts)


@pytest.mark.slow
def test_chinese_names_find_their_held_out_emoji(encoders):
    """Of 710, where English names find 54 and 81 %."""
    ranks = clip_queries.held_out_ranks(emoji_in_chinese(), *encoders)
    assert recall_at(ranks, 1) > 0.4 and recall_at(ranks, 10) > 0.7


@pytest.mark.slow
def test_picture_minus_picture_is_the_word_for_what_differs(pairs, encoders):
    asked = partial(clip_queries.mean_over_shifts, encoders[0]), clip_queries.mean_over_captions(pairs, encoders[1])
    right = [place == 0 for _, place in clip_queries.attribute_ranks(pairs, *asked)]
    assert len(right) == 48 and sum(right) >= 45


def test_the_vectors_of_captions_lie_elsewhere_than_those_of_pictures(pairs, encoders):
    """The gap that the prior is there to close."""
    some = pairs.indices(held_out=False)[::20]
    pictures, captions = encoders[0](unit(pairs.images[some])), encoders[1]([pairs.captions[i] for i in some.tolist()])
    apart, by_chance = pictures.mean(0) - captions.mean(0), pictures[::2].mean(0) - pictures[1::2].mean(0)
    assert apart.norm() > 2 * by_chance.norm()


@pytest.fixture(scope="module")
def whole():
    return unclip_model.assemble(*map(pretrained, ("clip", "prior", "decoder")))


@pytest.fixture(scope="module")
def asked(pairs):
    """Forty held-out pictures, by number."""
    part = pairs.indices(held_out=True)
    return part[torch.randperm(len(part), generator=torch.Generator().manual_seed(1))[:40]]


@pytest.mark.slow
def test_the_prior_goes_from_a_caption_to_where_pictures_are(pairs, encoders, whole, asked):
    captions = [pairs.captions[i] for i in asked.tolist()]
    pictures, told = encoders[0](unit(pairs.images)), encoders[1](captions)
    made = F.normalize(samplers.last(unclip_model.sample_prior(whole, captions, scale=2.0)), dim=1)
    assert recall_at(clip_queries.ranks(made @ pictures[asked].T), 1) > 0.6
    nearest = [(vectors @ pictures.T).amax(1).mean() for vectors in (made, told)]
    assert nearest[0] > nearest[1] + 0.05


@pytest.mark.slow
def test_another_clip_recognises_generated_pictures_of_new_combinations(pairs, whole, asked):
    """At least half as often as real pictures, and more often than where the prior is skipped."""
    captions = [pairs.captions[i] for i in asked.tolist()]
    judge, known = pretrained("judge").state.ema, tokenizer_of(pretrained("judge").config)
    told = clip_queries.text_vectors(judge, known, captions)

    def found(x) -> float:
        return recall_at(clip_queries.ranks(clip_queries.image_vectors(judge, x) @ told.T), 1)

    made, skipped = (unclip_model.generate(whole, captions, steps=12, skip_prior=skip) for skip in (False, True))
    assert found(made) >= 0.5 * found(unit(pairs.images[asked])) and found(made) > found(skipped)
