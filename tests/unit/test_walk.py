"""Files that are found in given paths, and messages about files that cannot be read."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from walking import found, make, problems, skipped, walk_without_rights

from ck3parse.errors import ErrorType, UsageError
from ck3parse.files.walk import Found, Problem, walk


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Yield a folder that other users can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        # So that pytest can remove them.
        for inner in folder.glob("mod/*/"):
            inner.chmod(0o700)


# What is found


def test_a_file_is_told_with_root_name_path_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "mod" / "common" / "traits" / "a.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 1234)
    os.utime(path, ns=(1, 1_700_000_000_123_456_700))
    root = str(tmp_path / "mod")
    [told] = walk([root + "/../mod/"])
    assert told == Found(root, "common/traits/a.txt", 1234, 1_700_000_000_123_456_700)
    assert isinstance(told, Found)
    assert told.path == str(path)
    assert Found("/", "a.txt", 1, 1).path == "/a.txt"


def test_order_is_files_by_name_then_folders_by_name(tmp_path: Path) -> None:
    make(tmp_path, "b/z.txt", "b/a.txt", "b/c/x.txt", "a/x.txt", "z.txt", "Y.txt")
    assert found(tmp_path) == ["Y.txt", "z.txt", "a/x.txt", "b/a.txt", "b/z.txt", "b/c/x.txt"]


def test_the_suffix_may_be_in_any_case_and_other_files_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.TXT", "b.dds", "c.yml", "txt", "d.txt.bak")
    assert found(tmp_path) == ["a.TXT"]
    assert skipped(tmp_path) == {}


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert list(walk([str(tmp_path)])) == []


def test_a_folder_named_like_a_script_is_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "events.txt/a.txt")
    assert found(tmp_path) == ["events.txt/a.txt"]


def test_names_beyond_ascii(tmp_path: Path) -> None:
    make(tmp_path, "øyfolk/日本 1.txt")
    assert found(tmp_path) == ["øyfolk/日本 1.txt"]


def test_a_relative_path_has_an_absolute_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "mod/a.txt")
    monkeypatch.chdir(tmp_path)
    (entry,) = walk(["mod"])
    assert isinstance(entry, Found)
    assert (entry.root, entry.path) == (str(tmp_path / "mod"), str(tmp_path / "mod" / "a.txt"))


# What is given


def test_a_given_file_has_its_folder_as_root(tmp_path: Path) -> None:
    make(tmp_path, "mod/events/a.txt", "mod/events/b.txt")
    (entry,) = walk([str(tmp_path / "mod/events/a.txt")])
    assert isinstance(entry, Found)
    assert (entry.root, entry.name) == (str(tmp_path / "mod" / "events"), "a.txt")


def test_a_given_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    make(tmp_path, "readme.txt", "gfx/a.gui")
    assert found(tmp_path / "readme.txt", tmp_path / "gfx/a.gui") == ["readme.txt", "a.gui"]
    assert found(tmp_path, tmp_path / "readme.txt", tmp_path / "gfx/a.gui") == [
        "readme.txt",
        "gfx/a.gui",
    ]


def test_a_given_folder_is_taken_whatever_its_name(tmp_path: Path) -> None:
    make(tmp_path, "gfx/a.txt", "gfx/readme.txt", ".hidden/sub/b.txt", ".hidden/c.txt", "x.txt")
    assert found(tmp_path / "gfx") == ["a.txt"]
    assert found(tmp_path, tmp_path / "gfx", tmp_path / ".hidden/sub") == [
        "x.txt",
        ".hidden/sub/b.txt",
        "gfx/a.txt",
    ]


def test_overlapping_paths_give_each_file_once(tmp_path: Path) -> None:
    make(tmp_path, "mod/sub/a.txt", "mod/b.txt", "other.txt")
    given = [
        tmp_path / "other.txt",
        tmp_path / "mod/sub",
        tmp_path / "mod/sub/a.txt",
        tmp_path / "mod",
        tmp_path / "mod",
        tmp_path / "other.txt",
    ]
    assert found(*given) == ["other.txt", "b.txt", "sub/a.txt"]


def test_a_folder_whose_name_another_begins_with_is_not_inside_it(tmp_path: Path) -> None:
    make(tmp_path, "mod/a.txt", "mod2/b.txt")
    assert found(tmp_path / "mod2", tmp_path / "mod") == ["b.txt", "a.txt"]


@pytest.mark.parametrize("name", ["nothing", "a.txt/b.txt", "nul\0byte", "x" * 300, "loop"])
def test_a_path_that_cannot_be_is_refused_at_once(tmp_path: Path, name: str) -> None:
    make(tmp_path, "a.txt")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="can"):
        walk([str(tmp_path), f"{tmp_path}/{name}"])


def test_a_given_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="named pipe"):
        walk([str(tmp_path / "a.txt")])


def test_a_given_path_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/m\xf8d"
    os.mkdir(path)
    with pytest.raises(UsageError, match=r"m\\\\xf8d.*not UTF-8"):
        walk([os.fsdecode(path)])


def test_a_given_folder_without_permission_is_refused(public_folder: Path) -> None:
    mod = public_folder / "mod"
    mod.mkdir(mode=0)
    done = walk_without_rights(mod)
    assert "UsageError" in done.stderr
    assert "permission denied" in done.stderr


# Bad things


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    make(tmp_path, "mod/common/a.txt", "mod/events/b.txt")
    (tmp_path / "mod/common/up").symlink_to(tmp_path / "mod", target_is_directory=True)
    (tmp_path / "mod/common/self").symlink_to(".", target_is_directory=True)
    (tmp_path / "mod/common/across").symlink_to("../events", target_is_directory=True)
    (tmp_path / "mod/events/across").symlink_to("../common", target_is_directory=True)
    assert found(tmp_path / "mod") == ["common/a.txt", "events/b.txt"]
    assert skipped(tmp_path / "mod") == dict.fromkeys(
        ["common/across/", "common/self/", "common/up/", "events/across/"],
        "links to a folder that is searched already",
    )


def test_a_link_above_the_root_gives_no_file_twice(tmp_path: Path) -> None:
    make(tmp_path, "mods/mod/a.txt", "mods/other/b.txt")
    (tmp_path / "mods/mod/all").symlink_to(tmp_path / "mods", target_is_directory=True)
    assert found(tmp_path / "mods/mod") == ["a.txt", "all/other/b.txt"]


def test_many_folders_that_link_to_each_other_end_soon(tmp_path: Path) -> None:
    for one in range(12):
        make(tmp_path, f"{one}/a.txt")
        for other in range(12):
            (tmp_path / f"{one}/to_{other}").symlink_to(f"../{other}", target_is_directory=True)
    assert len(found(tmp_path)) == 12


def test_a_linked_folder_outside_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "shared/a.txt", "mod/b.txt")
    (tmp_path / "mod/aaa").symlink_to("../shared", target_is_directory=True)
    assert found(tmp_path / "mod") == ["b.txt", "aaa/a.txt"]


def test_a_folder_is_read_where_it_is_before_a_link_to_it(tmp_path: Path) -> None:
    make(tmp_path, "mod/common/b.txt")
    (tmp_path / "mod/alias").symlink_to("common", target_is_directory=True)
    (tmp_path / "link").symlink_to("mod", target_is_directory=True)
    assert found(tmp_path / "mod") == ["common/b.txt"]
    assert found(tmp_path / "link") == ["common/b.txt"]
    assert found(tmp_path / "link", tmp_path / "mod") == ["common/b.txt"]
    roots = {entry.root for entry in walk([str(tmp_path / "link"), str(tmp_path / "mod")])}
    assert str(tmp_path / "mod") in roots


def test_a_link_may_lead_to_script_in_a_folder_that_is_skipped(tmp_path: Path) -> None:
    make(tmp_path, "fonts/script/a.txt")
    (tmp_path / "script").symlink_to("fonts/script", target_is_directory=True)
    assert found(tmp_path) == ["script/a.txt"]


def test_linked_files_are_files(tmp_path: Path) -> None:
    make(tmp_path, "other/long.txt", "mod/b.txt")
    (tmp_path / "mod/a.txt").symlink_to("../other/long.txt")
    assert found(tmp_path / "mod") == ["a.txt", "b.txt"]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "gone.txt").symlink_to("nothing")
    (tmp_path / "gone.dds").symlink_to("nothing")
    (tmp_path / "self.txt").symlink_to("self.txt")
    (tmp_path / "self").symlink_to("self")
    assert [(entry.name, entry.error_type) for entry in problems(tmp_path)] == [
        ("gone.txt", ErrorType.FILE_NOT_FOUND),
        ("self.txt", ErrorType.FILE_NOT_FOUND),
    ]
    assert set(skipped(tmp_path)) == {"self"}


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "device.txt").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.txt"))
        assert skipped(tmp_path) == {
            "device.txt": "a device, not a file",
            "pipe.txt": "a named pipe, not a file",
            "socket.txt": "a socket, not a file",
        }


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    make(tmp_path, "good.txt")
    base = os.fsencode(tmp_path)
    os.mkdir(base + b"/dir\xff")
    for name in (b"/b\xe9d.txt", b"/b\xe9d.dds", b"/dir\xff/a.txt"):
        Path(os.fsdecode(base + name)).write_text("a = 1\n")
    bad = problems(tmp_path)
    assert [entry.name for entry in bad] == [r"b\xe9d.txt", r"dir\xff/a.txt"]
    assert {entry.error_type for entry in bad} == {ErrorType.PATH_NOT_ALLOWED}
    assert "rename" in bad[0].message
    assert json.loads(json.dumps(bad[0].path)).encode() == os.fsencode(tmp_path) + rb"/b\xe9d.txt"
    assert found(tmp_path) == ["good.txt"]


def test_files_and_folders_removed_while_walking(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.txt", "c.txt", "gone/d.txt")
    entries = walk([str(tmp_path)])
    assert next(entries).name == "a.txt"
    (tmp_path / "b.txt").unlink()
    (tmp_path / "gone/d.txt").unlink()
    (tmp_path / "gone").rmdir()
    rest = list(entries)
    assert [(type(entry), entry.name) for entry in rest] == [
        (Problem, "b.txt"),
        (Found, "c.txt"),
        (Problem, "gone/"),
    ]
    assert {entry.error_type for entry in rest if isinstance(entry, Problem)} == {
        ErrorType.FILE_NOT_FOUND
    }


def test_what_may_not_be_read_is_a_problem_and_the_rest_is_found(public_folder: Path) -> None:
    """Issue 19, line 40: for root and for other users."""
    make(public_folder, "mod/a.txt", "mod/listed/b.txt", "mod/z/c.txt", "mod/fonts/d.txt")
    (public_folder / "mod/locked").mkdir(mode=0)
    (public_folder / "mod/listed").chmod(0o444)
    (public_folder / "mod/fonts").chmod(0)
    for name in ("locked", "listed", "fonts"):
        assert (public_folder / "mod" / name).is_dir()
    done = walk_without_rights(public_folder / "mod")
    assert done.stderr == ""
    entries = json.loads(done.stdout)
    assert [(entry[0], entry[2]) for entry in entries] == [
        ("Found", "a.txt"),
        ("Skipped", "fonts/"),
        ("Problem", "listed/b.txt"),
        ("Problem", "locked/"),
        ("Found", "z/c.txt"),
    ]
    assert [entry[4] for entry in entries if entry[0] == "Problem"] == ["PermissionError"] * 2


def test_a_path_longer_than_the_system_allows(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(30):
            os.mkdir("d" * 200, dir_fd=here)
            inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        (bad,) = problems(tmp_path)
        assert bad.error_type == ErrorType.PATH_NOT_ALLOWED
        assert "longer" in bad.message
        assert found(tmp_path) == ["a.txt"]
    finally:
        os.close(here)
