"""Write the table in `docs/reference/index-rules.md` from the rules of the extractor `ck3/1`.

python docs/make_index_rules.py            # write it
python docs/make_index_rules.py --check    # fail if it is out of date
"""

import sys
from pathlib import Path

from ck3parse.extractors.ck3 import rules

PAGE = Path(__file__).with_name("reference") / "index-rules.md"
BEGIN = "<!-- Made by docs/make_index_rules.py from src/ck3parse/extractors/ck3.toml. -->\n"
END = "<!-- End of what docs/make_index_rules.py makes. -->\n"


def table() -> str:
    """Return the rules as a Markdown table, in the order of their folders."""
    lines = [
        "| files | kind | found by | wins | since | known from | certainty | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for rule in sorted(rules(), key=lambda rule: (rule.folder is None, rule.folder or rule.kind)):
        files = "inside others" if rule.folder is None else f"`{rule.folder}/`"
        cells = [
            files if rule.folder != "" else "all other files",
            f"`{rule.kind}`",
            "" if rule.folder is None else rule.find.replace("_", " "),
            rule.wins,
            rule.since,
            rule.source,
            rule.certainty,
            rule.note.replace("|", "\\|"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the table, or compare it with what is there."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(made, encoding="utf-8", newline="\n")
        return 0
    if made != page:
        sys.stderr.write(f"{PAGE} is out of date: run `python docs/make_index_rules.py`\n")
    return int(made != page)


if __name__ == "__main__":
    sys.exit(main())
