from __future__ import annotations

from pathlib import Path

from lungseg.training.history import COLUMNS, read_history, write_history
from lungseg.training.plan import difference


def test_history_round_trips(tmp_path: Path) -> None:
    rows = [
        {name: 1 + i if name == "epoch" else 0.125 * (i + 1) for name in COLUMNS} for i in range(3)
    ]
    path = str(tmp_path / "history.csv")
    write_history(path, rows)
    assert read_history(path) == rows
    assert read_history(str(tmp_path / "none.csv")) == []


def test_difference_names_what_changed() -> None:
    before = {"train": {"epochs": 2, "loss": "dice"}, "size": 64, "fingerprint": "a"}
    assert difference(before, before | {"fingerprint": "b"}) == ""
    now = {"train": {"epochs": 3, "loss": "dice"}, "size": 32, "new": 1}
    assert difference(before, now) == "new None → 1, size 64 → 32, train.epochs 2 → 3"
