"""Jobs on a real head with a token, which is no part of the Ray that the other tests use."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef" * 4
PHANTOMS = ("phantoms", "--cases", "4", "--size", "64", "--out")


class Head:
    """One head node with token authentication on loopback, and the environment to reach it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = _free_ports(5)
        self.address = f"http://127.0.0.1:{self.ports[1]}"
        self.environment = environment(folder) | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
        }

    def lungseg(
        self, *words: str, timeout: float = 120, **changes: str | None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command `lungseg` against this head; None takes a variable away."""
        return subprocess.run(
            [sys.executable, "-m", "jobs.command", *words, "--address", self.address],
            env=self.changed(changes),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def changed(self, changes: dict[str, str | None]) -> dict[str, str]:
        """The environment with some variables changed."""
        merged: dict[str, str | None] = {**self.environment, **changes}
        return {name: value for name, value in merged.items() if value is not None}


def environment(home: Path) -> dict[str, str]:
    """Variables of a process that knows no other Ray than it is told of."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    path = f"{Path(sys.executable).parent}:{mine.get('PATH', '')}"
    return mine | {
        "HOME": str(home),
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


@contextlib.contextmanager
def running_head() -> Iterator[Head]:
    """A head of two CPUs for the length of a `with` block."""
    folder = Path(tempfile.mkdtemp(prefix="head-"))  # sockets' paths must be short
    head = Head(folder)
    gcs, dashboard, agent, client, metrics = head.ports
    with (folder / "start.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(str(Path(sys.executable).parent / "ray"), "start", "--head", "--block"),
                *("--node-ip-address", "127.0.0.1", "--port", str(gcs)),
                *("--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard)),
                *("--dashboard-agent-listen-port", str(agent)),
                *("--ray-client-server-port", str(client)),
                *("--metrics-export-port", str(metrics), "--temp-dir", str(folder / "ray")),
                *("--num-cpus", "2", "--object-store-memory", str(200 * 2**20)),
            ],
            # The nodes of a cluster have the code by upload only.
            env={k: v for k, v in head.environment.items() if k != "PYTHONPATH"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(head, process)
        yield head
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        _kill_rest(folder)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(head: Head, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(
        f"{head.address}/api/jobs/", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            assert process.poll() is None, (head.folder / "start.log").read_text()
            assert time.monotonic() < deadline, (head.folder / "start.log").read_text()
            time.sleep(0.2)


def processes_with(text: str) -> list[int]:
    """Ids of the processes whose command line holds the text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if text.encode() in (folder / "cmdline").read_bytes().replace(b"\0", b" "):
                found.append(int(folder.name))
    return sorted(found)


def _kill_rest(folder: Path) -> None:
    """Kill the head's processes, which all have its home folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"HOME={folder}\0".encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A head node of its own."""
    with running_head() as running:
        yield running


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The only line of a command that ended so, which never is a traceback."""
    assert done.returncode == status, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert TOKEN not in done.stdout + done.stderr
    return lines[0]


def test_only_the_right_token_is_let_in(head: Head) -> None:
    without = {"RAY_AUTH_TOKEN": None, "RAY_AUTH_MODE": None}
    assert "asks for a token: set RAY_AUTH_TOKEN" in one_line(
        head.lungseg("submit", *PHANTOMS, "/x", **without), 2
    )
    for words in (("submit", *PHANTOMS, "/x"), ("jobs", "list")):
        line = one_line(head.lungseg(*words, RAY_AUTH_TOKEN="f" * 64), 2)
        assert "refuses this token" in line
    (head.folder / "token").write_text(TOKEN + "\n")
    named = {"RAY_AUTH_TOKEN_PATH": str(head.folder / "token")}
    done = head.lungseg("jobs", "list", **without | named)
    assert done.returncode == 0, done.stderr
    assert "no jobs" in done.stdout
    for verb in ("logs", "stop"):
        assert "knows no job nobody" in one_line(head.lungseg("jobs", verb, "nobody"), 2)


def test_a_killed_job_is_submitted_again_and_a_wrong_one_is_not(head: Head) -> None:
    out = head.folder / "set"
    words = ("submit", *PHANTOMS, str(out), "--retries", "2")
    killer = threading.Thread(target=kill_once, args=(f"{PHANTOMS[0]} --cases 4",))
    killer.start()
    done = head.lungseg(*words)
    killer.join()
    assert done.returncode == 0, done.stderr
    assert "submitting it again (1 of 2)" in done.stderr
    assert "4 phantoms in" in done.stdout
    assert (out / "manifest.csv").exists()
    done = head.lungseg(*words)  # the folder is taken
    assert done.returncode == 2, done.stderr
    assert "holds a data set already: choose another --out" in done.stdout
    assert done.stderr.strip().splitlines()[-1].endswith("refused the request: its log says why")
    assert "again" not in done.stderr
    done = head.lungseg("jobs", "list")
    states = [line.split()[1] for line in done.stdout.splitlines()]
    assert states == ["FAILED", "SUCCEEDED", "FAILED"]
    assert done.stdout.count(f"  lungseg phantoms --cases 4 --size 64 --out {out}") == 3
    assert TOKEN not in done.stdout


def kill_once(text: str) -> None:
    """Kill the first driver on the cluster whose words hold the text."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        drivers = [
            process
            for process in processes_with(f"python -P -m jobs.command {text}")
            if b"submit" not in Path(f"/proc/{process}/cmdline").read_bytes()
        ]
        if drivers:
            for process in drivers:
                os.kill(process, signal.SIGKILL)
            return
        time.sleep(0.05)


MANY = ("phantoms", "--cases", "100000", "--out")


@contextlib.contextmanager
def interrupted(head: Head, out: str, stdin: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A job that would take hours, and the process that follows it, which got a Ctrl-C."""
    words = [*MANY, str(head.folder / out), "--address", head.address]
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.command", "submit", *words],
        env=head.environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        job = process.stderr.readline().split()[1]
        assert job.startswith("lungseg-phantoms-")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        yield job, process
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_leaves_a_job_which_is_then_stopped(head: Head) -> None:
    with interrupted(head, "left", subprocess.DEVNULL) as (job, process):
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"{job} runs on" in told
    assert f"`lungseg jobs stop {job}`" in told
    done = head.lungseg("jobs", "stop", job)
    assert done.returncode == 0, done.stderr
    assert f"{job}: STOPPED" in done.stdout
    assert "had ended: STOPPED" in head.lungseg("jobs", "stop", job).stdout


def test_ctrl_c_stops_a_job_where_somebody_says_so(head: Head) -> None:
    keyboard, terminal = pty.openpty()
    with interrupted(head, "stopped", terminal) as (job, process):
        os.write(keyboard, b"s\n")
        asked, told = process.communicate(timeout=30)
    os.close(keyboard)
    os.close(terminal)
    assert process.returncode == 1
    assert f"{job} runs on. [l]eave it, or [s]top it?" in asked
    assert f"{job} is being stopped" in told


def test_jobs_are_followed_later_and_ray_submits_the_modules_too(head: Head) -> None:
    done = head.lungseg("submit", *PHANTOMS, str(head.folder / "later"), "--no-wait")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    assert f"`lungseg jobs logs {job}` shows its log" in done.stderr
    ray = str(Path(sys.executable).parent / "ray")
    module = ("python", "-m", "jobs.phantoms", "--cases", "2", "--out")
    done = subprocess.run(
        [
            *(ray, "job", "submit", "--address", head.address, "--working-dir", str(ROOT)),
            *("--", *module, str(head.folder / "by-ray")),
        ],
        env=head.environment | environment(head.folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (head.folder / "by-ray" / "manifest.csv").exists()
    done = head.lungseg("jobs", "logs", job, "--follow")
    assert done.returncode == 0, done.stderr
    assert "4 phantoms in" in done.stdout
