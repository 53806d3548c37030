"""Scores by source, convention, sex, age, finding, view and size of the film."""

from __future__ import annotations

import pandas as pd

from lungseg.figures.forest import Group, forest
from lungseg.figures.style import palette
from lungseg.report.gather import Gathered
from lungseg.report.labels import FACTS, SCORES
from lungseg.report.section import Section, Table, draw
from lungseg.statistics import bootstrap_means, interval

_SCORE = "dice"
_SMALL = 10
_MOST_GROUPS = 8
_NOT_STATED = "not stated"
_AGES = {"under 18": 18, "18 to 39": 40, "40 to 59": 60, "60 to 79": 80, "80 and over": 200}
_SIDES = {"up to 512 px": 513, "513 to 1024 px": 1025, "1025 to 2048 px": 2049}
_LARGEST = "over 2048 px"


def find_groups(gathered: Gathered, *, resamples: int, seed: int) -> dict[str, list[Group]]:
    """Mean Dice of each group by fact; facts that all cases share are left out."""
    facts = group_facts(gathered.facts)
    found = {
        name: _groups(gathered, facts[name], resamples, seed)
        for name in FACTS
        if name in facts and facts[name].nunique() > 1
    }
    return {name: groups for name, groups in found.items() if groups}


def subgroups(gathered: Gathered, found: dict[str, list[Group]]) -> Section | None:
    """Table and a forest plot for each fact of `find_groups`."""
    if not found:
        return None
    colours = palette(list(gathered.titles.values()))
    limits = _limits([group for groups in found.values() for group in groups])
    pictures = [
        draw(
            f"subgroups-{name}",
            f"Forest plot of mean Dice by {FACTS[name].lower()}; the numbers stand in the table",
            forest(FACTS[name], groups, SCORES[_SCORE], colours, limits),
        )
        for name, groups in found.items()
    ]
    text = (
        f"Mean Dice and 95 % bootstrap interval over patients. Groups of fewer than {_SMALL} "
        "patients are grey: too small to speak of. Groups overlap and were not tested against "
        "each other."
    )
    return Section("subgroups", "Subgroups", [text], [_table(found)], pictures)


def group_facts(facts: pd.DataFrame) -> pd.DataFrame:
    """The facts of the cases as names of groups.

    Args:
        facts: `Gathered.facts`.

    Returns:
        Text columns named as in `FACTS`, index as given; "not stated" where nothing is known.
    """
    table = pd.DataFrame(index=facts.index)
    table["source"] = facts.index.get_level_values("source")
    for name in ("mask_convention", "sex", "finding", "view"):
        if name in facts:
            table[name] = _most_frequent(facts[name])
    if "age" in facts:
        table["age_band"] = [_band(age, _AGES, _NOT_STATED) for age in facts["age"]]
    if "height" in facts and "width" in facts:
        sides = facts[["height", "width"]].max(axis=1)
        table["image_size"] = [_band(side, _SIDES, _LARGEST) for side in sides]
    return table.replace("", _NOT_STATED).fillna(_NOT_STATED)


def _most_frequent(values: pd.Series) -> pd.Series:
    named = values.astype("string").fillna("").str.strip()
    counts = named[named != ""].value_counts()
    if len(counts) <= _MOST_GROUPS:
        return named
    return named.where(named.isin([*counts.index[: _MOST_GROUPS - 1], ""]), "others")


def _band(value: float, bands: dict[str, int], otherwise: str) -> str:
    return next((name for name, end in bands.items() if value < end), otherwise)


def _groups(gathered: Gathered, names: pd.Series, resamples: int, seed: int) -> list[Group]:
    cases = gathered.cases.join(names.rename("group"), on=["source", "case_id"])
    wide = cases.pivot_table(
        index=["group", "source", "patient_id"], columns="model", values=_SCORE, observed=True
    )
    wide = wide.reindex(columns=gathered.models).dropna()
    groups = []
    for label in _ordered(wide.index.get_level_values("group").unique()):
        values = wide.loc[label].to_numpy()
        means = bootstrap_means(values, resamples=resamples, seed=seed)
        estimates = {
            title: (float(values[:, column].mean()), *interval(means[:, column]))
            for column, title in enumerate(gathered.titles.values())
        }
        groups.append(Group(str(label), len(values), estimates, len(values) < _SMALL))
    return groups if len(groups) > 1 else []


def _ordered(labels: pd.Index) -> list[str]:
    """Bands from low to high, other groups by name, what is not stated last."""
    bands = [*_AGES, *_SIDES, _LARGEST]
    last = {"others": 1, _NOT_STATED: 2}
    place = {name: number for number, name in enumerate(bands)}
    return sorted(labels, key=lambda name: (last.get(name, 0), place.get(name, 0), name))


def _limits(groups: list[Group]) -> tuple[float, float]:
    """All means, and the intervals of the groups that are large enough to speak of."""
    spoken_of = [group for group in groups if not group.small] or groups
    ends = [end for group in spoken_of for estimate in group.estimates.values() for end in estimate]
    ends += [mean for group in groups for mean, _, _ in group.estimates.values()]
    margin = 0.06 * (max(ends) - min(ends)) or 0.01
    return max(0.0, min(ends) - margin), min(1.0, max(ends) + margin)


def _table(found: dict[str, list[Group]]) -> Table:
    rows: list[list[str]] = []
    records, small = [], []
    for name, groups in found.items():
        for group in groups:
            if group.small:
                small.append(len(rows))
            cells = [
                f"{m:.3f}\n[{low:.3f}, {high:.3f}]" for m, low, high in group.estimates.values()
            ]
            rows.append([group.label, FACTS[name], str(group.patients), *cells])
            for title, (mean, low, high) in group.estimates.items():
                records.append(
                    {"fact": name, "group": group.label, "model": title}
                    | {"n_patients": group.patients, "small": group.small, "mean": mean}
                    | {"ci95_low": low, "ci95_high": high}
                )
    models = next(iter(found.values()))[0].estimates
    header = ["Group", "Fact", "Patients", *models]
    caption = "Mean Dice of the subgroups"
    return Table("subgroups", caption, pd.DataFrame(records), header, rows, frozenset(small))
