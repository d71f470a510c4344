"""Step A: how long Python takes to start and to import this package."""

import statistics
import subprocess
import sys
from time import perf_counter

from ck3parse.diagnosis.report import Finding

STARTS = {
    "python": "pass",
    "ck3parse": "import ck3parse",
    "parser": "from ck3parse.parser import parser_in_use; parser_in_use()",
    "celery": "import ck3parse.tasks",
}
"""The code that is run, each in a fresh interpreter."""
SLOW_START_MS = 400.0
SLOW_IMPORT_MS = 3000.0
_ROUNDS = 3
_LIMIT_S = 120.0


def start_times() -> tuple[dict[str, float], list[Finding]]:
    """Return the median milliseconds of each of `STARTS`, and findings on them."""
    times: dict[str, float] = {}
    findings = []
    for name, code in STARTS.items():
        taken = []
        for _ in range(_ROUNDS):
            began = perf_counter()
            done = subprocess.run(
                [sys.executable, "-P", "-c", code], capture_output=True, timeout=_LIMIT_S
            )
            taken.append((perf_counter() - began) * 1000)
            if done.returncode:
                findings.append(_broken(name, done.stderr.decode(errors="replace")))
                break
        else:
            times[name] = statistics.median(taken)
    if times.get("python", 0.0) > SLOW_START_MS:
        findings.append(
            Finding(
                "A", "warning", f"Python takes {times['python']:,.0f} ms to start.",
                "Look for a virus scanner, an interpreter on a network drive, or .pth files that"
                " import a lot: `python -X importtime -c pass` shows these.",
            )
        )  # fmt: skip
    elif times.get("celery", 0.0) > SLOW_IMPORT_MS:
        findings.append(
            Finding(
                "A", "warning", f"Importing Celery takes {times['celery']:,.0f} ms.",
                "Reading the installed packages is slow: look for a network drive or a scanner.",
            )
        )  # fmt: skip
    return times, findings


def _broken(name: str, output: str) -> Finding:
    last = output.strip().splitlines()[-1:] or ["it ended without a message"]
    return Finding(
        "A", "error", f"A fresh interpreter cannot import {name}: {last[0]}",
        f"Install ck3parse again into the environment of {sys.executable}.",
    )  # fmt: skip
