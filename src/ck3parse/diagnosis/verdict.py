"""Step B in words: why a file has no AST, and which stage of its way is slow."""

import os
from collections.abc import Mapping

from ck3parse.diagnosis.report import Finding, Stages
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseResult
from ck3parse.worker.identity import Identity

SLOW_READ_MS = 30.0
SLOW_READ_MB_PER_S = 20.0
SLOW_QUEUE_MS = 250.0
SLOW_TRANSFER_MS = 150.0
SLOW_STORE_MS = 250.0
SLOW_WORK_RATIO = 5.0
SLOW_WORK_MS = 100.0


def file_findings(
    stages: Stages, here: ParseResult, there: ParseResult | None, workers: Mapping[str, Identity]
) -> list[Finding]:
    """Return what went wrong with a file on its way, and what was slow.

    Args:
        stages: its way.
        here: what this process made of it.
        there: what a worker made of it, or `None` if none was asked.
        workers: what the workers run, by name.
    """
    name = stages.path or "a made-up text"
    if there is not None and there.error_type != here.error_type:
        return [_failure(name, stages, there, workers)]
    findings = []
    if here.error_type and here.error_type.of_the_content:
        place = f"{name}:{here.line}:{here.column}"
        what = f"{place}: {here.error_type}: {here.error}"
        findings.append(_warn(what, "Nothing is wrong with the setup: correct the file."))
    elif here.error_type:
        what = f"{name}: {here.error_type}: {here.error}"
        findings.append(Finding("B", "error", what, "See that the file is there and readable."))
    elif there is not None and stages.same is False:
        findings.append(_differs(name, stages, here, there))
    return findings + _slow(name, stages)


def _failure(
    name: str, stages: Stages, there: ParseResult, workers: Mapping[str, Identity]
) -> Finding:
    """Return why a worker failed with a file that this process did not fail with."""
    seen_as = stages.seen_as
    asked = "" if seen_as in ("", os.path.abspath(stages.path)) else f" as {seen_as}"
    what = f"{name}: a worker answers {there.error_type}: {there.error}"
    remedy = "Look at the worker's log, and compare the versions of step C."
    if there.error_type == ErrorType.PATH_NOT_ALLOWED:
        roots = sorted({root for worker in workers.values() for root in worker.roots})
        what = (
            f"{name}: the worker may not read it{asked}: it lies beneath none of the worker's"
            f" roots ({', '.join(roots) or 'unknown'})."
        )
        remedy = "Start the worker with CK3PARSE_ROOTS, or `ck3parse serve`, naming its folder."
    elif there.error_type == ErrorType.FILE_NOT_FOUND:
        what = f"{name}: it exists here, but the worker does not see it{asked}."
        remedy = (
            "Correct CK3PARSE_PATH_MAP: it leads to where no such file is."
            if asked
            else "Say where workers see it with CK3PARSE_PATH_MAP=/here=/there, or send its bytes"
            " with --transport content."
        )
    elif there.error_type == ErrorType.PERMISSION:
        what = f"{name}: the worker's user may not read it{asked}."
        remedy = "Let that user read it, or send its bytes with --transport content."
    elif there.error_type in (ErrorType.PARSE_TIMEOUT, ErrorType.WORKER_CRASHED):
        remedy = "A parser of one's own or a broken native build does that: see step C."
    return Finding("B", "error", what, remedy)


def _differs(name: str, stages: Stages, here: ParseResult, there: ParseResult) -> Finding:
    if here.content_hash != there.content_hash:
        return Finding(
            "B", "error",
            f"{name}: the worker read another file than this process"
            f" ({there.size:,} bytes as {stages.seen_as}, {here.size:,} here).",
            "Correct CK3PARSE_PATH_MAP, or bring the worker's copy up to date.",
        )  # fmt: skip
    return Finding(
        "B", "error", f"{name}: the worker's AST of it is another than this process's.",
        "Its parser is another: see step C.",
    )  # fmt: skip


def _slow(name: str, stages: Stages) -> list[Finding]:
    """Return which stages take longer than they should."""
    local, trip = stages.local_ms, stages.trip_ms
    megabytes = stages.size / 1e6
    findings = []
    read = local.get("read", 0.0)
    if read > SLOW_READ_MS + megabytes / SLOW_READ_MB_PER_S * 1000:
        what = f"{name}: reading it took {read:,.0f} ms: a slow disk, a network drive or a scanner."
        findings.append(_warn(what, "Keep mods on a local disk; a second read is from memory."))
    wait = trip.get("queue wait", trip.get("queue wait and transfer", 0.0))
    if wait > SLOW_QUEUE_MS:
        what = f"{name}: it waited {wait:,.0f} ms until a worker process took it."
        findings.append(_warn(what, "All of them are busy: start more workers, or wait."))
    back = trip.get("transfer", 0.0) + trip.get("publish", 0.0)
    if back > SLOW_TRANSFER_MS + megabytes * 20:
        what = f"{name}: sending it and its answer took {back:,.0f} ms beside its parsing."
        findings.append(_warn(what, "The network to the broker, or the broker itself, is slow."))
    work = trip.get("work", 0.0)
    alone = sum(local.values())
    if work > SLOW_WORK_MS and work > SLOW_WORK_RATIO * alone:
        what = f"{name}: the worker took {work:,.0f} ms for it, this process {alone:,.0f} ms."
        findings.append(_warn(what, "Its machine, its disk or its parser (step C) is slower."))
    if stages.store_ms is not None and stages.store_ms > SLOW_STORE_MS:
        what = f"Storing one file's AST in this folder took {stages.store_ms:,.0f} ms: a slow disk."
        findings.append(_warn(what, "Keep the store on a local disk, with `run --out`."))
    return findings


def _warn(what: str, remedy: str) -> Finding:
    return Finding("B", "warning", what, remedy)
