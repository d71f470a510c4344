"""The command `ck3parse show`."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ck3parse import tree
from ck3parse.parser import parse_bytes

EXAMPLES = Path(__file__).parents[2] / "examples"
ENV = {key: value for key, value in os.environ.items() if not key.startswith("CK3PARSE_")} | {
    "PYTHONPATH": os.pathsep.join(sys.path),
    "PYTHONUTF8": "1",
    "TERM": "xterm-256color",
    "COLUMNS": "100",
}
RAVEN = ("--dialect", "ck3raven")
SCRIPT = """\
# a comment
my_trait = {
	index = 12
	name = "Ødegård"
	opposites = { calm { 1 2 } yes }
	value >= @[ a + $B$ ]
}
@x = 3
"""


def show(
    *arguments: str | Path, data: bytes | None = None, **env: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "ck3parse", "show", *map(str, arguments)],
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        timeout=60,
        env=ENV | env,
    )


def show_in_a_terminal(*arguments: str | Path, **env: str) -> str:
    """Return everything that a terminal receives, with colours."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ck3parse", "show", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=ENV | env,
    ):
        os.close(theirs)
        output = b""
        try:
            while chunk := os.read(ours, 65536):
                output += chunk
        except OSError:
            pass  # how Linux says that the other end is closed
        os.close(ours)
    return output.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "my traits.txt"
    path.write_text(SCRIPT, encoding="utf-8-sig")
    return path


# In a pipe


def test_a_pipe_gets_the_json_and_one_line_end(script: Path) -> None:
    done = show(script)
    expected = parse_bytes(script.read_bytes(), str(script), dialect="ck3").ast_json
    assert expected is not None
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == expected + b"\n"


@pytest.mark.parametrize("how", [["--dialect", "ck3raven"], []])
def test_the_dialect_is_an_option_or_a_setting(script: Path, how: list[str]) -> None:
    expected = parse_bytes(script.read_bytes(), str(script)).ast_json
    done = show(*how, script, CK3PARSE_DIALECT="ck3" if how else "ck3raven")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (expected or b"") + b"\n"


