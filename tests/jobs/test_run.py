"""The whole road: from phantoms to a report, again, and after a kill."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jobs.run
from jobs.run import run
from lungseg.errors import UserError
from lungseg.resolve import resolve
from lungseg.settings import Settings

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

TINY = {
    "data.size": 32,
    "data.phantoms": 20,
    "data.phantom_size": 64,
    "data.cases_per_shard": 8,
    "network.widths": [4, 8, 16],
    "train.epochs": 2,
    "train.batch_size": 4,
    "train.learning_rate": 0.01,
    "report.resamples": 200,
}


def settings(**changes: object) -> Settings:
    return resolve(options=TINY | {name.replace("__", "."): v for name, v in changes.items()})


@pytest.fixture(scope="module")
def finished(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of all three models."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    run([], str(folder), settings())
    return folder


def scores(folder: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in (folder / "scores").rglob("*.parquet")])


def test_all_parts_of_a_run_are_there(finished: Path) -> None:
    for name in ("config.yaml", "provenance.json", "report/index.html", "report/summary.json"):
        assert (finished / name).stat().st_size > 0, name
    for model in ("unet", "resunet", "rngunet"):
        folder = finished / "models" / model / "fold-0" / "seed-0"
        assert (folder / "model.weights.h5").exists()
        with (folder / "history.csv").open() as lines:
            rows = list(csv.DictReader(lines))
        assert [int(row["epoch"]) for row in rows] == [1, 2]
        info = json.loads((folder / "segmenter.json").read_text())
        best = max(float(row["val_dice"]) for row in rows)
        assert info["scores"]["val_dice"] == pytest.approx(best, abs=1e-6)
        assert "## Scores on the test films" in (folder / "card.md").read_text()
        card = json.loads((folder / "card.json").read_text())
        assert card["test"]["scores"]["dice"] == dice_of(finished, model)
        assert card["data"]["counts"]["train"] == 14
    provenance = json.loads((finished / "provenance.json").read_text())
    assert set(provenance["seconds"]) == {"shard", "train", "evaluate", "report"}
    assert provenance["versions"]["ray"]


def dice_of(folder: Path, model: str) -> dict[str, object]:
    summary = json.loads((folder / "report" / "summary.json").read_text())
    told: dict[str, object] = summary["models"][model]["dice"]
    return told


def test_summary_follows_from_the_cases(finished: Path) -> None:
    cases = scores(finished)
    summary = json.loads((finished / "report" / "summary.json").read_text())
    shards = json.loads((finished / "shards" / "dataset.json").read_text())
    assert len(cases) == 3 * shards["counts"]["test"]
    dice = 2 * cases["tp"] / (2 * cases["tp"] + cases["fp"] + cases["fn"])
    np.testing.assert_allclose(cases["dice"], dice, atol=1e-12)
    np.testing.assert_allclose(cases["iou"], dice / (2 - dice), atol=1e-12)
    np.testing.assert_allclose(cases["f1"], dice, atol=1e-12)
    pixels = cases[["tp", "fp", "fn", "tn"]].sum(axis=1)
    np.testing.assert_array_equal(pixels, cases["height"] * cases["width"])
    for model, rows in cases.groupby("model"):
        told = summary["models"][model]
        patients = rows.groupby(["source", "patient_id"])[["dice", "iou", "hd95"]].mean()
        for score in ("dice", "iou", "hd95"):
            assert told[score]["mean"] == pytest.approx(patients[score].mean(), rel=1e-9)
            assert told[score]["sd"] == pytest.approx(patients[score].std(), rel=1e-9)
            assert told[score]["median"] == pytest.approx(patients[score].median(), rel=1e-9)
        assert told["n_cases"] == len(rows)
        assert told["n_failed"] == int(rows["failed"].sum())


def test_the_same_command_does_nothing_twice(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = [
        path
        for path in finished.rglob("*")
        if path.is_file() and path.name not in ("config.yaml", "provenance.json", "state.json")
    ]
    before = {path: path.stat().st_mtime_ns for path in watched}
    run([], str(finished), settings())
    assert {path: path.stat().st_mtime_ns for path in watched} == before
    said = capsys.readouterr().out
    assert "sharded before" in said
    assert said.count("done before") == 3
    assert said.count("scored before") == 3
    assert "written before" in said


def test_another_configuration_is_refused(finished: Path, tmp_path: Path) -> None:
    config = (finished / "config.yaml").read_text()
    with pytest.raises(UserError, match=r"another configuration \(train.epochs 2 → 3\)"):
        run([], str(finished), settings(train__epochs=3))
    with pytest.raises(UserError, match=r"\(evaluate.min_area_fraction 0.005 → 0.02\)"):
        run([], str(finished), settings(evaluate__min_area_fraction=0.02))
    assert (finished / "config.yaml").read_text() == config
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty and holds no run"):
        run([], str(tmp_path), settings())
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_run_on_missing_data_can_be_mended(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(UserError, match="is not there"):
        run([str(tmp_path / "missing")], str(folder), settings())
    assert not (folder / "config.yaml").exists()
    with pytest.raises(UserError, match="is not there"):
        run([str(tmp_path / "missing too")], str(folder), settings())


def test_a_run_at_a_wrong_address_can_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UserError("no Ray cluster answers")

    monkeypatch.setattr(jobs.run, "session", refuse)
    for epochs in (2, 3):
        with pytest.raises(UserError, match="no Ray cluster answers"):
            run([], str(tmp_path / "run"), settings(train__epochs=epochs))
        assert not (tmp_path / "run" / "config.yaml").exists()


def history(folder: Path) -> list[int]:
    path = folder / "models/unet/fold-0/seed-0/history.csv"
    if not path.exists():
        return []
    return [int(row["epoch"]) for row in csv.DictReader(path.read_text().splitlines())]


LONGER = TINY | {
    "models": "unet",
    "data.phantoms": 60,
    "train.epochs": 12,
    "train.precision": "float32",
    "train.deterministic": True,
}


@pytest.fixture(scope="module")
def undisturbed(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of twelve epochs."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run([], str(folder), resolve(options=LONGER))
    return folder


def start_and_kill(command: list[str], folder: Path, after: int, said: Path) -> int:
    """Kill a run and all its processes after so many epochs; how many there are then.

    What it said goes to a file.
    """
    with said.open("w") as out:
        job = subprocess.Popen(command, start_new_session=True, stdout=out)
    deadline = time.monotonic() + 120
    while len(history(folder)) < after and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    reached = len(history(folder))
    assert after <= reached < 12
    return reached


def check_going_on(said: str, reached: int, least: int) -> None:
    going_on = re.search(r"going on after epoch (\d+)", said)
    assert going_on
    # A checkpoint may be stored whose row was not.
    assert least <= int(going_on[1]) <= reached + 1
    assert f"epoch {int(going_on[1]):>3}/12" not in said


def test_a_run_that_is_killed_twice_goes_on_after_its_last_epoch(
    undisturbed: Path, tmp_path: Path, room_is_free: Callable[[], None]
) -> None:
    """After the second kill its newest checkpoint and Ray's record of them are damaged, too."""
    import ray

    address = ray.get_runtime_context().gcs_address
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "jobs.command", "run", "--out", str(folder)]
    command += ["--address", address]
    for name, value in LONGER.items():
        command += ["--set", f"{name}={value}"]
    said = tmp_path / "said.txt"
    first = start_and_kill(command, folder, 3, said)
    room_is_free()
    second = start_and_kill(command, folder, first + 2, said)
    room_is_free()
    check_going_on(said.read_text(), first, first)
    checkpoints = folder / "models/unet/fold-0/seed-0/checkpoints"
    newest = max(path for path in checkpoints.iterdir() if path.is_dir())
    for path in (newest / "last.npz", checkpoints / "checkpoint_manager_snapshot.json"):
        path.write_bytes(path.read_bytes()[:-20])
    last = subprocess.run(command, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    check_going_on(last.stdout, second, second - 1)
    (line,) = [line for line in last.stdout.splitlines() if "cut short" in line]
    assert "checkpoint_manager_snapshot.json cut short: going on from the newest" in line
    assert newest.name in line
    assert history(folder) == list(range(1, 13))
    assert (folder / "report" / "index.html").exists()
    assert dice_on_test(folder) == pytest.approx(dice_on_test(undisturbed), abs=0.01)


def dice_on_test(folder: Path) -> float:
    summary = json.loads((folder / "report" / "summary.json").read_text())
    return float(summary["models"]["unet"]["dice"]["mean"])
