"""The table in `docs/reliability.md`, with the last results of the tests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAULTS = {
    "crash": "A file kills its process: that file is `WorkerCrashed`, all others are parsed",
    "hang": "A file hangs: `ParseTimeout` at its limit, all others are parsed",
    "twenty": "20 bad files of all kinds among 2,000: 20 failures with their true reasons",
    "once": "A file crashes only the first time: parsed, on the second try",
    "worker": "The worker goes in mid-run, another comes: all results",
    "slow": "A healthy file takes long: its batch is sent once, whoever has it",
    "late": "Batches are sent twice: no late answer stays on the server",
    "children": "Every worker process is killed, once a second: all results",
    "broker": "The broker goes in mid-run and comes back: all results",
    "network": "The connection is cut, or stalls: all results",
    "outage": "The broker of a daemon goes, or comes late: each call waits, no item is given up",
    "full": "The broker is full: the run waits, or ends with a clear error; nothing is lost",
    "client": "The client goes and runs again: finished work is not done again, the rest is",
    "store": "The store cannot be written: a clear error, no half-written state, resumes",
    "spool": "Files of results are lost, or have no place: all results",
    "hostile": "Hostile files: one failed or one right result, and the worker lives",
    "poison": "A poisoned queue: refused and counted, nothing executed, the run ends right",
    "lies": "A worker lies: its answers are dropped, counted and asked for again, never stored",
    "origin": "A worker parses otherwise than its client: told, not stored",
    "together": "Several runs use one store at a time: each parsed file has its tree",
    "limits": "A worker that could stand still: it goes on, or ends and is started again",
    "program": "The program around the bridge does odd things: each call has its own right result",
    "recycle": "Processes are replaced in mid-run: nothing is lost",
    "soak": "A long run with 1% of faults of all kinds: all results, memory stays flat",
}
"""Each fault with the expected outcome, by its key, in the order of the table."""

_HEAD = """# Reliability

What ck3parse does when something dies, hangs, fills up or sends false data. Each row is a test in
`tests/resilience/` with real processes, servers and signals. In each test there is one result per
request, and the tree of each healthy file equals that of an undisturbed run. The tests write this
file: `CK3PARSE_WRITE_DOCS=1 python -m pytest tests/resilience` (`-m soak` for the long ones).
"""
_TABLE = ["| what was done | results | seconds | what was seen | when |", "|---" * 5 + "|"]
FAILED = "**FAILED**"
PROPERTY = "reliability"
"""The property of a test's report that has its case, which other processes send in this way."""
_ROW = re.compile(r"\| (?P<fault>[^|]+?) \| [^|]+ \| [^|]+ \| [^|]* \| [^|]+ \|")


@dataclass
class Case:
    """One line of the table.

    Attributes:
        key: one of `FAULTS`.
        fault: the fault in words.
        results: the numbers of results and requests in words.
        seconds: the duration of the run, from its start to its exit.
        notes: observations.
    """

    key: str = ""
    fault: str = ""
    results: str = ""
    seconds: float = 0.0
    notes: str = ""

    def of(self, key: str, fault: str) -> None:
        """Set the fault; `did` or `saw` set the outcome."""
        assert key in FAULTS
        self.key, self.fault = key, fault

    def did(self, report: dict[str, Any], seconds: float, notes: str = "") -> None:
        """Set the outcome of a run that has been checked."""
        kinds = ", ".join(sorted({failure["error_type"] for failure in report["failures"]}))
        self.saw(report["files"], report["files"], seconds, notes or kinds or "all parsed")

    def saw(self, results: int, requests: int, seconds: float, notes: str = "") -> None:
        """Set the outcome."""
        self.results = f"{results:,} of {requests:,}"
        self.seconds = seconds
        self.notes = notes


def write_table(path: Path, cases: Sequence[Case], date: str, machine: str) -> None:
    """Write the document. Lines of cases that did not run are kept.

    Args:
        path: the document.
        cases: the cases that ran.
        date: the date of today.
        machine: a description of the machine.
    """
    rows: dict[str, dict[str, str]] = {key: {} for key in FAULTS}
    key = ""
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        if line.startswith("## "):
            key = next((k for k, title in FAULTS.items() if line == f"## {title}"), "")
        elif key and (row := _ROW.fullmatch(line)) and row["fault"] not in ("what was done", "---"):
            rows[key][row["fault"]] = line
    # If a case runs several times, a failure is kept.
    for case in sorted(cases, key=lambda case: case.results == FAILED):
        cells = (case.fault, case.results, f"{case.seconds:.1f}", case.notes, date)
        rows[case.key][case.fault] = "| " + " | ".join(c.replace("|", "/") for c in cells) + " |"
    parts = [_HEAD, f"Written on {date}: {machine}.\n"]
    for key, title in FAULTS.items():
        if rows[key]:
            table = [
                "| what was done | results | seconds | what was seen | when |",
                "|---" * 5 + "|",
            ]
            parts.append("\n".join([f"## {title}\n", *table, *rows[key].values()]) + "\n")
    path.write_text("\n".join(parts), "utf-8")
