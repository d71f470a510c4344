"""Errors that this package raises, exit codes of its commands, and why a file has no AST."""

from enum import StrEnum


class ErrorType(StrEnum):
    """Why a file has no AST: the values of `ParseResult.error_type`.

    The values travel between versions and are kept in stores, so they never change.
    """

    LEXER_ERROR = "LexerError"
    PARSE_ERROR = "ParseError"
    FILE_NOT_FOUND = "FileNotFoundError"
    PERMISSION = "PermissionError"
    IS_A_DIRECTORY = "IsADirectoryError"
    FILE_TOO_LARGE = "FileTooLarge"
    PATH_NOT_ALLOWED = "PathNotAllowed"
    PARSE_TIMEOUT = "ParseTimeout"
    """Its process was killed at the file's time limit."""
    WORKER_CRASHED = "WorkerCrashed"
    """Its process died while parsing it."""
    MEMORY = "MemoryError"
    WORKER_UNAVAILABLE = "WorkerUnavailable"
    """No worker returned a result in as many tries as a file has."""
    INTERNAL = "InternalError"
    """A bug of ck3parse; the traceback is in the worker's log."""

    @property
    def of_the_content(self) -> bool:
        """Whether the file's content is the cause, so that parsing it again cannot help."""
        return self in _OF_THE_CONTENT

    @property
    def of_the_infrastructure(self) -> bool:
        """Whether a worker or its broker is the cause, and nothing is known about the file."""
        return self in _OF_THE_INFRASTRUCTURE


_OF_THE_CONTENT = frozenset({ErrorType.LEXER_ERROR, ErrorType.PARSE_ERROR})
_OF_THE_INFRASTRUCTURE = frozenset({ErrorType.WORKER_CRASHED, ErrorType.WORKER_UNAVAILABLE})


class ExitCode:
    """Exit codes of the commands."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    OUTPUT = 4
    """The report cannot be written."""
    INTERRUPTED = 130
    READER_GONE = 141
    """The reader of the report is gone: a shell's exit code for a tool that SIGPIPE ended."""


class Ck3parseError(Exception):
    """Base class of all errors. The message is one sentence that says what to do.

    Attributes:
        exit_code: the exit code of a command that fails with this error.
    """

    exit_code = ExitCode.USAGE


class UsageError(Ck3parseError):
    """An argument or a setting cannot be used."""


class StoreError(Ck3parseError):
    """The store cannot be opened, read or written."""


class BrokerError(Ck3parseError):
    """A broker, a result backend or all workers cannot be reached."""

    exit_code = ExitCode.UNAVAILABLE


class NoEmbeddedBrokerError(BrokerError):
    """This machine has no server program for an embedded broker, or no place to run it."""


class OutputError(Ck3parseError):
    """A report cannot be written."""

    exit_code = ExitCode.OUTPUT


class ReaderGoneError(Ck3parseError):
    """The reader of a report is gone."""

    exit_code = ExitCode.READER_GONE
