"""Tasks of Ray Data run ahead of what comes after them, so far and no further."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from jobs.ahead import submit_ahead

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

ROWS, MOST = 24, 3


def begin(row: dict[str, Any], folder: str) -> dict[str, Any]:
    Path(folder, f"begun-{row['number']}").touch()
    return row


def go_on(row: dict[str, Any], folder: str) -> dict[str, Any]:
    """The slow second step; tells how many rows had begun by its end."""
    time.sleep(0.2)
    return row | {"begun": len(list(Path(folder).glob("begun-*")))}


def test_no_operator_is_further_ahead_than_told(tmp_path: Path) -> None:
    import ray.data

    rows = [{"number": number} for number in range(ROWS)]
    data = submit_ahead(ray.data.from_items(rows, override_num_blocks=ROWS), MOST)
    how = {"fn_kwargs": {"folder": str(tmp_path)}}
    data = data.map(begin, num_cpus=0.5, **how).map(go_on, num_cpus=0.6, **how)
    ended = list(data.iter_rows())
    assert sorted(row["number"] for row in ended) == list(range(ROWS))
    # Before a row's end: those that ended, those submitted to the second step, those ahead of it.
    most = [row["begun"] - place for place, row in enumerate(ended)]
    assert max(most) <= 2 * MOST + 1
    assert max(row["begun"] for row in ended[: ROWS // 3]) < ROWS
