"""`lungseg evaluate`: score trained models on shards, with Ray Data; one row a case and model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from jobs.evaluate_masks import cases_of_split
from jobs.failures import last_line, storage_line
from jobs.score_table import announce, mark_of, write_scores
from jobs.screen import progress, say
from jobs.session import machines, silence
from jobs.shard import shard
from jobs.waiting import told_if_waiting
from lungseg import shards, storage
from lungseg.case import SPLITS
from lungseg.errors import UserError, WorkError
from lungseg.model_folder import read_info, read_weights
from lungseg.network_input import clahe_of
from lungseg.settings import EvaluateSettings, Precision, Settings, fingerprint

_COLUMNS_NOT_NEEDED = ("mask", "image_hash")


class _Scorer:
    """An actor that loads a model once and maps batches of shard rows to rows of scores."""

    def __init__(self) -> None:
        self._segmenter: Any = None

    def __call__(
        self, batch: dict[str, Any], *, model: str, threads: int, precision: Precision
    ) -> dict[str, Any]:
        if self._segmenter is None:
            from lungseg.start_tensorflow import start_tensorflow

            start_tensorflow(threads)
            from lungseg.segmenter import Segmenter

            self._segmenter = Segmenter.load(model, precision)
        from lungseg.evaluation import score_batch

        rows = score_batch(self._segmenter, batch)
        return {name: [row[name] for row in rows] for name in rows[0]}


def evaluate(
    models: Sequence[str],
    shards_path: str,
    out: str,
    *,
    split: str,
    settings: EvaluateSettings,
    precision: Precision,
) -> list[str]:
    """Score each model on the cases of a split.

    Args:
        models: model folders.
        shards_path: folder of the shards.
        out: folder of the scores; each model gets `<architecture>/fold-F_seed-S.parquet`.
        split: "train", "val", "test" or "all".
        settings: of the evaluation.
        precision: arithmetic of the networks.

    Returns:
        Paths of the tables, in the order of the models.

    Raises:
        UserError: see `fitting_info`; or a table is of a folder of masks.
        WorkError: the work failed.
    """
    info = fitting_info(models, shards_path, split)
    return [
        _evaluate_one(model, shards_path, info, out, split, settings, precision) for model in models
    ]


def fitting_info(models: Sequence[str], shards_path: str, split: str) -> dict[str, Any]:
    """`dataset.json` of shards that models can be scored on; needs no Ray.

    Raises:
        UserError: a model is not there or is named twice, the shards are not there, their size or
            CLAHE is another, or the split is empty.
    """
    refuse_doubles(models)
    info = shards.read_info(shards_path)
    for model in models:
        own = read_info(model)
        if own["size"] != info["size"]:
            raise UserError(
                f"the model {model} takes {own['size']} px, the shards are of {info['size']} px: "
                f"write shards with --size {own['size']}"
            )
        shards.check_clahe(info, clahe_of(own))
    if not _count(info, split):
        raise UserError(f"{shards_path} has no {split} cases: take another --split")
    return info


def evaluate_data(
    models: Sequence[str], paths: Sequence[str], out: str, *, split: str, settings: Settings
) -> list[str]:
    """Score each model on data sets it was not trained on, which are sharded at its size first.

    Args:
        models: model folders.
        paths: data sets, as `lungseg shard` takes them.
        out: folder of the scores; the shards go to `shards-SIZE[-clahe-LIMIT]` below it.
        split: "all", or "test" for the cases whose split_hint says so.
        settings: of data, evaluation and precision.

    Returns:
        Paths of the tables, in the order of the models.

    Raises:
        UserError: also where no case has the split_hint "test" that is asked for.
    """
    refuse_doubles(models)
    if split == "test":
        # Where no hint tells the test, the shards' one is drawn.
        cases_of_split(paths, split, settings.data)
    tables = []
    for model in models:
        info = read_info(model)
        size, clahe = info["size"], clahe_of(info)
        data = settings.data.model_copy(
            update={
                "size": size,
                "clahe": clahe,
                "split": "none" if split == "all" else "hint",
                "folds": 1,
            }
        )
        folder = storage.join(out, f"shards-{size}" + (f"-clahe-{clahe:g}" if clahe else ""))
        shard(paths, folder, data)
        tables += evaluate(
            [model],
            folder,
            out,
            split=split,
            settings=settings.evaluate,
            precision=settings.train.precision,
        )
    return tables


def check_finish(models: Sequence[str], settings: EvaluateSettings) -> None:
    """Refuse a post-processing that is not the models' own, of which it is a part.

    Raises:
        UserError: a model was made with another `min_area_fraction`.
    """
    for model in models:
        own = read_info(model)["min_area_fraction"]
        if own != settings.min_area_fraction:
            raise UserError(
                f"{model} was made with evaluate.min_area_fraction={own:g}, not "
                f"{settings.min_area_fraction:g}: it is a part of the model, leave it out here"
            )


def refuse_doubles(models: Sequence[str]) -> None:
    """Refuse two models of one architecture, fold and seed, which would write the same table.

    Raises:
        UserError: there are two, or one is not there.
    """
    names: dict[tuple[str, int, int], str] = {}
    for model in models:
        info = read_info(model)
        key = (info["architecture"], info["training"]["fold"], info["training"]["seed"])
        if key in names:
            raise UserError(
                f"{names[key]} and {model} are both {key[0]} fold {key[1]} seed {key[2]}: score "
                "them into two folders with --out"
            )
        names[key] = model


def _evaluate_one(
    model: str,
    shards_path: str,
    info: dict[str, Any],
    out: str,
    split: str,
    settings: EvaluateSettings,
    precision: Precision,
) -> str:
    segmenter = read_info(model)
    training = segmenter["training"]
    name = segmenter["architecture"]
    label = f"{name} fold {training['fold']} seed {training['seed']}"
    target = storage.join(out, name, f"fold-{training['fold']}_seed-{training['seed']}.parquet")
    mark = fingerprint(settings, precision, split, info["fingerprint"], segmenter["sha256"])
    if mark_of(target) == mark:
        say(f"         {label}: scored before")
        return target
    # Told now, in one line, and not by an actor.
    read_weights(model, segmenter)
    frame = _score(model, shards_path, split, _count(info, split), settings, precision, label)
    frame = frame.assign(model=name, fold=training["fold"], seed=training["seed"])
    write_scores(target, frame.sort_values("case_id", ignore_index=True), mark)
    announce(label, frame)
    return target


def _count(info: dict[str, Any], split: str) -> int:
    counts = info["counts"]
    return sum(counts.values()) if split == "all" else int(counts[split])


def _score(
    model: str,
    shards_path: str,
    split: str,
    cases: int,
    settings: EvaluateSettings,
    precision: Precision,
    label: str,
) -> pd.DataFrame:
    import ray.data

    parts = list(SPLITS) if split == "all" else [split]
    files = [path for part in parts for path in shards.files(shards_path, part)]
    columns = [name for name in shards.column_names() if name not in _COLUMNS_NOT_NEEDED]
    # The actor has all of one machine but a CPU, which Ray's tasks that read ask for.
    largest = max(machine.get("CPU", 0.0) for machine in machines())
    cpus = max(0.0, largest - 1)
    had_room = ray.available_resources().get("CPU", 0.0) >= cpus + 1
    wanted = f"a machine with {cpus:g} CPU{'s' * (cpus != 1)} free and a CPU to read with"
    scored = (
        ray.data.read_parquet(files)
        .select_columns(columns)
        .map_batches(shards.as_tensors, batch_size=None, batch_format="pyarrow")
        .map_batches(
            _Scorer,
            batch_size=settings.batch_size,
            num_cpus=cpus,
            compute=ray.data.ActorPoolStrategy(size=1),
            fn_kwargs={"model": model, "threads": max(1, int(largest)), "precision": precision},
        )
    )
    tables: list[pd.DataFrame] = []
    # Ray warns of each actor pool on standard error (ray issue 53727).
    with (
        silence(),
        progress(label, cases) as advance,
        told_if_waiting(label, wanted, lambda: had_room or bool(tables)),
    ):
        try:
            for batch in scored.iter_batches(batch_size=None, batch_format="pandas"):
                tables.append(batch)
                advance(len(batch))
        except Exception as error:
            raise WorkError(f"{label}: {storage_line(error) or last_line(error)}") from error
    frame = pd.concat(tables, ignore_index=True)
    if len(frame) != cases:
        raise RuntimeError(f"{label}: {len(frame)} cases were scored, there are {cases}")
    return frame


if __name__ == "__main__":
    from jobs.command import main

    main("evaluate")
