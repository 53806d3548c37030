"""Files by path or URL: a local folder, NFS, `s3://`, `gs://` or any other fsspec address.

Every file is written under a temporary name and then renamed, so that a reader sees the whole
file or none. (Object stores publish an object only when its upload is complete.)
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec

from lungseg.errors import UserError

UNWRITABLE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EEXIST, errno.ENOTDIR),
    }
)
"""Numbers of the errors of a storage that is full, read-only or somebody else's, or that has a file
where a folder is to be."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.:-]*://")
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
_HTTP = {401: errno.EACCES, 403: errno.EACCES, 404: errno.ENOENT, 410: errno.ENOENT}


def is_url(path: str) -> bool:
    """Whether the path names a remote address (`file://` counts as local).

    It begins with a scheme: a "://" further on may be part of a file's name.
    """
    return bool(_SCHEME.match(path)) and not path.startswith("file://")


def local(path: str) -> str:
    """The plain path of a local address."""
    return path.removeprefix("file://")


def absolute(path: str) -> str:
    """The same address for every process of a cluster: URLs as they are, paths made absolute."""
    return path.rstrip("/") if is_url(path) else os.path.abspath(os.path.expanduser(local(path)))


def join(*parts: str) -> str:
    """Join the parts of a path or URL with "/"."""
    return "/".join([parts[0].rstrip("/"), *(part.strip("/") for part in parts[1:])])


@contextlib.contextmanager
def remote(path: str) -> Iterator[tuple[fsspec.AbstractFileSystem, str]]:
    """The file system of a URL, and the path in it, for the length of a `with` block.

    Raises:
        UserError: fsspec knows no such address, or needs a package that is not installed.
        OSError: also for what the packages of the storages raise of their own; it names the URL.
    """
    try:
        # A cached listing would not know what other processes have written since.
        filesystem, inner = fsspec.url_to_fs(path, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UserError(f"cannot reach {path}: {error}") from error
    try:
        yield filesystem, inner
    except UserError:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file or bucket", path) from error
    except Exception as error:
        number = _HTTP.get(getattr(error, "status", 0), getattr(error, "errno", None))
        if isinstance(error, PermissionError):
            number = errno.EACCES
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OSError(number or errno.EIO, reason, path) from error


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    if not is_url(path):
        return os.path.exists(local(path))
    with remote(path) as (filesystem, inner):
        return bool(filesystem.exists(inner))


def is_folder(path: str) -> bool:
    """Whether the path is a folder (on object storage: a prefix with files below it)."""
    if not is_url(path):
        return os.path.isdir(local(path))
    with remote(path) as (filesystem, inner):
        return bool(filesystem.isdir(inner))


def size(path: str) -> int:
    """Size of a file in bytes.

    Raises:
        OSError: it is not there, or is no regular file but a pipe or a device.
    """
    if not is_url(path):
        status = os.stat(local(path))
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "no regular file", path)
        return status.st_size
    with remote(path) as (filesystem, inner):
        return int(filesystem.size(inner) or 0)


def read_bytes(path: str) -> bytes:
    """The whole content of a file."""
    if not is_url(path):
        return Path(local(path)).read_bytes()
    with remote(path) as (filesystem, inner):
        return bytes(filesystem.cat_file(inner))


def read_text(path: str) -> str:
    """The whole content of a UTF-8 file."""
    return read_bytes(path).decode("utf-8")


def write_bytes(path: str, data: bytes) -> None:
    """Write a file so that it appears whole or not at all; folders are made as needed."""
    if is_url(path):
        with remote(path) as (filesystem, inner):
            filesystem.pipe_file(inner, data)
        return
    target = local(path)
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    temporary = os.path.join(
        os.path.dirname(target), f".{os.path.basename(target)}.{uuid.uuid4().hex[:8]}.tmp"
    )
    try:
        with open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            # A disk found full while writing is told without a name.
            raise OSError(error.errno, error.strerror, target) from error
        raise


