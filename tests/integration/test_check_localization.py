"""Checking localization files: a mod with one of each fault, and which definition stays."""

import re
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ck3parse.cli import check
from ck3parse.config import Settings
from ck3parse.lint.checker import Check
from ck3parse.lint.rules import RULES, select_codes
from ck3parse.localization.key_hash import key_hash, key_hashes
from ck3parse.localization.tables import CODES, SEVERITIES, TOO_MANY
from ck3parse.parser import parser_in_use

H = "\ufeffl_english:\n"
FOLDER = "localization/english"

FAULTS: list[tuple[str, str | bytes, list[str]]] = [
    ("01_l_english.yml", H[1:] + ' k01: "T"\n', ["1:1: CK3-L001"]),
    ("02_l_english.yml", "\ufeff" + H + ' k02: "T"\n', ["1:1: CK3-L002"]),
    ("03_l_english.yml", (H + ' k03: "T"\n').encode("utf-16-le"), ["1:1: CK3-L003"]),
    ("04_l_english.yml", '\ufeff k04: "T"\n', ["1:2: CK3-L004"]),
    ("05_l_english.yml", H + ' k05: "T"\nl_english:\n', ["3:1: CK3-L005"]),
    ("06_l_english.yml", "\ufeffl_english: x\n", ["1:12: CK3-L006"]),
    ("07_l_english.yml", H + '\n "Text"\n', ["3:2: CK3-L007"]),
    ("08_l_english.yml", H + ' k08 "Text"\n', ["2:2: CK3-L008"]),
    ("09_l_english.yml", H + " k09:0 Text\n", ["2:8: CK3-L009"]),
    ("10_l_english.yml", H + ' k10:0 "Text\n k10b: "T"\n', ["2:8: CK3-L010"]),
    ("11_l_english.yml", H + ' k11:0 "Text", # c\n', ["2:14: CK3-L011"]),
    ("12_l_english.yml", H + ' k12:1234567890123456789 "T"\n', ["2:6: CK3-L012"]),
    ("13_l_english.yml", H + ' k13: "a [ROOT.Get b"\n', ["2:10: CK3-L013"]),
    ("14_l_english.yml", H + ' k14: "é 5$"\n', ["2:11: CK3-L014"]),
    ("15_l_english.yml", H + ' k15: "#bold Text"\n', ["2:8: CK3-L015"]),
    ("16_l_english.yml", H.encode() + b' k16: "T\xe9xt \xe9"\n', ["2:9: CK3-L016"]),
    ("21_l_english.yml", '\ufeff\nl_german:\n k21: "T"\n', ["2:1: CK3-L021"]),
    ("22_l_english.yml", H + ' k22: "One"\n k22b: "T"\n k22: "Two"\n', ["4:2: CK3-L022"]),
    ("24_l_english.yml", H + ' k24: "$k22$ $VALUE|V0$ $no_key$"\n', ["2:25: CK3-L024"]),
    ("25_l_english.yml", H + ' COLLIDING: "A"\n other_COLLIDING: "B"\n', ["3:2: CK3-L025"]),
    ("sound_l_english.yml", H + ' k: "[a|E] $k22$ #bold x#! @icon! \\n"  # fine\n', []),
]
MISSING = "k26"


def colliding() -> tuple[str, str]:
    """Return two keys with the same hash."""
    seen: dict[int, str] = {}
    for number in range(1_000_000):
        key = f"salt_{number}"
        other = seen.setdefault(key_hash(key), key)
        if other != key:
            return other, key
    raise AssertionError


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("game")
    texts = folder / FOLDER
    texts.mkdir(parents=True)
    (texts / "game_l_english.yml").write_text(H + ' of_game: "$VALUE$ gold"\n', "utf-8")
    return folder


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / "descriptor.mod").write_text('name = "Mod"\n', "utf-8")
    return tmp_path


def run(mod: Path, *args: str) -> Result:
    return CliRunner().invoke(
        check.command, [str(mod), "--no-cache", "--format=concise", *args], catch_exceptions=False
    )


def write(mod: Path, name: str, text: str | bytes) -> None:
    path = mod / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def told(mod: Path, result: Result) -> list[str]:
    """Return the place and code of each diagnostic, without the message."""
    lines = result.stdout.replace(f"{mod}/", "").splitlines()
    return [" ".join(line.split(" ")[:2]) for line in lines]


def test_every_code_of_the_parser_is_explained() -> None:
    severities = {code: SEVERITIES[kind] for kind, code in CODES.items()}
    severities[TOO_MANY] = "error"
    assert {code: RULES[code].severity for code in severities} == severities


