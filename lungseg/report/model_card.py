"""What a user of a model has to know of it: the content of a card, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lungseg.figures.forest import Group
from lungseg.networks import ARCHITECTURES
from lungseg.report.gather import Gathered
from lungseg.report.labels import SCORES

USE = (
    "For research. Not for diagnosis.",
    "Finds the lungs on frontal chest radiographs, for measuring and to prepare further analysis. "
    "Not a medical device; masks need a look before anything depends on them.",
)
CONVENTIONS = {
    "heart-excluded": "the heart, and the lung behind it, is no lung",
    "retrocardiac-included": "the lung behind the heart is lung",
    "unknown": "the data does not tell whether the lung behind the heart is lung",
}
_LIMITS = (
    "Lateral films, infants, opacified lungs, and anything that is not a chest are outside of what "
    "it was trained on.",
    "Scores hold for the sources named here; on films of another source expect lower ones and "
    "stray islands.",
)
_MIXED = (
    "It was trained on masks of several conventions, which differ by Dice .84 to .94 on the same "
    "film: look at the scores by mask convention."
)
_WORST = 5


def model_card(
    title: str,
    info: Mapping[str, Any],
    *,
    test: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    reproduce: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of a card.

    Args:
        title: how the model is called.
        info: `segmenter.json`; empty for masks from elsewhere.
        test: outcome of the test (see `tested`), if there was one.
        data: what is known of the films it was trained on.
        reproduce: commands that train it again, and what it was trained with.
    """
    mixed = len(info.get("mask_conventions", ())) > 1
    return {
        "format": 1,
        "title": title,
        "use": list(USE),
        "limits": [*_LIMITS, *([_MIXED] if mixed else [])],
        "model": dict(info),
        "data": data,
        "test": test,
        "reproduce": reproduce,
    }


def tested(
    gathered: Gathered,
    summary: Mapping[str, Any],
    model: str,
    groups: Mapping[str, list[Group]],
) -> dict[str, Any]:
    """The entry `test` of a card: mean, spread and interval of each score, groups, worst cases.

    Args:
        gathered: the runs.
        summary: of `lungseg.summary.summarise`.
        model: its name there.
        groups: of `lungseg.report.sections.subgroups.find_groups`.
    """
    entry, title = summary["models"][model], gathered.titles[model]
    own = gathered.cases[gathered.cases["model"] == model]
    counts = ("n_cases", "n_patients", "n_failed", "n_trainings")
    return {
        **{name: entry[name] for name in counts},
        "sources": sorted(name for name in own["source"].unique() if name),
        "boundary_unit": entry.get("boundary_unit", "px"),
        "scores": {name: entry[name] for name in SCORES if entry.get(name)},
        "subgroups": [
            {"fact": fact, "group": group.label, "n_patients": group.patients}
            | {"small": group.small, "dice": mean, "ci95": [low, high]}
            for fact, found in groups.items()
            for group in found
            for mean, low, high in [group.estimates[title]]
        ],
        "worst": own.nsmallest(_WORST, "dice")[["case_id", "dice"]].to_dict("records"),
    }


def card_facts(card: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a card by their names, in order; what is not known is left out.

    So is what each training has of its own where the card is of several.
    """
    info, data, test = card["model"], card["data"] or {}, card["test"] or {}
    training, counts = info.get("training", {}), data.get("counts")
    architecture = info.get("architecture")
    known = ARCHITECTURES.get(str(architecture))
    conventions = info.get("mask_conventions", [])
    validated = info.get("scores", {}).get("val_dice")
    single = test.get("n_trainings", 1) == 1
    facts = {
        "Architecture": architecture,
        "Published as": known.reference if known else None,
        "Arguments": _listing(info.get("arguments")),
        "Parameters": f"{info['parameters']:,}" if info.get("parameters") else None,
        "Input": f"{info['size']}×{info['size']} px, one channel" if "size" in info else None,
        "Preprocessing": _listing(info.get("preprocessing")),
        "Threshold": f"{info['threshold']:.3f}, chosen on validation"
        if single and "threshold" in info
        else None,
        "Mask conventions of the training": ", ".join(conventions),
        "Data fingerprint": info.get("data_fingerprint"),
        "Training, validation, test cases": f"{counts['train']}, {counts['val']}, {counts['test']}"
        if counts
        else None,
        "Trainings": test.get("n_trainings"),
        "Best epoch": training.get("best_epoch") if single else None,
        "Arithmetic": training.get("precision"),
        "Validation Dice": f"{validated:.4f}" if single and validated is not None else None,
        "Test cases": _test_cases(test) if test else None,
        "Empty predictions": test.get("n_failed"),
    }
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}


def _test_cases(test: Mapping[str, Any]) -> str:
    sources = f" ({', '.join(test['sources'])})" if test["sources"] else ""
    return f"{test['n_cases']} of {test['n_patients']} patients{sources}"


def _listing(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (values or {}).items())
