"""The commands `ck3parse check` and `ck3parse explain`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import pytest

from command import ck3parse, start
from store_lock import holder_of, locked, release

BOM = "\ufeff"
SOUND = BOM + "a = {\n\tb = 1\n}\n"
LACKS_BRACE = BOM + "z = {\n\tb = {\n\t\tc = 1\n\td = 2\n}\n"


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    write(tmp_path / "mod", {"events/sound.txt": SOUND, "events/lacks.txt": LACKS_BRACE})
    return tmp_path / "mod"


def write(mod: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = mod / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def check(
    mod: Path, *args: str | Path, code: int, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    env = {"XDG_CACHE_HOME": str(mod.parent / "cache"), **(env or {})}
    done = ck3parse("check", *args, cwd=mod.parent, env=env)
    assert done.returncode == code, done.stderr
    return done


def codes(mod: Path, *args: str | Path, code: int = 1) -> list[tuple[str, int, str]]:
    # The files of these tests have the same few keys.
    args = ("--format", "json", "--ignore", "W011", *args)
    report = json.loads(check(mod, *args, code=code).stdout)
    return [
        (Path(d["path"]).name, d["line"], d["code"].removeprefix("CK3-"))
        for d in report["diagnostics"]
    ]


def test_text(mod: Path) -> None:
    done = check(mod, "mod", code=1)
    assert done.stdout == (
        "error[CK3-E008]: expected a } here, for the block `b`, opened in line 2\n"
        " --> mod/events/lacks.txt:3:8\n"
        "3 |         c = 1\n"
        "  |              ^\n"
        "  = help: add } here\n"
    )
    assert done.stderr == "1 error in 1 of 2 files\n"


def test_nothing_wrong(mod: Path) -> None:
    done = check(mod, "mod/events/sound.txt", code=0)
    assert (done.stdout, done.stderr) == ("", "nothing found in 1 file\n")


@pytest.mark.parametrize("is_default", [True, False])
def test_it_says_who_has_locked_the_cache(mod: Path, is_default: bool) -> None:
    check(mod, "mod", code=1)
    (cache,) = (mod.parent / "cache").rglob("*.sqlite")
    env = {"XDG_CACHE_HOME": str(mod.parent / "cache")}
    options = [] if is_default else ["--cache", str(cache)]
    with locked(cache) as process, start("check", "mod", *options, cwd=mod.parent, env=env) as done:
        assert done.stderr
        told = done.stderr.readline().decode()
        assert told == f"ck3parse: waiting for {holder_of(process)} to write to {cache}\n"
        release(process)
        _, err = done.communicate()
    assert done.returncode == 1
    assert err.decode() == "1 error in 1 of 2 files\n"


def test_concise_is_in_order_of_path(mod: Path) -> None:
    write(mod, {"common/z.txt": "a = { b = }", "common/a/b.txt": BOM + "}"})
    done = check(mod, "mod", "--format", "concise", code=1)
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        "mod/common/a/b.txt:1:1",
        "mod/common/z.txt:1:1",
        "mod/common/z.txt:1:9",
        "mod/events/lacks.txt:3:8",
    ]


def test_a_second_check_says_the_same(mod: Path) -> None:
    write(
        mod,
        {"common/twin.txt": LACKS_BRACE, "history/latin.txt": "a = Bj\u00f6rn".encode("cp1252")},
    )
    first = check(mod, "mod", code=1)
    assert check(mod, "mod", code=1).stdout == first.stdout
    assert check(mod, "mod", "--no-cache", code=1).stdout == first.stdout
    write(mod, {"events/lacks.txt": SOUND, "common/twin.txt": SOUND})
    (mod / "history/latin.txt").unlink()
    assert codes(mod, "mod", code=0) == []


def test_a_cache_of_ones_own(mod: Path) -> None:
    check(mod, "mod", "--cache", "mine.sqlite", code=1)
    assert (mod.parent / "mine.sqlite").exists()
    assert not (mod.parent / "cache").exists()


def test_a_cache_that_cannot_be_made_does_not_matter(mod: Path) -> None:
    (mod.parent / "cache").write_text("a file")
    check(mod, "mod", code=1)


def test_warnings(mod: Path) -> None:
    write(
        mod,
        {
            "events/lacks.txt": SOUND,
            "events/bom.txt": "a = 1",
            "history/bom.txt": "a = 1",
            "common/coat_of_arms/bom.txt": "a = 1",
            "events/comment.txt": BOM.encode() + "# Bj\u00f6rn".encode("cp1252"),
            "events/latin.txt": BOM.encode() + '# a\na = "Bj\u00f6rn"'.encode("cp1252"),
            "events/invalid.txt": (BOM + 'a = "\u00f6').encode() + b'\x93" b = "\xff"',
            "events/equals.txt": BOM + 'a == 1 # ==\nb == yes\nc == "==" d == { }',
            "events/operator.txt": BOM + "a = 1\nb c\nf = 1\nd { e = 1 }\n# g { }\n",
        },
    )
    assert codes(mod, "mod") == [
        ("bom.txt", 1, "W001"),
        ("equals.txt", 2, "W004"),
        ("equals.txt", 3, "W004"),
        ("equals.txt", 3, "W004"),
        ("invalid.txt", 1, "W002"),
        ("latin.txt", 2, "W003"),
        ("operator.txt", 2, "W007"),
        ("operator.txt", 4, "W101"),
    ]
    latin = check(mod, "mod/events/latin.txt", "--format", "concise", code=1).stdout
    assert "probably Windows-1252: 1 place is not UTF-8; the first is 0xF6, `ö`" in latin


def test_optional_warnings(mod: Path) -> None:
    text = (BOM + "a = {\n\tb = 1\n \tb = 2\n}\n# ").encode() + b"\xff\n"
    write(mod, {"events/lacks.txt": text})
    assert codes(mod, "mod", code=0) == []
    assert codes(mod, "mod", "--extend-select", "W005,W008") == [
        ("lacks.txt", 3, "W005"),
        ("lacks.txt", 5, "W008"),
    ]


def test_selection(mod: Path) -> None:
    write(mod, {"events/bom.txt": "a = { b = }"})
    every = codes(mod, "mod")
    assert every == [("bom.txt", 1, "W001"), ("bom.txt", 1, "E006"), ("lacks.txt", 3, "E008")]
    assert codes(mod, "mod", "--select", "E") == every[1:]
    assert codes(mod, "mod", "--select", "ck3-w001", "--select", "e006") == every[:2]
    assert codes(mod, "mod", "--ignore", "E00,W", code=0) == []
    assert "'X1' is not a code" in check(mod, "mod", "--select", "X1", code=2).stderr


def test_configuration(mod: Path) -> None:
    write(mod.parent, {"pyproject.toml": "[tool.ck3parse]\nignore = ['E008']\n"})
    assert codes(mod, "mod", code=0) == []
    write(mod, {"ck3parse.toml": "exclude = ['lacks.txt']\nextend-select = ['W005']\n"})
    write(mod, {"events/mixed.txt": BOM + " \ta = 1"})
    assert codes(mod, "mod/events", "mod/events/mixed.txt") == [("mixed.txt", 1, "W005")]
    write(mod, {"ck3parse.toml": "selct = ['W005']\n"})
    assert "unknown field `selct`" in check(mod, "mod", code=2).stderr
    write(mod, {"ck3parse.toml": "select = \n"})
    assert "cannot be read" in check(mod, "mod", code=2).stderr


def test_ignored_on_a_line(mod: Path) -> None:
    text = BOM + "a = { b = }\nb = { b = } # ck3parse: ignore[E004, CK3-E006]\n"
    text += "c = { b = } # ck3parse: ignore\n"
    write(mod, {"events/lacks.txt": text + "d = { b = } # ck3parse: ignore[E001]\n"})
    assert {line for _, line, _ in codes(mod, "mod")} == {1, 4}


def test_standard_input(mod: Path) -> None:
    args = ["check", "--stdin-filename", "events/new.txt", "--format", "concise", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "ck3parse", *args],
        input=b"a = { b = }",
        capture_output=True,
        cwd=mod,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "events/new.txt:1:1: CK3-W001 [*] the file has no byte order mark",
        "events/new.txt:1:9: CK3-E006 expected a value after `b` and its operator, found none",
    ]


@pytest.mark.parametrize("args", [[], ["nowhere"], ["--stdin-filename", "a.txt", "mod"]])
def test_wrong_usage(mod: Path, args: list[str]) -> None:
    assert check(mod, *args, code=2).stdout == ""


def test_colours(mod: Path) -> None:
    head = "\x1b[1;31merror[CK3-E008]\x1b[0m"
    assert head not in check(mod, "mod", code=1).stdout
    assert head in check(mod, "mod", code=1, env={"FORCE_COLOR": "1"}).stdout
    env = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    assert head not in check(mod, "mod", code=1, env=env).stdout
    check(mod, "mod", "--output-file", "out.txt", code=1, env={"FORCE_COLOR": "1"})
    assert head not in (mod.parent / "out.txt").read_text("utf-8")


def test_quiet_and_exit_zero(mod: Path) -> None:
    done = check(mod, "mod", "-q", "--exit-zero", "--format", "concise", code=0)
    assert done.stderr == ""
    assert "CK3-E008" in done.stdout


def test_nothing_to_check_is_a_warning(mod: Path) -> None:
    (mod / "empty").mkdir()
    done = check(mod, "mod/empty", code=0)
    assert done.stderr.splitlines()[0] == "ck3parse: warning: no script files under mod/empty/"


def test_given_files_are_skipped_as_in_their_folder(mod: Path) -> None:
    """As pre-commit gives them."""
    names = ["events/lacks.txt", "dev/a.txt", "tools/b.txt", "readme.txt"]
    write(mod, dict.fromkeys(names, LACKS_BRACE))
    write(mod, {"ck3parse.toml": "exclude = ['dev/']\n"})
    env = {"XDG_CACHE_HOME": str(mod.parent / "cache")}

    def checked(*args: str) -> list[str]:
        done = ck3parse("check", *args, "--format", "concise", cwd=mod, env=env)
        return [line.split(":")[0] for line in done.stdout.splitlines()]

    assert checked(*names) == sorted(names)
    assert checked(*names, "--force-exclude") == checked(".") == ["events/lacks.txt"]
    assert checked("readme.txt", "--force-exclude") == []


def test_given_localization_is_skipped_as_in_its_folder(mod: Path) -> None:
    names = ["localization/english/a_l_english.yml", ".github/workflows/check.yml", "notes.yml"]
    write(mod, dict.fromkeys(names, "a = { b = }"))
    write(mod, {"events/lacks.txt": SOUND})
    env = {"XDG_CACHE_HOME": str(mod.parent / "cache")}

    def checked(*args: str) -> set[str]:
        done = ck3parse("check", *args, "--format", "concise", cwd=mod, env=env)
        return {line.split(":")[0] for line in done.stdout.splitlines()}

    assert checked(*names, "--force-exclude") == checked(".") == {names[0]}
    assert checked(*names) == set(names)


def test_how_a_given_file_is_read_is_said(mod: Path) -> None:
    names = ["events/sound.txt", "a.gui", "x_l_english.yml", "x.yml", "notes.md"]
    write(mod, dict.fromkeys(names, BOM))
    said = [f"mod/{name}" for name in names]
    assert check(mod, *said, "--select", "E", code=0).stderr.splitlines() == [
        "ck3parse: mod/x_l_english.yml is read as localization",
        (
            "ck3parse: mod/x.yml is read as script: localization is under localization/, or has a"
            " name such as mod_l_english.yml"
        ),
        "ck3parse: mod/notes.md is read as script, whatever its ending",
        "nothing found in 5 files",
    ]
    assert check(mod, *said, "--select", "E", "-q", code=0).stderr == ""
    (mod / "empty").mkdir()
    done = ck3parse("run", "empty", cwd=mod)
    assert "ck3parse: warning: no script files under empty/" in done.stderr.splitlines()


def test_misspelt_commands_and_codes(mod: Path) -> None:
    done = ck3parse("chek", "mod", cwd=mod)
    assert done.returncode == 2
    assert "No such command 'chek'. Did you mean 'check'?" in done.stderr
    assert ck3parse("explain", "e8", cwd=mod).stdout.startswith("CK3-E008: ")


def test_names_that_are_defined_twice(mod: Path) -> None:
    trait = "{0} = {{\n\tlevel = {1}\n}}\n"
    write(
        mod,
        {
            "events/lacks.txt": SOUND,
            "common/traits/a.txt": BOM + trait.format("brave", 1) + trait.format("shy", 1),
            "common/traits/b.txt": BOM + trait.format("shy", 1) + trait.format("brave", 2),
            "common/traits/c.txt": BOM + "@x = 1\n@x = 2\n" + trait.format("calm", 1),
            "common/traits/d.txt": BOM + "@x = 3\n" + trait.format("loud", 1) * 2,
            "common/on_action/a.txt": BOM + "on_x = { events = { a.1 } }\n",
            "common/on_action/b.txt": BOM + "on_x = { events = { a.2 } }\n",
            "history/characters/a.txt": "1 = { name = A }\n1 = { name = B } # ck3parse: ignore\n",
        },
    )
    write(mod.parent / "mod2", {"common/traits/a.txt": BOM + trait.format("brave", 3)})
    found = check(mod, ".", "--format", "concise", code=1).stdout.splitlines()
    assert found == [
        f"mod/common/traits/{place}: CK3-W011 the {what} line 1"
        for place, what in (
            ("b.txt:4:1", "trait `brave` replaces another one, in a.txt,"),
            ("c.txt:2:1", "constant `@x` replaces another one, in"),
        )
    ]
    again = check(mod, ".", "--format", "concise", code=1).stdout.splitlines()
    assert again == found
    log = json.loads(check(mod, "mod", "--format", "sarif", code=1).stdout)
    related = log["runs"][0]["results"][0]["relatedLocations"][0]["physicalLocation"]
    assert related == {
        "artifactLocation": {"uri": "mod/common/traits/a.txt"},
        "region": {"startLine": 1, "startColumn": 1},
    }
    check(mod, "mod", "--ignore", "W011", code=0)
    write(mod, {"common/traits/a.txt": BOM, "common/traits/c.txt": BOM})
    check(mod, "mod", code=0)


def test_an_unchanged_file_is_not_read_for_its_names(mod: Path) -> None:
    trait = BOM + "{0} = {{\n\tlevel = {1}\n}}\n"
    texts = {name: trait.format("shy", level) for level, name in enumerate(("a", "b"))}
    write(mod, {f"common/traits/{name}.txt": text for name, text in texts.items()})
    first = check(mod, "mod", "--format", "concise", code=1).stdout
    assert "b.txt:1:1: CK3-W011" in first
    changed = mod / "common/traits/b.txt"
    before = changed.stat()
    changed.write_text(trait.format("lax", 1), encoding="utf-8")
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert check(mod, "mod", "--format", "concise", code=1).stdout == first
    # Contents are known, but not under the rule of their new places.
    write(mod, {"common/laws/a.txt": texts["a"], "common/laws/b.txt": texts["b"]})
    again = check(mod, "mod", "--format", "concise", code=1).stdout
    assert again.count("CK3-W011") == 2
    assert check(mod, "mod", "--format", "concise", code=1).stdout == again


def test_an_unreadable_file(mod: Path) -> None:
    env = {"CK3PARSE_MAX_FILE_BYTES": "20"}
    done = check(mod, "mod", "--format", "concise", code=1, env=env)
    assert "mod/events/lacks.txt:1:1: CK3-E000 it has 33 bytes" in done.stdout
    again = check(mod, "mod", "--format", "concise", code=1, env=env)
    assert again.stdout == done.stdout


def test_statistics_into_a_file(mod: Path) -> None:
    done = check(mod, "mod", "--statistics", "--output-file", "out.txt", code=1)
    assert done.stdout == ""
    assert (mod.parent / "out.txt").read_text() == "      1  CK3-E008  missing closing brace\n"


def test_github(mod: Path) -> None:
    assert check(mod, "mod", "--format", "github", code=1).stdout == (
        "::error file=mod/events/lacks.txt,line=3,endLine=3,col=8,endColumn=8,title=CK3-E008"
        "::expected a } here, for the block `b`, opened in line 2; add } here\n"
    )


def test_gitlab(mod: Path) -> None:
    write(mod, {"events/lacks.txt": BOM + "x = b = c\ny = b = c\n"})
    report = json.loads(check(mod, "mod", "--format", "gitlab", code=1).stdout)
    assert [entry["check_name"] for entry in report] == ["CK3-E003"] * 2
    assert report[0]["location"]["path"] == "mod/events/lacks.txt"
    assert report[0]["fingerprint"] != report[1]["fingerprint"]


def test_json_is_as_its_schema_says(mod: Path) -> None:
    report = json.loads(check(mod, "mod", "--format", "json", code=1).stdout)
    text = package_files("ck3parse.lint").joinpath("report.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    assert set(report) == set(schema["properties"]) == set(schema["required"])
    fields = schema["properties"]["diagnostics"]["items"]
    for diagnostic in report["diagnostics"]:
        assert set(diagnostic) == set(fields["properties"]) == set(fields["required"])


def test_sarif(mod: Path) -> None:
    log = json.loads(check(mod, "mod", "--format", "sarif", code=1).stdout)
    run = log["runs"][0]
    [result] = run["results"]
    assert (log["version"], result["ruleId"], result["level"]) == ("2.1.0", "CK3-E008", "error")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "CK3-E008"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "mod/events/lacks.txt"
    assert place["region"] == {"startLine": 3, "startColumn": 8, "endLine": 3, "endColumn": 8}


def test_nothing_is_wrong_with_the_example(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "small_mod"
    done = ck3parse("check", example, "--no-cache", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "nothing found in 16 files\n"


def test_explain(tmp_path: Path) -> None:
    done = ck3parse("explain", "e008", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("CK3-E008: missing closing brace\n")
    listed = ck3parse("explain", cwd=tmp_path).stdout
    assert "CK3-W005  mixed indentation (off by default)" in listed
    assert ck3parse("explain", "E777", cwd=tmp_path).returncode == 2


def test_the_dialect(mod: Path) -> None:
    write(mod, {"common/plus.txt": f"{BOM}a = +5\n", "events/lacks.txt": SOUND})

    assert codes(mod, "mod", code=0) == []
    assert codes(mod, "mod", "--dialect", "ck3", code=0) == []
    # The cache keeps what was found in each dialect apart.
    assert codes(mod, "mod", "--dialect", "ck3raven") == [("plus.txt", 1, "E005")]
    assert codes(mod, "mod", code=0) == []
