"""Find the most likely place of missing and extra braces in a broken text, by indentation.

Braces are matched as they stand. Where the indentation contradicts a match, a note is taken:

- The innermost open block may lack its closing brace before a line that starts like `key =` and is
  indented no deeper than the block's own line, and before a closing brace left of the block.
- A closing brace may be extra if it is right of its block's line, or on a later line but not the
  first token there.

An operator before `}` or before another `key =` may lack an opening brace. Most notes are only
style, so they count only if braces do not match in the end: a block that is open at the end of the
text is closed at the first note inside it, and a closing brace that closes nothing makes the first
note before it an extra or a missing brace. A note is dropped when a block around it ends or
continues at its usual indentation.
"""

from collections import Counter, deque

from ck3parse.parser.grammar_tables import TokenKind
from ck3parse.parser.token_table import TokenTable

_NONE = -1


class Repairs:
    """How to repair the braces of a text. All members are indices of tokens.

    Attributes:
        closes: the number of blocks to close before a token.
        strays: closing braces to skip.
        opens: tokens after an operator to open a block before.
    """

    def __init__(self) -> None:
        self.closes: Counter[int] = Counter()
        self.strays: set[int] = set()
        self.opens: set[int] = set()


class _Block:
    """An open block.

    Attributes:
        opener: the index of its `{`.
        indent: the indentation of the line of its `{`, in columns.
        inner: the indentation of its content, in columns, or -1 if that starts on the same line.
        shaped: whether its content is indented or starts on the line of its `{`.
        keyed: whether a line inside it starts like `key =` and is indented no deeper than it.
        missing: the index of the token before which a closing brace may be missing, or -1.
        extra: the index of the token in it that may be an extra brace, or that an opening brace may
            be missing before, or -1.
    """

    __slots__ = ("extra", "indent", "inner", "keyed", "missing", "opener", "shaped")

    def __init__(self, opener: int, indent: int, tokens: TokenTable) -> None:
        self.opener = opener
        self.indent = indent
        self.inner = _NONE
        self.shaped = False
        self.keyed = False
        self.missing = _NONE
        self.extra = _NONE
        child = opener + 1
        if tokens.kind[child] != TokenKind.END:
            if not tokens.first[child]:
                self.shaped = True
            else:
                self.inner = tokens.indent[child]
                self.shaped = self.inner > indent


def repairs_of(tokens: TokenTable) -> Repairs:
    """Return how to repair the braces of a text."""
    return _Braces(tokens).repairs()


class _Braces:
    def __init__(self, tokens: TokenTable) -> None:
        self.tokens = tokens
        self.open: list[_Block] = []
        self.extras: deque[int] = deque()
        """Such tokens outside of all blocks."""
        self.found = Repairs()
        self.root_inner = tokens.indent[0]

    def repairs(self) -> Repairs:
        kinds = self.tokens.kind
        at = 0
        while (kind := kinds[at]) != TokenKind.END:
            if self.tokens.starts_line_of_key(at):
                self.key_line(at)
            if (after := self.tokens.after_expression(at)) > at:
                at = after
                continue
            if kind == TokenKind.OPEN_BRACE:
                self.open.append(_Block(at, self.tokens.indent[at], self.tokens))
            elif kind == TokenKind.CLOSE_BRACE:
                self.close(at)
            elif self.may_lack_opener(at):
                self.note_extra(at + 1)
            at += 1
        for block in self.open:
            self.found.closes[block.missing if block.missing != _NONE else at] += 1
        return self.found

    def may_lack_opener(self, at: int) -> bool:
        """Return whether a token is an operator after which an opening brace may be missing."""
        tokens = self.tokens
        if not tokens.is_operator(at) or not at or not tokens.is_key(at - 1):
            return False
        if tokens.kind[at + 1] == TokenKind.CLOSE_BRACE:
            return True
        return tokens.is_key(at + 1) and tokens.is_operator(at + 2)

    def note_extra(self, index: int) -> None:
        if not self.open:
            self.extras.append(index)
        elif self.open[-1].extra == _NONE:
            self.open[-1].extra = index

    def key_line(self, at: int) -> None:
        indent = self.tokens.indent[at]
        if not self.open:
            if indent == self.root_inner:
                self.extras.clear()
            return
        top = self.open[-1]
        if top.shaped and indent == top.inner:
            top.missing = top.extra = _NONE
            return
        for block in reversed(self.open):
            if block.keyed or block.indent < indent:
                break
            block.keyed = True
            if block.shaped and block.missing == _NONE:
                block.missing = at

    def close(self, at: int) -> None:
        if not self.open:
            self.use_note(self.extras.popleft() if self.extras else at)
            return
        tokens = self.tokens
        block = self.open.pop()
        missing, extra = block.missing, block.extra
        indent = tokens.indent[at]
        if tokens.first[at]:
            if indent == block.indent:
                return
            if indent < block.indent:
                missing = at if missing == _NONE else missing
            elif extra == _NONE:
                extra = at
        elif extra == _NONE and tokens.line[block.opener] != tokens.line[at]:
            extra = at
        if extra != _NONE:
            self.note_extra(extra)
        if self.open and self.open[-1].missing == _NONE:
            self.open[-1].missing = missing

    def use_note(self, index: int) -> None:
        opener_missing = index and self.tokens.is_operator(index - 1)
        (self.found.opens if opener_missing else self.found.strays).add(index)
