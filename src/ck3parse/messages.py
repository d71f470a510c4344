"""Messages between clients and workers."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import zstandard

from ck3parse.errors import ErrorType

if TYPE_CHECKING:
    from ck3parse.tree import Tree

Mode = Literal["strict", "recover"]

DialectName = Literal["ck3raven", "ck3"]
"""A dialect of script, with the syntax tree that it gives. `ck3raven` is what qbuilder stores;
`ck3` is script as the game reads it.
"""

DEFAULT_DIALECT: DialectName = "ck3raven"
"""The dialect of a request that names none."""

DEFAULT_TIMEOUT_MS = 30_000
"""Default time limit of a file in milliseconds, after which its process is killed: qbuilder's."""

MIN_TIMEOUT_MS = 50
"""Shortest time limit of a request in milliseconds: a process must start the task within it."""

DEFAULT_MAX_DEPTH = 10_000
"""How deep braces may nest by default (section 5 of the AST contract)."""

ZSTD_LEVEL = 1
"""For ASTs and messages. AST JSON shrinks 15 : 1 at over 1 GB/s, script 5 : 1; higher levels cost
more time than they save.
"""

ROWS_ZSTD_LEVEL = -5
"""For the rows of extractors, which nobody stores: half the time, and two thirds more room."""

FILED_ROWS_ZSTD_LEVEL = -1000
"""For rows in a file that the client reads and removes: as large, in a seventh of the time."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of bytes, nodes, lines or columns. Larger ones do not fit into SQLite."""
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""A SHA-256 in lower-case hex."""


class Diagnostic(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An error or a warning about a place in a file. Lines and columns count from 1."""

    line: Count
    column: Count
    end_line: Count
    end_column: Count
    severity: Literal["error", "warning"]
    code: str
    message: str


class ParseRequest(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A request to parse a file or a text. One of `path`, `text` and `content` is given.

    Attributes:
        id: an id that the client chooses, unique among its pending requests.
        path: the path of the file on the worker.
        text: the script as text, which is parsed unchanged: a byte order mark is not removed, and
            line ends are not converted.
        name: the value of `filename` in the root node.
        timeout_ms: milliseconds after which the process that parses it is killed.
        mode: `strict` stops at the first error; `recover` goes on after it.
        content: the bytes of a file that the worker cannot read. They are decoded like a file.
        max_depth: how deep braces may nest, if less than the worker allows.
        extract: full names of the extractors whose rows are wanted, such as `qbuilder/1`.
            `localization/1` alone, without an AST, reads a localization file.
        want_ast: whether the AST is wanted.
        relpath: what extractors get as the path of the file relative to its mod, with `/`; `name`
            if it is empty.
        dialect: how to read the script. `ck3` always goes on after an error, in either mode.
    """

    id: str
    path: str | None = None
    text: str | None = None
    name: str = ""
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    mode: Mode = "strict"
    content: bytes | None = None
    max_depth: Count | None = None
    extract: list[str] = []
    want_ast: bool = True
    relpath: str = ""
    dialect: DialectName = DEFAULT_DIALECT


class Origin(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The worker that made an answer, and what its results depend on, apart from the files.

    Attributes:
        worker: Celery's name of the worker; empty for a process that is not a worker.
        parser_version: the version of its parser for `ck3raven`: dialect and version of a built-in
            parser, `module:callable` of another one.
        max_depth: how deep braces may nest.
        max_file_bytes: size in bytes of the largest file that it reads.
        extractors: full names of the extractors that the worker has, of those that were asked for.
    """

    worker: str
    parser_version: str
    max_depth: Count
    max_file_bytes: Count
    extractors: list[str] = []


class ParseResult(msgspec.Struct, omit_defaults=True, gc=False):
    """The result of a `ParseRequest`.

    Attributes:
        id: the id of the request.
        path: the path of the request, or its name if it had no path.
        ok: whether there is an AST of the whole file, or a localization file was read.
        ast: the AST as JSON in a zstd frame, or `None`, also if it is not wanted. See `ast_json`.
        node_count: number of nodes in the AST, including the root; of texts in a localization
            file.
        error_type: why there is no AST of the whole file, or `None`.
        error: the error in one sentence, or `None`.
        line: the line of the error, from 1, or `None` if it has no place.
        column: the column of the error in code points, from 1, or `None`.
        diagnostics: the errors and warnings, in the order of their places.
        content_hash: SHA-256 of the file's bytes in hex, or `None` if the file was not read.
        size: size of the file in bytes when it was read.
        duration_ms: milliseconds from reading the file to compressing the AST.
        origin: the origin of all results of an answer; only its first result has one.
        rows: by extractor, the rows of a file that parsed, as JSON in a zstd frame. See
            `rows_json`. `ck3/1` makes them of a file with syntax errors, too.
        extract_errors: by extractor that made no rows of such a file, why, in one sentence.
        parser_version: the version of the parser for the request's dialect, such as `ck3/2`; empty
            for `ck3raven`, whose version is in the origin.
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
    rows: dict[str, bytes] = {}
    extract_errors: dict[str, str] = {}
    parser_version: str = ""

    @property
    def of_the_content(self) -> bool:
        """Whether this is the outcome of the content alone: parsing it again gives the same."""
        return self.ok or (self.error_type is not None and self.error_type.of_the_content)

    @property
    def ast_json(self) -> str | None:
        """The AST as JSON text, or `None` if there is none."""
        if self.ast is None:
            return None
        return zstandard.decompress(self.ast).decode()

    @property
    def tree(self) -> "Tree | None":
        """The AST as typed nodes, decoded anew at each use, or `None` if there is none.

        Raises:
            TreeError: its braces are nested too deeply.
        """
        if self.ast is None:
            return None
        from ck3parse.tree import decode  # most programs need no nodes

        return decode(zstandard.decompress(self.ast))

    def rows_json(self, extractor: str) -> bytes | None:
        """Return the rows of an extractor as JSON (ASCII only), or `None` if there are none.

        Args:
            extractor: its full name, such as `qbuilder/1`.
        """
        frame = self.rows.get(extractor)
        return None if frame is None else zstandard.decompress(frame)
