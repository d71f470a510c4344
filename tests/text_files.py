"""Writes localization files."""

from pathlib import Path


def write(folder: Path, path: str, *lines: str, language: str = "english") -> Path:
    """Write a localization file: its header, and a text for each line."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    content = [f"\ufeffl_{language}:", *(f" {line}" for line in lines)]
    file.write_text("\n".join(content), encoding="utf-8", newline="\n")
    return file
