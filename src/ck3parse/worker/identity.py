"""What a process runs: version, code, parser and limits, so that two of them can be compared."""

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
    """What a process runs. What a version does not know of stays at its default.

    Attributes:
        version: of ck3parse.
        code: digest of the package's Python and SQL files, the same wherever they are the same.
        changed: whether one of them was written after the process began, which runs the old one.
        package: folder that the package was imported from.
        parser: `native`, `python` or `module:callable`.
        parser_version: what its results are stored under.
        parser_file: file of the module that parses.
        python: version and path of the interpreter.
        host: name of the machine.
        pid: process id.
        now: seconds since 1970 by its clock.
        roots: folders that it may read beneath; none means every file that its user can read.
        max_depth: how deep braces may nest.
        max_file_bytes: larger files are not read.
        max_timeout_ms: the longest time limit that a request may have.
        problem: why some of this cannot be told, in one sentence; empty if all can.
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
    """Return what this process runs; if part of it cannot be told, `problem` says why."""
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
        of = read_settings()
        found.roots = of.root_folders
        found.max_depth, found.max_file_bytes = of.max_depth, of.max_file_bytes
        found.max_timeout_ms = of.max_timeout_ms
        parser = parser_in_use()
        found.parser, found.parser_version = parser.name, parser.version
        found.parser_file = _file_of(parser.name)
    except (Ck3parseError, ImportError, OSError) as error:
        found.problem = f"{type(error).__name__}: {error}"
    return found


def _code() -> tuple[str, float]:
    digest = hashlib.sha256()
    newest = 0.0
    files = [*_PACKAGE.rglob("*.py"), *_PACKAGE.rglob("*.sql")]
    for file in sorted(files, key=lambda file: file.relative_to(_PACKAGE).parts):
        digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
        newest = max(newest, file.stat().st_mtime)
    return digest.hexdigest()[:12], newest


def _file_of(parser: str) -> str:
    names = {"native": "ck3parse.parser._native", "python": "ck3parse.parser.reference"}
    module = sys.modules.get(names.get(parser, parser.partition(":")[0]))
    return str(getattr(module, "__file__", None) or "")
