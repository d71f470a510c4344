"""Compare the native parser with the reference on generated and mutated inputs.

    python tests/contract/differential.py [FOLDER...] --count N --seed S --processes P --mode M

Real snippets come from the `*.txt` files under each FOLDER and under `tests/fixtures`. Inputs are
generated from tokens, or are real snippets mutated by bytes, mutated by tokens or cut off at
every byte; each is given as a file's content or as a text, lone surrogates included. The same
arguments make the same inputs. The first difference is made small, printed and ends the run.

With the mode `rows`, sources are parsed strictly, and the rows of the extractor `qbuilder/1` are
compared too. With the mode `ck3`, sources are parsed in that dialect, also as Windows-1252 and
UTF-16. With the mode `index`, the rows of the extractor `ck3/1` are compared, and the places of one
of its words. With the mode `localization`, sources are localization files, real ones `*.yml`.
"""

import argparse
import json
import multiprocessing
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from ck3parse.localization import reference as localization_reference
from ck3parse.localization.scan import MAX_FAULTS, Scan
from ck3parse.messages import Mode
from ck3parse.parser import DEFAULT_MAX_DEPTH, reference

sys.path.append(str(Path(__file__).resolve().parents[1]))

from contract.rows import Rows, index_of, rows_of

ComparedMode = Mode | Literal["rows", "ck3", "index", "localization"]

CK3_TOKENS = [
    *(
        "rgb",
        "hsv",
        "LIST",
        "a.$P$.b",
        "$a|1$",
        "$A",
        "@[ a ]",
        "@[b",
        "@:insert",
        "@:define",
        "-@v",
    ),
    *("=>", "= =", ">=", "{", "}", '"a\nb = c"', "x\u3000y", "\x1a", ";", "# c\rd\n", "1066.1.1"),
]

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
REPORT_EVERY = 20_000
SNIPPETS_READ = 400_000
"""Number of lines of real files that a process keeps for snippets."""

