"""Numbers of things in messages."""

from ck3parse.plurals import counted


def test_a_number_with_what_it_counts() -> None:
    assert counted(1, "file") == "1 file"
    assert [counted(count, "file") for count in (0, 2, 2_000)] == [
        "0 files",
        "2 files",
        "2,000 files",
    ]
    assert [counted(count, "batch waits", "batches wait") for count in (1, 2)] == [
        "1 batch waits",
        "2 batches wait",
    ]
