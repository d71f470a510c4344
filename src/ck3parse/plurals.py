"""Numbers of things in messages."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with what it counts, such as `1 file` or `2,000 files`.

    Args:
        count: how many there are.
        one: the words for one of them.
        many: the words for several; default: `one` with an `s`.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
