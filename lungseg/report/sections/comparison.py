"""The models side by side, and what their differences are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lungseg.report.labels import SCORES, score_title
from lungseg.report.section import Section, Table

_STATISTICS = ("mean", "sd", "median", "p5", "p95")


def comparison(summary: Mapping[str, Any], titles: Mapping[str, str]) -> Section:
    """Table of all scores, table of all statistics, table of the pairs."""
    models = summary["models"]
    tables = [_scores(models, titles), _statistics(models, titles), _trainings(models, titles)]
    if summary["pairs"]:
        tables.insert(1, _pairs(summary["pairs"], titles))
    texts = [
        "Each score is computed per film at its original size after post-processing, averaged over "
        "the trainings of a model, then over the films of a patient. Brackets hold the 95 % "
        "bootstrap interval of the mean over patients."
    ]
    return Section("comparison", "Comparison", texts, tables)


def _scores(models: Mapping[str, Any], titles: Mapping[str, str]) -> Table:
    unit = common_unit(models)
    rows = []
    for name in SCORES:
        entries = [model.get(name) for model in models.values()]
        if any(entries):
            cells = [_cell(name, entry) for entry in entries]
            rows.append([score_title(name, unit) if unit else SCORES[name], *cells])
    for name, title in (("n_cases", "Cases"), ("n_failed", "Empty predictions")):
        rows.append([title, *(f"{model[name]}" for model in models.values())])
    parameters = [model["parameters"] for model in models.values()]
    if any(parameters):
        rows.append(["Parameters", *(f"{count:,}" if count else "–" for count in parameters)])
    caption = "Mean of each score with its 95 % interval"
    if any(len(model.get("boundary_units", {})) > 1 for model in models.values()):
        measured = unit or "the unit of their column"
        caption += f"; distances over the cases measured in {measured} only, in % over all"
    header = ["Score"]
    for name, model in models.items():
        own = f"\ndistances in {model['boundary_unit']}" if "boundary_unit" in model else ""
        header.append(titles[name] + ("" if unit else own))
    return Table("models", caption, _long(models), header, rows)


def common_unit(models: Mapping[str, Any]) -> str | None:
    """The unit of all models' distances; None where they are of several."""
    units = {model["boundary_unit"] for model in models.values() if "boundary_unit" in model}
    return next(iter(units), "px") if len(units) < 2 else None


def _cell(name: str, entry: Mapping[str, Any] | None) -> str:
    if not entry:
        return "–"
    low, high = entry["ci95"]
    return f"{number(name, entry['mean'])}\n[{number(name, low)}, {number(name, high)}]"


def number(name: str, value: float) -> str:
    """A score as text: three decimals where it lies in 0…1, two where it is a distance."""
    return f"{value:.2f}" if name.startswith(("hd95", "assd")) else f"{value:.3f}"


def _long(models: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for model, entry in models.items():
        for name in SCORES:
            if entry.get(name):
                statistics = {key: entry[name][key] for key in _STATISTICS}
                low, high = entry[name]["ci95"]
                cases = entry[name].get("n_cases", entry["n_cases"])
                rows.append(
                    {"model": model, "score": name, **statistics, "ci95_low": low}
                    | {"ci95_high": high, "n_cases": cases}
                )
    return pd.DataFrame(rows)


def _statistics(models: Mapping[str, Any], titles: Mapping[str, str]) -> Table:
    frame = _long(models)
    frame = frame.sort_values(
        "score", key=lambda names: names.map(list(SCORES).index), kind="stable"
    )
    rows = [
        [
            score_title(row["score"], models[row["model"]].get("boundary_unit", "px")),
            titles[row["model"]],
            *(number(row["score"], row[key]) for key in _STATISTICS),
        ]
        for row in frame.to_dict("records")
    ]
    header = ["Score", "Model", "Mean", "SD", "Median", "5th pct.", "95th pct."]
    return Table("models", "Spread over patients", frame, header, rows, folded=True)


def _pairs(pairs: list[dict[str, Any]], titles: Mapping[str, str]) -> Table:
    records, rows = [], []
    for pair in pairs:
        low, high = pair["ci95"]
        records.append(
            {name: value for name, value in pair.items() if name not in ("models", "ci95")}
            | {"first": pair["models"][0], "second": pair["models"][1]}
            | {"ci95_low": low, "ci95_high": high}
        )
        rows.append(
            [
                " − ".join(titles[name] for name in pair["models"]),
                f"{pair['mean_difference']:+.4f}\n[{low:+.4f}, {high:+.4f}]",
                f"{pair['effect_size']:+.2f}",
                _p(pair["p_holm"]),
                _p(pair["p_trainings_holm"]) if "p_trainings_holm" in pair else "–",
                "shown" if pair["difference_shown"] else "not shown",
            ]
        )
    header = ["Pair", "Dice difference", "Effect size", "p Wilcoxon", "p trainings", "Difference"]
    caption = (
        "Pairs on the same patients: mean difference with its 95 % interval, matched-pairs "
        "rank-biserial correlation, Holm-corrected p of the Wilcoxon signed-rank test and of the "
        "t-test between repeated trainings"
    )
    return Table("pairs", caption, pd.DataFrame(records), header, rows)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _trainings(models: Mapping[str, Any], titles: Mapping[str, str]) -> Table:
    keys = ("n_cases", "n_patients", "n_failed", "n_trainings", "seed_sd", "fold_sd")
    frame = pd.DataFrame(
        [{"model": name} | {key: model[key] for key in keys} for name, model in models.items()]
    )
    rows = []
    for name, model in models.items():
        spreads = [
            f"{model[key]:.4f}" if model[key] is not None else "–" for key in ("seed_sd", "fold_sd")
        ]
        sd = f"{model['dice']['sd']:.4f}"
        counts = [str(model[key]) for key in ("n_trainings", "n_patients", "n_cases", "n_failed")]
        rows.append([titles[name], *counts, sd, *spreads])
    header = [
        "Model",
        "Trainings",
        "Patients",
        "Cases",
        "Empty",
        "SD patients",
        "SD seeds",
        "SD folds",
    ]
    caption = "Where the spread of the Dice comes from: patients, seeds within a fold, folds"
    return Table("trainings", caption, frame, header, rows)
