"""The doctor: what it finds on a real node, and what it says of nodes that disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs import doctor
from jobs.command import _status
from jobs.sizing import propose
from lungseg import machine
from lungseg.errors import WorkError
from lungseg.networks import ARCHITECTURES

SMALL = ["--set", "data.size=32", "--set", "network.widths=[4,8,16]", "--set", "train.batch_size=2"]


@pytest.mark.usefixtures("cluster")
def test_a_node_its_storage_and_the_registry(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _status(["doctor", "--no-measure", "--json", "--storage", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    (node,) = told["nodes"]
    assert node["cpus"] == 2
    assert node["versions"] == told["here"]["versions"]
    assert node["versions"]["ray"].startswith("2.60")
    assert node["storage_error"] == ""
    assert isinstance(node["hardware"]["bfloat16"], bool)
    assert told["problems"] == []
    assert set(told["architectures"]) == set(ARCHITECTURES)
    assert told["architectures"]["unet"]["literature"]["widths"][0] == 64
    assert list(tmp_path.iterdir()) == []
    assert _status(["doctor", "--no-measure", "--storage", "/proc/nowhere"]) == 1
    told = capsys.readouterr()
    assert "usable on 0 of 1 nodes" in told.out
    assert "cannot use the storage" in told.err
    assert len(told.err.strip().splitlines()) == 1


@pytest.mark.usefixtures("cluster")
@pytest.mark.slow
def test_what_is_measured_leads_to_a_proposal(capsys: pytest.CaptureFixture[str]) -> None:
    assert _status(["doctor", *SMALL]) == 0
    told = capsys.readouterr().out
    assert "a core reads" in told
    assert "it trains unet at 32 px with" in told
    assert "proposal --workers 1 --batch-size" in told


def rates(**train: float) -> dict[str, Any]:
    return {"read_per_core": 50.0, "train": {"images_per_second": train}}


def test_the_proposal_is_arithmetic() -> None:
    gpus = [{"gpus": 4.0, "cpus": 32.0}, {"gpus": 2.0, "cpus": 16.0}]
    told = propose(gpus, rates(**{"8": 300.0, "16": 400.0}))
    assert told["proposal"] == {"workers": 6, "batch_size": 16, "cpus_per_gpu": 25}
    assert told["computed"]["read_images_per_second"] == 50 * 48
    told = propose([{"gpus": 0.0, "cpus": 8.0}] * 3, rates(**{"8": 98.0, "16": 100.0}))
    assert told["proposal"] == {"workers": 3, "batch_size": 8, "cpus_per_gpu": None}


def test_nodes_that_differ_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    here = {"versions": {"python": "3.11.7", "tensorflow": "2.21.0"}, "code": "a"}
    node = {
        "address": "10.0.0.2",
        "cpus": 2.0,
        "gpus": 0.0,
        "memory_gb": 8.0,
        "object_store_gb": 2.0,
        "free_disk_gb": 10.0,
        "hardware": {"bfloat16": False},
        "versions": {"python": "3.11.7", "tensorflow": "2.20.0"},
        "code": "b",
        "storage_error": "PermissionError: Access Denied",
    }
    lost = {"address": "10.0.0.3", "error": "No module named 'lungseg'"}
    problems = [*doctor._problems(node, here), *doctor._problems(lost, here)]
    assert problems == [
        "10.0.0.2 has tensorflow 2.20.0, here is 2.21.0",
        "10.0.0.2 has other code of lungseg than this machine",
        "10.0.0.2 cannot use the storage: PermissionError: Access Denied",
        "10.0.0.3 does not answer: No module named 'lungseg'",
    ]
    facts = {
        "here": here,
        "nodes": [node],
        "storage": "s3://bucket",
        "problems": problems,
        "measured": {},
        "computed": {},
        "proposal": {},
    }
    with pytest.raises(WorkError, match=r"and 3 more\): 10.0.0.2 has tensorflow 2.20.0"):
        doctor.tell(facts)
    assert "usable on 0 of 1 nodes" in capsys.readouterr().out


def test_a_folder_that_is_not_shared(tmp_path: Path) -> None:
    assert machine.try_storage(str(tmp_path), "mine") == ""
    assert "not shared" in machine.try_storage(str(tmp_path), "mine", "note", "text")
    (tmp_path / "note").write_text("old")
    assert "differently" in machine.try_storage(str(tmp_path), "mine", "note", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
