"""The sources of a playset in their order: the game, mods, folders."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from ck3parse.errors import UsageError
from ck3parse.files.mod_root import DESCRIPTOR
from ck3parse.files.walk import checked_path
from ck3parse.index.descriptor import read_descriptor

Kind = Literal["game", "mod", "folder"]

_MAX_BYTES = 16 << 20
_GAME_NAMES = frozenset({"game", "jomini", "clausewitz"})


class Source(msgspec.Struct, frozen=True):
    """A part of a playset.

    Attributes:
        name: what to call it; each source has a name of its own.
        path: absolute path of its folder.
        kind: `game`, `mod` if it has a descriptor, else `folder`.
        replace_paths: as in its descriptor.
        dependencies: as in its descriptor.
        descriptor: absolute path of its descriptor, or `None`.
    """

    name: str
    path: str
    kind: Kind = "folder"
    replace_paths: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    descriptor: str | None = None


class Missing(msgspec.Struct, frozen=True):
    """A mod of a playset that is not there.

    Attributes:
        name: its name, or what the playset has in place of one.
        reason: why, in a few words.
    """

    name: str
    reason: str


class Playset(msgspec.Struct, frozen=True):
    """The sources of a playset, in load order.

    Attributes:
        sources: from the one that is loaded first.
        missing: what it names and what is not there.
        warnings: a sentence for each thing that is probably a mistake.
    """

    sources: Sequence[Source]
    missing: Sequence[Missing] = ()
    warnings: Sequence[str] = ()

    @property
    def paths(self) -> list[str]:
        """The paths of the sources, in load order."""
        return [source.path for source in self.sources]

    def sentences(self) -> list[str]:
        """Return what is wrong with it, a sentence each: missing mods, then warnings."""
        gone = [
            f"the playset's mod {each.name} is left out: it {each.reason}" for each in self.missing
        ]
        return gone + list(self.warnings)


def given_playset(paths: Sequence[str], playset_file: Path | None, mods: Sequence[str]) -> Playset:
    """Return the playset that a command was given.

    Args:
        paths: folders in load order.
        playset_file: names mods that are loaded after them, or `None`.
        mods: folders in which the mods of an exported playset may be.

    Raises:
        UsageError: as for `read_playset` and `playset_of`.
    """
    if playset_file:
        return read_playset(playset_file, before=paths, mods=mods)
    return playset_of(paths)


def playset_of(paths: Iterable[str | os.PathLike[str]]) -> Playset:
    """Return the playset of some folders and files.

    Args:
        paths: in load order. The folder of a file is the source.

    Raises:
        UsageError: one does not exist, or cannot be read.
    """
    folders: dict[str, None] = {}
    for path in paths:
        absolute = checked_path(os.fspath(path))
        folders[absolute if os.path.isdir(absolute) else os.path.dirname(absolute)] = None
    warnings: list[str] = []
    return _checked([source_of(Path(folder), warnings) for folder in folders], [], warnings)


def source_of(folder: Path, warnings: list[str], descriptor_file: Path | None = None) -> Source:
    """Return a folder as a source.

    Args:
        folder: absolute path of the game, a mod or any folder.
        warnings: takes a sentence if its descriptor cannot be read.
        descriptor_file: the mod's descriptor, if it is not in the folder.
    """
    own = folder / DESCRIPTOR
    file = own if os.path.isfile(own) else descriptor_file
    if file is not None:
        try:
            known = read_descriptor(file)
        except UsageError as error:
            warnings.append(f"{error}: its mod counts as a folder, without replace_path")
        else:
            if known.fault:
                warnings.append(
                    f"the descriptor {file} is broken ({known.fault}): what is sound in it counts"
                )
            return Source(
                known.name or folder.name, str(folder), "mod", known.replace_paths,
                known.dependencies, str(file),
            )  # fmt: skip
    kind: Kind = "game" if folder.name.lower() in _GAME_NAMES else "folder"
    return Source(folder.name or str(folder), str(folder), kind)


def read_playset(
    path: str | os.PathLike[str],
    *,
    before: Iterable[str | os.PathLike[str]] = (),
    mods: Sequence[str | os.PathLike[str]] = (),
) -> Playset:
    """Read a playset.

    Args:
        path: the launcher's `dlc_load.json`, a playset that it exported, or a text file with a
            folder in each line, where `#` starts a comment.
        before: folders that are loaded before it, such as that of the game.
        mods: folders in which the mods of an exported playset may be: with `*.mod` files, or with
            a folder for each mod. Default: the folder of the playset, and `mod` in it.

    Returns:
        The playset without the mods that are not there.

    Raises:
        UsageError: it cannot be read, or names nothing that is there.
    """
    file = Path(path).absolute()
    text = _read(file)
    places = [Path(each).absolute() for each in mods]
    for each in places:
        if not os.path.isdir(each):
            raise UsageError(f"{each} is no folder: give folders with mods")
    missing: list[Missing] = []
    warnings: list[str] = []
    found = list(playset_of(before).sources)
    if text.lstrip().startswith(("{", "[")):
        content = _json(text, file)
        if isinstance(content.get("enabled_mods"), list):
            entries = _of_launcher(content["enabled_mods"], file, warnings)
        elif isinstance(content.get("mods"), list):
            places = places or [file.parent, file.parent / "mod"]
            entries = _of_export(content["mods"], places, warnings)
        else:
            raise UsageError(
                f"{file} is JSON, but no playset: it has neither `enabled_mods`, as dlc_load.json,"
                " nor `mods`, as an exported playset"
            )
    else:
        entries = _of_lines(text, file, warnings)
    there: list[Source] = []
    for entry in entries:
        if isinstance(entry, Missing):
            missing.append(entry)
        else:
            there.append(entry)
    if not there and not missing:
        raise UsageError(f"the playset {file} names no mod, or none that is enabled")
    if not there:
        raise UsageError(
            f"no mod of the playset {file} is there: {missing[0].name} {missing[0].reason}"
            + (f", and {len(missing) - 1} more" if len(missing) > 1 else "")
        )
    return _checked(found + there, missing, warnings)


def _read(file: Path) -> str:
    if os.path.isdir(file):
        raise UsageError(f"{file} is a folder: give its path without --playset, or a playset file")
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{file} is too large for a playset: it has over {_MAX_BYTES:,} bytes")
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"the playset {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{file} is no playset: it is not UTF-8 text") from error


def _json(text: str, file: Path) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the playset {file} is broken JSON: {error}") from error
    return content if isinstance(content, dict) else {}


def _of_launcher(
    enabled: Sequence[Any], file: Path, warnings: list[str]
) -> Iterator[Source | Missing]:
    """Yield the mods of `dlc_load.json`: paths of `*.mod` files relative to its folder."""
    for name in enabled:
        if not isinstance(name, str):
            raise UsageError(f"`enabled_mods` of {file} has {json.dumps(name)} in place of a path")
        descriptor_file = file.parent / name
        if not os.path.isfile(descriptor_file):
            yield Missing(name, "does not exist")
            continue
        yield _described(descriptor_file, file.parent, warnings)


def _described(descriptor_file: Path, documents: Path, warnings: list[str]) -> Source | Missing:
    """Return the mod of a `*.mod` file, whose path is relative to the game's documents."""
    try:
        known = read_descriptor(descriptor_file)
    except UsageError as error:
        return Missing(descriptor_file.name, str(error))
    if not known.path:
        return Missing(known.name or descriptor_file.name, f"has no `path` in {descriptor_file}")
    folder = Path(os.path.normpath(documents / known.path.replace("\\", "/")))
    if not os.path.isdir(folder):
        what = "is packed, unpack it" if os.path.isfile(folder) else "is gone"
        return Missing(known.name or descriptor_file.name, f"{what}: {folder}")
    return source_of(folder, warnings, descriptor_file)


