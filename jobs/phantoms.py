"""`lungseg phantoms`: a synthetic data set, drawn by Ray Data tasks."""

from __future__ import annotations

from typing import Any

from jobs.screen import progress, say
from lungseg import phantoms as drawing
from lungseg import storage
from lungseg.errors import UserError

_CASES_A_TASK = 32


def phantoms(cases: int, out: str, *, size: int, seed: int) -> None:
    """Write `images/`, `masks/` and, last, `manifest.csv`.

    Args:
        cases: how many.
        out: folder that does not hold a data set yet.
        size: longer side in px.
        seed: the same seed draws the same films on any cluster.

    Raises:
        UserError: the folder holds a data set.
    """
    import ray.data

    if storage.exists(storage.join(out, "manifest.csv")):
        raise UserError(f"{out} holds a data set already: choose another --out")
    chunks = [
        {"first": first, "last": min(first + _CASES_A_TASK, cases)}
        for first in range(0, cases, _CASES_A_TASK)
    ]
    data = ray.data.from_items(chunks, override_num_blocks=len(chunks)).map(
        _draw, fn_kwargs={"out": out, "size": size, "seed": seed}
    )
    rows: list[dict[str, Any]] = []
    with progress("phantoms", cases) as advance:
        for chunk in data.iter_rows():
            rows += chunk["rows"]
            advance(len(chunk["rows"]))
    drawing.write_manifest(rows, out)
    say(f"{cases} phantoms in {out}")


def _draw(chunk: dict[str, Any], *, out: str, size: int, seed: int) -> dict[str, Any]:
    indices = range(int(chunk["first"]), int(chunk["last"]))
    return {"rows": drawing.write(indices, out, seed=seed, size=size)}


if __name__ == "__main__":
    from jobs.command import main

    main("phantoms")
