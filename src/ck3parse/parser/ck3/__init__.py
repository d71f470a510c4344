"""Dialect `ck3` in pure Python: the tree as the game reads script, with spans.

`docs/contract-ck3.md` is the grammar. All modules read a text as the bytes of its UTF-8, each of
which is one character of a `str`, so that offsets are those of the file.
"""
