"""The same calls on a local folder and on another file system (fsspec's in memory)."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from lungseg import storage
from lungseg.errors import UserError


@pytest.fixture(params=["local", "file-url", "remote"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {
        "local": str(tmp_path / "data"),
        "file-url": f"file://{tmp_path / 'data'}",
        "remote": f"memory://test-{uuid.uuid4().hex}",
    }[request.param]


def names(paths: list[str], root: str) -> list[str]:
    return [path.split(storage.local(root).removeprefix("memory://"))[-1] for path in paths]


def test_files_and_folders(root: str) -> None:
    assert not storage.exists(root)
    assert storage.list_files(root) == storage.list_folders(root) == []
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/deep/d.csv", ".hidden"):
        storage.write_text(storage.join(root, name), name)
    assert storage.read_text(storage.join(root, "a.txt")) == "a.txt"
    assert storage.size(storage.join(root, "a.txt")) == 5
    assert storage.is_folder(root)
    assert names(storage.list_files(root), root) == ["/a.txt", "/b.txt"]
    assert names(storage.list_files(root, recursive=True), root) == [
        "/a.txt",
        "/b.txt",
        "/sub/c.txt",
        "/sub/deep/d.csv",
    ]
    assert names(storage.list_files(root, ".csv", recursive=True), root) == ["/sub/deep/d.csv"]
    assert names(storage.list_folders(root), root) == ["/sub"]
    storage.delete(storage.join(root, "sub"))
    assert not storage.exists(storage.join(root, "sub", "c.txt"))
    storage.delete(storage.join(root, "sub"))


def test_hidden_folders_and_those_of_archives_are_left_out(root: str) -> None:
    for name in ("a.txt", ".git/b.txt", "sub/.cache/c.txt", "__MACOSX/sub/d.txt"):
        storage.write_text(storage.join(root, name), name)
    assert names(storage.list_files(root, recursive=True), root) == ["/a.txt"]
    assert names(storage.list_folders(root), root) in (["/sub"], [])


@pytest.mark.timeout(20)
def test_links_that_lead_in_circles_come_to_an_end(tmp_path: Path) -> None:
    storage.write_text(str(tmp_path / "sub" / "a.txt"), "a")
    for name in ("one", "two", "sub/up"):
        (tmp_path / name).symlink_to(tmp_path)
    found = storage.list_files(str(tmp_path), recursive=True)
    assert found == [str(tmp_path / "sub" / "a.txt")]


def test_a_folder_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refuse)
    for listing in (storage.list_files, storage.list_folders):
        with pytest.raises(UserError, match="cannot be listed: Permission denied"):
            listing(str(tmp_path))


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    storage.write_text(str(path), "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        storage.write_text(str(path), "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_address_begins_with_its_scheme() -> None:
    for path in ("s3://bucket/a", "memory://a", "simplecache::s3://bucket/a"):
        assert storage.is_url(path)
    for path in ("/out/masks/s3://bucket/a.png", "a.png", "file:///a.png", "./s3://a"):
        assert not storage.is_url(path)


def test_a_pattern_names_files(root: str) -> None:
    for name in ("a.txt", "b.txt", "sub/c.txt", "sub/d.csv"):
        storage.write_text(storage.join(root, name), name)
    assert names(storage.match(f"{root}/*"), root) == ["/a.txt", "/b.txt"]
    assert names(storage.match(f"{root}/**/*.txt"), root) == ["/a.txt", "/b.txt", "/sub/c.txt"]
    assert storage.match(f"{root}/*.png") == []


@pytest.mark.parametrize(
    ("status", "error"), [(404, FileNotFoundError), (403, PermissionError), (500, OSError)]
)
def test_errors_of_a_storage_of_its_own_kind_are_os_errors(
    monkeypatch: pytest.MonkeyPatch, status: int, error: type[OSError]
) -> None:
    class Refused(Exception):
        pass

    def refuse(*_: object) -> bytes:
        refused = Refused("the server says no\nand more")
        refused.status = status  # type: ignore[attr-defined]
        raise refused

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", refuse)
    with pytest.raises(error, match=r"the server says no: 'memory://a'") as raised:
        storage.read_bytes("memory://a")
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("raised", "error", "told"),
    [
        (PermissionError("Forbidden"), PermissionError, "Forbidden"),
        (FileNotFoundError("a"), FileNotFoundError, "no such file or bucket"),
    ],
)
def test_errors_without_a_number_get_one_and_name_the_address(
    monkeypatch: pytest.MonkeyPatch, raised: OSError, error: type[OSError], told: str
) -> None:
    def refuse(*_: object) -> bytes:
        raise raised

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", refuse)
    with pytest.raises(error, match=f"Errno [0-9]+. {told}: 'memory://a'"):
        storage.read_bytes("memory://a")


def test_what_a_killed_write_left_is_deleted(tmp_path: Path) -> None:
    for name in ("a.png", ".a.png.0123abcd.tmp", "masks/.b.png.89abcdef.tmp", ".mine.tmp"):
        storage.write_text(str(tmp_path / name), name)
    storage.delete_leftovers(str(tmp_path))
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".mine.tmp", "a.png"]


def test_addresses_are_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage.absolute("runs/a") == str(tmp_path / "runs" / "a")
    assert storage.absolute("s3://bucket/runs/") == "s3://bucket/runs"
    assert storage.join("s3://bucket/", "/a/", "b") == "s3://bucket/a/b"
