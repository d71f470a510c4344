"""Step C: that the code in use is the code meant, here and in each worker."""

from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version

import msgspec

from ck3parse.diagnosis.report import Finding
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.mailbox import Mailbox
from ck3parse.worker.identity import Identity

MAX_CLOCK_DIFFERENCE_S = 0.05
_SAMPLE = b"""# every kind of node
@limit = 5
feast = { type = "grand" 1 2 trigger = { age >= @limit culture = { "x" a } } color = rgb { 1 2 3 } }
"""


def ask_workers(mailbox: Mailbox, workers: Collection[str]) -> dict[str, Identity | None]:
    """Return what each worker says it runs, by its name; `None` for one that cannot say.

    Args:
        mailbox: to ask with.
        workers: names of the workers there; with their replies the wait ends at once.
    """
    replies = mailbox.replies_to("ck3parse_version", known=workers)
    return {worker: _identity(reply.body) for worker, reply in replies.items()}


def _identity(told: object) -> Identity | None:
    try:
        found = msgspec.convert(told, Identity)
    except msgspec.ValidationError:
        return None
    return found if found.version else None


def own_findings(own: Identity) -> list[Finding]:
    """Return what is wrong with the code of this process."""
    if own.problem:
        return [
            Finding(
                "C", "error", f"The parser cannot be used: {own.problem}",
                "Unset CK3PARSE_PARSER, or install ck3parse again.",
            )
        ]  # fmt: skip
    findings = []
    try:
        installed = version("ck3parse")
    except PackageNotFoundError:
        installed = own.version
    if installed != own.version:
        findings.append(
            Finding(
                "C", "error",
                f"ck3parse {installed} is installed, but {own.version} was imported from"
                f" {own.package}.",
                "Look for another copy in PYTHONPATH, or install again.",
            )
        )  # fmt: skip
    if own.parser == "python":
        findings.append(
            Finding(
                "C", "warning",
                "The pure-Python parser is in use: it does the same as the native one, many times"
                " more slowly.",
                "Install with CK3PARSE_NATIVE=1 and a Rust toolchain, or unset CK3PARSE_PARSER.",
            )
        )  # fmt: skip
    if own.parser == "native" and not _agrees_with_reference():
        findings.append(
            Finding(
                "C", "error", "The native parser gives another AST than the Python one.",
                f"It was built from other code: build {own.parser_file} again.",
            )
        )  # fmt: skip
    return findings


def _agrees_with_reference() -> bool:
    from ck3parse.parser import reference

    ours = parser_in_use().parse_bytes(_SAMPLE, "a.txt")
    return ours.success and ours.ast_json == reference.parse_bytes(_SAMPLE, "a.txt").ast_json


def worker_findings(own: Identity, workers: Mapping[str, Identity | None]) -> list[Finding]:
    """Return where workers run other code, or within other limits, than this process.

    Args:
        own: of this process.
        workers: as `ask_workers` returns it.
    """
    return [finding for name, theirs in workers.items() for finding in _compare(name, own, theirs)]


def _compare(name: str, own: Identity, theirs: Identity | None) -> list[Finding]:
    if theirs is None:
        return [
            Finding(
                "C", "error", f"The worker {name} cannot say what it runs.",
                "It is of an older ck3parse, or not of ck3parse at all: start it again with this"
                f" version ({own.version}), or use a broker of its own.",
            )
        ]  # fmt: skip
    again = f"Start the worker {name} again, with the code of {own.package}."
    findings = []
    if theirs.problem:
        what = f"The parser of the worker {name} cannot be used: {theirs.problem}"
        findings.append(Finding("C", "error", what, "Unset CK3PARSE_PARSER for the worker."))
    if theirs.version != own.version:
        what = f"The worker {name} runs ck3parse {theirs.version}, this is {own.version}."
        findings.append(Finding("C", "error", what, again))
    elif theirs.changed:
        what = f"The worker {name} runs code from before its files were changed ({theirs.package})."
        findings.append(Finding("C", "error", what, again))
    elif theirs.code != own.code:
        what = f"The worker {name} runs other code under the same version, from {theirs.package}."
        findings.append(Finding("C", "error", what, again))
    if theirs.parser_version != own.parser_version and not theirs.problem:
        findings.append(
            Finding(
                "C", "error",
                f"The worker {name} parses with {theirs.parser} ({theirs.parser_version}), but its"
                f" results would be stored as those of {own.parser} ({own.parser_version}).",
                "Set CK3PARSE_PARSER to the same for both.",
            )
        )  # fmt: skip
    elif theirs.parser == "python" and own.parser == "native":
        findings.append(
            Finding(
                "C", "warning",
                f"The worker {name} has no native parser: it is many times slower than this one.",
                "Install ck3parse there with CK3PARSE_NATIVE=1 and a Rust toolchain.",
            )
        )  # fmt: skip
    return findings + [
        Finding(
            "C", "warning",
            f"The worker {name} has a {limit} of {getattr(theirs, limit):,}, this process"
            f" {getattr(own, limit):,}.",
            f"Set CK3PARSE_{limit.upper()} to the same for both.",
        )
        for limit in ("max_depth", "max_file_bytes", "max_timeout_ms")
        if getattr(theirs, limit) != getattr(own, limit)
    ]  # fmt: skip


def clock_findings(
    asked: tuple[float, float], workers: Mapping[str, Identity | None]
) -> list[Finding]:
    """Return which workers' clocks say another time than this machine's.

    Args:
        asked: seconds since 1970 before and after the workers were asked.
        workers: what they answered.
    """
    findings = []
    for name, theirs in workers.items():
        if theirs is None:
            continue
        apart_s = max(asked[0] - theirs.now, theirs.now - asked[1])
        if apart_s > MAX_CLOCK_DIFFERENCE_S:
            findings.append(
                Finding(
                    "C", "warning",
                    f"The clock of the worker {name} is {apart_s:.1f} s off this one: the wait in"
                    " the queue and the way back cannot be told apart.",
                    "Set both by the network's time.",
                )
            )  # fmt: skip
    return findings
