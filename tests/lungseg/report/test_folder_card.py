"""The card in a model's folder: of what it was made, how good it is, how to train it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lungseg.report.folder_card import add_scores, write_card
from lungseg.report.reproduce import commands
from lungseg.resolve import resolve
from lungseg.settings import ReportSettings, Settings
from lungseg.training.plan import make_plan

WriteRun = Callable[..., str]
BOOTSTRAP = ReportSettings(resamples=200, seed=0)
SOURCE = {"cases": 35, "mask_conventions": ["heart-excluded"]}


def plan_of(settings: Settings, architecture: str = "unet", **facts: int) -> dict[str, Any]:
    where = {"seed": 0, "fold": 0} | facts
    return make_plan(settings, architecture, data_fingerprint="0" * 16, **where)


def dataset_of(settings: Settings) -> dict[str, Any]:
    return {
        "counts": {"train": 20, "val": 5, "test": 10},
        "folds": 1,
        "fold_counts": [5],
        "patients": 34,
        "rejected": 1,
        "sources": {"Shenzhen": SOURCE, "COVID_v7": SOURCE},
        "settings": settings.data.model_dump(mode="json"),
        "fingerprint": "0" * 16,
    }


@pytest.fixture
def folder(write_run: WriteRun, tmp_path: Path) -> Path:
    """A model folder of a run that has scores of its test, with the card of its training."""
    run = write_run(tmp_path / "run", cases=24, models=("unet",))
    path = Path(run) / "models" / "unet" / "fold-0" / "seed-0"
    info = json.loads((path / "segmenter.json").read_text())
    info["training"] |= {"workers": 1, "made_with": {"python": "3.11.7", "cpu": "Example"}}
    settings = resolve(preset="quick")
    write_card(str(path), info, plan_of(settings), dataset_of(settings))
    return path


def test_after_training_a_card_tells_the_data_and_no_test(folder: Path) -> None:
    page, card = (folder / "card.md").read_text(), json.loads((folder / "card.json").read_text())
    assert page.startswith("# U-Net\n\nFor research. Not for diagnosis.\n")
    for words in (
        "heart-excluded: the heart, and the lung behind it, is no lung",
        "34 patients, none of them in two of training, validation and test; nearly identical films",
        "20, 5, 10",
        "| COVID\\_v7 | 35 |",
        "Not tested yet",
        "## Limits",
        "conventions, which differ by Dice .84 to .94",
        "lungseg train --shards SHARDS --out MODEL --model unet",
    ):
        assert words in page, words
    assert card["test"] is None
    assert card["data"]["counts"] == {"train": 20, "val": 5, "test": 10}
    assert card["model"]["data_fingerprint"] == "0123456789abcdef"
    assert "| cpu | Example |" in page


def test_scores_of_the_test_come_with_intervals_by_subgroup(folder: Path) -> None:
    table = folder.parents[3] / "scores" / "unet" / "fold-0_seed-0.parquet"
    before = json.loads((folder / "card.json").read_text())
    add_scores(str(folder), str(table), BOOTSTRAP)
    card = json.loads((folder / "card.json").read_text())
    assert (card["data"], card["reproduce"]) == (before["data"], before["reproduce"])
    test = card["test"]
    assert (test["n_cases"], test["n_trainings"]) == (24, 1)
    low, high = test["scores"]["dice"]["ci95"]
    assert low < test["scores"]["dice"]["mean"] < high
    by_source = [group for group in test["subgroups"] if group["fact"] == "source"]
    assert {group["group"] for group in by_source} == {"Shenzhen", "COVID-v7"}
    assert all(group["ci95"][0] <= group["dice"] <= group["ci95"][1] for group in by_source)
    page = (folder / "card.md").read_text()
    assert "## Dice by subgroup" in page
    assert "| Sex | F |" in page
    assert "too small to speak of" in page
    assert "Not tested yet" not in page
    written = (folder / "card.md").stat().st_mtime_ns
    add_scores(str(folder), str(table), BOOTSTRAP)
    assert (folder / "card.md").stat().st_mtime_ns == written


def test_scores_of_the_commonest_unit_say_of_how_many_cases(folder: Path) -> None:
    """Of every third film the spacing is known: 8 of 24 are measured in mm."""
    table = folder.parents[3] / "scores" / "unet" / "fold-0_seed-0.parquet"
    add_scores(str(folder), str(table), BOOTSTRAP)
    page = (folder / "card.md").read_text()
    for score in ("HD95 \\[px\\]", "ASSD \\[px\\]", "NSD 2 px", "NSD 5 px"):
        assert f"| {score}, over 16 of 24 cases |" in page
    for score in ("Dice", "HD95 \\[% diagonal\\]"):
        assert f"| {score} |" in page


def test_a_model_trained_before_there_were_cards_gets_one(folder: Path) -> None:
    (folder / "card.json").unlink()
    table = folder.parents[3] / "scores" / "unet" / "fold-0_seed-0.parquet"
    add_scores(str(folder), str(table), BOOTSTRAP)
    page = (folder / "card.md").read_text()
    assert "## Dice by subgroup" in page
    assert "How to train it again" not in page


@pytest.mark.parametrize(
    ("architecture", "assignments"),
    [
        ("unet", []),
        ("unet", ["preset=full", "train.learning_rate=0.00001", "data.clahe=2"]),
        ("resunet", ["preset=literature", "train.schedule=cosine"]),
        ("rngunet", ["network.gates=false", "network.widths=[4, 8, 16]", "train.augment=false"]),
        ("unet", ["evaluate.min_area_fraction=0.02"]),
    ],
)
def test_the_commands_of_a_card_give_the_same_training(
    architecture: str, assignments: list[str]
) -> None:
    settings = resolve(assignments=assignments)
    plan = plan_of(settings, architecture, seed=2, fold=1)
    info = {"training": {"workers": 2}, "min_area_fraction": settings.evaluate.min_area_fraction}
    shard, train = (shlex.split(line) for line in commands(info, plan, dataset_of(settings)))
    again = resolved(train)
    assert plan_of(again, architecture, seed=2, fold=1) == plan
    assert again.evaluate == settings.evaluate
    assert shard[:4] == ["lungseg", "shard", "--data", "DATA"]
    assert resolved(shard).data == again.data == settings.data
    assert train[train.index("--workers") + 1] == "2"
    assert train[train.index("--seed") + 1] == "2"


def test_the_commands_of_an_elastic_training_on_phantoms() -> None:
    """The learning rate is that of MAX workers, however many there were in the end."""
    settings = resolve()
    info = {"training": {"workers": 1, "workers_asked": [1, 8]}, "min_area_fraction": 0.005}
    dataset = dataset_of(settings) | {"sources": {"phantoms": SOURCE}}
    shard, train = commands(info, plan_of(settings), dataset)
    assert "--workers 1:8" in train
    assert "--data" not in shard
    info["training"] = {"workers": 1, "workers_asked": [1, 1]}
    assert "--workers" not in commands(info, plan_of(settings), dataset)[1]


def resolved(words: list[str]) -> Settings:
    given = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    return resolve(preset=words[words.index("--preset") + 1], assignments=given)
