"""Help and progress in narrow and wide terminals. Issue 25, line 10."""

import re
from pathlib import Path

import click
import pytest

from ck3parse.cli import group
from ck3parse.cli.help_format import HelpContext
from every_command import every_command
from terminal import in_terminal

WIDTHS = [40, 80, 100, 200]
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def help_of(command: click.Command, words: str) -> str:
    with HelpContext(command, info_name=f"ck3parse {words}".strip()) as context:
        return command.get_help(context)


def pieces(text: str) -> str:
    """Return a text without blanks: what is left of it in any layout."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("columns", WIDTHS)
def test_help_fits_and_breaks_no_word(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [("", group), *every_command()]
    monkeypatch.setenv("COLUMNS", "400")
    wide = {words: help_of(command, words) for words, command in commands}
    monkeypatch.setenv("COLUMNS", str(columns))
    for words, command in commands:
        shown = help_of(command, words)
        assert pieces(shown) == pieces(wide[words])  # nothing is lost
        whole = {part for word in wide[words].split() for part in re.split(r"(?<=\|)", word)}
        for line in shown.splitlines():
            assert len(line) <= columns or len(line.split()) == 1, (words, line)
            for word in line.split():
                assert whole.issuperset(filter(None, re.split(r"(?<=\|)", word))), (words, word)


@pytest.mark.parametrize("columns", WIDTHS)
def test_help_in_a_terminal(columns: int, tmp_path: Path) -> None:
    code, text = in_terminal("check", "--help", columns=columns, cwd=tmp_path)
    assert code == 0
    lines = [_ESCAPE.sub("", line) for line in text.splitlines()]
    assert len(lines) > 20
    assert max(map(len, lines)) <= min(columns, 100)


@pytest.mark.parametrize("columns", WIDTHS)
def test_progress_is_one_line(columns: int, tmp_path: Path) -> None:
    events = tmp_path / "mod" / "events"
    events.mkdir(parents=True)
    for number in range(1200):
        (events / f"{number}.txt").write_text("\ufeffa = { b = 1 }\n", "utf-8")
    (events / "bad.txt").write_text("\ufeffa = {\n", "utf-8")
    code, text = in_terminal("run", "mod", "--workers", "1", columns=columns, cwd=tmp_path)
    assert code == 1
    # The bar is erased line by line at the end, and a second line would be reached by going up.
    bar = text.partition("bad.txt")[0]
    assert "parsing" in bar
    assert "1,201" in bar
    assert len(re.findall(r"\x1b\[\d*A", bar)) <= 1
    states = re.split(r"[\r\n]", _ESCAPE.sub("", bar))
    assert max(map(len, states)) < columns


@pytest.mark.parametrize("columns", WIDTHS)
def test_check_cuts_lines_to_the_terminal(columns: int, tmp_path: Path) -> None:
    events = tmp_path / "mod" / "events"
    events.mkdir(parents=True)
    line = " ".join(f"key_{number} = {number}" for number in range(20))
    (events / "bad.txt").write_text(f"\ufeffa = {{\n{line} b = }}\n}}\n", "utf-8")
    code, text = in_terminal("check", "mod", "--no-cache", columns=columns, cwd=tmp_path)
    assert code == 1
    lines = _ESCAPE.sub("", text).splitlines()
    assert any(line.startswith("error[CK3-E011]:") for line in lines)
    words = {word for line in lines for word in line.split()}
    assert {"expected", "operator:", "closes"} <= words
    (shown,) = (line for line in lines if line.startswith("2 |"))
    assert len(shown) <= columns
    assert "\x1b[" in text
