"""Standard input and output of the command, such that no report is lost to how it is written.

What an output's encoding lacks is escaped. What cannot be written to standard output is an error of
its own; a reader that has gone away ends the command quietly, as it does other tools; and what
cannot be written to standard error is dropped, as there is nobody to tell. None of this is met in
the middle of work: reports come when all is stored.
"""

import codecs
import io
import json
import os
import select
import sys
from typing import IO, Any

import msgspec

from ck3parse.errors import OutputError, ReaderGoneError, UsageError

_SHOWN = "ck3parse.shown"
_IN_JSON = "ck3parse.json"
_IN, _OUT, _ERR = range(3)


def set_up() -> None:
    """Replace the standard streams of this process by those that this module tells of."""
    codecs.register_error(_SHOWN, _shown)
    codecs.register_error(_IN_JSON, _in_json)
    # In a closed stream's place another file would be opened, and written to. These fail instead.
    for fd, flags in ((_IN, os.O_WRONLY), (_OUT, os.O_RDONLY), (_ERR, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free
            os.set_inheritable(fd, True)
    sys.stdout = _replaced(sys.stdout, _Output(_OUT, "wb", closefd=False))
    sys.stderr = _replaced(sys.stderr, _Messages(_ERR, "wb", closefd=False))


def write(text: str) -> None:
    """Write a line, or several, to standard output.

    Raises:
        OutputError: it cannot be written.
        ReaderGoneError: nobody reads it.
    """
    sys.stdout.write(f"{text}\n")


def write_bytes(*parts: bytes) -> None:
    """Write bytes to standard output as they are; raises as `write`."""
    sys.stdout.buffer.writelines(parts)


def write_json(value: Any, *, indent: int = 2) -> None:
    """Write a value as a line, or several, of ASCII; raises as `write`.

    Args:
        value: what msgspec can encode.
        indent: spaces for each level, 0 for all on one line.
    """
    # It escapes what is not ASCII, and takes names that are no Unicode, as msgspec does not.
    write(json.dumps(msgspec.to_builtins(value), indent=indent or None))


def ascii_json(text: str) -> bytes:
    """Return JSON with what is not ASCII escaped."""
    return text.encode("ascii", _IN_JSON)


def say(text: str) -> None:
    """Write a line to standard error, if it can be written."""
    sys.stderr.write(f"{text}\n")


def read(max_bytes: int) -> bytes:
    """Return what there is on standard input, and no more than a byte beyond a limit.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with open(_IN, "rb", closefd=False) as stream:
            return stream.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from error


class _Stream(io.FileIO):
    """A stream that keeps nothing back: a signal would make a buffer write the same once more."""

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        while left:
            written = super().write(left)
            # Another program may have set the pipe to say that it is full, rather than to wait.
            if written is None:
                select.select([], [self.fileno()], [])
            left = left[written or 0 :]
        return len(data)


class _Output(_Stream):
    """Standard output."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            raise ReaderGoneError("nobody reads what is written") from error
        except OSError as error:
            raise OutputError(f"standard output cannot be written: {error.strerror}") from error


class _Messages(_Stream):
    """Standard error."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _replaced(stream: IO[str] | None, raw: io.FileIO) -> Any:
    if stream is not None and stream.isatty() and sys.platform == "win32":
        return stream  # a console, which takes every character
    errors = getattr(stream, "errors", None) or "strict"
    return io.TextIOWrapper(
        raw,
        encoding=getattr(stream, "encoding", None) or "utf-8",
        # Others were asked for by PYTHONIOENCODING.
        errors=_SHOWN if errors in ("strict", "surrogateescape", "backslashreplace") else errors,
        write_through=True,
    )


def _shown(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    odd = error.object[error.start : error.end]
    return odd.encode("ascii", "backslashreplace").decode(), error.end


def _in_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)), error.end
