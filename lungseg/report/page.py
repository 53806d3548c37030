"""The page of the report: one file without any address that leads out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lungseg.report.gather import Gathered
from lungseg.report.section import Section, Table


def render(gathered: Gathered, summary: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """HTML of the whole report; all texts of the data are escaped."""
    environment = Environment(
        loader=PackageLoader("lungseg.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja").render(
        runs=[run.name for run in gathered.runs],
        titles=gathered.titles,
        models=summary["models"],
        conclusion=summary["conclusion"],
        sections=sections,
        facts=_facts(gathered),
        column_classes=_column_classes,
    )


def _column_classes(table: Table) -> list[Markup]:
    word = Markup(' class="words"')
    return [word if column in table.words else Markup("") for column in range(len(table.header))]


def _facts(gathered: Gathered) -> str:
    cases, models = len(gathered.facts), len(gathered.models)
    sources = [name for name in gathered.facts.reset_index()["source"].unique() if name]
    of = f" of {', '.join(sources)}" if sources else ""
    return f"{cases} test cases{of}; {models} model{'s' * (models != 1)}"
