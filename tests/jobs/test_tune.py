"""A search on Ray: trials that end early, fail, are killed, and what becomes of its result."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
import tensorflow as tf
import yaml

from jobs.command import _status
from jobs.follow_trials import FollowTrials
from jobs.tpe import NumberedTpe
from jobs.trial import _rows_before
from jobs.tune import _see_same_grid
from lungseg.errors import UserError
from lungseg.resolve import resolve
from lungseg.search import trials
from lungseg.search.trials import Trial
from lungseg.training.history import read_history

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

SMALL = ["--set", "data.size=32", "--set", "network.widths=[4,8,16]", "--set", "train.batch_size=4"]


@pytest.fixture
def without_test(tiny_shards: str, tmp_path: Path) -> str:
    """The tiny shards without their test split, which a search must not need."""
    folder = tmp_path / "shards"
    shutil.copytree(tiny_shards, folder)
    shutil.rmtree(folder / "test")
    return str(folder)


def tune(shards: str, out: Path, *more: str) -> list[str]:
    return ["tune", "--shards", shards, "--model", "unet", "--out", str(out), *SMALL, *more]


def rows(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "unet" / "trials.csv").read_text().splitlines()))


def wait_for_free_cluster() -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        free, there = ray.available_resources(), ray.cluster_resources()
        if all(free.get(name, 0) == there[name] for name in ("CPU",)):
            return
        time.sleep(0.2)
    raise AssertionError(f"{ray.available_resources()} of {ray.cluster_resources()}")


def test_trials_end_early_and_the_result_is_used(
    without_test: str, tiny_shards: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "search"
    request = tune(without_test, out, "--trials", "5", "--epochs", "7")
    assert _status(request) == 0
    wait_for_free_cluster()
    table = rows(out)
    assert [int(row["trial"]) for row in table] == list(range(5))
    assert table[0]["train.learning_rate"] == "0.002"
    ends = [row["ended"] for row in table]
    assert ends[0] == trials.ALL_EPOCHS
    assert trials.STOPPED in ends
    assert all(int(row["epochs"]) < 7 for row in table if row["ended"] == trials.STOPPED)
    best = max(table, key=lambda row: float(row["best_val_dice"]))
    found = yaml.safe_load((out / "unet" / "best.yaml").read_text())
    assert found == {"train": {"learning_rate": float(best["train.learning_rate"])}}
    figures = {path.name for path in (out / "unet" / "figures").iterdir()}
    assert figures == {"curves.png", "learning_rate.png"}
    # The same again does nothing; a longer one goes on; another one is refused.
    capsys.readouterr()
    before = (out / "unet" / "trials" / "001" / "history.csv").stat().st_mtime_ns
    assert _status(request) == 0
    assert "searched before" in capsys.readouterr().out
    assert _status(tune(without_test, out, "--trials", "6", "--epochs", "7")) == 0
    assert [row["epochs"] for row in rows(out)[:5]] == [row["epochs"] for row in table]
    assert (out / "unet" / "trials" / "001" / "history.csv").stat().st_mtime_ns == before
    assert _status(tune(without_test, out, "--trials", "5", "--epochs", "8")) == 2
    assert "train.epochs 7 → 8" in capsys.readouterr().err
    (kept,) = (out / "unet" / "trials").glob("*/checkpoints")
    assert kept.parent.name == f"{int(best['trial']):03d}"
    # Training takes the result.
    train = ["train", "--shards", tiny_shards, "--model", "unet", *SMALL, "--epochs", "1"]
    train += ["--search", str(out)]
    assert _status([*train, "--out", str(tmp_path / "model")]) == 0
    (row,) = read_history(str(tmp_path / "model" / "history.csv"))
    taken = yaml.safe_load((out / "unet" / "best.yaml").read_text())["train"]["learning_rate"]
    assert row["learning_rate"] == pytest.approx(taken)


def test_an_ended_trial_tells_a_row_at_least(tmp_path: Path) -> None:
    ended = Trial(0, {}, trials.FAILED, "no number")
    (row,) = _rows_before(ended, str(tmp_path))
    assert row["epoch"] == 0
    assert _rows_before(Trial(0, {}), str(tmp_path)) == []


def test_a_failed_trial_stops_no_other(
    without_test: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "search"
    wild = "tune.space={train.learning_rate: {choices: [1.0e+30, 0.01]}}"
    plain = ["--set", "network.batch_norm=none", "--set", "tune.sampler=grid", "--set", wild]
    assert _status(tune(without_test, out, "--trials", "3", "--epochs", "2", *plain)) == 0
    usual, failed, good = rows(out)
    assert failed["ended"] == trials.FAILED
    assert "1e+30" in failed["reason"]
    assert good["ended"] in (trials.ALL_EPOCHS, trials.STOPPED)
    assert usual["ended"] == trials.ALL_EPOCHS
    assert all(float(row["seconds"]) > 0 for row in (usual, failed, good))
    capsys.readouterr()
    worse = [*plain[:-1], "tune.space={train.learning_rate: {choices: [1.0e+29, 1.0e+28]}}"]
    worse += ["--set", "train.learning_rate=1e30"]
    request = tune(without_test, tmp_path / "worse", "--trials", "3", "--epochs", "2", *worse)
    assert _status(request) == 1
    assert "all 3 trials of unet failed: " in capsys.readouterr().err


def test_a_long_trial_is_told_of_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = FollowTrials(str(tmp_path), resolve(options={"train.epochs": 9}), 1)
    trial = SimpleNamespace(config={"trial": {"number": 3, "values": {"train.learning_rate": 0.1}}})
    begun = time.monotonic()
    for epoch, seconds in enumerate((1, 29, 31, 40, 62), start=1):
        monkeypatch.setattr("time.monotonic", lambda now=begun + seconds: now)
        follow.on_trial_result(0, [], trial, {"epoch": epoch, "val_dice": epoch / 10})
    assert capsys.readouterr().out.splitlines() == [
        "         trial   3: learning_rate 0.1  val Dice 0.3000  in epoch 3 of 9",
        "         trial   3: learning_rate 0.1  val Dice 0.5000  in epoch 5 of 9",
    ]


@pytest.mark.parametrize(("later", "start"), [(5.0, 5.0), (-3600.0, None)])
def test_only_the_begin_of_a_new_trial_is_timed(
    later: float, start: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step of a trial that goes on was done in an earlier start of the search."""
    monkeypatch.setattr("time.time", lambda: 1e9)
    follow = FollowTrials(str(tmp_path), resolve(), 1)
    trial = SimpleNamespace(config={"trial": {"number": 0, "values": {}}})
    follow.on_trial_start(0, [], trial)
    trials.write_trial(str(tmp_path), Trial(0, {}, first_step_at=1e9 + later))
    follow.on_trial_complete(0, [], trial)
    ended = trials.read_trial(str(tmp_path), 0)
    assert ended is not None
    assert ended.start_seconds == start