_TOKENS = json.loads(Path(__file__).with_name("tokens.json").read_text(encoding="utf-8"))
KEYS: list[str] = _TOKENS["keys"]
VALUES: list[str] = KEYS + _TOKENS["values"]
TOKENS: list[str] = VALUES + _TOKENS["signs"]
SEPARATORS = (" ", " ", " ", "", "", "\t", "\n", "\n", "\n\t", "\r\n", "\r", "#c\n", "  ", ",")
WHITE = (" ", "\t", "\n", "\r\n", "\r", "")
BYTES = [
    bytes([byte]) for byte in b"\x00\t\n\r \"#$%&'(+,-./09:;<=>?@AZ[\\]_`a{|}~\x7f\x80\xa0\xff"
]
BYTES += [b"\xef\xbb\xbf", b"\xc3", b"\xc3\xa9", b"\xe5\x90", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80"]
SURROGATES = ("\ud800", "\udc00", "\ud83d\ude00", "\udfff")
ROW_KEYS: list[str] = _TOKENS["row_keys"]
ROW_PATHS = (
    "common/landed_titles/f.txt",
    "common/religion/religions/f.txt",
    'mod/common/\u00e9"\ud800/f.txt',
    "gfx/court_scene/f.txt",
)
INDEX_TOKENS = [
    *CK3_TOKENS,
    *("e_a", "k_b", "d_c", "faiths", "colors", "NGame", "trigger", "effect", "events", "namespace"),
    *("scripted_effect", "scripted_trigger", "types", "type", "template", "local_template", "name"),
    *("id_override_priority", "history_override_priority", "-5", "morph_genes", "tenet_a", "law_a"),
    *("culture:norse", "define:NGame|A", "a.1", "\"[A.B( 'c d' )]\"", '"x/y.dds"', "@a", "x:y.z|w"),
]
INDEX_PATHS = (
    *("common/traits/f.txt", "common/landed_titles/f.txt", "common/religion/religions/f.txt"),
    *("common/defines/f.txt", "common/on_action/f.txt", "common/genes/f.txt", "common/laws/f.txt"),
    *("common/religion/doctrines/f.txt", "common/named_colors/f.txt", "gui/f.gui", "events/f.txt"),
    *("common/coat_of_arms/template_lists/f.txt", "history/characters/f.txt", "f.txt"),
    'common/\u00e9"\ud800/f.txt',
)
LOCALIZATION: dict[str, list[str]] = _TOKENS["localization"]
NO_ROWS = b'{"symbols":[],"refs":[]}'
NAMES = ("f.txt", "common/é 😀.txt", 'a"\\\n\x7f\udc80')
TOKEN = re.compile(r'"[^"\n]*"|[\w.|&\':/%-]+|\s+|.', re.DOTALL)


class Case(NamedTuple):
    """An input: a file's content or a text, its name, and how deep braces may nest."""

    source: bytes | str
    name: str = NAMES[0]
    max_depth: int = DEFAULT_MAX_DEPTH
    mode: ComparedMode = "strict"
    relpath: str = ""

    def outcomes(self) -> tuple[Rows, Rows] | tuple[Scan, Scan]:
        """Return the outcomes of the native parser and of the reference, with rows if compared."""
        from ck3parse.parser import native  # the inputs are of use where it is not built

        if self.mode == "localization":
            return self.scans()
        name, depth = self.name, self.max_depth
        if self.mode == "rows":
            return (
                rows_of("native", self.source, name, self.relpath, depth),
                rows_of("python", self.source, name, self.relpath, depth),
            )
        if self.mode == "index":
            return self.index_of("native"), self.index_of("python")
        if self.mode == "ck3":
            whole = isinstance(self.source, bytes)
            parses = [m.parse_bytes if whole else m.parse_text for m in (native, reference)]
            ours, theirs = (
                parse(self.source, name, max_depth=depth, dialect="ck3") for parse in parses
            )
            return (ours, None), (theirs, None)
        mode = self.mode
        if isinstance(self.source, bytes):
            return (
                (native.parse_bytes(self.source, name, mode=mode, max_depth=depth), None),
                (reference.parse_bytes(self.source, name, mode=mode, max_depth=depth), None),
            )
        return (
            (native.parse_text(self.source, name, mode=mode, max_depth=depth), None),
            (reference.parse_text(self.source, name, mode=mode, max_depth=depth), None),
        )

    def index_of(self, parser: str) -> Rows:
        """Return the outcome, and the rows of `ck3/1` and places as rows."""
        outcome, rows, places = index_of(
            parser, self.source, self.name, self.relpath, self.max_depth
        )
        return outcome, b"\n".join([*rows, repr(places).encode()])

    def scans(self) -> tuple[Scan, Scan]:
        """Return what the parsers of localization files find, without parts for a shallow case."""
        from ck3parse.localization import native

        data = self.source if isinstance(self.source, bytes) else self.source.encode()
        parts = self.max_depth == DEFAULT_MAX_DEPTH
        return (
            native.scan(data, parts=parts, max_faults=MAX_FAULTS),
            localization_reference.scan(data, parts=parts, max_faults=MAX_FAULTS),
        )

    def without(self, start: int, end: int) -> "Case":
        """Return this case without a part of its source."""
        source = self.source
        if isinstance(source, bytes):
            return self._replace(source=source[:start] + source[end:])
        return self._replace(source=source[:start] + source[end:])

    def differs(self) -> bool:
        """Return whether the parsers disagree."""
        ours, theirs = self.outcomes()
        return ours != theirs

    def smallest(self) -> "Case":
        """Return the smallest case by leaving out parts while the parsers still disagree."""
        case = self
        size = max(len(case.source) // 2, 1)
        while size:
            at = 0
            while at < len(case.source):
                smaller = case.without(at, at + size)
                if smaller.differs():
                    case = smaller
                else:
                    at += size
            size //= 2
        return case


class Inputs:
    """An endless source of cases, the same for the same seed and snippets."""

    def __init__(self, seed: str, lines: list[bytes], mode: ComparedMode) -> None:
        self.mode = mode
        self.random = random.Random(seed)
        self.lines = lines
        extra = {"rows": ROW_KEYS, "ck3": CK3_TOKENS, "index": INDEX_TOKENS}.get(mode, [])
        self.paths = {"rows": ROW_PATHS, "index": INDEX_PATHS}.get(mode, ("",))
        self.keys, self.all_tokens = KEYS + 3 * extra, TOKENS + 3 * extra
        if mode == "localization":
            self.all_tokens = [token for tokens in LOCALIZATION.values() for token in tokens]
        # Only what parses has rows.
        self.levels, self.often_valid = (8, 0.8) if extra else (3, 0.4)
        if mode == "localization":
            self.often_valid = 0.9

    def __iter__(self) -> Iterator[Case]:
        makers: list[Callable[[], Iterator[bytes | str]]] = [
            self.generated,
            self.mutated_bytes,
            self.mutated_tokens,
            self.truncated,
        ]
        # A snippet cut off at every byte makes some fifty inputs.
        weights = [40, 30, 29, 1]
        if not self.lines:
            makers = makers[:1]
        while True:
            maker = self.random.choices(makers, weights[: len(makers)])[0]
            name = NAMES[0] if self.random.random() < 0.98 else self.random.choice(NAMES)
            shallow = self.random.random() < 0.05
            depth = self.random.randrange(4) if shallow else DEFAULT_MAX_DEPTH
            relpath = self.random.choice(self.paths) if len(self.paths) > 1 else ""
            for source in maker():
                if self.mode in ("ck3", "index"):
                    source, name = self.recoded(source, name)
                yield Case(source, name, depth, self.mode, relpath)

    def recoded(self, source: bytes | str, name: str) -> tuple[bytes | str, str]:
        """Return a source and its name, now and then in an encoding that `ck3` knows."""
        chance = self.random.random()
        if chance < 0.02 and isinstance(source, str):
            return source.encode("utf-16", "surrogatepass")[: self.random.choice((None, -1))], name
        return source, "history/a.txt" if chance > 0.95 else name

    def either(self, text: str) -> bytes | str:
        """Return a text unchanged or as the content of a file."""
        if self.random.random() < 0.5:
            if self.random.random() < 0.02:
                at = self.random.randint(0, len(text))
                return text[:at] + self.random.choice(SURROGATES) + text[at:]
            return text
        return text.encode("utf-8", "surrogatepass")

    def tokens(self, count: int) -> str:
        """Return tokens, with the text between them."""
        choice = self.random.choice
        return "".join(choice(self.all_tokens) + choice(SEPARATORS) for _ in range(count))

    def element(self, depth: int) -> str:
        """Return an element that is usually valid."""
        choice, white = self.random.choice, self.random.choice(WHITE)
        key = choice(VALUES if self.random.random() < 0.2 else self.keys)
        kind = self.random.randrange(8)
        if kind < 3 and depth:
            inner = "".join(self.element(depth - 1) for _ in range(self.random.randrange(4)))
            head = "" if kind == 2 else f"{key}{white}={white}"
            return f"{head}{{{white}{inner}{choice(WHITE)}}}{white}"
        if kind == 3:
            return f"{key}{choice(SEPARATORS)} "
        value = choice(TOKENS if self.random.random() < 0.1 else VALUES)
        operator = choice(("=", "=", "<", ">", "<=", ">=", "!=", "==", "?="))
        return f"{key}{white}{operator}{choice(WHITE)}{value}{choice(SEPARATORS)} "

    def generated(self) -> Iterator[bytes | str]:
        """Make inputs from tokens."""
        if self.random.random() < self.often_valid:
            yield self.either(
                "".join(self.element(self.levels) for _ in range(self.random.randrange(1, 4)))
            )
        else:
            yield self.either(self.tokens(self.random.randrange(1, 13)))

    def snippet(self) -> bytes:
        """Return some lines of a real file, usually few, or a part of them."""
        few = self.random.random() < 0.98
        count = self.random.randrange(1, 4) if few else self.random.randrange(20, 120)
        start = self.random.randrange(len(self.lines))
        snippet = b"".join(self.lines[start : start + count])
        if self.random.random() < 0.3:
            snippet = snippet.replace(b"\n", b"\r\n")
        if few and len(snippet) > 60:
            start = self.random.randrange(len(snippet) - 30)
            snippet = snippet[start : start + self.random.randrange(10, 60)]
        return snippet

    def mutated_bytes(self) -> Iterator[bytes | str]:
        """Change a few bytes of a snippet."""
        data = bytearray(self.snippet())
        for _ in range(self.random.randrange(1, 5)):
            at = self.random.randint(0, len(data))
            end = at + self.random.choice((0, 0, 1, 1, 2, 5))
            new = self.random.choice(BYTES) if self.random.random() < 0.8 else b""
            data[at:end] = new
        if self.random.random() < 0.7:
            yield bytes(data)
        else:
            yield data.decode("utf-8", "replace")

    def mutated_tokens(self) -> Iterator[bytes | str]:
        """Remove, repeat, exchange and insert tokens of a snippet."""
        words = TOKEN.findall(self.snippet().decode("utf-8", "replace"))
        for _ in range(self.random.randrange(1, 4)):
            at = self.random.randint(0, len(words))
            action = self.random.randrange(4)
            if action == 0:
                del words[at : at + 1]
            elif action == 1:
                words[at:at] = words[at : at + 1]
            elif action == 2:
                words[at : at + 2] = words[at : at + 2][::-1]
            else:
                words[at : at + 1] = [self.random.choice(self.all_tokens)]
        yield self.either("".join(words))

    def truncated(self) -> Iterator[bytes | str]:
        """Cut a snippet off at every byte."""
        data = self.snippet()[:200]
        for end in range(len(data)):
            yield data[:end]


class LocalizationInputs(Inputs):
    """An endless source of localization files."""

    def either(self, text: str) -> bytes | str:
        """Return a text as the content of a file, usually with a byte order mark."""
        marks = self.random.choice(("\ufeff", "\ufeff", "\ufeff", "", "\ufeff\ufeff"))
        if self.random.random() < 0.005:
            return (marks + text).encode("utf-16-le")
        return (marks + text).encode()

    def element(self, depth: int) -> str:
        """Return a line that is usually an entry; the depth does not matter."""
        del depth
        choice, few = self.random.choice, self.random.random
        if few() < 0.15:
            return choice(LOCALIZATION["lines"]) + choice(LOCALIZATION["line_ends"])
        key = "".join(choice(LOCALIZATION["keys"]) for _ in range(self.random.randrange(1, 3)))
        colon, quote = choice(LOCALIZATION["colons"]), choice(LOCALIZATION["quotes"])
        text = "".join(choice(LOCALIZATION["texts"]) for _ in range(self.random.randrange(6)))
        end = choice(LOCALIZATION["ends"]) + choice(LOCALIZATION["line_ends"])
        return f"{choice(LOCALIZATION['blanks'])}{key}{colon}{quote}{text}{end}"


def real_lines(folders: list[Path], seed: int, suffix: str = ".txt") -> list[bytes]:
    """Return lines of real files; of some of the files if there are too many lines to keep."""
    found = (path for folder in folders for path in folder.rglob(f"*{suffix}"))
    paths = sorted(path for path in found if path.is_file())
    random.Random(seed).shuffle(paths)
    lines: list[bytes] = []
    for path in paths:
        lines += path.read_bytes().splitlines(keepends=True)
        if len(lines) > SNIPPETS_READ:
            break
    return lines


def inputs_of(mode: ComparedMode, seed: str, lines: list[bytes]) -> Inputs:
    """Return the inputs of a mode."""
    return (LocalizationInputs if mode == "localization" else Inputs)(seed, lines, mode)


def kind_of(found: Rows | Scan) -> str:
    """Return what kind of outcome this is."""
    if isinstance(found, Scan):
        return f"with{'' if found.entry_count else 'out'} entries"
    outcome, rows = found
    return "parsed with rows" if rows and rows != NO_ROWS else outcome.error_type or "parsed"


def compare(
    process: int,
    *,
    seed: int,
    count: int,
    lines: list[bytes],
    mode: ComparedMode,
    counts: "multiprocessing.SimpleQueue[Counter[str] | Case]",
) -> None:
    """Compare `count` inputs, and report the number of each kind of outcome."""
    done: Counter[str] = Counter()
    for number, case in enumerate(inputs_of(mode, f"{seed}/{process}", lines), 1):
        ours, theirs = case.outcomes()
        if ours != theirs:
            counts.put(case)
            return
        done[kind_of(ours)] += 1
        if number % REPORT_EVERY == 0 or number == count:
            counts.put(done)
            done = Counter()
        if number == count:
            return


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = argparse.ArgumentParser(description="Compare the native parser with the reference.")
    options.add_argument("folders", nargs="*", type=Path, help="holds real script files")
    options.add_argument("--count", type=int, default=100_000, help="inputs in all")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--processes", type=int, default=2)
    modes = ["strict", "recover", "rows", "ck3", "index", "localization"]
    options.add_argument("--mode", choices=modes, default="strict")
    return options.parse_args()


def main() -> int:
    """Compare, print the counts, and return 1 at a difference, else 0."""
    given = arguments()
    suffix = ".yml" if given.mode == "localization" else ".txt"
    lines = real_lines([FIXTURES, *given.folders], given.seed, suffix)
    start = time.monotonic()
    counts: multiprocessing.SimpleQueue[Counter[str] | Case] = multiprocessing.SimpleQueue()
    share = -(-given.count // given.processes)
    work = partial(
        compare, seed=given.seed, count=share, lines=lines, mode=given.mode, counts=counts
    )
    processes = [
        multiprocessing.Process(target=work, args=(number,), daemon=True)
        for number in range(given.processes)
    ]
    for process in processes:
        process.start()
    total: Counter[str] = Counter()
    while total.total() < share * given.processes:
        report = next_report(counts, processes)
        if report is None:
            sys.stdout.write("a process died: run again with --processes 1 to see why\n")
            return 1
        if isinstance(report, Case):
            case = report.smallest()
            ours, theirs = case.outcomes()
            sys.stdout.write(f"{case}\n  native:    {ours}\n  reference: {theirs}\n")
            return 1
        total += report
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(total.items()))
    sys.stdout.write(
        f"{total.total():,} inputs ({kinds}) in {time.monotonic() - start:.0f} s, seed"
        f" {given.seed}: 0 differences\n"
    )
    return 0


def next_report(
    counts: "multiprocessing.SimpleQueue[Counter[str] | Case]",
    processes: list[multiprocessing.Process],
) -> Counter[str] | Case | None:
    """Wait for the next report; return `None` when a process has died instead of reporting."""
    while counts.empty():
        for process in processes:
            process.join(0.02)
            if process.exitcode not in (None, 0):
                return None
    return counts.get()


if __name__ == "__main__":
    sys.exit(main())
