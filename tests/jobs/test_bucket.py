"""A bucket that cannot be used: one line that says so, on any verb, whatever the package raises."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest

from jobs.command import _status
from jobs.failures import storage_line

pytest.importorskip("s3fs")

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
RUN = "s3://lungs/run"


class Denying(BaseHTTPRequestHandler):
    """Answers as S3 does to who may not."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b"" if self.command == "HEAD" else DENIED
        self.send_response(403)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Keys and a server that refuses them."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with ThreadingHTTPServer(("127.0.0.1", 0), Denying) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield monkeypatch
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        server.shutdown()


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert _status([*words]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("lungseg: cannot use s3://lungs/")
    assert "check that the bucket exists, and that the credentials" in lines[0]
    return lines[0]


@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_bucket_that_cannot_be_used_is_one_line(
    s3: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("run", "--out", RUN),
        ("report", RUN),
        ("status", RUN),
        ("shard", "--data", "s3://lungs/films", "--out", "s3://lungs/shards"),
        ("predict", "--model", "s3://lungs/model", "--images", "film.png", "--out", RUN),
    ):
        assert re.search(r"\((Forbidden|Access Denied)\)", complaint(capsys, *words))
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    s3.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "Could not connect" in complaint(capsys, "status", RUN)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        s3.delenv(name)
    s3.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    s3.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert re.search(r"\([^)]*[Cc]redentials", complaint(capsys, "status", RUN))


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("s3://lungs/run/a", "cannot use s3://lungs/run/a (Access Denied): check that the bucket"),
        ("/shared/run/a", "cannot use /shared/run/a: Access Denied"),
    ],
)
def test_a_storage_that_only_a_task_cannot_use_is_told_too(where: str, told: str) -> None:
    import ray.data

    def write(row: dict[str, int]) -> dict[str, int]:
        raise PermissionError(13, "Access Denied", where)

    with pytest.raises(Exception, match="UDF failed") as by_ray_data:
        ray.data.range(1).map(write).materialize()
    with pytest.raises(ray.exceptions.RayTaskError) as by_ray:
        ray.get(ray.remote(write).remote({}))
    for raised in (by_ray_data, by_ray):
        assert storage_line(raised.value).startswith(told)
    assert storage_line(ValueError("no number")) == ""
