"""Submitting: what is refused before anything is sent, and what is uploaded."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs import submit
from jobs.command import _status
from jobs.package import list_code, source_tree, write_package
from lungseg.errors import UserError, WorkError

PHANTOMS = ("phantoms", "--cases", "4", "--size", "64", "--out")


@pytest.fixture
def no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without any token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)


def refuse(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a request that must end with status 2."""
    assert _status([*words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@contextlib.contextmanager
def answering(status: int, content: str) -> Iterator[str]:
    """The address of a server that gives every request the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.usefixtures("no_token")
def test_wrong_requests_are_told_before_anything_is_sent(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = ("submit", *PHANTOMS, "/x")
    assert "Give --address http://HEAD:8265" in refuse(capsys, *submit)
    assert "no verb 'segment' to submit: take one of" in refuse(capsys, "submit", "segment")
    assert "No such option: --colour" in refuse(capsys, "submit", "train", "--colour", "blue")
    assert "Missing option '--out'" in refuse(capsys, "submit", "phantoms", "--cases", "3")
    assert "no address of a dashboard" in refuse(capsys, *submit, "--address", "ray://head:10001")
    assert "no address of a dashboard" in refuse(capsys, *submit, "--address", "http://head:port")
    assert "no Ray dashboard answers at http://127.0.0.1:9 (Connection refused)" in refuse(
        capsys, *submit, "--address", "127.0.0.1:9"
    )
    for words in (submit, ("jobs", "list"), ("jobs", "logs", "x"), ("jobs", "stop", "x")):
        line = refuse(capsys, *words, "--address", "http://192.0.2.1:8265")
        assert "no token for http://192.0.2.1:8265" in line
        assert "set RAY_AUTH_TOKEN" in line
    assert "--retries needs the command to wait" in refuse(
        capsys, *submit, "--no-wait", "--retries", "2", "--address", "127.0.0.1:9"
    )
    mlflow = ("submit", "run", "--set", "train.mlflow=http://me:secret@host", "--address", "x:1")
    assert "secret" not in (line := refuse(capsys, *mlflow))
    assert "a password in an argument" in line
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "nowhere"))
    assert "cannot read RAY_AUTH_TOKEN_PATH" in refuse(capsys, *submit, "--address", "127.0.0.1:9")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert "RAY_AUTH_MODE is token" in refuse(capsys, *submit, "--address", "127.0.0.1:9")


@pytest.mark.usefixtures("no_token")
def test_servers_that_are_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    submit = ("submit", *PHANTOMS, "/x", "--address")
    with answering(200, json.dumps({"ray_version": "2.9.3"})) as address:
        line = refuse(capsys, *submit, address)
    assert "has Ray 2.9.3, this machine has 2.60" in line
    assert "install" in line
    with answering(200, "<html>hello</html>") as address:
        assert "is not Ray's dashboard" in refuse(capsys, *submit, address)
    with answering(502, "") as address:
        assert "HTTP status 502" in refuse(capsys, *submit, address)
    with answering(302, "") as address:
        assert "HTTP status 302" in refuse(capsys, *submit, address)


def test_the_package_is_code_and_nothing_else(tmp_path: Path) -> None:
    files = list_code(source_tree())
    assert {"pyproject.toml", "lungseg/errors.py", "jobs/submit.py"} <= set(files)
    assert not [path for path in files if "__pycache__" in path or path.startswith(".")]
    tree = tmp_path / "tree"
    for path in (
        *("pyproject.toml", "lungseg/errors.py", "lungseg/datasets/manifest.py", "mine.py"),
        *(".git/config", ".venv/bin/python", "data/film.png", "kept/runs.py", "key.pem"),
        *("my-run/provenance.json", "my-run/report/index.html", "sets/jsrt/manifest.csv"),
        *("lungseg/__pycache__/errors.pyc", "scratch/big.bin", ".env", "lungseg-run/config.yaml"),
    ):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(path)
    (tree / ".gitignore").write_text("# ours\nlungseg-run/\n")
    (tree / ".rayignore").write_text("scratch\n")
    kept = ["kept/runs.py", "lungseg/datasets/manifest.py", "lungseg/errors.py", "mine.py"]
    assert list_code(tree) == [*kept, "pyproject.toml"]
    packages = [tmp_path / "1.zip", tmp_path / "2.zip"]
    for package in packages:
        write_package(tree, package)
        os.utime(tree / "mine.py", (0, 0))
    assert packages[0].read_bytes() == packages[1].read_bytes()
    with zipfile.ZipFile(packages[0]) as package:
        assert package.read("mine.py") == b"mine.py"
    (tree / "pyproject.toml").unlink()  # as in site-packages
    assert list_code(tree) == ["lungseg/datasets/manifest.py", "lungseg/errors.py"]


def test_a_tree_above_the_limit_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "films" / "old").mkdir(parents=True)
    with (tmp_path / "films" / "old" / "all.bin").open("wb") as stream:
        stream.truncate(600 * 2**20)
    with pytest.raises(UserError, match=r"has 600 MiB to upload.*films/old \(600 MiB\)"):
        write_package(tmp_path, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


class FakeCluster:
    """A Jobs API whose connection breaks as told; each job has its own end and log."""

    def __init__(self, *ends: tuple[str, int | None]) -> None:
        self.ends, self.jobs, self.stopped = list(ends), [], []
        self.log = ["one\ntw", "o\nthree\n"]
        self.breaks = 0

    def get_address(self) -> str:
        return "http://head"

    def submit_job(self, *, submission_id: str, **_: object) -> None:
        self.jobs.append(submission_id)

    def stop_job(self, job: str) -> None:
        self.stopped.append(job)

    def get_job_info(self, job: str) -> SimpleNamespace:
        status, code = self.ends[self.jobs.index(job)]
        if status == "FORGOTTEN":
            raise RuntimeError("Request failed with status code 404: no such job")
        return SimpleNamespace(
            status=Status(status),
            driver_exit_code=code,
            message="The node died\nand more",
        )

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        for text in self.log:
            yield text
            if self.breaks:
                self.breaks -= 1
                raise RuntimeError("WebSocket connection closed")


class Status(str):
    """Ray's `JobStatus`."""

    def is_terminal(self) -> bool:
        return self in ("SUCCEEDED", "FAILED", "STOPPED")


@pytest.fixture
def cluster_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeCluster]:
    """A function that puts a fake cluster in the place of every real one."""

    def make(*ends: tuple[str, int | None]) -> FakeCluster:
        fake = FakeCluster(*ends)
        monkeypatch.setattr(submit, "connect", lambda address: fake)
        monkeypatch.setattr(submit, "write_package", lambda tree, target: None)
        monkeypatch.setattr(submit.time, "sleep", lambda seconds: None)
        return fake

    return make


def test_a_broken_connection_doubles_no_line(
    cluster_of: Callable[..., FakeCluster], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster_of(("SUCCEEDED", 0)).breaks = 1
    submit.submit("run", [], None)
    assert capsys.readouterr().out == "one\ntwo\nthree\n"


def test_what_is_submitted_again(cluster_of: Callable[..., FakeCluster]) -> None:
    fake = cluster_of(("FAILED", 1), ("FAILED", None), ("FORGOTTEN", None), ("SUCCEEDED", 0))
    submit.submit("run", [], None, retries=5)
    assert [job.removeprefix(fake.jobs[0]) for job in fake.jobs] == ["", "-2", "-3", "-4"]
    fake = cluster_of(("FAILED", None), ("FAILED", 1))
    with pytest.raises(WorkError, match="failed with exit status 1"):
        submit.submit("run", [], None, retries=1)
    for end, error in ((("FAILED", 2), UserError), (("STOPPED", None), WorkError)):
        fake = cluster_of(end)
        with pytest.raises(error):
            submit.submit("run", [], None, retries=3)
        assert len(fake.jobs) == 1
    cluster_of(("FAILED", None))
    with pytest.raises(WorkError, match=r"was lost: The node died$"):
        submit.submit("run", [], None)


@pytest.mark.parametrize(("answer", "stops"), [("s", True), ("l", False), ("", False)])
def test_ctrl_c_asks(
    cluster_of: Callable[..., FakeCluster],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    stops: bool,
) -> None:
    fake = cluster_of(("RUNNING", None))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(submit, "_follow", interrupt)
    monkeypatch.setattr(submit.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: answer)
    with pytest.raises(submit.Stopped, match="is being stopped" if stops else "runs on"):
        submit.submit("run", [], None, retries=3)
    assert fake.stopped == (fake.jobs if stops else [])
