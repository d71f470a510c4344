"""`ck3parse completion`: the script that completes commands, options and paths in a shell."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from ck3parse.cli import streams

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command(
    name="completion",
    epilog="""\b
Examples:
  eval "$(ck3parse completion bash)"       in ~/.bashrc
  eval "$(ck3parse completion zsh)"        in ~/.zshrc, after compinit
  ck3parse completion fish > ~/.config/fish/completions/ck3parse.fish

\b
bash needs version 4.4 or later.

\b
Exit codes: 0 written, 2 wrong usage, 4 the output cannot be written, 141 the program that
reads it is gone.""",
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    """Print the script that completes commands, options and paths in a shell."""
    root = click.get_current_context().find_root()
    name = root.info_name or "ck3parse"
    completion = SHELLS[shell](root.command, {}, name, f"_{name.upper()}_COMPLETE")
    # `source` would start bash to learn its version.
    streams.write((completion.source_template % completion.source_vars()).strip())
