"""Checkpoints: whole or refused. Files come from strangers, crashes come at any moment."""

import io
import json
import math
import os
import pickle
import random
import re
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from core.diffusion.denoiser import Denoiser
from core.diffusion.schedules import log_normal
from core.diffusion.training import TrainConfig, diffusion_batches, diffusion_loss, train
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import (
    PARTS,
    Checkpoint,
    from_bytes,
    from_files,
    load_folder,
    load_run,
    new_checkpoint,
    save_folder,
    to_bytes,
    to_files,
)

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

NETWORK = {"name": "fourier", "dim": 2, "classes": 3, "seed": 1}
CONFIG = {"network": NETWORK, "prediction": "edm", "sigma_data": 0.45, "data": {"name": "spiral", "n": 100}}


def trained(steps: int = 3, **network) -> Checkpoint:
    checkpoint = new_checkpoint({**CONFIG, "network": {**NETWORK, **network}}, TrainConfig(steps=steps))
    x0 = torch.linspace(-1, 1, 16).view(8, 2)
    batches = diffusion_batches(lambda n, generator: (x0[:n], torch.arange(n) % 3), log_normal(), 8, 0)
    for _ in train(diffusion_loss, batches, TrainConfig(steps=steps), checkpoint.state):
        pass
    return checkpoint


CHECKPOINT = trained()
FILES = to_files(CHECKPOINT)
ZIP = to_bytes(CHECKPOINT)


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    assert to_files(one) == to_files(other)


def test_a_checkpoint_of_the_moving_average_alone_samples_as_the_whole_one_did(tmp_path):
    save_folder(CHECKPOINT, tmp_path / "slim", ("ema",))
    assert sorted(path.name for path in (tmp_path / "slim").iterdir()) == ["config.json", "ema.safetensors"]
    slim = load_folder(tmp_path / "slim")
    x, sigma = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)), torch.full((5,), 0.3)
    assert torch.equal(slim.denoiser(x, sigma), CHECKPOINT.denoiser(x, sigma))
    assert slim.config == CHECKPOINT.config and slim.state.step == CHECKPOINT.state.step


def test_in_half_precision_the_moving_average_takes_half_the_room_and_is_loaded_in_single_precision():
    half = to_files(CHECKPOINT, ("ema",), half=True)
    assert len(half["ema.safetensors"]) < 0.55 * len(FILES["ema.safetensors"])
    loaded = from_files(half).denoiser.state_dict()
    for name, weights in CHECKPOINT.denoiser.state_dict().items():
        assert torch.equal(loaded[name], weights.half().float()) and loaded[name].dtype == weights.dtype


def test_training_can_go_on_from_the_moving_average_alone():
    state = from_files(to_files(CHECKPOINT, ("ema",))).state
    batch = torch.ones(8, 2), torch.ones(8), torch.ones(8, 2), None
    after = next(train(diffusion_loss, lambda step: batch, TrainConfig(steps=state.step + 1), state))
    assert after.step == CHECKPOINT.state.step + 1 and math.isfinite(after.loss)


def refusal(open_it, *arguments) -> Problem:
    """The problem that something is refused with; it has a sentence on one line."""
    with pytest.raises(Problem) as refused:
        open_it(*arguments)
    assert re.fullmatch(r"[A-Z][^\n]*\.", str(refused.value)), str(refused.value)
    return refused.value


def with_config(**entries) -> dict[str, bytes]:
    return {**FILES, "config.json": json.dumps({**json.loads(FILES["config.json"]), **entries}).encode()}


def with_tensors(part: str, change) -> dict[str, bytes]:
    name = f"{part}.safetensors"
    return {**FILES, name: save(change(load(FILES[name])))}


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


# There and back


def test_a_folder_and_a_zip_come_back_bit_for_bit(tmp_path):
    save_folder(CHECKPOINT, tmp_path / "run")
    for returned in (load_folder(tmp_path / "run"), from_bytes(ZIP)):
        assert_same(returned, CHECKPOINT)
        assert (returned.state.step, returned.state.loss) == (CHECKPOINT.state.step, CHECKPOINT.state.loss)
        assert returned.config == CHECKPOINT.config


def test_an_untrained_checkpoint_comes_back(tmp_path):
    untrained = new_checkpoint(CONFIG, TrainConfig())
    returned = from_bytes(to_bytes(untrained))
    assert returned.state.step == 0
    assert math.isnan(returned.state.loss)
    assert to_bytes(returned) == to_bytes(untrained)


def test_a_checkpoint_samples_with_its_average():
    assert CHECKPOINT.denoiser is CHECKPOINT.state.ema
    assert isinstance(CHECKPOINT.denoiser, Denoiser)


