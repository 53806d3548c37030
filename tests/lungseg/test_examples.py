"""The examples in the docstrings run as they stand, in a folder that holds a run and two films."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import cv2
import keras
import pytest

import lungseg
from lungseg import networks, phantoms, segmenter, shards
from lungseg.prediction.flags import FLAGS
from lungseg.preprocess import preprocess_phantom

SHOWN = {
    "lungseg",
    "lungseg.evaluation",
    "lungseg.export.write",
    "lungseg.images.decode",
    "lungseg.networks.registry",
    "lungseg.segmenter",
    "lungseg.shards",
}
"""Modules whose docstrings hold examples."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with RUN/ as `lungseg run` leaves it, film.png and other.png."""
    folder = tmp_path_factory.mktemp("examples")
    keras.utils.set_random_seed(0)
    arguments: dict[str, Any] = {"widths": [4, 8], "batch_norm": "fused"}
    info = {"architecture": "unet", "size": 32, "threshold": 0.5, "min_area_fraction": 0.005}
    model = networks.build("unet", size=32, **arguments)
    path = str(folder / "RUN" / "models" / "unet" / "fold-0" / "seed-0")
    segmenter.save(path, model, info | {"arguments": arguments})
    for split in ("train", "val", "test"):
        rows = [preprocess_phantom(i, seed=0, drawn_size=64, size=32) for i in range(3)]
        table = shards.to_table([row | {"split": split} for row in rows])
        shards.write_table(str(folder / "RUN" / "shards" / split / "part-0.parquet"), table)
    facts = {"format": shards.FORMAT, "size": 32, "settings": {"clahe": 0.0}}
    (folder / "RUN" / "shards" / "dataset.json").write_text(json.dumps(facts))
    for index, name in enumerate(("film.png", "other.png")):
        cv2.imwrite(str(folder / name), phantoms.draw(index, seed=1, size=320).image)
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", sorted(SHOWN))
def test_examples_run_as_they_stand(name: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    names = {"Segmenter": segmenter.Segmenter, "read": lungseg.read, "FLAGS": FLAGS}
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, extraglobs=names)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_readme_example_runs_as_it_stands(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = (Path(__file__).parents[2] / "README.md").read_text().split("```python\n")[1:]
    (code,) = [text for block in blocks if "lungseg.evaluate" in (text := block.split("```")[0])]
    monkeypatch.chdir(run)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["mask"].shape == names["found"].mask.shape == names["film"].pixels.shape
    assert len(names["scores"]) == len(names["cases"]) == 3
    assert names["network"].output_shape == (None, 64, 64, 4)


def test_no_example_is_left_out() -> None:
    modules = pkgutil.walk_packages(lungseg.__path__, "lungseg.")
    found = {"lungseg"} | {
        one.name
        for one in modules
        if (spec := importlib.util.find_spec(one.name)) is not None
        and spec.origin is not None
        and ">>> " in Path(spec.origin).read_text()
    }
    assert found == SHOWN


@pytest.mark.parametrize("name", networks.ARCHITECTURES)
def test_networks_for_another_task(name: str) -> None:
    network = networks.build(name, size=32, widths=(4, 8), channels=3, classes=4)
    assert network.input_shape == (None, 32, 32, 3)
    probabilities = network(keras.random.uniform((2, 32, 32, 3)))
    assert probabilities.shape == (2, 32, 32, 4)
    assert float(abs(probabilities.numpy().sum(axis=-1) - 1).max()) < 1e-5
