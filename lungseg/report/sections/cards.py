"""The model cards within the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lungseg.report.model_card import card_facts
from lungseg.report.section import Section, Table


def cards(found: Mapping[str, Mapping[str, Any]]) -> Section:
    """The facts of all models side by side.

    Args:
        found: the card of each model.
    """
    facts = {name: card_facts(card) for name, card in found.items()}
    names = list(dict.fromkeys(fact for own in facts.values() for fact in own))
    rows = [[fact, *(own.get(fact, "–") for own in facts.values())] for fact in names]
    header = ["Fact", *(card["title"] for card in found.values())]
    frame = pd.DataFrame(rows, columns=["fact", *found])
    text = "The full cards stand in model-cards/, one file a model."
    table = Table("model-cards", "Facts of the models", frame, header, rows)
    return Section("models", "Model cards", [text], [table])
