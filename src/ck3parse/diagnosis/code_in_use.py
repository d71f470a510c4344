"""Step C: whether this process and each worker run the same, expected code."""

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
    """Return the identity that each worker reports, by its name; `None` if it reports none.

    Args:
        mailbox: used to ask.
        workers: names of the workers. The wait ends as soon as all of them have replied.
    """
    replies = mailbox.replies_to("ck3parse_version", known=workers)
    return {worker: _identity(reply.body) for worker, reply in replies.items()}


def _identity(reply: object) -> Identity | None:
    try:
        found = msgspec.convert(reply, Identity)
    except msgspec.ValidationError:
        return None
    return found if found.version else None


def own_findings(own: Identity) -> list[Finding]:
    """Return findings on the code of this process."""
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
                "Look for another copy in PYTHONPATH, or install ck3parse again.",
            )
        )  # fmt: skip
    if own.parser == "python":
        findings.append(
            Finding(
                "C", "warning",
                "The pure-Python parser is in use: it gives the same results as the native one, but"
                " is many times slower.",
                "Install with CK3PARSE_NATIVE=1 and a Rust toolchain, or unset CK3PARSE_PARSER.",
            )
        )  # fmt: skip
    if own.parser == "native" and not _agrees_with_reference():
        findings.append(
            Finding(
                "C", "error", "The native parser gives a different AST than the Python parser.",
                f"It was built from different code: build {own.parser_file} again.",
            )
        )  # fmt: skip
    return findings


def _agrees_with_reference() -> bool:
    from ck3parse.parser import reference

    ours = parser_in_use().parse_bytes(_SAMPLE, "a.txt")
    return ours.success and ours.ast_json == reference.parse_bytes(_SAMPLE, "a.txt").ast_json


def worker_findings(own: Identity, workers: Mapping[str, Identity | None]) -> list[Finding]:
    """Return findings on workers whose code or limits differ from those of this process.

    Args:
        own: the identity of this process.
        workers: as returned by `ask_workers`.
    """
    return [finding for name, theirs in workers.items() for finding in _compare(name, own, theirs)]


def _compare(name: str, own: Identity, theirs: Identity | None) -> list[Finding]:
    if theirs is None:
        return [
            Finding(
                "C", "error", f"The worker {name} cannot say what it runs.",
                "It is a worker of an older ck3parse or of another program: start it again with"
                f" this version ({own.version}), or use separate brokers.",
            )
        ]  # fmt: skip
    again = f"Start the worker {name} again with the code in {own.package}."
    findings = []
    if theirs.problem:
        what = f"The parser of the worker {name} cannot be used: {theirs.problem}"
        findings.append(Finding("C", "error", what, "Unset CK3PARSE_PARSER for the worker."))
    if theirs.version != own.version:
        what = f"The worker {name} runs ck3parse {theirs.version}, this is {own.version}."
        findings.append(Finding("C", "error", what, again))
    elif theirs.changed:
        what = f"The files of the worker {name} changed after it started ({theirs.package})."
        findings.append(Finding("C", "error", what, again))
    elif theirs.code != own.code:
        what = f"The worker {name} runs other code with the same version, from {theirs.package}."
        findings.append(Finding("C", "error", what, again))
    if theirs.parser_version != own.parser_version and not theirs.problem:
        findings.append(
            Finding(
                "C", "error",
                f"The worker {name} parses with {theirs.parser} ({theirs.parser_version}), but its"
                f" results would be stored as those of {own.parser} ({own.parser_version}).",
                "Set CK3PARSE_PARSER to the same value for both.",
            )
        )  # fmt: skip
    elif theirs.parser == "python" and own.parser == "native":
        findings.append(
            Finding(
                "C", "warning",
                f"The worker {name} uses the pure-Python parser, which is many times slower.",
                "Install ck3parse there with CK3PARSE_NATIVE=1 and a Rust toolchain.",
            )
        )  # fmt: skip
    return findings + [
        Finding(
            "C", "warning",
            f"The worker {name} has a {limit} of {getattr(theirs, limit):,}, but this process has"
            f" {getattr(own, limit):,}.",
            f"Set CK3PARSE_{limit.upper()} to the same value for both.",
        )
        for limit in ("max_depth", "max_file_bytes", "max_timeout_ms")
        if getattr(theirs, limit) != getattr(own, limit)
    ]  # fmt: skip


def clock_findings(
    asked: tuple[float, float], workers: Mapping[str, Identity | None]
) -> list[Finding]:
    """Return findings on workers whose clock differs from this machine's.

    Args:
        asked: seconds since 1970, before and after the workers were asked.
        workers: as returned by `ask_workers`.
    """
    findings = []
    for name, theirs in workers.items():
        if theirs is None:
            continue
        difference_s = max(asked[0] - theirs.now, theirs.now - asked[1])
        if difference_s > MAX_CLOCK_DIFFERENCE_S:
            findings.append(
                Finding(
                    "C", "warning",
                    f"The clock of the worker {name} differs by {difference_s:.1f} s: the times for"
                    " the queue and for the way back cannot be separated.",
                    "Synchronize both clocks over the network.",
                )
            )  # fmt: skip
    return findings
