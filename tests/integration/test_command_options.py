"""Options that mean the same for each command, and the JSON that their schemas describe."""

import os
import sys
from pathlib import Path

import click
import jsonschema
import pytest

from command import ck3parse, start
from documented import REPOSITORY
from every_command import every_command
from json_schemas import SCHEMAS, fits


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command by each of their names."""
    return {
        name: param
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
    }


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    events = tmp_path / "mod" / "events"
    events.mkdir(parents=True)
    (events / "good.txt").write_text("\ufeffa = { b = 1 }\n", "utf-8")
    (events / "bad.txt").write_text("\ufeffa = {\n\tb = 1\n", "utf-8")
    (tmp_path / "mod" / "readme.txt").write_text("Hello\n", "utf-8")
    return tmp_path / "mod"


def test_the_same_option_is_the_same_for_each_command() -> None:
    said: dict[str, set[tuple[bool, str | None]]] = {}
    for words, command in every_command():
        options = options_of(command)
        assert options["-q"] is options["--quiet"], words
        assert "quiet" in options["--quiet"].name or not options["--quiet"].expose_value
        for name, option in options.items():
            said.setdefault(name, set()).add((option.is_flag, option.metavar))
        if "--format" in options:
            assert "--json" in options, words
    different = {name: kinds for name, kinds in said.items() if len(kinds) > 1}
    assert different == {}


def test_json_and_format_cannot_differ(mod: Path) -> None:
    for command in ("check", "conflicts"):
        done = ck3parse(command, "mod", "--json", "--format", "sarif", cwd=mod.parent)
        assert done.returncode == 2
        assert "give one output format, not json and sarif" in done.stderr
    same = [
        ck3parse("check", "mod", "--no-cache", *form, cwd=mod.parent).stdout
        for form in (["--json"], ["--format", "json"], ["--json", "--format", "json"])
    ]
    assert len(set(same)) == 1


@pytest.mark.parametrize("option", ["-v", "-q"])
def test_the_json_of_a_run(mod: Path, served_url: str, option: str) -> None:
    done = ck3parse("run", "mod", "--json", option, "--broker", served_url, cwd=mod.parent)
    report = fits("run", done.stdout)
    assert report["broker_url"] == served_url
    assert len(report["failures"]) == report["failed"] == 1
    assert ("skipped_files" in report) == (option == "-v")


def test_the_json_of_a_run_without_a_broker(mod: Path) -> None:
    report = fits("run", ck3parse("run", "mod", "--json", cwd=mod.parent).stdout)
    assert report["broker_url"] is None
    gone = ck3parse(
        "run", "mod", "--json", "--broker", "redis://:secret@localhost:1/0",
        "--out", "new.sqlite", "--patience-s", "0.1", cwd=mod.parent,
    )  # fmt: skip
    assert gone.returncode == 3
    report = fits("run", gone.stdout)
    assert report["error"]
    assert report["broker_url"] == "redis://:**@localhost:1/0"


def test_the_json_of_check(mod: Path) -> None:
    done = ck3parse("check", "mod", "--no-cache", "--json", cwd=mod.parent)
    assert fits("check", done.stdout)["files"] == 2


def test_the_json_of_status_and_serve(mod: Path, served_url: str) -> None:
    done = ck3parse("status", "--json", "--broker", served_url, cwd=mod)
    assert fits("status", done.stdout)["broker_url"] == served_url
    with start("serve", "--json", "-q", "--workers", "1", cwd=mod) as process:
        assert process.stdout
        served = fits("serve", process.stdout.readline().decode())
        assert served["pid"] == process.pid
        process.terminate()
        _, err = process.communicate()
    assert err == b""


def test_each_command_with_json_has_a_schema_in_the_docs() -> None:
    page = (REPOSITORY / "docs/reference/json.md").read_text("utf-8")
    with_json = {words for words, each in every_command() if "--json" in options_of(each)}
    assert with_json - {"show"} == SCHEMAS.keys()
    for command, place in SCHEMAS.items():
        path = "src/" + place.replace(".", "/", 1).replace(":", "/")
        assert f"## ck3parse {command}\n" in page
        assert f'--8<-- "{path}"' in page, path


def test_a_schema_refuses_what_it_does_not_describe() -> None:
    for name in SCHEMAS:
        with pytest.raises(jsonschema.ValidationError):
            fits(name, '{"surprise": 1}')


def test_quiet_leaves_the_report_and_the_warnings(mod: Path) -> None:
    loud = ck3parse("check", "mod", "--no-cache", cwd=mod.parent)
    assert loud.stderr == "1 error in 1 of 2 files\n"
    quiet = ck3parse("check", "mod", "--no-cache", "-q", cwd=mod.parent)
    assert (quiet.stdout, quiet.stderr) == (loud.stdout, "")
    (mod.parent / "empty").mkdir()
    warned = ck3parse("check", "empty", "--no-cache", "-q", cwd=mod.parent)
    assert "no script files under empty" in warned.stderr
    found = ck3parse("find", "a", "mod", "-q", cwd=mod.parent)
    assert "up to date" not in found.stderr


def test_colours_are_on_and_off_by_the_environment(mod: Path) -> None:
    tree = ["show", "--format", "tree", "mod/events/good.txt"]
    for args in (["check", "mod", "--no-cache"], ["run", "mod"], tree):
        plain = ck3parse(*args, cwd=mod.parent)
        assert "\x1b[" not in plain.stdout
        forced = ck3parse(*args, cwd=mod.parent, env={"FORCE_COLOR": "1"})
        assert "\x1b[" in forced.stdout
        none = ck3parse(*args, cwd=mod.parent, env={"FORCE_COLOR": "1", "NO_COLOR": "1"})
        assert "\x1b[" not in none.stdout


@pytest.mark.parametrize(
    "args",
    [["run"], ["check"], ["find", "a"], ["uses", "a"], ["conflicts"], ["diff", "a"], ["bench"]],
    ids=lambda args: str(args[0]),
)
def test_a_folder_that_does_not_exist(args: list[str], mod: Path) -> None:
    """The commands of the index took the folder above it, whose index they then made."""
    done = ck3parse(*args, mod / "events", "gone", cwd=mod.parent)
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert "gone' cannot be read: it does not exist" in sentence
    assert not (mod.parent / "ck3parse.sqlite").exists()


def test_a_folder_of_a_playset_that_is_gone(mod: Path) -> None:
    assert ck3parse("find", "a", "mod", cwd=mod.parent).returncode == 0
    mod.rename(mod.with_name("elsewhere"))
    done = ck3parse("find", "a", cwd=mod.parent)
    assert done.returncode == 2
    assert f"'{mod}' cannot be read" in done.stderr


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(mod: Path) -> None:
    (mod / "playset.txt").write_text(str(mod))
    mod.chmod(0)
    try:
        for args in (
            ["playset", "mod/playset.txt"],
            ["find", "a", "--store", "mod/a.sqlite"],
            ["check", "mod/events/good.txt"],
        ):
            done = ck3parse(*args, cwd=mod.parent)
            assert done.returncode == 2
            assert len(done.stderr.splitlines()) == 1
    finally:
        mod.chmod(0o755)


def test_a_folder_without_files_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for args in (["find", "a"], ["conflicts"], ["loc", "stats"]):
        done = ck3parse(*args, "empty", cwd=tmp_path)
        assert "ck3parse: warning: no " in done.stderr, args


def test_a_cache_that_cannot_be_used_names_its_option(mod: Path) -> None:
    done = ck3parse("check", "mod", "--cache", "none/c.sqlite", cwd=mod.parent)
    assert done.returncode == 2
    assert "name another with --cache" in done.stderr
    assert "--out" not in done.stderr


@pytest.mark.parametrize("name", ["loc", "qbuilder"])
def test_the_help_of_a_group_has_whole_sentences(name: str, tmp_path: Path) -> None:
    listed = ck3parse(name, "--help", cwd=tmp_path).stdout.partition("Commands:")[2]
    assert listed
    assert "..." not in listed


def test_a_code_that_resembles_none_has_no_suggestion(tmp_path: Path) -> None:
    done = ck3parse("explain", "x", cwd=tmp_path)
    assert "`ck3parse explain` lists them" in done.stderr


@pytest.mark.parametrize(
    ("args", "suggestion"),
    [
        (["chek"], "check"),
        (["statsu"], "status"),
        (["check", "--excluud", "x"], "--exclude"),
        (["run", "--brokr", "x"], "--broker"),
        (["qbuilder", "biuld"], "build"),
        (["loc", "stat"], "stats"),
        (["explain", "e80"], "CK3-E0"),
    ],
)
def test_a_misspelt_word_gets_a_suggestion(
    args: list[str], suggestion: str, tmp_path: Path
) -> None:
    done = ck3parse(*args, cwd=tmp_path, env=dict(os.environ))
    assert done.returncode == 2
    assert suggestion in done.stderr.splitlines()[-1], done.stderr
