"""Write the report's folder; the page comes last, so that what it speaks of is there."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lungseg import storage
from lungseg.figures.forest import Group
from lungseg.report.card_page import card_page
from lungseg.report.gather import Gathered, gather
from lungseg.report.markdown import short_report
from lungseg.report.model_card import model_card, tested
from lungseg.report.page import render
from lungseg.report.run import read_run
from lungseg.report.section import Section
from lungseg.report.sections.agreement import agreement
from lungseg.report.sections.calibration import calibration
from lungseg.report.sections.cards import cards as facts_of_models
from lungseg.report.sections.cases import cases
from lungseg.report.sections.comparison import comparison
from lungseg.report.sections.confusion import confusion
from lungseg.report.sections.cost import cost
from lungseg.report.sections.dataset import dataset
from lungseg.report.sections.distributions import distributions
from lungseg.report.sections.overlays import overlays
from lungseg.report.sections.provenance import provenance
from lungseg.report.sections.search import search
from lungseg.report.sections.subgroups import find_groups, subgroups
from lungseg.report.sections.training import training
from lungseg.summary import summarise

if TYPE_CHECKING:
    import pandas as pd


def write_report(runs: Sequence[str], out: str, *, resamples: int = 10_000, seed: int = 0) -> str:
    """Compare the models of one or several runs.

    Writes `summary.json`, the tables as CSV, `figures/*.png` and `.svg`, `report.md`,
    `model-cards/*.md` and, last, `index.html`, one file that needs no other.

    Args:
        runs: folders of runs, or of score tables alone.
        out: folder of the report.
        resamples, seed: of the bootstrap.

    Returns:
        Path of `index.html`.

    Raises:
        UserError: a run holds no scores.
    """
    gathered = gather([read_run(path) for path in runs])
    summary = summarise(
        gathered.rows,
        models=gathered.models,
        titles=gathered.titles,
        parameters=_parameters(gathered),
        run=_provenance(gathered),
        resamples=resamples,
        seed=seed,
    )
    groups = find_groups(gathered, resamples=resamples, seed=seed)
    cards = {
        name: model_card(
            gathered.titles[name],
            gathered.first_info(name),
            test=tested(gathered, summary, name, groups),
        )
        for name in gathered.models
    }
    sections = _sections(gathered, summary, groups, cards)
    for section in sections:
        _write_files(out, section)
    for name, card in cards.items():
        path = storage.join(out, "model-cards", f"{_file_name(name)}.md")
        storage.write_text(path, card_page(card))
    storage.write_text(storage.join(out, "report.md"), short_report(summary, gathered.titles))
    storage.write_text(storage.join(out, "summary.json"), _json(summary))
    page = storage.join(out, "index.html")
    storage.write_text(page, render(gathered, summary, sections))
    return page


def _sections(
    gathered: Gathered,
    summary: dict[str, Any],
    groups: dict[str, list[Group]],
    cards: dict[str, dict[str, Any]],
) -> list[Section]:
    found = [
        comparison(summary, gathered.titles),
        distributions(gathered),
        agreement(gathered),
        overlays(gathered),
        subgroups(gathered, groups),
        confusion(gathered),
        cost(gathered, summary),
        training(gathered),
        calibration(gathered),
        search(gathered),
        cases(gathered),
        dataset(gathered.runs),
        facts_of_models(cards),
        provenance(gathered),
    ]
    return [section for section in found if section]


def _parameters(gathered: Gathered) -> dict[str, int]:
    counts = {name: gathered.first_info(name).get("parameters") for name in gathered.models}
    return {name: count for name, count in counts.items() if count is not None}


def _provenance(gathered: Gathered) -> dict[str, Any]:
    """Of the run; of several: what each says, by its name."""
    if len(gathered.runs) == 1:
        return gathered.runs[0].provenance
    return {run.path: run.provenance for run in gathered.runs}


def _write_files(out: str, section: Section) -> None:
    for table in section.tables:
        storage.write_text(storage.join(out, f"{_file_name(table.name)}.csv"), _csv(table.frame))
    for picture in (*section.pictures, *section.files):
        stem = storage.join(out, "figures", _file_name(picture.name))
        storage.write_bytes(f"{stem}.png", picture.png)
        storage.write_bytes(f"{stem}.svg", picture.svg)


def _file_name(text: str) -> str:
    """Models from elsewhere may be called anything."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")


def _csv(frame: pd.DataFrame) -> str:
    stream = io.StringIO()
    frame.to_csv(stream, index=False, lineterminator="\n")
    return stream.getvalue()


def _json(summary: dict[str, Any]) -> str:
    return json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
