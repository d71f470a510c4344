import pytest

from ck3parse.cli import bar, progress
from ck3parse.cli.progress import LINE_INTERVAL_S, RunProgress
from ck3parse.cli.work_units import FILE_BYTES


@pytest.mark.parametrize(
    ("done", "left_s"),
    [
        ((10, 90 * FILE_BYTES), "about 10 s left"),  # large ones first: half of the work
        ((50, 0), "about 30 s left"),
    ],
)
def test_the_time_left_goes_by_bytes_and_files(
    done: tuple[int, int],
    left_s: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 100.0
    monkeypatch.setattr(progress, "monotonic", lambda: now)
    shown = RunProgress(100, 100 * FILE_BYTES)
    now += 2 * LINE_INTERVAL_S
    shown.advance(*done, 3)
    line = capsys.readouterr().err
    assert f"{done[0]} of 100 files" in line
    assert "3 failed" in line
    assert left_s in line


def test_one_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(progress, "monotonic", lambda: now)
    shown = RunProgress(1, FILE_BYTES)
    now += 2 * LINE_INTERVAL_S
    shown.advance(1, FILE_BYTES, 0)
    assert capsys.readouterr().err.startswith("1 of 1 file, ")


@pytest.mark.parametrize(("total", "words"), [(1, "1 of 1 file"), (2_000, "1 of 2,000 files")])
@pytest.mark.parametrize("columns", [50, 80, 120])
def test_the_bar_counts_files(total: int, words: str, columns: int) -> None:
    shown = bar.Bar(total, total)
    shown.show(1, 1, 0)
    shown.console.width = columns
    with shown.console.capture() as drawn:
        shown.console.print(shown.make_tasks_table(shown.tasks))
    assert f" {words} " in drawn.get()