def test_the_page_has_each_code() -> None:
    page = (Path(__file__).parents[2] / "docs/check.md").read_text("utf-8")
    rows = re.findall(r"^\| (L\d+(?:, L\d+)*) \| .* \| (\w+) \| (on|off) \|$", page, re.MULTILINE)
    told = sorted(
        (f"CK3-{code}", severity, on) for codes, severity, on in rows for code in codes.split(", ")
    )
    assert told == [
        (code, rule.severity, "on" if rule.on else "off")
        for code, rule in sorted(RULES.items())
        if code.startswith("CK3-L") and code != TOO_MANY
    ]


def test_each_fault_is_told_once_at_its_place_and_nothing_else(mod: Path, game: Path) -> None:
    """Issue 24: a mod with one of each fault."""
    first, second = colliding()
    for name, content, _ in FAULTS:
        if isinstance(content, str):
            content = content.replace("other_COLLIDING", second).replace("COLLIDING", first)
        write(mod, f"{FOLDER}/{name}", content)
    german = "localization/german/all_l_german.yml"

    result = run(mod, f"--game={game}")

    wanted = [f"{FOLDER}/{name}:{place}" for name, _, places in FAULTS for place in places]
    assert told(mod, result) == wanted

    # A language of which the mod has one text lacks all others: each is told once.
    write(mod, german, '\ufeffl_german:\n k01: "T"\n')
    result = run(mod, "--select=L023", "--ignore=W")
    keys = [line.split("`")[1] for line in result.stdout.splitlines()]
    assert len(keys) == len(set(keys)) == 17
    assert "k01" not in keys
    assert result.stdout.splitlines()[0].endswith("the key `k02` has no text in german")
    codes = {place.split(" ")[1] for _, _, places in FAULTS for place in places} | {"CK3-L023"}
    assert codes == {code for code in RULES if code.startswith("CK3-L")} - {"CK3-L099"}


def test_without_the_game_keys_that_no_file_defines_are_not_told(mod: Path) -> None:
    write(mod, f"{FOLDER}/a_l_english.yml", H + ' k: "$no_key$"\n')

    assert run(mod).stdout == ""
    assert run(mod).exit_code == 0


@pytest.mark.parametrize(
    ("files", "lost"),
    [
        (["english/a", "english/b"], "english/b"),
        (["english/a", "replace/english/b"], "english/a"),
        (["english/a", "english/replace/b"], "english/a"),
        (["english/replace/a", "english/z"], "english/z"),
        (["replace/english/a", "replace/english/b"], "replace/english/a"),
    ],
)
def test_the_first_definition_stays_but_for_a_folder_replace(
    mod: Path, files: list[str], lost: str
) -> None:
    for name in files:
        write(mod, f"localization/{name}_l_english.yml", H + ' key: "Text"\n')
    (stays,) = {*files} - {lost}

    [line] = run(mod).stdout.splitlines()

    assert line == (
        f"{mod}/localization/{lost}_l_english.yml:2:2: CK3-L022 the key `key` is defined again;"
        f" the text in line 2 of localization/{stays}_l_english.yml stays"
    )


def test_name_header_and_folder_are_told_once(mod: Path) -> None:
    write(mod, "localization/french/a_l_english.yml", '\ufeffl_german:\n key: "Text"\n')

    [line] = run(mod).stdout.splitlines()

    assert line.endswith(
        "1:1: CK3-L021 of the language, its name says english, its header says german, its folder"
        " says french"
    )


def test_the_same_key_in_two_languages_and_in_two_mods_is_no_duplicate(tmp_path: Path) -> None:
    for mod, language in product(("one", "two"), ("english", "german")):
        write(tmp_path, f"{mod}/descriptor.mod", b"")
        name = f"{mod}/localization/{language}/a_l_{language}.yml"
        write(tmp_path, name, f'\ufeffl_{language}:\n key: "Text"\n')

    assert run(tmp_path).exit_code == 0


def test_a_comment_silences_a_code(mod: Path) -> None:
    write(mod, f"{FOLDER}/a_l_english.yml", H + ' key "Text" # ck3parse: ignore[L008]\n')

    assert run(mod).exit_code == 0


def test_other_yml_files_are_left_alone(mod: Path) -> None:
    write(mod, "ci.yml", "on: [push]\n")
    write(mod, "gfx/ci.yml", "on: [push]\n")

    assert "0 files" in run(mod).stderr


def test_a_file_that_is_not_saved(mod: Path) -> None:
    checks = Check(Settings(), parser_in_use(), select_codes([], [], []))
    path = str(mod / FOLDER / "a_l_english.yml")

    checked = checks.check_bytes((H + ' k: "One"\n k: "Two"\n').encode(), path)

    assert [(each.line, each.code) for each in checked.diagnostics] == [(3, "CK3-L022")]


def test_hashes_of_keys() -> None:
    keys = ["", "test", "hello", "The quick brown fox jumps over the lazy dog", "é", "鍵鍵"]

    assert key_hashes(keys)[:4] == [0, 0xBA6BD213, 0x248BFA47, 0x2E4FF723]
    assert key_hashes(keys) == [key_hash(key) for key in keys]
