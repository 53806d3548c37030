"""Files that cannot be read now, and files that never will be."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lungseg import storage
from lungseg.errors import RejectedCase
from lungseg.prediction import reading
from lungseg.prediction.reading import read_film


def test_what_will_never_be_read_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for path, reason in (
        (tmp_path / "none.png", "No such file"),
        (tmp_path / "file" / "a.png", "Not a directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("a" * 300), "File name too long"),
        (tmp_path / "a\0b.png", "null byte"),
        ("nowhere://a.png", "cannot reach nowhere://a.png"),
        ("memory://not/there.png", "no such file or bucket"),
    ):
        with pytest.raises(RejectedCase, match=reason):
            read_film(str(path))


@pytest.mark.parametrize(("failures", "read"), [(2, True), (3, False)])
def test_what_may_pass_is_tried_three_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failures: int, read: bool
) -> None:
    (tmp_path / "a.png").write_bytes(b"film")
    attempts: list[str] = []
    plain = storage.read_bytes

    def shaky(path: str) -> bytes:
        attempts.append(path)
        if len(attempts) <= failures:
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
        return plain(path)

    monkeypatch.setattr(storage, "read_bytes", shaky)
    monkeypatch.setattr(reading, "_WAITS", (0.0, 0.0))
    if read:
        assert read_film(str(tmp_path / "a.png")) == b"film"
    else:
        with pytest.raises(OSError, match=r"Connection timed out: .*a.png"):
            read_film(str(tmp_path / "a.png"))
    assert len(attempts) == 3
