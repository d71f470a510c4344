"""`ck3parse merge`: makes one store of the stores of shards."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import click
import msgspec

from ck3parse.cli import streams
from ck3parse.errors import ExitCode
from ck3parse.plurals import counted
from ck3parse.store.merge import merge


@click.command(
    name="merge",
    epilog="""\b
Examples:
  ck3parse run game/ mods/* --shard 1/2 --out a.sqlite       on one machine
  ck3parse run game/ mods/* --shard 2/2 --out b.sqlite       on another one
  ck3parse merge a.sqlite b.sqlite --out playset.sqlite

\b
Exit codes: 0 merged, 1 merged, but a shard is missing, 2 wrong usage, stores that do not
fit together, or a run that has not ended, 4 the report cannot be written.""",
)
@click.argument(
    "stores", metavar="STORE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The new store. It must not exist.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(stores: Sequence[Path], out: Path, as_json: bool) -> None:
    """Merge STORE..., which `ck3parse run --shard` wrote, into one store.

    Syntax trees, diagnostics and index are copied. The new store is what one run of all files would
    have written. Stores of different versions, of different playsets, and with different contents
    of a file are refused.
    """
    began = perf_counter()
    merged = merge(stores, out, told=lambda store: streams.say(f"copying {store}"))
    seconds = perf_counter() - began
    if as_json:
        report = merged._asdict() | {"store": str(out.absolute()), "seconds": round(seconds, 3)}
        streams.write_json(msgspec.to_builtins(report))
    else:
        streams.write(
            f"{counted(merged.files, 'file')}, {counted(merged.asts, 'content')} and"
            f" {counted(merged.definitions, 'definition')} in {out}, merged in {seconds:.1f} s"
        )
    if merged.missing_shards:
        missing = ", ".join(merged.missing_shards)
        streams.say(f"ck3parse: no store has shard {missing}: run it, and merge again")
        raise SystemExit(ExitCode.SOME_FAILED)