def test_a_parser_of_ones_own_has_one_dialect(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a = 1")
    own = "ck3parse.parser.reference:parse_bytes"
    assert json.loads(show(path, CK3PARSE_PARSER=own).stdout)["filename"] == str(path)
    done = show("--dialect", "ck3", path, CK3PARSE_PARSER=own)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"does not parse the dialect 'ck3': use ck3raven" in done.stderr


def test_python_is_an_expression_of_the_tree(script: Path) -> None:
    for dialect in ("ck3", "ck3raven"):
        done = show("--format", "python", "--dialect", dialect, script)
        assert (done.returncode, done.stderr) == (0, b"")
        names = {name: getattr(tree, name) for name in dir(tree) if not name.startswith("_")}
        expected = parse_bytes(script.read_bytes(), str(script), dialect=dialect).tree
        assert eval(done.stdout, names) == expected  # noqa: S307


def test_the_filename_is_the_path_as_given_or_the_name(script: Path) -> None:
    relative = os.path.relpath(script)
    assert json.loads(show(*RAVEN, relative).stdout)["filename"] == relative
    named = show(*RAVEN, "--name", "common/a.txt", script)
    assert json.loads(named.stdout)["filename"] == "common/a.txt"


def test_the_name_says_how_the_game_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a = \xd8")
    assert json.loads(show(path).stdout)["encoding"] == "invalid"
    ast = json.loads(show("--name", "history/characters/a.txt", path).stdout)
    assert (ast["encoding"], ast["children"][0]["value"]) == ("windows-1252", "Ø")


def test_standard_input() -> None:
    ast = json.loads(show(*RAVEN, "-", data=b"\xef\xbb\xbfa = 1").stdout)
    assert ast["filename"] == "<stdin>"
    assert ast["children"][0]["key"] == "a"
    assert json.loads(show(*RAVEN, "-", "--name", "a.txt", data=b"").stdout)["filename"] == "a.txt"


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/m\xf8d.txt"
    Path(os.fsdecode(path)).write_bytes(b"a = 1")
    done = show(*RAVEN, os.fsdecode(path))
    assert json.loads(done.stdout)["filename"].endswith(r"/m\xf8d.txt")


def test_a_tree_in_a_pipe_has_no_colours_and_cuts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a = " + "x" * 500)
    done = show("--format", "tree", path)
    assert done.returncode == 0
    assert b"x" * 500 in done.stdout
    assert b"\x1b" not in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_output_that_cannot_take_every_character(script: Path, encoding: str) -> None:
    done = show("--format", "tree", script, PYTHONUTF8="0", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"my_trait" in done.stdout


# In a terminal


def test_a_terminal_gets_a_coloured_tree(script: Path) -> None:
    output = show_in_a_terminal("--name", "my_traits.txt", script)
    assert "\x1b[" in output
    assert plain(output).splitlines() == [
        "my_traits.txt",
        "├── my_trait = {}  :2",
        "│   ├── index = 12  :3",
        '│   ├── name = "Ødegård"  :4',
        "│   ├── opposites = {}  :5",
        "│   │   ├── calm",
        "│   │   ├── CK3-W101 expected an operator between `calm` and {  :5:16",
        "│   │   ├── {}  :5",
        "│   │   │   ├── 1",
        "│   │   │   └── 2",
        "│   │   └── yes",
        "│   └── value >= @[ a + $B$ ]  :6",
        "└── @x = 3  :8",
    ]


def test_no_colours_if_the_user_wants_none(script: Path) -> None:
    assert "\x1b[3" not in show_in_a_terminal(script, NO_COLOR="1")


def test_depth_cuts_the_tree(script: Path) -> None:
    for output in (
        show("--depth", "1", "--name", "a.txt", script).stdout.decode(),
        plain(show_in_a_terminal("--depth", "1", "--name", "a.txt", script)),
    ):
        assert output.splitlines() == [
            "a.txt",
            "├── my_trait = {…} 4 inside  :2",
            "│   └── CK3-W101 expected an operator between `calm` and {  :5:16",
            "└── @x = 3  :8",
            "… and 9 more nodes; --format json shows all of them",
        ]


def test_json_in_a_terminal(script: Path) -> None:
    assert json.loads(show_in_a_terminal("--format", "json", script))["_type"] == "root"


def test_nothing_in_a_file_steers_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b]0;title\x07.txt"
    path.write_bytes(b'a\x1b = "\x1b[31m\x07[b]" }\n')
    broken = plain(show_in_a_terminal(path))
    assert not {"\x1b", "\x07"} & set(broken)
    assert re.search(r"␛]0;title␇\.txt:1:\d+: CK3-", "".join(broken.splitlines()))
    path.write_bytes(b'a = "\x1b[31m\x07[b]:smile:"\n')
    tree = plain(show_in_a_terminal(path))
    assert 'a = "␛[31m␇[b]:smile:"' in tree
    assert not {"\x1b", "\x07"} & set(tree)


def test_a_large_tree_ends_and_says_how_much_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a = { b = 1 c }\n" * 20_000)
    lines = plain(show_in_a_terminal(path)).splitlines()
    assert len(lines) < 2_100
    # A tree of 1 + 20,000 * 3 nodes, of which 667 blocks are drawn.
    assert re.fullmatch(r"… and 58,\d\d\d more nodes; --format json shows all of them", lines[-1])


def test_braces_nested_too_deeply_to_draw(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("{" * 5_000 + "}" * 5_000)
    done = show("--format", "tree", path)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"--format json" in done.stderr
    assert show(path).returncode == 0


# What has errors

BROKEN = """\
a = {
	b =
	c = { d }
	e =
}
}
f = 1
"""


def test_the_recovered_tree_has_the_errors_in_place() -> None:
    done = show("--format", "tree", "--name", "a.txt", "-", data=BROKEN.encode())
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "a.txt",
        "├── a = {}  :1",
        "│   ├── b",
        "│   ├── CK3-E006 expected a value after `b` and its operator, found none  :2:4",
        "│   ├── c = {}  :3",
        "│   │   └── d",
        "│   ├── e",
        "│   └── CK3-E006 expected a value after `e` and its operator, found none  :4:4",
        "├── CK3-E004 one } too many: with it, what follows is outside of its block  :6:1",
        "└── f = 1  :7",
    ]
    errors = done.stderr.decode().splitlines()
    assert [line.split(": ")[0] for line in errors if line.startswith("<stdin>")] == [
        "<stdin>:2:4",
        "<stdin>:4:4",
        "<stdin>:6:1",
    ]
    assert errors[1:3] == ["      b =", "        ^"]


def test_the_recovered_json_and_every_error() -> None:
    done = show("-", data=BROKEN.encode())
    assert done.returncode == 1
    assert [child["key"] for child in json.loads(done.stdout)["children"]] == ["a", "f"]
    assert done.stderr.count(b"<stdin>:") == 3


def test_the_recovered_tree_of_the_other_dialect() -> None:
    done = show("--format", "tree", *RAVEN, "--name", "a.txt", "-", data=b"a = { b = }\nc = 1")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "a.txt",
        "├── a = {}  :1",
        "├── CK3-E006 expected a value after `b` and its operator, found none  :1:9",
        "└── c = 1  :2",
    ]


