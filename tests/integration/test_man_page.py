"""The man page has all of the help. Issue 25, line 12."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from every_command import every_command

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("man") / "ck3parse.1"
    program = REPOSITORY / "docs" / "make_man.py"
    subprocess.run([sys.executable, str(program), str(file)], check=True)
    return file


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_it_has_each_command_and_option(page: Path) -> None:
    source = page.read_text("utf-8").replace("\\-", "-")
    for name, command in every_command():
        section = source.partition(f'.SS "ck3parse {name} ')[2].partition("\n.SS ")[0]
        assert section, name
        with click.Context(command, info_name=name) as context:
            for param in command.get_params(context):
                if isinstance(param, click.Option):
                    assert f"{param.opts[-1]}" in section, (name, param)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_it_is_shown_as_the_help_has_it(page: Path) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", "-ww", "-rLL=120n", str(page)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    shown = words(done.stdout)
    for part in (
        "ck3parse - Crusader Kings III script",
        "ck3parse run --help show the help of one command",
        "--patience-s N Seconds that the broker or all workers may be gone",
        "ck3parse loc export [OPTIONS] MOD FILE",
        "'logs/database_conflicts.log'",
    ):
        assert part in shown
