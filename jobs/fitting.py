"""What a training needs before it begins: shards that fit, MLflow, a folder that is its own."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

from jobs.train_worker import Training
from lungseg import shards, storage
from lungseg.errors import UserError
from lungseg.folds import fold_counts
from lungseg.settings import Settings
from lungseg.training.plan import difference, make_plan

PLAN = "plan.json"
INFO = "segmenter.json"


def check(shards_path: str, settings: Settings, fold: int = 0) -> dict[str, Any]:
    """`dataset.json` of shards that a fold can be trained on; needs no Ray.

    Raises:
        UserError: they are not what these settings train on, they have no such fold, or MLflow is
            asked for and not installed.
    """
    check_mlflow(settings)
    info = fitting_info(shards_path, settings)
    fold_counts(info, fold)
    return info


def check_mlflow(settings: Settings) -> None:
    """See that MLflow is installed where `train.mlflow` asks for it.

    Raises:
        UserError: it is not.
    """
    if settings.train.mlflow and importlib.util.find_spec("mlflow") is None:
        raise UserError("the setting train.mlflow needs MLflow: pip install 'lungseg[mlflow]'")


def fitting_info(shards_path: str, settings: Settings) -> dict[str, Any]:
    """`dataset.json` of shards.

    Raises:
        UserError: they are not what these settings train on.
    """
    info = shards.read_info(shards_path)
    if info["size"] != settings.data.size:
        raise UserError(
            f"the shards in {shards_path} are of {info['size']} px, the network is of "
            f"{settings.data.size} px: give --set data.size={info['size']}, or write other shards"
        )
    shards.check_clahe(info, settings.data.clahe)
    return info


def finished(training: Training, settings: Settings, info: dict[str, Any]) -> dict[str, Any] | None:
    """`segmenter.json` of this very training if it is done.

    Raises:
        UserError: the folder holds a training with other settings or data.
    """
    path = storage.join(training.out, PLAN)
    if not storage.exists(path):
        return None
    before = json.loads(storage.read_text(path))
    now = plan_of(training, settings, info["fingerprint"])
    if before["fingerprint"] != now["fingerprint"]:
        raise UserError(
            f"{training.out} holds a training of another configuration "
            f"({difference(before, now)}): choose another folder, or delete it"
        )
    path = storage.join(training.out, INFO)
    if not storage.exists(path):
        return None
    model: dict[str, Any] = json.loads(storage.read_text(path))
    own, wanted = model["min_area_fraction"], settings.evaluate.min_area_fraction
    if own != wanted:
        raise UserError(
            f"{training.out} holds a model of evaluate.min_area_fraction={own:g}, not {wanted:g}: "
            "choose another folder, or delete it"
        )
    return model


def plan_of(training: Training, settings: Settings, data_fingerprint: str) -> dict[str, Any]:
    """What defines a training (see `lungseg.training.plan`)."""
    return make_plan(
        settings,
        training.architecture,
        seed=training.seed,
        fold=training.fold,
        data_fingerprint=data_fingerprint,
    )
