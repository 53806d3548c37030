"""Machines of a Ray cluster, all on this one: each in namespaces of its own, with its address."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from jobs.session import CONNECTIONS

ROOT = Path(__file__).parents[2]
PORT, DASHBOARD, METRICS = 6379, 8265, 8080
JOINED = """
import sys, time, ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) != int(sys.argv[2]):
    time.sleep(0.2)
"""


class Machines:
    """A head and workers, joined by a bridge; Ray asks for a token.

    A machine's processes see each other only, and their own /dev/shm and temporary folder of Ray,
    so that a machine can be lost as a whole. All other files are shared, as a run folder is. The
    processes of the tests are on the same network, at `outside`.
    """

    def __init__(self, *names: str) -> None:
        self._id = secrets.token_hex(3)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="lungseg-"))  # sockets' paths must be short
        # Other tests may run beside these.
        network = f"10.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}"
        self.outside = f"{network}.1"
        self.addresses = {name: f"{network}.{10 + index}" for index, name in enumerate(names)}
        self.head = names[0]
        self.ray = f"{self.addresses[self.head]}:{PORT}"
        self.token = secrets.token_hex(32)
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RAY_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "RAY_TMPDIR": str(self.folder / "ray"),
            "RAY_USAGE_STATS_ENABLED": "0",
            **CONNECTIONS,  # as in each file of `cluster/`
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
        }

    def __enter__(self) -> Machines:
        self._ip("netns", "add", self.namespace("bridge"))
        self._ip_in("bridge", "link", "add", "bridge", "type", "bridge")
        self._ip_in("bridge", "link", "set", "bridge", "up")
        ends = (f"lungs{self._id}", "outside")
        peer = ("peer", "name", ends[1], "netns", self.namespace("bridge"))
        self._ip("link", "add", ends[0], "type", "veth", *peer)
        self._ip_in("bridge", "link", "set", ends[1], "master", "bridge", "up")
        self._ip("address", "add", f"{self.outside}/24", "dev", ends[0])
        self._ip("link", "set", ends[0], "up")
        (self.folder / "ray").mkdir()
        for name, address in self.addresses.items():
            (self.folder / name).mkdir()
            self._ip("netns", "add", self.namespace(name))
            end = ("peer", "name", "eth0", "netns", self.namespace(name))
            self._ip_in("bridge", "link", "add", name, "type", "veth", *end)
            self._ip_in("bridge", "link", "set", name, "master", "bridge", "up")
            self._ip_in(name, "address", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                self._ip_in(name, "link", "set", link, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.lose(name)
        for name in ("bridge", *self.addresses):
            subprocess.run(
                ["ip", "netns", "delete", self.namespace(name)], check=False, capture_output=True
            )
        shutil.rmtree(self.folder, ignore_errors=True)

    def namespace(self, name: str) -> str:
        """The network namespace of a machine."""
        return f"lungseg-{self._id}-{name}"

    def enter(self, name: str) -> list[str]:
        """What makes a command the first process of a machine; all end when this process does."""
        own = f"mount --bind {self.folder}/{name} {self.folder}/ray && mount -t tmpfs shm /dev/shm"
        return [
            *("setpriv", "--pdeathsig", "KILL"),
            *("ip", "netns", "exec", self.namespace(name)),
            *("unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", f'{own} && exec "$@"', "sh"),
        ]

    def start(self, name: str, cpus: int) -> None:
        """Start Ray on a machine; it joins the cluster some seconds later."""
        command = ["ray", "start", "--block", f"--num-cpus={cpus}"]
        command += [f"--node-ip-address={self.addresses[name]}", "--object-store-memory=100000000"]
        command += [f"--metrics-export-port={METRICS}"]
        if name == self.head:
            command += ["--head", f"--port={PORT}", f"--dashboard-port={DASHBOARD}"]
        else:
            command += [f"--address={self.ray}"]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*self.enter(name), *command], env=self.environment, stdout=log, stderr=log
            )

    def wait_for(self, count: int) -> None:
        """Wait until so many machines are members.

        Raises:
            AssertionError: they are not, within a minute and a half; with the logs.
        """
        command = [sys.executable, "-c", JOINED, self.ray, str(count)]
        deadline = time.monotonic() + 90
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self.run(command, timeout=left).returncode == 0:
                    return
            except subprocess.TimeoutExpired:
                break
        logs = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
        raise AssertionError(f"no {count} members in time:\n{logs}")

    def lose(self, name: str) -> None:
        """Kill every process of a machine at once."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def cut(self, name: str, seconds: float) -> None:
        """Cut a machine off the others for a time [s]."""
        self._ip_in("bridge", "link", "set", name, "down")
        time.sleep(seconds)
        self._ip_in("bridge", "link", "set", name, "up")

    def on_head(self, command: Sequence[str]) -> list[str]:
        """What runs a command on the head."""
        parent = self._running[self.head].pid
        children = Path(f"/proc/{parent}/task/{parent}/children")
        while not (first := children.read_text().split()):
            time.sleep(0.05)
        enter = ["nsenter", "--target", first[0], "--pid", "--mount", "--net"]
        return [*enter, f"--wd={ROOT}", *command]

    def run(
        self, command: Sequence[str], timeout: float = 120, **changes: str | None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the head, with variables changed or, by None, taken away."""
        changed: dict[str, str | None] = {**self.environment, **changes}
        return subprocess.run(
            self.on_head(command),
            env={name: value for name, value in changed.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def metrics(self) -> set[str]:
        """Names of what the machines that answer tell Prometheus now."""
        names: set[str] = set()
        for address in self.addresses.values():
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://{address}:{METRICS}/metrics", timeout=2) as told,
            ):
                names |= set(re.findall(r"^(ray_\w+)[{ ]", told.read().decode(), re.MULTILINE))
        return names

    def processes(self, name: str, kind: str) -> list[int]:
        """Ids of the processes on a machine whose command line has a word."""
        found = []
        pids = subprocess.run(
            ["ip", "netns", "pids", self.namespace(name)],
            capture_output=True,
            text=True,
            check=False,
        )
        for pid in pids.stdout.split():
            try:
                if kind in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(int(pid))
            except OSError:
                continue
        return found

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    def _ip_in(self, name: str, *arguments: str) -> None:
        self._ip("-netns", self.namespace(name), *arguments)


@pytest.fixture(scope="module")
def namespaces() -> None:
    """Skips where no network namespace can be made."""
    name = f"lungseg-{secrets.token_hex(3)}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no `ip` (Debian: iproute2)")
    if made.returncode:
        pytest.skip("network namespaces need root")
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture(scope="session")
def make_machines() -> type[Machines]:
    """The class, for tests that start their machines in another way."""
    return Machines


@pytest.fixture(scope="module")
def machines(namespaces: None) -> Iterator[Machines]:
    """A cluster of a head with one CPU and two workers, `one` and `two`, with three each.

    They and the tests reach the same object storage, with keys from their environment.
    """
    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with Machines("head", "one", "two") as made, pytest.MonkeyPatch.context() as ours:
        server = moto.ThreadedMotoServer(made.outside, port=0, verbose=False)
        server.start()
        storage = {
            "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        made.environment |= storage
        for name, value in storage.items():
            ours.setenv(name, value)
        for name, cpus in (("head", 1), ("one", 3), ("two", 3)):
            made.start(name, cpus)
        made.wait_for(3)
        yield made
        server.stop()
