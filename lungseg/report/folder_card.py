"""The card in a model's own folder: `card.json` and `card.md`.

Written when the training has ended, with what is known then, and again with the scores of the test.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lungseg import storage
from lungseg.folds import fold_counts
from lungseg.model_folder import read_info
from lungseg.report.card_page import card_page
from lungseg.report.gather import gather
from lungseg.report.labels import model_title
from lungseg.report.model_card import model_card, tested
from lungseg.report.reproduce import commands
from lungseg.report.run import Run, Training, read_scores
from lungseg.report.sections.subgroups import find_groups
from lungseg.settings import ReportSettings, fingerprint
from lungseg.summary import summarise

_JSON, _PAGE = "card.json", "card.md"
_KNOWN_OF_DATA = ("fingerprint", "patients", "rejected", "folds", "sources")


def write_card(
    folder: str, info: Mapping[str, Any], plan: Mapping[str, Any], dataset: Mapping[str, Any]
) -> None:
    """Write the card of a model that was just trained.

    Args:
        folder: of the model.
        info: its `segmenter.json`.
        plan: its `plan.json`.
        dataset: `dataset.json` of the shards it was trained on.
    """
    how = {
        "commands": commands(info, plan, dataset),
        "training_fingerprint": plan["fingerprint"],
        "made_with": info["training"].get("made_with", {}),
    }
    counts = fold_counts(dataset, plan["fold"]) | {"test": dataset["counts"]["test"]}
    data = {name: dataset[name] for name in _KNOWN_OF_DATA} | {"counts": counts}
    title = model_title(info["architecture"])
    _write(folder, model_card(title, info, data=data, reproduce=how))


def add_scores(folder: str, table: str, settings: ReportSettings) -> None:
    """Add the scores of the test, with their intervals and subgroups.

    Args:
        folder: of the model.
        table: path of its scores, one row a case.
        settings: of the bootstrap.
    """
    card, source = _read(folder), _source(table, settings)
    if (card.get("test") or {}).get("source") == source:
        return
    info = read_info(folder)
    name, scores = info["architecture"], read_scores(table)
    gathered = gather([Run(folder, name, scores, [Training(name, "", "", info, None, None)])])
    resamples, seed = settings.resamples, settings.seed
    summary = summarise(gathered.rows, titles=gathered.titles, resamples=resamples, seed=seed)
    groups = find_groups(gathered, resamples=resamples, seed=seed)
    test = tested(gathered, summary, name, groups) | {"source": source}
    known = {part: card.get(part) for part in ("data", "reproduce")}
    _write(folder, model_card(model_title(name), info, test=test, **known))


def _source(table: str, settings: ReportSettings) -> str:
    """Fingerprint of what the scores on a card come from."""
    digest = hashlib.sha256(storage.read_bytes(table)).hexdigest()
    return fingerprint(digest, settings.resamples, settings.seed)


def _read(folder: str) -> dict[str, Any]:
    """The card as it is; empty where the model was trained before there were any."""
    path = storage.join(folder, _JSON)
    card: dict[str, Any] = json.loads(storage.read_text(path)) if storage.exists(path) else {}
    return card


def _write(folder: str, card: Mapping[str, Any]) -> None:
    """Write both files, unless they say the same already; the one that is read comes last."""
    text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False)
    for name, content in ((_PAGE, card_page(card)), (_JSON, text)):
        path = storage.join(folder, name)
        if not storage.exists(path) or storage.read_text(path) != content:
            storage.write_text(path, content)
