"""A model's card as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lungseg.report.labels import FACTS, score_title
from lungseg.report.markdown import cell, table
from lungseg.report.model_card import CONVENTIONS, card_facts
from lungseg.report.sections.comparison import number

_UNTESTED = (
    "Not tested yet. `lungseg run` adds the scores of its test films; those of `lungseg evaluate` "
    "stand on the cards of `lungseg report`."
)


def card_page(card: Mapping[str, Any]) -> str:
    """The card of `lungseg.report.model_card`; parts that are not known are left out."""
    facts = [[name, value] for name, value in card_facts(card).items()]
    parts = [f"# {cell(card['title'])}", *card["use"], "## Facts", table(["Fact", "Value"], facts)]
    if card["data"]:
        parts += _data(card["data"])
    if card["test"]:
        parts += _test(card["test"])
    else:
        parts += ["## Scores", _UNTESTED]
    parts += ["## Limits", "\n".join(f"- {line}" for line in card["limits"])]
    if card["reproduce"]:
        parts += _reproduce(card["reproduce"])
    return "\n\n".join(parts) + "\n"


def _data(data: Mapping[str, Any]) -> list[str]:
    rows = [
        [name or "not stated", str(source["cases"]), ", ".join(source["mask_conventions"])]
        for name, source in sorted(data["sources"].items())
    ]
    names = {name for source in data["sources"].values() for name in source["mask_conventions"]}
    return [
        "## Data",
        table(["Source", "Cases", "Mask convention"], rows),
        "\n".join(f"- {name}: {CONVENTIONS[name]}" for name in CONVENTIONS if name in names),
        f"{data['patients']} patients, none of them in two of training, validation and test; "
        "nearly identical films of several patients are in two only where the data set's own split "
        f"has them so. {data['rejected']} cases could not be used.",
    ]


def _test(test: Mapping[str, Any]) -> list[str]:
    unit = test["boundary_unit"]
    scores = [
        [score_title(name, unit) + _share(entry, test["n_cases"]), *_statistics(name, entry)]
        for name, entry in test["scores"].items()
    ]
    worst = [[row["case_id"], f"{row['dice']:.4f}"] for row in test["worst"]]
    header = ["Score", "Mean", "95 % CI", "Median", "5th percentile"]
    return [
        "## Scores on the test films",
        "At the films' own size, after post-processing; intervals by bootstrap over patients.",
        table(header, scores),
        *_subgroups(test["subgroups"]),
        "## Worst cases",
        table(["Case", "Dice"], worst),
    ]


def _share(entry: Mapping[str, Any], cases: int) -> str:
    """Over how many cases a score is, where some lack it or are measured in another unit."""
    return f", over {entry['n_cases']} of {cases} cases" if "n_cases" in entry else ""


def _statistics(name: str, entry: Mapping[str, Any]) -> list[str]:
    low, high = entry["ci95"]
    interval = f"{number(name, low)} to {number(name, high)}"
    rest = (number(name, entry[key]) for key in ("median", "p5"))
    return [number(name, entry["mean"]), interval, *rest]


def _subgroups(groups: list[Mapping[str, Any]]) -> list[str]:
    if not groups:
        return []
    rows = [
        [
            FACTS[group["fact"]],
            group["group"],
            str(group["n_patients"]),
            f"{group['dice']:.3f}",
            "{:.3f} to {:.3f}".format(*group["ci95"]),
            "too small to speak of" if group["small"] else "",
        ]
        for group in groups
    ]
    header = ["Fact", "Group", "Patients", "Mean Dice", "95 % CI", ""]
    return ["## Dice by subgroup", table(header, rows)]


def _reproduce(how: Mapping[str, Any]) -> list[str]:
    lines = "\n".join(how["commands"])
    parts = ["## How to train it again", f"```bash\n{lines}\n```"]
    if made := how.get("made_with"):
        parts.append(table(["Trained with", ""], [[name, made[name]] for name in made]))
    return parts
