"""The token of a Ray cluster with token authentication: where it is found, never what it is."""

from __future__ import annotations

import os
from pathlib import Path

from lungseg.errors import UserError

MEND = "set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file that holds it"
"""What to do about a missing token."""


def find_token() -> str:
    """The token that Ray itself would send, "" where there is none or RAY_AUTH_MODE says no.

    It comes from RAY_AUTH_TOKEN, the file that RAY_AUTH_TOKEN_PATH names, or `~/.ray/auth_token`,
    in this order.

    Raises:
        UserError: RAY_AUTH_TOKEN_PATH names no readable file, or RAY_AUTH_MODE=token without token.
    """
    mode = os.environ.get("RAY_AUTH_MODE", "").lower()
    if mode == "disabled":
        return ""
    token = os.environ.get("RAY_AUTH_TOKEN", "").strip() or _read()
    if mode == "token" and not token:
        raise UserError(f"RAY_AUTH_MODE is token, but there is none: {MEND}")
    return token


def _read() -> str:
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        if not named:
            return ""
        raise UserError(f"cannot read RAY_AUTH_TOKEN_PATH {named}: {error.strerror}") from error
    if named and not token:
        raise UserError(f"the file {named} of RAY_AUTH_TOKEN_PATH is empty")
    return token
