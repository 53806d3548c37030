"""`lungseg submit`: the same verb on a cluster far away, through Ray's Jobs API."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.job_api import connect, explained, first_line, get_info
from jobs.package import source_tree, write_package
from jobs.screen import note, say
from lungseg.errors import UserError, WorkError

COMMAND = "cd && exec python -P -m jobs.command "
"""What comes before the verb in the shell line of a job."""

_LOOK_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0
"""How long a cluster may be silent before its job counts as lost."""
_LONGEST_PAUSE_SECONDS = 60.0
_SECRET = re.compile(r"://[^/@\s]*:[^/@\s]+@")


class Lost(WorkError):
    """The job ended without a word, or the cluster forgot it."""


class Stopped(WorkError):
    """Somebody stopped the job, or left it: not to be submitted again."""


def submit(
    verb: str, words: Sequence[str], address: str | None, *, wait: bool = True, retries: int = 0
) -> None:
    """Run a verb on a cluster and follow its log.

    Args:
        verb: name of the verb.
        words: its options, as its command line takes them; paths are the cluster's.
        address: of the cluster's dashboard.
        wait: follow the job to its end; else print its id and return.
        retries: how often a job that failed or was lost is submitted again, which goes on where it
            stopped.

    Raises:
        UserError: the cluster cannot be used, or the job refused the request.
        WorkError: the job failed, was stopped or was lost.
    """
    if any(_SECRET.search(word) for word in words):
        raise UserError(
            "a password in an argument would stand in the cluster's list of jobs: put it into the "
            "environment of the cluster's nodes"
        )
    if retries and not wait:
        raise UserError("--retries needs the command to wait: leave --no-wait away")
    client = connect(address)
    name = f"lungseg-{verb}-{uuid.uuid4().hex[:8]}"
    for attempt in range(retries + 1):
        job = f"{name}-{attempt + 1}" if attempt else name
        try:
            _send(client, job, verb, words)
            if not wait:
                say(job)
                note(f"`lungseg jobs logs {job}` shows its log, `lungseg jobs stop {job}` stops it")
                return
            note(f"submitted {job} to {client.get_address()}")
            _await(client, job)
            return
        except WorkError as error:
            if attempt == retries or isinstance(error, Stopped):
                raise
            note(f"{error}; submitting it again ({attempt + 1} of {retries})")
            time.sleep(min(2.0**attempt, _LONGEST_PAUSE_SECONDS))


def entrypoint(verb: str, words: Sequence[str]) -> str:
    """The shell line of a job.

    It starts in the home folder of the cluster's user, so that what a relative path names outlives
    the job's own folder, which Ray deletes.
    """
    return COMMAND + shlex.join([verb, *words])


def _send(client: Any, job: str, verb: str, words: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="lungseg-") as folder:
        package = Path(folder) / "lungseg.zip"
        write_package(source_tree(), package)
        with explained(client):
            client.submit_job(
                entrypoint=entrypoint(verb, words),
                submission_id=job,
                runtime_env={"working_dir": str(package)},
                metadata={"lungseg": verb},
            )


def _await(client: Any, job: str) -> None:
    try:
        info = _follow(client, job)
    except KeyboardInterrupt:
        _leave_or_stop(client, job)
    status, code = str(info.status), info.driver_exit_code
    if status == "SUCCEEDED":
        return
    if status == "STOPPED":
        raise Stopped(f"{job} was stopped")
    if code == 2:
        raise UserError(f"{job} refused the request: its log says why")
    if code is None:
        raise Lost(f"{job} was lost: {first_line(info.message or 'Ray gives no reason')}")
    if code < 0:
        raise WorkError(f"{job} was killed by signal {-code}")
    raise WorkError(f"{job} failed with exit status {code}: its log says why")


def _follow(client: Any, job: str) -> Any:
    """Print the log as it grows; what Ray knows of the job when it has ended."""
    printed, tries = 0, 0
    heard = time.monotonic()
    while True:
        ended, printed = asyncio.run(_tail(client, job, printed))
        try:
            info = get_info(client, job)
            heard = time.monotonic()
        except UserError as error:
            raise Lost(f"{job} was lost: the cluster was started anew") from error
        except WorkError as error:
            if time.monotonic() - heard > _PATIENCE_SECONDS:
                raise Lost(f"{error}: is {job} lost? `lungseg jobs list` tells") from error
            time.sleep(_LOOK_SECONDS)
            continue
        tries += info.status.is_terminal()
        if info.status.is_terminal() and (ended or tries > 2):
            return info
        time.sleep(0.2 if ended else 1.0)


async def _tail(client: Any, job: str, printed: int) -> tuple[bool, int]:
    """Print the log beyond its first `printed` characters, as long as the connection holds.

    Returns:
        Whether the log came to its end, and how many characters are printed now.
    """
    seen = 0

    async def read() -> None:
        nonlocal seen, printed
        async for text in client.tail_job_logs(job):
            if seen + len(text) > printed:
                sys.stdout.write(text[max(0, printed - seen) :])
                sys.stdout.flush()
                printed = seen + len(text)
            seen += len(text)

    reading = asyncio.create_task(read())
    while not reading.done():
        await asyncio.wait({reading}, timeout=_LOOK_SECONDS)
        if not reading.done() and await asyncio.to_thread(_is_over, client, job):
            # A connection that was cut on its way would wait for ever.
            await asyncio.wait({reading}, timeout=_LOOK_SECONDS)
            reading.cancel()
            await asyncio.wait({reading})
    return not reading.cancelled() and reading.exception() is None, printed


def _is_over(client: Any, job: str) -> bool:
    with contextlib.suppress(WorkError, UserError):
        return bool(get_info(client, job).status.is_terminal())
    return False


def _leave_or_stop(client: Any, job: str) -> None:
    answer = "l"
    if sys.stdin.isatty():
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            answer = input(f"\n{job} runs on. [l]eave it, or [s]top it? ").strip().lower()
    if answer.startswith("s"):
        with explained(client):
            client.stop_job(job)
        raise Stopped(f"{job} is being stopped; the same command goes on from there")
    raise Stopped(
        f"{job} runs on: `lungseg jobs logs {job} --follow` follows it, `lungseg jobs stop {job}` "
        "stops it"
    )
