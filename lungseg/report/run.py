"""What a run has left in its folder, read for the report."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from lungseg import storage
from lungseg.errors import UserError
from lungseg.report.labels import order

LONG_COLUMNS = ("prediction_rle",)
"""Columns of the score tables that are read case by case when needed."""


@dataclass(frozen=True)
class Training:
    """One trained model of a run."""

    model: str
    fold: str
    seed: str
    info: dict[str, Any]
    """`segmenter.json`."""
    history: pd.DataFrame | None
    calibration: pd.DataFrame | None
    plan: dict[str, Any] = field(default_factory=dict)
    """`plan.json`, empty where there is none."""


@dataclass(frozen=True)
class Run:
    """One run, or a folder of score tables alone."""

    path: str
    name: str
    scores: pd.DataFrame
    """Per-case rows of all models and trainings, with the column `file` they were read from."""
    trainings: list[Training]
    provenance: dict[str, Any] = field(default_factory=dict)
    shards: str | None = None
    trials: dict[str, pd.DataFrame] = field(default_factory=dict)
    """`trials.csv` of the search of each model."""
    curves: dict[str, pd.DataFrame] = field(default_factory=dict)
    """`curves.csv` of each search."""


def read_run(path: str) -> Run:
    """Read a run's folder, or a folder of score tables (masks from elsewhere).

    Raises:
        UserError: there are no scores in it, or a file is damaged.
    """
    tables = [read_scores(file) for file in _score_files(path)]
    if not tables:
        raise UserError(f"{path} holds no scores to report: run lungseg evaluate first")
    return Run(
        path=path,
        name=path.rstrip("/").rsplit("/", 1)[-1],
        scores=pd.concat(tables, ignore_index=True),
        trainings=_read_trainings(storage.join(path, "models")),
        provenance=_read_json(storage.join(path, "provenance.json")),
        shards=next((folder for folder in storage.list_folders(path) if _is_shards(folder)), None),
        trials=_read_searches(storage.join(path, "search"), "trials.csv"),
        curves=_read_searches(storage.join(path, "search"), "curves.csv"),
    )


def _score_files(path: str) -> list[str]:
    """`MODEL/*.parquet` below `scores/` of a run, or below a folder of score tables itself.

    The latter may hold shards as well: those of the data set the models were scored on.
    """
    scores = storage.join(path, "scores")
    folders = storage.list_folders(scores if storage.exists(scores) else path)
    return [
        file
        for folder in folders
        if not _is_shards(folder)
        for file in storage.list_files(folder, ".parquet")
    ]


def _is_shards(folder: str) -> bool:
    return storage.exists(storage.join(folder, "dataset.json"))


def read_scores(path: str) -> pd.DataFrame:
    """A table of scores without the masks, with the column `file` it was read from.

    Raises:
        UserError: it is none.
    """
    file = pq.ParquetFile(io.BytesIO(storage.read_bytes(path)))
    columns = [name for name in file.schema_arrow.names if name not in LONG_COLUMNS]
    missing = {"case_id", "model", "tp", "fp", "fn", "tn", "dice", "iou"} - set(columns)
    if missing:
        raise UserError(f"{path} is no table of scores: it lacks {', '.join(sorted(missing))}")
    frame = file.read(columns=columns).to_pandas(ignore_metadata=True)
    defaults = {"fold": 0, "seed": 0, "source": "", "patient_id": "", "split": ""}
    absent = {name: value for name, value in defaults.items() if name not in frame}
    return frame.assign(**absent, file=path)


def _read_trainings(folder: str) -> list[Training]:
    trainings = []
    by_model = {path.rsplit("/", 1)[-1]: path for path in storage.list_folders(folder)}
    for model in order(by_model):
        for fold in storage.list_folders(by_model[model]):
            for seed in storage.list_folders(fold):
                if storage.exists(storage.join(seed, "segmenter.json")):
                    trainings.append(_read_training(model, fold, seed))
    return trainings


def _read_training(model: str, fold: str, path: str) -> Training:
    return Training(
        model=model,
        fold=fold.rsplit("fold-", 1)[-1],
        seed=path.rsplit("seed-", 1)[-1],
        info=_read_json(storage.join(path, "segmenter.json")),
        history=_read_csv(storage.join(path, "history.csv")),
        calibration=_read_csv(storage.join(path, "calibration.csv")),
        plan=_read_json(storage.join(path, "plan.json")),
    )


def _read_searches(folder: str, name: str) -> dict[str, pd.DataFrame]:
    tables = {
        path.rsplit("/", 1)[-1]: _read_csv(storage.join(path, name))
        for path in storage.list_folders(folder)
    }
    return {name: table for name, table in tables.items() if table is not None}


def _read_json(path: str) -> dict[str, Any]:
    if not storage.exists(path):
        return {}
    try:
        content: dict[str, Any] = json.loads(storage.read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): copy it again") from error
    return content


def _read_csv(path: str) -> pd.DataFrame | None:
    if not storage.exists(path):
        return None
    table = pd.read_csv(io.StringIO(storage.read_text(path)))
    return table if len(table) else None


def read_masks(file: str, case_ids: set[str]) -> dict[str, str]:
    """Predicted masks of a few cases as run lengths, without holding the others in memory."""
    table = pq.ParquetFile(io.BytesIO(storage.read_bytes(file)))
    if "prediction_rle" not in table.schema_arrow.names:
        return {}
    masks: dict[str, str] = {}
    for batch in table.iter_batches(batch_size=64, columns=["case_id", "prediction_rle"]):
        for row in batch.to_pylist():
            if row["case_id"] in case_ids and row["prediction_rle"] is not None:
                masks[row["case_id"]] = row["prediction_rle"]
    return masks
