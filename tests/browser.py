"""A real browser for tests of HTML pages: Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Programs that are Chromium, the one that needs no display first."""
_NEEDED = bool(os.environ.get("BROWSER_TESTS"))
"""Whether a missing browser fails the tests, as in CI, instead of leaving them out."""


@contextmanager
def browser() -> Iterator[Any]:
    """Start Chromium: that of the system, or the one that `playwright install chromium` got."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _without("Playwright is not installed: pip install '.[browser-test]'")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            # Root has no sandbox, and the pages are our own.
            started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            _without(f"no Chromium: {str(error).splitlines()[0]}; playwright install chromium")
        try:
            yield started
        finally:
            started.close()


def _without(reason: str) -> None:
    if _NEEDED:
        pytest.fail(reason)
    pytest.skip(reason)
