"""`ck3parse check` with `--fix`, `--diff`, `--baseline` and `--tiger`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ck3parse as ck3parse_package
from ck3parse.lint.fixes import STEPS
from ck3parse.lint.rules import RULES
from command import ck3parse, start

BOM = b"\xef\xbb\xbf"


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    (tmp_path / "mod/events").mkdir(parents=True)
    return tmp_path / "mod"


def check(mod: Path, *args: str | Path, code: int) -> subprocess.CompletedProcess[str]:
    env = {"XDG_CACHE_HOME": str(mod.parent / "cache")}
    done = ck3parse("check", mod.name, "--format", "concise", *args, cwd=mod.parent, env=env)
    assert done.returncode == code, done.stderr
    return done


def fixed(
    mod: Path, content: bytes, *args: str, name: str = "events/a.txt", code: int = 0
) -> bytes:
    path = mod / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    check(mod, "--fix", *args, code=code)
    return path.read_bytes()


def test_each_fixable_rule_has_a_step() -> None:
    fixable = {code for code, rule in RULES.items() if rule.fixable}
    assert fixable == {code for step in STEPS for code in step.codes}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a = 1\n", BOM + b"a = 1\n"),
        (b"a == yes\r\nb == 1\r\n", BOM + b"a = yes\r\nb == 1\r\n"),
        ('a = "Björn" # café'.encode("cp1252"), BOM + 'a = "Björn" # café'.encode()),
        (b"a = 1\r\nb = 2\r\nc = 3\n", BOM + b"a = 1\r\nb = 2\r\nc = 3\r\n"),
        (b'a = "1\r\n2"\rb = 3\n', BOM + b'a = "1\n2"\nb = 3\n'),
    ],
)
def test_what_is_mended(mod: Path, before: bytes, after: bytes) -> None:
    assert fixed(mod, before, "--extend-select", "W012") == after
    assert "nothing found" in check(mod, "--extend-select", "W012", code=0).stderr


def test_localization(mod: Path) -> None:
    name = "localization/english/a_l_english.yml"
    text = 'l_english:\n key: "Björn"\n'
    assert fixed(mod, text.encode(), name=name) == BOM + text.encode()
    assert fixed(mod, BOM * 2 + text.encode(), name=name) == BOM + text.encode()
    assert fixed(mod, text.encode("cp1252"), name=name) == BOM + text.encode()


def test_what_is_not_certain_stays(mod: Path) -> None:
    # Windows-1251, Windows-1250, bytes that are no letters, and UTF-8 beside Windows-1252.
    for content in (
        BOM + 'a = "Привет"\n'.encode("cp1251"),
        BOM + 'a = "Příbor"\n'.encode("cp1250"),
        BOM + b'a = "\xb1\xb2\xa4"\n',
        BOM + 'a = "é"\n'.encode() + b'b = "\xe9"\n',
        BOM + b'a = "x" == "y"\n',
    ):
        assert fixed(mod, content, code=1) == content
        assert "[*]" not in check(mod, code=1).stdout


def test_one_that_cannot_be_mended_keeps_no_other_from_it(mod: Path) -> None:
    before = BOM + b'a == yes\nb = {\n\tc == "d" == {\n\t\te == no\n\t}\n}\n'
    after = fixed(mod, before, code=1)
    assert b"a = yes" in after
    assert b"e = no" in after


def test_a_suppressed_finding_stays(mod: Path) -> None:
    text = BOM + b"a == yes # ck3parse: ignore[W004]\nb == yes\n"
    assert fixed(mod, text) == text.replace(b"b ==", b"b =")


def test_a_diff_changes_nothing(mod: Path) -> None:
    path = mod / "events/a.txt"
    path.write_bytes(BOM + b"a = 1\nb == yes\n")
    done = check(mod, "--diff", code=1)
    assert done.stdout == (
        "--- mod/events/a.txt\n+++ mod/events/a.txt\n@@ -1,2 +1,2 @@\n \ufeffa = 1\n"
        "-b == yes\n+b = yes\n"
    )
    assert done.stderr == "would fix 1\n"
    assert path.read_bytes() == BOM + b"a = 1\nb == yes\n"
    check(mod, "--fix", code=0)
    assert check(mod, "--diff", code=0).stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions and links")
def test_mode_and_link_stay(mod: Path) -> None:
    real = mod.parent / "real.txt"
    real.write_bytes(b"a = 1\n")
    real.chmod(0o640)
    link = mod / "events/a.txt"
    link.symlink_to(real)
    check(mod, "--fix", code=0)
    assert link.is_symlink()
    assert real.read_bytes() == BOM + b"a = 1\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert os.listdir(mod / "events") == ["a.txt"]


def test_what_is_fixable_is_marked(mod: Path) -> None:
    (mod / "events/a.txt").write_bytes(b"a = {\n\tb =\n}\n")
    done = check(mod, code=1)
    assert "mod/events/a.txt:1:1: CK3-W001 [*] the file" in done.stdout
    assert "CK3-E006 expected" in done.stdout
    assert done.stderr == "1 error and 1 warning in 1 of 1 file\n[*] 1 fixable with --fix\n"
    report: dict[str, Any] = json.loads(check(mod, "--format", "json", code=1).stdout)
    assert [each["fixable"] for each in report["diagnostics"]] == [True, False]
    found = ck3parse_package.check(mod, cache=False).findings
    assert [each.fixable for each in found] == [True, False]
    log = json.loads(check(mod, "--format", "sarif", code=1).stdout)
    results = log["runs"][0]["results"]
    assert [each["properties"] for each in results] == [{"fixable": True}, {"fixable": False}]
    [fix] = log["runs"][0]["results"][0]["fixes"]
    assert fix["artifactChanges"][0]["replacements"][0]["insertedContent"] == {"text": "\ufeff"}
    done = check(mod, "--fix", code=1)
    assert done.stderr == "1 fixed\n1 error in 1 of 1 file\n"


def test_a_baseline(mod: Path) -> None:
    path = mod / "events/a.txt"
    path.write_bytes(b"a = {\n\tb =\n}\nc == yes\n")
    file = mod.parent / "known.json"
    done = check(mod, "--write-baseline", file, code=0)
    assert (done.stdout, done.stderr) == ("", f"3 findings written to {file}\n")
    check(mod, "--baseline", file, code=0)
    # Lines may move; a second finding of the same kind is new.
    path.write_bytes(b"# new\nx = 1\na = {\n\tb =\n}\nc == yes\nd = {\n\tb =\n}\n")
    found = check(mod, "--baseline", file, code=1).stdout.splitlines()
    assert [line.split(": ")[0] for line in found] == ["mod/events/a.txt:8:4"]


def test_a_baseline_in_the_configuration(mod: Path) -> None:
    path = mod / "events/a.txt"
    path.write_bytes(BOM + b"a = {\n\tb =\n}\n")
    (mod / "ck3parse.toml").write_text('baseline = "notes/known.json"\n')
    (mod / "notes").mkdir()
    # It is not there yet.
    assert "--write-baseline writes one" in check(mod, code=2).stderr
    check(mod, "--write-baseline", mod / "notes/known.json", code=0)
    assert check(mod, code=0).stderr == "nothing found in 1 file\n1 of the baseline left out\n"
    # It counts from the folder of the configuration, also elsewhere, and for an editor's text.
    done = ck3parse("check", ".", "--no-cache", cwd=mod / "events")
    assert (done.returncode, done.stdout) == (0, "")
    args = ["check", "--stdin-filename", "mod/events/a.txt", "--format", "concise"]
    for text, code in ((path.read_bytes() + b"# new\n", 0), (b"a = {\n\tc =\n}\n", 1)):
        process = start(*args, cwd=mod.parent, stdin=subprocess.PIPE)
        out, _ = process.communicate(text)
        assert process.returncode == code, out
    # What is written is everything, and all of it can be seen.
    check(mod, "--write-baseline", mod / "notes/known.json", code=0)
    assert "CK3-E006" in check(mod, "--no-baseline", code=1).stdout
    assert "not both" in check(mod, "--no-baseline", "--baseline", "x", code=2).stderr
    report = ck3parse_package.check(mod, cache=False)
    assert report.findings == ()
    assert len(ck3parse_package.check(mod, cache=False, baseline=False).findings) == 1


def test_a_folder_of_the_game_counts_from_the_configuration(mod: Path) -> None:
    (mod / "ck3parse.toml").write_text('game = "../game"\n')
    (mod.parent / "game/localization/english").mkdir(parents=True)
    english = mod / "localization/english"
    english.mkdir(parents=True)
    (english / "a_l_english.yml").write_bytes(BOM + b'l_english:\n a: "$b$"\n')
    done = ck3parse("check", ".", "--no-cache", "--format", "concise", cwd=english)
    assert "CK3-L024" in done.stdout, done.stderr


@pytest.mark.parametrize("content", [None, "no", '{"version": 2, "findings": []}', "{}"])
@pytest.mark.parametrize("option", ["--baseline", "--tiger"])
def test_a_file_that_cannot_be_used(mod: Path, option: str, content: str | None) -> None:
    (mod / "events/a.txt").write_bytes(BOM)
    file = mod.parent / "file.json"
    if content is not None:
        file.write_text(content)
    done = check(mod, option, file, code=2)
    assert str(file) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_report_of_tiger(mod: Path) -> None:
    path = mod / "events/a.txt"
    path.write_bytes(b"a = {\n\tb = 1\n\n")
    place = {"from": "MOD", "stage": None, "length": 1, "line": "b = 1", "tag": None}
    a = {"path": "events/a.txt", "fullpath": str(path), "linenr": 2, "column": 2, **place}
    reports = [
        {"severity": "error", "key": "unknown-field", "message": "no b", "info": "in a\nor c",
         "confidence": "strong", "locations": [a, a]},
        {"severity": "tips", "key": "scopes", "message": "elsewhere", "info": None,
         "locations": [{**a, "fullpath": r"C:\mod\events\a.txt", "linenr": None, "column": None}]},
        {"severity": "warning", "key": "encoding", "message": "no BOM", "locations": [a]},
        {"severity": "warning", "key": "x", "message": "of the game",
         "locations": [{"path": "events/none.txt", "fullpath": "/game/events/none.txt"}]},
        {"severity": "warning", "key": "x", "message": "of no place", "locations": []},
    ]  # fmt: skip
    file = mod.parent / "tiger.json"
    file.write_text(json.dumps(reports))

    done = check(mod, "--tiger", file, code=1)

    assert [line.split(" ", 1)[1].split(" ")[0] for line in done.stdout.splitlines()] == [
        "CK3-W001",
        "tiger/scopes",
        "tiger/unknown-field",
        "CK3-E008",
    ]
    assert "a.txt:2:2: tiger/unknown-field no b; in a or c\n" in done.stdout
    log = json.loads(check(mod, "--tiger", file, "--format", "sarif", code=1).stdout)
    run = log["runs"][0]
    ids = [each["id"] for each in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
    assert "tiger/scopes" in ids
    check(mod, "--tiger", file, "--format", "text", code=1)
    check(mod, "--tiger", file, "--statistics", code=1)


TIGER = """\
Unused localization - this key is used nowhere:
(unused-localization) localization/english/a_l_english.yml
[
{
  "confidence": "strong",
  "info": "only landed characters have one",
  "key": "unknown-field",
  "locations": [
    {
      "column": 2,
      "from": "MOD",
      "fullpath": "MOD/events/a.txt",
      "length": 4,
      "line": "\\tgold = { [ ] }",
      "linenr": 2,
      "path": "events/a.txt",
      "stage": null,
      "tag": "this one"
    },
    {
      "column": 1,
      "from": "MOD",
      "fullpath": "MOD/events/a.txt",
      "length": null,
      "line": "a = {",
      "linenr": 1,
      "path": "events/a.txt",
      "stage": null,
      "tag": "from here"
    }
  ],
  "message": "unknown field `gold`\\nhere",
  "severity": "fatal",
  "wiki": "https://example.org/wiki"
}
,
{
  "confidence": "weak",
  "info": null,
  "key": "crash",
  "locations": [
    {
      "column": 3,
      "from": "CK3",
      "fullpath": "/nowhere/game/common/scripted_effects/00.txt",
      "length": null,
      "line": "x",
      "linenr": 9,
      "path": "common/scripted_effects/00.txt",
      "stage": null,
      "tag": null
    },
    {
      "column": 7,
      "from": "MOD",
      "fullpath": "MOD/events/a.txt",
      "length": null,
      "line": "}",
      "linenr": 3,
      "path": "events/a.txt",
      "stage": null,
      "tag": "from here"
    }
  ],
  "message": "in an effect of the game",
  "severity": "untidy",
  "wiki": null
}
,
{
  "confidence": "reasonable",
  "info": null,
  "key": "filename",
  "locations": [
    {
      "column": null,
      "from": "MOD",
      "fullpath": "MOD/events/a.txt",
      "length": null,
      "line": null,
      "linenr": null,
      "path": "events/a.txt",
      "stage": null,
      "tag": null
    }
  ],
  "message": "of the whole file",
  "severity": "a severity of next year",
  "wiki": null
}

]
"""
"""What ck3-tiger prints with `--json`, in its form: lines of text of checks that print at once, and
a list of reports with several places, no length, no column and no line."""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_form_of_a_report_of_tiger(mod: Path, encoding: str, line_end: str) -> None:
    (mod / "events/a.txt").write_bytes(BOM + b"a = {\n\tgold = { [ ] }\n}\n")
    file = mod.parent / "tiger.json"
    text = TIGER.replace("MOD/", f"{mod.as_posix()}/").replace("\n", line_end)
    file.write_bytes(text.encode(encoding))

    report = json.loads(check(mod, "--tiger", file, "--format", "json", code=1).stdout)

    found = [
        (
            each["line"], each["column"], each["end_line"], each["end_column"], each["severity"],
            each["code"], each["message"],
        )
        for each in report["diagnostics"]
        if each["code"].startswith("tiger/")
    ]  # fmt: skip
    assert found == [
        (1, 1, 1, 1, "warning", "tiger/filename", "of the whole file"),
        (2, 2, 2, 6, "error", "tiger/unknown-field",
         "unknown field `gold` here; only landed characters have one"),
        (3, 7, 3, 7, "warning", "tiger/crash", "in an effect of the game"),
    ]  # fmt: skip
    file.write_bytes(f"[{line_end}{line_end}]{line_end}".encode(encoding))
    assert "tiger/" not in check(mod, "--tiger", file, "--exit-zero", code=0).stdout


@pytest.mark.parametrize("option", ["--fix", "--diff"])
def test_what_does_not_go_together(mod: Path, option: str) -> None:
    assert "leave out --watch" in check(mod, option, "--watch", code=2).stderr
