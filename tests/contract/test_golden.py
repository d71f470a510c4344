"""The recorded output in the folder `CK3PARSE_GOLDEN`, if that is set."""

import os
from pathlib import Path

import pytest

from contract.golden import compare

FOLDERS = [Path(folder) for folder in [os.environ.get("CK3PARSE_GOLDEN")] if folder]

if FOLDERS:

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_recorded_output(parser_name: str, folder: Path) -> None:
        differences = [difference for _, difference in compare(folder, parser_name)]

        assert len(differences) > 0
        assert list(filter(None, differences)) == []
