"""Texts in files: of a volume that every machine has which runs the executions.

Rule: a file appears whole and on disk, under a name of its own, before anything refers to it, and never changes. The
record has names relative to the directory, so that it can move. No symbolic link below the directory is followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from everstep.errors import SerializationError, ServiceError, UsageError
from everstep.stages.api import Where
from everstep.stages.places import folder_of, is_name_of, new_name, not_kept

_SCHEME: Final = "file:"
# O_NONBLOCK: to open a pipe that somebody put there would wait for its writer
_READ: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_NOT_ALLOWED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FSYNC: Final = (errno.EINVAL, errno.ENOTSUP)  # what file systems answer that have no fsync for directories


class Directory:
    """A store of files. Each execution has a folder of its own below `path`: delete it when the execution may be forgotten.

    path: an existing directory that outlives the process and is the same for all that run the executions (on Lambda EFS or
    S3 Files, never /tmp).
    """

    blocks = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))
        if os.open not in os.supports_dir_fd or os.rename not in os.supports_dir_fd:
            raise UsageError("Directory needs a system with openat(2), which this one isn't: offload to S3, or a Store of your own")
        if not self.path.is_dir():
            raise UsageError(f"{self.path} is no directory: create or mount it before the first execution runs")

    def __repr__(self) -> str:
        return f"Directory({str(self.path)!r})"

    def put(self, data: bytes, where: Where) -> str:
        """See Store. Raises ServiceError if the file can't be written."""
        folder_name, name = folder_of(where.execution_arn), new_name(where)
        try:
            with _opened(self.path, _FOLDER) as root:
                with suppress(FileExistsError):
                    os.mkdir(folder_name, 0o700, dir_fd=root)
                _sync(root)  # also if it exists: whoever made it may not have come so far
                with _opened(folder_name, _FOLDER | os.O_NOFOLLOW, root) as folder:
                    _write(data, name, folder)
        except OSError as error:
            raise _service_error(error, f"a text can't be kept in {self.path / folder_name}") from error
        return f"{_SCHEME}{folder_name}/{name}"

    def keeps(self, uri: str, where: Where) -> bool:
        """See Store."""
        folder_name, _, name = uri.removeprefix(_SCHEME).partition("/")
        return uri.startswith(_SCHEME) and folder_name == folder_of(where.execution_arn) and is_name_of(name, where)

    def get(self, uri: str, where: Where, size_bytes: int) -> bytes:
        """See Store. Raises ServiceError if the directory itself is missing, or can't be read."""
        if not self.keeps(uri, where):
            raise not_kept(uri, self, where)
        folder_name, _, name = uri.removeprefix(_SCHEME).partition("/")
        place = self.path / folder_name / name
        try:
            with _opened(self.path, _FOLDER) as root:
                try:
                    with _opened(folder_name, _FOLDER | os.O_NOFOLLOW, root) as folder, _opened(name, _READ, folder) as file:
                        return _read(file, place, size_bytes)
                except FileNotFoundError as error:
                    raise SerializationError(
                        f"{place} is missing: it holds a recorded text of operation {where.operation_id[:12]}. Restore it, or mount "
                        "the directory that it was written to."
                    ) from error
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR) and self.path.is_dir():
                raise SerializationError(f"{place} is, or is reached by, a symbolic link or no directory: none is followed.") from error
            raise _service_error(error, f"{place} can't be read") from error


@contextmanager
def _opened(path: str | Path, flags: int, folder: int | None = None) -> Generator[int]:
    """A descriptor. folder: of the directory that the path is relative to."""
    descriptor = os.open(path, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(data: bytes, name: str, folder: int) -> None:
    """Make the file, so that it is there either whole or not at all."""
    temporary = f".{name}.tmp"
    descriptor = os.open(temporary, _NEW, 0o600, dir_fd=folder)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    _sync(folder)


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def _read(file: int, place: Path, size_bytes: int) -> bytes:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise SerializationError(f"{place} is no regular file.")
    if status.st_size != size_bytes:
        raise SerializationError(f"{place} has {status.st_size:,} bytes and the record says {size_bytes:,}: it was changed. Restore it.")
    parts: list[bytes] = []
    while size_bytes:
        part = os.read(file, min(size_bytes, 16 * 1024 * 1024))
        if not part:
            raise SerializationError(f"{place} was cut off while it was read. Restore it.")
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


def _service_error(error: OSError, what: str) -> ServiceError:
    code = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return ServiceError(f"{what}: {error.strerror}", code=code, is_retryable=error.errno not in _NOT_ALLOWED)
