"""The stand-in for qbuilder, put on the path, and builds with it."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ck3parse.qbuilder.build import Build
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.observers import Observers
from ck3parse.qbuilder.progress import Summary

STAND_IN = Path(__file__).parent / "stand_in"


@contextmanager
def installed() -> Iterator[Qbuilder]:
    """Have it on the path of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(STAND_IN))
        try:
            yield Qbuilder()
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] == "qbuilder"]:
                del sys.modules[name]


def build(db: sqlite3.Connection, qbuilder: Qbuilder, **options: Any) -> Summary:
    """Run a build that tells nobody and says nothing, unless the options differ."""
    silent: dict[str, Any] = {"observers": Observers(None, None), "say": lambda _: None}
    return Build(db, qbuilder=qbuilder, **{**silent, **options}).run()
