"""Issue 19, line 8: invalid settings and options are refused, and misspelt ones reported."""

import subprocess
import sys
from pathlib import Path

import pytest

from bridging import program
from ck3parse.config import Settings
from command import ENV, ck3parse
from services import worker

MANY = "99999999999999999999"


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    folder.mkdir()
    (folder / "a.txt").write_text("a = { b = 1 }")
    return folder


@pytest.mark.parametrize("field", Settings.__struct_fields__)
def test_a_number_that_makes_no_sense_is_a_usage_error(field: str, mod: Path) -> None:
    if isinstance(getattr(Settings(), field), str):
        pytest.skip("it is no number")
    name = f"CK3PARSE_{field.upper()}"
    for value in (MANY, "-1", "nan"):
        done = ck3parse("run", mod, cwd=mod.parent, env={name: value})
        assert done.returncode == 2, value
        assert name in done.stderr
        assert "Traceback" not in done.stderr
    assert not (mod.parent / "ck3parse.sqlite").exists()


@pytest.mark.parametrize(
    "args",
    [
        ("run", "mod", "--workers", MANY),
        ("run", "mod", "--patience-s", "1e30"),
        ("run", "mod", "--patience-s", "inf"),
        ("run", "mod", "--patience-s", "nan"),
        ("run", "mod", "--timeout-ms", MANY),
        ("serve", "--workers", MANY),
        ("bench", "mod", "--workers", MANY),
        ("bench", "mod", "--rounds", MANY),
        ("bench", "mod", "--sample", MANY),
        ("show", "mod/a.txt", "--depth", MANY),
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(args: tuple[str, ...], mod: Path) -> None:
    done = ck3parse(*args, cwd=mod.parent)
    assert done.returncode == 2
    assert args[-2] in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_says_in_one_sentence_which_setting_is_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "ck3parse", "worker"],
        env={**ENV, "CK3PARSE_MAX_DEPTH": MANY},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stderr.startswith("ck3parse: CK3PARSE_MAX_DEPTH cannot be used")
    assert len(done.stderr.splitlines()) == 1


def test_a_variable_that_is_no_setting_is_told_of_once(mod: Path) -> None:
    env = {
        "CK3PARSE_BROKER": "redis://h/0",
        # These are read elsewhere, and these are not ours.
        "CK3PARSE_NATIVE": "0",
        "CK3PARSE_LOG_DIR": str(mod.parent / "events"),
        "CK3PARS": "1",
    }
    done = ck3parse("run", mod, "--verbose", cwd=mod.parent, env=env)
    assert done.returncode == 0
    assert done.stderr.count("CK3PARSE_BROKER ") == 1
    assert "CK3PARSE_BROKER is not a setting; the nearest is CK3PARSE_BROKER_URL" in done.stderr
    assert done.stderr.count("is not a setting") == 1


def test_a_worker_tells_of_it_once(broker: str, tmp_path: Path) -> None:
    with worker(broker, cwd=tmp_path, env={"CK3PARSE_MAX_DEPHT": "3"}, processes=2):
        log = (tmp_path / "output").read_text()
    assert log.count("CK3PARSE_MAX_DEPHT is not a setting; the nearest is CK3PARSE_MAX_DEPTH") == 1


def test_the_bridge_logs_it_once() -> None:
    code = """
from ck3parse.qbuilder_bridge import enqueue_parse_text, shutdown_pool
for _ in range(2):
    assert enqueue_parse_text("a = 1").result().success
    shutdown_pool()
"""
    with program(code, env={"CK3PARSE_WORKER": "1", "CK3PARSE_WORKERS": "1"}) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert err == "CK3PARSE_WORKER is not a setting; the nearest is CK3PARSE_WORKERS\n"
