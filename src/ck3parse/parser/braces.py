"""Where a broken text most likely lacks a brace or has one too many, told by its indentation.

Braces are matched as they stand, and what their indentation says against that is noted: a line
that starts like `key =` no deeper than the innermost open block's own line, or a closing brace
left of it, says that this block lacks its brace; a closing brace right of it, or one on a later
line that does not start with it, that it is one too many. Most such notes are mere style, so that
they only count where something is left over: a block open at the end of the text takes the first
note inside of it for the place of its brace, and a closing brace that closes nothing takes the
first note before it for the brace that should not be there. A note is withdrawn where a block
around it ends or goes on as it is indented.
"""

from collections import Counter, deque

from ck3parse.parser.grammar_tables import TokenKind
from ck3parse.parser.recovery_tokens import RecoveryTokens

_NONE = -1


class Repairs:
    """What to do about braces, by the indices of tokens.

    Attributes:
        closes: how many blocks to close before a token.
        strays: closing braces to pass over.
        opens: tokens, each after an operator, that a brace should stand before.
    """

    def __init__(self) -> None:
        self.closes: Counter[int] = Counter()
        self.strays: set[int] = set()
        self.opens: set[int] = set()


class _Block:
    """A block that is open.

    Attributes:
        opener: index of its `{`.
        indent: columns that the line of its `{` is indented by.
        inner: columns that its first line of its own is indented by, or -1.
        shaped: whether its content is indented, or begins on the brace's line.
        keyed: whether a line was noted that starts like a key no deeper than it.
        lacks: index of the token before which it, or one in it, may lack its brace, or -1.
        spare: index of the token that may be a brace too many in it, or -1.
    """

    __slots__ = ("indent", "inner", "keyed", "lacks", "opener", "shaped", "spare")

    def __init__(self, opener: int, indent: int, tokens: RecoveryTokens) -> None:
        self.opener = opener
        self.indent = indent
        self.inner = _NONE
        self.shaped = False
        self.keyed = False
        self.lacks = _NONE
        self.spare = _NONE
        child = opener + 1
        if tokens.kind[child] != TokenKind.END:
            if not tokens.first[child]:
                self.shaped = True
            else:
                self.inner = tokens.indent[child]
                self.shaped = self.inner > indent


def repairs_of(tokens: RecoveryTokens) -> Repairs:
    """Return what to do about the braces of a text."""
    return _Braces(tokens).repairs()


class _Braces:
    def __init__(self, tokens: RecoveryTokens) -> None:
        self.tokens = tokens
        self.open: list[_Block] = []
        self.spares: deque[int] = deque()
        """Notes outside of all blocks."""
        self.found = Repairs()
        self.root_inner = tokens.indent[0]

    def repairs(self) -> Repairs:
        kinds = self.tokens.kind
        at = 0
        while (kind := kinds[at]) != TokenKind.END:
            if self.tokens.starts_line_of_key(at):
                self.key_line(at)
            if kind == TokenKind.AT and kinds[at + 1] == TokenKind.OPEN_BRACKET:
                at, _ = self.tokens.inline_end(at)
                continue
            if kind == TokenKind.OPEN_BRACE:
                self.open.append(_Block(at, self.tokens.indent[at], self.tokens))
            elif kind == TokenKind.CLOSE_BRACE:
                self.close(at)
            elif self.lacks_opener(at):
                self.note_spare(at + 1)
            at += 1
        for block in self.open:
            self.found.closes[block.lacks if block.lacks != _NONE else at] += 1
        return self.found

    def lacks_opener(self, at: int) -> bool:
        """Tell whether a token is an operator behind which a brace may lack."""
        tokens = self.tokens
        if not tokens.is_operator(at) or not at or not tokens.is_key(at - 1):
            return False
        if tokens.kind[at + 1] == TokenKind.CLOSE_BRACE:
            return True
        return tokens.is_key(at + 1) and tokens.is_operator(at + 2)

    def note_spare(self, index: int) -> None:
        if not self.open:
            self.spares.append(index)
        elif self.open[-1].spare == _NONE:
            self.open[-1].spare = index

    def key_line(self, at: int) -> None:
        indent = self.tokens.indent[at]
        if not self.open:
            if indent == self.root_inner:
                self.spares.clear()
            return
        top = self.open[-1]
        if top.shaped and indent == top.inner:
            top.lacks = top.spare = _NONE
            return
        for block in reversed(self.open):
            if block.keyed or block.indent < indent:
                break
            block.keyed = True
            if block.shaped and block.lacks == _NONE:
                block.lacks = at

    def close(self, at: int) -> None:
        if not self.open:
            self.spend(self.spares.popleft() if self.spares else at)
            return
        tokens = self.tokens
        block = self.open.pop()
        lacks, spare = block.lacks, block.spare
        indent = tokens.indent[at]
        if tokens.first[at]:
            if indent == block.indent:
                return
            if indent < block.indent:
                lacks = at if lacks == _NONE else lacks
            elif spare == _NONE:
                spare = at
        elif spare == _NONE and tokens.line[block.opener] != tokens.line[at]:
            spare = at
        if spare != _NONE:
            self.note_spare(spare)
        if self.open and self.open[-1].lacks == _NONE:
            self.open[-1].lacks = lacks

    def spend(self, index: int) -> None:
        lacks_opener = index and self.tokens.is_operator(index - 1)
        (self.found.opens if lacks_opener else self.found.strays).add(index)
