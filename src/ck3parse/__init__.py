"""Parse Crusader Kings III script to syntax trees, whole playsets at a time, with Celery.

`ck3parse.app` is the Celery application for `celery -A ck3parse worker`. It is created on first
use, so that parsing or `ck3parse --version` need not import Celery. `ck3parse.Index` answers who
defines a name, who uses it, and who wins.
"""

from typing import TYPE_CHECKING, Any

from ck3parse.messages import Diagnostic, ParseRequest, ParseResult

if TYPE_CHECKING:
    from celery import Celery

    from ck3parse.index.index import Index

    app: Celery

__all__ = ["Diagnostic", "Index", "ParseRequest", "ParseResult", "__version__", "app"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "app":
        from ck3parse.tasks import app

        return app
    if name == "Index":
        from ck3parse.index.index import Index

        return Index
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
