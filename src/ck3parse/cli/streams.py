"""Standard input, output and error of the command.

Characters that an output's encoding lacks are escaped. If standard output cannot be written,
`OutputError` is raised; if its reader is gone, the command ends quietly, as other tools do. If
standard error cannot be written, the message is dropped. None of this interrupts work, because
reports are written after all results are stored.
"""

import codecs
import io
import json
import os
import select
import shutil
import sys
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from ck3parse.errors import OutputError, ReaderGoneError, UsageError

if TYPE_CHECKING:
    from rich.console import Console  # imported where text is laid out

_SHOWN = "ck3parse.shown"
_IN_JSON = "ck3parse.json"
_IN, _OUT, _ERR = range(3)
_quiet = False


def set_up() -> None:
    """Replace the standard streams of this process by streams that behave as described above."""
    codecs.register_error(_SHOWN, _shown)
    codecs.register_error(_IN_JSON, _in_json)
    # The next file opened would take the number of a closed stream, and messages would be written
    # into it. These fail instead.
    for fd, flags in ((_IN, os.O_WRONLY), (_OUT, os.O_RDONLY), (_ERR, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
            os.set_inheritable(fd, True)
    sys.stdout = _replaced(sys.stdout, _Output(_OUT, "wb", closefd=False))
    sys.stderr = _replaced(sys.stderr, _Messages(_ERR, "wb", closefd=False))


def write(text: str) -> None:
    """Write one or more lines to standard output.

    Raises:
        OutputError: standard output cannot be written.
        ReaderGoneError: the program that reads standard output is gone.
    """
    sys.stdout.write(f"{text}\n")


def write_bytes(*parts: bytes) -> None:
    """Write bytes to standard output unchanged. Raises the same errors as `write`."""
    sys.stdout.buffer.writelines(parts)


def write_json(value: Any, *, indent: int = 2) -> None:
    """Write a value as JSON in ASCII. Raises the same errors as `write`.

    Args:
        value: anything that msgspec can encode.
        indent: spaces per level; 0 puts everything on one line.
    """
    # Unlike msgspec, json escapes non-ASCII characters and accepts file names that are not Unicode.
    write(json.dumps(msgspec.to_builtins(value), indent=indent or None))


def ascii_json(text: str) -> bytes:
    """Return JSON with all non-ASCII characters escaped."""
    return text.encode("ascii", _IN_JSON)


def say(text: str) -> None:
    """Write a line to standard error; does nothing if that fails."""
    sys.stderr.write(f"{text}\n")


def be_quiet(wanted: bool) -> None:
    """Say from now on whether `note` and progress are left out: the option `--quiet`."""
    global _quiet
    _quiet = wanted


def is_quiet() -> bool:
    """Return whether notes and progress are left out."""
    return _quiet


def note(text: str) -> None:
    """Write what is neither report, warning nor error to standard error, unless `is_quiet`."""
    if not _quiet:
        say(text)


def note_waiting(waiting: str | None) -> None:
    """Note what the command waits for.

    Args:
        waiting: a few words; `None` if it no longer waits.
    """
    if waiting:
        note(f"ck3parse: {waiting}")


def has_colour() -> bool:
    """Return whether text for people on standard output is coloured.

    `NO_COLOR` turns colours off and `FORCE_COLOR` turns them on, if they are not empty; otherwise
    they are on in a terminal.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console(**options: Any) -> "Console":
    """Return a console of rich's on standard output, with colours and bold if `has_colour`.

    Args:
        **options: further options of it.
    """
    from rich.console import Console

    return Console(color_system="auto" if has_colour() else None, **options)


def columns() -> int | None:
    """Return how many columns the terminal on standard output has, or `None` if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def bold(text: str) -> str:
    """Return text that is bold if `has_colour`."""
    return _styled(text, bold=True)


def dim(text: str) -> str:
    """Return text that is dim if `has_colour`."""
    return _styled(text, dim=True)


def coloured(text: str, colour: str) -> str:
    """Return text in a colour if `has_colour`.

    Args:
        text: the text.
        colour: a name that click knows, such as `green`.
    """
    return _styled(text, fg=colour)


def read(max_bytes: int) -> bytes:
    """Return the content of standard input, up to one byte more than a limit.

    Raises:
        UsageError: standard input cannot be read.
    """
    try:
        with open(_IN, "rb", closefd=False) as stream:
            return stream.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from error


def _styled(text: str, **style: Any) -> str:
    return click.style(text, **style) if has_colour() else text


class _Stream(io.FileIO):
    """An unbuffered stream: a buffer interrupted by a signal would write the same bytes again."""

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        while left:
            written = super().write(left)
            # Another program may have made the pipe non-blocking, and it is full.
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
            raise ReaderGoneError("the reader of standard output is gone") from error
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
        return stream  # a console, which shows every character
    errors = getattr(stream, "errors", None) or "strict"
    return io.TextIOWrapper(
        raw,
        encoding=getattr(stream, "encoding", None) or "utf-8",
        # Any other error handler was chosen with PYTHONIOENCODING.
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
