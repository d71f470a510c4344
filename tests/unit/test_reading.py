import os
import socket
from pathlib import Path

import pytest
from walking import without_rights

from ck3parse.errors import ErrorType
from ck3parse.files.reading import ANY, CannotReadError, Roots, read_script, real_roots


def reason(path: Path | str, max_bytes: int = 100, roots: Roots = ANY) -> ErrorType:
    with pytest.raises(CannotReadError) as caught:
        read_script(str(path), max_bytes=max_bytes, roots=roots)
    return caught.value.error_type


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_up_to_the_limit_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * size)
    assert read_script(str(path), max_bytes=100) == b"a" * size


def test_more_than_one_read_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    data = os.urandom(3_000_000)
    path.write_bytes(data)
    assert read_script(str(path), max_bytes=4_000_000) == data


@pytest.mark.parametrize("most", [1, 7, 99, 100, 101])
def test_a_short_read_is_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Issue 19, line 9: some file systems return few bytes per read."""
    path = tmp_path / "a.txt"
    data = os.urandom(300)
    path.write_bytes(data)
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: read(fd, min(size, most)))
    assert read_script(str(path), max_bytes=1000) == data
    assert reason(path, max_bytes=299) == ErrorType.FILE_TOO_LARGE


def test_a_file_that_grows_is_read_to_its_end_or_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * 10)
    read = os.read

    def read_and_write(fd: int, size: int) -> bytes:
        with path.open("ab") as file:
            file.write(b"b" * 10)
        return read(fd, min(size, 10))

    monkeypatch.setattr(os, "read", read_and_write)
    assert reason(path) == ErrorType.FILE_TOO_LARGE


def test_what_cannot_be_read_has_its_kind(tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"a" * 101)
    os.mkfifo(tmp_path / "pipe.txt")
    assert reason(tmp_path / "large.txt") == ErrorType.FILE_TOO_LARGE
    assert reason(tmp_path / "missing.txt") == ErrorType.FILE_NOT_FOUND
    assert reason(tmp_path / "large.txt" / "under.txt") == ErrorType.FILE_NOT_FOUND
    assert reason(tmp_path) == ErrorType.IS_A_DIRECTORY
    assert reason(tmp_path / "pipe.txt") == ErrorType.PATH_NOT_ALLOWED
    assert reason("/dev/null") == ErrorType.PATH_NOT_ALLOWED
    assert reason("with a \0 NUL") == ErrorType.FILE_NOT_FOUND


def test_a_socket_is_no_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.txt"))
        assert reason(tmp_path / "s.txt") in (ErrorType.PERMISSION, ErrorType.PATH_NOT_ALLOWED)


def test_a_file_without_read_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a")
    path.chmod(0)
    tmp_path.chmod(0o755)
    done = without_rights(
        "from ck3parse.files.reading import CannotReadError, read_script",
        "try: read_script('a.txt', max_bytes=100)\n"
        "except CannotReadError as error: print(error.error_type)",
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == (f"{ErrorType.PERMISSION}\n", "")


def test_only_beneath_the_roots(tmp_path: Path) -> None:
    inside, outside = tmp_path / "mods", tmp_path / "mods2"
    inside.mkdir()
    outside.mkdir()
    (inside / "a.txt").write_text("a")
    (outside / "b.txt").write_text("b")
    (inside / "link.txt").symlink_to(outside / "b.txt")
    (inside / "linked").symlink_to(outside)
    roots = real_roots([str(inside)])
    assert read_script(str(inside / "a.txt"), max_bytes=9, roots=roots) == b"a"
    assert read_script(str(outside / ".." / "mods" / "a.txt"), max_bytes=9, roots=roots) == b"a"
    for path in (
        outside / "b.txt",
        inside / ".." / "mods2" / "b.txt",
        inside / "link.txt",
        inside / "linked" / "b.txt",
    ):
        assert reason(path, roots=roots) == ErrorType.PATH_NOT_ALLOWED
    assert read_script(str(outside / "b.txt"), max_bytes=9, roots=real_roots(["/"])) == b"b"
