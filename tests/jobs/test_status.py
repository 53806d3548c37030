"""The state of a run from its folder: waiting, running, cut short, failed, done."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs import screen
from jobs.command import _status
from lungseg import runfolder, stages
from lungseg.resolve import resolve
from lungseg.run_status import read_status
from lungseg.training.history import COLUMNS, write_history


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was just claimed."""
    folder = tmp_path / "run"
    runfolder.claim(str(folder), resolve(options={"models": "unet,resunet"}), [])
    return folder


def lines(run: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `lungseg status` says of each stage."""
    assert _status(["status", str(run)]) == 0
    return dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())


def age(run: Path, stage: str, seconds: float) -> None:
    """Let the last mark of a stage be so old."""
    path = run / stages.STATE
    content = json.loads(path.read_text())
    content[stage] |= {
        "state": "running",
        "machine": "another",
        "seen": (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds"),
    }
    path.write_text(json.dumps(content))


def test_a_folder_without_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _status(["status", str(tmp_path)]) == 2
    assert "holds no run (no config.yaml)" in capsys.readouterr().err


def test_stages_from_first_to_last(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(lines(run, capsys).values()) == {"waiting", "waiting    0 of 2 trained"}
    with runfolder.timed(str(run), "shard"):
        assert lines(run, capsys)["shard"].startswith("running    since ")
    (run / "shards").mkdir()
    (run / "shards" / "dataset.json").write_text(
        json.dumps({"counts": {"train": 8, "val": 2, "test": 2}, "rejected": 1})
    )
    assert lines(run, capsys)["shard"].startswith("done       8 train, 2 val, 2 test; 1 rejected")
    models = [run / "models" / name / "fold-0" / "seed-0" for name in ("unet", "resunet")]
    row = dict.fromkeys(COLUMNS, 0.5) | {"epoch": 1}
    write_history(str(models[0] / "history.csv"), [row, row | {"epoch": 2}])
    with runfolder.timed(str(run), "train"):
        told = lines(run, capsys)["train"]
    assert "0 of 2 trained; unet fold 0 seed 0 epoch 2/30, val Dice 0.5000; since" in told
    age(run, "train", 10)
    assert lines(run, capsys)["train"].startswith("running")
    age(run, "train", 100)
    told = lines(run, capsys)["train"]
    assert told.startswith("cut short")
    assert told.endswith("the same command goes on")
    age(run, "train", 10)
    content = json.loads((run / stages.STATE).read_text())
    content["train"] |= {"machine": stages._machine(), "process": "999999999"}
    (run / stages.STATE).write_text(json.dumps(content))
    assert lines(run, capsys)["train"].startswith("cut short")
    (models[0] / "segmenter.json").write_text("{}")
    (models[1] / "failure.txt").parent.mkdir(parents=True)
    (models[1] / "failure.txt").write_text("resunet: the loss was no number")
    with runfolder.timed(str(run), "train"):
        pass
    told = lines(run, capsys)["train"]
    assert told.startswith("incomplete 1 of 2 trained; resunet fold 0 seed 0 failed: resunet: the")
    assert _status(["status", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["stages"]
    assert told["train"]["trainings"][0]["state"] == "done"
    assert told["shard"]["state"] == "done"
    assert "search" not in told


def test_a_failure_is_told_apart_from_a_stop(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="full"), runfolder.timed(str(run), "shard"):
        raise OSError("the disk is full\nand more")
    assert lines(run, capsys)["shard"] == "failed     the disk is full"
    with pytest.raises(KeyboardInterrupt), runfolder.timed(str(run), "shard"):
        raise KeyboardInterrupt
    assert lines(run, capsys)["shard"].startswith("stopped    last seen ")


def test_the_mark_is_renewed_and_then_left_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "BEAT_SECONDS", 0.01)
    seen: list[str] = []
    enough = threading.Event()
    monkeypatch.setattr(stages, "_now", lambda: f"2026-01-01T00:00:{min(len(seen), 59):02}+00:00")
    write = stages._write

    def note(run: str, stage: str, entry: dict[str, str]) -> None:
        seen.append(entry["state"])
        write(run, stage, entry)
        if len(seen) > 3:
            enough.set()

    monkeypatch.setattr(stages, "_write", note)
    with stages.under_way(str(run), "train"):
        assert enough.wait(10)
    assert seen[-1] == "done"
    assert set(seen[:-1]) == {"running"}
    assert stages.read_states(str(run))["train"]["state"] == "done"


def test_released_runs_leave_no_mark(run: Path) -> None:
    with pytest.raises(ValueError, match="x"), runfolder.timed(str(run), "shard"):
        raise ValueError("x")
    runfolder.release(str(run))
    assert list(run.iterdir()) == []


def test_predictions_and_scores_are_counted(run: Path) -> None:
    (run / "predictions").mkdir()
    (run / "predictions" / "predict.json").write_text(
        json.dumps({"images": 100, "settings": {"images_per_part": 64}})
    )
    (run / "predictions" / "part-00000.parquet").write_bytes(b"")
    (run / "scores" / "unet").mkdir(parents=True)
    (run / "scores" / "unet" / "fold-0_seed-0.parquet").write_bytes(b"")
    told = read_status(str(run))
    assert told["predict"]["detail"] == "1 of 2 parts, 100 images"
    assert told["predict"]["state"] == "incomplete"
    assert told["evaluate"]["detail"] == "1 of 2 models scored"


def test_lines_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    screen.log_as("json")
    screen.name_run("/runs/one")
    try:
        screen.heading("train", "/runs/one/models")
        screen.say("         unet: epoch   1/3", epoch=1, rank=0)
        screen.complain("it failed")
    finally:
        screen.log_as("plain")
        screen.name_run("")
    told = capsys.readouterr()
    first, second = (json.loads(line) for line in told.out.splitlines())
    assert first["text"] == "/runs/one/models"
    assert {name: second[name] for name in ("run", "stage", "rank", "epoch", "text")} == {
        "run": "/runs/one",
        "stage": "train",
        "rank": 0,
        "epoch": 1,
        "text": "unet: epoch   1/3",
    }
    assert datetime.fromisoformat(second["time"]).tzinfo is not None
    assert json.loads(told.err)["level"] == "error"
    screen.say("plain again")
    assert capsys.readouterr().out == "plain again\n"


def test_a_job_s_log_tells_the_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "_PROGRESS_SECONDS", 0.0)
    with screen.progress("images", 10, done=2) as advance:
        advance(3)
    told = capsys.readouterr().out
    assert told.strip().startswith("images 5/10, ")
    assert "\r" not in told
