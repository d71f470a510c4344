"""The environment of the bridge in tests, and programs that use the bridge."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from ck3parse.bridge.engine import SWITCH
from ck3parse.qbuilder_bridge import ParseResult, shutdown_pool
from command import FAULTY

LIMIT_S = 60.0


@contextmanager
def bridge(env: Mapping[str, str] = {}) -> Iterator[pytest.MonkeyPatch]:
    """Use the bridge in this process with these `CK3PARSE_` variables and no others."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("CK3PARSE_"):
                patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        shutdown_pool()
        try:
            yield patch
        finally:
            shutdown_pool()


@contextmanager
def faulty_pipeline() -> Iterator[pytest.MonkeyPatch]:
    """Use the pipeline in this process, with files that can ask for faults."""
    with bridge({**FAULTY, SWITCH: "1", "CK3PARSE_WORKERS": "2"}) as patch:
        yield patch


def told(result: ParseResult) -> tuple[object, ...]:
    """Return the parts of a result that do not depend on the engine."""
    return (
        result.success,
        result.path,
        result.ast_json,
        result.node_count,
        result.error_type,
        result.error,
        result.line,
        result.column,
        result.diagnostics,
        result.content_hash,
    )


def program(
    code: str, *args: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a Python program in its own session, with pipes for input and output."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CK3PARSE_")}
    ours.pop(SWITCH, None)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        env={**ours, "PYTHONPATH": str(Path(__file__).parent), **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def output_of(
    code: str, *args: str | Path, env: Mapping[str, str] | None = None, limit_s: float = LIMIT_S
) -> str:
    """Run a Python program, check that it succeeds without warnings, and return its output."""
    with program(code, *args, env=env) as process:
        out, err = process.communicate(timeout=limit_s)
    assert err == "", err
    assert process.returncode == 0
    return out
