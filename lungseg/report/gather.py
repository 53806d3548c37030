"""Join the runs of a report: which models are the same, and which trainings are apart."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lungseg.report.labels import model_title, order
from lungseg.report.run import Run, Training
from lungseg.summary import case_means, test_rows


@dataclass(frozen=True)
class Gathered:
    """The runs of a report as one."""

    runs: list[Run]
    rows: pd.DataFrame
    """Test rows of all models and trainings."""
    cases: pd.DataFrame
    """One row a model and case, trainings averaged."""
    facts: pd.DataFrame
    """What is known of each case, by (source, case_id)."""
    models: list[str]
    trainings: dict[str, list[Training]]
    """Trainings of each model."""

    @property
    def titles(self) -> dict[str, str]:
        """How each model is called."""
        return {name: model_title(name) for name in self.models}

    def first_info(self, model: str) -> dict[str, Any]:
        """`segmenter.json` of the model's first training, empty for masks from elsewhere."""
        trainings = self.trainings.get(model, [])
        return trainings[0].info if trainings else {}


_KIND_OF_INFO = ("arguments", "size", "data_fingerprint", "min_area_fraction")
_KIND_OF_PLAN = ("train", "augmentation")
_FACTS = ("patient_id", "mask_convention", "sex", "age", "finding", "view", "height", "width")


def gather(runs: Sequence[Run]) -> Gathered:
    """Join runs: the same network in two runs is one model trained more often.

    Networks of one name that differ in arguments, size, data, settings of the training or
    post-processing get their run's name added, and are compared as different models.
    """
    names = _names(runs)
    several = len(runs) > 1
    tables, trainings = [], defaultdict(list)
    for number, run in enumerate(runs):
        table = run.scores.copy()
        table["model"] = [names[number, model] for model in table["model"]]
        if several:
            table["seed"] = f"{number}/" + table["seed"].astype(str)
        tables.append(table)
        for training in run.trainings:
            trainings[names.get((number, training.model), training.model)].append(training)
    rows = test_rows(pd.concat(tables, ignore_index=True))
    cases = case_means(rows)
    known = [name for name in _FACTS if name in rows]
    facts = rows.drop_duplicates(["source", "case_id"]).set_index(["source", "case_id"])[known]
    return Gathered(list(runs), rows, cases, facts, order(cases["model"].unique()), dict(trainings))


def _names(runs: Sequence[Run]) -> dict[tuple[int, str], str]:
    kinds: dict[tuple[int, str], str] = {}
    for number, run in enumerate(runs):
        found = {training.model: _kind(training) for training in run.trainings}
        for model in order(run.scores["model"].unique()):
            kinds[number, model] = found.get(model, "")
    names = {}
    for (number, model), kind in kinds.items():
        alike = [other for other, name in kinds if name == model and kinds[other, name] == kind]
        single = len(alike) == sum(name == model for _, name in kinds)
        names[number, model] = model if single else f"{model} ({_label(runs, alike[0])})"
    return names


def _kind(training: Training) -> str:
    """What tells models of one name apart; all trainings of a run share it."""
    of_info = {name: training.info.get(name) for name in _KIND_OF_INFO}
    of_plan = {name: training.plan.get(name) for name in _KIND_OF_PLAN}
    return json.dumps([of_info, of_plan], sort_keys=True)


def _label(runs: Sequence[Run], number: int) -> str:
    names = [run.name for run in runs]
    return names[number] if names.count(names[number]) == 1 else f"{names[number]} #{number + 1}"
