"""`python -m ck3parse` is `ck3parse`."""

from ck3parse.cli import main

main()
