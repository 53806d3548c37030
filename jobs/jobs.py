"""`lungseg jobs`: what a cluster is asked to do, through Ray's Jobs API."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import datetime
from typing import Any

from jobs.job_api import connect, explained, get_info
from jobs.screen import say
from jobs.submit import COMMAND
from lungseg.errors import WorkError

_STOP_SECONDS = 30.0


def list_jobs(address: str | None) -> None:
    """Print a line a submitted job, the newest last."""
    client = connect(address)
    with explained(client):
        found = [job for job in client.list_jobs() if job.submission_id]
    for job in sorted(found, key=lambda one: one.start_time or 0):
        say(
            f"{job.submission_id:<32} {job.status!s:<9} {_time(job.start_time)} "
            f"{_minutes(job):>8}  {_command(job)}"
        )
    if not found:
        say(f"no jobs on {client.get_address()}")


def show_log(job: str, address: str | None, *, follow: bool = False) -> None:
    """Print the log of a job.

    Raises:
        UserError: there is no such job.
    """
    client = connect(address)
    get_info(client, job)
    with explained(client):
        if follow:
            asyncio.run(_print(client, job))
        else:
            sys.stdout.write(client.get_job_logs(job))


def stop_job(job: str, address: str | None) -> None:
    """Stop a job and wait until it is.

    Raises:
        UserError: there is no such job.
        WorkError: it would not stop.
    """
    client = connect(address)
    if get_info(client, job).status.is_terminal():
        say(f"{job} had ended: {get_info(client, job).status}")
        return
    with explained(client):
        client.stop_job(job)
    deadline = time.monotonic() + _STOP_SECONDS
    while not (info := get_info(client, job)).status.is_terminal():
        if time.monotonic() > deadline:
            raise WorkError(f"{job} does not stop: look at its log with `lungseg jobs logs {job}`")
        time.sleep(0.2)
    say(f"{job}: {info.status}")


async def _print(client: Any, job: str) -> None:
    async for text in client.tail_job_logs(job):
        sys.stdout.write(text)
        sys.stdout.flush()


def _command(job: Any) -> str:
    """As its user gave it, where it is one of ours."""
    line = str(job.entrypoint)
    return f"lungseg {line.removeprefix(COMMAND)}" if line.startswith(COMMAND) else line


def _time(milliseconds: int | None) -> str:
    if not milliseconds:
        return " " * 16
    return datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M")


def _minutes(job: Any) -> str:
    if not job.start_time:
        return ""
    end = job.end_time or time.time() * 1000
    return f"{(end - job.start_time) / 60_000:.1f} min"