def test_a_zip_that_a_person_packed_anew_opens():
    assert_same(from_bytes(zipped(FILES, zipfile.ZIP_DEFLATED)), CHECKPOINT)


def test_the_folder_is_three_tensor_files_and_a_readable_config(tmp_path):
    save_folder(CHECKPOINT, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"config.json", "model.safetensors", "ema.safetensors", "optimizer.safetensors"}
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["network"] == NETWORK
    assert config["step"] == 3
    assert config["train"]["lr"] == TrainConfig().lr


# Crashes


def test_saving_replaces_the_older_checkpoint_and_leaves_nothing_beside_it(tmp_path):
    save_folder(trained(1), tmp_path / "run")
    save_folder(CHECKPOINT, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert_same(load_folder(tmp_path / "run"), CHECKPOINT)


@pytest.mark.parametrize("survivors", [0, 1, 3])
def test_nothing_is_lost_when_the_disk_fills_up_while_saving(tmp_path, monkeypatch, survivors):
    save_folder(CHECKPOINT, tmp_path / "run")
    written, write = [], Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if len(written) == survivors:
            raise OSError("No space left on device")
        written.append(path)
        return write(path, content)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Path, "write_bytes", full)
        save_folder(trained(1), tmp_path / "run")
    assert_same(load_folder(tmp_path / "run"), CHECKPOINT)
    save_folder(newer := trained(1), tmp_path / "run")
    assert_same(load_folder(tmp_path / "run"), newer)


def test_every_file_is_on_the_disk_before_the_checkpoint_takes_its_place(tmp_path, monkeypatch):
    events = []
    fsync, rename = os.fsync, Path.rename
    monkeypatch.setattr(
        os, "fsync", lambda handle: (events.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))
    )
    monkeypatch.setattr(Path, "rename", lambda path, to: (events.append("renamed"), rename(path, to))[1])
    save_folder(CHECKPOINT, tmp_path / "run")
    synced = {Path(event).name for event in events[: events.index("renamed")]}
    assert synced == {*FILES, "run.new"} and events[-1] == str(tmp_path)


class Crash(BaseException):
    """The power fails."""


def moments(monkeypatch, crash_at: int) -> None:
    """Let the power fail at the crash_at-th change that saving makes to folders."""
    changes = 0

    def guarded(change):
        def guard(*arguments, **options):
            nonlocal changes
            changes += 1
            if changes == crash_at:
                raise Crash
            return change(*arguments, **options)

        return guard

    monkeypatch.setattr(checkpoints.shutil, "rmtree", guarded(checkpoints.shutil.rmtree))
    monkeypatch.setattr(Path, "rename", guarded(Path.rename))


@pytest.mark.parametrize("second", range(1, 7))
@pytest.mark.parametrize("first", range(1, 6))
def test_one_whole_checkpoint_is_left_wherever_two_savings_crash(tmp_path, monkeypatch, first, second):
    older, newer = CHECKPOINT, trained(1)
    save_folder(older, tmp_path / "run")
    for crash_at in (first, second):
        with monkeypatch.context() as patch:
            moments(patch, crash_at)
            with suppress(Crash):
                save_folder(newer, tmp_path / "run")
        assert load_folder(tmp_path / "run").state.step in (older.state.step, newer.state.step)
    save_folder(newer, tmp_path / "run")
    assert_same(load_folder(tmp_path / "run"), newer)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_no_checkpoint_at_all_is_said_so(tmp_path, refused):
    with refused("no_checkpoint", folder=str(tmp_path / "run")):
        load_folder(tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        load_folder(tmp_path / "run")


# Damage


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.3, 0.6, 0.9, 0.999, 0.99999])
def test_a_zip_cut_short_anywhere_is_refused(share):
    assert refusal(from_bytes, ZIP[: int(share * len(ZIP))]).code == "checkpoint_no_zip"


@pytest.mark.parametrize("name", list(FILES))
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9999])
def test_a_folder_with_a_file_cut_short_is_refused_by_its_name(tmp_path, name, share):
    save_folder(CHECKPOINT, tmp_path / "run")
    content = FILES[name].rstrip()
    (tmp_path / "run" / name).write_bytes(content[: int(share * len(content))])
    assert name in str(refusal(load_folder, tmp_path / "run"))


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_is_refused_or_harmless_but_never_a_traceback(kind):
    whole, chance = zipped(FILES, kind), random.Random(0)
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(3):
            anywhere, in_the_directory = chance.randrange(len(whole)), len(whole) - 1 - chance.randrange(300)
            damaged[chance.choice([anywhere, in_the_directory])] = chance.randrange(256)
        try:
            assert_same(from_bytes(bytes(damaged)), CHECKPOINT)
        except ValueError as error:
            assert re.fullmatch(r"[A-Z][^\n]*\.", str(error))