def test_dates_tags_and_parameters_are_as_the_game_has_them() -> None:
    script = b"867.1.1 = { a = hsv { 1 2 } }\nb = has_$P$_x\n@:insert c = d\n"
    drawn = show("--format", "tree", "--name", "a.txt", "-", data=script).stdout.decode()
    assert drawn.splitlines() == [
        "a.txt",
        "├── 867.1.1 = {}  :1",
        "│   └── a = hsv {}  :1",
        "│       ├── 1",
        "│       └── 2",
        "├── b = has_$P$_x  :2",
        "└── @:insert c = d  :3",
    ]


# What cannot be shown


def test_a_broken_file_is_one_line_its_place_and_exit_code_1() -> None:
    path = EXAMPLES / "broken_mod/common/traits/stray_character.txt"
    done = show(*RAVEN, path)
    assert (done.returncode, done.stdout) == (1, b"")
    message, line, caret = done.stderr.decode().splitlines()
    assert message == f"{path}:3:9: LexerError: unexpected character `“`"
    assert line == "      name = “trait_tøff”"
    assert caret == "             ^"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("events/missing_brace.txt", "3:15: ParseError: "),
        ("common/decisions/unclosed_string.txt", "2:9: LexerError: "),
    ],
)
def test_the_other_broken_examples(name: str, place: str) -> None:
    path = EXAMPLES / "broken_mod" / name
    done = show(*RAVEN, path)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"{path}:{place}")
    assert len(done.stderr.decode().splitlines()) == 3


def test_every_script_of_the_small_mod_parses() -> None:
    paths = sorted((EXAMPLES / "small_mod").rglob("*.txt"))
    failed = [path.name for path in paths if not parse_bytes(path.read_bytes(), "").success]
    assert failed == ["changelog.txt", "readme.txt"]


def test_broken_standard_input() -> None:
    done = show(*RAVEN, "-", data=b"a = }")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[1:] == ["  a = }", "      ^"]
    assert done.stderr.startswith(b"<stdin>:1:5: ParseError: ")


@pytest.mark.parametrize("name", ["nothing.txt", "folder", "pipe.txt", "x" * 300])
def test_what_is_no_file_is_one_sentence_and_exit_code_1(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    done = show(tmp_path / name)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith(f"{tmp_path / name}: ")
    assert done.stderr.count(b"\n") == 1


def test_what_is_too_large(script: Path) -> None:
    for arguments, data in ((script, None), ("-", script.read_bytes())):
        done = show(arguments, data=data, CK3PARSE_MAX_FILE_BYTES="100")
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"CK3PARSE_MAX_FILE_BYTES" in done.stderr
        assert done.stderr.count(b"\n") == 1
    size = str(len(script.read_bytes()))
    assert show(script, CK3PARSE_MAX_FILE_BYTES=size).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--depth", "0", "-"],
        ["--format", "xml", "-"],
        ["--depth", "1", "--format", "json", "-"],
        ["--depth", "1", "--format", "python", "-"],
        ["--dialect", "ck2", "-"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = show(*arguments, data=b"a = 1")
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a = { b = 1 c }\n" * 20_000)
    with subprocess.Popen(
        [sys.executable, "-m", "ck3parse", "show", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENV,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(10) == b'{"_type":"'
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
