"""From the per-case rows to the numbers of `report/summary.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lungseg.comparison import compare, conclusion, training_means
from lungseg.errors import WorkError
from lungseg.statistics import bootstrap_means, interval

if TYPE_CHECKING:
    import pandas as pd

SCORES = (
    "dice", "iou", "accuracy", "precision", "recall", "f1", "hd95", "assd", "nsd_2mm", "nsd_5mm",
)  # fmt: skip
"""Scores every model has in the summary."""

EXTRA_SCORES = (
    "specificity", "hd95_percent", "assd_percent", "left_dice", "right_dice", "raw_dice",
)  # fmt: skip
"""Scores it has where the rows hold them."""

BOUNDARY_SCORES = ("hd95", "assd", "nsd_2mm", "nsd_5mm")
_CASE = ["model", "source", "patient_id", "case_id"]


def test_rows(scores: pd.DataFrame) -> pd.DataFrame:
    """Each model's rows of the test split; all of its rows where it has none (other data sets)."""
    if "split" not in scores:
        return scores
    tested = scores["split"] == "test"
    has_test = tested.groupby(scores["model"]).transform("any")
    return scores[tested | ~has_test]


def case_means(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a model and case: the mean over its trainings (folds, seeds) of every score.

    Args:
        scores: per-case rows with at least `case_id, model, fold, seed` and the scores.

    Returns:
        Columns `model, source, patient_id, case_id`, the scores, `failed` (in any training) and
        `boundary_unit`.

    Raises:
        WorkError: a score that every case has is missing (NaN) in a row, which a mean would
            silently pass over.
    """
    _refuse_missing(scores)
    frame = scores.copy()
    for name in ("source", "patient_id"):
        if name not in frame:
            frame[name] = ""
    unnamed = frame["patient_id"].isna() | (frame["patient_id"] == "")
    frame["patient_id"] = frame["patient_id"].where(~unnamed, frame["case_id"])
    if "failed" not in frame:
        frame["failed"] = frame["tp"] + frame["fp"] == 0
    numbers = [name for name in (*SCORES, *EXTRA_SCORES) if name in frame]
    how = dict.fromkeys(numbers, "mean") | {"failed": "any"}
    if "boundary_unit" in frame:
        how["boundary_unit"] = "first"
    return frame.groupby(_CASE, sort=True, observed=True).agg(how).reset_index()


def _refuse_missing(scores: pd.DataFrame) -> None:
    for name in (score for score in SCORES if score in scores):
        missing = scores[scores[name].isna()]
        if len(missing):
            raise WorkError(
                f"scores of {missing['model'].iloc[0]}: no {name} for case "
                f"{missing['case_id'].iloc[0]!r} ({len(missing)} rows in all): evaluate it again"
            )


def summarise(
    scores: pd.DataFrame,
    *,
    models: Sequence[str] | None = None,
    titles: Mapping[str, str] | None = None,
    parameters: Mapping[str, int] | None = None,
    run: Mapping[str, Any] | None = None,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Summarise and compare models.

    Trainings of a case are averaged first, then the films of a patient; mean, sd, median,
    percentiles and the bootstrap interval are over patients.

    Args:
        scores: per-case rows of all models and trainings (see `lungseg.scores.score_case`).
        models: their order; by name if not given.
        titles: how they are called in the conclusion; their names if not given.
        parameters: trainable and other weights of each model.
        run: what else is known (versions, hardware, seconds a stage), taken over as it is.
        resamples, seed: of the bootstrap.

    Returns:
        What `report/summary.json` holds: `models`, `pairs`, `conclusion`, `run`.
    """
    rows = test_rows(scores)
    cases = case_means(rows)
    order = list(models or sorted(cases["model"].unique()))
    table = {}
    for name in order:
        own_rows, own_cases = rows[rows["model"] == name], cases[cases["model"] == name]
        table[name] = {
            "n_cases": len(own_cases),
            "n_patients": len(own_cases[["source", "patient_id"]].drop_duplicates()),
            "n_failed": int(own_cases["failed"].sum()),
            "n_trainings": len(training_means(own_rows)),
            "parameters": (parameters or {}).get(name),
            **_score_table(own_cases, resamples, seed),
            **_spread(own_rows),
        }
    pairs = compare(rows, cases, order, resamples=resamples, seed=seed)
    called = {name: (titles or {}).get(name, name) for name in order}
    return {
        "models": table,
        "pairs": pairs,
        "conclusion": conclusion(table, pairs, called),
        "run": dict(run or {}),
    }


def _score_table(cases: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Statistics of each score of one model, over the cases that have it.

    Boundary scores keep to the unit that most cases have, for mm and px have no common mean; in
    % of the diagonal all cases count. `n_cases` stands beside a score that some cases lack.
    """
    known = cases[[name for name in (*SCORES, *EXTRA_SCORES) if name in cases]].notna()
    table: dict[str, Any] = {}
    if "boundary_unit" in cases:
        units = cases["boundary_unit"].value_counts()
        table["boundary_unit"] = str(units.index[0])
        table["boundary_units"] = {str(unit): int(count) for unit, count in units.items()}
        for name in BOUNDARY_SCORES:
            known[name] &= cases["boundary_unit"] == units.index[0]
    alike: dict[bytes, list[str]] = {}
    for score in known:
        alike.setdefault(known[score].to_numpy().tobytes(), []).append(str(score))
    for names in alike.values():
        films = cases[known[names[0]]]
        if films.empty:
            continue
        values = films.groupby(["source", "patient_id"], observed=True)[names].mean().to_numpy()
        means = bootstrap_means(values, resamples=resamples, seed=seed)
        for column, name in enumerate(names):
            table[name] = describe(values[:, column], means[:, column])
            if len(films) < len(cases):
                table[name]["n_cases"] = len(films)
    return table


def describe(values: np.ndarray, means: np.ndarray) -> dict[str, Any]:
    """Mean, sd (n − 1), median, 5th and 95th percentile, and the interval of the mean."""
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        "median": float(np.median(values)),
        "p5": float(np.percentile(values, 5)),
        "p95": float(np.percentile(values, 95)),
        "ci95": list(interval(means)),
    }


def _spread(rows: pd.DataFrame) -> dict[str, float | None]:
    """Spread of the mean Dice over seeds (within a fold) and over folds, apart from the cases'."""
    means = training_means(rows)
    by_fold = means.groupby("fold")
    variances = by_fold.var(ddof=1).dropna()
    folds = by_fold.mean()
    return {
        "seed_sd": float(math.sqrt(variances.mean())) if len(variances) else None,
        "fold_sd": float(folds.std(ddof=1)) if len(folds) > 1 else None,
    }
