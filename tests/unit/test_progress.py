import pytest

from ck3parse.cli import progress
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
