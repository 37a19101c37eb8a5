"""Runs on a server's disk: what is written is read again bit for bit, and nothing stays for ever."""

import os
import time
import zipfile
from dataclasses import asdict

import pytest
import torch

from core.data.points import make_points
from core.models import points as point_model
from core.models.points import PointConfig
from core.problems import Problem
from core.runs import live_runs
from core.runs.jobs import Standing
from core.runs.live_runs import LiveRun
from core.runs.progress import Progress, resume

CONFIG, POINTS = PointConfig(steps=40, batch=16), make_points("spiral", 20)
NAME = "a" * 22


def trained(progress: Progress, steps: int) -> Progress:
    for _ in zip(range(steps), point_model.run(CONFIG, POINTS, progress)):
        pass
    return progress


def live_run(progress: Progress, name: str = NAME) -> LiveRun:
    checkpoint = point_model.checkpoint_of(progress, CONFIG, POINTS)
    standing = Standing(name, progress.state.step, 1.5, {"lr": CONFIG.lr})
    return LiveRun(standing, "key", asdict(CONFIG), checkpoint)


@pytest.fixture
def fresh() -> Progress:
    return Progress(point_model.new_checkpoint(CONFIG, POINTS).state)


def test_a_run_goes_on_from_the_disk_bit_for_bit(fresh, tmp_path):
    live_runs.save(tmp_path, live_run(trained(fresh, 7)))
    found = live_runs.load(tmp_path, NAME)
    assert found.standing == live_runs.head(tmp_path, NAME).standing == Standing(NAME, 7, 1.5, {"lr": CONFIG.lr})
    assert PointConfig(**found.config) == CONFIG and found.key == "key"
    again, whole = trained(resume(found.checkpoint), 6), trained(fresh, 6)
    for one, other in zip(again.state.ema.parameters(), whole.state.ema.parameters(), strict=True):
        assert torch.equal(one, other)
    assert again.losses + again.block == pytest.approx(whole.losses + whole.block, abs=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.zip"]


def test_what_a_full_disk_took_of_a_run_is_deleted_again_and_what_was_saved_stays(fresh, tmp_path, full_disk):
    (tmp_path / f"{NAME}.zip").touch()
    with pytest.raises(OSError):
        live_runs.save(tmp_path, live_run(fresh))
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.zip"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None], ids=["empty", "torn", "of another run"])
def test_a_damaged_or_foreign_file_is_named_so_and_offered_nowhere(fresh, tmp_path, content):
    live_runs.save(tmp_path, live_run(fresh))
    other = "b" * 22
    (tmp_path / f"{other}.zip").write_bytes(content if content is not None else (tmp_path / f"{NAME}.zip").read_bytes())
    assert live_runs.head(tmp_path, other) is None
    with pytest.raises(Problem) as refused:
        live_runs.load(tmp_path, other)
    assert refused.value.code == "live_run_damaged"


@pytest.mark.parametrize("name", ["", "..", f"../{NAME}", NAME[1:], f"{NAME}\n", "\0" * 22])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    (tmp_path / "inside").mkdir()
    zipfile.ZipFile(tmp_path / f"{NAME}.zip", "w").close()
    live_runs.delete(tmp_path / "inside", name)
    assert not live_runs.is_kept(tmp_path / "inside", name) and (tmp_path / f"{NAME}.zip").exists()


def test_what_is_a_day_old_is_gone_and_of_too_much_the_oldest_goes(tmp_path, monkeypatch):
    now = time.time()
    for age, name in enumerate("abcd"):
        path = tmp_path / f"{name * 22}.zip"
        path.write_bytes(b"." * 100)
        os.utime(path, (now - age, now - age))
    os.utime(tmp_path / f"{'a' * 22}.zip", (now - 2 * live_runs.DAY,) * 2)
    assert not live_runs.is_kept(tmp_path, NAME)

    def left() -> list[str]:
        live_runs.sweep(tmp_path)
        return sorted(path.name[0] for path in tmp_path.iterdir())

    assert left() == ["b", "c", "d"]
    monkeypatch.setattr(live_runs, "ROOM", 250)
    assert left() == ["b", "c"]
    monkeypatch.setattr(live_runs, "MOST", 1)
    assert left() == ["b"]
