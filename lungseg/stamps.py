"""Whether files changed, without reading them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lungseg import storage
from lungseg.errors import UserError

_VERSIONS = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "LastModified",
    "last_modified",
    "mtime",
    "updated",
    "created",
)
"""How the file systems of fsspec name what changes with a file, the surest first."""


def stamps(paths: Iterable[str]) -> dict[str, str]:
    """A short text for each file that changes with its content.

    Size and time of change of a local file; size and checksum, or time, that object storage lists
    (one listing a folder, no request a file). "" for a file that is not there, cannot be
    reached, or is on a web server, which lists none.

    Args:
        paths: files, local or by URL.
    """
    found: dict[str, str] = {}
    remote: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if storage.is_url(path):
            remote[path.rsplit("/", 1)[0]].append(path)
        else:
            found[path] = _local(storage.local(path))
    for folder, files in remote.items():
        entries = _entries(folder)
        found |= {path: entries.get(path.rsplit("/", 1)[1], "") for path in files}
    return found


def _local(path: str) -> str:
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _entries(folder: str) -> dict[str, str]:
    """Stamp of each file in a remote folder, by its name."""
    if folder.startswith(("http://", "https://")):
        return {}
    try:
        with storage.remote(folder) as (filesystem, inner):
            entries = filesystem.ls(inner, detail=True, refresh=True)
    except (FileNotFoundError, PermissionError, UserError):
        return {}
    return {entry["name"].rsplit("/", 1)[-1]: _remote(entry) for entry in entries}


def _remote(entry: Mapping[str, Any]) -> str:
    version = next((entry[name] for name in _VERSIONS if entry.get(name)), "")
    return f"{entry.get('size')}-{version}"
