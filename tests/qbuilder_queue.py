"""Queues of any size with all that a build has to cope with, and databases that hold them.

A queue is made of script files that exist. Most are queued as they are. Of the others, copies are
cut short or mangled, or have the same content at another place; some are queued twice, or under a
hash that is not theirs, or in another envelope; and between them are lookups, files that crash
their process, and rows that lead nowhere. Everything follows from a seed.
"""

import json
import random
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from qbuilder_database import Queued, make_database

PLACES = (
    "common/traits",
    "common/religion/religions",
    "common/landed_titles",
    "events",
    "gfx/portraits/accessory_variations",  # no symbols from here
    "gfx/map/environment",
    "common/Ärger mit Namen",
)
"""Folders for copies: the rows of a content depend on where it is."""

_CRASHES = ("segfault", "kill", "exit", "abort")


def write_scripts(root: Path, count: int) -> list[str]:
    """Write small script files below a root, and return their paths relative to it."""
    for number in range(count):
        path = root / PLACES[number % len(PLACES)] / f"File {number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_script(number).encode())
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.txt"))


def _script(number: int) -> str:
    """Return a script: a fifth are empty or have no symbols, a fifth are large."""
    match number % 5:
        case 0:
            return (
                "",
                "# nothing",
                f"@n = {number}",
                f"x = {{ faiths = {{ f{number} = {{ }} }} }}",
            )[number // 5 % 4]
        case 1:
            return "\ufeffnamespace = n\n" + "".join(
                f"n.{number}{part} = {{ trigger = {{ has_trait = t{part} }} add_gold = 1.5 }}\n"
                for part in range(120)
            )
        case 2:
            return f"e_{number} = {{ k_{number} = {{ d_d = {{ c_c = {{ b_b = {{ }} }} }} }} }}\r\n"
        case 3:
            return f"r_{number} = {{ faiths = {{ f_{number} = {{ culture = c }} g = {{ }} }} }}"
        case _:
            return f'thing_{number} = {{ name = "Øyvind {number}" add_trait = brave }}\n'


def make_queue(root: Path, relpaths: Sequence[str], *, crashing: bool) -> list[Queued]:
    """Return a queue of these files, and write below the root what else it needs.

    Args:
        root: the root of all files.
        relpaths: script files below it.
        crashing: whether some of its files crash the process of the parser `faulty`.
    """
    chance = random.Random(f"queue of {len(relpaths)}")
    queue = [Queued("events", "E_SCRIPT")]
    (root / "events").mkdir(exist_ok=True)
    made = 0

    def write(folder: str, data: bytes) -> str:
        nonlocal made
        made += 1
        path = root / folder / f"made_{made}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path.relative_to(root).as_posix()

    def broken(data: bytes) -> list[Queued]:
        cut = data[: chance.randrange(len(data) + 1)]
        return [Queued(write("common/traits", cut))]

    def mangled(data: bytes) -> list[Queued]:
        at = chance.randrange(len(data) + 1)
        weird = chance.choice([b"}", b"{", b'"', b"\xff\xfe", b"\0", b"= =", b"\r"])
        return [Queued(write("events", data[:at] + weird + data[at:]))]

    def copied(data: bytes) -> list[Queued]:
        places = [chance.choice(PLACES) for _ in range(chance.randrange(1, 4))]
        queued = [Queued(write(place, data), _envelope(chance)) for place in places]
        return chance.sample([*queued, Queued(relpath)], len(queued) + 1)

    def lookups(_: bytes) -> list[Queued]:
        provinces = "".join(
            f"{chance.randrange(40)} = {{ culture = c{made}_{part} }}\n" for part in range(5)
        )
        text = provinces + chance.choice(["", "", "", "boom\n", "# \xe9\n"])
        encoding = chance.choice(["latin-1", "utf-8", "utf-8-sig"])
        name = write("history/provinces", text.encode(encoding))
        return [
            Queued(name, "E_LOOKUP_PROVINCES", chance.choice([0, 0, 0, 1])),
            Queued(relpath, "E_LOOKUP_PROVINCES"),
        ]

    def crash(_: bytes) -> list[Queued]:
        if not crashing:
            return [Queued(relpath)]
        # Some of them are the same content, and some queue a sound file under its hash.
        return [Queued(write("events", f"fault = {chance.choice(_CRASHES)} ".encode()))]

    def missing(_: bytes) -> list[Queued]:
        return [Queued(f"missing/{relpath}", content_hash=""), Queued(f"{relpath}/below")]

    def missing_copy(data: bytes) -> list[Queued]:
        gone = write("gone", data)
        return [Queued(gone), Queued(relpath)]

    def nowhere(_: bytes) -> list[Queued]:
        return [Queued(relpath, has_file=False), Queued(relpath, has_root=False), Queued(relpath)]

    def changed(_: bytes) -> list[Queued]:
        digest = f"{chance.randrange(40):064}"  # others have the same
        return [Queued(relpath, content_hash=digest)]

    def twice(_: bytes) -> list[Queued]:
        province = f"{chance.randrange(40)} = {{ culture = mixed_{made} }}\n".encode()
        if chance.randrange(4) == 0:
            province += chance.choice([b"boom\n", b"a = {", b"# \xe9\n"])
        return [
            Queued(relpath, _envelope(chance)),
            Queued(relpath, "E_LOC"),
            Queued(write("history/provinces", province), "E_MIXED"),
        ]

    def urgent(_: bytes) -> list[Queued]:
        return [Queued(relpath, _envelope(chance), chance.choice([1, 1, 2, -1]))]

    def other(_: bytes) -> list[Queued]:
        return [Queued(relpath, chance.choice(["E_SKIP", "E_LOC", "E_NEW", "E_UNHEARD_OF"]))]

    kinds: dict[Callable[[bytes], list[Queued]], int] = {
        (lambda _: [Queued(relpath)]): 60,
        broken: 5,
        mangled: 4,
        copied: 8,
        lookups: 5,
        crash: 2,
        missing: 3,
        missing_copy: 2,
        nowhere: 2,
        changed: 4,
        twice: 3,
        urgent: 5,
        other: 3,
    }
    for relpath in relpaths:
        (kind,) = chance.choices(list(kinds), list(kinds.values()))
        queue += kind((root / relpath).read_bytes())
    return queue


def _envelope(chance: random.Random) -> str:
    return chance.choice(["E_SCRIPT", "E_SCRIPT", "E_SCRIPT", "E_GUI"])


def make_queued_database(
    path: Path, root: Path, queue: Iterable[Queued], schema: int = 7
) -> sqlite3.Connection:
    """Create a database with a queue in the middle of its life.

    Some trees are stored already, with and without rows, and one of them is no tree; some leases
    have ended; some rows have no hash; and the files in the folder `gone` are gone.

    Args:
        path: the database file.
        root: the root of all files.
        queue: the items.
        schema: which variant.
    """
    db = make_database(path, root, queue, schema)
    for gone in sorted((root / "gone").glob("*")):
        gone.unlink()
    chance = random.Random("database")
    rows = db.execute("SELECT build_id, work_file_hash FROM build_queue").fetchall()
    for build_id, digest in rows:
        match chance.randrange(60):
            case 0:
                _store(db, digest, _TREE.replace("before", f"before_{build_id}"))
            case 1:
                _store(db, digest, chance.choice(_NO_TREES))
            case 2 | 3:
                db.execute(
                    "UPDATE build_queue SET status = 'processing', lease_expires_at = 1,"
                    " lease_holder = 'worker-7', started_at = 1, reclaim_count = ?"
                    " WHERE build_id = ?",
                    (chance.randrange(5), build_id),
                )
            case 4:
                db.execute(
                    "UPDATE build_queue SET work_file_hash = NULL WHERE build_id = ?", (build_id,)
                )
            case 5:
                db.execute(
                    "UPDATE build_queue SET retry_count = ?, error_message = 'of before'"
                    " WHERE build_id = ?",
                    (chance.randrange(1, 3), build_id),
                )
    db.commit()
    return db


_TREE = json.dumps(
    {
        "_type": "root",
        "filename": "f",
        "children": [
            {"_type": "block", "name": "of_before", "line": 7, "column": 8, "children": []},
        ],
    }
)
_NO_TREES = ("", "{", '{"_type": "root"', _TREE[:-2], "[]", "null", '{"_type": "root"}', "nonsense")


def _store(db: sqlite3.Connection, digest: str, tree: str) -> None:
    db.execute(
        "INSERT OR IGNORE INTO asts (file_id, content_hash, parser_version_id, ast_blob,"
        " node_count) VALUES (1, ?, 1, ?, 2)",
        (digest, tree),
    )
