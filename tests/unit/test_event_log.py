import json
import logging
import multiprocessing
import time
from pathlib import Path

import pytest

from ck3parse.bridge.engine import SWITCH
from ck3parse.event_log import EventLog, event_log
from ck3parse.qbuilder_bridge import parse_file, parse_text

WRITERS = 4
LINES = 500


def lines_of(folder: Path) -> list[dict[str, object]]:
    (path,) = folder.iterdir()
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_many(folder: str, writer: int) -> None:
    log = EventLog(Path(folder))
    for number in range(LINES):
        log.write("item_complete", file_id=number, worker_id=str(writer), extra={"x": "y" * 1000})


def test_a_line_holds_what_is_given(tmp_path: Path) -> None:
    before = time.time()
    EventLog(tmp_path / "logs").write(
        "step_complete", relpath="é.txt", step="parse", duration_ms=1.5, error=None
    )
    (line,) = lines_of(tmp_path / "logs")
    assert before - 1 <= float(str(line.pop("ts"))) <= time.time()
    assert line == {
        "event": "step_complete",
        "relpath": "é.txt",
        "step": "parse",
        "duration_ms": 1.5,
    }
    (path,) = (tmp_path / "logs").iterdir()
    assert path.name == time.strftime("ck3parse_%Y-%m-%d.jsonl", time.gmtime(before))


@pytest.mark.parametrize(("event", "field"), [("nonsense", "run_id"), ("run_start", "nonsense")])
def test_other_events_and_fields_are_mistakes(tmp_path: Path, event: str, field: str) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        EventLog(tmp_path).write(event, **{field: 1})


def test_processes_that_write_at_once_do_not_mix_lines(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_many, args=(str(tmp_path), n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = lines_of(tmp_path)
    assert len(lines) == WRITERS * LINES
    for n in range(WRITERS):
        own = [line["file_id"] for line in lines if line["worker_id"] == str(n)]
        assert own == list(range(LINES))


def test_a_folder_that_cannot_be_written_is_complained_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    log = EventLog(tmp_path / "file" / "logs")
    with caplog.at_level(logging.WARNING):
        log.write("run_start")
        log.write("run_complete")
    assert len(caplog.records) == 1


def test_it_is_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CK3PARSE_LOG_DIR", raising=False)
    assert event_log() is None


def test_calls_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK3PARSE_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv(SWITCH, "0")
    assert parse_text("a = 1", "good").success
    parse_file(tmp_path / "none.txt")
    parse_text("a = {", "bad")
    events = [(line["event"], line["relpath"]) for line in lines_of(tmp_path / "logs")]
    assert events == [
        ("item_complete", "good"),
        ("item_error", str(tmp_path / "none.txt")),
        ("item_error", "bad"),
    ]