def _of_export(
    mods: Sequence[Any], places: Sequence[Path], warnings: list[str]
) -> Iterator[Source | Missing]:
    """Yield the mods of an exported playset by position, looked for in some folders."""
    by_id, by_name = _mods_in(places, warnings)
    enabled = [each for each in mods if isinstance(each, dict) and each.get("enabled", True)]
    for each in sorted(enabled, key=_position):
        name, steam_id = str(each.get("displayName", "")), str(each.get("steamId") or "")
        found = by_id.get(steam_id) or by_name.get(name)
        yield found or Missing(
            name or steam_id or "a mod without a name",
            f"is not in {' or '.join(map(str, places))}: name the folder of the mods with --mods",
        )


def _position(mod: dict[str, Any]) -> tuple[int, str]:
    position = str(mod.get("position", ""))
    return (int(position), "") if position.isdecimal() else (0, position)


def _mods_in(
    places: Sequence[Path], warnings: list[str]
) -> tuple[dict[str, Source | Missing], dict[str, Source | Missing]]:
    """Return the mods in some folders by their number in the workshop, and by name."""
    by_id: dict[str, Source | Missing] = {}
    by_name: dict[str, Source | Missing] = {}
    for place in places:
        if not os.path.isdir(place):
            continue
        for file in sorted(place.iterdir()):
            try:
                if file.suffix == ".mod" and file.name != DESCRIPTOR and os.path.isfile(file):
                    known = read_descriptor(file)
                    mod = _described(file, place.parent, warnings)
                elif os.path.isfile(file / DESCRIPTOR):
                    known = read_descriptor(file)
                    mod = source_of(file, warnings)
                else:
                    continue
            except UsageError:
                continue  # it may belong to a mod that the playset does not name
            by_id.setdefault(known.steam_id or file.name, mod)
            by_name.setdefault(known.name, mod)
    return by_id, by_name


