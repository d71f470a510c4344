"""Write the table of settings in `docs/settings.md` from `ck3parse.config.Settings`.

python docs/make_settings.py            # write it
python docs/make_settings.py --check    # fail if it is out of date
"""

import inspect
import re
import sys
from pathlib import Path
from typing import get_type_hints

import msgspec.inspect

from ck3parse.config import ENV_PREFIX, Settings

PAGE = Path(__file__).with_name("settings.md")
BEGIN = "<!-- Made by docs/make_settings.py from the class Settings. -->\n"
END = "<!-- End of what docs/make_settings.py makes. -->\n"


def table() -> str:
    """Return the settings as a Markdown table, in the order of their fields."""
    kinds = get_type_hints(Settings, include_extras=True)
    meanings = _meanings()
    if list(meanings) != list(Settings.__struct_fields__):
        raise SystemExit("the docstring of Settings does not describe its fields in their order")
    lines = ["| variable | default | values | meaning |", "|---|---|---|---|"]
    for name, meaning in meanings.items():
        default = getattr(Settings(), name)
        shown = "empty" if default == "" else f"`{default}`"
        values = _values(msgspec.inspect.type_info(kinds[name]))
        lines.append(f"| {_variable(name)} | {shown} | {values} | {_meaning(meaning)} |")
    return "\n".join(lines) + "\n"


def _meanings() -> dict[str, str]:
    """Return what the docstring of `Settings` says about each field."""
    _, _, attributes = (inspect.getdoc(Settings) or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _meaning(text: str) -> str:
    """Return a sentence that names variables in place of fields."""
    for name in Settings.__struct_fields__:
        text = text.replace(f"`{name}`", _variable(name))
    return (text[0].upper() + text[1:]).replace("|", "\\|")


def _variable(field: str) -> str:
    return f"`{ENV_PREFIX}{field.upper()}`"


def _values(kind: msgspec.inspect.Type) -> str:
    """Return the values that a field may have."""
    if isinstance(kind, msgspec.inspect.LiteralType):
        return " or ".join(f"`{value}`" for value in kind.values if value)
    if not isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        return "text"
    lowest = f"more than {kind.gt:,}," if kind.gt is not None else f"{kind.ge:,}"
    return f"{lowest} to {kind.le:,}"


def page(text: str) -> str:
    """Return the page with the table as it should be.

    Args:
        text: the page as it is.
    """
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Write or check the page, as the command line asks."""
    text = PAGE.read_text("utf-8")
    wanted = page(text)
    if sys.argv[1:] == ["--check"]:
        if text != wanted:
            raise SystemExit("docs/settings.md is out of date: run python docs/make_settings.py")
    else:
        PAGE.write_text(wanted, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
