"""The whole command line on a pretended graphics card: every tensor is made where it is needed."""

from functools import partial

import pytest

from core.cli import captions as cli_captions
from core.cli.commands import main
from core.models import image_judge, live_digits
from core.models import images as image_model
from core.models import unclip as unclip_model
from core.models.images import ImageConfig
from core.runs import distributed
from core.runs.distributed import Team, losses
from tests.core.cli.test_captions import CLIP, HALF, data, of
from tests.core.cli.test_images import config, metrics
from tests.fake_card import CARD

pytestmark = [pytest.mark.usefixtures("card"), pytest.mark.slow]
TINY = ["--network", "unet", "--size", "tiny", "--batch", "4", "--warmup", "1"]


def test_an_image_model_is_trained_resumed_sampled_and_judged_on_the_card(tmp_path, monkeypatch):
    run = str(tmp_path / "run")
    monkeypatch.setattr("core.cli.images.SHEET", 2)
    main(["train", "--out", run, "--steps", "2", *TINY])
    main(["train", "--out", run, "--resume", "--steps", "3", "--accumulate", "2"])
    assert config(tmp_path / "run")["step"] == 3 and sum(metrics(tmp_path / "run")[-1]["loss_by_sigma"].values()) > 0
    main(["sample", "--checkpoint", run, "--out", str(tmp_path / "x"), "--n", "2", "--scale", "2", "--steps", "2"])
    monkeypatch.setattr(image_judge, "classifier", lambda images, steps: image_judge.Classifier(1, 10))
    main(["evaluate", "--checkpoint", run, "--n", "20", "--steps", "1", "--sampler", "ddpm"])
    main(["info", "--checkpoint", run])


def test_clip_prior_and_decoder_are_trained_resumed_and_used_on_the_card(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(cli_captions, "AMONG", 3)
    monkeypatch.setattr(cli_captions, "SHEET", 4)
    monkeypatch.setattr(unclip_model, "sample_decoder", partial(unclip_model.sample_decoder, steps=2))
    for seed, name in enumerate(("clip", "judge")):
        main(["train", "clip", "--out", str(tmp_path / name), *CLIP, "--seed", str(seed), *data(folder)])
    main(["train", "clip", "--out", str(tmp_path / "clip"), "--resume", "--steps", "4"])
    for part, more in {"prior": [], "decoder": ["--size", "tiny"]}.items():
        begin = ["train", part, "--out", str(tmp_path / part)]
        main([*begin, "--encoders", str(tmp_path / "clip"), *HALF, *more, *data(folder)])
        main([*begin, "--resume", "--steps", "3"])
        assert config(tmp_path / part)["step"] == 3
    assert (tmp_path / "decoder" / "samples-000003.png").exists()
    parts = of(tmp_path, "encoders", "prior", "decoder")
    main(["sample", "unclip", "--caption", "shade1 top", "--negative", "left", "--n", "2", "--steps", "2",
          "--out", str(tmp_path / "x"), *parts])  # fmt: skip
    main(["evaluate", "unclip", *parts, *of(tmp_path, "judge"), "--steps", "1", *data(folder)])


def test_the_whole_memory_of_the_optimizer_moves_with_the_model():
    """A fused AdamW takes its step counter from the card, too."""
    settings = ImageConfig(network="fourier", batch=4, steps=3)
    checkpoint = image_model.new_checkpoint(settings, live_digits.images())
    next(image_model.run(settings, live_digits.images(), checkpoint.state))
    image_model.move(checkpoint.state, CARD)
    for memory in checkpoint.state.optimizer.state.values():
        assert {name: value.device.type for name, value in memory.items()} == dict.fromkeys(memory, CARD.type)


def test_the_loss_by_noise_level_is_made_on_the_device_of_the_team():
    team = Team(device=distributed.device())
    seen = losses(team.device)
    assert seen.total.device == seen.count.device == CARD and seen.read(team) == {}
