"""The configuration of `ck3parse check`: `ck3parse.toml`, or a table of `pyproject.toml`."""

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ck3parse.errors import UsageError

OWN_FILE = "ck3parse.toml"
PROJECT_FILE = "pyproject.toml"


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a configuration file can set.

    Attributes:
        select: codes to report instead of those that are on by default.
        extend_select: codes to report too.
        ignore: codes not to report.
        include: patterns of files to check although they would be skipped.
        exclude: patterns of files to skip.
        game: the folder of the game; a relative one counts from the folder of the file.
        baseline: the file of findings not to report; a relative one counts from there, too.
    """

    select: list[str] = []
    extend_select: list[str] = []
    ignore: list[str] = []
    include: list[str] = []
    exclude: list[str] = []
    game: str | None = None
    baseline: str | None = None


def find_configuration(paths: list[str]) -> Configuration:
    """Return the configuration from the folder that contains all paths, or from one above it.

    The nearest folder with a `ck3parse.toml`, or a `pyproject.toml` with a `[tool.ck3parse]` table,
    counts. In one folder, `ck3parse.toml` wins.

    Args:
        paths: files and folders; if empty, the current folder.

    Raises:
        UsageError: the file cannot be read, or a setting in it is unknown or has the wrong type.
    """
    start = Path(os.path.commonpath([os.path.abspath(path) for path in paths or ["."]]))
    for folder in [start, *start.parents]:
        own, project = folder / OWN_FILE, folder / PROJECT_FILE
        if os.path.isfile(own):  # a folder may be closed
            return _converted(own, _read(own))
        if os.path.isfile(project):
            table = _read(project).get("tool", {}).get("ck3parse")
            if table is not None:
                return _converted(project, table)
    return Configuration()


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _converted(path: Path, table: object) -> Configuration:
    try:
        found = msgspec.convert(table, Configuration)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} cannot be used: {error}") from error
    files = {"game": found.game, "baseline": found.baseline}
    absolute = {name: str(path.parent / each) for name, each in files.items() if each}
    return msgspec.structs.replace(found, **absolute)
