"""Completion in shells. Issue 25, line 12."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ck3parse.cli.completion import SHELLS
from command import ENV, ck3parse


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment in which the command is on the path, as `ck3parse`."""
    program = tmp_path / "bin" / "ck3parse"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ck3parse "$@"\n')
    program.chmod(0o755)
    return {**ENV, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def shell(name: str, script: str, env: dict[str, str], cwd: Path) -> list[str]:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [name, "-c", script], env=env, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split("\n")


def bash(words: str, env: dict[str, str], cwd: Path) -> list[str]:
    """Return what bash would offer after some words, the last of which is completed."""
    given = words.split(" ")
    array = " ".join(f"'{word}'" for word in given)
    script = f"""
eval "$(ck3parse completion bash)"
complete -p ck3parse > /dev/null
COMP_WORDS=({array}); COMP_CWORD={len(given) - 1}
compopt() {{ echo "compopt $*"; }}
_ck3parse_completion ck3parse
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return shell("bash", script, env, cwd)


def test_bash_completes_commands_options_and_values(env: dict[str, str], tmp_path: Path) -> None:
    assert "check" in bash("ck3parse ch", env, tmp_path)
    assert "--exit-zero" in bash("ck3parse check --exi", env, tmp_path)
    assert "ck3raven" in bash("ck3parse run --dialect ", env, tmp_path)
    assert "stats" in bash("ck3parse loc st", env, tmp_path)


@pytest.mark.parametrize("command", ["run", "check", "find x", "bench", "conflicts"])
def test_bash_completes_paths(command: str, env: dict[str, str], tmp_path: Path) -> None:
    assert any(line.startswith("compopt") for line in bash(f"ck3parse {command} ev", env, tmp_path))


def test_zsh(env: dict[str, str], tmp_path: Path) -> None:
    script = """
autoload -Uz compinit && compinit -D -u
eval "$(ck3parse completion zsh)"
print -r -- ${_comps[ck3parse]}
"""
    assert "_ck3parse_completion" in shell("zsh", script, env, tmp_path)


def test_fish(env: dict[str, str], tmp_path: Path) -> None:
    script = "ck3parse completion fish | source; complete --do-complete 'ck3parse ch'"
    assert any(line.startswith("check") for line in shell("fish", script, env, tmp_path))


@pytest.mark.parametrize("name", SHELLS)
def test_what_the_shells_ask_is_answered(name: str, tmp_path: Path) -> None:
    script = ck3parse("completion", name, cwd=tmp_path)
    assert script.returncode == 0
    assert f"_CK3PARSE_COMPLETE={name}_complete" in script.stdout
    asked = {"COMP_WORDS": "ck3parse ch", "COMP_CWORD": "1" if name != "fish" else "ch"}
    done = ck3parse(cwd=tmp_path, env=asked | {"_CK3PARSE_COMPLETE": f"{name}_complete"})
    assert done.returncode == 0, done.stderr
    assert "check" in done.stdout
    assert done.stderr == ""


def test_another_shell_is_refused(tmp_path: Path) -> None:
    done = ck3parse("completion", "tcsh", cwd=tmp_path)
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
