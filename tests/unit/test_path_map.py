import pytest

from ck3parse.errors import UsageError
from ck3parse.files.path_map import PathMap


@pytest.mark.parametrize(
    ("entries", "path", "expected"),
    [
        ("/home/me/mods=/mods", "/home/me/mods/a/b.txt", "/mods/a/b.txt"),
        ("/home/me/mods/=/mods/", "/home/me/mods/a.txt", "/mods/a.txt"),
        ("/home/me/mods=/mods", "/home/me/mods", "/mods"),
        ("/home/me/mods=/mods", "/home/me/mods_2/a.txt", "/home/me/mods_2/a.txt"),
        ("/home/me/mods=/mods", "/Home/me/mods/a.txt", "/Home/me/mods/a.txt"),
        ("/a=/x, /a/b=/y", "/a/b/c.txt", "/y/c.txt"),
        ("/a=/x,/a/b=/y,", "/a/c.txt", "/x/c.txt"),
        ("/=/host", "/a.txt", "/host/a.txt"),
        ("/mods=/", "/mods/a.txt", "/a.txt"),
        ("/a=b=/x", "/a=b/c.txt", "/x/c.txt"),
        (r"C:\mods=/mods", r"C:\mods\a\b.txt", "/mods/a/b.txt"),
        (r"C:\Mods\=/mods", r"c:\mods\Sub\B.txt", "/mods/Sub/B.txt"),
        ("C:/mods=/mods", r"C:\mods\a.txt", "/mods/a.txt"),
        (r"C:\mods=/mods", r"C:\mods_2\a.txt", r"C:\mods_2\a.txt"),
        ("C:\\=/c,D:\\mods=/d", r"D:\mods\a.txt", "/d/a.txt"),
        ("C:\\=/c,D:\\mods=/d", r"C:\x\a.txt", "/c/x/a.txt"),
        (r"\\nas\mods=/nas", r"\\NAS\mods\a.txt", "/nas/a.txt"),
        (r"/mods=/m", r"/mods/back\slash.txt", r"/m/back\slash.txt"),
        ("", "/mods/a.txt", "/mods/a.txt"),
    ],
)
def test_the_longest_folder_s_beginning_is_replaced(entries: str, path: str, expected: str) -> None:
    assert PathMap.parse(entries)(path) == expected


@pytest.mark.parametrize("entries", ["/mods", "mods=/mods", "/mods=mods", r"C:mods=/mods", "=/m"])
def test_an_entry_that_is_not_two_folders_is_named(entries: str) -> None:
    with pytest.raises(UsageError, match="CK3PARSE_PATH_MAP cannot be used"):
        PathMap.parse(entries)
