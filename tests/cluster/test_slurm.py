"""The Slurm script on two machines, with stand-ins for `srun` and `scontrol`."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "cluster" / "slurm" / "lungseg.sbatch"


@pytest.fixture
def allocation(namespaces: None, make_machines: Any, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a job on two machines."""
    with make_machines("head", "one") as machines:
        lines = ["#!/bin/bash", 'while [[ $1 == --* ]]; do echo "$1" >>"$0.log"; shift; done']
        for name in machines.addresses:
            lines.append(f'{shlex.join(machines.enter(name))} "$@" &')
        stand_ins = {
            "srun": "\n".join([*lines, "wait -n; status=$?; wait; exit $status", ""]),
            "scontrol": f"#!/bin/bash\nprintf '%s\\n' {' '.join(machines.addresses.values())}\n",
        }
        for name, text in stand_ins.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        environment = {k: v for k, v in machines.environment.items() if k != "RAY_AUTH_TOKEN"}
        yield environment | {
            "PATH": f"{tmp_path}:{machines.environment['PATH']}",
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_CPUS_ON_NODE": "2",
        }


def test_a_verb_runs_on_all_nodes(allocation: dict[str, str], tmp_path: Path) -> None:
    """With a token of its own, whose file only its owner reads and which is gone at the end."""
    seen = tmp_path / "seen.txt"
    lungseg = tmp_path / "lungseg"
    lungseg.write_text(STAND_IN.format(seen=seen))
    lungseg.chmod(0o755)
    job = submit(allocation, "run", "--out", "RUN")
    assert job.returncode == 3, job.stdout
    words, machines, mode, address = seen.read_text().splitlines()
    assert (words, machines, mode) == ("run --out RUN", "2", "600")
    assert address.endswith(":24711")
    assert list((Path(allocation["HOME"]) / ".ray").iterdir()) == []
    assert "--cpus-per-task=2" in (tmp_path / "srun.log").read_text()


def test_without_a_verb(allocation: dict[str, str]) -> None:
    job = submit(allocation)
    assert (job.returncode, "give a verb" in job.stdout) == (2, True)


def test_without_an_environment(allocation: dict[str, str]) -> None:
    job = submit(allocation | {"PATH": "/usr/bin:/bin"}, "run", "--out", "RUN")
    assert (job.returncode, len(job.stdout.splitlines())) == (2, 1)
    assert "set LUNGSEG_VENV" in job.stdout


def submit(allocation: dict[str, str], *verb: str) -> subprocess.CompletedProcess[str]:
    """What Slurm does: run the script, then end what it left."""
    log = Path(allocation["HOME"]) / "slurm.log"
    with log.open("w") as file:
        job = subprocess.Popen(
            [str(SCRIPT), *verb], env=allocation, stdout=file, stderr=file, start_new_session=True
        )
    try:
        job.wait(timeout=200)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(job.args, job.returncode, log.read_text())


STAND_IN = """#!/usr/bin/env python
import os, sys, ray

ray.init(logging_level="ERROR", log_to_driver=False)
with open("{seen}", "w") as file:
    print(" ".join(sys.argv[1:]), file=file)
    print(sum(node["Alive"] for node in ray.nodes()), file=file)
    print(oct(os.stat(os.environ["RAY_AUTH_TOKEN_PATH"]).st_mode & 0o777)[2:], file=file)
    print(ray.get_runtime_context().gcs_address, file=file)
sys.exit(3)
"""
"""In place of `lungseg`: writes down what it was given, and fails."""
