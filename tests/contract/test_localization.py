"""Both parsers of localization files: the table of cases, and what holds of any file."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ck3parse.extractors.localization import decode, decode_texts, rows_of
from ck3parse.localization import Entry, Part, language_of_name, parse, reference
from ck3parse.localization.scan import MAX_FAULTS, Scan, diagnostics_of
from ck3parse.localization.tables import CODES, LANGUAGES
from contract.conftest import both

HERE = Path(__file__).parent
FIXTURE = HERE.parent / "fixtures/texts_l_english.yml"
CASES = [
    json.loads(line) for line in (HERE / "localization-cases.jsonl").read_text("utf-8").splitlines()
]
TOKENS: dict[str, list[str]] = json.loads((HERE / "tokens.json").read_text("utf-8"))["localization"]
HOSTILE_BYTES = 200_000


PARSERS = both(reference)


@pytest.fixture(params=PARSERS, scope="session")
def body(request: pytest.FixtureRequest) -> ModuleType:
    """A parser of localization files: a module with `scan`."""
    return PARSERS[request.param]


def scan(body: ModuleType, data: bytes, *, parts: bool = True) -> Scan:
    found: Scan = body.scan(data, parts=parts, max_faults=MAX_FAULTS)
    return found


def entries_of(found: Scan) -> list[Entry]:
    return msgspec.json.decode(found.entries_json, type=list[Entry])


def content(case: dict[str, Any]) -> bytes:
    if "latin_1" in case:
        return str(case["latin_1"]).encode("latin-1")
    return str(case["text"]).encode()


def test_the_table_has_every_fault_of_the_parsers() -> None:
    """Issue 24: a table of 40 lines of every oddity."""
    assert len(CASES) >= 40
    told = {f"CK3-{code}" for case in CASES for code, *_ in case["diagnostics"]}
    assert told == set(CODES.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_case(body: ModuleType, case: dict[str, Any]) -> None:
    data = content(case)

    found = scan(body, data)

    entries = entries_of(found)
    assert [[e.key, e.number, e.text, e.line] for e in entries] == case["entries"]
    assert [
        [part.kind, data[part.start : part.end].decode(), part.value, part.format]
        for entry in entries
        for part in entry.parts
    ] == case.get("parts", [])
    assert [
        [d.code.removeprefix("CK3-"), d.line, d.column, d.end_column] for d in diagnostics_of(found)
    ] == case["diagnostics"]
    assert (found.header[0] if found.header else None) == case.get("header", "english")


LINES = st.tuples(
    st.sampled_from(TOKENS["blanks"]),
    st.sampled_from(TOKENS["keys"]),
    st.sampled_from(TOKENS["colons"]),
    st.sampled_from(TOKENS["quotes"]),
    st.lists(st.sampled_from(TOKENS["texts"]), max_size=8).map("".join),
    st.sampled_from(TOKENS["ends"]),
    st.sampled_from(TOKENS["line_ends"]),
).map("".join)
FILES = st.tuples(
    st.sampled_from(["\ufeff", "", "\ufeff\ufeff"]),
    st.lists(LINES | st.sampled_from(TOKENS["lines"]), max_size=12).map("".join),
).map(lambda parts: "".join(parts).encode())


def check(data: bytes, found: Scan) -> None:
    """Check what holds of any file."""
    entries = entries_of(found)
    assert found.entry_count == len(entries)
    assert found.entries_json == msgspec.json.encode(msgspec.json.decode(found.entries_json))
    before = 0
    for entry in entries:
        spans = entry.key_start, entry.key_end, entry.number_start, entry.number_end
        assert [before, *spans, entry.text_start, entry.text_end] == sorted(
            [before, *spans, entry.text_start, entry.text_end]
        )
        before = entry.text_end
        assert data[entry.key_start : entry.key_end].decode() == entry.key
        digits = data[entry.number_start : entry.number_end]
        assert digits.isdigit() if entry.number is not None else not digits or len(digits) > 18
        assert data[entry.text_start : entry.text_end].decode("utf-8", "replace") == entry.text
        assert data[entry.text_start - 1 : entry.text_start] == b'"'
        assert data[entry.text_end : entry.text_end + 1] == b'"'
        assert b"\n" not in data[entry.text_start : entry.text_end]
        check_parts(data, entry)
    places = [(fault.line, fault.column) for fault in found.faults]
    assert places == sorted(places)
    assert len(found.faults) == min(found.fault_count, MAX_FAULTS)


def check_parts(data: bytes, entry: Entry) -> None:
    open_ends = [entry.text_end]
    starts = [part.start for part in entry.parts]
    assert starts == sorted(starts)
    for part in entry.parts:
        assert entry.text_start <= part.start < part.end <= entry.text_end
        while part.start >= open_ends[-1]:
            open_ends.pop()
        assert part.end <= open_ends[-1]  # inside of what contains its start
        open_ends.append(part.end)
        source = data[part.start : part.end].decode("utf-8", "replace")
        assert source == rewritten(part)


def rewritten(part: Part) -> str:
    """Return a part as it stands in the file."""
    text = part.value + (f"|{part.format}" if part.format else "")
    escapes = {"\n": "\\n", '"': '\\"', "#": "##"}
    return {
        "key": f"${text}$",
        "chain": f"[{text}]",
        "format": f"#{text}",
        "end": "#!",
        "icon": f"@{text}!",
        "escape": escapes.get(part.value, ""),
    }[part.kind]


@settings(deadline=None, max_examples=500)
@given(data=FILES | st.binary(max_size=60), parts=st.booleans())
def test_any_file(body: ModuleType, data: bytes, parts: bool) -> None:
    found = scan(body, data, parts=parts)

    assert found == scan(reference, data, parts=parts)
    if b"$" not in data and b"[" not in data:  # an empty format is written as none
        check(data, found)


@settings(deadline=None, max_examples=100)
@given(data=FILES, lines=st.integers(0, 3))
def test_comments_before_move_everything(body: ModuleType, data: bytes, lines: int) -> None:
    before = data.startswith(b"\xef\xbb\xbf") and not data.startswith(b"\xef\xbb\xbf" * 2)
    added = b"\xef\xbb\xbf" + b"#\n" * lines + data[3:] if before else b"#\n" * lines + data

    moved, found = scan(body, added), scan(body, data)

    if before:
        assert [fault.line - lines for fault in moved.faults] == [f.line for f in found.faults]
        assert [(e.key, e.text, e.line - lines) for e in entries_of(moved)] == [
            (e.key, e.text, e.line) for e in entries_of(found)
        ]


def test_cut_off_at_every_byte(body: ModuleType) -> None:
    data = FIXTURE.read_bytes()

    for end in range(len(data) + 1):
        found = scan(body, data[:end])
        check(data[:end], found)
        assert found == scan(reference, data[:end])


@pytest.mark.parametrize(
    ("opening", "repeated"),
    [
        *[('k:"', text) for text in ["[", "]", "$", "$a", "$a|", "#", "#a", "#a:[", "#a:{", "#!"]],
        *[
            ('k:"', text)
            for text in ["@", "@[", "@$a", "@a", "[$", "[|", "['$a", "\\", '"', "{[", "é"]
        ],
        *[('k:"', text) for text in ["#a:[#a:{", "[x]", "$x$", "#x ", "@x!", "##", "\\n", "\x01"]],
        *[
            ("", text)
            for text in ["k", "é", " ", ":", '"', "\n", "\r", "k:\n", 'k:""\n', "k\n", "#\n"]
        ],
        *[
            ("", text)
            for text in ["\ufeff", "\u3000", "l_x:\n", "k:9", 'k:"\n', 'k:"[$"\n', "\x00"]
        ],
    ],
)
def test_hostile_text(body: ModuleType, opening: str, repeated: str) -> None:
    data = (opening + repeated * (HOSTILE_BYTES // len(repeated)) + '"').encode()

    found = scan(body, data)

    assert len(found.faults) == min(found.fault_count, MAX_FAULTS)
    assert len(diagnostics_of(found)) == len(found.faults)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("salt_l_english.yml", "english"),
        ("mod/localization/x/salt_l_simp_chinese.yml", "simp_chinese"),
        ("C:\\mod\\salt_L_German.YML", "german"),
        ("a_l_english_l_french.yml", "english"),
        ("all_l_braz_por.yml", "braz_por"),
        ("a_l_klingon.yml", "klingon"),
        ("salt.yml", None),
        ("l_english/salt.yml", None),
    ],
)
def test_the_name_says_the_language(name: str, language: str | None) -> None:
    assert language_of_name(name) == language


def test_the_header_says_the_language_of_a_file_without_one_in_its_name() -> None:
    data = b'\xef\xbb\xbfl_polish:\n key:0 "Tekst"\n'

    assert parse(data, "a.yml").language == "polish"
    assert parse(data, "a_l_german.yml").language == "german"
    assert parse(data, "a_l_german.yml").header == "polish"
    assert parse(b"").language is None
    assert "polish" in LANGUAGES


@pytest.mark.parametrize(("more", "words"), [(1, "1 more problem"), (1_134, "1,134 more problems")])
def test_the_last_diagnostic_counts_the_others(more: int, words: str) -> None:
    *shown, last = parse(b"\xef\xbb\xbfl_english:\n" + b" key\n" * (100 + more)).diagnostics

    assert len(shown) == 100
    assert (last.line, last.code) == (102, "CK3-L099")
    assert last.message == f"the file has {words} from here on"


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_the_rows_of_the_index_are_equal(case: dict[str, Any]) -> None:
    """The rows of `localization/1`: what the store has of a file."""
    scans = [scan(body, content(case)) for body in PARSERS.values()]

    rows, *others = [rows_of(each) for each in scans]

    assert others == [rows] * len(others)
    decoded = decode(rows)
    assert decode_texts(decoded) == [(e[3], e[0], e[2]) for e in case["entries"]]
    named = [part[2] for part in case.get("parts", []) if part[0] == "key"]
    assert sorted({key for _, key in decoded.uses}) == sorted(set(named))
    assert decoded.header == case.get("header", "english")