@pytest.mark.parametrize("name", list(FILES))
def test_a_missing_file_is_named(name):
    assert name in refusal(from_files, {k: v for k, v in FILES.items() if k != name}).values["missing"]


@pytest.mark.parametrize("content", [b"", b"PK", b"hello, I am a text", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(1000)])
def test_something_else_altogether_is_refused(content):
    assert refusal(from_bytes, content).code == "checkpoint_no_zip"


def test_an_empty_zip_is_refused():
    assert "config.json" in refusal(from_bytes, zipped({})).values["missing"]


# Strangers


class Payload:
    """What a hostile pickle holds: opening it makes a folder."""

    def __init__(self, flag: Path):
        self.flag = flag

    def __reduce__(self):
        return Path.mkdir, (self.flag,)


def disguises(flag: Path) -> dict[str, bytes]:
    """The payload as everything that torch.save and pickle have ever written, and inside a checkpoint of ours."""
    new, old = io.BytesIO(), io.BytesIO()
    torch.save(Payload(flag), new)
    torch.save(Payload(flag), old, _use_new_zipfile_serialization=False)
    plain = {f"pickle {protocol}": pickle.dumps(Payload(flag), protocol) for protocol in range(6)}
    return {"torch": new.getvalue(), "legacy torch": old.getvalue(), **plain}


DISGUISES = list(disguises(Path("flag")))


@pytest.mark.parametrize("kind", DISGUISES)
def test_a_pickle_in_disguise_is_refused_and_never_opened(kind, tmp_path):
    content = disguises(tmp_path / "flag")[kind]
    code = refusal(from_bytes, content).code
    assert code == "checkpoint_pickle" or kind in ("pickle 0", "pickle 1")  # these two begin like a text
    for part in FILES:
        refusal(from_bytes, zipped({**FILES, part: content}))
        save_folder(CHECKPOINT, tmp_path / "run")
        (tmp_path / "run" / part).write_bytes(content)
        refusal(load_folder, tmp_path / "run")
    assert not (tmp_path / "flag").exists()


def test_the_payload_of_these_tests_is_live(tmp_path):
    pickle.loads(disguises(tmp_path / "flag")["pickle 4"])
    assert (tmp_path / "flag").exists()


