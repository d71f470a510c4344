"""Reads descriptors of mods: `descriptor.mod`, and `*.mod` files beside the game's documents."""

import re
from pathlib import Path

import msgspec

from ck3parse.errors import UsageError
from ck3parse.files.mod_root import DESCRIPTOR
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.parser import parse_bytes
from ck3parse.tree import Assign, Block, Value, decode

_MAX_BYTES = 1 << 20
_SLASHES = re.compile(r"[\\/]+")


class Descriptor(msgspec.Struct, frozen=True):
    """What a mod says of itself.

    Attributes:
        name: its name; empty if it gives none.
        path: its folder as the descriptor has it; empty if it is the descriptor's own.
        steam_id: its number in Steam's workshop, or empty.
        version: its version, or empty.
        supported_version: the version of the game that it is for, or empty.
        replace_paths: folders relative to a mod's root, with `/`, in lower case. What earlier
            sources have directly in them is not read.
        dependencies: names of mods that it needs loaded before.
        fault: the first syntax error of its file, or empty. Fields after it may be missing.
    """

    name: str = ""
    path: str = ""
    steam_id: str = ""
    version: str = ""
    supported_version: str = ""
    replace_paths: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    fault: str = ""


def read_descriptor(path: Path) -> Descriptor:
    """Read a descriptor. Fields that it does not have are empty.

    Args:
        path: the file, or the folder of a mod.

    Raises:
        UsageError: it cannot be read.
    """
    if path.is_dir():
        path = path / DESCRIPTOR
    try:
        data = read_script(str(path), max_bytes=_MAX_BYTES)
    except CannotReadError as error:
        raise UsageError(f"the descriptor {path} cannot be read: {error.message}") from error
    outcome = parse_bytes(data, path.name, dialect="ck3")
    if outcome.ast_json is None:
        raise UsageError(f"the descriptor {path} cannot be read: {outcome.error}")
    texts: dict[str, str] = {}
    replaced: list[str] = []
    dependencies: list[str] = []
    for element in decode(outcome.ast_json).children:
        if isinstance(element, Assign):
            if element.key == "replace_path":
                replaced.append(folder_name(element.value))
            else:
                texts[element.key] = element.value
        elif isinstance(element, Block) and element.key == "dependencies":
            dependencies += [each.value for each in element.children if isinstance(each, Value)]
    return Descriptor(
        name=texts.get("name", ""),
        path=texts.get("path", ""),
        steam_id=texts.get("remote_file_id", ""),
        version=texts.get("version", ""),
        supported_version=texts.get("supported_version", ""),
        replace_paths=tuple(dict.fromkeys(each for each in replaced if each)),
        dependencies=tuple(dict.fromkeys(dependencies)),
        fault="" if outcome.success else f"line {outcome.line}: {outcome.error}",
    )


def folder_name(text: str) -> str:
    """Return the path of a folder as the index compares it: with `/`, in lower case.

    Args:
        text: the path relative to the root of a mod, as a person wrote it.
    """
    return _SLASHES.sub("/", text.strip()).strip("/").lower()
