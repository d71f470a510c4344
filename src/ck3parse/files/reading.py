"""Reads a script file, if it is a regular file, in an allowed folder and not too large."""

import errno
import os
import stat
import sys
from collections.abc import Iterable
from typing import NewType

from ck3parse.errors import ErrorType

_OPEN_FLAGS = (
    os.O_RDONLY
    # A named pipe without a writer would block the open forever.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


_GROWN_BYTES = 1 << 20
"""Bytes to read at once from a file that has grown since it was opened."""

Roots = NewType("Roots", tuple[str, ...])
"""Real paths of folders. Each ends in a separator, so that `/mods2` is not in `/mods`."""

ANY = Roots(())
"""Any file may be read."""


def real_roots(folders: Iterable[str]) -> Roots:
    """Return folders as roots, with symbolic links resolved."""
    return Roots(tuple(os.path.join(os.path.realpath(folder), "") for folder in folders))


class CannotReadError(Exception):
    """A file cannot be read.

    Args:
        error_type: the type of the error.
        message: the reason in one sentence, without the path.

    Attributes:
        error_type: as given.
        message: as given.
    """

    def __init__(self, error_type: ErrorType, message: str) -> None:
        super().__init__(error_type, message)
        self.error_type = error_type
        self.message = message


def read_script(path: str, *, max_bytes: int, roots: Roots = ANY) -> bytes:
    """Return the content of a file.

    Args:
        path: the path of the file.
        max_bytes: size in bytes of the largest file to read.
        roots: the folders that the file may be in, with symbolic links resolved.

    Returns:
        The bytes of the file.

    Raises:
        CannotReadError: the file does not exist, is not a regular file, is too large, or may not
            be read.
    """
    try:
        fd = os.open(path, _OPEN_FLAGS)
    except OSError as error:
        raise _cannot_open(path, error) from error
    except ValueError as error:
        raise CannotReadError(
            ErrorType.FILE_NOT_FOUND, f"no file can have this name: {error}"
        ) from error
    try:
        if roots and not (_path_of(fd, path) + os.sep).startswith(roots):
            raise CannotReadError(
                ErrorType.PATH_NOT_ALLOWED,
                "it is outside of the folders that the worker may read"
                " (perhaps by a symbolic link): give its real folder to the command or worker",
            )
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _not_regular(status.st_mode)
        if status.st_size > max_bytes:
            raise too_large(status.st_size, max_bytes)
        # It may have grown meanwhile.
        data = _read_all(fd, status.st_size, max_bytes)
    except OSError as error:
        raise _cannot_open(path, error) from error
    finally:
        os.close(fd)
    if len(data) > max_bytes:
        raise too_large(len(data), max_bytes)
    return data


def _read_all(fd: int, size: int, max_bytes: int) -> bytes:
    # Only an empty read is the end: some file systems, and Linux above two gigabytes, return less
    # than requested before it.
    chunks: list[bytes] = []
    total = 0
    while total <= max_bytes and (
        chunk := os.read(fd, size + 1 - total if total <= size else _GROWN_BYTES)
    ):
        chunks.append(chunk)
        total += len(chunk)
    return b"".join(chunks)


def _path_of(fd: int, path: str) -> str:
    # The path of the open file, not of what the path leads to by now.
    if sys.platform == "linux":
        return os.readlink(f"/proc/self/fd/{fd}")
    return os.path.realpath(path)


def _cannot_open(path: str, error: OSError) -> CannotReadError:
    if os.path.isdir(path):  # for which Windows says "permission denied"
        return CannotReadError(ErrorType.IS_A_DIRECTORY, "it is a folder, not a file")
    return CannotReadError(*failure_of(error))


def failure_of(error: OSError) -> tuple[ErrorType, str]:
    """Return the type of an error of the file system, and the reason in one sentence.

    Args:
        error: the error.

    Returns:
        The type and the sentence, which does not name the file.
    """
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ErrorType.FILE_NOT_FOUND, "it does not exist (any more), or links to nothing"
    if isinstance(error, PermissionError):
        return ErrorType.PERMISSION, "it cannot be read: permission denied"
    if isinstance(error, IsADirectoryError):
        return ErrorType.IS_A_DIRECTORY, "it is a folder, not a file"
    if error.errno == errno.ELOOP:
        return ErrorType.FILE_NOT_FOUND, "it is a symbolic link that leads back to itself"
    if error.errno == errno.ENAMETOOLONG:
        return ErrorType.PATH_NOT_ALLOWED, "its path is longer than the system allows"
    return ErrorType.PERMISSION, f"it cannot be read: {error.strerror or error}"


def _not_regular(mode: int) -> CannotReadError:
    if stat.S_ISDIR(mode):
        return CannotReadError(ErrorType.IS_A_DIRECTORY, "it is a folder, not a file")
    kind = "a named pipe" if stat.S_ISFIFO(mode) else "a device or socket"
    return CannotReadError(ErrorType.PATH_NOT_ALLOWED, f"it is {kind}, not a file")


def text_too_large(text: str, max_bytes: int) -> CannotReadError | None:
    """Return the error of a text that would be too large as a file.

    Args:
        text: the text.
        max_bytes: size in bytes of the largest file to read.

    Returns:
        The error, or `None` if the text is not too large.
    """
    # A character has at most four bytes.
    if len(text) <= max_bytes // 4:
        return None
    size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    return too_large(size, max_bytes) if size > max_bytes else None


def too_large(size: int, max_bytes: int) -> CannotReadError:
    """Return the error of a file that is too large.

    Args:
        size: its size in bytes.
        max_bytes: size in bytes of the largest file to read.

    Returns:
        The error.
    """
    return CannotReadError(
        ErrorType.FILE_TOO_LARGE,
        f"it has {size:,} bytes, more than the limit of {max_bytes:,} (CK3PARSE_MAX_FILE_BYTES)",
    )
