"""Version, code, parser and limits of a process, to compare a client with its workers."""

import hashlib
import os
import platform
import socket
import sys
import time
from pathlib import Path

import msgspec

from ck3parse import __version__
from ck3parse.config import read_settings
from ck3parse.errors import Ck3parseError
from ck3parse.parser import parser_in_use

_STARTED = time.time()
_PACKAGE = Path(__file__).parents[1]


class Identity(msgspec.Struct, omit_defaults=True):
    """Version, code, parser and limits of a process.

    A field that another version does not have keeps its default.

    Attributes:
        version: version of ck3parse.
        code: digest of the package's Python, SQL and TOML files.
        changed: whether one of these files has changed since the process started.
        package: folder of the package.
        parser: `native`, `python` or `module:callable`.
        parser_version: version that its results are stored under.
        parser_file: file of the module that parses.
        python: version and path of the interpreter.
        host: name of the machine.
        pid: process id.
        now: its clock, in seconds since 1970.
        roots: folders that it may read from; none means every file that its user can read.
        max_depth: the deepest nesting of braces.
        max_file_bytes: the largest file that it reads, in bytes.
        max_timeout_ms: the longest time limit of a request, in milliseconds.
        problem: why some of this is unknown, in one sentence; empty if all is known.
    """

    version: str = ""
    code: str = ""
    changed: bool = False
    package: str = ""
    parser: str = ""
    parser_version: str = ""
    parser_file: str = ""
    python: str = ""
    host: str = ""
    pid: int = 0
    now: float = 0.0
    roots: list[str] = []
    max_depth: int = 0
    max_file_bytes: int = 0
    max_timeout_ms: int = 0
    problem: str = ""


def identity() -> Identity:
    """Return the identity of this process; if part of it is unknown, `problem` says why."""
    found = Identity(
        version=__version__,
        package=str(_PACKAGE),
        python=f"{platform.python_version()} {sys.executable}",
        host=socket.gethostname(),
        pid=os.getpid(),
        now=time.time(),
    )
    try:
        found.code, newest = _code()
        found.changed = newest > _STARTED
        settings = read_settings()
        found.roots = settings.root_folders
        found.max_depth, found.max_file_bytes = settings.max_depth, settings.max_file_bytes
        found.max_timeout_ms = settings.max_timeout_ms
        parser = parser_in_use()
        found.parser, found.parser_version = parser.name, parser.version
        found.parser_file = _file_of(parser.name)
    except (Ck3parseError, ImportError, OSError) as error:
        found.problem = f"{type(error).__name__}: {error}"
    return found


def _code() -> tuple[str, float]:
    digest = hashlib.sha256()
    newest = 0.0
    files = [file for kind in ("py", "sql", "toml") for file in _PACKAGE.rglob(f"*.{kind}")]
    for file in sorted(files, key=lambda file: file.relative_to(_PACKAGE).parts):
        digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
        newest = max(newest, file.stat().st_mtime)
    return digest.hexdigest()[:12], newest


def _file_of(parser: str) -> str:
    names = {"native": "ck3parse.parser._native", "python": "ck3parse.parser.reference"}
    module = sys.modules.get(names.get(parser, parser.partition(":")[0]))
    return str(getattr(module, "__file__", None) or "")