def write_text(path: str, text: str) -> None:
    """Write a UTF-8 file so that it appears whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def make_folder(path: str) -> None:
    """Make a folder and those above it (object stores have none to make)."""
    if not is_url(path):
        os.makedirs(local(path), exist_ok=True)


def list_files(folder: str, suffix: str = "", recursive: bool = False) -> list[str]:
    """Sorted paths of the files in a folder; hidden files are left out, a missing folder is empty.

    Args:
        folder: path or URL.
        suffix: only names that end so, e.g. ".parquet".
        recursive: also below its folders (hidden ones left out), each but once where links lead
            to it by several ways.

    Raises:
        UserError: a folder may not be read.
    """
    if not is_url(folder):
        root = local(folder)
        found = []
        seen: set[tuple[int, int]] = set()
        for where, folders, names in os.walk(root, followlinks=True, onerror=_complain):
            status = os.stat(where)
            place = (status.st_dev, status.st_ino)
            # A link may lead back to a folder above it.
            folders[:] = sorted(filter(_is_visible, folders)) if place not in seen else []
            if place not in seen:
                found += [os.path.join(where, name) for name in names if _is_visible(name)]
            seen.add(place)
            if not recursive:
                break
        return sorted(path for path in found if path.endswith(suffix))
    with remote(folder) as (filesystem, inner):
        try:
            paths = filesystem.find(inner, maxdepth=None if recursive else 1)
        except FileNotFoundError:
            return []
    start = len(inner.rstrip("/"))
    # Some programs mark a folder by an object of no size whose name ends in "/".
    visible = (
        path
        for path in paths
        if not path.endswith("/") and all(map(_is_visible, path[start:].split("/")))
    )
    return sorted(filesystem.unstrip_protocol(path) for path in visible if path.endswith(suffix))


def match(pattern: str) -> list[str]:
    """Sorted paths of the files that a pattern with `*`, `?`, `[…]` or `**` names."""
    if not is_url(pattern):
        return sorted(filter(os.path.isfile, glob.iglob(local(pattern), recursive=True)))
    with remote(pattern) as (filesystem, inner):
        found = filesystem.glob(inner, detail=True)
    files = (
        path for path, entry in found.items() if entry["type"] == "file" and not path.endswith("/")
    )
    return sorted(filesystem.unstrip_protocol(path) for path in files)


def list_folders(folder: str) -> list[str]:
    """Sorted paths of the folders directly in a folder; hidden ones are left out."""
    if not is_url(folder):
        if not os.path.isdir(local(folder)):
            return []
        try:
            entries = [entry for entry in os.scandir(local(folder)) if entry.is_dir()]
        except OSError as error:
            _complain(error)
            return []
        return sorted(entry.path for entry in entries if _is_visible(entry.name))
    with remote(folder) as (filesystem, inner):
        try:
            entries = filesystem.ls(inner, detail=True)
        except FileNotFoundError:
            return []
    names = [str(entry["name"]).rstrip("/") for entry in entries if entry["type"] == "directory"]
    return sorted(
        filesystem.unstrip_protocol(name)
        for name in names
        if name != inner.rstrip("/") and _is_visible(name.rsplit("/", 1)[-1])
    )


def _is_visible(name: str) -> bool:
    """Whether it is no hidden file or folder, and not what macOS puts into archives."""
    return not name.startswith(".") and name != "__MACOSX"


def _complain(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise UserError(f"{error.filename} cannot be listed: {error.strerror}") from error


def delete(path: str) -> None:
    """Delete a file or a folder with all below it; nothing happens where nothing is."""
    address = path if is_url(path) else f"file://{absolute(path)}"
    with contextlib.suppress(FileNotFoundError), remote(address) as (filesystem, inner):
        filesystem.rm(inner, recursive=True)


def delete_leftovers(folder: str) -> None:
    """Delete what killed writes left in a folder and below it (object stores keep nothing)."""
    if is_url(folder):
        return
    for where, _, names in os.walk(local(folder)):
        for name in filter(_LEFTOVER.fullmatch, names):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(where, name))
