"""The files that `rust/tools` writes are what it would write now."""

import importlib.util
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "rust/tools"


def script(name: str) -> ModuleType:
    """Return a script of `rust/tools` as a module."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def out_of_date(module: ModuleType) -> list[Path]:
    """Return the files that a script would change."""
    tables: dict[Path, str] = module.tables()
    return [path for path, text in tables.items() if path.read_text("utf-8") != text]


def test_grammar_tables_are_up_to_date() -> None:
    assert out_of_date(script("make_grammar_tables")) == []


def test_extractor_tables_are_up_to_date() -> None:
    assert out_of_date(script("make_extractor_tables")) == []


def test_localization_tables_are_up_to_date() -> None:
    assert out_of_date(script("make_localization_tables")) == []


def test_unicode_tables_are_up_to_date() -> None:
    module = script("make_unicode_tables")
    if unicodedata.unidata_version != module.PINNED:
        pytest.skip(f"this Python does not have Unicode {module.PINNED}")
    assert out_of_date(module) == []
