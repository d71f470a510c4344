"""Packages with extractors, as an installer leaves them."""

from pathlib import Path

from ck3parse.extractors import ENTRY_POINTS


def install(folder: Path, name: str, entry_points: dict[str, str]) -> None:
    """Write what an installer writes about a package."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{ENTRY_POINTS}]", *(f"{key} = {value}" for key, value in entry_points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
