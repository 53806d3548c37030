"""The command: options, exit status, and one line for each wrong request."""

from __future__ import annotations

import importlib.util
import inspect
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import jobs.run
import jobs.session
from jobs import command, options, screen
from jobs.command import _status
from lungseg.settings import Settings

SMALL = ["--set", "data.size=32", "--set", "data.phantoms=20", "--set", "data.phantom_size=64"]
NETWORK = ["--set", "network.widths=[4,8,16]", "--set", "train.batch_size=4"]


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The single line on standard error of a request that must end with status 2."""
    assert _status([*arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("lungseg: ")
    return lines[0]


@pytest.mark.parametrize("verb", ["run", "shard", "train", "evaluate", "report", "phantoms"])
def test_help_tells_every_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _status([verb, "--help"]) == 0
    told = capsys.readouterr().out
    assert "--help" in told
    if verb != "phantoms":
        assert "train.learning_rate = 0.001" in told
        assert "[px]" in told


def test_parameters_that_look_like_a_setting_are_one() -> None:
    sections = {name.partition(".")[0] for name in options._SETTINGS.values() if "." in name}
    found = [
        name
        for verb in command.app.registered_commands
        for name in inspect.signature(verb.callback or (lambda: None)).parameters
        if name.partition("_")[0] in sections and "_" in name
    ]
    assert len(found) > 30
    assert set(found) <= set(options._SETTINGS)


def test_every_job_is_a_program_of_its_own() -> None:
    """`python -m jobs.train …`, as `ray job submit` runs it."""
    verbs = {(verb.callback or len).__name__ for verb in command.app.registered_commands}
    for verb in verbs - {"submit"}:
        text = (Path(str(command.__file__)).parent / f"{verb}.py").read_text()
        assert text.endswith(f'    from jobs.command import main\n\n    main("{verb}")\n')


def test_wrong_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "No such command" in refuse(capsys, "segment")
    assert "No such option" in refuse(capsys, "run", "--colour", "blue")
    assert "Missing option '--out'" in refuse(capsys, "shard")
    out = str(tmp_path / "run")
    assert "train.learning_rate" in refuse(capsys, "run", "--out", out, "--set", "learning_rate=1")
    assert "there is no preset 'fast'" in refuse(capsys, "run", "--out", out, "--preset", "fast")
    assert "'vnet'" in refuse(capsys, "run", "--out", out, "--models", "unet,vnet")
    assert "split 'dev'" in refuse(
        capsys, "evaluate", "--model", out, "--shards", out, "--out", out, "--split", "dev"
    )
    assert not (tmp_path / "run").exists()


def test_an_interrupt_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(options, "resolve", interrupted)
    assert _status(["shard", "--out", "nowhere"]) == 130
    assert capsys.readouterr().err == "lungseg: stopped; the same command goes on from here\n"


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's start fails the test."""

    def start(*_: object, **__: object) -> None:
        raise AssertionError("Ray is started")

    monkeypatch.setattr(jobs.session, "session", start)
    monkeypatch.setattr(jobs.run, "session", start)


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Shards of 32 px, models of 32 and 64 px, data and masks, as far as a check reads them."""
    counts = {"train": 4, "val": 2, "test": 0}
    shards = {"format": 2, "size": 32, "settings": {"clahe": 0.0}, "counts": counts}
    shards |= {"folds": 1, "fold_counts": [2]}
    model = {"format": 1, "architecture": "unet", "arguments": {}, "threshold": 0.5, "size": 32}
    model |= {"min_area_fraction": 0.0, "sha256": "", "training": {"fold": 0, "seed": 0}}
    files = {"SHARDS/dataset.json": shards, "MODEL/segmenter.json": model}
    files |= {"LARGE/segmenter.json": model | {"size": 64}, "FILE": {}}
    files |= {"DATA/images/a.png": {}, "DATA/masks/a.png": {}}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    names = ("SHARDS", "MODEL", "LARGE", "DATA", "FILE", "NOWHERE")
    return {name: str(tmp_path / name) for name in names}


TRAIN = ["--shards", "SHARDS", "--set", "data.size=32", "--set", "network.widths=[4,8]"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run", "--data", "NOWHERE"], "NOWHERE is not there"),
        (["run", "--set", "train.mlflow=http://localhost:5000"], "train.mlflow needs MLflow"),
        (["shard", "--data", "NOWHERE"], "NOWHERE is not there"),
        (["shard", "--data", "DATA", "--layout", "pear"], "unknown layout 'pear'"),
        (["train", "--model", "unet,resunet", *TRAIN], "one architecture, not unet,resunet"),
        (["tune", "--model", "unet,resunet", *TRAIN], "one architecture, not unet,resunet"),
        (["train", "--model", "unet", *TRAIN, "--fold", "1"], "no fold 1"),
        (
            ["tune", "--model", "unet", *TRAIN, "--set", "train.mlflow=http://localhost:5000"],
            "train.mlflow needs MLflow",
        ),
        (["evaluate", "--model", "NOWHERE", "--shards", "SHARDS"], "no trained model"),
        (["evaluate", "--model", "MODEL", "--shards", "NOWHERE"], "no complete shards"),
        (["evaluate", "--model", "LARGE", "--shards", "SHARDS"], "write shards with --size 64"),
        (["evaluate", "--model", "MODEL", "--shards", "SHARDS"], "has no test cases"),
        (["evaluate", "--model", "MODEL", "--data", "NOWHERE"], "NOWHERE is not there"),
        (["evaluate", "--masks", "NOWHERE", "--data", "DATA"], "NOWHERE is no folder"),
        (["evaluate", "--masks", "FILE", "--data", "DATA"], "FILE is no folder"),
    ],
)
@pytest.mark.usefixtures("no_ray")
def test_wrong_requests_are_told_before_ray_starts(
    words: list[str],
    line: str,
    places: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name == "mlflow" else find(name)
    )
    out = tmp_path / "out"
    request = [*(places.get(word, word) for word in words), "--out", str(out)]
    assert line in refuse(capsys, *request)
    assert not out.exists()


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    "words",
    [
        ["shard", "--data", "NOWHERE"],
        ["train", "--model", "unet", "--shards", "NOWHERE"],
        ["tune", "--model", "unet", "--shards", "NOWHERE"],
        ["evaluate", "--model", "NOWHERE", "--shards", "SHARDS"],
    ],
)
def test_what_is_told_before_ray_starts_is_json_where_asked_for(
    words: list[str],
    places: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(screen, "_log", screen._Log())
    request = [*(places.get(word, word) for word in words), "--out", str(tmp_path / "out")]
    assert _status([*request, "--set", "compute.log_format=json"]) == 2
    assert places["NOWHERE"] in json.loads(capsys.readouterr().err)["text"]


@pytest.mark.usefixtures("no_ray")
def test_a_file_in_the_place_of_a_folder_is_one_line(
    places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for out, reason in ((places["FILE"], "File exists"), (f"{places['FILE']}/run", "Not a dir")):
        assert _status(["run", "--out", out]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(f"lungseg: cannot use {out}: {reason}")


def test_a_run_takes_a_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Settings] = []
    monkeypatch.setattr(
        jobs.run, "run", lambda data, out, settings, searched: taken.append(settings)
    )
    assert _status(["run", "--precision", "bfloat16"]) == 0
    assert taken[0].train.precision == "bfloat16"


@pytest.mark.usefixtures("cluster")
def test_missing_and_unusable_inputs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    nowhere, out = str(tmp_path / "nowhere"), str(tmp_path / "out")
    assert nowhere in refuse(capsys, "shard", "--data", nowhere, "--out", out)
    train = ["train", "--model", "unet", "--out", out, *SMALL]
    assert "no complete shards" in refuse(capsys, *train, "--shards", nowhere)
    assert "cannot be 0" in refuse(capsys, *train, "--shards", nowhere, "--learning-rate", "0")
    assert "cannot be -0.1" in refuse(capsys, *train, "--shards", nowhere, "--learning-rate=-0.1")
    assert _status(["shard", "--out", str(tmp_path / "shards"), *SMALL]) == 0
    capsys.readouterr()
    shards = ["--shards", str(tmp_path / "shards")]
    line = refuse(capsys, *train, *shards, "--set", "data.size=64")
    assert "shards" in line
    assert "32 px" in line
    assert "data.size 40 is no multiple of 16, which the levels of unet need: take 32" in refuse(
        capsys, "run", "--out", str(tmp_path / "other"), "--set", "data.size=40"
    )
    assert "no trained model" in refuse(
        capsys, "evaluate", "--model", nowhere, *shards, "--out", out
    )
    assert nowhere in refuse(capsys, "report", nowhere)
    many = ["--workers", "300", "--set", "compute.cpus_per_worker=0.005"]
    assert "14 training cases cannot feed 300 workers" in refuse(capsys, *train, *shards, *many)
    line = refuse(capsys, *train, *shards, "--workers", "9", "--set", "compute.cpus_per_worker=1")
    assert "9 workers of 1 CPU each: the cluster takes 2 (1 machine of 2 CPUs)" in line
    line = refuse(capsys, *train, *shards, "--gpus-per-worker", "1")
    assert "1 worker of 1 GPU each: the cluster takes 0" in line
    line = refuse(capsys, *train, *shards, "--cpus-per-worker", "64")
    assert "1 worker of 64 CPUs each: the cluster takes 0" in line


@pytest.mark.usefixtures("cluster")
def test_a_torn_patient_and_an_occupied_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    rows = ["case_id,image,mask,patient_id,split_hint"]
    for index, split in enumerate(["train", "val", "test"]):
        image = np.random.default_rng(index).integers(0, 255, (64, 64)).astype(np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        mask[10:40, 10:50] = 255
        for part, picture in (("images", image), ("masks", mask)):
            cv2.imwrite(str(tmp_path / "data" / part / f"c{index}.png"), picture)
        rows.append(f"c{index},images/c{index}.png,masks/c{index}.png,one,{split}")
    (tmp_path / "data" / "manifest.csv").write_text("\n".join(rows))
    out = tmp_path / "shards"
    line = refuse(capsys, "shard", "--data", str(tmp_path / "data"), "--out", str(out))
    assert "split_hint puts patient" in line
    assert "data.split=drawn" in line


@pytest.mark.usefixtures("cluster")
def test_phantoms_make_a_data_set_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "phantoms")
    request = ["phantoms", "--cases", "5", "--size", "64", "--out", out]
    assert _status(request) == 0
    assert len(list((tmp_path / "phantoms" / "images").iterdir())) == 5
    assert "holds a data set already" in refuse(capsys, *request)


@pytest.mark.usefixtures("cluster")
@pytest.mark.slow
def test_two_workers_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards, model, out = (str(tmp_path / name) for name in ("shards", "model", "scores"))
    assert _status(["shard", "--out", shards, *SMALL]) == 0
    train = ["train", "--shards", shards, "--model", "resunet", "--out", model, *SMALL, *NETWORK]
    more = ["--workers", "2", "--epochs", "2", "--precision", "float32"]
    assert _status([*train, *more]) == 0
    assert "epoch   2/2" in capsys.readouterr().out
    line = refuse(capsys, *train, *more, "--learning-rate", "0.1")
    assert "train.learning_rate 0.002 → 0.1" in line
    scores = ["evaluate", "--model", model, "--shards", shards, "--out", out, "--split", "all"]
    assert _status(scores) == 0
    assert "20 cases" in capsys.readouterr().out
