"""Image models: the same run by one process, by many, and after a stop; samples that follow from a seed."""

from dataclasses import replace

import pytest
import torch

from core.data.images import load
from core.diffusion import samplers
from core.diffusion.denoiser import Denoiser
from core.diffusion.exact import EmpiricalDenoiser
from core.models import images as image_model
from core.models.images import ImageConfig
from core.problems import Problem
from core.runs.checkpoints import to_files
from core.runs.distributed import Team, losses

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

CONFIG = ImageConfig(network="fourier", batch=16, steps=6, warmup=2)
DIGITS = load("digits")


def trained(config: ImageConfig = CONFIG, steps: int | None = None, checkpoint=None, **told):
    """A checkpoint after so many steps, or at the plan's end."""
    checkpoint = checkpoint or image_model.new_checkpoint(config, DIGITS)
    for state in image_model.run(config, DIGITS, checkpoint.state, **told):
        if state.step == steps:
            break
    return checkpoint


def test_a_run_is_the_same_twice_and_after_a_stop():
    whole, halves = trained(), trained(steps=3)
    assert to_files(trained(checkpoint=halves)) == to_files(whole) == to_files(trained())


def test_shares_of_a_batch_are_the_batch():
    whole = image_model.batches(CONFIG, DIGITS)(4)
    shares = [image_model.batches(CONFIG, DIGITS, Team(rank, 2))(4) for rank in range(2)]
    for part in range(3):
        assert torch.equal(torch.stack([share[part] for share in shares], 1).flatten(0, 1), whole[part])
    labels = [share[3]["label"] for share in shares]
    assert torch.equal(torch.stack(labels, 1).flatten(), whole[3]["label"])


def test_a_batch_that_has_no_even_shares_is_refused_with_a_sentence(refused):
    with refused("batch_shares", multiple=6):
        next(image_model.run(CONFIG, DIGITS, image_model.new_checkpoint(CONFIG, DIGITS).state, Team(0, 6)))


@pytest.mark.parametrize("wrong", [{"size": "huge"}, {"network": "magic"}])
def test_a_network_that_there_is_not_is_named(wrong, refused):
    with refused("setting_type", **{"name": next(iter(wrong))}):
        image_model.new_checkpoint(replace(CONFIG, **wrong), DIGITS)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"steps": "many"}, "setting_type"),
        ({"steps": True}, "setting_type"),
        ({"lr": None}, "setting_type"),
        ({"flip": 1}, "setting_type"),
        ({"size": ["small"]}, "setting_type"),
        ({"batch": 0}, "train_setting"),
        ({"steps": 0}, "train_setting"),
        ({"std": 0.0}, "train_setting"),
        ({"mean": float("nan")}, "train_setting"),
        ({"label_dropout": 1.5}, "train_setting"),
    ],
)
def test_a_configuration_that_no_run_can_have_is_refused(wrong, code, refused):
    with refused(code, name=next(iter(wrong))):
        next(image_model.run(replace(CONFIG, **wrong), DIGITS, image_model.new_checkpoint(CONFIG, DIGITS).state))


@pytest.mark.parametrize("network", ["fourier", "unet", "dit"])
def test_images_need_not_be_square(network):
    oblong = replace(DIGITS, images=DIGITS.images[:, :, :6])
    checkpoint = image_model.new_checkpoint(
        replace(CONFIG, network=network, size="tiny" if network != "fourier" else "small"), oblong
    )
    next(image_model.run(CONFIG, oblong, checkpoint.state))
    assert image_model.shape_of(checkpoint.config) == (1, 6, 8)
    assert image_model.sample(checkpoint.denoiser, (1, 6, 8), [3], steps=1).shape == (1, 1, 6, 8)


def test_a_run_goes_on_by_another_plan_but_not_with_another_network_or_other_images(refused):
    begun = trained(steps=2)
    slower = image_model.resume(begun, replace(CONFIG, lr=1e-5, steps=9), DIGITS)
    assert image_model.config_of(slower.config) == replace(CONFIG, lr=1e-5, steps=9) and slower.state is begun.state
    assert (slower.config["train"]["lr"], slower.config["train"]["steps"]) == (1e-5, 9)
    for config in (replace(CONFIG, network="plain"), replace(CONFIG, prediction="eps"), replace(CONFIG, seed=1)):
        with refused("resume_other_network"):
            image_model.resume(begun, config, DIGITS)
    with refused("resume_other_data", name="digits"):
        image_model.resume(begun, CONFIG, replace(DIGITS, images=DIGITS.images[:9], labels=DIGITS.labels[:9]))


