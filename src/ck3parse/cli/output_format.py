"""The output format of commands that have more than text and JSON."""

import click


def chosen_format(output: str | None, **flags: bool) -> str | None:
    """Return the format that `--format` or a flag such as `--json` names, or `None`.

    Args:
        output: the value of `--format`, or `None`.
        **flags: by the name of a format, whether its flag was given.

    Raises:
        UsageError: they name different formats.
    """
    given = {name for name, wanted in flags.items() if wanted}
    if output is not None:
        given.add(output)
    if len(given) > 1:
        raise click.UsageError(f"give one output format, not {' and '.join(sorted(given))}")
    return given.pop() if given else None