def test_optunas_sampler_and_several_settings(without_test: str, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    out = tmp_path / "search"
    space = "tune.space={train.learning_rate: {low: 1.0e-4, high: 0.1}, "
    space += "network.widths: {choices: [[4, 8], [8, 16]]}}"
    request = tune(without_test, out, "--trials", "4", "--epochs", "1", "--set", space)
    assert _status([*request, "--set", "tune.sampler=tpe", "--set", "tune.scheduler=median"]) == 0
    table = rows(out)
    assert len({row["train.learning_rate"] for row in table}) == 4
    assert table[0]["network.widths"] == "[4, 8, 16]"
    assert {row["network.widths"] for row in table[1:]} <= {"[4, 8]", "[8, 16]"}
    best = max(table, key=lambda row: float(row["best_val_dice"]))
    found = yaml.safe_load((out / "unet" / "best.yaml").read_text())
    assert str(found["network"]["widths"]) == best["network.widths"]
    figures = {path.stem for path in (out / "unet" / "figures").iterdir()}
    assert figures == {"curves", "learning_rate", "widths", "together"}


def test_numbers_that_are_missing_are_drawn_for_optuna() -> None:
    """Trial 1 began and trial 0 did not: a kill came between them."""
    pytest.importorskip("optuna")
    settings = resolve(options={"tune.sampler": "tpe"})
    usual, begun = {"train.learning_rate": 2e-3}, {"train.learning_rate": 0.03}
    searcher = NumberedTpe(settings.tune, "val_dice", {0: usual, 1: begun})
    suggested = [searcher.suggest(str(number))["trial"] for number in range(3)]
    assert [trial["number"] for trial in suggested] == [0, 1, 2]
    assert [trial["values"] for trial in suggested[:2]] == [usual, begun]
    assert suggested[2]["values"] not in (usual, begun)


def test_a_grid_of_other_points_is_refused() -> None:
    drawn = [{"network.widths": (4, 8)}, {"network.widths": (8, 16)}]
    same = {1: {"network.widths": [8, 16]}, 2: {"network.widths": [1, 2]}}
    _see_same_grid("search", drawn, same)
    with pytest.raises(UserError, match="search holds another grid, of which 1 points have begun"):
        _see_same_grid("search", drawn, {0: {"network.widths": [8, 16]}})


def test_several_workers_a_trial_need_the_dashboard(
    without_test: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tests' own cluster has none: such a search would never end, and is not begun."""
    request = tune(without_test, tmp_path / "search", "--trials", "2", "--workers", "2")
    assert _status([*request, "--cpus-per-worker", "0.5"]) == 2
    assert "need Ray's dashboard" in capsys.readouterr().err
    assert not (tmp_path / "search" / "unet" / "trials").exists()


def test_a_killed_search_goes_on(without_test: str, tmp_path: Path) -> None:
    out = tmp_path / "search"
    address = ray.get_runtime_context().gcs_address
    request = tune(without_test, out, "--trials", "4", "--epochs", "4", "--address", address)
    command = [sys.executable, "-m", "jobs.command", *request]
    first = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while sum(bool(trial.ended) for trial in trials.read_trials(str(out / "unet"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    wait_for_free_cluster()
    before = {
        trial.number: len(
            read_history(f"{trials.folder_of(str(out / 'unet'), trial.number)}/history.csv")
        )
        for trial in trials.read_trials(str(out / "unet"))
        if trial.ended
    }
    assert 2 <= len(before) < 4
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    table = rows(out)
    assert [int(row["trial"]) for row in table] == list(range(4))
    for number, epochs in before.items():
        assert int(table[number]["epochs"]) == epochs
    for row in table:
        folder = trials.folder_of(str(out / "unet"), int(row["trial"]))
        counted = [entry["epoch"] for entry in read_history(f"{folder}/history.csv")]
        assert counted == list(range(1, int(row["epochs"]) + 1))


def test_a_run_with_a_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    options = ["--search", "--models", "unet", "--set", "data.phantoms=24"]
    options += ["--set", "data.phantom_size=64", "--set", "train.epochs=2", *SMALL]
    options += ["--set", "tune.trials=3", "--set", "report.resamples=200"]
    assert _status(["run", "--out", str(folder), *options]) == 0
    config = yaml.safe_load((folder / "config.yaml").read_text())
    rate = config["found"]["unet"]["train.learning_rate"]
    history = read_history(str(folder / "models/unet/fold-0/seed-0/history.csv"))
    assert history[0]["learning_rate"] == pytest.approx(rate)
    output = capsys.readouterr().out
    assert f"learning_rate {rate:g}" in output
    # The best trial was this training: its epochs are taken over, not run again.
    assert "unet fold 0 seed 0: going on after epoch 2" in output
    (best,) = folder.glob("search/unet/trials/*/checkpoints")
    assert history == read_history(str(best.parent / "history.csv"))
    model = folder / "models/unet/fold-0/seed-0"
    assert (model / "augmentation.png").exists()
    (path,) = model.glob("tensorboard/*")
    events = tf.compat.v1.train.summary_iterator(str(path))
    assert [event.step for event in events if event.summary.value] == [1, 2]
    page = (folder / "report" / "index.html").read_text()
    assert "was trained with train.learning_rate" in page
    assert (folder / "report" / "search-unet.csv").exists()
    assert _status(["run", "--out", str(folder), *options]) == 0
    assert "searched before" in capsys.readouterr().out
    given = [*options, "--set", "train.learning_rate=0.01"]
    typo = [*options, "--set", "tune.space={train.learning_rte: {low: 1.0e-4, high: 0.1}}"]
    for words, line in ((given, "there is nothing to search"), (typo, "the nearest one is")):
        assert _status(["run", "--out", str(tmp_path / "other"), *words]) == 2
        assert line in capsys.readouterr().err
        assert not (tmp_path / "other").exists()


def test_more_trials_at_once_than_there_is_room(
    without_test: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = tune(without_test, tmp_path / "search", "--trials", "8", "--parallel", "8")
    assert _status([*request, "--cpus-per-worker", "1"]) == 2
    assert "8" in capsys.readouterr().err