def _of_lines(text: str, file: Path, warnings: list[str]) -> Iterator[Source | Missing]:
    for line in text.splitlines():
        name = line.partition("#")[0].strip()
        if name:
            folder = Path(os.path.normpath(file.parent / os.path.expanduser(name)))
            yield (
                source_of(folder, warnings)
                if os.path.isdir(folder)
                else Missing(name, f"is gone: {folder}")
            )


def _checked(sources: Sequence[Source], missing: Sequence[Missing], warnings: list[str]) -> Playset:
    """Return a playset whose sources have names of their own, with warnings."""
    paths: dict[str, Source] = {}
    for source in sources:
        path = os.path.normcase(os.path.realpath(source.path))
        if paths.setdefault(path, source) is not source:
            warnings.append(
                f"{source.path} is in the playset twice: its second place counts for nothing"
            )
    inner: defaultdict[str, list[str]] = defaultdict(list)
    for path, source in paths.items():
        around = [other for other in paths if path.startswith(os.path.join(other, ""))]
        if around:
            inner[paths[max(around, key=len)].path].append(source.path)
    for outer, folders in inner.items():
        more = len(folders) - 1
        which = f"{folders[0]} and {more} more are" if more else f"{folders[0]} is"
        warnings.append(
            f"{which} inside of {outer}, which is in the playset, too: each file counts once, as"
            " one of the innermost mod"
        )
    named, renamed = with_own_names(list(paths.values()))
    warnings += renamed
    warnings += _of_dependencies(named, missing)
    return Playset(named, list(missing), warnings)


def with_own_names(sources: Sequence[Source]) -> tuple[list[Source], list[str]]:
    """Return sources of which no two have one name, and a sentence for each that was renamed.

    Args:
        sources: in load order.
    """
    named: dict[str, Source] = {}
    warnings = []
    for source in sources:
        name = source.name
        folder = os.path.basename(source.path)
        number = 1
        while name in named:
            name = f"{source.name} ({folder})" if number == 1 else f"{source.name} ({number})"
            number += 1
        if name != source.name:
            warnings.append(
                f"two mods are named {source.name}: the one in {source.path} is called {name} here"
            )
        named[name] = msgspec.structs.replace(source, name=name)
    return list(named.values()), warnings


def _of_dependencies(sources: Sequence[Source], missing: Sequence[Missing]) -> Iterator[str]:
    order = {source.name: at for at, source in enumerate(sources)}
    needs = {source.name: source.dependencies for source in sources}
    gone = {each.name for each in missing}
    in_cycle: set[str] = set()
    for name in order:
        if name not in in_cycle and (cycle := _cycle(name, needs)):
            in_cycle.update(cycle)
            yield (
                f"{' needs '.join([*cycle, cycle[0]])}: no order suits them all, that of the"
                " playset is kept"
            )
    for source in sources:
        for needed in source.dependencies:
            if needed not in order:
                state = "is not there" if needed in gone else "is not in the playset"
                yield f"{source.name} needs {needed}, which {state}"
            elif order[needed] > order[source.name] and not {needed, source.name} <= in_cycle:
                yield f"{source.name} needs {needed}, which is loaded after it: swap the two"


def _cycle(start: str, needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the names of a cycle of dependencies through a mod, or none."""
    stack = [(start, iter(needs[start]))]
    seen = {start}
    while stack:
        for name in stack[-1][1]:
            if name == start:
                return [each for each, _ in stack]
            if name in needs and name not in seen:
                seen.add(name)
                stack.append((name, iter(needs[name])))
                break
        else:
            stack.pop()
    return []