def test_a_zip_that_unpacks_to_gigabytes_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(checkpoints.limits, "UPLOAD_MB", 1)
    bomb = zipped({**FILES, "config.json": bytes(2**21)}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    assert refusal(from_bytes, bomb).code == "checkpoint_zip_size"


@pytest.mark.parametrize("folder", ["checkpoint/", "my run/checkpoint/", "run\\checkpoint\\"])
def test_a_zip_of_the_folder_around_a_checkpoint_opens_without_what_lies_beside_it(folder):
    beside = {"run/metrics.jsonl": b"", "__MACOSX/config.json": b"", f"{folder}.DS_Store": b"", "readme.txt": b"hello"}
    packed = {**beside, **{f"{folder}{name}": content for name, content in FILES.items()}}
    assert_same(from_bytes(zipped(packed)), CHECKPOINT)


def test_a_run_is_found_by_its_folder_its_checkpoint_any_file_of_that_and_a_zip(tmp_path):
    save_folder(CHECKPOINT, tmp_path / "checkpoint")
    (tmp_path / "model.zip").write_bytes(ZIP)
    for name in ("", "checkpoint", "checkpoint/config.json", "checkpoint/ema.safetensors", "model.zip"):
        assert_same(load_run(tmp_path / name), CHECKPOINT)


def test_a_size_that_a_zip_lies_about_is_found_out():
    lying = zipped({**FILES, "model.safetensors": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    lying = lying.replace((2**20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert refusal(from_bytes, lying).code == "checkpoint_no_zip"


def test_a_config_of_megabytes_is_not_parsed(monkeypatch):
    monkeypatch.setattr(checkpoints.limits, "CONFIG_MB", 0.001)
    assert refusal(from_files, {**FILES, "config.json": b"[" * 1001}).code == "checkpoint_config_size"


@pytest.mark.parametrize("change", [{"name": "plain"}, {"dim": 3}, {"classes": 0}], ids=str)
def test_weights_of_another_network_are_refused(change):
    assert refusal(from_files, with_config(network={**NETWORK, **change})).code == "checkpoint_weights_misfit"


def test_no_memory_is_taken_for_a_network_that_is_described_but_not_there(monkeypatch):
    large = {"name": "unet", "side": 32, "width": 256, "multipliers": [1, 2, 3], "blocks": 1}
    monkeypatch.setattr(checkpoints, "new_state", lambda *_: pytest.fail("it was built"))
    to_empty, devices = torch.nn.Module.to_empty, []

    def counted(module, *, device):
        devices.append(torch.device(device).type)
        return to_empty(module, device=device)

    monkeypatch.setattr(torch.nn.Module, "to_empty", counted)
    assert refusal(from_files, with_config(network=large)).code == "checkpoint_weights_misfit"
    assert set(devices) == {"meta"}


TRAIN = json.loads(FILES["config.json"])["train"]
ABSURD = [
    *({"network": {**NETWORK, "dim": dim}} for dim in (10**9, 10**30, 0, -1, 2.5, "2", None, [2])),
    *({"network": {**NETWORK, "classes": classes}} for classes in (10**9, -1, "many")),
    *({"network": {**NETWORK, "seed": seed}} for seed in ("0", 0.5, None)),
    *({"network": network} for network in (None, [], "fourier", {}, {"name": ["fourier"]}, {**NETWORK, "depth": 3})),
    *({"prediction": prediction} for prediction in (None, "z", ["edm"], 5)),
    *({"sigma_data": value} for value in (None, "wide", 0, -1, math.nan, math.inf, 10**400, [0.45])),
    *({"step": step} for step in (None, "three", -9, math.inf, math.nan, [3])),
    *({"loss": loss} for loss in (None, "low", [1.0])),
    *({"train": train} for train in (None, [], {}, {**TRAIN, "momentum": 1})),
    *({"train": {**TRAIN, "betas": betas}} for betas in (None, [], [0.9], [0.9, 0.99, 0.999], ["a", "b"], [0.9, 2])),
    *({"train": {**TRAIN, "lr": lr}} for lr in (None, "fast", -1, 0, math.nan, math.inf)),
    *({"train": {**TRAIN, name: "x"}} for name in ("steps", "warmup", "weight_decay", "ema", "backup_every")),
    {"train": {**TRAIN, "backup_every": 0}},
]


@pytest.mark.parametrize("entries", ABSURD, ids=lambda entries: json.dumps(entries)[:60])
def test_an_absurd_config_is_refused_before_anything_is_built_from_it(entries):
    assert refusal(from_files, with_config(**entries)).code == "checkpoint_config"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"5", b'"text"', b"\xff", b"[" * 100_000, b"9" * 5000])
def test_a_config_that_is_no_config_is_refused(content):
    assert refusal(from_files, {**FILES, "config.json": content}).code == "checkpoint_config"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(part, value):
    def poison(tensors):
        max(tensors.values(), key=torch.numel).view(-1)[-1] = value
        return tensors

    assert refusal(from_files, with_tensors(part, poison)).code.endswith("_infinite")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int32, torch.float8_e4m3fn, torch.complex64])
def test_numbers_of_another_kind_are_refused(part, dtype):
    cast = with_tensors(part, lambda tensors: {k: v.to(dtype) for k, v in tensors.items()})
    assert refusal(from_files, cast).code.endswith("_misfit")


@pytest.mark.parametrize("part", PARTS)
def test_tensors_that_are_missing_or_too_many_are_refused(part):
    def without(tensors):
        return dict(list(tensors.items())[1:])

    def with_more(tensors):
        return {**tensors, "²": torch.zeros(1)}

    for change in (without, with_more):
        assert refusal(from_files, with_tensors(part, change)).code.endswith("_misfit")


def test_a_parameter_that_never_had_a_gradient_has_no_moments():
    some = with_tensors("optimizer", lambda tensors: {k: v for k, v in tensors.items() if not k.startswith("0.")})
    state = from_files(some).state.optimizer.state_dict()["state"]
    assert 0 not in state
    assert set(state[1]) == {"step", "exp_avg", "exp_avg_sq"}


PALETTE = {
    "network": {"name": "unet", "side": 8, "channels": 3, "seed": 0, "width": 8, "multipliers": [1], "colours": 2},
    "prediction": "edm",
    "sigma_data": 0.5,
    "palette": [[0, 0, 0], [255, 128, 0]],
}


def test_a_model_that_knows_its_colours_comes_back():
    saved = new_checkpoint(PALETTE, TrainConfig())
    loaded = from_files(to_files(saved))
    x, sigma = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0.1, 1.0])
    assert torch.equal(loaded.denoiser(x, sigma), saved.denoiser(x, sigma))


@pytest.mark.parametrize(
    "palette", [None, [], [[0, 0, 0]], [[0, 0], [1, 1]], [[0, 0, 0], [0, 0, 256]], [[0.5] * 3] * 2]
)
def test_a_palette_that_does_not_fit_its_network_is_refused(palette):
    files = to_files(new_checkpoint(PALETTE, TrainConfig()))
    config = json.dumps({**json.loads(files["config.json"]), "palette": palette}).encode()
    problem = refusal(from_files, {**files, "config.json": config})
    assert problem.code == "checkpoint_config" and problem.values["reason"].code == "config_palette"
