"""Findings of step B: why a file has no AST, and which of its stages are slow."""

import os
from collections.abc import Mapping

from ck3parse.diagnosis.report import Finding, Stages
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseResult
from ck3parse.plurals import counted
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
    """Return findings on a file: what went wrong, and what was slow.

    Args:
        stages: the times of the file.
        here: the result of this process.
        there: the result of a worker, or `None` if none was asked.
        workers: identities of the workers, by name.
    """
    name = stages.path or "the built-in sample"
    if there is not None and there.error_type != here.error_type:
        return [_failure(name, stages, there, workers)]
    findings = []
    if here.error_type and here.error_type.of_the_content:
        place = f"{name}:{here.line}:{here.column}"
        what = f"{place}: {here.error_type}: {here.error}"
        findings.append(_warn(what, "The setup is fine: correct the file."))
    elif here.error_type:
        what = f"{name}: {here.error_type}: {here.error}"
        findings.append(Finding("B", "error", what, "Check that the file exists and is readable."))
    elif there is not None and stages.same is False:
        findings.append(_differs(name, stages, here, there))
    return findings + _slow(name, stages)


def _failure(
    name: str, stages: Stages, there: ParseResult, workers: Mapping[str, Identity]
) -> Finding:
    """Return why a worker failed on a file where this process did not."""
    seen_as = stages.seen_as
    asked = "" if seen_as in ("", os.path.abspath(stages.path)) else f" as {seen_as}"
    what = f"{name}: a worker answers {there.error_type}: {there.error}"
    remedy = "Read the worker's log, and compare the versions in step C."
    if there.error_type == ErrorType.PATH_NOT_ALLOWED:
        roots = sorted({root for worker in workers.values() for root in worker.roots})
        what = (
            f"{name}: the worker may not read it{asked}: it is inside none of the worker's"
            f" roots ({', '.join(roots) or 'unknown'})."
        )
        remedy = "Add its folder to CK3PARSE_ROOTS of the worker, or to the paths of `serve`."
    elif there.error_type == ErrorType.FILE_NOT_FOUND:
        what = f"{name}: it exists here, but the worker does not see it{asked}."
        remedy = (
            "Correct CK3PARSE_PATH_MAP: there is no such file at the mapped path."
            if asked
            else "Set CK3PARSE_PATH_MAP=/here=/there to where workers see it, or send its content"
            " with --transport content."
        )
    elif there.error_type == ErrorType.PERMISSION:
        what = f"{name}: the worker's user may not read it{asked}."
        remedy = "Let that user read it, or send its content with --transport content."
    elif there.error_type in (ErrorType.PARSE_TIMEOUT, ErrorType.WORKER_CRASHED):
        remedy = "Step C shows its parser: a custom parser or a broken native build can cause this."
    return Finding("B", "error", what, remedy)


def _differs(name: str, stages: Stages, here: ParseResult, there: ParseResult) -> Finding:
    if here.content_hash != there.content_hash:
        return Finding(
            "B", "error",
            f"{name}: the worker read another file than this process"
            f" ({counted(there.size, 'byte')} as {stages.seen_as}, {here.size:,} here).",
            "Correct CK3PARSE_PATH_MAP, or bring the worker's copy up to date.",
        )  # fmt: skip
    return Finding(
        "B", "error", f"{name}: the worker's AST differs from this process's.",
        "Its parser differs: see step C.",
    )  # fmt: skip


def _slow(name: str, stages: Stages) -> list[Finding]:
    """Return findings on stages that take longer than they should."""
    local, trip = stages.local_ms, stages.trip_ms
    megabytes = stages.size / 1e6
    findings = []
    read = local.get("read", 0.0)
    if read > SLOW_READ_MS + megabytes / SLOW_READ_MB_PER_S * 1000:
        what = f"{name}: reading it took {read:,.0f} ms."
        findings.append(_warn(what, "Keep mods on a local disk, and look for a virus scanner."))
    wait = trip.get("queue wait", trip.get("queue wait and transfer", 0.0))
    if wait > SLOW_QUEUE_MS:
        what = f"{name}: it waited {wait:,.0f} ms for a worker process."
        findings.append(_warn(what, "All worker processes are busy: start more, or wait."))
    back = trip.get("transfer", 0.0) + trip.get("publish", 0.0)
    if back > SLOW_TRANSFER_MS + megabytes * 20:
        what = f"{name}: sending it and its result took {back:,.0f} ms."
        findings.append(_warn(what, "The broker or the network to it is slow."))
    work = trip.get("work", 0.0)
    alone = sum(local.values())
    if work > SLOW_WORK_MS and work > SLOW_WORK_RATIO * alone:
        what = f"{name}: the worker took {work:,.0f} ms, this process {alone:,.0f} ms."
        findings.append(_warn(what, "The worker's machine, disk or parser (step C) is slower."))
    if stages.store_ms is not None and stages.store_ms > SLOW_STORE_MS:
        what = f"Storing one file's AST in this folder took {stages.store_ms:,.0f} ms."
        findings.append(_warn(what, "The disk is slow: choose a local one with `run --out`."))
    return findings


def _warn(what: str, remedy: str) -> Finding:
    return Finding("B", "warning", what, remedy)
