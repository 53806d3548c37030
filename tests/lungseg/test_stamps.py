from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from lungseg import storage
from lungseg.stamps import stamps


@pytest.fixture(params=["local", "file-url", "remote"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {
        "local": str(tmp_path),
        "file-url": f"file://{tmp_path}",
        "remote": f"memory://stamps-{uuid.uuid4().hex}",
    }[request.param]


def test_a_stamp_changes_with_its_file_alone(root: str) -> None:
    paths = [storage.join(root, name) for name in ("a.png", "sub/b.png", "sub/none.png")]
    for path in paths[:2]:
        storage.write_text(path, "12345")
    first = stamps(paths)
    assert list(first) == paths
    assert first[paths[2]] == ""
    assert first == stamps(paths)
    storage.write_text(paths[1], "54321")
    second = stamps(paths)
    assert second[paths[0]] == first[paths[0]]
    assert second[paths[1]] != first[paths[1]]
    storage.write_text(paths[0], "other length")
    assert stamps(paths)[paths[0]] != first[paths[0]]


def test_an_older_file_put_in_its_place_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_text("12345")
    first = stamps([str(file)])
    os.utime(file, (1, 1))
    assert stamps([str(file)]) != first


def test_nothing_is_asked_of_a_web_server() -> None:
    address = "https://films.invalid/a.png"
    assert stamps([address]) == {address: ""}


def test_a_storage_that_nobody_knows_has_no_stamps() -> None:
    assert stamps(["nowhere://films/a.png"]) == {"nowhere://films/a.png": ""}