def test_bfloat16_computes_the_same_loss_to_its_precision_and_leaves_the_weights_single():
    losses = []
    for bf16 in (False, True):
        state = trained(replace(CONFIG, network="unet", size="tiny"), steps=3, team=Team(bf16=bf16)).state
        assert all(weight.dtype == torch.float32 for weight in state.model.parameters())
        losses.append(state.loss)
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.01)


def test_the_loss_is_sorted_by_noise_level():
    seen = losses()
    seen.add(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0.01, 0.02, 7.0]))
    assert seen.read() == {"0": 2.0, "3": 5.0} and seen.read() == {}


def test_the_loss_by_noise_level_is_that_of_all_processes_together():
    mine, theirs = losses(), losses()
    mine.add(torch.tensor([1.0]), torch.tensor([0.01])), theirs.add(torch.tensor([4.0, 7.0]), torch.tensor([0.01, 7.0]))

    class Two(Team):
        def average_(self, tensors):
            for tensor, other in zip(tensors, (theirs.total, theirs.count), strict=True):
                tensor.add_(other).div_(2)

    assert mine.read(Two()) == {"0": 2.5, "3": 7.0}


def test_a_run_notes_the_loss_of_every_noise_level():
    seen = losses()
    state = trained(steps=2, losses=seen).state
    line = image_model.log_entry(state, CONFIG, seen, 12.34)
    assert line["step"] == 2 and line["images_per_second"] == 12.3
    assert sum(line["loss_by_sigma"].values()) > 1 and len(line["loss_by_sigma"]) > 3


def test_a_checkpoint_knows_its_plan_and_its_shape():
    config = image_model.new_checkpoint(CONFIG, DIGITS).config
    assert image_model.config_of(config) == CONFIG and image_model.shape_of(config) == (1, 8, 8)
    for read in (image_model.config_of, image_model.shape_of):
        with pytest.raises(Problem):
            read({"recipe": {}})


@pytest.mark.parametrize(
    "absurd",
    [
        {"shape": [1, 8, 10**6]},
        {"shape": ["8"]},
        {"shape": []},
        {"shape": 8},
        {"classes": ["a"]},
        {"classes": 5},
        {"classes": [1] * 10},
    ],
)
def test_a_checkpoint_that_says_of_its_data_what_cannot_be_is_refused(absurd, refused):
    config = image_model.new_checkpoint(CONFIG, DIGITS).config
    with refused("checkpoint_no_image_model"):
        image_model.shape_of({**config, "data": {**config["data"], **absurd}})


def test_sample_k_of_a_seed_is_the_same_however_many_are_drawn():
    model = trained().denoiser
    few, many = (image_model.sample(model, (1, 8, 8), [3, None, 5, 1][:n], 2.0, steps=3) for n in (2, 4))
    assert torch.allclose(few, many[:2], atol=1e-5)


@pytest.mark.parametrize("sampler", list(samplers.SAMPLERS))
def test_every_sampler_brings_an_ideal_denoiser_home(sampler):
    class Home(Denoiser):
        def forward(self, x, sigma, cond=None):
            return torch.full_like(x, 0.25)

    home = Home(torch.nn.Linear(1, 1, device="meta"), "edm", 0.5)
    home.net = trained(steps=1).denoiser.net
    assert torch.allclose(image_model.sample(home, (1, 8, 8), [None] * 2, sampler=sampler, steps=4), torch.tensor(0.25))


def test_without_its_noise_ddpm_ends_near_the_mean_of_the_data():
    class Exact(Denoiser):
        def forward(self, x, sigma, cond=None):
            return exact(x, sigma)

    data = DIGITS.sample(50, torch.Generator().manual_seed(0), flip=False)[0]
    exact = EmpiricalDenoiser(data)
    model = Exact(trained(steps=1).denoiser.net, "edm", DIGITS.rms)
    spread = {
        way: image_model.sample(model, (1, 8, 8), [None] * 32, sampler=way, steps=32).std(0).mean().item()
        for way in ("ddpm", "ddim", "ddpm_no_noise")
    }
    assert spread["ddpm_no_noise"] < 0.5 * min(spread["ddpm"], spread["ddim"])


def test_who_watches_sees_every_step():
    seen = []

    def watch(steps):
        for step in steps:
            seen.append(step.i)
            yield step

    image_model.sample(trained(steps=1).denoiser, (1, 8, 8), [None], steps=4, watch=watch)
    assert seen == [0, 1, 2, 3]


def test_a_sheet_shows_the_images_in_rows():
    x = torch.stack([torch.full((1, 2, 2), value) for value in (-1.0, 0.0, 1.0)])
    sheet = image_model.sheet(x, columns=2)[..., 0]
    assert sheet.tolist() == [
        [0, 0, 255, 128, 128],
        [0, 0, 255, 128, 128],
        [255] * 5,
        [255] * 5,
        [255] * 5,
    ]
