"""``python -m core train autoencoder | latent`` and ``sample latent``: runs in folders, and what wrong input says."""

import shutil

import numpy as np
import pytest

from core.__main__ import main
from core.models import latent as model
from core.models.model import open_checkpoint
from core.runs.checkpoints import load_folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An autoencoder of digits and a diffusion model of its latents, a few steps each."""
    folder = tmp_path_factory.mktemp("runs")
    main(["train", "autoencoder", "--out", str(folder / "plane"), *"--steps 6 --batch 16 --width 16 --kl 0.3".split()])
    latent = ["train", "latent", "--out", str(folder / "latent"), "--autoencoder", str(folder / "plane")]
    main([*latent, "--steps", "4", "--batch", "16"])
    return folder


def test_training_leaves_a_run_with_its_sheet(runs):
    assert {path.name for path in (runs / "plane").iterdir()} >= {"checkpoint", "metrics.jsonl", "samples-000006.png"}
    stored = load_folder(runs / "plane" / "checkpoint").config
    assert stored["autoencoder"]["kl"] == 0.3 and stored["network"]["latent"] == [2]
    assert model.is_latent(open_checkpoint(runs / "latent").config) and (runs / "latent/samples-000004.png").exists()


def test_a_run_goes_on_with_its_own_settings(runs, tmp_path):
    main(["train", "latent", "--out", str(runs / "latent"), "--resume", "--steps", "6"])
    assert load_folder(runs / "latent" / "checkpoint").state.step == 6
    copy = shutil.copytree(runs / "plane", tmp_path / "plane")
    main(["train", "autoencoder", "--out", str(copy), "--resume", "--steps", "8"])
    assert load_folder(copy / "checkpoint").config["autoencoder"]["kl"] == 0.3


def test_samples_are_latents_and_what_they_decode_to(runs, tmp_path):
    out = tmp_path / "drawn"
    given = "--n 4 --steps 3 --classes 7 1".split()
    main(["sample", "latent", "--checkpoint", str(runs / "latent"), "--out", str(out), *given])
    with np.load(f"{out}.npz") as arrays:
        assert arrays["latents"].shape == (4, 2) and arrays["images"].shape == (4, 1, 8, 8)
    assert out.with_suffix(".png").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("train autoencoder --out OUT --kl -1", "kl_weight"),
        ("train autoencoder --out OUT --kl nan", "kl_weight"),
        ("train autoencoder --out OUT --data digits --side 10", "autoencoder_side"),
        ("train autoencoder --out OUT --data nothing-there", "unknown_images"),
        ("train latent --out OUT --autoencoder digits", "autoencoder_other_model"),
        ("train latent --out OUT --autoencoder nothing-there", "no_model"),
        ("sample latent --checkpoint digits --out OUT", "checkpoint_no_latents"),
        ("sample latent --checkpoint LATENT --autoencoder OTHER --out OUT", "autoencoder_other"),
        ("evaluate latent --digits LATENT --people fashion", "checkpoint_no_latents"),
        ("evaluate latent --n 1", "flag_samples"),
    ],
)
def test_what_cannot_be_done_ends_as_a_sentence(arguments, code, runs, tmp_path, ends):
    if "OTHER" in arguments:
        main(["train", "autoencoder", "--out", str(tmp_path / "other"), *"--steps 2 --batch 8 --width 16".split()])
    places = {"OUT": tmp_path / "out", "LATENT": runs / "latent", "OTHER": tmp_path / "other"}
    with ends(code):
        main([str(places.get(word, word)) for word in arguments.split()])
