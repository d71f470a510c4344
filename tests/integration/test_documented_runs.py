"""Every command and Python example in README.md and docs/ is run. Issue 25, line 13.

`tests/unit/test_documented_commands.py` looks at their options only, and at those of help.
Documented workers of Celery are started, too; `tests/unit/test_documented_programs.py` looks at the
commands of other programs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from command import ENV
from documented import REPOSITORY, Example, commands, examples, programs
from index_playset import make_playset
from qbuilder_database import Queued, make_database
from services import running, wait_for_processes
from stand_in_qbuilder import STAND_IN

pytestmark = pytest.mark.thorough

NOT_RUN = {
    "conflicts --log": "needs a log that the game wrote",
    "| jq ": "needs jq",
}
"""Parts of commands that are only parsed, and why."""
NOT_RUN_PYTHON = {
    "docs/bridge.md": "lines to change in qbuilder, and calls with the paths of its caller",
    "event_options/1": "needs a worker with the extractor of that page:"
    " tests/integration/test_extractor_packages.py runs one",
}
"""Parts of examples, or their pages, that are only compiled, and why."""
FOUND = ("conflicts", "diff ", "find brav", "loc missing", "check ")
"""Commands whose exit code is 1, because they find something or nothing."""
UNTIL_INTERRUPTED = ("serve", "--watch")
PRELUDE = {"docs/contract-ck3.md": "data = b'a = b'\n"}
"""What an example has from the text around it."""

RUN_BEFORE = {
    "docs/localization.md": "ck3parse run game mod_a mod_b",
    "README.md": "ck3parse run game --shard 1/2 --out a.sqlite"
    " && ck3parse run game --shard 2/2 --out b.sqlite",
}
"""Commands that a page takes for granted."""
TEXTS = {
    "game/localization/german/traits_l_german.yml": "Mutig",
    "mod_a/localization/german/fair_l_german.yml": "Tapfer",
    "mod_b/localization/replace/german/grand_l_german.yml": "Tollkühn",
}
"""The texts of a key that pages ask for."""

WORKERS = sorted(
    {
        tuple(each.words[each.words.index("celery") :])
        for each in programs()
        if {"celery", "worker"} <= {*each.words}
    }
)
"""The commands that start a worker, also those in a container."""
PAGES = sorted({*(each.page for each in commands()), *(each.page for each in examples())})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with all that the pages name: mods, a playset, files, databases of qbuilder's."""
    here = tmp_path / "here"
    here.mkdir()
    make_playset(here)
    for name, text in TEXTS.items():
        (here / name).parent.mkdir(parents=True)
        (here / name).write_text(f'\ufeffl_german:\n trait_brave: "{text}"\n', "utf-8")
    (here / "mods").mkdir()
    for mod in ("mod_a", "mod_b"):
        shutil.copytree(here / mod, here / "mods" / mod)
    shutil.copytree(REPOSITORY / "examples", here / "examples")
    small = here / "examples" / "small_mod"
    for copy in (here / "my_mod", tmp_path / "home" / "mods" / "my_mod"):
        shutil.copytree(small, copy)
        german = copy / "localization" / "german" / "salt_l_german.yml"
        german.parent.mkdir()
        german.write_text('\ufeffl_german:\n other: "Anderes"\n', "utf-8")
    shutil.copytree(small / "localization", here / "localization")
    (here / "tiger.json").write_text("[]", "utf-8")
    (here / "events").mkdir()
    shutil.copy(small / "events" / "salt_events.txt", here / "events" / "my_events.txt")
    for database in ("FILE", "copy.db"):
        make_database(here / database, small, [Queued("events/salt_events.txt", "E_SKIP")]).close()
    (tmp_path / "home" / "src").mkdir()
    shutil.copytree(STAND_IN, tmp_path / "home" / "src" / "ck3raven")
    (tmp_path / "home" / ".config" / "fish" / "completions").mkdir(parents=True)
    program = tmp_path / "bin" / "ck3parse"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ck3parse "$@"\n')
    program.chmod(0o755)
    return here


def environment(place: Path, page: str, broker: str) -> dict[str, str]:
    above = place.parent
    env = {
        **ENV,
        "HOME": str(above / "home"),
        "XDG_CACHE_HOME": str(above / "cache"),
        "PATH": f"{above / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    if page == "docs/containers.md":  # which exports it
        env["CK3PARSE_BROKER_URL"] = broker
    return env


def as_run_here(text: str, broker: str) -> str:
    """Return a command with what stands for something else replaced."""
    for example in ("redis://localhost:6379/0", "redis://server:6379/0"):
        text = text.replace(example, broker)
    text = text.replace("--html FILE", "--html conflicts.html")
    return text.replace("--broker URL", f"--broker {broker}")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(page: str, place: Path, served_url: str) -> None:
    env = environment(place, page, served_url)
    if page in RUN_BEFORE:
        subprocess.run(["bash", "-c", RUN_BEFORE[page]], cwd=place, env=env, check=True)
    for command in commands():
        text = as_run_here(command.text, served_url)
        if command.page != page or any(part in command.text for part in NOT_RUN):
            continue
        endless = any(part in command.words for part in UNTIL_INTERRUPTED)
        shell = f"timeout --signal=INT 8 {text}" if endless else text
        done = subprocess.run(
            ["bash", "-c", shell],
            cwd=place,
            env=env,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        where = f"{page}:{command.line}: {text}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr, where
        finds = text.removeprefix("ck3parse ").startswith(FOUND)
        expected = {124, 130} if endless else {0, 1} if finds else {0}
        assert done.returncode in expected, where
    for example in examples():
        if example.page == page:
            run_example(example, place)


def run_example(example: Example, place: Path) -> None:
    if any(part in example.page or part in example.text for part in NOT_RUN_PYTHON):
        return
    program = PRELUDE.get(example.page, "") + example.text
    done = subprocess.run(
        [sys.executable, "-"], input=program, cwd=place, env=ENV, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{example.page}:{example.line}\n{done.stderr}"


@pytest.mark.parametrize("words", WORKERS, ids=" ".join)
def test_a_documented_worker_answers(words: tuple[str, ...], broker: str, place: Path) -> None:
    env = environment(place, "", broker) | {"CK3PARSE_BROKER_URL": broker}
    with running([sys.executable, "-m", *words], cwd=place, env=env):
        wait_for_processes(broker, None)


def test_what_is_not_run_is_there() -> None:
    for part in NOT_RUN:
        assert any(part in command.text for command in commands()), part
    for part in NOT_RUN_PYTHON:
        assert any(part in each.page or part in each.text for each in examples()), part
