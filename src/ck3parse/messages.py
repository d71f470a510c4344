"""What travels between client and worker, and by the same names into bridge and store."""

from typing import Annotated, Literal

import msgspec
import zstandard

from ck3parse.errors import ErrorType

Mode = Literal["strict", "recover"]

DEFAULT_TIMEOUT_MS = 30_000
"""How long one file may take, in milliseconds, before its process is killed: qbuilder's default."""

MIN_TIMEOUT_MS = 50
"""The shortest time limit that a request may have: a process must have begun its task by then."""

DEFAULT_MAX_DEPTH = 10_000
"""How deep braces may nest before it is an error (section 5 of the AST contract)."""

ZSTD_LEVEL = 1
"""For ASTs and messages. AST JSON shrinks 15 : 1 at over 1 GB/s, script 5 : 1; higher levels cost
more time than they save.
"""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of bytes, nodes, lines or columns, as large as SQLite and other programs can hold it."""
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""In hex."""


class Diagnostic(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One thing that is wrong at one place of a file; lines and columns count from 1."""

    line: Count
    column: Count
    end_line: Count
    end_column: Count
    severity: Literal["error", "warning"]
    code: str
    message: str


class ParseRequest(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One file, or one text, to parse.

    Attributes:
        id: chosen by the client, unique among the requests it has in flight.
        path: the file as the worker finds it; `None` if `text` or `content` is given.
        text: the script itself, parsed as it is (no byte order mark removed, no line ends
            changed); `None` if `path` or `content` is given.
        name: what the root node's `filename` says.
        timeout_ms: milliseconds after which the process that parses it is killed.
        mode: `strict` stops at the first error; `recover` goes on after it.
        content: the file's bytes, for a worker that does not see the file, and parsed as one would
            be that does; `None` if `path` or `text` is given.
        max_depth: how deep braces may nest, where that is less than the worker allows; `None`: as
            deep as it allows.
    """

    id: str
    path: str | None = None
    text: str | None = None
    name: str = ""
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    mode: Mode = "strict"
    content: bytes | None = None
    max_depth: Count | None = None


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Which worker made an answer, and what its results depend on beside the files' bytes.

    Attributes:
        worker: its name, as Celery has it; empty for a process that is no worker.
        parser_version: of its parser: dialect and version of the built-in ones, else
            `module:callable`.
        max_depth: how deep braces may nest.
        max_file_bytes: larger files are not read.
    """

    worker: str
    parser_version: str
    max_depth: Count
    max_file_bytes: Count


class ParseResult(msgspec.Struct, omit_defaults=True, gc=False):
    """What came of one `ParseRequest`.

    Attributes:
        id: the request's id.
        path: the request's path, or its name where it had none.
        ok: whether there is a syntax tree of the whole file.
        ast: the AST's JSON as a zstd frame, or `None`. See `ast_json`.
        node_count: nodes in the AST, the root included.
        error_type: why there is no syntax tree of the whole file, or `None`.
        error: one sentence on what is wrong, or `None`.
        line: line of the error, from 1, or `None` where it has no place.
        column: column of the error in code points, from 1, or `None`.
        diagnostics: each thing found wrong, in order of place.
        content_hash: SHA-256 of the file's bytes in hex, or `None` if it could not be read.
        size: the file's length in bytes as it was read.
        duration_ms: milliseconds from reading the file to the compressed AST.
        origin: where it was made; of the results of one answer the first one says it for all.
    """

    id: str
    path: str
    ok: bool = False
    ast: bytes | None = None
    node_count: Count = 0
    error_type: ErrorType | None = None
    error: str | None = None
    line: Count | None = None
    column: Count | None = None
    diagnostics: list[Diagnostic] = []
    content_hash: Sha256 | None = None
    size: Count = 0
    duration_ms: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    origin: Origin | None = None

    @property
    def of_the_content(self) -> bool:
        """Whether this is the outcome of the content alone: parsing it again gives the same."""
        return self.ok or (self.error_type is not None and self.error_type.of_the_content)

    @property
    def ast_json(self) -> str | None:
        """The AST as JSON text (ASCII only), or `None` if there is none."""
        if self.ast is None:
            return None
        return zstandard.decompress(self.ast).decode("ascii")
