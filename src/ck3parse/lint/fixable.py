"""Whether `check --fix` mends a finding, as it is told in every report."""

from pathlib import Path

from ck3parse.lint.rules import rule_of
from ck3parse.lint.windows_1252 import IF_CERTAIN, certain_text
from ck3parse.messages import Diagnostic


def is_fixable(diagnostic: Diagnostic, content: bytes | str) -> bool:
    """Return whether `--fix` mends a finding, unless that changed more than the finding is about.

    Args:
        diagnostic: the finding.
        content: the content of its file, or a path to read it from if that is needed.
    """
    if diagnostic.code not in IF_CERTAIN:
        return rule_of(diagnostic.code).fixable
    try:
        data = content if isinstance(content, bytes) else Path(content).read_bytes()
    except OSError:
        return False
    return certain_text(data) is not None
