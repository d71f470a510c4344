"""Some thousand inputs of `differential.py`, which compares any number as a program."""

from itertools import islice

import pytest

pytest.importorskip("ck3parse.parser._native", reason="the native parser is not built")

from contract.differential import FIXTURES, ComparedMode, inputs_of, real_lines

SEED = 19
COUNT = 6_000


@pytest.mark.parametrize("mode", ["strict", "recover", "rows", "ck3", "index", "localization"])
def test_the_parsers_agree(mode: ComparedMode) -> None:
    """Issue 19, line 0."""
    suffix = ".yml" if mode == "localization" else ".txt"
    inputs = inputs_of(mode, str(SEED), real_lines([FIXTURES], SEED, suffix))

    different = next((case for case in islice(inputs, COUNT) if case.differs()), None)

    assert different is None, different.smallest()
