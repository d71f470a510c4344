"""`ck3parse.run` and `ck3parse.check`, called as a user's program calls them."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

import ck3parse
from ck3parse.errors import BrokerError, UsageError
from command import ck3parse as ck3parse_command
from command import run_json

REPOSITORY = Path(__file__).parents[2]
BROKEN = "a = {\n\tb = 1\n"
SAMPLE = """\
from pathlib import Path

import ck3parse


def parse(mod: Path) -> list[str]:
    report = ck3parse.run([mod, "events"], Path("out.sqlite"), exclude=("tools/",), workers=2)
    count: int = report.parsed + report.failed
    places = [(failure.path, failure.line) for failure in report.failures]
    print(count, places, report.broker_url, ck3parse.app)
    found = ck3parse.check(mod, select=["E"], cache=False)
    codes: list[str] = [finding.code for finding in found.findings]
    return codes
"""


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    events = tmp_path / "mod" / "events"
    events.mkdir(parents=True)
    (events / "good.txt").write_text("\ufeffa = { b = 1 }\n", "utf-8")
    (events / "bad.txt").write_text(f"\ufeff{BROKEN}", "utf-8")
    return tmp_path / "mod"


def python(program: str, cwd: Path, *args: str) -> str:
    """Run a program as a file of its own, and return what it prints."""
    file = cwd / "program.py"
    file.write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, *args, str(file)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_example_of_the_readme(tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    examples = re.findall(r"(?<=\n\n)(?:    .*\n)*    import ck3parse\n(?:    .*\n)*", readme)
    lines = examples[0].splitlines()
    assert len(lines) == 3
    mod = REPOSITORY / "examples" / "small_mod"
    program = "\n".join(line.strip() for line in lines).replace(
        "examples/small_mod", mod.as_posix()
    )
    out = python(program, tmp_path)
    assert out.split()[0] == "16"


def test_a_run_returns_what_the_command_reports(mod: Path) -> None:
    report = ck3parse.run(mod, mod.parent / "a.sqlite", workers=1)
    assert isinstance(report, ck3parse.RunReport)
    assert (report.files, report.parsed, report.failed, report.skipped) == (2, 1, 1, 0)
    (failure,) = report.failures
    assert isinstance(failure, ck3parse.Failure)
    assert failure.path == str(mod / "events" / "bad.txt")
    printed = run_json(mod, "--out", mod.parent / "b.sqlite", cwd=mod.parent, code=1)
    told = msgspec.json.decode(msgspec.json.encode(report.as_builtins()))
    differ = {"seconds", "megabytes_per_s", "store"}
    assert {k: told[k] for k in told.keys() - differ} == {
        k: printed[k] for k in printed.keys() - differ
    }
    with pytest.raises(AttributeError):
        report.error = "no"  # type: ignore[misc]


def test_a_second_run_parses_nothing_and_tells_its_progress(mod: Path) -> None:
    store = mod.parent / "a.sqlite"
    told: list[tuple[int, int]] = []
    ck3parse.run(mod, store, on_progress=lambda done, files: told.append((done, files)))
    assert told[-1] == (2, 2)
    again = ck3parse.run([mod / "events"], store, exclude=["bad.txt"])
    assert (again.parsed, again.unchanged, again.failed) == (0, 1, 0)


def test_a_run_of_no_broker_or_no_path_says_so(mod: Path) -> None:
    with pytest.raises(BrokerError, match="redis://localhost:1"):
        ck3parse.run(mod, mod.parent / "a.sqlite", broker_url="redis://localhost:1/0", patience_s=1)
    with pytest.raises(UsageError, match="at least one path"):
        ck3parse.run([], mod.parent / "a.sqlite")
    with pytest.raises(UsageError, match="no_such"):
        ck3parse.check(mod / "no_such", cache=False)
    with pytest.raises(UsageError, match="at least one path"):
        ck3parse.check([])


def test_a_program_without_a_main_guard_runs_once(mod: Path) -> None:
    out = python(
        "import ck3parse\nprint('once')\nprint(ck3parse.run('mod').parsed)\n"
        "print(len(ck3parse.check('mod', cache=False).errors))",
        mod.parent,
    )
    assert out.split() == ["once", "1", "1"]


def test_a_notebook_and_a_thread_can_run(mod: Path) -> None:
    out = python(
        "import asyncio, ck3parse, signal\n"
        "before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)\n"
        "async def cell(): return ck3parse.run('mod')\n"
        "print(asyncio.run(cell()).parsed)\n"
        "assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))\n",
        mod.parent,
    )
    assert out.split() == ["1"]
    parsed = []
    thread = threading.Thread(
        target=lambda: parsed.append(ck3parse.run(mod, mod.parent / "t.sqlite").parsed)
    )
    thread.start()
    thread.join()
    assert parsed == [1]


def test_a_check_returns_what_the_command_reports(mod: Path) -> None:
    report = ck3parse.check(mod, cache=False)
    assert isinstance(report, ck3parse.CheckReport)
    assert report.files == 2
    (finding,) = report.findings
    assert isinstance(finding, ck3parse.Finding)
    assert report.errors == [finding]
    assert report.warnings == []
    assert finding.help
    done = ck3parse_command("check", "mod", "--no-cache", "--format", "json", cwd=mod.parent)
    printed = msgspec.json.decode(done.stdout)
    (told,) = printed["diagnostics"]
    assert (told["code"], told["line"], told["message"]) == (
        finding.code, finding.line, finding.message,
    )  # fmt: skip
    assert ck3parse.check(mod, ignore=["E"], cache=mod.parent / "c.sqlite").findings == ()


def test_a_finding_about_two_places_has_both(tmp_path: Path) -> None:
    traits = tmp_path / "mod" / "common" / "traits"
    traits.mkdir(parents=True)
    (traits / "a.txt").write_text("\ufeffbrave = { martial = 1 }\n", "utf-8")
    (traits / "b.txt").write_text("\ufeffbrave = { martial = 2 }\n", "utf-8")
    (finding,) = ck3parse.check(tmp_path / "mod", cache=False).findings
    assert finding.code == "CK3-W011"
    assert finding.related is not None
    assert {finding.path, finding.related[0]} == {str(traits / "a.txt"), str(traits / "b.txt")}


def test_check_stays_a_function_whatever_is_imported(tmp_path: Path) -> None:
    out = python(
        "import importlib, pkgutil, ck3parse\n"
        "for each in pkgutil.iter_modules(ck3parse.__path__):\n"
        "    if each.name != '__main__': importlib.import_module('ck3parse.' + each.name)\n"
        "print(*(callable(getattr(ck3parse, name)) for name in ('run', 'check', 'Index')))\n"
        "print(all(hasattr(ck3parse, name) for name in ck3parse.__all__))",
        tmp_path,
    )
    assert set(out.split()) == {"True"}


@pytest.mark.thorough
def test_a_users_program_is_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed: pip install '.[lint]'")
    good = tmp_path / "good.py"
    good.write_text(SAMPLE, "utf-8")
    bad = tmp_path / "bad.py"
    bad.write_text(SAMPLE.replace("count: int", "count: str"), "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, str(good)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    done = subprocess.run(
        [*command, str(bad)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Incompatible types in assignment" in done.stdout
