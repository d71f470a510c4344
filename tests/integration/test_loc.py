"""`ck3parse loc` in whole: what is missing, and translations there and back."""

import codecs
import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ck3parse.cli import loc
from ck3parse.errors import Ck3parseError, UsageError
from ck3parse.localization import Entry, parse
from json_schemas import fits

TEXTS = {
    "salt.t": "Salt",
    "salt.desc": r"He said \"no\": [ROOT.GetName|U], $OTHER|V0$\n\n#bold é 鍵#! @icon! ",
    "salt.quotes": 'a "quoted" text # not a comment',
    "salt.comma": "a, b; c\t'd' = \\",
    "salt.formula": "=1+1",
    "salt.space": "  two blanks ",
    "fair.t": "Fair",
}
ENGLISH = "\ufeffl_english:\n" + "".join(f' {k}:0 "{v}"\n' for k, v in TEXTS.items())


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    for language, text in (
        ("english", ENGLISH + ' empty: ""\n'),
        ("german", '\ufeffl_german:\r\n fair.t:1 "Markt"'),
    ):
        path = folder / f"localization/{language}/a_l_{language}.yml"
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode())
    (folder / "descriptor.mod").write_text('name = "Mod"\n', "utf-8")
    return folder


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(loc.command, [str(arg) for arg in args], catch_exceptions=False)


def entries(path: Path) -> list[Entry]:
    return parse(path.read_bytes(), path.name).entries


def test_missing(mod: Path) -> None:
    result = run("missing", mod, "--language", "german")

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0] == "localization/english/a_l_english.yml:2: salt.t Salt"
    assert len(lines) == len(TEXTS)  # all but one, and the empty one
    assert run("missing", mod, "--language", "english", "--from", "german").exit_code == 0
    listed = fits("loc missing", run("missing", mod, "--language", "german", "--json").stdout)
    assert [row["key"] for row in listed] == [*list(TEXTS)[:-1], "empty"]


def test_stats(mod: Path) -> None:
    result = run("stats", mod)

    assert result.stdout.splitlines() == [
        "language           files     texts   missing  repeated",
        "english                1         8         0         0",
        "german                 1         1         7         0",
    ]
    table = fits("loc stats", run("stats", mod, "--json").stdout)
    assert [(row["language"], row["missing"]) for row in table] == [("english", 0), ("german", 7)]


@pytest.mark.parametrize("kind", ["csv", "po"])
@pytest.mark.parametrize("language", ["german", "simp_chinese"])
def test_texts_come_back_exactly(mod: Path, tmp_path: Path, kind: str, language: str) -> None:
    """Issue 24: export and import, round trip exact, BOM kept."""
    table = tmp_path / f"table.{kind}"
    german = mod / "localization/german/a_l_german.yml"
    before = german.read_bytes()
    assert run("export", mod, "--language", language, table).exit_code == 0
    translate(table)

    result = run("import", mod, table)

    target = f"localization/{language}/a_l_{language}.yml"
    count = len(TEXTS) - (language == "german")
    assert result.stdout == f"{target}: {count} texts added\n"
    data = (mod / target).read_bytes()
    assert data.startswith(codecs.BOM_UTF8)
    assert not data.startswith(codecs.BOM_UTF8 * 2)
    if language == "german":
        assert data.startswith(before + b"\r\n")
        assert data.count(b"\n") == data.count(b"\r\n")
    texts = {entry.key: entry.text for entry in entries(mod / target)}
    assert texts == TEXTS | ({"fair.t": "Markt"} if language == "german" else {})
    assert parse(data).diagnostics == []
    # Again, nothing is added.
    again = run("import", mod, table)
    assert again.stdout == ""
    assert (mod / target).read_bytes() == data


def translate(table: Path) -> None:
    """Fill in each translation with the text itself."""
    if table.suffix == ".csv":
        with table.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = csv.reader(file)
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *([k, s, s, f, n] for k, s, _, f, n in rows)])
        return
    import polib

    texts = polib.pofile(str(table), encoding="utf-8")
    for entry in texts:
        entry.msgstr = entry.msgid
    texts.save()


def test_what_is_not_translated_is_left_out(mod: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    run("export", mod, "--language", "german", table)
    before = (mod / "localization/german/a_l_german.yml").read_bytes()

    result = run("import", mod, table)

    assert "0 texts added, 0 there already, 6 not translated" in result.stderr
    assert (mod / "localization/german/a_l_german.yml").read_bytes() == before


def test_a_line_end_of_a_spreadsheet_becomes_its_escape(mod: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    file = "localization/english/a_l_english.yml"
    table.write_text(f'key,english,german,file,line\nsalt.t,Salt,"Sa\r\nlz",{file},2\n', "utf-8")

    run("import", mod, table)

    assert entries(mod / "localization/german/a_l_german.yml")[-1].text == r"Sa\nlz"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a b,x,y,localization/english/a_l_english.yml,1", "'a b' is not a key"),
        ("a,x,y,../../a_l_english.yml,1", "is not a file under localization/"),
        ("a,x,y,localization/../../a_l_english.yml,1", "is not a file under localization/"),
        ("a,x", "row 2 has 2 columns"),
    ],
)
def test_a_wrong_table_changes_nothing(mod: Path, tmp_path: Path, row: str, reason: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"key,english,german,file,line\n{row}\n", "utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(Ck3parseError, match=reason):
        run("import", mod, table)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_wrong_usage(mod: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'germna' is not a language: use one of braz_por"):
        run("missing", mod, "--language", "germna")
    with pytest.raises(UsageError, match=r"neither a \.csv nor a \.po"):
        run("export", mod, "--language", "german", tmp_path / "table.txt")
    (tmp_path / "other.csv").write_text("a,b\n", "utf-8")
    with pytest.raises(UsageError, match="its first line must be"):
        run("import", mod, tmp_path / "other.csv")
