"""Parse Crusader Kings III script to syntax trees, whole playsets at a time, with Celery.

`ck3parse.run` parses mods into a store, and `ck3parse.check` reports what is wrong with them;
`ck3parse.Index` answers who defines a name, who uses it, and who wins. `ck3parse.app` is the Celery
application for `celery -A ck3parse worker`.

All of these are imported on first use, so that `ck3parse --version` need not import Celery.
"""

import importlib

TYPE_CHECKING = False  # importing `typing` takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from celery import Celery

    from ck3parse.index.index import Index as Index
    from ck3parse.jobs.check import CheckReport as CheckReport
    from ck3parse.jobs.check import Finding as Finding
    from ck3parse.jobs.check import check as check
    from ck3parse.jobs.report import Failure as Failure
    from ck3parse.jobs.report import RunReport as RunReport
    from ck3parse.jobs.run import run as run
    from ck3parse.messages import Diagnostic as Diagnostic
    from ck3parse.messages import ParseRequest as ParseRequest
    from ck3parse.messages import ParseResult as ParseResult

    app: Celery

__all__ = [
    "CheckReport",
    "Diagnostic",
    "Failure",
    "Finding",
    "Index",
    "ParseRequest",
    "ParseResult",
    "RunReport",
    "__version__",
    "app",
    "check",
    "run",
]

__version__ = "0.1.0"

_MODULES = {
    "CheckReport": "ck3parse.jobs.check",
    "Diagnostic": "ck3parse.messages",
    "Failure": "ck3parse.jobs.report",
    "Finding": "ck3parse.jobs.check",
    "Index": "ck3parse.index.index",
    "ParseRequest": "ck3parse.messages",
    "ParseResult": "ck3parse.messages",
    "RunReport": "ck3parse.jobs.report",
    "app": "ck3parse.tasks",
    "check": "ck3parse.jobs.check",
    "run": "ck3parse.jobs.run",
}
"""What is imported on first use, and from where."""


def __getattr__(name: str) -> "Any":
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
