"""Deal groups of films into parts of given shares, balanced over sources and findings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Part = TypeVar("Part", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Group:
    """Films that must stay together: those of one patient, or of patients who share a film."""

    name: str
    films: int
    source: str = ""
    finding: str = ""


def deal(
    groups: Iterable[Group],
    shares: Mapping[Part, float],
    *,
    seed: int,
    needs: Mapping[Part, int] | None = None,
) -> dict[str, Part]:
    """Part of each group, by its name.

    The groups come source by source, in it finding by finding, in it the larger ones first, then in
    an order that depends on the seed and their names alone. Each goes to the part that is furthest
    behind its share of the films (Webster's divisor method, so that the first n groups are dealt
    out by the shares for any n, and with them each source and finding); of equal ones to the part
    that has least of this source and finding.

    Args:
        groups: in any order.
        shares: fractions of the films, above 0.
        seed: of the order.
        needs: groups a part must have at least, where there are enough.
    """
    order = sorted(groups, key=lambda group: _place_in_order(group, seed))
    missing = Counter(dict(needs or {}))
    films: Counter[Part] = Counter()
    alike: Counter[tuple[Part, str, str]] = Counter()
    parts: dict[str, Part] = {}
    for index, group in enumerate(order):
        lacking = [part for part in shares if missing[part] > 0]
        scarce = len(order) - index <= missing.total()
        part = min(
            lacking if scarce else shares,
            key=lambda part, group=group: (  # type: ignore[misc]
                (films[part] + group.films / 2) / shares[part],
                alike[part, group.source, group.finding] / shares[part],
            ),
        )
        parts[group.name] = part
        films[part] += group.films
        alike[part, group.source, group.finding] += group.films
        missing[part] -= missing[part] > 0
    return parts


def _place_in_order(group: Group, seed: int) -> tuple[str, str, int, bytes]:
    mixed = hashlib.sha256(f"{seed}/{group.name}".encode()).digest()
    return group.source, group.finding, -group.films, mixed
