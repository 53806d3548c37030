"""The Jobs API of a cluster's dashboard: who may be spoken to, and each failure in one line."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from jobs.token import MEND, find_token
from lungseg.errors import UserError, WorkError

ADDRESS_VARIABLE = "RAY_API_SERVER_ADDRESS"
_EXAMPLE = "http://HEAD:8265"
_SECONDS = 10
"""Patience with the first answer."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was named and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def connect(address: str | None) -> Any:
    """Ray's `JobSubmissionClient` for a cluster that answers, knows us and has our version of Ray.

    Args:
        address: `http://HEAD:8265` or `https://…`; RAY_API_SERVER_ADDRESS by default.

    Raises:
        UserError: nothing answers there, the token is missing or wrong, a token would be needed to
            speak to that address at all, or the cluster has another version of Ray.
    """
    address = _checked(address or os.environ.get(ADDRESS_VARIABLE, ""))
    token = find_token()
    if not token and not _is_private(address):
        raise UserError(
            f"no token for {address}, which is not on this machine: {MEND}, or take an https:// "
            "address"
        )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    _compare_versions(address, _ask_version(address, headers, bool(token)))
    from ray.job_submission import JobSubmissionClient

    for name in ("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk", "_private"):
        logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
    # Ray prefers these two variables to the address that it is given.
    os.environ[ADDRESS_VARIABLE] = address
    verify = os.environ.get("SSL_CERT_FILE") or True
    return JobSubmissionClient(address, headers=headers, verify=verify)


def get_info(client: Any, job: str) -> Any:
    """Ray's `JobDetails` of a job.

    Raises:
        UserError: the cluster knows no such job.
        WorkError: it does not answer.
    """
    with explained(client):
        try:
            return client.get_job_info(job)
        except RuntimeError as error:
            if "status code 404" not in str(error):
                raise
            raise UserError(
                f"{client.get_address()} knows no job {job}: see `lungseg jobs list`"
            ) from error


@contextmanager
def explained(client: Any) -> Iterator[None]:
    """Tell what a request failed of in one line.

    Raises:
        WorkError: it did.
    """
    from ray.exceptions import RayError

    try:
        yield
    except (RuntimeError, OSError, RayError) as error:
        raise WorkError(f"{client.get_address()} did not do it: {first_line(error)}") from error


def first_line(error: object) -> str:
    """The first line of a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _checked(address: str) -> str:
    if not address:
        raise UserError(f"which cluster? Give --address {_EXAMPLE}, or set {ADDRESS_VARIABLE}")
    full = (address if "://" in address else f"http://{address}").rstrip("/")
    try:
        parts = urlsplit(full)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        known = False
    if not known:
        raise UserError(f"{address} is no address of a dashboard: give --address {_EXAMPLE}")
    if parts.password is not None:
        raise UserError(f"no password in --address, please: {MEND}")
    return full


def _is_private(address: str) -> bool:
    """Whether nobody else can read or write there: TLS, or this machine."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ask_version(address: str, headers: dict[str, str], sent_token: bool) -> str:
    """The version of Ray that answers at the address."""
    request = urllib.request.Request(f"{address}/api/version", headers=headers)
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return str(json.loads(answer.read())["ray_version"])
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (401, 403) and not sent_token:
                raise UserError(f"the cluster at {address} asks for a token: {MEND}") from error
            if error.code in (401, 403):
                raise UserError(
                    f"the cluster at {address} refuses this token, it is not its head's: {MEND}"
                ) from error
            raise UserError(
                f"{address} answers with HTTP status {error.code}: is it Ray's dashboard?"
            ) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        told = getattr(reason, "strerror", None) or first_line(reason)
        raise UserError(
            f"no Ray dashboard answers at {address} ({told}): is the cluster up, and the port "
            "forwarded?"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{address} is not Ray's dashboard: give --address {_EXAMPLE}") from error


def _compare_versions(address: str, there: str) -> None:
    here = importlib.metadata.version("ray")
    if here.split(".")[:2] != there.split(".")[:2]:
        raise UserError(
            f"the cluster at {address} has Ray {there}, this machine has {here}: install "
            f"'ray[default]=={there}' here, or {here} there"
        )
