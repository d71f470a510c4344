"""Mods for containers to parse, and the expected results."""

from pathlib import Path

from ck3parse.parser import parse_bytes, parser_in_use
from ck3parse.store import Store

_SCRIPT = "\ufeffnamespace = feast\n" + "".join(
    f'feast.{number} = {{\n\ttype = "character_event"\n\ttrigger = {{ age >= {number} }}\n'
    f"\timmediate = {{ add_gold = {number}.5 save_scope_as = guest_{number} }}\n}}\n"
    for number in range(150)
)


def make_mod(folder: Path, files: int) -> Path:
    """Write a number of files of 18 KB with different contents, and return the folder."""
    for number in range(files):
        path = folder / "events" / f"{number % 40:02}" / f"feast_{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{_SCRIPT}number = {number}\n", encoding="utf-8")
    for path in [folder, *folder.rglob("*")]:  # readable for any user of a container
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def stored(store: Path) -> dict[str, bytes]:
    """Return the ASTs in a store, by the names of their files."""
    with Store(store, parser_in_use().version) as opened:
        return {name: ast for _, name, ast in opened.asts()}


def expected(mod: Path) -> dict[str, bytes]:
    """Return the ASTs that the parser makes of a mod's files, by their names."""
    asts = {}
    for path in mod.rglob("*.txt"):
        name = path.relative_to(mod).as_posix()
        ast = parse_bytes(path.read_bytes(), name).ast_json
        assert ast is not None
        asts[name] = ast
    return asts
