"""What a user of a model has to know of it, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lungseg.report.gather import Gathered
from lungseg.report.labels import SCORES, score_title
from lungseg.report.markdown import cell, table
from lungseg.report.sections.comparison import number

_PUBLISHED = {
    "unet": "Ronneberger 2015, arXiv 1505.04597",
    "resunet": "Zhang, Liu, Wang 2018, arXiv 1711.10684",
    "rngunet": "after PeerJ Computer Science 2024, e1780; details are our reading",
}

_USE = (
    "Finds the lungs on frontal chest radiographs, for measuring and to prepare further analysis. "
    "Not a medical device; masks need a look before anything depends on them."
)
_LIMITS = (
    "Lateral films, infants, opacified lungs, and anything that is not a chest are outside of what "
    "it was trained on. Scores hold for the sources named here; on films of another source expect "
    "lower ones and stray islands."
)


def card_facts(gathered: Gathered, summary: Mapping[str, Any], model: str) -> dict[str, str]:
    """The facts of a card by their names, in order; what is not known is left out."""
    info = gathered.first_info(model)
    own = gathered.cases[gathered.cases["model"] == model]
    entry = summary["models"][model]
    training = info.get("training", {})
    sources = ", ".join(name for name in sorted(own["source"].unique()) if name)
    facts = {
        "Architecture": info.get("architecture"),
        "Published as": _PUBLISHED.get(str(info.get("architecture"))),
        "Arguments": _listing(info.get("arguments")),
        "Parameters": f"{info['parameters']:,}" if info.get("parameters") else None,
        "Input": f"{info['size']}×{info['size']} px, one channel" if "size" in info else None,
        "Preprocessing": _listing(info.get("preprocessing")),
        "Threshold": f"{info['threshold']:.3f}, chosen on validation"
        if "threshold" in info
        else None,
        "Mask conventions of the training": ", ".join(info.get("mask_conventions", [])),
        "Data fingerprint": info.get("data_fingerprint"),
        "Trainings": str(entry["n_trainings"]),
        "Best epoch": training.get("best_epoch"),
        "Arithmetic": training.get("precision"),
        "Test cases": f"{entry['n_cases']} of {entry['n_patients']} patients"
        + (f" ({sources})" if sources else ""),
        "Empty predictions": str(entry["n_failed"]),
    }
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}


def model_card(gathered: Gathered, summary: Mapping[str, Any], model: str) -> str:
    """The card as Markdown."""
    title = gathered.titles[model]
    entry = summary["models"][model]
    unit = entry.get("boundary_unit", "px")
    scores = [
        [score_title(name, unit), *_statistics(name, entry[name])]
        for name in SCORES
        if entry.get(name)
    ]
    facts = [[name, value] for name, value in card_facts(gathered, summary, model).items()]
    worst = gathered.cases[gathered.cases["model"] == model].nsmallest(5, "dice")
    listed = [[row["case_id"], f"{row['dice']:.4f}"] for row in worst.to_dict("records")]
    return "\n".join(
        [
            f"# {cell(title)}",
            "", _USE,
            "", "## Facts", "", table(["Fact", "Value"], facts),
            "", "## Scores on the test films", "",
            table(["Score", "Mean", "95 % CI", "Median", "5th percentile"], scores),
            "", "## Worst cases", "", table(["Case", "Dice"], listed),
            "", "## Limits", "", _LIMITS,
            "",
        ]
    )  # fmt: skip


def _statistics(name: str, entry: Mapping[str, Any]) -> list[str]:
    low, high = entry["ci95"]
    interval = f"{number(name, low)} to {number(name, high)}"
    return [
        number(name, entry["mean"]),
        interval,
        *(number(name, entry[k]) for k in ("median", "p5")),
    ]


def _listing(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (values or {}).items())
