"""What `ck3parse.toml`, or the `[tool.ck3parse]` table of `pyproject.toml`, says of checking."""

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ck3parse.errors import UsageError

OWN_FILE = "ck3parse.toml"
PROJECT_FILE = "pyproject.toml"


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Settings of a mod's folder.

    Attributes:
        select: codes to show instead of those that are on by default.
        extend_select: codes to show beside them.
        ignore: codes not to show.
        include: patterns of files to check although they would be skipped.
        exclude: patterns of files to skip.
    """

    select: list[str] = []
    extend_select: list[str] = []
    ignore: list[str] = []
    include: list[str] = []
    exclude: list[str] = []


def configuration_of(paths: list[str]) -> Configuration:
    """Return the configuration of the folder that all paths lie in, or of the next above it.

    Args:
        paths: files and folders; none: the current folder.

    Raises:
        UsageError: it cannot be read, or holds what is no setting.
    """
    start = Path(os.path.commonpath([os.path.abspath(path) for path in paths or ["."]]))
    for folder in [start, *start.parents]:
        own, project = folder / OWN_FILE, folder / PROJECT_FILE
        if own.is_file():
            return _converted(own, _read(own))
        if project.is_file():
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
        return msgspec.convert(table, Configuration)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} cannot be used: {error}") from error
