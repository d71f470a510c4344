"""Some thousand inputs of `differential.py`, which compares any number as a program."""

from itertools import islice

import pytest

pytest.importorskip("ck3parse.parser._native", reason="the native parser is not built")

from contract.differential import FIXTURES, ComparedMode, Inputs, real_lines

SEED = 19
COUNT = 6_000


@pytest.mark.parametrize("mode", ["strict", "recover", "rows", "ck3", "index"])
def test_the_parsers_agree(mode: ComparedMode) -> None:
    """Issue 19, line 0."""
    inputs = Inputs(str(SEED), real_lines([FIXTURES], SEED), mode)

    different = next((case for case in islice(inputs, COUNT) if case.differs()), None)

    assert different is None, different.smallest()
